//! The plan's own bookkeeping: who has what, and what a chain of moves changes.

use super::search::Step;
use super::{Arc, NONE, Optimum, Way, position};

impl Optimum {
    /// Gives a need units by one of its ways; the store's count of taken units stays.
    pub(super) fn give(&mut self, need: u32, way: u32, units: i64) {
        let its = &mut self.needs[need as usize];
        let its_way = &mut its.ways[way as usize];
        its_way.units += units;
        its.served += units;
        if its_way.held_at == NONE {
            its.by.push(way);
            let held = &mut self.stores[its_way.store as usize].held;
            its_way.held_at = position(held.len());
            held.push((need, way));
        }
        self.touched.push(need);
    }

    /// Takes units back that a need has by one of its ways; the store's count of taken units stays.
    pub(super) fn give_back(&mut self, need: u32, way: u32, units: i64) {
        let its = &mut self.needs[need as usize];
        let its_way = &mut its.ways[way as usize];
        its_way.units -= units;
        its.served -= units;
        if its_way.units == 0 {
            let (store, at) = (its_way.store, its_way.held_at);
            its_way.held_at = NONE;
            its.by.retain(|&by| by != way);
            let held = &mut self.stores[store as usize].held;
            held.swap_remove(at as usize);
            if let Some(&(other, way)) = held.get(at as usize) {
                self.needs[other as usize].ways[way as usize].held_at = at;
            }
        }
        self.touched.push(need);
    }

    /// Counts units more (or less) as taken from a store and all those around it.
    pub(super) fn take_along(&mut self, from: Option<u32>, units: i64) {
        let mut at = from;
        while let Some(store) = at {
            let its = &mut self.stores[store as usize];
            its.taken += units;
            at = its.parent;
        }
    }

    /// Gives a need that has no ways its ways.
    pub(super) fn connect(&mut self, need: u32, arcs: impl Iterator<Item = Arc>) {
        for arc in arcs {
            let ways = &mut self.needs[need as usize].ways;
            let wanted = &mut self.stores[arc.store as usize].wanted;
            let wanted_at = position(wanted.len());
            wanted.push((need, position(ways.len())));
            ways.push(Way { store: arc.store, cost: arc.cost, units: 0, wanted_at, held_at: NONE });
        }
    }

    /// Takes all ways from a need that has no units.
    pub(super) fn disconnect(&mut self, need: u32) {
        let mut ways = std::mem::take(&mut self.needs[need as usize].ways);
        for way in ways.drain(..) {
            self.unlist(way);
        }
        self.needs[need as usize].ways = ways;
    }

    /// Takes a way by which it has no units from a need.
    pub(super) fn drop_way(&mut self, need: u32, way: u32) {
        self.unlist(self.needs[need as usize].ways[way as usize]);
        let its = &mut self.needs[need as usize];
        its.ways.swap_remove(way as usize);
        let last = position(its.ways.len());
        if let Some(&moved) = its.ways.get(way as usize) {
            let store = &mut self.stores[moved.store as usize];
            store.wanted[moved.wanted_at as usize] = (need, way);
            if moved.held_at != NONE {
                store.held[moved.held_at as usize] = (need, way);
                its.by.iter_mut().filter(|by| **by == last).for_each(|by| *by = way);
            }
        }
    }

    /// Takes a way off the list of those who want its store.
    fn unlist(&mut self, way: Way) {
        let wanted = &mut self.stores[way.store as usize].wanted;
        wanted.swap_remove(way.wanted_at as usize);
        if let Some(&(other, its)) = wanted.get(way.wanted_at as usize) {
            self.needs[other as usize].ways[its as usize].wanted_at = way.wanted_at;
        }
    }

    /// The most units that can make a step.
    pub(super) fn units_of(&self, step: Step) -> i64 {
        match step {
            Step::Start | Step::Take { .. } => i64::MAX,
            Step::Move { need, from, .. } => self.needs[need as usize].ways[from as usize].units,
            Step::Out { child } => {
                let its = &self.stores[child as usize];
                its.room - its.taken
            }
            Step::In { child } => self.stores[child as usize].taken,
        }
    }

    /// Lets units make a step. `Take` is done by the need that takes.
    pub(super) fn make(&mut self, step: Step, units: i64) {
        match step {
            Step::Start | Step::Take { .. } => {}
            Step::Move { need, from, to } => {
                self.give(need, to, units);
                self.give_back(need, from, units);
            }
            Step::Out { child } => self.stores[child as usize].taken += units,
            Step::In { child } => self.stores[child as usize].taken -= units,
        }
    }
}
