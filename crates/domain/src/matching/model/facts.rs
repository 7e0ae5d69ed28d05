//! What the index compares of an offer and a need, as numbers and bits.

use std::cmp::Ordering;

use jiff::Timestamp;
use rustc_hash::FxHashMap;

use crate::ids::Label;
use crate::matching::burden::{delay_days, levels_above};
use crate::matching::eligible::{ISOLATION, needs_isolation};
use crate::matching::problem::Problem;
use crate::need::Need;
use crate::offer::{Offer, Sex};
use crate::policy::Policy;
use crate::resource::{Level, ResourceKind, Specialty};

use super::geography::{Geography, Set};

/// Bits for the capabilities and specialties that records name, given out as the names turn up.
///
/// There are 128 of each. A need that names one beyond them is *doubtful*: what the bits allow it must be looked at
/// again by name.
pub(super) struct Labels {
    capabilities: FxHashMap<Label, u32>,
    /// The bit of each specialty by its number.
    specialties: Vec<u32>,
    named_specialties: u32,
    isolation: Label,
}

/// The bits of some names.
#[derive(Clone, Copy)]
struct Bits {
    set: u128,
    /// Whether some names have no bit.
    lacking: bool,
}

/// No bit has been given yet.
const NO_BIT: u32 = u32::MAX;

impl Labels {
    pub(super) fn new() -> Self {
        Self {
            capabilities: FxHashMap::default(),
            specialties: Vec::new(),
            named_specialties: 0,
            isolation: Label::parse(ISOLATION).unwrap_or_default(),
        }
    }

    fn capabilities<'a>(&mut self, names: impl IntoIterator<Item = &'a Label>) -> Bits {
        let mut bits = Bits { set: 0, lacking: false };
        for name in names {
            let bit = match self.capabilities.get(name) {
                Some(&bit) => bit,
                None => {
                    let bit = u32::try_from(self.capabilities.len()).unwrap_or(NO_BIT);
                    self.capabilities.insert(name.clone(), bit);
                    bit
                }
            };
            bits.add(bit);
        }
        bits
    }

    fn specialties(&mut self, named: &[Specialty]) -> Bits {
        let mut bits = Bits { set: 0, lacking: false };
        for specialty in named {
            let number = usize::from(specialty.number());
            if self.specialties.len() <= number {
                self.specialties.resize(number + 1, NO_BIT);
            }
            let bit = &mut self.specialties[number];
            if *bit == NO_BIT {
                *bit = self.named_specialties;
                self.named_specialties += 1;
            }
            bits.add(*bit);
        }
        bits
    }
}

impl Bits {
    fn add(&mut self, bit: u32) {
        match 1u128.checked_shl(bit) {
            Some(bit) => self.set |= bit,
            None => self.lacking = true,
        }
    }
}

/// What the index compares of an offer.
pub(super) struct OfferFacts {
    from: Timestamp,
    until: Timestamp,
    capabilities: u128,
    specialties: u128,
    age_min: u32,
    age_max: u32,
    bmi_max: u32,
    asa_max: u32,
    free: u32,
    /// Its store of the network or its session of the theatre.
    pub(super) store: u32,
    /// The offer, by its position in the problem.
    pub(super) offer: u32,
    sex: Option<Sex>,
    level: Option<Level>,
    staffed: bool,
    planned_only: bool,
    /// The collaboratives it is for; `None` = all.
    pub(super) shared_with: Option<Set>,
}

impl OfferFacts {
    pub(super) fn new(
        offer: &Offer,
        at: u32,
        store: u32,
        labels: &mut Labels,
        geography: &Geography,
    ) -> Self {
        let limits = &offer.limits;
        Self {
            // No start = since ever, which is before any time that is asked for.
            from: offer.window.from.unwrap_or(Timestamp::MIN),
            until: offer.window.until,
            // A name without a bit matters only to a need that names it too, which is then doubtful.
            capabilities: labels.capabilities(&offer.capabilities).set,
            specialties: labels.specialties(&offer.resource.specialties).set,
            age_min: limits.age_min.unwrap_or(0),
            age_max: limits.age_max.unwrap_or(u32::MAX),
            bmi_max: limits.bmi_max.unwrap_or(u32::MAX),
            asa_max: limits.asa_max.unwrap_or(u32::MAX),
            free: offer.figures.free().get(),
            store,
            offer: at,
            sex: limits.sex,
            level: offer.resource.level,
            staffed: offer.team.staffed,
            planned_only: geography.is_ring_fenced(offer.site),
            shared_with: (!offer.shared_with.is_empty()).then(|| geography.set_of(&offer.shared_with)),
        }
    }

    /// When the offer starts and ends.
    pub(super) fn window(&self) -> (Timestamp, Timestamp) {
        (self.from, self.until)
    }

    /// Says whether the offer lists one of the specialties; `None` = any will do.
    pub(super) fn lists(&self, specialties: Option<u128>) -> bool {
        specialties.is_none_or(|named| named & self.specialties != 0)
    }
}

/// What the index compares of a need.
pub(super) struct NeedFacts {
    start: Timestamp,
    needed_by: Timestamp,
    requires: u128,
    /// Those of which the offer must list one; `None` = any will do.
    pub(super) specialties: Option<u128>,
    pub(super) max_travel: u32,
    age_from: u32,
    age_to: u32,
    bmi: u32,
    asa: u32,
    minutes: u32,
    sex: Option<Sex>,
    level: Option<Level>,
    open_while_it_lasts: bool,
    brings_team: bool,
    is_planned: bool,
    /// Whether what is allowed here must be looked at again by the rule.
    pub(super) is_doubtful: bool,
}

impl NeedFacts {
    pub(super) fn new(need: &Need, problem: &Problem, labels: &mut Labels) -> Self {
        let is_theatre = need.resource.kind == ResourceKind::Theatre;
        let isolation = needs_isolation(need).then(|| labels.isolation.clone());
        let requires = labels.capabilities(need.requires.iter().chain(&isolation));
        let named = labels.specialties(&need.resource.specialties);
        let asks_for_one = !need.resource.specialties.is_empty() || is_theatre;
        Self {
            start: problem.start_of(need),
            needed_by: need.needed_by.unwrap_or(Timestamp::MAX),
            requires: requires.set,
            specialties: (asks_for_one && !named.lacking).then_some(named.set),
            max_travel: need.max_travel_minutes.unwrap_or(u32::MAX),
            // An unknown age breaks no limit.
            age_from: need.patient.age.unwrap_or(u32::MAX),
            age_to: need.patient.age.unwrap_or(0),
            bmi: need.patient.bmi.unwrap_or(0),
            asa: need.patient.asa.unwrap_or(0),
            minutes: if is_theatre { need.minutes_per_case.get() } else { 0 },
            sex: need.patient.sex,
            level: need.resource.level,
            open_while_it_lasts: need.resource.kind.is_open_while_it_lasts(),
            brings_team: need.brings_team,
            is_planned: need.priority.is_planned(),
            is_doubtful: requires.lacking || named.lacking,
        }
    }

    /// The need's time: its earliest, never before now.
    pub(super) fn start(&self) -> Timestamp {
        self.start
    }

    /// Lets the need's time move on.
    pub(super) fn set_start(&mut self, start: Timestamp) {
        self.start = start;
    }

    /// Says whether nothing but the trusts, the way between them and the specialties could object.
    pub(super) fn allow(&self, offer: &OfferFacts) -> bool {
        let in_time =
            if self.open_while_it_lasts { offer.until > self.start } else { offer.from >= self.start };
        in_time
            && offer.from <= self.needed_by
            && self.requires & !offer.capabilities == 0
            && offer.level >= self.level
            && self.age_from >= offer.age_min
            && self.age_to <= offer.age_max
            && self.bmi <= offer.bmi_max
            && self.asa <= offer.asa_max
            && offer.sex.is_none_or(|only| self.sex.is_none_or(|sex| sex == only))
            && self.minutes <= offer.free
            && (offer.staffed || self.brings_team)
            && (self.is_planned || !offer.planned_only)
    }

    /// Points for the days of delay and for the levels of care above the need's.
    pub(super) fn own_points(&self, offer: &OfferFacts, policy: &Policy) -> u32 {
        let delay = policy.delay_points_per_day.saturating_mul(delay_days(self.start, Some(offer.from)));
        let level = policy.level_points.saturating_mul(levels_above(self.level, offer.level));
        delay.saturating_add(level)
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
