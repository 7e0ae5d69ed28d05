//! What the monitor keeps, read from the picture.

use fallow_domain::monitor::kept::{Decision, Kept};
use fallow_ledger::Revision;
use fallow_ledger::picture::Seen;
use fallow_ledger::record::Record;
use jiff::Timestamp;

/// What the monitor keeps, of one moment.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// Decisions, newest first.
    pub(crate) decisions: Vec<(Decision, Revision)>,
    /// As of when reports were signed, and when that was, newest first.
    pub(crate) sign_offs: Vec<(Timestamp, Timestamp)>,
}

impl Shelf {
    /// Sorts records of any kind; those of others are left out.
    pub(crate) fn of<'a>(records: impl Iterator<Item = &'a Seen>) -> Self {
        let mut shelf = Self::default();
        for seen in records {
            let Some(kept) = kept_of(&seen.record) else { continue };
            match kept {
                Kept::Decision(decision) => shelf.decisions.push((decision.clone(), seen.revision)),
                Kept::SignOff(sign_off) => shelf.sign_offs.push((sign_off.as_of, sign_off.at)),
                Kept::Alert(_) | Kept::Rollup(_) => {}
            }
        }
        shelf.decisions.sort_by(|(a, _), (b, _)| (b.at, &b.id).cmp(&(a.at, &a.id)));
        shelf.sign_offs.sort_by_key(|(as_of, _)| std::cmp::Reverse(*as_of));
        shelf
    }
}

/// Returns what the monitor keeps in a record; `None` of a record of others.
pub(crate) fn kept_of(record: &Record) -> Option<&Kept> {
    match record {
        Record::Monitor(kept) => Some(kept),
        Record::Offer(_)
        | Record::Need(_)
        | Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Decline(_) => None,
    }
}
