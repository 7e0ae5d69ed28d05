//! What to propose, decided on the facts alone, each part for itself.
//!
//! Standing proposals stay as they are. One that nobody has answered gives way only where a need of an earlier band would
//! go unserved otherwise, and then only as much as that need really takes; or, when there is nothing else to propose, for
//! a plan that is better by the policy's `keep_points`.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fallow_domain::campaign::Block;
use fallow_domain::ids::{NeedId, OfferId, ProposalId};
use fallow_domain::matching::eligible::is_of_the_resource;
use fallow_domain::matching::explain::{Context, Crowd, Explainer};
use fallow_domain::matching::explanation::Explanation;
use fallow_domain::matching::rank::rank;
use fallow_domain::matching::solve::{Allocation, Prepared};
use fallow_domain::need::{Need, Priority};
use fallow_domain::proposal::Proposal;
use fallow_domain::quantity::Count;
use fallow_domain::resource::ResourceKind;

pub use super::joined::SuggestTeam;
use super::joined::join;
use super::parts::{Part, Parts};
use crate::facts::Facts;
use crate::world::{Shortage, Solved, World, solve};

/// How many needs of a part are placed before the engine looks again. Each is explained, which takes milliseconds where
/// thousands wait: without this, one who becomes urgent while a long list is placed would wait for all of it.
pub const AT_A_TIME: usize = 16;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The team that comes, where the offer is a session without its own.
    pub team: Option<SuggestTeam>,
    /// Why.
    pub explanation: Explanation,
}

impl Suggest {
    /// Returns every offer that it takes something of.
    pub(crate) fn offers(&self) -> impl Iterator<Item = &OfferId> {
        std::iter::once(&self.offer).chain(self.team.as_ref().map(|team| &team.offer))
    }
}

/// Returns what to propose now, most urgent first. The same facts give the same answer.
///
/// It looks at everything. The live engine asks the same of those parts, needs and holds only of which a change could
/// have changed the answer.
#[must_use]
pub fn plan(facts: &Facts) -> Vec<Placement> {
    first_of_plan(facts, usize::MAX)
}

/// Returns the beginning of [`plan`]: of each part the most urgent needs, about so many.
#[must_use]
pub fn first_of_plan(facts: &Facts, at_most: usize) -> Vec<Placement> {
    let parts = Parts::of(facts);
    let at_most = parts.at_most(at_most);
    let decided = parts.all().iter().map(|(key, part)| {
        let mut asking = part.asking().cloned().collect();
        if key.0 == ResourceKind::Theatre {
            asking = hopeful(facts, part, &asking);
        }
        let restless = part.unanswered().cloned().collect();
        decide(&Question { facts, part, asking, restless, at_most })
    });
    let decided: Vec<Decided> = decided.collect();
    // Joins take what the rest leaves, which is not known while more is to be placed.
    let is_cut = decided.iter().any(|part| part.is_cut);
    let mut placements = most_urgent_first(decided, facts);
    if !is_cut {
        placements.extend(join(facts, &parts, &placements));
    }
    placements
}

/// What is to be decided of a part.
pub(super) struct Question<'a> {
    pub(super) facts: &'a Facts,
    pub(super) part: &'a Part,
    /// The needs that something may be had for: all such needs, and of cases for a theatre no others.
    pub(super) asking: BTreeSet<NeedId>,
    /// The holds that may be moved: all that might do better.
    pub(super) restless: BTreeSet<ProposalId>,
    /// How many needs are placed before the rest is left for when they are; a block is placed whole.
    pub(super) at_most: usize,
}

/// What was decided of a part.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// What to propose, in order.
    pub(super) placements: Vec<Placement>,
    /// Whether there is more, to be decided when this is done.
    pub(super) is_cut: bool,
}

/// Returns what to propose in a part.
pub(super) fn decide(question: &Question<'_>) -> Decided {
    let mut planning = Planning {
        facts: question.facts,
        question,
        world: world(question.facts, question.part, &question.asking),
        crowd: OnceCell::new(),
        placements: Vec::new(),
        begun: BTreeSet::new(),
        is_cut: false,
    };
    if !question.asking.is_empty() {
        planning.serve();
    }
    // First those who have nothing.
    if planning.placements.is_empty() {
        super::better::improve(&mut planning, &question.restless);
    }
    Decided { placements: planning.placements, is_cut: planning.is_cut }
}

/// Puts what was decided of each part into one order, most urgent first; what was decided of one part keeps its order.
pub(super) fn most_urgent_first(decided: Vec<Decided>, facts: &Facts) -> Vec<Placement> {
    let mut all = Vec::new();
    for Decided { placements, .. } in decided {
        let mut least = None;
        for placement in placements {
            let need = facts.needs.get(&placement.need);
            let rank = need.map(|need| rank(need, &facts.region.policy, facts.at));
            least = least.max(Some((placement.because, rank)));
            all.push((least, placement));
        }
    }
    all.sort_by_key(|(least, _)| *least);
    all.into_iter().map(|(_, placement)| placement).collect()
}

/// The cases among some that some session of the part could hold, if the holds for later bands that nobody has answered
/// gave way.
pub(super) fn hopeful(facts: &Facts, part: &Part, asking: &BTreeSet<NeedId>) -> BTreeSet<NeedId> {
    let mut hopeful = BTreeSet::new();
    if asking.is_empty() {
        return hopeful;
    }
    let all = world(facts, part, asking);
    for band in Priority::ALL {
        if !asking.iter().any(|id| all.needs.get(id).is_some_and(|need| need.priority == *band)) {
            continue;
        }
        let open = all.without(&all.later(*band));
        let is_asked = |need: &Need| need.priority == *band && asking.contains(&need.id);
        let problem = open.problem(is_asked, |offer| !offer.figures.free().is_zero());
        let prepared = Prepared::new(&problem);
        let placeable = prepared.placeable_cases().filter_map(|at| problem.needs.get(at as usize));
        hopeful.extend(placeable.map(|need| need.id.clone()));
    }
    hopeful
}

/// A copy of a part to try things on: all its offers and holds, and the needs asked about or held for.
fn world(facts: &Facts, part: &Part, asking: &BTreeSet<NeedId>) -> World {
    let held_for = part.holds.values().map(|hold| &hold.need);
    let needs = asking.iter().chain(held_for).filter_map(|id| part.needs.get(id));
    let needs: BTreeMap<NeedId, Arc<Need>> = needs.map(|need| (need.id.clone(), need.clone())).collect();
    World::with(facts, part.offers.clone(), needs, part.holds.clone())
}

/// A plan in the making.
pub(super) struct Planning<'a> {
    pub(super) facts: &'a Facts,
    question: &'a Question<'a>,
    /// The records as they will be after `placements`.
    pub(super) world: World,
    /// Everybody who asks, also those that nothing is to be had for: counted when first told of.
    crowd: OnceCell<Crowd>,
    pub(super) placements: Vec<Placement>,
    /// Blocks of which something is placed: what else is placed of one becomes known with it.
    begun: BTreeSet<Block>,
    /// Whether something is left for when this is done.
    is_cut: bool,
}

impl Planning<'_> {
    /// Serves the needs that ask.
    fn serve(&mut self) {
        let rough = self.world.solve_roughly();
        let serves_nobody = rough.plan.allocations.is_empty();
        if serves_nobody && !Priority::ALL.iter().any(|band| self.is_contested(&rough, *band)) {
            return;
        }
        let mut solved = self.world.solve();
        for band in Priority::ALL {
            if self.is_contested(&solved, *band) {
                self.displace(&solved, *band);
                if self.is_cut {
                    return;
                }
                solved = self.world.solve();
            }
        }
        let lines = solved.plan.allocations.clone();
        self.place(&solved, lines, &BTreeSet::new());
    }

    /// Prepares to explain a plan.
    pub(super) fn explainer<'s>(&self, solved: &'s Solved) -> Explainer<'s> {
        let (needs, policy) = (&self.question.part.needs, &self.facts.region.policy);
        let count = || Crowd::of(needs.values().map(|need| &**need), policy, self.facts.at);
        solved.explainer().among(self.crowd.get_or_init(count))
    }

    /// Says whether a need of the band goes unserved while a hold for a later band has something of the kind it needs.
    fn is_contested(&self, solved: &Solved, band: Priority) -> bool {
        let short: Vec<&Need> = self.short(solved, band).map(|(need, _)| need).collect();
        if short.is_empty() {
            return false;
        }
        let holds = self.world.later(band).into_iter().filter_map(|id| self.world.holds.get(&id).cloned());
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
        let later = self.world.later(band);
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
        let around = solve(fixed.without(&later).problem(|need| short.contains(&need.id), |_| true));
        let left = |solved: &Solved| -> u32 {
            let unserved = solved.plan.unserved.iter();
            let counted = unserved
                .filter(|(id, _)| self.world.needs.get(*id).is_some_and(|need| need.priority == band));
            counted.map(|(_, units)| *units).sum()
        };
        let left_around = left(&around);
        if left_around > 0 {
            // Then with the places of other needs of these bands moved about, if that serves more.
            let open = self.world.without(&later);
            let moved = solve(open.problem(|need| need.priority <= band, |_| true));
            if left(&moved) < left_around {
                self.place(&moved, moved.plan.allocations.clone(), &later);
                return;
            }
        }
        if left_around < unserved {
            self.place(solved, stays, &BTreeSet::new());
            self.place(&around, around.plan.allocations.clone(), &later);
        }
    }

    /// Places lines of a plan, most urgent need first; where units are missing, holds of `may_yield` give way.
    fn place(&mut self, solved: &Solved, lines: Vec<Allocation>, may_yield: &BTreeSet<ProposalId>) {
        if lines.is_empty() {
            return;
        }
        let explainer = self.explainer(solved);
        let mut by_need: BTreeMap<(_, NeedId), Vec<Allocation>> = BTreeMap::new();
        for line in lines {
            if let Some(need) = self.world.needs.get(&line.need) {
                let rank = rank(need, &self.world.region.policy, self.world.at);
                by_need.entry((rank, line.need.clone())).or_default().push(line);
            }
        }
        for ((_, need), lines) in by_need {
            if !self.is_of_begun(&lines) && self.is_full() {
                continue;
            }
            let mut supersede = Vec::new();
            let mut suggest = Vec::new();
            for line in lines {
                // Room is made for what can be told of, and for nothing else.
                let Some(explanation) = explainer.proposal(&line, &self.context(&line)) else { continue };
                let Some(yielding) = self.make_room(&line, may_yield) else { continue };
                self.world.hold(&line);
                supersede.extend(yielding);
                suggest.push(Suggest {
                    offer: line.offer,
                    units: Count::new(line.units),
                    team: None,
                    explanation,
                });
            }
            if !suggest.is_empty() {
                let because = Because::EarlierBand;
                self.begun
                    .extend(suggest.iter().filter_map(|one| self.world.offers.get(&one.offer)?.block()));
                self.placements.push(Placement { need, supersede, because, suggest });
            }
        }
    }

    /// Says whether as much is placed as may be at a time; what is left is then left for when this is done.
    pub(super) fn is_full(&mut self) -> bool {
        let is_full = self.placements.len() >= self.question.at_most;
        self.is_cut |= is_full;
        is_full
    }

    /// Says whether lines take something of a block that is begun.
    fn is_of_begun(&self, lines: &[Allocation]) -> bool {
        let offers = lines.iter().filter_map(|line| self.world.offers.get(&line.offer));
        offers.filter_map(|offer| offer.block()).any(|block| self.begun.contains(&block))
    }

    /// Releases as few holds as make room for a line, the least urgent first and of those the newest; `None`, and
    /// nothing released, when there is not enough.
    fn make_room(&mut self, line: &Allocation, may_yield: &BTreeSet<ProposalId>) -> Option<Vec<ProposalId>> {
        let mut released = Vec::new();
        loop {
            let shortage = self.world.shortage(line);
            if shortage == Shortage::None {
                return Some(released.into_iter().map(|hold: Arc<Proposal>| hold.id.clone()).collect());
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
        self.facts.context(&line.offer)
    }
}

#[cfg(test)]
mod tests {
    use fallow_domain::ids::ProposalId;

    use super::*;
    use crate::engine::kept::tests::a_contested_bed;

    #[test]
    fn room_is_made_for_nothing_that_cannot_be_told_of() {
        let facts = a_contested_bed();
        let parts = Parts::of(&facts);
        let part = parts.all().values().next().unwrap();
        let (asking, restless) = (part.asking().cloned().collect(), BTreeSet::new());
        let at_most = AT_A_TIME;
        let question = Question { facts: &facts, part, asking, restless, at_most };
        let world = world(&facts, part, &question.asking);
        let mut planning = Planning {
            facts: &facts,
            question: &question,
            world,
            crowd: OnceCell::new(),
            placements: Vec::new(),
            begun: BTreeSet::new(),
            is_cut: false,
        };
        let (later, before) = (planning.world.later(Priority::P1A), planning.world.clone());
        let urgent = planning.world.without(&later).solve();
        assert_eq!((later.len(), urgent.plan.allocations.len()), (1, 1));
        // A plan that knows nothing of the line cannot explain it.
        let of_nobody = solve(planning.world.problem(|_| false, |_| true));
        planning.place(&of_nobody, urgent.plan.allocations.clone(), &later);
        assert_eq!((planning.placements.len(), &planning.world.holds), (0, &before.holds));
        assert_eq!(planning.world.offers, before.offers);
        planning.place(&urgent, urgent.plan.allocations.clone(), &later);
        let ended: Vec<&ProposalId> = planning.placements.iter().flat_map(|one| &one.supersede).collect();
        assert_eq!(ended, before.holds.keys().collect::<Vec<_>>());
    }
}
