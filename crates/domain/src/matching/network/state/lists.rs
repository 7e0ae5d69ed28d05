//! Many growing lists in one array.

use crate::matching::network::position;

/// A list of things for each position, all in one array, so that making and reading many short lists costs no
/// allocation each. A list that outgrows its place moves to a larger one, and the place is given to another.
#[derive(Clone, Debug)]
pub(super) struct Lists<T> {
    items: Vec<T>,
    spans: Vec<Span>,
    /// Places that were left, by the power of two that is their size.
    left: [Vec<u32>; 32],
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    length: u32,
    size: u32,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { items: Vec::new(), spans: Vec::new(), left: Default::default() }
    }
}

impl<T: Copy> Lists<T> {
    /// Makes room for so many lists with so many items together.
    pub(super) fn reserve(&mut self, lists: usize, items: usize) {
        self.spans.reserve_exact(lists);
        self.items.reserve_exact(items);
    }

    /// Sees to it that there are so many lists.
    pub(super) fn fit(&mut self, lists: usize) {
        if self.spans.len() < lists {
            self.spans.resize(lists, Span::default());
        }
    }

    pub(super) fn of(&self, list: u32) -> &[T] {
        let span = self.spans[list as usize];
        &self.items[span.start as usize..(span.start + span.length) as usize]
    }

    pub(super) fn of_mut(&mut self, list: u32) -> &mut [T] {
        let span = self.spans[list as usize];
        &mut self.items[span.start as usize..(span.start + span.length) as usize]
    }

    /// Appends one more list, with these items, and no room for more of them.
    pub(super) fn add(&mut self, items: impl Iterator<Item = T>) {
        let start = self.items.len();
        self.items.extend(items);
        let length = position(self.items.len() - start);
        self.spans.push(Span { start: position(start), length, size: length });
    }

    /// Appends an item and returns its place in the list.
    pub(super) fn push(&mut self, list: u32, item: T) -> u32 {
        let span = self.spans[list as usize];
        if span.length == span.size {
            self.grow(list, item);
        }
        let span = &mut self.spans[list as usize];
        self.items[(span.start + span.length) as usize] = item;
        span.length += 1;
        span.length - 1
    }

    /// Takes an item out; the last one takes its place.
    pub(super) fn swap_remove(&mut self, list: u32, at: u32) {
        let items = self.of_mut(list);
        let last = items.len() - 1;
        items.swap(at as usize, last);
        self.spans[list as usize].length -= 1;
    }

    /// Empties a list and gives its place back.
    pub(super) fn clear(&mut self, list: u32) {
        let span = std::mem::take(&mut self.spans[list as usize]);
        self.leave(span);
    }

    /// Moves a full list to a place at least twice as large. The item fills what is not used yet.
    fn grow(&mut self, list: u32, item: T) {
        let old = self.spans[list as usize];
        let size = (2 * old.size).next_power_of_two().max(4);
        let start = self.left[size.ilog2() as usize].pop().unwrap_or_else(|| {
            let start = position(self.items.len());
            self.items.resize(self.items.len() + size as usize, item);
            start
        });
        let from = old.start as usize;
        self.items.copy_within(from..from + old.length as usize, start as usize);
        self.spans[list as usize] = Span { start, length: old.length, size };
        self.leave(old);
    }

    fn leave(&mut self, span: Span) {
        // A place of another size serves as one of the next smaller power of two.
        if let Some(power) = span.size.checked_ilog2() {
            self.left[power as usize].push(span.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists that grow, shrink, end and begin again keep what was put into them, and places are used again.
    #[test]
    fn lists_do_what_single_lists_do() {
        let mut lists: Lists<u32> = Lists::default();
        let mut plain: Vec<Vec<u32>> = vec![vec![1, 2, 3], vec![], vec![4]];
        for list in &plain {
            lists.add(list.iter().copied());
        }
        lists.fit(20);
        plain.resize(20, Vec::new());
        let mut seed = 1u32;
        let mut draw = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % below
        };
        for item in 0..50_000 {
            let list = draw(20);
            let its = &mut plain[list as usize];
            match draw(20) {
                0 => {
                    lists.clear(list);
                    its.clear();
                }
                1..8 if !its.is_empty() => {
                    let at = draw(position(its.len()));
                    lists.swap_remove(list, at);
                    its.swap_remove(at as usize);
                }
                _ => {
                    assert_eq!(lists.push(list, item) as usize, its.len());
                    its.push(item);
                }
            }
            assert_eq!(lists.of(list), its);
        }
        for (list, its) in plain.iter().enumerate() {
            assert_eq!(lists.of(position(list)), its);
        }
        assert!(lists.items.len() < 20_000, "{} places for a few hundred items", lists.items.len());
    }
}
