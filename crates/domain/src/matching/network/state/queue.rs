//! The stores that a search has yet to look at, the nearest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::cost::Cost;

/// Stores nearer than this stand in lists by how far they lie: most chains cost little above the prices.
const NEAR: u32 = 64;

/// Stores by their distance, which is never below zero.
#[derive(Clone, Debug)]
pub(super) struct Queue<C> {
    near: [Vec<u32>; NEAR as usize],
    /// A bit for each of those lists that may hold any.
    filled: u64,
    far: BinaryHeap<Reverse<(C, u32)>>,
}

impl<C> Default for Queue<C> {
    fn default() -> Self {
        Self { near: [const { Vec::new() }; NEAR as usize], filled: 0, far: BinaryHeap::default() }
    }
}

impl<C: Cost> Queue<C> {
    pub(super) fn clear(&mut self) {
        while self.filled != 0 {
            self.near[self.filled.trailing_zeros() as usize].clear();
            self.filled &= self.filled - 1;
        }
        self.far.clear();
    }

    #[inline]
    pub(super) fn push(&mut self, distance: C, store: u32) {
        if distance < C::from(NEAR) {
            let far = usize::try_from(distance.narrow()).unwrap_or_default();
            self.near[far].push(store);
            self.filled |= 1 << far;
        } else {
            self.far.push(Reverse((distance, store)));
        }
    }

    /// Takes out the nearest store; of equally near ones the last that came, or the first by number when they lie far off.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(C, u32)> {
        while self.filled != 0 {
            let far = self.filled.trailing_zeros();
            if let Some(store) = self.near[far as usize].pop() {
                return Some((C::from(far), store));
            }
            self.filled &= self.filled - 1;
        }
        self.far.pop().map(|Reverse(nearest)| nearest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stores come out by distance, near ones and far ones, and nothing is left after a clearing.
    #[test]
    fn the_nearest_comes_first() {
        let mut queue: Queue<i64> = Queue::default();
        let distances = [70, 3, 0, 63, 64, 1 << 50, 3, 12];
        queue.push(5, 99);
        queue.push(500, 99);
        queue.clear();
        for (distance, store) in distances.into_iter().zip(0..) {
            queue.push(distance, store);
        }
        let mut found = Vec::new();
        while let Some((distance, store)) = queue.pop() {
            assert_eq!(distances[store as usize], distance);
            found.push(distance);
            if distance == 12 {
                queue.push(12, 7);
                assert_eq!(queue.pop(), Some((12, 7)));
            }
        }
        assert_eq!(found, [0, 3, 3, 12, 63, 64, 70, 1 << 50]);
    }
}
