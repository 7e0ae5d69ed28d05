//! Several engines on one ledger: one acts, the others stand by.

use fallow_domain::ids::Label;
use fallow_domain::need::Priority;
use fallow_domain::standing::EngineLease;
use fallow_ledger::record::{Record, lease_key};
use fallow_ledger::{RecordKind, Revision};

use crate::world::{LEASE, World};

/// The lease as it is, and the revision that wrote it.
fn lease(world: &World) -> Option<(Revision, EngineLease)> {
    let (_, revision, record) = world.all(RecordKind::Lease).pop()?;
    match &*record {
        Record::Lease(lease) => Some((revision, lease.clone())),
        other => panic!("{other:?}"),
    }
}

fn epoch(world: &World) -> Option<u64> {
    lease(world).map(|(_, lease)| lease.epoch)
}

/// Lets a third of the lease pass, and waits until its holder has renewed it.
async fn renewed(world: &World) {
    let before = lease(world).expect("somebody has the lease").0;
    world.clock.advance(LEASE / 3);
    world.until("renewed", |world| lease(world).is_some_and(|(revision, _)| revision > before)).await;
}

async fn a_bed_for_a_need(world: &World, bed: &str, need: &str) {
    world.beds("ZA1", bed, 1).await;
    world.need("ZA4", need, Priority::P2).await;
}

#[tokio::test]
async fn two_engines_never_propose_a_unit_twice() {
    let world = World::new().await;
    let engines = [world.engine(), world.engine()];
    for n in 0..8 {
        a_bed_for_a_need(&world, &format!("a{n}"), &format!("n{n}")).await;
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
    let other = world.engine();
    active.kill().await;
    a_bed_for_a_need(&world, "a", "n").await;
    world.rests().await;
    assert_eq!(world.held(), [""; 0], "nobody acts on a lease that is another's");
    world.pass_until("taken over", |world| epoch(world) == Some(2)).await;
    world.until_held(&["n -> a"]).await;
    assert_eq!((other.standing.is_active(), other.standing.takeovers()), (true, 1));
}

#[tokio::test]
async fn an_engine_that_is_told_to_stop_hands_over_at_once() {
    let world = World::new().await;
    let active = world.engine();
    world.until("a lease", |world| epoch(world) == Some(1)).await;
    let other = world.engine();
    let standing = active.standing.clone();
    assert!(standing.is_active());
    active.stop().await;
    assert_eq!((standing.is_active(), standing.leases_lost()), (false, 0));
    // Nothing moves the clock.
    a_bed_for_a_need(&world, "a", "n").await;
    world.until_held(&["n -> a"]).await;
    assert_eq!((epoch(&world), other.standing.takeovers()), (Some(2), 1));
    other.stop().await;
    assert!(lease(&world).is_some_and(|(_, lease)| lease.is_free() && lease.epoch == 2));
}

#[tokio::test]
async fn a_standby_leaves_the_lease_to_an_engine_that_renews_it() {
    let world = World::new().await;
    let active = world.engine();
    world.until("a lease", |world| epoch(world) == Some(1)).await;
    let other = world.engine();
    for _ in 0..9 {
        renewed(&world).await;
    }
    a_bed_for_a_need(&world, "a", "n").await;
    world.until_held(&["n -> a"]).await;
    assert_eq!((epoch(&world), other.standing.takeovers()), (Some(1), 0));
    assert_eq!((active.standing.is_active(), active.standing.takeovers()), (true, 1));
    assert_eq!(active.standing.leases_lost(), 0, "what it commits expects the lease as it was renewed last");
}

#[tokio::test]
async fn an_engine_whose_lease_has_moved_steps_down_and_stands_by() {
    let world = World::new().await;
    let engine = world.engine();
    world.until("a lease", |world| epoch(world) == Some(1)).await;
    let (holder, until) = (Label::parse("another").unwrap(), world.now());
    world.put(lease_key(), Record::Lease(EngineLease { holder, epoch: 2, until })).await;
    world.until_so("stepped down", || engine.standing.leases_lost() == 1).await;
    assert!(!engine.standing.is_active());
    a_bed_for_a_need(&world, "a", "n").await;
    world.rests().await;
    assert_eq!(world.held(), [""; 0]);
    // The other never renews it.
    world.pass_until("taken over", |world| epoch(world) == Some(3)).await;
    world.until_held(&["n -> a"]).await;
    assert_eq!(engine.standing.takeovers(), 2);
}

#[test]
fn an_engine_that_thinks_for_long_renews_its_lease_meanwhile() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        // The only thread for what takes long is taken, so that the engine thinks until it is let go.
        let (release, released) = std::sync::mpsc::channel::<()>();
        let other = tokio::task::spawn_blocking(move || released.recv());
        let engine = world.engine();
        world.until("a lease", |world| epoch(world) == Some(1)).await;
        for _ in 0..4 {
            renewed(&world).await;
        }
        a_bed_for_a_need(&world, "a", "n").await;
        assert_eq!(world.held(), [""; 0]);
        drop(release);
        world.until_held(&["n -> a"]).await;
        assert!(other.await.unwrap().is_err());
        assert_eq!((epoch(&world), engine.standing.takeovers()), (Some(1), 1));
    });
}
