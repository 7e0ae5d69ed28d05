//! Reading needs: one at once, the shared waiting list at one revision, watches.

use fallow_api::convert::time::to_wire;
use fallow_api::convert::{codes, need, request};
use fallow_api::status::Failure;
use fallow_api::v1::{self, NeedStanding};
use fallow_domain::actor::Actor;
use fallow_domain::clocks;
use fallow_domain::ids::NeedId;
use fallow_domain::matching::rank::{Rank, rank};
use fallow_domain::need::Need;
use fallow_ledger::record::{Record, need_key};
use fallow_ledger::{RecordKind, Revision};
use fallow_live::Live;
use fallow_live::call::Call;
use fallow_live::lists::{self, Asked, Named};
use fallow_live::visibility::{Joined, Viewer};
use fallow_live::watch::{Told, Watching};
use futures::Stream;

/// Reads one need, with the revision of the picture.
pub(crate) fn get(call: &Call, id: &NeedId) -> Result<(v1::Need, u64), Failure> {
    let (found, seen) = call.live.find("need", &need_key(id), Record::need)?;
    let wire = see(&call.live, call.viewer(), &found, seen.revision);
    let wire = wire.ok_or_else(|| Failure::NotFound { record: "need", id: id.to_string() })?;
    Ok((wire, call.live.picture().revision().0))
}

/// Lists a page of the waiting list, most urgent first.
pub(crate) async fn list(
    call: &Call,
    request: &v1::ListNeedsRequest,
) -> Result<v1::ListNeedsResponse, Failure> {
    let filter = request.filter.clone().unwrap_or_default();
    let asked = Asked::parse(&filter.ids, request.as_of.as_ref(), call.at, NeedId::parse, need_key)?;
    let query =
        format!("ListNeeds {:?} {:?} {filter:?} {:?}", call.actor.role, call.actor.trust, asked.as_of);
    let mut page = call.live.pages().page(request.page_size, &request.page_token, &query)?;
    let (records, revision) = asked.records(&call.live, RecordKind::Need, &mut page).await?;
    let mut call = call.clone();
    call.at = asked.as_of.unwrap_or(call.at);
    let mut needs: Vec<_> = records
        .iter()
        .filter_map(|(_, seen)| seen.record.need().map(|need| (need, seen.revision)))
        .filter(|(need, _)| fits(&filter, need))
        .map(|(need, revision)| (rank(need, &call.region.region.policy, call.at), need, revision))
        .collect();
    needs.sort_by(|(a, x, _), (b, y, _)| a.cmp(b).then_with(|| x.id.cmp(&y.id)));
    let seen = needs.iter().filter_map(|(rank, need, revision)| {
        let wire = see(&call.live, call.viewer(), need, *revision)?;
        Some((wire, standing(&call, need, *rank)))
    });
    let ranked =
        seen.zip(1_i64..).map(|((need, standing), position)| (need, NeedStanding { position, ..standing }));
    let (page, next_page_token) = call.live.pages().cut(&page, &query, ranked);
    let (needs, standings) = page.into_iter().unzip();
    Ok(v1::ListNeedsResponse {
        needs,
        next_page_token,
        revision: request::number_to_wire(revision.0),
        standings,
    })
}

/// Returns where a need stands by its band and by its waiting clock, but for its position.
fn standing(call: &Call, need: &Need, rank: Rank) -> NeedStanding {
    let limits = &call.region.region.policy.limit_hours;
    let clock = clocks::waiting(need, call.at);
    let next = clock.and_then(|clock| clock.next);
    NeedStanding {
        position: 0,
        breach_at: Some(to_wire(clocks::breach_at(need.priority, need.listed_at, limits))),
        waited_days: clocks::waited_days(need, call.at).into(),
        score: if call.viewer().knows_score(need) { rank.score.0 } else { 0 },
        passed_days: clock.and_then(|clock| clock.passed_days).unwrap_or_default().into(),
        next_days: next.map(|(days, _)| days).unwrap_or_default().into(),
        next_at: next.map(|(_, at)| to_wire(at)),
    }
}

/// Starts a watch of needs.
pub(crate) fn watch(
    call: Call,
    request: v1::WatchNeedsRequest,
    stopping: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Stream<Item = Result<Told<v1::Need>, Failure>> + Send, Failure> {
    let picture = call.live.picture().clone();
    let filter = request.filter.unwrap_or_default();
    lists::check_ids(&filter.ids, NeedId::parse)?;
    let (live, actor): (Live, Actor) = (call.live, call.actor);
    let role = actor.role;
    let named = Named::of(&filter.ids);
    // The region in force is looked at each time, for a watch outlives it.
    let seeing = move |record: &Record, revision| {
        let need = record.need().filter(|need| named.has(need.id.as_str()) && fits(&filter, need))?;
        let region = live.region().ok()?;
        see(&live, Viewer { actor: &actor, region: &region.region }, need, revision)
    };
    let watching = Watching::start(&picture, RecordKind::Need, &request.cursor, seeing)?.for_role(role);
    Ok(watching.into_stream(stopping))
}

/// Returns what the viewer sees of a need: the patient only where it is its own, or a proposal joins the two.
fn see(live: &Live, viewer: Viewer<'_>, found: &Need, revision: Revision) -> Option<v1::Need> {
    let joined = viewer.actor.trust.and_then(|own| {
        let keys = live.picture().referring_to(&need_key(&found.id));
        keys.iter().filter_map(|key| live.picture().get(key)).map(|seen| Joined::by(&seen.record, own)).max()
    });
    let visible = viewer.need(found, joined.unwrap_or(Joined::No))?;
    Some(need::to_wire(visible.get(), revision.0, true))
}

/// Says whether a need is what was asked for, which ids aside.
fn fits(filter: &v1::NeedFilter, need: &Need) -> bool {
    let any = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|text| text == is);
    let coded = |wanted: &[i32], is: i32| wanted.is_empty() || wanted.contains(&is);
    any(&filter.trusts, need.trust.as_str())
        && any(&filter.sites, need.site.as_str())
        && any(&filter.codes, need.resource.code.as_str())
        && any(&filter.cohorts, need.cohort.as_str())
        && any(&filter.case_refs, need.case_ref.as_ref().map_or("", |case| case.as_str()))
        && coded(&filter.kinds, codes::Coded::to_wire(need.resource.kind))
        && coded(&filter.priorities, codes::Coded::to_wire(need.priority))
        && if filter.states.is_empty() {
            // What is named is found whatever became of it.
            !need.state.is_ended() || !filter.ids.is_empty()
        } else {
            coded(&filter.states, codes::Coded::to_wire(need.state))
        }
}
