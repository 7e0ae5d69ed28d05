//! Who has what.

use super::{Cost, State};
use crate::matching::network::{NONE, position};

/// Units of a store that a need has. It stands in two linked lists: its store's and its need's.
#[derive(Clone, Copy, Debug)]
pub(in crate::matching::network) struct Holding {
    pub(in crate::matching::network) need: u32,
    pub(in crate::matching::network) store: u32,
    /// What each unit costs the need.
    pub(super) cost: u32,
    pub(super) next_of_need: u32,
    next_of_store: u32,
    before_of_store: u32,
    pub(in crate::matching::network) units: i64,
}

/// All holdings, in one array; the place of one that ends is given to another.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings {
    all: Vec<Holding>,
    free: Vec<u32>,
}

impl Holdings {
    pub(super) fn reserve(&mut self, count: usize) {
        self.all.reserve(count);
    }

    #[inline]
    pub(super) fn at(&self, holding: u32) -> &Holding {
        let its = &self.all[holding as usize];
        debug_assert!(its.units > 0, "a holding that has ended is still listed");
        its
    }

    /// The holding after this one in its store, or [`NONE`].
    #[inline]
    pub(super) fn after(&self, holding: u32) -> u32 {
        self.all[holding as usize].next_of_store
    }

    /// The holdings of a need, from the first.
    #[inline]
    pub(super) fn of_need(&self, first: u32) -> impl Iterator<Item = (u32, &Holding)> {
        self.chain(first, |holding| holding.next_of_need)
    }

    #[inline]
    fn chain(&self, first: u32, next: impl Fn(&Holding) -> u32) -> impl Iterator<Item = (u32, &Holding)> {
        let mut at = first;
        std::iter::from_fn(move || {
            let holding = self.all.get(at as usize)?;
            Some((std::mem::replace(&mut at, next(holding)), holding))
        })
    }

    fn add(&mut self, holding: Holding) -> u32 {
        match self.free.pop() {
            Some(place) => {
                self.all[place as usize] = holding;
                place
            }
            None => {
                self.all.push(holding);
                position(self.all.len() - 1)
            }
        }
    }
}

impl<C: Cost> State<C> {
    /// The holdings of a need.
    pub(in crate::matching::network) fn held_by(&self, need: u32) -> impl Iterator<Item = &Holding> {
        let first = self.needs[need as usize].first_holding;
        self.holdings.of_need(first).map(|(_, holding)| holding)
    }

    /// One holding of a need: its place, its store and its units.
    pub(in crate::matching::network) fn first_held_by(&self, need: u32) -> Option<(u32, u32, i64)> {
        let first = self.needs[need as usize].first_holding;
        self.holdings.of_need(first).next().map(|(at, holding)| (at, holding.store, holding.units))
    }

    /// Gives a need units of a store; the store's count of taken units stays.
    pub(in crate::matching::network) fn give(&mut self, need: u32, store: u32, cost: u32, units: i64) {
        let its = &mut self.needs[need as usize];
        its.served += units;
        let known = self.holdings.of_need(its.first_holding).find(|(_, holding)| holding.store == store);
        if let Some((holding, _)) = known {
            self.holdings.all[holding as usize].units += units;
            return self.note(need);
        }
        let shelf = &mut self.stores[store as usize];
        let (next_of_need, next_of_store) = (its.first_holding, shelf.first_held);
        let holding = self.holdings.add(Holding {
            need,
            store,
            cost,
            next_of_need,
            next_of_store,
            before_of_store: NONE,
            units,
        });
        (its.first_holding, shelf.first_held) = (holding, holding);
        if next_of_store != NONE {
            self.holdings.all[next_of_store as usize].before_of_store = holding;
        }
        self.note(need);
    }

    /// Takes units of a holding back; the store's count of taken units stays.
    pub(in crate::matching::network) fn give_back(&mut self, holding: u32, units: i64) {
        let its = &mut self.holdings.all[holding as usize];
        its.units -= units;
        let its = *its;
        self.needs[its.need as usize].served -= units;
        if its.units > 0 {
            return self.note(its.need);
        }
        let all = &mut self.holdings.all;
        match its.before_of_store {
            NONE => self.stores[its.store as usize].first_held = its.next_of_store,
            before => all[before as usize].next_of_store = its.next_of_store,
        }
        if its.next_of_store != NONE {
            all[its.next_of_store as usize].before_of_store = its.before_of_store;
        }
        let first = &mut self.needs[its.need as usize].first_holding;
        if *first == holding {
            *first = its.next_of_need;
        } else {
            let mut before = *first;
            while all[before as usize].next_of_need != holding {
                before = all[before as usize].next_of_need;
            }
            all[before as usize].next_of_need = its.next_of_need;
        }
        self.holdings.free.push(holding);
        self.note(its.need);
    }
}
