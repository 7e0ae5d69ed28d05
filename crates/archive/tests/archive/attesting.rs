//! What the archive says to the store, and what it archives of one that may have lost something.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fallow_archive::archivist::Stopped;
use fallow_ledger::{Revision, Seen};

use crate::staged::Staged;
use crate::world::{World, at, caught_up, step, world};

/// What the archive said last.
fn said(store: &Staged) -> Option<Seen> {
    store.said.lock().unwrap().last().cloned().flatten()
}

fn place(seen: Option<Seen>) -> Option<(Revision, Option<String>)> {
    seen.map(|seen| (seen.cursor.revision(), seen.line.map(|line| line.to_string())))
}

fn on(revision: u64, line: &str) -> Option<(Revision, Option<String>)> {
    Some((Revision(revision), Some(line.to_owned())))
}

fn staged(world: &World) -> Arc<Staged> {
    Arc::new(Staged::over(world.ledger.clone()))
}

#[tokio::test]
async fn nothing_of_a_closed_ledger_is_archived() {
    let world = world();
    let store = staged(&world);
    let mut archivist = world.archivist_over(store.clone());
    world.commit(5).await;
    caught_up(&mut archivist, at(0)).await;
    for restarts in [false, true] {
        store.is_closed.store(true, Ordering::Relaxed);
        world.commit(2).await;
        if restarts {
            drop(archivist);
            archivist = world.archivist_over(store.clone());
        }
        for _ in 0..3 {
            let stopped = step(&mut archivist, at(1)).await.unwrap_err();
            assert!(matches!(stopped, Stopped::Closed { .. }), "{stopped}");
        }
        let expected = if restarts { 7 } else { 5 };
        assert_eq!(place(said(&store)), on(expected, "line 0"), "what it saw before, and no more");
        store.is_closed.store(false, Ordering::Relaxed);
        assert_eq!(caught_up(&mut archivist, at(2)).await, Revision(expected + 2));
    }
    assert_eq!(world.verified().await.findings, []);
}

#[tokio::test]
async fn what_is_not_known_to_stay_is_not_archived() {
    let world = world();
    let store = staged(&world);
    let mut archivist = world.archivist_over(store.clone());
    world.commit(9).await;
    for kept in [4, 7, 7, 9] {
        store.kept.store(kept, Ordering::Relaxed);
        assert_eq!(caught_up(&mut archivist, at(0)).await, Revision(kept));
        assert_eq!(world.note().await.unwrap().cursor.revision(), Revision(kept));
    }
    assert_eq!(world.verified().await.findings, []);
}

#[tokio::test]
async fn a_line_is_said_once_it_was_seen_open_and_outlives_a_restart_of_the_archive() {
    let mut world = world();
    world.segment_bytes = 1;
    let store = staged(&world);
    let mut archivist = world.archivist_over(store.clone());
    world.commit(3).await;
    caught_up(&mut archivist, at(0)).await;
    // Another line, on which nothing was written yet.
    store.line.store(1, Ordering::Relaxed);
    step(&mut archivist, at(1)).await.unwrap();
    assert_eq!(place(said(&store)), on(3, "line 0"), "it is known once this was heard");
    for (last, closes) in [(4, false), (5, true)] {
        // In a segment of its own, and the last thing that was written.
        world.commit(1).await;
        step(&mut archivist, at(2)).await.unwrap();
        match closes {
            false => drop(archivist),
            true => archivist.finish(at(2)).await.unwrap(),
        }
        archivist = world.archivist_over(store.clone());
        store.said.lock().unwrap().clear();
        step(&mut archivist, at(3)).await.unwrap();
        let first = store.said.lock().unwrap()[0].clone();
        assert_eq!(place(first), on(last, "line 1"), "the archive closed its segment: {closes}");
    }
    let report = world.verified().await;
    assert_eq!((report.findings, place(report.last.map(|last| last.seen()))), (vec![], on(5, "line 1")));
}

#[tokio::test]
async fn a_part_that_does_not_follow_does_not_inherit_the_line_of_the_one_before() {
    let world = world();
    let store = staged(&world);
    let mut archivist = world.archivist_over(store.clone());
    world.commit(3).await;
    caught_up(&mut archivist, at(0)).await;
    world.commit(3).await;
    world.ledger.forget_changes(Revision(5));
    store.line.store(1, Ordering::Relaxed);
    store.said.lock().unwrap().clear();
    // Begun with a snapshot, of which it is not known yet on which line it was drawn.
    step(&mut archivist, at(1)).await.unwrap();
    step(&mut archivist, at(2)).await.unwrap();
    let said: Vec<_> = store.said.lock().unwrap().drain(..).map(place).collect();
    assert!(said.contains(&Some((Revision(6), None))), "{said:?}");
    assert!(!said.contains(&on(6, "line 0")), "{said:?}");
    assert_eq!(place(world.verified().await.last.map(|last| last.seen())), on(6, "line 1"));
}
