//! Why this offer is proposed for this need.

use jiff::SignedDuration;

use crate::ids::TrustCode;
use crate::matching::eligible::burden;
use crate::matching::explanation::{After, Alternative, Explanation, Fairness, RankFacts, Term};
use crate::matching::network::position;
use crate::matching::rank::{rank, score};
use crate::matching::solve::Allocation;
use crate::need::Need;
use crate::offer::Offer;
use crate::reason::NotUsed;
use crate::resource::ResourceKey;

use super::Explainer;
use super::counts::Seen;

/// What an explanation says beside what can be computed from the problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The ledger revision the engine decided on; 0 for files.
    pub revision: u64,
    /// The version of the region file that held the policy.
    pub policy: String,
    /// What the supporting trust has given and taken over the last 28 days.
    pub fairness: Fairness,
}

/// Runners-up that are named.
const ALTERNATIVES: usize = 3;

impl Explainer<'_> {
    /// Explains one line of the plan; `None` when it names a record that is not in the problem.
    #[must_use]
    pub fn proposal(&self, line: &Allocation, context: &Context) -> Option<Explanation> {
        let (at, chosen) = (*self.needs.get(&line.need)?, *self.offers.get(&line.offer)?);
        let (need, offer) = (self.need(at), self.offer(chosen));
        let view = self.all.view(self.problem, &self.model.setting, need);
        let seen = self.seen(at, &view);
        Some(Explanation {
            rank: self.rank_facts(need),
            terms: self.terms(need, offer, line),
            after: self.after(offer, line),
            fairness: context.fairness.clone(),
            alternatives: self.alternatives(at, chosen, line, &seen),
            not_used: self.counts(at, &view, &seen, Some(chosen)),
            flips: self.flips(at, chosen),
            unknown: unknown(need, offer),
            checked_at: self.problem.at,
            revision: context.revision,
            policy: context.policy.clone(),
        })
    }

    /// Returns where a need stands among the needs that take part for the same kind and code.
    #[must_use]
    pub fn rank_facts(&self, need: &Need) -> RankFacts {
        let (policy, at) = (&self.problem.region.policy, self.problem.at);
        let mine = rank(need, policy, at);
        let code = (need.resource.kind, need.resource.code.clone());
        let queue = self.queues.get(&code).map_or(&[][..], Vec::as_slice);
        let before = queue.partition_point(|other| *other < mine);
        let limit = SignedDuration::from_hours(i64::from(policy.limit_hours.of(need.priority)));
        let waited = at.duration_since(need.listed_at).as_hours().max(0) / 24;
        RankFacts {
            priority: need.priority,
            score: score(need, policy, at),
            breach_at: need.listed_at.checked_add(limit).unwrap_or(need.listed_at),
            waited_days: u32::try_from(waited).unwrap_or(u32::MAX),
            position: position(before + 1),
            of: position(queue.len()),
        }
    }

    fn terms(&self, need: &Need, offer: &Offer, line: &Allocation) -> Vec<Term> {
        let burden = burden(self.problem, need, offer);
        let opel = self.problem.region.trusts.get(&offer.trust).and_then(|trust| trust.opel);
        let days = burden.delay / self.problem.region.policy.delay_points_per_day.max(1);
        let said = opel.map_or_else(|| "none".to_owned(), |opel| opel.to_string());
        let term = |name: &str, points: u32, detail: String| Term {
            name: name.to_owned(),
            points: points.into(),
            detail,
        };
        let mut terms = vec![term("travel", burden.travel, format!("{} minutes", burden.travel))];
        if burden.delay > 0 {
            terms.push(term("delay", burden.delay, format!("starts {days} days after the need's time")));
        }
        terms.push(term("declared OPEL", burden.opel, said));
        if burden.level > 0 {
            terms.push(term("level", burden.level, "a higher level of care than needed".to_owned()));
        }
        if line.fairness > 0 {
            // Of one unit: the plan counts the line's units together.
            let points = line.fairness / i64::from(line.units.max(1));
            let detail = format!("beyond its fair share: {} for {} units", line.fairness, line.units);
            terms.push(Term { name: "fairness".to_owned(), points, detail });
        }
        terms
    }

    fn after(&self, offer: &Offer, line: &Allocation) -> After {
        let key = offer.resource.key();
        let held = if offer.resource.kind.is_minutes() { line.minutes } else { u64::from(line.units) };
        let held = i64::try_from(held).unwrap_or(i64::MAX);
        let reserve = self.problem.reserve(offer.trust, &key);
        let above = self.model.setting.spare(offer.trust, &key) - held;
        let small = |units: i64| u32::try_from(units.max(0)).unwrap_or(u32::MAX);
        After {
            free: small(above + reserve),
            reserve: small(reserve),
            pressure: self.pressure(offer.trust, &key, above),
        }
    }

    /// Our pressure number of a trust for a resource, 1 to 4, with so many units free above its reserve.
    fn pressure(&self, trust: TrustCode, key: &ResourceKey, above: i64) -> u8 {
        let own = self.own.get(&(trust, key.clone())).copied().unwrap_or_default();
        let (net, margin) = (above - own.wanted, (own.staffed / 10).max(2));
        if net >= margin {
            1
        } else if net >= 0 {
            2
        } else if net > -margin {
            3
        } else {
            4
        }
    }

    /// The eligible offers with least burden, and why each lost.
    fn alternatives(&self, at: u32, chosen: u32, line: &Allocation, seen: &[Seen]) -> Vec<Alternative> {
        let need = self.need(at);
        let mine = (line.burden - line.fairness) / i64::from(line.units.max(1));
        let eligible = seen.iter().filter(|one| one.is_eligible() && one.offer != chosen);
        let mut ranked: Vec<(i64, u32)> = eligible
            .map(|one| (burden(self.problem, need, self.offer(one.offer)).total().into(), one.offer))
            .collect();
        ranked.sort_by(|a, b| (a.0, &self.offer(a.1).id).cmp(&(b.0, &self.offer(b.1).id)));
        ranked.truncate(ALTERNATIVES);
        ranked
            .into_iter()
            .map(|(points, other)| {
                let offer = self.offer(other);
                let reason = match (points > mine, self.why_lost(at, other)) {
                    (_, NotUsed::LostToHigherPriority) => "its units go to more urgent needs".to_owned(),
                    (true, _) => format!("{} points more", points - mine),
                    (false, _) if self.takers.contains_key(&other) => {
                        "its units serve others who would have farther to go".to_owned()
                    }
                    (false, _) => "the plan as a whole costs no less with it".to_owned(),
                };
                Alternative { offer: offer.id.clone(), trust: offer.trust, burden: points, reason }
            })
            .collect()
    }
}

/// Limits of the offer that could not be checked because the patient's value is not known.
fn unknown(need: &Need, offer: &Offer) -> Vec<String> {
    let (patient, limits) = (&need.patient, &offer.limits);
    [
        (
            patient.age.is_none() && (limits.age_min.is_some() || limits.age_max.is_some()),
            "age is not known; the offer has an age limit",
        ),
        (patient.sex.is_none() && limits.sex.is_some(), "sex is not known; the offer takes one only"),
        (patient.bmi.is_none() && limits.bmi_max.is_some(), "BMI is not known; the offer has a limit"),
        (patient.asa.is_none() && limits.asa_max.is_some(), "ASA is not known; the offer has a limit"),
    ]
    .into_iter()
    .filter(|(is_unknown, _)| *is_unknown)
    .map(|(_, text)| text.to_owned())
    .collect()
}
