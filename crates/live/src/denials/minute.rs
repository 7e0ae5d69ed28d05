//! What was denied in a minute: which denials have an entry of their own, and how many there were beyond those.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use fallow_domain::actor::Actor;
use jiff::Timestamp;

use super::{ALONE_MAX, CALLERS_MAX, Denial, EACH};

/// What was denied in a minute.
#[derive(Debug, Default)]
pub(super) struct Minute {
    /// Entries that callers have had of their own, together.
    alone: u32,
    callers: HashMap<Actor, Caller>,
}

/// What one caller was denied.
#[derive(Debug, Default)]
struct Caller {
    /// Entries of its own.
    alone: u32,
    /// How often beyond those, by call and reason: no more than there are of both.
    more: BTreeMap<(&'static str, String), u64>,
    /// When the last of those was.
    last: Option<Timestamp>,
}

/// What becomes of a denial.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is written by itself.
    Now(Denial),
    /// It is counted, and written with its caller's others.
    Later,
    /// There are more callers than are counted.
    NoRoom,
}

/// An entry as it will be in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The denial; of several the commonest, at the time of the last.
    pub(super) denial: Denial,
    /// How many they are.
    pub(super) times: u64,
}

impl Minute {
    pub(super) fn take(&mut self, denial: Denial) -> Taken {
        let is_full = self.callers.len() >= CALLERS_MAX;
        let caller = match self.callers.entry(denial.by.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if is_full => return Taken::NoRoom,
            Entry::Vacant(new) => new.insert(Caller::default()),
        };
        if caller.alone < EACH && self.alone < ALONE_MAX {
            caller.alone += 1;
            self.alone += 1;
            return Taken::Now(denial);
        }
        *caller.more.entry((denial.call, denial.reason)).or_default() += 1;
        caller.last = caller.last.max(Some(denial.at));
        Taken::Later
    }

    /// Ends the minute, and returns the count of each caller, in order of their last denial.
    pub(super) fn end(&mut self) -> Vec<Told> {
        let Self { callers, .. } = std::mem::take(self);
        let mut counts: Vec<Told> = callers.into_iter().filter_map(|(by, caller)| caller.count(by)).collect();
        counts.sort_by(|Told { denial: one, .. }, Told { denial: two, .. }| {
            (one.at, &one.by.subject, one.call).cmp(&(two.at, &two.by.subject, two.call))
        });
        counts
    }
}

impl Caller {
    fn count(self, by: Actor) -> Option<Told> {
        let (at, times) = (self.last?, self.more.values().sum());
        let ((call, reason), _) = self.more.into_iter().max_by_key(|(_, times)| *times)?;
        // A count is of many calls, and of none by name.
        let denial = Denial { by, call, reason, request_id: None, at, traceparent: None };
        Some(Told { denial, times })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::denial;
    use super::*;

    #[test]
    fn callers_together_have_so_many_entries_and_each_a_count_beyond() {
        let mut minute = Minute::default();
        let mut alone = 0;
        for number in 0..CALLERS_MAX {
            for _ in 0..=EACH {
                match minute.take(denial(&format!("p{number:04}"), "SetMode")) {
                    Taken::Now(_) => alone += 1,
                    Taken::Later => {}
                    Taken::NoRoom => panic!("caller {number} is not counted"),
                }
            }
        }
        assert_eq!(alone, ALONE_MAX);
        assert_eq!(minute.take(denial("another", "SetMode")), Taken::NoRoom);
        assert_eq!(minute.take(denial("p0000", "SetMode")), Taken::Later);

        let counts = minute.end();
        let callers: Vec<&str> = counts.iter().map(|told| told.denial.by.subject.as_str()).collect();
        assert_eq!((callers.len(), callers[0], callers[1]), (CALLERS_MAX, "p0000", "p0001"));
        let all = CALLERS_MAX as u64 * u64::from(EACH + 1) + 1;
        assert_eq!(counts.iter().map(|told| told.times).sum::<u64>(), all - u64::from(ALONE_MAX));
        assert_eq!(minute.end(), []);
        assert!(matches!(minute.take(denial("another", "SetMode")), Taken::Now(_)), "a new minute");
    }

    #[test]
    fn a_count_names_the_commonest_call_and_the_last_time() {
        let mut minute = Minute::default();
        for _ in 0..EACH {
            minute.take(denial("one", "SetMode"));
        }
        for call in ["SetMode", "BypassProposal", "BypassProposal", "AnswerProposal"] {
            minute.take(denial("one", call));
        }
        let late = "2026-11-24T08:00:09Z".parse().unwrap();
        minute.take(Denial { at: late, ..denial("one", "WithdrawOffer") });
        minute.take(denial("one", "SetMode"));
        minute.take(denial("one", "SetMode"));
        let expected = Denial { at: late, request_id: None, ..denial("one", "SetMode") };
        assert_eq!(minute.end(), [Told { denial: expected, times: 7 }]);
    }
}
