use crate::decide::offer::{self, OfferReport};
use crate::decide::proposal::{HomeReply, SupportingReply};
use crate::ids::OfferId;
use crate::offer::{OfferState, Source};
use crate::proposal::{Answer, ProposalState, SupportingDecline};
use crate::quantity::Count;
use crate::records::Records;
use crate::test_world::*;

const ALL: SupportingReply = SupportingReply::Accept { units: None };

impl World {
    fn report(&mut self, staffed: u32, occupied: u32) -> Result<(), &'static str> {
        self.report_with(|r| {
            r.staffed = staffed.into();
            r.occupied = occupied.into();
        })
    }

    /// Trust ZA1 publishes o-1 again, as it was but for what is changed.
    fn report_with(&mut self, change: impl FnOnce(&mut OfferReport)) -> Result<(), &'static str> {
        let mut report = OfferReport { reported_at: self.at, ..self.offer("o-1").clone().into() };
        change(&mut report);
        let by = manager("ZA1");
        self.take(offer::publish(&self.records, &offer_id("o-1"), report, false, &by, self.at))
    }

    fn adjust(&mut self, by: i64) -> Result<(), &'static str> {
        self.take(offer::adjust(&self.records, &offer_id("o-1"), by, &manager("ZA1"), self.at))
    }

    fn withdraw(&mut self) -> Result<(), &'static str> {
        let (id, by) = (offer_id("o-1"), manager("ZA1"));
        self.take(offer::withdraw(&self.records, &id, &note("ward closes"), &by, self.at))
    }
}

#[test]
fn a_report_is_absolute_and_leaves_held_and_committed_alone() {
    let mut world = World::with(10, 4, 3);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    world.propose("p-2", "n-1", "o-1", 1).unwrap();
    world.report(9, 5).unwrap();
    //                                 staffed occupied blocked held committed free short
    assert_eq!(world.account("o-1"), [9, 5, 0, 1, 1, 2, 0]);
}

#[test]
fn what_was_said_of_a_sessions_release_stands_until_something_else_is_said() {
    let mut world = World::with(10, 4, 3);
    let week = Some(world.at + minutes(600));
    let silent = |report: &mut OfferReport| (report.release_at, report.release_week) = (None, week);
    world.records.offers.get_mut(&offer_id("o-1")).unwrap().window.from = Some(world.at + minutes(900));
    world.report_with(silent).unwrap();
    assert_eq!(world.offer("o-1").release_at, week, "the trust's rhythm");
    // Somebody releases it by hand, and the feed goes on reporting.
    let by_hand = Some(world.at);
    world.report_with(|report| report.release_at = by_hand).unwrap();
    world.at += minutes(5);
    world.report_with(silent).unwrap();
    assert_eq!(world.offer("o-1").release_at, by_hand);
    // The session of another day is another session.
    world
        .report_with(|report| {
            silent(report);
            report.window.from = Some(monday() + minutes(1000));
        })
        .unwrap();
    assert_eq!(world.offer("o-1").release_at, week);
}

#[test]
fn what_was_said_of_a_sessions_release_outlives_a_start_that_moves_within_its_day() {
    let mut world = World::with(10, 4, 3);
    let starts = world.at + minutes(900);
    let day = Some(starts - minutes(60)..starts + minutes(60));
    // The usual week has passed, or lies ahead: neither takes back what a person said.
    for (usual, by_hand) in [(None, world.at + minutes(300)), (Some(world.at + minutes(600)), world.at)] {
        world.records.offers.get_mut(&offer_id("o-1")).unwrap().window.from = Some(starts);
        world.report_with(|report| report.release_at = Some(by_hand)).unwrap();
        let moves = |report: &mut OfferReport, by: i64| {
            (report.release_at, report.release_week, report.day) = (None, usual, day.clone());
            report.window.from = Some(starts + minutes(by));
        };
        for by in [15, -60, 59] {
            world.at += minutes(5);
            world.report_with(|report| moves(report, by)).unwrap();
            assert_eq!(world.offer("o-1").release_at, Some(by_hand), "{by}");
        }
        world.at += minutes(5);
        let other = Some(starts + minutes(60)..starts + minutes(180));
        let of_next_day = |report: &mut OfferReport| {
            moves(report, 75);
            report.day = other;
        };
        world.report_with(of_next_day).unwrap();
        assert_eq!(world.offer("o-1").release_at, usual, "another session");
    }
}

#[test]
fn the_usual_release_week_is_nobodys_word_and_follows_what_is_usual() {
    let mut world = World::with(10, 4, 3);
    let starts = world.at + minutes(900);
    world.records.offers.get_mut(&offer_id("o-1")).unwrap().window.from = Some(starts);
    // Five weeks become two, and then none.
    for usual in [Some(world.at + minutes(300)), Some(world.at + minutes(600)), None] {
        let silent = |report: &mut OfferReport| (report.release_at, report.release_week) = (None, usual);
        world.report_with(silent).unwrap();
        assert_eq!(world.offer("o-1").release_at, usual);
    }
}

#[test]
fn a_generation_counts_other_things_and_more_free_and_no_mere_report() {
    let mut world = World::with(10, 4, 1);
    let generation = |world: &World| world.offer("o-1").generation;
    world.report(10, 4).unwrap();
    world.report(10, 5).unwrap();
    assert_eq!(generation(&world), 0, "the same, or fewer free");
    world.report(10, 4).unwrap();
    assert_eq!(generation(&world), 1, "more free");
    world.report_with(|r| r.capabilities = vec![crate::ids::Label::parse("isolation").unwrap()]).unwrap();
    assert_eq!(generation(&world), 2, "capabilities");
    world.report_with(|r| r.limits.age_min = Some(18)).unwrap();
    assert_eq!(generation(&world), 3, "limits");
    world.report_with(|r| r.team.staffed = false).unwrap();
    assert_eq!(generation(&world), 4, "team");
    world.report_with(|r| r.window.until += minutes(60)).unwrap();
    assert_eq!(generation(&world), 5, "window");
    world.report_with(|r| r.note = note("quiet")).unwrap();
    world.adjust(-1).unwrap();
    assert_eq!(generation(&world), 5, "a remark, or fewer free");
    world.adjust(1).unwrap();
    assert_eq!(generation(&world), 6, "more free by hand");
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world
        .support("p-1", SupportingReply::Decline { code: SupportingDecline::CaseMix, set_free: None })
        .unwrap();
    assert_eq!(generation(&world), 6, "units that come back from a hold");
}

#[test]
fn an_adjustment_moves_free_by_exactly_its_number() {
    for (staffed, occupied, by, expected) in [
        (10, 4, 1, [10, 3, 0, 0, 0, 7, 0]),
        (10, 4, -1, [10, 5, 0, 0, 0, 5, 0]),
        (10, 1, 3, [12, 0, 0, 0, 0, 12, 0]),
        (3, 0, 2, [5, 0, 0, 0, 0, 5, 0]),
        (3, 0, -4, [3, 4, 0, 0, 0, 0, 1]),
    ] {
        let mut world = World::with(staffed, occupied, 1);
        world.adjust(by).unwrap();
        assert_eq!(world.account("o-1"), expected, "{staffed}/{occupied} by {by}");
        assert_eq!(world.offer("o-1").source, Source::Adjustment);
    }
    assert_eq!(World::with(3, 0, 1).adjust(i64::from(u32::MAX) + 1), Err("OUT_OF_RANGE"));
    assert_eq!(World::with(3, 0, 1).adjust(i64::MIN), Err("OUT_OF_RANGE"));
}

#[test]
fn too_few_units_release_unanswered_holds_first_newest_first_then_answered_never_committed() {
    let mut world = World::with(5, 0, 9);
    world.propose("p-0", "n-1", "o-1", 1).unwrap();
    world.agree("p-0");
    for id in ["p-1", "p-2", "p-3", "p-4"] {
        world.wait(1);
        world.propose(id, "n-1", "o-1", 1).unwrap();
    }
    world.support("p-4", ALL).unwrap();
    world.home("p-2", HomeReply::Accept { units: None }).unwrap();
    let states = |world: &World| ["p-1", "p-2", "p-3", "p-4"].map(|id| world.proposal(id).state);
    use ProposalState::{Declined, Held, Superseded};
    world.report(4, 0).unwrap();
    assert_eq!(states(&world), [Held, Held, Superseded, Held]);
    world.report(3, 0).unwrap();
    assert_eq!(states(&world), [Superseded, Held, Superseded, Held]);
    world.report(2, 0).unwrap();
    assert_eq!(states(&world), [Superseded, Held, Superseded, Declined]);
    let gone = Answer::Declined(SupportingDecline::CapacityChanged);
    assert_eq!(world.proposal("p-4").supporting.answer, gone);
    assert!(world.records.declines.contains_key(&(need_id("n-1"), offer_id("o-1"))));
    world.report(0, 0).unwrap();
    assert_eq!(world.account("o-1"), [0, 0, 0, 0, 1, 0, 1]);
    assert_eq!(world.gauges("n-1"), [0, 1, 0]);
}

#[test]
fn a_report_is_refused_only_for_its_time() {
    let mut world = World::with(10, 4, 1);
    let cadence = world.offer("o-1").cadence;
    world.wait(60 * 24 * 60);
    world.records.offers.get_mut(&offer_id("o-1")).unwrap().window.until = world.at + minutes(600);
    let at = world.at;
    let second = jiff::SignedDuration::from_secs(1);
    assert_eq!(world.report_with(|r| r.reported_at = at - cadence - cadence - second), Err("SOURCE_STALE"));
    assert_eq!(world.report_with(|r| r.reported_at = at + second * 61), Err("SOURCE_AHEAD"));
    world.report_with(|r| r.reported_at = at - cadence - cadence).unwrap();
    world.report_with(|r| r.reported_at = at + second * 60).unwrap();
    assert_eq!(world.report(10, 4), Err("OUT_OF_ORDER_FEED"));
    world
        .report_with(|r| {
            r.source = Source::Sheet;
            r.reported_at = at - second;
        })
        .unwrap();
    assert_eq!(world.offer("o-1").reported_at, at - second);
    assert_eq!(world.report_with(|r| r.window.until = at), Err("WINDOW"));
}

#[test]
fn a_clock_that_was_ahead_and_is_set_right_keeps_nobody_from_reporting() {
    let mut world = World::with(10, 4, 1);
    let right = world.at;
    world.at = right + minutes(20);
    world.report(9, 4).unwrap();
    world.at = right + jiff::SignedDuration::from_mins(19);
    assert_eq!(world.report(8, 4), Err("OUT_OF_ORDER_FEED"), "a minute: clocks differ");
    world.at = right;
    world.report(8, 4).unwrap();
    assert_eq!(world.offer("o-1").reported_at, right);
}

#[test]
fn a_large_change_within_five_minutes_is_confirmed() {
    let mut world = World::with(30, 10, 1);
    assert_eq!(world.report(31, 0), Err("LARGE_CHANGE"), "20 usable to 31: more than half and than ten");
    world.report(30, 0).unwrap();
    world.report(30, 1).unwrap();
    assert_eq!(world.report(32, 0), Err("LARGE_CHANGE"), "from 20, five minutes have not passed");
    assert_eq!(world.adjust(3), Err("LARGE_CHANGE"));
    world.wait(5);
    world.report(40, 0).unwrap();
    let report = OfferReport { staffed: Count::new(4), ..world.offer("o-1").clone().into() };
    let by = manager("ZA1");
    let id = offer_id("o-1");
    let confirmed = offer::publish(&world.records, &id, report, true, &by, world.at);
    world.take(confirmed).unwrap();
    assert_eq!(world.account("o-1")[0], 4);
    world.report(14, 0).unwrap();
    assert_eq!(world.account("o-1")[0], 14, "ten are not more than ten");
}

#[test]
fn withdrawing_supersedes_what_nobody_answered_and_refuses_the_rest_with_ids() {
    let mut world = World::with(5, 0, 3);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    world.propose("p-2", "n-1", "o-1", 1).unwrap();
    world.support("p-2", ALL).unwrap();
    world.propose("p-3", "n-1", "o-1", 1).unwrap();
    let refusal =
        offer::withdraw(&world.records, &offer_id("o-1"), &note(""), &manager("ZA1"), world.at).unwrap_err();
    assert_eq!(refusal.reason, "CAPACITY_COMMITTED");
    assert_eq!(refusal.numbers, [("proposals", "p-2".to_owned()), ("transfers", "t-p-1".to_owned())]);

    let mut world = World::with(5, 0, 3);
    world.propose("p-1", "n-1", "o-1", 2).unwrap();
    world.withdraw().unwrap();
    assert_eq!(world.offer("o-1").state, OfferState::Withdrawn);
    assert_eq!(world.proposal("p-1").state, ProposalState::Superseded);
    assert_eq!(world.proposal("p-1").ended_because, note("ward closes"));
    assert_eq!(world.gauges("n-1"), [0, 0, 0]);
    assert_eq!(world.withdraw(), Err("ILLEGAL_TRANSITION"));
}

#[test]
fn a_suspended_offer_takes_no_new_holds_and_opens_at_its_time() {
    let mut world = World::with(5, 0, 3);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    let ids = [offer_id("o-1")];
    let until = Some(world.at + minutes(30));
    let by = manager("ZA1");
    world.take(offer::suspend(&world.records, &ids, until, &note("flood"), &by, world.at)).unwrap();
    assert_eq!(world.propose("p-2", "n-1", "o-1", 1), Err("ILLEGAL_TRANSITION"));
    world.agree("p-1");
    world.wait(29);
    assert_eq!(world.take(offer::resume(&world.records, &ids, &engine(), world.at)), Err("NOT_YET"));
    world.wait(1);
    world.take(offer::resume(&world.records, &ids, &engine(), world.at)).unwrap();
    world.propose("p-2", "n-1", "o-1", 1).unwrap();
    let past = Some(world.at);
    assert_eq!(
        world.take(offer::suspend(&world.records, &ids, past, &note(""), &by, world.at)),
        Err("WINDOW")
    );
}

#[test]
fn still_true_makes_a_stale_offer_fresh_and_nothing_else() {
    let mut world = World::with(5, 0, 1);
    let mut before = world.offer("o-1").clone();
    world.wait(60 * 24 * 41);
    world.records.offers.get_mut(&offer_id("o-1")).unwrap().window.until = world.at + minutes(600);
    before.window.until = world.at + minutes(600);
    assert_eq!(world.propose("p-1", "n-1", "o-1", 1), Err("STALE"));
    let ids = [offer_id("o-1")];
    world.take(offer::confirm(&world.records, &ids, &manager("ZA1"), world.at)).unwrap();
    let after = world.offer("o-1");
    assert_eq!((after.figures, after.generation), (before.figures, before.generation));
    assert_eq!((after.reported_at, after.source), (world.at, Source::Person));
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
}

fn replace(world: &World, keys: &[(&str, u32)]) -> Result<offer::Replaced, &'static str> {
    let items = keys
        .iter()
        .map(|(key, staffed)| {
            let fresh = offer_id(&format!("fresh-{}", key.replace(' ', "-")));
            (
                fresh,
                OfferReport {
                    window: world.offer("o-1").window,
                    ..report("ZA1", key, *staffed, 0, world.at)
                },
            )
        })
        .collect();
    let scope = ("ZA1".parse().unwrap(), "ZA101".parse().unwrap());
    let kinds = [crate::resource::ResourceKind::Bed];
    offer::replace(&world.records, scope, &kinds, items, false, &manager("ZA1"), world.at)
        .map_err(|r| r.reason)
}

#[test]
fn a_whole_state_adds_changes_withdraws_and_suspends_what_is_promised() {
    let mut world = World::with(5, 0, 2);
    world.publish("o-2", report("ZA1", "ward 2", 3, 0, world.at));
    world.publish("o-3", report("ZA1", "ward 3", 3, 0, world.at));
    world.publish("o-4", report("ZA1", "ward 4", 3, 0, world.at));
    world.propose("p-2", "n-1", "o-2", 1).unwrap();
    world.agree("p-2");
    world.wait(5);
    let replaced = replace(&world, &[("ward 1", 5), ("ward 3", 4), ("ward 5", 6)]).unwrap();
    let ids = |ids: &[OfferId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ids(&replaced.added), ["fresh-ward-5"]);
    assert_eq!(ids(&replaced.changed), ["o-3"]);
    assert_eq!(ids(&replaced.unchanged), ["o-1"]);
    assert_eq!(ids(&replaced.withdrawn), ["o-4"]);
    assert_eq!(ids(&replaced.suspended), ["o-2"]);
    world.take(Ok(replaced.changes)).unwrap();
    assert!(world.offer("o-2").suspension.as_ref().is_some_and(|s| s.left_out));

    world.wait(5);
    let replaced = replace(&world, &[("ward 1", 5), ("ward 2", 3), ("ward 3", 4), ("ward 5", 6)]).unwrap();
    world.take(Ok(replaced.changes)).unwrap();
    assert_eq!(world.offer("o-2").state, OfferState::Open, "named again, it opens");

    assert_eq!(replace(&world, &[("ward 1", 5), ("ward 1", 6)]), Err("DUPLICATE"));
}

#[test]
fn a_state_cut_short_is_not_believed() {
    let mut world = World::with(5, 0, 1);
    for n in 2..=13 {
        world.publish(&format!("o-{n}"), report("ZA1", &format!("ward {n}"), 3, 0, world.at));
    }
    assert_eq!(replace(&world, &[("ward 1", 5), ("ward 2", 3)]), Err("LARGE_CHANGE"));
    assert!(replace(&world, &[("ward 1", 5), ("ward 2", 3), ("ward 3", 3)]).is_ok());
}

#[test]
fn an_offer_ends_with_its_window_closed_when_all_was_used() {
    for (occupied, expected) in [(5, OfferState::Closed), (4, OfferState::Expired)] {
        let mut world = World::with(5, occupied, 1);
        let expire = |world: &World| offer::expire(&world.records, &offer_id("o-1"), &engine(), world.at);
        assert_eq!(world.take(expire(&world)), Err("NOT_YET"));
        world.at = world.offer("o-1").window.until;
        world.take(expire(&world)).unwrap();
        assert_eq!(world.offer("o-1").state, expected);
        assert_eq!(world.report(5, 5), Err("WINDOW"));
    }
}

#[test]
fn another_thing_is_not_what_was_promised() {
    let mut world = World::with(5, 0, 2);
    let critical = || resource(crate::resource::ResourceKind::Bed, "MATERNITY");
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.report_with(|r| r.resource = critical()).unwrap();
    assert_eq!(world.proposal("p-1").state, ProposalState::Superseded);
    let mut world = World::with(5, 0, 2);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.support("p-1", ALL).unwrap();
    assert_eq!(world.report_with(|r| r.resource = critical()), Err("CAPACITY_COMMITTED"));
}

#[test]
fn nobody_speaks_for_another_trust() {
    let world = World::with(5, 0, 1);
    let ids = [offer_id("o-1")];
    let reason = |r: Result<Records, crate::refusal::Refusal>| r.map_err(|r| r.reason);
    for stranger in [manager("ZA2"), gold(), engine()] {
        let mine = world.offer("o-1").clone();
        let publish = offer::publish(&world.records, &ids[0], mine.into(), false, &stranger, world.at);
        assert_eq!(reason(publish), Err("WRONG_SIDE"), "{stranger:?}");
        let new = report("ZA1", "ward 9", 3, 0, world.at);
        let publish = offer::publish(&world.records, &offer_id("o-9"), new, false, &stranger, world.at);
        assert_eq!(reason(publish), Err("WRONG_SIDE"));
        assert_eq!(reason(offer::adjust(&world.records, &ids[0], 1, &stranger, world.at)), Err("WRONG_SIDE"));
        assert_eq!(reason(offer::confirm(&world.records, &ids, &stranger, world.at)), Err("WRONG_SIDE"));
    }
}

#[test]
fn records_that_do_not_add_up_are_read_again() {
    let mut world = World::with(5, 0, 2);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.records.proposals.clear();
    let withdrawn = offer::withdraw(&world.records, &offer_id("o-1"), &note(""), &manager("ZA1"), world.at);
    assert_eq!(withdrawn.map_err(|r| r.reason), Err("CHANGED_MEANWHILE"));
}

/// Somebody asks of o-1 whether it is still true, for n-1.
fn ask(world: &mut World, by: &crate::actor::Actor) -> Result<(), &'static str> {
    let (ids, need, wait) = ([offer_id("o-1")], need_id("n-1"), minutes(15));
    world.take(offer::ask(&world.records, &ids, Some(&need), wait, by, world.at))
}

#[test]
fn a_question_stands_on_the_offer_until_it_is_reported() {
    let mut world = World::with(10, 4, 1);
    let (theirs, fresh_days) = (manager("ZA2"), 20 * 24 * 60);
    ask(&mut world, &theirs).unwrap();
    assert_eq!(world.offer("o-1").recent.asked, [], "what is fresh is not asked about");
    world.wait(fresh_days + 1);
    assert_eq!(ask(&mut world, &manager("ZA1")), Err("WRONG_SIDE"));
    let before = world.offer("o-1").clone();
    ask(&mut world, &theirs).unwrap();
    let asked = world.offer("o-1").recent.asked.clone();
    assert_eq!((asked.len(), asked[0].need.as_ref()), (1, Some(&need_id("n-1"))));
    let mut without = world.offer("o-1").clone();
    without.recent.asked.clear();
    assert_eq!(without, before, "a question changes nothing else");
    // Again too soon; somebody else, and later on, may.
    world.wait(14);
    assert_eq!(ask(&mut world, &theirs), Err("RATE_LIMITED"));
    ask(&mut world, &gold()).unwrap();
    world.wait(1);
    ask(&mut world, &theirs).unwrap();
    let asked = &world.offer("o-1").recent.asked;
    assert_eq!(asked.iter().map(|one| one.by.trust).collect::<Vec<_>>(), [None, theirs.trust]);
    let at = world.at;
    world.take(offer::confirm(&world.records, &[offer_id("o-1")], &manager("ZA1"), at)).unwrap();
    assert_eq!(world.offer("o-1").recent.asked, []);
}

#[test]
fn an_offer_remembers_a_bounded_number_of_askers() {
    let mut world = World::with(10, 4, 1);
    world.wait(20 * 24 * 60 + 1);
    for n in 0..offer::ASKERS_MAX + 3 {
        let by = actor(&format!("board-{n}"), crate::actor::Role::Icb, None);
        ask(&mut world, &by).unwrap();
    }
    let asked = &world.offer("o-1").recent.asked;
    assert_eq!((asked.len(), asked[0].by.subject.as_str()), (offer::ASKERS_MAX, "board-3"));
}
