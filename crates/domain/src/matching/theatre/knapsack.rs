//! The best content of one session by itself: a knapsack by minutes.

/// Something that a session may take.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) size: i64,
    pub(super) gain: i64,
    pub(super) case: u32,
}

/// Reused room for the tables.
#[derive(Default)]
pub(super) struct Knapsack {
    best: Vec<i64>,
    chosen: Vec<bool>,
}

/// The most minutes (in units of their greatest common divisor) that are packed exactly.
const EXACT_CELLS: usize = 1 << 14;

impl Knapsack {
    /// Returns the most that items of positive gain are worth together within a room, and counts in `taken` the cases
    /// that are worth it. Beyond a length that is packed exactly, the answer is no less than the most.
    pub(super) fn most(&mut self, items: &mut Vec<Item>, room: i64, taken: &mut [u32]) -> i64 {
        let step = items.iter().fold(0, |divisor, item| common_divisor(divisor, item.size));
        if step == 0 {
            // Nothing but items that take no room.
            return items.iter().map(|item| item.gain).sum();
        }
        // Of items of one size only as many as fit can be of use, the best ones.
        items.sort_unstable_by(|a, b| (a.size, b.gain, a.case).cmp(&(b.size, a.gain, b.case)));
        let (mut last, mut run) = (-1, 0);
        items.retain(|item| {
            run = if item.size == last { run + 1 } else { 1 };
            last = item.size;
            item.size.saturating_mul(run) <= room
        });
        let Some(cells) = usize::try_from(room / step).ok().filter(|&cells| cells <= EXACT_CELLS) else {
            return in_fractions(items, room, taken);
        };
        self.best.clear();
        self.best.resize(cells + 1, 0);
        self.chosen.clear();
        self.chosen.resize((cells + 1) * items.len(), false);
        let size = |item: &Item| usize::try_from(item.size / step).unwrap_or(usize::MAX);
        for (row, item) in items.iter().enumerate() {
            let size = size(item);
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
        for (row, item) in items.iter().enumerate().rev() {
            if self.chosen[row * (cells + 1) + cell] {
                cell -= size(item);
                taken[item.case as usize] += 1;
            }
        }
        self.best[cells]
    }
}

/// The worth where items may be cut: no less than the most that whole ones are worth.
fn in_fractions(items: &mut [Item], room: i64, taken: &mut [u32]) -> i64 {
    let dense = |item: &Item| (i128::from(item.gain) << 20) / i128::from(item.size.max(1));
    items.sort_by_cached_key(|item| (std::cmp::Reverse(dense(item)), item.case));
    let (mut left, mut total) = (room, 0);
    for item in items {
        if item.size > left {
            let part = i128::from(item.gain) * i128::from(left) / i128::from(item.size) + 1;
            return total + i64::try_from(part).unwrap_or(item.gain);
        }
        left -= item.size;
        total += item.gain;
        taken[item.case as usize] += 1;
    }
    total
}

fn common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
