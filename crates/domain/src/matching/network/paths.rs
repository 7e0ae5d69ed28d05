//! Solves one component by successive shortest augmenting paths with prices.
//!
//! Needs come in class by class. Each looks for the cheapest way to a spare unit, moving units of others on the way
//! where that pays; the prices of the stores keep every step's cost non-negative, so that Dijkstra's search may stop at
//! the first spare unit. Where no spare unit can be reached, a need may still take the place of another of its own
//! class if that is cheaper. Stores from which no spare unit can be reached any more are *closed*: they stay so, and
//! once the class is done nobody later may touch them, so they leave the search for good.

use super::{Arc, Demand, Fairness, Flow, NONE, Network, Price, level, position};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Some stores and the needs that they may serve; nobody else's.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Positions in the whole network, by position in this part.
    pub(super) needs: Vec<u32>,
    /// Positions in the whole network, by position in this part.
    pub(super) stores: Vec<u32>,
    pub(super) arcs: Vec<Arc>,
    demands: Vec<Demand>,
    starts: Vec<u32>,
    parent: Vec<u32>,
    room: Vec<i64>,
    fairness: Vec<Option<Fairness>>,
    child_starts: Vec<u32>,
    children: Vec<u32>,
}

/// The plan of a part, in the part's own positions.
pub(super) struct PartSolution {
    pub(super) flows: Vec<Flow>,
    pub(super) prices: Vec<Price>,
}

impl Part {
    /// Adds a need; `place` gives the position in this part of each store of the network.
    pub(super) fn add(&mut self, need: u32, demand: Demand, arcs: &[Arc], place: &[u32]) {
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        self.needs.push(need);
        self.demands.push(demand);
        self.arcs.extend(arcs.iter().map(|arc| Arc { store: place[arc.store as usize], ..*arc }));
        self.starts.push(position(self.arcs.len()));
    }

    /// Takes over the stores' figures once all needs are in.
    pub(super) fn finish(&mut self, network: &Network, place: &[u32]) {
        let stores = || self.stores.iter().map(|&at| &network.stores[at as usize]);
        self.parent = stores().map(|s| s.parent.map_or(NONE, |p| place[p as usize])).collect();
        self.room = stores().map(|s| s.room).collect();
        self.fairness = stores().map(|s| s.fairness.filter(|f| f.step > 0)).collect();
        let mut counts = vec![0u32; self.stores.len() + 1];
        for &parent in self.parent.iter().filter(|&&p| p != NONE) {
            counts[parent as usize + 1] += 1;
        }
        for at in 1..counts.len() {
            counts[at] += counts[at - 1];
        }
        self.child_starts = counts.clone();
        self.children = vec![NONE; counts[self.stores.len()] as usize];
        for (child, &parent) in self.parent.iter().enumerate() {
            if parent != NONE {
                self.children[counts[parent as usize] as usize] = position(child);
                counts[parent as usize] += 1;
            }
        }
    }

    fn arc_range(&self, need: u32) -> std::ops::Range<usize> {
        self.starts[need as usize] as usize..self.starts[need as usize + 1] as usize
    }

    fn children_of(&self, store: u32) -> &[u32] {
        let (from, to) = (self.child_starts[store as usize], self.child_starts[store as usize + 1]);
        &self.children[from as usize..to as usize]
    }

    /// A bound on what any chain of moves can cost or save, in points.
    fn bound(&self) -> i64 {
        let dearest = self.arcs.iter().map(|arc| i64::from(arc.cost)).max().unwrap_or(0);
        let units: i64 = self.demands.iter().map(|d| d.units).sum();
        let unfair = self.fairness.iter().flatten().map(|f| f.of_unit(units)).max().unwrap_or(0);
        (dearest + 1) * (self.stores.len() as i64 + 2) + unfair
    }

    pub(super) fn solve(&self) -> PartSolution {
        let mut search = Search::new(self);
        let mut class = None;
        for need in 0..position(self.demands.len()) {
            let its = self.demands[need as usize].class;
            if class.is_some_and(|class| class != its) {
                search.close(class.unwrap_or_default());
            }
            class = Some(its);
            search.place(need);
        }
        search.close(class.unwrap_or_default());
        search.solution()
    }
}

/// Units of a pool that a need has.
#[derive(Clone, Copy)]
struct Held {
    need: u32,
    arc: u32,
    units: i64,
}

/// How a search came to a store.
#[derive(Clone, Copy)]
enum Step {
    /// Straight from the need that looks for a unit.
    Start { arc: u32 },
    /// By moving a unit of this need here from that pool.
    Move { need: u32, arc: u32, from: u32 },
    /// Out of a store that lies in this one.
    Out { child: u32 },
    /// Into this store, so that it gives one unit less.
    In { parent: u32 },
}

/// Where a chain of moves ends.
#[derive(Clone, Copy)]
enum End {
    /// The need that looks for a unit gives up.
    GiveUp,
    /// A spare unit of this outermost store.
    Spare { store: u32 },
    /// This need, of the same class, gives up a unit of this pool.
    Yield { store: u32, need: u32 },
}

/// A price that nobody pays; far above any other, and far from overflow.
const CLOSED: i64 = i64::MAX / 4;
const UNSEEN: i64 = i64::MAX;

struct Search<'a> {
    part: &'a Part,
    /// What a need would pay to stay unserved: more than any chain of moves can cost.
    worth: i64,
    price: Vec<i64>,
    taken: Vec<i64>,
    held: Vec<Vec<Held>>,
    /// Prices of closed stores as they will be proved.
    closed: Vec<Option<Price>>,
    /// Stores that became closed in this class.
    closing: Vec<u32>,
    // What follows is of one search.
    distance: Vec<i64>,
    step: Vec<Step>,
    seen: Vec<u32>,
    heap: BinaryHeap<Reverse<(i64, u32)>>,
    moved: Vec<u32>,
    round: u32,
}

impl<'a> Search<'a> {
    fn new(part: &'a Part) -> Self {
        let stores = part.stores.len();
        // Everything is priced at what a first unit costs, which is what it costs when nothing is taken.
        let mut price = vec![0; stores];
        for (at, price) in price.iter_mut().enumerate() {
            let mut root = at;
            while part.parent[root] != NONE {
                root = part.parent[root] as usize;
            }
            *price = part.fairness[root].map_or(0, |f| f.of_unit(1));
        }
        Self {
            part,
            worth: part.bound() * 4,
            price,
            taken: vec![0; stores],
            held: vec![Vec::new(); stores],
            closed: vec![None; stores],
            closing: Vec::new(),
            distance: vec![UNSEEN; stores],
            step: vec![Step::Start { arc: 0 }; stores],
            seen: Vec::new(),
            heap: BinaryHeap::new(),
            moved: vec![0; part.needs.len()],
            round: 0,
        }
    }

    /// Serves as many units of the need as can be, each in the cheapest way.
    fn place(&mut self, need: u32) {
        let mut wanted = self.part.demands[need as usize].units;
        while wanted > 0 {
            let arcs = &self.part.arcs[self.part.arc_range(need)];
            let cheapest = arcs.iter().map(|a| i64::from(a.cost) + self.price[a.store as usize]).min();
            let Some(cheapest) = cheapest.filter(|&cost| cost < self.worth) else { return };
            let (end, length) = self.search(need, cheapest);
            self.reprice(length);
            match end {
                End::GiveUp => return,
                End::Spare { store } | End::Yield { store, .. } => {
                    let units = self.units_along(end, store, wanted);
                    self.apply(need, end, store, units);
                    wanted -= units;
                }
            }
        }
    }

    /// Finds the cheapest chain of moves that gives the need one more unit, and its cost above `cheapest`.
    fn search(&mut self, need: u32, cheapest: i64) -> (End, i64) {
        self.round += 1;
        self.heap.clear();
        self.moved[need as usize] = self.round;
        let class = self.part.demands[need as usize].class;
        let mut best = (End::GiveUp, self.worth - cheapest);
        for at in self.part.arc_range(need) {
            let arc = self.part.arcs[at];
            let distance = i64::from(arc.cost) + self.price[arc.store as usize] - cheapest;
            self.reach(arc.store, distance, Step::Start { arc: position(at) }, best.1);
        }
        while let Some(Reverse((distance, store))) = self.heap.pop() {
            if distance >= best.1 {
                break;
            }
            let at = store as usize;
            if distance > self.distance[at] {
                continue;
            }
            let base = distance - self.price[at];
            let parent = self.part.parent[at];
            if self.taken[at] < self.part.room[at] {
                if parent == NONE {
                    let next = self.part.fairness[at].map_or(0, |f| f.of_unit(self.taken[at] + 1));
                    if base + next < best.1 {
                        best = (End::Spare { store }, base + next);
                    }
                } else {
                    self.reach(
                        parent,
                        base + self.price[parent as usize],
                        Step::Out { child: store },
                        best.1,
                    );
                }
            }
            for &child in self.part.children_of(store) {
                if self.taken[child as usize] > 0 {
                    self.reach(child, base + self.price[child as usize], Step::In { parent: store }, best.1);
                }
            }
            for place in 0..self.held[at].len() {
                let held = self.held[at][place];
                if self.moved[held.need as usize] == self.round {
                    continue;
                }
                self.moved[held.need as usize] = self.round;
                let paid = i64::from(self.part.arcs[held.arc as usize].cost);
                let freed = base - paid;
                if self.part.demands[held.need as usize].class == class && freed + self.worth < best.1 {
                    best = (End::Yield { store, need: held.need }, freed + self.worth);
                }
                for other in self.part.arc_range(held.need) {
                    let arc = self.part.arcs[other];
                    let distance = freed + i64::from(arc.cost) + self.price[arc.store as usize];
                    let step = Step::Move { need: held.need, arc: position(other), from: store };
                    self.reach(arc.store, distance, step, best.1);
                }
            }
        }
        best
    }

    fn reach(&mut self, store: u32, distance: i64, step: Step, limit: i64) {
        let known = &mut self.distance[store as usize];
        if distance < limit && distance < *known {
            if *known == UNSEEN {
                self.seen.push(store);
            }
            *known = distance;
            self.step[store as usize] = step;
            self.heap.push(Reverse((distance, store)));
        }
    }

    /// Raises the prices of all stores nearer than the end, so that the chain just found costs nothing above them.
    fn reprice(&mut self, length: i64) {
        for store in self.seen.drain(..) {
            let at = store as usize;
            let distance = std::mem::replace(&mut self.distance[at], UNSEEN);
            if distance < length {
                let was_open = self.price[at] <= self.worth / 2;
                self.price[at] += length - distance;
                if was_open && self.price[at] > self.worth / 2 {
                    self.closing.push(store);
                }
            }
        }
    }

    /// The units that can go along the chain at its cost, at most `wanted`.
    fn units_along(&self, end: End, store: u32, wanted: i64) -> i64 {
        let mut units = wanted;
        match end {
            End::GiveUp => return 0,
            End::Yield { need, .. } => units = units.min(self.held_units(store, need)),
            End::Spare { store } => {
                let at = store as usize;
                units = units.min(self.part.room[at] - self.taken[at]);
                if let Some(fairness) = self.part.fairness[at] {
                    units = units.min((fairness.allowance - self.taken[at]).max(1));
                }
            }
        }
        let mut at = store;
        loop {
            match self.step[at as usize] {
                Step::Start { .. } => return units,
                Step::Move { need, from, .. } => {
                    units = units.min(self.held_units(from, need));
                    at = from;
                }
                Step::Out { child } => {
                    units = units.min(self.part.room[child as usize] - self.taken[child as usize]);
                    at = child;
                }
                Step::In { parent } => {
                    units = units.min(self.taken[at as usize]);
                    at = parent;
                }
            }
        }
    }

    fn apply(&mut self, need: u32, end: End, store: u32, units: i64) {
        match end {
            End::GiveUp => return,
            End::Yield { need, .. } => self.give_back(store, need, units),
            End::Spare { store } => self.taken[store as usize] += units,
        }
        let mut at = store;
        loop {
            match self.step[at as usize] {
                Step::Start { arc } => return self.give(at, need, arc, units),
                Step::Move { need, arc, from } => {
                    self.give(at, need, arc, units);
                    self.give_back(from, need, units);
                    at = from;
                }
                Step::Out { child } => {
                    self.taken[child as usize] += units;
                    at = child;
                }
                Step::In { parent } => {
                    self.taken[at as usize] -= units;
                    at = parent;
                }
            }
        }
    }

    fn held_units(&self, store: u32, need: u32) -> i64 {
        self.held[store as usize].iter().find(|held| held.need == need).map_or(0, |held| held.units)
    }

    fn give(&mut self, store: u32, need: u32, arc: u32, units: i64) {
        let held = &mut self.held[store as usize];
        match held.iter_mut().find(|held| held.need == need) {
            Some(held) => held.units += units,
            None => held.push(Held { need, arc, units }),
        }
    }

    fn give_back(&mut self, store: u32, need: u32, units: i64) {
        let held = &mut self.held[store as usize];
        if let Some(place) = held.iter().position(|held| held.need == need) {
            held[place].units -= units;
            if held[place].units == 0 {
                held.swap_remove(place);
            }
        }
    }

    /// Ends a class: what is closed is worth so much to it that no later class may touch it.
    fn close(&mut self, class: u64) {
        for store in self.closing.drain(..) {
            let price = &mut self.price[store as usize];
            self.closed[store as usize] = Some(Price { level: level(class), points: *price - self.worth });
            *price = CLOSED;
        }
    }

    fn solution(self) -> PartSolution {
        let mut flows = Vec::new();
        for (store, held) in self.held.iter().enumerate() {
            flows.extend(held.iter().map(|h| Flow { need: h.need, store: position(store), units: h.units }));
        }
        let open = self.price.iter().map(|&points| Price { level: 0, points });
        let prices = self.closed.iter().zip(open).map(|(closed, open)| closed.unwrap_or(open)).collect();
        PartSolution { flows, prices }
    }
}
