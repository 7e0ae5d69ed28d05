//! What needs two people: breaking glass, and a new region file.

use fallow_api::client::fresh_request_id;
use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use jiff::SignedDuration;
use tonic::Code;
use v1::action::Call;

use crate::people::{User, call};
use crate::wire;
use crate::world::{World, soon, stories};

/// How often a story asks whether the monitor has looked: a little longer than the monitor waits between two looks.
const A_LOOK: std::time::Duration = std::time::Duration::from_millis(250);

stories!(
    two_people_answer_for_a_trust_that_cannot,
    glass_is_broken_with_a_reason_in_time_and_not_too_often,
    two_people_bypass_a_proposal_without_an_incident,
    two_people_put_a_region_file_in_force,
    a_second_person_refuses_and_says_why,
    actions_are_watched_and_read_page_by_page,
    broken_glass_is_alarmed_of_until_a_third_person_reviews_it,
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

async fn refuse(user: &User, action: &v1::Action, why: &str) -> Result<v1::Action, Problem> {
    let request = v1::RefuseActionRequest {
        request_id: fresh_request_id(),
        action: action.id.clone(),
        reason: why.into(),
        ..Default::default()
    };
    call!(user.monitor(), refuse_action, request).map(|answer| answer.action.unwrap())
}

async fn review(user: &User, action: &v1::Action, note: &str) -> Result<v1::Action, Problem> {
    let request = v1::ReviewActionRequest {
        request_id: fresh_request_id(),
        action: action.id.clone(),
        note: note.into(),
        ..Default::default()
    };
    call!(user.monitor(), review_action, request).map(|answer| answer.action.unwrap())
}

async fn get(user: &User, action: &v1::Action) -> Result<v1::Action, Problem> {
    let request = v1::GetActionRequest { action: action.id.clone() };
    call!(user.monitor(), get_action, request).map(|answer| answer.action.unwrap())
}

/// The texts of open alerts of a rule that somebody sees.
async fn alerts(user: &User, rule: &str) -> Vec<String> {
    let listed = call!(user.monitor(), list_alerts, v1::ListAlertsRequest::default()).unwrap().alerts;
    listed.into_iter().filter(|alert| alert.rule == rule).map(|alert| alert.text).collect()
}

/// Lets minutes pass one by one until somebody sees so many open alerts of a rule.
async fn until_alerts(world: &World, user: &User, rule: &str, count: usize) {
    let so_many = async {
        while alerts(user, rule).await.len() != count {
            world.pass(SignedDuration::from_mins(1));
            tokio::time::sleep(A_LOOK).await;
        }
    };
    soon(&format!("{count} open alerts of {rule}"), so_many).await;
}

/// Takes and tries to close the one open alert of a rule that somebody sees: to take it is theirs, to silence it is not.
async fn may_take_and_not_close(user: &User, rule: &str) {
    let listed = call!(user.monitor(), list_alerts, v1::ListAlertsRequest::default()).unwrap().alerts;
    let alert = listed.into_iter().find(|alert| alert.rule == rule).unwrap().id;
    for _ in 0..2 {
        let close = v1::CloseAlertRequest {
            request_id: fresh_request_id(),
            alert: alert.clone(),
            note: "all is well".into(),
            ..Default::default()
        };
        let closed = call!(user.monitor(), close_alert, close).unwrap_err();
        assert!(closed.text.contains("review, confirm or refuse it instead"), "{}", closed.text);
        is_refused(Err::<(), _>(closed), Code::FailedPrecondition, reasons::ILLEGAL_TRANSITION);
        let take = v1::TakeAlertRequest {
            request_id: fresh_request_id(),
            alert: alert.clone(),
            ..Default::default()
        };
        let taken = call!(user.monitor(), take_alert, take).unwrap().alert.unwrap();
        assert_eq!(taken.state(), v1::alert::State::Taken);
    }
}

async fn waiting(user: &User) -> Vec<String> {
    let request = v1::ListActionsRequest { waiting: true, ..Default::default() };
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

async fn a_second_person_refuses_and_says_why(world: &mut World) {
    let found = proposed(world, "case 1").await;
    let (icb, coordinator) = (world.user("icb"), world.acting("coordinator", "ZA1"));
    let first = propose(&icb, &answer_for("ZA1", &found.id)).await.unwrap();
    let why = "their lines are up again";
    // Who is none of the two refuses nothing, and to somebody elsewhere it is not there.
    is_refused(refuse(&world.user("duty-lead"), &first, why).await, Code::PermissionDenied, "WRONG_SIDE");
    let manager = world.user("bed-manager.ZA1");
    is_refused(refuse(&manager, &first, why).await, Code::PermissionDenied, reasons::ROLE_FORBIDS);
    let elsewhere = world.user("site-lead.ZA2");
    is_refused(refuse(&elsewhere, &first, why).await, Code::NotFound, reasons::NOT_FOUND);
    is_refused(get(&elsewhere, &first).await, Code::NotFound, reasons::NOT_FOUND);
    is_refused(refuse(&coordinator, &first, " ").await, Code::InvalidArgument, reasons::REQUIRED);
    let patient = refuse(&coordinator, &first, "Mrs Ada Example went home").await;
    is_refused(patient, Code::InvalidArgument, reasons::PATIENT_IDENTIFIER_SUSPECTED);

    let request = v1::RefuseActionRequest {
        request_id: fresh_request_id(),
        action: first.id.clone(),
        reason: why.into(),
        ..Default::default()
    };
    let check =
        v1::RefuseActionRequest { validate_only: true, request_id: fresh_request_id(), ..request.clone() };
    assert_eq!(call!(coordinator.monitor(), refuse_action, check).unwrap().revision, 0);
    let refused = call!(coordinator.monitor(), refuse_action, request.clone()).unwrap();
    let again = call!(coordinator.monitor(), refuse_action, request).unwrap();
    assert_eq!((&again.action, again.revision), (&refused.action, refused.revision), "one effect");
    // The first person reads who, in which role, and why; so does everybody whom it concerns.
    for user in [&icb, &manager, &world.user("bed-manager.ZA4")] {
        let told = get(user, &first).await.unwrap();
        assert_eq!((told.state(), told.refused_by.as_str()), (v1::action::State::Refused, "coordinator"));
        assert_eq!(told.refused_because, why);
        assert!(told.text.contains(". Coordinator refused it: their lines are up again."), "{}", told.text);
        assert!(told.refused_at.is_some() && told.confirmed_by.is_empty());
    }
    is_refused(confirm(&coordinator, &first).await, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    is_refused(refuse(&coordinator, &first, why).await, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    assert_eq!(waiting(&icb).await, [""; 0]);
    let unanswered = read(&manager, &found.id).await;
    assert_eq!(unanswered.supporting.unwrap().state(), v1::answer::State::Pending, "nothing was done");
    // Who asked takes it back; it counts as one of their two all the same.
    let second = propose(&icb, &answer_for("ZA1", &found.id)).await.unwrap();
    let back = refuse(&icb, &second, "asked too soon").await.unwrap();
    assert!(back.text.contains("Taken back: asked too soon."), "{}", back.text);
    let third = propose(&icb, &answer_for("ZA1", &found.id)).await;
    is_refused(third, Code::FailedPrecondition, "OVERRIDE_LIMIT");
}

async fn actions_are_watched_and_read_page_by_page(world: &mut World) {
    use v1::watch_actions_response::Item;
    let found = proposed(world, "case 1").await;
    let (icb, coordinator) = (world.user("icb"), world.acting("coordinator", "ZA1"));
    let before = propose(&icb, &answer_for("ZA1", &found.id)).await.unwrap();
    let (manager, elsewhere) = (world.user("bed-manager.ZA1"), world.user("bed-manager.ZA2"));
    let watch = async |user: &User| {
        let request = v1::WatchActionsRequest { waiting: true, ..Default::default() };
        user.monitor().watch_actions(request).await.unwrap().into_inner()
    };
    // What it says next beside bookmarks: an id, or the state in which an action is told, or that the snapshot is whole.
    let next = async |told: &mut tonic::Streaming<v1::WatchActionsResponse>| loop {
        let message = soon("a message", told.message()).await.unwrap().unwrap();
        return match message.item.unwrap() {
            Item::Action(action) => (action.id.clone(), Some(action.state())),
            Item::Removed(id) => (id, None),
            Item::SnapshotDone(_) => (String::new(), None),
            Item::Bookmark(_) => continue,
            Item::Moved(_) => panic!("the server is stopping"),
        };
    };
    let (mut theirs, mut nobodys) = (watch(&manager).await, watch(&elsewhere).await);
    let waits = Some(v1::action::State::Proposed);
    assert_eq!(next(&mut theirs).await, (before.id.clone(), waits));
    assert_eq!(next(&mut theirs).await, (String::new(), None));
    assert_eq!(next(&mut nobodys).await, (String::new(), None), "to somebody elsewhere it is not there");
    world.pass(SignedDuration::from_mins(1));
    let later = propose(&coordinator, &answer_for("ZA1", &found.id)).await.unwrap();
    assert_eq!(next(&mut theirs).await, (later.id.clone(), waits));
    refuse(&icb, &later, "one is enough").await.unwrap();
    assert_eq!(next(&mut theirs).await, (later.id.clone(), None), "it waits no more");

    let page = async |page_token: &str| {
        let page_token = page_token.to_owned();
        let request = v1::ListActionsRequest { page_size: 1, page_token, ..Default::default() };
        let listed = call!(manager.monitor(), list_actions, request)?;
        let ids: Vec<String> = listed.actions.into_iter().map(|action| action.id).collect();
        Ok::<_, Problem>((ids, listed.next_page_token))
    };
    // What still waits comes before what has ended, though it is the older.
    let (first, token) = page("").await.unwrap();
    assert_eq!((first, token.is_empty()), (vec![before.id], false));
    assert_eq!(page(&token).await.unwrap(), (vec![later.id], String::new()));
    is_refused(page("made up").await, Code::InvalidArgument, reasons::BAD_PAGE_TOKEN);
    let all = v1::ListActionsRequest { page_size: 1_001, ..Default::default() };
    let refused = call!(manager.monitor(), list_actions, all).unwrap_err();
    assert_eq!(refused.violations[0].field, "page_size");
}

async fn broken_glass_is_alarmed_of_until_a_third_person_reviews_it(world: &mut World) {
    let found = proposed(world, "case 1").await;
    let (icb, coordinator, gold) =
        (world.user("icb"), world.acting("coordinator", "ZA1"), world.user("duty-lead"));
    let first = propose(&icb, &answer_for("ZA1", &found.id)).await.unwrap();
    let told = ["bed-manager.ZA1", "bed-manager.ZA4", "icb", "duty-lead"].map(|name| world.user(name));
    let others = world.user("bed-manager.ZA2");
    until_alerts(world, &gold, "action_waits", 1).await;
    for user in told.iter().chain([&coordinator]) {
        let [text] = &alerts(user, "action_waits").await[..] else { panic!("one is to be told") };
        assert!(text.starts_with("Break glass: integrated care board asks to answer"), "{text}");
    }
    assert_eq!(alerts(&others, "action_waits").await, [""; 0], "it is none of their business");
    may_take_and_not_close(&icb, "action_waits").await;
    confirm(&coordinator, &first).await.unwrap();
    until_alerts(world, &gold, "glass_broken", 1).await;
    until_alerts(world, &gold, "action_waits", 0).await;
    for user in &told {
        let [text] = &alerts(user, "glass_broken").await[..] else { panic!("one is to be told") };
        assert!(text.contains("To be reviewed by"), "{text}");
    }
    assert_eq!(alerts(&others, "glass_broken").await, [""; 0]);
    // Neither of the two silences it, and nobody else does.
    for one in [&icb, &coordinator, &gold] {
        may_take_and_not_close(one, "glass_broken").await;
    }
    // Neither of the two reviews it, nor somebody whose business it is not.
    let note = "rang the ward: it was right";
    for one in [&icb, &coordinator] {
        is_refused(review(one, &first, note).await, Code::FailedPrecondition, "SECOND_PERSON_REQUIRED");
    }
    is_refused(review(&world.user("site-lead.ZA2"), &first, note).await, Code::NotFound, reasons::NOT_FOUND);
    let admin = world.user("platform-admin");
    is_refused(review(&admin, &first, note).await, Code::PermissionDenied, reasons::ROLE_FORBIDS);
    let reviewed = review(&world.user("site-lead.ZA4"), &first, note).await.unwrap();
    assert_eq!((reviewed.reviewed_by.as_str(), reviewed.review_note.as_str()), ("site_lead", note));
    assert_eq!(get(&icb, &first).await.unwrap(), reviewed, "the two read what was found");
    is_refused(review(&gold, &first, note).await, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    until_alerts(world, &gold, "glass_broken", 0).await;
}
