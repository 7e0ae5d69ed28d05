//! A copy of the live offers, needs and holds on which the engine tries what it might do.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use fallow_domain::decide::proposal::Room;
use fallow_domain::ids::{NeedId, OfferId, ProposalId};
use fallow_domain::matching::explain::Explainer;
use fallow_domain::matching::problem::Problem;
use fallow_domain::matching::solve::{Allocation, Plan, Prepared};
use fallow_domain::need::{Need, Priority};
use fallow_domain::offer::Offer;
use fallow_domain::proposal::Proposal;
use fallow_domain::quantity::Count;
use fallow_domain::region::Region;
use fallow_domain::resource::ResourceKind;
use jiff::Timestamp;

use crate::facts::Facts;

/// Steps of theatre search in one solve: a region's sessions of a week in a fraction of a second.
pub(crate) const THEATRE_STEPS: u64 = 20_000;
/// Steps of theatre search for each need of cases: a few that wait for one session are not worth as many as a region's.
const STEPS_PER_NEED: u64 = 5;
/// The seed of theatre search. Fixed, so that the same records give the same plan.
pub(crate) const SEED: u64 = 1;

/// A copy of the live records to try things on.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) at: Timestamp,
    pub(crate) region: Arc<Region>,
    pub(crate) offers: BTreeMap<OfferId, Arc<Offer>>,
    pub(crate) needs: BTreeMap<NeedId, Arc<Need>>,
    pub(crate) holds: BTreeMap<ProposalId, Arc<Proposal>>,
    pub(crate) declined: HashSet<(NeedId, OfferId)>,
}

/// A problem that was solved.
pub(crate) struct Solved {
    problem: Problem,
    prepared: Prepared,
    pub(crate) plan: Plan,
}

impl Solved {
    /// Prepares to explain the plan.
    pub(crate) fn explainer(&self) -> Explainer<'_> {
        Explainer::new(&self.problem, &self.prepared, &self.plan)
    }
}

impl World {
    pub(crate) fn of(facts: &Facts) -> Self {
        Self::with(facts, facts.offers.clone(), facts.needs.clone(), facts.holds.clone())
    }

    /// A copy of some of the live records.
    pub(crate) fn with(
        facts: &Facts,
        offers: BTreeMap<OfferId, Arc<Offer>>,
        needs: BTreeMap<NeedId, Arc<Need>>,
        holds: BTreeMap<ProposalId, Arc<Proposal>>,
    ) -> Self {
        let of = |need: &NeedId| {
            let need = need.clone();
            facts.declined_for(&need).map(|offer| (need.clone(), offer.clone())).collect::<Vec<_>>()
        };
        // Fewer are declined than ask, or are looked at.
        let declined = if facts.declines.len() < needs.len() {
            facts.declines.keys().filter(|need| needs.contains_key(*need)).flat_map(of).collect()
        } else {
            needs.keys().flat_map(of).collect()
        };
        Self { at: facts.at, region: facts.region.clone(), offers, needs, holds, declined }
    }

    /// Returns the problem in which the needs and offers take part that are asked for.
    pub(crate) fn problem(
        &self,
        need_takes_part: impl Fn(&Need) -> bool,
        offer_takes_part: impl Fn(&Offer) -> bool,
    ) -> Problem {
        Problem {
            at: self.at,
            region: self.region.clone(),
            offers: self.offers.values().filter(|offer| offer_takes_part(offer)).cloned().collect(),
            needs: self.needs.values().filter(|need| need_takes_part(need)).cloned().collect(),
            declined: self.declined.clone(),
        }
    }

    /// Returns the problem without records: the time and the region, which is all that a pair's burden asks for.
    pub(crate) fn bare(&self) -> Problem {
        Problem {
            at: self.at,
            region: self.region.clone(),
            offers: Vec::new(),
            needs: Vec::new(),
            declined: HashSet::new(),
        }
    }

    /// Finds the best plan for all needs that still look for something.
    pub(crate) fn solve(&self) -> Solved {
        solve(self.problem(|_| true, |_| true))
    }

    /// Finds a plan for all needs that still look for something, at the least cost: it serves nobody only where nobody can
    /// be served.
    pub(crate) fn solve_roughly(&self) -> Solved {
        let problem = self.problem(|_| true, |offer| !offer.figures.free().is_zero());
        let prepared = Prepared::new(&problem);
        let plan = prepared.solve(&problem, None, 0, SEED, &mut || false);
        Solved { problem, prepared, plan }
    }

    /// Ends a hold and gives its units back. Says `None` when there is no such hold.
    pub(crate) fn release(&mut self, id: &ProposalId) -> Option<Arc<Proposal>> {
        let hold = self.holds.remove(id)?;
        if let Some(offer) = self.offers.get_mut(&hold.offer) {
            let figures = &mut Arc::make_mut(offer).figures;
            figures.held = figures.held.less(hold.minutes_or_units_held);
        }
        if let Some(team) = &hold.team
            && let Some(offer) = self.offers.get_mut(&team.offer)
        {
            let figures = &mut Arc::make_mut(offer).figures;
            figures.held = figures.held.less(team.units);
        }
        if let Some(need) = self.needs.get_mut(&hold.need) {
            let need = Arc::make_mut(need);
            need.units_proposed = need.units_proposed.less(hold.units);
        }
        Some(hold)
    }

    /// Puts back a hold that was released.
    pub(crate) fn put_back(&mut self, hold: Arc<Proposal>) {
        self.take(&hold.need, &hold.offer, hold.units, hold.minutes_or_units_held);
        if let Some(team) = &hold.team {
            self.lend(&team.offer, team.units);
        }
        self.holds.insert(hold.id.clone(), hold);
    }

    /// Holds the units of a line of a plan.
    pub(crate) fn hold(&mut self, line: &Allocation) {
        let (Some(need), Some(offer)) = (self.needs.get(&line.need), self.offers.get(&line.offer)) else {
            return;
        };
        let units = Count::new(line.units);
        let held = if offer.resource.kind.is_minutes() {
            let each = need.minutes_per_case.get().saturating_add(self.region.policy.turnover_minutes);
            units.times(each).unwrap_or(Count::new(u32::MAX)).min(offer.figures.free())
        } else {
            units
        };
        self.take(&line.need, &line.offer, units, held);
    }

    /// Holds units of a team's offer.
    pub(crate) fn lend(&mut self, team: &OfferId, units: Count) {
        if let Some(offer) = self.offers.get_mut(team) {
            let figures = &mut Arc::make_mut(offer).figures;
            figures.held = figures.held.plus(units).unwrap_or(figures.held);
        }
    }

    fn take(&mut self, need: &NeedId, offer: &OfferId, units: Count, held: Count) {
        if let Some(offer) = self.offers.get_mut(offer) {
            let figures = &mut Arc::make_mut(offer).figures;
            figures.held = figures.held.plus(held).unwrap_or(figures.held);
        }
        if let Some(need) = self.needs.get_mut(need) {
            let need = Arc::make_mut(need);
            need.units_proposed = need.units_proposed.plus(units).unwrap_or(need.units_proposed);
        }
    }

    /// Says what keeps the units of a line from being held now.
    pub(crate) fn shortage(&self, line: &Allocation) -> Shortage {
        let (Some(need), Some(offer)) = (self.needs.get(&line.need), self.offers.get(&line.offer)) else {
            return Shortage::OfOffer;
        };
        let units = u64::from(line.units);
        let free = u64::from(offer.figures.free().get());
        if offer.resource.kind.is_minutes() {
            let turnover = u64::from(self.region.policy.turnover_minutes);
            // No turnover after the last case.
            let least =
                (units * (u64::from(need.minutes_per_case.get()) + turnover)).saturating_sub(turnover);
            return if least > free { Shortage::OfOffer } else { Shortage::None };
        }
        if units > free {
            return Shortage::OfOffer;
        }
        let room = self.room(offer);
        if room.free < u64::from(room.reserve.get()) + units { Shortage::OfTrust } else { Shortage::None }
    }

    /// A copy in which holds have ended and given their units back.
    pub(crate) fn without(&self, holds: &BTreeSet<ProposalId>) -> Self {
        let mut without = self.clone();
        for id in holds {
            without.release(id);
        }
        without
    }

    /// The holds that may give way to a need of a band: nobody has answered, and their own need is of a later one.
    pub(crate) fn later(&self, band: Priority) -> BTreeSet<ProposalId> {
        let is_later = |hold: &Proposal| self.needs.get(&hold.need).is_some_and(|need| need.priority > band);
        let holds = self.holds.values();
        holds.filter(|hold| !hold.is_answered() && is_later(hold)).map(|hold| hold.id.clone()).collect()
    }

    /// Returns what the trust of an offer has left of its resource.
    pub(crate) fn room(&self, offer: &Offer) -> Room {
        Room::around(offer, self.offers.values().map(|offer| &**offer), &self.region, self.at)
    }
}

/// What keeps units from being held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Nothing.
    None,
    /// The offer has too few free.
    OfOffer,
    /// The trust keeps what the offer has free for itself.
    OfTrust,
}

/// Solves a problem. The same problem gives the same plan.
pub(crate) fn solve(problem: Problem) -> Solved {
    let prepared = Prepared::new(&problem);
    let steps = theatre_steps(&problem);
    let plan = prepared.solve(&problem, None, steps, SEED, &mut || false);
    Solved { problem, prepared, plan }
}

/// Steps of theatre search that a problem is worth.
fn theatre_steps(problem: &Problem) -> u64 {
    let asks = |need: &Need| need.resource.kind == ResourceKind::Theatre && !need.units_wanted().is_zero();
    let needs = problem.needs.iter().filter(|need| asks(need)).count();
    THEATRE_STEPS.min(STEPS_PER_NEED.saturating_mul(u64::try_from(needs).unwrap_or(u64::MAX)))
}
