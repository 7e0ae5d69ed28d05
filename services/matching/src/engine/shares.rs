//! What trusts have given and taken by the transfers that are not over: what explanations say of fairness.

use std::collections::HashMap;

use fallow_domain::ids::TrustCode;
use fallow_domain::matching::explanation::Fairness;
use fallow_domain::transfer::Transfer;

/// Units of transfers, by trust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shares {
    given: HashMap<TrustCode, u64>,
    taken: HashMap<TrustCode, u64>,
    all: u64,
}

impl Shares {
    pub(super) fn of<'t>(transfers: impl Iterator<Item = &'t Transfer>) -> Self {
        let mut shares = Self::default();
        transfers.for_each(|transfer| shares.add(transfer));
        shares
    }

    pub(super) fn add(&mut self, transfer: &Transfer) {
        let units = u64::from(transfer.units.get());
        *self.given.entry(transfer.supporting_trust).or_default() += units;
        *self.taken.entry(transfer.home_trust).or_default() += units;
        self.all += units;
        // A team that is lent is a unit given.
        if let Some(team) = &transfer.team {
            *self.given.entry(team.trust).or_default() += u64::from(team.units.get());
            self.all += u64::from(team.units.get());
        }
    }

    pub(super) fn remove(&mut self, transfer: &Transfer) {
        let units = u64::from(transfer.units.get());
        less(&mut self.given, transfer.supporting_trust, units);
        less(&mut self.taken, transfer.home_trust, units);
        self.all = self.all.saturating_sub(units);
        if let Some(team) = &transfer.team {
            less(&mut self.given, team.trust, u64::from(team.units.get()));
            self.all = self.all.saturating_sub(u64::from(team.units.get()));
        }
    }

    /// What a trust has given and taken, and its share of all that was given.
    pub(super) fn fairness(&self, trust: Option<TrustCode>) -> Fairness {
        let of =
            |sums: &HashMap<TrustCode, u64>| trust.and_then(|trust| sums.get(&trust)).copied().unwrap_or(0);
        let (given, taken) = (of(&self.given), of(&self.taken));
        let small = |units: u64| u32::try_from(units).unwrap_or(u32::MAX);
        Fairness { given: small(given), taken: small(taken), share: small(given * 100 / self.all.max(1)) }
    }
}

fn less(sums: &mut HashMap<TrustCode, u64>, trust: TrustCode, units: u64) {
    let sum = sums.entry(trust).or_default();
    *sum = sum.saturating_sub(units);
    if *sum == 0 {
        sums.remove(&trust);
    }
}
