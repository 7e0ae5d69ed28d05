//! The timeline: what happened in the region in plain words, and the decisions of gold.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{Decision, ListTimelineRequest, RecordDecisionRequest, TimelineEntry, TimelineKind};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::frame::{Frame, Place, rendered};
use super::problem::{Control, summary};
use super::situation::sections::{Entry, Section, sections};
use crate::app::{Update, Visit, encoded};
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::routes;
use crate::words::codes::{self, Tag};
use crate::words::time::{Now, from_wire, to_wire};

/// Entries of one page.
const SHOWN: i32 = 100;
/// Entries of a file: what the service gives at once.
const FILED: i32 = 1_000;
/// The kinds that can be looked at alone, each with the name of its link.
const KINDS: [(TimelineKind, &str); 7] = [
    (TimelineKind::Decision, "Decisions"),
    (TimelineKind::Alert, "Alerts"),
    (TimelineKind::Transfer, "Proposals and transfers"),
    (TimelineKind::Need, "Needs"),
    (TimelineKind::Feed, "Feeds"),
    (TimelineKind::Pressure, "OPEL"),
    (TimelineKind::Region, "Region"),
];
/// The controls of the page's forms, for the error summary.
const CONTROLS: &[Control] = &[
    Control::new("decision.decision", "decision", "Decision"),
    Control::new("decision.rationale", "rationale", "Why"),
    Control::new("decision.consulted", "consulted", "Who was consulted"),
    Control::new("decision.review_at", "review-at", "Look at it again"),
];

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    /// Name of a kind; empty for all.
    #[serde(default)]
    kind: String,
    /// From the last page.
    #[serde(default)]
    page: String,
}

impl Asked {
    fn kind(&self) -> Option<TimelineKind> {
        KINDS.into_iter().map(|(kind, _)| kind).find(|kind| kind.as_str_name() == self.kind)
    }

    fn request(&self) -> ListTimelineRequest {
        ListTimelineRequest {
            page_size: SHOWN,
            page_token: self.page.clone(),
            kinds: self.kind().map(i32::from).into_iter().collect(),
            ..ListTimelineRequest::default()
        }
    }
}

#[derive(Template)]
#[template(path = "timeline/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    /// Value, name, whether it is shown.
    kinds: Vec<(&'static str, &'static str, bool)>,
    /// Whether every kind is shown.
    is_all: bool,
    log: String,
    /// What was filled in, where the viewer may decide.
    decision: Option<Filled>,
}

/// The form of a decision.
struct Filled {
    csrf: String,
    once: String,
    decision: String,
    rationale: String,
    consulted: String,
    review_at: String,
}

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "timeline/log.html")]
struct Log {
    /// The fragment's own address.
    query: String,
    /// Address of the same as a file.
    file: String,
    entries: Vec<Line>,
    /// Address of what is older.
    older: Option<String>,
}

/// One thing that happened.
struct Line {
    when: String,
    tag: Tag,
    text: String,
    /// Of a decision: why, who was consulted, when it is looked at again.
    details: Vec<String>,
}

/// `GET /timeline`
pub(crate) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Response {
    show(&visit, &asked, &Fields::default(), None).await
}

/// `GET /f/timeline`
pub(crate) async fn fragment(
    Update(visit): Update,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    match read(&visit, &asked).await {
        Ok(log) => routes::fragment(&headers, rendered(&log)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// `GET /timeline/timeline.csv`: the newest of a kind, or of all, for the record of an incident.
pub(crate) async fn file(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let read = async {
        let request = ListTimelineRequest { page_size: FILED, ..asked.request() };
        let entries = visit.calls.monitor().list_timeline(request).await?.into_inner().entries;
        let head = ["Time", "Kind", "What happened", "Of a decision"].map(str::to_owned);
        let rows: Vec<Vec<String>> = entries
            .into_iter()
            .map(|entry| {
                let at = from_wire(entry.at.as_ref()).map(|at| visit.now.stamp(at)).unwrap_or_default();
                let line = Line::new(entry, &visit.now);
                vec![at, line.tag.text.into(), line.text, line.details.join(". ")]
            })
            .collect();
        routes::csv("timeline.csv", &head, &rows)
    };
    visit.answer(read.await)
}

/// `POST /timeline/decision`: writes a decision of gold down.
pub(crate) async fn decide(Posted { visit, fields }: Posted) -> Response {
    let consulted = fields.text("consulted").split([',', ';']).map(str::trim).filter(|one| !one.is_empty());
    let review_at = match fields.text("review_at") {
        "" => Ok(None),
        text => visit
            .now
            .read_control(text)
            .map(|at| Some(to_wire(at)))
            .ok_or_else(|| Problem::invalid("decision.review_at", "must be a date and a time")),
    };
    let request = review_at.map(|review_at| RecordDecisionRequest {
        request_id: fields.request_id(),
        decision: Some(Decision {
            decision: fields.text("decision").to_owned(),
            rationale: fields.text("rationale").to_owned(),
            consulted: consulted.map(str::to_owned).collect(),
            review_at,
            ..Decision::default()
        }),
        ..RecordDecisionRequest::default()
    });
    let made = match request {
        Ok(request) => visit.calls.monitor().record_decision(request).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    match made {
        Ok(_) => visit.done("The decision is recorded.", "/timeline"),
        Err(problem) => show(&visit, &Asked::default(), &fields, Some(problem)).await,
    }
}

async fn show(visit: &Visit, asked: &Asked, fields: &Fields, problem: Option<Problem>) -> Response {
    if let Some(way) = problem.as_ref().and_then(|problem| visit.way_out(problem)) {
        return way;
    }
    let (frame, log) = tokio::join!(Frame::read(visit, Place::Situation, "Timeline"), read(visit, asked));
    visit.answer(log.map(|log| {
        let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
        let chosen = asked.kind();
        let decision = (visit.viewer().role == "gold").then(|| Filled {
            csrf: visit.signed.csrf.clone(),
            once: crate::form::once(),
            decision: fields.text("decision").to_owned(),
            rationale: fields.text("rationale").to_owned(),
            consulted: fields.text("consulted").to_owned(),
            review_at: fields.text("review_at").to_owned(),
        });
        let page = Page {
            frame,
            sections: sections(visit, Section::Timeline),
            problem: problem.map_or_else(String::new, |problem| summary(&problem, CONTROLS)),
            kinds: KINDS.map(|(kind, name)| (kind.as_str_name(), name, chosen == Some(kind))).to_vec(),
            is_all: chosen.is_none(),
            log: rendered(&log),
            decision,
        };
        routes::html(status, rendered(&page))
    }))
}

async fn read(visit: &Visit, asked: &Asked) -> Result<Log, Problem> {
    let kind = asked.kind();
    let answer = visit.calls.monitor().list_timeline(asked.request()).await?.into_inner();
    let of_kind = kind.map_or_else(String::new, |kind| format!("kind={}&", kind.as_str_name()));
    let older = (!answer.next_page_token.is_empty())
        .then(|| format!("/timeline?{of_kind}page={}", encoded(&answer.next_page_token)));
    Ok(Log {
        query: format!("{of_kind}page={}", encoded(&asked.page)),
        file: format!("/timeline/timeline.csv?{}", of_kind.trim_end_matches('&')),
        entries: answer.entries.into_iter().map(|entry| Line::new(entry, &visit.now)).collect(),
        older,
    })
}

impl Line {
    fn new(entry: TimelineEntry, now: &Now) -> Self {
        let mut details = Vec::new();
        if let Some(decision) = &entry.decision {
            if !decision.rationale.is_empty() {
                details.push(format!("Why: {}", decision.rationale));
            }
            if !decision.consulted.is_empty() {
                details.push(format!("Consulted: {}", decision.consulted.join(", ")));
            }
            if let Some(review) = from_wire(decision.review_at.as_ref()) {
                details.push(format!("Looked at again: {}", now.clock(review)));
            }
        }
        Self {
            when: from_wire(entry.at.as_ref()).map(|at| now.clock(at)).unwrap_or_default(),
            tag: codes::timeline_kind(entry.kind()),
            text: entry.text,
            details,
        }
    }
}
