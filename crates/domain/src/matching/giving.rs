//! What trusts have given over the last 28 days, and what is fair to ask of them now.
//!
//! The account is made of live records alone: the transfers agreed in that time and what trusts have staffed. Whoever has
//! the same records at the same time comes to the same figures, so that a replay decides as the engine did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::explanation::Fairness;
use crate::ids::{OfferId, TransferId, TrustCode};
use crate::lifecycle::transfer::is_lent;
use crate::offer::Offer;
use crate::quantity::Count;
use crate::region::Region;
use crate::transfer::{Transfer, TransferState};

/// How long what was given counts: 28 days from when it was agreed.
pub const COUNTED: SignedDuration = SignedDuration::from_hours(28 * 24);

/// Fewer transfers than these of known deprivation are not told of, for it would point at single people.
const LEAST_TOLD: u64 = 20;
/// The share is told in steps of so many points, so that two readings do not tell of the one transfer between them.
const STEP: u32 = 5;
/// The last decile of the most deprived fifth.
const MOST_DEPRIVED: u8 = 2;

/// What was given and taken over [`COUNTED`], and what each trust has staffed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Giving {
    gifts: BTreeMap<TransferId, Gift>,
    by_age: BTreeSet<(Timestamp, TransferId)>,
    staffed_by: BTreeMap<OfferId, (TrustCode, u64)>,
    given: Sums,
    taken: Sums,
    staffed: Sums,
    /// Transfers of people of whom the decile is known, and of them those of the most deprived fifth.
    helped: [u64; 2],
}

/// What one transfer gave.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gift {
    agreed_at: Timestamp,
    /// None of cases in theatres: fairness does not count them, and their minutes are not among what is staffed.
    units: u64,
    from: TrustCode,
    to: TrustCode,
    /// The trust whose team came, with its units: a team that is lent is given too.
    team: Option<(TrustCode, u64)>,
    decile: Option<u8>,
}

impl Gift {
    /// Returns what a transfer gave; `None` where it was called off.
    fn of(transfer: &Transfer) -> Option<Self> {
        let is_patient = !is_lent(transfer.resource.kind);
        (transfer.state != TransferState::Aborted).then(|| Self {
            agreed_at: transfer.agreed_at,
            units: if transfer.resource.kind.is_minutes() { 0 } else { transfer.units.get().into() },
            from: transfer.supporting_trust,
            to: transfer.home_trust,
            team: transfer.team.as_ref().map(|team| (team.trust, team.units.get().into())),
            decile: transfer.imd_decile.filter(|_| is_patient),
        })
    }
}

/// Units by trust, and of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sums {
    of: BTreeMap<TrustCode, u64>,
    all: u64,
}

impl Sums {
    fn add(&mut self, trust: TrustCode, units: u64) {
        if units == 0 {
            return;
        }
        *self.of.entry(trust).or_default() += units;
        self.all += units;
    }

    fn take_off(&mut self, trust: TrustCode, units: u64) {
        let left = self.get(trust).saturating_sub(units);
        // Nothing is not kept: the same records make the same sums.
        if left == 0 {
            self.of.remove(&trust);
        } else {
            self.of.insert(trust, left);
        }
        self.all = self.all.saturating_sub(units);
    }

    fn get(&self, trust: TrustCode) -> u64 {
        self.of.get(&trust).copied().unwrap_or(0)
    }

    /// A trust's share in whole per cent; 0 of nothing.
    fn percent(&self, trust: TrustCode) -> u32 {
        percent(self.get(trust), self.all).unwrap_or(0)
    }
}

/// Returns a part in whole per cent, rounded down; `None` of nothing.
fn percent(part: u64, whole: u64) -> Option<u32> {
    u32::try_from(part.checked_mul(100)?.checked_div(whole)?).ok()
}

/// Rounds a percentage to the nearest [`STEP`].
fn to_step(percent: u32) -> u32 {
    (percent + STEP / 2) / STEP * STEP
}

impl Giving {
    /// Counts a transfer as it is now.
    pub fn put_transfer(&mut self, transfer: &Transfer) {
        self.remove_transfer(&transfer.id);
        let Some(gift) = Gift::of(transfer) else { return };
        self.given.add(gift.from, gift.units);
        self.taken.add(gift.to, gift.units);
        if let Some((trust, units)) = gift.team {
            self.given.add(trust, units);
        }
        if let Some(decile) = gift.decile {
            self.helped[0] += 1;
            self.helped[1] += u64::from(decile <= MOST_DEPRIVED);
        }
        self.by_age.insert((gift.agreed_at, transfer.id.clone()));
        self.gifts.insert(transfer.id.clone(), gift);
    }

    /// Counts a transfer no more.
    pub fn remove_transfer(&mut self, id: &TransferId) {
        let Some(gift) = self.gifts.remove(id) else { return };
        self.by_age.remove(&(gift.agreed_at, id.clone()));
        self.given.take_off(gift.from, gift.units);
        self.taken.take_off(gift.to, gift.units);
        if let Some((trust, units)) = gift.team {
            self.given.take_off(trust, units);
        }
        if let Some(decile) = gift.decile {
            self.helped[0] -= 1;
            self.helped[1] -= u64::from(decile <= MOST_DEPRIVED);
        }
    }

    /// Counts what an offer has staffed, as it is now. Minutes of theatres are not added to beds and slots.
    pub fn put_offer(&mut self, offer: &Offer) {
        self.remove_offer(&offer.id);
        if !offer.resource.kind.is_minutes() && !offer.state.is_ended() {
            let staffed = u64::from(offer.figures.staffed.get());
            self.staffed.add(offer.trust, staffed);
            self.staffed_by.insert(offer.id.clone(), (offer.trust, staffed));
        }
    }

    /// Counts an offer no more.
    pub fn remove_offer(&mut self, id: &OfferId) {
        if let Some((trust, staffed)) = self.staffed_by.remove(id) {
            self.staffed.take_off(trust, staffed);
        }
    }

    /// Leaves out what was agreed [`COUNTED`] or longer before a time. What is left out does not come back when a time
    /// before it is asked about.
    pub fn move_to(&mut self, at: Timestamp) {
        let counts = |agreed: Timestamp| at.duration_since(agreed) < COUNTED;
        while let Some((_, id)) = self.by_age.first().filter(|(agreed, _)| !counts(*agreed)).cloned() {
            self.remove_transfer(&id);
        }
    }

    /// Returns the units that a trust may still give before fairness costs points: its due less what it has given.
    ///
    /// Its due of 28 days is its share of all that was given, by what it has staffed of all that is staffed, rounded up;
    /// and never less than what the region file lets it give (`start`), which stands before anybody has given anything.
    #[must_use]
    pub fn allowance(&self, trust: TrustCode, start: Option<Count>) -> Count {
        let share = u128::from(self.given.all) * u128::from(self.staffed.get(trust));
        let due = if self.staffed.all == 0 { 0 } else { share.div_ceil(self.staffed.all.into()) };
        let due = due.max(start.unwrap_or_default().get().into());
        let left = due.saturating_sub(self.given.get(trust).into());
        Count::new(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// Puts the allowances that stand now into the region in force, in place of those of its file; nothing where the
    /// policy gives fairness no weight, so that nobody's allowance is asked for. A region that has them stays the same one.
    pub fn lay_over(&self, file: &Region, in_force: &mut Arc<Region>) {
        if file.policy.fair_step == 0 {
            return;
        }
        for (ods, trust) in &file.trusts {
            let stands = Some(self.allowance(*ods, trust.fair_allowance));
            let is_there = in_force.trusts.get(ods).is_some_and(|now| now.fair_allowance == stands);
            if !is_there && let Some(now) = Arc::make_mut(in_force).trusts.get_mut(ods) {
                now.fair_allowance = stands;
            }
        }
    }

    /// Returns what an explanation says of a supporting trust, and of those who were helped.
    #[must_use]
    pub fn fairness(&self, trust: TrustCode) -> Fairness {
        let small = |units: u64| u32::try_from(units).unwrap_or(u32::MAX);
        let [known, deprived] = self.helped;
        Fairness {
            given: small(self.given.get(trust)),
            taken: small(self.taken.get(trust)),
            share: self.given.percent(trust),
            staffed: Some(self.staffed.percent(trust)),
            most_deprived: percent(deprived, known).filter(|_| known >= LEAST_TOLD).map(to_step),
        }
    }
}

#[cfg(test)]
#[path = "giving_tests.rs"]
mod tests;
