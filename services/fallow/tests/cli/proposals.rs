//! `inbox`, `accept`, `decline`, `why` and the long forms.

use std::collections::HashMap;

use fallow_api::v1::{
    AnswerProposalRequest, AnswerProposalResponse, ApproveProposalRequest, ApproveProposalResponse,
    BypassProposalRequest, BypassProposalResponse, ExtendHoldRequest, ExtendHoldResponse, GetProposalRequest,
    GetProposalResponse, ListProposalsRequest, ListProposalsResponse, Proposal, RetractAnswerRequest,
    RetractAnswerResponse,
};
use insta::assert_snapshot;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::demand::{knows_needs, knows_the_region};
use crate::records::{moving, suggestion};
use crate::world::World;

pub(crate) fn lists(world: &World, proposals: Vec<Proposal>) {
    knows_needs(world);
    knows_the_region(world);
    world.script.on("MatchingService/GetProposal", |ask: GetProposalRequest| {
        match ask.proposal == suggestion().id {
            true => Ok(GetProposalResponse { proposal: Some(suggestion()), revision: 43 }),
            false => Err(Status::not_found("no such proposal")),
        }
    });
    world.script.on("MatchingService/ListProposals", move |ask: ListProposalsRequest| {
        let live = ask.filter.unwrap_or_default().states.is_empty();
        let proposals = if live { proposals.clone() } else { Vec::new() };
        Ok(ListProposalsResponse { proposals, next_page_token: String::new(), revision: 43 })
    });
}

fn answers(world: &World) {
    world.script.on("MatchingService/AnswerProposal", |ask: AnswerProposalRequest| {
        let transfer =
            (ask.reason == 0 && ask.units == 0 && !ask.validate_only && ask.verdict == 1).then(moving);
        let revision = if ask.validate_only { 0 } else { 44 };
        Ok(AnswerProposalResponse { proposal: Some(suggestion()), transfer, revision })
    });
}

#[tokio::test]
async fn the_inbox_shows_what_waits() {
    let world = World::new().await;
    lists(&world, vec![suggestion()]);
    assert_snapshot!(
        world.transcript(&["inbox", "inbox -o wide", "proposal list --state confirmed --trust za1"]).await
    );
    lists(&world, Vec::new());
    assert_snapshot!("an_empty_inbox", world.transcript(&["inbox"]).await);
}

#[tokio::test]
async fn accept_takes_a_beginning_and_names_the_transfer() {
    let world = World::new().await;
    lists(&world, vec![suggestion()]);
    answers(&world);
    assert_snapshot!(
        world
            .transcript(&[
                "accept 0198c2c3",
                "proposal accept 0198c2c3-0000-7000-8000-000000000001 --units 1 -q",
                "accept 0198c2c3 --provisional -q",
                "accept 0198c2c3 --dry-run --if-revision 43 -q",
                "accept zz",
            ])
            .await
    );
}

#[tokio::test]
async fn an_ambiguous_beginning_lists_the_candidates() {
    let world = World::new().await;
    lists(
        &world,
        vec![suggestion(), Proposal { id: "0198c2c3-0000-7000-8000-000000000002".into(), ..suggestion() }],
    );
    let told = world.run("accept 0198c2c3").await;
    assert_eq!(told.exit, 2);
    assert_eq!(
        told.err,
        "error: USAGE: \"0198c2c3\" could be any of 2 proposals\n  why:  0198c2c3-0000-7000-8000-000000000001\n  why:  \
         0198c2c3-0000-7000-8000-000000000002\n  next: give more of the id\n"
    );
}

#[tokio::test]
async fn decline_carries_its_code_and_mends_the_cause() {
    let world = World::new().await;
    lists(&world, vec![suggestion()]);
    answers(&world);
    assert_snapshot!(
        world
            .transcript(&[
                "decline 0198c2c3 --reason capacity_changed --set-free 0 --note \"bed closed\" -q",
                "decline 0198c2c3 --reason stafing",
                "decline 0198c2c3",
            ])
            .await
    );
}

#[tokio::test]
async fn why_says_it_in_words() {
    let world = World::new().await;
    lists(&world, vec![suggestion()]);
    assert_snapshot!(world.transcript(&["why 0198c2c3"]).await);
    let (short, long) =
        (world.run("why 0198c2c3 -o json").await, world.run("proposal explain 0198c2c3 -o json").await);
    assert_eq!((short.out.clone(), short.calls), (long.out, long.calls));
    assert!(short.out.starts_with("{\n  \"id\": \"0198c2c3-"), "{}", short.out);
}

#[tokio::test]
async fn a_refusal_and_a_lost_answer_say_what_next() {
    let world = World::new().await;
    lists(&world, vec![suggestion()]);
    world.script.on(
        "MatchingService/AnswerProposal",
        |_: AnswerProposalRequest| -> Result<AnswerProposalResponse, _> {
            let numbers = HashMap::from([("held_until".to_owned(), "2026-11-24T14:30:00Z".to_owned())]);
            let details = ErrorDetails::with_error_info("HOLD_EXPIRED", "fallow", numbers);
            Err(Status::with_error_details(Code::FailedPrecondition, "the hold ran out at 14:30", details))
        },
    );
    world.script.on(
        "MatchingService/RetractAnswer",
        |_: RetractAnswerRequest| -> Result<RetractAnswerResponse, _> {
            let details = ErrorDetails::with_error_info("OUTCOME_UNKNOWN", "fallow", HashMap::new());
            Err(Status::with_error_details(Code::Unavailable, "the store did not answer", details))
        },
    );
    assert_snapshot!(world.transcript(&["accept 0198c2c3", "proposal retract 0198c2c3"]).await);
}

#[tokio::test]
async fn an_authority_approves_or_refuses_and_a_side_takes_more_time() {
    let world = World::new().await;
    lists(&world, vec![suggestion()]);
    world.script.on("MatchingService/ApproveProposal", |ask: ApproveProposalRequest| {
        let revision = if ask.validate_only { 0 } else { 44 };
        let transfer = (!ask.refuse && !ask.validate_only).then(moving);
        Ok(ApproveProposalResponse { proposal: Some(suggestion()), transfer, revision })
    });
    world.script.on("MatchingService/ExtendHold", |_: ExtendHoldRequest| {
        Ok(ExtendHoldResponse { proposal: Some(suggestion()), revision: 44 })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "proposal approve 0198c2c3 -q",
                "proposal approve 0198c2c3 --dry-run -q",
                "proposal refuse 0198c2c3 -q",
                "proposal refuse 0198c2c3 --reason \"keep it in the system\" -q",
                "proposal extend 0198c2c3 -q",
                "proposal extend 0198c2c3 --by 15 -q",
                "proposal extend 0198c2c3 --by 0 -q",
            ])
            .await
    );
}

#[tokio::test]
async fn gold_bypasses_a_proposal_and_may_name_another_offer() {
    let world = World::new().await;
    lists(&world, vec![suggestion()]);
    world.script.on("MatchingService/BypassProposal", |ask: BypassProposalRequest| {
        let revision = if ask.validate_only { 0 } else { 44 };
        let instead = (!ask.offer.is_empty()).then(|| Proposal { offer: ask.offer, ..suggestion() });
        Ok(BypassProposalResponse { proposal: Some(suggestion()), revision, instead })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "bypass 0198c2c3",
                "bypass 0198c2c3 --reason \"the road is closed\" -q",
                "proposal bypass 0198c2c3 --reason \"the road is closed\" --offer 0198c2b7 --if-revision 43 -q",
                "bypass 0198c2c3 --reason \"the road is closed\" --dry-run -q",
            ])
            .await
    );
}

#[tokio::test]
async fn a_short_form_asks_just_what_its_long_form_asks() {
    let world = World::new().await;
    lists(&world, vec![suggestion()]);
    answers(&world);
    crate::transfers::lists(&world);
    world.script.on("MatchingService/BypassProposal", |_: BypassProposalRequest| {
        Ok(BypassProposalResponse::default())
    });
    for (short, long) in [
        ("inbox", "proposal list --waiting-for-me"),
        ("why 0198c2c3", "proposal explain 0198c2c3"),
        ("why-not LC-118", "demand explain LC-118"),
        ("accept 0198c2c3 --units 1", "proposal accept 0198c2c3 --units 1"),
        ("decline 0198c2c3 --reason not_fit", "proposal decline 0198c2c3 --reason NOT_FIT"),
        ("bypass 0198c2c3 --reason snow", "proposal bypass 0198c2c3 --reason snow"),
        ("returns", "transfer list --returning"),
    ] {
        let (asked, longer) = (world.run(short).await, world.run(long).await);
        assert_eq!(asked.calls, longer.calls, "{short}");
        assert_eq!((asked.exit, asked.out, asked.err), (longer.exit, longer.out, longer.err), "{short}");
        assert!(!asked.calls.is_empty(), "{short}");
    }
}
