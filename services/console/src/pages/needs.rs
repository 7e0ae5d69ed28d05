//! Needs: what we have raised, or the region's whole list, how far each is, and why not yet.

pub(crate) mod actions;
pub(crate) mod cohort;
pub(crate) mod copy;
mod gold;
mod over;
pub(crate) mod raise;
mod reason;
pub(crate) mod standing;
mod view;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{
    ExplainNeedRequest, GetNeedRequest, ListAlertsResponse, Need, NeedFilter, ProposalFilter, need,
};
use futures::stream::{self, StreamExt};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use self::reason::{Fix, May, Reason};
use self::view::List;
use super::frame::{Frame, Place, rendered};
use super::problem::summary;
use crate::app::{Update, Visit};
use crate::problem::Problem;
use crate::routes;

/// Which needs are listed, and which one is opened.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Opened {
    /// Id of the need whose explanation is shown.
    #[serde(default)]
    why: String,
    /// `all` lists every need that the viewer may see; roles above trusts see no other list.
    #[serde(default)]
    of: String,
    /// Key of the only resource that is listed; empty = every one.
    #[serde(default)]
    resource: String,
    /// The only cohort that is listed; empty = every one.
    #[serde(default)]
    cohort: String,
}

impl Opened {
    /// Opens one need of the own list.
    pub(super) fn at(need: &str) -> Self {
        Self { why: need.to_owned(), ..Self::default() }
    }

    /// Opens one cohort of the own list.
    fn cohort(name: &str) -> Self {
        Self { cohort: name.to_owned(), ..Self::default() }
    }
}

#[derive(Template)]
#[template(path = "needs/page.html")]
struct Page {
    frame: Frame,
    problem: String,
    /// `Our needs`, or `Needs of the region`.
    title: &'static str,
    can_raise: bool,
    list: String,
    /// What is over of the viewer's trust, as it was when the page was made.
    over: String,
}

/// `GET /needs`
pub(crate) async fn page(visit: Visit, Query(opened): Query<Opened>) -> Response {
    show(&visit, &opened, StatusCode::OK, String::new()).await
}

/// `GET /f/needs`
pub(crate) async fn fragment(
    Update(visit): Update,
    Query(opened): Query<Opened>,
    headers: HeaderMap,
) -> Response {
    match read(&visit, &opened).await {
        Ok(list) => routes::fragment(&headers, rendered(&list)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// Shows the page again with what went wrong on top.
pub(crate) async fn show_problem(visit: &Visit, why: &str, problem: &Problem) -> Response {
    show_opened(visit, &Opened::at(why), problem).await
}

async fn show_opened(visit: &Visit, opened: &Opened, problem: &Problem) -> Response {
    if let Some(way) = visit.way_out(problem) {
        return way;
    }
    show(visit, opened, problem.http_status(), summary(problem, actions::CONTROLS)).await
}

async fn show(visit: &Visit, opened: &Opened, status: StatusCode, problem: String) -> Response {
    let is_of_a_trust = visit.viewer().trust.is_some();
    let can_raise = is_of_a_trust && visit.rights().may("/needs/new");
    let title = if is_of_a_trust && opened.of != ALL { "Our needs" } else { "Needs of the region" };
    let over = async {
        let trust = visit.viewer().trust.as_deref().filter(|_| opened.of != ALL)?;
        over::read(visit, trust).await
    };
    let (frame, list, over) =
        tokio::join!(Frame::read(visit, Place::Needs, title), read(visit, opened), over);
    visit.answer(list.map(|list| {
        let over = over.map_or_else(String::new, |over| rendered(&over));
        let page = Page { frame, problem, title, can_raise, list: rendered(&list), over };
        routes::html(status, rendered(&page))
    }))
}

/// The list of everybody's needs, as its address has it.
const ALL: &str = "all";

/// Reads everything that the list shows, and the explanation of one need when it is opened.
async fn read(visit: &Visit, opened: &Opened) -> Result<List, Problem> {
    let own = visit.viewer().trust.clone();
    let only: Vec<String> = if opened.of == ALL { Vec::new() } else { own.clone().into_iter().collect() };
    let cohorts = Some(opened.cohort.clone()).filter(|cohort| !cohort.is_empty()).into_iter().collect();
    let listed = NeedFilter { trusts: only.clone(), cohorts, ..NeedFilter::default() };
    let joined = ProposalFilter { trusts: only, ..ProposalFilter::default() };
    let (needs, proposals, reason, directory) = tokio::join!(
        visit.calls.needs(listed),
        visit.calls.proposals(joined),
        explain(visit, &opened.why, true),
        visit.directory()
    );
    // A need may have ended since its explanation was opened: the list is shown without it.
    let (needs, directory, reason) = (needs?, directory?, reason.ok().flatten());
    let fixes = fixes(visit, &needs).await;
    let asked = view::Asked {
        csrf: visit.signed.csrf.clone(),
        own,
        may: May::of(visit),
        of_all: opened.of == ALL || visit.viewer().trust.is_none(),
        why: opened.why.clone(),
        resource: opened.resource.clone(),
        cohort: opened.cohort.clone(),
    };
    Ok(List::new(asked, &visit.now, &needs, &proposals.unwrap_or_default(), reason, fixes, &directory))
}

/// Needs whose cheapest change is looked for without being asked: each costs the engine a few milliseconds.
const FIXES_MAX: usize = 8;

/// Finds the cheapest change for the viewer's own needs that nothing fits, the most urgent first.
async fn fixes(visit: &Visit, needs: &[Need]) -> BTreeMap<String, Fix> {
    let own = visit.viewer().trust.as_deref().filter(|_| May::of(visit).change);
    let Some(own) = own else { return BTreeMap::new() };
    let mut open: Vec<&Need> =
        needs.iter().filter(|one| one.trust == own && one.state() == need::State::Open).collect();
    open.sort_by_key(|one| (one.priority, one.id.clone()));
    let open: Vec<String> = open.into_iter().take(FIXES_MAX).map(|one| one.id.clone()).collect();
    let asked = stream::iter(open).map(|id| async move {
        let reason = explain(visit, &id, false).await.ok().flatten()?;
        Some((id, reason.cheapest()?))
    });
    let found: Vec<Option<(String, Fix)>> = asked.buffer_unordered(FIXES_MAX).collect().await;
    found.into_iter().flatten().collect()
}

/// Asks why a need is not served and, where it `is_read` by somebody, when gold is told of it.
async fn explain(visit: &Visit, need: &str, is_read: bool) -> Result<Option<Reason>, Problem> {
    if need.is_empty() {
        return Ok(None);
    }
    let asked = ExplainNeedRequest { need: need.to_owned(), ..ExplainNeedRequest::default() };
    let known = GetNeedRequest { need: need.to_owned() };
    let (explained, known, directory) = tokio::join!(
        async { visit.calls.matching().explain_need(asked).await },
        async { visit.calls.demand().get_need(known).await },
        visit.directory()
    );
    let need = known?.into_inner().need.unwrap_or_default();
    // Why it is not served tells of the patient: of others' needs only whether they still stand can be asked.
    let unserved = match explained {
        Ok(explained) => Some(explained.into_inner().unserved.unwrap_or_default()),
        Err(status) if status.code() == tonic::Code::NotFound => None,
        Err(status) => return Err(status.into()),
    };
    let asks_gold = is_read && unserved.as_ref().is_some_and(|one| one.gold_told_at.is_some());
    let alerts = if asks_gold { gold::alerts(visit, &need).await } else { ListAlertsResponse::default() };
    let (own, may) = (visit.viewer().trust.as_deref(), May::of(visit));
    Ok(Some(Reason::new(&need, (own, may), unserved.as_ref(), &alerts, &visit.now, &*directory?)))
}
