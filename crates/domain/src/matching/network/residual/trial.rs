//! A change tried on a best plan: what becomes of it, unit by unit, each by the cheapest chain of moves.
//!
//! After each step the plan is best for the network as changed so far, and the prices prove it; so what a change is found
//! to do is what solving the changed network afresh would do. Nothing of the plan itself is touched: the trial keeps
//! only what differs.

use rustc_hash::FxHashMap;

use super::search::{GROUND, NEED, Node, Reach, Way};
use super::{Cost, Residual, position, unserved};
use crate::matching::network::{Arc, Store};

/// A store that a change adds, with the needs that may use it; none for one that holds others.
pub(crate) struct Added {
    /// Where it lies, how much it has, what its units cost.
    pub(crate) store: Store,
    /// The needs, each with what one unit costs.
    pub(crate) askers: Vec<(u32, u32)>,
}

/// A best plan under a change.
pub(crate) struct Trial<'r, 'a> {
    base: &'r Residual<'a>,
    changed: Changed,
}

/// What a change makes otherwise than in the plan.
#[derive(Default)]
pub(crate) struct Changed {
    added: Vec<Store>,
    added_askers: FxHashMap<u32, Vec<(u32, u32)>>,
    added_arcs: FxHashMap<u32, Vec<Arc>>,
    added_children: FxHashMap<u32, Vec<u32>>,
    /// A need that gets no more units than it has.
    barred: Option<u32>,
    /// Arcs that may no longer be used.
    closed: Vec<(u32, u32)>,
    /// What pools cost more than they did.
    dearer: FxHashMap<u32, Cost>,
    units: FxHashMap<u32, i64>,
    rooms: FxHashMap<u32, i64>,
    prices: FxHashMap<Node, Cost>,
    taken: FxHashMap<u32, i64>,
    served: FxHashMap<u32, i64>,
    holdings: FxHashMap<u32, Vec<(u32, i64)>>,
    takers: FxHashMap<u32, Vec<(u32, i64)>>,
    cost: Cost,
    placed: i64,
}

impl<'r, 'a> Trial<'r, 'a> {
    pub(super) fn new(base: &'r Residual<'a>, changed: Changed) -> Self {
        Self { base, changed }
    }

    /// Returns what was changed, to be asked about again: see [`Residual::again`].
    pub(crate) fn into_changed(self) -> Changed {
        self.changed
    }

    /// Gives a need no more units than it has, whatever else the change does.
    pub(crate) fn bar(&mut self, need: u32) {
        self.changed.barred = Some(need);
    }

    /// Units served beyond the plan's.
    pub(crate) fn placed(&self) -> i64 {
        self.changed.placed
    }

    /// What the changed plan costs beyond the plan: levels and points in one ordered number.
    pub(crate) fn cost(&self) -> i128 {
        self.changed.cost
    }

    /// The needs that have more units than in the plan, and how many more.
    pub(crate) fn gaining(&self) -> Vec<(u32, i64)> {
        let more =
            self.changed.served.iter().map(|(&need, units)| (need, units - self.base.served[need as usize]));
        let mut gaining: Vec<(u32, i64)> = more.filter(|(_, more)| *more > 0).collect();
        gaining.sort_unstable();
        gaining
    }

    /// The pools that a need has units of now.
    fn pools_of(&self, need: u32) -> &[(u32, i64)] {
        self.changed.holdings.get(&need).map_or_else(|| self.base.holdings.of(need), Vec::as_slice)
    }

    /// Adds a store and returns its position. Units of one that needs may use are put in one by one.
    pub(crate) fn add(&mut self, added: Added) -> u32 {
        let at = position(self.base.network.stores.len() + self.changed.added.len());
        let Store { parent, room, fairness } = added.store;
        let outside = parent.map_or_else(|| fairness.map_or(0, |f| f.of_unit(1).into()), |p| self.price(p));
        let dearest = added.askers.iter().map(|&(need, cost)| self.price(need | NEED) - Cost::from(cost));
        let price = dearest.fold(outside, Cost::max);
        self.changed.prices.insert(at, price);
        for &(need, cost) in &added.askers {
            self.changed.added_arcs.entry(need).or_default().push(Arc { store: at, cost });
        }
        if let Some(parent) = parent {
            self.changed.added_children.entry(parent).or_default().push(at);
        }
        let has_askers = !added.askers.is_empty();
        self.changed.added_askers.insert(at, added.askers);
        self.changed.added.push(Store { parent, room: if has_askers { 0 } else { room }, fairness });
        if has_askers {
            self.raise(at, room);
        }
        at
    }

    /// Gives a store so many units of room instead of fewer.
    pub(crate) fn raise(&mut self, store: u32, room: i64) {
        while self.room(store) < room && self.taken(store) >= self.room(store) {
            let raised = self.room(store) + 1;
            self.changed.rooms.insert(store, raised);
            if !self.fill(store) {
                break;
            }
        }
        self.changed.rooms.insert(store, room);
    }

    /// Makes the units of a pool dearer for all who use it; whoever can do better moves away.
    pub(crate) fn make_dearer(&mut self, pool: u32, by: i128) {
        *self.changed.dearer.entry(pool).or_default() += by;
        let price = self.price(pool) - by;
        self.changed.prices.insert(pool, price);
        let outside = self.store(pool).parent.unwrap_or(GROUND);
        while self.taken(pool) > 0 {
            let gain = self.cost_of_last(pool) - self.price(pool);
            if gain <= 0 || !self.exchange(outside, pool, gain) {
                break;
            }
        }
        if self.taken(pool) == 0 {
            // Whoever left it may have gained less than it has become dearer: a unit of it is worth what it is elsewhere.
            let price = self.price(pool).max(self.price(pool) + self.cost_out(pool));
            self.changed.prices.insert(pool, price);
        }
    }

    /// Says whether a need uses none of a pool in any best plan of the changed problem.
    pub(crate) fn never_uses(&self, need: u32, pool: u32) -> bool {
        let arc = self.arcs(need).find(|arc| arc.store == pool);
        arc.is_none_or(|arc| self.cost_by(arc) + self.price(pool) > self.price(need | NEED))
    }

    /// Says whether every best plan of the changed problem serves all units of a need.
    pub(crate) fn always_serves(&self, need: u32) -> bool {
        self.price(need | NEED) < unserved(self.class(need))
    }

    /// Says whether taking one unit from a need that has more than in the plan would make the changed plan worse: then every
    /// best plan of the changed problem serves more of it. Otherwise another best plan takes that unit away.
    pub(crate) fn must_keep(&mut self, need: u32) -> bool {
        let node = need | NEED;
        if self.price(node) < unserved(self.class(need)) {
            return true;
        }
        // Who could have the unit at no cost, other than the need itself.
        let barred = self.changed.barred.replace(need);
        let back = self.search(Way::Back, node, &[GROUND], 1);
        self.changed.barred = barred;
        back.goal.is_none()
    }

    /// Fills one more unit of room of a full store, if that makes the plan better.
    fn fill(&mut self, store: u32) -> bool {
        let gain = -self.cost_out(store);
        let outside = self.store(store).parent.unwrap_or(GROUND);
        gain > 0 && self.exchange(store, outside, gain)
    }

    /// Makes use of a move that gains so much, if what must move round about it costs less. Otherwise moves the prices so
    /// that it gains nothing, and says `false`.
    fn exchange(&mut self, from: Node, to: Node, gain: Cost) -> bool {
        let mut moves = vec![(from, to)];
        let mut gain = gain;
        if to != GROUND {
            let on = self.search(Way::On, to, &goals(from), gain);
            self.reprice(&on);
            gain -= on.limit;
            let Some(goal) = on.goal else { return false };
            moves.extend(on.moves_to(goal));
            if goal == from {
                self.apply(&moves);
                return true;
            }
        }
        if from != GROUND {
            let back = self.search(Way::Back, from, &goals(to), gain);
            self.reprice(&back);
            let Some(goal) = back.goal else { return false };
            if goal == to {
                // Straight round, without the ground.
                moves.truncate(1);
            }
            moves.extend(back.moves_to(goal));
        }
        self.apply(&moves);
        true
    }

    /// Takes a need out of the plan, whose units go to whom they serve best.
    pub(crate) fn take_out(&mut self, need: u32) {
        let without = self.units(need) - self.served_now(need);
        self.changed.cost -= unserved(self.class(need)) * Cost::from(without);
        while self.served_now(need) > 0 {
            self.changed.units.insert(need, self.served_now(need) - 1);
            let back = self.search(Way::Back, need | NEED, &[GROUND], Cost::MAX);
            if back.goal.is_none() {
                break;
            }
            self.reprice(&back);
            self.apply(&back.moves_to(GROUND));
            self.count(need, -1);
        }
        self.changed.units.insert(need, 0);
    }

    /// Lets a need that was taken out use more pools.
    pub(crate) fn widen(&mut self, need: u32, arcs: impl IntoIterator<Item = Arc>) {
        for arc in arcs {
            self.changed.added_arcs.entry(need).or_default().push(arc);
            self.changed.added_askers.entry(arc.store).or_default().push((need, arc.cost));
        }
    }

    /// Lets a need that was taken out use a pool no longer.
    pub(crate) fn close(&mut self, need: u32, store: u32) {
        self.changed.closed.push((need, store));
    }

    /// Puts a need that was taken out back with so many units, and returns what each further unit cost.
    pub(crate) fn put_in(&mut self, need: u32, units: i64) -> Vec<i128> {
        let worth = self.arcs(need).map(|arc| self.price(arc.store) + self.cost_by(arc));
        let worth = worth.fold(unserved(self.class(need)), Cost::min);
        if self.units(need) == 0 {
            self.changed.prices.insert(need | NEED, worth);
        }
        (0..units)
            .map(|_| {
                let before = self.changed.cost;
                *self.changed.units.entry(need).or_default() += 1;
                // By its own moves only: that it goes without is the last of them.
                let on = self.search(Way::On, need | NEED, &[GROUND], Cost::MAX);
                self.reprice(&on);
                let moves = on.moves_to(GROUND);
                if moves.as_slice() == [(need | NEED, GROUND)] {
                    self.changed.cost += unserved(self.class(need));
                } else {
                    self.apply(&moves);
                    self.count(need, 1);
                }
                self.changed.cost - before
            })
            .collect()
    }

    fn search(&self, way: Way, start: Node, goals: &[Node], limit: Cost) -> Reach {
        Reach::find(way, start, goals, limit, |node, found| match way {
            Way::On => self.moves_from(node, start, found),
            Way::Back => self.moves_to(node, found),
        })
    }

    /// Where a unit at a node can go. A need that is being put in may go without.
    fn moves_from(&self, node: Node, start: Node, found: &mut dyn FnMut(Node, Cost)) {
        let here = self.price(node);
        if node == GROUND {
            return;
        }
        if node & NEED != 0 {
            let need = node ^ NEED;
            for arc in self.arcs(need) {
                found(arc.store, self.cost_by(arc) + self.price(arc.store) - here);
            }
            if node == start || self.served_now(need) > 0 {
                found(GROUND, unserved(self.class(need)) - here);
            }
            return;
        }
        if self.taken(node) < self.room(node) {
            let parent = self.store(node).parent;
            found(parent.unwrap_or(GROUND), self.cost_out(node));
        }
        for child in self.children(node).filter(|&child| self.taken(child) > 0) {
            found(child, self.price(child) - here);
        }
        for &(need, _) in self.takers(node) {
            // What a need pays for a unit that it has is just what it is worth to it.
            found(need | NEED, 0);
        }
    }

    /// From where a unit can come to a node.
    fn moves_to(&self, node: Node, found: &mut dyn FnMut(Node, Cost)) {
        let here = self.price(node);
        if node == GROUND {
            return;
        }
        if node & NEED != 0 {
            let need = node ^ NEED;
            for &(store, _) in self.pools_of(need) {
                found(store, 0);
            }
            if self.served_now(need) < self.most_of(need) {
                found(GROUND, here - unserved(self.class(need)));
            }
            return;
        }
        if self.taken(node) > 0 {
            found(self.store(node).parent.unwrap_or(GROUND), here - self.cost_of_last(node));
        }
        for child in self.children(node).filter(|&child| self.taken(child) < self.room(child)) {
            found(child, here - self.price(child));
        }
        for (need, cost) in self.askers(node) {
            let cost = self.cost_by(Arc { store: node, cost });
            found(need | NEED, cost + here - self.price(need | NEED));
        }
    }

    /// Moves one unit along each of the moves and counts what that costs.
    fn apply(&mut self, moves: &[(Node, Node)]) {
        for &(from, to) in moves {
            match (from & NEED != 0 && from != GROUND, to & NEED != 0 && to != GROUND) {
                (true, _) if to == GROUND => self.serve(from ^ NEED, -1),
                (_, true) if from == GROUND => self.serve(to ^ NEED, 1),
                (true, _) => self.give(from ^ NEED, to, 1),
                (_, true) => self.give(to ^ NEED, from, -1),
                (false, false) => self.pass(from, to),
            }
        }
    }

    fn serve(&mut self, need: u32, units: i64) {
        self.changed.cost -= unserved(self.class(need)) * Cost::from(units);
        self.count(need, units);
    }

    fn count(&mut self, need: u32, units: i64) {
        *self.changed.served.entry(need).or_insert(self.base.served[need as usize]) += units;
        self.changed.placed += units;
    }

    fn give(&mut self, need: u32, store: u32, units: i64) {
        let cost = self.arcs(need).find(|arc| arc.store == store).map_or(0, |arc| self.cost_by(arc));
        self.changed.cost += cost * Cost::from(units);
        let base = self.base;
        let holdings = self.changed.holdings.entry(need).or_insert_with(|| base.holdings.of(need).to_vec());
        change(holdings, store, units);
        let takers = self.changed.takers.entry(store).or_insert_with(|| base.takers_of(store).to_vec());
        change(takers, need, units);
    }

    /// Between a store and the one it lies in, either way.
    fn pass(&mut self, from: u32, to: u32) {
        let inwards = from == GROUND || (to != GROUND && self.store(to).parent == Some(from));
        let (store, units) = if inwards { (to, -1) } else { (from, 1) };
        let taken = self.taken(store);
        if let (None, Some(fairness)) = (self.store(store).parent, self.store(store).fairness) {
            self.changed.cost += Cost::from(fairness.of_units(taken + units) - fairness.of_units(taken));
        }
        self.changed.taken.insert(store, taken + units);
    }

    /// Moves the prices so that the way just found costs nothing above them.
    fn reprice(&mut self, reach: &Reach) {
        let by: Vec<(Node, Cost)> = reach.nearer().filter(|(node, _)| *node != GROUND).collect();
        for (node, by) in by {
            let price = self.price(node);
            self.changed.prices.insert(node, reach.moved(price, by));
        }
    }

    fn price(&self, node: Node) -> Cost {
        if let Some(price) = self.changed.prices.get(&node) {
            return *price;
        }
        match node {
            GROUND => 0,
            _ if node & NEED != 0 => self.base.worths[(node ^ NEED) as usize],
            _ => self.base.prices[node as usize],
        }
    }

    /// What the last unit taken of a store costs outside.
    fn cost_of_last(&self, store: u32) -> Cost {
        let this = self.store(store);
        match this.parent {
            Some(parent) => self.price(parent),
            None => this.fairness.map_or(0, |f| f.of_unit(self.taken(store)).into()),
        }
    }

    /// What an arc costs a unit, with what has been made dearer.
    fn cost_by(&self, arc: Arc) -> Cost {
        Cost::from(arc.cost) + self.changed.dearer.get(&arc.store).copied().unwrap_or(0)
    }

    /// What a unit more out of a full or half-full store costs beyond its price.
    fn cost_out(&self, store: u32) -> Cost {
        let this = self.store(store);
        let outside = match this.parent {
            Some(parent) => self.price(parent),
            None => this.fairness.map_or(0, |f| f.of_unit(self.taken(store) + 1).into()),
        };
        outside - self.price(store)
    }

    fn store(&self, at: u32) -> Store {
        let stores = &self.base.network.stores;
        stores.get(at as usize).copied().unwrap_or_else(|| self.changed.added[at as usize - stores.len()])
    }

    fn room(&self, store: u32) -> i64 {
        self.changed.rooms.get(&store).copied().unwrap_or_else(|| self.store(store).room)
    }

    fn taken(&self, store: u32) -> i64 {
        let base = || self.base.taken.get(store as usize).copied().unwrap_or(0);
        self.changed.taken.get(&store).copied().unwrap_or_else(base)
    }

    fn class(&self, need: u32) -> u64 {
        self.base.network.demands()[need as usize].class
    }

    fn units(&self, need: u32) -> i64 {
        self.changed
            .units
            .get(&need)
            .copied()
            .unwrap_or_else(|| self.base.network.demands()[need as usize].units)
    }

    /// The units that a need may have; one that is barred may get back what it has lost, but no more.
    fn most_of(&self, need: u32) -> i64 {
        let units = self.units(need);
        if self.changed.barred == Some(need) { units.min(self.base.served[need as usize]) } else { units }
    }

    fn served_now(&self, need: u32) -> i64 {
        self.changed.served.get(&need).copied().unwrap_or(self.base.served[need as usize])
    }

    fn children(&self, store: u32) -> impl Iterator<Item = u32> {
        let added = self.changed.added_children.get(&store).into_iter().flatten();
        self.base.children_of(store).iter().chain(added).copied()
    }

    fn takers(&self, store: u32) -> &[(u32, i64)] {
        self.changed.takers.get(&store).map_or_else(|| self.base.takers_of(store), Vec::as_slice)
    }

    fn arcs(&self, need: u32) -> impl Iterator<Item = Arc> {
        let added = self.changed.added_arcs.get(&need).into_iter().flatten();
        let all = self.base.network.arcs_of(need as usize).iter().chain(added).copied();
        all.filter(move |arc| !self.changed.closed.contains(&(need, arc.store)))
    }

    fn askers(&self, store: u32) -> impl Iterator<Item = (u32, u32)> {
        let added = self.changed.added_askers.get(&store).into_iter().flatten();
        let all = self.base.askers_of(store).iter().chain(added).copied();
        all.filter(move |(need, _)| !self.changed.closed.contains(&(*need, store)))
    }
}

/// Where a search may end: the ground, or better this node.
fn goals(node: Node) -> Vec<Node> {
    if node == GROUND { vec![GROUND] } else { vec![GROUND, node] }
}

/// Adds units to the entry of a list, which comes and goes with them.
fn change(list: &mut Vec<(u32, i64)>, of: u32, units: i64) {
    match list.iter_mut().find(|(other, _)| *other == of) {
        Some(entry) => entry.1 += units,
        None => list.push((of, units)),
    }
    list.retain(|(_, units)| *units != 0);
}
