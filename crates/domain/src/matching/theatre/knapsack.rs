//! The best content of one session: a knapsack by minutes.

use super::state::State;

/// Reused room for the tables.
#[derive(Default)]
pub(super) struct Knapsack {
    items: Vec<Item>,
    best: Vec<i128>,
    chosen: Vec<bool>,
}

#[derive(Clone, Copy)]
struct Item {
    size: usize,
    gain: i128,
    case: u32,
    burden: u32,
}

/// The most minutes (in units of their greatest common divisor) that are packed exactly; a longer session is
/// packed greedily.
const EXACT_CELLS: usize = 4096;

impl Knapsack {
    /// Fills an empty session with the unserved cases that together are worth most, of those that `consider` lets in.
    pub(super) fn pack(&mut self, state: &mut State<'_>, session: u32, mut consider: impl FnMut() -> bool) {
        self.items.clear();
        let room = usize::try_from(state.left(session)).unwrap_or(0);
        for guest in state.guests_of(session) {
            if !state.is_served(guest.case) && consider() {
                let size = usize::try_from(state.size(guest.case)).unwrap_or(usize::MAX);
                let gain = state.worth[guest.case as usize] - i128::from(guest.burden);
                if size <= room && gain > 0 {
                    self.items.push(Item { size, gain, case: guest.case, burden: guest.burden });
                }
            }
        }
        let step = self.items.iter().fold(0, |divisor, item| common_divisor(divisor, item.size)).max(1);
        let cells = room / step;
        if cells > EXACT_CELLS {
            self.pack_greedily(state, session);
            return;
        }
        // Of cases of one size only as many as fit can be of use, the best ones.
        self.items.sort_unstable_by(|a, b| (a.size, b.gain, a.case).cmp(&(b.size, a.gain, b.case)));
        let (mut last, mut run) = (0, 0);
        self.items.retain(|item| {
            run = if item.size == last { run + 1 } else { 1 };
            last = item.size;
            run * item.size <= room
        });
        self.best.clear();
        self.best.resize(cells + 1, 0);
        self.chosen.clear();
        self.chosen.resize((cells + 1) * self.items.len(), false);
        for (row, item) in self.items.iter().enumerate() {
            let size = item.size / step;
            let chosen = &mut self.chosen[row * (cells + 1)..(row + 1) * (cells + 1)];
            for cell in (size..=cells).rev() {
                let with = self.best[cell - size] + item.gain;
                if with > self.best[cell] {
                    self.best[cell] = with;
                    chosen[cell] = true;
                }
            }
        }
        let mut cell = cells;
        for (row, item) in self.items.iter().enumerate().rev() {
            if self.chosen[row * (cells + 1) + cell] {
                cell -= item.size / step;
                state.put(item.case, session, item.burden);
            }
        }
    }

    fn pack_greedily(&mut self, state: &mut State<'_>, session: u32) {
        self.items.sort_unstable_by_key(|item| {
            (std::cmp::Reverse((item.gain << 10) / i128::try_from(item.size).unwrap_or(1)), item.case)
        });
        for item in &self.items {
            if state.left(session) >= state.size(item.case) {
                state.put(item.case, session, item.burden);
            }
        }
    }
}

fn common_divisor(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
