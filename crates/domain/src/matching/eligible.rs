//! Who may be matched with what: every objection to a pair, each with its code.
//!
//! This is the rule as it reads, one pair at a time, and what explanations use. The plan's index asks the same questions
//! of many pairs at once; a test holds the two against each other.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::codes;
use crate::ids::{OfferId, SiteCode, TrustCode};
use crate::need::Need;
use crate::offer::{Limits, Offer};
use crate::reason::NotUsed;
use crate::region::{Collaborative, Mode};
use crate::resource::ResourceKind;

use super::burden::{Burden, delay_days, levels_above, opel_points};
use super::problem::{Problem, Setting};

/// The capability that an isolation need asks for.
pub const ISOLATION: &str = "isolation";

/// Returns every objection to the pair, in the order of the table; none = they may be matched.
#[must_use]
pub fn objections(problem: &Problem, setting: &Setting, need: &Need, offer: &Offer) -> Vec<NotUsed> {
    iter_objections(problem, setting, need, offer).collect()
}

/// Says whether nothing objects to the pair.
#[must_use]
pub fn is_eligible(problem: &Problem, setting: &Setting, need: &Need, offer: &Offer) -> bool {
    iter_objections(problem, setting, need, offer).next().is_none()
}

/// Returns those of the problem's offers that could serve the need if their trusts said now that their figures are still
/// true. A session that lacks its team could, with one that is lent.
#[must_use]
pub fn could_serve_if_true(problem: &Problem, need: &Need) -> Vec<OfferId> {
    let confirmed =
        problem.offers.iter().map(|offer| Offer { reported_at: problem.at, ..Offer::clone(offer) });
    let problem = Problem { offers: confirmed.map(Arc::new).collect(), ..problem.clone() };
    let setting = problem.setting();
    let could = |offer: &&Arc<Offer>| {
        iter_objections(&problem, &setting, need, offer).all(|code| code == NotUsed::TeamMissing)
    };
    problem.offers.iter().filter(could).map(|offer| offer.id.clone()).collect()
}

/// Finds the objections to the pair one by one, in the order of the table.
pub fn iter_objections<'a>(
    problem: &'a Problem,
    setting: &'a Setting,
    need: &'a Need,
    offer: &'a Offer,
) -> impl Iterator<Item = NotUsed> + 'a {
    NotUsed::ALL.iter().copied().filter(move |&code| objects(problem, setting, need, offer, code))
}

/// Finds what rules out the offer for all needs of the need's trust, whatever they are: the first that objects.
pub(crate) fn rules_out(problem: &Problem, setting: &Setting, need: &Need, offer: &Offer) -> Option<NotUsed> {
    BETWEEN_TRUSTS.into_iter().find(|&code| objects(problem, setting, need, offer, code))
}

/// Finds the objections to a pair that nothing rules out between the trusts, in the order of the table; `ways` are those
/// found before from the need's site.
pub(crate) fn iter_other_objections<'a>(
    problem: &'a Problem,
    setting: &'a Setting,
    need: &'a Need,
    offer: &'a Offer,
    ways: &'a mut Ways,
) -> impl Iterator<Item = NotUsed> + 'a {
    let others = NotUsed::ALL.iter().copied().skip(BETWEEN_TRUSTS.len());
    others.filter(move |&code| {
        if code == NotUsed::TooFar {
            return is_too_far(ways.minutes(problem, need.site, offer.site), need.max_travel_minutes);
        }
        objects(problem, setting, need, offer, code)
    })
}

/// Ways that have been found, for those who look at many pairs.
#[derive(Default)]
pub(crate) struct Ways(FxHashMap<(SiteCode, SiteCode), Option<u32>>);

impl Ways {
    fn minutes(&mut self, problem: &Problem, from: SiteCode, to: SiteCode) -> Option<u32> {
        *self.0.entry((from, to)).or_insert_with(|| problem.region.travel_minutes(from, to))
    }
}

/// Asks of many needs whether they may use one offer once some codes no longer object. What is the same for all needs, for
/// those of a trust or for those of a site is asked once.
pub(crate) struct Gate<'a> {
    problem: &'a Problem,
    setting: &'a Setting,
    offer: &'a Offer,
    /// Whether something about the offer alone keeps everybody away.
    is_closed: bool,
    /// What is to be asked of each need, what is quickly told first.
    codes: Vec<NotUsed>,
    may_ask: FxHashMap<TrustCode, bool>,
    ways: Ways,
}

impl<'a> Gate<'a> {
    pub(crate) fn new(
        problem: &'a Problem,
        setting: &'a Setting,
        offer: &'a Offer,
        lifted: &[NotUsed],
    ) -> Self {
        let asked = |code: &NotUsed| !lifted.contains(code);
        let others = NotUsed::ALL.iter().skip(BETWEEN_TRUSTS.len()).filter(|code| asked(code));
        let of_need = others.filter(|&code| *code != NotUsed::TooFar && !OF_OFFER.contains(code));
        let mut codes: Vec<NotUsed> = of_need.copied().collect();
        // Two times are compared at once and rule out most.
        codes.sort_by_key(|code| !matches!(code, NotUsed::TooEarly | NotUsed::TooLate));
        let is_closed =
            OF_OFFER.iter().filter(|code| asked(code)).any(|&code| closes(problem, setting, offer, code));
        let (may_ask, ways) = (FxHashMap::default(), Ways::default());
        Self { problem, setting, offer, is_closed, codes, may_ask, ways }
    }

    /// Says whether nothing objects but what was lifted.
    pub(crate) fn admits(&mut self, need: &Need) -> bool {
        let Self { problem, setting, offer, .. } = *self;
        self.is_open_to(Whence::of(need))
            && !self.codes.iter().any(|&code| objects(problem, setting, need, offer, code))
    }

    /// Says whether nothing objects to where a need comes from. Cheaper than reading the need, and rules out most.
    pub(crate) fn is_open_to(&mut self, whence: Whence) -> bool {
        let Whence { trust, site, limit } = whence;
        self.may_ask(trust) && !is_too_far(self.ways.minutes(self.problem, site, self.offer.site), limit)
    }

    /// Says whether any need of a trust may be admitted.
    pub(crate) fn may_ask(&mut self, trust: TrustCode) -> bool {
        let Self { problem, setting, offer, .. } = *self;
        let may_ask = || !BETWEEN_TRUSTS.into_iter().any(|code| parts(problem, setting, trust, offer, code));
        !self.is_closed && *self.may_ask.entry(trust).or_insert_with(may_ask)
    }
}

/// Where a need comes from, and how far its patient may travel.
#[derive(Clone, Copy)]
pub(crate) struct Whence {
    trust: TrustCode,
    site: SiteCode,
    limit: Option<u32>,
}

impl Whence {
    pub(crate) fn of(need: &Need) -> Self {
        Self { trust: need.trust, site: need.site, limit: need.max_travel_minutes }
    }
}

/// Says whether a code that asks only whose the offer and the need are objects.
fn parts(problem: &Problem, setting: &Setting, trust: TrustCode, offer: &Offer, code: NotUsed) -> bool {
    let shares = |collaborative: &Collaborative| {
        let shared = offer.shared_with.is_empty() || offer.shared_with.contains(&collaborative.id);
        shared && collaborative.shares.contains(&offer.resource.kind)
    };
    (code == NotUsed::SameTrust && trust == offer.trust)
        || (code == NotUsed::NoAgreement && !setting.joining(&problem.region, trust, offer.trust).any(shares))
}

/// The codes that ask nothing about the need.
const OF_OFFER: [NotUsed; 3] = [NotUsed::Stale, NotUsed::Suspended, NotUsed::BelowReserve];

/// Says whether a code that asks nothing about the need objects.
fn closes(problem: &Problem, setting: &Setting, offer: &Offer, code: NotUsed) -> bool {
    // Theatres keep no reserve: a session is kept by not offering it.
    let none_above = || offer.resource.kind != ResourceKind::Theatre && setting.spare_of(offer) <= 0;
    (code == NotUsed::Stale && problem.is_stale(offer))
        || (code == NotUsed::Suspended && !problem.is_open(offer))
        || (code == NotUsed::BelowReserve && (offer.figures.free().is_zero() || none_above()))
}

fn is_too_far(minutes: Option<u32>, limit: Option<u32>) -> bool {
    minutes.is_none_or(|minutes| above(Some(minutes), limit))
}

/// The first codes of the table, which ask only whose the offer and the need are.
const BETWEEN_TRUSTS: [NotUsed; 2] = [NotUsed::SameTrust, NotUsed::NoAgreement];

/// Says whether the offer is counted in the need's explanation: it is of the same kind and code, or of a code that
/// differs only in security.
#[must_use]
pub fn is_of_the_resource(need: &Need, offer: &Offer) -> bool {
    let (n, o) = (&need.resource, &offer.resource);
    n.kind == o.kind && (n.code == o.code || differs_in_security(need, offer))
}

fn objects(problem: &Problem, setting: &Setting, need: &Need, offer: &Offer, code: NotUsed) -> bool {
    let region = &problem.region;
    let start = problem.start_of(need);
    let free = offer.figures.free().get();
    match code {
        NotUsed::SameTrust | NotUsed::NoAgreement => parts(problem, setting, need.trust, offer, code),
        NotUsed::WrongResource => !is_of_the_resource(need, offer),
        NotUsed::SpecialtyMismatch => {
            let named = &need.resource.specialties;
            let shared = named.iter().any(|specialty| offer.resource.specialties.contains(specialty));
            (!named.is_empty() || need.resource.kind == ResourceKind::Theatre) && !shared
        }
        NotUsed::CapabilityMissing => need
            .requires
            .iter()
            .any(|label| label.as_str() != ISOLATION && !offer.capabilities.contains(label)),
        NotUsed::Isolation => {
            needs_isolation(need) && !offer.capabilities.iter().any(|label| label.as_str() == ISOLATION)
        }
        NotUsed::CareLevel => offer.resource.level < need.resource.level,
        NotUsed::SecurityLevel => differs_in_security(need, offer),
        NotUsed::AgeOrSex => {
            let (age, sex, limits) = (need.patient.age, need.patient.sex, &offer.limits);
            below(age, limits.age_min) || above(age, limits.age_max) || {
                limits.sex.is_some_and(|only| sex.is_some_and(|sex| sex != only))
            }
        }
        NotUsed::BmiOrAsaLimit => {
            let Limits { bmi_max, asa_max, .. } = offer.limits;
            above(need.patient.bmi, bmi_max) || above(need.patient.asa, asa_max)
        }
        NotUsed::TooFar => is_too_far(region.travel_minutes(need.site, offer.site), need.max_travel_minutes),
        NotUsed::TooLate => need.needed_by.is_some_and(|by| offer.window.from.is_some_and(|from| from > by)),
        NotUsed::TooEarly => {
            if offer.resource.kind.is_open_while_it_lasts() {
                offer.window.until <= start
            } else {
                offer.window.from.is_none_or(|from| from < start)
            }
        }
        NotUsed::TooShort => {
            need.resource.kind == ResourceKind::Theatre && need.minutes_per_case.get() > free
        }
        NotUsed::TeamMissing => !offer.team.staffed && !need.brings_team,
        NotUsed::RingFenced => !need.priority.is_planned() && region.is_ring_fenced(offer.site),
        NotUsed::Stale | NotUsed::Suspended | NotUsed::BelowReserve => closes(problem, setting, offer, code),
        NotUsed::TrustUnderPressure => {
            let declared = region.trusts.get(&offer.trust).and_then(|trust| trust.opel);
            declared.is_some_and(|opel| opel >= opel_limit(problem, setting, need, offer))
        }
        NotUsed::DeclinedBefore => {
            // Mostly nothing was, and then no ids need to be put together.
            !problem.declined.is_empty() && problem.declined.contains(&(need.id.clone(), offer.id.clone()))
        }
        // These speak of a plan, not of a pair.
        NotUsed::HeldForAnother | NotUsed::LostToHigherPriority | NotUsed::CheaperElsewhere => false,
    }
}

/// Says whether the need asks for isolation, by its requirements or the patient's.
#[must_use]
pub fn needs_isolation(need: &Need) -> bool {
    need.patient.isolation == Some(true) || need.requires.iter().any(|label| label.as_str() == ISOLATION)
}

fn differs_in_security(need: &Need, offer: &Offer) -> bool {
    let (n, o) = (&need.resource, &offer.resource);
    // Nearly always the codes are the same, and no list needs to be asked.
    n.kind == o.kind && n.code != o.code && {
        let group = codes::security_group(n.kind, n.code.as_str());
        group.is_some() && group == codes::security_group(o.kind, o.code.as_str())
    }
}

fn above(value: Option<u32>, limit: Option<u32>) -> bool {
    value.is_some_and(|value| limit.is_some_and(|limit| value > limit))
}

fn below(value: Option<u32>, limit: Option<u32>) -> bool {
    value.is_some_and(|value| limit.is_some_and(|limit| value < limit))
}

/// Returns the OPEL from which the supporting trust is not asked, which an incident between the two may change.
fn opel_limit(problem: &Problem, setting: &Setting, need: &Need, offer: &Offer) -> u8 {
    let policy = &problem.region.policy;
    let mut joining = setting.joining(&problem.region, need.trust, offer.trust);
    let mut in_incident = || joining.any(|one| one.mode == Mode::Incident);
    match policy.incident.opel_limit {
        Some(limit) if in_incident() => limit,
        Some(_) | None => policy.opel_limit,
    }
}

/// Returns the burden of one unit of the offer for the need, without fairness.
#[must_use]
pub fn burden(problem: &Problem, need: &Need, offer: &Offer) -> Burden {
    let (region, policy) = (&problem.region, &problem.region.policy);
    let days = delay_days(problem.start_of(need), offer.window.from);
    let levels = levels_above(need.resource.level, offer.resource.level);
    Burden {
        travel: region.travel_minutes(need.site, offer.site).unwrap_or(u32::MAX),
        delay: policy.delay_points_per_day.saturating_mul(days),
        opel: opel_points(policy, region.trusts.get(&offer.trust).and_then(|trust| trust.opel)),
        level: policy.level_points.saturating_mul(levels),
    }
}

#[cfg(test)]
#[path = "eligible_tests.rs"]
mod tests;
