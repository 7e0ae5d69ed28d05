//! Solves a network whose later units grow dearer: first as if they did not, then bends that plan.
//!
//! What is fair to ask of a trust joins all its resources, so that nothing falls apart into small components. Without it
//! almost everything does, and most of the plan stays as it is when it comes in: one search for each unit that moves.

use super::{Network, Optimum, Solution, Store, bulk, position};

pub(super) fn solve(network: &Network) -> Solution {
    let rising = |store: &Store| store.parent.is_none() && store.fairness.is_some_and(|fair| fair.step > 0);
    if !network.stores.iter().any(rising) {
        return bulk::solve(network);
    }
    let wanted = network.wanted();
    let mut flat = network.clone();
    for store in &mut flat.stores {
        store.fairness = None;
        // A store that limits nobody holds nothing together.
        store.parent = store.parent.filter(|&parent| {
            let parent = &network.stores[parent as usize];
            parent.parent.is_some() || parent.room < wanted
        });
    }
    let solution = bulk::solve(&flat);
    flat.stores.clone_from(&network.stores);
    for store in &mut flat.stores {
        store.fairness = None;
    }
    let mut optimum = Optimum::from_solution(&flat, &solution);
    for (at, store) in network.stores.iter().enumerate().filter(|(_, store)| rising(store)) {
        optimum.set_fairness(position(at), store.fairness);
    }
    optimum.solution()
}
