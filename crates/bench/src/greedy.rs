//! What people do today: one need after the other takes the nearest unit that is left.

use fallow_domain::matching::network::{Network, Store};

/// Returns the units served when the demands take, in this order, the cheapest units left to them.
#[must_use]
pub fn served(network: &Network, order: impl IntoIterator<Item = usize>) -> i64 {
    let mut left: Vec<i64> = network.stores.iter().map(|store| store.room).collect();
    let mut served = 0;
    for demand in order {
        let mut arcs: Vec<_> = network.arcs_of(demand).iter().collect();
        arcs.sort_by_key(|arc| (arc.cost, arc.store));
        let mut wanted = network.demands()[demand].units;
        for arc in arcs {
            let way = || way_out(&network.stores, arc.store);
            let units = way().map(|store| left[store as usize]).min().unwrap_or(0).min(wanted);
            way().for_each(|store| left[store as usize] -= units);
            wanted -= units;
            served += units;
        }
    }
    served
}

/// Returns a store and what it lies in, from the inside out.
fn way_out(stores: &[Store], from: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(from), |&store| stores[store as usize].parent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_domain::matching::network::{Arc, Demand};

    /// Two stores of a unit each; the first need may use both, the second only the cheap one.
    #[test]
    fn who_comes_first_may_take_what_another_needs() {
        let store = Store { parent: None, room: 1, fairness: None };
        let mut network = Network::new(vec![store, store]);
        network.add(Demand { units: 1, class: 0 }, [Arc { store: 0, cost: 1 }, Arc { store: 1, cost: 2 }]);
        network.add(Demand { units: 1, class: 1 }, [Arc { store: 0, cost: 1 }]);
        assert_eq!((served(&network, [0, 1]), served(&network, [1, 0])), (1, 2));
    }

    #[test]
    fn a_reserve_limits_several_stores_together() {
        let inside = Store { parent: Some(2), room: 5, fairness: None };
        let reserve = Store { parent: None, room: 3, fairness: None };
        let mut network = Network::new(vec![inside, inside, reserve]);
        let arcs = [0, 1].map(|store| Arc { store, cost: store });
        network.add(Demand { units: 9, class: 0 }, arcs);
        assert_eq!(served(&network, [0]), 3);
    }
}
