//! A crash at any byte.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fallow_archive::archivist::Stopped;
use fallow_archive::entry::{Entry, Start};
use fallow_archive::{ArchiveError, Disk, Flaw, Writer};
use fallow_ledger::{
    Archived, Attested, Changes, Commit, Cursor, Keeper, KeeperError, Key, Ledger, MemoryLedger, Outcome,
    Reach, Revision, Seen, Trouble, Versioned,
};

use crate::attacker::{Files, files, records, write};
use crate::world::{World, at, caught_up, commit, step, world};

/// A store that was never told of what is archived: as it is after a crash between the two.
struct Untold(Arc<MemoryLedger>);

#[async_trait]
impl Ledger for Untold {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Trouble> {
        self.0.read(keys).await
    }

    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        self.0.snapshot().await
    }

    async fn changes(&self, cursor: &Cursor, limit: usize, wait: Duration) -> Result<Changes, Trouble> {
        self.0.changes(cursor, limit, wait).await
    }

    async fn commit(&self, commit: Commit) -> Result<Outcome, Trouble> {
        self.0.commit(commit).await
    }
}

#[async_trait]
impl Keeper for Untold {
    async fn reach(&self) -> Result<Reach, Trouble> {
        self.0.reach().await.map(|reach| Reach { archived: None, ..reach })
    }

    async fn attest(&self, archive: Option<&Seen>) -> Result<Attested, Trouble> {
        self.0.attest(archive).await
    }

    async fn archived(&self, _: &Archived) -> Result<(), KeeperError> {
        Ok(())
    }

    async fn trim(&self, _: &Cursor) -> Result<u64, KeeperError> {
        Ok(0)
    }

    async fn restore(&self, _: &[Versioned], _: &Archived, _: Option<&str>) -> Result<(), KeeperError> {
        Ok(())
    }
}

/// Cuts the last file at every byte from `from` on, and archives on each time: nothing is wrong, nothing is missing.
async fn survives_every_cut(world: &World, whole: &Files, from: usize) {
    let (name, bytes) = whole.last_key_value().unwrap();
    let keeper = Arc::new(Untold(world.ledger.clone()));
    let head = world.ledger.reach().await.unwrap().head.revision();
    for cut in from..=bytes.len() {
        let mut left = whole.clone();
        left.insert(name.clone(), bytes[..cut].to_vec());
        write(world.path(), &left);
        let mut archivist = world.archivist_over(keeper.clone());
        let reached = caught_up(&mut archivist, at(1_000)).await;
        drop(archivist);
        assert_eq!(reached, head, "cut at {cut}");
        let report = world.verified().await;
        assert_eq!(report.findings, [], "cut at {cut}");
        assert_eq!(report.breaks, [], "cut at {cut}");
        let (records, _) = world.ledger.snapshot().await.unwrap();
        let digest = fallow_ledger::state::digest(&records);
        assert_eq!(report.state.map(|state| state.digest()), Some(digest), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_crash_at_any_byte_of_the_last_batch_is_resumed() {
    let world = world();
    let mut archivist = world.archivist_over(Arc::new(Untold(world.ledger.clone())));
    world.commit(9).await;
    caught_up(&mut archivist, at(1)).await;
    let (_, before) = files(world.path()).pop_last().unwrap();
    world.commit(3).await;
    step(&mut archivist, at(2)).await.unwrap();
    drop(archivist);
    survives_every_cut(&world, &files(world.path()), before.len()).await;
}

#[tokio::test]
async fn a_crash_at_any_byte_of_a_new_segment_is_resumed() {
    let mut world = world();
    world.segment_bytes = 1;
    let mut archivist = world.archivist_over(Arc::new(Untold(world.ledger.clone())));
    for n in 0..3 {
        world.commit(2).await;
        step(&mut archivist, at(n)).await.unwrap();
    }
    drop(archivist);
    world.segment_bytes = 4_000;
    assert_eq!(files(world.path()).len(), 3);
    survives_every_cut(&world, &files(world.path()), 0).await;
}

#[tokio::test]
async fn a_crash_at_any_byte_of_a_snapshot_is_resumed() {
    let world = world();
    world.commit(12).await;
    world.ledger.forget_changes(Revision(4));
    let mut archivist = world.archivist_over(Arc::new(Untold(world.ledger.clone())));
    caught_up(&mut archivist, at(1)).await;
    drop(archivist);
    let whole = files(world.path());
    let first = records(&whole.first_key_value().unwrap().1[..])[0].0;
    survives_every_cut(&world, &whole, first).await;
}

#[tokio::test]
async fn pages_that_were_never_written_are_cut_off() {
    let world = world();
    let mut archivist = world.archivist_over(Arc::new(Untold(world.ledger.clone())));
    world.commit(9).await;
    caught_up(&mut archivist, at(1)).await;
    drop(archivist);
    let mut whole = files(world.path());
    whole.last_entry().unwrap().get_mut().extend([0; 5_000]);
    let end = whole.last_key_value().unwrap().1.len();
    survives_every_cut(&world, &whole, end).await;
}

#[tokio::test]
async fn what_the_store_was_told_and_is_not_there_stops_the_archive() {
    let world = world();
    let mut archivist = world.archivist();
    world.commit(9).await;
    caught_up(&mut archivist, at(1)).await;
    world.commit(1).await;
    caught_up(&mut archivist, at(2)).await;
    drop(archivist);
    let mut cut = files(world.path());
    let bytes = cut.last_entry().unwrap();
    let end = bytes.get().len() - 1;
    bytes.into_mut().truncate(end);
    write(world.path(), &cut);
    world.commit(1).await;
    for _ in 0..2 {
        let stopped = step(&mut world.archivist(), at(3)).await.unwrap_err();
        let Stopped::Archive(ArchiveError::Damaged(finding)) = stopped else { panic!("{stopped}") };
        assert_eq!(
            finding.flaw,
            Flaw::Short { witness: "the store".into(), saw: Revision(10), is: Revision(9) }
        );
        assert_eq!(files(world.path()), cut, "what is left is left as it is");
    }
}

#[tokio::test]
async fn what_nobody_signed_is_not_taken_over() {
    let world = world();
    let (mut writer, _) = Writer::open(world.settings(), Disk::default()).unwrap();
    let history = "0af3".into();
    writer.begin(&history, Revision(1), Start::Beginning, at(0)).unwrap();
    let other = MemoryLedger::new();
    commit(&other, 3).await;
    let cursor = other.snapshot().await.unwrap().1.at(Revision(0));
    let changes = other.changes(&cursor, 10, Duration::ZERO).await.unwrap().changes;
    let entries: Vec<Entry> = changes.into_iter().map(Entry::Change).collect();
    writer.append(&entries[..2], at(1)).unwrap();
    let signed = files(world.path());
    writer.append(&entries[2..], at(2)).unwrap();
    drop(writer);
    // Somebody adds a change that chains well and has no checkpoint.
    let mut forged = files(world.path());
    let bytes = forged.last_entry().unwrap().into_mut();
    let checkpoint = records(bytes).last().unwrap().0;
    bytes.truncate(checkpoint);
    write(world.path(), &forged);
    let (mut writer, resumed) = Writer::open(world.settings(), Disk::default()).unwrap();
    assert_eq!(writer.archived().unwrap().cursor.revision(), Revision(2));
    assert!(resumed.cut > 0);
    writer.close(at(3)).unwrap();
    drop(writer);
    let (_, bytes) = files(world.path()).pop_last().unwrap();
    assert!(bytes.starts_with(signed.last_key_value().unwrap().1), "what was signed stays");
    let against = fallow_archive::verify::Against { keys: vec![world.key.public()], witnesses: vec![] };
    assert_eq!(world.verified_against(&against).findings, []);
}
