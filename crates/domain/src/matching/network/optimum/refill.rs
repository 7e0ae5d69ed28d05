//! Finds who gains most by units that came free.

use super::Optimum;
use super::search::{Cost, Step};

/// Where a chain of moves that ends at the free unit begins.
#[derive(Clone, Copy)]
enum Beginning {
    /// Nobody wants it enough: a unit of this outermost store becomes spare.
    Spare { store: u32 },
    /// This need gets a unit more by this way.
    Waiting { need: u32, way: u32 },
}

impl Optimum {
    /// Gives units that nobody has any more, but that are still counted as taken from a store and those around it, to
    /// whoever gains most by them, or lets them become spare.
    pub(super) fn refill(&mut self, store: u32, units: i64) {
        let mut left = units;
        while left > 0 {
            self.search.begin();
            self.search.reach(store, 0, Step::Start, Cost::MAX);
            let Some((beginning, length)) = self.seek_back() else { return };
            self.lower(length);
            left -= self.go_back(beginning, left);
        }
    }

    fn seek_back(&mut self) -> Option<(Beginning, Cost)> {
        let mut best: Option<(Beginning, Cost)> = None;
        let Self { stores, needs, search, .. } = self;
        while let Some((store, distance)) = search.next(best.map_or(Cost::MAX, |best| best.1)) {
            let mut limit = best.map_or(Cost::MAX, |best| best.1);
            let its = &stores[store as usize];
            let base = distance + its.price;
            match its.parent {
                Some(parent) => {
                    if its.taken > 0 {
                        let distance = base - stores[parent as usize].price;
                        search.reach(parent, distance, Step::In { child: store }, limit);
                    }
                }
                None => {
                    let length = base - its.of_unit(its.taken);
                    if its.taken > 0 && length < limit {
                        best = Some((Beginning::Spare { store }, length));
                        limit = length;
                    }
                }
            }
            for &child in &its.children {
                let inner = &stores[child as usize];
                if inner.taken < inner.room {
                    search.reach(child, base - inner.price, Step::Out { child }, limit);
                }
            }
            for &(need, to) in &its.wanted {
                let asking = &needs[need as usize];
                let base = base + Cost::from(asking.ways[to as usize].cost);
                if asking.served < asking.units && base - asking.worth < limit {
                    limit = base - asking.worth;
                    best = Some((Beginning::Waiting { need, way: to }, limit));
                }
                for &from in &asking.by {
                    let way = &asking.ways[from as usize];
                    let distance = base - Cost::from(way.cost) - stores[way.store as usize].price;
                    search.reach(way.store, distance, Step::Move { need, from, to }, limit);
                }
            }
        }
        best
    }

    /// Lowers the prices of the stores nearer than the beginning.
    fn lower(&mut self, length: Cost) {
        for store in self.search.seen.drain(..) {
            let distance =
                std::mem::replace(&mut self.search.distance[store as usize], super::search::UNSEEN);
            if distance < length {
                self.stores[store as usize].price -= length - distance;
            }
        }
    }

    /// Moves units along the chain found, at most `wanted`, and returns how many.
    fn go_back(&mut self, beginning: Beginning, wanted: i64) -> i64 {
        let (first, mut units) = match beginning {
            Beginning::Spare { store } => {
                let its = &self.stores[store as usize];
                let rising = its.fairness.is_some_and(|fair| fair.step > 0 && its.taken > fair.allowance);
                (store, wanted.min(if rising { 1 } else { its.taken }))
            }
            Beginning::Waiting { need, way } => {
                let its = &self.needs[need as usize];
                (its.ways[way as usize].store, wanted.min(its.units - its.served))
            }
        };
        let mut at = first;
        loop {
            let step = self.search.step[at as usize];
            units = units.min(self.units_of(step));
            match self.after(at, step) {
                Some(after) => at = after,
                None => break,
            }
        }
        match beginning {
            Beginning::Spare { store } => self.stores[store as usize].taken -= units,
            Beginning::Waiting { need, way } => self.give(need, way, units),
        }
        let mut at = first;
        loop {
            let step = self.search.step[at as usize];
            let after = self.after(at, step);
            self.make(step, units);
            match after {
                Some(after) => at = after,
                None => return units,
            }
        }
    }

    /// The store to which a step leads from this one.
    fn after(&self, store: u32, step: Step) -> Option<u32> {
        match step {
            Step::Start | Step::Take { .. } => None,
            Step::Move { need, to, .. } => Some(self.needs[need as usize].ways[to as usize].store),
            Step::Out { .. } => self.stores[store as usize].parent,
            Step::In { child } => Some(child),
        }
    }
}
