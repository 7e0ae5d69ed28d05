use crate::actor::Actor;
use crate::decide::offer::{self, OfferReport};
use crate::decide::transfer::{self, Progress};
use crate::need::{NeedState, Scope};
use crate::resource::ResourceKind;
use crate::test_world::*;
use crate::transfer::{AbortCode, ReturnPlan, TransferState, Transport};
use TransferState::{
    Arrived, Completed, Deployed, Extended, InTransit, Planned, Ready, Repatriated, Repatriating,
    RepatriationDue, Returned,
};

const HOME: &str = "ZA2";
const SUPPORTING: &str = "ZA1";

impl World {
    fn go_as(&mut self, to: TransferState, by: &Actor) -> Result<(), &'static str> {
        let progress = Progress { to: Some(to), ..Progress::default() };
        self.take(transfer::advance(&self.records, &transfer_id("t-p-1"), progress, by, self.at))
    }

    fn go(&mut self, to: TransferState, trust: &str) -> Result<(), &'static str> {
        self.go_as(to, &manager(trust))
    }

    fn tick_all(&mut self) {
        let ticks = self.transfer("t-p-1").checklist.iter().map(|item| (item.name.clone(), true)).collect();
        let progress = Progress { ticks, ..Progress::default() };
        let id = transfer_id("t-p-1");
        self.take(transfer::advance(&self.records, &id, progress, &manager(HOME), self.at)).unwrap();
    }

    fn abort(&mut self) -> Result<(), &'static str> {
        let (id, by) = (transfer_id("t-p-1"), manager(HOME));
        let code = AbortCode::NoTransport;
        self.take(transfer::abort(&self.records, &id, code, &note("strike"), &by, self.at))
    }

    fn report_made(&mut self, occupied: u32, minutes_ago: i64) {
        let report = OfferReport {
            occupied: occupied.into(),
            reported_at: self.at - minutes(minutes_ago),
            ..self.offer("o-1").clone().into()
        };
        let by = manager(SUPPORTING);
        let id = offer_id("o-1");
        self.take(offer::publish(&self.records, &id, report, false, &by, self.at)).unwrap();
    }
}

/// One of two beds needed is agreed: o-1 has 5 staffed, 1 occupied.
fn agreed() -> World {
    let mut world = World::with(5, 1, 2);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    world
}

fn in_transit() -> World {
    let mut world = agreed();
    world.tick_all();
    world.go(Ready, HOME).unwrap();
    world.go(InTransit, HOME).unwrap();
    world
}

#[test]
fn nobody_is_to_go_back_at_a_time_that_has_passed() {
    let mut world = agreed();
    let plan = |world: &mut World, due_at| {
        let return_plan = Some(ReturnPlan { due_at: Some(due_at), note: note("rings first") });
        let progress = Progress { return_plan, ..Progress::default() };
        let id = transfer_id("t-p-1");
        world.take(transfer::advance(&world.records, &id, progress, &manager(HOME), world.at))
    };
    let now = world.at;
    assert_eq!(plan(&mut world, now), Err("WINDOW"));
    assert_eq!(plan(&mut world, now - minutes(1)), Err("WINDOW"));
    plan(&mut world, now + minutes(1)).unwrap();
    world.at += minutes(5);
    plan(&mut world, now + minutes(1)).expect("the same plan, overdue, with another remark");
    assert_eq!(plan(&mut world, now + minutes(2)), Err("WINDOW"));
}

#[test]
fn a_patient_goes_and_comes_back() {
    let mut world = agreed();
    assert_eq!(world.go(Ready, HOME), Err("CHECKLIST_OPEN"));
    world.tick_all();
    world.go(Ready, SUPPORTING).unwrap();
    assert_eq!(world.go(InTransit, SUPPORTING), Err("WRONG_SIDE"), "the home trust sends");
    world.go(InTransit, HOME).unwrap();
    assert_eq!(world.go(Arrived, HOME), Err("WRONG_SIDE"), "said where the patient arrives");
    world.go(Arrived, SUPPORTING).unwrap();
    assert_eq!(world.go(Deployed, HOME), Err("ILLEGAL_TRANSITION"));
    world.go(Completed, SUPPORTING).unwrap();
    assert!(!world.transfer("t-p-1").is_over());
    assert_eq!(world.go_as(RepatriationDue, &engine()), Err("NOT_YET"), "no day is agreed");
    world.go(RepatriationDue, SUPPORTING).unwrap();
    world.go(Repatriating, SUPPORTING).unwrap();
    assert_eq!(world.go(Repatriated, SUPPORTING), Err("WRONG_SIDE"));
    world.go(Repatriated, HOME).unwrap();
    assert!(world.transfer("t-p-1").is_over());
    let steps: Vec<_> = world.transfer("t-p-1").steps.iter().map(|s| s.state).collect();
    assert_eq!(steps, [Ready, InTransit, Arrived, Completed, RepatriationDue, Repatriating, Repatriated]);
    assert_eq!(world.go(Planned, HOME), Err("ILLEGAL_TRANSITION"));
}

#[test]
fn whoever_moves_for_good_has_no_way_back() {
    let mut world = World::with(5, 1, 1);
    world.records.needs.get_mut(&need_id("n-1")).unwrap().scope = Scope::WholePathway;
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    world.tick_all();
    for (to, by) in [(Ready, HOME), (InTransit, HOME), (Arrived, SUPPORTING), (Completed, SUPPORTING)] {
        world.go(to, by).unwrap();
    }
    assert!(world.transfer("t-p-1").is_over());
    assert_eq!(world.go(RepatriationDue, SUPPORTING), Err("ILLEGAL_TRANSITION"));
}

#[test]
fn the_engine_calls_a_patient_back_when_the_day_comes() {
    let mut world = in_transit();
    world.go(Arrived, SUPPORTING).unwrap();
    let due_at = world.at + minutes(600);
    let plan = ReturnPlan { due_at: Some(due_at), note: note("when walking") };
    let progress = Progress { to: Some(Completed), return_plan: Some(plan), ..Progress::default() };
    let id = transfer_id("t-p-1");
    world.take(transfer::advance(&world.records, &id, progress, &manager(SUPPORTING), world.at)).unwrap();
    assert_eq!(world.transfer("t-p-1").due_at, due_at);
    world
        .take(transfer::extend(&world.records, &id, due_at + minutes(60), &manager(HOME), world.at))
        .unwrap();
    assert_eq!(world.transfer("t-p-1").state, Completed, "a later day is no step");
    world.wait(600);
    assert_eq!(world.go_as(RepatriationDue, &engine()), Err("NOT_YET"));
    world.wait(60);
    world.go_as(RepatriationDue, &engine()).unwrap();
}

#[test]
fn staff_go_the_other_way_and_come_back() {
    let mut world = World::new();
    let staff = || resource(ResourceKind::Staff, "ODP");
    let mut shift = report("ZA1", "bank", 3, 0, world.at);
    shift.resource = staff();
    world.publish("o-1", shift);
    let mut need = new_need("ZA2", "n-1", 1, world.at);
    need.resource = staff();
    world.raise(need);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    let transfer = world.transfer("t-p-1");
    assert_eq!((transfer.from_site.as_str(), transfer.to_site.as_str()), ("ZA101", "ZA201"));
    world.tick_all();
    world.go(Ready, HOME).unwrap();
    assert_eq!(world.go(InTransit, HOME), Err("WRONG_SIDE"), "the supporting trust sends");
    world.go(InTransit, SUPPORTING).unwrap();
    assert_eq!(world.go(Arrived, SUPPORTING), Err("WRONG_SIDE"), "said where the staff arrive");
    world.go(Arrived, HOME).unwrap();
    assert_eq!(world.need("n-1").state, NeedState::Met);
    assert_eq!(world.go(Completed, SUPPORTING), Err("ILLEGAL_TRANSITION"));
    world.go(Deployed, HOME).unwrap();
    let id = transfer_id("t-p-1");
    assert_eq!(world.go(Extended, HOME), Err("ILLEGAL_TRANSITION"), "an extension names a time");
    for more in [60, 120] {
        let until = world.at + minutes(more);
        world.take(transfer::extend(&world.records, &id, until, &manager(HOME), world.at)).unwrap();
        assert_eq!(world.transfer("t-p-1").due_at, until);
    }
    assert_eq!(world.transfer("t-p-1").steps.iter().filter(|s| s.state == Extended).count(), 1);
    let past = world.at;
    assert_eq!(world.take(transfer::extend(&world.records, &id, past, &manager(HOME), past)), Err("WINDOW"));
    world.go(Returned, SUPPORTING).unwrap();
    assert!(world.transfer("t-p-1").is_over());
    assert_eq!(world.account("o-1"), [3, 1, 0, 0, 0, 2, 0], "occupied until their own trust reports");
}

#[test]
fn only_the_lender_moves_the_end_of_what_an_agreement_lends() {
    let mut world = World::new();
    world.policy = toml::from_str(
        "[[standing_agreement]]\nid = \"mou\"\ntrust = \"ZA1\"\nkinds = [\"STAFF\"]\nuntil = \"2026-11-23T09:00:00Z\"\n",
    )
    .unwrap();
    let mut shift = report(SUPPORTING, "bank", 3, 0, world.at);
    shift.resource = resource(ResourceKind::Staff, "ODP");
    let mut need = new_need(HOME, "n-1", 1, world.at);
    need.resource = shift.resource.clone();
    world.publish("o-1", shift);
    world.raise(need);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.home("p-1", crate::decide::proposal::HomeReply::Accept { units: None }).unwrap();
    let (ends, id) = (monday() + minutes(60), transfer_id("t-p-1"));
    let due = |world: &World| world.transfer("t-p-1").return_plan.as_ref().unwrap().due_at;
    assert_eq!((world.transfer("t-p-1").lent_until, due(&world)), (Some(ends), Some(ends)));
    let plan = |world: &mut World, due_at, trust| {
        let return_plan = Some(ReturnPlan { due_at, note: note("with the evening bus") });
        let progress = Progress { return_plan, ..Progress::default() };
        world.take(transfer::advance(&world.records, &id, progress, &manager(trust), world.at))
    };
    let extend = |world: &mut World, due_at, trust| {
        world.take(transfer::extend(&world.records, &id, due_at, &manager(trust), world.at))
    };
    // A remark of the home trust takes no end away, and a later one is not its to give.
    plan(&mut world, None, HOME).unwrap();
    assert_eq!(due(&world), Some(ends));
    assert_eq!(plan(&mut world, Some(ends + minutes(1)), HOME), Err("AGREEMENT_ENDS"));
    plan(&mut world, Some(ends - minutes(10)), HOME).unwrap();
    assert_eq!(plan(&mut world, Some(ends + minutes(1)), HOME), Err("AGREEMENT_ENDS"));
    // Once the lender has given more, it can be used in part and remarked on.
    plan(&mut world, Some(ends + minutes(60)), SUPPORTING).unwrap();
    plan(&mut world, Some(ends + minutes(60)), HOME).unwrap();
    world.tick_all();
    for (to, by) in [(Ready, HOME), (InTransit, SUPPORTING), (Arrived, HOME), (Deployed, HOME)] {
        world.go(to, by).unwrap();
    }
    assert_eq!(extend(&mut world, ends + minutes(61), HOME), Err("AGREEMENT_ENDS"));
    extend(&mut world, ends + minutes(30), HOME).unwrap();
    plan(&mut world, None, HOME).unwrap();
    assert_eq!(due(&world), Some(ends + minutes(30)));
    // The lender may leave the day open.
    plan(&mut world, None, SUPPORTING).unwrap();
    assert_eq!(due(&world), None);
}

#[test]
fn what_is_aborted_before_arrival_is_free_and_looked_for_again_elsewhere() {
    let mut world = agreed();
    world.propose("p-2", "n-1", "o-1", 1).unwrap();
    world.agree("p-2");
    assert_eq!(world.need("n-1").state, NeedState::Agreed);
    world.abort().unwrap();
    assert_eq!((world.need("n-1").state, world.gauges("n-1")), (NeedState::PartAgreed, [0, 1, 0]));
    assert_eq!(world.account("o-1"), [5, 1, 0, 0, 1, 3, 0]);
    assert_eq!(world.transfer("t-p-1").aborted, Some(AbortCode::NoTransport));
    assert_eq!(world.propose("p-3", "n-1", "o-1", 1), Err("DECLINED_BEFORE"));

    let mut world = in_transit();
    world.abort().unwrap();
    let mut world = in_transit();
    world.go(Arrived, SUPPORTING).unwrap();
    assert_eq!(world.abort(), Err("ILLEGAL_TRANSITION"));
}

#[test]
fn on_arrival_a_committed_unit_becomes_occupied_and_is_counted_once() {
    let mut world = in_transit();
    assert_eq!(world.account("o-1"), [5, 1, 0, 0, 1, 3, 0]);
    world.wait(3);
    world.go(Arrived, SUPPORTING).unwrap();
    assert_eq!(world.account("o-1"), [5, 2, 0, 0, 0, 3, 0]);
    assert_eq!(world.gauges("n-1"), [0, 1, 1]);

    world.wait(4);
    world.report_made(1, 5);
    assert_eq!(world.account("o-1"), [5, 2, 0, 0, 0, 3, 0], "made before the arrival");
    world.report_made(2, 0);
    assert_eq!(world.account("o-1"), [5, 2, 0, 0, 0, 3, 0], "made after it");
    assert!(world.offer("o-1").recent.arrivals.is_empty());
    world.wait(1);
    world.report_made(1, 0);
    assert_eq!(world.account("o-1"), [5, 1, 0, 0, 0, 4, 0], "the guest has left");
}

#[test]
fn checklist_transport_and_due_time_are_marked_without_a_step() {
    let mut world = agreed();
    let transport = Transport {
        kind: crate::ids::Label::parse("ambulance").unwrap(),
        provider: crate::ids::Label::parse("North Vale Ambulance").unwrap(),
        booked: true,
    };
    let first = world.transfer("t-p-1").checklist[0].name.clone();
    let due_at = world.at + minutes(90);
    let progress = Progress {
        ticks: vec![(first.clone(), true)],
        transport: Some(transport.clone()),
        due_at: Some(due_at),
        ..Progress::default()
    };
    let id = transfer_id("t-p-1");
    let advance =
        |world: &World, progress, by: &Actor| transfer::advance(&world.records, &id, progress, by, world.at);
    world.take(advance(&world, progress, &manager(SUPPORTING))).unwrap();
    let marked = world.transfer("t-p-1");
    assert_eq!((marked.state, marked.due_at, marked.transport.as_ref()), (Planned, due_at, Some(&transport)));
    assert_eq!(marked.checklist[0].done_by, Some(manager(SUPPORTING)));
    let untick = Progress { ticks: vec![(first, false)], ..Progress::default() };
    world.take(advance(&world, untick, &manager(HOME))).unwrap();
    assert_eq!(world.transfer("t-p-1").checklist[0].done_at, None);
    let unknown = crate::ids::Label::parse("tea").unwrap();
    let tick = Progress { ticks: vec![(unknown, true)], ..Progress::default() };
    assert_eq!(world.take(advance(&world, tick, &manager(HOME))), Err("NO_SUCH_ITEM"));
    assert_eq!(world.take(advance(&world, Progress::default(), &manager("ZA3"))), Err("WRONG_SIDE"));
    assert_eq!(world.take(advance(&world, Progress::default(), &gold())), Err("WRONG_SIDE"));
}
