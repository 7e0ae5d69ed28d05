//! A plan with the prices that prove it, as flat arrays, and the moves that keep it best.
//!
//! Two kinds of search are enough. [`place`] starts where a unit more is wanted and looks for the cheapest spare unit,
//! moving others on the way; [`refill`] starts at a unit that came free and looks back for who gains most by it. A full
//! solve is nothing but placing all needs in order of class; events place and refill what they change.
//!
//! Both note a spare unit as soon as they reach its store, not when they come to look at it: from then on nothing that lies
//! as far as that is worth a place in the queue. A need's *near* ways stand first among its ways; all that is known of the far
//! ones is a floor under what they cost with their stores' prices, so that they are read only where one may lie near enough.

mod cost;
mod holdings;
mod lists;
mod place;
mod queue;
mod refill;
mod search;
mod wanted;
mod ways;

use super::{Arc, Fairness, NONE, Store, position};
pub(super) use cost::Cost;
use holdings::Holdings;
use lists::Lists;
use search::Search;
use wanted::Wants;

/// A plan that is best for the needs placed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct State<C> {
    pub(super) stores: Vec<Shelf>,
    /// What a unit of each store is worth to those who did not get it.
    pub(super) prices: Vec<C>,
    pub(super) needs: Vec<Asking<C>>,
    /// The stores that may serve each need, in no particular order.
    ways: Lists<Arc>,
    holdings: Holdings,
    search: Search<C>,
    /// Stores whose prices a search has just changed.
    changed: Vec<u32>,
    /// Whether events are to come. What follows is kept only then.
    has_events: bool,
    wants: Wants,
    /// Of each way, its slot among those who want its store.
    slots: Lists<u32>,
    /// The most that each need would pay for a unit: what it pays now, or all that one is worth while it waits.
    pays: Vec<C>,
    /// Those who want the store that a search for a free unit looks at and have all that they ask for: the need, what a
    /// unit costs it, and how far whatever it holds lies at least.
    others: Vec<(u32, u32, C)>,
    /// Needs whose units changed.
    pub(super) touched: Vec<u32>,
}

/// A store as it stands in the plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shelf {
    pub(super) room: i64,
    /// Units taken from it and from the stores inside it.
    pub(super) taken: i64,
    pub(super) fairness: Option<Fairness>,
    /// The store that it lies in, or [`NONE`].
    pub(super) parent: u32,
    pub(super) first_child: u32,
    next_child: u32,
    first_held: u32,
}

impl From<&Shelf> for Store {
    fn from(its: &Shelf) -> Self {
        let parent = (its.parent != NONE).then_some(its.parent);
        Self { parent, room: its.room, fairness: its.fairness }
    }
}

impl Shelf {
    /// An empty store, which holds no other yet.
    pub(super) fn new(store: &Store) -> Self {
        let Store { parent, room, fairness } = *store;
        let parent = parent.unwrap_or(NONE);
        let room = room.max(0);
        Self { room, taken: 0, fairness, parent, first_child: NONE, next_child: NONE, first_held: NONE }
    }

    /// What the n-th unit costs more where there is no store around it.
    pub(super) fn of_unit(&self, n: i64) -> i64 {
        self.fairness.map_or(0, |fairness| fairness.of_unit(n))
    }

    /// The units that can be taken next before one costs more than the first of them.
    pub(super) fn at_this_cost(&self) -> i64 {
        let rising = self.fairness.filter(|fairness| fairness.step > 0);
        rising.map_or(i64::MAX, |fairness| (fairness.allowance - self.taken).max(1))
    }

    /// The units that were taken last, none of which costs more than the first of them.
    fn at_last_cost(&self) -> i64 {
        let rising = self.fairness.is_some_and(|fair| fair.step > 0 && self.taken > fair.allowance);
        if rising { 1 } else { self.taken }
    }
}

/// A need as it stands in the plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<C> {
    /// What one of its units is worth.
    pub(super) worth: C,
    pub(super) units: i64,
    pub(super) served: i64,
    /// None of its far ways costs less, with the price of its store.
    floor: C,
    /// So many of its ways are near.
    near: u32,
    first_holding: u32,
}

impl<C: Cost> Asking<C> {
    pub(super) fn new(units: i64, worth: C) -> Self {
        // Nothing is known yet of what its ways cost.
        let floor = C::default() - C::FAR;
        Self { worth, units, served: 0, floor, near: 0, first_holding: NONE }
    }
}

impl<C: Cost> State<C> {
    /// Stores from which nothing is taken, each at the price of its first unit.
    pub(super) fn new(stores: impl Iterator<Item = Store>) -> Self {
        let mut state = Self { stores: stores.map(|store| Shelf::new(&store)).collect(), ..Self::default() };
        for child in 0..state.stores.len() {
            let parent = state.stores[child].parent;
            if parent != NONE {
                state.put_into(position(child), parent);
            }
        }
        for store in &state.stores {
            let mut outermost = store;
            while outermost.parent != NONE {
                outermost = &state.stores[outermost.parent as usize];
            }
            state.prices.push(C::from(outermost.of_unit(1)));
        }
        state.search.fit(state.stores.len(), 0);
        state
    }

    /// Makes room for so many needs with so many ways together.
    pub(super) fn reserve(&mut self, needs: usize, ways: usize) {
        self.needs.reserve_exact(needs);
        self.ways.reserve(needs, ways);
        self.holdings.reserve(needs);
        self.search.fit(self.stores.len(), needs);
    }

    /// Starts to keep what events need.
    pub(super) fn keep_for_events(&mut self) {
        self.fit();
        self.has_events = true;
        for need in 0..position(self.needs.len()) {
            self.enter_ways(need);
            self.note(need);
        }
        self.touched.clear();
    }

    /// Makes room for what belongs to each store and need.
    pub(super) fn fit(&mut self) {
        let (stores, needs) = (self.stores.len(), self.needs.len());
        self.prices.resize(stores, C::default());
        self.search.fit(stores, needs);
        self.ways.fit(needs);
        if self.has_events {
            self.slots.fit(needs);
        }
        self.wants.fit(stores);
        self.pays.resize(needs, C::default());
    }

    /// Notes that a need's units or their worth have changed.
    pub(super) fn note(&mut self, need: u32) {
        if self.has_events {
            self.touched.push(need);
            self.note_pays(need);
        }
    }

    fn note_pays(&mut self, need: u32) {
        let its = &self.needs[need as usize];
        let held = self.holdings.of_need(its.first_holding).next().map(|(_, held)| held);
        let pays = held.filter(|_| its.served >= its.units);
        self.pays[need as usize] =
            pays.map_or(its.worth, |held| C::from(held.cost) + self.prices[held.store as usize]);
    }

    /// Notes what the holders pay of stores whose prices have changed.
    fn note_prices(&mut self) {
        while let Some(store) = self.changed.pop() {
            if !self.has_events {
                continue;
            }
            let mut next = self.stores[store as usize].first_held;
            while next != NONE {
                debug_assert_eq!(self.holdings.at(next).store, store, "another store's holding is listed");
                self.note_pays(self.holdings.at(next).need);
                next = self.holdings.after(next);
            }
        }
    }

    /// Lets a need come in that has nothing yet, and returns its position.
    pub(super) fn add_need(&mut self, units: i64, worth: C, arcs: impl Iterator<Item = Arc>) -> u32 {
        let need = position(self.needs.len());
        self.needs.push(Asking::new(units, worth));
        self.ways.add(arcs);
        need
    }

    /// Says that no search has left anything behind.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self) -> bool {
        self.search.is_at_rest()
    }

    /// What a unit costs where it goes from here when one more is taken.
    pub(super) fn outside(&self, store: u32) -> C {
        let its = &self.stores[store as usize];
        match its.parent {
            NONE => C::from(its.of_unit(its.taken + 1)),
            parent => self.prices[parent as usize],
        }
    }

    /// Lets a store lie in another.
    pub(super) fn put_into(&mut self, child: u32, parent: u32) {
        let first = std::mem::replace(&mut self.stores[parent as usize].first_child, child);
        let its = &mut self.stores[child as usize];
        (its.parent, its.next_child) = (parent, first);
    }

    /// Takes a store out of the one that it lies in.
    pub(super) fn take_out(&mut self, child: u32) {
        let parent = self.stores[child as usize].parent;
        if parent == NONE {
            return;
        }
        let after = self.stores[child as usize].next_child;
        let mut at = self.stores[parent as usize].first_child;
        if at == child {
            self.stores[parent as usize].first_child = after;
        } else {
            while self.stores[at as usize].next_child != child {
                at = self.stores[at as usize].next_child;
            }
            self.stores[at as usize].next_child = after;
        }
        let its = &mut self.stores[child as usize];
        (its.parent, its.next_child) = (NONE, NONE);
    }

    /// Counts units more (or less) as taken from a store and all those around it.
    pub(super) fn take_along(&mut self, from: u32, units: i64) {
        let mut at = from;
        while at != NONE {
            let its = &mut self.stores[at as usize];
            its.taken += units;
            at = its.parent;
        }
    }
}
