//! A problem that is followed: its best plan for unit needs, kept best while records, the region and the time change.
//!
//! Each change of a record becomes a few events of the network: units in or out of a pool, a pool in or out, a need in or
//! out, a need of another class. What a change costs follows from what it touches, not from what there is. After any
//! changes the plan is worth exactly what a fresh solve would find; which of several equally good plans it is may depend
//! on the way there. Theatre sessions and cases are followed as records and have no part in the plan.

mod asking;
mod offered;
mod rivals;

use std::collections::BTreeSet;
use std::sync::Arc as Shared;

use jiff::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::ids::{NeedId, OfferId, TrustCode};
use crate::matching::network::{Network, Optimum, position};
use crate::matching::problem::{Problem, Setting};
use crate::need::Need;
use crate::offer::Offer;
use crate::region::Region;
use crate::resource::{Code, ResourceKey, ResourceKind};

use super::facts::Labels;
use super::geography::Geography;
use asking::{Asking, KeptNeed};
use offered::{KeptOffer, Pool, PoolKey, Spare};

/// What happened to a problem.
#[derive(Debug, Clone)]
pub enum Change {
    /// An offer came or is no longer what it was.
    Offer(Shared<Offer>),
    /// An offer is gone.
    OfferGone(OfferId),
    /// A need came or is no longer what it was.
    Need(Shared<Need>),
    /// A need is gone.
    NeedGone(NeedId),
    /// A pair was declined.
    Declined(NeedId, OfferId),
    /// A pair that was declined may be matched again.
    Forgiven(NeedId, OfferId),
    /// Another region is in force: OPEL, reserves, allowances, policy, agreements or places.
    Region(Shared<Region>),
    /// Time has moved on.
    Time(Timestamp),
}

/// A problem with the best plan for its unit needs.
pub struct KeptPlan {
    /// The time, the region and what was declined; its records lie below.
    bare: Problem,
    /// In how many of the pairs that were declined each need and offer is.
    declined_needs: FxHashMap<NeedId, u32>,
    declined_offers: FxHashMap<OfferId, u32>,
    /// Who has an agreement with whom.
    setting: Setting,
    geography: Geography,
    labels: Labels,
    offers: FxHashMap<OfferId, KeptOffer>,
    needs: FxHashMap<NeedId, KeptNeed>,
    /// The pools, by their stores.
    pools: FxHashMap<u32, Pool>,
    pool_of: FxHashMap<PoolKey, u32>,
    /// The needs that have a part in the plan, by their numbers in the network.
    asking: FxHashMap<u32, Asking>,
    /// Pools and needs of a code.
    codes: FxHashMap<(ResourceKind, Code), OfCode>,
    spare: FxHashMap<(TrustCode, ResourceKey), Spare>,
    /// The store of what is fair to ask of a trust.
    fair: FxHashMap<TrustCode, u32>,
    /// Minutes between sites that were asked for.
    minutes: FxHashMap<(u32, u32), u32>,
    /// What time alone changes, and when.
    due: BTreeSet<(Timestamp, Due)>,
    optimum: Optimum,
}

/// A record of which time alone changes something.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Offer(OfferId),
    Need(NeedId),
}

/// Pools and needs of one code, by their numbers in the network.
#[derive(Default)]
struct OfCode {
    pools: FxHashSet<u32>,
    needs: FxHashSet<u32>,
}

impl KeptPlan {
    /// Solves a problem and keeps its plan.
    #[must_use]
    pub fn new(problem: &Problem) -> Self {
        let bare = Problem { offers: Vec::new(), needs: Vec::new(), ..problem.clone() };
        let mut kept = Self {
            setting: bare.setting(),
            geography: Geography::new(&bare.region),
            labels: Labels::new(),
            declined_needs: counted(bare.declined.iter().map(|(need, _)| need)),
            declined_offers: counted(bare.declined.iter().map(|(_, offer)| offer)),
            offers: FxHashMap::default(),
            needs: FxHashMap::default(),
            pools: FxHashMap::default(),
            pool_of: FxHashMap::default(),
            asking: FxHashMap::default(),
            codes: FxHashMap::default(),
            spare: FxHashMap::default(),
            fair: FxHashMap::default(),
            minutes: FxHashMap::default(),
            due: BTreeSet::new(),
            optimum: Optimum::new(&Network::default()),
            bare,
        };
        kept.fill(&problem.offers, &problem.needs);
        kept
    }

    /// Makes a change and leaves the best plan. Costs about as much as what changes: a need or an offer microseconds to
    /// milliseconds, a trust's figures as much as all its offers, other changes of the region a fresh solve.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Offer(offer) => self.put_offer(offer),
            Change::OfferGone(id) => self.remove_offer(&id),
            Change::Need(need) => self.put_need(need),
            Change::NeedGone(id) => self.remove_need(&id),
            Change::Declined(need, offer) => self.set_declined(need, offer, true),
            Change::Forgiven(need, offer) => self.set_declined(need, offer, false),
            Change::Region(region) => self.set_region(region),
            Change::Time(at) => self.set_time(at),
        }
    }

    /// Returns the problem as it is now, its records in order of id.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let mut problem = self.bare.clone();
        problem.offers = self.offers.values().map(|its| its.offer.clone()).collect();
        problem.needs = self.needs.values().map(|its| its.need.clone()).collect();
        problem.offers.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        problem.needs.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        problem
    }

    /// Returns the units of a need that the plan does not serve; 0 for a need that has no part in it.
    #[must_use]
    pub fn unserved(&self, need: &NeedId) -> i64 {
        let number = self.needs.get(need).and_then(|its| its.number);
        number.map_or(0, |number| self.optimum.unserved(number))
    }

    /// Returns the units of a need that the plan serves; 0 for a need that has no part in it.
    #[must_use]
    pub fn served(&self, need: &NeedId) -> i64 {
        let number = self.needs.get(need).and_then(|its| its.number);
        number.map_or(0, |number| self.optimum.flows_of(number).map(|(_, units)| units).sum())
    }

    /// Returns the time, the region and what was declined: the problem without its records.
    #[must_use]
    pub fn bare(&self) -> &Problem {
        &self.bare
    }

    /// Returns who has an agreement with whom. It knows no offers, so it says of every trust that it has nothing to spare.
    #[must_use]
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Returns the needs whose units changed since this was last called, in order of id. Needs that left the plan are
    /// not among them.
    pub fn take_touched(&mut self) -> Vec<NeedId> {
        let touched = self.optimum.take_touched();
        let mut ids: Vec<NeedId> =
            touched.iter().filter_map(|number| Some(self.asking.get(number)?.id.clone())).collect();
        ids.sort_unstable();
        ids
    }

    /// Returns the plan for unit needs: need, offer and units, by need and then offer. Needs in order of id take from the
    /// offers of a pool in order of id.
    #[must_use]
    pub fn lines(&self) -> Vec<(NeedId, OfferId, i64)> {
        let mut asking: Vec<(&NeedId, u32)> = self.asking.iter().map(|(at, its)| (&its.id, *at)).collect();
        asking.sort_unstable();
        let mut left: FxHashMap<u32, Vec<(&OfferId, i64)>> = FxHashMap::default();
        let mut lines = Vec::new();
        for (need, number) in asking {
            for (store, mut wanted) in self.optimum.flows_of(number) {
                let Some(pool) = self.pools.get(&store) else { continue };
                let left =
                    left.entry(store).or_insert_with(|| pool.units.iter().map(|(id, n)| (id, *n)).collect());
                for (offer, left) in left.iter_mut() {
                    let units = wanted.min(*left);
                    if units > 0 {
                        (wanted, *left) = (wanted - units, *left - units);
                        lines.push((need.clone(), (*offer).clone(), units));
                    }
                }
            }
        }
        lines.sort_unstable();
        lines
    }

    /// Puts in the records of a problem of which there are none yet.
    fn fill(&mut self, offers: &[Shared<Offer>], needs: &[Shared<Need>]) {
        offers.iter().for_each(|offer| self.put_offer(offer.clone()));
        // All needs together, which is much cheaper than one after the other.
        let mut network = self.optimum.network();
        let mut sorted: Vec<&Shared<Need>> = needs.iter().collect();
        sorted.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        for need in sorted {
            let number = self.question_of(need).map(|question| {
                let number = position(network.add(question.demand, question.arcs));
                (number, question.asking, question.holds_until)
            });
            self.enter(need.clone(), number);
        }
        self.optimum = Optimum::new(&network);
    }

    /// Begins again with the records that there are.
    fn begin_again(&mut self, bare: Problem) {
        let records = self.problem();
        *self = Self::new(&Problem { offers: records.offers, needs: records.needs, ..bare });
    }

    fn set_time(&mut self, at: Timestamp) {
        if at < self.bare.at {
            let bare = Problem { at, ..self.bare.clone() };
            return self.begin_again(bare);
        }
        self.bare.at = at;
        // In order of id, so that the same changes leave the same plan; offers first, which may change when needs are due.
        for offer in self.due_offers() {
            self.settle_offer(&offer);
        }
        for need in self.due_needs() {
            self.settle_need(&need);
        }
    }

    fn due_now(&self) -> impl Iterator<Item = &Due> {
        self.due.iter().take_while(|(time, _)| *time <= self.bare.at).map(|(_, due)| due)
    }

    fn due_offers(&self) -> BTreeSet<OfferId> {
        let offer = |due: &Due| if let Due::Offer(id) = due { Some(id.clone()) } else { None };
        self.due_now().filter_map(offer).collect()
    }

    fn due_needs(&self) -> BTreeSet<NeedId> {
        let need = |due: &Due| if let Due::Need(id) = due { Some(id.clone()) } else { None };
        self.due_now().filter_map(need).collect()
    }

    /// Notes when time alone next changes something of a record; `Timestamp::MAX` = never.
    fn mind(&mut self, due: Due, before: Timestamp, next: Timestamp) {
        if before == next {
            return;
        }
        self.due.remove(&(before, due.clone()));
        if next < Timestamp::MAX {
            self.due.insert((next, due));
        }
    }

    fn set_declined(&mut self, need: NeedId, offer: OfferId, is_declined: bool) {
        let pair = (need, offer);
        let changed = if is_declined {
            self.bare.declined.insert(pair.clone())
        } else {
            self.bare.declined.remove(&pair)
        };
        if !changed {
            return;
        }
        let by = if is_declined { 1 } else { -1 };
        count(&mut self.declined_needs, &pair.0, by);
        count(&mut self.declined_offers, &pair.1, by);
        // The offer may have to leave its pool, or may join one.
        self.settle_offer(&pair.1);
        self.settle_need(&pair.0);
    }

    fn set_region(&mut self, region: Shared<Region>) {
        let old = std::mem::replace(&mut self.bare.region, region.clone());
        if old.without_figures() != region.without_figures() {
            let bare = self.bare.clone();
            return self.begin_again(bare);
        }
        let changed: FxHashSet<TrustCode> = region
            .trusts
            .iter()
            .filter(|(code, trust)| old.trusts.get(*code) != Some(*trust))
            .map(|(code, _)| *code)
            .collect();
        let mut offers: Vec<OfferId> = self
            .offers
            .iter()
            .filter(|(_, its)| changed.contains(&its.offer.trust))
            .map(|(id, _)| id.clone())
            .collect();
        offers.sort_unstable();
        let taken_out: Vec<Shared<Offer>> = offers
            .iter()
            .filter_map(|id| {
                let offer = self.offers.get(id).map(|its| its.offer.clone());
                self.remove_offer(id);
                offer
            })
            .collect();
        self.close(&changed);
        self.geography = Geography::new(&region);
        taken_out.into_iter().for_each(|offer| self.put_offer(offer));
    }
}

/// Counts each id.
fn counted<'a, Id: Clone + Eq + std::hash::Hash + 'a>(
    ids: impl Iterator<Item = &'a Id>,
) -> FxHashMap<Id, u32> {
    let mut counts = FxHashMap::default();
    ids.for_each(|id| count(&mut counts, id, 1));
    counts
}

/// Counts an id once more or once less; one that is counted no more is gone.
fn count<Id: Clone + Eq + std::hash::Hash>(counts: &mut FxHashMap<Id, u32>, id: &Id, by: i32) {
    let now = counts.get(id).copied().unwrap_or(0).saturating_add_signed(by);
    if now == 0 {
        counts.remove(id);
    } else {
        counts.insert(id.clone(), now);
    }
}

#[cfg(test)]
mod tests;
