//! Copies of much of the picture, all of one revision, during which nobody has to wait.
//!
//! A copy of a large region takes long, and while somebody holds the picture still no change is applied, and whoever
//! looks next waits too. So it is copied while changes go on. A record that a change was writing meanwhile may have been
//! copied before or after; the picture keeps its last changes, each with what was there before and after, and these say
//! what to put in its place. One that no change wrote is the same all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::{Applied, Picture, Seen};
use crate::cause::Cause;
use crate::cursor::{Cursor, Revision};
use crate::key::{Key, RecordKind};

/// How often a copy is begun anew during which the picture was drawn afresh, or changed beyond what is kept, before it is
/// held still for it after all.
const TRIES: u32 = 3;
/// Changes that are looked at before others may apply the next.
const AT_ONCE: usize = 256;

/// Which records are copied.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// Every record of these kinds.
    Kinds(&'a [RecordKind]),
    /// These records, as far as they are there.
    Keys(&'a BTreeSet<Key>),
}

impl Of<'_> {
    fn has(&self, key: &Key) -> bool {
        match self {
            Self::Kinds(kinds) => kinds.contains(&key.kind),
            Self::Keys(keys) => keys.contains(key),
        }
    }
}

/// Where the picture was.
struct Place {
    /// How often it had been drawn.
    drawn: u64,
    cursor: Cursor,
}

impl Picture {
    /// Copies records as they are at one revision, in order of key, with the cursor of it; `None` while nothing is drawn.
    /// Changes are applied meanwhile. Cost: proportional to how many records there are of the kinds, or keys.
    #[must_use]
    pub fn copy(&self, of: Of<'_>) -> Option<(BTreeMap<Key, Seen>, Cursor)> {
        for _ in 0..TRIES {
            let start = self.place()?;
            let mut records = self.copied(of);
            let Some((changes, end)) = self.changes_since(&start, start.cursor.revision()) else { continue };
            for applied in changes {
                for item in applied.items.iter().filter(|item| of.has(&item.key)) {
                    let seen = item.after.clone().map(|record| Seen { revision: applied.revision, record });
                    put(&mut records, &item.key, seen);
                }
            }
            return Some((records, end));
        }
        let still = self.still();
        let cursor = still.cursor()?.clone();
        Some((self.copied(of), cursor))
    }

    /// Copies records as they were at a place in the log, in order of key; `None` when the place is no longer kept, still to
    /// come, or of another history. Of a record that was changed since, the revision is that of the picture. Changes are applied
    /// meanwhile. Cost: as [`copy`](Self::copy), and a look at each change since.
    #[must_use]
    pub fn copy_at(&self, of: Of<'_>, then: &Cursor) -> Option<BTreeMap<Key, Seen>> {
        for _ in 0..TRIES {
            let start = self.place()?;
            // What was applied after the copy was begun can be undone in it, what was not yet applied cannot be added.
            if start.cursor.history() != then.history() || start.cursor.revision() < then.revision() {
                return None;
            }
            // What is no longer kept before the copy is not kept after it either.
            let oldest =
                self.recent().front().map_or(start.cursor.revision().next(), |applied| applied.revision);
            if then.revision().next() < oldest {
                return None;
            }
            let mut records = self.copied(of);
            let Some((changes, end)) = self.changes_since(&start, then.revision()) else {
                if self.drawn() == start.drawn {
                    return None;
                }
                continue;
            };
            for applied in changes.iter().rev() {
                for item in applied.items.iter().filter(|item| of.has(&item.key)) {
                    let before = item.before.clone();
                    put(
                        &mut records,
                        &item.key,
                        before.map(|record| Seen { revision: end.revision(), record }),
                    );
                }
            }
            return Some(records);
        }
        None
    }

    /// Returns the place in the log of the last change that was committed at or before a time, by the clocks of those who
    /// committed; `None` when the kept changes do not reach back so far. Denials are passed over: they change nothing, and are
    /// written when there is time.
    ///
    /// A change that was begun before the time and is committed later moves it: whoever goes on from here keeps the place,
    /// and not the time. Cost: one look at each change since.
    #[must_use]
    pub fn place_at(&self, at: Timestamp) -> Option<Cursor> {
        let start = self.place()?;
        let is_before = |applied: &&Arc<Applied>| {
            Cause::decode(&applied.cause).is_some_and(|cause| cause.denied.is_none() && cause.at <= at)
        };
        let mut below = start.cursor.revision().next();
        loop {
            let some = self.some_below(&start, below)?;
            if let Some(found) = some.iter().find(is_before) {
                return Some(start.cursor.at(found.revision));
            }
            below = some.last()?.revision;
        }
    }

    fn place(&self) -> Option<Place> {
        let still = self.still();
        Some(Place { drawn: self.drawn(), cursor: still.cursor()?.clone() })
    }

    /// Returns how often the picture was drawn from a snapshot: once at the start, and whenever it could not follow the log.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.drawn.load(Ordering::Acquire)
    }

    fn copied(&self, of: Of<'_>) -> BTreeMap<Key, Seen> {
        match of {
            Of::Keys(keys) => keys.iter().filter_map(|key| Some((key.clone(), self.get(key)?))).collect(),
            Of::Kinds(kinds) => {
                let mut all = Vec::with_capacity(kinds.iter().map(|kind| self.map(*kind).len()).sum());
                for kind in kinds {
                    let map = self.map(*kind);
                    all.extend(map.iter().map(|e| (Key::new(*kind, e.key().clone()), e.value().seen())));
                }
                // A whole list is sorted at once, which costs less than to put one by one into its place.
                all.into_iter().collect()
            }
        }
    }

    /// Returns the changes after a revision, oldest first, and where the picture now is; `None` when they are no longer kept,
    /// or the picture was drawn afresh since it was at a place.
    fn changes_since(&self, place: &Place, after: Revision) -> Option<(Vec<Arc<Applied>>, Cursor)> {
        let still = self.still();
        let cursor = still.cursor()?.clone();
        let changes = still.since(&place.cursor.at(after))?;
        (self.drawn() == place.drawn).then_some((changes, cursor))
    }

    /// Returns some changes below a revision, newest first; `None` when the picture was drawn afresh.
    fn some_below(&self, place: &Place, below: Revision) -> Option<Vec<Arc<Applied>>> {
        let _still = self.still();
        if self.drawn() != place.drawn {
            return None;
        }
        let recent = self.recent();
        let end = recent.partition_point(|applied| applied.revision < below);
        Some(recent.range(end.saturating_sub(AT_ONCE)..end).rev().cloned().collect())
    }
}

fn put(records: &mut BTreeMap<Key, Seen>, key: &Key, seen: Option<Seen>) {
    match seen {
        Some(seen) => drop(records.insert(key.clone(), seen)),
        None => drop(records.remove(key)),
    }
}
