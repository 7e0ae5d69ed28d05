//! Theatre sessions by the minute: cases of different lengths packed into sessions of different lengths.
//!
//! This is a generalised assignment problem, for which no fast exact way is known. A greedy plan is bettered by
//! simulated annealing, for any number of steps; whenever it stops, the plan is put in order so that it keeps its
//! promise: no unserved case fits what is left of a session, and none could replace one case of a later class in a
//! session that would then hold it. [`assign`] turns the same search to the classical problem of that name.

mod anneal;
pub mod assign;
mod bound;
mod chain;
mod dice;
mod exact;
mod greedy;
mod knapsack;
mod lists;
mod overload;
mod packing;
mod parts;
mod phases;
mod prices;
mod promise;
mod response;
mod rounds;
mod worth;

use super::network::position;
pub use bound::{Bound, bound};
use lists::Lists;
pub use promise::broken_promise;

/// What is weighed against what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A case of an earlier band outweighs any number of cases of later bands.
    Strict,
    /// All bands are weighed together by the level of each case's class.
    Weighted,
}

/// One case to be operated on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Minutes it takes in a session, turnover included; at least 1.
    pub size: i64,
    /// Its class, 0 is the first to be served.
    pub class: u32,
    /// Its band, 0 is the most urgent. Classes of an earlier band come before those of a later one.
    pub band: u8,
}

/// A session that may hold a case, and what that costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The session, by its position.
    pub session: u32,
    /// Points.
    pub burden: u32,
}

/// Cases, sessions and which may go where.
#[derive(Clone, Debug, Default)]
pub struct Theatre {
    /// Minutes of each session, with one turnover added (each case brings one, the last needs none).
    rooms: Vec<i64>,
    cases: Vec<Case>,
    starts: Vec<u32>,
    places: Vec<Place>,
}

impl Theatre {
    /// Returns sessions that nobody needs yet: `rooms` are their free minutes, each with one turnover added.
    pub fn new(rooms: Vec<i64>) -> Self {
        Self { rooms, cases: Vec::new(), starts: vec![0], places: Vec::new() }
    }

    /// Adds a case with the sessions that may hold it, and returns its position. Sessions too short for it are left out.
    pub fn add(&mut self, case: Case, places: impl IntoIterator<Item = Place>) -> usize {
        let rooms = &self.rooms;
        self.places.extend(places.into_iter().filter(|place| rooms[place.session as usize] >= case.size));
        self.starts.push(position(self.places.len()));
        self.cases.push(case);
        self.cases.len() - 1
    }

    /// The cases, in the order in which they were added.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The minutes of each session, with one turnover added.
    pub fn rooms(&self) -> &[i64] {
        &self.rooms
    }

    /// The sessions that may hold a case.
    pub fn places_of(&self, case: usize) -> &[Place] {
        &self.places[self.starts[case] as usize..self.starts[case + 1] as usize]
    }

    /// Points of a case in a session; `None` where it may not go there.
    pub fn burden(&self, case: usize, session: u32) -> Option<u32> {
        self.places_of(case).iter().find(|place| place.session == session).map(|place| place.burden)
    }

    /// What each case costs the surrogate while it goes unserved: its level times c. Levels count the classes
    /// present, the last is 1; c is 300 points, or one more than the greatest burden if that is more.
    pub fn penalties(&self) -> Vec<i64> {
        let mut classes: Vec<u32> = self.cases.iter().map(|case| case.class).collect();
        classes.sort_unstable();
        classes.dedup();
        let dearest = self.places.iter().map(|place| i64::from(place.burden)).max().unwrap_or(0);
        let each = (dearest + 1).max(300);
        let level = |class: u32| classes.len() - classes.partition_point(|&other| other < class);
        self.cases.iter().map(|case| i64::from(position(level(case.class))) * each).collect()
    }

    /// The surrogate of a plan, to be minimised: the penalties of unserved cases and the burden of served ones.
    pub fn surrogate(&self, sessions: &[Option<u32>]) -> i64 {
        let penalties = self.penalties();
        let of = |case: usize| match sessions[case] {
            Some(session) => self.burden(case, session).map_or(0, i64::from),
            None => penalties[case],
        };
        (0..self.cases.len()).map(of).sum()
    }

    /// Returns a plan that keeps the promise, after at most `budget` steps of search or until `should_stop`, which is
    /// asked every few hundredths of a second.
    ///
    /// The search starts from the better of a greedy plan and `previous` (the session of each case), filled up. A step
    /// is some 256 proposals, tens of microseconds. It ends by itself where nothing better is to be expected. Parts that
    /// share no session are searched in parallel. The same cases, mode, previous plan, seed and number of steps
    /// done give the same plan, whatever the number of threads.
    pub fn solve(
        &self,
        mode: Mode,
        previous: Option<&[Option<u32>]>,
        budget: u64,
        seed: u64,
        should_stop: &mut dyn FnMut() -> bool,
    ) -> Schedule {
        let mut start = Lists::new(self);
        greedy::fill(&mut start, mode);
        if let Some(previous) = previous {
            let mut kept = Lists::new(self);
            kept.restore(previous);
            greedy::fill(&mut kept, mode);
            if kept.worth(mode) <= start.worth(mode) {
                start = kept;
            }
        }
        let steps = rounds::improve(&mut start, mode, budget, seed, should_stop);
        promise::settle(&mut start);
        Schedule { sessions: start.sessions(), steps }
    }
}

/// A plan for theatre sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The session of each case, by the case's position; `None` for one that goes unserved.
    pub sessions: Vec<Option<u32>>,
    /// Steps of search done.
    pub steps: u64,
}

#[cfg(test)]
mod tests;
