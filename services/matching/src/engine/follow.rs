//! Following the log: what the engine keeps in memory is what the picture shows, change by change.

use std::collections::BTreeMap;

use fallow_api::status::Failure;
use fallow_ledger::picture::Seen;
use fallow_ledger::watch::{Event, Watch, WatchEnd};
use fallow_ledger::{Key, RecordKind};
use fallow_live::call::new_id;
use fallow_live::{Live, RETRY_AFTER};
use jiff::Timestamp;

use super::kept::Kept;
use super::plan::Placement;
use crate::then::NoFacts;

/// The records that the engine decides on.
const KINDS: [RecordKind; 7] = [
    RecordKind::Offer,
    RecordKind::Need,
    RecordKind::Proposal,
    RecordKind::Transfer,
    RecordKind::Trust,
    RecordKind::Region,
    RecordKind::Decline,
];

/// What is kept, and the watch that keeps it up to date.
pub(super) struct Follower {
    watch: Watch,
    /// Boxed, for it goes to another thread and back where something takes long.
    kept: Box<Kept>,
}

/// Changes were missed, or another region is to be read: start again from everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StartAgain;

impl Follower {
    /// Starts from everything that the picture shows.
    ///
    /// # Errors
    /// [`Failure::NotReady`] while there is no picture, or no region that can be read.
    pub(super) async fn start(live: &Live, at: Timestamp) -> Result<Self, Failure> {
        let not_ready = || Failure::NotReady { retry_after: RETRY_AFTER };
        let mut watch = live.picture().watch(&KINDS, None).map_err(|_| not_ready())?;
        let mut records: BTreeMap<Key, Seen> = BTreeMap::new();
        let revision = loop {
            match watch.next().await {
                Ok((Event::Record(key, seen), _)) => drop(records.insert(key, seen)),
                Ok((Event::SnapshotDone, cursor)) => break cursor.revision(),
                // Only after the snapshot.
                Ok((Event::Change(_) | Event::Bookmark, _)) => {}
                Err(_) => return Err(not_ready()),
            }
        };
        let kept = aside(move || Kept::new(at, revision, &records).map(Box::new)).await?;
        let kept = kept.map_err(|none| match none {
            NoFacts::NoRegion => not_ready(),
            NoFacts::BadRegion(detail) => {
                tracing::error!(detail, "the region file in force cannot be read");
                not_ready()
            }
        })?;
        Ok(Self { watch, kept })
    }

    /// What is kept.
    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// What is kept, to be asked what is to be done.
    pub(super) fn kept_mut(&mut self) -> &mut Kept {
        &mut self.kept
    }

    /// Takes in every change that the picture shows, and looks at a time.
    ///
    /// # Errors
    /// [`StartAgain`].
    pub(super) async fn look(&mut self, live: &Live, at: Timestamp) -> Result<(), StartAgain> {
        let shown = live.picture().revision();
        while self.kept.facts().revision < shown {
            match self.watch.next().await {
                Ok((Event::Change(change), _)) => {
                    self.kept.take(change.revision, &change.items).map_err(|_| StartAgain)?;
                }
                Ok((Event::Record(..) | Event::SnapshotDone | Event::Bookmark, _)) => {}
                Err(WatchEnd::TooSlow { cursor }) => {
                    self.watch = live.picture().watch(&KINDS, Some(&cursor)).map_err(|_| StartAgain)?;
                }
                Err(WatchEnd::CursorGone | WatchEnd::NotYet) => return Err(StartAgain),
            }
        }
        if self.is_behind(live) {
            return Err(StartAgain);
        }
        self.kept.look(at);
        Ok(())
    }

    /// Says whether the picture was drawn afresh, at a revision before what is kept: of another history.
    fn is_behind(&self, live: &Live) -> bool {
        live.picture().revision() < self.kept.facts().revision
    }

    /// Returns what to propose. It is found on a thread of its own kind: where much has changed, that takes longer than
    /// the others of this process should wait.
    pub(super) async fn placements(self) -> Result<(Self, Vec<Placement>), Failure> {
        let Self { watch, mut kept } = self;
        let (kept, placements) = aside(move || {
            let placements = kept.placements();
            (kept, placements)
        })
        .await?;
        Ok((Self { watch, kept }, placements))
    }
}

/// Does something that may take long.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        let trace_id = new_id();
        tracing::error!(%error, trace_id, "the engine could not plan");
        Failure::Bug { trace_id }
    })
}
