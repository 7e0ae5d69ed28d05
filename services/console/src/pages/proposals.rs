//! The inbox: what Fallow proposes to us, why, and the answer in one click.

pub(crate) mod actions;
mod block;
pub(crate) mod copy;
mod mend;
mod room;
mod view;
mod why;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{Need, Offer, Proposal, ProposalFilter, TransferFilter, proposal};
use http::{HeaderMap, StatusCode};
use jiff::SignedDuration;

use self::room::Opened;
pub(super) use self::view::asked;
use self::view::{Inbox, Known, Looking};
pub(super) use self::why::Why;
use super::frame::{Frame, Place, rendered};
use super::problem::summary;
use crate::app::{Update, Visit};
use crate::problem::Problem;
use crate::routes;
use crate::words::time::from_wire;

/// How long an agreement or a bypass stays on the page; the transfer page and the timeline keep them after that.
const AGREED_FOR: SignedDuration = SignedDuration::from_hours(2);

#[derive(Template)]
#[template(path = "proposals/page.html")]
struct Page {
    frame: Frame,
    problem: String,
    inbox: String,
}

/// `GET /proposals`
pub(crate) async fn page(visit: Visit, Query(opened): Query<Opened>) -> Response {
    show(&visit, &opened, StatusCode::OK, String::new()).await
}

/// `GET /f/proposals`
pub(crate) async fn fragment(
    Update(visit): Update,
    Query(opened): Query<Opened>,
    headers: HeaderMap,
) -> Response {
    match read(&visit, &opened).await {
        Ok(inbox) => routes::fragment(&headers, rendered(&inbox)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// Shows the page again with what went wrong on top.
async fn show_problem(visit: &Visit, opened: &Opened, problem: &Problem) -> Response {
    if let Some(way) = visit.way_out(problem) {
        return way;
    }
    show(visit, opened, problem.http_status(), summary(problem, actions::CONTROLS)).await
}

async fn show(visit: &Visit, opened: &Opened, status: StatusCode, problem: String) -> Response {
    let (frame, inbox) = tokio::join!(Frame::read(visit, Place::Proposals, "Proposals"), read(visit, opened));
    visit.answer(inbox.map(|inbox| {
        let page = Page { frame, problem, inbox: rendered(&inbox) };
        routes::html(status, rendered(&page))
    }))
}

/// Reads everything that the inbox shows.
async fn read(visit: &Visit, opened: &Opened) -> Result<Inbox, Problem> {
    let trust = visit.own_trust()?;
    let ours = vec![trust.to_owned()];
    let held = ProposalFilter { trusts: ours.clone(), ..ProposalFilter::default() };
    let agreed = ProposalFilter {
        trusts: ours.clone(),
        states: vec![proposal::State::Confirmed.into()],
        ..ProposalFilter::default()
    };
    let bypassed = ProposalFilter {
        trusts: ours.clone(),
        states: vec![proposal::State::Bypassed.into()],
        ..ProposalFilter::default()
    };
    let transfers = TransferFilter { trusts: ours, ..TransferFilter::default() };
    let (held, agreed, bypassed, directory) = tokio::join!(
        visit.calls.proposals(held),
        visit.calls.proposals(agreed),
        visit.calls.proposals(bypassed),
        visit.directory()
    );
    let mut proposals = held?;
    // What was agreed is a courtesy here; the inbox is shown without it rather than not at all.
    let agreed = agreed.unwrap_or_default().into_iter();
    proposals.extend(
        agreed.filter(|one| {
            view::agreed_at(one).is_some_and(|at| visit.now.at.duration_since(at) <= AGREED_FOR)
        }),
    );
    proposals.extend(bypassed.unwrap_or_default().into_iter().filter(|one| {
        from_wire(one.ended_at.as_ref()).is_some_and(|at| visit.now.at.duration_since(at) <= AGREED_FOR)
    }));
    // Only what is agreed has a transfer.
    let is_any_agreed = proposals.iter().any(|one| one.state() == proposal::State::Confirmed);
    let transfers = async {
        if is_any_agreed { visit.calls.transfers(transfers).await.unwrap_or_default() } else { Vec::new() }
    };
    let (needs, offers, transfers) =
        tokio::join!(needs_of(visit, &proposals), offers_of(visit, &proposals), transfers);
    let known = Known { needs, offers, transfers, directory: directory? };
    let looking = Looking {
        csrf: &visit.signed.csrf,
        trust,
        may_answer: visit.rights().may("/proposals/answer"),
        opens_first: !visit.preferences.is_compact && opened.why.is_empty(),
        opened,
        now: &visit.now,
    };
    Ok(Inbox::new(&looking, &proposals, &known))
}

/// Reads the needs behind proposals.
pub(super) async fn needs_of(visit: &Visit, proposals: &[Proposal]) -> BTreeMap<String, Need> {
    visit.calls.needs_named(proposals.iter().map(|one| one.need.as_str()).collect()).await
}

/// Reads the offers behind proposals.
async fn offers_of(visit: &Visit, proposals: &[Proposal]) -> BTreeMap<String, Offer> {
    visit.calls.offers_named(proposals.iter().map(|one| one.offer.as_str()).collect()).await
}
