//! Solves a whole network: splits it into parts that share no store, solves each by itself and puts the plans together.

use super::scale::Scale;
use super::state::{Cost, State};
use super::{Arc, Demand, Flow, NONE, Network, Price, Solution, Store, level, position};
use rayon::prelude::*;

/// So many pairs of a need and a store are worth the trouble of handing parts out to threads.
const WORTH_THREADS: usize = 20_000;

pub(super) fn solve(network: &Network) -> Solution {
    let parts = Parts::split(network);
    let mut solution = Solution { flows: Vec::new(), prices: parts.spare_prices() };
    let each = parts.largest_first();
    let solved: Vec<Solution> = if network.arc_count() < WORTH_THREADS || each.len() < 2 {
        each.iter().map(|&part| parts.solve(part)).collect()
    } else {
        each.par_iter().map(|&part| parts.solve(part)).collect()
    };
    solution.flows.reserve_exact(solved.iter().map(|s| s.flows.len()).sum());
    for (part, solved) in each.into_iter().zip(solved) {
        solution.flows.extend(solved.flows);
        for (&store, price) in parts.stores_of(part).iter().zip(solved.prices) {
            solution.prices[store as usize] = price;
        }
    }
    solution.flows.sort_unstable();
    solution
}

/// The parts of a network that have needs.
struct Parts<'a> {
    network: &'a Network,
    /// The needs by part, in order of class.
    needs: Vec<u32>,
    need_starts: Vec<u32>,
    /// The stores by part.
    stores: Vec<u32>,
    store_starts: Vec<u32>,
    /// The position of each store in its part.
    place: Vec<u32>,
}

impl<'a> Parts<'a> {
    fn split(network: &'a Network) -> Self {
        let part_of = part_of_stores(network);
        let mut order: Vec<(u64, u32)> =
            network.demands.iter().zip(0..).map(|(demand, at)| (demand.class, at)).collect();
        order.sort_unstable();
        let of_need = |need: u32| match network.arcs_of(need as usize) {
            [first, ..] => part_of[first.store as usize],
            [] => NONE,
        };
        // Only parts with needs count.
        let (mut parts, mut renamed) = (0, vec![NONE; network.stores.len()]);
        for part in order.iter().map(|&(_, need)| of_need(need)).filter(|&part| part != NONE) {
            if renamed[part as usize] == NONE {
                renamed[part as usize] = parts;
                parts += 1;
            }
        }
        let rename = |part: u32| if part == NONE { NONE } else { renamed[part as usize] };
        let (needs, need_starts) =
            grouped(parts, order.iter().map(|&(_, need)| (rename(of_need(need)), need)));
        let (stores, store_starts) =
            grouped(parts, part_of.iter().zip(0..).map(|(&part, store)| (rename(part), store)));
        let mut place = vec![NONE; network.stores.len()];
        for part in store_starts.windows(2) {
            for (at, &store) in stores[part[0] as usize..part[1] as usize].iter().enumerate() {
                place[store as usize] = position(at);
            }
        }
        Self { network, needs, need_starts, stores, store_starts, place }
    }

    fn needs_of(&self, part: u32) -> &[u32] {
        &self.needs[self.need_starts[part as usize] as usize..self.need_starts[part as usize + 1] as usize]
    }

    fn stores_of(&self, part: u32) -> &[u32] {
        &self.stores[self.store_starts[part as usize] as usize..self.store_starts[part as usize + 1] as usize]
    }

    fn demands_of(&self, part: u32) -> impl Iterator<Item = &Demand> {
        self.needs_of(part).iter().map(|&need| &self.network.demands[need as usize])
    }

    fn pairs_of(&self, part: u32) -> usize {
        self.needs_of(part).iter().map(|&need| self.network.arcs_of(need as usize).len()).sum()
    }

    fn largest_first(&self) -> Vec<u32> {
        let mut parts: Vec<(usize, u32)> =
            (0..position(self.need_starts.len() - 1)).map(|part| (self.pairs_of(part), part)).collect();
        parts.sort_unstable_by_key(|&(pairs, part)| (std::cmp::Reverse(pairs), part));
        parts.into_iter().map(|(_, part)| part).collect()
    }

    /// What a unit of each store is worth while nobody has any.
    fn spare_prices(&self) -> Vec<Price> {
        let price = |store: &Store| {
            let mut store = store;
            while let Some(parent) = store.parent {
                store = &self.network.stores[parent as usize];
            }
            Price { level: 0, points: store.fairness.map_or(0, |fairness| fairness.of_unit(1)) }
        };
        self.network.stores.iter().map(price).collect()
    }

    /// Solves a part with numbers as narrow as it allows.
    fn solve(&self, part: u32) -> Solution {
        let mut classes: Vec<u64> = self.demands_of(part).map(|demand| demand.class).collect();
        classes.dedup();
        match Scale::fitting(classes.len(), self.points_of(part)) {
            Some(scale) => self.solve_with::<i64>(part, &classes, scale),
            None => self.solve_with::<i128>(part, &classes, Scale::WIDEST),
        }
    }

    /// A bound on the points that any chain of moves can cost or save.
    fn points_of(&self, part: u32) -> i128 {
        let arcs = self.needs_of(part).iter().flat_map(|&need| self.network.arcs_of(need as usize));
        let dearest = arcs.map(|arc| arc.cost).max().unwrap_or(0);
        let units = self.demands_of(part).fold(0, |sum: i64, demand| sum.saturating_add(demand.units));
        let stores = self.stores_of(part);
        let unfair = stores.iter().filter_map(|&store| self.network.stores[store as usize].fairness);
        let unfair = unfair.map(|fairness| fairness.of_unit(units.saturating_add(1))).max().unwrap_or(0);
        i128::from(dearest) * (stores.len() as i128 + 2) + i128::from(unfair)
    }

    fn solve_with<C: Cost>(&self, part: u32, classes: &[u64], scale: Scale) -> Solution {
        let (needs, stores) = (self.needs_of(part), self.stores_of(part));
        let here = |store: u32| self.place[store as usize];
        let mut state: State<C> = State::new(stores.iter().map(|&store| {
            let its = self.network.stores[store as usize];
            Store { parent: its.parent.map(here), ..its }
        }));
        state.reserve(needs.len(), self.pairs_of(part));
        // Levels are counted from the last class of the part: narrow numbers could not hold those of all classes.
        let mut next = 0;
        for &need in needs {
            let demand = self.network.demands[need as usize];
            next += usize::from(classes[next] != demand.class);
            let level = i64::from(position(classes.len() - next));
            let arcs = self.network.arcs_of(need as usize).iter();
            let arcs = arcs.map(|arc| Arc { store: here(arc.store), ..*arc });
            let worth = scale.cost(Price { level, points: 0 });
            let its = state.add_need(demand.units, worth, arcs);
            state.place(its);
        }
        let mut flows = Vec::with_capacity(needs.len());
        for (&need, at) in needs.iter().zip(0..) {
            let held = state.held_by(at);
            flows.extend(held.map(|its| Flow { need, store: stores[its.store as usize], units: its.units }));
        }
        let price = |&price: &C| {
            let price = scale.price(price);
            let class = usize::try_from(price.level).ok().and_then(|level| classes.len().checked_sub(level));
            let class = class.and_then(|class| classes.get(class));
            Price { level: class.map_or(0, |&class| level(class)), ..price }
        };
        Solution { flows, prices: state.prices.iter().map(price).collect() }
    }
}

/// Sorts items into groups, in the order in which they come; those of no group are left out. Returns where each group starts.
fn grouped(groups: u32, items: impl Iterator<Item = (u32, u32)> + Clone) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0u32; groups as usize + 1];
    for (group, _) in items.clone().filter(|&(group, _)| group != NONE) {
        starts[group as usize + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut next = starts.clone();
    let mut sorted = vec![0; starts[groups as usize] as usize];
    for (group, item) in items.filter(|&(group, _)| group != NONE) {
        sorted[next[group as usize] as usize] = item;
        next[group as usize] += 1;
    }
    (sorted, starts)
}

/// Says which stores hang together, by their parents or by needs that may use either: each gets the position of the first.
fn part_of_stores(network: &Network) -> Vec<u32> {
    let mut sets = Sets((0..position(network.stores.len())).collect());
    for (store, at) in network.stores.iter().zip(0..) {
        if let Some(parent) = store.parent {
            sets.join(at, parent);
        }
    }
    for need in 0..network.demands.len() {
        if let [first, rest @ ..] = network.arcs_of(need) {
            let mut root = sets.root(first.store);
            for arc in rest {
                root = sets.join(root, arc.store);
            }
        }
    }
    (0..position(network.stores.len())).map(|store| sets.root(store)).collect()
}

/// Disjoint sets of stores.
struct Sets(Vec<u32>);

impl Sets {
    fn root(&mut self, of: u32) -> u32 {
        let mut at = of;
        while self.0[at as usize] != at {
            self.0[at as usize] = self.0[self.0[at as usize] as usize];
            at = self.0[at as usize];
        }
        at
    }

    /// Joins the set of a root with that of a store and returns the root of both.
    fn join(&mut self, a: u32, b: u32) -> u32 {
        if self.0[b as usize] == a {
            return a;
        }
        let (a, b) = (self.root(a), self.root(b));
        // The lower position is the root, so that the parts come in the order of their first stores.
        self.0[a.max(b) as usize] = a.min(b);
        a.min(b)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::networks;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn wide_numbers_find_what_narrow_ones_find(network in networks()) {
            let parts = Parts::split(&network);
            for part in parts.largest_first() {
                let mut classes: Vec<u64> = parts.demands_of(part).map(|demand| demand.class).collect();
                classes.dedup();
                let wide = parts.solve_with::<i128>(part, &classes, Scale::WIDEST);
                prop_assert_eq!(parts.solve(part), wide);
            }
        }
    }

    /// Parts are solved in any order by any thread, and put together in one.
    #[test]
    fn the_number_of_threads_does_not_change_the_plan() {
        let mut network = Network::new(Vec::new());
        for at in 0..3_000u32 {
            network.stores.push(Store { parent: None, room: i64::from(at % 5), fairness: None });
        }
        for need in 0..6_000u32 {
            let first = need % 300 * 10;
            let arcs = (0..10).map(|k| Arc { store: first + k, cost: need.wrapping_mul(31 + k) % 97 });
            network.add(Demand { units: 1, class: u64::from(need % 7) }, arcs);
        }
        assert!(network.arc_count() >= WORTH_THREADS);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| network.solve())
        };
        let alone = with(1);
        assert_eq!(super::super::certify(&network, &alone), Ok(()));
        assert_eq!(with(4), alone);
    }
}
