//! A plan that is better by `keep_points`: the only reason but an earlier band for which a standing proposal moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fallow_domain::ids::{OfferId, ProposalId};
use fallow_domain::matching::eligible::{burden, iter_objections};
use fallow_domain::matching::problem::{Problem, Setting};
use fallow_domain::matching::solve::Allocation;
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::proposal::Proposal;
use fallow_domain::quantity::Count;
use fallow_domain::reason::NotUsed;

use super::plan::{Because, Placement, Planning, Suggest};
use crate::world::{Shortage, solve};

/// Moves standing proposals that nobody has answered where their needs do better by `keep_points` a unit: one need at a
/// time, to units that are free now, so that nobody else's proposal changes and nothing flaps. What a move sets free is
/// looked at when it is free. No more are moved at a time than are placed: one who becomes urgent waits for no long list.
pub(super) fn improve(planning: &mut Planning<'_>, restless: &BTreeSet<ProposalId>) {
    let holds = restless.iter().filter_map(|id| planning.world.holds.get(id));
    let holds: Vec<Arc<Proposal>> = holds.filter(|hold| !hold.is_answered()).cloned().collect();
    if holds.is_empty() {
        return;
    }
    let free = alike(planning.world.offers.values());
    let bare = planning.world.bare();
    let setting = bare.setting();
    for hold in holds {
        if planning.is_full() {
            return;
        }
        if can_do_better(planning, (&bare, &setting), &hold, &free) {
            move_over(planning, &hold);
        }
    }
}

/// Offers with free units that are the same burden to whoever uses them, together: of thousands of beds on a few sites,
/// what each costs a need is found once for each site.
pub(super) fn alike<'o>(offers: impl Iterator<Item = &'o Arc<Offer>>) -> Vec<Vec<Arc<Offer>>> {
    let mut alike: BTreeMap<_, Vec<Arc<Offer>>> = BTreeMap::new();
    for offer in offers.filter(|offer| !offer.figures.free().is_zero()) {
        let resource = &offer.resource;
        let what = (resource.kind, resource.code.as_str(), resource.level);
        alike.entry((offer.trust, offer.site, offer.window.from, what)).or_default().push(offer.clone());
    }
    alike.into_values().collect()
}

/// Says whether any of some alike offers would be better for a need than the offer that is held, by the policy's
/// `keep_points` at least, and is one that `may_be` lets it have.
pub(super) fn is_better_among(
    problem: &Problem,
    need: &Need,
    held: &Offer,
    alike: &[Arc<Offer>],
    may_be: impl Fn(&Offer) -> bool,
) -> bool {
    alike.first().is_some_and(|first| is_less_of_a_burden(problem, need, held, first))
        && alike.iter().any(|other| other.id != held.id && may_be(other))
}

/// Says whether a need might use an offer if it, and its trust, had enough free: what else objects, no hold that ends
/// takes away.
pub(super) fn might_use(problem: &Problem, setting: &Setting, need: &Need, offer: &Offer) -> bool {
    let mut objections = iter_objections(problem, setting, need, offer);
    objections.all(|code| code == NotUsed::BelowReserve || code == NotUsed::TooShort)
}

/// Says whether any offer with enough free units would be better by `keep_points`: cheap, so that nothing is solved for
/// the many proposals that stand well, or for those that may not have what would be better.
fn can_do_better(
    planning: &Planning<'_>,
    (bare, setting): (&Problem, &Setting),
    hold: &Proposal,
    free: &[Vec<Arc<Offer>>],
) -> bool {
    let world = &planning.world;
    let (Some(need), Some(held)) = (world.needs.get(&hold.need), world.offers.get(&hold.offer)) else {
        return false;
    };
    let is_any = |may_be: &dyn Fn(&Offer) -> bool| {
        free.iter().any(|alike| is_better_among(bare, need, held, alike, may_be))
    };
    // It need not be the same one: what has no room for all may have it for some, and solving tells.
    is_any(&|other| might_use(bare, setting, need, other))
        && is_any(&|other| world.shortage(&line_of(hold, other.id.clone())) == Shortage::None)
}

/// Says whether a unit of another offer would be less of a burden to a need than one of the offer that is held, by the
/// policy's `keep_points` at least. Whether the need may have it is not asked.
pub(super) fn is_better_by_enough(problem: &Problem, need: &Need, held: &Offer, other: &Offer) -> bool {
    other.id != held.id && !other.figures.free().is_zero() && is_less_of_a_burden(problem, need, held, other)
}

fn is_less_of_a_burden(problem: &Problem, need: &Need, held: &Offer, other: &Offer) -> bool {
    let keep = problem.region.policy.keep_points;
    other.trust != need.trust
        && (other.resource.kind, &other.resource.code) == (need.resource.kind, &need.resource.code)
        && burden(problem, need, other).total().saturating_add(keep) <= burden(problem, need, held).total()
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
