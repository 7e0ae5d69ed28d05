use jiff::SignedDuration;

use crate::actor::Role;
use crate::decide::proposal::{self, HomeReply, Reply, Ruling, SupportingReply};
use crate::lifecycle::Party;
use crate::need::NeedState;
use crate::proposal::{Answer, HomeDecline, ProposalState, SupportingDecline};
use crate::quantity::Count;
use crate::resource::ResourceKind;
use crate::test_world::*;
use crate::transfer::TransferState;

const ALL: SupportingReply = SupportingReply::Accept { units: None };
const HOME_ALL: HomeReply = HomeReply::Accept { units: None };
const NO: SupportingReply = SupportingReply::Decline { code: SupportingDecline::Staffing, set_free: None };

fn some(units: u32) -> SupportingReply {
    SupportingReply::Accept { units: Some(units.into()) }
}

impl World {
    fn lapse(&mut self, id: &str) -> Result<(), &'static str> {
        self.take(proposal::lapse(&self.records, &proposal_id(id), &engine(), self.at))
    }

    fn retract(&mut self, id: &str, trust: &str) -> Result<(), &'static str> {
        self.take(proposal::retract(&self.records, &proposal_id(id), &manager(trust), self.at))
    }

    fn extend(&mut self, id: &str, by: Option<SignedDuration>, trust: &str) -> Result<(), &'static str> {
        let (id, actor) = (proposal_id(id), manager(trust));
        self.take(proposal::extend(&self.records, &id, by, &self.terms(), &actor, self.at))
    }

    fn rule(&mut self, id: &str, ruling: Ruling, is_incident: bool, role: Role) -> Result<(), &'static str> {
        let transfer = transfer_id(&format!("t-{id}"));
        let by = actor("above", role, None);
        self.take(proposal::rule(
            &self.records,
            &proposal_id(id),
            ruling,
            is_incident,
            &transfer,
            &by,
            self.at,
        ))
    }
}

/// 5 beds free at ZA1, ZA2 needs 3, and p-1 proposes 2 of them until 20 minutes from now.
fn proposed() -> World {
    let mut world = World::with(5, 0, 3);
    world.propose("p-1", "n-1", "o-1", 2).unwrap();
    world
}

#[test]
fn a_proposal_holds_units_on_both_sides() {
    let world = proposed();
    assert_eq!(world.account("o-1"), [5, 0, 0, 2, 0, 3, 0]);
    assert_eq!(world.gauges("n-1"), [2, 0, 0]);
    assert_eq!(world.proposal("p-1").held_until, world.at + minutes(20), "P1B");
}

#[test]
fn a_hold_takes_what_is_free_wanted_and_above_the_reserve() {
    let mut world = proposed();
    assert_eq!(world.propose("p-2", "n-1", "o-1", 2), Err("NOT_ENOUGH_UNITS"), "one more is wanted");
    assert_eq!(world.propose("p-2", "n-1", "o-1", 0), Err("NOT_ENOUGH_UNITS"));
    world.raise(new_need("ZA3", "n-2", 9, world.at));
    assert_eq!(world.propose("p-2", "n-2", "o-1", 4), Err("NOT_ENOUGH_UNITS"), "three are free");
    let with_reserve = |world: &World, reserve| {
        let suggestion = world.suggestion("p-2", "n-2", "o-1", 2);
        let room = world.room("o-1", reserve);
        let decided =
            proposal::propose(&world.records, suggestion, room, &world.terms(), &engine(), world.at);
        decided.map(|_| ()).map_err(|r| r.reason)
    };
    assert_eq!(with_reserve(&world, 2), Err("BELOW_RESERVE"));
    assert_eq!(with_reserve(&world, 1), Ok(()));
    world.raise(new_need("ZA1", "n-3", 1, world.at));
    assert_eq!(world.propose("p-3", "n-3", "o-1", 1), Err("SAME_TRUST"));
    world.records.offers.get_mut(&offer_id("o-1")).unwrap().release_at = Some(world.at + minutes(1));
    assert_eq!(world.propose("p-3", "n-2", "o-1", 1), Err("NOT_RELEASED"));
    let suggestion = world.suggestion("p-3", "n-2", "o-1", 1);
    let room = world.room("o-1", 0);
    let by_hand =
        proposal::propose(&world.records, suggestion, room, &world.terms(), &manager("ZA3"), world.at);
    assert_eq!(by_hand.map_err(|r| r.reason), Err("WRONG_SIDE"));
}

#[test]
fn theatre_cases_hold_their_minutes_with_turnover_as_far_as_there_are_any() {
    for (free, cases, expected) in [(240, 2, Ok(150)), (135, 2, Ok(135)), (134, 2, Err("NOT_ENOUGH_UNITS"))] {
        let mut world = World::new();
        let mut session = report("ZA1", "theatre 1", free, 0, world.at);
        session.resource = resource(ResourceKind::Theatre, "MAIN");
        world.publish("o-1", session);
        let mut need = new_need("ZA2", "n-1", cases, world.at);
        need.resource = resource(ResourceKind::Theatre, "MAIN");
        need.minutes_per_case = Count::new(60);
        world.raise(need);
        let held = world.propose("p-1", "n-1", "o-1", cases).map(|()| world.account("o-1")[3]);
        assert_eq!(held, expected, "{free} minutes");
        if expected == Ok(150) {
            world.support("p-1", some(1)).unwrap();
            assert_eq!(world.account("o-1")[3], 75, "one case and its turnover");
        }
    }
}

#[test]
fn the_second_yes_commits_and_makes_the_transfer_in_one_decision() {
    let mut world = proposed();
    world.home("p-1", HOME_ALL).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Held);
    world.wait(1);
    world.support("p-1", ALL).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Confirmed);
    assert_eq!(world.account("o-1"), [5, 0, 0, 0, 2, 3, 0]);
    assert_eq!(world.gauges("n-1"), [0, 2, 0]);
    let transfer = world.transfer("t-p-1");
    assert_eq!((transfer.state, transfer.agreed_at), (TransferState::Planned, world.at));
    assert_eq!((transfer.from_site.as_str(), transfer.to_site.as_str()), ("ZA201", "ZA101"));
    assert_eq!(world.support("p-1", ALL), Err("ALREADY_ACCEPTED"));
    assert_eq!(world.support("p-1", NO), Err("ILLEGAL_TRANSITION"));
}

#[test]
fn an_answer_counts_until_the_hold_ends_and_not_at_its_end() {
    let mut world = proposed();
    let end = world.proposal("p-1").held_until;
    world.at = end - SignedDuration::from_millis(1);
    assert_eq!(world.lapse("p-1"), Err("HOLD_NOT_EXPIRED"));
    world.support("p-1", ALL).unwrap();
    world.at = end;
    assert_eq!(world.home("p-1", HOME_ALL), Err("HOLD_EXPIRED"));
    world.lapse("p-1").unwrap();
    assert_eq!(world.home("p-1", HOME_ALL), Err("HOLD_EXPIRED"));
    assert_eq!((world.account("o-1")[3], world.gauges("n-1")), (0, [0, 0, 0]));
    let decline = &world.records.declines[&(need_id("n-1"), offer_id("o-1"))];
    assert_eq!(decline.code.as_str(), "NO_ANSWER");
    assert_eq!(world.propose("p-2", "n-1", "o-1", 1), Err("DECLINED_BEFORE"));
}

#[test]
fn a_decline_stands_until_need_or_offer_changes() {
    let mut world = proposed();
    world.home("p-1", HomeReply::Decline { code: HomeDecline::NotFit }).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Declined);
    assert_eq!(world.proposal("p-1").home.answer, Answer::Declined(HomeDecline::NotFit));
    assert_eq!(world.need("n-1").state, NeedState::Open);
    assert_eq!(world.propose("p-2", "n-1", "o-1", 1), Err("DECLINED_BEFORE"));
    let adjusted =
        crate::decide::offer::adjust(&world.records, &offer_id("o-1"), 1, &manager("ZA1"), world.at);
    world.take(adjusted).unwrap();
    world.propose("p-2", "n-1", "o-1", 1).unwrap();
}

#[test]
fn a_decline_can_say_what_is_really_free() {
    for (free, expected) in
        [(0, [5, 5, 0, 0, 0, 0, 0]), (7, [7, 0, 0, 0, 0, 7, 0]), (5, [5, 0, 0, 0, 0, 5, 0])]
    {
        let mut world = proposed();
        let code = SupportingDecline::CapacityChanged;
        world.support("p-1", SupportingReply::Decline { code, set_free: Some(Count::new(free)) }).unwrap();
        assert_eq!(world.account("o-1"), expected);
        assert!(world.propose("p-2", "n-1", "o-1", 1).is_err(), "declined with the figures it gave");
    }
}

#[test]
fn some_of_the_units_give_the_rest_back_at_once() {
    let mut world = proposed();
    world.support("p-1", some(1)).unwrap();
    assert_eq!((world.account("o-1")[3], world.gauges("n-1")), (1, [1, 0, 0]));
    assert_eq!(
        world.propose("p-2", "n-1", "o-1", 1),
        Err("DECLINED_BEFORE"),
        "one of two was a no to the other"
    );
    world.home("p-1", HOME_ALL).unwrap();
    assert_eq!(world.need("n-1").state, NeedState::PartAgreed);
    assert_eq!(world.transfer("t-p-1").units, Count::ONE);
    let mut world = proposed();
    assert_eq!(world.support("p-1", some(3)), Err("NOT_ENOUGH_UNITS"));
    assert_eq!(world.support("p-1", some(0)), Err("NOT_ENOUGH_UNITS"));
    assert_eq!(world.home("p-1", HomeReply::Accept { units: Some(Count::new(3)) }), Err("NOT_ENOUGH_UNITS"));
}

#[test]
fn a_provisional_yes_is_the_sides_one_extension() {
    let mut world = proposed();
    let end = world.proposal("p-1").held_until;
    world.support("p-1", SupportingReply::Provisional).unwrap();
    assert_eq!(world.proposal("p-1").held_until, end + minutes(20));
    assert_eq!(world.support("p-1", SupportingReply::Provisional), Err("ALREADY_EXTENDED"));
    assert_eq!(world.extend("p-1", None, "ZA1"), Err("ALREADY_EXTENDED"));
    world.home("p-1", HOME_ALL).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Held, "provisional is not yes");
    world.support("p-1", ALL).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Confirmed);
}

#[test]
fn each_side_extends_a_hold_once_by_at_most_the_policys_hold_and_within_the_window() {
    let mut world = proposed();
    let end = world.proposal("p-1").held_until;
    assert_eq!(world.extend("p-1", Some(minutes(21)), "ZA2"), Err("HOLD_TOO_LONG"));
    assert_eq!(world.extend("p-1", Some(minutes(0)), "ZA2"), Err("OUT_OF_RANGE"));
    assert_eq!(world.extend("p-1", None, "ZA3"), Err("WRONG_SIDE"));
    world.extend("p-1", Some(minutes(5)), "ZA2").unwrap();
    assert_eq!(world.proposal("p-1").held_until, end + minutes(5));
    assert_eq!(world.extend("p-1", None, "ZA2"), Err("ALREADY_EXTENDED"));
    world.extend("p-1", None, "ZA1").unwrap();
    assert_eq!(world.proposal("p-1").held_until, end + minutes(25));
    assert_eq!(world.support("p-1", SupportingReply::Provisional), Err("ALREADY_EXTENDED"));

    let mut world = World::with(5, 0, 1);
    world.records.offers.get_mut(&offer_id("o-1")).unwrap().window.until = world.at + minutes(12);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    assert_eq!(world.proposal("p-1").held_until, world.at + minutes(12));
    assert_eq!(world.extend("p-1", None, "ZA1"), Err("WINDOW"));
}

#[test]
fn more_time_moves_no_reminder() {
    let mut world = proposed();
    let first = [world.at + SignedDuration::from_secs(200), world.at + SignedDuration::from_secs(400)];
    assert_eq!(world.proposal("p-1").reminders(), first);
    world.at += minutes(4);
    assert_eq!(world.proposal("p-1").reminded(world.at), 1);
    world.extend("p-1", None, "ZA2").unwrap();
    world.support("p-1", SupportingReply::Provisional).unwrap();
    assert_eq!(world.proposal("p-1").reminders(), first, "of the hold as it began");
    assert_eq!(world.proposal("p-1").reminded(world.at), 1);
}

#[test]
fn an_answer_is_taken_back_within_ten_seconds_while_the_other_side_is_silent() {
    let second = SignedDuration::from_secs(1);
    let mut world = proposed();
    world.support("p-1", ALL).unwrap();
    assert_eq!(world.retract("p-1", "ZA2"), Err("ILLEGAL_TRANSITION"), "nothing of its own to take back");
    world.at += second * 10;
    world.retract("p-1", "ZA1").unwrap();
    assert!(!world.proposal("p-1").is_answered());
    world.support("p-1", ALL).unwrap();
    world.at += second * 11;
    assert_eq!(world.retract("p-1", "ZA1"), Err("TOO_LATE_TO_RETRACT"));
    world.home("p-1", HOME_ALL).unwrap();
    assert_eq!(world.retract("p-1", "ZA2"), Err("TOO_LATE_TO_RETRACT"), "both have answered");

    let mut world = proposed();
    world.support("p-1", SupportingReply::Provisional).unwrap();
    world.home("p-1", HOME_ALL).unwrap();
    assert_eq!(world.retract("p-1", "ZA2"), Err("TOO_LATE_TO_RETRACT"));
    let mut world = proposed();
    world.support("p-1", NO).unwrap();
    assert_eq!(world.retract("p-1", "ZA1"), Err("ILLEGAL_TRANSITION"), "a no has ended the proposal");
}

#[test]
fn each_trust_answers_for_its_side_and_by_different_people() {
    let world = proposed();
    let (id, transfer) = (proposal_id("p-1"), transfer_id("t"));
    let answer = |world: &World, reply, by: &crate::actor::Actor| {
        let terms = world.terms();
        let answered =
            proposal::answer(&world.records, &id, reply, &note(""), &transfer, &terms, by, world.at);
        answered.map_err(|r| r.reason)
    };
    let support = |world: &World, by: &crate::actor::Actor| answer(world, Reply::Supporting(ALL), by);
    for (by, party) in [
        (manager("ZA2"), Party::Home),
        (manager("ZA3"), Party::Other),
        (gold(), Party::Gold),
        (engine(), Party::Engine),
        (actor("icb", Role::Icb, None), Party::Authority),
    ] {
        assert_eq!(support(&world, &by), Err("WRONG_SIDE"), "{party}");
    }
    let mut world = world;
    let both = |trust| actor("works-at-both", Role::BedManager, Some(trust));
    world.take(support(&world, &both("ZA1")).map_err(|_| unreachable!())).unwrap();
    assert_eq!(answer(&world, Reply::Home(HOME_ALL), &both("ZA2")), Err("SECOND_PERSON_REQUIRED"));
}

#[test]
fn only_what_nobody_answered_is_superseded_or_bypassed() {
    let supersede = |world: &World| {
        proposal::supersede(&world.records, &proposal_id("p-1"), &note("P1A came"), &engine(), world.at)
    };
    let bypass = |world: &World, because: &str, is_incident| {
        let id = proposal_id("p-1");
        proposal::bypass(&world.records, &id, &note(because), is_incident, &gold(), world.at)
    };
    let mut world = proposed();
    world.take(supersede(&world)).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Superseded);
    world.propose("p-2", "n-1", "o-1", 1).unwrap();

    let mut world = proposed();
    assert_eq!(world.take(bypass(&world, "flood", false)), Err("NOT_INCIDENT_MODE"));
    assert_eq!(world.take(bypass(&world, "", true)), Err("REASON_REQUIRED"));
    world.take(bypass(&world, "flood", true)).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Bypassed);
    assert_eq!(world.proposal("p-1").ended_because, note("flood"));
    assert_eq!(world.propose("p-2", "n-1", "o-1", 1), Err("DECLINED_BEFORE"));

    let mut world = proposed();
    world.home("p-1", HOME_ALL).unwrap();
    assert_eq!(world.take(supersede(&world)), Err("ALREADY_ANSWERED"));
    assert_eq!(world.take(bypass(&world, "flood", true)), Err("ALREADY_ANSWERED"));
}

#[test]
fn an_authority_is_asked_where_the_policy_says_and_its_yes_can_be_the_last() {
    let with_rule = || {
        let mut world = World::with(5, 0, 3);
        world.policy = toml::from_str("[[approval]]\nunits_over = 1\nrole = \"lead_provider\"").unwrap();
        world.propose("p-1", "n-1", "o-1", 2).unwrap();
        world.agree("p-1");
        world
    };
    let no = |text| Ruling::Refuse { because: note(text) };
    let mut world = with_rule();
    assert_eq!(world.proposal("p-1").state, ProposalState::Held);
    assert_eq!(world.rule("p-1", Ruling::Approve, true, Role::Icb), Err("WRONG_SIDE"));
    assert_eq!(world.rule("p-1", Ruling::Approve, false, Role::Gold), Err("NOT_INCIDENT_MODE"));
    assert_eq!(world.rule("p-1", no(""), false, Role::LeadProvider), Err("REASON_REQUIRED"));
    world.rule("p-1", Ruling::Approve, false, Role::LeadProvider).unwrap();
    assert_eq!(world.transfer("t-p-1").state, TransferState::Planned);

    let mut world = with_rule();
    world.rule("p-1", Ruling::Approve, true, Role::Gold).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Confirmed);

    let mut world = with_rule();
    world.rule("p-1", no("no funding"), false, Role::LeadProvider).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Declined);
    assert_eq!((world.account("o-1")[3], world.gauges("n-1")), (0, [0, 0, 0]));

    let mut world = proposed();
    assert_eq!(world.rule("p-1", Ruling::Approve, false, Role::Icb), Err("ILLEGAL_TRANSITION"));
}

#[test]
fn what_was_proposed_for_gold_to_approve_can_be_approved_when_the_incident_is_over() {
    let mut world = World::with(5, 0, 3);
    // As the policy of the incident said when it was proposed.
    world.policy = toml::from_str("[[approval]]\nrole = \"gold\"").unwrap();
    world.propose("p-1", "n-1", "o-1", 2).unwrap();
    world.agree("p-1");
    assert_eq!(world.rule("p-1", Ruling::Approve, false, Role::Icb), Err("WRONG_SIDE"));
    world.rule("p-1", Ruling::Approve, false, Role::Gold).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Confirmed);
}

#[test]
fn a_lapse_says_who_kept_silent() {
    let because = |world: &mut World| {
        world.at = world.proposal("p-1").held_until;
        world.lapse("p-1").unwrap();
        world.proposal("p-1").ended_because.as_str().to_owned()
    };
    assert_eq!(because(&mut proposed()), "Nobody answered in time.");
    let mut world = proposed();
    world.home("p-1", HOME_ALL).unwrap();
    assert_eq!(because(&mut world), "Not every trust answered in time.");
    let mut world = World::with(5, 0, 3);
    world.policy = toml::from_str("[[approval]]\nrole = \"icb\"").unwrap();
    world.propose("p-1", "n-1", "o-1", 2).unwrap();
    world.agree("p-1");
    assert_eq!(
        because(&mut world),
        "Every trust said yes, and the integrated care board did not approve it in time."
    );
}

#[test]
fn a_hold_in_working_time_is_reminded_of_while_people_are_at_work() {
    let hour = SignedDuration::from_hours(1);
    let mut world = World::with(5, 0, 3);
    world.records.needs.get_mut(&need_id("n-1")).unwrap().priority = crate::need::Priority::P3;
    // Two hours today, and the rest in three days.
    let (now, later) = (world.at, world.at + hour * 72);
    let at_work = vec![(now - hour, now + hour * 2), (later, later + hour * 8)];
    world.calendar = crate::calendar::WorkingCalendar::new(at_work).unwrap();
    world.propose("p-1", "n-1", "o-1", 2).unwrap();
    assert_eq!(world.proposal("p-1").held_until, later + hour * 2);
    assert_eq!(world.proposal("p-1").reminders(), [now + minutes(40), now + minutes(80)]);
    world.extend("p-1", None, "ZA2").unwrap();
    assert_eq!(world.proposal("p-1").reminders(), [now + minutes(40), now + minutes(80)]);
}

#[test]
fn a_standing_agreement_answers_at_once() {
    let agreement = |trust: &str| {
        format!(
            "[[standing_agreement]]\nid = \"mou-{trust}\"\ntrust = \"{trust}\"\nuntil = \"2027-01-01T00:00:00Z\"\n"
        )
    };
    let mut world = World::with(5, 0, 1);
    world.policy = toml::from_str(&agreement("ZA1")).unwrap();
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    let side = &world.proposal("p-1").supporting;
    assert!(side.is_yes());
    assert_eq!(side.agreement.as_ref().map(|a| a.as_str()), Some("mou-ZA1"));
    world.home("p-1", HOME_ALL).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Confirmed);

    let mut world = World::with(5, 0, 1);
    world.policy = toml::from_str(&(agreement("ZA1") + &agreement("ZA2"))).unwrap();
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Confirmed);
    assert_eq!((world.need("n-1").state, world.account("o-1")[4]), (NeedState::Agreed, 1));
}

#[test]
fn a_yes_given_beforehand_is_none_when_its_agreement_is_over() {
    let agreed = |trust: &str, until: &str| {
        let mut world = World::with(5, 0, 1);
        let text = format!(
            "[[standing_agreement]]\nid = \"mou\"\ntrust = \"{trust}\"\nuntil = \"2026-11-23T{until}:00Z\"\n"
        );
        world.policy = toml::from_str(&text).unwrap();
        world.propose("p-1", "n-1", "o-1", 1).unwrap();
        world
    };
    // The hold of 20 minutes ends with the agreement, and nobody makes it longer than that.
    let mut world = agreed("ZA1", "08:10");
    let end = monday() + minutes(10);
    assert_eq!(world.proposal("p-1").held_until, end);
    assert_eq!(world.extend("p-1", None, "ZA2"), Err("WINDOW"));
    world.at = end;
    assert_eq!(world.home("p-1", HOME_ALL), Err("HOLD_EXPIRED"));
    assert_eq!((world.account("o-1")[4], world.records.transfers.len()), (0, 0));
    // The home trust's does as the supporting trust's; an extension gets as far as it.
    let mut world = agreed("ZA2", "08:30");
    assert_eq!(world.proposal("p-1").held_until, monday() + minutes(20));
    world.support("p-1", SupportingReply::Provisional).unwrap();
    assert_eq!(world.proposal("p-1").held_until, monday() + minutes(30));
    let mut world = agreed("ZA1", "08:30");
    world.extend("p-1", None, "ZA2").unwrap();
    assert_eq!(world.proposal("p-1").held_until, monday() + minutes(30));
}

#[test]
fn a_hold_in_doubt_ends_answered_or_not_and_may_be_proposed_again() {
    let admin = actor("admin", Role::PlatformAdmin, None);
    let end = |world: &World, because: &str, by: &crate::actor::Actor| {
        proposal::end_in_doubt(&world.records, &proposal_id("p-1"), &note(because), by, world.at)
    };
    for answers in 0..3 {
        let mut world = proposed();
        let before = world.account("o-1");
        match answers {
            0 => {}
            1 => world.home("p-1", HOME_ALL).unwrap(),
            _ => world.support("p-1", ALL).unwrap(),
        }
        assert_eq!(world.take(end(&world, "", &admin)), Err("REASON_REQUIRED"));
        for by in [engine(), gold(), manager("ZA1")] {
            assert_eq!(world.take(end(&world, "lost", &by)), Err("WRONG_SIDE"));
        }
        assert_eq!(world.account("o-1"), before, "a refusal has no effect");
        world.take(end(&world, "an answer may be lost", &admin)).unwrap();
        let ended = world.proposal("p-1");
        assert_eq!(
            (ended.state, &ended.ended_because),
            (ProposalState::Withdrawn, &note("an answer may be lost"))
        );
        assert_eq!(world.account("o-1"), [5, 0, 0, 0, 0, 5, 0], "its units are free again");
        assert_eq!(world.take(end(&world, "again", &admin)), Err("ILLEGAL_TRANSITION"));
        world.propose("p-2", "n-1", "o-1", 2).unwrap();
    }
}
