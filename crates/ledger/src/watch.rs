//! Watching the picture: a snapshot, a mark that it is complete, then every change, each with a cursor.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::cursor::{Cursor, Revision};
use crate::key::{Key, RecordKind};
use crate::picture::{Applied, Picture, Seen, Told};

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

/// A watch under way.
#[derive(Debug)]
pub struct Watch {
    backlog: VecDeque<Event>,
    live: broadcast::Receiver<Told>,
    cursor: Cursor,
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
        match from {
            None => {
                let records = kinds.iter().flat_map(|kind| still.all(*kind));
                let backlog = records.map(|(key, seen)| Event::Record(key, seen));
                Ok(Watch { backlog: backlog.chain([Event::SnapshotDone]).collect(), live, cursor: now })
            }
            Some(cursor) => {
                let missed = still.since(cursor).ok_or(WatchEnd::CursorGone)?;
                Ok(Watch {
                    backlog: missed.into_iter().map(Event::Change).collect(),
                    live,
                    cursor: cursor.clone(),
                })
            }
        }
    }
}

impl Watch {
    /// Waits for what happens next: a bookmark after [`BOOKMARK_EVERY`] of silence.
    ///
    /// # Errors
    /// [`WatchEnd`]; the watch is over then.
    pub async fn next(&mut self) -> Result<(Event, Cursor), WatchEnd> {
        if let Some(event) = self.backlog.pop_front() {
            if let Event::Change(applied) = &event {
                self.cursor = self.cursor.at(applied.revision);
            }
            return Ok((event, self.cursor.clone()));
        }
        match tokio::time::timeout(BOOKMARK_EVERY, self.live.recv()).await {
            Err(_) => Ok((Event::Bookmark, self.cursor.clone())),
            Ok(Ok(Told::Change(applied))) => {
                self.cursor = self.cursor.at(applied.revision);
                Ok((Event::Change(applied), self.cursor.clone()))
            }
            Ok(Ok(Told::Redrawn)) => Err(WatchEnd::CursorGone),
            Ok(Err(RecvError::Lagged(_))) => Err(WatchEnd::TooSlow { cursor: self.cursor.clone() }),
            Ok(Err(RecvError::Closed)) => Err(WatchEnd::NotYet),
        }
    }

    /// Returns the revision of the last thing told.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.cursor.revision()
    }
}
