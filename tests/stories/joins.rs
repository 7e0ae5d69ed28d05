//! A theatre without a team, a team from somewhere else, and a case: one proposal, and the answer of each trust in it.

use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::to_wire;
use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::v1::{self, answer, need, proposal, transfer};
use jiff::SignedDuration;
use tonic::Code;

use crate::people::{User, call};
use crate::watching::proposals;
use crate::wire;
use crate::world::{World, stories};

stories!(
    three_trusts_agree_and_the_list_runs,
    a_no_of_the_teams_trust_brings_the_next_team,
    a_silence_gives_both_back_and_asks_no_silent_trust_again,
    a_more_urgent_case_takes_the_session_and_the_team,
    a_more_urgent_need_for_staff_takes_the_team,
    a_home_trust_that_has_the_team_answers_once,
    a_session_that_finds_its_own_team_needs_nobody_elses,
    a_team_that_falls_ill_is_replaced_by_the_engine_that_took_over,
    gold_approves_where_the_lenders_collaborative_alone_is_in_incident,
);

/// Dunmere has a case and Aldermoor a theatre without its team; Brackwater and, farther away, Calverleigh have one each.
struct Cast {
    home: User,
    theatre: User,
    near: User,
    far: User,
    session: v1::Offer,
    near_team: v1::Offer,
    far_team: v1::Offer,
}

fn theatre() -> v1::Resource {
    v1::Resource { specialties: vec!["110".into()], ..wire::resource(v1::ResourceKind::Theatre, "MAIN") }
}

/// A session of four hours, tomorrow at nine.
fn session(world: &World, is_staffed: bool) -> v1::Offer {
    let starts = world.now() + SignedDuration::from_hours(25);
    let needs = if is_staffed { vec![] } else { vec!["ANAESTHETIST".into(), "ODP".into()] };
    v1::Offer {
        source_key: "theatre 2".into(),
        resource: Some(theatre()),
        window: Some(v1::Window {
            from: Some(to_wire(starts)),
            until: Some(to_wire(starts + SignedDuration::from_hours(4))),
        }),
        team: Some(v1::Team { staffed: is_staffed, needs }),
        ..wire::offer("ZA101", 240, world.now())
    }
}

/// Teams of an ODP who brings an anaesthetist, today and tomorrow.
fn team(site: &str, units: i64, world: &World) -> v1::Offer {
    v1::Offer {
        source_key: "theatre teams".into(),
        resource: Some(wire::resource(v1::ResourceKind::Staff, "ODP")),
        capabilities: vec!["ANAESTHETIST".into()],
        ..wire::offer(site, units, world.now())
    }
}

fn case(site: &str, name: &str, priority: v1::Priority) -> v1::Need {
    v1::Need {
        resource: Some(theatre()),
        minutes_per_case: 90,
        priority: priority.into(),
        patient: Some(v1::Patient { age: Some(71), ..v1::Patient::default() }),
        ..wire::need(site, name, 1)
    }
}

async fn cast(world: &World) -> Cast {
    let [home, theatre, near, far] =
        ["ZA4", "ZA1", "ZA2", "ZA3"].map(|trust| world.user(&format!("bed-manager.{trust}")));
    let near_team = near.publish(team("ZA201", 1, world)).await;
    let far_team = far.publish(team("ZA301", 1, world)).await;
    let session = theatre.publish(session(world, false)).await;
    Cast { home, theatre, near, far, session, near_team, far_team }
}

/// Held, committed, free and occupied.
async fn figures(user: &User, offer: &v1::Offer) -> [i64; 4] {
    let figures = user.offer(&offer.id).await.figures.unwrap();
    [figures.held, figures.committed, figures.free, figures.occupied]
}

fn lender(proposal: &v1::Proposal) -> &str {
    proposal.team.as_ref().map_or("nobody", |team| team.offer.as_str())
}

async fn three_trusts_agree_and_the_list_runs(world: &mut World) {
    let Cast { home, theatre, near, far, session, near_team, .. } = cast(world).await;
    let raised = home.raise(case("ZA401", "hip 1", v1::Priority::P2)).await;
    let proposed = home.proposal_of(&raised).await;
    assert_eq!((proposed.offer.as_str(), lender(&proposed)), (session.id.as_str(), near_team.id.as_str()));
    let lent = proposed.team.as_ref().unwrap();
    assert_eq!((lent.trust.as_str(), lent.units, lent.others), ("ZA2", 1, 1));
    assert_eq!(lent.roles, ["ANAESTHETIST", "ODP"]);
    assert!(lent.travel_minutes > 0);
    let phones = [&proposed.home_phone, &proposed.supporting_phone, &lent.phone];
    assert_eq!(phones, ["0555 0104", "0555 0101", "0555 0102"], "whom to ring at each of the three");
    assert_eq!(lent.answer.as_ref().unwrap().state(), answer::State::Pending);
    let why = proposed.explanation.as_ref().unwrap();
    assert!(why.terms.iter().any(|term| term.name == "travel" && term.points == 22), "{:?}", why.terms);
    assert_eq!(figures(&theatre, &session).await, [105, 0, 135, 0], "the case and its turnover");
    assert_eq!(figures(&near, &near_team).await, [1, 0, 0, 0]);

    // The trust of the team sees it, among what waits for it, and the case without the patient; nobody else sees it.
    let waiting = v1::ProposalFilter { waiting_for_me: true, ..Default::default() };
    proposals(&near, waiting, |seen| seen.contains_key(&proposed.id).then_some(())).await;
    assert_eq!(near.need(&raised.id).await.patient, None);
    assert!(theatre.need(&raised.id).await.patient.is_some());
    for stranger in [&far, &world.user("bed-manager.ZA5")] {
        let request = v1::GetProposalRequest { proposal: proposed.id.clone() };
        assert_eq!(call!(stranger.matching(), get_proposal, request).unwrap_err().code, Code::NotFound);
        let yes = v1::AnswerProposalRequest {
            proposal: proposed.id.clone(),
            verdict: v1::Verdict::Accept.into(),
            ..Default::default()
        };
        assert_eq!(stranger.answer(yes).await.unwrap_err().code, Code::NotFound);
    }

    // Two of three are not enough; the third makes the transfer.
    assert_eq!(theatre.accept(&proposed).await.transfer, None);
    let answered = home.accept(&proposed).await;
    assert_eq!(answered.transfer, None);
    assert_eq!(answered.proposal.unwrap().state(), proposal::State::Held);
    let planned = near.accept(&proposed).await.transfer.expect("the third yes makes the transfer");
    assert_eq!(planned.team.as_ref().map(|team| team.trust.as_str()), Some("ZA2"));
    assert_eq!(figures(&theatre, &session).await, [0, 105, 135, 0]);
    assert_eq!(figures(&near, &near_team).await, [0, 1, 0, 0]);
    home.need_in(&raised, need::State::Agreed).await;
    let withdrawn = near.try_withdraw(&near_team).await.unwrap_err();
    assert_eq!(withdrawn.reason, reasons::CAPACITY_COMMITTED);

    // The team's trust is told of the transfer; who is treated arrives at the theatre, and says nobody else.
    near.transfer_in(&planned, transfer::State::Planned).await;
    let names: Vec<&str> = planned.checklist.iter().map(|item| item.name.as_str()).collect();
    assert!(names.contains(&"Team told where and when"), "{names:?}");
    home.advance(&planned, transfer::State::Ready, &names).await.unwrap();
    home.advance(&planned, transfer::State::InTransit, &[]).await.unwrap();
    let refused = near.advance(&planned, transfer::State::Arrived, &[]).await.unwrap_err();
    assert_eq!(refused.reason, reasons::WRONG_SIDE);
    theatre.advance(&planned, transfer::State::Arrived, &[]).await.unwrap();
    theatre.advance(&planned, transfer::State::Completed, &[]).await.unwrap();
    assert_eq!(figures(&theatre, &session).await, [0, 0, 135, 105]);
    assert_eq!(figures(&near, &near_team).await, [0, 0, 0, 1]);
    // A team is at home again when its trust says so.
    world.pass(SignedDuration::from_mins(1));
    let near = world.user("bed-manager.ZA2");
    near.publish(team("ZA201", 1, world)).await;
    assert_eq!(figures(&near, &near_team).await, [0, 0, 1, 0]);
}

async fn a_no_of_the_teams_trust_brings_the_next_team(world: &mut World) {
    let Cast { home, theatre, near, far, session, near_team, far_team } = cast(world).await;
    let raised = home.raise(case("ZA401", "hip 1", v1::Priority::P2)).await;
    let first = home.proposal_of(&raised).await;
    theatre.accept(&first).await;
    let declined = near.decline(&first, v1::DeclineReason::Staffing).await.proposal.unwrap();
    assert_eq!(declined.state(), proposal::State::Declined);
    assert_eq!(declined.team.unwrap().answer.unwrap().reason(), v1::DeclineReason::Staffing);
    let second = home.proposal_where(&raised, |next| next.id != first.id).await;
    assert_eq!((second.offer.as_str(), lender(&second)), (session.id.as_str(), far_team.id.as_str()));
    assert_eq!(figures(&near, &near_team).await, [0, 0, 1, 0]);
    assert_eq!(figures(&theatre, &session).await, [105, 0, 135, 0], "held once, for the second");

    // A no of the theatre's trust ends it for the session: there is no other, and both are given back.
    theatre.decline(&second, v1::DeclineReason::CaseMix).await;
    assert_eq!(figures(&far, &far_team).await, [0, 0, 1, 0]);
    assert_eq!(figures(&theatre, &session).await, [0, 0, 240, 0]);
    world.engine_has_looked().await;
    world.engine_has_looked().await;
    assert_eq!(home.need(&raised.id).await.state(), need::State::Open);
    // One more team at Brackwater is news to the case, but the session said no.
    near.adjust(&near_team, 1).await;
    world.engine_has_looked().await;
    world.engine_has_looked().await;
    assert_eq!(home.need(&raised.id).await.state(), need::State::Open);
}

async fn a_silence_gives_both_back_and_asks_no_silent_trust_again(world: &mut World) {
    let Cast { home, theatre, near, near_team, far_team, .. } = cast(world).await;
    let raised = home.raise(case("ZA401", "hip 1", v1::Priority::P1b)).await;
    let first = home.proposal_of(&raised).await;
    theatre.accept(&first).await;
    home.accept(&first).await;
    world.pass(SignedDuration::from_mins(20));
    let second = home.proposal_where(&raised, |next| next.id != first.id).await;
    assert_eq!(lender(&second), far_team.id);
    let lapsed = near.proposal_in(&first.id, proposal::State::Lapsed).await;
    let silent = lapsed.team.unwrap().answer.unwrap();
    assert_eq!((silent.state(), silent.reason()), (answer::State::Pending, v1::DeclineReason::NoAnswer));
    assert_eq!(figures(&near, &near_team).await, [0, 0, 1, 0]);
    let late = v1::AnswerProposalRequest {
        proposal: first.id.clone(),
        verdict: v1::Verdict::Accept.into(),
        ..Default::default()
    };
    assert_eq!(near.answer(late).await.unwrap_err().reason, reasons::HOLD_EXPIRED);
}

async fn a_more_urgent_case_takes_the_session_and_the_team(world: &mut World) {
    let Cast { home, far, near, session, near_team, far_team, .. } = cast(world).await;
    let planned = home.raise(case("ZA401", "hip 1", v1::Priority::P4)).await;
    let first = home.proposal_of(&planned).await;
    let other = world.user("bed-manager.ZA5");
    let urgent = other.raise(case("ZA501", "hip 2", v1::Priority::P1a)).await;
    let second = other.proposal_of(&urgent).await;
    assert_eq!(second.offer, session.id);
    home.proposal_in(&first.id, proposal::State::Superseded).await;
    assert_eq!(home.need(&planned.id).await.units_proposed, 0);
    let held = figures(&near, &near_team).await[0] + figures(&far, &far_team).await[0];
    assert_eq!(held, 1, "one team is held, for the one that is left");
    // What has been answered stays.
    other.accept(&second).await;
    let third = home.raise(case("ZA401", "hip 3", v1::Priority::P1a)).await;
    world.engine_has_looked().await;
    world.engine_has_looked().await;
    assert_eq!(home.need(&third.id).await.units_proposed, 0);
    assert_eq!(other.proposal_of(&urgent).await.id, second.id);
}

async fn a_more_urgent_need_for_staff_takes_the_team(world: &mut World) {
    let Cast { home, theatre, near, far, session, near_team, far_team } = cast(world).await;
    far.try_withdraw(&far_team).await.unwrap();
    let planned = home.raise(case("ZA401", "hip 1", v1::Priority::P3)).await;
    let first = home.proposal_of(&planned).await;
    assert_eq!(lender(&first), near_team.id);
    let shift = |name: &str, priority: v1::Priority| v1::Need {
        resource: near_team.resource.clone(),
        priority: priority.into(),
        ..wire::need("ZA501", name, 1)
    };
    let short = world.user("bed-manager.ZA5");
    // One of the same band leaves what stands alone.
    let same = short.raise(shift("night 1", v1::Priority::P3)).await;
    world.engine_has_looked().await;
    world.engine_has_looked().await;
    assert_eq!(short.need(&same.id).await.units_proposed, 0);
    let urgent = short.raise(shift("night 2", v1::Priority::P1a)).await;
    let staff = short.proposal_of(&urgent).await;
    assert_eq!((staff.offer.as_str(), lender(&staff)), (near_team.id.as_str(), "nobody"));
    home.proposal_in(&first.id, proposal::State::Superseded).await;
    assert_eq!(figures(&near, &near_team).await, [1, 0, 0, 0]);
    assert_eq!(figures(&theatre, &session).await, [0, 0, 240, 0]);
}

async fn a_home_trust_that_has_the_team_answers_once(world: &mut World) {
    let Cast { home, theatre, near, far, near_team, far_team, .. } = cast(world).await;
    near.try_withdraw(&near_team).await.unwrap();
    far.try_withdraw(&far_team).await.unwrap();
    let own = home.publish(team("ZA401", 1, world)).await;
    let raised = home.raise(case("ZA401", "hip 1", v1::Priority::P2)).await;
    let proposed = home.proposal_of(&raised).await;
    assert_eq!(lender(&proposed), own.id);
    assert_eq!(proposed.team.as_ref().unwrap().answer, None, "the home trust's answer is for its team too");
    theatre.accept(&proposed).await;
    assert!(home.accept(&proposed).await.transfer.is_some());
    assert_eq!(figures(&home, &own).await, [0, 1, 0, 0]);
}

async fn a_session_that_finds_its_own_team_needs_nobody_elses(world: &mut World) {
    let Cast { home, theatre, near, near_team, .. } = cast(world).await;
    let raised = home.raise(case("ZA401", "hip 1", v1::Priority::P2)).await;
    let joined = home.proposal_of(&raised).await;
    theatre.publish(session(world, true)).await;
    let alone = home.proposal_where(&raised, |next| next.id != joined.id).await;
    assert_eq!((alone.offer.as_str(), lender(&alone)), (joined.offer.as_str(), "nobody"));
    let ended = near.proposal_in(&joined.id, proposal::State::Superseded).await;
    assert_eq!(ended.ended_because, "The session has its own team by now.");
    assert_eq!(figures(&near, &near_team).await, [0, 0, 1, 0]);
}

async fn a_team_that_falls_ill_is_replaced_by_the_engine_that_took_over(world: &mut World) {
    let Cast { home, near_team, far_team, session, .. } = cast(world).await;
    let raised = home.raise(case("ZA401", "hip 1", v1::Priority::P2)).await;
    let proposed = home.proposal_of(&raised).await;
    // The engine that proposed is gone before anybody has answered; the hold and its answers are everybody's.
    world.add_process().await;
    world.stop_process(0).await;
    let [home, theatre, near, far] =
        ["ZA4", "ZA1", "ZA2", "ZA3"].map(|trust| world.user(&format!("bed-manager.{trust}")));
    near.accept(&proposed).await;
    home.accept(&proposed).await;
    let planned = theatre.accept(&proposed).await.transfer.unwrap();
    let stranger = far.abort(&planned, v1::DeclineReason::CapacityChanged).await.unwrap_err();
    assert_eq!(stranger.code, Code::NotFound);
    let aborted = near.abort(&planned, v1::DeclineReason::CapacityChanged).await.unwrap();
    assert_eq!(aborted.state(), transfer::State::Aborted);
    assert_eq!(figures(&near, &near_team).await, [0, 0, 1, 0]);
    world.pass(SignedDuration::from_secs(11));
    let next = home.proposal_of(&raised).await;
    assert_eq!((next.offer.as_str(), lender(&next)), (session.id.as_str(), far_team.id.as_str()));
    // A slip of the finger is taken back by the third trust as by the others.
    far.accept(&next).await;
    let request = v1::RetractAnswerRequest {
        request_id: fresh_request_id(),
        proposal: next.id.clone(),
        ..Default::default()
    };
    let back = call!(far.matching(), retract_answer, request).unwrap().proposal.unwrap();
    assert_eq!(back.team.unwrap().answer.unwrap().state(), answer::State::Pending);
}

/// Eastholme has the case: of no collaborative in incident, but the theatre's trust and the team's are in one together.
async fn gold_approves_where_the_lenders_collaborative_alone_is_in_incident(world: &mut World) {
    let rule = "[[policy.approval]]\nkinds = [\"STAFF\"]\nrole = \"icb\"\n";
    let file = include_str!("../../regions/north-vale.toml");
    world
        .user("platform-admin")
        .apply_region(file.replacen("[[trust]]", &format!("{rule}\n[[trust]]"), 1))
        .await;
    cast(world).await;
    let (home, gold) = (world.user("bed-manager.ZA5"), world.user("duty-lead"));
    let raised = home.raise(case("ZA501", "hip 1", v1::Priority::P2)).await;
    let proposed = home.proposal_of(&raised).await;
    let approve = || v1::ApproveProposalRequest {
        request_id: fresh_request_id(),
        proposal: proposed.id.clone(),
        ..Default::default()
    };
    let routine = call!(gold.matching(), approve_proposal, approve()).unwrap_err();
    assert_eq!(routine.reason, reasons::NOT_INCIDENT_MODE);
    let incident = v1::SetModeRequest {
        request_id: fresh_request_id(),
        collaborative: "vale-critical-care".into(),
        mode: v1::Mode::Incident.into(),
        reason: "flood".into(),
        ..Default::default()
    };
    call!(gold.monitor(), set_mode, incident).unwrap();
    let approved = call!(gold.matching(), approve_proposal, approve()).unwrap().proposal.unwrap();
    assert_eq!(approved.authority.unwrap().state(), v1::authority::State::Approved);
}
