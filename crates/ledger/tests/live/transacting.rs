//! Read, decide, commit once.

use std::sync::Arc;

use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::Label;
use fallow_ledger::cause::Cause;
use fallow_ledger::picture::Picture;
use fallow_ledger::transact::{Done, Fault, Order, Step, transact};
use fallow_ledger::{Commit, Ledger, MemoryLedger, RequestKey, Revision, Trouble};

use crate::world::{AT, World, caught_up, claim, holder, key, put, world};

fn order(request: Option<(&str, &[u8])>) -> Order {
    let by = Actor {
        subject: Label::parse("a system").unwrap(),
        kind: ActorKind::System,
        role: Role::Engine,
        trust: None,
    };
    Order {
        request: request.map(|(id, body)| RequestKey::new("ZA1", id, body)),
        cause: Cause {
            by,
            verb: "test".into(),
            at: AT,
            request_id: None,
            traceparent: None,
            decided_at: None,
            denied: None,
        },
        validate_only: false,
    }
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
async fn a_repeated_request_answers_as_before_even_where_its_records_no_longer_hang_together() {
    let world = world();
    let first = take(&world, "me", Some(("id-1", b"body"))).await.unwrap();
    let again = async |id: &str| {
        let order = order(Some((id, b"body")));
        transact::<String, String>(&*world.ledger, &world.picture, order, vec![key(0)], |_| {
            Ok(Step::ReadAgain)
        })
        .await
    };
    assert_eq!(again("id-1").await.unwrap(), Done { replayed: true, ..first });
    assert!(matches!(again("id-2").await, Err(Fault::ChangedMeanwhile)));
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

#[tokio::test]
async fn a_decision_that_asks_for_more_still_sees_one_revision() {
    let world = world();
    put(&world, key(0), Some(&claim("1"))).await;
    put(&world, key(1), Some(&claim("1"))).await;
    // Both are changed together between the first and the second reading.
    let both = Commit::new(AT).writing(key(0), claim("2").encode()).writing(key(1), claim("2").encode());
    world.ledger.commit_before_second_read(both);
    // Of a picture that is not drawn nothing is seen at a glance.
    let nothing = Picture::default();
    let done = transact(&*world.ledger, &nothing, order(None), vec![key(0)], |view| {
        if !view.has_read(&key(1)) {
            return Ok(Step::Read(vec![key(1)]));
        }
        let (one, two) = (view.get(&key(0)).map(holder), view.get(&key(1)).map(holder));
        if one == two {
            Ok(Step::Answer(()))
        } else {
            Err(format!("{one:?} and {two:?} were never there together"))
        }
    })
    .await;
    assert_eq!(done.unwrap().revision, Revision::ABSENT);
}

#[tokio::test]
async fn what_a_picture_that_is_behind_shows_is_not_written_upon() {
    let mut world = world();
    caught_up(&world).await;
    world.stop_following().await;
    put(&world, key(0), Some(&claim("other"))).await;
    assert!(matches!(take(&world, "me", None).await, Err(Fault::Refused(why)) if why == "taken by other"));
    put(&world, key(0), None).await;
    assert_eq!(take(&world, "me", None).await.unwrap().revision, Revision(3));
}

#[tokio::test]
async fn nothing_is_refused_by_a_picture_that_is_behind() {
    let mut world = world();
    put(&world, key(0), Some(&claim("other"))).await;
    caught_up(&world).await;
    world.stop_following().await;
    put(&world, key(0), None).await;
    assert_eq!(take(&world, "me", None).await.unwrap().revision, Revision(3));
}

#[tokio::test]
async fn what_was_seen_of_a_ledger_before_it_was_replaced_is_not_written_upon() {
    let mut world = world();
    put(&world, key(0), Some(&claim("before"))).await;
    caught_up(&world).await;
    world.stop_following().await;
    // The same record at the same revision, and another content.
    world.ledger.replace(MemoryLedger::new());
    put(&world, key(0), Some(&claim("after"))).await;
    let mark = transact(&*world.ledger, &world.picture, order(None), vec![key(0)], |view| {
        let marked = format!("{}, marked", view.get(&key(0)).map(holder).unwrap_or_default());
        Ok::<_, ()>(Step::Write { writes: vec![(key(0), Some(claim(&marked)))], answer: marked })
    });
    assert_eq!(mark.await.unwrap().answer, "after, marked");
}

#[tokio::test]
async fn a_record_that_is_written_unread_must_not_be_there() {
    let world = world();
    let write = |who: &'static str| {
        transact(&*world.ledger, &world.picture, order(None), vec![], move |_| {
            Ok::<_, ()>(Step::Write { writes: vec![(key(0), Some(claim(who)))], answer: () })
        })
    };
    assert_eq!(write("first").await.unwrap().revision, Revision(1));
    assert!(matches!(write("second").await, Err(Fault::ChangedMeanwhile)));
    caught_up(&world).await;
    assert_eq!(holder(&world.picture.get(&key(0)).unwrap().record), "first");
}

#[tokio::test]
async fn a_refusal_stays_a_refusal_when_the_scope_is_full() {
    let world = world();
    world.ledger.replace(MemoryLedger::new().remembering_requests(1));
    take(&world, "me", Some(("id-1", b"body"))).await.unwrap();
    assert!(matches!(take(&world, "me", Some(("id-2", b"body"))).await, Err(Fault::Refused(_))));
    assert!(take(&world, "me", Some(("id-1", b"body"))).await.unwrap().replayed);
    let other = transact(&*world.ledger, &world.picture, order(Some(("id-3", b""))), vec![], |_| {
        Ok::<_, ()>(Step::Write { writes: vec![(key(9), Some(claim("x")))], answer: () })
    });
    assert!(matches!(other.await, Err(Fault::Trouble(Trouble::TooManyRequests { .. }))));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_the_decision_that_wants_it_and_is_named() {
    let world = world();
    world.ledger.commit(Commit::new(AT).writing(key(0), "scribble")).await.unwrap();
    let stopped = take(&world, "me", None).await;
    assert!(
        matches!(stopped, Err(Fault::Trouble(Trouble::Corrupt { key: Some(named), .. })) if named == key(0))
    );
}
