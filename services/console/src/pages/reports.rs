//! Reports: who waits and what blocks them, who gave to whom, equity, declines, outcomes, and how the alarms have done.

mod flow;
mod map;
mod view;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{GetReportRequest, ReportKind};
use http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;

use self::flow::Flow;
use self::view::View;
use super::frame::{Frame, Place, rendered};
use super::problem::{Control, summary};
use super::situation::sections::{Entry, Section, sections};
use crate::app::{Visit, encoded};
use crate::problem::Problem;
use crate::routes;
use crate::words::time::to_wire;

/// How far back a report can count, in days.
const DAYS: [i64; 3] = [1, 7, 28];
const USUAL_DAYS: i64 = 28;
/// The controls of the page's forms, for the error summary.
const CONTROLS: &[Control] = &[Control::new("alerts_toml", "thresholds", "Thresholds")];

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Unmet,
    Flow,
    Equity,
    Declines,
    Outcomes,
    Theatres,
    Rules,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Unmet, Self::Flow, Self::Equity, Self::Declines, Self::Outcomes, Self::Theatres, Self::Rules];

    const fn key(self) -> &'static str {
        match self {
            Self::Unmet => "unmet",
            Self::Flow => "flow",
            Self::Equity => "equity",
            Self::Declines => "declines",
            Self::Outcomes => "outcomes",
            Self::Theatres => "theatres",
            Self::Rules => "rules",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Unmet => "Unmet need by its age against needed-by",
            Self::Flow => "Agreed transfers, from supporting to home trust",
            Self::Equity => "Equity by deprivation decile",
            Self::Declines => "Declines by reason",
            Self::Outcomes => "Outcomes, and harm among them",
            Self::Theatres => "Theatres: the next six weeks, minutes found and lost",
            Self::Rules => "The rules that raise alerts",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Unmet => "Unmet",
            Self::Flow => "Flow",
            Self::Equity => "Equity",
            Self::Declines => "Declines",
            Self::Outcomes => "Outcomes",
            Self::Theatres => "Theatres",
            Self::Rules => "Alert rules",
        }
    }

    const fn wire(self) -> ReportKind {
        match self {
            Self::Unmet => ReportKind::Unmet,
            Self::Flow => ReportKind::Fairness,
            Self::Equity => ReportKind::Equity,
            Self::Declines => ReportKind::Declines,
            Self::Outcomes => ReportKind::Outcomes,
            Self::Theatres => ReportKind::Theatres,
            Self::Rules => ReportKind::Alerts,
        }
    }

    /// Says whether the report counts a time, and not what is now.
    const fn is_over_time(self) -> bool {
        match self {
            Self::Unmet => false,
            Self::Flow | Self::Equity | Self::Declines | Self::Outcomes | Self::Theatres | Self::Rules => {
                true
            }
        }
    }

    const fn section(self) -> Section {
        match self {
            Self::Unmet => Section::Unmet,
            Self::Flow => Section::Flow,
            Self::Equity | Self::Declines | Self::Outcomes | Self::Theatres | Self::Rules => Section::Reports,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    days: String,
    /// ODS code; empty for all that the viewer sees.
    #[serde(default)]
    trust: String,
    /// Of the flow: the kind that is drawn, such as `beds`; empty for the first.
    #[serde(default)]
    draw: String,
    /// Of the rules: thresholds to try, as a region file has them.
    #[serde(default)]
    thresholds: String,
}

#[derive(Template)]
#[template(path = "reports/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    kind: Kind,
    /// Key, name, whether it is shown.
    kinds: Vec<(&'static str, &'static str, bool)>,
    is_of_rules: bool,
    days: Vec<(i64, bool)>,
    /// Code, name, whether it is chosen.
    trusts: Vec<(String, String, bool)>,
    thresholds: String,
    /// Address of the same as a file.
    file: String,
    view: Option<View>,
    /// Of the flow: the same as drawings.
    flow: Option<Flow>,
}

impl Asked {
    fn kind(&self) -> Kind {
        Kind::ALL.into_iter().find(|kind| kind.key() == self.kind).unwrap_or(Kind::Outcomes)
    }

    fn days(&self) -> i64 {
        self.days.parse().ok().filter(|days| DAYS.contains(days)).unwrap_or(USUAL_DAYS)
    }

    fn request(&self, visit: &Visit) -> GetReportRequest {
        let over = SignedDuration::from_hours(self.days() * 24);
        let from = visit.now.at.saturating_sub(over).unwrap_or(visit.now.at);
        GetReportRequest {
            kind: self.kind().wire().into(),
            from: Some(to_wire(from)),
            trust: self.trust.clone(),
            alerts_toml: if self.kind() == Kind::Rules { self.thresholds.clone() } else { String::new() },
            ..GetReportRequest::default()
        }
    }

    /// Returns the address of the flow, without the kind that is drawn.
    fn flow(&self) -> String {
        format!("/reports?kind=flow&days={}&trust={}", self.days(), encoded(&self.trust))
    }

    /// Returns the address of the same as a file.
    fn file(&self) -> String {
        let (kind, days, trust) = (self.kind().key(), self.days(), encoded(&self.trust));
        let file = format!("/reports/report.csv?kind={kind}&days={days}&trust={trust}");
        match self.thresholds.as_str() {
            thresholds if self.kind() == Kind::Rules && !thresholds.is_empty() => {
                format!("{file}&thresholds={}", encoded(thresholds))
            }
            _ => file,
        }
    }
}

/// `GET /reports/report.csv`: the same for pasting.
pub(crate) async fn file(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let read = async {
        let mut monitor = visit.calls.patient().monitor();
        let report = monitor.get_report(asked.request(&visit)).await?.into_inner();
        let view = View::new(asked.kind(), report, &visit.directory().await.unwrap_or_default(), &visit.now);
        let (head, rows) = view.table();
        routes::csv(&format!("{}.csv", asked.kind().key()), &head, &rows)
    };
    visit.answer(read.await)
}

/// `GET /reports`
pub(crate) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let (kind, days, request, file) = (asked.kind(), asked.days(), asked.request(&visit), asked.file());
    let mut monitor = visit.calls.patient().monitor();
    let (frame, directory, answer) = tokio::join!(
        Frame::read(&visit, Place::Situation, kind.title()),
        visit.directory(),
        monitor.get_report(request)
    );
    let directory = directory.unwrap_or_default();
    let (view, flow, problem) = match answer {
        Ok(answer) => {
            let report = answer.into_inner();
            let flow = (kind == Kind::Flow)
                .then(|| Flow::of(&report, &asked.draw, &asked.flow(), &directory))
                .flatten();
            let view = View::new(kind, report, &directory, &visit.now);
            let leaves_out = matches!(kind, Kind::Theatres | Kind::Flow);
            (Some(if leaves_out { view.without_empty_rows() } else { view }), flow, None)
        }
        Err(status) => (None, None, Some(Problem::from(status))),
    };
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
    // How the rules have done counts the whole region.
    let is_of_a_trust = visit.viewer().trust.is_some();
    let has = |one: &Kind| kind.section() == Section::Reports && one.section() == Section::Reports;
    let offered = Kind::ALL.into_iter().filter(|one| has(one) && !(is_of_a_trust && *one == Kind::Rules));
    let trust = |(code, name): (&str, &str)| (code.to_owned(), name.to_owned(), code == asked.trust.as_str());
    let page = Page {
        frame: Frame { is_live: false, ..frame },
        sections: sections(&visit, kind.section()),
        problem: problem.map_or_else(String::new, |problem| summary(&problem, CONTROLS)),
        kinds: offered.map(|one| (one.key(), one.name(), one == kind)).collect(),
        days: DAYS.iter().map(|one| (*one, *one == days)).collect(),
        trusts: directory.trusts().map(trust).collect(),
        thresholds: asked.thresholds,
        is_of_rules: kind == Kind::Rules,
        file,
        kind,
        view,
        flow,
    };
    routes::html(status, rendered(&page))
}
