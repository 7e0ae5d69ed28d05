//! What may happen to a plan: needs, units, stores and figures that come, go and change. Each event leaves the best plan.

use super::{Demand, Optimum, Store, position, worth};
use crate::matching::network::state::{Asking, Shelf};
use crate::matching::network::{Arc, Fairness, NONE};

impl Optimum {
    /// Lets a need come in and returns its number. Arcs must name stores that exist and hold no others, none twice.
    pub fn add_need(&mut self, demand: Demand, arcs: impl IntoIterator<Item = Arc>) -> u32 {
        let asking = Asking::new(demand.units.max(0), worth(demand.class));
        let need = match self.free_needs.pop() {
            Some(need) => {
                self.state.needs[need as usize] = asking;
                self.classes[need as usize] = Some(demand.class);
                need
            }
            None => {
                self.state.needs.push(asking);
                self.classes.push(Some(demand.class));
                self.state.fit();
                position(self.classes.len() - 1)
            }
        };
        self.connect(need, arcs);
        self.state.note(need);
        self.state.place(need);
        need
    }

    /// Takes a need out; its number is free for another.
    pub fn remove_need(&mut self, need: u32) {
        if !self.has_need(need) {
            return;
        }
        let freed = self.let_go(need, i64::MAX);
        self.state.drop_ways(need);
        self.state.needs[need as usize].units = 0;
        self.classes[need as usize] = None;
        self.free_needs.push(need);
        self.refill_all(freed);
    }

    /// Changes how many units a need asks for.
    pub fn set_units(&mut self, need: u32, units: i64) {
        if !self.has_need(need) {
            return;
        }
        let its = &mut self.state.needs[need as usize];
        its.units = units.max(0);
        let freed = its.served - its.units;
        let freed = self.let_go(need, freed);
        self.state.note(need);
        self.refill_all(freed);
        self.state.place(need);
    }

    /// Changes the class of a need.
    pub fn set_class(&mut self, need: u32, class: u64) {
        if !self.has_need(need) {
            return;
        }
        self.classes[need as usize] = Some(class);
        let worth = worth(class);
        self.state.needs[need as usize].worth = worth;
        self.state.note(need);
        if self.state.cheapest(need).is_some_and(|cheapest| cheapest > worth) {
            let freed = self.let_go(need, i64::MAX);
            self.refill_all(freed);
        }
        self.state.place(need);
    }

    /// Changes the stores that may serve a need, or what they cost it. Arcs as in [`add_need`](Self::add_need).
    pub fn set_arcs(&mut self, need: u32, arcs: impl IntoIterator<Item = Arc>) {
        if !self.has_need(need) {
            return;
        }
        let had = self.let_go(need, i64::MAX);
        self.state.drop_ways(need);
        self.connect(need, arcs);
        let mut freed = Vec::new();
        for (store, units) in had {
            // What is still among the cheapest stays where it is.
            match self.cheapest_cost_of(need, store) {
                Some(cost) => self.state.give(need, store, cost, units),
                None => freed.push((store, units)),
            }
        }
        self.state.place(need);
        self.refill_all(freed);
    }

    /// Changes the units of a store: some come in or go out, or what a trust keeps in reserve changes.
    pub fn set_room(&mut self, store: u32, room: i64) {
        if !self.has_store(store) {
            return;
        }
        self.its(store).room = room.max(0);
        while self.its(store).taken > self.its(store).room {
            let its = self.its(store);
            let (parent, owed) = (its.parent, its.taken - its.room);
            let moved = self.state.push_out(store, owed);
            if moved == 0 {
                break;
            }
            self.its(store).taken -= moved;
            if parent != NONE {
                self.state.refill(parent, moved);
            }
        }
        self.use_spare(store);
    }

    /// Changes what later units of a store cost more.
    pub fn set_fairness(&mut self, store: u32, fairness: Option<Fairness>) {
        if !self.has_store(store) {
            return;
        }
        self.its(store).fairness = fairness;
        if self.its(store).parent != NONE {
            return;
        }
        loop {
            let its = self.state.stores[store as usize];
            if its.taken == 0 || self.state.prices[store as usize] >= i128::from(its.of_unit(its.taken)) {
                break;
            }
            self.its(store).taken -= 1;
            if self.state.push_out(store, 1) == 0 {
                break;
            }
        }
        self.use_spare(store);
    }

    /// Lets a store come in, which nobody may take from yet, and returns its number. The parent, if any, must exist.
    pub fn add_store(&mut self, store: Store) -> u32 {
        let number = match self.free_stores.pop() {
            Some(number) => number,
            None => {
                self.stores.push(false);
                position(self.stores.len() - 1)
            }
        };
        let shelf = Shelf::new(&Store { parent: None, ..store });
        self.stores[number as usize] = true;
        match self.state.stores.get_mut(number as usize) {
            Some(place) => *place = shelf,
            None => self.state.stores.push(shelf),
        }
        self.state.fit();
        if let Some(parent) = store.parent {
            self.state.put_into(number, parent);
        }
        self.state.prices[number as usize] = self.state.outside(number);
        number
    }

    /// Lets needs take from a store as well, each at a cost in points; none of them may do so already.
    pub fn add_arcs(&mut self, store: u32, arcs: impl IntoIterator<Item = (u32, u32)>) {
        if !self.has_store(store) {
            return;
        }
        // While it is empty and without room, it may be as dear as it takes for nobody to want it.
        let room = self.its(store).room;
        self.set_room(store, 0);
        for (need, cost) in arcs {
            if !self.has_need(need) {
                continue;
            }
            let worth = self.state.needs[need as usize].worth;
            let most = self.state.cheapest(need).map_or(worth, |cheapest| cheapest.min(worth));
            let price = &mut self.state.prices[store as usize];
            *price = (*price).max(most - i128::from(cost));
            self.state.add_way(need, Arc { store, cost });
        }
        self.set_room(store, room);
    }

    /// Takes a store out, with all stores inside it; their numbers are free for others.
    pub fn remove_store(&mut self, store: u32) {
        if !self.has_store(store) {
            return;
        }
        self.set_room(store, 0);
        while self.its(store).first_child != NONE {
            self.remove_store(self.state.stores[store as usize].first_child);
        }
        self.state.drop_ways_to(store);
        self.state.take_out(store);
        *self.its(store) = Shelf::new(&Store { parent: None, room: 0, fairness: None });
        self.state.prices[store as usize] = 0;
        self.stores[store as usize] = false;
        self.free_stores.push(store);
    }

    /// Puts a store into another one, or into none.
    pub fn set_parent(&mut self, store: u32, parent: Option<u32>) {
        if !self.has_store(store) || self.its(store).parent == parent.unwrap_or(NONE) {
            return;
        }
        let room = self.its(store).room;
        self.set_room(store, 0);
        self.state.take_out(store);
        if let Some(parent) = parent {
            self.state.put_into(store, parent);
        }
        self.set_room(store, room);
    }

    fn has_need(&self, need: u32) -> bool {
        self.classes.get(need as usize).is_some_and(Option::is_some)
    }

    pub(super) fn has_store(&self, store: u32) -> bool {
        self.stores.get(store as usize).is_some_and(|&exists| exists)
    }

    /// The store as it stands in the plan; it must exist.
    fn its(&mut self, store: u32) -> &mut Shelf {
        &mut self.state.stores[store as usize]
    }

    fn connect(&mut self, need: u32, arcs: impl IntoIterator<Item = Arc>) {
        for arc in arcs {
            self.state.add_way(need, arc);
        }
    }

    /// What a store costs a need, if none is cheaper and the unit is worth it.
    fn cheapest_cost_of(&self, need: u32, store: u32) -> Option<u32> {
        let way = self.state.ways_of(need).iter().find(|way| way.store == store)?;
        let cost = i128::from(way.cost) + self.state.prices[store as usize];
        let is_worth_it = cost <= self.state.needs[need as usize].worth;
        (is_worth_it && Some(cost) == self.state.cheapest(need)).then_some(way.cost)
    }

    /// Takes units from a need, at most so many, and returns from which stores; they still count as taken there.
    fn let_go(&mut self, need: u32, most: i64) -> Vec<(u32, i64)> {
        let mut left = most;
        let mut freed = Vec::new();
        while left > 0
            && let Some((holding, store, units)) = self.state.first_held_by(need)
        {
            let units = units.min(left);
            self.state.give_back(holding, units);
            freed.push((store, units));
            left -= units;
        }
        freed
    }

    fn refill_all(&mut self, freed: Vec<(u32, i64)>) {
        for (store, units) in freed {
            self.state.refill(store, units);
        }
    }

    /// Gives spare units of a store to those to whom they are worth more than what they cost.
    fn use_spare(&mut self, store: u32) {
        loop {
            let outside = self.state.outside(store);
            let price = self.state.prices[store as usize];
            let its = self.its(store);
            if its.taken >= its.room || price <= outside {
                return;
            }
            let spare = its.room - its.taken;
            // As if somebody took them; then they come free.
            let (units, free) = if its.parent == NONE {
                let units = spare.min(its.at_this_cost());
                its.taken += units;
                (units, units)
            } else {
                self.state.push_in(store, spare)
            };
            // The rest of the spare units stays out of sight: no price fits them yet.
            let its = self.its(store);
            let room = std::mem::replace(&mut its.room, its.taken);
            self.state.refill(store, free);
            self.its(store).room = room;
            if units == 0 {
                return;
            }
        }
    }

    /// Says that no search has left anything behind.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self) -> bool {
        self.state.is_at_rest()
    }
}
