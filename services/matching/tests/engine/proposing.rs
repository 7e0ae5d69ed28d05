//! What the engine proposes, and what it proposes next.

use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::decide::proposal::{HomeReply, SupportingReply};
use fallow_domain::need::Priority;
use fallow_domain::proposal::ProposalState;
use fallow_ledger::RecordKind;
use fallow_matching::engine::AT_A_TIME;

use crate::examples::{beds, need, report};
use crate::world::World;

#[tokio::test]
async fn a_need_and_an_offer_that_fit_become_a_proposal() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    world.need("ZA4", "n", Priority::P2).await;
    world.until_held(&["n -> a"]).await;
    let proposal = world.the_proposal("n");
    assert_eq!(proposal.held_until, world.now() + jiff::SignedDuration::from_mins(60), "P2 by policy");
    assert_eq!(proposal.explanation.burden(), 20, "{:?}", proposal.explanation.terms);
    assert_eq!(proposal.explanation.policy, "1");
    world.rests().await;
}

#[tokio::test]
async fn what_cannot_be_committed_stands_in_nobodys_way() {
    // Nobody works any more: a hold in working time would never end, which is found out when it is to be committed.
    let world = World::under(r#"hold = { P2 = "4wh", P4 = "60m" }"#, WorkingCalendar::default()).await;
    world.beds("ZA1", "a", 40).await;
    for case in 0..AT_A_TIME {
        world.need("ZA4", &format!("n{case:02}"), Priority::P2).await;
    }
    world.need("ZA4", "last", Priority::P4).await;
    let _engine = world.engine();
    world.until_held(&["last -> a"]).await;
    world.rests().await;
    assert_eq!(world.proposals().len(), 1, "all before it were tried, and refused");
}

#[tokio::test]
async fn both_yes_and_the_engine_leaves_it_alone() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    world.need("ZA4", "n", Priority::P2).await;
    world.until_held(&["n -> a"]).await;
    world.support(&world.the_proposal("n"), SupportingReply::Accept { units: None }).await;
    world.home(&world.the_proposal("n"), HomeReply::Accept { units: None }).await;
    assert_eq!(world.the_proposal("n").state, ProposalState::Confirmed);
    assert_eq!(world.all(RecordKind::Transfer).len(), 1);
    world.rests().await;
    assert_eq!(world.proposals().len(), 1);
}

#[tokio::test]
async fn after_a_no_of_either_side_the_next_alternative_is_proposed() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    world.beds("ZA2", "b", 1).await;
    world.beds("ZA3", "c", 1).await;
    world.need("ZA4", "n", Priority::P2).await;
    world.until_held(&["n -> a"]).await;
    world.decline(&world.the_proposal("n")).await;
    world.until_held(&["n -> b"]).await;
    world.refuse_at_home(&world.the_proposal("n")).await;
    world.until_held(&["n -> c"]).await;
    world.decline(&world.the_proposal("n")).await;
    world.until_held(&[]).await;
    world.rests().await;
    assert_eq!(world.proposals().len(), 3, "no pair is proposed twice");
}

#[tokio::test]
async fn a_hold_lapses_in_its_time_and_the_next_alternative_follows() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    world.beds("ZA2", "b", 1).await;
    world.need("ZA4", "n", Priority::P1A).await;
    world.until_held(&["n -> a"]).await;
    world.wait_minutes(9);
    world.rests().await;
    assert_eq!(world.held(), ["n -> a"], "never early");
    world.wait_minutes(1);
    world.until_held(&["n -> b"]).await;
    assert_eq!(world.proposals()[0].state, ProposalState::Lapsed);
}

#[tokio::test]
async fn what_is_stale_is_not_proposed_until_somebody_says_still_true() {
    let world = World::new().await;
    world.beds("ZA1", "a", 1).await;
    world.wait_minutes(121);
    let _engine = world.engine();
    world.need("ZA4", "n", Priority::P2).await;
    world.rests().await;
    assert_eq!(world.held(), [""; 0]);
    world.confirm("ZA1", "a").await;
    world.until_held(&["n -> a"]).await;
}

#[tokio::test]
async fn an_unanswered_proposal_ends_when_its_offer_goes_stale_and_an_answered_one_does_not() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 2).await;
    world.need("ZA4", "n", Priority::P3).await;
    world.until_held(&["n -> a"]).await;
    world.need("ZA3", "m", Priority::P3).await;
    world.until_held(&["m -> a", "n -> a"]).await;
    world.home(&world.the_proposal("n"), HomeReply::Accept { units: None }).await;
    world.wait_minutes(121);
    world.until_held(&["n -> a"]).await;
    assert_eq!(world.the_proposal("m").state, ProposalState::Superseded);
    assert!(world.the_proposal("m").ended_because.as_str().contains("STALE"));
    world.confirm("ZA1", "a").await;
    world.until_held(&["m -> a", "n -> a"]).await;
}

#[tokio::test]
async fn one_unit_is_proposed_to_one_of_many_needs() {
    let world = World::new().await;
    let _engine = world.engine();
    for n in 0..32 {
        world.need("ZA4", &format!("n{n:02}"), Priority::P2).await;
    }
    world.beds("ZA1", "a", 1).await;
    world.until("one proposal", |world| world.held().len() == 1).await;
    world.rests().await;
    assert_eq!(world.proposals().len(), 1);
}

#[tokio::test]
async fn a_trust_keeps_its_reserve() {
    let world = World::new().await;
    let _engine = world.engine();
    let mut offer = report("ZA1", "a", 2, world.now());
    offer.resource = beds("CC_ADULT", Some(3));
    world.publish(offer).await;
    for id in ["n", "m"] {
        let mut need = need("ZA4", id, Priority::P2, world.now());
        need.resource = beds("CC_ADULT", Some(3));
        world.raise(need, None).await;
    }
    world.until("one proposal", |world| world.held().len() == 1).await;
    world.rests().await;
    assert_eq!((world.held().len(), world.offer("a").figures.free().get()), (1, 1));
}

#[tokio::test]
async fn several_offers_serve_one_need_in_one_commit() {
    let world = World::new().await;
    world.beds("ZA1", "a", 2).await;
    world.beds("ZA2", "b", 2).await;
    let mut wanted = need("ZA4", "n", Priority::P2, world.now());
    wanted.units = 3.into();
    world.raise(wanted, None).await;
    let _engine = world.engine();
    world.until_held(&["n -> a", "n -> b"]).await;
    let revisions: Vec<_> = world.all(RecordKind::Proposal).into_iter().map(|(_, r, _)| r).collect();
    assert_eq!(revisions[0], revisions[1]);
    let units: Vec<u32> = world.proposals().iter().map(|p| p.units.get()).collect();
    assert_eq!(units.iter().sum::<u32>(), 3);
}
