//! Watches over the wire: the picture's watch, seen through what the caller may see and asked for.

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::violation::Violations;
use fallow_domain::actor::Role;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::Record;
use fallow_ledger::watch::{BOOKMARK_EVERY, Event, Watch, WatchEnd};
use fallow_ledger::{Cursor, RecordKind, Revision};
use futures::stream::{self, Stream};
use std::collections::VecDeque;
use std::pin::Pin;

use tokio::time::Instant;

use crate::RETRY_AFTER;

/// What a watcher is told, with the cursor to go on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Told<T> {
    /// What.
    pub item: Item<T>,
    /// Where to go on; empty while the snapshot is not complete.
    pub cursor: String,
    /// The revision of what is told.
    pub revision: Revision,
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Item<T> {
    /// A record as it now is.
    Now(T),
    /// The id of a record that is gone, or no longer this watcher's to see.
    Removed(String),
    /// The snapshot is complete.
    SnapshotDone,
    /// Nothing new, but still here.
    Bookmark,
    /// This process is stopping: watch again elsewhere, from the last cursor.
    Moved,
}

/// A watch of one kind of record by one caller. `see` says what the caller sees of a record; it is asked again at each
/// change, so that a change of rights or of the region holds from the next message on.
pub struct Watching<T, F> {
    watch: Watch,
    kind: RecordKind,
    see: F,
    ready: VecDeque<Told<T>>,
    /// The cursor of the last change told in full.
    cursor: String,
    told_at: Instant,
    /// Whether a change that the watcher may not see is told at once, by its revision alone.
    tells_hidden: bool,
}

impl<T, F: FnMut(&Record, Revision) -> Option<T>> Watching<T, F> {
    /// Starts a watch, from a cursor or (empty) from a snapshot.
    ///
    /// # Errors
    /// A violation of `cursor` when it is no cursor; `CURSOR_GONE`; `NOT_READY`.
    pub fn start(picture: &Picture, kind: RecordKind, cursor: &str, see: F) -> Result<Self, Failure> {
        let from = match cursor {
            "" => None,
            text => Some(text.parse::<Cursor>().map_err(|_| {
                Violations::one(
                    "cursor",
                    reasons::BAD_CURSOR,
                    "must be the cursor of a message of this watch, or empty",
                )
            })?),
        };
        let watch = picture.watch(&[kind], from.as_ref()).map_err(ended)?;
        Ok(Self {
            watch,
            kind,
            see,
            ready: VecDeque::new(),
            cursor: cursor.to_owned(),
            told_at: Instant::now(),
            tells_hidden: false,
        })
    }

    /// Tells the console's own connection, which may see no record, of each change by a bookmark at its revision: its
    /// pages then fetch what their viewers may see. Other roles hear of hidden changes with their ordinary bookmarks.
    #[must_use]
    pub fn for_role(mut self, role: Role) -> Self {
        self.tells_hidden = role == Role::Console;
        self
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// `CURSOR_GONE`; `SLOW_CONSUMER`, to go on from the cursor last told. The watch is over then.
    pub async fn next(&mut self) -> Result<Told<T>, Failure> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                self.told_at = Instant::now();
                return Ok(told);
            }
            let (event, cursor) = self.watch.next().await.map_err(ended)?;
            let cursor = cursor.to_string();
            match event {
                Event::Record(_, seen) => {
                    if let Some(item) = (self.see)(&seen.record, seen.revision) {
                        // No cursor before the snapshot is complete: half a snapshot is no place to go on from.
                        return Ok(Told {
                            item: Item::Now(item),
                            cursor: String::new(),
                            revision: seen.revision,
                        });
                    }
                }
                Event::SnapshotDone => {
                    self.cursor.clone_from(&cursor);
                    return Ok(Told { item: Item::SnapshotDone, cursor, revision: self.watch.revision() });
                }
                Event::Bookmark => {
                    return Ok(Told { item: Item::Bookmark, cursor, revision: self.watch.revision() });
                }
                Event::Change(applied) => {
                    let revision = applied.revision;
                    for item in applied.items.iter().filter(|item| item.key.kind == self.kind) {
                        let now = item.after.as_deref().and_then(|record| (self.see)(record, revision));
                        let item = match now {
                            Some(now) => Item::Now(now),
                            None if item
                                .before
                                .as_deref()
                                .is_some_and(|r| (self.see)(r, revision).is_some()) =>
                            {
                                Item::Removed(item.key.id.to_string())
                            }
                            None => continue,
                        };
                        // Only the last message of a change moves the cursor on: a watcher that goes away in between
                        // is told the whole change again.
                        self.ready.push_back(Told { item, cursor: self.cursor.clone(), revision });
                    }
                    if let Some(last) = self.ready.back_mut() {
                        last.cursor.clone_from(&cursor);
                    }
                    self.cursor = cursor;
                    // Changes that this watcher may not see are no reason to be silent.
                    let is_of_kind = applied.items.iter().any(|item| item.key.kind == self.kind);
                    let is_due =
                        self.told_at.elapsed() >= BOOKMARK_EVERY || (self.tells_hidden && is_of_kind);
                    if self.ready.is_empty() && is_due {
                        self.told_at = Instant::now();
                        return Ok(Told { item: Item::Bookmark, cursor: self.cursor.clone(), revision });
                    }
                }
            }
        }
    }
}

impl<T, F> Watching<T, F>
where
    T: Send + 'static,
    F: FnMut(&Record, Revision) -> Option<T> + Send + 'static,
{
    /// Returns the watch as a stream that ends with [`Item::Moved`] when `stopping` comes, or with why it ended.
    pub fn into_stream(
        self,
        stopping: impl Future<Output = ()> + Send + 'static,
    ) -> impl Stream<Item = Result<Told<T>, Failure>> + Send + 'static {
        let stopping: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(stopping);
        stream::unfold(Some((self, stopping)), |state| async move {
            let (mut watching, mut stopping) = state?;
            let next = tokio::select! {
                biased;
                () = &mut stopping => {
                    let moved =
                        Told { item: Item::Moved, cursor: watching.cursor.clone(), revision: watching.watch.revision() };
                    return Some((Ok(moved), None));
                }
                next = watching.next() => next,
            };
            match next {
                Ok(told) => Some((Ok(told), Some((watching, stopping)))),
                Err(failure) => Some((Err(failure), None)),
            }
        })
    }
}

fn ended(end: WatchEnd) -> Failure {
    match end {
        WatchEnd::CursorGone => Failure::CursorGone,
        WatchEnd::NotYet => Failure::NotReady { retry_after: RETRY_AFTER },
        WatchEnd::TooSlow { cursor } => Failure::Limited {
            reason: reasons::SLOW_CONSUMER,
            subject: "watch".to_owned(),
            text: format!("the watcher is too far behind: go on from cursor {cursor}"),
            retry_after: Some(RETRY_AFTER),
        },
    }
}
