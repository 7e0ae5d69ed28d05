//! Splits a network into parts that share no store, solves each by itself and puts the plans together.

use super::paths::{Part, PartSolution};
use super::{NONE, Network, Price, Solution, position};
use rayon::prelude::*;

pub(super) fn solve(network: &Network) -> Solution {
    let parts = split(network);
    let solved: Vec<PartSolution> = parts.par_iter().map(Part::solve).collect();
    let mut solution = Solution { flows: Vec::new(), prices: vec![Price::default(); network.stores.len()] };
    solution.flows.reserve(solved.iter().map(|s| s.flows.len()).sum());
    for (part, solved) in parts.iter().zip(solved) {
        for mut flow in solved.flows {
            flow.need = part.needs[flow.need as usize];
            flow.store = part.stores[flow.store as usize];
            solution.flows.push(flow);
        }
        for (store, price) in part.stores.iter().zip(solved.prices) {
            solution.prices[*store as usize] = price;
        }
    }
    solution.flows.sort_unstable();
    solution
}

/// Returns the parts, the one with most arcs first, each with its needs in order of class.
fn split(network: &Network) -> Vec<Part> {
    let mut sets = Sets::new(network.stores.len());
    for (at, store) in network.stores.iter().enumerate() {
        if let Some(parent) = store.parent {
            sets.join(position(at), parent);
        }
    }
    for need in 0..network.demands.len() {
        if let [first, rest @ ..] = network.arcs_of(need) {
            for arc in rest {
                sets.join(first.store, arc.store);
            }
        }
    }

    let mut part_of_root = vec![NONE; network.stores.len()];
    let mut place = vec![NONE; network.stores.len()];
    let mut parts: Vec<Part> = Vec::new();
    for at in 0..position(network.stores.len()) {
        let root = sets.root(at) as usize;
        if part_of_root[root] == NONE {
            part_of_root[root] = position(parts.len());
            parts.push(Part::default());
        }
        let part = &mut parts[part_of_root[root] as usize];
        place[at as usize] = position(part.stores.len());
        part.stores.push(at);
    }

    let mut order: Vec<u32> = (0..position(network.demands.len())).collect();
    order.sort_by_key(|&need| network.demands[need as usize].class);
    for need in order {
        let arcs = network.arcs_of(need as usize);
        let Some(first) = arcs.first() else { continue };
        let part = &mut parts[part_of_root[sets.root(first.store) as usize] as usize];
        part.add(need, network.demands[need as usize], arcs, &place);
    }

    parts.retain(|part| !part.needs.is_empty());
    for part in &mut parts {
        part.finish(network, &place);
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.arcs.len()));
    parts
}

/// Disjoint sets of stores.
struct Sets {
    parent: Vec<u32>,
}

impl Sets {
    fn new(count: usize) -> Self {
        Self { parent: (0..position(count)).collect() }
    }

    fn root(&mut self, of: u32) -> u32 {
        let mut at = of;
        while self.parent[at as usize] != at {
            self.parent[at as usize] = self.parent[self.parent[at as usize] as usize];
            at = self.parent[at as usize];
        }
        at
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        // The lower position is the root, so that the parts come in the order of their first stores.
        self.parent[a.max(b) as usize] = a.min(b);
    }
}
