//! Upload: a sheet of offers or needs, what it would change, and only then the change. It works without scripts.
//!
//! Between the two, the page itself carries the rows that can be read: no copy of the console keeps a file, and what is
//! confirmed is what was shown.

mod body;
mod done;
mod pace;
mod send;

use askama::Template;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use fallow_tabular::Local;
use fallow_tabular::difference::{Becomes, Difference, counted};
use fallow_tabular::sheet::Fault;
use fallow_tabular::template::{self, Lists};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use self::body::Upload;
use self::done::Done;
use self::send::{Carried, Sent};
use super::frame::{Frame, Place, rendered};
use super::problem::{Control, summary};
use crate::app::{App, Visit};
use crate::form::{Fields, Posted};
use crate::parked::Form;
use crate::problem::{Kind, Problem};
use crate::routes;

/// Bytes of a confirmation at most: a thousand rows, written as a browser sends them.
pub(crate) const CONFIRMED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where a confirmation is sent.
const CONFIRM: &str = "/upload/confirm";
/// The field that says what is done of it already.
const DONE: &str = "done";

const TITLE: &str = "Upload a sheet";

const CONTROLS: &[Control] = &[
    Control::new("file", "file", "File"),
    Control::new("site", "file", "File"),
    Control::new("kinds", "file", "File"),
];

/// What a sheet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Of {
    /// What we can spare.
    #[default]
    Offers,
    /// What we need.
    Needs,
}

impl Of {
    /// Reads what a form says; anything unknown is offers, which the first look will show to be wrong.
    fn read(text: &str) -> Self {
        if text == "needs" { Self::Needs } else { Self::Offers }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Offers => "offers",
            Self::Needs => "needs",
        }
    }

    const fn place(self) -> Place {
        match self {
            Self::Offers => Place::Capacity,
            Self::Needs => Place::Needs,
        }
    }
}

/// Which page was asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    of: Of,
}

/// A row of the table of differences.
struct Line {
    word: &'static str,
    what: String,
    detail: String,
}

/// What a sheet would do, or did.
struct Preview {
    counts: String,
    lines: Vec<Line>,
    faults: Vec<Fault>,
    /// What the confirmation sends back; without records when there is nothing to confirm.
    carried: Carried,
    /// Whether it was confirmed and ended before the last row.
    stopped: bool,
    /// Which rows or sites are done then; empty when none is.
    done: String,
    /// Said when the sheet was to replace and cannot.
    keeps: bool,
}

#[derive(Template)]
#[template(path = "upload/page.html")]
struct Page {
    frame: Frame,
    csrf: String,
    summary: String,
    of: &'static str,
    is_offers: bool,
    bytes_max: usize,
    rows_max: usize,
    /// Where to sign in again and go on, when the session ended midway; the page then has no form of its own.
    again: Option<String>,
    preview: Option<Preview>,
}

/// `GET /upload`
pub(crate) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let made = match visit.own_trust().and_then(|_| visit.needs_right("/upload")) {
        Ok(_) => Ok(show(&visit, asked.of, None, None).await),
        Err(problem) => Err(problem),
    };
    visit.answer(made)
}

async fn show(visit: &Visit, of: Of, problem: Option<&Problem>, preview: Option<Preview>) -> Response {
    if let Some(way) = problem.and_then(|problem| visit.way_out(problem)) {
        return way;
    }
    let frame = Frame::read(visit, of.place(), TITLE).await;
    shown(visit, frame, of, problem, preview, None)
}

fn shown(
    visit: &Visit,
    frame: Frame,
    of: Of,
    problem: Option<&Problem>,
    preview: Option<Preview>,
    again: Option<String>,
) -> Response {
    let page = Page {
        frame,
        csrf: visit.signed.csrf.clone(),
        summary: problem.map_or_else(String::new, |problem| summary(problem, CONTROLS)),
        of: of.word(),
        is_offers: of == Of::Offers,
        bytes_max: body::FILE_BYTES_MAX / 1024,
        rows_max: send::ROWS_MAX,
        again,
        preview,
    };
    routes::html(problem.map_or(StatusCode::OK, Problem::http_status), rendered(&page))
}

/// `POST /upload`: reads the file and asks the services what it would change.
pub(crate) async fn preview(State(app): State<App>, headers: HeaderMap, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let visit = match Visit::of_person(&parts, &app).await {
        Ok(visit) => visit,
        Err(way) => return *way,
    };
    let upload = match Upload::read(&visit, &headers, body).await {
        Ok(upload) => upload,
        Err(problem) => return show(&visit, Of::default(), Some(&problem), None).await,
    };
    let made = async {
        visit.own_trust()?;
        let sheet = send::read(upload.bytes, upload.format, upload.of, local(&visit)).await?;
        send::preview(&visit, sheet, upload.replaces).await
    };
    let made = made.await;
    // It may have taken longer than a credential lasts. Whose session is over meanwhile is told so by the page.
    let visit = visit.renewed().await.unwrap_or(visit);
    match made {
        Ok(preview) => show(&visit, upload.of, None, Some(preview)).await,
        Err(problem) => show(&visit, upload.of, Some(&problem), None).await,
    }
}

/// `POST /upload/confirm`: makes the change that was shown.
pub(crate) async fn confirm(Posted { visit, fields }: Posted) -> Response {
    let of = Of::read(fields.text("of"));
    let made = async {
        visit.own_trust()?;
        let carried = Carried::of(&fields)?;
        let bytes = carried.records.clone().into_bytes();
        let rows = send::read(bytes, fallow_tabular::Format::JsonLines, of, local(&visit)).await?;
        let sent = send::send(&visit, rows, &carried).await;
        Ok((sent.unwrap_or_else(|problem| Sent { stopped: Some(problem), ..Sent::default() }), carried))
    };
    let made = made.await;
    let visit = visit.renewed().await.unwrap_or(visit);
    match made {
        // The same form again, so that what is done is not done twice.
        Ok((Sent { differences, faults, mut done, stopped: Some(problem) }, mut carried)) => {
            done.add(&carried.done);
            carried.done = done.clone();
            let mut preview = Preview::new(&differences, faults, carried);
            (preview.stopped, preview.done) = (true, done.in_words());
            stopped(visit, of, after_some(problem, &done), preview).await
        }
        Ok((Sent { differences, faults, .. }, _)) if faults.is_empty() => {
            let next = if of == Of::Offers { "/capacity" } else { "/needs" };
            visit.done(format!("Uploaded: {}.", counted(&differences, 0)), next)
        }
        Ok((Sent { differences, faults, .. }, _)) => {
            let preview = Preview::new(&differences, faults, Carried::default());
            let problem = Problem::invalid("file", "some rows were refused meanwhile; the others are done");
            show(&visit, of, Some(&problem), Some(preview)).await
        }
        Err(problem) => show(&visit, of, Some(&problem), None).await,
    }
}

/// Shows what is done of a confirmation that ended before the last row. It is kept in the form, too, so that whoever must
/// sign in first is told again when they are back.
async fn stopped(mut visit: Visit, of: Of, problem: Problem, preview: Preview) -> Response {
    let done = &preview.carried.done;
    if !done.is_empty() {
        visit.put_into_form(DONE, done.field());
        if problem.kind == Kind::SignedOut {
            let frame = Frame::alone(&visit, TITLE);
            let again = visit.to_sign_in_again();
            return shown(&visit, frame, of, Some(&problem), Some(preview), Some(again));
        }
    }
    show(&visit, of, Some(&problem), Some(preview)).await
}

/// What a confirmation that comes back after signing in again says of itself.
pub(crate) struct Kept {
    /// Which rows of what, instead of the records themselves.
    pub(crate) shown: Vec<(String, String)>,
    /// What is done of it already, such as `rows 2 to 21`; empty when nothing is.
    pub(crate) done: String,
}

impl Kept {
    /// Reads a form that was kept; `None` when it is another page's.
    pub(crate) fn of(form: &Form) -> Option<Self> {
        if form.path != CONFIRM {
            return None;
        }
        let fields = Fields::from(form.fields.clone());
        let of = Of::read(fields.text("of"));
        let rows = fields.text("rows").split(',').filter_map(|row| row.split('@').next()?.parse().ok());
        let rows = pace::rows_in_words(&rows.collect::<Vec<_>>());
        let shown =
            vec![("what the sheet holds".to_owned(), of.word().to_owned()), ("rows".to_owned(), rows)];
        Some(Self { shown, done: Done::read(fields.text(DONE)).in_words() })
    }
}

/// `GET /upload/template/{kind}`: an empty workbook to fill in.
pub(crate) async fn template(visit: Visit, Path(kind): Path<String>) -> Response {
    let kind = match kind.as_str() {
        "offers.xlsx" => template::Template::Offers,
        "needs.xlsx" => template::Template::Needs,
        "theatre.xlsx" => template::Template::Theatre,
        _ => return visit.refuse(&Problem::not_found()),
    };
    let made = async {
        let (own, directory) = (visit.own_trust()?.to_owned(), visit.directory().await?);
        let lists = Lists {
            sites: directory.sites_of(&own).into_iter().map(|site| site.code.clone()).collect(),
            resources: directory.own_resources(),
        };
        let bytes = template::workbook(kind, &lists).map_err(|error| {
            tracing::error!(%error, "a template could not be made");
            Problem::invalid("file", "the template could not be made")
        })?;
        let headers = [
            (CONTENT_TYPE, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            (CONTENT_DISPOSITION, "attachment; filename=\"fallow-template.xlsx\""),
        ];
        Ok((headers, bytes).into_response())
    };
    visit.answer(made.await)
}

/// Says a problem so that it does not claim that nothing was changed, when something was.
fn after_some(problem: Problem, done: &Done) -> Problem {
    match problem.kind {
        Kind::Away if !done.is_empty() => Problem { kind: Kind::OutcomeUnknown, ..problem },
        Kind::Refused | Kind::Forbidden | Kind::ChangedMeanwhile if !done.is_empty() => {
            Problem::invalid("file", &problem.text)
        }
        Kind::Invalid
        | Kind::Refused
        | Kind::ChangedMeanwhile
        | Kind::NotFound
        | Kind::Forbidden
        | Kind::SignedOut
        | Kind::Limited
        | Kind::Away
        | Kind::OutcomeUnknown
        | Kind::Broken => problem,
    }
}

fn local(visit: &Visit) -> Local {
    Local { now: visit.now.at, zone: visit.now.zone.clone() }
}

impl Preview {
    fn new(differences: &[Difference], faults: Vec<Fault>, carried: Carried) -> Self {
        let mut rows: Vec<usize> = faults.iter().map(|fault| fault.row).collect();
        rows.sort_unstable();
        rows.dedup();
        let named = differences.iter().filter(|one| !one.what.is_empty());
        let line = |one: &Difference| Line {
            word: one.becomes.word(),
            what: one.what.clone(),
            detail: one.detail.clone(),
        };
        Self {
            counts: counted(differences, rows.len()),
            lines: named.map(line).collect(),
            faults,
            carried,
            stopped: false,
            done: String::new(),
            keeps: false,
        }
    }

    fn withdraws(&self) -> bool {
        self.lines.iter().any(|line| line.word == Becomes::Withdrawn.word())
    }
}
