//! The demonstration's day, played in about two minutes: everything happens that should, and nothing that should not. Its
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

/// A day takes 96 seconds.
const SPEED: u32 = 900;

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

/// On a busy machine people fall behind their clock, and what the day began ends on the next: so long it may take.
const HOURS_AT_MOST: i64 = 48;

#[tokio::test(flavor = "multi_thread")]
async fn a_day_passes_with_every_outcome_and_no_failure() {
    // Where the tests share a process, they share its telemetry: the stories of traces must find theirs in memory.
    let _ = fallow_host::telemetry::in_memory();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let args = DevArgs { speed: SPEED, port: 0, grpc_port: 0, log: Some(log.clone()), ..DevArgs::default() };
    let shown = Demonstration::start(&args, folder.path()).await.unwrap();
    for hour in 24..=HOURS_AT_MOST {
        shown.clock().sleep_until(shown.begins_at() + SignedDuration::from_hours(hour)).await;
        if not_yet(&shown).await.is_empty() {
            break;
        }
    }
    assert_eq!(not_yet(&shown).await, Vec::<String>::new());
    assert_eq!(shown.tally().unexpected(), []);
    shown.end(Duration::from_secs(10)).await.unwrap();
    let tally = same_decisions_in(&log);
    assert!(tally.placements > 60 && tally.chores > 20, "{tally:?}");
}

/// What the day should show and has not shown so far. What it has promised must hold at any time.
async fn not_yet(shown: &Demonstration) -> Vec<String> {
    let records = records_of(shown.services().live.ledger()).await;
    assert_eq!(invariants::check(&records), []);
    let tally = shown.tally();
    let calls = LEAST.iter().map(|(call, least)| {
        let done = tally.count(call, Tally::OK);
        (done >= *least, format!("{call}: {done} of at least {least}"))
    });
    let any = |wanted: &dyn Fn(&Proposal) -> bool| records.proposals.values().any(wanted);
    let ends = [ProposalState::Confirmed, ProposalState::Declined, ProposalState::Lapsed];
    let ends = ends.map(|state| (any(&|one| one.state == state), format!("a proposal that is {state}")));
    let confirmed = |one: &Proposal| one.state == ProposalState::Confirmed;
    let is_approved = |one: &Proposal| matches!(one.authority, Authority::Approved { .. }) && confirmed(one);
    let by_agreement = |one: &Proposal| one.supporting.agreement.is_some() && one.supporting.by.is_none();
    let home_again = |one: &Transfer| {
        one.reason == TransferReason::Repatriation && !one.state.is_before_arrival() && one.aborted.is_none()
    };
    let is_completed = |one: &Transfer| one.state == TransferState::Completed;
    let shows = [
        (any(&|one| one.team.is_some() && confirmed(one)), "a team lent to a session without one"),
        (any(&is_approved), "a move that somebody approved"),
        (any(&by_agreement), "an answer by standing agreement"),
        (records.transfers.values().any(is_completed), "a transfer that is completed"),
        (records.transfers.values().any(home_again), "somebody brought home"),
        (tally.count("ask_to_confirm", Tally::OK) > 0, "a silent trust that was asked"),
    ];
    let shows = shows.map(|(happened, what)| (happened, what.to_owned()));
    let all = calls.chain(ends).chain(shows);
    all.filter(|(happened, _)| !happened).map(|(_, what)| what).collect()
}
