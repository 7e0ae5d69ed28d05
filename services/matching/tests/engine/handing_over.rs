//! Two engines on one ledger: one acts, the other takes over.

use fallow_domain::need::Priority;
use fallow_ledger::RecordKind;
use fallow_ledger::record::Record;

use crate::world::{LEASE, World};

fn epoch(world: &World) -> Option<u64> {
    match &*world.all(RecordKind::Lease).pop()?.2 {
        Record::Lease(lease) => Some(lease.epoch),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_engines_never_propose_a_unit_twice() {
    let world = World::new().await;
    let engines = [world.engine(), world.engine()];
    for n in 0..8 {
        world.beds("ZA1", &format!("a{n}"), 1).await;
        world.need("ZA4", &format!("n{n}"), Priority::P2).await;
        world.clock.advance(LEASE / 3);
    }
    world.until("eight proposals", |world| world.held().len() == 8).await;
    world.rests().await;
    assert_eq!(world.proposals().len(), 8, "however often the lease has changed hands");
    drop(engines);
}

#[tokio::test]
async fn when_the_active_engine_dies_the_other_takes_over_after_the_lease() {
    let world = World::new().await;
    let active = world.engine();
    world.until("a lease", |world| epoch(world) == Some(1)).await;
    let _other = world.engine();
    active.kill().await;
    world.beds("ZA1", "a", 1).await;
    world.need("ZA4", "n", Priority::P2).await;
    world.rests().await;
    assert_eq!(world.held(), [""; 0], "nobody acts on a lease that is another's");
    world.clock.advance(LEASE);
    world.until_held(&["n -> a"]).await;
    assert_eq!(epoch(&world), Some(2));
}
