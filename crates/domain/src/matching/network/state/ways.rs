//! The stores that may serve a need, the cheapest first as far as it matters.

use super::search::{Passed, Step};
use super::wanted::Wanted;
use super::{Cost, State};
use crate::matching::network::{Arc, NONE, position};

/// A store that may serve a need.
#[derive(Clone, Copy, Debug)]
pub(in crate::matching::network) struct Way {
    pub(in crate::matching::network) store: u32,
    pub(in crate::matching::network) cost: u32,
    /// Its slot among those who want the store; [`NONE`] in a state without events.
    slot: u32,
}

impl From<Arc> for Way {
    fn from(arc: Arc) -> Self {
        Self { store: arc.store, cost: arc.cost, slot: NONE }
    }
}

/// Ways that cost at most so many points more than what a search has come to are near ones, so that the next searches
/// need not move the border again. Most chains cost less than this above the prices.
const MARGIN: u32 = 3;

impl<C: Cost> State<C> {
    /// Returns what the cheapest unit costs a need, and lets the ways about as cheap be its near ones.
    pub(super) fn look_over(&mut self, need: u32) -> Option<C> {
        let prices = &self.prices;
        let cost = |way: &Way| C::from(way.cost) + prices[way.store as usize];
        let cheapest = self.ways.of(need).iter().map(cost).min()?;
        let most = cheapest + C::from(MARGIN);
        let (border, floor) = part(self.ways.of_mut(need), &self.prices, most, |_, _| {});
        let its = &mut self.needs[need as usize];
        (its.near, its.floor) = (border, floor);
        Some(cheapest)
    }

    pub(super) fn near_ways_of(&self, need: u32) -> &[Way] {
        &self.ways.of(need)[..self.needs[need as usize].near as usize]
    }

    /// Reaches the stores of a need's near ways, and remembers it for its far ones.
    #[inline]
    pub(super) fn pass(&mut self, passed: Passed<C>, limit: C) {
        let its = &self.needs[passed.need as usize];
        let far = passed.base + its.floor;
        if far < limit {
            self.search.horizon = self.search.horizon.min(far);
            self.search.passed.push(passed);
        }
        let Self { search, ways, prices, .. } = self;
        for &way in &ways.of(passed.need)[..its.near as usize] {
            let distance = passed.base + C::from(way.cost) + prices[way.store as usize];
            search.reach(way.store, distance, passed.step(way), limit);
        }
    }

    /// Moves the border of those needs whose far ways may be the next.
    pub(super) fn look_further(&mut self, limit: C) {
        let horizon = std::mem::replace(&mut self.search.horizon, C::FAR);
        let mut all = std::mem::take(&mut self.search.passed);
        let Self { search, needs, ways, prices, .. } = self;
        all.retain(|&passed| {
            let its = &mut needs[passed.need as usize];
            if passed.base + its.floor <= horizon {
                let most = horizon - passed.base + C::from(MARGIN);
                // Its near ways have been looked at already, and remain near ones.
                let known = its.near as usize;
                let (more, floor) =
                    part(&mut ways.of_mut(passed.need)[known..], prices, most, |way, cost| {
                        search.reach(way.store, passed.base + cost, passed.step(way), limit);
                    });
                (its.near, its.floor) = (its.near + more, floor);
            }
            let far = passed.base + its.floor;
            search.horizon = search.horizon.min(far);
            far < limit
        });
        search.passed = all;
    }
}

/// Puts the ways that cost at most so much first, and calls `near` with each; returns how many they are, and the floor of
/// the others.
#[inline]
fn part<C: Cost>(ways: &mut [Way], prices: &[C], most: C, mut near: impl FnMut(Way, C)) -> (u32, C) {
    let (mut border, mut floor) = (0, C::FAR);
    for at in 0..ways.len() {
        let way = ways[at];
        let cost = C::from(way.cost) + prices[way.store as usize];
        if cost <= most {
            ways.swap(at, border);
            border += 1;
            near(way, cost);
        } else {
            floor = floor.min(cost);
        }
    }
    (position(border), floor)
}

/// What events change.
impl<C: Cost> State<C> {
    /// The ways of a need, in no particular order.
    pub(in crate::matching::network) fn ways_of(&self, need: u32) -> &[Way] {
        self.ways.of(need)
    }

    /// Gives a need one more way.
    pub(in crate::matching::network) fn add_way(&mut self, need: u32, arc: Arc) {
        let Arc { store, cost } = arc;
        let slot = self.wants.add(store, Wanted { need, cost });
        self.ways.push(need, Way { store, cost, slot });
        self.lower_floor(need, cost, store);
    }

    /// Takes all ways from a need.
    pub(in crate::matching::network) fn drop_ways(&mut self, need: u32) {
        for way in self.ways.of(need) {
            self.wants.remove(way.store, way.slot);
        }
        self.ways.clear(need);
        let its = &mut self.needs[need as usize];
        (its.near, its.floor) = (0, C::FAR);
    }

    /// Takes their ways to a store from all needs.
    pub(in crate::matching::network) fn drop_ways_to(&mut self, store: u32) {
        for wanted in self.wants.of(store) {
            let ways = self.ways.of(wanted.need);
            if let Some(at) = ways.iter().position(|way| way.store == store) {
                self.ways.swap_remove(wanted.need, position(at));
            }
            // Whatever way has taken its place may be a far one.
            let its = &mut self.needs[wanted.need as usize];
            (its.near, its.floor) = (0, C::default() - C::FAR);
        }
        self.wants.clear(store);
    }

    /// Enters a need's ways among those who want their stores.
    pub(super) fn enter_ways(&mut self, need: u32) {
        for way in self.ways.of_mut(need) {
            way.slot = self.wants.add(way.store, Wanted { need, cost: way.cost });
        }
    }

    /// Sees to it that a way that has become cheaper is above the floor of its need's far ones.
    pub(super) fn lower_floor(&mut self, need: u32, cost: u32, store: u32) {
        let floor = &mut self.needs[need as usize].floor;
        *floor = (*floor).min(C::from(cost) + self.prices[store as usize]);
    }
}

impl<C> Passed<C> {
    fn step(&self, way: Way) -> Step {
        match self.holding {
            NONE => Step::Take { cost: way.cost },
            holding => Step::Move { holding, to: way.store, cost: way.cost },
        }
    }
}
