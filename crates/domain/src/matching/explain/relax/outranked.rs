//! Which changes cannot help a need because others take all that they bring: told by the rules, without trying them.
//!
//! A change brings some units. Each is worth at most what a need of the first class is, by the prices, and two needs of any
//! classes are worth more than that; so no more needs gain than units come. Whom a set of pools can serve is a matroid: the
//! most urgent come first. So where needs of earlier classes that go without may take all those units straight from the
//! changed offer, a need of a later class gets none but in the place of another of its class, of which it cannot be sure.

use std::sync::PoisonError;

use crate::reason::NotUsed;

use super::super::Explainer;
use super::Edit;
use super::edit::{BELOW, STAFFED};

/// Who may take from an offer once some codes no longer object, and how many of its units they leave: looked at as far as
/// somebody has asked.
#[derive(Clone)]
pub(in super::super) struct Queue {
    offer: u32,
    lifted: &'static [NotUsed],
    /// Those lacking the offer's resource that have been looked at, the most urgent first.
    seen: usize,
    /// Units that those leave.
    left: i64,
}

impl Explainer<'_> {
    /// Says whether needs of earlier classes take whatever the edit brings. `false` where only trying it tells.
    pub(super) fn is_outranked(&self, demand: u32, edit: Edit) -> bool {
        let class = self.model.network.demands()[demand as usize].class;
        let remembered = || self.queues_for.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered().remove(&edit);
        let mut queues = known.unwrap_or_else(|| self.queues_for(edit));
        let is_taken = queues.iter_mut().any(|queue| self.is_taken_before(class, queue));
        remembered().insert(edit, queues);
        is_taken
    }

    /// Says whether those of earlier classes leave nothing.
    fn is_taken_before(&self, class: u64, queue: &mut Queue) -> bool {
        let resource = &self.offer(queue.offer).resource;
        let lacking =
            self.lacking.get(&(resource.kind, resource.code.clone())).map_or(&[][..], Vec::as_slice);
        let mut gate = self.gate(queue.offer, queue.lifted);
        for one in &lacking[queue.seen..] {
            if queue.left <= 0 || one.class >= class {
                break;
            }
            let its = || self.need(self.model.demands[one.demand as usize]);
            let may = gate.is_open_to(one.whence) && gate.admits(its());
            queue.left -= if may { one.units } else { 0 };
            queue.seen += 1;
        }
        // Those looked at for somebody less urgent may be of this class, or of a later one.
        let is_earlier = queue.seen.checked_sub(1).is_none_or(|last| lacking[last].class < class);
        queue.left <= 0 && is_earlier
    }

    /// The offers of which all that an edit brings can be had by whoever may use them.
    fn queues_for(&self, edit: Edit) -> Vec<Queue> {
        let given = self.given_by(edit);
        let is_new = |store: &u32| !self.pools.contains_key(store);
        let (trust, key) = self.resource_of(given.offer);
        let before = self.spare(given.offer);
        let mut units = given.more + given.fewer_kept + before.min(0);
        // The offer with the units that can come from it.
        let mut offers: Vec<(u32, i64, &'static [NotUsed])> = Vec::new();
        if let Some((room, lifted)) = given.new {
            let room = if is_new(&given.offer) { room } else { given.more };
            offers.push((given.offer, room, lifted));
        }
        if let Edit::Staff { offer } = edit {
            // They find the units of the pool only where nobody else has them.
            let pool = self.pools.get(&offer).copied();
            let chain = std::iter::successors(pool, |&at| self.model.network.stores[at as usize].parent);
            units = self.free(offer);
            offers = vec![(offer, chain.map(|at| self.residual.spare(at)).min().unwrap_or(0), STAFFED)];
        } else if before <= 0 || given.new.is_none() {
            let group = self.all.group(trust, &key).map_or(&[][..], |group| &group.offers);
            for &at in group.iter().filter(|&&at| given.new.is_none() || at != given.offer) {
                let unused = if before <= 0 { self.free(at) } else { 0 };
                let room = self.pools.get(&at).map_or(unused, |&pool| self.residual.spare(pool));
                offers.push((at, room, BELOW));
            }
        }
        let enough = offers.into_iter().filter(|&(_, room, _)| room >= units);
        enough.map(|(offer, _, lifted)| Queue { offer, lifted, seen: 0, left: units }).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::matching::explain::tests::promises::problems;
    use crate::matching::explain::tests::solved;
    use crate::matching::network::position;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        /// Whom the rules tell that others take all is not sure of a unit when the change is tried. They may get one in the
        /// place of another of their class, as good; nobody is told of that.
        #[test]
        fn who_is_outranked_does_not_gain(problem in problems(false), units in 1u32..3) {
            let (prepared, plan) = solved(&problem);
            let explainer = Explainer::new(&problem, &prepared, &plan);
            for offer in 0..position(problem.offers.len()) {
                let edits = [
                    Edit::Confirm { offer },
                    Edit::Staff { offer },
                    Edit::More { offer, units },
                    Edit::Reserve { offer, by: units },
                ];
                for edit in edits.into_iter().filter(|&edit| explainer.is_meant(edit)) {
                    let gaining = explainer.tried(edit).surely_gaining().collect::<Vec<u32>>();
                    for demand in gaining {
                        prop_assert!(!explainer.is_outranked(demand, edit), "{:?} gives to {}", edit, demand);
                    }
                }
            }
        }
    }

    impl Explainer<'_> {
        /// Says whether relaxations ever ask about such an edit.
        fn is_meant(&self, edit: Edit) -> bool {
            let stands = |offer: u32| {
                let its = self.offer(offer);
                its.state == crate::offer::OfferState::Open && !self.problem.is_stale(its)
            };
            match edit {
                Edit::Confirm { offer } => self.problem.is_stale(self.offer(offer)),
                Edit::Staff { offer } => !self.offer(offer).team.staffed,
                Edit::More { offer, .. } => stands(offer),
                Edit::Reserve { offer, by } => {
                    let (trust, key) = self.resource_of(offer);
                    stands(offer) && self.problem.reserve(trust, &key) >= i64::from(by)
                }
            }
        }
    }
}
