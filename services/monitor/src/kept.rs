//! What the monitor keeps, read from the picture.

use std::sync::Arc;

use fallow_domain::action::Action;
use fallow_domain::monitor::kept::{Alert, Decision, Kept, Rollup, Span};
use fallow_domain::monitor::position::Position;
use fallow_ledger::picture::{Picture, Seen};
use fallow_ledger::record::Record;
use fallow_ledger::{RecordKind, Revision};
use jiff::Timestamp;

/// Everything that the monitor keeps, at one revision.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// The revision.
    pub(crate) revision: Revision,
    /// Alerts, newest first.
    pub(crate) alerts: Vec<(Alert, Revision)>,
    /// Decisions, newest first.
    pub(crate) decisions: Vec<(Decision, Revision)>,
    /// As of when reports were signed, and when that was, newest first.
    pub(crate) sign_offs: Vec<(Timestamp, Timestamp)>,
    /// Actions that need two people. Not copied: some hold a region file.
    actions: Vec<Arc<Record>>,
    /// Ends of hours, oldest first. Not copied: of a large region they are large.
    hours: Vec<Arc<Record>>,
    /// Ends of days, oldest first.
    days: Vec<Arc<Record>>,
    /// The region at ends of hours, oldest first.
    positions: Vec<Arc<Record>>,
}

impl Shelf {
    /// Reads all of it. Cost: a few hundred records are copied.
    pub(crate) fn read(picture: &Picture) -> Self {
        let (records, revision) = {
            let still = picture.still();
            (still.all(RecordKind::Monitor), still.revision())
        };
        Self::of(records.iter().map(|(_, seen)| seen), revision)
    }

    /// Sorts records of any kind; those of others are left out.
    pub(crate) fn of<'a>(records: impl Iterator<Item = &'a Seen>, revision: Revision) -> Self {
        let mut shelf = Self { revision, ..Self::default() };
        for seen in records {
            let Some(kept) = kept_of(&seen.record) else { continue };
            match kept {
                Kept::Alert(alert) => shelf.alerts.push((alert.clone(), seen.revision)),
                Kept::Decision(decision) => shelf.decisions.push((decision.clone(), seen.revision)),
                Kept::SignOff(sign_off) => shelf.sign_offs.push((sign_off.as_of, sign_off.at)),
                Kept::Rollup(rollup) => match rollup.span {
                    Span::Hour => shelf.hours.push(seen.record.clone()),
                    Span::Day => shelf.days.push(seen.record.clone()),
                },
                Kept::Position(_) => shelf.positions.push(seen.record.clone()),
                Kept::Action(_) => shelf.actions.push(seen.record.clone()),
            }
        }
        shelf.alerts.sort_by(|(a, _), (b, _)| (b.raised_at, &b.id).cmp(&(a.raised_at, &a.id)));
        shelf.decisions.sort_by(|(a, _), (b, _)| (b.at, &b.id).cmp(&(a.at, &a.id)));
        shelf.sign_offs.sort_by_key(|(as_of, _)| std::cmp::Reverse(*as_of));
        let ended_at = |record: &Arc<Record>| rollup_of(record).map(|rollup| rollup.at);
        shelf.hours.sort_by_key(ended_at);
        shelf.days.sort_by_key(ended_at);
        shelf.positions.sort_by_key(|record| position_of(record).map(|position| position.at));
        shelf
    }

    /// Returns the actions that need two people, in no order.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter_map(|record| action_of(record))
    }

    /// Returns the ends of hours, oldest first.
    pub(crate) fn hours(&self) -> impl Iterator<Item = &Rollup> {
        self.hours.iter().filter_map(|record| rollup_of(record))
    }

    /// Returns the ends of days, oldest first.
    pub(crate) fn days(&self) -> impl Iterator<Item = &Rollup> {
        self.days.iter().filter_map(|record| rollup_of(record))
    }

    /// Returns the region at ends of hours, oldest first.
    pub(crate) fn positions(&self) -> impl DoubleEndedIterator<Item = &Position> {
        self.positions.iter().filter_map(|record| position_of(record))
    }

    /// Says whether the region at the end of an hour is kept.
    pub(crate) fn has_position(&self, at: Timestamp) -> bool {
        self.positions().any(|position| position.at == at)
    }

    /// Returns the hours that end after one time and not after another.
    pub(crate) fn hours_within(&self, from: Timestamp, until: Timestamp) -> impl Iterator<Item = &Rollup> {
        self.hours().filter(move |rollup| rollup.at > from && rollup.at <= until)
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

/// Returns the alert of a record.
pub(crate) fn alert_of(record: &Record) -> Option<&Alert> {
    match kept_of(record)? {
        Kept::Alert(alert) => Some(alert),
        Kept::Decision(_) | Kept::Action(_) | Kept::SignOff(_) | Kept::Rollup(_) | Kept::Position(_) => None,
    }
}

/// Returns the action of a record.
pub(crate) fn action_of(record: &Record) -> Option<&Action> {
    match kept_of(record)? {
        Kept::Action(action) => Some(action),
        Kept::Decision(_) | Kept::Alert(_) | Kept::SignOff(_) | Kept::Rollup(_) | Kept::Position(_) => None,
    }
}

/// Returns the region at the end of an hour, where a record holds it.
pub(crate) fn position_of(record: &Record) -> Option<&Position> {
    match kept_of(record)? {
        Kept::Position(position) => Some(position),
        Kept::Decision(_) | Kept::Action(_) | Kept::Alert(_) | Kept::SignOff(_) | Kept::Rollup(_) => None,
    }
}

/// Returns the numbers of a moment that a record holds.
pub(crate) fn rollup_of(record: &Record) -> Option<&Rollup> {
    match kept_of(record)? {
        Kept::Rollup(rollup) => Some(rollup),
        Kept::Decision(_) | Kept::Action(_) | Kept::Alert(_) | Kept::SignOff(_) | Kept::Position(_) => None,
    }
}
