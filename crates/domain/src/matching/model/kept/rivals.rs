//! Who waits for the units that others have.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use crate::ids::NeedId;

use super::KeptPlan;

impl KeptPlan {
    /// Returns the needs that could have units which the plan gives to some needs, those among them: whoever may use a pool
    /// of which nothing is left, or of whose trust nothing is left above its reserve. Nobody waits for any other pool, or
    /// the plan would not be the best. Costs one look at the needs of its code for each such pool.
    pub fn rivals<'n>(&mut self, needs: impl IntoIterator<Item = &'n NeedId>) -> BTreeSet<NeedId> {
        let mut rivals = BTreeSet::new();
        let mut used: FxHashSet<u32> = FxHashSet::default();
        for id in needs {
            let Some(number) = self.needs.get(id).and_then(|its| its.number) else { continue };
            rivals.insert(id.clone());
            used.extend(self.optimum.flows_of(number).map(|(store, _)| store));
        }
        let sold_out: FxHashSet<u32> = used.into_iter().flat_map(|store| self.sold_out_with(store)).collect();
        for store in sold_out {
            rivals.extend(self.askers(store));
        }
        rivals
    }

    /// The pools that have nothing left because this one has been taken from: itself, or all behind the same reserve.
    fn sold_out_with(&self, store: u32) -> Vec<u32> {
        let Some(pool) = self.pools.get(&store) else { return Vec::new() };
        let is_sold_out = |store: u32| self.optimum.taken(store) >= self.optimum.room(store);
        let key = (pool.key.trust, pool.key.resource.clone());
        let around = self.spare.get(&key).and_then(|spare| spare.store);
        if around.is_some_and(is_sold_out) {
            let code = (key.1.kind, key.1.code.clone());
            let pools = self.codes.get(&code).into_iter().flat_map(|code| &code.pools).copied();
            let is_behind = |store: &u32| {
                self.pools
                    .get(store)
                    .is_some_and(|other| other.key.trust == key.0 && other.key.resource == key.1)
            };
            return pools.filter(is_behind).collect();
        }
        if is_sold_out(store) { vec![store] } else { Vec::new() }
    }

    /// The needs that may use a pool.
    fn askers(&mut self, store: u32) -> Vec<NeedId> {
        let Some(pool) = self.pools.get(&store) else { return Vec::new() };
        let code = (pool.key.resource.kind, pool.key.resource.code.clone());
        let numbers: Vec<u32> =
            self.codes.get(&code).into_iter().flat_map(|code| code.needs.iter().copied()).collect();
        let mut askers = Vec::new();
        for number in numbers {
            let Some(mut asking) = self.asking.remove(&number) else { continue };
            if let Some(need) = self.needs.get(&asking.id).map(|its| its.need.clone()) {
                // Time may have moved on since it was last looked at.
                asking.facts.set_start(self.bare.start_of(&need));
                if self.cost(&asking, &need, store).is_some() {
                    askers.push(asking.id.clone());
                }
            }
            self.asking.insert(number, asking);
        }
        askers
    }
}
