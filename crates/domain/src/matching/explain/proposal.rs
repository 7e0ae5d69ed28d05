//! Why this offer is proposed for this need.

use jiff::SignedDuration;

use crate::ids::TrustCode;
use crate::matching::eligible::burden;
use crate::matching::explanation::{After, Alternative, Explanation, Fairness, Flip, RankFacts, Term};
use crate::matching::rank::{rank, score};
use crate::matching::solve::{Allocation, solve};
use crate::need::Need;
use crate::offer::Offer;
use crate::reason::NotUsed;
use crate::resource::ResourceKey;

use super::Explainer;

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
        let others: Vec<u32> = self.offers_for(need).into_iter().filter(|&other| other != chosen).collect();
        Some(Explanation {
            rank: self.rank_facts(need),
            terms: self.terms(need, offer, line),
            after: self.after(offer, line),
            fairness: context.fairness.clone(),
            alternatives: self.alternatives(at, line, &others),
            not_used: self.counts(at, &self.objections(at, &others)),
            flips: self.flips(need, line),
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
        let queue = self.model.ranks.iter().filter(|(other, _)| {
            let other = &self.need(**other).resource;
            other.kind == need.resource.kind && other.code == need.resource.code
        });
        let (mut of, mut before) = (0, 0);
        for (_, other) in queue {
            of += 1;
            before += u32::from(*other < mine);
        }
        let limit = SignedDuration::from_hours(i64::from(policy.limit_hours.of(need.priority)));
        let waited = at.duration_since(need.listed_at).as_hours().max(0) / 24;
        RankFacts {
            priority: need.priority,
            score: score(need, policy, at),
            breach_at: need.listed_at.checked_add(limit).unwrap_or(need.listed_at),
            waited_days: u32::try_from(waited).unwrap_or(u32::MAX),
            position: before + 1,
            of,
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
        let own = self.problem.needs.iter().filter(|need| {
            need.trust == trust
                && !need.state.is_ended()
                && need.resource.kind == key.kind
                && need.resource.code == key.code
                && need.resource.level == key.level
        });
        let wanted: i64 = own.map(|need| i64::from(need.units_wanted().get())).sum();
        let offers = self.problem.offers.iter();
        let its = offers
            .filter(|offer| offer.trust == trust && !offer.state.is_ended() && offer.resource.key() == *key);
        let staffed: i64 = its.map(|offer| i64::from(offer.figures.staffed.get())).sum();
        let (net, margin) = (above - wanted, (staffed / 10).max(2));
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
    fn alternatives(&self, at: u32, line: &Allocation, others: &[u32]) -> Vec<Alternative> {
        let need = self.need(at);
        let mine = (line.burden - line.fairness) / i64::from(line.units.max(1));
        let eligible =
            others.iter().filter(|&&other| self.first_objection(need, self.offer(other)).is_none());
        let mut ranked: Vec<(i64, u32)> = eligible
            .map(|&other| (burden(self.problem, need, self.offer(other)).total().into(), other))
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

    /// What would be proposed if this were declined: solved, not guessed.
    fn flips(&self, need: &Need, line: &Allocation) -> Vec<Flip> {
        let mut problem = self.of_the_same_code(need);
        problem.declined.insert((line.need.clone(), line.offer.clone()));
        let plan = solve(&problem, None, 0, 0, &mut || false);
        let next = plan.allocations.iter().find(|other| other.need == line.need && other.offer != line.offer);
        let then = match next {
            None => "nothing: no other offer would serve it".to_owned(),
            Some(next) => {
                let offer = self.offers.get(&next.offer).map(|&at| self.offer(at));
                let trust = offer.map_or_else(String::new, |offer| self.trust_name(offer));
                let points = next.burden / i64::from(next.units.max(1));
                format!("{trust} would be asked, {points} points a unit")
            }
        };
        vec![Flip { change: "either trust declines this".to_owned(), then }]
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
