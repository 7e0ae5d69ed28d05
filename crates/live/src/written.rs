//! A watch as it goes over the wire: messages written already, as many together as wait, each change written once for all
//! who are told the same.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use fallow_api::status::Failure;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::Record;
use fallow_ledger::watch::{BOOKMARK_EVERY, Event};
use fallow_ledger::{Cursor, Revision};
use futures::stream::{self, Stream};
use prost::Message;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::audience::{Audience, standing};
use crate::watch::{Item, Told, Watching, ended, meanings};

/// What is sent at once at most, but for a single change that is greater.
const CHUNK_BYTES: usize = 32 * 1024;
/// Changes and records that are looked at in one go.
const AT_A_TIME: usize = 512;
/// What a process gives each of its watchers for one waking: with many, each is woken less often and told more at once.
const EACH: Duration = Duration::from_micros(20);
/// What so many watchers cost at most.
const PACE_MAX: Duration = Duration::from_millis(25);
/// Less is no pause: a clock of milliseconds would make more of it.
const PACE_MIN: Duration = Duration::from_millis(1);
/// What stands before a message on the wire: no compression, and the length in four bytes.
const PREFIX_BYTES: usize = 5;

/// A watch whose messages are written here.
struct Writing<T, F, W> {
    watching: Watching<T, F>,
    picture: Arc<Picture>,
    audience: Arc<Audience>,
    wire: W,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Not before then is it looked again.
    rest: Option<Instant>,
    /// Why the watch has ended, to be said after what was told before.
    end: Option<Failure>,
}

impl<T, F> Watching<T, F>
where
    T: Send + 'static,
    F: FnMut(&Record, Revision) -> Option<T> + Send + 'static,
{
    /// Returns the watch as a stream of pieces of its answer: each of whole messages, with what stands before a message on
    /// the wire. `wire` makes a message of what is told; all of the audience must see and make the same. Many watchers are
    /// paced: a thousand are each told at most fifty times a second, of all that has happened.
    ///
    /// It ends with [`Item::Moved`] when `stopping` comes, or with why it ended.
    pub fn into_written<M, W>(
        self,
        picture: Arc<Picture>,
        audience: Arc<Audience>,
        wire: W,
        stopping: impl Future<Output = ()> + Send + 'static,
    ) -> impl Stream<Item = Result<Bytes, Failure>> + Send + 'static
    where
        M: Message,
        W: Fn(Told<T>) -> M + Send + 'static,
    {
        let stopping = Box::pin(stopping);
        let writing = Writing { watching: self, picture, audience, wire, stopping, rest: None, end: None };
        stream::unfold(Some(writing), |writing| async move {
            let mut writing = writing?;
            match writing.piece().await {
                Ok((piece, is_last)) => Some((Ok(piece), (!is_last).then_some(writing))),
                Err(failure) => Some((Err(failure), None)),
            }
        })
    }
}

impl<T, F, W, M> Writing<T, F, W>
where
    F: FnMut(&Record, Revision) -> Option<T>,
    W: Fn(Told<T>) -> M,
    M: Message,
{
    /// Waits for the next piece; says whether it is the last.
    async fn piece(&mut self) -> Result<(Bytes, bool), Failure> {
        if let Some(end) = self.end.take() {
            return Err(end);
        }
        loop {
            let Self { watching, stopping, rest, .. } = self;
            let rest = rest.take();
            let next = async {
                if let Some(until) = rest {
                    sleep_until(until).await;
                }
                watching.watch.next().await
            };
            let event = tokio::select! {
                biased;
                () = stopping => return Ok((self.now(Item::Moved), true)),
                next = next => next.map_err(ended)?.0,
            };
            let piece = self.with_what_waits(event);
            if !piece.is_empty() {
                self.watching.told_at = Instant::now();
                return Ok((piece, false));
            }
            if let Some(end) = self.end.take() {
                return Err(end);
            }
            // A snapshot of which nothing may be seen, or was asked for, must not hold up everybody else.
            yield_now().await;
        }
    }

    /// Writes what an event means, and what those mean that have happened since.
    fn with_what_waits(&mut self, event: Event) -> Bytes {
        let mut piece = Piece::default();
        let (mut hides, mut is_live) = (false, false);
        let mut next = Some(event);
        for looked_at in 1..=AT_A_TIME {
            let Some(event) = next else { break };
            is_live |= matches!(event, Event::Change(_));
            hides |= self.write(&event, &mut piece);
            // Before the next is taken, which would be told to nobody.
            if piece.length >= CHUNK_BYTES || looked_at == AT_A_TIME {
                break;
            }
            next = match self.watching.watch.at_hand() {
                Ok(event) => event,
                Err(end) => {
                    self.end = Some(ended(end));
                    break;
                }
            };
        }
        // Changes that this watcher may not see are no reason to be silent.
        if piece.length == 0 && (hides || self.watching.told_at.elapsed() >= BOOKMARK_EVERY) {
            piece.push(self.now(Item::Bookmark));
        }
        if is_live {
            self.rest = pace(self.picture.watchers()).map(|pace| Instant::now() + pace);
        }
        piece.finish()
    }

    /// Writes what one event means; says whether it is to be told by its revision although it may not be seen.
    fn write(&mut self, event: &Event, piece: &mut Piece) -> bool {
        let (watching, wire) = (&mut self.watching, &self.wire);
        match event {
            Event::Record(_, seen) => {
                if let Some(item) = (watching.see)(&seen.record, seen.revision) {
                    // No cursor before the snapshot is complete: half a snapshot is no place to go on from.
                    let told = Told { item: Item::Now(item), cursor: String::new(), revision: seen.revision };
                    piece.push(framed(&wire(told)));
                }
            }
            Event::SnapshotDone => piece.push(self.now(Item::SnapshotDone)),
            Event::Bookmark => piece.push(self.now(Item::Bookmark)),
            Event::Change(applied) => {
                let (kind, see) = (watching.kind, &mut watching.see);
                let Some(cursor) = watching.watch.cursor() else { return false };
                // Before it is looked at: what comes into force meanwhile makes it be written again for the next.
                let region = standing(&self.picture);
                let messages = self.audience.written(applied, region, || {
                    let mut all = Piece::default();
                    for told in meanings(applied, kind, cursor, see) {
                        all.push(framed(&wire(told)));
                    }
                    all.finish()
                });
                let is_hidden = messages.is_empty();
                piece.push(messages);
                return is_hidden && watching.tells_hidden(applied);
            }
        }
        false
    }

    /// Writes a message of where the watch now is; without a cursor while the snapshot is not complete.
    fn now(&self, item: Item<T>) -> Bytes {
        let watch = &self.watching.watch;
        let cursor = watch.cursor().map(Cursor::to_string).unwrap_or_default();
        framed(&(self.wire)(Told { item, cursor, revision: watch.revision() }))
    }
}

/// Returns how long one of so many watchers rests between two pieces.
fn pace(watchers: usize) -> Option<Duration> {
    let pace = EACH.saturating_mul(u32::try_from(watchers).unwrap_or(u32::MAX)).min(PACE_MAX);
    (pace >= PACE_MIN).then_some(pace)
}

/// Writes a message as it goes over the wire.
fn framed(message: &impl Message) -> Bytes {
    let body = message.encode_to_vec();
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + body.len());
    framed.put_u8(0);
    // A message of ours is far below four gigabytes.
    framed.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    framed.put_slice(&body);
    framed.freeze()
}

/// Messages that are sent together.
#[derive(Default)]
struct Piece {
    messages: Vec<Bytes>,
    length: usize,
}

impl Piece {
    fn push(&mut self, messages: Bytes) {
        if !messages.is_empty() {
            self.length += messages.len();
            self.messages.push(messages);
        }
    }

    fn finish(mut self) -> Bytes {
        match (self.messages.len(), self.messages.pop()) {
            // What others are told too is not copied for one.
            (1, Some(only)) => only,
            (_, last) => {
                let mut whole = BytesMut::with_capacity(self.length);
                self.messages.iter().chain(&last).for_each(|one| whole.extend_from_slice(one));
                whole.freeze()
            }
        }
    }
}
