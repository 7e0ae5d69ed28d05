//! Two copies of every service over one Redis: each has its own connection, picture and engine, and they are as one.

use fallow_api::v1::{need, transfer};
use jiff::SignedDuration;

use crate::wire;
use crate::world::World;

mod slow {
    use crate::world::{World, tell};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_one_copy_writes_the_other_shows() {
        tell(World::over_redis().await, super::what_one_copy_writes_the_other_shows).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn when_the_active_engine_is_gone_the_other_takes_over() {
        tell(World::over_redis().await, super::when_the_active_engine_is_gone_the_other_takes_over).await;
    }
}

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

async fn when_the_active_engine_is_gone_the_other_takes_over(world: &mut World) {
    // The first copy's engine has the lease: it has proposed something.
    world.engine_has_looked().await;
    world.add_process().await;
    world.stop_process(0).await;
    world.user("bed-manager.ZA1").publish_beds("ZA101", 1).await;
    let home = world.user("bed-manager.ZA4");
    let raised = home.raise(wire::need("ZA401", "case 1", 1)).await;
    assert_eq!(home.need(&raised.id).await.units_proposed, 0, "the lease is not over yet");
    world.pass(SignedDuration::from_secs(11));
    home.proposal_of(&raised).await;
}
