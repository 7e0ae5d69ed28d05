//! `ExplainNeed`: why a need is, or is not, served, and what would help most cheaply.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use fallow_api::convert::explanation::{Looked, unserved_to_wire};
use fallow_api::convert::request;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::ids::{NeedId, TrustCode};
use fallow_domain::matching::eligible::{is_of_the_resource, iter_objections};
use fallow_domain::matching::explanation::{NotUsedCount, RankFacts, Unserved};
use fallow_domain::monitor::conditions::told_at;
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::reason::NotUsed;
use fallow_ledger::record::{Record, need_key, proposal_key};
use fallow_live::call::Call;
use fallow_live::visibility::Joined;

use jiff::SignedDuration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::facts::Facts;
use crate::verbs::{not_found, proposal_to_wire};
use crate::world::{Solved, World, solve};

/// Explanations worked out at once: one, so that however many are asked for, the engine has the other cores.
const AT_ONCE: usize = 1;
/// How long explanations at the same revision share one look: offers grow stale with time alone, so not for ever.
const SHARED_FOR: SignedDuration = SignedDuration::from_secs(5);

/// What explanations share: what was seen at one revision, solved once, for all calls at that revision.
pub(crate) struct Explaining {
    turn: Arc<Semaphore>,
    latest: Mutex<Option<Arc<Sight>>>,
}

/// Everything at one revision, and the best plan for it once somebody has asked.
struct Sight {
    facts: Facts,
    world: World,
    solved: OnceLock<Solved>,
}

impl Sight {
    fn solved(&self) -> &Solved {
        self.solved.get_or_init(|| self.world.solve())
    }
}

impl Explaining {
    pub(crate) fn new() -> Self {
        Self { turn: Arc::new(Semaphore::new(AT_ONCE)), latest: Mutex::new(None) }
    }

    /// Waits until it is this call's turn to work an explanation out, which lasts as long as what is returned.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.turn.clone().acquire_owned().await.ok()
    }

    /// Looks at everything as it is now, or as it was a moment ago if nothing has changed since.
    fn look(&self, call: &Call) -> Result<Arc<Sight>, Failure> {
        let latest = || self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let now = call.live.picture().revision();
        let is_still_so = |sight: &Arc<Sight>| {
            let age = call.at.duration_since(sight.facts.at);
            sight.facts.revision == now && (SignedDuration::ZERO..SHARED_FOR).contains(&age)
        };
        if let Some(sight) = latest().clone().filter(is_still_so) {
            return Ok(sight);
        }
        let facts = Facts::of(&call.live, call.at)?;
        let sight = Arc::new(Sight { world: World::of(&facts), facts, solved: OnceLock::new() });
        *latest() = Some(sight.clone());
        Ok(sight)
    }
}

/// Explains a need; with `trust`, only as far as that trust's offers go.
///
/// # Errors
/// [`Failure::NotFound`] when there is no such live need for the caller, or no such trust.
pub(crate) fn run(
    explaining: &Explaining,
    call: &Call,
    id: &NeedId,
    trust: Option<TrustCode>,
) -> Result<v1::ExplainNeedResponse, Failure> {
    let (found, _) = call.live.find("need", &need_key(id), Record::need)?;
    // The counts tell of the patient (too old, too heavy), so they are for those who may see the patient, and for roles
    // above trusts.
    let is_stranger = call.actor.trust.is_some_and(|own| own != found.trust && !is_joined(call, id, own));
    if is_stranger || call.viewer().need(&found, Joined::No).is_none() {
        return Err(not_found("need", id));
    }
    if let Some(trust) = trust.filter(|trust| !call.viewer().knows_trust(*trust)) {
        return Err(not_found("trust", &trust));
    }
    let sight = explaining.look(call)?;
    let facts = &sight.facts;
    let proposals = facts.holds.values().filter(|hold| hold.need == *id);
    let proposals = proposals
        .filter(|hold| call.viewer().proposal(hold).is_some())
        .map(|hold| proposal_to_wire(&call.live, hold, facts.version(&proposal_key(&hold.id)).0, call.at))
        .collect();
    let looked = Looked {
        at: facts.at,
        revision: facts.revision.0,
        policy: &facts.policy,
        gold_told_at: told_at(&found, &call.region.region),
    };
    let explained = match trust {
        None => whole(&sight, id),
        Some(trust) => one_trust(&sight, id, trust),
    };
    Ok(v1::ExplainNeedResponse {
        unserved: explained.map(|(unserved, rank)| unserved_to_wire(&unserved, Some(&rank), &looked)),
        proposals,
        revision: request::number_to_wire(facts.revision.0),
    })
}

/// Says whether a live proposal or transfer joins a trust to a need as the supporting one.
fn is_joined(call: &Call, id: &NeedId, trust: TrustCode) -> bool {
    let picture = call.live.picture();
    let keys = picture.referring_to(&need_key(id));
    let mut joined = keys.iter().filter_map(|key| picture.get(key));
    joined.any(|seen| Joined::by(&seen.record, trust) == Joined::Serves)
}

/// Explains a need over all offers; `None` when all its units are proposed, agreed or about to be.
fn whole(sight: &Sight, id: &NeedId) -> Option<(Unserved, RankFacts)> {
    let world = &sight.world;
    let need = world.needs.get(id)?;
    let explainer = sight.solved().explainer();
    let mut unserved = explainer.unserved(id)?;
    tell_held(world, need, &mut unserved, |_| true);
    let rank = explainer.rank_facts(need);
    Some((unserved, rank))
}

/// Explains a need over one trust's offers, as if that trust alone were asked for the units not yet agreed.
fn one_trust(sight: &Sight, id: &NeedId, trust: TrustCode) -> Option<(Unserved, RankFacts)> {
    let mut world = sight.world.clone();
    let own: Vec<_> =
        sight.facts.holds.values().filter(|hold| hold.need == *id).map(|hold| hold.id.clone()).collect();
    for hold in &own {
        world.release(hold);
    }
    let need = world.needs.get(id).filter(|need| !need.units_wanted().is_zero())?;
    let solved = solve(world.problem(|_| true, |offer| offer.trust == trust));
    let explainer = solved.explainer();
    let rank = explainer.rank_facts(need);
    let mut unserved = match explainer.unserved(id) {
        Some(unserved) => unserved,
        // The trust could serve it: whoever was chosen is a smaller burden.
        None => could_serve(&world, need, trust),
    };
    tell_held(&world, need, &mut unserved, |offer| offer.trust == trust);
    Some((unserved, rank))
}

/// Counts the offers of a trust that could serve a need as cheaper elsewhere, and the others by what objects.
fn could_serve(world: &World, need: &Need, trust: TrustCode) -> Unserved {
    let problem = world.problem(|_| true, |offer| offer.trust == trust);
    let setting = problem.setting();
    let mut counts: BTreeMap<NotUsed, u32> = BTreeMap::new();
    for offer in problem.offers.iter().filter(|offer| is_of_the_resource(need, offer)) {
        let first = iter_objections(&problem, &setting, need, offer).next();
        *counts.entry(first.unwrap_or(NotUsed::CheaperElsewhere)).or_default() += 1;
    }
    let name = world.region.trusts.get(&trust).map(|trust| trust.name.to_string()).unwrap_or_default();
    Unserved {
        need: need.id.clone(),
        units: need.units_wanted().get(),
        offers: counts.values().sum(),
        counts: counts
            .into_iter()
            .map(|(reason, count)| NotUsedCount { reason, count, example: name.clone() })
            .collect(),
        taken_by: Vec::new(),
        relaxations: Vec::new(),
    }
}

/// Says of offers that have nothing free only because others' proposals hold it that they are held, and by which bands.
fn tell_held(world: &World, need: &Need, unserved: &mut Unserved, counted: impl Fn(&Offer) -> bool) {
    let problem = world.problem(|_| true, &counted);
    let setting = problem.setting();
    let mut free = world.clone();
    let others: Vec<_> = world.holds.values().filter(|hold| hold.need != need.id).cloned().collect();
    for hold in &others {
        free.release(&hold.id);
    }
    let released = free.problem(|_| true, &counted);
    let released_setting = released.setting();
    let Some(its) = free.needs.get(&need.id) else { return };
    let mut held = 0;
    let mut example = String::new();
    for offer in problem.offers.iter().filter(|offer| is_of_the_resource(need, offer)) {
        let first = iter_objections(&problem, &setting, need, offer).next();
        let Some(without) = free.offers.get(&offer.id) else { continue };
        let would_do = iter_objections(&released, &released_setting, its, without).next().is_none();
        if first != Some(NotUsed::BelowReserve) || !would_do {
            continue;
        }
        held += 1;
        let holders = others.iter().filter(|hold| hold.held_of(&offer.id).is_some());
        unserved.taken_by.extend(holders.filter_map(|hold| world.needs.get(&hold.need)).map(|n| n.priority));
        if example.is_empty() {
            let trust = world.region.trusts.get(&offer.trust);
            example = trust.map(|trust| trust.name.to_string()).unwrap_or_default();
        }
    }
    if held == 0 {
        return;
    }
    unserved.taken_by.sort_unstable();
    unserved.taken_by.dedup();
    for count in unserved.counts.iter_mut().filter(|count| count.reason == NotUsed::BelowReserve) {
        count.count = count.count.saturating_sub(held);
    }
    unserved.counts.retain(|count| count.count > 0);
    match unserved.counts.iter_mut().find(|count| count.reason == NotUsed::HeldForAnother) {
        Some(count) => count.count += held,
        None => unserved.counts.push(NotUsedCount { reason: NotUsed::HeldForAnother, count: held, example }),
    }
    unserved.counts.sort_by_key(|count| count.reason);
}
