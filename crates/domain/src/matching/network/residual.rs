//! What could still be moved in a plan: whether a spare unit, or a given store, can be reached from some stores.

use std::collections::{HashMap, VecDeque};

use super::{Flow, Network};

/// A plan's flows, seen from the stores.
pub(crate) struct Residual<'a> {
    network: &'a Network,
    taken: Vec<i64>,
    held: Vec<Vec<u32>>,
    children: HashMap<u32, Vec<u32>>,
    /// The needs that have units of any pool inside a store that holds others.
    inside: HashMap<u32, Vec<u32>>,
}

impl<'a> Residual<'a> {
    pub(crate) fn new(network: &'a Network, flows: &[Flow]) -> Self {
        let mut residual = Self {
            network,
            taken: vec![0; network.stores.len()],
            held: vec![Vec::new(); network.stores.len()],
            children: HashMap::new(),
            inside: HashMap::new(),
        };
        for flow in flows {
            residual.held[flow.store as usize].push(flow.need);
            let mut at = Some(flow.store);
            while let Some(store) = at {
                residual.taken[store as usize] += flow.units;
                if store != flow.store {
                    residual.inside.entry(store).or_default().push(flow.need);
                }
                at = network.stores[store as usize].parent;
            }
        }
        for (child, store) in network.stores.iter().enumerate() {
            if let Some(parent) = store.parent {
                residual.children.entry(parent).or_default().push(super::position(child));
            }
        }
        residual
    }

    /// Units taken from a store.
    pub(crate) fn taken(&self, store: u32) -> i64 {
        self.taken[store as usize]
    }

    /// The needs that have units of a pool.
    pub(crate) fn takers(&self, store: u32) -> &[u32] {
        &self.held[store as usize]
    }

    /// The needs that have units of a store or of any store inside it.
    pub(crate) fn takers_inside(&self, store: u32) -> &[u32] {
        self.inside.get(&store).map_or_else(|| self.takers(store), Vec::as_slice)
    }

    /// Says whether a need that could use one of these stores would get a unit without anybody losing one.
    pub(crate) fn reaches_a_spare_unit(&self, from: impl IntoIterator<Item = u32>) -> bool {
        self.search(from, |residual, store| {
            let this = &residual.network.stores[store as usize];
            this.parent.is_none() && residual.taken(store) < this.room
        })
    }

    /// Says whether one more unit of the store would serve a need that can use one of the stores to start from.
    pub(crate) fn reaches(&self, from: impl IntoIterator<Item = u32>, goal: u32) -> bool {
        self.search(from, |_, store| store == goal)
    }

    fn search(&self, from: impl IntoIterator<Item = u32>, is_goal: impl Fn(&Self, u32) -> bool) -> bool {
        let mut seen = vec![false; self.network.stores.len()];
        let mut moved = vec![false; self.network.demands().len()];
        let mut open: VecDeque<u32> = from.into_iter().collect();
        while let Some(store) = open.pop_front() {
            if std::mem::replace(&mut seen[store as usize], true) {
                continue;
            }
            if is_goal(self, store) {
                return true;
            }
            let this = &self.network.stores[store as usize];
            if let Some(parent) = this.parent.filter(|_| self.taken(store) < this.room) {
                open.push_back(parent);
            }
            let inside = self.children.get(&store).into_iter().flatten();
            open.extend(inside.filter(|&&child| self.taken(child) > 0));
            for &need in self.takers(store) {
                if !std::mem::replace(&mut moved[need as usize], true) {
                    open.extend(self.network.arcs_of(need as usize).iter().map(|arc| arc.store));
                }
            }
        }
        false
    }
}
