//! Two copies of every service over one store: each has its own connection, picture and engine, and they are as one.

use fallow_api::problem::Problem;
use fallow_api::v1::{self, need, transfer};

use crate::people::call;
use crate::wire;
use crate::world::{World, stories};

mod slow_over_redis {
    use crate::world::{World, tell};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_one_copy_writes_the_other_shows() {
        tell(World::over_redis().await, super::what_one_copy_writes_the_other_shows).await;
    }
}

stories!(
    only_one_of_two_engines_decides,
    when_the_active_engine_dies_the_other_takes_over,
    an_engine_that_is_told_to_stop_hands_over_at_once,
    an_engine_that_stalls_writes_nothing_once_another_has_the_lease,
);

/// Each step at the other copy than the one before.
async fn what_one_copy_writes_the_other_shows(world: &mut World) {
    world.add_process().await;
    let home = [0, 1].map(|copy| world.user_at(copy, "bed-manager.ZA4"));
    let near = [0, 1].map(|copy| world.user_at(copy, "bed-manager.ZA1"));
    let offer = near[0].publish_beds("ZA101", 1).await;
    let raised = home[1].raise(wire::need("ZA401", "case 1", 1)).await;
    let proposed = home[0].proposal_of(&raised).await;
    assert_eq!(near[1].proposal_of(&raised).await, proposed);
    near[0].accept(&proposed).await;
    // The answer is read at its exact version, whatever the other copy's picture shows.
    let planned = home[1].accept(&proposed).await.transfer.expect("the second yes makes the transfer");
    home[0].need_in(&raised, need::State::Agreed).await;
    let names: Vec<&str> = planned.checklist.iter().map(|item| item.name.as_str()).collect();
    near[1].transfer_in(&planned, transfer::State::Planned).await;
    home[1].advance(&planned, transfer::State::Ready, &names).await.unwrap();
    home[0].transfer_in(&planned, transfer::State::Ready).await;
    home[0].advance(&planned, transfer::State::InTransit, &[]).await.unwrap();
    near[1].transfer_in(&planned, transfer::State::InTransit).await;
    near[1].advance(&planned, transfer::State::Arrived, &[]).await.unwrap();
    home[0].need_in(&raised, need::State::Met).await;
    assert_eq!(near[0].offer(&offer.id).await.figures.unwrap().occupied, 1);
}

/// Raises a need at a copy, and publishes the bed for it.
async fn a_bed_for_a_need(world: &World, copy: usize, (site, case): (&str, &str)) -> v1::Need {
    world.user_at(copy, &format!("bed-manager.{}", &site[..3])).publish_beds(site, 1).await;
    world.user_at(copy, "bed-manager.ZA4").raise(wire::need("ZA401", case, 1)).await
}

/// However often the lease changes hands; that an engine did nothing without it is checked after each story.
async fn only_one_of_two_engines_decides(world: &mut World) {
    world.engine_has_looked().await;
    world.add_process().await;
    let home = [0, 1].map(|copy| world.user_at(copy, "bed-manager.ZA4"));
    let near = [0, 1].map(|copy| world.user_at(copy, "bed-manager.ZA1"));
    for (beds, one, other) in [(1, 0, 1), (2, 1, 0), (3, 0, 1), (4, 1, 0), (5, 0, 1), (6, 1, 0)] {
        near[one].publish_beds("ZA101", beds).await;
        let raised = home[other].raise(wire::need("ZA401", &format!("case {beds}"), 1)).await;
        world.pass(world.lease());
        let proposed = home[one].proposal_of(&raised).await;
        // Each copy takes answers, whichever of them decides.
        near[one].accept(&proposed).await;
        assert!(home[other].accept(&proposed).await.transfer.is_some());
    }
}

async fn when_the_active_engine_dies_the_other_takes_over(world: &mut World) {
    // The first copy's engine has the lease: it has proposed something.
    world.engine_has_looked().await;
    world.add_process().await;
    let before = world.epoch().await;
    world.kill_process(0).await;
    let raised = a_bed_for_a_need(world, 0, ("ZA101", "case 1")).await;
    let home = world.user("bed-manager.ZA4");
    assert_eq!((home.need(&raised.id).await.units_proposed, world.epoch().await), (0, before));
    world.until_taken_over(before).await;
    home.proposal_of(&raised).await;
}

async fn an_engine_that_is_told_to_stop_hands_over_at_once(world: &mut World) {
    world.engine_has_looked().await;
    world.add_process().await;
    let before = world.epoch().await;
    world.stop_process(0).await;
    // The time stands still.
    let raised = a_bed_for_a_need(world, 0, ("ZA101", "case 1")).await;
    world.user("bed-manager.ZA4").proposal_of(&raised).await;
    assert_eq!(world.epoch().await, before + 1);
}

/// Both have decided, and stand before their commits: the one that had the lease first, and the one that has it now.
async fn an_engine_that_stalls_writes_nothing_once_another_has_the_lease(world: &mut World) {
    world.engine_has_looked().await;
    world.add_process().await;
    let before = world.epoch().await;
    let taps = [0, 1].map(|copy| world.tap(copy));
    taps.iter().for_each(|tap| tap.hold());
    let raised = a_bed_for_a_need(world, 1, ("ZA101", "case 1")).await;
    taps[0].holds_something().await;
    world.until_taken_over(before).await;
    taps[1].holds_something().await;
    taps[0].let_go();
    world.until("the stalled engine steps down", || world.standing(0).leases_lost() == 1).await;
    let home = world.user_at(1, "bed-manager.ZA4");
    assert_eq!(home.need(&raised.id).await.units_proposed, 0, "it has written nothing");
    taps[1].let_go();
    let proposed = home.proposal_of(&raised).await;
    let request = v1::ListProposalsRequest::default();
    let all = call!(home.matching(), list_proposals, request).unwrap().proposals;
    let ours: Vec<&str> = all.iter().filter(|one| one.need == raised.id).map(|one| one.id.as_str()).collect();
    assert_eq!(ours, [proposed.id.as_str()], "proposed once");
    assert!(!world.standing(0).is_active() && world.standing(1).is_active());
    // It stands by, and takes over when it is its turn.
    world.stop_process(1).await;
    let raised = a_bed_for_a_need(world, 0, ("ZA201", "case 2")).await;
    world.user("bed-manager.ZA4").proposal_of(&raised).await;
}
