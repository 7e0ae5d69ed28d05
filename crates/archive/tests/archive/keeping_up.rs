//! Archiving day by day: what is trimmed, what stops it, and what it does when the store is another.

use std::sync::Arc;

use fallow_archive::archivist::Stopped;
use fallow_archive::verify::Against;
use fallow_archive::{ArchiveError, Disk, Flaw, SigningKey};
use fallow_ledger::state::digest;
use fallow_ledger::{Cursor, Keeper, Ledger, MemoryLedger, Revision, Trouble};

use crate::attacker::{files, write};
use crate::world::{at, caught_up, commit, step, world};

async fn oldest(ledger: &MemoryLedger) -> u64 {
    ledger.reach().await.unwrap().oldest.0
}

const HOUR: i64 = 3_600;

#[tokio::test]
async fn only_what_is_archived_and_aged_is_trimmed() {
    let world = world();
    let mut archivist = world.archivist();
    world.commit(20).await;
    caught_up(&mut archivist, at(0)).await;
    assert_eq!(oldest(&world.ledger).await, 1, "nothing has aged");
    world.commit(20).await;
    caught_up(&mut archivist, at(HOUR / 2)).await;
    caught_up(&mut archivist, at(HOUR - 1)).await;
    assert_eq!(oldest(&world.ledger).await, 1, "nothing has aged yet");
    // Written just now, and not archived before the step that trims.
    world.commit(3).await;
    caught_up(&mut archivist, at(HOUR + 90)).await;
    assert_eq!(oldest(&world.ledger).await, 21, "what was archived an hour ago is gone");
    let late = Cursor::new(world.note().await.unwrap().cursor.history().clone(), Revision(20));
    let page = world.ledger.changes(&late, 100, std::time::Duration::ZERO).await.unwrap();
    assert_eq!(page.changes.len(), 23, "a cursor within the hour lives");
    let gone = world.ledger.changes(&late.at(Revision(19)), 100, std::time::Duration::ZERO).await;
    assert_eq!(gone, Err(Trouble::CursorGone));
    // The last changes stay, whatever the clock says.
    caught_up(&mut archivist, at(1_000_000 * HOUR)).await;
    assert_eq!(oldest(&world.ledger).await, 43 - 5 + 1, "the last five stay");
    assert_eq!(world.verified().await.findings, []);
}

#[tokio::test]
async fn a_clock_that_goes_back_trims_nothing_more() {
    let world = world();
    let mut archivist = world.archivist();
    world.commit(20).await;
    caught_up(&mut archivist, at(10 * HOUR)).await;
    world.commit(20).await;
    caught_up(&mut archivist, at(0)).await;
    caught_up(&mut archivist, at(10 * HOUR + 60)).await;
    assert_eq!(oldest(&world.ledger).await, 1);
    caught_up(&mut archivist, at(11 * HOUR + 120)).await;
    assert!(oldest(&world.ledger).await > 1, "it is trimmed when its time has come");
}

#[tokio::test]
async fn a_process_that_starts_again_trims_what_aged_meanwhile() {
    let mut world = world();
    world.segment_bytes = 1;
    let mut archivist = world.archivist();
    for n in 0..4 {
        world.commit(10).await;
        caught_up(&mut archivist, at(n * 60)).await;
    }
    drop(archivist);
    let mut archivist = world.archivist();
    caught_up(&mut archivist, at(9 * HOUR)).await;
    // All 40 were flushed hours ago, which the files tell; the last five stay whatever their age.
    assert_eq!(oldest(&world.ledger).await, 36);
}

#[tokio::test]
async fn a_full_disk_stops_archiving_and_trimming_and_nothing_else() {
    let mut world = world();
    world.disk = Disk::with_room(4_000);
    let mut archivist = world.archivist();
    let mut stopped = None;
    for n in 0..60 {
        world.commit(1).await;
        if let Err(error) = step(&mut archivist, at(n)).await {
            stopped = Some(error);
            break;
        }
    }
    assert!(matches!(stopped, Some(Stopped::Archive(ArchiveError::Full(_)))), "{stopped:?}");
    let archived = world.note().await.unwrap().cursor.revision();
    world.commit(10).await;
    for n in 0..5 {
        assert!(step(&mut archivist, at(n * HOUR)).await.is_err(), "still full");
    }
    assert_eq!(oldest(&world.ledger).await, 1, "nothing is trimmed");
    assert_eq!(world.note().await.unwrap().cursor.revision(), archived, "nothing more is called archived");
    world.disk.add_room(1_000_000);
    let head = world.ledger.reach().await.unwrap().head.revision();
    assert_eq!(caught_up(&mut archivist, at(6 * HOUR)).await, head, "it goes on by itself");
    assert_eq!(world.verified().await.findings, []);
}

#[tokio::test]
async fn segments_are_closed_by_size_and_by_age() {
    let world = world();
    let mut archivist = world.archivist();
    world.commit(3).await;
    caught_up(&mut archivist, at(0)).await;
    assert_eq!(files(world.path()).len(), 1);
    caught_up(&mut archivist, at(25 * HOUR)).await;
    world.commit(3).await;
    caught_up(&mut archivist, at(25 * HOUR)).await;
    assert_eq!(files(world.path()).len(), 2, "a day has passed");
    for n in 0..50 {
        world.commit(1).await;
        caught_up(&mut archivist, at(25 * HOUR + n)).await;
    }
    let sizes: Vec<usize> = files(world.path()).values().map(Vec::len).collect();
    assert!(sizes.len() > 3, "{sizes:?}");
    assert!(sizes[1..sizes.len() - 1].iter().all(|size| (4_000..5_000).contains(size)), "{sizes:?}");
    archivist.finish(at(26 * HOUR)).await.unwrap();
    assert_eq!(world.verified().await.findings, []);
}

#[tokio::test]
async fn an_archive_that_is_begun_late_begins_with_a_snapshot() {
    let world = world();
    world.commit(30).await;
    world.ledger.forget_changes(Revision(12));
    let mut archivist = world.archivist();
    caught_up(&mut archivist, at(0)).await;
    world.commit(4).await;
    caught_up(&mut archivist, at(1)).await;
    drop(archivist);
    let report = world.verified().await;
    assert_eq!(report.findings, []);
    assert_eq!(
        (report.first, report.changes),
        (Some(Revision(13)), 22),
        "what the log still had is kept too"
    );
    let (records, _) = world.ledger.snapshot().await.unwrap();
    assert_eq!(report.state.unwrap().digest(), digest(&records));
}

#[tokio::test]
async fn another_store_is_another_part_of_the_archive() {
    let world = world();
    let mut archivist = world.archivist();
    world.commit(10).await;
    caught_up(&mut archivist, at(0)).await;
    drop(archivist);
    let other = Arc::new(MemoryLedger::new());
    commit(&*other, 25).await;
    other.forget_changes(Revision(20));
    let mut archivist = world.archivist_over(other.clone());
    caught_up(&mut archivist, at(1)).await;
    commit(&*other, 5).await;
    caught_up(&mut archivist, at(2)).await;
    drop(archivist);
    let report = world.verified_against(&Against { keys: vec![world.key.public()], witnesses: vec![] });
    assert_eq!(report.findings, []);
    let [one] = &report.breaks[..] else { panic!("{:?}", report.breaks) };
    assert_eq!((one.number, one.before.revision(), one.after.revision()), (2, Revision(10), Revision(20)));
    let (records, cursor) = other.snapshot().await.unwrap();
    assert_eq!(report.last.unwrap().cursor(), cursor);
    assert_eq!(report.state.unwrap().digest(), digest(&records));
}

#[tokio::test]
async fn changes_that_somebody_else_took_away_are_told_as_a_break() {
    let world = world();
    let mut archivist = world.archivist();
    world.commit(10).await;
    caught_up(&mut archivist, at(0)).await;
    world.commit(10).await;
    world.ledger.forget_changes(Revision(15));
    caught_up(&mut archivist, at(1)).await;
    drop(archivist);
    let report = world.verified().await;
    assert_eq!(report.findings, []);
    let [one] = &report.breaks[..] else { panic!("{:?}", report.breaks) };
    assert_eq!((one.before.revision(), one.after.revision()), (Revision(10), Revision(15)));
}

#[tokio::test]
async fn a_store_that_is_behind_the_archive_has_lost_changes() {
    let world = world();
    let mut archivist = world.archivist();
    world.commit(10).await;
    caught_up(&mut archivist, at(0)).await;
    // The same history, as it will have been ten changes ago.
    let back = Arc::new(world.ledger.backup());
    world.commit(10).await;
    caught_up(&mut archivist, at(1)).await;
    drop(archivist);
    let before = files(world.path());
    let stopped = step(&mut world.archivist_over(back), at(2)).await.unwrap_err();
    let (archived, head) = (Revision(20), Revision(10));
    assert!(
        matches!(stopped, Stopped::StoreBehind { archived: a, head: h } if a == archived && h == head),
        "{stopped}"
    );
    assert_eq!(files(world.path()), before, "the archive is a witness and stays one");
}

#[tokio::test]
async fn an_empty_ledger_is_rebuilt_and_the_archive_goes_on_with_it() {
    let world = world();
    let mut archivist = world.archivist();
    world.commit(40).await;
    caught_up(&mut archivist, at(0)).await;
    drop(archivist);
    let report = world.verified().await;
    let rebuilt = Arc::new(MemoryLedger::new());
    let records: Vec<_> = report.state.unwrap().records().collect();
    rebuilt.restore(&records, &report.last.unwrap().note(), None).await.unwrap();
    let (before, after) = (world.ledger.snapshot().await.unwrap(), rebuilt.snapshot().await.unwrap());
    assert_eq!(after.1.revision(), before.1.revision());
    assert_eq!(digest(&after.0), digest(&before.0));
    commit(&*rebuilt, 7).await;
    let mut archivist = world.archivist_over(rebuilt.clone());
    assert_eq!(caught_up(&mut archivist, at(1)).await, Revision(47));
    drop(archivist);
    let report = world.verified_against(&Against { keys: vec![world.key.public()], witnesses: vec![] });
    assert_eq!(report.findings, vec![]);
    let [one] = &report.breaks[..] else { panic!("{:?}", report.breaks) };
    assert_eq!(
        (&one.before, one.after.revision()),
        (&before.1, Revision(40)),
        "another history, in the same folder"
    );
}

#[tokio::test]
async fn an_archive_has_one_writer_and_one_region() {
    let world = world();
    world.commit(3).await;
    let mut archivist = world.archivist();
    caught_up(&mut archivist, at(0)).await;
    let stopped = step(&mut world.archivist(), at(1)).await.unwrap_err();
    assert!(stopped.to_string().contains("another process writes"), "{stopped}");
    drop(archivist);
    let elsewhere = fallow_archive::Settings { region: "elsewhere".into(), ..world.settings() };
    let opened = fallow_archive::Writer::open(elsewhere, Disk::default()).unwrap_err();
    assert!(matches!(opened, ArchiveError::OtherRegion { .. }), "{opened}");
}

#[tokio::test]
async fn a_key_may_be_changed_and_none_is_told() {
    let mut world = world();
    let old = world.key.public();
    world.commit(3).await;
    let mut archivist = world.archivist();
    caught_up(&mut archivist, at(0)).await;
    drop(archivist);
    world.key = SigningKey::generate().unwrap();
    for n in 1..3 {
        world.commit(3).await;
        let mut archivist = world.archivist();
        caught_up(&mut archivist, at(n)).await;
    }
    let both = Against { keys: vec![old, world.key.public()], witnesses: vec![] };
    assert_eq!(world.verified_against(&both).findings, []);
    assert_eq!(world.verified().await.findings[0].flaw, Flaw::Signature, "the new key alone");
    let unsigned = fallow_archive::Settings { key: None, ..world.settings() };
    world.commit(3).await;
    let keep = world.keep;
    let mut archivist =
        fallow_archive::archivist::Archivist::new(world.ledger.clone(), unsigned, Disk::default(), keep);
    caught_up(&mut archivist, at(9)).await;
    drop(archivist);
    assert_eq!(world.verified_against(&both).findings[0].flaw, Flaw::Unsigned);
    assert_eq!(
        world.verified_against(&Against::default()).findings,
        [],
        "without keys, only the chain is looked at"
    );
}

#[tokio::test]
async fn an_empty_archive_is_short_of_what_the_store_was_told() {
    let world = world();
    world.commit(3).await;
    let mut archivist = world.archivist();
    caught_up(&mut archivist, at(0)).await;
    drop(archivist);
    for name in files(world.path()).into_keys() {
        std::fs::remove_file(world.path().join(name)).unwrap();
    }
    let found = world.verified().await.findings;
    assert!(
        matches!(&found[..], [one] if matches!(one.flaw, Flaw::Short { is: Revision(0), .. })),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_first_segment_that_cannot_be_confirmed_is_neither_begun_anew_nor_touched() {
    let world = world();
    world.commit(3).await;
    let mut archivist = world.archivist();
    caught_up(&mut archivist, at(0)).await;
    drop(archivist);
    let mut damaged = files(world.path());
    let segment = damaged.values_mut().next().unwrap();
    // Within the header.
    segment[20] ^= 1;
    write(world.path(), &damaged);

    let stopped = step(&mut world.archivist(), at(1)).await.unwrap_err();
    assert!(stopped.to_string().contains("the store"), "{stopped}");
    assert_eq!(files(world.path()), damaged);
}

#[tokio::test]
async fn what_is_cut_off_the_end_is_set_aside() {
    let world = world();
    world.commit(3).await;
    let mut archivist = world.archivist();
    caught_up(&mut archivist, at(0)).await;
    drop(archivist);
    let mut torn = files(world.path());
    torn.values_mut().next().unwrap().extend(b"half a batch");
    write(world.path(), &torn);

    world.commit(1).await;
    caught_up(&mut world.archivist(), at(1)).await;
    let aside: Vec<_> = std::fs::read_dir(world.path().join("aside")).unwrap().collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read(aside[0].as_ref().unwrap().path()).unwrap(), b"half a batch");
    assert_eq!(world.verified().await.findings, []);
}
