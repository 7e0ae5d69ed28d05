//! Explanations.

use fallow_domain::matching::explanation::{
    Change, Explanation, NotUsedCount, RankFacts, Relaxation, Unserved,
};
use jiff::Timestamp;

use super::codes::Coded;
use super::request::number_to_wire;
use super::time::to_wire as time_to_wire;
use crate::v1;
use crate::v1::explanation::{After, Alternative, Fairness, Flip, NotUsed, Rank, Term};

/// Writes why a proposal was made.
#[must_use]
pub fn to_wire(explanation: &Explanation) -> v1::Explanation {
    v1::Explanation {
        rank: Some(rank_to_wire(&explanation.rank)),
        terms: explanation
            .terms
            .iter()
            .map(|term| Term { name: term.name.clone(), points: term.points, detail: term.detail.clone() })
            .collect(),
        after: Some(After {
            free: explanation.after.free.into(),
            reserve: explanation.after.reserve.into(),
            pressure: explanation.after.pressure.into(),
        }),
        fairness: Some(Fairness {
            given: explanation.fairness.given.into(),
            taken: explanation.fairness.taken.into(),
            share: explanation.fairness.share.into(),
            staffed_share: explanation.fairness.staffed.map(Into::into),
            most_deprived_share: explanation.fairness.most_deprived.map(Into::into),
        }),
        alternatives: explanation
            .alternatives
            .iter()
            .map(|other| Alternative {
                offer: other.offer.to_string(),
                trust: other.trust.to_string(),
                burden: other.burden,
                reason: other.reason.clone(),
            })
            .collect(),
        not_used: explanation.not_used.iter().map(not_used).collect(),
        flips: explanation
            .flips
            .iter()
            .map(|flip| Flip { change: flip.change.clone(), then: flip.then.clone() })
            .collect(),
        checked_at: Some(time_to_wire(explanation.checked_at)),
        revision: number_to_wire(explanation.revision),
        policy: explanation.policy.clone(),
        unknown: explanation.unknown.clone(),
    }
}

/// What the engine looked at when it explained.
#[derive(Debug, Clone)]
pub struct Looked<'a> {
    /// When.
    pub at: Timestamp,
    /// At which revision.
    pub revision: u64,
    /// By which policy.
    pub policy: &'a str,
    /// When gold is told if nothing changes.
    pub gold_told_at: Option<Timestamp>,
}

/// Writes why a need is not served.
#[must_use]
pub fn unserved_to_wire(
    unserved: &Unserved,
    rank: Option<&RankFacts>,
    looked: &Looked<'_>,
) -> v1::UnservedExplanation {
    v1::UnservedExplanation {
        need: unserved.need.to_string(),
        unserved: unserved.units.into(),
        offers: unserved.offers.into(),
        counts: unserved.counts.iter().map(not_used).collect(),
        taken_by: unserved.taken_by.iter().map(|priority| priority.to_wire()).collect(),
        relaxations: unserved.relaxations.iter().map(relaxation).collect(),
        rank: rank.map(rank_to_wire),
        checked_at: Some(time_to_wire(looked.at)),
        revision: number_to_wire(looked.revision),
        policy: looked.policy.to_owned(),
        gold_told_at: looked.gold_told_at.map(time_to_wire),
    }
}

/// Writes where a need stands in the queue.
#[must_use]
pub fn rank_to_wire(rank: &RankFacts) -> Rank {
    Rank {
        priority: rank.priority.to_wire(),
        breach_at: Some(time_to_wire(rank.breach_at)),
        waited_days: rank.waited_days.into(),
        position: rank.position.into(),
        of: rank.of.into(),
        score: rank.score,
    }
}

fn not_used(count: &NotUsedCount) -> NotUsed {
    NotUsed { reason: count.reason.to_wire(), count: count.count.into(), example: count.example.clone() }
}

fn relaxation(relaxation: &Relaxation) -> v1::unserved_explanation::Relaxation {
    v1::unserved_explanation::Relaxation {
        change: Some(v1::unserved_explanation::Change { change: Some(change(&relaxation.change)) }),
        text: relaxation.text.clone(),
        places: relaxation.places.into(),
    }
}

fn change(change: &Change) -> v1::unserved_explanation::change::Change {
    use v1::unserved_explanation::change;
    match change {
        Change::TravelLimit { minutes } => {
            change::Change::TravelLimit(change::TravelLimit { minutes: (*minutes).into() })
        }
        Change::Confirm { offer, trust } => {
            change::Change::Confirm(change::Confirm { offer: offer.to_string(), trust: trust.to_string() })
        }
        Change::MoreUnits { offer, trust, units } => change::Change::MoreUnits(change::MoreUnits {
            offer: offer.to_string(),
            trust: trust.to_string(),
            units: (*units).into(),
        }),
        Change::LowerReserve { trust, resource, by } => change::Change::LowerReserve(change::LowerReserve {
            trust: trust.to_string(),
            resource: resource.clone(),
            by: (*by).into(),
        }),
        Change::LaterBy { needed_by } => {
            change::Change::LaterBy(change::LaterBy { needed_by: Some(time_to_wire(*needed_by)) })
        }
        Change::FindTeam { offer, trust } => {
            change::Change::FindTeam(change::FindTeam { offer: offer.to_string(), trust: trust.to_string() })
        }
    }
}
