//! A ledger in memory, its picture and its follower.

use std::sync::Arc;
use std::time::Duration;

use fallow_domain::ids::Label;
use fallow_domain::standing::Claim;
use fallow_ledger::follow::follow;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::Record;
use fallow_ledger::{Commit, Key, Ledger, MemoryLedger, RecordKind};
use jiff::Timestamp;

use crate::unsteady::Unsteady;

pub(crate) const AT: Timestamp = Timestamp::UNIX_EPOCH;
const SOON: Duration = Duration::from_secs(5);

pub(crate) struct World {
    pub(crate) ledger: Arc<Unsteady>,
    pub(crate) picture: Arc<Picture>,
    follower: tokio::task::JoinHandle<()>,
}

impl World {
    /// Stops the follower: from now on the picture shows what this process itself does, and nothing else.
    pub(crate) async fn stop_following(&mut self) {
        self.follower.abort();
        // It was aborted, which is no failure.
        let _ = (&mut self.follower).await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

#[allow(clippy::disallowed_methods)] // a test's own task, ended with its world
pub(crate) fn world() -> World {
    let ledger = Arc::new(Unsteady::new(MemoryLedger::default()));
    let picture = Arc::new(Picture::default());
    let follower = tokio::spawn(follow(ledger.clone(), picture.clone()));
    World { ledger, picture, follower }
}

pub(crate) fn key(n: u64) -> Key {
    Key::new(RecordKind::Claim, format!("k{n}"))
}

pub(crate) fn claim(holder: &str) -> Record {
    Record::Claim(Claim { holder: Label::parse(holder).unwrap() })
}

pub(crate) fn holder(record: &Record) -> &str {
    let Record::Claim(claim) = record else { panic!("{record:?} is no claim") };
    claim.holder.as_str()
}

pub(crate) async fn put(world: &World, key: Key, record: Option<&Record>) {
    let mut commit = Commit::new(AT);
    commit.writes.insert(key, record.map(Record::encode));
    world.ledger.commit(commit).await.unwrap();
}

pub(crate) async fn caught_up(world: &World) {
    let (_, cursor) = world.ledger.snapshot().await.unwrap();
    assert!(world.picture.reached(cursor.revision(), SOON).await);
}
