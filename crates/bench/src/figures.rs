//! What a solution of unit needs achieves, in figures that any other solver's can be compared with.

use std::collections::BTreeMap;

use fallow_domain::matching::network::{Network, Solution};
use serde::Serialize;

/// What a solution serves and costs. Two exact solvers agree on every figure, whatever pairs they chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Units asked for.
    pub wanted: i64,
    /// Units served.
    pub served: i64,
    /// Points of all served units, with fairness.
    pub burden: i64,
    /// Units served of each class, the first class first.
    pub by_class: Vec<i64>,
}

impl Served {
    /// Counts what a solution of the network serves.
    #[must_use]
    pub fn of(network: &Network, solution: &Solution) -> Self {
        let demands = network.demands();
        // Classes have gaps between them.
        let mut by_class: BTreeMap<u64, i64> = demands.iter().map(|demand| (demand.class, 0)).collect();
        for flow in &solution.flows {
            *by_class.entry(demands[flow.need as usize].class).or_default() += flow.units;
        }
        let by_class: Vec<i64> = by_class.into_values().collect();
        Self {
            wanted: demands.iter().map(|demand| demand.units).sum(),
            served: by_class.iter().sum(),
            burden: solution.cost(network),
            by_class,
        }
    }

    /// Returns a hash of the service by class (FNV-1a, 64 bit), to compare two by eye.
    #[must_use]
    pub fn class_hash(&self) -> u64 {
        let bytes = self.by_class.iter().flat_map(|units| units.to_le_bytes());
        bytes
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_domain::matching::network::{Arc, Demand, Store};

    #[test]
    fn service_is_counted_by_class() {
        let mut network = Network::new(vec![Store { parent: None, room: 3, fairness: None }]);
        network.add(Demand { units: 2, class: 1 }, [Arc { store: 0, cost: 7 }]);
        network.add(Demand { units: 2, class: 0 }, [Arc { store: 0, cost: 5 }]);
        let served = Served::of(&network, &network.solve());
        assert_eq!(served, Served { wanted: 4, served: 3, burden: 17, by_class: vec![2, 1] });
        let other = Served { by_class: vec![1, 2], ..served.clone() };
        assert_ne!(served.class_hash(), other.class_hash());
    }
}
