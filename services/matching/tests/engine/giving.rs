//! Fairness from what was given: the engine asks whom it is fair to ask, and a replay comes to the same.

use fallow_domain::decide::proposal::{HomeReply, SupportingReply};
use fallow_domain::decide::transfer::{self, Progress};
use fallow_domain::ids::Note;
use fallow_domain::matching::giving::COUNTED;
use fallow_domain::need::{Priority, Scope};
use fallow_domain::offer::Window;
use fallow_domain::transfer::{AbortCode, Transfer, TransferState};
use fallow_ledger::RecordKind;
use fallow_ledger::record::transfer_key;
use fallow_matching::replay::{self, Decider};

use crate::examples::{manager, need, report};
use crate::replaying::{log_of, replay};
use crate::world::World;

/// Three beds at ZA1, near the home trust, and three farther off at ZA2, for months.
async fn two_givers(world: &World) {
    for (trust, id) in [("ZA1", "near"), ("ZA2", "far")] {
        let mut beds = report(trust, id, 3, world.now());
        beds.window = Window { from: None, until: world.now() + COUNTED + COUNTED };
        beds.cadence = COUNTED + COUNTED;
        world.publish(beds).await;
    }
}

/// Raises a need of ZA4 for somebody of the most deprived decile, and says from where it is given a bed.
async fn given(world: &World, id: &str) -> String {
    let mut wanted = need("ZA4", id, Priority::P2, world.now());
    (wanted.imd_decile, wanted.scope) = (Some(1), Scope::WholePathway);
    world.raise(wanted, None).await;
    world
        .until("proposed", |world| world.held().iter().any(|held| held.starts_with(&format!("{id} "))))
        .await;
    let proposal = world.the_proposal(id);
    world.support(&proposal, SupportingReply::Accept { units: None }).await;
    world.home(&proposal, HomeReply::Accept { units: None }).await;
    proposal.offer.to_string()
}

/// Lets a patient go, arrive and stay for the whole pathway.
async fn complete(world: &World, transfer: &Transfer) {
    let ticks = transfer.checklist.iter().map(|item| (item.name.clone(), true)).collect();
    let ready = Progress { ticks, to: Some(TransferState::Ready), ..Progress::default() };
    let to = |state| Progress { to: Some(state), ..Progress::default() };
    let steps = [
        (ready, transfer.home_trust),
        (to(TransferState::InTransit), transfer.home_trust),
        (to(TransferState::Arrived), transfer.supporting_trust),
        (to(TransferState::Completed), transfer.supporting_trust),
    ];
    for (progress, trust) in steps {
        let (by, at) = (manager(trust.as_str()), world.now());
        world
            .decide(&by, transfer_key(&transfer.id), |read| {
                transfer::advance(read, &transfer.id, progress.clone(), &by, at)
            })
            .await;
    }
}

fn transfers(world: &World) -> Vec<Transfer> {
    world.records().transfers.into_values().collect()
}

#[tokio::test]
async fn who_has_given_less_than_its_share_is_asked_next_and_a_replay_agrees() {
    let fair = World::under("fair_step = 40", fallow_domain::calendar::WorkingCalendar::default()).await;
    let as_near = World::under("fair_step = 0", fallow_domain::calendar::WorkingCalendar::default()).await;
    for (world, expected) in [(&fair, ["near", "far", "near"]), (&as_near, ["near", "near", "near"])] {
        let engine = world.engine();
        two_givers(world).await;
        for (id, from) in ["n1", "n2", "n3"].into_iter().zip(expected) {
            assert_eq!(given(world, id).await, from, "{id}");
        }
        engine.kill().await;
        let log = log_of(world).await;
        let (tally, found) = replay(world, &log, Decider::default(), replay::Window::default()).unwrap();
        assert_eq!((found, tally.not_compared), (Vec::new(), 0));
        assert_eq!(tally.placements, 3);
    }
    let told = fair.the_proposal("n3").explanation.fairness;
    assert_eq!((told.given, told.taken, told.share, told.staffed), (1, 0, 50, Some(50)));
    assert_eq!(told.most_deprived, None, "of two people nothing is said");
    let told = as_near.the_proposal("n3").explanation.fairness;
    assert_eq!((told.given, told.share), (2, 100));
}

#[tokio::test]
async fn what_was_given_stays_in_the_live_records_for_28_days_and_counts_so_long() {
    let world = World::under("fair_step = 40", fallow_domain::calendar::WorkingCalendar::default()).await;
    let engine = world.engine();
    two_givers(&world).await;
    assert_eq!(given(&world, "n1").await, "near");
    world.until("agreed", |world| transfers(world).len() == 1).await;
    let over = transfers(&world).into_iter().next().unwrap();
    complete(&world, &over).await;
    world.need("ZA4", "n0", Priority::P2).await;
    world.until("proposed", |world| world.held().iter().any(|held| held.starts_with("n0"))).await;
    let proposal = world.the_proposal("n0");
    world.support(&proposal, SupportingReply::Accept { units: None }).await;
    world.home(&proposal, HomeReply::Accept { units: None }).await;
    let made = transfers(&world).into_iter().find(|one| one.proposal == proposal.id).unwrap();
    let (by, at, code) = (manager("ZA4"), world.now(), AbortCode::NoTransport);
    world
        .decide(&by, transfer_key(&made.id), |read| {
            transfer::abort(read, &made.id, code, &Note::default(), &by, at)
        })
        .await;
    let hours = COUNTED.as_hours();
    let is_gone = || {
        world.wait_minutes(60);
        world.all(RecordKind::Proposal).is_empty() && transfers(&world).iter().all(|one| one.id == over.id)
    };
    world.until_so("the proposals and what was called off have gone", is_gone).await;
    assert_eq!(transfers(&world).len(), 1);
    assert!(world.now() < over.agreed_at + COUNTED, "three days are over, and 28 are not");
    assert_eq!(given(&world, "n2").await, "far", "what is over counts");
    let rest = world.now().duration_since(over.agreed_at).as_hours();
    world.wait_minutes((hours - rest + 1) * 60);
    let is_gone = || {
        world.wait_minutes(60);
        transfers(&world).iter().all(|one| one.id != over.id)
    };
    world.until_so("what was given 28 days ago has gone", is_gone).await;
    world.need("ZA4", "n3", Priority::P2).await;
    world.until("proposed", |world| world.held().iter().any(|held| held.starts_with("n3"))).await;
    let told = world.the_proposal("n3").explanation.fairness;
    assert_eq!((told.given, told.share), (0, 0), "{:?} counts no more", world.the_proposal("n3").offer);
    assert_eq!(world.the_proposal("n3").offer.as_str(), "near");
    engine.kill().await;
}
