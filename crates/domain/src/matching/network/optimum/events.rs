//! What may happen to a plan: needs, units, stores and figures that come, go and change. Each event leaves the best plan.

use super::search::Cost;
use super::{Arc, Asking, Demand, Fairness, Optimum, Shelf, Store, position};

impl Optimum {
    /// Lets a need come in and returns its number. Arcs must name stores that exist and hold no others, none twice.
    pub fn add_need(&mut self, demand: Demand, arcs: impl IntoIterator<Item = Arc>) -> u32 {
        let need = self.free_needs.pop().unwrap_or_else(|| {
            self.needs.push(Asking::default());
            position(self.needs.len() - 1)
        });
        self.search.fit(self.stores.len(), self.needs.len());
        self.needs[need as usize].exists = true;
        self.describe(need, demand);
        self.connect(need, arcs.into_iter());
        self.place(need);
        need
    }

    /// Takes a need out; its number is free for another.
    pub fn remove_need(&mut self, need: u32) {
        if !self.has_need(need) {
            return;
        }
        let freed = self.let_go(need, i64::MAX);
        self.disconnect(need);
        let its = &mut self.needs[need as usize];
        its.exists = false;
        its.units = 0;
        self.free_needs.push(need);
        self.refill_all(freed);
    }

    /// Changes how many units a need asks for.
    pub fn set_units(&mut self, need: u32, units: i64) {
        if !self.has_need(need) {
            return;
        }
        let its = &mut self.needs[need as usize];
        its.units = units.max(0);
        let freed = its.served - its.units;
        let freed = self.let_go(need, freed);
        self.refill_all(freed);
        self.place(need);
    }

    /// Changes the class of a need.
    pub fn set_class(&mut self, need: u32, class: u64) {
        if !self.has_need(need) {
            return;
        }
        let units = self.needs[need as usize].units;
        self.describe(need, Demand { units, class });
        let its = &self.needs[need as usize];
        if self.cheapest(its).is_some_and(|cheapest| cheapest > its.worth) {
            let freed = self.let_go(need, i64::MAX);
            self.refill_all(freed);
        }
        self.place(need);
    }

    /// Changes the stores that may serve a need, or what they cost it. Arcs as in [`add_need`](Self::add_need).
    pub fn set_arcs(&mut self, need: u32, arcs: impl IntoIterator<Item = Arc>) {
        if !self.has_need(need) {
            return;
        }
        let had = self.let_go(need, i64::MAX);
        self.disconnect(need);
        self.connect(need, arcs.into_iter());
        let mut freed = Vec::new();
        for (store, units) in had {
            // What is still among the cheapest stays where it is.
            match self.cheapest_way_to(need, store) {
                Some(way) => self.give(need, way, units),
                None => freed.push((store, units)),
            }
        }
        self.place(need);
        self.refill_all(freed);
    }

    /// Changes the units of a store: some come in or go out, or what a trust keeps in reserve changes.
    pub fn set_room(&mut self, store: u32, room: i64) {
        if !self.has_store(store) {
            return;
        }
        let its = &mut self.stores[store as usize];
        its.room = room.max(0);
        while self.stores[store as usize].taken > self.stores[store as usize].room {
            let its = &self.stores[store as usize];
            let parent = its.parent;
            let moved = self.push_out(store, its.taken - its.room);
            if moved == 0 {
                break;
            }
            self.stores[store as usize].taken -= moved;
            if let Some(parent) = parent {
                self.refill(parent, moved);
            }
        }
        self.use_spare(store);
    }

    /// Changes what later units of a store cost more.
    pub fn set_fairness(&mut self, store: u32, fairness: Option<Fairness>) {
        if !self.has_store(store) {
            return;
        }
        self.stores[store as usize].fairness = fairness;
        if self.stores[store as usize].parent.is_some() {
            return;
        }
        loop {
            let its = &mut self.stores[store as usize];
            if its.taken == 0 || its.price >= its.of_unit(its.taken) {
                break;
            }
            its.taken -= 1;
            if self.push_out(store, 1) == 0 {
                break;
            }
        }
        self.use_spare(store);
    }

    /// Lets a store come in, which nobody may take from yet, and returns its number. The parent, if any, must exist.
    pub fn add_store(&mut self, store: Store) -> u32 {
        let number = self.free_stores.pop().unwrap_or_else(|| {
            self.stores.push(Shelf::default());
            position(self.stores.len() - 1)
        });
        self.search.fit(self.stores.len(), self.needs.len());
        let its = &mut self.stores[number as usize];
        its.exists = true;
        its.parent = store.parent;
        its.room = store.room.max(0);
        its.fairness = store.fairness;
        if let Some(parent) = store.parent {
            self.stores[parent as usize].children.push(number);
        }
        self.stores[number as usize].price = self.outside(number);
        number
    }

    /// Lets needs take from a store as well, each at a cost in points; none of them may do so already.
    pub fn add_arcs(&mut self, store: u32, arcs: impl IntoIterator<Item = (u32, u32)>) {
        if !self.has_store(store) {
            return;
        }
        // While it is empty and without room, it may be as dear as it takes for nobody to want it.
        let room = self.stores[store as usize].room;
        self.set_room(store, 0);
        for (need, cost) in arcs {
            if !self.has_need(need) {
                continue;
            }
            let its = &self.needs[need as usize];
            let most = self.cheapest(its).map_or(its.worth, |cheapest| cheapest.min(its.worth));
            let price = &mut self.stores[store as usize].price;
            *price = (*price).max(most - Cost::from(cost));
            self.connect(need, std::iter::once(Arc { store, cost }));
        }
        self.set_room(store, room);
    }

    /// Takes a store out, with all stores inside it; their numbers are free for others.
    pub fn remove_store(&mut self, store: u32) {
        if !self.has_store(store) {
            return;
        }
        self.set_room(store, 0);
        while let Some(&child) = self.stores[store as usize].children.last() {
            self.remove_store(child);
        }
        while let Some(&(need, way)) = self.stores[store as usize].wanted.last() {
            self.drop_way(need, way);
        }
        self.leave_parent(store);
        self.stores[store as usize] = Shelf::default();
        self.free_stores.push(store);
    }

    /// Puts a store into another one, or into none.
    pub fn set_parent(&mut self, store: u32, parent: Option<u32>) {
        if !self.has_store(store) || self.stores[store as usize].parent == parent {
            return;
        }
        let room = self.stores[store as usize].room;
        self.set_room(store, 0);
        self.leave_parent(store);
        self.stores[store as usize].parent = parent;
        if let Some(parent) = parent {
            self.stores[parent as usize].children.push(store);
        }
        self.set_room(store, room);
    }

    fn has_need(&self, need: u32) -> bool {
        self.needs.get(need as usize).is_some_and(|its| its.exists)
    }

    pub(super) fn has_store(&self, store: u32) -> bool {
        self.stores.get(store as usize).is_some_and(|its| its.exists)
    }

    /// What a unit costs where it goes from here when one more is taken.
    fn outside(&self, store: u32) -> Cost {
        let its = &self.stores[store as usize];
        match its.parent {
            Some(parent) => self.stores[parent as usize].price,
            None => its.of_unit(its.taken + 1),
        }
    }

    /// What the cheapest unit costs a need.
    fn cheapest(&self, need: &Asking) -> Option<Cost> {
        let cost = |way: &super::Way| Cost::from(way.cost) + self.stores[way.store as usize].price;
        need.ways.iter().map(cost).min()
    }

    /// The way of a need to a store, if none is cheaper and the unit is worth it.
    fn cheapest_way_to(&self, need: u32, store: u32) -> Option<u32> {
        let its = &self.needs[need as usize];
        let way = its.ways.iter().position(|way| way.store == store)?;
        let cost = Cost::from(its.ways[way].cost) + self.stores[store as usize].price;
        (cost <= its.worth && Some(cost) == self.cheapest(its)).then(|| position(way))
    }

    /// Takes units from a need, at most so many, and returns from which stores; they still count as taken there.
    fn let_go(&mut self, need: u32, most: i64) -> Vec<(u32, i64)> {
        let mut left = most;
        let mut freed = Vec::new();
        while let Some(&by) = self.needs[need as usize].by.last().filter(|_| left > 0) {
            let way = self.needs[need as usize].ways[by as usize];
            let units = way.units.min(left);
            self.give_back(need, by, units);
            freed.push((way.store, units));
            left -= units;
        }
        freed
    }

    fn refill_all(&mut self, freed: Vec<(u32, i64)>) {
        for (store, units) in freed {
            self.refill(store, units);
        }
    }

    /// Gives spare units of a store to those to whom they are worth more than what they cost.
    fn use_spare(&mut self, store: u32) {
        loop {
            let outside = self.outside(store);
            let its = &mut self.stores[store as usize];
            if its.taken >= its.room || its.price <= outside {
                return;
            }
            let spare = its.room - its.taken;
            // As if somebody took them; then they come free.
            let (units, free) = match its.parent {
                None => {
                    let units = spare.min(its.at_this_cost());
                    its.taken += units;
                    (units, units)
                }
                Some(parent) => self.push_in(store, parent, spare),
            };
            // The rest of the spare units stays out of sight: no price fits them yet.
            let room = self.stores[store as usize].room;
            self.stores[store as usize].room = self.stores[store as usize].taken;
            self.refill(store, free);
            self.stores[store as usize].room = room;
            if units == 0 {
                return;
            }
        }
    }

    fn leave_parent(&mut self, store: u32) {
        if let Some(parent) = self.stores[store as usize].parent {
            self.stores[parent as usize].children.retain(|&child| child != store);
        }
    }

    /// Says that no search has left anything behind.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self) -> bool {
        self.search.seen.is_empty() && self.search.distance.iter().all(|&it| it == super::search::UNSEEN)
    }
}
