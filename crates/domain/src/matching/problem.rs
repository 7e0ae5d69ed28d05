//! What the engine is asked: the offers and needs of a region at a time.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use rustc_hash::FxHashMap;

use crate::ids::{NeedId, OfferId, TrustCode};
use crate::need::Need;
use crate::offer::{Freshness, Offer, OfferState};
use crate::region::{Collaborative, Region};
use crate::resource::{Code, Level, Resource, ResourceKey, ResourceKind};

/// The offers and needs of a region at a time.
///
/// Outstanding proposals are part of the records: their units are already in an offer's `held` and a need's
/// `units_proposed`. The region is the one in force: OPEL as last declared, reserves as last set, fair allowances as they
/// stand now, modes as gold has switched them.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The time taken as now.
    pub at: Timestamp,
    /// The region in force.
    pub region: Arc<Region>,
    /// All its offers, in any order, each id once.
    pub offers: Vec<Arc<Offer>>,
    /// All its needs, in any order, each id once.
    pub needs: Vec<Arc<Need>>,
    /// Pairs that were declined where neither has changed since.
    pub declined: HashSet<(NeedId, OfferId)>,
}

impl Problem {
    /// Returns the need's time: its earliest, never before now.
    #[must_use]
    pub fn start_of(&self, need: &Need) -> Timestamp {
        need.earliest.map_or(self.at, |earliest| earliest.max(self.at))
    }

    /// Says whether the offer takes new holds: it is open and, where it waits for a release week, released.
    #[must_use]
    pub fn is_open(&self, offer: &Offer) -> bool {
        offer.state == OfferState::Open && offer.release_at.is_none_or(|release| release <= self.at)
    }

    /// Says whether the offer's figures are too old to be proposed.
    #[must_use]
    pub fn is_stale(&self, offer: &Offer) -> bool {
        offer.freshness(self.at) == Freshness::Stale
    }

    /// Returns what the rules ask of all offers and trusts together. Costs one reading of all offers.
    #[must_use]
    pub fn setting(&self) -> Setting {
        let mut setting = Setting::default();
        for (at, collaborative) in self.region.collaboratives.iter().enumerate() {
            for member in &collaborative.members {
                setting.member_of.entry(*member).or_default().push(at);
            }
        }
        for offer in &self.offers {
            if offer.state == OfferState::Open && !self.is_stale(offer) {
                setting.add(offer.trust, &offer.resource, i64::from(offer.figures.free().get()));
            }
        }
        for (code, trust) in &self.region.trusts {
            for (key, units) in &trust.reserve {
                setting.keep(*code, key, i64::from(units.get()));
            }
        }
        setting
    }

    /// Returns the units that a trust keeps for itself of a resource, to be taken off what is free.
    #[must_use]
    pub fn reserve(&self, trust: TrustCode, key: &ResourceKey) -> i64 {
        i64::from(self.region.reserve(trust, key).get())
    }
}

/// Units of each code: few for each trust, kind and level.
type ByCode = Vec<(Code, i64)>;

/// What the rules ask of all offers and trusts together, found once.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Units free above the reserve.
    units: FxHashMap<(TrustCode, ResourceKind, Option<Level>), ByCode>,
    member_of: FxHashMap<TrustCode, Vec<usize>>,
}

impl Setting {
    /// Returns the collaboratives that have both trusts.
    pub(crate) fn joining<'a>(
        &'a self,
        region: &'a Region,
        a: TrustCode,
        b: TrustCode,
    ) -> impl Iterator<Item = &'a Collaborative> {
        let of_b = self.member_of.get(&b).into_iter().flatten();
        of_b.filter_map(|&at| region.collaboratives.get(at)).filter(move |one| one.members.contains(&a))
    }

    /// Returns the units of a trust free above its reserve; zero or less where there are none.
    #[must_use]
    pub fn spare(&self, trust: TrustCode, key: &ResourceKey) -> i64 {
        self.find(trust, key.kind, key.level, &key.code)
    }

    /// Returns the units free above the reserve of an offer's trust and resource; zero or less where there are none.
    pub(crate) fn spare_of(&self, offer: &Offer) -> i64 {
        let Resource { kind, level, code, .. } = &offer.resource;
        self.find(offer.trust, *kind, *level, code)
    }

    fn find(&self, trust: TrustCode, kind: ResourceKind, level: Option<Level>, code: &Code) -> i64 {
        let codes = self.units.get(&(trust, kind, level)).into_iter().flatten();
        codes.filter(|(other, _)| other == code).map(|(_, units)| *units).sum()
    }

    fn add(&mut self, trust: TrustCode, resource: &Resource, units: i64) {
        let codes = self.units.entry((trust, resource.kind, resource.level)).or_default();
        match codes.iter_mut().find(|(code, _)| *code == resource.code) {
            Some((_, free)) => *free += units,
            None => codes.push((resource.code.clone(), units)),
        }
    }

    /// Takes a reserve off what is free; where nothing is offered, nothing is kept.
    fn keep(&mut self, trust: TrustCode, key: &ResourceKey, units: i64) {
        let codes = self.units.get_mut(&(trust, key.kind, key.level));
        if let Some((_, free)) = codes.into_iter().flatten().find(|(code, _)| *code == key.code) {
            *free -= units;
        }
    }
}
