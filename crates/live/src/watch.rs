//! Watches over the wire: the picture's watch, seen through what the caller may see and asked for.

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::violation::Violations;
use fallow_domain::actor::Role;
use fallow_ledger::picture::{Applied, Picture};
use fallow_ledger::record::Record;
use fallow_ledger::watch::{BOOKMARK_EVERY, Event, Watch, WatchEnd};
use fallow_ledger::{Cursor, RecordKind, Revision};
use futures::stream::{self, Stream};
use std::collections::VecDeque;
use std::pin::Pin;

use tokio::task::coop::consume_budget;
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
    pub(crate) watch: Watch,
    pub(crate) kind: RecordKind,
    pub(crate) see: F,
    ready: VecDeque<Told<T>>,
    /// The cursor of the last change told in full.
    cursor: String,
    pub(crate) told_at: Instant,
    /// Whether a change that the watcher may not see is told at once, by its revision alone.
    tells_hidden: bool,
    /// A kind of which each change is told at once, by its revision alone.
    beside: Option<RecordKind>,
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
            beside: None,
        })
    }

    /// Tells the console's own connection, which may see no record, of each change by a bookmark at its revision: its
    /// pages then fetch what their viewers may see. Other roles hear of hidden changes with their ordinary bookmarks.
    #[must_use]
    pub fn for_role(mut self, role: Role) -> Self {
        self.tells_hidden = role == Role::Console;
        self
    }

    /// Tells of each change of another kind by a bookmark at its revision, too: what the watcher is to see depends on it.
    #[must_use]
    pub fn and_of(mut self, kind: RecordKind) -> Self {
        self.beside = Some(kind);
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
                self.cursor.clone_from(&told.cursor);
                return Ok(told);
            }
            // What may not be seen, or was not asked for, must not hold up everybody else.
            consume_budget().await;
            let (event, cursor) = self.watch.next().await.map_err(ended)?;
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
                    self.cursor = cursor.to_string();
                    return Ok(self.told(Item::SnapshotDone));
                }
                Event::Bookmark => {
                    self.cursor = cursor.to_string();
                    return Ok(self.told(Item::Bookmark));
                }
                Event::Change(applied) => {
                    self.ready.extend(meanings(&applied, self.kind, &cursor, &mut self.see));
                    if self.ready.is_empty() {
                        self.cursor = cursor.to_string();
                        // Changes that this watcher may not see are no reason to be silent.
                        if self.told_at.elapsed() >= BOOKMARK_EVERY || self.tells_hidden(&applied) {
                            self.told_at = Instant::now();
                            return Ok(self.told(Item::Bookmark));
                        }
                    }
                }
            }
        }
    }

    /// Says whether a change is to be told by its revision although it may not be seen.
    pub(crate) fn tells_hidden(&self, applied: &Applied) -> bool {
        let is_of = |kind: RecordKind| applied.items.iter().any(|item| item.key.kind == kind);
        self.tells_hidden && is_of(self.kind) || self.beside.is_some_and(is_of)
    }

    /// Makes a message of where the watch now is.
    fn told(&self, item: Item<T>) -> Told<T> {
        Told { item, cursor: self.cursor.clone(), revision: self.watch.revision() }
    }
}

/// Returns what a change means to a watcher of a kind; `cursor` is that of the change. Only the last message moves the
/// cursor on: a watcher that goes away in between is told the whole change again.
pub(crate) fn meanings<T>(
    applied: &Applied,
    kind: RecordKind,
    cursor: &Cursor,
    see: &mut impl FnMut(&Record, Revision) -> Option<T>,
) -> Vec<Told<T>> {
    let revision = applied.revision;
    let mut told = Vec::new();
    for item in applied.items.iter().filter(|item| item.key.kind == kind) {
        let is = item.after.as_deref().and_then(|record| see(record, revision));
        let item = match is {
            Some(is) => Item::Now(is),
            None if item.before.as_deref().is_some_and(|was| see(was, revision).is_some()) => {
                Item::Removed(item.key.id.to_string())
            }
            None => continue,
        };
        // The log is dense: a watcher had the change before this one.
        let before = cursor.at(Revision(revision.0.saturating_sub(1)));
        told.push(Told { item, cursor: before.to_string(), revision });
    }
    if let Some(last) = told.last_mut() {
        last.cursor = cursor.to_string();
    }
    told
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
                    return Some((Ok(watching.told(Item::Moved)), None));
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

pub(crate) fn ended(end: WatchEnd) -> Failure {
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
