use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::matching::examples::{after, labels, need, offer, problem, region, resource};
use crate::matching::problem::Problem;
use crate::matching::rank::{Rank, rank};
use crate::need::{Need, Priority};
use crate::offer::{Offer, OfferState, Sex, Team, Window};
use crate::policy::Policy;
use crate::resource::{Level, Specialty};

const SITES: [(&str, &str); 3] = [("AAA", "AAA01"), ("BBB", "BBB01"), ("CCC", "CCC01")];

fn needs() -> impl Strategy<Value = Need> {
    let first = (0usize..2, 1u32..3, 0u32..5, 0i64..3, prop::bool::weighted(0.2));
    let second = (
        0u32..3,
        prop::option::weighted(0.5, 30u32..90),
        prop::option::of(12u32..30),
        prop::option::weighted(0.4, any::<bool>()),
    );
    let third = (
        prop::option::of(0i64..3),
        prop::option::weighted(0.4, 1i64..4),
        prop::bool::weighted(0.3),
        any::<bool>(),
    );
    (first, second, third).prop_map(
        |(
            (place, units, band, days, isolation),
            (level, travel, age, female),
            (earliest, by, specialty, brings_team),
        )| {
            let mut need = need("N");
            (need.trust, need.site) = (SITES[place].0.parse().unwrap(), SITES[place].1.parse().unwrap());
            need.units = units.into();
            need.priority = Priority::ALL[band as usize];
            need.listed_at = after(-days * 86_400);
            need.requires = if isolation { labels(&["isolation"]) } else { Vec::new() };
            if level > 0 {
                need.resource = resource(ResourceKind::Bed, "CC_ADULT");
                need.resource.level = Level::new(if level == 1 { 2 } else { 3 });
            }
            need.max_travel_minutes = travel;
            need.patient.age = age;
            need.patient.sex = female.map(|female| if female { Sex::Female } else { Sex::Male });
            need.earliest = earliest.map(|days| after(days * 86_400));
            need.needed_by = by.map(|days| after(days * 86_400));
            need.resource.specialties =
                if specialty { vec![Specialty::new(300).unwrap()] } else { Vec::new() };
            need.brings_team = brings_team;
            need
        },
    )
}

fn offers() -> impl Strategy<Value = Offer> {
    let first = (1usize..4, 0u32..4, 0u32..3, prop::bool::weighted(0.6), 0i64..2, 1i64..5);
    let second = (
        prop::option::weighted(0.3, 10u32..20),
        prop::option::weighted(0.2, any::<bool>()),
        0u32..16,
        prop::bool::weighted(0.7),
    );
    (first, second).prop_map(
        |((place, staffed, level, isolation, from, days), (age_min, female, oddity, specialty))| {
            let mut offer = offer("O");
            (offer.trust, offer.site) =
                (SITES[place % 3].0.parse().unwrap(), SITES[place % 3].1.parse().unwrap());
            offer.figures.staffed = staffed.into();
            if level > 0 {
                offer.resource = resource(ResourceKind::Bed, "CC_ADULT");
                offer.resource.level = Level::new(if level == 1 { 2 } else { 3 });
            }
            offer.capabilities = if isolation { labels(&["isolation"]) } else { Vec::new() };
            offer.window = Window { from: Some(after(from * 86_400)), until: after((from + days) * 86_400) };
            offer.limits.age_min = age_min;
            offer.limits.sex = female.map(|female| if female { Sex::Female } else { Sex::Male });
            offer.resource.specialties =
                if specialty { vec![Specialty::new(300).unwrap()] } else { Vec::new() };
            match oddity {
                0 => offer.state = OfferState::Suspended,
                1 => offer.reported_at = after(-100_000),
                2 => offer.team = Team { staffed: false, needs: labels(&["NURSE"]) },
                3 => offer.shared_with = vec![crate::ids::CollaborativeId::parse("pair").unwrap()],
                _ => {}
            }
            offer
        },
    )
}

/// Small problems with every feature of unit needs: levels, reserves, fairness, OPEL, stale and suspended offers.
fn problems() -> impl Strategy<Value = Problem> {
    let trusts = prop::collection::vec((0u8..5, prop::option::of(0u32..3), 0u32..2, 0u32..2, 0u32..2), 3);
    let lists = (prop::collection::vec(needs(), 1..5), prop::collection::vec(offers(), 1..6));
    (lists, trusts, 0u32..4).prop_map(|((mut needs, mut offers), trusts, fair_step)| {
        for (at, need) in needs.iter_mut().enumerate() {
            need.id = NeedId::parse(&format!("N{at}")).unwrap();
        }
        for (at, offer) in offers.iter_mut().enumerate() {
            offer.id = OfferId::parse(&format!("O{at}")).unwrap();
        }
        let mut region = region();
        region.policy = Policy { fair_step: fair_step * 15, equity_weight: 0, ..Policy::default() };
        for (trust, (opel, allowance, beds, high, critical)) in region.trusts.values_mut().zip(trusts) {
            trust.opel = (opel > 0).then_some(opel);
            trust.fair_allowance = allowance.map(Into::into);
            trust.reserve.insert("BED/GA_ADULT".parse().unwrap(), beds.into());
            trust.reserve.insert("BED/CC_ADULT/2".parse().unwrap(), high.into());
            trust.reserve.insert("BED/CC_ADULT/3".parse().unwrap(), critical.into());
        }
        problem(region, needs, offers)
    })
}

fn ranks(problem: &Problem) -> Vec<Rank> {
    let policy = &problem.region.policy;
    let mut ranks: Vec<Rank> = problem.needs.iter().map(|need| rank(need, policy, problem.at)).collect();
    ranks.sort_unstable();
    ranks.dedup();
    ranks
}

/// Tries every plan, with the rules as they read; returns the units served by rank and the negated burden of the best.
fn best_by_trying_all(problem: &Problem) -> (Vec<i64>, i64) {
    let setting = problem.setting();
    let ranks = ranks(problem);
    let mut units = Vec::new();
    for need in &problem.needs {
        let may = |offer: &&Arc<Offer>| eligible::objections(problem, &setting, need, offer).is_empty();
        let places: Vec<(usize, i64)> = problem
            .offers
            .iter()
            .enumerate()
            .filter(|(_, offer)| may(offer))
            .map(|(at, offer)| (at, i64::from(eligible::burden(problem, need, offer).total())))
            .collect();
        let class =
            ranks.iter().position(|other| *other == rank(need, &problem.region.policy, problem.at)).unwrap();
        units.extend(std::iter::repeat_n((class, places), need.units_wanted().get() as usize));
    }
    let mut best = (vec![-1; ranks.len()], 0);
    let mut served = vec![0; ranks.len()];
    let mut taken = vec![0i64; problem.offers.len()];
    try_all(problem, &setting, &units, &mut served, &mut taken, 0, &mut best);
    best
}

fn try_all(
    problem: &Problem,
    setting: &crate::matching::problem::Setting,
    units: &[(usize, Vec<(usize, i64)>)],
    served: &mut Vec<i64>,
    taken: &mut Vec<i64>,
    burden: i64,
    best: &mut (Vec<i64>, i64),
) {
    let Some(((class, places), rest)) = units.split_first() else {
        let mut by_trust: HashMap<TrustCode, i64> = HashMap::new();
        let mut by_key: HashMap<_, i64> = HashMap::new();
        for (offer, &taken) in problem.offers.iter().zip(taken.iter()) {
            *by_trust.entry(offer.trust).or_default() += taken;
            *by_key.entry((offer.trust, offer.resource.key())).or_default() += taken;
        }
        if by_key.iter().any(|((trust, key), &taken)| taken > 0 && taken > setting.spare(*trust, key)) {
            return;
        }
        let unfair: i64 =
            by_trust.iter().map(|(trust, &given)| fairness_points(problem, *trust, 0, given)).sum();
        let found = (served.clone(), -(burden + unfair));
        if found > *best {
            *best = found;
        }
        return;
    };
    try_all(problem, setting, rest, served, taken, burden, best);
    for &(offer, points) in places {
        if taken[offer] < i64::from(problem.offers[offer].figures.free().get()) {
            taken[offer] += 1;
            served[*class] += 1;
            try_all(problem, setting, rest, served, taken, burden + points, best);
            served[*class] -= 1;
            taken[offer] -= 1;
        }
    }
}

fn value(problem: &Problem, plan: &Plan) -> (Vec<i64>, i64) {
    let ranks = ranks(problem);
    let mut served = vec![0; ranks.len()];
    for line in &plan.allocations {
        let need = problem.needs.iter().find(|need| need.id == line.need).unwrap();
        let class =
            ranks.iter().position(|other| *other == rank(need, &problem.region.policy, problem.at)).unwrap();
        served[class] += i64::from(line.units);
    }
    (served, -plan.allocations.iter().map(|line| line.burden).sum::<i64>())
}

fn solved(problem: &Problem) -> Plan {
    solve(problem, None, 50, 1, &mut || false)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_is_the_best_of_all_by_the_rules_as_they_read(problem in problems()) {
        let plan = solved(&problem);
        prop_assert_eq!(certify(&problem, &plan), Ok(()));
        prop_assert_eq!(value(&problem, &plan), best_by_trying_all(&problem));
    }

    #[test]
    fn the_order_of_input_and_a_second_solve_change_nothing(problem in problems()) {
        let plan = solved(&problem);
        let mut turned = problem.clone();
        turned.needs.reverse();
        turned.offers.reverse();
        let again = solved(&turned);
        prop_assert_eq!(&plan.allocations, &again.allocations);
        prop_assert_eq!(solve(&problem, Some(&plan), 50, 1, &mut || false).allocations, plan.allocations);
    }

    /// The proof sees a plan with a line less, with a unit too many, and with a line of a pair that may not be matched.
    #[test]
    fn the_proof_finds_a_spoilt_plan(problem in problems(), pick in any::<prop::sample::Index>()) {
        let plan = solved(&problem);
        if plan.allocations.is_empty() {
            return Ok(());
        }
        let place = pick.index(plan.allocations.len());
        let mut less = plan.clone();
        less.allocations.remove(place);
        prop_assert!(certify(&problem, &less).is_err());
        let mut more = plan.clone();
        more.allocations[place].units += 5;
        prop_assert!(certify(&problem, &more).is_err());
        let setting = problem.setting();
        let line = &plan.allocations[place];
        let its = problem.needs.iter().find(|need| need.id == line.need).unwrap();
        for offer in &problem.offers {
            if !eligible::objections(&problem, &setting, its, offer).is_empty() {
                let mut odd = plan.clone();
                odd.allocations[place].offer = offer.id.clone();
                let flaw = certify(&problem, &odd);
                prop_assert!(matches!(flaw, Err(PlanFlaw::NotEligible { .. })), "{:?}", flaw);
            }
        }
    }
}

/// Neither two needs nor two cases of one may share a session that is too short for both.
#[test]
fn the_proof_finds_a_session_that_holds_too_much() {
    let case = |id: &str, units: u32| {
        let mut need = need(id);
        need.resource = resource(ResourceKind::Theatre, "MAIN");
        need.resource.specialties = vec![Specialty::new(110).unwrap()];
        (need.units, need.minutes_per_case) = (units.into(), 60.into());
        need
    };
    let mut session = offer("O1");
    session.resource = case("N1", 1).resource;
    session.window.from = Some(after(60));
    session.figures.staffed = 134.into();
    let problem = problem(region(), vec![case("N1", 2), case("N2", 1)], vec![session]);
    let plan = solved(&problem);
    assert_eq!((plan.allocations.len(), plan.allocations[0].units), (1, 1));
    assert_eq!(certify(&problem, &plan), Ok(()));
    let overfull = Err(PlanFlaw::Overfull { offer: plan.allocations[0].offer.clone() });
    let line = |need: &str, units| Allocation {
        need: crate::ids::NeedId::parse(need).unwrap(),
        units,
        ..plan.allocations[0].clone()
    };
    for lines in [vec![line("N1", 2)], vec![line("N1", 1), line("N2", 1)]] {
        assert_eq!(certify(&problem, &Plan { allocations: lines, ..plan.clone() }), overfull);
    }
}

#[test]
fn units_of_a_need_may_come_from_several_offers_and_equal_ones_are_used_in_order_of_id() {
    let mut cohort = need("N1");
    cohort.units = 3.into();
    let problem = problem(region(), vec![cohort], vec![offer("O3"), offer("O1"), offer("O2"), offer("O4")]);
    let offers: Vec<_> = solved(&problem).allocations.iter().map(|line| line.offer.to_string()).collect();
    assert_eq!(offers, ["O1", "O2", "O3"]);
}

#[test]
fn more_kinds_of_capabilities_than_bits_are_told_apart() {
    let names: Vec<String> = (0..300).map(|n| format!("skill-{n:03}")).collect();
    let mut offers = Vec::new();
    let mut needs = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let mut offer = offer(&format!("O{at:03}"));
        offer.capabilities = labels(&[name]);
        offers.push(offer);
        let mut need = need(&format!("N{at:03}"));
        need.requires = labels(&[name]);
        needs.push(need);
    }
    let problem = problem(region(), needs, offers);
    let plan = solved(&problem);
    assert_eq!(certify(&problem, &plan), Ok(()));
    assert!(plan.allocations.iter().all(|line| line.need.as_str()[1..] == line.offer.as_str()[1..]));
    assert_eq!(plan.allocations.len(), 300);
}

/// Nothing tells these needs apart but their ids; still the same ones are served every time, however the input is sorted.
#[test]
fn of_needs_that_are_all_alike_the_same_are_served_every_time() {
    let mut beds = offer("O1");
    beds.figures.staffed = 6.into();
    let mut needs: Vec<Need> = (10..22).map(|at| need(&format!("N{at}"))).collect();
    let mut first = None;
    for _ in 0..12 {
        needs.rotate_left(5);
        let problem = problem(region(), needs.clone(), vec![beds.clone()]);
        let plan = solve(&problem, None, 0, 0, &mut || false);
        let served: Vec<_> = plan.allocations.into_iter().map(|line| line.need).collect();
        assert_eq!(served.len(), 6);
        assert_eq!(first.get_or_insert_with(|| served.clone()), &served);
    }
}
