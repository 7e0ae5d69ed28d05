//! Betters a plan: every step empties a few sessions that share cases, packs each as well as can be, and keeps the
//! result unless it is worse.

use super::greedy::settle_cheaper;
use super::knapsack::Knapsack;
use super::state::{SESSIONS_A_STEP, State};
use crate::matching::network::position;

/// One case in so many is left aside by chance.
const LEFT_ASIDE: u32 = 8;

/// Takes at most `budget` steps and returns how many were taken.
pub(super) fn improve(
    state: &mut State<'_>,
    budget: u64,
    seed: u64,
    should_stop: &mut dyn FnMut() -> bool,
) -> u64 {
    let sessions = position(state.theatre.rooms.len());
    if state.theatre.places.is_empty() {
        return 0;
    }
    let mut dice = Dice(seed);
    let mut step = Step::default();
    for done in 0..budget {
        if should_stop() {
            return done;
        }
        step.sessions.clear();
        if done < u64::from(sessions) {
            // First each session once by itself.
            step.sessions.push(u32::try_from(done).unwrap_or_default());
        } else {
            step.choose(state, sessions, &mut dice);
        }
        step.take(state, &mut dice);
    }
    budget
}

/// The sessions of one step, and what lay in them before.
#[derive(Default)]
struct Step {
    sessions: Vec<u32>,
    before: Vec<(u32, u32, u32)>,
    packed: Vec<u32>,
    outside: Vec<u32>,
    knapsack: Knapsack,
}

impl Step {
    /// Chooses a session and some that may hold cases of it.
    fn choose(&mut self, state: &State<'_>, sessions: u32, dice: &mut Dice) {
        let count = 2 + dice.below(position(SESSIONS_A_STEP) - 1) as usize;
        self.sessions.push(dice.below(sessions));
        for _ in 0..count * 2 {
            let near = self.sessions[dice.below(position(self.sessions.len())) as usize];
            let guests = state.guests_of(near);
            if guests.is_empty() {
                continue;
            }
            let case = guests[dice.below(position(guests.len())) as usize].case;
            let places = state.theatre.places_of(case as usize);
            let next = places[dice.below(position(places.len())) as usize].session;
            if !self.sessions.contains(&next) {
                self.sessions.push(next);
            }
            if self.sessions.len() == count {
                break;
            }
        }
    }

    fn take(&mut self, state: &mut State<'_>, dice: &mut Dice) {
        let members = |state: &State<'_>, sessions: &[u32]| -> i128 {
            sessions.iter().flat_map(|&s| state.members(s)).map(|&case| state.gain(case)).sum()
        };
        let old = members(state, &self.sessions);
        self.before.clear();
        for &session in &self.sessions {
            state.empty(session, &mut self.before);
        }
        // All but the last session leave some cases aside by chance, so that they do not always take the same ones.
        for (at, &session) in self.sessions.iter().enumerate() {
            let is_last = at + 1 == self.sessions.len();
            self.knapsack.pack(state, session, || is_last || dice.below(LEFT_ASIDE) != 0);
        }
        self.tidy(state);
        let new =
            members(state, &self.sessions) + self.outside.iter().map(|&case| state.gain(case)).sum::<i128>();
        if new < old {
            for &case in &self.outside {
                state.take_out(case);
            }
            let mut dropped = Vec::new();
            for &session in &self.sessions {
                state.empty(session, &mut dropped);
            }
            for &(case, session, burden) in &self.before {
                state.put(case, session, burden);
            }
        }
    }

    /// Finds a place for what was left over and moves each case to a cheaper session where one has room.
    fn tidy(&mut self, state: &mut State<'_>) {
        self.outside.clear();
        let packed = self.sessions.iter().flat_map(|&session| state.members(session)).copied();
        self.packed.clear();
        self.packed.extend(packed);
        self.packed.extend(self.before.iter().map(|&(case, ..)| case).filter(|&case| !state.is_served(case)));
        for &case in &self.packed {
            if let Some(session) = settle_cheaper(state, case)
                && !self.sessions.contains(&session)
            {
                self.outside.push(case);
            }
        }
    }
}

/// Pseudo-random numbers from a seed (splitmix64), so that a search can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        u32::try_from((u128::from(mixed) * u128::from(count)) >> 64).unwrap_or_default()
    }
}
