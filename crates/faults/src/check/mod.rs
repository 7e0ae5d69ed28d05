//! What must be true after a round, by name.

mod answers;
mod linear;
mod records;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub(crate) use records::plain;

use fallow_ledger::{Cursor, Versioned};

use crate::history::Op;
use crate::tail::Entry;
use crate::watchers::Drawn;

/// How many breaches of one invariant are shown: the first is the evidence, the others say whether it is alone.
const SHOWN: usize = 3;

/// An invariant that does not hold, with the smallest evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) invariant: &'static str,
    pub(crate) evidence: String,
}

impl Breach {
    pub(crate) fn new(invariant: &'static str, evidence: impl Into<String>) -> Self {
        Self { invariant, evidence: evidence.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.invariant, self.evidence)
    }
}

/// What is left of a round.
pub(crate) struct Evidence<'a> {
    /// What was asked and told.
    pub(crate) ops: &'a [Op],
    /// The log; in a round that ended sealed, as far as it was read before.
    pub(crate) log: &'a [Entry],
    /// What is live at the end, and where that is; `None` when the round ended sealed.
    pub(crate) live: Option<&'a (Vec<Versioned>, Cursor)>,
    /// Since when nothing may be acknowledged.
    pub(crate) sealed_at: Option<Duration>,
    /// The pictures of those who watched, by kind of record; empty when the round ended sealed.
    pub(crate) pictures: &'a [(&'static str, Drawn)],
}

/// What the checks found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What does not hold.
    pub(crate) breaches: Vec<Breach>,
    /// Objects whose histories are linearizable, and those that could not be judged.
    pub(crate) linear: (usize, usize),
}

/// Checks every invariant.
pub(crate) fn check(evidence: &Evidence<'_>) -> Findings {
    let mut breaches = answers::check(evidence);
    breaches.extend(records::check(evidence));
    let (linear, found) = linear::check(evidence.ops);
    breaches.extend(found);
    Findings { breaches: few(breaches), linear }
}

/// Keeps the first breaches of each invariant.
fn few(breaches: Vec<Breach>) -> Vec<Breach> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for breach in breaches {
        let count = counts.entry(breach.invariant).or_default();
        *count += 1;
        if *count <= SHOWN {
            kept.push(breach);
        }
    }
    for breach in &mut kept {
        let more = counts[breach.invariant];
        if more > SHOWN {
            breach.evidence.push_str(&format!(" (one of {more})"));
        }
    }
    kept
}
