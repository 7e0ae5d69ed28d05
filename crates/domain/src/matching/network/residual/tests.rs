#![allow(clippy::cast_possible_truncation)]
use proptest::prelude::*;

use super::*;
use crate::matching::network::{Arc, Demand, Fairness, Solution, Store};

/// Pools in groups in trusts, some of each left out, sold out more often than not.
fn networks() -> impl Strategy<Value = Network> {
    let pools = prop::collection::vec((0i64..3, 0usize..3), 2..6);
    let groups = prop::collection::vec((0i64..4, 0usize..2, any::<bool>()), 2);
    let trusts = prop::collection::vec((0i64..3, 0i64..4), 2);
    let arcs = prop::collection::vec(prop::option::weighted(0.5, 0u32..6), 5);
    let needs = prop::collection::vec((1i64..3, 0u64..3, arcs), 2..8);
    (pools, groups, trusts, needs).prop_map(|(pools, groups, trusts, needs)| {
        let count = pools.len();
        let mut stores = Vec::new();
        for (room, group) in pools {
            // Group 2 stands for pools that lie in no group.
            stores.push(Store {
                parent: (group < 2).then_some((count + group) as u32),
                room,
                fairness: None,
            });
        }
        for (room, trust, fair) in groups {
            stores.push(Store { parent: fair.then_some((count + 2 + trust) as u32), room, fairness: None });
        }
        for (allowance, step) in trusts {
            stores.push(Store { parent: None, room: i64::MAX, fairness: Some(Fairness { allowance, step }) });
        }
        let mut network = Network::new(stores);
        for (units, class, costs) in needs {
            let arcs = costs.iter().take(count).enumerate();
            let arcs = arcs.filter_map(|(store, cost)| cost.map(|cost| Arc { store: store as u32, cost }));
            network.add(Demand { units, class }, arcs.collect::<Vec<_>>());
        }
        network
    })
}

/// What a plan costs: a level for each unit that goes unserved, and its points.
fn cost(network: &Network, solution: &Solution) -> Cost {
    let wanted = network.demands().iter().map(|d| unserved(d.class) * Cost::from(d.units));
    let served = solution.flows.iter();
    let served = served.map(|f| unserved(network.demands()[f.need as usize].class) * Cost::from(f.units));
    wanted.sum::<Cost>() - served.sum::<Cost>() + Cost::from(solution.cost(network))
}

fn units(solution: &Solution) -> i64 {
    solution.flows.iter().map(|flow| flow.units).sum()
}

/// The network with some stores and needs changed, and stores added.
fn changed(
    network: &Network,
    stores: Vec<Store>,
    change: impl Fn(u32, &mut Demand, &mut Vec<Arc>),
) -> Network {
    let mut changed = Network::new(stores);
    for (need, demand) in network.demands().iter().enumerate() {
        let (mut demand, mut arcs) = (*demand, network.arcs_of(need).to_vec());
        change(need as u32, &mut demand, &mut arcs);
        changed.add(demand, arcs);
    }
    changed
}

/// Holds a trial against a fresh solve of the changed network.
fn same(
    network: &Network,
    solution: &Solution,
    trial: &Trial<'_, '_>,
    fresh: &Network,
) -> Result<(), TestCaseError> {
    let again = fresh.solve();
    prop_assert_eq!(trial.placed(), units(&again) - units(solution), "placed");
    prop_assert_eq!(trial.cost(), cost(fresh, &again) - cost(network, solution), "cost");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn more_room_does_what_solving_afresh_does(network in networks(), pick in any::<prop::sample::Index>(), more in 1i64..4) {
        let solution = network.solve();
        let residual = Residual::new(&network, &solution.flows, |at| solution.prices[at as usize]);
        let mut stores = network.stores.clone();
        let mut trial = residual.trial();
        // The store and what it lies in, as when a trust finds units above its reserve.
        let mut at = Some(pick.index(network.stores.len()) as u32);
        while let Some(store) = at {
            let this = &mut stores[store as usize];
            at = this.parent;
            if this.fairness.is_none() {
                this.room += more;
                trial.raise(store, this.room);
            }
        }
        same(&network, &solution, &trial, &changed(&network, stores, |_, _, _| {}))?;
    }

    #[test]
    fn a_store_more_does_what_solving_afresh_does(
        network in networks(),
        parent in any::<prop::sample::Index>(),
        room in 1i64..4,
        costs in prop::collection::vec(prop::option::weighted(0.6, 0u32..6), 8),
        barred in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let solution = network.solve();
        let residual = Residual::new(&network, &solution.flows, |at| solution.prices[at as usize]);
        let parent = parent.index(network.stores.len()) as u32;
        let store = Store { parent: Some(parent), room, fairness: None };
        let asks = |need: u32| costs[need as usize % costs.len()];
        let askers: Vec<_> =
            (0..network.demands().len() as u32).filter_map(|need| asks(need).map(|cost| (need, cost))).collect();
        prop_assume!(!askers.is_empty());
        let barred = barred.map(|pick| pick.index(network.demands().len()) as u32);
        let mut trial = residual.trial();
        if let Some(barred) = barred {
            trial.bar(barred);
        }
        trial.add(Added { store, askers });
        let mut stores = network.stores.clone();
        stores.push(store);
        let at = position(stores.len() - 1);
        // A pool of the network may hold the store; the solver wants pools that hold nothing, so there is one between.
        let mut inner = None;
        if (parent as usize) < network.stores.iter().filter(|s| s.fairness.is_none()).count()
            && !network.stores.iter().any(|s| s.parent == Some(parent))
        {
            inner = Some(position(stores.len()));
            stores.push(Store { parent: Some(parent), room: network.stores[parent as usize].room, fairness: None });
        }
        let fresh = changed(&network, stores, |need, demand, arcs| {
            if let Some(inner) = inner {
                arcs.iter_mut().filter(|arc| arc.store == parent).for_each(|arc| arc.store = inner);
            }
            arcs.extend(asks(need).map(|cost| Arc { store: at, cost }));
            if Some(need) == barred {
                demand.units = residual.served(need);
            }
        });
        let again = fresh.solve();
        prop_assert_eq!(trial.placed(), units(&again) - units(&solution));
        let off = barred.map_or(0, |need| {
            let demand = network.demands()[need as usize];
            unserved(demand.class) * Cost::from(demand.units - residual.served(need))
        });
        prop_assert_eq!(trial.cost(), cost(&fresh, &again) + off - cost(&network, &solution));
    }

    /// A need that may use other pools: taken out, changed and put back, unit by unit.
    #[test]
    fn other_arcs_do_what_solving_afresh_does(
        network in networks(),
        need in any::<prop::sample::Index>(),
        costs in prop::collection::vec(prop::option::weighted(0.5, 0u32..6), 5),
        close in any::<bool>(),
    ) {
        let solution = network.solve();
        let residual = Residual::new(&network, &solution.flows, |at| solution.prices[at as usize]);
        let need = need.index(network.demands().len()) as u32;
        let old = network.arcs_of(need as usize);
        let pools = network.stores.iter().filter(|s| s.fairness.is_none()).count() - 2;
        let new: Vec<Arc> = costs.iter().take(pools).enumerate()
            .filter_map(|(store, cost)| cost.map(|cost| Arc { store: store as u32, cost }))
            .filter(|arc| old.iter().all(|other| other.store != arc.store)).collect();
        let mut trial = residual.trial();
        trial.take_out(need);
        let without = changed(&network, network.stores.clone(), |n, d, _| if n == need { d.units = 0 });
        same(&network, &solution, &trial, &without)?;
        trial.widen(need, new.iter().copied());
        let closed = old.first().filter(|_| close).map(|arc| arc.store);
        if let Some(closed) = closed {
            trial.close(need, closed);
        }
        let wanted = network.demands()[need as usize].units;
        let costs = trial.put_in(need, wanted);
        prop_assert!(costs.is_sorted());
        let fresh = changed(&network, network.stores.clone(), |n, _, arcs| if n == need {
            arcs.retain(|arc| Some(arc.store) != closed);
            arcs.extend(new.iter().copied());
        });
        same(&network, &solution, &trial, &fresh)?;
    }

    /// A pool is open if and only if one more need that can use nothing else is served at nobody's cost.
    #[test]
    fn open_pools_have_a_spare_unit_in_reach(network in networks()) {
        let solution = network.solve();
        let residual = Residual::new(&network, &solution.flows, |at| solution.prices[at as usize]);
        for pool in 0..(network.stores.iter().filter(|s| s.fairness.is_none()).count() - 2) as u32 {
            let mut more = changed(&network, network.stores.clone(), |_, _, _| {});
            more.add(Demand { units: 1, class: 9 }, [Arc { store: pool, cost: 0 }]);
            prop_assert_eq!(residual.is_open(pool), units(&more.solve()) > units(&solution));
        }
    }

    /// What the prices say cannot help does not help.
    #[test]
    fn the_prices_rule_out_only_what_would_not_help(network in networks(), pick in any::<prop::sample::Index>()) {
        let solution = network.solve();
        let residual = Residual::new(&network, &solution.flows, |at| solution.prices[at as usize]);
        let pool = pick.index(network.stores.iter().filter(|s| s.fairness.is_none()).count() - 2) as u32;
        let mut trial = residual.trial();
        let mut at = Some(pool);
        while let Some(store) = at {
            let this = network.stores[store as usize];
            if this.fairness.is_none() {
                trial.raise(store, this.room + 1);
            }
            at = this.parent;
        }
        for (need, _) in trial.gaining() {
            prop_assert!(residual.could_serve(pool, network.demands()[need as usize].class));
        }
    }
}
