//! Following the log: what the engine keeps in memory is what the picture shows, change by change.

use std::collections::BTreeMap;
use std::sync::Arc;

use fallow_api::status::Failure;
use fallow_ledger::picture::{Applied, Seen};
use fallow_ledger::watch::{Event, Watch, WatchEnd};
use fallow_ledger::{Key, RecordKind, Revision};
use fallow_live::call::new_id;
use fallow_live::{Live, RETRY_AFTER};
use jiff::Timestamp;

use super::chores::Chore;
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

    /// Takes in every change that the picture shows, looks at a time, and returns what is to be done then; `None` when
    /// changes were missed, or another region is to be read: start again from everything.
    ///
    /// Only the waiting is done here. What the changes mean is found on a thread of its own kind, for another region file or
    /// mode makes all of it anew.
    pub(super) async fn look(
        self,
        live: &Live,
        at: Timestamp,
    ) -> Result<Option<(Self, Vec<Chore>)>, Failure> {
        let Self { mut watch, mut kept } = self;
        let Ok(changes) = unseen(&mut watch, live, kept.facts().revision).await else { return Ok(None) };
        let looked = aside(move || {
            for change in changes {
                kept.take(change.revision, &change.items)?;
            }
            kept.look(at);
            let chores = kept.chores();
            Ok::<_, NoFacts>((kept, chores))
        });
        Ok(looked.await?.ok().map(|(kept, chores)| (Self { watch, kept }, chores)))
    }

    /// Returns what to propose, of each part about so many. It is found on a thread of its own kind: where much has changed, that takes longer than
    /// the others of this process should wait.
    pub(super) async fn placements(self, at_most: usize) -> Result<(Self, Vec<Placement>), Failure> {
        let Self { watch, mut kept } = self;
        let (kept, placements) = aside(move || {
            let placements = kept.placements(at_most);
            (kept, placements)
        })
        .await?;
        Ok((Self { watch, kept }, placements))
    }
}

/// Returns the changes that the picture shows after a revision, oldest first.
///
/// # Errors
/// Changes were missed, or the picture was drawn afresh at a revision before what is kept: of another history.
async fn unseen(watch: &mut Watch, live: &Live, kept: Revision) -> Result<Vec<Arc<Applied>>, WatchEnd> {
    let shown = live.picture().revision();
    let (mut seen, mut changes) = (kept, Vec::new());
    while seen < shown {
        match watch.next().await {
            Ok((Event::Change(change), _)) => {
                seen = change.revision;
                changes.push(change);
            }
            Ok((Event::Record(..) | Event::SnapshotDone | Event::Bookmark, _)) => {}
            Err(WatchEnd::TooSlow { cursor }) => {
                *watch = live.picture().watch(&KINDS, Some(&cursor))?;
            }
            Err(end @ (WatchEnd::CursorGone | WatchEnd::NotYet)) => return Err(end),
        }
    }
    if live.picture().revision() < seen { Err(WatchEnd::CursorGone) } else { Ok(changes) }
}

/// Does something that may take long.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        let trace_id = new_id();
        tracing::error!(%error, trace_id, "the engine could not plan");
        Failure::Bug { trace_id }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use fallow_domain::actor::Actor;
    use fallow_domain::ids::RegionId;
    use fallow_domain::standing::RegionState;
    use fallow_host::tasks::Tasks;
    use fallow_ledger::MemoryLedger;
    use fallow_ledger::follow::follow;
    use fallow_ledger::picture::Picture;
    use fallow_ledger::record::{Record, region_key};
    use fallow_ledger::transact::Step;
    use fallow_live::pages::PageKey;

    use super::*;
    use crate::engine::{actor, by_engine};

    fn region(version: u64, by: Actor) -> Record {
        let at = Timestamp::UNIX_EPOCH;
        let toml = "[region]\nid = \"Y99\"\nname = \"Tests\"\n".to_owned();
        Record::Region(RegionState { toml, version, modes: BTreeMap::new(), applied_at: at, applied_by: by })
    }

    async fn put(live: &Live, version: u64) {
        let key = region_key(live.region_id());
        let write = |_: &_| {
            let writes = vec![(key.clone(), Some(region(version, actor())))];
            Ok(Step::Write { writes, answer: () })
        };
        let mutation = by_engine("put", Timestamp::UNIX_EPOCH, None);
        live.mutate(&mutation, vec![key.clone()], write).await.unwrap();
    }

    #[test]
    fn what_changes_mean_is_found_beside_the_thread_of_the_others() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (ledger, picture) = (Arc::new(MemoryLedger::new()), Arc::new(Picture::default()));
            let (tasks, followed) = (Tasks::new(), follow(ledger.clone(), picture.clone()));
            let stopping = tasks.stopping();
            tasks.spawn("follower", async move {
                tokio::select! { () = followed => {}, () = stopping => {} }
            });
            let live = Live::new(RegionId::parse("Y99").unwrap(), ledger, picture, PageKey::new(b"test"));
            put(&live, 1).await;
            let at = Timestamp::UNIX_EPOCH;
            let follower = Follower::start(&live, at).await.unwrap();
            put(&live, 2).await;
            // The only thread for what takes long is taken.
            let (release, released) = mpsc::channel::<()>();
            let other = tokio::task::spawn_blocking(move || released.recv());
            let mut look = Box::pin(follower.look(&live, at));
            assert!(futures::poll!(&mut look).is_pending(), "it was looked on the thread of the others");
            drop(release);
            let (follower, chores) = look.await.unwrap().expect("nothing was missed");
            assert_eq!((follower.kept().facts().revision, chores), (Revision(2), vec![]));
            assert!(other.await.unwrap().is_err());
            tasks.stop();
        });
    }
}
