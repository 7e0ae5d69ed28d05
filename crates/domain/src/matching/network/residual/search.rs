//! The cheapest way for one unit through what could still be moved.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::Cost;

/// A store, a need, or the ground: where spare units come from and unserved needs go.
pub(super) type Node = u32;

/// Nodes from here on are needs.
pub(super) const NEED: Node = 1 << 31;
/// Neither a store nor a need.
pub(super) const GROUND: Node = Node::MAX;

/// Which way a search goes along the moves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Where a unit put in at the start could go.
    On,
    /// From where a unit could come to the start.
    Back,
}

/// How far each node lies from the start, by moves that cost nothing below zero.
pub(super) struct Reach {
    way: Way,
    distance: FxHashMap<Node, (Cost, Node)>,
    /// Nodes nearer than this have their final distance.
    pub(super) limit: Cost,
    /// Which of the goals was reached within the limit.
    pub(super) goal: Option<Node>,
}

impl Reach {
    /// Searches from a start until a goal is reached or the limit; of goals as near as one another the last is taken.
    /// `moves` tells the moves from (or to) a node and what each costs.
    pub(super) fn find(
        way: Way,
        start: Node,
        goals: &[Node],
        limit: Cost,
        mut moves: impl FnMut(Node, &mut dyn FnMut(Node, Cost)),
    ) -> Self {
        let mut distance = FxHashMap::from_iter([(start, (0, start))]);
        let mut heap = BinaryHeap::from([Reverse((0, start))]);
        let mut goal: Option<Node> = None;
        let mut limit = limit;
        // Nothing farther than a goal that is known, by whatever way, is worth a place in the queue.
        let mut bound = limit;
        while let Some(Reverse((near, node))) = heap.pop() {
            if near > limit || (near == limit && goal.is_none()) {
                break;
            }
            if distance.get(&node).is_some_and(|known: &(Cost, Node)| known.0 < near) {
                continue;
            }
            if let Some(place) = goals.iter().position(|other| *other == node)
                && node != start
            {
                goal = Some(node);
                limit = near;
                if place + 1 == goals.len() {
                    break;
                }
                continue;
            }
            moves(node, &mut |next, cost| {
                debug_assert!(cost >= 0, "the prices do not prove the plan");
                let far = near + cost.max(0);
                if far <= bound && distance.get(&next).is_none_or(|known| far < known.0) {
                    distance.insert(next, (far, node));
                    heap.push(Reverse((far, next)));
                    if goals.contains(&next) {
                        bound = far;
                    }
                }
            });
        }
        Self { way, distance, limit, goal }
    }

    /// The moves between the start and a node that was reached, each from one node to the next, in any order.
    pub(super) fn moves_to(&self, node: Node) -> Vec<(Node, Node)> {
        let mut moves = Vec::new();
        let mut at = node;
        while let Some(&(_, before)) = self.distance.get(&at) {
            if before == at {
                break;
            }
            moves.push(match self.way {
                Way::On => (before, at),
                Way::Back => (at, before),
            });
            at = before;
        }
        moves
    }

    /// The price of a node after those nearer than the limit have been moved by how much nearer they are.
    pub(super) fn moved(&self, price: Cost, by: Cost) -> Cost {
        match self.way {
            Way::On => price + by,
            Way::Back => price - by,
        }
    }

    /// The nodes nearer than the limit, and how much nearer.
    pub(super) fn nearer(&self) -> impl Iterator<Item = (Node, Cost)> + '_ {
        let all = self.distance.iter().filter(|(_, (far, _))| *far < self.limit);
        all.map(|(&node, &(far, _))| (node, self.limit - far))
    }
}
