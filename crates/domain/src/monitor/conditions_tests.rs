use super::*;
use crate::monitor::alarm::{Act, Since, decide};
use crate::monitor::rules::AlertPolicy;
use crate::region::file;
use crate::test_world::*;
use crate::transfer::{ReturnPlan, Transfer, TransferState};

fn vale() -> Region {
    let region = file::parse(
        "[region]\nid = \"ZA\"\nname = \"North Vale\"\ntimezone = \"Europe/London\"\n\
         [[trust]]\nods = \"ZA1\"\nname = \"Aldermoor\"\n[[trust]]\nods = \"ZA2\"\nname = \"Brackwater\"\n",
    );
    region.unwrap()
}

fn look(world: &World) -> Vec<Condition> {
    let region = vale();
    let situation = Situation::of(&region, &BTreeMap::new(), &world.records, world.at);
    of(&situation, &world.records, &region, &Outside::default())
}

fn levels(world: &World, rule: Rule) -> Vec<(String, i64)> {
    let of_rule = look(world).into_iter().filter(|one| one.rule == rule);
    of_rule.map(|one| (one.cause, one.level)).collect()
}

#[test]
fn pressure_and_the_regions_net_are_levels() {
    // Six free at ZA1, three needed at ZA2.
    let world = World::with(10, 4, 3);
    assert_eq!(levels(&world, Rule::TrustPressure), [("ZA2 BED/GA_ADULT".to_owned(), 4)]);
    assert_eq!(levels(&world, Rule::RegionNet), [("BED/GA_ADULT".to_owned(), -3)]);
    let short = World::with(10, 9, 3);
    assert_eq!(levels(&short, Rule::RegionNet), [("BED/GA_ADULT".to_owned(), 2)]);
}

#[test]
fn a_silent_trust_is_told_by_the_age_of_its_newest_report() {
    let mut world = World::with(10, 4, 1);
    assert_eq!(levels(&world, Rule::FeedSilent), [("ZA1".to_owned(), 0)]);
    let cadence = world.offer("o-1").cadence.as_mins();
    world.wait(cadence + 1);
    assert_eq!(levels(&world, Rule::FeedSilent), [("ZA1".to_owned(), 1)]);
    world.wait(cadence);
    assert_eq!(levels(&world, Rule::FeedSilent), [("ZA1".to_owned(), 2)]);
    let told = look(&world);
    assert!(
        told.iter().any(|one| one.text == "Aldermoor is silent. 1 offer is stale and not proposed."),
        "{told:?}"
    );
    // That the offer runs out is no report.
    let mut ran_out = world.offer("o-1").clone();
    ran_out.state = OfferState::Expired;
    world.records.put_offer(ran_out.clone());
    assert_eq!(levels(&world, Rule::FeedSilent), [("ZA1".to_owned(), 2)]);
    let told = look(&world);
    assert!(
        told.iter().any(|one| one.text == "Aldermoor is silent. No live offers of it are left."),
        "{told:?}"
    );
    ran_out.state = OfferState::Withdrawn;
    world.records.put_offer(ran_out);
    assert_eq!(levels(&world, Rule::FeedSilent), [], "the trust itself has withdrawn it");
}

#[test]
fn a_need_alarms_before_its_needed_by_and_is_told_when_it_went_unmet() {
    let mut world = World::with(10, 4, 1);
    let mut need = world.need("n-1").clone();
    need.needed_by = Some(world.at + minutes(30));
    world.records.put_need(need.clone());
    let cause = "n-1".to_owned();
    assert_eq!(levels(&world, Rule::NeedUnserved), [(cause.clone(), -30)]);
    let told = |world: &World| {
        look(world).into_iter().find(|one| one.rule == Rule::NeedUnserved).map(|one| one.text)
    };
    let waits = "Brackwater: a need for General and acute, adult waits, and nothing is proposed.";
    assert_eq!(told(&world).as_deref(), Some(waits));

    // While something is proposed it is nobody's alarm.
    need.units_proposed = crate::quantity::Count::ONE;
    world.records.put_need(need.clone());
    assert_eq!(levels(&world, Rule::NeedUnserved), []);

    // For what it has too little of, it is; and the next patient is a cause of its own.
    need.units = crate::quantity::Count::new(3);
    world.records.put_need(need.clone());
    let mut second = new_need("ZA2", "n-2", 1, world.at);
    second.needed_by = Some(world.at + minutes(10));
    world.records.put_need(second.clone());
    assert_eq!(levels(&world, Rule::NeedUnserved), [(cause.clone(), -30), ("n-2".to_owned(), -10)]);
    assert!(told(&world).unwrap().ends_with("nothing is proposed for 2 of 3."), "{:?}", told(&world));
    second.state = NeedState::Withdrawn;
    world.records.put_need(second);
    need.units = crate::quantity::Count::ONE;

    // The engine ends a need at its needed-by; it is told for an hour.
    need.units_proposed = crate::quantity::Count::ZERO;
    need.state = NeedState::Unmet;
    world.records.put_need(need);
    world.wait(30 + 60);
    assert_eq!(levels(&world, Rule::NeedUnserved), [(cause, 60)]);
    assert!(told(&world).unwrap().ends_with(" went unmet."), "{:?}", told(&world));
    world.at += minutes(1);
    assert_eq!(levels(&world, Rule::NeedUnserved), []);
}

#[test]
fn a_need_without_a_needed_by_alarms_by_the_breach_of_its_band() {
    let mut world = World::with(10, 4, 1);
    let mut need = world.need("n-1").clone();
    (need.needed_by, need.priority) = (None, crate::need::Priority::P1A);
    need.listed_at = world.at - minutes(24 * 60 + 5);
    world.records.put_need(need.clone());
    assert_eq!(levels(&world, Rule::NeedUnserved), [("n-1".to_owned(), 5)]);
    // Planned work that came late is a backlog; what becomes late here is told.
    need.priority = crate::need::Priority::P2;
    need.listed_at = world.at - minutes(672 * 60 + 5);
    world.records.put_need(need.clone());
    assert_eq!(levels(&world, Rule::NeedUnserved), []);
    need.raised_at = Some(world.at - minutes(60));
    world.records.put_need(need);
    assert_eq!(levels(&world, Rule::NeedUnserved), [("n-1".to_owned(), 5)]);
}

/// Looks once a minute until the rule about needs alarms, for a day at most.
fn first_alarm(world: &mut World, policy: &AlertPolicy) -> Option<Timestamp> {
    let mut since = Since::default();
    for _ in 0..24 * 60 {
        let acts = decide(&look(world), &[], policy, &mut since, world.at);
        let is_told = |act: &Act| matches!(act, Act::Raise(found, _) if found.rule == Rule::NeedUnserved);
        if acts.iter().any(is_told) {
            return Some(world.at);
        }
        world.at += minutes(1);
        let mut need = world.need("n-1").clone();
        if need.needed_by.is_some_and(|by| by < world.at) {
            // The engine ends it then.
            need.state = NeedState::Unmet;
            world.records.put_need(need);
        }
    }
    None
}

#[test]
fn when_gold_is_told_of_a_need_is_when_the_rule_alarms() {
    let mut region = vale();
    for (enter, held, needed_in) in [
        (-60, 0, Some(120)),
        (-60, 10, Some(120)),
        (0, 0, Some(30)),
        (30, 0, Some(60)),
        (60, 0, Some(60)),
        (61, 0, Some(60)),
        (-60, 0, None),
    ] {
        let mut world = World::with(10, 4, 1);
        let line = &mut region.policy.alerts.need_unserved;
        (line.enter, line.clear, line.minutes) = (enter, enter - 30, held);
        let mut need = world.need("n-1").clone();
        need.needed_by = needed_in.map(|later| world.at + minutes(later));
        need.priority = crate::need::Priority::P1A;
        need.listed_at = world.at - minutes(22 * 60);
        world.records.put_need(need.clone());
        let promised = told_at(&need, &region);
        let told = first_alarm(&mut world, &region.policy.alerts);
        assert_eq!(told, promised, "at {enter}, held {held}, needed in {needed_in:?}");
        assert_eq!(told.is_some(), enter < 61, "at {enter}");
    }
}

#[test]
fn no_time_is_promised_where_nobody_would_be_told() {
    let (world, mut region) = (World::with(10, 4, 1), vale());
    let mut need = world.need("n-1").clone();
    need.needed_by = Some(world.at + minutes(120));
    assert_eq!(told_at(&need, &region), Some(world.at + minutes(60)));
    need.state = NeedState::OnHold;
    assert_eq!(told_at(&need, &region), None, "it is parked");
    need.state = NeedState::Open;
    need.units_proposed = need.units;
    assert_eq!(told_at(&need, &region), None, "somebody is asked");
    need.units_proposed = crate::quantity::Count::ZERO;
    region.policy.alerts.need_unserved.on = false;
    assert_eq!(told_at(&need, &region), None, "the rule is off");
}

#[test]
fn the_hour_before_begins_at_the_hour() {
    let mut world = World::with(10, 4, 1);
    let mut need = world.need("n-1").clone();
    need.needed_by = Some(world.at + minutes(61) - SignedDuration::from_secs(1));
    world.records.put_need(need);
    assert_eq!(levels(&world, Rule::NeedUnserved), [("n-1".to_owned(), -61)]);
    world.at += SignedDuration::from_secs(59);
    assert_eq!(levels(&world, Rule::NeedUnserved), [("n-1".to_owned(), -60)]);
}

#[test]
fn an_overdue_transfer_names_all_its_trusts() {
    let mut world = World::with(10, 4, 1);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    assert_eq!(levels(&world, Rule::TransferOverdue), []);
    world.at = world.transfer("t-p-1").due_at + minutes(5);
    let told = look(&world);
    let overdue = told.iter().find(|one| one.rule == Rule::TransferOverdue).unwrap();
    assert_eq!((overdue.level, overdue.trusts.len()), (5, 2));
}

#[test]
fn a_return_is_overdue_from_its_own_day_and_told_to_both_trusts() {
    let mut world = World::with(10, 4, 1);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    let mut moved = world.transfer("t-p-1").clone();
    let overdue = |world: &mut World, transfer: &Transfer| {
        world.records.put_transfer(transfer.clone());
        let told = look(world);
        told.into_iter()
            .find(|one| one.rule == Rule::TransferOverdue)
            .map(|one| (one.level, one.text, one.trusts.len()))
    };
    moved.state = TransferState::Arrived;
    world.at = moved.due_at + minutes(60);
    assert_eq!(overdue(&mut world, &moved), None, "it is there");
    moved.state = TransferState::Completed;
    moved.return_plan = Some(ReturnPlan { due_at: None, note: note("the day is open") });
    assert_eq!(overdue(&mut world, &moved), None, "no day is agreed");
    let day = world.at + minutes(30);
    moved.return_plan = Some(ReturnPlan { due_at: Some(day), note: note("in half an hour") });
    assert_eq!(overdue(&mut world, &moved), None, "not yet");
    world.at = day + minutes(7);
    let (level, text, trusts) = overdue(&mut world, &moved).unwrap();
    assert_eq!((level, trusts), (7, 2));
    assert!(text.starts_with("Overdue: the way back of 1 ×"), "{text}");
}

#[test]
fn an_offer_that_is_short_is_told_to_whom_it_was_promised() {
    let mut world = World::with(1, 0, 1);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    assert_eq!(levels(&world, Rule::OfferShort), []);
    world.publish("o-1", report("ZA1", "ward 1", 0, 0, world.at));
    let told = look(&world);
    let short = told.iter().find(|one| one.rule == Rule::OfferShort).unwrap();
    assert_eq!((short.level, short.subjects.as_slice()), (1, &["o-1".to_owned()][..]));
    let trusts: Vec<String> = short.trusts.iter().map(ToString::to_string).collect();
    assert_eq!(trusts, ["ZA1", "ZA2"]);
}

#[test]
fn what_is_kept_of_a_moment_tells_the_same_as_the_moment() {
    let world = World::with(10, 9, 3);
    let region = file::parse(
        "[region]\nid = \"ZA\"\nname = \"North Vale\"\ntimezone = \"Europe/London\"\n\
         [[trust]]\nods = \"ZA1\"\nname = \"Aldermoor\"\n[[trust]]\nods = \"ZA2\"\nname = \"Brackwater\"\n",
    );
    let situation = Situation::of(&region.unwrap(), &BTreeMap::new(), &world.records, world.at);
    let kept = of_rollup(&Rollup::of_hour(&situation, world.at, None));
    let live = look(&world);
    for rule in [Rule::TrustPressure, Rule::RegionNet, Rule::FeedSilent] {
        let of = |all: &[Condition]| -> Vec<(String, i64)> {
            all.iter()
                .filter(|one| one.rule == rule && one.level != 0)
                .map(|one| (one.cause.clone(), one.level))
                .collect()
        };
        assert_eq!(of(&kept), of(&live), "{rule}");
    }
}

#[test]
fn what_is_the_matter_beside_the_records_is_told_too() {
    let outside = Outside { store_caveat: "The store is not checked.".into(), unreadable: 2 };
    let region =
        file::parse("[region]\nid = \"ZA\"\nname = \"North Vale\"\ntimezone = \"Europe/London\"\n").unwrap();
    let situation = Situation::of(&region, &BTreeMap::new(), &Records::default(), monday());
    let told = of(&situation, &Records::default(), &region, &outside);
    let levels: Vec<(Rule, i64)> = told.iter().map(|one| (one.rule, one.level)).collect();
    assert_eq!(levels, [(Rule::RecordUnreadable, 2), (Rule::StoreCaveat, 1)]);
}

#[test]
fn what_takes_two_people_is_told_while_it_waits_and_until_it_is_reviewed() {
    use crate::action::{CONFIRM_WITHIN, Errand, OverrideReason};
    use crate::decide::action;
    use crate::ids::ActionId;

    let region =
        file::parse("[region]\nid = \"ZA\"\nname = \"North Vale\"\ntimezone = \"Europe/London\"\n").unwrap();
    let asked = monday();
    let waiting = Action {
        id: ActionId::parse("a-1").unwrap(),
        errand: Errand::Bypass { proposal: proposal_id("p-1"), because: note("flooded ward") },
        trusts: vec!["ZA1".parse().unwrap()],
        code: Some(OverrideReason::RiskToLife),
        reason: note("flooded ward"),
        proposed_by: gold(),
        proposed_at: asked,
        expires_at: asked + CONFIRM_WITHIN,
        previous: None,
        confirmed: None,
        refused: None,
        reviewed: None,
    };
    let look = |one: &Action, at: Timestamp| -> Vec<(Rule, String, i64)> {
        let told = of_actions(std::iter::once(one), &region, &|at| at.to_string(), at);
        assert!(told.iter().all(|one| one.trusts == waiting.trusts && one.subjects == ["a-1", "p-1"]));
        told.into_iter().map(|one| (one.rule, one.cause, one.level)).collect()
    };
    let of = |rule, cause: &str, level| (rule, cause.to_owned(), level);
    assert_eq!(look(&waiting, asked + minutes(7)), [of(Rule::ActionWaits, "a-1", 7)]);
    assert_eq!(look(&waiting, waiting.expires_at), [], "nobody confirmed it in time");
    let by = actor("icb", crate::actor::Role::Icb, None);
    let refused = action::refuse(&waiting, &by, &note("the ward is dry"), asked).unwrap();
    assert_eq!(look(&refused, asked), []);
    let review_by = asked + minutes(60);
    let done = action::confirm(&waiting, &by, asked, Some(review_by)).unwrap();
    assert_eq!(look(&done, review_by), [of(Rule::GlassBroken, "a-1", 1)]);
    let late = [of(Rule::GlassBroken, "a-1 late", 2), of(Rule::GlassBroken, "a-1", 1)];
    assert_eq!(look(&done, review_by + minutes(1)), late);
    let third = actor("lead", crate::actor::Role::LeadProvider, None);
    let reviewed = action::review(&done, &third, &note("it was right"), asked).unwrap();
    assert_eq!(look(&reviewed, review_by + minutes(1)), []);
}
