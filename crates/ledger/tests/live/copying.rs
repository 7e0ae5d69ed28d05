//! Copies of the picture, taken while it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::Label;
use fallow_ledger::cause::{Cause, Denied};
use fallow_ledger::picture::{Of, Seen};
use fallow_ledger::{Commit, Cursor, Key, Ledger, MemoryLedger, RecordKind, Revision};
use jiff::{SignedDuration, Timestamp};

use crate::world::{AT, World, caught_up, claim, holder, key, put, world};

const CLAIMS: Of<'static> = Of::Kinds(&[RecordKind::Claim]);

fn holders(records: &BTreeMap<Key, Seen>) -> BTreeMap<Key, String> {
    records.iter().map(|(key, seen)| (key.clone(), holder(&seen.record).to_owned())).collect()
}

fn minute(minute: i64) -> Timestamp {
    AT + SignedDuration::from_mins(minute)
}

/// Writes a claim by a call of a time.
async fn put_at(world: &World, at: Timestamp, key: Key, text: &str) {
    let cause = Cause {
        by: Actor {
            subject: Label::parse("one").unwrap(),
            kind: ActorKind::Person,
            role: Role::BedManager,
            trust: None,
        },
        verb: "SetMode".to_owned(),
        at,
        request_id: None,
        traceparent: None,
        decided_at: None,
        denied: None,
    };
    world
        .ledger
        .commit(Commit::new(at).because(cause.encode()).writing(key, claim(text).encode()))
        .await
        .unwrap();
}

/// Each commit writes the whole of what there is under one name, one more or one fewer of it by turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_copy_that_is_taken_while_changes_are_applied_is_of_one_revision() {
    const MANY: u64 = 64;
    const ROUNDS: u64 = 400;
    let world = world();
    caught_up(&world).await;
    let has = |revision: Revision| if revision.0.is_multiple_of(2) { MANY - 1 } else { MANY };
    let commits = async {
        for round in 1..=ROUNDS {
            let mut commit = Commit::new(AT);
            for number in 0..MANY {
                let is_there = number < has(Revision(round));
                let body = is_there.then(|| claim(&format!("r{round}")).encode());
                commit.writes.insert(key(number), body);
            }
            world.ledger.commit(commit).await.unwrap();
        }
    };
    let picture = world.picture.clone();
    let copies = tokio::task::spawn_blocking(move || {
        let (mut taken, mut looked_back) = (0, 0);
        let mut before: Option<Cursor> = None;
        while picture.revision() < Revision(ROUNDS) {
            let (records, cursor) = picture.copy(CLAIMS).unwrap();
            let revision = cursor.revision();
            let text = format!("r{revision}");
            if revision != Revision::ABSENT {
                assert_eq!(records.len() as u64, has(revision), "at {revision}");
                for (key, seen) in &records {
                    assert_eq!((holder(&seen.record), seen.revision), (text.as_str(), revision), "{key}");
                }
                taken += 1;
            }
            // What was then is what it was, however far the picture has come.
            if let Some(then) = before.replace(cursor).filter(|then| then.revision() != Revision::ABSENT) {
                let records = picture.copy_at(CLAIMS, &then).unwrap();
                let text = format!("r{}", then.revision());
                assert_eq!(records.len() as u64, has(then.revision()), "back at {then}");
                assert!(records.values().all(|seen| holder(&seen.record) == text), "back at {then}");
                looked_back += 1;
            }
        }
        (taken, looked_back)
    });
    commits.await;
    assert!(world.picture.reached(Revision(ROUNDS), Duration::from_secs(30)).await);
    let (taken, looked_back) = copies.await.unwrap();
    assert!(taken > 0 && looked_back > 0, "{taken} copies, {looked_back} looks back");
}

#[tokio::test]
async fn a_copy_of_a_place_is_what_was_there() {
    let world = world();
    caught_up(&world).await;
    let named: BTreeSet<Key> = [key(1), key(3), key(99)].into();
    let (mut then, mut truth) = (Vec::new(), BTreeMap::new());
    for step in 0..40_u64 {
        let at = key(step * 7 % 5);
        if step.is_multiple_of(3) {
            put(&world, at.clone(), None).await;
            truth.remove(&at);
        } else {
            let text = format!("h{step}");
            put(&world, at.clone(), Some(&claim(&text))).await;
            truth.insert(at, text);
        }
        caught_up(&world).await;
        then.push((world.picture.still().cursor().unwrap().clone(), truth.clone()));
    }
    for (cursor, truth) in &then {
        assert_eq!(holders(&world.picture.copy_at(CLAIMS, cursor).unwrap()), *truth, "at {cursor}");
        let some = holders(&world.picture.copy_at(Of::Keys(&named), cursor).unwrap());
        let wanted: BTreeMap<_, _> = truth
            .iter()
            .filter(|(key, _)| named.contains(*key))
            .map(|(k, t)| (k.clone(), t.clone()))
            .collect();
        assert_eq!(some, wanted, "of those named at {cursor}");
    }
    let (last, truth) = then.last().unwrap();
    let (records, cursor) = world.picture.copy(CLAIMS).unwrap();
    assert_eq!((holders(&records), &cursor), (truth.clone(), last));
    let some = world.picture.copy(Of::Keys(&named)).unwrap().0;
    assert_eq!(
        some.keys().collect::<Vec<_>>(),
        records.keys().filter(|key| named.contains(*key)).collect::<Vec<_>>()
    );
    // Still to come, of another ledger, and from before the picture was drawn.
    assert!(world.picture.copy_at(CLAIMS, &last.at(last.revision().next())).is_none());
    assert!(world.picture.copy_at(CLAIMS, &Cursor::new("other".into(), Revision(3))).is_none());
    let other = MemoryLedger::new();
    for number in 0..5 {
        other.commit(Commit::new(AT).writing(key(number), claim("new").encode())).await.unwrap();
    }
    world.ledger.replace(other);
    while world.picture.drawn() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(world.picture.copy_at(CLAIMS, last).is_none());
    let now = world.picture.still().cursor().unwrap().clone();
    assert!(world.picture.copy_at(CLAIMS, &now.at(Revision(2))).is_none(), "it was drawn later");
    assert_eq!(holders(&world.picture.copy_at(CLAIMS, &now).unwrap()).len(), 5);
}

#[tokio::test]
async fn a_place_stays_what_it_was_when_a_call_that_began_earlier_commits_later() {
    let world = world();
    caught_up(&world).await;
    put_at(&world, minute(1), key(1), "one").await;
    put_at(&world, minute(3), key(2), "two").await;
    caught_up(&world).await;
    let place = world.picture.place_at(minute(2)).unwrap();
    assert_eq!(place.revision(), Revision(1));
    let first = holders(&world.picture.copy_at(CLAIMS, &place).unwrap());
    // By a slow call, or by a process whose clock is behind.
    put_at(&world, minute(2), key(3), "three").await;
    caught_up(&world).await;
    assert_eq!(world.picture.place_at(minute(2)).unwrap().revision(), Revision(3), "the time is no place");
    assert_eq!(holders(&world.picture.copy_at(CLAIMS, &place).unwrap()), first);
    assert_eq!(first.into_values().collect::<Vec<_>>(), ["one"]);
    // A clock that is ahead hides nothing of what came after it.
    put_at(&world, minute(60), key(4), "four").await;
    put_at(&world, minute(4), key(5), "five").await;
    caught_up(&world).await;
    assert_eq!(world.picture.place_at(minute(5)).unwrap().revision(), Revision(5));
}

#[tokio::test]
async fn a_denial_that_is_written_late_moves_no_look_back() {
    let world = world();
    caught_up(&world).await;
    let by = Actor {
        subject: Label::parse("one").unwrap(),
        kind: ActorKind::Person,
        role: Role::BedManager,
        trust: None,
    };
    // The third is of a call of the first minute, dated as such, and stands behind a change of the fourth.
    for (at, is_denied) in [(minute(1), false), (minute(4), false), (minute(1), true), (minute(5), false)] {
        let denied =
            is_denied.then(|| Denied { reason: "ROLE_FORBIDS".to_owned(), times: 7, at: Some(minute(1)) });
        let cause = Cause {
            by: by.clone(),
            verb: "SetMode".to_owned(),
            at,
            request_id: None,
            traceparent: None,
            decided_at: None,
            denied,
        };
        let mut commit = Commit::new(at).because(cause.encode());
        if !is_denied {
            commit.writes.insert(key(1), Some(claim("one").encode()));
        }
        world.ledger.commit(commit).await.unwrap();
    }
    caught_up(&world).await;
    let found =
        [0, 1, 3, 4, 5].map(|number| world.picture.place_at(minute(number)).map(|place| place.revision().0));
    assert_eq!(found, [None, Some(1), Some(1), Some(2), Some(4)]);
    // However many changes have to be looked at.
    for _ in 0..1_000 {
        put_at(&world, minute(9), key(1), "more").await;
    }
    caught_up(&world).await;
    assert_eq!(world.picture.place_at(minute(3)).map(|place| place.revision().0), Some(1));
}
