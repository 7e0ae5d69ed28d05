//! A change to what trusts offer, tried on the best plan of the unit needs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use crate::ids::TrustCode;
use crate::matching::eligible::{self, Gate};
use crate::matching::network::residual::{Added, Trial};
use crate::matching::network::{Fairness, Store};
use crate::reason::NotUsed;
use crate::resource::ResourceKey;

use super::super::Explainer;

/// A change to what a trust offers. Offers are named by their position in the problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Edit {
    /// The trust says that it is still true.
    Confirm { offer: u32 },
    /// A team is found for it.
    Staff { offer: u32 },
    /// So many units more are staffed.
    More { offer: u32, units: u32 },
    /// The trust keeps so many fewer of the offer's resource for itself.
    Reserve { offer: u32, by: u32 },
}

/// What an edit gives, in the words of the rules.
#[derive(Clone, Copy)]
pub(super) struct Given {
    /// The offer that it is about.
    pub(super) offer: u32,
    /// Units more that count above the trust's reserve.
    pub(super) more: i64,
    /// Units that the trust keeps fewer of for itself.
    pub(super) fewer_kept: i64,
    /// The units that the offer then has free, and the codes that no longer object to it; `None` where it is as it was.
    pub(super) new: Option<(i64, &'static [NotUsed])>,
}

/// What no longer objects to an offer of which its trust says that it is still true.
const CONFIRMED: &[NotUsed] = &[NotUsed::Stale, NotUsed::BelowReserve];
/// What no longer objects to an offer for which a team is found.
pub(super) const STAFFED: &[NotUsed] = &[NotUsed::TeamMissing];
/// What no longer objects to the offers of a trust with more above its reserve.
pub(super) const BELOW: &[NotUsed] = &[NotUsed::BelowReserve];

/// What an edit does.
pub(in super::super) struct Tried {
    /// Units served beyond the plan's.
    pub(super) places: i64,
    /// The demands that get more units, and whether in every best plan of the changed problem.
    gaining: BTreeMap<u32, bool>,
}

impl Tried {
    /// The demands that get more units in every best plan of the changed problem.
    #[cfg(test)]
    pub(super) fn surely_gaining(&self) -> impl Iterator<Item = u32> {
        self.gaining.iter().filter(|(_, is_sure)| **is_sure).map(|(demand, _)| *demand)
    }
}

impl Explainer<'_> {
    /// Units that the edit places in all, if every best plan then serves more of this need; `None` otherwise.
    pub(super) fn placed_by(&self, demand: u32, edit: Edit) -> Option<i64> {
        if self.is_outranked(demand, edit) {
            return None;
        }
        let tried = self.tried(edit);
        let is_sure = tried.gaining.get(&demand).copied().unwrap_or(false);
        (is_sure && tried.places > 0).then_some(tried.places)
    }

    /// What the edit does, which is the same for whoever asks.
    pub(in super::super) fn tried(&self, edit: Edit) -> Arc<Tried> {
        let remembered = || self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered().get(&edit).cloned();
        known.unwrap_or_else(|| {
            let mut trial = self.residual.trial();
            self.apply(&mut trial, edit);
            let gaining = trial.gaining().into_iter();
            let gaining =
                gaining.map(|(demand, more)| (demand, self.gains_always(&mut trial, edit, demand, more)));
            let gaining = gaining.collect();
            let tried = Arc::new(Tried { places: trial.placed(), gaining });
            remembered().insert(edit, tried.clone());
            tried
        })
    }

    /// Says whether every best plan of the changed problem serves more of a demand that a trial of the edit gives so many
    /// units more.
    fn gains_always(&self, trial: &mut Trial<'_, '_>, edit: Edit, demand: u32, more: i64) -> bool {
        if trial.must_keep(demand) {
            return true;
        }
        // One of several units can go at no cost. Whether all can, only trying without them tells.
        more > 1 && {
            let mut barred = self.residual.trial();
            barred.bar(demand);
            self.apply(&mut barred, edit);
            trial.cost() < barred.cost()
        }
    }

    /// Units of the offer's trust free above its reserve, as the rules count them; below zero when it lacks some.
    pub(super) fn spare(&self, offer: u32) -> i64 {
        let (trust, key) = self.resource_of(offer);
        let free = self.all.group(trust, &key).map_or(0, |group| group.free);
        free - self.problem.reserve(trust, &key)
    }

    pub(super) fn resource_of(&self, offer: u32) -> (TrustCode, ResourceKey) {
        let offer = self.offer(offer);
        (offer.trust, offer.resource.key())
    }

    pub(super) fn free(&self, offer: u32) -> i64 {
        i64::from(self.offer(offer).figures.free().get())
    }

    /// What an edit gives.
    pub(super) fn given_by(&self, edit: Edit) -> Given {
        match edit {
            Edit::Staff { offer } => {
                let new = Some((self.free(offer), STAFFED));
                Given { offer, more: 0, fewer_kept: 0, new }
            }
            Edit::Confirm { offer } => {
                let free = self.free(offer);
                Given { offer, more: free, fewer_kept: 0, new: Some((free, CONFIRMED)) }
            }
            Edit::More { offer, units } => {
                let short = i64::try_from(self.offer(offer).figures.short()).unwrap_or(i64::MAX);
                let more = (i64::from(units) - short).max(0);
                Given { offer, more, fewer_kept: 0, new: Some((self.free(offer) + more, BELOW)) }
            }
            Edit::Reserve { offer, by } => Given { offer, more: 0, fewer_kept: by.into(), new: None },
        }
    }

    fn apply(&self, trial: &mut Trial<'_, '_>, edit: Edit) {
        let given = self.given_by(edit);
        let Edit::Staff { offer } = edit else { return self.regroup(trial, given) };
        let (Some(&pool), Some((room, lifted))) = (self.pools.get(&offer), given.new) else { return };
        let askers = self.askers(offer, lifted);
        trial.add(Added { store: Store { parent: Some(pool), room, fairness: None }, askers });
    }

    fn regroup(&self, trial: &mut Trial<'_, '_>, given: Given) {
        let Given { offer, more, fewer_kept, new } = given;
        let (trust, key) = self.resource_of(offer);
        let before = self.spare(offer);
        let spare = before + more + fewer_kept;
        if spare <= 0 {
            return;
        }
        let group = self.all.group(trust, &key).map_or(&[][..], |group| &group.offers);
        let kept = self.problem.reserve(trust, &key);
        let in_network = group.iter().find_map(|offer| self.pools.get(offer));
        let reserve = match in_network {
            Some(&pool) if kept > 0 => self.model.network.stores[pool as usize].parent,
            Some(_) | None => None,
        };
        let parent = match reserve {
            Some(reserve) => {
                trial.raise(reserve, spare);
                Some(reserve)
            }
            None => {
                let outer = self.fair_store(trial, trust);
                let store = Store { parent: outer, room: spare, fairness: None };
                if kept > fewer_kept { Some(trial.add(Added { store, askers: Vec::new() })) } else { outer }
            }
        };
        let put_in = |trial: &mut Trial<'_, '_>, at: u32, room: i64, lifted: &[NotUsed]| {
            let askers = self.askers(at, lifted);
            if !askers.is_empty() {
                trial.add(Added { store: Store { parent, room, fairness: None }, askers });
            }
        };
        if before <= 0 {
            // None of the trust's offers could be used; now all can.
            for &at in group.iter().filter(|&&at| new.is_none() || at != offer) {
                put_in(trial, at, self.free(at), BELOW);
            }
        }
        let Some((room, lifted)) = new else { return };
        match self.pools.get(&offer) {
            Some(&pool) => trial.raise(pool, self.model.network.stores[pool as usize].room + more),
            None => put_in(trial, offer, room, lifted),
        }
    }

    /// The store that makes a trust's later units dearer, where there is one.
    fn fair_store(&self, trial: &mut Trial<'_, '_>, trust: TrustCode) -> Option<u32> {
        let step = i64::from(self.problem.region.policy.fair_step);
        let allowance = self.problem.region.trusts.get(&trust)?.fair_allowance.filter(|_| step > 0)?;
        if let Some(&store) = self.fair.get(&trust) {
            return Some(store);
        }
        let fairness = Some(Fairness { allowance: i64::from(allowance.get()), step });
        let store = Store { parent: None, room: i64::MAX, fairness };
        Some(trial.add(Added { store, askers: Vec::new() }))
    }

    /// The demands that may use the offer once these codes no longer object, with the burden of a unit; not those that may use
    /// it already.
    fn askers(&self, offer: u32, lifted: &[NotUsed]) -> Vec<(u32, u32)> {
        let its = self.offer(offer);
        let (mut then, mut now) = (self.gate(offer, lifted), self.gate(offer, &[]));
        let mut askers = Vec::new();
        let asking = self.asking.get(&(its.resource.kind, its.resource.code.clone()));
        for (&trust, demands) in asking.into_iter().flatten() {
            // Their records lie all over the memory: those of most trusts need not be read.
            if !then.may_ask(trust) {
                continue;
            }
            for &demand in demands {
                let need = self.need(self.model.demands[demand as usize]);
                if then.admits(need) && !now.admits(need) {
                    askers.push((demand, eligible::burden(self.problem, need, its).total()));
                }
            }
        }
        askers
    }

    /// Asks who may use an offer once these codes no longer object.
    pub(super) fn gate(&self, offer: u32, lifted: &[NotUsed]) -> Gate<'_> {
        Gate::new(self.problem, &self.model.setting, self.offer(offer), lifted)
    }
}
