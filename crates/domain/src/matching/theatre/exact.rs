//! The best plan of a small part, proved: every plan is looked at, or shown to be no better (branch and bound).

use std::cmp::{Ordering, Reverse};

use super::Mode;
use super::parts::Part;
use super::worth::{Worth, Worths};
use crate::matching::network::{NONE, position};

/// Parts of more cases are not tried.
const CASES_MAX: usize = 24;

/// Choices made, at most: some milliseconds. Six cases and two sessions come to 1,092 at most.
const CHOICES_MAX: u32 = 1 << 15;

/// Returns the best plan of a part (the spot of each case), `start` itself where nothing is better. `None` when the part
/// is too large for that to be proved.
pub(super) fn best(part: &Part, mode: Mode, start: &[u32]) -> Option<Vec<u32>> {
    if part.cases.len() > CASES_MAX {
        return None;
    }
    let mut tree = Tree::new(part, mode, start);
    tree.choose(0).then_some(tree.best.1)
}

struct Tree<'a> {
    part: &'a Part,
    worths: Worths<'a>,
    /// Cases in the order in which they are decided on.
    order: Vec<usize>,
    /// The least size of each case and the most that serving it saves.
    best_case: Vec<(i64, i64)>,
    /// For the case at each depth: whether it is the equal of the one before it.
    is_equal: Vec<bool>,
    /// The spots of each case, the cheapest first.
    choices: Vec<Vec<u32>>,
    left: Vec<i64>,
    spots: Vec<u32>,
    /// Where in its choices the case at each depth lies; their number for an unserved one.
    chosen: Vec<usize>,
    /// What the cases decided on cost.
    paid: Worth,
    best: (Worth, Vec<u32>),
    made: u32,
}

impl<'a> Tree<'a> {
    fn new(part: &'a Part, mode: Mode, start: &[u32]) -> Self {
        let worths = Worths::new(part, mode);
        let choices: Vec<Vec<u32>> = (0..part.cases.len())
            .map(|case| {
                let range = part.range_of(case);
                let mut spots: Vec<u32> = (position(range.start)..position(range.end)).collect();
                spots.sort_by_key(|&spot| (part.spots[spot as usize].cost, spot));
                spots
            })
            .collect();
        let mut order: Vec<usize> = (0..part.cases.len()).collect();
        let best_case: Vec<(i64, i64)> = (0..part.cases.len())
            .map(|case| {
                let size = part.spots_of(case).iter().map(|spot| spot.size).min().unwrap_or(0);
                (size, worths.saving(case))
            })
            .collect();
        // Band by band, what saves most a minute first, so that the room is counted in the same order.
        order.sort_by_cached_key(|&case| {
            let (size, saving) = best_case[case];
            let dense = (i128::from(saving) << 20) / i128::from(size.max(1));
            (worths.place_of(case), Reverse(dense), size, case)
        });
        let is_equal = (0..order.len())
            .map(|depth| {
                depth > 0 && {
                    let (one, other) = (order[depth - 1], order[depth]);
                    part.away[one] == part.away[other]
                        && worths.place_of(one) == worths.place_of(other)
                        && part.spots_of(one) == part.spots_of(other)
                }
            })
            .collect();
        Self {
            best: (worths.of(start), start.to_vec()),
            paid: worths.nothing(),
            worths,
            order,
            best_case,
            is_equal,
            choices,
            left: part.rooms.clone(),
            spots: vec![NONE; part.cases.len()],
            chosen: vec![0; part.cases.len()],
            part,
            made: 0,
        }
    }

    /// Decides on the case at a depth and all after it. Says whether all plans were covered.
    fn choose(&mut self, depth: usize) -> bool {
        let Some(&case) = self.order.get(depth) else {
            if self.paid < self.best.0 {
                self.best.0.clone_from(&self.paid);
                self.best.1.copy_from_slice(&self.spots);
            }
            return true;
        };
        // Equal cases may be swapped: the later one never takes an earlier choice.
        let first = if self.is_equal[depth] { self.chosen[depth - 1] } else { 0 };
        for at in first..=self.choices[case].len() {
            let spot = self.choices[case].get(at).copied();
            if spot.is_some_and(|spot| !self.fits(spot)) {
                continue;
            }
            if self.made == CHOICES_MAX {
                return false;
            }
            self.made += 1;
            self.chosen[depth] = at;
            self.set(case, spot, 1);
            let is_covered = !self.can_be_better(depth + 1) || self.choose(depth + 1);
            self.set(case, spot, -1);
            if !is_covered {
                return false;
            }
        }
        true
    }

    fn fits(&self, spot: u32) -> bool {
        let its = &self.part.spots[spot as usize];
        self.left[its.session as usize] >= its.size
    }

    /// Lays a case into a spot or leaves it unserved (`sign` 1), or takes that back (-1).
    fn set(&mut self, case: usize, spot: Option<u32>, sign: i64) {
        let Some(spot) = spot else {
            self.paid[self.worths.place_of(case)] += sign * self.part.away[case];
            return;
        };
        let its = &self.part.spots[spot as usize];
        self.left[its.session as usize] -= sign * its.size;
        self.paid[self.worths.last()] += sign * its.cost;
        self.spots[case] = if sign > 0 { spot } else { NONE };
    }

    /// Says whether plans that go on from here could be better than the best: neither of two bounds forbids it.
    fn can_be_better(&self, depth: usize) -> bool {
        self.is_better(&self.least_one_by_one(depth)) && self.is_better(&self.least_by_room(depth))
    }

    fn is_better(&self, rest: &Worth) -> bool {
        let total = self.paid.iter().zip(rest).map(|(paid, rest)| paid + rest);
        total.cmp(self.best.0.iter().copied()) == Ordering::Less
    }

    /// Each case where it costs least now, as if the others left it the room.
    fn least_one_by_one(&self, depth: usize) -> Worth {
        let mut least = self.worths.nothing();
        for &case in &self.order[depth..] {
            match self.choices[case].iter().find(|&&spot| self.fits(spot)) {
                Some(&spot) => least[self.worths.last()] += self.part.spots[spot as usize].cost,
                None => least[self.worths.place_of(case)] += self.part.away[case],
            }
        }
        least
    }

    /// What all sessions together have no room for, if cases could be cut and each band had all the room.
    fn least_by_room(&self, depth: usize) -> Worth {
        let mut least = self.worths.nothing();
        let room: i64 = self.left.iter().sum();
        let (mut left, mut band) = (room, 0);
        for &case in &self.order[depth..] {
            let place = self.worths.place_of(case);
            if place != band {
                (left, band) = (room, place);
            }
            let (size, saving) = self.best_case[case];
            least[place] += self.part.away[case];
            least[place] -= if size <= left { saving } else { part_of(saving, left, size) };
            left = (left - size).max(0);
        }
        least
    }
}

/// What a part of a case saves, rounded up.
fn part_of(saving: i64, left: i64, size: i64) -> i64 {
    let cut = (i128::from(saving) * i128::from(left)).div_euclid(i128::from(size)) + 1;
    i64::try_from(cut).unwrap_or(saving)
}
