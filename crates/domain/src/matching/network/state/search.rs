//! What both searches share: distances, the queue of stores, and the chain found.

use super::Shelf;
use super::cost::Cost;
use super::queue::Queue;
use crate::matching::network::NONE;

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

/// The working memory of a search, kept so that a search costs only what it touches.
#[derive(Clone, Debug, Default)]
pub(super) struct Search<C> {
    pub(super) distance: Vec<C>,
    pub(super) step: Vec<Step>,
    pub(super) seen: Vec<u32>,
    queue: Queue<C>,
    level: C,
    /// How long the shortest chain known is, or the longest that is worth finding.
    pub(super) limit: C,
    /// The store whose spare unit the shortest chain known takes; [`NONE`] where none ends like that.
    pub(super) spare: u32,
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

    pub(super) fn begin(&mut self, limit: C) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.looked_at.fill(0);
            self.round = 1;
        }
        self.queue.clear();
        self.limit = limit;
        self.spare = NONE;
        self.level = C::default();
    }

    /// Says whether a chain is worth noting. Most are not: only this much is worth a place in every loop.
    #[inline(always)]
    pub(super) fn is_shorter(&self, store: u32, distance: C) -> bool {
        distance < self.limit && distance < self.distance[store as usize]
    }

    /// Notes the shortest chain yet to a store.
    #[inline(never)]
    pub(super) fn enter(&mut self, store: u32, distance: C, step: Step) {
        debug_assert!(distance >= self.level, "the prices do not prove the plan: a chain gets shorter");
        let known = std::mem::replace(&mut self.distance[store as usize], distance);
        if known == C::FAR {
            self.seen.push(store);
        }
        self.step[store as usize] = step;
        self.queue.push(distance, store);
    }

    /// Notes a chain that takes one more unit of a store, if it is worth it (see [`enter_on`](Self::enter_on)).
    #[inline(always)]
    pub(super) fn reach_on(&mut self, store: u32, distance: C, step: Step, stores: &[Shelf], prices: &[C]) {
        if self.is_shorter(store, distance) {
            self.enter_on(store, distance, step, stores, prices);
        }
    }

    /// Notes a chain that takes one more unit of a store, and follows it out as far as there is room: a spare unit that has
    /// been reached says at once how far to look.
    #[inline(never)]
    pub(super) fn enter_on(&mut self, store: u32, distance: C, step: Step, stores: &[Shelf], prices: &[C]) {
        self.enter(store, distance, step);
        let its = &stores[store as usize];
        if its.taken >= its.room {
            return;
        }
        let base = distance - prices[store as usize];
        match its.parent {
            NONE => {
                let length = base + C::from(its.of_unit(its.taken + 1));
                debug_assert!(length >= distance, "the prices do not prove the plan: a spare unit is dear");
                if length < self.limit {
                    (self.limit, self.spare) = (length, store);
                }
            }
            parent => {
                let step = Step::Out { child: store };
                self.reach_on(parent, base + prices[parent as usize], step, stores, prices);
            }
        }
    }

    /// The nearest store not looked at yet and how far it lies, if it is nearer than the limit.
    #[inline]
    pub(super) fn next(&mut self) -> Option<(u32, C)> {
        while let Some((distance, store)) = self.queue.pop() {
            if distance >= self.limit {
                return None;
            }
            if distance == self.distance[store as usize] {
                self.level = distance;
                return Some((store, distance));
            }
        }
        None
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
