//! What-if: changes tried on a copy. Nothing is written, and every page of it says SIMULATION.
//!
//! The whole what-if is in its address, so that it can be shared, kept and gone back from, and works without a script.

mod change;
mod view;

use askama::Template;
use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use fallow_api::v1::SimulateRequest;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use self::change::Change;
use self::view::{Choices, Result as Tried};
use super::frame::{Frame, Place, rendered};
use super::problem::{Control, summary};
use super::situation::sections::{Entry, Section, sections};
use crate::app::Visit;
use crate::directory::Directory;
use crate::form::Fields;
use crate::problem::Problem;
use crate::routes;

/// Changes at most; the service takes a hundred.
const CHANGES_MAX: usize = 100;

/// The controls of the forms, for the error summary.
const CONTROLS: &[Control] = &[
    Control::new("by", "by", "How many"),
    Control::new("until", "until", "Until"),
    Control::new("travel_limit_minutes", "minutes", "Travel limit"),
    Control::new("factor", "factor", "Factor"),
    Control::new("opel", "opel", "OPEL"),
    Control::new("policy_toml", "policy", "Policy"),
];

#[derive(Template)]
#[template(path = "what_if/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    /// Each change: the value that keeps it, what it says, and the address without it.
    changes: Vec<(String, String, String)>,
    choices: Choices,
    tried: Option<Tried>,
    /// The query of this what-if.
    query: String,
    scenario: String,
}

/// `GET /what-if`
pub(crate) async fn page(visit: Visit, Query(query): Query<Vec<(String, String)>>) -> Response {
    let fields = Fields::from(query);
    let directory = match visit.directory().await {
        Ok(directory) => directory,
        Err(problem) => return visit.refuse(&problem),
    };
    let mut changes: Vec<Change> =
        fields.all("change").iter().filter_map(|text| Change::read(text)).take(CHANGES_MAX).collect();
    // A form adds one change: it goes to the address that has it.
    match Change::added(&fields, &visit.now) {
        None => show(&visit, &changes, fields.revision(), &directory, None).await,
        Some(Ok(added)) => {
            changes.push(added);
            Redirect::to(&address(&changes, None)).into_response()
        }
        Some(Err(problem)) => show(&visit, &changes, fields.revision(), &directory, Some(problem)).await,
    }
}

/// `GET /what-if/scenario.toml`: the same changes for `fallow simulate -f scenario.toml`.
pub(crate) async fn scenario(visit: Visit, Query(query): Query<Vec<(String, String)>>) -> Response {
    let changes: Vec<Change> =
        Fields::from(query).all("change").iter().filter_map(|text| Change::read(text)).collect();
    let text = change::scenario(&changes, &visit.now);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/toml; charset=utf-8")),
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"scenario.toml\"")),
    ];
    (headers, text).into_response()
}

async fn show(
    visit: &Visit,
    changes: &[Change],
    revision: Option<i64>,
    directory: &Directory,
    mistake: Option<Problem>,
) -> Response {
    let (frame, tried) = tokio::join!(
        Frame::read(visit, Place::Situation, "SIMULATION: what-if"),
        try_on_a_copy(visit, changes, revision, directory)
    );
    let (tried, problem) = match (tried, mistake) {
        (Ok(tried), mistake) => (tried, mistake),
        (Err(_), Some(mistake)) => (None, Some(mistake)),
        (Err(refused), None) => (None, Some(refused)),
    };
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
    let without = |at: usize| {
        let others = changes.iter().enumerate().filter(|(other, _)| *other != at);
        address(&others.map(|(_, one)| one.clone()).collect::<Vec<_>>(), None)
    };
    let known = changes.iter().enumerate();
    let page = Page {
        frame: Frame { is_live: false, ..frame },
        sections: sections(visit, Section::WhatIf),
        problem: problem.map_or_else(String::new, |problem| summary(&problem, CONTROLS)),
        changes: known
            .map(|(at, one)| (one.text(), one.in_words(directory, &visit.now), without(at)))
            .collect(),
        choices: Choices::new(directory, &visit.now),
        query: address(changes, tried.as_ref().map(|tried| tried.revision)),
        scenario: format!("/what-if/scenario.toml?{}", query_of(changes)),
        tried,
    };
    routes::html(status, rendered(&page))
}

/// Asks the engine, once there is something to try.
async fn try_on_a_copy(
    visit: &Visit,
    changes: &[Change],
    revision: Option<i64>,
    directory: &Directory,
) -> Result<Option<Tried>, Problem> {
    if changes.is_empty() {
        return Ok(None);
    }
    let request = SimulateRequest {
        base_revision: revision,
        changes: changes.iter().map(|one| one.to_wire(&visit.now)).collect(),
    };
    let answer = visit.calls.patient().matching().simulate(request).await?.into_inner();
    Ok(Some(Tried::new(&answer, directory, &visit.now)))
}

/// Returns the address of a what-if, on one revision or on whatever is the newest.
fn address(changes: &[Change], revision: Option<i64>) -> String {
    match revision {
        Some(revision) => format!("/what-if?{}&revision={revision}", query_of(changes)),
        None => format!("/what-if?{}", query_of(changes)),
    }
}

fn query_of(changes: &[Change]) -> String {
    let pairs: Vec<String> =
        changes.iter().map(|one| format!("change={}", crate::app::encoded(&one.text()))).collect();
    pairs.join("&")
}
