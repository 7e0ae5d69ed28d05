use std::collections::BTreeMap;

use super::*;
use crate::matching::examples::after;
use crate::matching::random::{
    Dice, Kinds, random_need, random_offer, random_problem, random_region, twin_of,
};
use crate::matching::rank::{Rank, rank};
use crate::matching::solve::solve;
use crate::offer::OfferState;

/// What a plan for unit needs is worth, from its lines and the rules as they read: units by rank, and the burden.
fn worth(problem: &Problem, lines: &[(NeedId, OfferId, i64)]) -> (BTreeMap<Rank, i64>, i64) {
    let mut by_rank: BTreeMap<Rank, i64> = BTreeMap::new();
    let mut given: BTreeMap<TrustCode, i64> = BTreeMap::new();
    let mut points = 0;
    for (need, offer, units) in lines {
        let need = problem.needs.iter().find(|other| other.id == *need).unwrap();
        let offer = problem.offers.iter().find(|other| other.id == *offer).unwrap();
        *by_rank.entry(rank(need, &problem.region.policy, problem.at)).or_default() += units;
        *given.entry(offer.trust).or_default() += units;
        points += i64::from(crate::matching::eligible::burden(problem, need, offer).total()) * units;
    }
    for (trust, units) in given {
        let allowance = problem.region.trusts.get(&trust).and_then(|trust| trust.fair_allowance);
        if let Some(allowance) = allowance {
            let beyond = (units - i64::from(allowance.get())).max(0);
            points += i64::from(problem.region.policy.fair_step) * beyond * (beyond + 1) / 2;
        }
    }
    (by_rank, points)
}

/// Checks the kept plan against a fresh solve of its problem, and every line against the rules as they read.
fn check(kept: &KeptPlan, seed: u64, step: usize, change: &str) {
    let problem = kept.problem();
    let plan = solve(&problem, None, 0, 0, &mut || false);
    let is_unit = |offer: &OfferId| {
        let offer = problem.offers.iter().find(|other| other.id == *offer).unwrap();
        offer.resource.kind != ResourceKind::Theatre
    };
    let fresh: Vec<_> = plan
        .allocations
        .iter()
        .filter(|line| is_unit(&line.offer))
        .map(|line| (line.need.clone(), line.offer.clone(), i64::from(line.units)))
        .collect();
    let lines = kept.lines();
    assert_eq!(worth(&problem, &lines), worth(&problem, &fresh), "seed {seed}, step {step}: {change}");
    let setting = problem.setting();
    let mut taken: BTreeMap<&OfferId, i64> = BTreeMap::new();
    for (need, offer, units) in &lines {
        *taken.entry(offer).or_default() += units;
        let need = problem.needs.iter().find(|other| other.id == *need).unwrap();
        let offer = problem.offers.iter().find(|other| other.id == *offer).unwrap();
        let objections = crate::matching::eligible::objections(&problem, &setting, need, offer);
        assert_eq!(objections, [], "seed {seed}, step {step}: {change}");
        assert!(
            taken[&offer.id] <= i64::from(offer.figures.free().get()),
            "seed {seed}, step {step}: {change}"
        );
    }
}

/// Changes something at random and says what.
fn change(dice: &mut Dice, kinds: Kinds, kept: &mut KeptPlan) -> &'static str {
    let problem = kept.problem();
    let name = |dice: &mut Dice, letter: &str| format!("{letter}{:02}", dice.below(14));
    match dice.below(23) {
        0..=2 => {
            let id = name(dice, "O");
            let alike = Some(&problem.offers).filter(|offers| !offers.is_empty() && dice.chance(30));
            let offer = match alike {
                Some(offers) => {
                    let offer: &Shared<Offer> = dice.pick(offers);
                    twin_of(offer, &id)
                }
                None => random_offer(dice, kinds, &id),
            };
            kept.apply(Change::Offer(offer.into()));
            "an offer"
        }
        3..=6 if !problem.offers.is_empty() => {
            let mut offer = (**dice.pick(&problem.offers)).clone();
            match dice.below(4) {
                0 => offer.state = OfferState::Suspended,
                1 => (offer.state, offer.reported_at) = (OfferState::Open, problem.at),
                _ => offer.figures.staffed = u32::try_from(dice.below(4)).unwrap().into(),
            }
            kept.apply(Change::Offer(offer.into()));
            "figures of an offer"
        }
        7 => {
            kept.apply(Change::OfferGone(OfferId::parse(&name(dice, "O")).unwrap()));
            "an offer gone"
        }
        8..=10 => {
            let id = name(dice, "N");
            kept.apply(Change::Need(random_need(dice, kinds, &id).into()));
            "a need"
        }
        11 | 12 if !problem.needs.is_empty() => {
            let mut need = (**dice.pick(&problem.needs)).clone();
            let other = random_need(dice, kinds, need.id.as_str());
            match dice.below(9) {
                0 => need.earliest = other.earliest,
                1 => need.needed_by = other.needed_by,
                2 => need.requires = other.requires,
                3 => need.patient = other.patient,
                4 => need.max_travel_minutes = other.max_travel_minutes,
                5 => need.brings_team = other.brings_team,
                6 => need.priority = other.priority,
                _ => {
                    need.units = (1 + u32::try_from(dice.below(3)).unwrap()).into();
                    need.listed_at = after(-i64::try_from(dice.below(4_000)).unwrap());
                }
            }
            kept.apply(Change::Need(need.into()));
            "one thing about a need"
        }
        13 => {
            kept.apply(Change::NeedGone(NeedId::parse(&name(dice, "N")).unwrap()));
            "a need gone"
        }
        14 | 15 => {
            let need = NeedId::parse(&name(dice, "N")).unwrap();
            let offer = OfferId::parse(&name(dice, "O")).unwrap();
            let first = problem.declined.iter().min().cloned();
            match first.filter(|_| dice.chance(60)) {
                Some((need, offer)) => kept.apply(Change::Forgiven(need, offer)),
                None => kept.apply(Change::Declined(need, offer)),
            }
            "a decline"
        }
        16 | 17 => {
            let mut region = (*problem.region).clone();
            let other = random_region(dice);
            let code = *dice.pick(&region.trusts.keys().copied().collect::<Vec<_>>());
            region.trusts.insert(code, other.trusts[&code].clone());
            kept.apply(Change::Region(region.into()));
            "figures of a trust"
        }
        18 if dice.chance(15) => {
            kept.apply(Change::Region(random_region(dice).into()));
            "a region"
        }
        _ => {
            let seconds = *dice.pick(&[1, 60, 500, 3_000, 20_000]);
            let mut to = problem.at + jiff::SignedDuration::from_secs(seconds);
            // To the very moment at which something begins or ends, as often as not.
            let moments = moments(&problem);
            if !moments.is_empty() && dice.chance(50) {
                to = *dice.pick(&moments);
            }
            kept.apply(Change::Time(to));
            "time"
        }
    }
}

/// The next few times at which something begins or ends.
fn moments(problem: &Problem) -> Vec<Timestamp> {
    let of_offers = problem.offers.iter().flat_map(|o| [o.window.from, Some(o.window.until), o.release_at]);
    let of_needs = problem.needs.iter().flat_map(|need| [need.earliest, need.needed_by]);
    let mut moments: Vec<Timestamp> =
        of_offers.chain(of_needs).flatten().filter(|moment| *moment > problem.at).collect();
    moments.sort_unstable();
    moments.truncate(3);
    moments
}

#[test]
fn after_ten_thousand_changes_the_plan_is_worth_what_a_fresh_solve_finds() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let kinds = if seed % 2 == 0 { Kinds::All } else { Kinds::Contested };
        let mut kept = KeptPlan::new(&random_problem(seed, kinds, 12, 12));
        check(&kept, seed, 0, "the start");
        for step in 1..=100 {
            let change = change(&mut dice, kinds, &mut kept);
            check(&kept, seed, step, change);
        }
    }
}

/// Whatever alone changes about a need, the plan is made for what it says now.
#[test]
fn one_thing_that_changes_about_a_need_is_seen() {
    use crate::matching::examples::{labels, need, offer, problem, region, resource};
    let mut later = offer("O1");
    later.window.from = Some(after(3_600));
    later.limits.age_min = Some(16);
    later.team.staffed = false;
    let mut fits = need("N1");
    (fits.brings_team, fits.patient.age) = (true, Some(40));
    type Change = fn(&mut Need);
    let changes: [Change; 11] = [
        |need| (need.trust, need.site) = ("BBB".parse().unwrap(), "BBB01".parse().unwrap()),
        |need| need.site = "ZZZ01".parse().unwrap(),
        |need| need.resource = resource(ResourceKind::Bed, "STEP_DOWN"),
        |need| need.earliest = Some(after(200_000)),
        |need| need.needed_by = Some(after(3_599)),
        |need| need.requires = labels(&["isolation"]),
        |need| need.patient.age = Some(15),
        |need| need.max_travel_minutes = Some(1),
        |need| need.brings_team = false,
        |need| need.state = crate::need::NeedState::OnHold,
        |need| need.priority = crate::need::Priority::P1B,
    ];
    fits.priority = crate::need::Priority::P2;
    let mut region = region();
    region.policy.ring_fence = vec![crate::region::SiteKind::SurgicalHub];
    if let Some(site) = region.sites.get_mut(&later.site) {
        site.kind = crate::region::SiteKind::SurgicalHub;
    }
    let mut kept = KeptPlan::new(&problem(region, vec![fits.clone()], vec![later]));
    for (at, change) in changes.iter().enumerate() {
        assert_eq!(kept.served(&fits.id), 1, "before change {at}");
        let mut changed = fits.clone();
        change(&mut changed);
        kept.apply(super::Change::Need(changed.into()));
        assert_eq!(kept.served(&fits.id), 0, "change {at}");
        kept.apply(super::Change::Need(fits.clone().into()));
    }
}

/// A bed is gone when its window ends, a slot as soon as its time has begun: not a moment later.
#[test]
fn what_closes_is_gone_at_that_very_moment() {
    use crate::matching::examples::{need, offer, problem, region, resource};
    let moment = jiff::SignedDuration::from_nanos(1);
    let closing = after(600);
    for (kind, gone_at) in [(ResourceKind::Bed, closing), (ResourceKind::Diagnostic, closing + moment)] {
        let (mut offer, mut need) = (offer("O1"), need("N1"));
        for its in [&mut offer.resource, &mut need.resource] {
            *its = resource(kind, "X");
        }
        match kind.is_open_while_it_lasts() {
            true => offer.window.until = closing,
            false => offer.window.from = Some(closing),
        }
        let mut kept = KeptPlan::new(&problem(region(), vec![need.clone()], vec![offer]));
        kept.apply(Change::Time(gone_at - moment));
        assert_eq!(kept.served(&need.id), 1, "{kind:?}, a moment before");
        kept.apply(Change::Time(gone_at));
        assert_eq!(kept.served(&need.id), 0, "{kind:?}");
    }
}

/// Those who use a pool are rivals when nothing is left of it, and not before.
#[test]
fn nobody_waits_for_what_something_is_left_of() {
    use crate::matching::examples::{need, offer, problem, region};
    let with = |beds: u32, reserve: u32| {
        let mut offer = offer("O1");
        offer.figures.staffed = beds.into();
        let mut region = region();
        let trust = region.trusts.get_mut(&offer.trust).unwrap();
        trust.reserve.insert(offer.resource.key(), reserve.into());
        let mut kept = KeptPlan::new(&problem(region, vec![need("N1"), need("N2")], vec![offer]));
        kept.rivals([&need("N1").id]).iter().map(|id| id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!([with(3, 0), with(4, 1)], [["N1"], ["N1"]], "a bed is left");
    assert_eq!([with(2, 0), with(3, 1)], [["N1", "N2"], ["N1", "N2"]]);
}

/// When units come free and somebody is served by them, whoever took them was among those who waited for them.
#[test]
fn whoever_takes_what_comes_free_was_a_rival() {
    let mut gained = 0;
    for seed in 0..400 {
        let mut kept = KeptPlan::new(&random_problem(seed, Kinds::Contested, 12, 8));
        let served = |kept: &KeptPlan| -> BTreeMap<NeedId, i64> {
            kept.needs
                .keys()
                .map(|id| (id.clone(), kept.served(id)))
                .filter(|(_, units)| *units > 0)
                .collect()
        };
        for (id, units) in served(&kept) {
            let rivals = kept.rivals([&id]);
            let before = served(&kept);
            let need = kept.needs[&id].need.clone();
            kept.take_touched();
            kept.apply(Change::NeedGone(id.clone()));
            let touched = kept.take_touched();
            let is_more = |(other, units): (&NeedId, &i64)| before.get(other).copied().unwrap_or(0) < *units;
            if served(&kept).iter().any(is_more) {
                gained += 1;
                assert!(touched.iter().any(|other| rivals.contains(other)), "seed {seed}: {units} of {id}");
            }
            kept.apply(Change::Need(need));
        }
    }
    assert!(gained > 100, "{gained}");
}

#[test]
fn needs_whose_units_changed_are_told_once() {
    let problem = crate::matching::examples::problem(
        crate::matching::examples::region(),
        vec![crate::matching::examples::need("N1")],
        Vec::new(),
    );
    let mut kept = KeptPlan::new(&problem);
    let need = problem.needs[0].id.clone();
    assert_eq!((kept.unserved(&need), kept.take_touched()), (1, Vec::new()));
    kept.apply(Change::Offer(crate::matching::examples::offer("O1").into()));
    assert_eq!((kept.unserved(&need), kept.take_touched()), (0, vec![need.clone()]));
    assert_eq!(kept.take_touched(), []);
    kept.apply(Change::OfferGone(OfferId::parse("O1").unwrap()));
    assert_eq!((kept.unserved(&need), kept.take_touched()), (1, vec![need]));
}
