//! The situation report: the region as of a time on two printed pages, signed off by gold.

use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use fallow_api::render::sitrep::{Page as Report, Table};
use fallow_api::v1::{GetSitrepRequest, SignOffSitrepRequest, Sitrep};
use fallow_tabular::report::{Printed, workbook as written};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use super::frame::{Frame, Place, rendered};
use super::problem::{Control, summary};
use super::situation::sections::{Entry, Section, sections};
use crate::app::Visit;
use crate::form::Posted;
use crate::problem::Problem;
use crate::routes;
use crate::words::time::{Now, from_wire, to_wire};

/// The controls of the page's forms, for the error summary.
const CONTROLS: &[Control] =
    &[Control::new("as_of", "at", "As of"), Control::new("signatory", "signatory", "Who signs")];

/// The byte-order mark with which such a file begins, once.
const MARK: char = '\u{feff}';

/// As of when.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    /// The value of a `datetime-local` control, or a whole timestamp; empty for now.
    #[serde(default)]
    at: String,
}

impl Asked {
    fn at(&self, now: &Now) -> Result<Option<Timestamp>, Problem> {
        match self.at.trim() {
            "" => Ok(None),
            text => match text.parse().ok().or_else(|| now.read_control(text)) {
                Some(at) => Ok(Some(at)),
                None => Err(Problem::invalid("as_of", "must be a date and a time")),
            },
        }
    }
}

#[derive(Template)]
#[template(path = "sitrep/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    /// The value of the control: of the report's time.
    at: String,
    report: Option<Shown>,
}

/// A report, and what can be done with it.
struct Shown {
    csrf: String,
    title: String,
    lines: Vec<String>,
    tables: Vec<Table>,
    signature: String,
    /// The exact time of the report, which is what is signed.
    exact: String,
    can_sign: bool,
}

/// `GET /sitrep`
pub(crate) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Response {
    show(&visit, &asked, None).await
}

/// `POST /sitrep/sign`: signs the report that was shown.
pub(crate) async fn sign(Posted { visit, fields }: Posted) -> Response {
    let asked = Asked { at: fields.text("at").to_owned() };
    let request = match asked.at(&visit.now) {
        Ok(at) => SignOffSitrepRequest {
            request_id: fields.request_id(),
            as_of: at.map(to_wire),
            signatory: fields.text("signatory").to_owned(),
            ..SignOffSitrepRequest::default()
        },
        Err(problem) => return show(&visit, &asked, Some(problem)).await,
    };
    match visit.calls.monitor().sign_off_sitrep(request).await {
        Ok(_) => visit.done("Signed off.", &format!("/sitrep?at={}", asked.at)),
        Err(status) => show(&visit, &asked, Some(status.into())).await,
    }
}

/// `GET /sitrep/sitrep.md`: the same as Markdown, for a message.
pub(crate) async fn markdown(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let read = async {
        let report = read(&visit, &asked).await?;
        let text = of(&report, &visit.now).markdown();
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("text/markdown; charset=utf-8")),
            (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"sitrep.md\"")),
        ];
        Ok((headers, text).into_response())
    };
    visit.answer(read.await)
}

/// `GET /sitrep/sitrep.csv`: the same as comma-separated text, one table after another as the command line writes them.
pub(crate) async fn sheet(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let read = async {
        let report = of(&read(&visit, &asked).await?, &visit.now);
        let mut text = MARK.to_string();
        for table in report.tables() {
            let bytes = fallow_tabular::report::csv(&table.head, &table.rows)
                .map_err(|error| Problem::invalid("as_of", &error.to_string()))?;
            let rows = String::from_utf8_lossy(&bytes);
            for part in [table.title.as_str(), "\n", rows.trim_start_matches(MARK), "\n"] {
                text.push_str(part);
            }
        }
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
            (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"sitrep.csv\"")),
        ];
        Ok((headers, text).into_response())
    };
    visit.answer(read.await)
}

/// `GET /sitrep/sitrep.xlsx`: the same as a workbook, for pasting.
pub(crate) async fn workbook(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let read = async {
        let report = of(&read(&visit, &asked).await?, &visit.now);
        let tables: Vec<Printed<'_>> = report.tables().iter().map(printed).collect();
        let bytes = written("Situation", &report.title, &report.lines, &tables, &report.signature)
            .map_err(|error| Problem::invalid("as_of", &error.to_string()))?;
        let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static(kind)),
            (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"sitrep.xlsx\"")),
        ];
        Ok((headers, bytes).into_response())
    };
    visit.answer(read.await)
}

async fn show(visit: &Visit, asked: &Asked, problem: Option<Problem>) -> Response {
    if let Some(way) = problem.as_ref().and_then(|problem| visit.way_out(problem)) {
        return way;
    }
    let (frame, report) =
        tokio::join!(Frame::read(visit, Place::Situation, "Situation report"), read(visit, asked));
    let (report, problem) = match (report, problem) {
        (Ok(report), problem) => (Some(report), problem),
        (Err(_), Some(problem)) => (None, Some(problem)),
        (Err(refused), None) => (None, Some(refused)),
    };
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
    let as_of = report.as_ref().and_then(|report| from_wire(report.as_of.as_ref())).unwrap_or(visit.now.at);
    let page = Page {
        frame: Frame { is_live: false, ..frame },
        sections: sections(visit, Section::Sitrep),
        problem: problem.map_or_else(String::new, |problem| summary(&problem, CONTROLS)),
        at: visit.now.control(as_of),
        report: report.map(|report| Shown::new(visit, &report, as_of)),
    };
    routes::html(status, rendered(&page))
}

async fn read(visit: &Visit, asked: &Asked) -> Result<Sitrep, Problem> {
    let as_of = asked.at(&visit.now)?.map(to_wire);
    let answer = visit.calls.monitor().get_sitrep(GetSitrepRequest { as_of }).await?;
    Ok(answer.into_inner().sitrep.unwrap_or_default())
}

fn of(report: &Sitrep, now: &Now) -> Report {
    // With its date: what is printed is read on another day.
    let when = |at: Timestamp| at.to_zoned(now.zone.clone()).strftime("%a %-d %b %H:%M").to_string();
    Report::of(report, &when)
}

impl Shown {
    fn new(visit: &Visit, sitrep: &Sitrep, as_of: Timestamp) -> Self {
        let report = of(sitrep, &visit.now);
        Self {
            csrf: visit.signed.csrf.clone(),
            tables: report.tables().to_vec(),
            title: report.title,
            lines: report.lines,
            signature: report.signature,
            exact: as_of.to_string(),
            can_sign: visit.viewer().role == "gold" && sitrep.signed_off_at.is_none(),
        }
    }
}

fn printed(table: &Table) -> Printed<'_> {
    Printed { title: &table.title, head: &table.head, rows: &table.rows, note: &table.note }
}
