//! What needs two people: breaking glass, and a new region file.

use fallow_api::client::fresh_request_id;
use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use jiff::SignedDuration;
use tonic::Code;
use v1::action::Call;

use crate::people::{User, call};
use crate::wire;
use crate::world::{World, stories};

stories!(
    two_people_answer_for_a_trust_that_cannot,
    glass_is_broken_with_a_reason_in_time_and_not_too_often,
    two_people_bypass_a_proposal_without_an_incident,
    two_people_put_a_region_file_in_force,
);

fn answer_for(trust: &str, proposal: &str) -> v1::Action {
    let answer = v1::AnswerProposalRequest {
        proposal: proposal.into(),
        verdict: v1::Verdict::Accept.into(),
        ..Default::default()
    };
    v1::Action {
        call: Some(Call::AnswerProposal(answer)),
        for_trust: trust.into(),
        code: v1::OverrideReason::SystemsDown.into(),
        reason: "their network is down".into(),
        ..Default::default()
    }
}

fn asking(action: &v1::Action) -> v1::ProposeActionRequest {
    let action = Some(action.clone());
    v1::ProposeActionRequest { request_id: fresh_request_id(), action, ..Default::default() }
}

async fn propose(user: &User, action: &v1::Action) -> Result<v1::Action, Problem> {
    call!(user.monitor(), propose_action, asking(action)).map(|answer| answer.action.unwrap())
}

async fn confirm(user: &User, action: &v1::Action) -> Result<v1::Action, Problem> {
    let request = v1::ConfirmActionRequest {
        request_id: fresh_request_id(),
        action: action.id.clone(),
        ..Default::default()
    };
    call!(user.monitor(), confirm_action, request).map(|answer| answer.action.unwrap())
}

async fn waiting(user: &User) -> Vec<String> {
    let request = v1::ListActionsRequest { waiting: true };
    let listed = call!(user.monitor(), list_actions, request).unwrap();
    listed.actions.into_iter().map(|action| action.id).collect()
}

#[track_caller]
fn is_refused<T: std::fmt::Debug>(done: Result<T, Problem>, code: Code, reason: &str) {
    let refused = done.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (code, reason), "{}", refused.text);
}

async fn read(user: &User, proposal: &str) -> v1::Proposal {
    let request = v1::GetProposalRequest { proposal: proposal.into() };
    call!(user.matching(), get_proposal, request).unwrap().proposal.unwrap()
}

/// A proposal of Aldermoor's beds for Dunmere's need.
async fn proposed(world: &World, case: &str) -> v1::Proposal {
    let (home, near) = (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"));
    near.publish_beds("ZA101", 2).await;
    let need = home.raise(wire::need("ZA401", case, 1)).await;
    home.proposal_of(&need).await
}

/// Takes the second trust out of the collaboratives of the others and joins it with the first alone; returns who coordinates
/// that.
async fn part_two_from_all_but_one(world: &World) -> User {
    let admin = world.user("platform-admin");
    let before = call!(admin.monitor(), get_region, v1::GetRegionRequest {}).unwrap().toml;
    let all = r#"members = ["ZA1", "ZA2", "ZA3", "ZA4", "ZA5", "ZA6"]"#;
    let critical = r#"members = ["ZA1", "ZA2", "ZA3", "ZA4", "ZA6"]"#;
    assert_eq!((before.matches(all).count(), before.matches(critical).count()), (1, 1));
    let pair = r#"
[[collaborative]]
id = "vale-pair"
name = "Vale Pair"
kind = "ACUTE"
members = ["ZA1", "ZA2"]
lead = "ZA1"
shares = ["BED"]
mode = "ROUTINE"
"#;
    let toml = before
        .replace(all, r#"members = ["ZA1", "ZA3", "ZA4", "ZA5", "ZA6"]"#)
        .replace(critical, r#"members = ["ZA1", "ZA3", "ZA4", "ZA6"]"#);
    let toml = toml + pair;
    let request =
        v1::ApplyRegionRequest { request_id: fresh_request_id(), toml, ..v1::ApplyRegionRequest::default() };
    call!(admin.monitor(), apply_region, request).unwrap();
    world.acting("coordinator", "ZA2")
}

async fn two_people_answer_for_a_trust_that_cannot(world: &mut World) {
    let found = proposed(world, "case 1").await;
    let asked = answer_for("ZA1", &found.id);
    let (icb, coordinator) = (world.user("icb"), world.acting("coordinator", "ZA1"));
    // Who may not: gold for a trust, a site lead for another's, a role that has no part in it.
    is_refused(propose(&world.user("duty-lead"), &asked).await, Code::PermissionDenied, "WRONG_SIDE");
    is_refused(propose(&world.user("site-lead.ZA4"), &asked).await, Code::PermissionDenied, "WRONG_SIDE");
    let manager = world.user("bed-manager.ZA1");
    is_refused(propose(&manager, &asked).await, Code::PermissionDenied, reasons::ROLE_FORBIDS);
    // To somebody elsewhere the proposal is not there.
    is_refused(propose(&world.user("site-lead.ZA2"), &asked).await, Code::NotFound, reasons::NOT_FOUND);
    let wrong = answer_for("ZA2", &found.id);
    is_refused(propose(&icb, &wrong).await, Code::InvalidArgument, reasons::NOT_APPLICABLE);

    let request = asking(&asked);
    let first = call!(icb.monitor(), propose_action, request.clone()).unwrap().action.unwrap();
    assert_eq!((first.state(), first.breaks_glass), (v1::action::State::Proposed, true));
    let again = call!(icb.monitor(), propose_action, request).unwrap().action.unwrap();
    assert_eq!(again, first, "a repeated request has one effect");
    let unchanged = read(&manager, &found.id).await;
    assert_eq!(unchanged.supporting.unwrap().state(), v1::answer::State::Pending, "nothing is done yet");
    // Both trusts see it at once, a third one does not.
    for user in ["bed-manager.ZA1", "bed-manager.ZA4", "duty-lead", "auditor"] {
        assert_eq!(waiting(&world.user(user)).await, std::slice::from_ref(&first.id), "{user}");
    }
    for user in ["bed-manager.ZA2", "platform-admin"] {
        assert_eq!(waiting(&world.user(user)).await, [""; 0], "{user}");
    }
    is_refused(confirm(&world.user("site-lead.ZA2"), &first).await, Code::NotFound, reasons::NOT_FOUND);
    is_refused(confirm(&icb, &first).await, Code::FailedPrecondition, "SECOND_PERSON_REQUIRED");
    is_refused(confirm(&world.user("duty-lead"), &first).await, Code::PermissionDenied, "WRONG_SIDE");
    // Who coordinates a collaborative of one of the two trusts alone sees it, and confirms no more than they may propose.
    let apart = part_two_from_all_but_one(world).await;
    assert_eq!(waiting(&apart).await, std::slice::from_ref(&first.id));
    is_refused(propose(&apart, &asked).await, Code::NotFound, reasons::NOT_FOUND);
    is_refused(confirm(&apart, &first).await, Code::NotFound, reasons::NOT_FOUND);

    let done = confirm(&coordinator, &first).await.unwrap();
    assert_eq!((done.state(), done.confirmed_by.as_str()), (v1::action::State::Confirmed, "coordinator"));
    assert!(done.review_by.is_some() && done.text.contains("To be reviewed by"), "{}", done.text);
    let answered = read(&manager, &found.id).await;
    assert_eq!(answered.supporting.unwrap().state(), v1::answer::State::Accepted);
    is_refused(confirm(&coordinator, &first).await, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    assert_eq!(waiting(&manager).await, [""; 0]);
    let told = call!(manager.monitor(), list_timeline, v1::ListTimelineRequest::default()).unwrap().entries;
    let glass = told.iter().filter(|entry| entry.text.starts_with("Break glass: "));
    assert_eq!(glass.count(), 2, "{told:#?}");
    // The home trust goes on as ever.
    assert!(world.user("bed-manager.ZA4").accept(&found).await.transfer.is_some());
}

async fn glass_is_broken_with_a_reason_in_time_and_not_too_often(world: &mut World) {
    let found = proposed(world, "case 1").await;
    let (icb, coordinator) = (world.user("icb"), world.acting("coordinator", "ZA1"));
    let whole = answer_for("ZA1", &found.id);
    for bad in [v1::Action { code: 0, ..whole.clone() }, v1::Action { reason: " ".into(), ..whole.clone() }] {
        is_refused(propose(&icb, &bad).await, Code::FailedPrecondition, "OVERRIDE_REASON");
    }
    let first = propose(&icb, &whole).await.unwrap();
    propose(&icb, &whole).await.unwrap();
    is_refused(propose(&icb, &whole).await, Code::FailedPrecondition, "OVERRIDE_LIMIT");
    // Another person has a right of their own.
    let others = propose(&coordinator, &whole).await.unwrap();
    world.pass(SignedDuration::from_mins(30));
    is_refused(confirm(&coordinator, &first).await, Code::FailedPrecondition, "OVERRIDE_EXPIRED");
    is_refused(confirm(&icb, &others).await, Code::FailedPrecondition, "OVERRIDE_EXPIRED");
    assert_eq!(waiting(&icb).await, [""; 0]);
}

async fn two_people_bypass_a_proposal_without_an_incident(world: &mut World) {
    let found = proposed(world, "case 1").await;
    let (gold, icb) = (world.user("duty-lead"), world.user("icb"));
    let alone = v1::BypassProposalRequest {
        request_id: fresh_request_id(),
        proposal: found.id.clone(),
        reason: "flooded ward".into(),
        ..Default::default()
    };
    let refused = call!(gold.matching(), bypass_proposal, alone.clone());
    is_refused(refused, Code::FailedPrecondition, "NOT_INCIDENT_MODE");
    let action = v1::Action {
        call: Some(Call::BypassProposal(v1::BypassProposalRequest { request_id: String::new(), ..alone })),
        code: v1::OverrideReason::RiskToLife.into(),
        reason: "flooded ward".into(),
        ..Default::default()
    };
    let first = propose(&gold, &action).await.unwrap();
    confirm(&icb, &first).await.unwrap();
    let ended = read(&world.user("bed-manager.ZA4"), &found.id).await;
    assert_eq!(
        (ended.state(), ended.ended_because.as_str()),
        (v1::proposal::State::Bypassed, "flooded ward")
    );
}

async fn two_people_put_a_region_file_in_force(world: &mut World) {
    let (coordinator, admin) = (world.acting("coordinator", "ZA1"), world.user("platform-admin"));
    let before = call!(admin.monitor(), get_region, v1::GetRegionRequest {}).unwrap();
    let toml = format!("{}\n# looked through by two\n", before.toml);
    let action = |toml: &str| v1::Action {
        call: Some(Call::ApplyRegion(v1::ApplyRegionRequest { toml: toml.into(), ..Default::default() })),
        reason: "looked through".into(),
        ..Default::default()
    };
    let wrong = propose(&coordinator, &action("id = 7")).await;
    assert_eq!(wrong.unwrap_err().code, Code::InvalidArgument, "who proposes is told what is wrong");
    is_refused(propose(&world.user("duty-lead"), &action(&toml)).await, Code::PermissionDenied, "WRONG_SIDE");
    let renamed = toml.replacen("name = \"North Vale\"", "name = \"New Vale\"", 1);
    let looked = v1::ProposeActionRequest { validate_only: true, ..asking(&action(&renamed)) };
    let looked = call!(coordinator.monitor(), propose_action, looked).unwrap().action.unwrap();
    let told = |action: &v1::Action| {
        action.changes.iter().map(|one| format!("{}: {}", one.path, one.after)).collect::<Vec<_>>()
    };
    assert_eq!(told(&looked), ["region.name: New Vale"]);
    assert_eq!(waiting(&admin).await, [""; 0], "to look is not to ask");
    let first = propose(&coordinator, &action(&toml)).await.unwrap();
    assert_eq!(told(&first), [""; 0], "a remark changes no value");
    let other = propose(&coordinator, &action(&format!("{toml}# another\n"))).await.unwrap();
    world.pass(SignedDuration::from_mins(1));
    assert!(!first.breaks_glass);
    let stands = call!(admin.monitor(), get_region, v1::GetRegionRequest {}).unwrap();
    assert_eq!(stands.toml, before.toml);
    is_refused(confirm(&coordinator, &first).await, Code::FailedPrecondition, "SECOND_PERSON_REQUIRED");
    confirm(&admin, &first).await.unwrap();
    let after = call!(admin.monitor(), get_region, v1::GetRegionRequest {}).unwrap();
    assert_eq!(after.toml, toml);
    // What was written over the file before would undo this one.
    is_refused(confirm(&admin, &other).await, Code::Aborted, "CHANGED_MEANWHILE");
    let after = call!(admin.monitor(), get_region, v1::GetRegionRequest {}).unwrap();
    assert_eq!(after.toml, toml);
}
