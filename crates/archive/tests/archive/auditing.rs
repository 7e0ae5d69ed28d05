//! The running audits: what they read, how often, and what they keep meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fallow_archive::archivist::{Archivist, Step};
use fallow_archive::audits::{Audits, Found};
use fallow_ledger::{Keeper, Revision};
use jiff::{SignedDuration, Timestamp};

use crate::attacker::{files, write};
use crate::staged::Staged;
use crate::world::{World, at, caught_up, step, world};

const EVERY: SignedDuration = SignedDuration::from_mins(15);

fn audits(world: &World, keeper: Arc<dyn Keeper>) -> Audits {
    Audits::new(keeper, world.path().to_owned(), vec![world.key.public()], EVERY)
}

/// Steps and audits until something is so.
async fn until(
    archivist: &mut Archivist,
    audits: &mut Audits,
    now: Timestamp,
    holds: impl Fn(&Found) -> bool,
) -> Found {
    let waited = tokio::time::timeout(Duration::from_secs(120), async {
        loop {
            let done = step(archivist, now).await.unwrap();
            let found = audits.take(&done, now).await;
            if holds(&found) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("it comes to that")
}

fn counted(world: &World, is_false: bool) -> Arc<Staged> {
    Arc::new(Staged { is_false, ..Staged::over(world.ledger.clone()) })
}

#[tokio::test]
async fn what_is_archived_while_the_archive_is_read_is_taken_from_the_log() {
    let world = world();
    let keeper = counted(&world, false);
    let (mut archivist, mut audits) = (world.archivist(), audits(&world, keeper.clone()));
    world.commit(40).await;
    // The reading begins with this step, and is looked at again after far more was archived.
    let first = step(&mut archivist, at(0)).await.unwrap();
    assert!(!audits.take(&first, at(0)).await.is_sound);
    world.commit(5_000).await;
    caught_up(&mut archivist, at(1)).await;
    let found = until(&mut archivist, &mut audits, at(2), |found| found.audited == Revision(5_040)).await;
    assert_eq!((found.is_sound, found.readings), (true, 1));
    assert_eq!(keeper.given.load(Ordering::Relaxed), 5_000, "what came meanwhile is asked for, once");
    let asked = keeper.given.load(Ordering::Relaxed);
    world.commit(10).await;
    until(&mut archivist, &mut audits, at(4_000), |found| found.audited == Revision(5_050)).await;
    assert_eq!(keeper.given.load(Ordering::Relaxed), asked, "what a step archives is not asked for");
}

#[tokio::test]
async fn an_archive_that_is_not_sound_is_read_again_ever_more_rarely() {
    let world = world();
    let mut archivist = world.archivist();
    world.commit(30).await;
    let last = step(&mut archivist, at(0)).await.unwrap();
    let mut damaged = files(world.path());
    let sound = damaged.clone();
    let bytes = damaged.values_mut().next().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(world.path(), &damaged);
    let mut audits = audits(&world, world.ledger.clone());
    // Looked at each second of three hours, each time until it is known what was read.
    let mut found = Found::default();
    for second in 0..3 * 3_600 {
        let before = found.readings;
        found = audits.take(&last, at(second)).await;
        if found.readings > before {
            found = read(&mut audits, &last, at(second)).await;
        }
        assert!(!found.is_sound);
    }
    assert!(found.findings > 0);
    // After 10 s, 20 s, 40 s and on to an hour.
    assert!((9..=12).contains(&found.readings), "{} times", found.readings);
    write(world.path(), &sound);
    let found = until(&mut archivist, &mut audits, at(6 * 3_600), |found| found.is_sound).await;
    assert_eq!(found.findings, 0, "it is seen that it was mended");
}

/// Waits until a reading that was begun has ended.
async fn read(audits: &mut Audits, step: &Step, now: Timestamp) -> Found {
    let waited = tokio::time::timeout(Duration::from_secs(120), async {
        loop {
            let found = audits.take(step, now).await;
            if found.findings > 0 && !audits.is_reading() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    waited.await.expect("it is read")
}

#[tokio::test]
async fn what_is_being_written_is_not_read() {
    let world = world();
    let mut archivist = world.archivist();
    world.commit(30).await;
    let done = step(&mut archivist, at(0)).await.unwrap();
    // The next batch, of which half is on the disk.
    let mut torn = files(world.path());
    torn.values_mut().next().unwrap().extend([7; 100]);
    write(world.path(), &torn);
    let mut audits = audits(&world, world.ledger.clone());
    let waited = tokio::time::timeout(Duration::from_secs(120), async {
        loop {
            let found = audits.take(&done, at(0)).await;
            assert_eq!((found.findings, found.readings), (0, 1));
            if found.is_sound {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    waited.await.expect("it is sound");
}

#[tokio::test]
async fn a_new_archive_is_read_once() {
    let world = world();
    let (mut archivist, mut audits) = (world.archivist(), audits(&world, world.ledger.clone()));
    // Nothing was committed: there is a header and no more.
    until(&mut archivist, &mut audits, at(0), |found| found.is_sound).await;
    for second in 1..60 {
        world.commit(1).await;
        let done = step(&mut archivist, at(second)).await.unwrap();
        assert_eq!(audits.take(&done, at(second)).await.readings, 1);
    }
}

#[tokio::test]
async fn a_picture_that_the_log_does_not_make_is_counted() {
    let world = world();
    world.commit(20).await;
    let mut archivist = world.archivist();
    let mut right = audits(&world, world.ledger.clone());
    let mut wrong = audits(&world, counted(&world, true));
    // The bodies here are no records, which is counted in both.
    let right = until(&mut archivist, &mut right, at(0), |found| found.audited == Revision(20)).await;
    let wrong = until(&mut archivist, &mut wrong, at(0), |found| found.audited == Revision(20)).await;
    assert_eq!(wrong.broken, right.broken + 1, "the one that is missing");
}
