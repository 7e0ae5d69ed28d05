//! What to propose, decided on the facts alone.
//!
//! Standing proposals stay as they are. One that nobody has answered gives way only where a need of an earlier band would
//! go unserved otherwise, and then only as much as that need really takes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use fallow_domain::ids::{NeedId, OfferId, ProposalId};
use fallow_domain::matching::eligible::is_of_the_resource;
use fallow_domain::matching::explain::{Context, Explainer};
use fallow_domain::matching::explanation::{Explanation, Fairness};
use fallow_domain::matching::rank::rank;
use fallow_domain::matching::solve::Allocation;
use fallow_domain::need::{Need, Priority};
use fallow_domain::proposal::Proposal;
use fallow_domain::quantity::Count;

use crate::facts::Facts;
use crate::world::{Shortage, Solved, World, solve};

/// What is to be committed in one step: holds that give way, and what one need is suggested instead.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// The need that is served.
    pub need: NeedId,
    /// Proposals that nobody has answered and that end for it.
    pub supersede: Vec<ProposalId>,
    /// Why they end.
    pub because: Because,
    /// What it is suggested; an offer each.
    pub suggest: Vec<Suggest>,
}

/// Why a standing proposal gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// A need of an earlier band needs the units.
    EarlierBand,
    /// The plan is better by the policy's `keep_points`.
    BetterPlan,
}

/// Units of an offer, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggest {
    /// The offer.
    pub offer: OfferId,
    /// How many.
    pub units: Count,
    /// Why.
    pub explanation: Explanation,
}

/// Returns what to propose now, most urgent first. The same facts give the same answer.
#[must_use]
pub fn plan(facts: &Facts) -> Vec<Placement> {
    let mut planning = Planning { facts, world: World::of(facts), placements: Vec::new() };
    let mut solved = planning.world.solve();
    for band in Priority::ALL {
        if planning.is_contested(&solved, *band) {
            planning.displace(&solved, *band);
            solved = planning.world.solve();
        }
    }
    let lines = solved.plan.allocations.clone();
    planning.place(&solved.explainer(), lines, &BTreeSet::new());
    super::better::improve(&mut planning);
    planning.placements
}

/// A plan in the making.
pub(super) struct Planning<'a> {
    pub(super) facts: &'a Facts,
    /// The records as they will be after `placements`.
    pub(super) world: World,
    pub(super) placements: Vec<Placement>,
}

impl Planning<'_> {
    /// The holds that may give way to a need of a band: nobody has answered, and their own need is of a later one.
    fn later(&self, band: Priority) -> BTreeSet<ProposalId> {
        let is_later =
            |hold: &Proposal| self.world.needs.get(&hold.need).is_some_and(|need| need.priority > band);
        let holds = self.world.holds.values();
        holds.filter(|hold| !hold.is_answered() && is_later(hold)).map(|hold| hold.id.clone()).collect()
    }

    /// Says whether a need of the band goes unserved while a hold for a later band has something of the kind it needs.
    fn is_contested(&self, solved: &Solved, band: Priority) -> bool {
        let short: Vec<&Need> = self.short(solved, band).map(|(need, _)| need).collect();
        if short.is_empty() {
            return false;
        }
        let holds = self.later(band).into_iter().filter_map(|id| self.world.holds.get(&id).cloned());
        let mut offers = holds.filter_map(|hold| self.world.offers.get(&hold.offer).cloned());
        offers.any(|offer| short.iter().any(|need| is_of_the_resource(need, &offer)))
    }

    /// The needs of a band of which units go unserved, and how many.
    fn short<'s>(&'s self, solved: &'s Solved, band: Priority) -> impl Iterator<Item = (&'s Need, u32)> {
        let unserved = solved.plan.unserved.iter();
        unserved.filter_map(move |(id, units)| {
            self.world.needs.get(id).filter(|need| need.priority == band).map(|need| (&**need, *units))
        })
    }

    /// Serves needs of a band from holds for later bands, where that serves more.
    fn displace(&mut self, solved: &Solved, band: Priority) {
        let later = self.later(band);
        let unserved: u32 = self.short(solved, band).map(|(_, units)| units).sum();
        let in_time = |world: &World, line: &Allocation| {
            world.needs.get(&line.need).is_some_and(|need| need.priority <= band)
        };
        // First with all else as it is: then nothing gives way but for a need that would go without.
        let mut fixed = self.world.clone();
        let stays: Vec<Allocation> =
            solved.plan.allocations.iter().filter(|line| in_time(&fixed, line)).cloned().collect();
        for line in &stays {
            fixed.hold(line);
        }
        let short: BTreeSet<NeedId> = self.short(solved, band).map(|(need, _)| need.id.clone()).collect();
        release_all(&mut fixed, &later);
        let around = solve(fixed.problem(|need| short.contains(&need.id), |_| true));
        let left = |solved: &Solved| -> u32 {
            let unserved = solved.plan.unserved.iter();
            let counted = unserved
                .filter(|(id, _)| self.world.needs.get(*id).is_some_and(|need| need.priority == band));
            counted.map(|(_, units)| *units).sum()
        };
        let left_around = left(&around);
        if left_around > 0 {
            // Then with the places of other needs of these bands moved about, if that serves more.
            let mut open = self.world.clone();
            release_all(&mut open, &later);
            let moved = solve(open.problem(|need| need.priority <= band, |_| true));
            if left(&moved) < left_around {
                self.place(&moved.explainer(), moved.plan.allocations.clone(), &later);
                return;
            }
        }
        if left_around < unserved {
            self.place(&solved.explainer(), stays, &BTreeSet::new());
            self.place(&around.explainer(), around.plan.allocations.clone(), &later);
        }
    }

    /// Places lines, most urgent need first; where units are missing, holds of `may_yield` give way.
    pub(super) fn place(
        &mut self,
        explainer: &Explainer<'_>,
        lines: Vec<Allocation>,
        may_yield: &BTreeSet<ProposalId>,
    ) {
        let mut by_need: BTreeMap<(_, NeedId), Vec<Allocation>> = BTreeMap::new();
        for line in lines {
            if let Some(need) = self.world.needs.get(&line.need) {
                let rank = rank(need, &self.world.region.policy, self.world.at);
                by_need.entry((rank, line.need.clone())).or_default().push(line);
            }
        }
        for ((_, need), lines) in by_need {
            let mut supersede = Vec::new();
            let mut suggest = Vec::new();
            for line in lines {
                let Some(yielding) = self.make_room(&line, may_yield) else { continue };
                let Some(explanation) = explainer.proposal(&line, &self.context(&line)) else { continue };
                self.world.hold(&line);
                supersede.extend(yielding);
                suggest.push(Suggest { offer: line.offer, units: Count::new(line.units), explanation });
            }
            if !suggest.is_empty() {
                let because = Because::EarlierBand;
                self.placements.push(Placement { need, supersede, because, suggest });
            }
        }
    }

    /// Releases as few holds as make room for a line, the least urgent first and of those the newest; `None`, and
    /// nothing released, when there is not enough.
    fn make_room(&mut self, line: &Allocation, may_yield: &BTreeSet<ProposalId>) -> Option<Vec<ProposalId>> {
        let mut released = Vec::new();
        loop {
            let shortage = self.world.shortage(line);
            if shortage == Shortage::None {
                return Some(
                    released.into_iter().map(|hold: std::sync::Arc<Proposal>| hold.id.clone()).collect(),
                );
            }
            match self.next_to_yield(line, shortage, may_yield).and_then(|id| self.world.release(&id)) {
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

    fn next_to_yield(
        &self,
        line: &Allocation,
        shortage: Shortage,
        may_yield: &BTreeSet<ProposalId>,
    ) -> Option<ProposalId> {
        let wanted = self.world.offers.get(&line.offer)?;
        let helps = |hold: &Proposal| {
            self.world.offers.get(&hold.offer).is_some_and(|offer| match shortage {
                Shortage::None => false,
                Shortage::OfOffer => offer.id == wanted.id,
                Shortage::OfTrust => {
                    offer.trust == wanted.trust && offer.resource.key() == wanted.resource.key()
                }
            })
        };
        let holds = may_yield.iter().filter_map(|id| self.world.holds.get(id)).filter(|hold| helps(hold));
        let band = |hold: &Proposal| self.world.needs.get(&hold.need).map(|need| Reverse(need.priority));
        let order = |hold: &Proposal| (band(hold), Reverse(hold.proposed_at), Reverse(hold.id.clone()));
        holds.min_by_key(|hold| order(hold)).map(|hold| hold.id.clone())
    }

    pub(super) fn context(&self, line: &Allocation) -> Context {
        let trust = self.world.offers.get(&line.offer).map(|offer| offer.trust);
        let sum = |units: &mut dyn Iterator<Item = Count>| -> u32 {
            units.fold(Count::ZERO, |sum, units| sum.plus(units).unwrap_or(sum)).get()
        };
        let transfers = || self.facts.transfers.values();
        let given = sum(&mut transfers().filter(|t| Some(t.supporting_trust) == trust).map(|t| t.units));
        let taken = sum(&mut transfers().filter(|t| Some(t.home_trust) == trust).map(|t| t.units));
        let all = sum(&mut transfers().map(|t| t.units));
        let share = u64::from(given) * 100 / u64::from(all.max(1));
        Context {
            revision: self.facts.revision.0,
            policy: self.facts.policy.clone(),
            fairness: Fairness { given, taken, share: u32::try_from(share).unwrap_or(100) },
        }
    }
}

pub(super) fn release_all(world: &mut World, holds: &BTreeSet<ProposalId>) {
    for id in holds {
        world.release(id);
    }
}
