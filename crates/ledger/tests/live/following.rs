//! The picture and its watches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fallow_ledger::picture::{Meaning, WATCHER_BUFFER};
use fallow_ledger::record::Record;
use fallow_ledger::watch::{Event, WatchEnd};
use fallow_ledger::{Commit, Cursor, Key, Ledger, MemoryLedger, RecordKind, Revision};

use crate::world::{AT, World, caught_up, claim, holder, key, put, world};

/// A simple generator, so that a failing run can be had again.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

type Drawn = BTreeMap<Key, String>;

fn draw(drawn: &mut Drawn, event: &Event) {
    match event {
        Event::Record(key, seen) => {
            drawn.insert(key.clone(), holder(&seen.record).to_owned());
        }
        Event::Change(applied) => {
            for item in &applied.items {
                match &item.after {
                    Some(record) => drawn.insert(item.key.clone(), holder(record).to_owned()),
                    None => drawn.remove(&item.key),
                };
            }
        }
        Event::SnapshotDone | Event::Bookmark => {}
    }
}

/// Watches until a revision is reached, and returns the cursor.
async fn watch_until(world: &World, drawn: &mut Drawn, from: Option<&Cursor>, until: Revision) -> Cursor {
    let mut watch = world.picture.watch(&[RecordKind::Claim], from).unwrap();
    let mut is_whole = from.is_some();
    loop {
        if is_whole && watch.revision() >= until {
            return from.map_or_else(|| Cursor::new("x".into(), until), |c| c.at(watch.revision()));
        }
        let (event, _) = watch.next().await.unwrap();
        is_whole |= matches!(event, Event::SnapshotDone);
        draw(drawn, &event);
    }
}

#[tokio::test]
async fn a_watcher_that_applies_what_it_is_told_has_the_right_picture_from_any_start() {
    for seed in 0..20u64 {
        let world = world();
        let mut state = seed;
        caught_up(&world).await;
        let mut cursors: Vec<(Cursor, Drawn)> = Vec::new();
        let mut truth = Drawn::new();
        for step in 0..120 {
            let at = key(next(&mut state) % 12);
            if next(&mut state).is_multiple_of(4) {
                put(&world, at.clone(), None).await;
                truth.remove(&at);
            } else {
                let text = format!("h{step}");
                put(&world, at.clone(), Some(&claim(&text))).await;
                truth.insert(at, text);
            }
            if next(&mut state).is_multiple_of(9) {
                caught_up(&world).await;
                cursors.push((world.picture.still().cursor().unwrap().clone(), truth.clone()));
            }
        }
        caught_up(&world).await;
        let end = world.picture.revision();
        for (cursor, mut drawn) in cursors {
            watch_until(&world, &mut drawn, Some(&cursor), end).await;
            assert_eq!(drawn, truth, "seed {seed} from {cursor}");
        }
        let mut drawn = Drawn::new();
        watch_until(&world, &mut drawn, None, end).await;
        assert_eq!(drawn, truth, "seed {seed} from the start");
    }
}

#[tokio::test]
async fn a_watcher_that_does_not_read_is_cut_with_its_cursor() {
    let world = world();
    caught_up(&world).await;
    let mut watch = world.picture.watch(&[RecordKind::Claim], None).unwrap();
    assert!(matches!(watch.next().await, Ok((Event::SnapshotDone, _))));
    put(&world, key(0), Some(&claim("first"))).await;
    let (_, told) = watch.next().await.unwrap();
    for n in 0..=WATCHER_BUFFER as u64 {
        put(&world, key(n % 7), Some(&claim("more"))).await;
    }
    caught_up(&world).await;
    assert_eq!(watch.next().await.unwrap_err(), WatchEnd::TooSlow { cursor: told.clone() });
    let resumed = world.picture.watch(&[RecordKind::Claim], Some(&told)).unwrap().next().await.unwrap();
    assert!(matches!(resumed.0, Event::Change(applied) if applied.revision == told.revision().next()));
}

#[tokio::test]
async fn a_cursor_of_another_history_or_ahead_is_gone() {
    let world = world();
    put(&world, key(0), Some(&claim("x"))).await;
    caught_up(&world).await;
    let now = world.picture.still().cursor().unwrap().clone();
    for gone in [now.at(Revision(99)), Cursor::new("elsewhere".into(), now.revision())] {
        assert_eq!(world.picture.watch(&[], Some(&gone)).unwrap_err(), WatchEnd::CursorGone, "{gone}");
    }
}

#[tokio::test]
async fn whoever_hears_of_a_change_finds_its_kind_written() {
    let world = world();
    caught_up(&world).await;
    let mut watch = world.picture.watch(&[RecordKind::Claim], None).unwrap();
    assert!(matches!(watch.next().await, Ok((Event::SnapshotDone, _))));
    let count = || [RecordKind::Claim, RecordKind::Trust].map(|kind| world.picture.writes(kind));
    let mut before = count();
    for record in [Some(claim("first")), Some(claim("second")), None] {
        put(&world, key(0), record.as_ref()).await;
        assert!(matches!(watch.next().await, Ok((Event::Change(_), _))));
        let after = count();
        assert!(after[0] != before[0] && after[1] == before[1], "{before:?} {after:?}");
        before = after;
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_sends_bookmarks() {
    let world = world();
    caught_up(&world).await;
    let mut watch = world.picture.watch(&[], None).unwrap();
    assert!(matches!(watch.next().await, Ok((Event::SnapshotDone, _))));
    assert!(matches!(watch.next().await, Ok((Event::Bookmark, _))));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_set_apart_and_the_rest_goes_on() {
    let world = world();
    let bad = Commit::new(AT).writing(key(1), &b"not a record"[..]).writing(key(2), claim("good").encode());
    world.ledger.commit(bad).await.unwrap();
    caught_up(&world).await;
    assert!(world.picture.get(&key(1)).is_none() && world.picture.get(&key(2)).is_some());
    assert_eq!(world.picture.unreadable().len(), 1);
    put(&world, key(1), Some(&claim("mended"))).await;
    caught_up(&world).await;
    assert!(world.picture.get(&key(1)).is_some() && world.picture.unreadable().is_empty());
}

/// Watches what one holder has, applying what each change means.
#[tokio::test]
async fn a_watcher_of_some_records_has_the_right_ones_as_they_come_and_go() {
    for seed in 0..20u64 {
        let world = world();
        caught_up(&world).await;
        let mine = |_: &Key, record: &Record| holder(record) == "me";
        let mut watches = Vec::new();
        let mut state = seed;
        for _ in 0..120 {
            let who = ["me", "you", "they"][usize::try_from(next(&mut state) % 3).unwrap()];
            let record = (!next(&mut state).is_multiple_of(4)).then(|| claim(who));
            put(&world, key(next(&mut state) % 6), record.as_ref()).await;
            if next(&mut state).is_multiple_of(20) {
                caught_up(&world).await;
                watches.push((
                    world.picture.watch(&[RecordKind::Claim], None).unwrap().only(mine),
                    BTreeMap::new(),
                ));
            }
        }
        // Everybody is told of a last record, and so of all before it.
        put(&world, key(100), Some(&claim("me"))).await;
        caught_up(&world).await;
        let all = world.picture.still().all(RecordKind::Claim);
        let truth: Drawn =
            all.into_iter().map(|(key, seen)| (key, holder(&seen.record).to_owned())).collect();
        let truth: Drawn = truth.into_iter().filter(|(_, who)| who == "me").collect();
        for (mut watch, mut drawn) in watches {
            while !drawn.contains_key(&key(100)) {
                match watch.next().await.unwrap().0 {
                    Event::Change(applied) => {
                        for item in &applied.items {
                            match item.means(mine) {
                                Some(Meaning::Is(record)) => {
                                    drawn.insert(item.key.clone(), holder(&record).to_owned());
                                }
                                Some(Meaning::Gone) => {
                                    assert!(drawn.remove(&item.key).is_some(), "gone, but never told");
                                }
                                None => {}
                            }
                        }
                    }
                    event => draw(&mut drawn, &event),
                }
            }
            assert_eq!(drawn, truth, "seed {seed}");
        }
    }
}

#[tokio::test]
async fn a_cursor_from_within_a_snapshot_is_gone_and_the_one_at_its_end_is_not() {
    let world = world();
    put(&world, key(0), Some(&claim("x"))).await;
    put(&world, key(1), Some(&claim("y"))).await;
    caught_up(&world).await;
    let mut watch = world.picture.watch(&[RecordKind::Claim], None).unwrap();
    for _ in 0..2 {
        let (event, within) = watch.next().await.unwrap();
        assert!(matches!(event, Event::Record(..)));
        let within = within.to_string().parse().unwrap();
        assert_eq!(world.picture.watch(&[], Some(&within)).unwrap_err(), WatchEnd::CursorGone);
    }
    let (event, end) = watch.next().await.unwrap();
    assert!(matches!(event, Event::SnapshotDone));
    assert!(world.picture.watch(&[], Some(&end)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn changes_that_are_not_wanted_do_not_put_the_bookmark_off() {
    let world = Arc::new(world());
    caught_up(&world).await;
    let mut watch = world.picture.watch(&[], None).unwrap().only(|_, _| false);
    assert!(matches!(watch.next().await, Ok((Event::SnapshotDone, _))));
    let mut busy = tokio::task::JoinSet::new();
    let busy_world = world.clone();
    busy.spawn(async move {
        for n in 0.. {
            put(&busy_world, key(n % 5), Some(&claim("other"))).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let begun = tokio::time::Instant::now();
    let (event, cursor) = watch.next().await.unwrap();
    assert!(matches!(event, Event::Bookmark));
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(cursor.revision() > Revision(10), "the bookmark moves past what was not wanted: {cursor}");
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_the_picture_ages_and_then_goes_on_where_it_was() {
    let world = world();
    put(&world, key(0), Some(&claim("before"))).await;
    caught_up(&world).await;
    let mut watch = world.picture.watch(&[], None).unwrap();
    assert!(matches!(watch.next().await, Ok((Event::SnapshotDone, _))));
    assert!(world.picture.age().unwrap() < Duration::from_secs(2));
    world.ledger.go_away();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.picture.age().unwrap() > Duration::from_secs(55));
    assert!(world.picture.get(&key(0)).is_some(), "reads go on");
    world.ledger.come_back();
    put(&world, key(1), Some(&claim("after"))).await;
    caught_up(&world).await;
    assert!(world.picture.age().unwrap() < Duration::from_secs(2));
    loop {
        match watch.next().await.expect("no watch ends by an outage").0 {
            Event::Bookmark => {}
            event => {
                assert!(matches!(event, Event::Change(applied) if applied.revision == Revision(2)));
                break;
            }
        }
    }
}

#[tokio::test]
async fn another_history_is_drawn_afresh_and_watchers_are_told() {
    let world = world();
    for n in 0..5 {
        put(&world, key(n), Some(&claim("old"))).await;
    }
    put(&world, Key::new(RecordKind::Need, "bad"), Some(&claim("not a need"))).await;
    caught_up(&world).await;
    let mut watch = world.picture.watch(&[], None).unwrap();
    assert!(matches!(watch.next().await, Ok((Event::SnapshotDone, _))));
    assert_eq!(world.picture.unreadable().len(), 1);

    let other = MemoryLedger::new();
    for n in 3..10 {
        other.commit(Commit::new(AT).writing(key(n), claim("new").encode())).await.unwrap();
    }
    world.ledger.replace(other);
    assert_eq!(watch.next().await.unwrap_err(), WatchEnd::CursorGone);
    let still = world.picture.still();
    let now: Vec<Key> = still.all(RecordKind::Claim).into_iter().map(|(key, _)| key).collect();
    assert_eq!(now, (3..10).map(key).collect::<Vec<Key>>());
    assert_eq!(still.revision(), Revision(7));
    assert!(world.picture.unreadable().is_empty());
}

#[tokio::test]
async fn a_gap_in_the_log_is_noticed_and_the_picture_drawn_afresh() {
    let world = world();
    put(&world, key(0), Some(&claim("x"))).await;
    caught_up(&world).await;
    world.ledger.lose_next_change();
    put(&world, key(1), Some(&claim("lost"))).await;
    put(&world, key(2), Some(&claim("y"))).await;
    caught_up(&world).await;
    assert!(world.picture.get(&key(1)).is_some() && world.picture.get(&key(2)).is_some());
}

/// What a watcher that does not read costs: an event for each record of its snapshot, and nothing for each change, which
/// all watchers share and which are cut off at [`WATCHER_BUFFER`].
#[test]
fn what_waits_for_a_watcher_is_small() {
    assert!(size_of::<Event>() <= 64, "{} bytes for each record of a snapshot", size_of::<Event>());
}
