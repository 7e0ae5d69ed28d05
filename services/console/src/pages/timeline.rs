//! The timeline: what happened in the region in plain words, as of now or of a moment before, and the decisions of gold.

mod scrubber;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{Decision, ListTimelineRequest, RecordDecisionRequest, TimelineEntry, TimelineKind};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;

use self::scrubber::{Chosen, Scrubber};
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
    /// As of when: the value of a `datetime-local` control; empty for now.
    #[serde(default)]
    at: String,
}

impl Asked {
    fn kind(&self) -> Option<TimelineKind> {
        KINDS.into_iter().map(|(kind, _)| kind).find(|kind| kind.as_str_name() == self.kind)
    }

    fn request(&self, chosen: Chosen) -> ListTimelineRequest {
        ListTimelineRequest {
            page_size: SHOWN,
            page_token: self.page.clone(),
            kinds: self.kind().map(i32::from).into_iter().collect(),
            until: chosen.until().map(to_wire),
            ..ListTimelineRequest::default()
        }
    }

    /// Returns what goes before anything else in the address of the same kind at a moment: `kind=...&at=...&`.
    fn query(&self, at: &str) -> String {
        let of_kind = self.kind().map_or_else(String::new, |kind| format!("kind={}&", kind.as_str_name()));
        if at.is_empty() { of_kind } else { format!("{of_kind}at={}&", encoded(at)) }
    }
}

/// Returns the address of a page of the timeline, by its query.
fn address(path: &str, query: &str) -> String {
    match query.trim_end_matches('&') {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

#[derive(Template)]
#[template(path = "timeline/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    /// Address, name, whether it is shown.
    kinds: Vec<(String, &'static str, bool)>,
    /// Address of every kind.
    all: String,
    /// Whether every kind is shown.
    is_all: bool,
    /// Name of the kind that is shown; empty for all.
    kind: &'static str,
    /// Address of now.
    now: String,
    /// Addresses of a moment go on with its value.
    moment: String,
    scrubber: Option<Scrubber>,
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
    /// Whether a moment of the past is shown.
    is_past: bool,
    entries: Vec<Line>,
    /// Address of what is older.
    older: Option<String>,
}

/// One thing that happened.
pub(crate) struct Line {
    pub(crate) when: String,
    pub(crate) tag: Tag,
    pub(crate) text: String,
    /// Of a decision: why, who was consulted, when it is looked at again.
    pub(crate) details: Vec<String>,
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
        Ok(read) => routes::fragment(&headers, rendered(&read.log)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// `GET /timeline/timeline.csv`: the newest of a kind, or of all, for the record of an incident.
pub(crate) async fn file(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let read = async {
        // The page offers no address of what is not held; what is written by hand gets what there is.
        let chosen = Chosen::of(&asked.at, None, &visit.now);
        let request = ListTimelineRequest { page_size: FILED, ..asked.request(chosen) };
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
    let (frame, found) = tokio::join!(Frame::read(visit, Place::Situation, "Timeline"), read(visit, asked));
    visit.answer(found.map(|Read { log, chosen, held_from }| {
        let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
        let (shown, at) = (asked.kind(), chosen.value(&visit.now));
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
            kinds: KINDS
                .map(|(kind, name)| {
                    let asked = Asked { kind: kind.as_str_name().to_owned(), ..Asked::default() };
                    (address("/timeline", &asked.query(&at)), name, shown == Some(kind))
                })
                .to_vec(),
            all: address("/timeline", &Asked::default().query(&at)),
            is_all: shown.is_none(),
            kind: shown.map_or("", |kind| kind.as_str_name()),
            now: address("/timeline", &asked.query("")),
            moment: format!("/timeline?{}at=", asked.query("")),
            scrubber: Scrubber::new(chosen, held_from, &visit.now),
            log: rendered(&log),
            decision,
        };
        routes::html(status, rendered(&page))
    }))
}

/// What was read for a page.
struct Read {
    log: Log,
    chosen: Chosen,
    held_from: Option<Timestamp>,
}

async fn read(visit: &Visit, asked: &Asked) -> Result<Read, Problem> {
    let ask = async |chosen: Chosen| -> Result<_, Problem> {
        Ok(visit.calls.monitor().list_timeline(asked.request(chosen)).await?.into_inner())
    };
    let mut chosen = Chosen::of(&asked.at, None, &visit.now);
    let mut answer = ask(chosen).await?;
    let held_from = from_wire(answer.held_from.as_ref());
    let within = Chosen::of(&asked.at, held_from, &visit.now);
    if within != chosen {
        chosen = within;
        answer = ask(chosen).await?;
    }
    let query = asked.query(&chosen.value(&visit.now));
    let older = (!answer.next_page_token.is_empty())
        .then(|| format!("/timeline?{query}page={}", encoded(&answer.next_page_token)));
    let log = Log {
        query: format!("{query}page={}", encoded(&asked.page)),
        file: address("/timeline/timeline.csv", &query),
        is_past: chosen.until().is_some(),
        entries: answer.entries.into_iter().map(|entry| Line::new(entry, &visit.now)).collect(),
        older,
    };
    Ok(Read { log, chosen, held_from })
}

impl Line {
    pub(crate) fn new(entry: TimelineEntry, now: &Now) -> Self {
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
