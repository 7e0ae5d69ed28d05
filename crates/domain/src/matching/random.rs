//! Random small problems for tests, in which everything that eligibility looks at occurs.

use std::sync::Arc;

use crate::ids::{CollaborativeId, NeedId, OfferId};
use crate::need::{Need, NeedState, Patient, Priority, Risk};
use crate::offer::{Limits, Offer, OfferState, Sex, Team, Window};
use crate::region::{Mode, Region, SiteKind};
use crate::resource::{Level, Resource, ResourceKind, Specialty};

use super::examples::{self, after, labels, resource};
use super::problem::Problem;

const SITES: [(&str, &str); 3] = [("AAA", "AAA01"), ("BBB", "BBB01"), ("CCC", "CCC01")];
const DAY: i64 = 86_400;

/// Numbers that follow from a seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn small(&mut self, n: u64) -> u32 {
        u32::try_from(self.below(n)).unwrap()
    }

    fn seconds(&mut self, n: u64) -> i64 {
        i64::try_from(self.below(n)).unwrap()
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, usize::try_from(self.below(at as u64 + 1)).unwrap());
        }
    }
}

/// What takes part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Every kind.
    All,
    /// Beds and slots.
    Units,
    /// One kind of bed and one of slot without much else, so that many want the same few.
    Contested,
}

/// Returns the problem of a seed: at most so many needs and offers.
pub(crate) fn random_problem(seed: u64, kinds: Kinds, needs: u64, offers: u64) -> Problem {
    let mut dice = Dice(seed);
    let region = random_region(&mut dice);
    let (needs, offers) = (1 + dice.below(needs), 1 + dice.below(offers));
    let needs = (0..needs).map(|n| random_need(&mut dice, kinds, &format!("N{n:02}"))).collect::<Vec<_>>();
    let mut all: Vec<Offer> = Vec::new();
    for n in 0..offers {
        let id = format!("O{n:02}");
        let twin = all.last().filter(|_| dice.chance(25)).map(|offer| twin_of(offer, &id));
        all.push(twin.unwrap_or_else(|| random_offer(&mut dice, kinds, &id)));
    }
    let offers = all;
    let mut problem = examples::problem(region, needs, offers);
    for _ in 0..dice.below(4) {
        let (need, offer): (&Arc<Need>, &Arc<Offer>) =
            (dice.pick(&problem.needs), dice.pick(&problem.offers));
        problem.declined.insert((need.id.clone(), offer.id.clone()));
    }
    problem
}

pub(crate) fn random_region(dice: &mut Dice) -> Region {
    let mut region = examples::region();
    region.policy.fair_step = *dice.pick(&[0, 0, 12, 40]);
    region.policy.opel_limit = *dice.pick(&[3, 4, 4]);
    region.policy.incident.opel_limit = *dice.pick(&[None, Some(3), Some(5)]);
    region.policy.risk_weight = *dice.pick(&[0, 20]);
    region.policy.delay_points_per_day = *dice.pick(&[2, 60]);
    for (at, one) in region.collaboratives.iter_mut().enumerate() {
        if dice.chance(30) {
            one.mode = Mode::Incident;
        }
        if at == 0 && dice.chance(15) {
            one.shares.remove(dice.pick(&[
                ResourceKind::Bed,
                ResourceKind::Theatre,
                ResourceKind::Diagnostic,
            ]));
        }
    }
    for trust in region.trusts.values_mut() {
        trust.opel = *dice.pick(&[None, Some(1), Some(2), Some(3), Some(4)]);
        trust.fair_allowance = dice.pick(&[None, Some(0), Some(2)]).map(Into::into);
        for key in ["BED/GA_ADULT", "BED/CC_ADULT/2", "BED/CC_ADULT/3", "DIAGNOSTIC/MRI"] {
            if dice.chance(40) {
                trust.reserve.insert(key.parse().unwrap(), dice.small(3).into());
            }
        }
    }
    for (from, to) in [(0, 1), (1, 0), (2, 0), (1, 2)] {
        if dice.chance(25) {
            let way = (SITES[from].1.parse().unwrap(), SITES[to].1.parse().unwrap());
            region.travel.insert(way, dice.small(60));
        }
    }
    // Dice of its own: what else a seed makes stays as it was.
    let mut fence = Dice(dice.0 ^ 0xFE4C_E000);
    if fence.chance(30) {
        region.policy.ring_fence = vec![SiteKind::SurgicalHub];
        let at = usize::try_from(fence.below(3)).unwrap();
        if let Some(site) = region.sites.values_mut().nth(at) {
            site.kind = SiteKind::SurgicalHub;
        }
    }
    region
}

fn random_resource(dice: &mut Dice, kinds: Kinds) -> Resource {
    if kinds == Kinds::Contested {
        let is_bed = dice.chance(60);
        return if is_bed {
            resource(ResourceKind::Bed, "GA_ADULT")
        } else {
            resource(ResourceKind::Diagnostic, "MRI")
        };
    }
    let kinds_of_bed = if kinds == Kinds::All { 10 } else { 8 };
    let mut its = match dice.below(kinds_of_bed) {
        0..=2 => resource(ResourceKind::Bed, "GA_ADULT"),
        3 | 4 => resource(ResourceKind::Bed, "CC_ADULT"),
        5 => resource(ResourceKind::Bed, dice.pick::<&str>(&["MH_206", "MH_208"])),
        6 | 7 => resource(ResourceKind::Diagnostic, "MRI"),
        _ => resource(ResourceKind::Theatre, "MAIN"),
    };
    if its.code.as_str() == "CC_ADULT" {
        its.level = Level::new(*dice.pick(&[2, 3]));
    }
    if its.kind == ResourceKind::Theatre || dice.chance(25) {
        let first = *dice.pick(&[110, 300]);
        its.specialties = vec![Specialty::new(first).unwrap()];
        if dice.chance(40) {
            its.specialties.push(Specialty::new(340).unwrap());
        }
        if dice.chance(8) {
            its.specialties.clear();
        }
    }
    its
}

/// Returns a need that usually fits some offers, with something odd now and then.
pub(crate) fn random_need(dice: &mut Dice, kinds: Kinds, id: &str) -> Need {
    let mut need = examples::need(id);
    need.id = NeedId::parse(id).unwrap();
    let (trust, site) = SITES[usize::try_from(dice.below(3)).unwrap()];
    (need.trust, need.site) = (trust.parse().unwrap(), site.parse().unwrap());
    if dice.chance(3) {
        need.trust = "ZZZ".parse().unwrap();
    }
    if dice.chance(3) {
        need.site = "ZZZ01".parse().unwrap();
    }
    need.resource = random_resource(dice, kinds);
    need.units = (1 + dice.small(3)).into();
    need.minutes_per_case = (30 + 10 * dice.small(8)).into();
    need.priority = *dice.pick(Priority::ALL);
    need.listed_at = after(-dice.seconds(20) * DAY / 4);
    need.earliest = dice.chance(50).then(|| after((dice.seconds(8) - 2) * DAY / 2 + dice.seconds(2)));
    need.needed_by = dice.chance(40).then(|| after(dice.seconds(8) * DAY / 2));
    need.requires = [("isolation", 15), ("telemetry", 12), ("hoist", 8)]
        .into_iter()
        .filter(|(_, percent)| dice.chance(*percent))
        .flat_map(|(name, _)| labels(&[name]))
        .collect();
    let patient = &mut need.patient;
    patient.age = dice.chance(60).then(|| 14 + dice.small(6));
    patient.sex = dice.chance(60).then(|| *dice.pick(&[Sex::Female, Sex::Male]));
    patient.bmi = dice.chance(40).then(|| 33 + dice.small(5));
    patient.asa = dice.chance(40).then(|| 1 + dice.small(4));
    patient.isolation = dice.chance(20).then(|| dice.chance(50));
    need.max_travel_minutes = dice.chance(50).then(|| 20 + dice.small(50));
    need.brings_team = dice.chance(30);
    need.risk = dice.chance(30).then(|| Risk {
        value: f64::from(dice.small(100)),
        source: labels(&["score"])[0].clone(),
        at: None,
    });
    if kinds == Kinds::Contested {
        need.priority = *dice.pick(&[Priority::P1A, Priority::P1B]);
        // Ranks that lie close to one another and change at different times.
        need.listed_at = after(-dice.seconds(2_000));
        need.requires.clear();
        (need.patient, need.max_travel_minutes, need.needed_by) = (Patient::default(), None, None);
    }
    if dice.chance(10) {
        need.state = *dice.pick(&[NeedState::OnHold, NeedState::PartAgreed, NeedState::Withdrawn]);
        need.units_committed = dice.small(2).into();
    }
    need
}

/// Returns an offer that differs from another in its id alone, so that both are in one pool.
pub(crate) fn twin_of(offer: &Offer, id: &str) -> Offer {
    Offer { id: OfferId::parse(id).unwrap(), ..offer.clone() }
}

/// Returns an offer that usually can be used, with something odd now and then.
pub(crate) fn random_offer(dice: &mut Dice, kinds: Kinds, id: &str) -> Offer {
    let mut offer = examples::offer(id);
    offer.id = OfferId::parse(id).unwrap();
    let (trust, site) = SITES[usize::try_from(dice.below(3)).unwrap()];
    (offer.trust, offer.site) = (trust.parse().unwrap(), site.parse().unwrap());
    if dice.chance(5) {
        offer.site = SITES[usize::try_from(dice.below(3)).unwrap()].1.parse().unwrap();
    }
    if dice.chance(2) {
        offer.trust = "ZZZ".parse().unwrap();
    }
    if dice.chance(2) {
        offer.site = "ZZZ01".parse().unwrap();
    }
    offer.resource = random_resource(dice, kinds);
    let is_theatre = offer.resource.kind == ResourceKind::Theatre;
    offer.figures.staffed = (if is_theatre { 40 + 60 * dice.small(4) } else { dice.small(4) }).into();
    let from = dice.seconds(6) * DAY / 2 + dice.seconds(3) - 1;
    offer.window = Window {
        from: (!dice.chance(6)).then(|| after(from)),
        until: after(from + (1 + dice.seconds(8)) * DAY / 2),
    };
    offer.capabilities = [("isolation", 60), ("telemetry", 70), ("hoist", 80)]
        .into_iter()
        .filter(|(_, percent)| dice.chance(*percent))
        .flat_map(|(name, _)| labels(&[name]))
        .collect();
    let limits = &mut offer.limits;
    limits.age_min = dice.chance(30).then(|| 15 + dice.small(3));
    limits.age_max = dice.chance(20).then(|| 17 + dice.small(2));
    limits.sex = dice.chance(15).then(|| *dice.pick(&[Sex::Female, Sex::Male]));
    limits.bmi_max = dice.chance(20).then(|| 34 + dice.small(3));
    limits.asa_max = dice.chance(20).then(|| 2 + dice.small(2));
    if dice.chance(12) {
        offer.team = Team { staffed: false, needs: labels(&["NURSE"]) };
    }
    if dice.chance(15) {
        let name = dice.pick(&["pair", "all", "nobody"]);
        offer.shared_with = vec![CollaborativeId::parse(name).unwrap()];
    }
    if kinds == Kinds::Contested {
        offer.limits = Limits::default();
        offer.shared_with.clear();
    }
    match dice.below(20) {
        0 => offer.state = OfferState::Suspended,
        1 => offer.reported_at = after(-7_200 - dice.seconds(2)),
        2 => offer.release_at = Some(after(dice.seconds(2))),
        _ => {}
    }
    offer
}
