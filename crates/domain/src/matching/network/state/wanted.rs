//! Who may take from each store: what a search for the best use of a free unit looks at.

use super::lists::Lists;
use crate::matching::network::NONE;

/// A need that may take from a store, and what a unit costs it. A free slot has [`NONE`] for the need and the next free
/// slot for the cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) need: u32,
    pub(super) cost: u32,
}

/// Lists of needs by store. An entry stays in its slot until it goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    lists: Lists<Wanted>,
    /// The first free slot of each list, or [`NONE`].
    free: Vec<u32>,
}

impl Wants {
    pub(super) fn fit(&mut self, stores: usize) {
        self.lists.fit(stores);
        self.free.resize(stores, NONE);
    }

    /// The needs that want a store.
    #[inline]
    pub(super) fn of(&self, store: u32) -> impl Iterator<Item = &Wanted> {
        self.lists.of(store).iter().filter(|wanted| wanted.need != NONE)
    }

    /// Adds a need and returns its slot.
    pub(super) fn add(&mut self, store: u32, wanted: Wanted) -> u32 {
        match self.free[store as usize] {
            NONE => self.lists.push(store, wanted),
            slot => {
                let place = &mut self.lists.of_mut(store)[slot as usize];
                self.free[store as usize] = std::mem::replace(place, wanted).cost;
                slot
            }
        }
    }

    pub(super) fn remove(&mut self, store: u32, slot: u32) {
        let next = std::mem::replace(&mut self.free[store as usize], slot);
        self.lists.of_mut(store)[slot as usize] = Wanted { need: NONE, cost: next };
    }

    /// Forgets all needs of a store.
    pub(super) fn clear(&mut self, store: u32) {
        self.lists.clear(store);
        self.free[store as usize] = NONE;
    }
}
