//! Finds the cheapest unit for a need that wants one, or for units that a store can no longer give.

use super::Optimum;
use super::search::{Cost, Step};

/// Where a chain of moves ends.
#[derive(Clone, Copy)]
enum End {
    /// Nowhere: the unit is worth less than any chain costs.
    GiveUp,
    /// A spare unit of this outermost store.
    Spare { store: u32 },
    /// This need gives up a unit that it has by this way.
    Yield { need: u32, way: u32 },
    /// A spare unit of this store, which was looked for.
    Found { store: u32 },
}

impl Optimum {
    /// Serves as many of a need's unserved units as are worth it.
    pub(super) fn place(&mut self, need: u32) {
        loop {
            let its = &self.needs[need as usize];
            let (wanted, worth) = (its.units - its.served, its.worth);
            if wanted <= 0 {
                return;
            }
            let price = |store: u32| self.stores[store as usize].price;
            let cheapest = its.ways.iter().map(|way| Cost::from(way.cost) + price(way.store)).min();
            let Some(cheapest) = cheapest.filter(|&cost| cost < worth) else { return };
            self.search.begin();
            self.search.is_new(need);
            for (at, way) in self.needs[need as usize].ways.iter().enumerate() {
                let distance = Cost::from(way.cost) + self.stores[way.store as usize].price - cheapest;
                let step = Step::Take { way: super::position(at) };
                self.search.reach(way.store, distance, step, worth - cheapest);
            }
            let (end, length) = self.seek(worth - cheapest, None);
            self.raise(length);
            let Some((way, units)) = self.go(end, wanted) else { return };
            self.give(need, way, units);
        }
    }

    /// Finds another place for some units that flow into a store and can no longer leave it, and returns how many: as
    /// many as one chain moves. The store's own count of taken units stays.
    pub(super) fn push_out(&mut self, store: u32, wanted: i64) -> i64 {
        self.search.begin();
        self.search.reach(store, 0, Step::Start, Cost::MAX);
        let (end, length) = self.seek(Cost::MAX, None);
        self.raise(length);
        self.go(end, wanted).map_or(0, |(_, units)| units)
    }

    /// Takes spare units of a store that lies in another, if that gains more than it costs to have fewer for the others
    /// there. Returns how many were taken, and how many of those by nobody yet.
    pub(super) fn push_in(&mut self, store: u32, parent: u32, spare: i64) -> (i64, i64) {
        let gain = self.stores[store as usize].price - self.stores[parent as usize].price;
        // No chain may pass the spare units on its way.
        self.stores[store as usize].room -= spare;
        self.search.begin();
        self.search.reach(parent, 0, Step::Start, gain);
        let (end, length) = self.seek(gain, Some(store));
        self.raise(length);
        let units = self.go(end, spare).map_or(0, |(_, units)| units);
        let its = &mut self.stores[store as usize];
        its.room += spare;
        its.taken += units;
        (units, if matches!(end, End::Found { .. }) { 0 } else { units })
    }

    /// Looks for the shortest chain from the stores reached already to anywhere or to a store looked for; its length is
    /// at most the limit.
    fn seek(&mut self, limit: Cost, wanted: Option<u32>) -> (End, Cost) {
        let mut best = (End::GiveUp, limit);
        let Self { stores, needs, search, .. } = self;
        while let Some((store, distance)) = search.next(best.1) {
            if wanted == Some(store) {
                return (End::Found { store }, distance);
            }
            let its = &stores[store as usize];
            let base = distance - its.price;
            if its.taken < its.room {
                match its.parent {
                    Some(parent) => {
                        let distance = base + stores[parent as usize].price;
                        search.reach(parent, distance, Step::Out { child: store }, best.1);
                    }
                    None => {
                        let length = base + its.of_unit(its.taken + 1);
                        if length < best.1 {
                            best = (End::Spare { store }, length);
                        }
                    }
                }
            }
            for &child in &its.children {
                let inner = &stores[child as usize];
                if inner.taken > 0 {
                    search.reach(child, base + inner.price, Step::In { child }, best.1);
                }
            }
            for &(need, from) in &its.held {
                if !search.is_new(need) {
                    continue;
                }
                let holder = &needs[need as usize];
                let freed = base - Cost::from(holder.ways[from as usize].cost);
                if freed + holder.worth < best.1 {
                    best = (End::Yield { need, way: from }, freed + holder.worth);
                }
                for (to, way) in holder.ways.iter().enumerate() {
                    let distance = freed + Cost::from(way.cost) + stores[way.store as usize].price;
                    let step = Step::Move { need, from, to: super::position(to) };
                    search.reach(way.store, distance, step, best.1);
                }
            }
        }
        best
    }

    /// Raises the prices of the stores nearer than the end, so that the chain found costs nothing above them.
    fn raise(&mut self, length: Cost) {
        for store in self.search.seen.drain(..) {
            let distance =
                std::mem::replace(&mut self.search.distance[store as usize], super::search::UNSEEN);
            if distance < length {
                self.stores[store as usize].price += length - distance;
            }
        }
    }

    /// Moves units along the chain found, at most `wanted`; returns the way that the chain starts with (0 where it
    /// starts at a store) and the units.
    fn go(&mut self, end: End, wanted: i64) -> Option<(u32, i64)> {
        let (last, mut units) = match end {
            End::GiveUp => return None,
            End::Spare { store } => {
                let its = &self.stores[store as usize];
                (store, wanted.min(its.room - its.taken).min(its.at_this_cost()))
            }
            End::Yield { need, way } => {
                let way = &self.needs[need as usize].ways[way as usize];
                (way.store, wanted.min(way.units))
            }
            End::Found { store } => (store, wanted),
        };
        let mut at = last;
        let first = loop {
            let step = self.search.step[at as usize];
            units = units.min(self.units_of(step));
            match self.before(at, step) {
                Some(before) => at = before,
                None => break step,
            }
        };
        match end {
            End::GiveUp | End::Found { .. } => {}
            End::Spare { store } => self.stores[store as usize].taken += units,
            End::Yield { need, way } => self.give_back(need, way, units),
        }
        let mut at = last;
        loop {
            let step = self.search.step[at as usize];
            let before = self.before(at, step);
            self.make(step, units);
            match before {
                Some(before) => at = before,
                None => break,
            }
        }
        match first {
            Step::Take { way } => Some((way, units)),
            Step::Start | Step::Move { .. } | Step::Out { .. } | Step::In { .. } => Some((0, units)),
        }
    }

    /// The store from which a step leads to this one.
    fn before(&self, store: u32, step: Step) -> Option<u32> {
        match step {
            Step::Start | Step::Take { .. } => None,
            Step::Move { need, from, .. } => Some(self.needs[need as usize].ways[from as usize].store),
            Step::Out { child } => Some(child),
            Step::In { .. } => self.stores[store as usize].parent,
        }
    }
}
