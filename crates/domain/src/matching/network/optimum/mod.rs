//! A best plan that is kept best while needs and units come and go.
//!
//! The plan is held together with prices that prove it (see [`certify`](super::certify)). An event first changes the
//! plan in the least way that leaves the prices right but for one unit that is owed or left over; then one search
//! along the shortest chain of moves finds where that unit comes from or goes to, and moves the prices of the stores
//! that it passed. So an event costs about as much as the part of the region that it changes.

mod events;

use super::scale::Scale;
use super::state::State;
use super::{Demand, Network, Price, Solution, Store, level, position};

/// A best plan of a network that changes.
///
/// Needs and stores are known by the numbers that [`add_need`](Self::add_need) and [`add_store`](Self::add_store)
/// return; a number stays until its need or store is removed, and is then given to another. The needs and stores of the
/// network that the optimum was made of have their positions there.
///
/// Numbers that name nothing are ignored by every event.
#[derive(Clone, Debug)]
pub struct Optimum {
    state: State<i128>,
    /// Of the needs, by number; `None` for one that is free.
    classes: Vec<Option<u64>>,
    /// Whether each store exists.
    stores: Vec<bool>,
    free_stores: Vec<u32>,
    free_needs: Vec<u32>,
}

/// What a unit of a class is worth.
fn worth(class: u64) -> i128 {
    Scale::WIDEST.cost(Price { level: level(class), points: 0 })
}

impl Optimum {
    /// Solves a network and keeps its plan.
    pub fn new(network: &Network) -> Self {
        Self::from_solution(network, &network.solve())
    }

    /// Keeps the plan that a network was solved with.
    pub fn from_solution(network: &Network, solution: &Solution) -> Self {
        let mut optimum = Self::unsolved(network);
        optimum.adopt(network, solution);
        optimum
    }

    /// The units that a need has, by store, in no particular order; nothing for a number that names none.
    pub fn flows_of(&self, need: u32) -> impl Iterator<Item = (u32, i64)> + '_ {
        let its = (need < position(self.state.needs.len())).then(|| self.state.held_by(need));
        its.into_iter().flatten().map(|held| (held.store, held.units))
    }

    /// The units that a need asks for and does not get.
    pub fn unserved(&self, need: u32) -> i64 {
        self.state.needs.get(need as usize).map_or(0, |its| its.units - its.served)
    }

    /// The units that may be taken from a store; 0 for a number that names none.
    pub fn room(&self, store: u32) -> i64 {
        self.state.stores.get(store as usize).map_or(0, |its| its.room)
    }

    /// The units taken from a store and from the stores inside it.
    pub fn taken(&self, store: u32) -> i64 {
        self.state.stores.get(store as usize).map_or(0, |its| its.taken)
    }

    /// Returns the needs whose units changed since this was last called, in order, each once.
    pub fn take_touched(&mut self) -> Vec<u32> {
        let mut touched = std::mem::take(&mut self.state.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// The network as it is now, with needs and stores at the positions of their numbers; a number that is free is a
    /// store without room or a need of no units.
    pub fn network(&self) -> Network {
        let mut network = Network::new(self.state.stores.iter().map(Store::from).collect());
        for (its, need) in self.state.needs.iter().zip(0..) {
            let arcs = self.state.ways_of(need).iter().copied();
            let class = self.classes[need as usize].unwrap_or_default();
            network.add(Demand { units: its.units, class }, arcs);
        }
        network
    }

    /// The plan with the prices that prove it.
    pub fn solution(&self) -> Solution {
        let mut solution = Solution::default();
        for need in 0..position(self.state.needs.len()) {
            let from = solution.flows.len();
            let flows = self.flows_of(need).map(|(store, units)| super::Flow { need, store, units });
            solution.flows.extend(flows);
            solution.flows[from..].sort_unstable();
        }
        solution.prices = self.state.prices.iter().map(|&price| Scale::WIDEST.price(price)).collect();
        solution
    }

    /// A network whose needs have nothing yet.
    fn unsolved(network: &Network) -> Self {
        let mut state = State::new(network.stores.iter().copied());
        state.reserve(network.demands().len(), network.arc_count());
        for (need, demand) in network.demands().iter().enumerate() {
            state.add_need(demand.units, worth(demand.class), network.arcs_of(need).iter().copied());
        }
        Self {
            state,
            classes: network.demands().iter().map(|demand| Some(demand.class)).collect(),
            stores: vec![true; network.stores.len()],
            free_stores: Vec::new(),
            free_needs: Vec::new(),
        }
    }

    /// Takes over a plan and its prices.
    fn adopt(&mut self, network: &Network, solution: &Solution) {
        for (price, its) in self.state.prices.iter_mut().zip(&solution.prices) {
            *price = Scale::WIDEST.cost(*its);
        }
        for flow in &solution.flows {
            let arc = network.arcs_of(flow.need as usize).iter().find(|arc| arc.store == flow.store);
            if let Some(arc) = arc {
                self.state.give(flow.need, flow.store, arc.cost, flow.units);
                self.state.take_along(flow.store, flow.units);
            }
        }
        self.state.keep_for_events();
    }
}

#[cfg(test)]
mod tests;
