//! Changes that are made for a revision, and only on it.

#![allow(clippy::unwrap_used, reason = "also helpers of tests say what failed by their line")]

use std::sync::Arc;
use std::time::Duration;

use fallow_api::status::Failure;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{Label, RegionId};
use fallow_domain::standing::Claim;
use fallow_ledger::follow::follow;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::Record;
use fallow_ledger::transact::Step;
use fallow_ledger::{
    Changes, Commit, Cursor, Key, Ledger, MemoryLedger, Outcome, RecordKind, Revision, Trouble, Versioned,
};
use fallow_live::Live;
use fallow_live::mutate::Mutation;
use fallow_live::pages::PageKey;
use jiff::Timestamp;
use tokio::task::JoinSet;

fn place() -> Key {
    Key::new(RecordKind::Claim, "place")
}

/// Gives the place to somebody, if it is as it was at a revision.
async fn give(live: &Live, who: &str, expected: Option<Revision>) -> Result<Revision, Failure> {
    let actor = Actor {
        subject: Label::parse(who).unwrap(),
        kind: ActorKind::Person,
        role: Role::BedManager,
        trust: Some("AAA".parse().unwrap()),
    };
    let mutation = Mutation {
        actor,
        verb: "give",
        at: Timestamp::UNIX_EPOCH,
        request: None,
        is_feed: false,
        validate_only: false,
        expected: expected.map(|revision| (place(), revision)),
        traceparent: None,
        decided_at: None,
    };
    let claim = Record::Claim(Claim { holder: Label::parse(who).unwrap() });
    let done = live
        .mutate(&mutation, vec![place()], |_| {
            Ok(Step::Write { writes: vec![(place(), Some(claim.clone()))], answer: () })
        })
        .await?;
    Ok(done.revision)
}

#[tokio::test]
async fn a_change_that_was_made_for_an_earlier_revision_is_refused_with_the_present_one() {
    let (ledger, picture) = (Arc::new(MemoryLedger::default()), Arc::new(Picture::default()));
    let mut follower = JoinSet::new();
    follower.spawn(follow(ledger.clone(), picture.clone()));
    let live = Live::new(RegionId::parse("Y99").unwrap(), ledger.clone(), picture, PageKey::new(b"test"));
    let first = give(&live, "first", Some(Revision::ABSENT)).await.unwrap();
    let second = give(&live, "second", Some(first)).await.unwrap();
    for stale in [Revision::ABSENT, first] {
        let refused = give(&live, "late", Some(stale)).await;
        assert!(
            matches!(refused, Err(Failure::ChangedMeanwhile { current }) if current == Some(second.0)),
            "{refused:?}"
        );
    }
    let found = ledger.read(&[place()]).await.unwrap().pop().flatten().unwrap();
    assert_eq!(found.revision, second, "nothing was written");
    assert!(give(&live, "third", None).await.unwrap() > second, "who names none changes whatever is there");
}

/// A ledger that has lost everything, and is closed because somebody knows.
struct Emptied(MemoryLedger);

#[async_trait::async_trait]
impl Ledger for Emptied {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Trouble> {
        self.0.read(keys).await
    }

    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        self.0.snapshot().await
    }

    async fn changes(&self, cursor: &Cursor, limit: usize, wait: Duration) -> Result<Changes, Trouble> {
        self.0.changes(cursor, limit, wait).await
    }

    async fn commit(&self, _: Commit) -> Result<Outcome, Trouble> {
        Err(Trouble::Sealed { detail: "it has lost something".to_owned() })
    }
}

#[tokio::test]
async fn that_a_record_never_was_only_a_ledger_that_is_open_can_say() {
    let live = |ledger: Arc<dyn Ledger>| {
        Live::new(RegionId::parse("Y99").unwrap(), ledger, Arc::default(), PageKey::new(b"test"))
    };
    let lost = live(Arc::new(Emptied(MemoryLedger::default())));
    assert!(matches!(lost.hear_of(&place()).await, Err(Failure::StoreSealed)));

    let ledger = Arc::new(MemoryLedger::default());
    assert!(live(ledger.clone()).hear_of(&place()).await.is_ok());
    let (changes, _) = ledger.snapshot().await.unwrap();
    assert!(changes.is_empty(), "asking writes nothing: {changes:?}");
}

#[tokio::test]
async fn a_change_of_what_only_the_picture_can_find_waits_for_everything_acknowledged_before() {
    let (ledger, picture) = (Arc::new(MemoryLedger::default()), Arc::new(Picture::default()));
    let live =
        Live::new(RegionId::parse("Y99").unwrap(), ledger.clone(), picture.clone(), PageKey::new(b"test"));
    assert_eq!(live.catch_up().await.unwrap_err().reason(), "NOT_READY", "no picture is drawn");
    let mut follower = JoinSet::new();
    let drawn = follower.spawn(follow(ledger.clone(), picture.clone()));
    assert!(picture.reached(Revision::ABSENT, Duration::from_secs(5)).await);
    // The picture stands still while another process writes.
    drawn.abort();
    while follower.join_next().await.is_some() {}
    let claim = Record::Claim(Claim { holder: Label::parse("another").unwrap() });
    let written = ledger.commit(Commit::new(Timestamp::UNIX_EPOCH).writing(place(), claim.encode())).await;
    let Ok(Outcome::Committed { revision }) = written else { panic!("{written:?}") };
    assert!(live.picture().get(&place()).is_none());
    let (caught_up, ()) = tokio::join!(live.catch_up(), async {
        follower.spawn(follow(ledger.clone(), picture.clone()));
    });
    caught_up.unwrap();
    assert_eq!(live.picture().get(&place()).map(|seen| seen.revision), Some(revision));
}
