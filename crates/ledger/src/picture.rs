//! The picture: every live record in memory, filled from the log and by nobody else.
//!
//! Single records are read from the concurrent map at once. Lists, snapshots and watches are taken at one revision,
//! under the gate that the follower closes while it applies a change. Who needs much of it takes a copy ([`Of`]), for
//! which nobody waits.

mod copied;
mod held;
mod sketch;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::cause::Cause;
use crate::commit::Change;
use crate::cursor::{Cursor, Revision};
use crate::key::{Key, RecordKind};
use crate::planted;
use crate::record::{Record, Unreadable, need_key, offer_key, proposal_key, shared_key};

pub use copied::Of;
use held::{Held, Recent};
pub(crate) use sketch::{Sketch, Sketched};

/// Changes kept for watchers that come back with a cursor.
pub const RECENT_CHANGES: usize = 8_192;
/// Of changes that write many records, such as a site's whole state, as many as write so many together: what they wrote is
/// held in memory as it was before and after.
pub const RECENT_RECORDS: usize = 65_536;
/// Changes that are applied before those who wait for a revision are woken.
const WOKEN_EVERY: usize = 32;
/// Records that are written before they are woken, where few changes write many: one alone may write a thousand.
const WOKEN_EVERY_RECORDS: usize = 256;
/// Changes that a watcher may be behind before it is cut.
pub const WATCHER_BUFFER: usize = 1_024;

/// A record as the picture holds it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The revision that last wrote it.
    pub revision: Revision,
    /// The record.
    pub record: Arc<Record>,
}

/// One change, as watchers are told of it.
#[derive(Debug)]
pub struct Applied {
    /// Its revision.
    pub revision: Revision,
    /// Each record it wrote, before and after; `None` where there was or is none.
    pub items: Vec<AppliedItem>,
    /// Why it came about, as the log keeps it.
    pub cause: Bytes,
}

/// What a change of one record means to a watcher that wants some records only.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// The record is now this, be it new to the watcher or not.
    Is(Arc<Record>),
    /// The record is gone from what the watcher wants: deleted, or no longer wanted.
    Gone,
}

impl AppliedItem {
    /// Says what the change means to a watcher; `None` when it wants the record neither as it was nor as it is.
    pub fn means(&self, wants: impl Fn(&Key, &Record) -> bool) -> Option<Meaning> {
        match (&self.before, &self.after) {
            (_, Some(after)) if wants(&self.key, after) => Some(Meaning::Is(after.clone())),
            (Some(before), _) if wants(&self.key, before) => Some(Meaning::Gone),
            (Some(_) | None, Some(_) | None) => None,
        }
    }
}

/// One record of a change.
#[derive(Debug, Clone)]
pub struct AppliedItem {
    /// The record's key.
    pub key: Key,
    /// What it was.
    pub before: Option<Arc<Record>>,
    /// What it is.
    pub after: Option<Arc<Record>>,
}

/// What watchers hear.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// A change.
    Change(Arc<Applied>),
    /// The picture was drawn afresh: cursors from before are gone.
    Redrawn,
}

/// A change that does not follow on the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap;

/// Every live record in memory.
#[derive(Debug)]
pub struct Picture {
    records: [DashMap<Arc<str>, Held>; RecordKind::ALL.len()],
    /// How often records of each kind were put or taken out.
    writes: [AtomicU64; RecordKind::ALL.len()],
    unreadable: DashMap<Key, Unreadable>,
    /// Live proposals and transfers by the offer, need or proposal they refer to.
    referring: DashMap<Key, BTreeSet<Key>>,
    gate: RwLock<Option<Cursor>>,
    /// How often it was drawn from a snapshot; written while the gate is closed.
    drawn: AtomicU64,
    recent: Mutex<Recent>,
    /// When the ledger last answered; `None` before it first did.
    heard_at: Mutex<Option<Instant>>,
    told: broadcast::Sender<Told>,
    /// The latest revision applied.
    shown: AtomicU64,
    /// The same for those who wait for it, somewhat later; `None` until the picture is drawn.
    revision: watch::Sender<Option<Revision>>,
}

impl Default for Picture {
    fn default() -> Self {
        Self {
            records: std::array::from_fn(|_| DashMap::new()),
            writes: std::array::from_fn(|_| AtomicU64::new(0)),
            unreadable: DashMap::new(),
            referring: DashMap::new(),
            gate: RwLock::new(None),
            drawn: AtomicU64::new(0),
            recent: Mutex::default(),
            heard_at: Mutex::new(None),
            told: broadcast::channel(WATCHER_BUFFER).0,
            shown: AtomicU64::new(0),
            revision: watch::channel(None).0,
        }
    }
}

/// The picture at one revision: while it is held, no change is applied.
#[derive(Debug)]
pub struct Still<'a> {
    picture: &'a Picture,
    cursor: RwLockReadGuard<'a, Option<Cursor>>,
}

impl Picture {
    /// Returns a record at once, as of the latest change applied.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Seen> {
        self.map(key.kind).get(&key.id).map(|held| held.seen())
    }

    /// Holds the picture still at one revision. Keep it briefly and never across an await.
    #[must_use]
    pub fn still(&self) -> Still<'_> {
        Still { picture: self, cursor: self.gate.read().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Returns a number that is another one after each change of a record of a kind: while it is the same, what was made of
    /// the records of the kind still holds. It is another one before anybody is told of the change. It waits for nothing.
    #[must_use]
    pub fn writes(&self, kind: RecordKind) -> u64 {
        self.writes[kind.index()].load(Ordering::Acquire)
    }

    /// Returns the keys of the live proposals and transfers that refer to an offer, a need or a proposal, in order.
    #[must_use]
    pub fn referring_to(&self, key: &Key) -> Vec<Key> {
        self.referring.get(key).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
    }

    /// Returns the latest revision applied; [`Revision::ABSENT`] while nothing is drawn.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision(self.shown.load(Ordering::Acquire))
    }

    /// Returns a receiver that sees each new revision (but may skip some); `None` while nothing is drawn.
    #[must_use]
    pub fn revisions(&self) -> watch::Receiver<Option<Revision>> {
        self.revision.subscribe()
    }

    /// Waits until the picture is drawn and has reached a revision; says whether it did within the time.
    pub async fn reached(&self, revision: Revision, within: Duration) -> bool {
        let mut revisions = self.revision.subscribe();
        tokio::time::timeout(within, revisions.wait_for(|now| *now >= Some(revision)))
            .await
            .is_ok_and(|r| r.is_ok())
    }

    /// Returns why a change came about, as long as it is one of the last [`RECENT_CHANGES`] since the picture was drawn.
    #[must_use]
    pub fn cause_of(&self, revision: Revision) -> Option<Cause> {
        let recent = self.recent();
        // The kept changes are dense, so a change's place follows from its number.
        let place = revision.0.checked_sub(recent.front()?.revision.0)?;
        let applied = recent.get(usize::try_from(place).ok()?)?.clone();
        drop(recent);
        Cause::decode(&applied.cause)
    }

    /// Returns how long the ledger has not answered: the age of the picture while the store is away. Up to a second is
    /// ordinary. `None` before it first answered.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let heard_at = *self.heard_at.lock().unwrap_or_else(PoisonError::into_inner);
        heard_at.map(|heard_at| heard_at.elapsed())
    }

    /// Notes that the ledger has answered just now.
    pub(crate) fn heard(&self) {
        *self.heard_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Returns the records that could not be read, in order of key.
    #[must_use]
    pub fn unreadable(&self) -> Vec<(Key, Unreadable)> {
        let mut all: Vec<_> = self.unreadable.iter().map(|e| (e.key().clone(), e.value().clone())).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// Draws the picture afresh from the records of a snapshot. Watchers are told that their cursors are gone.
    ///
    /// A record that was there and still is can be read throughout.
    pub(crate) fn redraw(&self, sketch: Sketch, cursor: &Cursor) {
        let mut gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let is_first = gate.is_none();
        self.drawn.fetch_add(1, Ordering::Release);
        let mut known = HashSet::new();
        for Sketched { key, revision, record } in sketch.last(&mut known) {
            self.put(&key, revision, record);
        }
        if !is_first {
            for gone in self.keys().into_iter().filter(|key| !known.contains(key)) {
                self.put(&gone, cursor.revision(), None);
            }
        }
        self.recent().clear();
        *gate = Some(cursor.clone());
        self.shown.store(cursor.revision().0, Ordering::Release);
        if !is_first {
            // Sent while the gate is closed: who subscribes later sees the new picture. Nobody watching is no failure.
            let _ = self.told.send(Told::Redrawn);
        }
        drop(gate);
        // Also where it is the same revision, of another history.
        self.revision.send_replace(Some(cursor.revision()));
    }

    /// The keys of all records, readable or not.
    fn keys(&self) -> Vec<Key> {
        let readable = RecordKind::ALL.into_iter().flat_map(|kind| {
            self.map(kind).iter().map(|e| Key::new(kind, e.key().clone())).collect::<Vec<Key>>()
        });
        readable.chain(self.unreadable.iter().map(|e| e.key().clone())).collect()
    }

    /// Applies the next changes of the log, oldest first. A change at or before the picture's revision was applied already.
    ///
    /// Who waits for a revision is woken after some changes, and not after each: with hundreds that wait, each of them for its
    /// own, that costs more than the changes.
    ///
    /// # Errors
    /// [`Gap`] when one is not the next one: the picture must be drawn afresh.
    pub(crate) fn apply(&self, changes: Vec<Change>) -> Result<(), Gap> {
        let mut changes = VecDeque::from(changes);
        while !changes.is_empty() {
            let some = woken_after(changes.iter().map(|change| change.writes.len()));
            let gap = changes.drain(..some).map(|change| self.apply_one(change)).find_map(Result::err);
            self.wake();
            if let Some(gap) = gap {
                return Err(gap);
            }
        }
        Ok(())
    }

    /// Tells those who wait how far the picture is.
    fn wake(&self) {
        let shown = Some(self.revision());
        self.revision.send_if_modified(|told| std::mem::replace(told, shown) != shown);
    }

    fn apply_one(&self, change: Change) -> Result<(), Gap> {
        // Read before the gate is closed, for whoever looks waits for it.
        let writes: Vec<_> = change
            .writes
            .into_iter()
            .map(|(key, body)| match body.map(|body| read(&key, &body)) {
                Some(Ok(record)) => (shared_key(key, &record), Some(Ok(record))),
                record => (key, record),
            })
            .collect();
        let mut gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let Some(cursor) = gate.as_ref() else { return Err(Gap) };
        if change.revision <= cursor.revision() {
            return Ok(());
        }
        if change.revision != cursor.revision().next() && !planted::on("follower-skips") {
            return Err(Gap);
        }
        let items = writes
            .into_iter()
            .map(|(key, record)| {
                let (before, after) = self.put(&key, change.revision, record);
                AppliedItem { key, before, after }
            })
            .collect();
        let applied = Arc::new(Applied { revision: change.revision, items, cause: change.cause });
        self.recent().push(applied.clone());
        *gate = Some(cursor.at(change.revision));
        self.shown.store(change.revision.0, Ordering::Release);
        // Sent while the gate is closed, so that a watcher that subscribes under it misses and repeats nothing.
        if planted::on("follower-applies-twice") {
            let _ = self.told.send(Told::Change(applied.clone()));
        }
        let _ = self.told.send(Told::Change(applied));
        Ok(())
    }

    fn put(
        &self,
        key: &Key,
        revision: Revision,
        record: Option<Result<Arc<Record>, Unreadable>>,
    ) -> (Option<Arc<Record>>, Option<Arc<Record>>) {
        let before = self.map(key.kind).get(&key.id).map(|held| held.seen().record);
        self.unreadable.remove(key);
        let after = record.and_then(|record| match record {
            Ok(record) => Some(record),
            Err(unreadable) => {
                tracing::error!(key = %key, error = %unreadable, "a record cannot be read and is set apart");
                self.unreadable.insert(key.clone(), unreadable);
                None
            }
        });
        match &after {
            Some(record) => {
                self.map(key.kind).insert(key.id.clone(), Held::of(revision, record));
            }
            None => {
                self.map(key.kind).remove(&key.id);
            }
        }
        self.writes[key.kind.index()].fetch_add(1, Ordering::Release);
        for target in before.as_deref().map(refers_to).unwrap_or_default() {
            if let Some(mut keys) = self.referring.get_mut(&target) {
                keys.remove(key);
            }
            self.referring.remove_if(&target, |_, keys| keys.is_empty());
        }
        for target in after.as_deref().map(refers_to).unwrap_or_default() {
            self.referring.entry(target).or_default().insert(key.clone());
        }
        (before, after)
    }

    fn map(&self, kind: RecordKind) -> &DashMap<Arc<str>, Held> {
        &self.records[kind.index()]
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many watch now.
    #[must_use]
    pub fn watchers(&self) -> usize {
        self.told.receiver_count()
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Told> {
        self.told.subscribe()
    }
}

fn read(key: &Key, body: &Bytes) -> Result<Arc<Record>, Unreadable> {
    Record::decode(key.kind, body).map(Arc::new)
}

/// Returns what a live proposal or transfer refers to; an ended proposal and every other record refer to nothing.
fn refers_to(record: &Record) -> Vec<Key> {
    match record {
        Record::Proposal(p) if !p.state.is_ended() => {
            p.offers().map(offer_key).chain([need_key(&p.need)]).collect()
        }
        Record::Transfer(t) if !t.state.is_ended() => {
            t.offers().map(offer_key).chain([need_key(&t.need), proposal_key(&t.proposal)]).collect()
        }
        Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Offer(_)
        | Record::Need(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => Vec::new(),
    }
}

impl Still<'_> {
    /// Returns the revision at which the picture is held.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.cursor.as_ref().map_or(Revision::ABSENT, Cursor::revision)
    }

    /// Returns the cursor of that revision; `None` before the first snapshot.
    #[must_use]
    pub fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// Returns a record.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Seen> {
        self.picture.get(key)
    }

    /// Returns every record of a kind with its key, in order of key. Cost: proportional to how many there are.
    #[must_use]
    pub fn all(&self, kind: RecordKind) -> Vec<(Key, Seen)> {
        let map = self.picture.map(kind);
        let mut all = Vec::with_capacity(map.len());
        all.extend(map.iter().map(|e| (Key::new(kind, e.key().clone()), e.value().seen())));
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// Returns the changes after a cursor, oldest first, or `None` when they are no longer kept, or the cursor is of
    /// another history, or ahead.
    pub(crate) fn since(&self, cursor: &Cursor) -> Option<Vec<Arc<Applied>>> {
        let now = self.cursor.as_ref()?;
        if cursor.history() != now.history() || cursor.revision() > now.revision() {
            return None;
        }
        let recent = self.picture.recent();
        let oldest = recent.front().map_or(now.revision().next(), |applied| applied.revision);
        if cursor.revision().next() < oldest {
            return None;
        }
        let first = recent.partition_point(|applied| applied.revision <= cursor.revision());
        Some(recent.range(first..).cloned().collect())
    }
}

/// Returns how many changes, that write so many records each, are applied before those who wait are woken.
fn woken_after(writes: impl Iterator<Item = usize>) -> usize {
    let (mut changes, mut records) = (0, 0);
    for written in writes.take(WOKEN_EVERY) {
        changes += 1;
        records += written;
        if records >= WOKEN_EVERY_RECORDS {
            break;
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_changes_are_kept_than_there_is_room_for() {
        let picture = Picture::default();
        let start = Cursor::new("history".into(), Revision::ABSENT);
        picture.redraw(Sketch::default(), &start);
        let all = RECENT_CHANGES as u64 + 10;
        let change = |n| Change { revision: Revision(n), writes: [].into(), cause: Bytes::new() };
        picture.apply((1..=all).map(change).collect()).unwrap();
        assert_eq!(picture.recent().len(), RECENT_CHANGES);
        let still = picture.still();
        assert_eq!(still.since(&start.at(Revision(10))).map(|kept| kept.len()), Some(RECENT_CHANGES));
        assert!(still.since(&start.at(Revision(9))).is_none(), "that one is gone");
    }

    #[test]
    fn of_large_changes_fewer_are_kept() {
        let picture = Picture::default();
        let start = Cursor::new("history".into(), Revision::ABSENT);
        picture.redraw(Sketch::default(), &start);
        let gone = |n: usize| (Key::new(RecordKind::Offer, format!("{n}")), None);
        let writes: crate::Writes = (0..1_000).map(gone).collect();
        let all = 3 * RECENT_RECORDS as u64 / 1_000;
        let change = |n| Change { revision: Revision(n), writes: writes.clone(), cause: Bytes::new() };
        picture.apply((1..=all).map(change).collect()).unwrap();
        assert_eq!(picture.recent().len(), RECENT_RECORDS / 1_000);
        assert_eq!(picture.recent().back().map(|last| last.revision), Some(Revision(all)));
    }

    #[test]
    fn a_claim_is_the_same_record_again() {
        let picture = Picture::default();
        let key = Key::new(RecordKind::Claim, "offer/ZA1/ward 2");
        let holder = fallow_domain::ids::Label::parse("o-1").unwrap();
        let record = Arc::new(Record::Claim(fallow_domain::standing::Claim { holder }));
        picture.put(&key, Revision(7), Some(Ok(record.clone())));
        let seen = picture.get(&key).unwrap();
        assert_eq!((seen.revision, seen.record), (Revision(7), record.clone()));
        let listed = picture.still().all(RecordKind::Claim);
        assert!(matches!(listed.as_slice(), [(found, seen)] if *found == key && seen.record == record));
        let (before, after) = picture.put(&key, Revision(8), None);
        assert_eq!((before, after), (Some(record), None));
        assert!(picture.get(&key).is_none());
    }

    #[test]
    fn who_waits_is_woken_after_some_changes_or_some_records_whichever_is_first() {
        let after = |writes: &[usize]| woken_after(writes.iter().copied());
        assert_eq!(after(&[]), 0);
        assert_eq!(after(&[0; 3]), 3);
        assert_eq!(after(&[1; 100]), WOKEN_EVERY);
        assert_eq!(after(&[WOKEN_EVERY_RECORDS - 1, 1, 1]), 2);
        assert_eq!(after(&[1_000; 32]), 1);
    }
}
