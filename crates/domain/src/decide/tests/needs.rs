use crate::decide::need::{self, Raised};
use crate::decide::proposal::SupportingReply;
use crate::need::{Need, NeedState};
use crate::proposal::ProposalState;
use crate::quantity::Count;
use crate::test_world::*;

const ALL: SupportingReply = SupportingReply::Accept { units: None };

impl World {
    /// Trust ZA2 amends n-1.
    fn amend(&mut self, change: impl FnOnce(&mut Need)) -> Result<(), &'static str> {
        let mut wanted = self.need("n-1").clone();
        change(&mut wanted);
        self.take(need::amend(&self.records, wanted, &manager("ZA2"), self.at))
    }

    fn withdraw_need(&mut self) -> Result<(), &'static str> {
        let (id, by) = (need_id("n-1"), manager("ZA2"));
        self.take(need::withdraw(&self.records, &id, &note("went home"), &by, self.at))
    }
}

#[test]
fn raising_the_same_case_again_finds_the_live_need() {
    let mut world = World::with(5, 0, 1);
    let mut again = new_need("ZA2", "n-9", 1, world.at);
    again.case_ref = world.need("n-1").case_ref.clone();
    let raise = |world: &World, need: &Need| {
        need::raise(&world.records, need.clone(), &manager("ZA2"), world.at).map_err(|r| r.reason)
    };
    assert_eq!(raise(&world, &again), Ok(Raised::AlreadyLive(need_id("n-1"))));
    let other = Need { resource: resource(crate::resource::ResourceKind::Bed, "MATERNITY"), ..again.clone() };
    assert!(matches!(raise(&world, &other), Ok(Raised::New(_))));
    world.withdraw_need().unwrap();
    assert!(matches!(raise(&world, &again), Ok(Raised::New(_))));
    assert_eq!(raise(&world, &Need { units: Count::ZERO, ..again.clone() }), Err("OUT_OF_RANGE"));
    assert_eq!(raise(&world, &Need { needed_by: Some(world.at), ..again.clone() }), Err("WINDOW"));
    let theatre = resource(crate::resource::ResourceKind::Theatre, "MAIN");
    assert_eq!(raise(&world, &Need { resource: theatre, ..again.clone() }), Err("OUT_OF_RANGE"));
    let foreign = need::raise(&world.records, again, &manager("ZA1"), world.at);
    assert_eq!(foreign.map_err(|r| r.reason), Err("WRONG_SIDE"));
}

#[test]
fn the_state_follows_from_the_gauges() {
    let mut world = World::with(5, 0, 2);
    let state = |world: &World| world.need("n-1").state;
    assert_eq!(state(&world), NeedState::Open);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    assert_eq!(state(&world), NeedState::Proposed);
    world.agree("p-1");
    assert_eq!((state(&world), world.need("n-1").agreed_at), (NeedState::PartAgreed, None));
    world.propose("p-2", "n-1", "o-1", 1).unwrap();
    assert_eq!(state(&world), NeedState::PartAgreed);
    world.wait(2);
    world.agree("p-2");
    assert_eq!((state(&world), world.need("n-1").agreed_at), (NeedState::Agreed, Some(world.at)));
    world.amend(|n| n.units = Count::new(3)).unwrap();
    assert_eq!((state(&world), world.need("n-1").agreed_at), (NeedState::PartAgreed, None));
    assert_eq!(world.gauges("n-1"), [0, 2, 0]);
}

#[test]
fn fewer_units_supersede_what_nobody_answered_and_stop_at_what_is_bound() {
    let mut world = World::with(9, 0, 4);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    for id in ["p-2", "p-3", "p-4"] {
        world.wait(1);
        world.propose(id, "n-1", "o-1", 1).unwrap();
    }
    world.support("p-3", ALL).unwrap();
    world.amend(|n| n.units = Count::new(3)).unwrap();
    let states = ["p-2", "p-3", "p-4"].map(|id| world.proposal(id).state);
    assert_eq!(states, [ProposalState::Held, ProposalState::Held, ProposalState::Superseded]);
    world.amend(|n| n.units = Count::new(2)).unwrap();
    assert_eq!(world.proposal("p-2").state, ProposalState::Superseded);
    assert_eq!(world.amend(|n| n.units = Count::new(1)), Err("UNITS_BOUND"));
    assert_eq!(world.gauges("n-1"), [1, 1, 0]);
    assert_eq!(world.amend(|n| n.units = Count::ZERO), Err("OUT_OF_RANGE"));
}

#[test]
fn facts_of_the_case_change_only_while_nobody_has_said_yes_to_them() {
    let isolation = |n: &mut Need| n.patient.isolation = Some(true);
    let mut world = World::with(5, 0, 2);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.amend(isolation).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Superseded);
    world.propose("p-2", "n-1", "o-1", 1).unwrap();
    world.support("p-2", ALL).unwrap();
    assert_eq!(world.amend(|n| n.patient.isolation = None), Err("UNITS_BOUND"));
    world.amend(|n| n.max_travel_minutes = Some(90)).unwrap();
    world.amend(|n| n.note = note("family near Aldermoor")).unwrap();
    assert_eq!(world.proposal("p-2").state, ProposalState::Held, "limits bear on the next proposals");
}

#[test]
fn a_generation_counts_what_makes_another_pair() {
    let mut world = World::with(5, 0, 2);
    let at = world.at;
    let generation = |world: &World| world.need("n-1").generation;
    world.amend(|n| n.note = note("quiet")).unwrap();
    world.amend(|n| n.priority = crate::need::Priority::P1A).unwrap();
    assert_eq!(generation(&world), 0);
    world.amend(|n| n.units = Count::new(3)).unwrap();
    world.amend(|n| n.needed_by = Some(at + minutes(60))).unwrap();
    world.amend(|n| n.earliest = Some(at + minutes(30))).unwrap();
    world.amend(|n| n.max_travel_minutes = Some(30)).unwrap();
    world.amend(|n| n.requires = vec![crate::ids::Label::parse("isolation").unwrap()]).unwrap();
    assert_eq!(generation(&world), 5);
    assert_eq!(world.amend(|n| n.needed_by = Some(at)), Err("WINDOW"));
}

#[test]
fn a_parked_need_lets_its_proposals_go_and_comes_back_where_it_was() {
    let mut world = World::with(5, 0, 2);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    world.propose("p-2", "n-1", "o-1", 1).unwrap();
    let id = need_id("n-1");
    let by = manager("ZA2");
    let review_at = world.at + minutes(60);
    world.take(need::park(&world.records, &id, review_at, &note("scan first"), &by, world.at)).unwrap();
    assert_eq!(world.proposal("p-2").state, ProposalState::Withdrawn);
    assert_eq!((world.need("n-1").state, world.gauges("n-1")), (NeedState::OnHold, [0, 1, 0]));
    assert_eq!(world.propose("p-3", "n-1", "o-1", 1), Err("ILLEGAL_TRANSITION"));
    world.take(need::resume(&world.records, &id, &by)).unwrap();
    assert_eq!((world.need("n-1").state, world.need("n-1").review_at), (NeedState::PartAgreed, None));
    let past = world.at;
    assert_eq!(world.take(need::park(&world.records, &id, past, &note(""), &by, past)), Err("WINDOW"));
}

#[test]
fn a_forgotten_need_expires_four_weeks_after_its_review() {
    let mut world = World::with(5, 0, 1);
    let id = need_id("n-1");
    let review_at = world.at + minutes(60);
    world.take(need::park(&world.records, &id, review_at, &note(""), &manager("ZA2"), world.at)).unwrap();
    world.at = review_at + need::REVIEW_GRACE - minutes(1);
    assert_eq!(world.take(need::expire(&world.records, &id, &engine(), world.at)), Err("NOT_YET"));
    world.wait(1);
    world.take(need::expire(&world.records, &id, &engine(), world.at)).unwrap();
    assert_eq!(world.need("n-1").state, NeedState::Expired);
}

#[test]
fn taking_a_need_back_ends_its_proposals_and_stops_at_transfers() {
    let mut world = World::with(5, 0, 2);
    world.propose("p-1", "n-1", "o-1", 2).unwrap();
    world.support("p-1", ALL).unwrap();
    world.withdraw_need().unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Withdrawn);
    assert_eq!((world.need("n-1").state, world.account("o-1")[3]), (NeedState::Withdrawn, 0));

    let mut world = World::with(5, 0, 2);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    let id = need_id("n-1");
    let refusal = need::withdraw(&world.records, &id, &note(""), &manager("ZA2"), world.at).unwrap_err();
    assert_eq!(refusal.reason, "UNITS_BOUND");
    assert!(refusal.numbers.contains(&("transfers", "t-p-1".to_owned())));
    let outside =
        need::resolve_outside(&world.records, &id, &note("by telephone"), &manager("ZA2"), world.at);
    assert_eq!(outside.map_err(|r| r.reason), Err("UNITS_BOUND"));
}

#[test]
fn a_need_solved_outside_says_how() {
    let mut world = World::with(5, 0, 1);
    let (id, by) = (need_id("n-1"), manager("ZA2"));
    world.take(need::resolve_outside(&world.records, &id, &note("by telephone"), &by, world.at)).unwrap();
    assert_eq!(world.need("n-1").state, NeedState::ResolvedOutside);
    assert_eq!(world.need("n-1").note, note("by telephone"));
}

#[test]
fn needed_by_passes_only_after_it_and_only_while_nobody_is_answering() {
    let mut world = World::with(5, 0, 2);
    let needed_by = world.at + minutes(10);
    world.amend(|n| n.needed_by = Some(needed_by)).unwrap();
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    let give_up = |world: &World| need::give_up(&world.records, &need_id("n-1"), &engine(), world.at);
    world.wait(10);
    assert_eq!(world.take(give_up(&world)), Err("NOT_YET"));
    world.support("p-1", ALL).unwrap();
    world.wait(1);
    assert_eq!(world.take(give_up(&world)), Err("UNITS_BOUND"));
    world.home("p-1", crate::decide::proposal::HomeReply::Accept { units: None }).unwrap();
    world.propose("p-2", "n-1", "o-1", 1).unwrap();
    world.take(give_up(&world)).unwrap();
    assert_eq!(world.need("n-1").state, NeedState::Unmet);
    assert_eq!(world.proposal("p-2").state, ProposalState::Superseded);
}

#[test]
fn a_case_is_validated_by_its_own_trust_and_not_asked_about_again_at_once() {
    let mut world = World::with(10, 4, 1);
    let ids = [need_id("n-1")];
    let ask = |world: &World, by: &crate::actor::Actor| {
        need::ask_to_validate(&world.records, &ids, minutes(15), by, world.at)
    };
    let asked = ask(&world, &manager("ZA1"));
    world.take(asked).unwrap();
    let wrong = ask(&world, &manager("ZA2"));
    assert_eq!(world.take(wrong), Err("WRONG_SIDE"));
    world.wait(5);
    let again = ask(&world, &gold());
    assert_eq!(world.take(again), Err("RATE_LIMITED"));
    let by = manager("ZA1");
    let stranger = need::validate(&world.records, &ids[0], (true, false), &by, world.at);
    assert_eq!(world.take(stranger), Err("WRONG_SIDE"));
    let own = need::validate(&world.records, &ids[0], (true, false), &manager("ZA2"), world.at);
    world.take(own).unwrap();
    let validation = &world.need("n-1").validation;
    let said = validation.said.as_ref().unwrap();
    assert_eq!((validation.asked.as_ref(), said.consented, said.fit), (None, true, false));
    world.wait(14);
    let soon = ask(&world, &gold());
    assert_eq!(world.take(soon), Err("RATE_LIMITED"));
    world.wait(1);
    let later = ask(&world, &gold());
    world.take(later).unwrap();
}
