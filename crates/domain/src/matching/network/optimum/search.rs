//! What both searches share: costs, distances and the chain found.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::Price;

/// A price as one number, so that costs add up and compare at once: level times 2^64, plus points.
///
/// A chain passes each store once at less than 2^33 points, so that points stay below 2^63 and never reach the level.
pub(super) type Cost = i128;

pub(super) const UNSEEN: Cost = Cost::MAX;

pub(super) fn cost(price: Price) -> Cost {
    (Cost::from(price.level) << 64) + Cost::from(price.points)
}

pub(super) fn price(cost: Cost) -> Price {
    let level = (cost + (1 << 63)) >> 64;
    let points = cost - (level << 64);
    Price {
        level: i64::try_from(level).unwrap_or(i64::MAX),
        points: i64::try_from(points).unwrap_or(i64::MAX),
    }
}

/// One move of a chain; each takes a unit from one store to another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The chain starts here.
    Start,
    /// The need that looks for a unit takes it by this way.
    Take { way: u32 },
    /// A need gives back a unit of one store and takes one of another.
    Move { need: u32, from: u32, to: u32 },
    /// A unit more is taken from this store, and so from the one around it.
    Out { child: u32 },
    /// A unit less is taken from this store, so that the one around it has one for others.
    In { child: u32 },
}

/// The working memory of a search, kept so that a search costs only what it touches.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    pub(super) distance: Vec<Cost>,
    pub(super) step: Vec<Step>,
    pub(super) seen: Vec<u32>,
    pub(super) heap: BinaryHeap<Reverse<(Cost, u32)>>,
    /// The round in which each need was last looked at.
    pub(super) moved: Vec<u64>,
    pub(super) round: u64,
}

impl Search {
    pub(super) fn new(stores: usize, needs: usize) -> Self {
        let mut search = Self::default();
        search.fit(stores, needs);
        search
    }

    /// Makes room for so many stores and needs.
    pub(super) fn fit(&mut self, stores: usize, needs: usize) {
        self.distance.resize(stores, UNSEEN);
        self.step.resize(stores, Step::Start);
        self.moved.resize(needs, 0);
    }

    pub(super) fn begin(&mut self) {
        self.round += 1;
        self.heap.clear();
    }

    /// Notes a chain to a store unless a shorter one is known or none that long is wanted.
    pub(super) fn reach(&mut self, store: u32, distance: Cost, step: Step, limit: Cost) {
        let known = &mut self.distance[store as usize];
        if distance < limit && distance < *known {
            if *known == UNSEEN {
                self.seen.push(store);
            }
            *known = distance;
            self.step[store as usize] = step;
            self.heap.push(Reverse((distance, store)));
        }
    }

    /// The nearest store not looked at yet, if it is nearer than the limit.
    pub(super) fn next(&mut self, limit: Cost) -> Option<(u32, Cost)> {
        while let Some(Reverse((distance, store))) = self.heap.pop() {
            if distance >= limit {
                return None;
            }
            if distance == self.distance[store as usize] {
                return Some((store, distance));
            }
        }
        None
    }

    /// Says whether a need is looked at for the first time in this search.
    pub(super) fn is_new(&mut self, need: u32) -> bool {
        std::mem::replace(&mut self.moved[need as usize], self.round) != self.round
    }
}
