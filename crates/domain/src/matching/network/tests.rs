#![allow(clippy::cast_possible_truncation)]
use super::*;
use proptest::prelude::*;

/// A small network: pools in groups in trusts, some of each left out.
pub(super) fn networks() -> impl Strategy<Value = Network> {
    let pools = prop::collection::vec((0i64..4, 0usize..3), 1..6);
    let groups = prop::collection::vec((0i64..6, 0usize..2, any::<bool>()), 3);
    let trusts = prop::collection::vec((0i64..4, 0i64..4), 2);
    let needs = prop::collection::vec(
        (1i64..3, 0u64..3, prop::collection::vec(prop::option::weighted(0.6, 0u32..6), 5)),
        1..6,
    );
    (pools, groups, trusts, needs).prop_map(|(pools, groups, trusts, needs)| {
        let count = pools.len() as u32;
        let mut stores = Vec::new();
        for (room, group) in pools {
            // Group 2 stands for pools that lie in no group.
            stores.push(Store { parent: (group < 2).then_some(count + group as u32), room, fairness: None });
        }
        for (room, trust, fair) in groups {
            let fairness = Some(Fairness { allowance: room, step: 2 });
            stores.push(Store { parent: fair.then_some(count + 3 + trust as u32), room, fairness });
        }
        for (allowance, step) in trusts {
            stores.push(Store { parent: None, room: i64::MAX, fairness: Some(Fairness { allowance, step }) });
        }
        let mut network = Network::new(stores);
        for (units, class, costs) in needs {
            let arcs = costs.iter().take(count as usize).enumerate();
            let arcs = arcs.filter_map(|(store, cost)| cost.map(|cost| Arc { store: store as u32, cost }));
            network.add(Demand { units, class }, arcs.collect::<Vec<_>>());
        }
        network
    })
}

/// Served units by class (first to last) and the negated cost: the greater, the better.
type Value = (Vec<i64>, i64);

fn value(network: &Network, solution: &Solution) -> Value {
    let mut served = vec![0; 8];
    for flow in &solution.flows {
        served[network.demands()[flow.need as usize].class as usize] += flow.units;
    }
    (served, -solution.cost(network))
}

fn fits(network: &Network, flows: &[Flow]) -> bool {
    let mut taken = vec![0; network.stores.len()];
    for flow in flows {
        let mut at = Some(flow.store);
        while let Some(store) = at {
            taken[store as usize] += flow.units;
            at = network.stores[store as usize].parent;
        }
    }
    network.stores.iter().zip(taken).all(|(store, taken)| taken <= store.room)
}

/// Tries every plan.
fn best_by_trying_all(network: &Network) -> Value {
    fn go(network: &Network, units: &[u32], plan: &mut Vec<Flow>, best: &mut Option<Value>) {
        if !fits(network, plan) {
            return;
        }
        let Some((&need, rest)) = units.split_first() else {
            let found = value(network, &Solution { flows: plan.clone(), prices: Vec::new() });
            if best.as_ref().is_none_or(|best| found > *best) {
                *best = Some(found);
            }
            return;
        };
        go(network, rest, plan, best);
        for arc in network.arcs_of(need as usize) {
            plan.push(Flow { need, store: arc.store, units: 1 });
            go(network, rest, plan, best);
            plan.pop();
        }
    }
    let each = |(need, demand): (usize, &Demand)| vec![need as u32; demand.units as usize];
    let units: Vec<u32> = network.demands().iter().enumerate().flat_map(each).collect();
    let mut best = None;
    go(network, &units, &mut Vec::new(), &mut best);
    best.unwrap_or_default()
}

/// Serves needs in order of class, each from its cheapest store with a spare unit.
fn greedy(network: &Network) -> Solution {
    let mut order: Vec<usize> = (0..network.demands().len()).collect();
    order.sort_by_key(|&need| network.demands()[need].class);
    let mut flows = Vec::new();
    for need in order {
        let mut arcs = network.arcs_of(need).to_vec();
        arcs.sort_by_key(|arc| arc.cost);
        let mut wanted = network.demands()[need].units;
        for arc in arcs {
            while wanted > 0 {
                flows.push(Flow { need: need as u32, store: arc.store, units: 1 });
                if !fits(network, &flows) {
                    flows.pop();
                    break;
                }
                wanted -= 1;
            }
        }
    }
    Solution { flows, prices: Vec::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_is_the_best_of_all(network in networks()) {
        let solution = network.solve();
        prop_assert_eq!(certify(&network, &solution), Ok(()));
        prop_assert_eq!(value(&network, &solution), best_by_trying_all(&network));
    }

    /// However dear a move or a unit beyond the fair share is, no sum runs over.
    #[test]
    fn the_plan_is_the_best_of_all_at_any_cost(network in networks(), dear in 0u32..29, unfair in 0u32..62) {
        let mut dearer = Network::new(network.stores.clone());
        for store in &mut dearer.stores {
            if let Some(fairness) = &mut store.fairness {
                fairness.step <<= unfair;
            }
        }
        for (need, demand) in network.demands().iter().enumerate() {
            let arcs = network.arcs_of(need).iter();
            dearer.add(*demand, arcs.map(|arc| Arc { cost: arc.cost << dear, ..*arc }).collect::<Vec<_>>());
        }
        let solution = dearer.solve();
        prop_assert_eq!(certify(&dearer, &solution), Ok(()));
        prop_assert_eq!(value(&dearer, &solution), best_by_trying_all(&dearer));
    }

    #[test]
    fn a_greedy_plan_is_never_better_and_never_certified_when_worse(network in networks()) {
        let solution = network.solve();
        let greedy = greedy(&network);
        prop_assert!(value(&network, &greedy) <= value(&network, &solution));
        if value(&network, &greedy) < value(&network, &solution) {
            let claimed = Solution { flows: greedy.flows, prices: solution.prices };
            prop_assert!(certify(&network, &claimed).is_err());
        }
    }

    /// Every way to spoil a plan is seen: one unit less, one moved, or a need of an earlier class robbed.
    #[test]
    fn the_certificate_finds_a_spoilt_plan(network in networks(), pick in any::<prop::sample::Index>()) {
        let solution = network.solve();
        prop_assume!(!solution.flows.is_empty());
        let place = pick.index(solution.flows.len());
        let mut without = solution.clone();
        without.flows.remove(place);
        prop_assert!(certify(&network, &without).is_err());

        let flow = solution.flows[place];
        for arc in network.arcs_of(flow.need as usize) {
            let mut moved = solution.clone();
            moved.flows[place].store = arc.store;
            if arc.store != flow.store && value(&network, &moved) != value(&network, &solution) {
                prop_assert!(certify(&network, &moved).is_err());
            }
        }
        for need in 0..network.demands().len() as u32 {
            let mut robbed = solution.clone();
            robbed.flows[place].need = need;
            if value(&network, &robbed) != value(&network, &solution) {
                prop_assert!(certify(&network, &robbed).is_err());
            }
        }
    }

    /// No unserved unit could have been served by displacing only less urgent ones: serving it after all better or
    /// equal classes' service has been fixed is impossible.
    #[test]
    fn nobody_unserved_could_displace_only_less_urgent_ones(network in networks()) {
        let solution = network.solve();
        let mut served = vec![0; network.demands().len()];
        for flow in &solution.flows {
            served[flow.need as usize] += flow.units;
        }
        for (need, demand) in network.demands().iter().enumerate().filter(|(n, d)| served[*n] < d.units) {
            let mut forced = Network::new(network.stores.clone());
            for (other, its) in network.demands().iter().enumerate() {
                let units = if other == need { served[other] + 1 } else { served[other] };
                if its.class <= demand.class {
                    forced.add(Demand { units, class: 0 }, network.arcs_of(other).to_vec());
                }
            }
            let wanted: i64 = forced.demands().iter().map(|d| d.units).sum();
            prop_assert_eq!(forced.solve().flows.iter().map(|f| f.units).sum::<i64>(), wanted - 1);
        }
    }

    #[test]
    fn the_order_of_needs_does_not_change_the_value(network in networks()) {
        let mut turned = Network::new(network.stores.clone());
        for need in (0..network.demands().len()).rev() {
            turned.add(network.demands()[need], network.arcs_of(need).to_vec());
        }
        prop_assert_eq!(value(&network, &network.solve()), value(&turned, &turned.solve()));
        prop_assert_eq!(network.solve(), network.solve());
    }
}

#[test]
fn what_fairness_costs_has_an_end() {
    let steep = Fairness { allowance: 2, step: i64::MAX };
    assert_eq!([1, 2, 3, i64::MAX].map(|n| steep.of_unit(n)), [0, 0, DEAREST, DEAREST]);
    assert_eq!([2, 3, 5, i64::MAX].map(|n| steep.of_units(n)), [0, DEAREST, 3 * DEAREST, i64::MAX]);
    let gentle = Fairness { allowance: -1, step: DEAREST / 3 };
    for n in 1..4 {
        assert_eq!(gentle.of_units(n), (0..=n).map(|n| gentle.of_unit(n)).sum::<i64>());
    }
}

/// A large network without fairness solves and certifies; the sizes are those of a region.
#[test]
fn a_region_is_certified() {
    let mut state = 7u64;
    let mut draw = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut stores = Vec::new();
    for pool in 0..2000u32 {
        stores.push(Store { parent: Some(2000 + pool / 10), room: 1 + draw(8) as i64, fairness: None });
    }
    for _ in 0..200 {
        let fairness = Some(Fairness { allowance: 15, step: 3 });
        stores.push(Store { parent: None, room: 20 + draw(30) as i64, fairness });
    }
    let mut network = Network::new(stores);
    for _ in 0..8000 {
        let home = draw(2000) as u32;
        let demand = Demand { units: 1 + draw(2) as i64, class: draw(300) };
        let arcs = (0..20).map(|k| Arc { store: (home + k * k) % 2000, cost: 10 + draw(60) as u32 + k });
        network.add(demand, arcs.collect::<Vec<_>>());
    }
    let solution = network.solve();
    assert_eq!(certify(&network, &solution), Ok(()));
    assert!(solution.flows.len() > 3000);
}
