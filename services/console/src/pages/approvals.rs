//! Approvals: the proposals that somebody above the trusts must agree to, for whoever may say yes or no, and for the
//! trusts that wait for it.

mod view;

use askama::Template;
use axum::response::Response;
use fallow_api::v1::{
    ApproveProposalRequest, ApproveProposalResponse, GetRegionRequest, ProposalFilter, authority,
};
use http::{HeaderMap, StatusCode};

use self::view::Board;
use super::frame::{Frame, Place, rendered};
use super::problem::{Control, summary};
use super::situation::sections::{Entry, Section, sections};
use crate::app::{Update, Visit};
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::routes;
use crate::words;

/// The page's address, to which its forms lead back.
const HERE: &str = "/approvals";
/// The controls of the page's forms, for the error summary.
const CONTROLS: &[Control] = &[Control::new("reason", view::REASON, "Why it is refused")];

#[derive(Template)]
#[template(path = "approvals/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    board: String,
}

/// `GET /approvals`
pub(crate) async fn page(visit: Visit) -> Response {
    show(&visit, &Fields::default(), None).await
}

/// `GET /f/approvals`
pub(crate) async fn fragment(Update(visit): Update, headers: HeaderMap) -> Response {
    match read(&visit, &Fields::default()).await {
        Ok(board) => routes::fragment(&headers, rendered(&board)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// `POST /approvals/approve`
pub(crate) async fn approve(Posted { visit, fields }: Posted) -> Response {
    match rule(&visit, &fields, false).await {
        Ok(ApproveProposalResponse { transfer: Some(transfer), .. }) => {
            let transfer = words::reference(&transfer.id);
            visit.done(format!("Approved, and agreed by all. Now: transfer {transfer}."), HERE)
        }
        Ok(_) => visit.done("Approved. It is agreed as soon as every trust has said yes.", HERE),
        Err(problem) => show(&visit, &fields, Some(problem)).await,
    }
}

/// `POST /approvals/refuse`
pub(crate) async fn refuse(Posted { visit, fields }: Posted) -> Response {
    match rule(&visit, &fields, true).await {
        Ok(_) => {
            let said = "Refused. Every trust of it sees your reason, and Fallow looks for another way.";
            visit.done(said, HERE)
        }
        Err(problem) => show(&visit, &fields, Some(problem)).await,
    }
}

async fn rule(visit: &Visit, fields: &Fields, refuse: bool) -> Result<ApproveProposalResponse, Problem> {
    let reason = if refuse { fields.text("reason").to_owned() } else { String::new() };
    let request = ApproveProposalRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        proposal: fields.text("proposal").to_owned(),
        refuse,
        reason,
        ..ApproveProposalRequest::default()
    };
    Ok(visit.calls.matching().approve_proposal(request).await?.into_inner())
}

async fn show(visit: &Visit, fields: &Fields, problem: Option<Problem>) -> Response {
    if let Some(way) = problem.as_ref().and_then(|problem| visit.way_out(problem)) {
        return way;
    }
    let (frame, board) = tokio::join!(Frame::read(visit, Place::Situation, "Approvals"), read(visit, fields));
    visit.answer(board.map(|board| {
        let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
        let page = Page {
            frame,
            sections: sections(visit, Section::Approvals),
            problem: problem.map_or_else(String::new, |problem| summary(&problem, CONTROLS)),
            board: rendered(&board),
        };
        routes::html(status, rendered(&page))
    }))
}

/// Reads what waits for somebody's approval, as far as the viewer sees it. A reason that was sent stays filled in.
async fn read(visit: &Visit, fields: &Fields) -> Result<Board, Problem> {
    let region = async {
        let answer = visit.calls.monitor().get_region(GetRegionRequest {}).await;
        answer.map(|answer| answer.into_inner().region.unwrap_or_default())
    };
    let (proposals, region, directory) =
        tokio::join!(visit.calls.proposals(ProposalFilter::default()), region, visit.directory());
    let mut proposals = proposals?;
    proposals.retain(|one| {
        one.authority.as_ref().is_some_and(|authority| authority.state() == authority::State::Pending)
    });
    let needs = super::proposals::needs_of(visit, &proposals).await;
    let directory = directory?;
    Ok(Board::new(visit, &directory, &region.unwrap_or_default(), &proposals, &needs, fields))
}
