//! What time alone brings about: the engine wakes for it without any change.

use fallow_domain::decide::offer;
use fallow_domain::decide::proposal::{HomeReply, SupportingReply};
use fallow_domain::ids::{Note, OfferId};
use fallow_domain::need::{NeedState, Priority};
use fallow_domain::offer::OfferState;
use fallow_domain::proposal::ProposalState;
use fallow_ledger::RecordKind;
use fallow_ledger::record::{Record, offer_key, source_claim_key};
use jiff::SignedDuration;

use crate::examples::{manager, need, report};
use crate::world::World;

fn need_state(world: &World, id: &str) -> Option<NeedState> {
    world.records().needs.values().find(|need| need.id.as_str() == id).map(|need| need.state)
}

#[tokio::test]
async fn an_offer_expires_with_its_window_and_what_is_held_of_it_ends() {
    let world = World::new().await;
    let _engine = world.engine();
    let mut short = report("ZA1", "a", 1, world.now());
    short.window.until = world.now() + SignedDuration::from_mins(30);
    world.publish(short).await;
    world.need("ZA4", "n", Priority::P3).await;
    world.until_held(&["n -> a"]).await;
    assert_eq!(world.the_proposal("n").held_until, world.offer("a").window.until, "never beyond the window");
    world.wait_minutes(30);
    world.until("expired", |world| world.offer("a").state == OfferState::Expired).await;
    assert_eq!(world.the_proposal("n").state, ProposalState::Lapsed);
}

#[tokio::test]
async fn a_need_whose_time_has_passed_ends_unmet() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    let mut wanted = need("ZA4", "n", Priority::P2, world.now());
    wanted.needed_by = Some(world.now() + SignedDuration::from_mins(30));
    world.raise(wanted, None).await;
    world.until_held(&["n -> a"]).await;
    world.wait_minutes(31);
    world.until("unmet", |world| need_state(world, "n") == Some(NeedState::Unmet)).await;
    assert_eq!(world.the_proposal("n").state, ProposalState::Superseded);
    assert_eq!(world.offer("a").figures.free().get(), 1);
}

#[tokio::test]
async fn a_need_that_is_being_answered_ends_only_after_its_hold() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    let mut wanted = need("ZA4", "n", Priority::P2, world.now());
    wanted.needed_by = Some(world.now() + SignedDuration::from_mins(30));
    world.raise(wanted, None).await;
    world.until_held(&["n -> a"]).await;
    world.home(&world.the_proposal("n"), HomeReply::Accept { units: None }).await;
    world.wait_minutes(31);
    world.rests().await;
    assert_eq!((world.held().len(), need_state(&world, "n")), (1, Some(NeedState::Proposed)));
    world.wait_minutes(29);
    world.until("unmet", |world| need_state(world, "n") == Some(NeedState::Unmet)).await;
    assert_eq!(world.the_proposal("n").state, ProposalState::Lapsed);
}

#[tokio::test]
async fn a_suspension_ends_and_the_offer_is_proposed() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    let (by, at, id) = (manager("ZA1"), world.now(), OfferId::parse("a").unwrap());
    let until = Some(at + SignedDuration::from_mins(20));
    world
        .decide(&by, offer_key(&id), |read| {
            offer::suspend(read, std::slice::from_ref(&id), until, &Note::default(), &by, at)
        })
        .await;
    world.need("ZA4", "n", Priority::P2).await;
    world.wait_minutes(19);
    world.rests().await;
    assert_eq!(world.held(), [""; 0]);
    world.wait_minutes(1);
    world.until_held(&["n -> a"]).await;
}

#[tokio::test]
async fn what_is_not_released_yet_is_proposed_when_it_is() {
    let world = World::new().await;
    let _engine = world.engine();
    let mut later = report("ZA1", "a", 1, world.now());
    later.release_at = Some(world.now() + SignedDuration::from_mins(45));
    world.publish(later).await;
    world.need("ZA4", "n", Priority::P2).await;
    world.wait_minutes(44);
    world.rests().await;
    assert_eq!(world.held(), [""; 0]);
    world.wait_minutes(1);
    world.until_held(&["n -> a"]).await;
}

#[tokio::test]
async fn what_ended_three_days_ago_leaves_the_live_records() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    let claim = source_claim_key("ZA1".parse().unwrap(), "a");
    let holder = fallow_domain::ids::Label::parse("a").unwrap();
    world.put(claim.clone(), Record::Claim(fallow_domain::standing::Claim { holder })).await;
    let mut wanted = need("ZA4", "n", Priority::P1A, world.now());
    wanted.needed_by = Some(world.now() + SignedDuration::from_mins(60));
    world.raise(wanted, None).await;
    world.until_held(&["n -> a"]).await;
    world.support(&world.the_proposal("n"), SupportingReply::Accept { units: None }).await;
    world.wait_minutes(10);
    world.until("lapsed", |world| world.the_proposal("n").state == ProposalState::Lapsed).await;
    assert_eq!(world.all(RecordKind::Decline).len(), 1);
    world.wait_minutes(80 * 60);
    world.until("ended", |world| world.offer("a").state == OfferState::Expired).await;
    world.wait_minutes(71 * 60);
    world.until("the proposal gone", |world| world.proposals().is_empty()).await;
    world.rests().await;
    assert_eq!(world.all(RecordKind::Offer).len(), 1, "not before three days");
    let kinds = [RecordKind::Offer, RecordKind::Need, RecordKind::Proposal, RecordKind::Decline];
    // The three days of what does not say when it ended begin when the engine has seen it so.
    let is_empty = || {
        world.wait_minutes(60);
        kinds.iter().all(|kind| world.all(*kind).is_empty())
    };
    world.until_so("nothing left", is_empty).await;
    assert!(world.live.picture().get(&claim).is_none(), "the name is free again");
}
