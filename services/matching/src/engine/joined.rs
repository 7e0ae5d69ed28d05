//! Teams for unstaffed sessions, after the plan: what nobody else asks for is joined for the cases that nothing serves.
//!
//! A join reaches over two resources, so it is decided for itself: on the records as they will be when all else that was
//! planned is done. It takes only what is left; and a join that nobody has answered gives way to a need of an earlier
//! band, for its session and team or for its staff alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fallow_domain::ids::{NeedId, OfferId, ProposalId};
use fallow_domain::lent::TEAM_UNITS;
use fallow_domain::matching::eligible::{burden, objections};
use fallow_domain::matching::explain::{Context, Crowd};
use fallow_domain::matching::explanation::Explanation;
use fallow_domain::matching::joins::{Join, joins_of_what_is_free, objection_to_team};
use fallow_domain::matching::rank::rank;
use fallow_domain::matching::solve::Allocation;
use fallow_domain::need::{Need, Priority};
use fallow_domain::offer::{Offer, OfferState};
use fallow_domain::proposal::Proposal;
use fallow_domain::quantity::Count;
use fallow_domain::reason::NotUsed;
use fallow_domain::resource::ResourceKind;

use super::chores::{Chore, Timed, age, takes_ground_away};
use super::parts::{Parts, shelf};
use super::plan::{Because, Placement, Suggest};
use crate::facts::Facts;
use crate::world::{Solved, World, solve};

/// The team of a suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestTeam {
    /// The offer of staff.
    pub offer: OfferId,
    /// Minutes that it travels to the session.
    pub travel_minutes: u32,
    /// How many other offers of staff could come.
    pub others: u32,
}

/// Says whether what has changed of a record may bear on joins; of what is gone nobody can say.
pub(super) fn is_of_joins(facts: &Facts, record: &Timed) -> bool {
    let kind = match record {
        Timed::Offer(id) => facts.offers.get(id).map(|offer| offer.resource.kind),
        Timed::Need(id) => facts.needs.get(id).map(|need| need.resource.kind),
        // Its need is told of too.
        Timed::Hold(_) | Timed::Transfer(_) => return false,
    };
    kind.is_none_or(takes_part)
}

fn takes_part(kind: ResourceKind) -> bool {
    kind == ResourceKind::Theatre || kind == ResourceKind::Staff
}

/// Joins sessions and teams for cases that nothing serves once `placed` is done, the most urgent band first. Where nothing
/// is left for a band, joins that nobody has answered give way if their needs are of a later one.
///
/// Costs one look at each theatre session where none lacks a team.
pub(super) fn join(facts: &Facts, parts: &Parts, placed: &[Placement]) -> Vec<Placement> {
    let theatres = || parts.all().iter().filter(|(key, _)| key.0 == ResourceKind::Theatre);
    if !theatres().any(|(_, part)| part.offers.values().any(|session| !session.team.staffed)) {
        return Vec::new();
    }
    let world = after(facts, parts, placed);
    let mut joining = Joining { facts, parts, world, before: None, placements: Vec::new() };
    for band in Priority::ALL {
        joining.staff_first(*band);
        let free = found(&joining.world, *band);
        joining.place(free, &BTreeSet::new());
        let may_yield = joining.later(*band);
        if !may_yield.is_empty() {
            let displacing = found(&joining.world.without(&may_yield), *band);
            joining.place(displacing, &may_yield);
        }
    }
    joining.placements
}

/// Returns what takes part in joins, as it will be when what was placed is done.
fn after(facts: &Facts, parts: &Parts, placed: &[Placement]) -> World {
    let mut world = world(facts, parts, takes_part);
    for placement in placed {
        for id in &placement.supersede {
            world.release(id);
        }
        for suggest in &placement.suggest {
            world.hold(&line(&placement.need, &suggest.offer, suggest.units.get()));
        }
    }
    world
}

/// A copy of the records of some kinds.
fn world(facts: &Facts, parts: &Parts, is_asked: impl Fn(ResourceKind) -> bool) -> World {
    let (mut offers, mut needs, mut holds) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for part in parts.all().values() {
        let own = part.offers.iter().filter(|(_, offer)| is_asked(offer.resource.kind));
        offers.extend(own.map(|(id, offer)| (id.clone(), offer.clone())));
        let own = part.needs.iter().filter(|(_, need)| is_asked(need.resource.kind));
        needs.extend(own.map(|(id, need)| (id.clone(), need.clone())));
        let own = part.holds.iter().filter(|(_, hold)| offers.contains_key(&hold.offer));
        holds.extend(own.map(|(id, hold)| (id.clone(), hold.clone())));
    }
    World::with(facts, offers, needs, holds)
}

fn line(need: &NeedId, offer: &OfferId, units: u32) -> Allocation {
    Allocation { need: need.clone(), offer: offer.clone(), units, minutes: 0, burden: 0, fairness: 0 }
}

/// Finds joins for the needs of a band. The world holds all that the plan gives away, so what is free is left over.
fn found(world: &World, band: Priority) -> Vec<Join> {
    let unserved = lacking(world, ResourceKind::Theatre, band);
    if unserved.is_empty() {
        return Vec::new();
    }
    let problem = world.problem(|need| unserved.contains_key(&need.id), |_| true);
    joins_of_what_is_free(&problem, &unserved)
}

/// The needs of a kind and band that nothing is proposed for, with their units.
fn lacking(world: &World, kind: ResourceKind, band: Priority) -> BTreeMap<NeedId, u32> {
    let lacks = |need: &&Arc<Need>| {
        need.resource.kind == kind
            && need.priority == band
            && need.state.takes_part()
            && !need.units_wanted().is_zero()
    };
    world.needs.values().filter(lacks).map(|need| (need.id.clone(), need.units_wanted().get())).collect()
}

struct Joining<'a> {
    facts: &'a Facts,
    parts: &'a Parts,
    /// The records as they will be after all placements.
    world: World,
    /// The plan for theatres without joins, which explains them; found when first asked for.
    before: Option<Solved>,
    placements: Vec<Placement>,
}

impl Joining<'_> {
    /// The joins that may give way to a need of a band: nobody has answered, and their own need is of a later one.
    fn later(&self, band: Priority) -> BTreeSet<ProposalId> {
        let is_join = |id: &ProposalId| self.world.holds.get(id).is_some_and(|hold| hold.team.is_some());
        self.world.later(band).into_iter().filter(is_join).collect()
    }

    /// Lets needs for staff of a band have what joins for later bands hold.
    fn staff_first(&mut self, band: Priority) {
        let (short, may_yield) = (lacking(&self.world, ResourceKind::Staff, band), self.later(band));
        if short.is_empty() || may_yield.is_empty() {
            return;
        }
        let free = self.world.without(&may_yield);
        let solved = solve(free.problem(
            |need| short.contains_key(&need.id),
            |offer| offer.resource.kind == ResourceKind::Staff,
        ));
        let staff = self.world.needs.values().filter(|need| need.resource.kind == ResourceKind::Staff);
        let crowd = Crowd::of(staff.map(|need| &**need), &self.world.region.policy, self.world.at);
        let explainer = solved.explainer().among(&crowd);
        let order = |line: &Allocation| {
            let need = self.world.needs.get(&line.need);
            need.map(|need| rank(need, &self.world.region.policy, self.world.at))
        };
        let mut lines = solved.plan.allocations.clone();
        lines.sort_by_cached_key(|line| (order(line), line.need.clone(), line.offer.clone()));
        for line in lines {
            let Some(offer) = self.world.offers.get(&line.offer).cloned() else { continue };
            // Room is made for what can be told of, and for nothing else.
            let Some(explanation) = explainer.proposal(&line, &self.context(&line)) else { continue };
            let Some(supersede) = self.make_room(&offer, line.units, None, &may_yield) else { continue };
            self.world.hold(&line);
            let units = Count::new(line.units);
            let suggest = vec![Suggest { offer: line.offer, units, team: None, explanation }];
            let because = Because::EarlierBand;
            self.placements.push(Placement { need: line.need, supersede, because, suggest });
        }
    }

    /// Places joins; where one takes what another holds, holds of `may_yield` give way.
    fn place(&mut self, found: Vec<Join>, may_yield: &BTreeSet<ProposalId>) {
        for join in found {
            let Some(team) = self.world.offers.get(&join.team).cloned() else { continue };
            let Some((line, explanation)) = self.explained(&join) else { continue };
            let Some(supersede) = self.make_room(&team, TEAM_UNITS.get(), Some(&join.session), may_yield)
            else {
                continue;
            };
            self.world.hold(&line);
            self.world.lend(&join.team, TEAM_UNITS);
            let team =
                SuggestTeam { offer: join.team, travel_minutes: join.team_travel, others: join.other_teams };
            let units = Count::new(join.cases);
            let suggest = vec![Suggest { offer: join.session, units, team: Some(team), explanation }];
            let because = Because::EarlierBand;
            self.placements.push(Placement { need: join.need, supersede, because, suggest });
        }
    }

    /// Releases joins until units of staff, and a session where one is named, are free: the newest first; `None`, and
    /// nothing released, when that is not enough.
    fn make_room(
        &mut self,
        staff: &Offer,
        units: u32,
        session: Option<&OfferId>,
        may_yield: &BTreeSet<ProposalId>,
    ) -> Option<Vec<ProposalId>> {
        let mut released: Vec<Arc<Proposal>> = Vec::new();
        loop {
            let now = self.world.offers.get(&staff.id)?;
            let room = self.world.room(now);
            let units = u64::from(units);
            let of_offer = u64::from(now.figures.free().get()) < units;
            let of_trust = room.free < u64::from(room.reserve.get()) + units;
            let session = session.and_then(|id| self.world.offers.get(id));
            let of_session = session.filter(|session| !session.figures.held.is_zero());
            if !of_offer && !of_trust && of_session.is_none() {
                return Some(released.iter().map(|hold| hold.id.clone()).collect());
            }
            let helps = |hold: &Proposal| {
                let lent = hold.team.as_ref().and_then(|lent| self.world.offers.get(&lent.offer));
                of_session.is_some_and(|session| session.id == hold.offer)
                    || (of_offer && lent.is_some_and(|lent| lent.id == staff.id))
                    || (of_trust
                        && lent.is_some_and(|lent| {
                            lent.trust == staff.trust && lent.resource.key() == staff.resource.key()
                        }))
            };
            let holds = may_yield.iter().filter_map(|id| self.world.holds.get(id)).filter(|hold| helps(hold));
            let newest = holds.max_by_key(|hold| (hold.proposed_at, hold.id.clone()));
            match newest.map(|hold| hold.id.clone()).and_then(|id| self.world.release(&id)) {
                Some(hold) => released.push(hold),
                None => {
                    for hold in released {
                        self.world.put_back(hold);
                    }
                    return None;
                }
            }
        }
    }

    /// Explains a join as a line of the plan: rank, burden and runners-up are those of its session.
    fn explained(&mut self, join: &Join) -> Option<(Allocation, Explanation)> {
        let (need, session) = (self.world.needs.get(&join.need)?, self.world.offers.get(&join.session)?);
        let each = i64::from(burden(&self.world.bare(), need, session).total());
        let line = Allocation {
            minutes: u64::from(need.minutes_per_case.get()) * u64::from(join.cases),
            burden: each * i64::from(join.cases),
            ..line(&join.need, &join.session, join.cases)
        };
        let context = self.context(&line);
        let before = self.before.get_or_insert_with(|| {
            let theatres = world(self.facts, self.parts, |kind| kind == ResourceKind::Theatre);
            solve(theatres.problem(|_| true, |_| true))
        });
        let explanation = before.explainer().proposal(&line, &context)?;
        Some((line, explanation))
    }

    fn context(&self, line: &Allocation) -> Context {
        self.facts.context(&line.offer)
    }
}

/// Finds the joins that nobody has answered and that have lost their ground, newest first: of several that a trust's
/// reserve no longer bears, only as many end as must. What the other proposals hold that were found to end (`ended`) counts
/// as given back, so that no join ends for what they leave.
pub(super) fn groundless(facts: &Facts, parts: &Parts, ended: &[Chore]) -> Vec<Chore> {
    let joined = parts.joined().iter().filter_map(|id| facts.holds.get(id));
    let mut joined: Vec<&Arc<Proposal>> =
        joined.filter(|hold| !hold.is_answered() && facts.at < hold.held_until).collect();
    if joined.is_empty() {
        return Vec::new();
    }
    joined.sort_by_key(|hold| age(hold));
    let (mut offers, mut needs, mut holds) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for hold in &joined {
        needs.extend(facts.needs.get(&hold.need).map(|need| (need.id.clone(), need.clone())));
        holds.insert(hold.id.clone(), Arc::clone(hold));
        for offer in hold.offers().filter_map(|id| facts.offers.get(id)) {
            // What a trust has left of the role is all that the rules ask of other offers.
            let of_shelf = parts.shelves().get(&shelf(offer)).into_iter().flatten();
            offers.extend(of_shelf.filter_map(|id| Some((id.clone(), facts.offers.get(id)?.clone()))));
        }
    }
    let ended = ended.iter().filter_map(Chore::ends).filter_map(|id| facts.holds.get(id));
    let ended: Vec<&Arc<Proposal>> = ended.collect();
    holds.extend(ended.iter().map(|hold| (hold.id.clone(), Arc::clone(hold))));
    let mut world = World::with(facts, offers, needs, holds);
    for hold in ended {
        world.release(&hold.id);
    }
    let mut found = Vec::new();
    for hold in joined {
        let Some(released) = world.release(&hold.id) else { continue };
        match objections_to(&world, hold).into_iter().find(|code| takes_ground_away(*code)) {
            Some(code) => found.push(Chore::Supersede(hold.id.clone(), code)),
            None => world.put_back(released),
        }
    }
    found
}

/// Says what objects to a join that was proposed and whose hold is released. That the session has no team of its own is
/// no objection; that it has one is, for then nobody else's has to come.
fn objections_to(world: &World, hold: &Proposal) -> Vec<NotUsed> {
    let (Some(need), Some(session)) = (world.needs.get(&hold.need), world.offers.get(&hold.offer)) else {
        // Its need or offer has ended under it, which no decision does; the ledger's own rules speak then.
        return Vec::new();
    };
    let Some(team) = hold.team.as_ref().and_then(|team| world.offers.get(&team.offer)) else {
        return Vec::new();
    };
    let is_asked = |offer: &Offer| {
        offer.id == session.id || (offer.trust == team.trust && offer.resource.key() == team.resource.key())
    };
    let problem = world.problem(|_| false, is_asked);
    let setting = problem.setting();
    let mut found = objections(&problem, &setting, need, session);
    let before = found.len();
    found.retain(|code| *code != NotUsed::TeamMissing);
    if found.len() == before {
        found.push(NotUsed::CheaperElsewhere);
    }
    found.extend(objection_to_team(&problem, &setting, need, team, session));
    // What is suspended counts nothing towards what its trust has left: that says nothing of its holds.
    let spare = setting.spare(team.trust, &team.resource.key());
    if team.state != OfferState::Suspended && spare < i64::from(TEAM_UNITS.get()) {
        found.push(NotUsed::BelowReserve);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kept::tests::a_contested_team;

    #[test]
    fn room_is_made_for_no_join_that_cannot_be_told_of() {
        let facts = a_contested_team();
        let parts = Parts::of(&facts);
        let world = after(&facts, &parts, &[]);
        let (before, placements) = (world.clone(), Vec::new());
        // A plan that knows nothing of the session cannot explain it.
        let of_nobody = solve(world.problem(|_| false, |_| false));
        let (facts, parts) = (&facts, &parts);
        let mut joining = Joining { facts, parts, world, before: Some(of_nobody), placements };
        let later = joining.later(Priority::P1A);
        let urgent = found(&before.without(&later), Priority::P1A);
        assert_eq!((later.len(), urgent.len()), (1, 1));
        joining.place(urgent.clone(), &later);
        assert_eq!((joining.placements.len(), &joining.world.holds), (0, &before.holds));
        assert_eq!(joining.world.offers, before.offers);
        joining.before = None;
        joining.place(urgent, &later);
        assert_eq!(joining.placements.len(), 1);
        assert!(joining.placements.iter().all(|one| one.supersede.iter().eq(&later)));
    }
}
