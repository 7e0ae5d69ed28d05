//! The demonstration's day, played in less than a minute: everything happens that should, and nothing that should not. Its
//! log, replayed, gives the same decisions.

use std::time::Duration;

use fallow::dev::{Demonstration, DevArgs, Tally};
use fallow_domain::invariants;
use fallow_domain::need::TransferReason;
use fallow_domain::proposal::{Authority, Proposal, ProposalState};
use fallow_domain::transfer::{Transfer, TransferState};
use jiff::SignedDuration;

use crate::replaying::same_decisions_in;
use crate::world::records_of;

/// A day takes 48 seconds.
const SPEED: u32 = 1_800;

/// What the simulated trusts do at least in a day, however busy the machine is.
const LEAST: [(&str, u64); 8] = [
    ("stream_item", 500),
    ("publish_offer", 150),
    ("replace_offers", 40),
    ("raise_need", 80),
    ("declare_pressure", 12),
    ("set_mode", 2),
    ("answer_proposal", 60),
    ("advance_transfer", 40),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_day_passes_with_every_outcome_and_no_failure() {
    // Where the tests share a process, they share its telemetry: the stories of traces must find theirs in memory.
    let _ = fallow_host::telemetry::in_memory();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let args = DevArgs { speed: SPEED, port: 0, grpc_port: 0, log: Some(log.clone()), ..DevArgs::default() };
    let shown = Demonstration::start(&args, folder.path()).await.unwrap();
    shown.clock().sleep_until(shown.begins_at() + SignedDuration::from_hours(24)).await;

    let tally = shown.tally().clone();
    assert_eq!(tally.unexpected(), []);
    for (call, least) in LEAST {
        let done = tally.count(call, Tally::OK);
        assert!(done >= least, "{call}: {done} of at least {least}");
    }
    let records = records_of(shown.services().live.ledger()).await;
    assert_eq!(invariants::check(&records), []);
    for state in [ProposalState::Confirmed, ProposalState::Declined, ProposalState::Lapsed] {
        let count = records.proposals.values().filter(|proposal| proposal.state == state).count();
        assert!(count > 0, "no proposal is {state}");
    }
    let joined = |proposal: &Proposal| proposal.team.is_some() && proposal.state == ProposalState::Confirmed;
    assert!(records.proposals.values().any(joined), "no team was lent to a session without one");
    let completed = records.transfers.values().filter(|transfer| transfer.state == TransferState::Completed);
    assert!(completed.count() > 0, "no transfer is completed");
    // Each kind of arrangement happens by itself, at least once.
    let any = |wanted: &dyn Fn(&Proposal) -> bool| records.proposals.values().any(wanted);
    let approved = |one: &Proposal| matches!(one.authority, Authority::Approved { .. });
    assert!(any(&|one| approved(one) && one.state == ProposalState::Confirmed), "nothing was approved");
    let by_agreement = |one: &Proposal| one.supporting.agreement.is_some() && one.supporting.by.is_none();
    assert!(any(&by_agreement), "no standing agreement answered");
    let home_again = |one: &Transfer| {
        one.reason == TransferReason::Repatriation && !one.state.is_before_arrival() && one.aborted.is_none()
    };
    assert!(records.transfers.values().any(home_again), "nobody was brought home");
    assert!(tally.count("ask_to_confirm", Tally::OK) > 0, "nobody asked the silent trust");
    shown.end(Duration::from_secs(10)).await.unwrap();
    let tally = same_decisions_in(&log);
    assert!(tally.placements > 60 && tally.chores > 20, "{tally:?}");
}
