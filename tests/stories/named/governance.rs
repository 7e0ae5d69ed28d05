//! Who decides: approvals in proportion, agreements beforehand, a lead provider, gold command in an incident.

use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::to_wire;
use fallow_api::problem::Problem;
use fallow_api::v1::{self, Priority, ResourceKind, answer, authority, proposal};
use fallow_api::{reasons, v1::need};
use jiff::SignedDuration;
use tonic::Code;

use crate::people::{User, call};
use crate::wire;
use crate::world::{World, soon, stories};

use super::{case, lasting, managers, need_of, north_vale, session, travel, window};

stories!(
    the_level_of_decision_is_proportionate,
    gold_hears_at_once_what_an_incident_lets_it_approve,
    gold_command_coordinates_mutual_aid_in_an_incident,
    what_gold_is_to_approve_stays_golds_when_the_incident_ends,
    gold_names_what_is_proposed_instead,
    staff_go_across_sites_by_an_agreement_of_pair_role_and_end_date,
    nothing_is_agreed_by_an_agreement_that_is_over,
    a_lead_provider_approves_and_says_who_pays,
);

async fn approve(user: &User, proposed: &v1::Proposal) -> Result<v1::ApproveProposalResponse, Problem> {
    let request = v1::ApproveProposalRequest {
        request_id: fresh_request_id(),
        proposal: proposed.id.clone(),
        ..Default::default()
    };
    call!(user.matching(), approve_proposal, request)
}

fn authority_of(proposed: &v1::Proposal) -> (authority::State, &str) {
    let authority = proposed.authority.as_ref().unwrap();
    (authority.state(), authority.role.as_str())
}

async fn set_mode(gold: &User, mode: v1::Mode, reason: &str) -> Result<v1::SetModeResponse, Problem> {
    let request = v1::SetModeRequest {
        request_id: fresh_request_id(),
        collaborative: "north-vale-acute".into(),
        mode: mode.into(),
        reason: reason.into(),
        ..Default::default()
    };
    call!(gold.monitor(), set_mode, request)
}

/// One bed is for the two trusts; three need the board; in an incident nobody above the trusts.
async fn the_level_of_decision_is_proportionate(world: &mut World) {
    let rules =
        "[[policy.approval]]\nkinds = [\"BED\"]\nbands = [\"P2\", \"P3\"]\nunits_over = 2\nrole = \"icb\"\n";
    let file = north_vale(rules).replacen("opel_limit = 5\n", "opel_limit = 5\napproval = []\n", 1);
    world.user("platform-admin").apply_region(file).await;
    let [near, home] = managers(world, ["ZA1", "ZA4"]);
    let board = world.user("icb");
    near.publish_beds("ZA101", 20).await;
    let small = home.proposal_of(&home.raise(wire::need("ZA401", "one", 1)).await).await;
    assert_eq!(authority_of(&small), (authority::State::NotNeeded, ""));
    let urgent = v1::Need { priority: Priority::P1a.into(), ..wire::need("ZA401", "urgent", 3) };
    let urgent = home.proposal_of(&home.raise(urgent).await).await;
    assert_eq!(authority_of(&urgent), (authority::State::NotNeeded, ""));

    let raised = home.raise(wire::need("ZA401", "three", 3)).await;
    let large = home.proposal_of(&raised).await;
    assert_eq!(authority_of(&large), (authority::State::Pending, "icb"));
    home.accept(&large).await;
    let both = near.accept(&large).await;
    assert_eq!((both.transfer, both.proposal.unwrap().state()), (None, proposal::State::Held));
    assert_eq!(approve(&near, &large).await.unwrap_err().reason, reasons::ROLE_FORBIDS);
    let approved = approve(&board, &large).await.unwrap();
    assert!(approved.transfer.is_some(), "the last yes that was needed");
    assert_eq!(authority_of(&approved.proposal.unwrap()), (authority::State::Approved, "icb"));
    home.need_in(&raised, need::State::Agreed).await;

    // Gold is told of what waits for another only while it may decide it.
    let waits = home.proposal_of(&home.raise(wire::need("ZA401", "three more", 3)).await).await;
    assert_eq!(authority_of(&waits), (authority::State::Pending, "icb"));
    let gold = world.user("duty-lead");
    let told = async || {
        let filter = v1::ProposalFilter { waiting_for_me: true, ..Default::default() };
        let request = v1::ListProposalsRequest { filter: Some(filter), ..Default::default() };
        let list = call!(gold.matching(), list_proposals, request).unwrap().proposals;
        list.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(told().await, [""; 0]);
    set_mode(&gold, v1::Mode::Incident, "flood").await.unwrap();
    world.engine_has_looked().await;
    assert_eq!(told().await, [waits.id.as_str()]);
    assert!(approve(&gold, &waits).await.is_ok());
    assert_eq!(told().await, [""; 0]);
    let again = home.proposal_of(&home.raise(wire::need("ZA401", "four", 4)).await).await;
    assert_eq!(authority_of(&again), (authority::State::NotNeeded, ""));
}

/// An open watch of what waits for gold hears of an incident as soon as it is declared, of its end, and, when it was away
/// meanwhile, of what it missed: no proposal changes by it.
async fn gold_hears_at_once_what_an_incident_lets_it_approve(world: &mut World) {
    use v1::watch_proposals_response::Item;
    let rules =
        "[[policy.approval]]\nkinds = [\"BED\"]\nbands = [\"P2\", \"P3\"]\nunits_over = 2\nrole = \"icb\"\n";
    let file = north_vale(rules).replacen("opel_limit = 5\n", "opel_limit = 5\napproval = []\n", 1);
    world.user("platform-admin").apply_region(file).await;
    let [near, home] = managers(world, ["ZA1", "ZA4"]);
    near.publish_beds("ZA101", 20).await;
    let waits = home.proposal_of(&home.raise(wire::need("ZA401", "three", 3)).await).await;
    assert_eq!(authority_of(&waits), (authority::State::Pending, "icb"));

    let gold = world.user("duty-lead");
    let watch = async |cursor: &str| {
        let filter = Some(v1::ProposalFilter { waiting_for_me: true, ..Default::default() });
        let request = v1::WatchProposalsRequest { cursor: cursor.into(), filter };
        gold.matching().watch_proposals(request).await.unwrap().into_inner()
    };
    /// What is told of a proposal next: its id, and whether it waits.
    async fn next(told: &mut tonic::Streaming<v1::WatchProposalsResponse>) -> (String, bool) {
        loop {
            let message = soon("what waits", told.message()).await.unwrap().unwrap();
            match message.item {
                Some(Item::Proposal(now)) => return (now.id, true),
                Some(Item::Removed(id)) => return (id, false),
                Some(Item::SnapshotDone(_) | Item::Bookmark(_) | Item::Moved(_)) | None => {}
            }
        }
    }
    let mut told = watch("").await;
    let cursor = loop {
        let message = soon("the snapshot", told.message()).await.unwrap().unwrap();
        match message.item {
            Some(Item::SnapshotDone(_)) => break message.cursor,
            Some(other) => panic!("nothing waits for gold: {other:?}"),
            None => {}
        }
    };
    for (mode, is_theirs) in
        [(v1::Mode::Incident, true), (v1::Mode::Routine, false), (v1::Mode::Incident, true)]
    {
        set_mode(&gold, mode, "flood").await.unwrap();
        assert_eq!(next(&mut told).await, (waits.id.clone(), is_theirs), "{mode:?}");
    }
    // Whoever comes back with a cursor from before the incident is told of what waits since.
    assert_eq!(next(&mut watch(&cursor).await).await, (waits.id.clone(), true));
    assert!(approve(&gold, &waits).await.is_ok());
    assert_eq!(next(&mut told).await, (waits.id.clone(), false));
}

async fn gold_command_coordinates_mutual_aid_in_an_incident(world: &mut World) {
    let [near, far, home] = managers(world, ["ZA1", "ZA3", "ZA4"]);
    let gold = world.user("duty-lead");
    near.publish_beds("ZA101", 1).await;
    let second = far.publish_beds("ZA301", 1).await;
    let raised = home.raise(wire::need("ZA401", "case 1", 1)).await;
    let first = home.proposal_of(&raised).await;
    let bypass = async |proposed: &v1::Proposal| {
        let request = v1::BypassProposalRequest {
            request_id: fresh_request_id(),
            proposal: proposed.id.clone(),
            reason: "Aldermoor keeps it for the crash on the bypass".into(),
            ..Default::default()
        };
        call!(gold.matching(), bypass_proposal, request)
    };
    assert_eq!(bypass(&first).await.unwrap_err().reason, reasons::NOT_INCIDENT_MODE);
    assert_eq!(set_mode(&gold, v1::Mode::Incident, "").await.unwrap_err().code, Code::InvalidArgument);
    set_mode(&gold, v1::Mode::Incident, "crash on the motorway").await.unwrap();
    // Everybody sees who switched it and why.
    home.situation_where("the incident", |seen| {
        seen.modes.iter().any(|one| {
            one.collaborative == "north-vale-acute"
                && one.mode() == v1::Mode::Incident
                && one.reason == "crash on the motorway"
        })
    })
    .await;
    let bypassed = bypass(&first).await.unwrap().proposal.unwrap();
    assert_eq!(bypassed.state(), proposal::State::Bypassed);
    // It answers for nobody, and both trusts see why.
    for user in [&near, &home] {
        let seen = user.proposal_in(&first.id, proposal::State::Bypassed).await;
        assert_eq!(seen.ended_because, "Aldermoor keeps it for the crash on the bypass");
        let answers = [seen.supporting, seen.home].map(|side| side.unwrap().state());
        assert_eq!(answers, [answer::State::Pending; 2]);
    }
    let next = home.proposal_where(&raised, |next| next.id != first.id).await;
    assert_eq!(next.offer, second.id);
    // In an incident trusts have half an hour for the third band.
    let held = next.held_until.unwrap().seconds - next.proposed_at.unwrap().seconds;
    assert_eq!(held, 1_800);
    home.accept(&next).await;
    let answered = bypass(&next).await.unwrap_err();
    assert_eq!(answered.reason, reasons::ALREADY_ANSWERED);
}

/// A policy that asks gold during an incident: both trusts agree in it, and it ends before gold has said yes.
async fn what_gold_is_to_approve_stays_golds_when_the_incident_ends(world: &mut World) {
    let rule = "[[policy.incident.approval]]\nkinds = [\"BED\"]\nrole = \"gold\"\n";
    world.user("platform-admin").apply_region(north_vale(rule)).await;
    let [near, home] = managers(world, ["ZA1", "ZA4"]);
    let gold = world.user("duty-lead");
    set_mode(&gold, v1::Mode::Incident, "flood").await.unwrap();
    near.publish_beds("ZA101", 5).await;
    let proposed = home.proposal_of(&home.raise(wire::need("ZA401", "case 1", 1)).await).await;
    assert_eq!(authority_of(&proposed), (authority::State::Pending, "gold"));
    home.accept(&proposed).await;
    near.accept(&proposed).await;
    set_mode(&gold, v1::Mode::Routine, "the water is down").await.unwrap();
    world.engine_has_looked().await;
    assert_eq!(approve(&world.user("icb"), &proposed).await.unwrap_err().reason, reasons::WRONG_SIDE);
    assert!(approve(&gold, &proposed).await.unwrap().transfer.is_some());
    // What is proposed from now on is routine again.
    let next = home.proposal_of(&home.raise(wire::need("ZA401", "case 2", 1)).await).await;
    assert_eq!(authority_of(&next), (authority::State::NotNeeded, ""));
}

async fn gold_names_what_is_proposed_instead(world: &mut World) {
    let [near, farther, farthest, home] = managers(world, ["ZA1", "ZA2", "ZA3", "ZA4"]);
    let gold = world.user("duty-lead");
    set_mode(&gold, v1::Mode::Incident, "crash on the motorway").await.unwrap();
    let beds = [("ZA101", &near), ("ZA201", &farther), ("ZA301", &farthest)];
    let mut offers = Vec::new();
    for (site, user) in beds {
        offers.push(user.publish_beds(site, 1).await);
    }
    let full = v1::Offer { source_key: "full".into(), ..wire::offer("ZA302", 0, world.now()) };
    let full = farthest.publish(full).await;
    let raised = home.raise(wire::need("ZA401", "case 1", 1)).await;
    let first = home.proposal_of(&raised).await;
    let other = offers.iter().rfind(|offer| offer.id != first.offer).unwrap();
    let bypass = async |offer: &str| {
        let request = v1::BypassProposalRequest {
            request_id: fresh_request_id(),
            proposal: first.id.clone(),
            reason: "the road is closed".into(),
            offer: offer.into(),
            ..Default::default()
        };
        call!(gold.matching(), bypass_proposal, request)
    };
    // What cannot serve is refused, and then nothing ends.
    let refused = bypass(&full.id).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, reasons::NOT_ELIGIBLE));
    assert_eq!(refused.numbers.get("objections").map(String::as_str), Some("BELOW_RESERVE"));
    assert_eq!(bypass("01920000-0000-7000-8000-000000000000").await.unwrap_err().code, Code::NotFound);
    assert_eq!(home.proposal_of(&raised).await, first);

    let done = bypass(&other.id).await.unwrap();
    assert_eq!(done.proposal.unwrap().state(), proposal::State::Bypassed);
    let instead = done.instead.unwrap();
    assert_eq!((&instead.offer, instead.state()), (&other.id, proposal::State::Held));
    let alternatives = &instead.explanation.as_ref().unwrap().alternatives;
    assert!(
        alternatives.iter().any(|one| one.offer == first.offer || one.offer != other.id),
        "{alternatives:?}"
    );
    // It is one transaction: the trust that is asked instead answers like any other.
    assert_eq!(home.proposal_where(&raised, |next| next.id != first.id).await.id, instead.id);
    let supporting = beds.iter().find(|(site, _)| *site == other.site).unwrap().1;
    home.accept(&instead).await;
    assert!(supporting.accept(&instead).await.transfer.is_some());
}

/// Brackwater lends ODPs to Aldermoor until the end of the month.
async fn staff_go_across_sites_by_an_agreement_of_pair_role_and_end_date(world: &mut World) {
    let agreement = "[[policy.standing_agreement]]\nid = \"odp-mou\"\ntrust = \"ZA2\"\nwith = [\"ZA1\"]\n\
                     kinds = [\"STAFF\"]\ncodes = [\"ODP\", \"SONOGRAPHER\"]\nuntil = \"2026-12-01T00:00:00Z\"\n";
    world.user("platform-admin").apply_region(north_vale(agreement)).await;
    let [aldermoor, brackwater, calverleigh, dunmere] = managers(world, ["ZA1", "ZA2", "ZA3", "ZA4"]);
    let odp = || wire::resource(ResourceKind::Staff, "ODP");
    brackwater.publish(lasting("ZA201", odp(), 4, world)).await;
    let said = |proposed: &v1::Proposal| {
        let supporting = proposed.supporting.as_ref().unwrap();
        (supporting.state(), supporting.agreement.clone())
    };
    // A shift at Aldermoor: Brackwater's side answered by the agreement, and one yes is enough.
    let shift = aldermoor.raise(need_of("ZA101", "night", odp(), Priority::P2)).await;
    let proposed = aldermoor.proposal_of(&shift).await;
    assert_eq!(said(&proposed), (answer::State::Accepted, "odp-mou".to_owned()));
    let lent = aldermoor.accept(&proposed).await.transfer.unwrap();
    // They come back when it ends, and stay longer on Brackwater's own word alone.
    let ends: jiff::Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    assert_eq!(lent.return_plan.as_ref().unwrap().due_at, Some(to_wire(ends)));
    travel(&brackwater, &aldermoor, &lent).await;
    aldermoor.advance(&lent, v1::transfer::State::Deployed, &[]).await.unwrap();
    let stay = async |user: &User, until: jiff::Timestamp| {
        let request = v1::ExtendTransferRequest {
            request_id: fresh_request_id(),
            transfer: lent.id.clone(),
            due_at: Some(to_wire(until)),
            ..Default::default()
        };
        call!(user.matching(), extend_transfer, request)
    };
    let day = SignedDuration::from_hours(24);
    let refused = stay(&aldermoor, ends + day).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, reasons::AGREEMENT_ENDS));
    assert_eq!(refused.numbers.get("until").map(String::as_str), Some("2026-12-01T00:00:00Z"));
    assert!(stay(&aldermoor, ends - day).await.is_ok());
    assert!(stay(&brackwater, ends + day).await.is_ok());
    // A shift that begins after its end is none of the agreement's, whenever it is proposed.
    let in_december = v1::Offer {
        source_key: "december".into(),
        window: Some(window(world, Some(day * 10), day * 11)),
        ..lasting("ZA201", wire::resource(ResourceKind::Staff, "SONOGRAPHER"), 1, world)
    };
    brackwater.publish(in_december).await;
    let scans = need_of("ZA101", "scans", wire::resource(ResourceKind::Staff, "SONOGRAPHER"), Priority::P2);
    let scans = aldermoor.proposal_of(&aldermoor.raise(scans).await).await;
    assert_eq!(said(&scans), (answer::State::Pending, String::new()));
    // With anybody else there is none.
    let other = calverleigh.raise(need_of("ZA301", "night", odp(), Priority::P2)).await;
    assert_eq!(said(&calverleigh.proposal_of(&other).await), (answer::State::Pending, String::new()));
    // The same agreement answers for a team that joins a theatre at Aldermoor.
    let lacking = v1::Team { staffed: false, needs: vec!["ODP".into()] };
    let list = session("ZA101", SignedDuration::from_hours(24), world);
    aldermoor.publish(v1::Offer { team: Some(lacking), ..list }).await;
    let hip = dunmere.raise(case("ZA401", "hip 1", Priority::P2)).await;
    let joined = dunmere.proposal_of(&hip).await;
    let lent = joined.team.clone().unwrap();
    let side = lent.answer.unwrap();
    assert_eq!((lent.trust.as_str(), side.state()), ("ZA2", answer::State::Accepted));
    assert_eq!(side.agreement, "odp-mou");
    // It ends on its day.
    world.pass(SignedDuration::from_hours(24 * 7));
    let later = aldermoor.raise(need_of("ZA101", "day", odp(), Priority::P2)).await;
    assert_eq!(said(&aldermoor.proposal_of(&later).await), (answer::State::Pending, String::new()));
}

/// The hold of an hour ends with the agreement by which one side has answered, half an hour from now.
async fn nothing_is_agreed_by_an_agreement_that_is_over(world: &mut World) {
    let until = world.now() + SignedDuration::from_mins(30);
    let agreement =
        format!("[[policy.standing_agreement]]\nid = \"beds\"\ntrust = \"ZA1\"\nuntil = \"{until}\"\n");
    world.user("platform-admin").apply_region(north_vale(&agreement)).await;
    let [lender, home] = managers(world, ["ZA1", "ZA4"]);
    lender.publish_beds("ZA101", 2).await;
    let raised =
        home.raise(v1::Need { priority: Priority::P2.into(), ..wire::need("ZA401", "bed", 1) }).await;
    let proposed = home.proposal_of(&raised).await;
    assert_eq!(proposed.supporting.as_ref().unwrap().agreement, "beds");
    assert_eq!(proposed.held_until, Some(to_wire(until)));
    let request = v1::ExtendHoldRequest {
        request_id: fresh_request_id(),
        proposal: proposed.id.clone(),
        ..Default::default()
    };
    assert_eq!(call!(home.matching(), extend_hold, request).unwrap_err().reason, reasons::WINDOW);
    world.pass(SignedDuration::from_mins(31));
    let request = v1::AnswerProposalRequest {
        request_id: fresh_request_id(),
        proposal: proposed.id.clone(),
        verdict: v1::Verdict::Accept.into(),
        ..Default::default()
    };
    assert_eq!(call!(home.matching(), answer_proposal, request).unwrap_err().reason, reasons::HOLD_EXPIRED);
}

async fn a_lead_provider_approves_and_says_who_pays(world: &mut World) {
    let rules = "[[policy.approval]]\nkinds = [\"VIRTUAL_WARD\"]\nrole = \"lead_provider\"\n";
    world.user("platform-admin").apply_region(north_vale(rules)).await;
    let [supporting, home] = managers(world, ["ZA1", "ZA5"]);
    // Dunmere leads the collaborative of virtual wards; Aldermoor leads others.
    let (lead, other) = (world.lead_provider_of("ZA4"), world.lead_provider_of("ZA2"));
    let ward = || wire::resource(ResourceKind::VirtualWard, "FRAILTY");
    supporting.publish(lasting("ZA101", ward(), 2, world)).await;
    let paid = v1::Need {
        funding_route: "delegated budget".into(),
        cost_centre: "FR-204".into(),
        ..need_of("ZA501", "frail 1", ward(), Priority::P2)
    };
    let raised = home.raise(paid).await;
    let proposed = home.proposal_of(&raised).await;
    assert_eq!(authority_of(&proposed), (authority::State::Pending, "lead_provider"));
    let seen = supporting.need(&raised.id).await;
    assert_eq!((seen.funding_route.as_str(), seen.cost_centre.as_str()), ("delegated budget", "FR-204"));
    home.accept(&proposed).await;
    supporting.accept(&proposed).await;
    assert_eq!(approve(&other, &proposed).await.unwrap_err().code, Code::NotFound);
    assert!(approve(&lead, &proposed).await.unwrap().transfer.is_some());
}
