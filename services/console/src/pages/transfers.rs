//! Transfers: what was agreed, and the next step of each.

pub(crate) mod actions;
mod view;

use askama::Template;
use axum::response::Response;
use fallow_api::v1::TransferFilter;
use http::{HeaderMap, StatusCode};

use self::view::Tracker;
use super::frame::{Frame, Place, rendered};
use super::problem::summary;
use crate::app::{Update, Visit};
use crate::problem::Problem;
use crate::routes;

#[derive(Template)]
#[template(path = "transfers/page.html")]
struct Page {
    frame: Frame,
    problem: String,
    tracker: String,
}

/// `GET /transfers`
pub(crate) async fn page(visit: Visit) -> Response {
    show(&visit, StatusCode::OK, String::new()).await
}

/// `GET /f/transfers`
pub(crate) async fn fragment(Update(visit): Update, headers: HeaderMap) -> Response {
    match read(&visit).await {
        Ok(tracker) => routes::fragment(&headers, rendered(&tracker)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// Shows the page again with what went wrong on top.
pub(crate) async fn show_problem(visit: &Visit, problem: &Problem) -> Response {
    show(visit, problem.http_status(), summary(problem, &[])).await
}

async fn show(visit: &Visit, status: StatusCode, problem: String) -> Response {
    let (frame, tracker) = tokio::join!(Frame::read(visit, Place::Transfers, "Transfers"), read(visit));
    visit.answer(tracker.map(|tracker| {
        let page = Page { frame, problem, tracker: rendered(&tracker) };
        routes::html(status, rendered(&page))
    }))
}

/// Reads the transfers that touch the viewer's trust, or all that a role above trusts may see.
async fn read(visit: &Visit) -> Result<Tracker, Problem> {
    let trust = visit.viewer().trust.clone();
    let filter = TransferFilter { trusts: trust.clone().into_iter().collect(), ..TransferFilter::default() };
    let (transfers, directory) = tokio::join!(visit.calls.transfers(filter), visit.directory());
    Ok(Tracker::new(&visit.signed.csrf, &visit.now, trust.as_deref(), &transfers?, &*directory?))
}
