//! An offer that gold names in place of a proposal that it bypasses: held to the same rules as the engine's own choice, and
//! explained like it.

use std::collections::HashSet;

use fallow_domain::ids::{OfferId, ProposalId};
use fallow_domain::matching::eligible::objections;
use fallow_domain::matching::explain::Crowd;
use fallow_domain::matching::explanation::{Alternative, Explanation};
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::quantity::Count;
use fallow_domain::reason::NotUsed;
use fallow_domain::refusal::{Refusal, reason};

use super::plan::{Because, Placement, Suggest};
use crate::facts::Facts;
use crate::world::{Solved, World, solve};

/// Returns the placement that takes what a hold would give up and asks a named offer for it instead: as many of the need's
/// units as the offer has.
///
/// # Errors
/// `CHANGED_MEANWHILE` when there is no such hold, need or offer; `NOT_ELIGIBLE` with the objections; `NOT_ENOUGH_UNITS`.
pub(crate) fn named(facts: &Facts, hold: &ProposalId, named: &OfferId) -> Result<Placement, Refusal> {
    let gone = || Refusal::new(reason::CHANGED_MEANWHILE, "the proposal, its need or the offer is gone");
    let mut world = World::of(facts);
    let hold = world.release(hold).ok_or_else(gone)?;
    let need = world.needs.get(&hold.need).cloned().ok_or_else(gone)?;
    let offer = world.offers.get(named).cloned().ok_or_else(gone)?;
    check(&world, &need, &offer)?;
    // What the engine would choose for this need alone tells of all the other offers.
    let best = solve(world.problem(|other| other.id == need.id, |_| true));
    let others = world.offers.keys().filter(|other| **other != offer.id);
    let refused: HashSet<_> = others.map(|other| (need.id.clone(), other.clone())).collect();
    let mut only = world.problem(|other| other.id == need.id, |_| true);
    only.declined.extend(refused);
    let only = solve(only);
    let Some(line) = only.plan.allocations.first() else {
        return Err(Refusal::new(reason::NOT_ENOUGH_UNITS, "the offer has too little for the need"));
    };
    let explanation = explain(facts, &need, &offer, (&best, &only)).ok_or_else(gone)?;
    let suggest = Suggest { offer: named.clone(), units: Count::new(line.units), team: None, explanation };
    let because = Because::BetterPlan;
    Ok(Placement { need: need.id.clone(), supersede: Vec::new(), because, suggest: vec![suggest] })
}

fn check(world: &World, need: &Need, offer: &Offer) -> Result<(), Refusal> {
    let problem = world.problem(|_| true, |_| true);
    let found = objections(&problem, &problem.setting(), need, offer);
    if found.is_empty() {
        return Ok(());
    }
    let codes: Vec<&str> = found.iter().map(|code: &NotUsed| code.as_str()).collect();
    let text = format!("the offer cannot serve the need: {}", codes.join(", "));
    Err(Refusal::new(fallow_api::reasons::NOT_ELIGIBLE, text).with("objections", codes.join(" ")))
}

/// Explains the line of the named offer, with what the free choice says of the others.
fn explain(
    facts: &Facts,
    need: &Need,
    offer: &Offer,
    (best, only): (&Solved, &Solved),
) -> Option<Explanation> {
    let crowd = Crowd::of(facts.needs.values().map(|need| &**need), &facts.region.policy, facts.at);
    let of = |solved: &Solved| {
        let line = solved.plan.allocations.first()?;
        let context = facts.context(&line.offer);
        solved.explainer().among(&crowd).proposal(line, &context).map(|told| (line.clone(), told))
    };
    let (_, mut told) = of(only)?;
    if let Some((line, chosen)) = of(best) {
        let first = facts.offers.get(&line.offer).filter(|_| line.offer != offer.id);
        let first = first.map(|other| Alternative {
            offer: other.id.clone(),
            trust: other.trust,
            burden: line.burden,
            reason: "Gold command named another offer.".to_owned(),
        });
        let rest = chosen.alternatives.into_iter().filter(|other| other.offer != offer.id);
        told.alternatives = first.into_iter().chain(rest).collect();
        told.not_used = chosen.not_used;
    }
    // No change would have led to another: it is gold's choice.
    told.flips.clear();
    tracing::debug!(need = %need.id, offer = %offer.id, "named in place of a bypassed proposal");
    Some(told)
}
