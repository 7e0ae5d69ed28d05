//! The records in parts that are decided each for itself: nothing of one can serve a need of another.
//!
//! A part has the offers, needs and holds of one code, or of codes that differ only in security. Where a trust's fair share
//! counts units of all codes together, all that is counted in units is one part.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fallow_domain::codes;
use fallow_domain::ids::{NeedId, OfferId, ProposalId, TrustCode};
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::proposal::Proposal;
use fallow_domain::region::Region;
use fallow_domain::resource::{Code, Resource, ResourceKey, ResourceKind};

use crate::facts::Facts;

/// Names a part.
pub(super) type PartKey = (ResourceKind, Code);
/// What a trust has of a resource: its reserve is over all of it.
pub(super) type Shelf = (TrustCode, ResourceKey);

/// The records of a part. A hold is in the part of its offer.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) offers: BTreeMap<OfferId, Arc<Offer>>,
    pub(super) needs: BTreeMap<NeedId, Arc<Need>>,
    pub(super) holds: BTreeMap<ProposalId, Arc<Proposal>>,
}

impl Part {
    /// The needs that look for something.
    pub(super) fn asking(&self) -> impl Iterator<Item = &NeedId> {
        self.needs.values().filter(|need| is_asking(need)).map(|need| &need.id)
    }

    /// The holds that nobody has answered.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = &ProposalId> {
        self.holds.values().filter(|hold| !hold.is_answered()).map(|hold| &hold.id)
    }
}

/// Returns the part that a need is of under a region.
pub(crate) fn part_of(region: &Region, need: &Need) -> PartKey {
    Parts { is_fair: is_fair(region), ..Parts::default() }.key(&need.resource)
}

/// Says whether a need looks for something.
pub(super) fn is_asking(need: &Need) -> bool {
    need.state.takes_part() && !need.units_wanted().is_zero()
}

/// All parts, and what belongs together within them.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Whether a trust's fair share counts units of all codes together.
    is_fair: bool,
    all: BTreeMap<PartKey, Part>,
    shelves: BTreeMap<Shelf, BTreeSet<OfferId>>,
    /// A join is a hold on two offers.
    holds_on: HashMap<OfferId, BTreeSet<ProposalId>>,
    /// The holds that join a session with a team.
    joined: BTreeSet<ProposalId>,
    holds_for: HashMap<NeedId, BTreeSet<ProposalId>>,
}

impl Parts {
    /// Sorts the records of some facts.
    pub(super) fn of(facts: &Facts) -> Self {
        let mut parts = Self { is_fair: is_fair(&facts.region), ..Self::default() };
        for offer in facts.offers.values() {
            parts.put_offer(None, offer, facts);
        }
        for need in facts.needs.values() {
            parts.put_need(None, need);
        }
        for hold in facts.holds.values() {
            parts.put_hold(hold, facts);
        }
        parts
    }

    /// The part of a resource.
    pub(super) fn key(&self, resource: &Resource) -> PartKey {
        if self.is_fair && resource.kind != ResourceKind::Theatre {
            return (ResourceKind::Bed, Code::new(""));
        }
        match codes::security_group(resource.kind, resource.code.as_str()) {
            Some(group) => (resource.kind, Code::new(group)),
            None => (resource.kind, resource.code.clone()),
        }
    }

    /// Returns how many needs of a part may be placed at a time, of so many: all where shares are kept fair, for a trust's
    /// share is counted over what one plan gives.
    pub(super) fn at_most(&self, at_most: usize) -> usize {
        if self.is_fair() { usize::MAX } else { at_most }
    }

    /// Whether a trust's fair share counts units of all codes together.
    pub(super) fn is_fair(&self) -> bool {
        self.is_fair
    }

    /// All parts.
    pub(super) fn all(&self) -> &BTreeMap<PartKey, Part> {
        &self.all
    }

    /// A part.
    pub(super) fn get(&self, key: &PartKey) -> Option<&Part> {
        self.all.get(key)
    }

    /// The shelves.
    pub(super) fn shelves(&self) -> &BTreeMap<Shelf, BTreeSet<OfferId>> {
        &self.shelves
    }

    /// The holds of an offer's units.
    pub(super) fn holds_on(&self, offer: &OfferId) -> impl Iterator<Item = &ProposalId> {
        self.holds_on.get(offer).into_iter().flatten()
    }

    /// The holds that join a session with a team.
    pub(super) fn joined(&self) -> &BTreeSet<ProposalId> {
        &self.joined
    }

    /// The holds for a need.
    pub(super) fn holds_for(&self, need: &NeedId) -> impl Iterator<Item = &ProposalId> {
        self.holds_for.get(need).into_iter().flatten()
    }

    /// Puts an offer in; `was` is what it was.
    pub(super) fn put_offer(&mut self, was: Option<&Offer>, offer: &Arc<Offer>, facts: &Facts) {
        if let Some(was) = was.filter(|was| shelf(was) != shelf(offer)) {
            self.remove_offer(was);
        }
        let key = self.key(&offer.resource);
        self.shelves.entry(shelf(offer)).or_default().insert(offer.id.clone());
        self.all.entry(key.clone()).or_default().offers.insert(offer.id.clone(), offer.clone());
        // A join is in the part of its session.
        let of_offer = self.holds_on(&offer.id).filter_map(|hold| facts.holds.get(hold));
        let holds: Vec<&Arc<Proposal>> = of_offer.filter(|hold| hold.offer == offer.id).collect();
        if let Some(part) = self.all.get_mut(&key) {
            part.holds.extend(holds.into_iter().map(|hold| (hold.id.clone(), hold.clone())));
        }
    }

    /// Takes an offer out as it was.
    pub(super) fn remove_offer(&mut self, was: &Offer) {
        let shelf = shelf(was);
        if let Some(offers) = self.shelves.get_mut(&shelf) {
            offers.remove(&was.id);
            if offers.is_empty() {
                self.shelves.remove(&shelf);
            }
        }
        let key = self.key(&was.resource);
        if let Some(part) = self.all.get_mut(&key) {
            part.offers.remove(&was.id);
            for hold in self.holds_on.get(&was.id).into_iter().flatten() {
                part.holds.remove(hold);
            }
        }
    }

    /// Puts a need in; `was` is what it was.
    pub(super) fn put_need(&mut self, was: Option<&Need>, need: &Arc<Need>) {
        let key = self.key(&need.resource);
        if let Some(was) = was.filter(|was| self.key(&was.resource) != key) {
            self.remove_need(was);
        }
        self.all.entry(key).or_default().needs.insert(need.id.clone(), need.clone());
    }

    /// Takes a need out as it was.
    pub(super) fn remove_need(&mut self, was: &Need) {
        let key = self.key(&was.resource);
        if let Some(part) = self.all.get_mut(&key) {
            part.needs.remove(&was.id);
        }
    }

    /// Puts a hold in. Its need and offer never change.
    pub(super) fn put_hold(&mut self, hold: &Arc<Proposal>, facts: &Facts) {
        for offer in hold.offers() {
            self.holds_on.entry(offer.clone()).or_default().insert(hold.id.clone());
        }
        if hold.team.is_some() {
            self.joined.insert(hold.id.clone());
        }
        self.holds_for.entry(hold.need.clone()).or_default().insert(hold.id.clone());
        if let Some(offer) = facts.offers.get(&hold.offer) {
            let part = self.all.entry(self.key(&offer.resource)).or_default();
            part.holds.insert(hold.id.clone(), hold.clone());
        }
    }

    /// Takes a hold out as it was.
    pub(super) fn remove_hold(&mut self, was: &Proposal, facts: &Facts) {
        for offer in was.offers() {
            forget(&mut self.holds_on, offer, &was.id);
        }
        self.joined.remove(&was.id);
        forget(&mut self.holds_for, &was.need, &was.id);
        if let Some(offer) = facts.offers.get(&was.offer) {
            let key = self.key(&offer.resource);
            if let Some(part) = self.all.get_mut(&key) {
                part.holds.remove(&was.id);
            }
        }
    }
}

/// Names the shelf that an offer is on.
pub(super) fn shelf(offer: &Offer) -> Shelf {
    (offer.trust, offer.resource.key())
}

/// Says whether a trust's fair share counts units of all codes together.
pub(super) fn is_fair(region: &Region) -> bool {
    region.policy.fair_step > 0 && region.trusts.values().any(|trust| trust.fair_allowance.is_some())
}

fn forget<Id: Eq + std::hash::Hash>(all: &mut HashMap<Id, BTreeSet<ProposalId>>, of: &Id, hold: &ProposalId) {
    if let Some(holds) = all.get_mut(of) {
        holds.remove(hold);
        if holds.is_empty() {
            all.remove(of);
        }
    }
}
