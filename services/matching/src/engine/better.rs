//! A plan that is better by `keep_points`: the only reason but an earlier band for which a standing proposal moves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fallow_domain::ids::{NeedId, OfferId, ProposalId};
use fallow_domain::matching::eligible::burden;
use fallow_domain::matching::solve::Allocation;
use fallow_domain::proposal::Proposal;
use fallow_domain::quantity::Count;
use fallow_domain::resource::{Code, ResourceKind};

use super::plan::{Because, Placement, Planning, Suggest};
use crate::world::{Shortage, solve};

/// Moves a standing proposal that nobody has answered where its need does better by `keep_points` a unit: to units that
/// are free, one need at a time, so that nobody else's proposal changes and nothing flaps.
pub(super) fn improve(planning: &mut Planning<'_>) {
    let given: BTreeSet<NeedId> =
        planning.placements.iter().map(|placement| placement.need.clone()).collect();
    let candidates: Vec<Arc<Proposal>> = planning
        .world
        .holds
        .values()
        .filter(|hold| !hold.is_answered() && !given.contains(&hold.need))
        .cloned()
        .collect();
    if candidates.is_empty() {
        return;
    }
    let mut shelves: HashMap<(ResourceKind, Code), Vec<OfferId>> = HashMap::new();
    for offer in planning.world.offers.values().filter(|offer| !offer.figures.free().is_zero()) {
        let shelf = (offer.resource.kind, offer.resource.code.clone());
        shelves.entry(shelf).or_default().push(offer.id.clone());
    }
    for hold in candidates {
        if can_do_better(planning, &hold, &shelves) {
            move_over(planning, &hold);
        }
    }
}

/// Says whether any offer with enough free units would be better by `keep_points`: cheap, so that nothing is solved for
/// the many proposals that stand well.
fn can_do_better(
    planning: &Planning<'_>,
    hold: &Proposal,
    shelves: &HashMap<(ResourceKind, Code), Vec<OfferId>>,
) -> bool {
    let world = &planning.world;
    let (Some(need), Some(offer)) = (world.needs.get(&hold.need), world.offers.get(&hold.offer)) else {
        return false;
    };
    let problem = world.bare();
    let now = burden(&problem, need, offer).total();
    let shelf = shelves.get(&(need.resource.kind, need.resource.code.clone())).into_iter().flatten();
    shelf.filter_map(|id| world.offers.get(id)).any(|other| {
        other.id != offer.id
            && other.trust != need.trust
            && burden(&problem, need, other).total().saturating_add(world.region.policy.keep_points) <= now
            && world.shortage(&line_of(hold, other.id.clone())) == Shortage::None
    })
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
    let explainer = solved.explainer();
    for line in &solved.plan.allocations {
        if let Some(explanation) = explainer.proposal(line, &planning.context(line)) {
            by_offer.insert(line.offer.clone(), (line.clone(), explanation));
        }
    }
    let mut suggest = Vec::new();
    for (offer, (line, explanation)) in by_offer {
        planning.world.hold(&line);
        suggest.push(Suggest { offer, units: Count::new(line.units), explanation });
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
