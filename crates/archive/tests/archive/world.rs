//! A ledger with changes, and an archive of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fallow_archive::archivist::{Archivist, Keep, Step, Stopped};
use fallow_archive::verify::{Against, Report, Witness, verify};
use fallow_archive::{Disk, Settings, SigningKey};
use fallow_ledger::{Archived, Commit, Keeper, Key, Ledger, MemoryLedger, RecordKind, Revision};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

/// When everything begins.
pub(crate) const START: Timestamp = Timestamp::constant(1_795_000_000, 0);

pub(crate) fn at(seconds: i64) -> Timestamp {
    START + SignedDuration::from_secs(seconds)
}

/// A ledger, the folder of its archive, and the key.
pub(crate) struct World {
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) folder: TempDir,
    pub(crate) key: SigningKey,
    pub(crate) keep: Keep,
    pub(crate) disk: Disk,
    pub(crate) segment_bytes: u64,
}

pub(crate) fn world() -> World {
    World {
        ledger: Arc::new(MemoryLedger::new()),
        folder: tempfile::tempdir().unwrap(),
        key: SigningKey::generate().unwrap(),
        keep: Keep { age: SignedDuration::from_hours(1), changes: 5 },
        disk: Disk::default(),
        segment_bytes: 4_000,
    }
}

impl World {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            folder: self.path().to_owned(),
            region: "north-vale".into(),
            segment_bytes: self.segment_bytes,
            segment_age: SignedDuration::from_hours(24),
            key: Some(self.key.clone()),
        }
    }

    pub(crate) fn archivist(&self) -> Archivist {
        self.archivist_over(self.ledger.clone())
    }

    pub(crate) fn archivist_over(&self, keeper: Arc<dyn Keeper>) -> Archivist {
        Archivist::new(keeper, self.settings(), self.disk.clone(), self.keep)
    }

    /// Commits so many changes: records come, change and go.
    pub(crate) async fn commit(&self, count: u64) -> Revision {
        commit(&*self.ledger, count).await
    }

    pub(crate) async fn note(&self) -> Option<Archived> {
        self.ledger.reach().await.unwrap().archived
    }

    /// Verifies by the key and by what the store was told.
    pub(crate) async fn verified(&self) -> Report {
        let witnesses = self.note().await.iter().map(Witness::store).collect();
        self.verified_against(&Against { keys: vec![self.key.public()], witnesses })
    }

    pub(crate) fn verified_against(&self, against: &Against) -> Report {
        verify(self.path(), against, &mut |_| {}).unwrap()
    }
}

pub(crate) async fn commit(ledger: &dyn Ledger, count: u64) -> Revision {
    let mut revision = ledger.snapshot().await.unwrap().1.revision();
    for n in revision.0..revision.0 + count {
        let key = |n: u64| Key::new(RecordKind::Need, format!("n{}", n % 7));
        let commit = Commit::new(START).because(format!("cause {n}")).writing(key(n), format!("body {n}"));
        let commit = if n % 5 == 4 { commit.deleting(key(n + 3)) } else { commit };
        ledger.commit(commit).await.unwrap();
        revision = revision.next();
    }
    revision
}

/// Steps once, without waiting.
pub(crate) async fn step(archivist: &mut Archivist, now: Timestamp) -> Result<Step, Stopped> {
    archivist.step(now, Duration::ZERO).await
}

/// Steps until nothing is left to archive.
pub(crate) async fn caught_up(archivist: &mut Archivist, now: Timestamp) -> Revision {
    loop {
        let done = step(archivist, now).await.unwrap();
        if done.changes.is_empty() {
            return done.archived.cursor.revision();
        }
    }
}
