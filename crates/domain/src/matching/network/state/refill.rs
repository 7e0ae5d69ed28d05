//! Finds who gains most by units that came free.

use super::search::Step;
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
            self.search.begin(C::FAR);
            self.reach_back(store, C::default(), Step::Start);
            let Some((beginning, length)) = self.seek_back() else { return };
            self.lower(length);
            left -= self.go_back(beginning, left);
        }
    }

    fn seek_back(&mut self) -> Option<(Beginning, C)> {
        let mut waiting = None;
        while let Some((store, distance)) = self.search.next() {
            let base = distance + self.prices[store as usize];
            let mut child = self.stores[store as usize].first_child;
            while child != NONE {
                let inner = &self.stores[child as usize];
                let (this, after) = (child, inner.next_child);
                if inner.taken < inner.room {
                    self.reach_back(this, base - self.prices[this as usize], Step::Out { child: this });
                }
                child = after;
            }
            // No chain is shorter than the one to this store.
            if self.search.limit <= distance {
                break;
            }
            // Those who wait come first: what they would pay says how far to look for others.
            let mut others = std::mem::take(&mut self.others);
            for &Wanted { need, cost } in self.wants.of(store) {
                let length = base + C::from(cost) - self.pays[need as usize];
                if length >= self.search.limit {
                    continue;
                }
                if self.is_waiting(need) {
                    (self.search.limit, self.search.spare) = (length, NONE);
                    waiting = Some(Beginning::Waiting { need, store, cost });
                } else {
                    others.push((need, cost, length));
                }
            }
            for (need, cost, length) in others.drain(..) {
                if length >= self.search.limit {
                    continue;
                }
                let mut next = self.needs[need as usize].first_holding;
                while next != NONE {
                    let (holding, held) = (next, self.holdings.at(next));
                    next = held.next_of_need;
                    let (from, paid) = (held.store, C::from(held.cost) + self.prices[held.store as usize]);
                    self.reach_back(
                        from,
                        base + C::from(cost) - paid,
                        Step::Move { holding, to: store, cost },
                    );
                }
            }
            self.others = others;
        }
        let beginning = match self.search.spare {
            NONE => waiting?,
            store => Beginning::Spare { store },
        };
        Some((beginning, self.search.limit))
    }

    /// Notes a chain that leaves one unit fewer taken from a store, and follows it out as far as any are taken: a unit that
    /// could become spare says at once how far to look.
    #[inline]
    fn reach_back(&mut self, store: u32, distance: C, step: Step) {
        if !self.search.is_shorter(store, distance) {
            return;
        }
        self.search.enter(store, distance, step);
        let its = &self.stores[store as usize];
        if its.taken == 0 {
            return;
        }
        let base = distance + self.prices[store as usize];
        match its.parent {
            NONE => {
                let length = base - C::from(its.of_unit(its.taken));
                if length < self.search.limit {
                    (self.search.limit, self.search.spare) = (length, store);
                }
            }
            parent => self.reach_back(parent, base - self.prices[parent as usize], Step::In { child: store }),
        }
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
                let price = self.prices[store as usize];
                for wanted in self.wants.of(store) {
                    let floor = &mut self.needs[wanted.need as usize].floor;
                    *floor = (*floor).min(price + C::from(wanted.cost));
                }
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
