//! What the index compares of an offer and a need, as numbers and bits.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::Hash;

use jiff::Timestamp;

use crate::ids::Label;
use crate::matching::burden::{delay_days, levels_above};
use crate::matching::eligible::{ISOLATION, needs_isolation};
use crate::matching::problem::Problem;
use crate::need::Need;
use crate::offer::{Offer, Sex};
use crate::policy::Policy;
use crate::resource::{Level, ResourceKind, Specialty};

use super::geography::{Geography, NO_WAY};

/// A bit for each name.
struct Bits<T>(HashMap<T, u32>);

impl<T: Eq + Hash + Clone> Bits<T> {
    fn name(&mut self, name: &T) {
        if !self.0.contains_key(name) {
            self.0.insert(name.clone(), u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        }
    }

    /// The bits of the names that have one: of the first 128.
    fn of<'a>(&self, names: impl IntoIterator<Item = &'a T>) -> u128
    where
        T: 'a,
    {
        let bits = names.into_iter().filter_map(|name| self.0.get(name));
        bits.filter_map(|&bit| 1u128.checked_shl(bit)).fold(0, |set, bit| set | bit)
    }

    fn are_too_many(&self) -> bool {
        self.0.len() > 128
    }
}

/// Bits for the capabilities and specialties that needs name.
pub(super) struct Labels {
    capabilities: Bits<Label>,
    specialties: Bits<Specialty>,
    isolation: Label,
}

impl Labels {
    pub(super) fn new(problem: &Problem) -> Self {
        let isolation = Label::parse(ISOLATION).unwrap_or_default();
        let (mut capabilities, mut specialties) = (Bits(HashMap::new()), Bits(HashMap::new()));
        capabilities.name(&isolation);
        for need in &problem.needs {
            need.requires.iter().for_each(|label| capabilities.name(label));
            need.resource.specialties.iter().for_each(|specialty| specialties.name(specialty));
        }
        Self { capabilities, specialties, isolation }
    }

    /// Says whether some names have no bit, so that whatever the bits allow must be looked at again by name.
    pub(super) fn are_too_many(&self) -> bool {
        self.capabilities.are_too_many() || self.specialties.are_too_many()
    }
}

/// What the index compares of an offer.
pub(super) struct OfferFacts {
    /// The offer, by its position in the problem.
    pub(super) offer: u32,
    /// Its store or session.
    pub(super) store: u32,
    /// The collaboratives it is for; `None` = all.
    pub(super) shared_with: Option<Box<[u64]>>,
    from: Timestamp,
    until: Timestamp,
    capabilities: u128,
    specialties: u128,
    age_min: u32,
    age_max: u32,
    bmi_max: u32,
    asa_max: u32,
    sex: Option<Sex>,
    level: Option<Level>,
    free: u32,
    staffed: bool,
}

impl OfferFacts {
    pub(super) fn new(offer: &Offer, at: u32, store: u32, labels: &Labels, geography: &Geography) -> Self {
        let limits = &offer.limits;
        let shared_with =
            (!offer.shared_with.is_empty()).then(|| geography.set_of(&offer.shared_with).into());
        Self {
            offer: at,
            store,
            shared_with,
            // No start = since ever, which is before any time that is asked for.
            from: offer.window.from.unwrap_or(Timestamp::MIN),
            until: offer.window.until,
            capabilities: labels.capabilities.of(&offer.capabilities),
            specialties: labels.specialties.of(&offer.resource.specialties),
            age_min: limits.age_min.unwrap_or(0),
            age_max: limits.age_max.unwrap_or(u32::MAX),
            bmi_max: limits.bmi_max.unwrap_or(u32::MAX),
            asa_max: limits.asa_max.unwrap_or(u32::MAX),
            sex: limits.sex,
            level: offer.resource.level,
            free: offer.figures.free().get(),
            staffed: offer.team.staffed,
        }
    }
}

/// What the index compares of a need.
pub(super) struct NeedFacts {
    pub(super) trust: u32,
    pub(super) site: u32,
    pub(super) max_travel: u32,
    start: Timestamp,
    needed_by: Timestamp,
    open_while_it_lasts: bool,
    requires: u128,
    /// `None` = any will do.
    specialties: Option<u128>,
    age: Option<u32>,
    bmi: u32,
    asa: u32,
    sex: Option<Sex>,
    level: Option<Level>,
    minutes: u32,
    brings_team: bool,
}

impl NeedFacts {
    pub(super) fn new(need: &Need, problem: &Problem, labels: &Labels, geography: &Geography) -> Self {
        let named = &need.resource.specialties;
        let is_theatre = need.resource.kind == ResourceKind::Theatre;
        // Where specialties have run out of bits, only a look by name can tell.
        let by_bits = (!named.is_empty() || is_theatre) && !labels.specialties.are_too_many();
        let isolation = needs_isolation(need).then_some(&labels.isolation);
        Self {
            trust: geography.trust(need.trust),
            site: geography.site(need.site),
            max_travel: need.max_travel_minutes.unwrap_or(NO_WAY - 1).min(NO_WAY - 1),
            start: problem.start_of(need),
            needed_by: need.needed_by.unwrap_or(Timestamp::MAX),
            open_while_it_lasts: need.resource.kind.is_open_while_it_lasts(),
            requires: labels.capabilities.of(need.requires.iter().chain(isolation)),
            specialties: by_bits.then(|| labels.specialties.of(named)),
            age: need.patient.age,
            bmi: need.patient.bmi.unwrap_or(0),
            asa: need.patient.asa.unwrap_or(0),
            sex: need.patient.sex,
            level: need.resource.level,
            minutes: if is_theatre { need.minutes_per_case.get() } else { 0 },
            brings_team: need.brings_team,
        }
    }

    /// Says whether nothing but the trusts and the way between them could object.
    pub(super) fn allow(&self, offer: &OfferFacts) -> bool {
        let in_time =
            if self.open_while_it_lasts { offer.until > self.start } else { offer.from >= self.start };
        in_time
            && offer.from <= self.needed_by
            && self.requires & !offer.capabilities == 0
            && self.specialties.is_none_or(|named| named & offer.specialties != 0)
            && offer.level >= self.level
            && self.age.is_none_or(|age| (offer.age_min..=offer.age_max).contains(&age))
            && self.bmi <= offer.bmi_max
            && self.asa <= offer.asa_max
            && offer.sex.is_none_or(|only| self.sex.is_none_or(|sex| sex == only))
            && self.minutes <= offer.free
            && (offer.staffed || self.brings_team)
    }

    pub(super) fn delay_points(&self, offer: &OfferFacts, policy: &Policy) -> u32 {
        policy.delay_points_per_day.saturating_mul(delay_days(self.start, Some(offer.from)))
    }

    pub(super) fn level_points(&self, offer: &OfferFacts, policy: &Policy) -> u32 {
        policy.level_points.saturating_mul(levels_above(self.level, offer.level))
    }
}

/// Orders offers of a shelf so that equal ones lie side by side: those that any need may use at the same burden.
pub(super) fn alike(a: &Offer, b: &Offer) -> Ordering {
    let limits = |o: &Offer| {
        let l = &o.limits;
        (l.age_min, l.age_max, l.sex, l.bmi_max, l.asa_max)
    };
    (a.window.from, a.window.until, a.resource.level, a.team.staffed)
        .cmp(&(b.window.from, b.window.until, b.resource.level, b.team.staffed))
        .then_with(|| a.resource.specialties.cmp(&b.resource.specialties))
        .then_with(|| labels(&a.capabilities).cmp(labels(&b.capabilities)))
        .then_with(|| limits(a).cmp(&limits(b)))
        .then_with(|| a.shared_with.cmp(&b.shared_with))
}

fn labels(labels: &[Label]) -> impl Iterator<Item = &str> {
    labels.iter().map(Label::as_str)
}
