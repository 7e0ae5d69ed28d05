#![allow(clippy::cast_possible_truncation)]
use std::collections::BTreeMap;

use super::super::{Arc, Fairness, Flow, certify};
use super::*;

/// Draws whole numbers; the same seed draws the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A region that things happen to: pools in reserves in trusts, some of each left out.
struct World {
    dice: Dice,
    optimum: Optimum,
    needs: Vec<u32>,
    pools: Vec<u32>,
    groups: Vec<u32>,
    trusts: Vec<u32>,
    classes: u64,
}

impl World {
    fn new(seed: u64, pools: usize, needs: usize, classes: u64) -> Self {
        let network = Network::new(Vec::new());
        let mut world = Self {
            dice: Dice(seed),
            optimum: Optimum::new(&network),
            needs: Vec::new(),
            pools: Vec::new(),
            groups: Vec::new(),
            trusts: Vec::new(),
            classes,
        };
        for _ in 0..pools.div_ceil(6) {
            world.add_trust();
        }
        for _ in 0..pools.div_ceil(3) {
            world.add_group();
        }
        for _ in 0..pools {
            world.add_pool();
        }
        for _ in 0..needs {
            world.add_need();
        }
        world
    }

    fn pick(&mut self, among: impl Fn(&Self) -> &Vec<u32>) -> Option<u32> {
        let count = among(self).len() as u64;
        (count > 0).then(|| self.dice.below(count)).map(|at| among(self)[at as usize])
    }

    fn fairness(&mut self) -> Option<Fairness> {
        let (allowance, step) = (self.dice.below(6) as i64, self.dice.below(4) as i64);
        self.dice.chance(70).then_some(Fairness { allowance, step })
    }

    fn add_trust(&mut self) {
        let fairness = self.fairness();
        let store = self.optimum.add_store(Store { parent: None, room: i64::MAX, fairness });
        self.trusts.push(store);
    }

    fn a_parent(&mut self, among: impl Fn(&Self) -> &Vec<u32>) -> Option<u32> {
        let parent = self.pick(among);
        parent.filter(|_| self.dice.chance(75))
    }

    fn add_group(&mut self) {
        let (parent, room, fairness) =
            (self.a_parent(|w| &w.trusts), self.dice.below(9) as i64, self.fairness());
        let store = self.optimum.add_store(Store { parent, room, fairness });
        self.groups.push(store);
    }

    fn add_pool(&mut self) {
        let parent =
            if self.dice.chance(80) { self.a_parent(|w| &w.groups) } else { self.a_parent(|w| &w.trusts) };
        let (room, fairness) = (self.dice.below(5) as i64, self.fairness());
        let store = self.optimum.add_store(Store { parent, room, fairness });
        self.pools.push(store);
        let mut wanted = Vec::new();
        for need in self.needs.clone() {
            if self.dice.chance(12) {
                wanted.push((need, self.dice.below(12) as u32));
            }
        }
        self.optimum.add_arcs(store, wanted);
    }

    fn arcs(&mut self) -> Vec<Arc> {
        let mut arcs = Vec::new();
        for store in self.pools.clone() {
            if self.dice.chance(12) {
                arcs.push(Arc { store, cost: self.dice.below(12) as u32 });
            }
        }
        arcs
    }

    /// A class that may lie between any two others, or be new.
    fn class(&mut self) -> u64 {
        let class = self.dice.below(self.classes) * 1_000_000;
        if self.dice.chance(10) { class + self.dice.below(1_000_000) } else { class }
    }

    fn add_need(&mut self) {
        let demand = Demand { units: 1 + self.dice.below(3) as i64, class: self.class() };
        let arcs = self.arcs();
        let need = self.optimum.add_need(demand, arcs);
        self.needs.push(need);
    }

    /// Lets something happen. On average nothing grows.
    fn event(&mut self) {
        match self.dice.below(100) {
            0..24 => self.add_need(),
            24..48 => {
                if let Some(need) = self.pick(|w| &w.needs) {
                    self.needs.retain(|&other| other != need);
                    self.optimum.remove_need(need);
                }
            }
            48..68 => {
                if let Some(store) = self.pick(|w| &w.pools) {
                    let by = if self.dice.chance(50) { 1 } else { -1 };
                    self.optimum.set_room(store, (self.optimum.room(store) + by).clamp(0, 6));
                }
            }
            68..76 => {
                if let Some(store) = self.pick(|w| &w.groups) {
                    let room = self.dice.below(9) as i64;
                    self.optimum.set_room(store, room);
                }
            }
            76..80 => {
                if let Some(need) = self.pick(|w| &w.needs) {
                    let units = self.dice.below(4) as i64;
                    self.optimum.set_units(need, units);
                }
            }
            80..84 => {
                if let Some(need) = self.pick(|w| &w.needs) {
                    let class = self.class();
                    self.optimum.set_class(need, class);
                }
            }
            84..88 => {
                if let Some(need) = self.pick(|w| &w.needs) {
                    let arcs = self.arcs();
                    self.optimum.set_arcs(need, arcs);
                }
            }
            88..92 => {
                let store =
                    if self.dice.chance(80) { self.pick(|w| &w.trusts) } else { self.pick(|w| &w.groups) };
                let fairness = self.fairness();
                if let Some(store) = store {
                    self.optimum.set_fairness(store, fairness);
                }
            }
            92..94 => self.add_pool(),
            94..96 => {
                if let Some(store) = self.pick(|w| &w.pools) {
                    self.pools.retain(|&other| other != store);
                    self.optimum.remove_store(store);
                }
            }
            96..98 => {
                let (store, parent) = (self.pick(|w| &w.pools), self.a_parent(|w| &w.groups));
                if let Some(store) = store {
                    self.optimum.set_parent(store, parent);
                }
            }
            98 => {
                if let Some(store) = self.pick(|w| &w.groups) {
                    let parent = self.a_parent(|w| &w.trusts);
                    self.optimum.set_parent(store, parent);
                }
            }
            _ => self.change_the_trusts(),
        }
    }

    /// A trust goes with all that it has, and another comes.
    fn change_the_trusts(&mut self) {
        if let Some(trust) = self.pick(|w| &w.trusts) {
            self.optimum.remove_store(trust);
            let optimum = &self.optimum;
            for list in [&mut self.trusts, &mut self.groups, &mut self.pools] {
                list.retain(|&store| optimum.has_store(store));
            }
        }
        self.add_trust();
        while self.groups.len() < 8 {
            self.add_group();
        }
        while self.pools.len() < 20 {
            self.add_pool();
        }
    }

    /// Checks that the plan is proved best and is worth exactly what a fresh one is.
    fn check(&self) {
        assert!(self.optimum.is_at_rest());
        let (network, kept) = (self.optimum.network(), self.optimum.solution());
        assert_eq!(certify(&network, &kept), Ok(()));
        let fresh = network.solve();
        assert_eq!(certify(&network, &fresh), Ok(()));
        assert_eq!(served(&network, &kept.flows), served(&network, &fresh.flows));
        assert_eq!(kept.cost(&network), fresh.cost(&network));
    }
}

/// Units served by class.
fn served(network: &Network, flows: &[Flow]) -> BTreeMap<u64, i64> {
    let mut served = BTreeMap::new();
    for flow in flows {
        *served.entry(network.demands()[flow.need as usize].class).or_default() += flow.units;
    }
    served
}

#[test]
fn after_every_event_of_a_small_region_the_plan_is_as_good_as_a_fresh_one() {
    for seed in 0..20 {
        let mut world = World::new(seed, 8, 12, 4);
        world.check();
        for _ in 0..500 {
            world.event();
            world.check();
        }
    }
}

#[test]
fn after_ten_thousand_events_the_plan_is_as_good_as_a_fresh_one() {
    let mut world = World::new(99, 60, 150, 12);
    for event in 0..10_000 {
        world.event();
        if event % 25 == 0 {
            world.check();
        }
    }
    world.check();
}
