//! A best plan that is kept best while needs and units come and go.
//!
//! The plan is held together with prices that prove it (see [`certify`](super::certify)). An event first changes the
//! plan in the least way that leaves the prices right but for one unit that is owed or left over; then one search
//! along the shortest chain of moves finds where that unit comes from or goes to, and moves the prices of the stores
//! that it passed. So an event costs about as much as the part of the region that it changes.
//!
//! Two kinds of search are enough. [`place`] starts where a unit more is wanted and looks for the cheapest spare unit,
//! moving others on the way; [`refill`] starts at a unit that came free and looks back for who gains most by it.

mod events;
mod place;
mod plan;
mod refill;
mod search;

use super::{Arc, Demand, Fairness, NONE, Network, Price, Solution, Store, level, position};
use search::{Cost, Search};

/// A best plan of a network that changes.
///
/// Needs and stores are known by the numbers that [`add_need`](Self::add_need) and [`add_store`](Self::add_store)
/// return; a number stays until its need or store is removed, and is then given to another. The needs and stores of the
/// network that the optimum was made of have their positions there.
///
/// Numbers that name nothing are ignored by every event.
#[derive(Clone, Debug)]
pub struct Optimum {
    stores: Vec<Shelf>,
    needs: Vec<Asking>,
    free_stores: Vec<u32>,
    free_needs: Vec<u32>,
    /// Needs whose units changed since somebody last asked.
    touched: Vec<u32>,
    search: Search,
}

/// A store as it stands in the plan.
#[derive(Clone, Debug, Default)]
struct Shelf {
    exists: bool,
    parent: Option<u32>,
    room: i64,
    fairness: Option<Fairness>,
    /// Units taken from it and from the stores inside it.
    taken: i64,
    price: Cost,
    children: Vec<u32>,
    /// Who may take from it: a need and the place of its arc.
    wanted: Vec<(u32, u32)>,
    /// Who has units of it: a need and the place of its arc.
    held: Vec<(u32, u32)>,
}

impl Shelf {
    /// What the n-th unit costs more where there is no store around it.
    fn of_unit(&self, n: i64) -> Cost {
        Cost::from(self.fairness.map_or(0, |fairness| fairness.of_unit(n)))
    }

    /// The units that can be taken next before one costs more than the first of them.
    fn at_this_cost(&self) -> i64 {
        let rising = self.fairness.filter(|fairness| fairness.step > 0);
        rising.map_or(i64::MAX, |fairness| (fairness.allowance - self.taken).max(1))
    }
}

/// A need as it stands in the plan.
#[derive(Clone, Debug, Default)]
struct Asking {
    exists: bool,
    units: i64,
    served: i64,
    class: u64,
    /// What one of its units is worth.
    worth: Cost,
    ways: Vec<Way>,
    /// The places among the ways of those by which it has units.
    by: Vec<u32>,
}

/// A store that may serve a need.
#[derive(Clone, Copy, Debug)]
struct Way {
    store: u32,
    cost: u32,
    /// Units that the need has of the store.
    units: i64,
    /// Its place among the store's `wanted`.
    wanted_at: u32,
    /// Its place among the store's `held`; [`NONE`] without units.
    held_at: u32,
}

impl Optimum {
    /// Solves a network and keeps its plan.
    pub fn new(network: &Network) -> Self {
        Self::from_solution(network, &network.solve())
    }

    /// Keeps the plan that a network was solved with.
    pub fn from_solution(network: &Network, solution: &Solution) -> Self {
        let mut optimum = Self::unsolved(network);
        optimum.adopt(solution);
        optimum
    }

    /// The units that a need has, by store, in no particular order; nothing for a number that names none.
    pub fn flows_of(&self, need: u32) -> impl Iterator<Item = (u32, i64)> + '_ {
        let its = self.needs.get(need as usize);
        its.into_iter().flat_map(|its| {
            its.by.iter().map(|&way| (its.ways[way as usize].store, its.ways[way as usize].units))
        })
    }

    /// The units that a need asks for and does not get.
    pub fn unserved(&self, need: u32) -> i64 {
        self.needs.get(need as usize).map_or(0, |its| its.units - its.served)
    }

    /// The units that may be taken from a store; 0 for a number that names none.
    pub fn room(&self, store: u32) -> i64 {
        self.stores.get(store as usize).map_or(0, |its| its.room)
    }

    /// The units taken from a store and from the stores inside it.
    pub fn taken(&self, store: u32) -> i64 {
        self.stores.get(store as usize).map_or(0, |its| its.taken)
    }

    /// Returns the needs whose units changed since this was last called, in order, each once.
    pub fn take_touched(&mut self) -> Vec<u32> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// The network as it is now, with needs and stores at the positions of their numbers; a number that is free is a
    /// store without room or a need of no units.
    pub fn network(&self) -> Network {
        let store = |its: &Shelf| Store { parent: its.parent, room: its.room, fairness: its.fairness };
        let mut network = Network::new(self.stores.iter().map(store).collect());
        for need in &self.needs {
            let arcs = need.ways.iter().map(|way| Arc { store: way.store, cost: way.cost });
            network.add(Demand { units: need.units, class: need.class }, arcs);
        }
        network
    }

    /// The plan with the prices that prove it.
    pub fn solution(&self) -> Solution {
        let mut solution = Solution::default();
        for need in 0..position(self.needs.len()) {
            let from = solution.flows.len();
            let flows = self.flows_of(need).map(|(store, units)| super::Flow { need, store, units });
            solution.flows.extend(flows);
            solution.flows[from..].sort_unstable();
        }
        solution.prices = self.stores.iter().map(|its| search::price(its.price)).collect();
        solution
    }

    /// A network whose needs have nothing yet.
    fn unsolved(network: &Network) -> Self {
        let stores = network.stores.iter().map(|store| Shelf {
            exists: true,
            parent: store.parent,
            room: store.room,
            fairness: store.fairness,
            ..Shelf::default()
        });
        let mut optimum = Self {
            stores: stores.collect(),
            needs: Vec::with_capacity(network.demands().len()),
            free_stores: Vec::new(),
            free_needs: Vec::new(),
            touched: Vec::new(),
            search: Search::new(network.stores.len(), network.demands().len()),
        };
        for (child, store) in network.stores.iter().enumerate() {
            if let Some(parent) = store.parent {
                optimum.stores[parent as usize].children.push(position(child));
            }
        }
        for (need, demand) in network.demands().iter().enumerate() {
            optimum.needs.push(Asking { exists: true, ..Asking::default() });
            optimum.describe(position(need), *demand);
            optimum.connect(position(need), network.arcs_of(need).iter().copied());
        }
        optimum
    }

    /// Takes over a plan and its prices.
    fn adopt(&mut self, solution: &Solution) {
        for (store, price) in self.stores.iter_mut().zip(&solution.prices) {
            store.price = search::cost(*price);
        }
        for flow in &solution.flows {
            let ways = &self.needs[flow.need as usize].ways;
            if let Some(way) = ways.iter().position(|way| way.store == flow.store) {
                self.give(flow.need, position(way), flow.units);
                self.take_along(Some(flow.store), flow.units);
            }
        }
        self.touched.clear();
    }

    fn describe(&mut self, need: u32, demand: Demand) {
        let its = &mut self.needs[need as usize];
        its.units = demand.units;
        its.class = demand.class;
        its.worth = search::cost(Price { level: level(demand.class), points: 0 });
    }
}

#[cfg(test)]
mod tests;
