//! Times at which records are to be looked at again.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::engine::chores::Timed;

/// When a record is to be looked at again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// The engine wakes for it.
    pub(super) wake: Option<Timestamp>,
    /// It is looked at when the engine next looks after this.
    pub(super) by_the_way: Option<Timestamp>,
}

/// The times of all records, in order.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    wake: BTreeSet<(Timestamp, Timed)>,
    by_the_way: BTreeSet<(Timestamp, Timed)>,
    of: HashMap<Timed, Times>,
}

impl Alarms {
    /// Sets the times of a record anew.
    pub(super) fn set(&mut self, record: &Timed, times: Times) {
        let was = if times == Times::default() {
            self.of.remove(record)
        } else {
            self.of.insert(record.clone(), times)
        };
        let was = was.unwrap_or_default();
        change(&mut self.wake, record, was.wake, times.wake);
        change(&mut self.by_the_way, record, was.by_the_way, times.by_the_way);
    }

    /// The records whose time has come.
    pub(super) fn rung(&self, at: Timestamp) -> BTreeSet<Timed> {
        let rung = |set: &BTreeSet<(Timestamp, Timed)>| -> Vec<Timed> {
            set.iter().take_while(|(time, _)| *time <= at).map(|(_, record)| record.clone()).collect()
        };
        rung(&self.wake).into_iter().chain(rung(&self.by_the_way)).collect()
    }

    /// When to wake next.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.wake.first().map(|(time, _)| *time)
    }
}

fn change(
    set: &mut BTreeSet<(Timestamp, Timed)>,
    record: &Timed,
    was: Option<Timestamp>,
    is: Option<Timestamp>,
) {
    if was == is {
        return;
    }
    if let Some(was) = was {
        set.remove(&(was, record.clone()));
    }
    if let Some(is) = is {
        set.insert((is, record.clone()));
    }
}
