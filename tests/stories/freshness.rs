//! Only what is known to be true is proposed.

use fallow_api::v1::{self, need};
use jiff::SignedDuration;

use crate::wire;
use crate::world::{World, stories};

stories!(
    what_nobody_confirms_is_not_proposed_until_somebody_does,
    what_is_suspended_is_not_proposed_until_it_is_resumed,
    a_suspension_ends_by_itself,
);

/// Asserts that the engine has looked at a need and found nothing, for one reason.
async fn is_not_served_because(world: &World, need: &v1::Need, objection: v1::Objection) {
    world.engine_has_looked().await;
    let home = world.user("bed-manager.ZA4");
    let open = home.need(&need.id).await;
    assert_eq!((open.state(), open.units_proposed), (need::State::Open, 0));
    let why = home.explain(need).await;
    assert_eq!(why.proposals, []);
    let counts: Vec<_> = why.unserved.unwrap().counts.iter().map(|c| (c.reason(), c.count)).collect();
    assert_eq!(counts, [(objection, 1)]);
}

async fn what_nobody_confirms_is_not_proposed_until_somebody_does(world: &mut World) {
    let (home, near) = (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"));
    let offer = near.publish_beds("ZA101", 1).await;
    world.pass(wire::CADENCE * 2 + SignedDuration::from_secs(1));
    let raised = home.raise(wire::need("ZA401", "case 1", 1)).await;
    is_not_served_because(world, &raised, v1::Objection::Stale).await;
    let gold = world.user("duty-lead");
    gold.situation_where("a stale trust", |seen| {
        let aldermoor = seen.trusts.iter().find(|trust| trust.trust == "ZA1");
        aldermoor.is_some_and(|trust| trust.freshness() == v1::Freshness::Stale && trust.offers_stale == 1)
    })
    .await;

    near.confirm(&offer).await;
    assert_eq!(home.proposal_of(&raised).await.offer, offer.id);
}

async fn what_is_suspended_is_not_proposed_until_it_is_resumed(world: &mut World) {
    let (home, near) = (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"));
    let offer = near.publish_beds("ZA101", 2).await;
    let first = home.raise(wire::need("ZA401", "case 1", 1)).await;
    let standing = home.proposal_of(&first).await;
    near.suspend(&offer, world.now() + SignedDuration::from_hours(4)).await;
    let second = home.raise(wire::need("ZA401", "case 2", 1)).await;
    is_not_served_because(world, &second, v1::Objection::Suspended).await;
    assert_eq!(home.proposal_of(&first).await.id, standing.id, "a live hold runs on");
    near.resume(&offer).await;
    assert_eq!(home.proposal_of(&second).await.offer, offer.id);
}

async fn a_suspension_ends_by_itself(world: &mut World) {
    let (home, near) = (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"));
    let offer = near.publish_beds("ZA101", 1).await;
    near.suspend(&offer, world.now() + SignedDuration::from_hours(1)).await;
    let raised = home.raise(wire::need("ZA401", "case 1", 1)).await;
    is_not_served_because(world, &raised, v1::Objection::Suspended).await;
    world.pass(SignedDuration::from_hours(1));
    assert_eq!(home.proposal_of(&raised).await.offer, offer.id);
}
