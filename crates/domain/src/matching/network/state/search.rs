//! What both searches share: distances, the queue of stores, and the chain found.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::cost::Cost;

/// One move of a chain; each takes a unit from one store to another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The chain starts here.
    Start,
    /// The need that looks for a unit takes it at this cost.
    Take { cost: u32 },
    /// A need gives back a unit that it holds and takes one of this store, at this cost.
    Move { holding: u32, to: u32, cost: u32 },
    /// A unit more is taken from this store, and so from the one around it.
    Out { child: u32 },
    /// A unit less is taken from this store, so that the one around it has one for others.
    In { child: u32 },
}

/// What a search does next.
pub(super) enum Next<C> {
    /// Look at this store, which lies so far.
    Store(u32, C),
    /// Look at the far ways of some needs before anything further away.
    Further,
    /// Nothing lies nearer than the limit.
    Nothing,
}

/// A need that was passed, whose far ways have not been looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed<C> {
    pub(super) need: u32,
    /// How far a store lies by this need, less its price and what it costs the need.
    pub(super) base: C,
    /// The holding from which a unit would move; [`NONE`](crate::matching::network::NONE) for the need that looks for one.
    pub(super) holding: u32,
}

/// The working memory of a search, kept so that a search costs only what it touches.
#[derive(Clone, Debug, Default)]
pub(super) struct Search<C> {
    pub(super) distance: Vec<C>,
    pub(super) step: Vec<Step>,
    pub(super) seen: Vec<u32>,
    /// Stores as near as the one looked at last: most chains cost nothing above the prices and need no other queue.
    here: Vec<u32>,
    queue: BinaryHeap<Reverse<(C, u32)>>,
    level: C,
    pub(super) passed: Vec<Passed<C>>,
    /// Where the nearest way that has not been looked at may lie.
    pub(super) horizon: C,
    /// The round in which each need was last looked at.
    looked_at: Vec<u32>,
    round: u32,
}

impl<C: Cost> Search<C> {
    /// Makes room for so many stores and needs.
    pub(super) fn fit(&mut self, stores: usize, needs: usize) {
        self.distance.resize(stores, C::FAR);
        self.step.resize(stores, Step::Start);
        self.looked_at.resize(needs, 0);
    }

    pub(super) fn begin(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.looked_at.fill(0);
            self.round = 1;
        }
        self.here.clear();
        self.queue.clear();
        self.passed.clear();
        self.horizon = C::FAR;
        self.level = C::default();
    }

    /// Notes a chain to a store unless a shorter one is known or none that long is wanted.
    #[inline(always)]
    pub(super) fn reach(&mut self, store: u32, distance: C, step: Step, limit: C) {
        // Most chains are not the shortest: only this much is worth a place in every loop.
        if distance < limit && distance < self.distance[store as usize] {
            self.enter(store, distance, step);
        }
    }

    #[inline(never)]
    fn enter(&mut self, store: u32, distance: C, step: Step) {
        debug_assert!(distance >= self.level, "the prices do not prove the plan: a chain gets shorter");
        let known = std::mem::replace(&mut self.distance[store as usize], distance);
        if known == C::FAR {
            self.seen.push(store);
        }
        self.step[store as usize] = step;
        if distance == self.level {
            self.here.push(store);
        } else {
            self.queue.push(Reverse((distance, store)));
        }
    }

    /// The nearest store not looked at yet, if it is nearer than the limit.
    #[inline]
    pub(super) fn next(&mut self, limit: C) -> Next<C> {
        if let Some(store) = self.here.pop() {
            return if self.level < limit { Next::Store(store, self.level) } else { Next::Nothing };
        }
        while let Some(&Reverse((distance, store))) = self.queue.peek() {
            if distance > self.distance[store as usize] {
                self.queue.pop();
                continue;
            }
            if self.horizon <= distance {
                break;
            }
            if distance >= limit {
                return Next::Nothing;
            }
            self.queue.pop();
            self.level = distance;
            return Next::Store(store, distance);
        }
        if self.horizon < limit { Next::Further } else { Next::Nothing }
    }

    /// Says whether a need is looked at for the first time in this search.
    #[inline]
    pub(super) fn is_new(&mut self, need: u32) -> bool {
        std::mem::replace(&mut self.looked_at[need as usize], self.round) != self.round
    }

    /// Says that no search has left anything behind.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self) -> bool {
        self.seen.is_empty() && self.distance.iter().all(|&it| it == C::FAR)
    }
}
