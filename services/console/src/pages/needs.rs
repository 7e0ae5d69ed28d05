//! Our needs: what we have raised, how far each is, and why not yet.

pub(crate) mod actions;
pub(crate) mod raise;
mod view;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{ExplainNeedRequest, GetNeedRequest, NeedFilter, ProposalFilter};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use self::view::{List, Reason};
use super::frame::{Frame, Place, rendered};
use super::problem::summary;
use crate::app::{Update, Visit};
use crate::problem::Problem;
use crate::routes;

/// Which need is opened.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Opened {
    /// Id of the need whose explanation is shown.
    #[serde(default)]
    why: String,
}

#[derive(Template)]
#[template(path = "needs/page.html")]
struct Page {
    frame: Frame,
    problem: String,
    list: String,
}

/// `GET /needs`
pub(crate) async fn page(visit: Visit, Query(opened): Query<Opened>) -> Response {
    show(&visit, &opened.why, StatusCode::OK, String::new()).await
}

/// `GET /f/needs`
pub(crate) async fn fragment(
    Update(visit): Update,
    Query(opened): Query<Opened>,
    headers: HeaderMap,
) -> Response {
    match read(&visit, &opened.why).await {
        Ok(list) => routes::fragment(&headers, rendered(&list)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// Shows the page again with what went wrong on top.
pub(crate) async fn show_problem(visit: &Visit, why: &str, problem: &Problem) -> Response {
    show(visit, why, problem.http_status(), summary(problem, actions::CONTROLS)).await
}

async fn show(visit: &Visit, why: &str, status: StatusCode, problem: String) -> Response {
    let (frame, list) = tokio::join!(Frame::read(visit, Place::Needs, "Our needs"), read(visit, why));
    visit.answer(list.map(|list| {
        let page = Page { frame, problem, list: rendered(&list) };
        routes::html(status, rendered(&page))
    }))
}

/// Reads everything that the list shows, and the explanation of one need when it is opened.
async fn read(visit: &Visit, why: &str) -> Result<List, Problem> {
    let trust = visit.own_trust()?;
    let ours = NeedFilter { trusts: vec![trust.to_owned()], ..NeedFilter::default() };
    let joined = ProposalFilter { trusts: vec![trust.to_owned()], ..ProposalFilter::default() };
    let (needs, proposals, reason, directory) = tokio::join!(
        visit.calls.needs(ours),
        visit.calls.proposals(joined),
        explain(visit, why),
        visit.directory()
    );
    // A need may have ended since its explanation was opened: the list is shown without it.
    let (needs, directory, reason) = (needs?, directory?, reason.ok().flatten());
    Ok(List::new(
        &visit.signed.csrf,
        &visit.now,
        why,
        &needs,
        &proposals.unwrap_or_default(),
        reason,
        &directory,
    ))
}

/// Asks why a need is not served.
async fn explain(visit: &Visit, need: &str) -> Result<Option<Reason>, Problem> {
    if need.is_empty() {
        return Ok(None);
    }
    let asked = ExplainNeedRequest { need: need.to_owned(), ..ExplainNeedRequest::default() };
    let known = GetNeedRequest { need: need.to_owned() };
    let (explained, known) =
        tokio::join!(async { visit.calls.matching().explain_need(asked).await }, async {
            visit.calls.demand().get_need(known).await
        });
    let need = known?.into_inner().need.unwrap_or_default();
    let unserved = explained?.into_inner().unserved.unwrap_or_default();
    Ok(Some(Reason::new(&need, &unserved, &visit.now)))
}
