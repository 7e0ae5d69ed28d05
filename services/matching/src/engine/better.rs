//! A plan that is better by `keep_points`: the only reason but an earlier band for which a standing proposal moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fallow_domain::ids::{OfferId, ProposalId};
use fallow_domain::matching::eligible::burden;
use fallow_domain::matching::problem::Problem;
use fallow_domain::matching::solve::Allocation;
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::proposal::Proposal;
use fallow_domain::quantity::Count;

use super::plan::{Because, Placement, Planning, Suggest};
use crate::world::{Shortage, solve};

/// Moves standing proposals that nobody has answered where their needs do better by `keep_points` a unit: one need at a
/// time, to units that are free now, so that nobody else's proposal changes and nothing flaps. What a move sets free is
/// looked at when it is free.
pub(super) fn improve(planning: &mut Planning<'_>, restless: &BTreeSet<ProposalId>) {
    let holds = restless.iter().filter_map(|id| planning.world.holds.get(id));
    let holds: Vec<Arc<Proposal>> = holds.filter(|hold| !hold.is_answered()).cloned().collect();
    if holds.is_empty() {
        return;
    }
    let free = planning.world.offers.values().filter(|offer| !offer.figures.free().is_zero());
    let free: Vec<Arc<Offer>> = free.cloned().collect();
    for hold in holds {
        if can_do_better(planning, &hold, &free) {
            move_over(planning, &hold);
        }
    }
}

/// Says whether any offer with enough free units would be better by `keep_points`: cheap, so that nothing is solved for
/// the many proposals that stand well.
fn can_do_better(planning: &Planning<'_>, hold: &Proposal, free: &[Arc<Offer>]) -> bool {
    let world = &planning.world;
    let (Some(need), Some(offer)) = (world.needs.get(&hold.need), world.offers.get(&hold.offer)) else {
        return false;
    };
    let problem = world.bare();
    free.iter().any(|other| {
        is_better_by_enough(&problem, need, offer, other)
            && world.shortage(&line_of(hold, other.id.clone())) == Shortage::None
    })
}

/// Says whether a unit of another offer would be less of a burden to a need than one of the offer that is held, by the
/// policy's `keep_points` at least. Whether the need may have it is not asked.
pub(super) fn is_better_by_enough(problem: &Problem, need: &Need, held: &Offer, other: &Offer) -> bool {
    let now = burden(problem, need, held).total();
    let keep = problem.region.policy.keep_points;
    other.id != held.id
        && other.trust != need.trust
        && (other.resource.kind, &other.resource.code) == (need.resource.kind, &need.resource.code)
        && !other.figures.free().is_zero()
        && burden(problem, need, other).total().saturating_add(keep) <= now
}

fn line_of(hold: &Proposal, offer: OfferId) -> Allocation {
    Allocation { need: hold.need.clone(), offer, units: hold.units.get(), minutes: 0, burden: 0, fairness: 0 }
}

/// Solves for one need with its hold released, and moves it when that is better by enough.
fn move_over(planning: &mut Planning<'_>, hold: &Arc<Proposal>) {
    let Some(released) = planning.world.release(&hold.id) else { return };
    let solved = solve(planning.world.problem(|need| need.id == hold.need, |_| true));
    let units: u32 = solved.plan.allocations.iter().map(|line| line.units).sum();
    let gain =
        burden_now(planning, hold) - solved.plan.allocations.iter().map(|line| line.burden).sum::<i64>();
    let least = i64::from(planning.world.region.policy.keep_points) * i64::from(hold.units.get());
    let stays = solved.plan.allocations.iter().any(|line| line.offer == hold.offer);
    if stays || units != hold.units.get() || gain < least.max(1) {
        planning.world.put_back(released);
        return;
    }
    let mut by_offer: BTreeMap<_, _> = BTreeMap::new();
    let explainer = planning.explainer(&solved);
    for line in &solved.plan.allocations {
        if let Some(explanation) = explainer.proposal(line, &planning.context(line)) {
            by_offer.insert(line.offer.clone(), (line.clone(), explanation));
        }
    }
    // The old hold stands until this is carried out: what it has is free for nobody before.
    planning.world.put_back(released);
    let mut suggest = Vec::new();
    for (offer, (line, explanation)) in by_offer {
        planning.world.hold(&line);
        suggest.push(Suggest { offer, units: Count::new(line.units), team: None, explanation });
    }
    let supersede: Vec<ProposalId> = vec![hold.id.clone()];
    let need = hold.need.clone();
    planning.placements.push(Placement { need, supersede, because: Because::BetterPlan, suggest });
}

fn burden_now(planning: &Planning<'_>, hold: &Proposal) -> i64 {
    let world = &planning.world;
    let (Some(need), Some(offer)) = (world.needs.get(&hold.need), world.offers.get(&hold.offer)) else {
        return 0;
    };
    let problem = world.bare();
    i64::from(burden(&problem, need, offer).total()) * i64::from(hold.units.get())
}
