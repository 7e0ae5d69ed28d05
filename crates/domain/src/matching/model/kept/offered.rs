//! Offers of a kept plan: what they add to the network, and when that changes by itself.

use std::collections::BTreeMap;
use std::sync::Arc as Shared;

use jiff::Timestamp;
use rustc_hash::FxHashSet;

use crate::ids::{CollaborativeId, Label, OfferId, SiteCode, TrustCode};
use crate::matching::network::{Fairness, Store};
use crate::offer::{Offer, OfferState, Sex};
use crate::resource::{ResourceKey, ResourceKind, Specialty};

use super::super::facts::OfferFacts;
use super::{Due, KeptPlan};

/// An offer with what it adds.
pub(super) struct KeptOffer {
    pub(super) offer: Shared<Offer>,
    /// Units that count as free of its trust.
    counted: i64,
    /// The pool that it is in, by its store.
    pool: Option<u32>,
    /// Time alone changes nothing before this.
    pub(super) holds_until: Timestamp,
}

/// Equal offers: those that any need may use at the same burden.
pub(super) struct Pool {
    pub(super) key: PoolKey,
    pub(super) facts: OfferFacts,
    /// By position in the region.
    pub(super) trust: u32,
    pub(super) site: u32,
    /// The free units of each offer.
    pub(super) units: BTreeMap<OfferId, i64>,
}

/// What makes offers equal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PoolKey {
    pub(super) resource: ResourceKey,
    pub(super) trust: TrustCode,
    site: SiteCode,
    window: (Option<Timestamp>, Timestamp),
    specialties: Vec<Specialty>,
    capabilities: Vec<Label>,
    sex: Option<Sex>,
    /// Least and greatest age, greatest BMI and ASA grade.
    limits: [Option<u32>; 4],
    staffed: bool,
    shared_with: Vec<CollaborativeId>,
    /// An offer that was declined for some need is in a pool of its own.
    alone: Option<OfferId>,
}

/// What a trust has free of a resource.
#[derive(Default)]
pub(super) struct Spare {
    /// Units free, its reserve included.
    free: i64,
    /// The store of what is free above the reserve, where it keeps one.
    pub(super) store: Option<u32>,
}

impl KeptPlan {
    pub(super) fn put_offer(&mut self, offer: Shared<Offer>) {
        let id = offer.id.clone();
        match self.offers.get_mut(&id) {
            // What moved to another trust or resource begins anew.
            Some(its)
                if (its.offer.trust, its.offer.resource.key()) == (offer.trust, offer.resource.key()) =>
            {
                its.offer = offer;
            }
            Some(_) | None => {
                self.remove_offer(&id);
                let kept = KeptOffer { offer, counted: 0, pool: None, holds_until: Timestamp::MAX };
                self.offers.insert(id.clone(), kept);
            }
        }
        self.settle_offer(&id);
    }

    pub(super) fn remove_offer(&mut self, id: &OfferId) {
        let Some(its) = self.offers.remove(id) else { return };
        self.mind(Due::Offer(id.clone()), its.holds_until, Timestamp::MAX);
        if let Some(store) = its.pool {
            self.leave(store, id);
        }
        self.count(&its.offer, -its.counted);
    }

    /// Makes the network say what the offer says now.
    pub(super) fn settle_offer(&mut self, id: &OfferId) {
        let Some(its) = self.offers.get(id) else { return };
        let (offer, before, was_in) = (its.offer.clone(), its.counted, its.pool);
        if offer.resource.kind == ResourceKind::Theatre {
            return;
        }
        let free = i64::from(offer.figures.free().get());
        let is_stale = self.bare.is_stale(&offer);
        let counted = if offer.state == OfferState::Open && !is_stale { free } else { 0 };
        let is_usable = self.bare.is_open(&offer) && !is_stale && free > 0;
        // Units come in before others look for them, and go out after.
        if counted > before {
            self.count(&offer, counted - before);
        }
        let pool = if is_usable { self.join(&offer, free) } else { None };
        if let Some(store) = was_in.filter(|_| pool != was_in) {
            self.leave(store, id);
        }
        if counted < before {
            self.count(&offer, counted - before);
        }
        let stale_from = offer.cadence.checked_mul(2).and_then(|two| offer.reported_at.checked_add(two).ok());
        let next = [stale_from, offer.release_at];
        let next = next.into_iter().flatten().filter(|time| *time >= self.bare.at).min();
        if let Some(its) = self.offers.get_mut(id) {
            its.counted = counted;
            its.pool = pool;
            let before = std::mem::replace(&mut its.holds_until, next.unwrap_or(Timestamp::MAX));
            self.mind(Due::Offer(id.clone()), before, next.unwrap_or(Timestamp::MAX));
        }
    }

    /// Changes what a trust has free of the offer's resource.
    fn count(&mut self, offer: &Offer, units: i64) {
        if units == 0 {
            return;
        }
        let key = (offer.trust, offer.resource.key());
        let reserve = self.bare.reserve(key.0, &key.1);
        let spare = self.spare.entry(key).or_default();
        spare.free += units;
        if let Some(store) = spare.store {
            self.optimum.set_room(store, (spare.free - reserve).max(0));
        }
    }

    /// Puts an offer's free units into its pool; `None` when its trust or site is unknown.
    fn join(&mut self, offer: &Offer, free: i64) -> Option<u32> {
        let (trust, site) = (self.geography.trust(offer.trust)?, self.geography.site(offer.site)?);
        let key = self.key_of(offer);
        let store = match self.pool_of.get(&key) {
            Some(&store) => store,
            None => {
                let parent = self.parent_of(offer);
                let store = self.optimum.add_store(Store { parent, room: 0, fairness: None });
                let facts = OfferFacts::new(offer, store, store, &mut self.labels, &self.geography);
                // Its first offer stands for all where a need asks the rules.
                let units = BTreeMap::from([(offer.id.clone(), 0)]);
                self.pools.insert(store, Pool { key: key.clone(), facts, trust, site, units });
                let code = (key.resource.kind, key.resource.code.clone());
                self.codes.entry(code).or_default().pools.insert(store);
                self.pool_of.insert(key, store);
                self.invite(store);
                store
            }
        };
        if let Some(pool) = self.pools.get_mut(&store) {
            pool.units.insert(offer.id.clone(), free);
            let room = pool.units.values().sum();
            self.optimum.set_room(store, room);
        }
        Some(store)
    }

    /// Takes an offer out of its pool, and the pool away when nothing is left in it.
    fn leave(&mut self, store: u32, id: &OfferId) {
        let Some(pool) = self.pools.get_mut(&store) else { return };
        pool.units.remove(id);
        if !pool.units.is_empty() {
            let room = pool.units.values().sum();
            self.optimum.set_room(store, room);
            return;
        }
        if let Some(pool) = self.pools.remove(&store) {
            self.pool_of.remove(&pool.key);
            let code = (pool.key.resource.kind, pool.key.resource.code);
            if let Some(code) = self.codes.get_mut(&code) {
                code.pools.remove(&store);
            }
        }
        self.optimum.remove_store(store);
    }

    /// The store around an offer's pool: what its trust can spare above a reserve, or what is fair to ask of it.
    fn parent_of(&mut self, offer: &Offer) -> Option<u32> {
        let around = self.fair_store(offer.trust);
        let key = (offer.trust, offer.resource.key());
        let reserve = self.bare.reserve(key.0, &key.1);
        if reserve == 0 {
            return around;
        }
        let spare = self.spare.entry(key).or_default();
        if spare.store.is_none() {
            let room = (spare.free - reserve).max(0);
            spare.store = Some(self.optimum.add_store(Store { parent: around, room, fairness: None }));
        }
        spare.store
    }

    fn fair_store(&mut self, trust: TrustCode) -> Option<u32> {
        let step = i64::from(self.bare.region.policy.fair_step);
        let allowance = self.bare.region.trusts.get(&trust)?.fair_allowance?;
        if step == 0 {
            return None;
        }
        let fairness = Some(Fairness { allowance: i64::from(allowance.get()), step });
        let optimum = &mut self.optimum;
        Some(
            *self
                .fair
                .entry(trust)
                .or_insert_with(|| optimum.add_store(Store { parent: None, room: i64::MAX, fairness })),
        )
    }

    /// Takes away the stores around the pools of trusts that have none any more.
    pub(super) fn close(&mut self, trusts: &FxHashSet<TrustCode>) {
        let optimum = &mut self.optimum;
        for ((trust, _), spare) in &mut self.spare {
            if let Some(store) = spare.store.take_if(|_| trusts.contains(trust)) {
                optimum.remove_store(store);
            }
        }
        self.fair.retain(|trust, store| {
            if trusts.contains(trust) {
                optimum.remove_store(*store);
            }
            !trusts.contains(trust)
        });
    }

    fn key_of(&self, offer: &Offer) -> PoolKey {
        let limits = &offer.limits;
        PoolKey {
            resource: offer.resource.key(),
            trust: offer.trust,
            site: offer.site,
            window: (offer.window.from, offer.window.until),
            specialties: offer.resource.specialties.clone(),
            capabilities: offer.capabilities.clone(),
            sex: limits.sex,
            limits: [limits.age_min, limits.age_max, limits.bmi_max, limits.asa_max],
            staffed: offer.team.staffed,
            shared_with: offer.shared_with.clone(),
            alone: self.declined_offers.get_key_value(&offer.id).map(|(id, _)| id.clone()),
        }
    }
}
