//! The stores that may serve a need.

use super::search::Step;
use super::wanted::Wanted;
use super::{Cost, Search, State};
use crate::matching::network::{Arc, NONE, position};

/// Ways that cost at most so many points more than what a search looks for are near ones, so that the next need not sort them
/// out again.
const MARGIN: u32 = 3;

impl<C: Cost> State<C> {
    /// What the cheapest unit costs a need.
    pub(in crate::matching::network) fn cheapest(&self, need: u32) -> Option<C> {
        let cost = |way: &Arc| C::from(way.cost) + self.prices[way.store as usize];
        let least = self.ways.of(need).iter().fold(C::FAR, |least, way| least.min(cost(way)));
        (least < C::FAR).then_some(least)
    }

    /// Reaches the stores of a need's ways, as far as they may lie near enough. `base` is how far a store lies by this need, less
    /// its price and what it costs the need; `holding` that from which a unit would move, [`NONE`] for the need that looks for
    /// one.
    #[inline]
    pub(super) fn pass(&mut self, need: u32, base: C, holding: u32) {
        let mut reads_all = false;
        if base + self.needs[need as usize].floor < self.search.limit {
            // Before a spare unit is known, a search would make all ways near ones.
            reads_all = self.search.spare == NONE;
            if !reads_all {
                self.sort_out(need, self.search.limit - base);
            }
        }
        let Self { search, needs, ways, prices, stores, .. } = self;
        let ways = ways.of(need);
        let ways = if reads_all { ways } else { &ways[..needs[need as usize].near as usize] };
        let mut from = 0;
        while let Some(at) = search.shorter(ways, from, base, prices) {
            let Arc { store, cost } = ways[at];
            from = at + 1;
            let step = match holding {
                NONE => Step::Take { cost },
                holding => Step::Move { holding, to: store, cost },
            };
            search.enter_on(store, base + C::from(cost) + prices[store as usize], step, stores, prices);
        }
    }

    /// Lets those of a need's ways be near that cost at most so much, or little more.
    fn sort_out(&mut self, need: u32, most: C) {
        let Self { needs, ways, slots, prices, .. } = self;
        let (ways, most) = (ways.of_mut(need), most + C::from(MARGIN));
        let (near, floor) = if self.has_events {
            let slots = slots.of_mut(need);
            part(ways, prices, most, |a, b| slots.swap(a, b))
        } else {
            part(ways, prices, most, |_, _| {})
        };
        let its = &mut needs[need as usize];
        (its.near, its.floor) = (near, floor);
    }
}

/// Puts the ways that cost at most so much first; returns how many they are, and the floor of the others. `swap` is told which
/// places change.
///
/// Which way is near is not to be foretold: nothing here branches on it.
#[inline]
fn part<C: Cost>(ways: &mut [Arc], prices: &[C], most: C, mut swap: impl FnMut(usize, usize)) -> (u32, C) {
    let (mut border, mut floor) = (0, C::FAR);
    for at in 0..ways.len() {
        let way = ways[at];
        let cost = C::from(way.cost) + prices[way.store as usize];
        let is_near = cost <= most;
        ways[at] = ways[border];
        ways[border] = way;
        swap(at, border);
        border += usize::from(is_near);
        floor = floor.min(if is_near { C::FAR } else { cost });
    }
    (position(border), floor)
}

impl<C: Cost> Search<C> {
    /// The place of the first way, from one on, that makes a chain worth noting.
    ///
    /// Most make none, and which do is not to be foretold: the loop asks one question of each, and what it asks it of stays in
    /// registers.
    #[inline(always)]
    fn shorter(&self, ways: &[Arc], from: usize, base: C, prices: &[C]) -> Option<usize> {
        let (limit, known) = (self.limit, &self.distance[..prices.len()]);
        let mut at = from;
        while let Some(way) = ways.get(at) {
            let store = way.store as usize;
            if base + C::from(way.cost) + prices[store] < known[store].min(limit) {
                return Some(at);
            }
            at += 1;
        }
        None
    }
}

/// What events change.
impl<C: Cost> State<C> {
    /// The ways of a need, in no particular order.
    pub(in crate::matching::network) fn ways_of(&self, need: u32) -> &[Arc] {
        self.ways.of(need)
    }

    /// Gives a need one more way.
    pub(in crate::matching::network) fn add_way(&mut self, need: u32, arc: Arc) {
        let Arc { store, cost } = arc;
        self.ways.push(need, arc);
        self.slots.push(need, self.wants.add(store, Wanted { need, cost }));
        let its = &mut self.needs[need as usize];
        its.floor = its.floor.min(C::from(cost) + self.prices[store as usize]);
    }

    /// Takes all ways from a need.
    pub(in crate::matching::network) fn drop_ways(&mut self, need: u32) {
        for (way, &slot) in self.ways.of(need).iter().zip(self.slots.of(need)) {
            self.wants.remove(way.store, slot);
        }
        self.ways.clear(need);
        self.slots.clear(need);
        let its = &mut self.needs[need as usize];
        (its.near, its.floor) = (0, C::FAR);
    }

    /// Takes their ways to a store from all needs.
    pub(in crate::matching::network) fn drop_ways_to(&mut self, store: u32) {
        for wanted in self.wants.of(store) {
            let ways = self.ways.of(wanted.need);
            if let Some(at) = ways.iter().position(|way| way.store == store) {
                self.ways.swap_remove(wanted.need, position(at));
                self.slots.swap_remove(wanted.need, position(at));
            }
            // Whatever way has taken its place may be a far one.
            let its = &mut self.needs[wanted.need as usize];
            (its.near, its.floor) = (0, C::default() - C::FAR);
        }
        self.wants.clear(store);
    }

    /// Enters a need's ways among those who want their stores.
    pub(super) fn enter_ways(&mut self, need: u32) {
        let Self { ways, slots, wants, .. } = self;
        slots.add(ways.of(need).iter().map(|way| wants.add(way.store, Wanted { need, cost: way.cost })));
    }
}
