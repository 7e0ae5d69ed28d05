//! The search over all parts of a theatre, in rounds: whoever waits is asked between rounds whether to go on.

use rayon::prelude::*;

use super::Mode;
use super::anneal::Search;
use super::lists::Lists;
use super::parts::{Part, parts};
use super::phases::OF_LISTS;
use crate::matching::network::{NONE, position};

/// Steps of one round over all parts together: some hundredths of a second.
const STEPS_A_ROUND: u64 = 1024;

/// A search that goes on step by step, of which the best plan so far can be had at any time.
pub(super) trait Walk: Send {
    /// Cases that may be moved: rounds are shared out by it.
    fn weight(&self) -> u64;

    /// Says that more steps would find nothing: the plan cannot be better, or nothing has been found for long.
    fn is_finished(&self) -> bool;

    /// Takes so many steps, and says how many it took.
    fn advance(&mut self, steps: u64) -> u64;
}

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
    if parts.is_empty() {
        return 0;
    }
    let starts: Vec<Vec<u32>> = parts.iter().map(|part| spots_of(part, lists)).collect();
    let mut searches: Vec<Search<'_>> = parts
        .par_iter()
        .zip(starts)
        .enumerate()
        .map(|(at, (part, start))| Search::new(part, mode, OF_LISTS, start, seed_of(seed, at)))
        .collect();
    // What is small has been solved by now: the first step.
    let mut walks: Vec<&mut dyn Walk> = searches.iter_mut().map(|search| search as &mut dyn Walk).collect();
    let steps = 1 + run(&mut walks, budget - 1, should_stop);
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
pub(super) fn run(searches: &mut [&mut dyn Walk], budget: u64, should_stop: &mut dyn FnMut() -> bool) -> u64 {
    let mut steps = 0;
    while steps < budget {
        let all: u64 =
            searches.iter().filter(|search| !search.is_finished()).map(|search| search.weight()).sum();
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
        steps += turns.into_par_iter().map(|(search, share)| search.advance(share)).sum::<u64>();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::theatre::anneal::PROPOSALS_A_STEP;
    use crate::matching::theatre::parts::Spot;

    /// Enough cases of chance sizes that the search neither proves its plan nor gives up within these tests.
    fn part() -> Part {
        let mut part = Part { rooms: vec![97; 12], sessions: (0..12).collect(), ..Part::default() };
        for case in 0..80u32 {
            let size = i64::from(17 + case * case % 29);
            let spot = |session| Spot { session, cost: i64::from(case * (session + 3) % 41), size };
            part.add(case, i64::from(300 + case * case % 701 * 10), 0, (0..12).map(spot));
        }
        part
    }

    fn search(part: &Part, seed: u64) -> Search<'_> {
        Search::new(part, Mode::Weighted, OF_LISTS, vec![NONE; part.cases.len()], seed)
    }

    /// What is reported is what was done, to the step: as many as a budget allows, or as the rounds until the stop took.
    #[test]
    fn steps_are_counted_one_by_one() {
        let part = part();
        for (budget, rounds) in [(1, 9), (2, 9), (1_025, 9), (3_000, 9), (u64::MAX, 1), (u64::MAX, 3)] {
            let (mut one, mut other) = (search(&part, 1), search(&part, 2));
            let mut asked = 0;
            let mut stop = || {
                asked += 1;
                asked == rounds
            };
            let counted = run(&mut [&mut one, &mut other], budget, &mut stop);
            let proposals = one.proposals() + other.proposals();
            assert_eq!(counted * PROPOSALS_A_STEP, proposals, "a budget of {budget}, {rounds} rounds");
            assert_eq!(counted, budget.min(STEPS_A_ROUND * rounds));
        }
    }

    /// So many steps in one go or in rounds come to the same plan, and one step more or less to another.
    #[test]
    fn a_step_is_what_a_replay_counts() {
        let part = part();
        let (mut last, mut differ) = (None, 0);
        for steps in 1..=40 {
            let mut alone = search(&part, 5);
            assert_eq!(alone.advance(steps), steps);
            let mut in_rounds = search(&part, 5);
            assert_eq!(run(&mut [&mut in_rounds], steps, &mut || false), steps);
            let found = in_rounds.finish();
            assert_eq!(alone.finish(), found);
            differ += usize::from(last.replace(found.clone()) != Some(found));
        }
        assert!(differ > 10, "{differ}");
    }
}
