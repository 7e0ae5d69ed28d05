//! Finds who gains most by units that came free.

use super::search::{Next, Step};
use super::wanted::Wanted;
use super::{Cost, State};
use crate::matching::network::NONE;

/// Where a chain of moves that ends at the free unit begins.
#[derive(Clone, Copy)]
enum Beginning {
    /// Nobody wants it enough: a unit of this outermost store becomes spare.
    Spare { store: u32 },
    /// This need gets a unit more of this store, at this cost.
    Waiting { need: u32, store: u32, cost: u32 },
}

impl<C: Cost> State<C> {
    /// Gives units that nobody has any more, but that are still counted as taken from a store and those around it, to
    /// whoever gains most by them, or lets them become spare.
    pub(in crate::matching::network) fn refill(&mut self, store: u32, units: i64) {
        let mut left = units;
        while left > 0 {
            self.search.begin();
            self.search.reach(store, C::default(), Step::Start, C::FAR);
            let Some((beginning, length)) = self.seek_back() else { return };
            self.lower(length);
            left -= self.go_back(beginning, left);
        }
    }

    fn seek_back(&mut self) -> Option<(Beginning, C)> {
        let mut best = None;
        let mut limit = C::FAR;
        while let Next::Store(store, distance) = self.search.next(limit) {
            let its = self.stores[store as usize];
            let base = distance + self.prices[store as usize];
            if its.taken > 0 {
                if its.parent != NONE {
                    let distance = base - self.prices[its.parent as usize];
                    self.search.reach(its.parent, distance, Step::In { child: store }, limit);
                } else {
                    let length = base - C::from(its.of_unit(its.taken));
                    if length < limit {
                        (best, limit) = (Some(Beginning::Spare { store }), length);
                    }
                }
            }
            let mut child = its.first_child;
            while child != NONE {
                let inner = &self.stores[child as usize];
                if inner.taken < inner.room {
                    let distance = base - self.prices[child as usize];
                    self.search.reach(child, distance, Step::Out { child }, limit);
                }
                child = inner.next_child;
            }
            // No chain is shorter than the one to this store.
            if limit <= distance {
                break;
            }
            // Those who wait come first: what they would pay says how far to look for others.
            let mut others = std::mem::take(&mut self.others);
            for &Wanted { need, cost } in self.wants.of(store) {
                let length = base + C::from(cost) - self.pays[need as usize];
                if length >= limit {
                    continue;
                }
                if self.is_waiting(need) {
                    (best, limit) = (Some(Beginning::Waiting { need, store, cost }), length);
                } else {
                    others.push((need, cost, length));
                }
            }
            for (need, cost, _) in others.drain(..).filter(|&(.., length)| length < limit) {
                let first = self.needs[need as usize].first_holding;
                for (holding, held) in self.holdings.of_need(first) {
                    let distance =
                        base + C::from(cost) - C::from(held.cost) - self.prices[held.store as usize];
                    let step = Step::Move { holding, to: store, cost };
                    self.search.reach(held.store, distance, step, limit);
                }
            }
            self.others = others;
        }
        best.map(|beginning| (beginning, limit))
    }

    /// Says whether a need has fewer units than it asks for; then it pays all that one is worth.
    fn is_waiting(&self, need: u32) -> bool {
        let its = &self.needs[need as usize];
        its.served < its.units
    }

    /// Lowers the prices of the stores nearer than the beginning.
    fn lower(&mut self, length: C) {
        for store in self.search.seen.drain(..) {
            let distance = std::mem::replace(&mut self.search.distance[store as usize], C::FAR);
            if distance < length {
                self.prices[store as usize] -= length - distance;
                self.changed.push(store);
            }
        }
        for at in 0..self.changed.len() {
            let store = self.changed[at];
            let price = self.prices[store as usize];
            for wanted in self.wants.of(store) {
                let floor = &mut self.needs[wanted.need as usize].floor;
                *floor = (*floor).min(price + C::from(wanted.cost));
            }
        }
        self.note_prices();
    }

    /// Moves units along the chain found, at most `wanted`, and returns how many.
    fn go_back(&mut self, beginning: Beginning, wanted: i64) -> i64 {
        let (first, mut units) = match beginning {
            Beginning::Spare { store } => {
                let its = &self.stores[store as usize];
                (store, wanted.min(its.at_last_cost()))
            }
            Beginning::Waiting { need, store, .. } => {
                let its = &self.needs[need as usize];
                (store, wanted.min(its.units - its.served))
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
        debug_assert!(units > 0, "a chain moves nothing");
        match beginning {
            Beginning::Spare { store } => self.stores[store as usize].taken -= units,
            Beginning::Waiting { need, store, cost } => self.give(need, store, cost, units),
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
            Step::Move { to, .. } => Some(to),
            Step::Out { .. } => Some(self.stores[store as usize].parent),
            Step::In { child } => Some(child),
        }
    }
}
