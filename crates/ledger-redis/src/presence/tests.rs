use fallow_ledger::{Commit, Cursor, Key, Ledger as _, Outcome, RecordKind};
use jiff::Timestamp;

use super::*;
use crate::testing::RedisServer;
use crate::{Durability, Options, RedisLedger};

fn known(line: &str, revision: u64) -> Option<Known> {
    Some(Known { line: line.to_owned(), revision })
}

#[test]
fn what_was_acknowledged_after_the_look_is_spoken_of_before_a_new_epoch_is_taken_over() {
    let presence = Presence::new("");
    presence.begin("r0-a".to_owned(), 7);
    let witness = presence.witness(true);
    let seal = Seal { epoch: "r0-a".into(), writers: vec![presence.id.clone()], ..Seal::default() };
    let found = Found { replid: "r1".into(), history: Some("h".into()), head: 7, seal };
    let ruling = seal::attest(&found, &witness, "b");
    assert_eq!(ruling.standing, Standing::Open);

    // The old server answers late, between the look and the lesson.
    assert!(presence.acknowledged("r0-a", Revision(8)));
    assert!(!presence.learn(&found, Revision(7), &witness, &ruling));
    assert_eq!(presence.witness(true).knows, known("r0-a", 8), "it still knows where it was told so");
    let reopened = Found { seal: ruling.seal.unwrap(), ..found };
    let said = seal::attest(&reopened, &presence.witness(true), "c");
    assert!(matches!(said.standing, Standing::Closed(_)), "{:?}", said.standing);

    let calm = Presence::new("");
    calm.begin("r0-a".to_owned(), 7);
    let witness = calm.witness(true);
    let ruling = seal::attest(&reopened, &witness, "d");
    assert!(calm.learn(&reopened, Revision(7), &witness, &ruling));
    assert_eq!(calm.witness(true).knows, known("r1-b", 7));
}

#[test]
fn what_was_read_of_a_line_that_was_lost_is_not_vouched_for() {
    let presence = Presence::new("");
    let history: Arc<str> = "h".into();
    let vouches = |epoch: &str, history: &str| presence.vouches(epoch, &history.into());
    let read = |epoch: &str, head: u64| {
        presence.read(&history, Some(epoch), Revision(head), Revision(head));
    };
    let learn = |replid: &str, epoch: &str, head: u64, ended: &[(&str, u64)]| {
        let ended = ended.iter().map(|(line, end)| seal::Ended { line: (*line).into(), end: *end });
        let seal = Seal { epoch: epoch.into(), ended: ended.collect(), ..Seal::default() };
        let found = Found { replid: replid.into(), history: Some("h".into()), head, seal };
        let open = Ruling { standing: Standing::Open, seal: None, renews_history: false };
        assert!(presence.learn(&found, Revision(head), &presence.witness(true), &open));
    };
    presence.begin("r0-a".to_owned(), 7);
    assert!(!vouches("r0-a", "h"), "its history was not read yet");
    read("r0-a", 7);
    assert!(vouches("r0-a", "h"));
    assert!(!vouches("r0-a", "g") && !vouches("r1-b", "h"));

    read("r1-b", 9);
    assert!(!vouches("r0-a", "h"), "this process has not seen r1-b open");
    learn("r1", "r1-b", 9, &[("r0-a", 7)]);
    assert!(vouches("r1-b", "h"));

    // Some of r2-c was shown, and the ledger went on without it.
    read("r2-c", 12);
    learn("r3", "r3-d", 10, &[("r0-a", 7), ("r1-b", 9)]);
    read("r3-d", 13);
    assert!(!vouches("r3-d", "h"));
    let begun = presence.begin_drawing();
    let other: Arc<str> = "g".into();
    presence.read(&other, Some("r3-d"), Revision(13), Revision(13));
    presence.drawn(&other, begun);
    assert!(presence.vouches("r3-d", &other), "what is shown of another history is of that one");
}

#[test]
fn what_was_drawn_since_is_vouched_for_again() {
    let presence = &Presence::new("");
    let read = |epoch: &str, head: u64| {
        presence.read(&"h".into(), Some(epoch), Revision(head), Revision(head));
    };
    let draw = || {
        let (history, begun): (Arc<str>, _) = ("h".into(), presence.begin_drawing());
        move || {
            presence.drawn(&history, begun);
            history
        }
    };
    let open = |replid: &str, epoch: &str, ended: &[(&str, u64)]| {
        let ended = ended.iter().map(|(line, end)| seal::Ended { line: (*line).into(), end: *end });
        let seal = Seal { epoch: epoch.into(), ended: ended.collect(), ..Seal::default() };
        let found = Found { replid: replid.into(), history: Some("h".into()), head: 10, seal };
        let open = Ruling { standing: Standing::Open, seal: None, renews_history: false };
        assert!(presence.learn(&found, Revision(10), &presence.witness(true), &open));
    };
    presence.begin("r0-a".to_owned(), 7);
    read("r0-a", 7);
    let first = draw()();
    assert!(presence.vouches("r0-a", &first) && !presence.is_spoilt(&first));

    // Some of r1-b was shown, also while a second picture was drawn, and r2-c went on without it.
    let under_way = draw();
    read("r1-b", 9);
    let second = under_way();
    assert!(!presence.vouches("r0-a", &first), "it is not known yet what becomes of it");
    assert!(!presence.is_spoilt(&first));
    open("r2", "r2-c", &[("r0-a", 7)]);
    for spoilt in [&first, &second] {
        assert!(!presence.vouches("r2-c", spoilt) && presence.is_spoilt(spoilt));
    }
    let third = draw()();
    assert!(presence.vouches("r2-c", &third) && !presence.is_spoilt(&third));
    assert!(!presence.vouches("r2-c", &first), "what was shown before still is what it was");

    // A line that went on is no loss, and what is read of it in the meantime spoils nothing.
    read("r3-d", 12);
    open("r3", "r3-d", &[("r0-a", 7), ("r2-c", 11)]);
    assert!(presence.vouches("r3-d", &third) && !presence.is_spoilt(&third));
}

#[test]
fn lines_that_never_open_are_not_remembered_without_end() {
    let presence = Presence::new("");
    presence.begin("r0-a".to_owned(), 7);
    presence.read(&"h".into(), Some("r0-a"), Revision(7), Revision(7));
    let (history, begun): (Arc<str>, _) = ("h".into(), presence.begin_drawing());
    presence.drawn(&history, begun);
    for number in 0..2 * STRANGE_MAX {
        let line = format!("r{number}-x");
        presence.read(&"h".into(), Some(&line), Revision(8), Revision(8));
    }
    assert_eq!(presence.memory().strange.len(), STRANGE_MAX);
    assert!(presence.is_spoilt(&history), "what is forgotten counts as lost");
}

#[tokio::test]
async fn a_snapshot_that_shows_what_was_lost_is_not_followed_and_the_next_one_is() {
    let server = RedisServer::start().await;
    let options = Options { durability: Durability::Unsafe, ..Options::default() };
    let ledger = RedisLedger::connect(&server.url(), "region", options).await.unwrap();
    let commit = async |seen: &Cursor| {
        let key = Key::new(RecordKind::Offer, fresh());
        let seen_in = Some(seen.history().clone());
        let commit = Commit { seen_in, ..Commit::new(Timestamp::UNIX_EPOCH).writing(key, "{}") };
        matches!(ledger.commit(commit).await.unwrap(), Outcome::Committed { .. })
    };
    let changes = async |after: &Cursor| ledger.changes(after, 1, Duration::ZERO).await.map(drop);
    let (_, first) = ledger.snapshot().await.unwrap();
    assert!(commit(&first).await);
    assert_eq!(changes(&first).await, Ok(()));

    // Another server was read of, and the ledger goes on without it.
    ledger.store.presence.read(first.history(), Some("r9-x"), Revision(9), Revision(9));
    assert_eq!(ledger.store.attest(true).await.unwrap().0, Standing::Open);
    assert!(!commit(&first).await);
    assert_eq!(changes(&first).await, Err(Trouble::CursorGone));
    // What others hold is of this history all the same.
    let held: Cursor = first.to_string().parse().unwrap();
    assert_eq!(changes(&held).await, Ok(()));

    let (_, second) = ledger.snapshot().await.unwrap();
    assert!(commit(&second).await);
    assert_eq!(changes(&second).await, Ok(()));
}
