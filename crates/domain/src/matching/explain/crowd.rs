//! Everybody who asks, where a plan was made for some of them only.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::ids::TrustCode;
use crate::matching::rank::{Rank, rank};
use crate::need::Need;
use crate::policy::Policy;
use crate::resource::{Code, ResourceKey, ResourceKind};

use super::Explainer;

/// The queue of each code and what each trust looks for, over all needs: what explanations tell of those who are not part
/// of a problem, because nothing that it has could serve them.
#[derive(Debug, Clone, Default)]
pub struct Crowd {
    /// The ranks of those who ask for a code, best first.
    queues: HashMap<(ResourceKind, Code), Vec<Rank>>,
    wanted: HashMap<(TrustCode, ResourceKey), i64>,
}

impl Crowd {
    /// Counts needs. Costs one look at each.
    #[must_use]
    pub fn of<'n>(needs: impl Iterator<Item = &'n Need>, policy: &Policy, at: Timestamp) -> Self {
        let mut crowd = Self::default();
        for need in needs.filter(|need| !need.state.is_ended()) {
            let units = need.units_wanted();
            *crowd.wanted.entry((need.trust, need.resource.key())).or_default() += i64::from(units.get());
            if need.state.takes_part() && !units.is_zero() {
                let code = (need.resource.kind, need.resource.code.clone());
                crowd.queues.entry(code).or_default().push(rank(need, policy, at));
            }
        }
        crowd.queues.values_mut().for_each(|queue| queue.sort_unstable());
        crowd
    }
}

impl Explainer<'_> {
    /// Tells of a crowd instead of the needs of the problem where it says how many ask, and for how much.
    #[must_use]
    pub fn among(mut self, crowd: &Crowd) -> Self {
        self.queues.clone_from(&crowd.queues);
        for (key, units) in &crowd.wanted {
            self.own.entry(key.clone()).or_default().wanted = *units;
        }
        self
    }
}
