//! A change to what trusts offer, tried on the best plan of the unit needs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use crate::ids::TrustCode;
use crate::matching::eligible;
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

/// What an edit does.
pub(in super::super) struct Tried {
    /// Units served beyond the plan's.
    pub(super) places: i64,
    cost: i128,
    /// The demands that get more units.
    gaining: BTreeMap<u32, i64>,
}

impl Explainer<'_> {
    /// Units that the edit places in all, if every best plan then serves more of this need; `None` otherwise.
    pub(super) fn placed_by(&self, demand: u32, edit: Edit) -> Option<i64> {
        let free = self.tried(edit);
        if free.places < 1 || !free.gaining.contains_key(&demand) {
            return None;
        }
        let mut barred = self.residual.trial();
        barred.bar(demand);
        self.apply(&mut barred, edit);
        (free.cost < barred.cost()).then_some(free.places)
    }

    /// What the edit does, which is the same for whoever asks.
    pub(in super::super) fn tried(&self, edit: Edit) -> Arc<Tried> {
        let remembered = || self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered().get(&edit).cloned();
        known.unwrap_or_else(|| {
            let mut trial = self.residual.trial();
            self.apply(&mut trial, edit);
            let gaining = trial.gaining().into_iter().collect();
            let tried = Arc::new(Tried { places: trial.placed(), cost: trial.cost(), gaining });
            remembered().insert(edit, tried.clone());
            tried
        })
    }

    /// Units of the offer's trust free above its reserve, as the rules count them; below zero when it lacks some.
    pub(super) fn spare(&self, offer: u32) -> i64 {
        let (trust, key) = self.resource_of(offer);
        let free = self.all.group(trust, &key).map_or(0, |group| group.free);
        free - self.problem.reserve(trust, &key)
    }

    fn resource_of(&self, offer: u32) -> (TrustCode, ResourceKey) {
        let offer = self.offer(offer);
        (offer.trust, offer.resource.key())
    }

    fn apply(&self, trial: &mut Trial<'_, '_>, edit: Edit) {
        let free = |offer: u32| i64::from(self.offer(offer).figures.free().get());
        match edit {
            Edit::Staff { offer } => {
                let Some(&pool) = self.pools.get(&offer) else { return };
                let askers = self.askers(offer, &[NotUsed::TeamMissing]);
                let store = Store { parent: Some(pool), room: free(offer), fairness: None };
                trial.add(Added { store, askers });
            }
            Edit::Confirm { offer } => {
                let lifted = [NotUsed::Stale, NotUsed::BelowReserve];
                self.regroup(trial, offer, free(offer), 0, Some((offer, free(offer), &lifted)));
            }
            Edit::More { offer, units } => {
                let short = i64::try_from(self.offer(offer).figures.short()).unwrap_or(i64::MAX);
                let more = (i64::from(units) - short).max(0);
                let new = Some((offer, free(offer) + more, &[NotUsed::BelowReserve][..]));
                self.regroup(trial, offer, more, 0, new);
            }
            Edit::Reserve { offer, by } => self.regroup(trial, offer, 0, i64::from(by), None),
        }
    }

    /// Gives a trust more units that count above its reserve, or a smaller reserve; `new` is an offer that has so many free
    /// units then, and the codes that no longer object to it.
    fn regroup(
        &self,
        trial: &mut Trial<'_, '_>,
        offer: u32,
        more: i64,
        fewer_kept: i64,
        new: Option<(u32, i64, &[NotUsed])>,
    ) {
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
            for &at in group.iter().filter(|&&at| new.is_none_or(|(new, ..)| new != at)) {
                put_in(trial, at, i64::from(self.offer(at).figures.free().get()), &[NotUsed::BelowReserve]);
            }
        }
        let Some((at, room, lifted)) = new else { return };
        match self.pools.get(&at) {
            Some(&pool) => trial.raise(pool, self.model.network.stores[pool as usize].room + more),
            None => put_in(trial, at, room, lifted),
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
        let (problem, setting, its) = (self.problem, &self.model.setting, self.offer(offer));
        let code = (its.resource.kind, its.resource.code.clone());
        let mut askers = Vec::new();
        for demands in self.asking.get(&code).into_iter().flat_map(|trusts| trusts.values()) {
            let need_of = |demand: u32| self.need(self.model.demands[demand as usize]);
            let first = demands.first().map(|&demand| need_of(demand));
            if first.is_none_or(|need| eligible::rules_out(problem, setting, need, its).is_some()) {
                continue;
            }
            for &demand in demands {
                let need = need_of(demand);
                let at_most = |codes| eligible::objects_at_most(problem, setting, need, its, codes);
                if at_most(lifted) && !at_most(&[]) {
                    askers.push((demand, eligible::burden(problem, need, its).total()));
                }
            }
        }
        askers
    }
}
