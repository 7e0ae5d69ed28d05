//! Fairness for a scenario that has none.

use std::collections::HashMap;
use std::sync::Arc;

use fallow_domain::ids::TrustCode;
use fallow_domain::matching::problem::Problem;
use fallow_domain::quantity::Count;
use fallow_domain::resource::ResourceKind;

/// Sets the policy's `fair_step` in points, and gives each trust without an allowance two fifths of its free units.
///
/// Theatre minutes count for nothing, as in the rule.
pub fn impose(problem: &mut Problem, fair_step: u32) {
    let mut free: HashMap<TrustCode, u32> = HashMap::new();
    for offer in problem.offers.iter().filter(|offer| offer.resource.kind != ResourceKind::Theatre) {
        let units = free.entry(offer.trust).or_default();
        *units = units.saturating_add(offer.figures.free().get());
    }
    let region = Arc::make_mut(&mut problem.region);
    region.policy.fair_step = fair_step;
    for (code, trust) in &mut region.trusts {
        let units = free.get(code).copied().unwrap_or(0);
        trust.fair_allowance.get_or_insert(Count::new(units * 2 / 5));
    }
}
