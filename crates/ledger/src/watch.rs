//! Watching the picture: a snapshot, a mark that it is complete, then every change, each with a cursor.

use std::sync::Arc;
use std::time::Duration;
use std::vec;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;

use crate::cursor::{Cursor, Revision};
use crate::key::{Key, RecordKind};
use crate::picture::{Applied, Picture, Seen, Told};
use crate::record::Record;

/// How long a watch is silent at most: then it sends a bookmark.
pub const BOOKMARK_EVERY: Duration = Duration::from_secs(5);

/// What a watcher is told. A watcher that applies all of it has the right picture, from any start.
#[derive(Debug, Clone)]
pub enum Event {
    /// A record of the snapshot.
    Record(Key, Seen),
    /// The snapshot is complete.
    SnapshotDone,
    /// A change.
    Change(Arc<Applied>),
    /// Nothing, but the cursor has moved on.
    Bookmark,
}

/// Why a watch ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchEnd {
    /// The changes after the cursor are no longer kept, or the cursor is of another history: start afresh.
    #[error("the cursor is gone: watch again from the start")]
    CursorGone,
    /// The watcher was too slow: go on from this cursor.
    #[error("the watcher was too slow")]
    TooSlow {
        /// The last cursor it was told.
        cursor: Cursor,
    },
    /// The picture has not been drawn yet.
    #[error("the picture is not drawn yet")]
    NotYet,
}

/// Which records a watcher wants.
type Wants = Box<dyn Fn(&Key, &Record) -> bool + Send + Sync>;

/// A watch under way.
pub struct Watch {
    /// What is left of the snapshot. Freed when it is told, for a watch may last for hours after that.
    snapshot: vec::IntoIter<(Key, Seen)>,
    /// What is left of the changes between the cursor and the watch's beginning; freed likewise.
    missed: vec::IntoIter<Arc<Applied>>,
    live: broadcast::Receiver<Told>,
    /// What has been told, or passed over as not wanted.
    cursor: Cursor,
    /// Given with the records of a snapshot: to go on from within a snapshot would leave out the rest of it.
    unfinished: Option<Cursor>,
    /// `None` wants everything, also changes that wrote no record.
    wants: Option<Wants>,
    told_at: Instant,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("cursor", &self.cursor).finish_non_exhaustive()
    }
}

impl Picture {
    /// Starts a watch: without a cursor from a snapshot of the kinds given, with one from the change after it.
    ///
    /// # Errors
    /// [`WatchEnd::CursorGone`], [`WatchEnd::NotYet`].
    pub fn watch(&self, kinds: &[RecordKind], from: Option<&Cursor>) -> Result<Watch, WatchEnd> {
        let still = self.still();
        let now = still.cursor().cloned().ok_or(WatchEnd::NotYet)?;
        // Subscribed while nothing can be applied: what comes next is the change after `now`.
        let live = self.subscribe();
        let (snapshot, missed, cursor, unfinished) = match from {
            None => {
                let of_kinds = kinds.iter().map(|kind| still.all(*kind));
                let snapshot = of_kinds.reduce(|mut all, mut more| {
                    all.append(&mut more);
                    all
                });
                // Of no ledger's history, so that whoever comes back with it starts afresh.
                let unfinished = Cursor::new("unfinished".into(), now.revision());
                (snapshot.unwrap_or_default(), Vec::new(), now, Some(unfinished))
            }
            Some(cursor) => {
                let missed = still.since(cursor).ok_or(WatchEnd::CursorGone)?;
                (Vec::new(), missed, cursor.clone(), None)
            }
        };
        let (snapshot, missed) = (snapshot.into_iter(), missed.into_iter());
        Ok(Watch { snapshot, missed, live, cursor, unfinished, wants: None, told_at: Instant::now() })
    }
}

impl Watch {
    /// Tells only of wanted records: those of the snapshot, and changes of which at least one record is or was wanted.
    /// What such a change means to the watcher, [`AppliedItem::means`](crate::picture::AppliedItem::means) says.
    #[must_use]
    pub fn only(mut self, wants: impl Fn(&Key, &Record) -> bool + Send + Sync + 'static) -> Watch {
        self.wants = Some(Box::new(wants));
        self
    }

    /// Waits for what happens next: a bookmark when nothing was told for [`BOOKMARK_EVERY`], also while changes pass
    /// that are not wanted. Can be dropped at any time without losing anything.
    ///
    /// The cursor says from where to go on after having applied the event. Before the end of the snapshot it is one that
    /// is gone.
    ///
    /// # Errors
    /// [`WatchEnd`]; the watch is over then.
    pub async fn next(&mut self) -> Result<(Event, Cursor), WatchEnd> {
        loop {
            let event = match self.backlog() {
                Some(event) => event,
                None => self.next_live().await?,
            };
            if self.takes(&event) {
                return Ok((event, self.unfinished.as_ref().unwrap_or(&self.cursor).clone()));
            }
        }
    }

    /// Returns what has happened already, without waiting; `None` when that was all. Told like what [`next`](Self::next)
    /// returns, with the cursor that [`cursor`](Self::cursor) then has.
    ///
    /// # Errors
    /// [`WatchEnd`]; the watch is over then.
    pub fn at_hand(&mut self) -> Result<Option<Event>, WatchEnd> {
        loop {
            let event = match self.backlog() {
                Some(event) => event,
                None => match self.live.try_recv() {
                    Ok(Told::Change(applied)) => Event::Change(applied),
                    Err(TryRecvError::Empty) => return Ok(None),
                    Ok(Told::Redrawn) => return Err(WatchEnd::CursorGone),
                    Err(TryRecvError::Lagged(_)) => return Err(self.too_slow()),
                    Err(TryRecvError::Closed) => return Err(WatchEnd::NotYet),
                },
            };
            if self.takes(&event) {
                return Ok(Some(event));
            }
        }
    }

    /// Notes an event as told, or as passed over; says whether it is wanted.
    fn takes(&mut self, event: &Event) -> bool {
        if let Event::Change(applied) = event {
            self.cursor = self.cursor.at(applied.revision);
        }
        let is_wanted = self.is_wanted(event);
        if is_wanted {
            self.told_at = Instant::now();
        }
        is_wanted
    }

    fn too_slow(&self) -> WatchEnd {
        WatchEnd::TooSlow { cursor: self.cursor.clone() }
    }

    /// Returns from where to go on after what was told last; `None` while the snapshot is not complete.
    #[must_use]
    pub fn cursor(&self) -> Option<&Cursor> {
        self.unfinished.is_none().then_some(&self.cursor)
    }

    /// Takes the next of what was to be told when the watch began.
    fn backlog(&mut self) -> Option<Event> {
        if let Some((key, seen)) = self.snapshot.next() {
            return Some(Event::Record(key, seen));
        }
        if self.unfinished.take().is_some() {
            self.snapshot = vec::IntoIter::default();
            return Some(Event::SnapshotDone);
        }
        let change = self.missed.next().map(Event::Change);
        if self.missed.len() == 0 {
            self.missed = vec::IntoIter::default();
        }
        change
    }

    async fn next_live(&mut self) -> Result<Event, WatchEnd> {
        let bookmark_at = self.told_at + BOOKMARK_EVERY;
        // Looked at first: unwanted changes that never cease must not put the bookmark off.
        if Instant::now() >= bookmark_at {
            return Ok(Event::Bookmark);
        }
        match tokio::time::timeout_at(bookmark_at, self.live.recv()).await {
            Err(_elapsed) => Ok(Event::Bookmark),
            Ok(Ok(Told::Change(applied))) => Ok(Event::Change(applied)),
            Ok(Ok(Told::Redrawn)) => Err(WatchEnd::CursorGone),
            Ok(Err(RecvError::Lagged(_))) => Err(self.too_slow()),
            Ok(Err(RecvError::Closed)) => Err(WatchEnd::NotYet),
        }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        let Some(wants) = &self.wants else { return true };
        match event {
            Event::Record(key, seen) => wants(key, &seen.record),
            Event::Change(applied) => applied.items.iter().any(|item| item.means(wants).is_some()),
            Event::SnapshotDone | Event::Bookmark => true,
        }
    }

    /// Returns the revision up to which everything was told.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.cursor.revision()
    }
}
