//! A restart of everything: no process is left that was there before, and the archive says what the store must have.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fallow_archive::archivist::{Archivist, Keep, Stopped};
use fallow_archive::{Disk, Settings, SigningKey};
use fallow_ledger::{Commit, Key, Ledger, Outcome, RecordKind, Revision, Trouble};
use fallow_ledger_redis::testing::{RedisServer, until};
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

const REGION: &str = "north-vale";
const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// A process that waits for nobody who is silent.
async fn process(server: &RedisServer) -> Arc<RedisLedger> {
    let options = Options { durability: Durability::Unsafe, settle: Duration::ZERO, ..Options::default() };
    Arc::new(RedisLedger::connect(&server.url(), REGION, options).await.unwrap())
}

async fn commits(ledger: &RedisLedger, count: u64) {
    for _ in 0..count {
        let commit = Commit::new(AT).writing(Key::new(RecordKind::Lease, "1"), "body");
        assert!(matches!(ledger.commit(commit).await.unwrap(), Outcome::Committed { .. }));
    }
}

/// The folder of an archive, and its key.
struct Archive(TempDir, SigningKey);

impl Archive {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap(), SigningKey::generate().unwrap())
    }

    /// The role as it starts: it knows nothing but its folder.
    async fn start(&self, server: &RedisServer) -> Archivist {
        let settings = Settings {
            folder: Path::to_owned(self.0.path()),
            region: REGION.into(),
            segment_bytes: 20_000,
            segment_age: SignedDuration::from_hours(1),
            key: Some(self.1.clone()),
        };
        let keep = Keep { age: SignedDuration::from_hours(24), changes: 0 };
        Archivist::new(process(server).await, settings, Disk::default(), keep)
    }
}

/// Steps until everything through a revision is archived, over whatever stops it for now.
async fn archives(archivist: &mut Archivist, through: u64) {
    let through = Revision(through);
    let caught_up = async {
        loop {
            match archivist.step(AT, Duration::from_millis(20)).await {
                Ok(step) if step.archived.cursor.revision() >= through => return,
                Ok(_) => {}
                Err(stopped) => assert!(stopped.is_passing(), "{stopped}"),
            }
        }
    };
    crate::world::soon("the archive", caught_up).await;
}

#[tokio::test]
async fn slow_after_a_restart_of_everything_the_archive_opens_the_ledger_by_itself() {
    let mut server = RedisServer::start_durable().await;
    let archive = Archive::new();
    let mut archivist = archive.start(&server).await;
    let writer = process(&server).await;
    commits(&writer, 5).await;
    archives(&mut archivist, 5).await;
    let mut last = Some(writer);
    for written in 6..=7 {
        // Nobody leaves with a word.
        drop((last.take(), archivist));
        server.restart().await;
        let fresh = process(&server).await;
        let refused = fresh.commit(Commit::new(AT).writing(Key::new(RecordKind::Lease, "1"), "x")).await;
        assert!(matches!(refused, Err(Trouble::Sealed { .. })), "{refused:?}");
        archivist = archive.start(&server).await;
        archives(&mut archivist, written - 1).await;
        commits(&fresh, 1).await;
        archives(&mut archivist, written).await;
        last = Some(fresh);
    }
}

/// What the archive would read now is no proof of what was there before.
#[tokio::test]
async fn slow_an_archive_that_was_behind_neither_opens_the_ledger_nor_catches_up() {
    let mut server = RedisServer::start_durable().await;
    let archive = Archive::new();
    let mut archivist = archive.start(&server).await;
    let writer = process(&server).await;
    commits(&writer, 5).await;
    archives(&mut archivist, 5).await;
    drop(archivist);
    commits(&writer, 2).await;
    drop(writer);
    server.restart().await;
    let mut archivist = archive.start(&server).await;
    for _ in 0..20 {
        let stopped = archivist.step(AT, Duration::from_millis(20)).await.unwrap_err();
        assert!(matches!(stopped, Stopped::Closed { .. }), "{stopped}");
    }
    let person = process(&server).await;
    let word = fallow_ledger_redis::seal::Acceptance {
        by: "A. Person".to_owned(),
        reason: "drill".to_owned(),
        at: AT.to_string(),
        lost: None,
    };
    person.accept_loss(&word).await.unwrap();
    person.loss_accepted().await.unwrap();
    // It goes on, with a part that does not follow on the one before.
    archives(&mut archivist, 7).await;
    until("writes go on", async || {
        let commit = Commit::new(AT).writing(Key::new(RecordKind::Lease, "1"), "x");
        person.commit(commit).await.is_ok()
    })
    .await;
    archives(&mut archivist, 8).await;
}
