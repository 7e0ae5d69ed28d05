//! The search over all parts of a theatre, in rounds: whoever waits is asked between rounds whether to go on.

use rayon::prelude::*;

use super::Mode;
use super::anneal::{OF_LISTS, Search};
use super::lists::Lists;
use super::parts::{Part, parts};
use crate::matching::network::{NONE, position};

/// Steps of one round over all parts together: some hundredths of a second.
const STEPS_A_ROUND: u64 = 1024;

/// Betters the lists and returns how many steps were taken.
pub(super) fn improve(
    lists: &mut Lists<'_>,
    mode: Mode,
    budget: u64,
    seed: u64,
    should_stop: &mut dyn FnMut() -> bool,
) -> u64 {
    if budget == 0 || should_stop() {
        return 0;
    }
    let parts = parts(lists.theatre);
    let starts: Vec<Vec<u32>> = parts.iter().map(|part| spots_of(part, lists)).collect();
    let mut searches: Vec<Search<'_>> = parts
        .par_iter()
        .zip(starts)
        .enumerate()
        .map(|(at, (part, start))| Search::new(part, mode, OF_LISTS, start, seed_of(seed, at)))
        .collect();
    let steps = run(&mut searches, budget, should_stop);
    let found: Vec<Vec<u32>> = searches.into_par_iter().map(|search| search.finish().1).collect();
    for (part, spots) in parts.iter().zip(&found) {
        for &case in &part.cases {
            if lists.is_served(case) {
                lists.take_out(case);
            }
        }
        for (&case, &spot) in part.cases.iter().zip(spots).filter(|(_, spot)| **spot != NONE) {
            let spot = part.spots[spot as usize];
            let session = part.sessions[spot.session as usize];
            lists.put(case, session, u32::try_from(spot.cost).unwrap_or(u32::MAX));
        }
    }
    steps
}

/// Lets all searches go on, in rounds, until the budget is spent, nobody wants to wait or nothing better is to be
/// expected. What each search does depends on the steps taken alone, so that a replay of so many steps does the same.
pub(super) fn run(searches: &mut [Search<'_>], budget: u64, should_stop: &mut dyn FnMut() -> bool) -> u64 {
    let mut steps = 0;
    while steps < budget {
        let all: u64 = searches.iter().filter(|search| !search.is_finished()).map(Search::weight).sum();
        let mut left = budget - steps;
        let mut turns = Vec::new();
        for search in searches.iter_mut().filter(|search| !search.is_finished()) {
            let share = (STEPS_A_ROUND * search.weight()).div_ceil(all.max(1)).min(left);
            left -= share;
            turns.push((search, share));
        }
        if turns.is_empty() {
            break;
        }
        turns.into_par_iter().for_each(|(search, share)| search.advance(share));
        steps = budget - left;
        if should_stop() {
            break;
        }
    }
    steps
}

/// A seed of its own for each search.
pub(super) fn seed_of(seed: u64, at: usize) -> u64 {
    seed.wrapping_add(u64::from(position(at)).wrapping_mul(0xD1B5_4A32_D192_ED03))
}

/// The spot of each case of a part in the lists.
fn spots_of(part: &Part, lists: &Lists<'_>) -> Vec<u32> {
    let mut inside = vec![NONE; lists.theatre.rooms.len()];
    for (at, &session) in part.sessions.iter().enumerate() {
        inside[session as usize] = position(at);
    }
    let spot = |(at, &case): (usize, &u32)| match lists.session(case) {
        NONE => NONE,
        session => part.spot_in(at, inside[session as usize]).unwrap_or(NONE),
    };
    part.cases.iter().enumerate().map(spot).collect()
}
