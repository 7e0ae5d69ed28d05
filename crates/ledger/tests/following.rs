//! The picture, its watches and transactions, over the embedded ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::Label;
use fallow_domain::standing::Claim;
use fallow_ledger::cause::Cause;
use fallow_ledger::follow::follow;
use fallow_ledger::picture::{Picture, WATCHER_BUFFER};
use fallow_ledger::record::Record;
use fallow_ledger::transact::{Done, Fault, Order, Step, transact};
use fallow_ledger::watch::{Event, WatchEnd};
use fallow_ledger::{Commit, Cursor, Key, Ledger, MemoryLedger, RecordKind, RequestKey, Revision};
use jiff::Timestamp;

const AT: Timestamp = Timestamp::UNIX_EPOCH;
const SOON: Duration = Duration::from_secs(5);

struct World {
    ledger: Arc<MemoryLedger>,
    picture: Arc<Picture>,
    follower: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

#[allow(clippy::disallowed_methods)] // a test's own task, ended with its world
fn world() -> World {
    let ledger = Arc::new(MemoryLedger::default());
    let picture = Arc::new(Picture::default());
    let follower = tokio::spawn(follow(ledger.clone(), picture.clone()));
    World { ledger, picture, follower }
}

fn key(n: u64) -> Key {
    Key::new(RecordKind::Claim, format!("k{n}"))
}

fn claim(holder: &str) -> Record {
    Record::Claim(Claim { holder: Label::parse(holder).unwrap() })
}

fn holder(record: &Record) -> &str {
    let Record::Claim(claim) = record else { panic!("{record:?} is no claim") };
    claim.holder.as_str()
}

fn order(request: Option<(&str, &[u8])>) -> Order {
    let by = Actor {
        subject: Label::parse("a system").unwrap(),
        kind: ActorKind::System,
        role: Role::Engine,
        trust: None,
    };
    Order {
        request: request.map(|(id, body)| RequestKey::new("ZA1", id, body)),
        cause: Cause { by, verb: "test".into(), at: AT, request_id: None, traceparent: None },
        validate_only: false,
    }
}

async fn put(world: &World, key: Key, record: Option<&Record>) {
    let mut commit = Commit::new(AT);
    commit.writes.insert(key, record.map(Record::encode));
    world.ledger.commit(commit).await.unwrap();
}

async fn caught_up(world: &World) {
    let (_, cursor) = world.ledger.snapshot().await.unwrap();
    assert!(world.picture.reached(cursor.revision(), SOON).await);
}

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

/// Takes the one unit there is, unless it is taken.
async fn take(
    world: &World,
    who: &str,
    request: Option<(&str, &[u8])>,
) -> Result<Done<String>, Fault<String>> {
    transact(&*world.ledger, &world.picture, order(request), vec![key(0)], |view| match view.get(&key(0)) {
        Some(record) => Err(format!("taken by {}", holder(record))),
        None => Ok(Step::Write { writes: vec![(key(0), Some(claim(who)))], answer: who.to_owned() }),
    })
    .await
}

#[tokio::test]
async fn thirty_two_racers_have_one_winner() {
    let world = Arc::new(world());
    let racers: Vec<_> = (0..32).map(|n| (n, format!("r{n}"))).collect();
    let results = futures::future::join_all(racers.iter().map(|(_, who)| take(&world, who, None))).await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert!(results.iter().filter(|r| r.is_err()).all(|r| matches!(r, Err(Fault::Refused(_)))));
}

#[tokio::test]
async fn a_repeated_request_answers_as_before_even_where_it_would_now_be_refused() {
    let world = world();
    let first = take(&world, "me", Some(("id-1", b"body"))).await.unwrap();
    let again = take(&world, "me", Some(("id-1", b"body"))).await.unwrap();
    assert_eq!((again.answer.as_str(), again.revision, again.replayed), ("me", first.revision, true));
    assert!(matches!(take(&world, "me", Some(("id-1", b"other"))).await, Err(Fault::RequestIdReused)));
    assert!(matches!(take(&world, "me", Some(("id-2", b"body"))).await, Err(Fault::Refused(_))));
    assert_eq!(
        world.ledger.snapshot().await.unwrap().1.revision(),
        first.revision,
        "looking up writes nothing"
    );
}

#[tokio::test]
async fn checking_only_writes_nothing() {
    let world = world();
    let only = Order { validate_only: true, ..order(Some(("id-1", b"body"))) };
    let done = transact(&*world.ledger, &world.picture, only, vec![key(0)], |_| {
        Ok::<_, ()>(Step::Write { writes: vec![(key(0), Some(claim("x")))], answer: 1 })
    })
    .await
    .unwrap();
    assert_eq!((done.answer, done.revision), (1, Revision::ABSENT));
    assert_eq!(world.ledger.snapshot().await.unwrap().0, vec![]);
}
