//! Transfers: what was agreed, the next step of each, and what happened to it so far.

pub(crate) mod actions;
mod agreed;
mod timeline;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{
    GetNeedRequest, GetProposalRequest, GetTransferRequest, Need, Transfer, TransferFilter, transfer,
};
use http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use serde::Deserialize;

use self::view::{Known, Opened, Tracker, Viewing};
use super::frame::{Frame, Place, rendered};
use super::problem::summary;
use crate::app::{Update, Visit};
use crate::problem::Problem;
use crate::routes;
use crate::words::time::from_wire;

/// How the transfers are shown, and which one is opened.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Shown {
    /// `columns` for one column a state, `returning` for those who are to come back; otherwise a list.
    #[serde(default)]
    view: String,
    /// `7` for those that ended in the last seven days; otherwise those of the last one.
    #[serde(default)]
    days: String,
    /// Id of the transfer whose timeline is shown.
    #[serde(default)]
    open: String,
    /// `1` opens how to abort it, too.
    #[serde(default)]
    abort: String,
    /// `1` opens how it was resolved outside Fallow.
    #[serde(default)]
    resolve: String,
    /// How many of the first are passed over.
    #[serde(default)]
    from: usize,
}

impl Shown {
    fn is_columns(&self) -> bool {
        self.view == "columns"
    }

    fn is_returning(&self) -> bool {
        self.view == "returning"
    }

    fn is_to_abort(&self) -> bool {
        self.abort == "1"
    }

    fn is_to_resolve(&self) -> bool {
        self.resolve == "1"
    }

    fn is_week(&self) -> bool {
        self.days == "7"
    }

    /// Returns the address of the page as it is but for what is given.
    fn with(&self, view: &str, days: &str) -> String {
        format!("/transfers?view={view}&days={days}")
    }

    fn view(&self) -> &'static str {
        if self.is_columns() {
            "columns"
        } else if self.is_returning() {
            "returning"
        } else {
            "list"
        }
    }

    fn days(&self) -> &'static str {
        if self.is_week() { "7" } else { "1" }
    }
}

#[derive(Template)]
#[template(path = "transfers/page.html")]
struct Page {
    frame: Frame,
    problem: String,
    shown: Shown,
    tracker: String,
}

/// `GET /transfers`
pub(crate) async fn page(visit: Visit, Query(shown): Query<Shown>) -> Response {
    show(&visit, shown, StatusCode::OK, String::new()).await
}

/// `GET /f/transfers`
pub(crate) async fn fragment(
    Update(visit): Update,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
) -> Response {
    match read(&visit, &shown).await {
        Ok(tracker) => routes::fragment(&headers, rendered(&tracker)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// Shows the page again with what went wrong on top.
async fn show_problem(visit: &Visit, shown: Shown, problem: &Problem) -> Response {
    if let Some(way) = visit.way_out(problem) {
        return way;
    }
    show(visit, shown, problem.http_status(), summary(problem, actions::CONTROLS)).await
}

async fn show(visit: &Visit, shown: Shown, status: StatusCode, problem: String) -> Response {
    let (frame, tracker) =
        tokio::join!(Frame::read(visit, Place::Transfers, "Transfers"), read(visit, &shown));
    visit.answer(tracker.map(|tracker| {
        let page = Page { frame, problem, shown, tracker: rendered(&tracker) };
        routes::html(status, rendered(&page))
    }))
}

/// The states in which nothing more happens.
const ENDED: [transfer::State; 4] = [
    transfer::State::Completed,
    transfer::State::Repatriated,
    transfer::State::Returned,
    transfer::State::Aborted,
];

/// Reads the transfers that touch the viewer's trust, or all that a role above trusts may see.
async fn read(visit: &Visit, shown: &Shown) -> Result<Tracker, Problem> {
    let trust = visit.viewer().trust.clone();
    let returning = shown.is_returning();
    let trusts = trust.clone().into_iter().collect();
    let live = TransferFilter { trusts, returning, ..TransferFilter::default() };
    let ended = TransferFilter { states: ENDED.into_iter().map(Into::into).collect(), ..live.clone() };
    let ended = async { if returning { Ok(Vec::new()) } else { visit.calls.transfers(ended).await } };
    let (transfers, ended, directory) = tokio::join!(visit.calls.transfers(live), ended, visit.directory());
    let mut transfers = transfers?;
    let since = SignedDuration::from_hours(if shown.is_week() { 7 * 24 } else { 24 });
    let recent = |one: &Transfer| {
        let last = one.steps.last().and_then(|step| from_wire(step.at.as_ref()));
        last.is_none_or(|at| visit.now.at.duration_since(at) <= since)
    };
    // Those that came to an end are a courtesy; the list is shown without them rather than not at all.
    let known: BTreeSet<String> = transfers.iter().map(|one| one.id.clone()).collect();
    let ended = ended.unwrap_or_default().into_iter();
    transfers.extend(ended.filter(|one| !known.contains(&one.id) && recent(one)));
    let (needs, opened) = tokio::join!(needs_of(visit, &transfers), open(visit, &shown.open));
    let known = Known { needs, opened, directory: directory? };
    let viewer = Viewing {
        trust: trust.as_deref(),
        may_act: visit.rights().may("/transfers/advance"),
        may_resolve: visit.rights().may("/transfers/resolve"),
    };
    Ok(Tracker::new(&visit.signed.csrf, shown.clone(), &visit.now, viewer, &transfers, known))
}

/// Reads the needs behind transfers, for their references.
async fn needs_of(visit: &Visit, transfers: &[Transfer]) -> BTreeMap<String, Need> {
    visit.calls.needs_named(transfers.iter().map(|one| one.need.as_str()).collect()).await
}

/// Reads one transfer and what happened to it: its need, its proposal and its own steps.
async fn open(visit: &Visit, transfer: &str) -> Option<Opened> {
    if transfer.is_empty() {
        return None;
    }
    let asked = GetTransferRequest { transfer: transfer.to_owned() };
    let transfer = visit.calls.matching().get_transfer(asked).await.ok()?.into_inner().transfer?;
    let (need, proposal) = tokio::join!(
        async { visit.calls.demand().get_need(GetNeedRequest { need: transfer.need.clone() }).await },
        async {
            let asked = GetProposalRequest { proposal: transfer.proposal.clone() };
            visit.calls.matching().get_proposal(asked).await
        }
    );
    let need = need.ok().and_then(|answer| answer.into_inner().need);
    let proposal = proposal.ok().and_then(|answer| answer.into_inner().proposal);
    let directory = visit.directory().await.ok()?;
    let moments = timeline::of(&transfer, need.as_ref(), proposal.as_ref(), &visit.now, &directory);
    let agreed = agreed::said(&transfer, proposal.as_ref(), &visit.now, &directory);
    Some(Opened { transfer, moments, agreed, need })
}
