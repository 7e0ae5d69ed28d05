//! A demonstration's switches: what somebody breaks on purpose, and how fast its clock runs.
//!
//! The console only shows and sets them. Whoever plays the trusts reads them and behaves accordingly.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fallow_host::clock::Clock;

/// How many times faster than ours a demonstration's clock can be made to run; 0 stops it.
const SPEEDS: [u32; 4] = [0, 1, 10, 60];

/// What a demonstration tells the console of itself. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Demo {
    /// What is broken on purpose.
    pub faults: Faults,
    /// Its clock, which everything in it goes by.
    clock: Clock,
    /// The speed that it began with, which one can always go back to.
    begun_at: u32,
}

impl Demo {
    /// Makes the switches of a demonstration that goes by `clock`, a scaled one, with nothing broken.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let begun_at = clock.speed().unwrap_or(1);
        Self { faults: Faults::default(), clock, begun_at }
    }

    /// Returns how many times faster than ours its clock runs; 0 while it stands still.
    #[must_use]
    pub fn speed(&self) -> u32 {
        self.clock.speed().unwrap_or(1)
    }

    /// Returns the speeds that can be chosen, the slowest first.
    #[must_use]
    pub fn speeds(&self) -> BTreeSet<u32> {
        SPEEDS.into_iter().chain([self.begun_at]).collect()
    }

    /// Lets its clock run at one of [`Demo::speeds`] from now on; says whether it is one of them.
    pub fn run_at(&self, speed: u32) -> bool {
        let is_one = self.speeds().contains(&speed);
        if is_one {
            self.clock.set_speed(speed);
        }
        is_one
    }
}

/// One thing that can be broken, by the ODS code of the trust that it happens to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The trust's systems report nothing any more.
    SilentFeed(String),
    /// Norovirus: the trust's general wards take nobody.
    ClosedWard(String),
    /// Nobody at the trust answers proposals or moves transfers.
    NoAnswers(String),
}

impl Fault {
    /// Returns the trust that it happens to.
    #[must_use]
    pub fn trust(&self) -> &str {
        match self {
            Self::SilentFeed(trust) | Self::ClosedWard(trust) | Self::NoAnswers(trust) => trust,
        }
    }
}

/// What is broken at the moment. Cheap to clone; clones are the same switches.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<BTreeSet<Fault>>>);

impl Faults {
    /// Breaks something, or mends it.
    pub fn set(&self, fault: Fault, is_on: bool) {
        let mut faults = self.lock();
        if is_on {
            faults.insert(fault);
        } else {
            faults.remove(&fault);
        }
    }

    /// Says whether something is broken.
    #[must_use]
    pub fn has(&self, fault: &Fault) -> bool {
        self.lock().contains(fault)
    }

    /// Returns everything that is broken.
    #[must_use]
    pub fn all(&self) -> BTreeSet<Fault> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Fault>> {
        // A set is whole after each single operation, so a poisoned lock changes nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_the_same_switches_and_what_is_mended_is_whole() {
        let (shown, read) = {
            let faults = Faults::default();
            (faults.clone(), faults)
        };
        let silent = Fault::SilentFeed("ZA2".to_owned());
        shown.set(silent.clone(), true);
        assert!(read.has(&silent) && !read.has(&Fault::SilentFeed("ZA1".to_owned())));
        assert!(!read.has(&Fault::NoAnswers("ZA2".to_owned())), "each fault is a switch of its own");
        shown.set(silent.clone(), false);
        assert!(read.all().is_empty() && silent.trust() == "ZA2");
    }
}
