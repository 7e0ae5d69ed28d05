//! Finds the cheapest unit for a need that wants one, or for units that a store can no longer give.

use super::search::Step;
use super::{Cost, State};
use crate::matching::network::NONE;

/// Where a chain of moves ends.
#[derive(Clone, Copy)]
enum End {
    /// Nowhere: the unit is worth less than any chain costs.
    GiveUp,
    /// A spare unit of this outermost store.
    Spare { store: u32 },
    /// Somebody gives up a unit of this holding.
    Yield { holding: u32 },
    /// A spare unit of this store, which was looked for.
    Found { store: u32 },
}

impl<C: Cost> State<C> {
    /// Serves as many of a need's unserved units as are worth it.
    pub(in crate::matching::network) fn place(&mut self, need: u32) {
        loop {
            let its = &self.needs[need as usize];
            let (wanted, worth) = (its.units - its.served, its.worth);
            if wanted <= 0 {
                return;
            }
            let Some(cheapest) = self.cheapest(need).filter(|&cost| cost < worth) else { return };
            if let Some((store, cost, units)) = self.spare_at(need, cheapest) {
                let units = units.min(wanted);
                self.take_along(store, units);
                self.give(need, store, cost, units);
                continue;
            }
            self.search.begin(worth - cheapest);
            self.search.is_new(need);
            self.pass(need, C::default() - cheapest, NONE);
            let (end, length) = self.seek(NONE);
            self.raise(length);
            let Some((store, cost, units)) = self.go(end, wanted) else { return };
            self.give(need, store, cost, units);
        }
    }

    /// The first store that has units to spare for a need at no more than its price, where that is the cheapest for the
    /// need; what a unit costs the need, and how many there are at that price. Most needs are served like this, without a
    /// search.
    fn spare_at(&self, need: u32, cheapest: C) -> Option<(u32, u32, i64)> {
        let ways = self.ways.of(need).iter();
        let best = ways.filter(|way| C::from(way.cost) + self.prices[way.store as usize] == cheapest);
        let best = best.filter_map(|way| Some((way.store, way.cost, self.spare_along(way.store)?)));
        best.min_by_key(|&(store, ..)| store)
    }

    /// The units that can be taken from a store and all those around it at no more than its price.
    fn spare_along(&self, store: u32) -> Option<i64> {
        let (mut at, mut units) = (store, i64::MAX);
        loop {
            let its = &self.stores[at as usize];
            units = units.min(its.room - its.taken);
            if units <= 0 || self.outside(at) > self.prices[store as usize] {
                return None;
            }
            if its.parent == NONE {
                return Some(units.min(its.at_this_cost()));
            }
            at = its.parent;
        }
    }

    /// Finds another place for some units that flow into a store and can no longer leave it, and returns how many: as
    /// many as one chain moves. The store's own count of taken units stays.
    pub(in crate::matching::network) fn push_out(&mut self, store: u32, wanted: i64) -> i64 {
        self.search.begin(C::FAR);
        self.reach(store, C::default(), Step::Start);
        let (end, length) = self.seek(NONE);
        self.raise(length);
        self.go(end, wanted).map_or(0, |(_, _, units)| units)
    }

    /// Takes spare units of a store that lies in another, if that gains more than it costs to have fewer for the others
    /// there. Returns how many were taken, and how many of those by nobody yet.
    pub(in crate::matching::network) fn push_in(&mut self, store: u32, spare: i64) -> (i64, i64) {
        let parent = self.stores[store as usize].parent;
        let gain = self.prices[store as usize] - self.prices[parent as usize];
        // No chain may pass the spare units on its way.
        self.stores[store as usize].room -= spare;
        self.search.begin(gain);
        self.reach(parent, C::default(), Step::Start);
        let (end, length) = self.seek(store);
        self.raise(length);
        let units = self.go(end, spare).map_or(0, |(_, _, units)| units);
        let its = &mut self.stores[store as usize];
        its.room += spare;
        its.taken += units;
        (units, if matches!(end, End::Found { .. }) { 0 } else { units })
    }

    /// Looks for the shortest chain from the stores reached already to anywhere or to a store looked for; its length is
    /// at most the limit.
    fn seek(&mut self, wanted: u32) -> (End, C) {
        let mut yielding = NONE;
        while let Some((store, distance)) = self.search.next() {
            if store == wanted {
                return (End::Found { store }, distance);
            }
            let its = &self.stores[store as usize];
            let base = distance - self.prices[store as usize];
            let (mut child, mut next) = (its.first_child, its.first_held);
            while child != NONE {
                let inner = &self.stores[child as usize];
                let (this, after) = (child, inner.next_child);
                if inner.taken > 0 {
                    self.reach(this, base + self.prices[this as usize], Step::In { child: this });
                }
                child = after;
            }
            while next != NONE && distance < self.search.limit {
                let holding = next;
                let (need, cost) = (self.holdings.at(holding).need, self.holdings.at(holding).cost);
                debug_assert_eq!(self.holdings.at(holding).store, store, "another store's holding is listed");
                next = self.holdings.after(holding);
                // Whoever holds units of several stores is passed once.
                let asking = &self.needs[need as usize];
                if asking.served > self.holdings.at(holding).units && !self.search.is_new(need) {
                    continue;
                }
                let freed = base - C::from(cost);
                let length = freed + asking.worth;
                if length < self.search.limit {
                    (self.search.limit, self.search.spare, yielding) = (length, NONE, holding);
                }
                self.pass(need, freed, holding);
            }
        }
        let end = match (self.search.spare, yielding) {
            (NONE, NONE) => End::GiveUp,
            (NONE, holding) => End::Yield { holding },
            (store, _) => End::Spare { store },
        };
        (end, self.search.limit)
    }

    /// Notes a chain to a store that a search for a unit looks at (see [`Search::reach_on`]).
    fn reach(&mut self, store: u32, distance: C, step: Step) {
        self.search.reach_on(store, distance, step, &self.stores, &self.prices);
    }

    /// Raises the prices of the stores nearer than the end, so that the chain found costs nothing above them.
    fn raise(&mut self, length: C) {
        for store in self.search.seen.drain(..) {
            let distance = std::mem::replace(&mut self.search.distance[store as usize], C::FAR);
            if distance < length {
                self.prices[store as usize] += length - distance;
                self.changed.push(store);
            }
        }
        self.note_prices();
    }

    /// Moves units along the chain found, at most `wanted`; returns the store that the chain starts with, what a unit of
    /// it costs the need that takes it (0 where none does) and the units.
    fn go(&mut self, end: End, wanted: i64) -> Option<(u32, u32, i64)> {
        let (last, mut units) = match end {
            End::GiveUp => return None,
            End::Spare { store } => {
                let its = &self.stores[store as usize];
                (store, wanted.min(its.room - its.taken).min(its.at_this_cost()))
            }
            End::Yield { holding } => {
                let its = self.holdings.at(holding);
                (its.store, wanted.min(its.units))
            }
            End::Found { store } => (store, wanted),
        };
        let mut at = last;
        let cost = loop {
            let step = self.search.step[at as usize];
            units = units.min(self.units_of(step));
            match step {
                Step::Start => break 0,
                Step::Take { cost } => break cost,
                Step::Move { .. } | Step::Out { .. } | Step::In { .. } => at = self.before(at, step),
            }
        };
        debug_assert!(units > 0, "a chain moves nothing");
        match end {
            End::GiveUp | End::Found { .. } => {}
            End::Spare { store } => self.stores[store as usize].taken += units,
            End::Yield { holding } => self.give_back(holding, units),
        }
        let mut at = last;
        loop {
            let step = self.search.step[at as usize];
            let before = self.before(at, step);
            self.make(step, units);
            match step {
                Step::Start | Step::Take { .. } => return Some((at, cost, units)),
                Step::Move { .. } | Step::Out { .. } | Step::In { .. } => at = before,
            }
        }
    }

    /// The store from which a step leads to this one; itself where the chain starts.
    fn before(&self, store: u32, step: Step) -> u32 {
        match step {
            Step::Start | Step::Take { .. } => store,
            Step::Move { holding, .. } => self.holdings.at(holding).store,
            Step::Out { child } => child,
            Step::In { .. } => self.stores[store as usize].parent,
        }
    }

    /// The most units that can make a step.
    pub(super) fn units_of(&self, step: Step) -> i64 {
        match step {
            Step::Start | Step::Take { .. } => i64::MAX,
            Step::Move { holding, .. } => self.holdings.at(holding).units,
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
            Step::Move { holding, to, cost } => {
                self.give(self.holdings.at(holding).need, to, cost, units);
                self.give_back(holding, units);
            }
            Step::Out { child } => self.stores[child as usize].taken += units,
            Step::In { child } => self.stores[child as usize].taken -= units,
        }
    }
}
