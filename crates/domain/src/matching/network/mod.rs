//! The exact best plan for unit needs (beds, slots, places, staff, equipment).
//!
//! Needs of a class take units from *stores*: pools of equal offers, which may lie inside a store that limits
//! several pools together (a trust's free units above its reserve), which may lie inside one whose units grow dearer
//! (a trust's fair share). What a set of stores can serve is a matroid, so the plan that serves the first class
//! best, then the second, and so on, also serves as many units as any plan can; among those plans this module finds
//! one of the least total cost. It knows nothing of trusts, patients or time: only integers.

mod bend;
mod bulk;
mod certify;
mod optimum;
pub(crate) mod residual;
mod scale;
mod state;

pub use certify::{Flaw, certify};
pub use optimum::Optimum;

/// A position that no need or store can have.
pub(crate) const NONE: u32 = u32::MAX;

/// A position as the arrays keep it: there is no memory for more than [`NONE`] of anything.
pub(crate) fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}

/// Holds some equal units that needs can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// The store that this one lies in, by its position; `None` for one that lies in no other.
    pub parent: Option<u32>,
    /// Units that can be taken from it and from all stores inside it together; never negative.
    pub room: i64,
    /// What its later units cost more. Only looked at where there is no parent.
    pub fairness: Option<Fairness>,
}

/// The most that fairness can make a unit dearer, in points.
pub const DEAREST: i64 = 1 << 61;

/// Makes the units of a store dearer the more are taken: the k-th unit beyond the allowance costs `step × k` points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fairness {
    /// Units that cost nothing more; never negative.
    pub allowance: i64,
    /// Points by which each further unit is dearer than the one before; never negative.
    pub step: i64,
}

impl Fairness {
    /// What the n-th unit (n = 1, 2, …) costs more, in points; at most [`DEAREST`].
    pub fn of_unit(self, n: i64) -> i64 {
        self.step.saturating_mul(n.saturating_sub(self.allowance).max(0)).min(DEAREST)
    }

    /// What the first n units cost more together, in points; at most `i64::MAX`.
    pub fn of_units(self, n: i64) -> i64 {
        let beyond = i128::from(n.saturating_sub(self.allowance).max(0));
        if self.step == 0 || beyond == 0 {
            return 0;
        }
        // Units beyond these cost no more than the last of them.
        let rising = beyond.min(i128::from(DEAREST / self.step));
        let all = i128::from(self.step) * rising * (rising + 1) / 2 + i128::from(DEAREST) * (beyond - rising);
        i64::try_from(all).unwrap_or(i64::MAX)
    }
}

/// Asks for some units of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Units asked for; never negative.
    pub units: i64,
    /// The class: the smaller, the earlier it is served. Classes are compared, never counted, so that there may be any
    /// gaps between them; at most [`LAST_CLASS`].
    pub class: u64,
}

/// A store that may serve a need, and what one unit from there costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arc {
    /// The store, by its position. It holds no other store.
    pub store: u32,
    /// Points for each unit.
    pub cost: u32,
}

/// Says who may be served from where, at what cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The stores; a parent may stand anywhere in the list.
    pub stores: Vec<Store>,
    demands: Vec<Demand>,
    starts: Vec<u32>,
    arcs: Vec<Arc>,
}

impl Network {
    /// Returns a network of these stores that nobody needs yet.
    pub fn new(stores: Vec<Store>) -> Self {
        Self { stores, demands: Vec::new(), starts: vec![0], arcs: Vec::new() }
    }

    /// Adds a need with the stores that may serve it and returns its position. A store must not be named twice.
    pub fn add(&mut self, demand: Demand, arcs: impl IntoIterator<Item = Arc>) -> usize {
        self.arcs.extend(arcs);
        self.starts.push(position(self.arcs.len()));
        self.demands.push(demand);
        self.demands.len() - 1
    }

    /// The needs, in the order in which they were added.
    pub fn demands(&self) -> &[Demand] {
        &self.demands
    }

    /// The stores that may serve a need.
    pub fn arcs_of(&self, need: usize) -> &[Arc] {
        &self.arcs[self.starts[need] as usize..self.starts[need + 1] as usize]
    }

    /// The number of pairs of a need and a store that may serve it.
    pub fn arc_count(&self) -> usize {
        self.arcs.len()
    }

    /// Returns the best plan: lexicographically most units by class, then the least total cost.
    ///
    /// The same network gives the same plan. Components that share no store are solved in parallel.
    pub fn solve(&self) -> Solution {
        bend::solve(self)
    }

    /// Units that all needs ask for together.
    fn wanted(&self) -> i64 {
        self.demands.iter().fold(0, |sum, demand| sum.saturating_add(demand.units))
    }
}

/// Some units of one store given to one need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The need, by its position.
    pub need: u32,
    /// The store, by its position.
    pub store: u32,
    /// Units, at least 1.
    pub units: i64,
}

/// What a unit of a store is worth to those who did not get it: first whether (and to which level of need) it is
/// sold out, then points. Compared in that order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price {
    /// 0 while the plan can still get a unit here by moving others; else the level of the best class that goes
    /// unserved for want of one (see [`level`]).
    pub level: i64,
    /// Points on top.
    pub points: i64,
}

/// The last class that there can be; any beyond counts as this one.
pub const LAST_CLASS: u64 = (1 << 56) - 1;

/// The level of a class: greater for earlier classes, at least 1 and at most 2^56.
pub fn level(class: u64) -> i64 {
    i64::try_from(LAST_CLASS - class.min(LAST_CLASS)).map_or(i64::MAX, |behind| behind + 1)
}

/// A plan with the prices that prove that there is no better one (see [`certify`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Solution {
    /// Who gets what, by need and then store.
    pub flows: Vec<Flow>,
    /// The price of each store, by its position.
    pub prices: Vec<Price>,
}

impl Solution {
    /// Total cost of the plan in points, with what its stores' later units cost more; at most `i64::MAX`.
    pub fn cost(&self, network: &Network) -> i64 {
        let mut taken = vec![0i64; network.stores.len()];
        let mut cost = 0i64;
        for flow in &self.flows {
            let arcs = network.arcs_of(flow.need as usize);
            let each = arcs.iter().find(|a| a.store == flow.store).map_or(0, |a| i64::from(a.cost));
            cost = cost.saturating_add(each.saturating_mul(flow.units));
            let mut store = Some(flow.store);
            while let Some(at) = store {
                taken[at as usize] += flow.units;
                store = network.stores[at as usize].parent;
            }
        }
        for (store, taken) in network.stores.iter().zip(taken) {
            if let (None, Some(fairness)) = (store.parent, store.fairness) {
                cost = cost.saturating_add(fairness.of_units(taken));
            }
        }
        cost
    }
}

#[cfg(test)]
mod tests;
