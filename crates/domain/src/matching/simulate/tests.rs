//! What-ifs on small records, and what holds of them on any.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::matching::examples::{after, need, offer, problem, region, resource};
use crate::matching::solve::certify;
use crate::need::{Need, Priority};
use crate::offer::{Offer, OfferState};

const SEARCH: Search = Search { budget: 200, seed: 1 };

fn beds() -> Resource {
    resource(ResourceKind::Bed, "GA_ADULT")
}

fn trust(code: &str) -> TrustCode {
    code.parse().unwrap()
}

fn of(id: &str, at: &str, free: u32) -> Offer {
    let mut one = offer(id);
    (one.trust, one.site) = (trust(at), format!("{at}01").parse().unwrap());
    one.figures.staffed = free.into();
    one
}

fn units(at: &str, by: i32) -> Change {
    Change::Units { trust: trust(at), resource: beds(), by, until: None }
}

fn tried(base: &Problem, changes: &[Change]) -> WhatIf {
    let what_if = simulate(base, &[], changes, SEARCH, &mut || false).unwrap();
    let plan = solve(&what_if.trial, None, SEARCH.budget, SEARCH.seed, &mut || false);
    certify(&what_if.trial, &plan).unwrap();
    what_if
}

fn moves(what_if: &WhatIf) -> Vec<String> {
    let name = |offer: &Option<OfferId>| offer.as_ref().map_or("none".to_owned(), ToString::to_string);
    let one =
        |m: &PlacementChange| format!("{} {}: {} -> {}", m.need, m.units, name(&m.before), name(&m.after));
    what_if.changed.iter().map(one).collect()
}

fn misfit(base: &Problem, change: Change) -> String {
    simulate(base, &[], &[units("BBB", 1), change], SEARCH, &mut || false).unwrap_err().to_string()
}

#[test]
fn nothing_changes_when_nothing_is_changed() {
    let base = problem(region(), vec![need("n1"), need("n2")], vec![of("o1", "BBB", 1)]);
    let same = tried(&base, &[]);
    assert_eq!(same.before, same.after);
    assert_eq!((same.changed.len(), same.worse_off.len(), same.remarks.len()), (0, 0, 0));
    assert_eq!(
        (same.before.placed, same.before.unserved, same.before.median_travel_minutes),
        (1, 1, Some(32))
    );
}

#[test]
fn more_units_serve_more_and_leave_the_base_as_it_was() {
    let base = problem(region(), vec![need("n1"), need("n2")], vec![of("o1", "BBB", 1)]);
    let more = tried(&base, &[units("BBB", 3)]);
    assert_eq!((more.before.placed, more.after.placed, more.after.unserved), (1, 2, 0));
    assert_eq!(moves(&more), ["n2 1: none -> simulated-1"]);
    assert_eq!(more.worse_off, [WorseOff::GivesMore { trust: trust("BBB"), units: 1 }]);
    let added = more.trial.offers.iter().find(|offer| offer.id.as_str() == "simulated-1").unwrap();
    assert_eq!((added.figures.free().get(), added.window.until), (3, after(86_400)), "like its neighbour");
    assert_eq!(base.offers.len(), 1);
}

#[test]
fn fewer_units_go_from_what_is_free_and_what_stands_stays() {
    let mut held = of("o1", "BBB", 3);
    held.figures.held = 1.into();
    let base = problem(region(), vec![need("n1"), need("n2")], vec![held, of("o2", "BBB", 0)]);
    let fewer = tried(&base, &[units("BBB", -5)]);
    assert_eq!(fewer.remarks, [Remark::FewerFree { change: 0, asked: 5, taken: 2 }]);
    assert_eq!(moves(&fewer), ["n1 1: o1 -> none", "n2 1: o1 -> none"]);
    let lost = |id: &str| WorseOff::Unplaced { need: NeedId::parse(id).unwrap(), units: 1 };
    assert_eq!(fewer.worse_off, [lost("n1"), lost("n2")]);
    let figures = fewer.trial.offers[0].figures;
    assert_eq!((figures.held.get(), figures.free().get(), figures.short()), (1, 0, 0));
}

#[test]
fn a_closed_site_sends_its_needs_farther() {
    let base = problem(region(), vec![need("n1")], vec![of("near", "BBB", 1), of("far", "CCC", 1)]);
    let closed = tried(&base, &[Change::CloseSite("BBB01".parse().unwrap())]);
    assert_eq!(moves(&closed), ["n1 1: near -> far"]);
    let minutes = closed.after.median_travel_minutes.unwrap() - closed.before.median_travel_minutes.unwrap();
    let farther = WorseOff::Farther { need: NeedId::parse("n1").unwrap(), minutes };
    assert_eq!(closed.worse_off, [farther, WorseOff::GivesMore { trust: trust("CCC"), units: 1 }]);
}

#[test]
fn each_change_does_what_it_says() {
    let mut stale = of("stale", "BBB", 1);
    stale.reported_at = after(-8_000);
    let base = problem(region(), vec![need("n1")], vec![stale]);
    let back = tried(&base, &[Change::FeedReturns(trust("BBB"))]);
    assert_eq!((back.before.placed, back.after.placed), (0, 1));

    let near = Need { max_travel_minutes: Some(10), ..need("n1") };
    let base = problem(region(), vec![near], vec![of("o1", "BBB", 1)]);
    let limit = |minutes| tried(&base, &[Change::TravelLimit(minutes)]).after.placed;
    assert_eq!((limit(31), limit(32)), (0, 1));

    let base = problem(region(), vec![need("n1")], vec![of("o1", "BBB", 1)]);
    let pressed = Change::Opel { trust: trust("BBB"), level: 4 };
    assert_eq!(tried(&base, std::slice::from_ref(&pressed)).after.placed, 0);
    let mut policy = Policy { opel_limit: 5, ..Policy::default() };
    let lenient = Change::Policy(Box::new(policy.clone()));
    assert_eq!(tried(&base, &[pressed.clone(), lenient]).after.placed, 1);
    // An incident's own limit holds once the mode is switched.
    policy.opel_limit = 4;
    policy.incident.opel_limit = Some(5);
    let of_incidents = Change::Policy(Box::new(policy));
    let incident =
        Change::Mode { collaborative: CollaborativeId::parse("all").unwrap(), mode: Mode::Incident };
    assert_eq!(tried(&base, &[pressed.clone(), of_incidents.clone()]).after.placed, 0);
    assert_eq!(tried(&base, &[pressed, of_incidents, incident]).after.placed, 1);
}

#[test]
fn what_has_no_effect_is_remarked() {
    let base = problem(region(), vec![need("n1")], vec![of("o1", "BBB", 1)]);
    let idle = tried(
        &base,
        &[
            Change::FeedReturns(trust("BBB")),
            Change::TravelLimit(60),
            Change::CloseSite("CCC01".parse().unwrap()),
            Change::Demand { resource: None, thousandths: 1_000 },
            Change::Policy(Box::new(base.region.policy.clone())),
        ],
    );
    let nothing = (0..5).map(|change| Remark::ChangesNothing { change });
    assert_eq!(idle.remarks, nothing.collect::<Vec<_>>());
    let mut held = of("o1", "BBB", 2);
    held.figures.held = 1.into();
    let base = problem(region(), vec![], vec![held]);
    let closed = tried(&base, &[Change::CloseSite("BBB01".parse().unwrap())]);
    assert_eq!(closed.remarks, [Remark::StandingStays { change: 0, units: 1 }]);
}

#[test]
fn a_change_that_does_not_fit_is_named() {
    let base = problem(region(), vec![], vec![]);
    let closed = Change::CloseSite("ZZZ01".parse().unwrap());
    assert_eq!(misfit(&base, closed), "changes[1].close_site must be a site of the region");
    assert_eq!(misfit(&base, units("ZZZ", 1)), "changes[1].units.trust must be a trust of the region");
    assert_eq!(misfit(&base, units("ZZZ", -1)), "changes[1].units.trust must be a trust of the region");
    let theatre = resource(ResourceKind::Theatre, "MAIN");
    let session = Change::Units { trust: trust("BBB"), resource: theatre, by: 240, until: None };
    assert!(misfit(&base, session).starts_with("changes[1].units.resource.specialties must name"));
    let past = Change::Units { trust: trust("BBB"), resource: beds(), by: 1, until: Some(after(0)) };
    assert!(misfit(&base, past).starts_with("changes[1].units.until must be after"));
    let many = vec![units("BBB", 1); CHANGES_MAX + 1];
    let error = simulate(&base, &[], &many, SEARCH, &mut || false).unwrap_err();
    assert_eq!(error.change, CHANGES_MAX);
}

#[test]
fn standing_proposals_count_as_placed_and_are_not_moved() {
    let standing =
        [Standing { need: NeedId::parse("n1").unwrap(), offer: OfferId::parse("o1").unwrap(), units: 2 }];
    let mut first = Need { units: 2.into(), units_proposed: 2.into(), imd_decile: Some(1), ..need("n1") };
    first.state = crate::need::NeedState::Proposed;
    let mut held = of("o1", "BBB", 2);
    held.figures.held = 2.into();
    let base = problem(region(), vec![first, need("n2")], vec![held, of("o2", "CCC", 1)]);
    let closed = simulate(
        &base,
        &standing,
        &[Change::CloseSite("BBB01".parse().unwrap()), Change::Demand { resource: None, thousandths: 0 }],
        SEARCH,
        &mut || false,
    );
    let closed = closed.unwrap();
    assert_eq!((closed.before.placed, closed.after.placed), (3, 2));
    assert_eq!((closed.after.placed_by_decile[0], closed.before.placed_decile_unknown), (2, 1));
    assert_eq!((closed.before.fairness_spread, closed.after.fairness_spread), (334, 1_000));
    assert_eq!(closed.after.gives_most, Some(Share { trust: trust("BBB"), thousandths: 1_000 }));
    assert_eq!(closed.worse_off, [], "who asks for less loses nothing");
}

#[test]
fn reserves_and_times_are_told() {
    let mut region = region();
    let kept = region.trusts.get_mut(&trust("BBB")).unwrap();
    kept.reserve.insert(beds().key(), 1.into());
    let soon = Need { needed_by: Some(after(3_600)), priority: Priority::P1A, ..need("n3") };
    let base = problem(region, vec![need("n1"), soon], vec![of("o1", "BBB", 3)]);
    let margin = |what_if: &WhatIf| {
        [&what_if.before, &what_if.after].map(|s| s.worst_reserve.as_ref().map(|margin| margin.units))
    };
    let fewer = tried(&base, &[units("BBB", -1)]);
    assert_eq!(margin(&fewer), [Some(0), Some(0)]);
    let gone = tried(&base, &[units("BBB", -3)]);
    assert_eq!(margin(&gone), [Some(0), Some(-1)]);
    assert_eq!((gone.before.overdue[&Priority::P1A], gone.after.overdue[&Priority::P1A]), (0, 1));
    assert_eq!(gone.after.overdue[&Priority::P2], 0, "it has no needed-by");
    let demand =
        tried(&base, &[Change::Demand { resource: Some(beds().key()), thousandths: 500 }, units("BBB", 1)]);
    assert_eq!(margin(&demand), [Some(0), Some(2)]);
    let back = tried(&demand.trial, &[Change::Demand { resource: None, thousandths: 3_000 }]);
    assert!(back.worse_off.contains(&WorseOff::AtReserve { trust: trust("BBB"), resource: beds().key() }));
}

#[test]
fn later_is_worse_than_sooner() {
    let mut later = of("later", "BBB", 1);
    later.window.from = Some(after(7_200));
    let base = problem(region(), vec![need("n1")], vec![later, of("now", "BBB", 1)]);
    let fewer = tried(&base, &[units("BBB", -1)]);
    // Offers in order of id lose first.
    assert_eq!(fewer.changed, []);
    let base =
        problem(region(), vec![need("n1")], vec![of("a-now", "BBB", 1), base.offers[0].as_ref().clone()]);
    let fewer = tried(&base, &[units("BBB", -1)]);
    assert_eq!(fewer.worse_off, [WorseOff::Later { need: NeedId::parse("n1").unwrap(), minutes: 120 }]);
}

#[test]
fn theatre_lists_differ_only_by_what_was_changed() {
    let theatre = |id: &str, minutes: u32| {
        let mut one = of(id, "BBB", minutes);
        one.resource = resource(ResourceKind::Theatre, "MAIN");
        one.resource.specialties = vec!["110".parse().unwrap()];
        one.window.from = Some(after(3_600));
        one
    };
    let case = |id: String, minutes: u32| {
        let mut one = need(&id);
        one.resource = resource(ResourceKind::Theatre, "MAIN");
        one.resource.specialties = vec!["110".parse().unwrap()];
        one.minutes_per_case = minutes.into();
        one
    };
    let cases = (0..12).map(|n| case(format!("c{n:02}"), 45 + 7 * (n % 5))).collect();
    let base = problem(region(), cases, vec![theatre("s1", 240), theatre("s2", 200)]);
    let same = tried(&base, &[Change::Opel { trust: trust("CCC"), level: 4 }]);
    assert_eq!((same.changed.len(), same.worse_off.len()), (0, 0));
    let session = resource(ResourceKind::Theatre, "MAIN");
    let more =
        tried(&base, &[Change::Units { trust: trust("BBB"), resource: session, by: 240, until: None }]);
    assert!(more.after.placed > more.before.placed, "{more:?}");
}

prop_compose! {
    fn any_problem()(
        needs in prop::collection::vec((0..3_u8, 1..5_u32, 0..3_u32, 0..5_usize), 0..12),
        offers in prop::collection::vec((0..3_usize, 0..4_u32, any::<bool>()), 0..8),
        reserve in 0..3_u32,
    ) -> Problem {
        let mut region = region();
        region.trusts.get_mut(&trust("BBB")).unwrap().reserve.insert(beds().key(), reserve.into());
        let needs = needs.into_iter().enumerate().map(|(at, (kind, wanted, proposed, band))| {
            let mut one = need(&format!("n{at:02}"));
            if kind == 0 {
                one.resource = resource(ResourceKind::Diagnostic, "CT");
            }
            one.units = (wanted + proposed).into();
            one.units_proposed = proposed.into();
            one.priority = Priority::ALL[band];
            one
        }).collect();
        let offers = offers.into_iter().enumerate().map(|(at, (which, free, is_open))| {
            let mut one = of(&format!("o{at}"), ["AAA", "BBB", "CCC"][which], free);
            one.state = if is_open { OfferState::Open } else { OfferState::Suspended };
            one
        }).collect();
        problem(region, needs, offers)
    }
}

fn any_change() -> impl Strategy<Value = Change> {
    let code = || prop::sample::select(vec!["AAA", "BBB", "CCC"]);
    prop_oneof![
        (code(), -5..6_i32).prop_map(|(at, by)| units(at, by)),
        code().prop_map(|at| Change::CloseSite(format!("{at}01").parse().unwrap())),
        (code(), 1..5_u8).prop_map(|(at, level)| Change::Opel { trust: trust(at), level }),
        code().prop_map(|at| Change::FeedReturns(trust(at))),
        (1..90_u32).prop_map(Change::TravelLimit),
        (any::<bool>(), 0..3_000_u32).prop_map(|(all, thousandths)| Change::Demand {
            resource: (!all).then(|| beds().key()),
            thousandths,
        }),
    ]
}

proptest! {
    #[test]
    fn the_order_of_records_does_not_matter_and_what_changed_adds_up(
        base in any_problem(),
        changes in prop::collection::vec(any_change(), 0..5),
    ) {
        let what_if = tried(&base, &changes);
        let mut turned = base.clone();
        turned.needs.reverse();
        turned.offers.reverse();
        let again = tried(&turned, &changes);
        prop_assert_eq!(&what_if.before, &again.before);
        prop_assert_eq!(&what_if.after, &again.after);
        prop_assert_eq!(&what_if.changed, &again.changed);
        prop_assert_eq!(&what_if.worse_off, &again.worse_off);
        prop_assert_eq!(&what_if.remarks, &again.remarks);
        let sum = |side: fn(&PlacementChange) -> bool| -> i64 {
            what_if.changed.iter().filter(|change| side(change)).map(|change| i64::from(change.units)).sum()
        };
        let gained = sum(|c| c.before.is_none()) - sum(|c| c.after.is_none());
        let placed = |s: &Summary| i64::try_from(s.placed).unwrap();
        prop_assert_eq!(gained, placed(&what_if.after) - placed(&what_if.before));
    }

    #[test]
    fn scaled_demand_keeps_its_mix_and_touches_nothing_that_stands(
        base in any_problem(),
        thousandths in 0..10_001_u32,
    ) {
        let change = Change::Demand { resource: None, thousandths };
        let scaled = apply(&base, std::slice::from_ref(&change)).unwrap().problem;
        let total = |of: &Problem, fits: &dyn Fn(&Need) -> bool| -> u64 {
            of.needs.iter().filter(|need| fits(need)).map(|need| u64::from(need.units_wanted().get())).sum()
        };
        let close = |fits: &dyn Fn(&Need) -> bool, by: u64| {
            let (due, got) = (total(&base, fits) * u64::from(thousandths), total(&scaled, fits) * 1_000);
            due.abs_diff(got) <= by
        };
        prop_assert!(close(&|_| true, 500), "to the nearest whole");
        for band in Priority::ALL {
            for code in ["GA_ADULT", "CT"] {
                let fits = |need: &Need| need.priority == *band && need.resource.code.as_str() == code;
                prop_assert!(close(&fits, 1_000), "{band} {code}");
            }
        }
        for (was, is) in base.needs.iter().zip(&scaled.needs) {
            prop_assert_eq!((&was.id, was.units_proposed), (&is.id, is.units_proposed));
            prop_assert!(is.units >= is.units_proposed);
        }
        let mut turned = base.clone();
        turned.needs.reverse();
        let mut turned = apply(&turned, &[change]).unwrap().problem;
        turned.needs.reverse();
        prop_assert_eq!(turned.needs, scaled.needs);
    }
}

#[test]
fn an_added_offer_takes_an_id_that_is_free() {
    let mut taken = of("x", "BBB", 0);
    taken.id = OfferId::parse("simulated-1").unwrap();
    let base = Problem { offers: vec![Arc::new(taken)], ..problem(region(), vec![need("n1")], vec![]) };
    assert_eq!(moves(&tried(&base, &[units("BBB", 1)])), ["n1 1: none -> simulated-1'"]);
}
