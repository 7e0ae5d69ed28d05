use crate::actor::{Actor, Role};
use crate::decide::proposal::{self, HomeReply, Reply, Ruling, SupportingReply};
use crate::decide::{offer, transfer};
use crate::ids::{Label, Note};
use crate::offer::Team;
use crate::proposal::{Answer, Authority, HomeDecline, ProposalState, SupportingDecline};
use crate::quantity::Count;
use crate::resource::ResourceKind;
use crate::test_world::*;
use crate::transfer::{AbortCode, TransferState};

const YES: SupportingReply = SupportingReply::Accept { units: None };
const NO: SupportingReply = SupportingReply::Decline { code: SupportingDecline::Staffing, set_free: None };
const HOME_YES: HomeReply = HomeReply::Accept { units: None };

#[test]
fn a_join_holds_the_session_and_one_team_in_one_decision() {
    let world = World::joined();
    assert_eq!(world.account("session"), [240, 0, 0, 150, 0, 90, 0]);
    assert_eq!(world.account("team-ZA3"), [2, 0, 0, 1, 0, 1, 0]);
    assert_eq!(world.gauges("n-1"), [2, 0, 0]);
    let team = world.proposal("p-1").team.as_ref().unwrap();
    assert_eq!(team.roles, [Label::parse("ODP").unwrap()]);
    assert_eq!((team.trust.as_str(), team.travel_minutes, team.others), ("ZA3", 25, 1));
    for trust in ["ZA1", "ZA2", "ZA3"] {
        assert!(world.proposal("p-1").waits_for(trust.parse().unwrap()), "{trust}");
    }
    assert!(!world.proposal("p-1").waits_for("ZA4".parse().unwrap()));
}

#[test]
fn the_third_yes_and_no_other_commits_both_offers() {
    for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut world = World::joined();
        for (place, who) in order.into_iter().enumerate() {
            assert_eq!(world.proposal("p-1").state, ProposalState::Held, "{place} of {order:?}");
            match who {
                0 => world.support("p-1", YES),
                1 => world.home("p-1", HOME_YES),
                _ => world.lend("p-1", YES),
            }
            .unwrap();
        }
        assert_eq!(world.proposal("p-1").state, ProposalState::Confirmed);
        assert_eq!(world.account("session"), [240, 0, 0, 0, 150, 90, 0]);
        assert_eq!(world.account("team-ZA3"), [2, 0, 0, 0, 1, 1, 0]);
        assert_eq!(world.transfer("t-p-1").team.as_ref().unwrap().offer, offer_id("team-ZA3"));
    }
}

#[test]
fn any_no_gives_both_offers_back_and_is_remembered_of_what_was_declined() {
    let declined =
        |world: &World, offer: &str| world.records.declines.contains_key(&(need_id("n-1"), offer_id(offer)));
    let mut world = World::joined();
    world.lend("p-1", NO).unwrap();
    assert!(world.is_whole("session") && world.is_whole("team-ZA3"));
    assert!(declined(&world, "team-ZA3") && !declined(&world, "session"));
    assert_eq!(world.join("p-2", 2, "ZA3", 0), Err("DECLINED_BEFORE"));
    world.join("p-2", 2, "ZA4", 0).unwrap();
    world.support("p-2", NO).unwrap();
    assert!(world.is_whole("session") && world.is_whole("team-ZA4"));
    assert!(declined(&world, "session") && !declined(&world, "team-ZA4"));
    assert_eq!(world.join("p-3", 2, "ZA4", 0), Err("DECLINED_BEFORE"));
    let mut world = World::joined();
    world.home("p-1", HomeReply::Decline { code: HomeDecline::NotFit }).unwrap();
    assert!(world.is_whole("session") && world.is_whole("team-ZA3"));
    assert!(declined(&world, "session") && !declined(&world, "team-ZA3"));
}

#[test]
fn a_lapse_gives_both_back_and_blames_only_who_was_silent() {
    let lapsed = |answer: fn(&mut World)| {
        let mut world = World::joined();
        answer(&mut world);
        world.wait(20);
        world.take(proposal::lapse(&world.records, &proposal_id("p-1"), &engine(), world.at)).unwrap();
        assert!(world.is_whole("session") && world.is_whole("team-ZA3"));
        let pairs = world.records.declines.into_keys().map(|(_, offer)| offer.to_string());
        pairs.collect::<Vec<_>>()
    };
    let both_but_the_team = |world: &mut World| {
        world.support("p-1", YES).unwrap();
        world.home("p-1", HOME_YES).unwrap();
    };
    assert_eq!(lapsed(both_but_the_team), ["team-ZA3"]);
    assert_eq!(lapsed(|world| world.lend("p-1", YES).unwrap()), ["session"]);
    assert_eq!(lapsed(|_| ()), ["session", "team-ZA3"]);
}

#[test]
fn a_trust_is_asked_once_for_all_that_it_gives() {
    for (lender, side) in [("ZA1", "supporting"), ("ZA2", "home")] {
        let mut world = World::with_session(&[lender]);
        world.join("p-1", 2, lender, 0).unwrap();
        assert_eq!(world.proposal("p-1").third_trust(), None, "{side}");
        assert_eq!(world.lend("p-1", YES), Err("WRONG_SIDE"), "{side}");
        world.agree("p-1");
        assert_eq!(world.proposal("p-1").state, ProposalState::Confirmed);
        assert_eq!(world.account(&format!("team-{lender}")), [2, 0, 0, 0, 1, 1, 0]);
    }
}

#[test]
fn each_side_answers_for_itself_alone_and_no_person_twice() {
    let mut world = World::joined();
    assert_eq!(world.answer_as("p-1", Reply::Team(YES), "ZA1"), Err("WRONG_SIDE"));
    assert_eq!(world.answer_as("p-1", Reply::Team(YES), "ZA4"), Err("WRONG_SIDE"));
    assert_eq!(world.answer_as("p-1", Reply::Supporting(YES), "ZA3"), Err("WRONG_SIDE"));
    assert_eq!(world.answer_as("p-1", Reply::Home(HOME_YES), "ZA3"), Err("WRONG_SIDE"));
    let both = actor("one-and-the-same", Role::SiteLead, Some("ZA1"));
    let other = actor("one-and-the-same", Role::SiteLead, Some("ZA3"));
    let (id, transfer, none) = (proposal_id("p-1"), transfer_id("t"), Note::default());
    let answer = |world: &World, reply, by: &Actor| {
        proposal::answer(&world.records, &id, reply, &none, &transfer, &world.terms(), by, world.at)
    };
    let first = answer(&world, Reply::Supporting(YES), &both);
    world.take(first).unwrap();
    let second = answer(&world, Reply::Team(YES), &other);
    assert_eq!(world.take(second), Err("SECOND_PERSON_REQUIRED"));
    world.lend("p-1", YES).unwrap();
}

#[test]
fn the_team_is_held_only_when_it_can_come() {
    let mut world = World::with_session(&["ZA3"]);
    assert_eq!(world.join("p-1", 2, "ZA3", 2), Err("BELOW_RESERVE"));
    let mut late = report("ZA4", "late", 1, 0, world.at);
    late.resource = resource(ResourceKind::Staff, "ODP");
    late.window.from = Some(world.at + minutes(150));
    world.publish("team-ZA4", late);
    assert_eq!(world.join("p-1", 2, "ZA4", 0), Err("NOT_ENOUGH_UNITS"), "it comes after the session begins");
    let mut nurses = report("ZA5", "nurses", 1, 0, world.at);
    nurses.resource = resource(ResourceKind::Staff, "NURSE");
    world.publish("team-ZA5", nurses);
    assert_eq!(world.join("p-1", 2, "ZA5", 0), Err("NOT_ENOUGH_UNITS"), "nobody of them is an ODP");
    world.publish_team("ZA6", 0);
    assert_eq!(world.join("p-1", 2, "ZA6", 0), Err("NOT_ENOUGH_UNITS"), "nobody is free");
    world.join("p-1", 2, "ZA3", 1).unwrap();
    let stale = world.records.offers.get_mut(&offer_id("team-ZA3")).unwrap();
    stale.cadence = minutes(10);
    world.wait(21);
    world.take(proposal::lapse(&world.records, &proposal_id("p-1"), &engine(), world.at)).unwrap();
    world.records.declines.clear();
    assert_eq!(world.join("p-2", 2, "ZA3", 0), Err("STALE"));
}

#[test]
fn a_staffed_session_takes_nobodys_team() {
    let mut world = World::with_session(&["ZA3"]);
    world.records.offers.get_mut(&offer_id("session")).unwrap().team = Team::default();
    assert_eq!(world.join("p-1", 2, "ZA3", 0), Err("ILLEGAL_TRANSITION"));
}

#[test]
fn a_team_that_falls_away_ends_what_rests_on_it() {
    let withdraw = |world: &mut World| {
        let by = manager("ZA3");
        world.take(offer::withdraw(&world.records, &offer_id("team-ZA3"), &note("flu"), &by, world.at))
    };
    let mut world = World::joined();
    withdraw(&mut world).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Superseded);
    assert!(world.is_whole("session"));
    let mut world = World::joined();
    world.support("p-1", YES).unwrap();
    assert_eq!(withdraw(&mut world), Err("CAPACITY_COMMITTED"));
    world.publish_team("ZA3", 0);
    assert_eq!(world.proposal("p-1").state, ProposalState::Declined, "its own report took the team away");
    let side = world.proposal("p-1").team.as_ref().unwrap().side.as_ref().unwrap();
    assert_eq!(side.answer, Answer::Declined(SupportingDecline::CapacityChanged));
    assert_eq!(world.proposal("p-1").supporting.answer, Answer::Accepted);
    assert!(world.is_whole("session"));
}

#[test]
fn the_home_trusts_own_team_that_falls_away_is_the_home_trusts_no() {
    let mut world = World::with_session(&["ZA2"]);
    world.join("p-1", 2, "ZA2", 0).unwrap();
    world.support("p-1", YES).unwrap();
    world.publish_team("ZA2", 0);
    assert_eq!(world.proposal("p-1").home.answer, Answer::Declined(HomeDecline::Other));
    assert!(world.is_whole("session"));
}

#[test]
fn the_teams_trust_takes_back_extends_and_says_perhaps_like_the_others() {
    let mut world = World::joined();
    world.lend("p-1", YES).unwrap();
    let retract = |world: &mut World, trust: &str| {
        world.take(proposal::retract(&world.records, &proposal_id("p-1"), &manager(trust), world.at))
    };
    retract(&mut world, "ZA3").unwrap();
    assert_eq!(retract(&mut world, "ZA3"), Err("ILLEGAL_TRANSITION"));
    world.lend("p-1", YES).unwrap();
    world.home("p-1", HOME_YES).unwrap();
    assert_eq!(retract(&mut world, "ZA3"), Err("TOO_LATE_TO_RETRACT"), "the home trust has answered");
    let until = world.proposal("p-1").held_until;
    let extend = |world: &mut World, trust: &str| {
        let (id, by) = (proposal_id("p-1"), manager(trust));
        world.take(proposal::extend(&world.records, &id, None, &world.terms(), &by, world.at))
    };
    extend(&mut world, "ZA3").unwrap();
    assert!(world.proposal("p-1").held_until > until);
    assert_eq!(extend(&mut world, "ZA3"), Err("ALREADY_EXTENDED"));
    extend(&mut world, "ZA1").unwrap();
    let mut world = World::joined();
    let until = world.proposal("p-1").held_until;
    world.lend("p-1", SupportingReply::Provisional).unwrap();
    assert!(world.proposal("p-1").held_until > until);
    assert!(world.proposal("p-1").waits_for("ZA3".parse().unwrap()));
    world.agree("p-1");
    assert_eq!(world.proposal("p-1").state, ProposalState::Held, "perhaps is no yes");
    world.lend("p-1", YES).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Confirmed);
}

#[test]
fn fewer_cases_leave_the_team_whole() {
    let mut world = World::joined();
    world.support("p-1", SupportingReply::Accept { units: Some(Count::ONE) }).unwrap();
    assert_eq!(world.account("session"), [240, 0, 0, 75, 0, 165, 0]);
    assert_eq!(world.account("team-ZA3"), [2, 0, 0, 1, 0, 1, 0]);
}

#[test]
fn an_aborted_transfer_gives_both_back_and_remembers_whose_part_fell_away() {
    let agreed = || {
        let mut world = World::joined();
        world.lend("p-1", YES).unwrap();
        world.agree("p-1");
        world
    };
    for (trust, kept_apart) in [("ZA3", "team-ZA3"), ("ZA1", "session"), ("ZA2", "session")] {
        let mut world = agreed();
        let (id, by) = (transfer_id("t-p-1"), manager(trust));
        let code = AbortCode::CapacityChanged;
        world.take(transfer::abort(&world.records, &id, code, &Note::default(), &by, world.at)).unwrap();
        assert!(world.is_whole("session") && world.is_whole("team-ZA3"), "{trust}");
        let pairs: Vec<_> = world.records.declines.keys().map(|(_, offer)| offer.as_str()).collect();
        assert_eq!(pairs, [kept_apart], "{trust}");
    }
    let mut world = agreed();
    let stranger = manager("ZA4");
    let id = transfer_id("t-p-1");
    let refused =
        transfer::abort(&world.records, &id, AbortCode::Other, &Note::default(), &stranger, world.at);
    assert_eq!(world.take(refused), Err("WRONG_SIDE"));
}

#[test]
fn on_arrival_the_session_and_the_team_are_occupied_until_their_trusts_report() {
    let mut world = World::joined();
    world.lend("p-1", YES).unwrap();
    world.agree("p-1");
    let ticks: Vec<_> = world.transfer("t-p-1").checklist.iter().map(|item| item.name.clone()).collect();
    assert!(ticks.iter().any(|name| name.as_str() == "Team told where and when"));
    let mut advance = |to: TransferState, trust: &str| {
        let ticks = if to == TransferState::Ready {
            ticks.iter().map(|name| (name.clone(), true)).collect()
        } else {
            Vec::new()
        };
        let progress = transfer::Progress { to: Some(to), ticks, ..Default::default() };
        let id = transfer_id("t-p-1");
        world.take(transfer::advance(&world.records, &id, progress, &manager(trust), world.at)).unwrap();
    };
    advance(TransferState::Ready, "ZA2");
    advance(TransferState::InTransit, "ZA2");
    advance(TransferState::Arrived, "ZA1");
    advance(TransferState::Completed, "ZA1");
    assert_eq!(world.account("session"), [240, 150, 0, 0, 0, 90, 0]);
    assert_eq!(world.account("team-ZA3"), [2, 1, 0, 0, 0, 1, 0]);
    assert_eq!(world.gauges("n-1"), [0, 2, 2]);
    world.wait(1);
    world.publish_team("ZA3", 2);
    assert!(world.is_whole("team-ZA3"), "the team is home again, says its trust");
}

#[test]
fn agreements_answer_for_the_team_and_approval_of_staff_is_asked_for() {
    let mut world = World::with_session(&["ZA3"]);
    world.policy = toml::from_str(
        "[[approval]]\nkinds = [\"STAFF\"]\nrole = \"icb\"\n\
         [[standing_agreement]]\nid = \"mou\"\ntrust = \"ZA3\"\nkinds = [\"STAFF\"]\nuntil = \"2027-01-01T00:00:00Z\"",
    )
    .unwrap();
    world.join("p-1", 2, "ZA3", 0).unwrap();
    let proposal = world.proposal("p-1");
    assert_eq!(proposal.authority, Authority::Pending { role: Role::Icb });
    let side = proposal.team.as_ref().unwrap().side.as_ref().unwrap();
    assert_eq!((&side.answer, side.agreement.as_ref().unwrap().as_str()), (&Answer::Accepted, "mou"));
    world.agree("p-1");
    assert_eq!(world.proposal("p-1").state, ProposalState::Held, "the ICB has not approved");
    let icb = actor("icb", Role::Icb, None);
    let (id, transfer) = (proposal_id("p-1"), transfer_id("t-p-1"));
    world
        .take(proposal::rule(&world.records, &id, Ruling::Approve, false, &transfer, &icb, world.at))
        .unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Confirmed);
}

#[test]
fn a_trust_that_agreed_to_its_theatre_has_not_agreed_to_send_its_people() {
    for (kinds, answer) in
        [("[\"THEATRE\"]", Answer::Pending), ("[\"THEATRE\", \"STAFF\"]", Answer::Accepted)]
    {
        let mut world = World::with_session(&["ZA1"]);
        world.policy = toml::from_str(&format!(
            "[[standing_agreement]]\nid = \"mou\"\ntrust = \"ZA1\"\nkinds = {kinds}\nuntil = \"2027-01-01T00:00:00Z\""
        ))
        .unwrap();
        world.join("p-1", 2, "ZA1", 0).unwrap();
        assert_eq!(world.proposal("p-1").supporting.answer, answer, "{kinds}");
    }
}

#[test]
fn the_hold_of_a_join_ends_with_the_agreements_by_which_sides_have_answered_it() {
    for (lender, agreements, lasts) in [
        ("ZA3", vec![("ZA3", "[\"STAFF\"]", "10:30")], 150),
        ("ZA3", vec![("ZA3", "[\"STAFF\"]", "10:30"), ("ZA2", "[\"THEATRE\"]", "10:20")], 140),
        ("ZA1", vec![("ZA1", "[\"THEATRE\", \"STAFF\"]", "10:30")], 150),
        ("ZA1", vec![("ZA1", "[\"THEATRE\"]", "10:40"), ("ZA1", "[\"STAFF\"]", "10:30")], 150),
        // Nobody has answered by these.
        ("ZA1", vec![("ZA1", "[\"THEATRE\"]", "10:30")], 300),
        ("ZA1", vec![("ZA1", "[\"STAFF\"]", "10:30")], 300),
    ] {
        let mut world = World::with_session(&[lender]);
        let of = |(trust, kinds, until): &(&str, &str, &str)| {
            format!(
                "[[standing_agreement]]\nid = \"mou-{until}\"\ntrust = \"{trust}\"\nkinds = {kinds}\n\
                 until = \"2026-11-23T{until}:00Z\"\n"
            )
        };
        world.policy = toml::from_str(&agreements.iter().map(of).collect::<String>()).unwrap();
        world.policy.hold.p1b = "300m".parse().unwrap();
        world.join("p-1", 2, lender, 0).unwrap();
        assert_eq!(world.proposal("p-1").held_until, world.at + minutes(lasts), "{lender} {agreements:?}");
    }
}

#[test]
fn nobody_is_superseded_or_set_aside_after_the_teams_trust_has_answered() {
    let mut world = World::joined();
    world.lend("p-1", YES).unwrap();
    let id = proposal_id("p-1");
    let superseded = proposal::supersede(&world.records, &id, &note("better"), &engine(), world.at);
    assert_eq!(world.take(superseded), Err("ALREADY_ANSWERED"));
    let bypassed = proposal::bypass(&world.records, &id, &note("fire"), true, &gold(), world.at);
    assert_eq!(world.take(bypassed), Err("ALREADY_ANSWERED"));
    let mut world = World::joined();
    world.take(proposal::bypass(&world.records, &id, &note("fire"), true, &gold(), world.at)).unwrap();
    assert!(world.is_whole("session") && world.is_whole("team-ZA3"));
}
