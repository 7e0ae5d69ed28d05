//! Changes that are made for a revision, and only on it.

#![allow(clippy::unwrap_used, reason = "also helpers of tests say what failed by their line")]

use std::sync::Arc;

use fallow_api::status::Failure;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{Label, RegionId};
use fallow_domain::standing::Claim;
use fallow_ledger::follow::follow;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::Record;
use fallow_ledger::transact::Step;
use fallow_ledger::{Key, Ledger, MemoryLedger, RecordKind, Revision};
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
