//! The best plan of a network as it stands, from which single changes are tried without solving everything again.

mod lists;
mod search;
mod trial;

use super::{Flow, Network, Price, level, position};
use lists::Lists;
pub(crate) use trial::{Added, Changed, Trial};

/// Levels and points in one ordered number: a level outweighs any points.
type Cost = i128;

/// Points lie below this bit of a [`Cost`]; no sum of points comes near it.
const LEVEL_BIT: u32 = 64;

fn cost_of(price: Price) -> Cost {
    (Cost::from(price.level) << LEVEL_BIT) + Cost::from(price.points)
}

/// What it costs that a unit of a class goes unserved.
fn unserved(class: u64) -> Cost {
    Cost::from(level(class)) << LEVEL_BIT
}

/// A best plan of a network, seen from the stores and from the needs.
pub(crate) struct Residual<'a> {
    network: &'a Network,
    /// What one more unit of each store, or one more unit served of each need, is worth by the plan's proof.
    prices: Vec<Cost>,
    worths: Vec<Cost>,
    taken: Vec<i64>,
    served: Vec<i64>,
    /// The needs that have units of each pool, and how many; and the other way round.
    takers: Lists<(u32, i64)>,
    holdings: Lists<(u32, i64)>,
    children: Lists<u32>,
    /// The needs that may use each pool, and at what cost.
    askers: Lists<(u32, u32)>,
    /// Where a spare unit can be reached by moving others, nobody losing any.
    open: Vec<bool>,
}

impl<'a> Residual<'a> {
    /// Looks at a best plan with the prices that prove it. Cost: one reading of all arcs.
    pub(crate) fn new(network: &'a Network, flows: &[Flow], price: impl Fn(u32) -> Price) -> Self {
        let (stores, needs) = (network.stores.len(), network.demands().len());
        let prices: Vec<Cost> = (0..position(stores)).map(|store| cost_of(price(store))).collect();
        let (mut taken, mut served) = (vec![0; stores], vec![0; needs]);
        for flow in flows {
            served[flow.need as usize] += flow.units;
            let mut at = Some(flow.store);
            while let Some(store) = at {
                taken[store as usize] += flow.units;
                at = network.stores[store as usize].parent;
            }
        }
        let worth = |need: usize| {
            let arcs = network.arcs_of(need).iter();
            let cheapest = arcs.map(|arc| prices[arc.store as usize] + Cost::from(arc.cost)).min();
            let none = unserved(network.demands()[need].class);
            cheapest.map_or(none, |cheapest| cheapest.min(none))
        };
        let inside = (0..position(stores)).filter_map(|at| {
            let parent = network.stores[at as usize].parent?;
            Some((parent, at))
        });
        let asking = (0..needs).flat_map(|need| {
            network.arcs_of(need).iter().map(move |arc| (arc.store, (position(need), arc.cost)))
        });
        let mut residual = Self {
            network,
            worths: (0..needs).map(worth).collect(),
            prices,
            taken,
            served,
            takers: Lists::new(stores, flows.iter().map(|flow| (flow.store, (flow.need, flow.units)))),
            holdings: Lists::new(needs, flows.iter().map(|flow| (flow.need, (flow.store, flow.units)))),
            children: Lists::new(stores, inside),
            askers: Lists::new(stores, asking),
            open: vec![false; stores],
        };
        residual.find_open();
        residual
    }

    /// Goes back from the outermost stores with spare units to all stores whose holders could move there.
    fn find_open(&mut self) {
        let mut seen = vec![false; self.network.demands().len()];
        let is_spare = |at: &u32| {
            let store = &self.network.stores[*at as usize];
            store.parent.is_none() && self.taken[*at as usize] < store.room
        };
        let mut next: Vec<u32> = (0..position(self.network.stores.len())).filter(is_spare).collect();
        while let Some(store) = next.pop() {
            if std::mem::replace(&mut self.open[store as usize], true) {
                continue;
            }
            let has_room =
                |child: &&u32| self.taken[**child as usize] < self.network.stores[**child as usize].room;
            next.extend(self.children.of(store).iter().filter(has_room));
            // A trust that could take more elsewhere may take one less here.
            let parent = self.network.stores[store as usize].parent;
            next.extend(parent.filter(|_| self.taken[store as usize] > 0));
            for &(need, _) in self.askers.of(store) {
                if !std::mem::replace(&mut seen[need as usize], true) {
                    next.extend(self.holdings.of(need).iter().map(|(held, _)| held));
                }
            }
        }
    }

    /// Units taken from a store.
    pub(crate) fn taken(&self, store: u32) -> i64 {
        self.taken[store as usize]
    }

    /// Units that could still be taken from a store, whatever it lies in.
    pub(crate) fn spare(&self, store: u32) -> i64 {
        self.network.stores[store as usize].room - self.taken[store as usize]
    }

    /// Units that the plan serves of a need.
    pub(crate) fn served(&self, need: u32) -> i64 {
        self.served[need as usize]
    }

    /// What it costs that a unit of a need goes unserved.
    pub(crate) fn unserved(&self, need: u32) -> i128 {
        unserved(self.network.demands()[need as usize].class)
    }

    /// The needs that have units of a store or of any store inside it.
    pub(crate) fn takers(&self, store: u32) -> Vec<u32> {
        let mut inside = vec![store];
        let mut takers = Vec::new();
        while let Some(store) = inside.pop() {
            inside.extend(self.children.of(store));
            takers.extend(self.takers.of(store).iter().map(|(need, _)| need));
        }
        takers
    }

    /// Says whether a need that could use a store would get a unit without anybody losing one.
    pub(crate) fn is_open(&self, store: u32) -> bool {
        self.open[store as usize]
    }

    /// Says whether one more unit of a store, and of what it lies in, could serve a need of the class. The prices tell: a unit
    /// that is worth less than one served of that class to all who go without would not be given to it.
    pub(crate) fn could_serve(&self, store: u32, class: u64) -> bool {
        let mut at = Some(store);
        let mut best = Cost::MIN;
        while let Some(store) = at {
            best = best.max(self.prices[store as usize]);
            at = self.network.stores[store as usize].parent;
        }
        // The points of a price may be below zero, which takes one off its level.
        best >> LEVEL_BIT >= Cost::from(level(class)) - 1
    }

    fn children_of(&self, store: u32) -> &[u32] {
        self.children.get(store)
    }

    fn takers_of(&self, store: u32) -> &[(u32, i64)] {
        self.takers.get(store)
    }

    fn askers_of(&self, store: u32) -> &[(u32, u32)] {
        self.askers.get(store)
    }

    /// Starts to try a change.
    pub(crate) fn trial(&self) -> Trial<'_, 'a> {
        Trial::new(self, Changed::default())
    }

    /// Goes on with a change that was tried on this plan before.
    pub(crate) fn again(&self, changed: Changed) -> Trial<'_, 'a> {
        Trial::new(self, changed)
    }
}

#[cfg(test)]
mod tests;
