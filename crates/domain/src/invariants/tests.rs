//! Every rule finds a bug that was planted for it, and random commands over a small world break none.

mod random;

use super::*;
use crate::decide::{proposal, transfer};
use crate::quantity::Count;
use crate::test_world::*;
use crate::transfer::{AbortCode, TransferState};

/// A sound world: one hold of one bed, one transfer of another.
fn sound() -> World {
    let mut world = World::with(5, 1, 3);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    world.wait(1);
    world.propose("p-2", "n-1", "o-1", 1).unwrap();
    world
}

#[test]
fn a_sound_world_breaks_no_rule() {
    assert_eq!(check(&sound().records), []);
}

/// Plants a bug in the records and returns the rules that find it.
fn rules_found(plant: impl FnOnce(&mut Records)) -> Vec<Rule> {
    let mut records = sound().records;
    plant(&mut records);
    let mut rules: Vec<Rule> = check(&records).into_iter().map(|v| v.rule).collect();
    rules.dedup();
    rules
}

#[test]
fn each_rule_about_a_revision_finds_its_planted_bug() {
    assert_eq!(
        rules_found(|r| r.offers.get_mut(&offer_id("o-1")).unwrap().figures.held = Count::ZERO),
        [Rule::NoDoubleHold]
    );
    assert_eq!(
        rules_found(|r| r.offers.get_mut(&offer_id("o-1")).unwrap().figures.committed = Count::new(2)),
        [Rule::NoDoubleHold]
    );
    assert_eq!(
        rules_found(|r| r.needs.get_mut(&need_id("n-1")).unwrap().units_committed = Count::new(2)),
        [Rule::Gauges]
    );
    assert_eq!(
        rules_found(|r| r.needs.get_mut(&need_id("n-1")).unwrap().state = NeedState::Agreed),
        [Rule::Gauges]
    );
    assert_eq!(
        rules_found(|r| r.needs.get_mut(&need_id("n-1")).unwrap().state = NeedState::OnHold),
        [Rule::NoStrayHold]
    );
    assert_eq!(
        rules_found(|r| r.offers.get_mut(&offer_id("o-1")).unwrap().state = OfferState::Withdrawn),
        [Rule::NoStrayHold]
    );
    assert_eq!(
        rules_found(|r| r.offers.get_mut(&offer_id("o-1")).unwrap().figures.staffed = Count::ONE),
        [Rule::NoStrayHold]
    );
    assert_eq!(
        rules_found(|r| r.offers.get_mut(&offer_id("o-1")).unwrap().state = OfferState::Suspended),
        [Rule::LegalEdgesOnly]
    );
    assert_eq!(
        rules_found(|r| r.transfers.get_mut(&transfer_id("t-p-1")).unwrap().proposal = proposal_id("p-2")),
        [Rule::NoDoubleHold]
    );
    assert_eq!(rules_found(|r| r.offers.clear()), [Rule::NoDoubleHold]);
    assert_eq!(rules_found(|r| r.needs.clear()), [Rule::Gauges]);
}

/// Plants a bug in the answer of a decision and returns the rules that find it, in the step or in what it leads to.
fn rules_found_in_step(
    decide: impl FnOnce(&mut World) -> Records,
    plant: impl FnOnce(&mut Records),
) -> Vec<Rule> {
    let mut world = sound();
    let mut changes = decide(&mut world);
    plant(&mut changes);
    let mut rules: Vec<Rule> =
        check_step(&world.records, &changes, world.at).into_iter().map(|v| v.rule).collect();
    world.records.apply(changes);
    rules.extend(check(&world.records).into_iter().map(|v| v.rule));
    rules.sort_unstable();
    rules.dedup();
    rules
}

fn lapse(world: &mut World) -> Records {
    world.wait(20);
    proposal::lapse(&world.records, &proposal_id("p-2"), &engine(), world.at).unwrap()
}

fn abort(world: &mut World) -> Records {
    let (id, code) = (transfer_id("t-p-1"), AbortCode::NoTransport);
    transfer::abort(&world.records, &id, code, &note(""), &manager("ZA2"), world.at).unwrap()
}

#[test]
fn a_decision_that_forgets_to_give_back_is_found() {
    assert_eq!(rules_found_in_step(lapse, |_| ()), []);
    assert_eq!(rules_found_in_step(lapse, |c| c.offers.clear()), [Rule::NoDoubleHold]);
    assert_eq!(rules_found_in_step(lapse, |c| c.needs.clear()), [Rule::Gauges]);
    assert_eq!(rules_found_in_step(abort, |_| ()), []);
    assert_eq!(rules_found_in_step(abort, |c| c.offers.clear()), [Rule::NoDoubleHold]);
    assert_eq!(rules_found_in_step(abort, |c| c.needs.clear()), [Rule::Gauges]);
}

#[test]
fn a_step_outside_the_tables_is_found() {
    let arrived = rules_found_in_step(abort, |c| {
        c.transfers.get_mut(&transfer_id("t-p-1")).unwrap().state = TransferState::Repatriated;
    });
    assert_eq!(arrived, [Rule::LegalEdgesOnly]);
    let younger = rules_found_in_step(
        |world| {
            let offer = world.records.offers.get_mut(&offer_id("o-1")).unwrap();
            offer.generation = 3;
            lapse(world)
        },
        |c| c.offers.get_mut(&offer_id("o-1")).unwrap().generation = 2,
    );
    assert_eq!(younger, [Rule::LegalEdgesOnly]);
}

#[test]
fn a_hold_that_ends_at_the_wrong_time_is_found() {
    let early = rules_found_in_step(
        |world| {
            let changes = lapse(world);
            world.wait(-20);
            changes
        },
        |_| (),
    );
    assert_eq!(early, [Rule::NeverEarly]);
    let late = rules_found_in_step(lapse, |c| {
        c.proposals.get_mut(&proposal_id("p-2")).unwrap().state = ProposalState::Confirmed;
    });
    assert_eq!(late, [Rule::NeverEarly, Rule::EveryYes]);
    let answered = rules_found_in_step(
        |world| {
            let reply = proposal::SupportingReply::Accept { units: None };
            world.support("p-2", reply).unwrap();
            lapse(world)
        },
        |c| c.proposals.get_mut(&proposal_id("p-2")).unwrap().state = ProposalState::Superseded,
    );
    assert_eq!(answered, [Rule::NeverEarly]);
}

#[test]
fn a_hold_below_the_reserve_is_found() {
    let world = sound();
    let hold = world.proposal("p-2");
    assert_eq!(world.room("o-1", 0).free, 2);
    assert_eq!(check_reserve(hold, world.room("o-1", 2)), None);
    assert_eq!(check_reserve(hold, world.room("o-1", 3)).map(|v| v.rule), Some(Rule::ReserveKept));
}

#[test]
fn a_joined_team_that_is_not_counted_or_not_asked_is_found() {
    let joined = || {
        let mut world = World::joined();
        let team = proposal::SupportingReply::Accept { units: None };
        world.lend("p-1", team).unwrap();
        world.agree("p-1");
        world.records
    };
    assert_eq!(check(&joined()), []);
    let rules = |spoil: fn(&mut Records)| {
        let mut records = joined();
        spoil(&mut records);
        let mut rules: Vec<Rule> = check(&records).into_iter().map(|violation| violation.rule).collect();
        rules.dedup();
        rules
    };
    let forgotten = |records: &mut Records| {
        records.offers.get_mut(&offer_id("team-ZA3")).unwrap().figures.committed = Count::ZERO;
    };
    assert_eq!(rules(forgotten), [Rule::NoDoubleHold]);
    let dropped = |records: &mut Records| {
        records.transfers.get_mut(&transfer_id("t-p-1")).unwrap().team = None;
    };
    assert_eq!(rules(dropped), [Rule::NoDoubleHold]);
    let not_asked = |records: &mut Records| {
        let team = records.proposals.get_mut(&proposal_id("p-1")).unwrap().team.as_mut().unwrap();
        team.side = None;
    };
    assert_eq!(rules(not_asked), [Rule::EveryYes]);
    let not_said = |records: &mut Records| {
        let team = records.proposals.get_mut(&proposal_id("p-1")).unwrap().team.as_mut().unwrap();
        team.side = Some(crate::proposal::Side::pending());
    };
    assert_eq!(rules(not_said), [Rule::EveryYes]);
}
