//! Proves that a plan is best, from its prices alone and without trusting whoever made it.
//!
//! The costs of the problem are pairs (level, points) compared in that order; a unit that goes unserved costs
//! (level of its class, 0). Prices under which every taken unit is at its cheapest and every spare unit is free
//! prove a least total cost, whatever ordered numbers the costs are.

use super::{Network, Price, Solution, level};

/// What is wrong with a plan or its prices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The plan or its prices name something that is not in the network.
    #[error("the plan does not fit the network")]
    Shape,
    /// A need is served from a store that may not serve it, or a negative or zero number of units is named.
    #[error("need {need} may not be served from store {store}")]
    NotAllowed {
        /// The need, by its position.
        need: u32,
        /// The store, by its position.
        store: u32,
    },
    /// A need gets more than it asks for.
    #[error("need {need} gets more than it asks for")]
    TooMuch {
        /// The need, by its position.
        need: usize,
    },
    /// More is taken from a store than it has.
    #[error("store {store} gives more than it has")]
    Overdrawn {
        /// The store, by its position.
        store: usize,
    },
    /// A price shows that another plan could be better: a store is dearer or cheaper than its spare or taken units
    /// allow.
    #[error("the price of store {store} does not fit what is taken from it")]
    Price {
        /// The store, by its position.
        store: usize,
    },
    /// A need is served from a dearer store than it could be, or goes unserved though a unit is worth less.
    #[error("need {need} could be served better")]
    Better {
        /// The need, by its position.
        need: usize,
    },
}

/// Checks that the solution is possible and that its prices prove it best.
///
/// Costs one reading of every arc.
///
/// # Errors
/// The first flaw found.
pub fn certify(network: &Network, solution: &Solution) -> Result<(), Flaw> {
    let stores = &network.stores;
    if solution.prices.len() != stores.len() {
        return Err(Flaw::Shape);
    }
    let mut taken = vec![0i64; stores.len()];
    let mut served = vec![0i64; network.demands().len()];
    for flow in &solution.flows {
        let (need, store) = (flow.need as usize, flow.store as usize);
        if need >= served.len() || store >= stores.len() {
            return Err(Flaw::Shape);
        }
        let allowed = network.arcs_of(need).iter().any(|arc| arc.store == flow.store);
        if !allowed || flow.units < 1 {
            return Err(Flaw::NotAllowed { need: flow.need, store: flow.store });
        }
        served[need] = served[need].saturating_add(flow.units);
        let mut at = Some(flow.store);
        while let Some(store) = at {
            taken[store as usize] = taken[store as usize].saturating_add(flow.units);
            at = stores[store as usize].parent;
        }
    }

    for (at, store) in stores.iter().enumerate() {
        if taken[at] > store.room {
            return Err(Flaw::Overdrawn { store: at });
        }
        let price = solution.prices[at];
        let outside = |n: i64| match store.parent {
            Some(parent) => solution.prices[parent as usize],
            None => Price { level: 0, points: store.fairness.map_or(0, |f| f.of_unit(n)) },
        };
        let too_dear = taken[at] < store.room && price > outside(taken[at] + 1);
        let too_cheap = taken[at] > 0 && price < outside(taken[at]);
        if too_dear || too_cheap {
            return Err(Flaw::Price { store: at });
        }
    }

    let best = |need: usize| {
        let worth = Price { level: level(network.demands()[need].class), points: 0 };
        let cheapest = network.arcs_of(need).iter().map(|arc| {
            let price = solution.prices[arc.store as usize];
            Price { points: price.points.saturating_add(i64::from(arc.cost)), ..price }
        });
        (worth, cheapest.min())
    };
    for (need, demand) in network.demands().iter().enumerate() {
        if served[need] > demand.units {
            return Err(Flaw::TooMuch { need });
        }
        let (worth, cheapest) = best(need);
        if served[need] < demand.units && cheapest.is_some_and(|cheapest| cheapest < worth) {
            return Err(Flaw::Better { need });
        }
    }
    for flow in &solution.flows {
        let need = flow.need as usize;
        let (worth, cheapest) = best(need);
        let arcs = network.arcs_of(need);
        let paid = arcs.iter().find(|arc| arc.store == flow.store).map(|arc| {
            let price = solution.prices[flow.store as usize];
            Price { points: price.points.saturating_add(i64::from(arc.cost)), ..price }
        });
        if paid != cheapest || paid > Some(worth) {
            return Err(Flaw::Better { need });
        }
    }
    Ok(())
}
