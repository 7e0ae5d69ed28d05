use jiff::{SignedDuration, Timestamp};

use crate::action::{Action, ActionState, CONFIRM_WITHIN, Errand, OverrideReason};
use crate::actor::{Actor, ActorKind, Role};
use crate::decide::action;
use crate::decide::proposal::{self, HomeReply, Reply, SupportingReply};
use crate::ids::ActionId;
use crate::proposal::{Answer, ProposalState, SupportingDecline};
use crate::refusal::Refusal;
use crate::test_world::*;

const YES: SupportingReply = SupportingReply::Accept { units: None };
const NO: SupportingReply = SupportingReply::Decline { code: SupportingDecline::Staffing, set_free: None };

fn coordinator() -> Actor {
    actor("coordinator", Role::Coordinator, Some("ZA3"))
}

fn icb() -> Actor {
    actor("icb", Role::Icb, None)
}

fn answer_for_za1() -> Errand {
    Errand::Answer {
        proposal: proposal_id("p-1"),
        for_trust: "ZA1".parse().unwrap(),
        reply: Reply::Supporting(YES),
        note: note(""),
    }
}

fn bypass() -> Errand {
    Errand::Bypass { proposal: proposal_id("p-1"), because: note("flooded ward") }
}

fn region() -> Errand {
    Errand::Region { toml: "id = \"r\"".to_owned() }
}

fn action(errand: Errand, by: &Actor, at: Timestamp) -> Action {
    Action {
        id: ActionId::parse("a-1").unwrap(),
        code: errand.breaks_glass().then_some(OverrideReason::SystemsDown),
        errand,
        trusts: Vec::new(),
        reason: note("their network is down"),
        proposed_by: by.clone(),
        proposed_at: at,
        expires_at: at + CONFIRM_WITHIN,
        previous: None,
        confirmed: None,
        refused: None,
        reviewed: None,
    }
}

fn reason<T>(done: Result<T, Refusal>) -> &'static str {
    done.map_or_else(|refusal| refusal.reason, |_| "OK")
}

#[test]
fn only_the_roles_of_an_action_take_part_in_it() {
    let at = monday();
    for errand in [answer_for_za1(), bypass(), region()] {
        for role in Role::ALL {
            let by = actor("somebody", *role, Some("ZA1"));
            let expected = if errand.roles().contains(role) { "OK" } else { "WRONG_SIDE" };
            assert_eq!(reason(action::propose(&action(errand.clone(), &by, at), [])), expected, "{role}");
        }
        // Gold never answers for a trust, and what breaks glass never needs the platform's administrators.
        let roles = errand.roles();
        assert!(!(roles.contains(&Role::Gold) && errand == answer_for_za1()));
        assert_eq!(roles.contains(&Role::PlatformAdmin), !errand.breaks_glass());
    }
    let elsewhere = actor("lead", Role::SiteLead, Some("ZA2"));
    assert_eq!(reason(action::propose(&action(answer_for_za1(), &elsewhere, at), [])), "WRONG_SIDE");
    let system = Actor { kind: ActorKind::System, ..icb() };
    assert_eq!(reason(action::propose(&action(bypass(), &system, at), [])), "WRONG_SIDE");
}

#[test]
fn breaking_glass_needs_a_reason_by_code_and_in_words() {
    let at = monday();
    let whole = action(bypass(), &gold(), at);
    assert_eq!(reason(action::propose(&whole, [])), "OK");
    let without_code = Action { code: None, ..whole.clone() };
    let without_words = Action { reason: note("  "), ..whole };
    for bad in [without_code, without_words] {
        assert_eq!(reason(action::propose(&bad, [])), "OVERRIDE_REASON");
    }
    assert_eq!(reason(action::propose(&action(region(), &coordinator(), at), [])), "OK");
}

#[test]
fn nobody_breaks_glass_a_third_time_within_a_day() {
    let at = monday();
    let hours = SignedDuration::from_hours;
    let before = |ago| action(bypass(), &gold(), at - ago);
    let third = action(bypass(), &gold(), at);
    let (day, late) = (before(hours(24)), before(hours(24) - SignedDuration::from_nanos(1)));
    assert_eq!(reason(action::propose(&third, [&late])), "OK");
    assert_eq!(reason(action::propose(&third, [&late, &before(hours(1))])), "OVERRIDE_LIMIT");
    assert_eq!(reason(action::propose(&third, [&day, &before(hours(1))])), "OK");
    let files = [action(region(), &coordinator(), at), action(region(), &coordinator(), at)];
    assert_eq!(reason(action::propose(&third, &files)), "OK");
}

#[test]
fn another_person_in_another_role_confirms_in_time_and_once() {
    let at = monday();
    let waiting = action(answer_for_za1(), &coordinator(), at);
    let end = waiting.expires_at;
    let last = end - SignedDuration::from_nanos(1);
    let confirm = |one: &Action, by: &Actor, at| action::confirm(one, by, at, Some(end));
    let twice = actor("coordinator", Role::Icb, None);
    assert_eq!(reason(confirm(&waiting, &coordinator(), at)), "SECOND_PERSON_REQUIRED");
    assert_eq!(
        reason(confirm(&waiting, &twice, at)),
        "SECOND_PERSON_REQUIRED",
        "another role, the same person"
    );
    let colleague = actor("another", Role::Coordinator, Some("ZA3"));
    assert_eq!(reason(confirm(&waiting, &colleague, at)), "SECOND_PERSON_REQUIRED", "the same role");
    assert_eq!(reason(confirm(&waiting, &gold(), at)), "WRONG_SIDE");
    assert_eq!(reason(confirm(&waiting, &icb(), end)), "OVERRIDE_EXPIRED");
    let done = confirm(&waiting, &icb(), last).unwrap();
    assert_eq!((done.state(last), done.state(end)), (ActionState::Confirmed, ActionState::Confirmed));
    assert_eq!(done.confirmed.as_ref().and_then(|confirmed| confirmed.review_by), Some(end));
    assert_eq!(reason(confirm(&done, &icb(), last)), "ILLEGAL_TRANSITION");
    let file = action(region(), &coordinator(), at);
    let admin = actor("admin", Role::PlatformAdmin, None);
    assert_eq!(confirm(&file, &admin, at).unwrap().confirmed.unwrap().review_by, None);
}

#[test]
fn whoever_could_confirm_refuses_with_words_and_then_nobody_confirms() {
    let at = monday();
    let waiting = action(answer_for_za1(), &coordinator(), at);
    let refuse =
        |one: &Action, by: &Actor, at| action::refuse(one, by, &note("their lines are up again"), at);
    assert_eq!(reason(refuse(&waiting, &gold(), at)), "WRONG_SIDE", "gold has no part in an answer");
    let elsewhere = actor("lead", Role::SiteLead, Some("ZA2"));
    assert_eq!(reason(refuse(&waiting, &elsewhere, at)), "WRONG_SIDE");
    assert_eq!(reason(refuse(&waiting, &icb(), waiting.expires_at)), "OVERRIDE_EXPIRED");
    let refused = refuse(&waiting, &icb(), at).unwrap();
    assert_eq!(refused.state(waiting.expires_at), ActionState::Refused, "and not expired afterwards");
    let said = refused.refused.as_ref().unwrap();
    assert_eq!((&said.by, said.note.as_str()), (&icb(), "their lines are up again"));
    assert_eq!(reason(refuse(&refused, &icb(), at)), "ILLEGAL_TRANSITION");
    assert_eq!(reason(action::confirm(&refused, &icb(), at, None)), "ILLEGAL_TRANSITION");
    let done = action::confirm(&waiting, &icb(), at, None).unwrap();
    assert_eq!(reason(refuse(&done, &icb(), at)), "ILLEGAL_TRANSITION", "what is done is not undone");
    // Who asked takes it back, and so may a colleague in the same role: a no needs no second role.
    for by in [coordinator(), actor("another", Role::Coordinator, Some("ZA3"))] {
        assert_eq!(refuse(&waiting, &by, at).unwrap().state(at), ActionState::Refused);
    }
}

#[test]
fn what_broke_glass_is_reviewed_once_by_a_third_person_whose_business_it_is() {
    let at = monday();
    let trusts = vec!["ZA1".parse().unwrap(), "ZA4".parse().unwrap()];
    let waiting = Action { trusts, ..action(answer_for_za1(), &coordinator(), at) };
    let review = |one: &Action, by: &Actor| action::review(one, by, &note("lines were down"), at);
    assert_eq!(reason(review(&waiting, &gold())), "ILLEGAL_TRANSITION", "it was not done");
    let refused = action::refuse(&waiting, &icb(), &note("no"), at).unwrap();
    assert_eq!(reason(review(&refused, &gold())), "ILLEGAL_TRANSITION");
    let done = action::confirm(&waiting, &icb(), at, Some(at)).unwrap();
    assert!(done.awaits_review());
    for one in [coordinator(), icb()] {
        assert_eq!(reason(review(&done, &one)), "SECOND_PERSON_REQUIRED");
    }
    let same_in_another_role = actor("icb", Role::Gold, None);
    assert_eq!(reason(review(&done, &same_in_another_role)), "SECOND_PERSON_REQUIRED");
    let lead = |trust| actor("lead", Role::SiteLead, Some(trust));
    for one in
        [lead("ZA2"), actor("admin", Role::PlatformAdmin, None), actor("beds", Role::BedManager, Some("ZA1"))]
    {
        assert_eq!(reason(review(&done, &one)), "WRONG_SIDE", "{one:?}");
    }
    let system = Actor { kind: ActorKind::System, ..gold() };
    assert_eq!(reason(review(&done, &system)), "WRONG_SIDE", "a machine reviews nothing");
    for one in [lead("ZA1"), lead("ZA4"), gold(), actor("other", Role::Icb, None)] {
        let reviewed = review(&done, &one).unwrap();
        assert_eq!((reviewed.state(at), reviewed.awaits_review()), (ActionState::Confirmed, false));
        assert_eq!(reason(review(&reviewed, &gold())), "ILLEGAL_TRANSITION");
    }
    let file = action::confirm(
        &action(region(), &coordinator(), at),
        &actor("admin", Role::PlatformAdmin, None),
        at,
        None,
    );
    assert_eq!(reason(review(&file.unwrap(), &gold())), "ILLEGAL_TRANSITION", "a file breaks no glass");
}

#[test]
fn two_people_answer_for_a_trust_as_its_own_would_and_the_record_says_who() {
    let mut world = World::with(5, 0, 3);
    world.propose("p-1", "n-1", "o-1", 2).unwrap();
    let (id, transfer) = (proposal_id("p-1"), transfer_id("t-1"));
    let answer = |world: &World, reply, people: [&Actor; 2]| {
        let on = ("ZA1".parse().unwrap(), people);
        let terms = world.terms();
        proposal::answer_for(&world.records, &id, reply, &note("by two"), &transfer, &terms, on, world.at)
    };
    let (first, second) = (coordinator(), icb());
    world.take(answer(&world, Reply::Supporting(YES), [&first, &second])).unwrap();
    let side = &world.proposal("p-1").supporting;
    assert_eq!((side.answer, side.by.as_ref()), (Answer::Accepted, Some(&second)));
    assert_eq!(side.with.as_ref(), Some(&first));

    // Neither of the two answers for the other side afterwards, alone or with somebody else.
    let third = actor("another", Role::Icb, None);
    let home = Reply::Home(HomeReply::Accept { units: None });
    let home_trust = world.proposal("p-1").home_trust;
    let answer_home = |people: [&Actor; 2]| {
        let on = (home_trust, people);
        let terms = world.terms();
        proposal::answer_for(&world.records, &id, home, &note("by two"), &transfer, &terms, on, world.at)
    };
    for person in [&first, &second] {
        assert_eq!(reason(answer_home([person, &third])), "SECOND_PERSON_REQUIRED");
        assert_eq!(reason(answer_home([&third, person])), "SECOND_PERSON_REQUIRED");
        let own = Actor { role: Role::SiteLead, trust: Some(home_trust), ..person.clone() };
        let alone =
            proposal::answer(&world.records, &id, home, &note(""), &transfer, &world.terms(), &own, world.at);
        assert_eq!(reason(alone), "SECOND_PERSON_REQUIRED");
    }

    // Who has answered for the home trust is neither of the two.
    let mut world = World::with(5, 0, 3);
    world.propose("p-1", "n-1", "o-1", 2).unwrap();
    world.home("p-1", HomeReply::Accept { units: None }).unwrap();
    let home = world.proposal("p-1").home.by.clone().unwrap();
    for people in [[&home, &second], [&first, &home]] {
        let refused = answer(&world, Reply::Supporting(YES), people);
        assert_eq!(world.take(refused), Err("SECOND_PERSON_REQUIRED"));
    }
    world.take(answer(&world, Reply::Supporting(NO), [&first, &second])).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Declined);
    // A side that is another's, or nobody's, is not answered.
    let mut world = World::with(5, 0, 3);
    world.propose("p-1", "n-1", "o-1", 2).unwrap();
    let refused = answer(&world, Reply::Home(HomeReply::Accept { units: None }), [&first, &second]);
    assert_eq!(world.take(refused), Err("WRONG_SIDE"));
}
