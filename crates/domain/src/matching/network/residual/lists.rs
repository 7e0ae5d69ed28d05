//! Many short lists in one.

use super::position;

/// A list of things for each position.
pub(super) struct Lists<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy> Lists<T> {
    /// Puts each item into the list of its position, in the order in which they come.
    pub(super) fn new(count: usize, items: impl Iterator<Item = (u32, T)> + Clone) -> Self {
        let mut starts = vec![0u32; count + 1];
        let mut first = None;
        for (at, item) in items.clone() {
            starts[at as usize + 1] += 1;
            first = first.or(Some(item));
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let Some(first) = first else { return Self { starts, items: Vec::new() } };
        let mut next = starts.clone();
        let mut sorted = vec![first; starts[count] as usize];
        for (at, item) in items {
            let place = &mut next[at as usize];
            sorted[*place as usize] = item;
            *place = position(*place as usize + 1);
        }
        Self { starts, items: sorted }
    }

    /// The list of a position; empty where there is none.
    pub(super) fn get(&self, at: u32) -> &[T] {
        if at as usize + 1 < self.starts.len() { self.of(at) } else { &[] }
    }

    pub(super) fn of(&self, at: u32) -> &[T] {
        &self.items[self.starts[at as usize] as usize..self.starts[at as usize + 1] as usize]
    }
}
