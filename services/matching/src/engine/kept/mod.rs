//! What the engine keeps in memory: the records, the best plan for them, and what is to be looked at again.
//!
//! It goes one way. A change of the picture changes the records here, and with them the kept plan ([`take`](Kept::take)).
//! When the engine [looks](Kept::look), time moves on, and what was touched says which needs, holds and shelves could be
//! decided otherwise than before (`look`). Only of these the [chores](Kept::chores) and [placements](Kept::placements)
//! are asked for, by the same pure functions that [`chores`](super::chores()) and [`plan`](super::plan()) ask of
//! everything: the two ways give the same decisions.

mod alarms;
mod look;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fallow_domain::ids::{NeedId, OfferId};
use fallow_domain::matching::kept::{Change, KeptPlan};
use fallow_domain::matching::problem::Problem;
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::region::Region;
use fallow_domain::resource::ResourceKind;
use fallow_domain::standing::Decline;
use fallow_ledger::picture::{AppliedItem, Seen};
use fallow_ledger::record::Record;
use fallow_ledger::{Key, RecordKind, Revision};
use jiff::Timestamp;

use super::chores::{Chore, Timed, due, groundless, newest_first, timed};
use super::deadline::{comes_nearer_at, deadline_of};
use super::joined::{self, is_of_joins};
use super::parts::{PartKey, Parts, Shelf, is_asking, is_fair, shelf};
use super::plan::{Because, Decided, Placement, Question, decide, hopeful, most_urgent_first};
use crate::facts::Facts;
use crate::then::{NoFacts, facts_with, region_of};
use alarms::{Alarms, Times};
use look::{Look, Todo};

/// More needs than these are not sought out one by one: then everybody who asks is asked about.
const MANY: usize = 64;

/// Everything that the engine decides on, kept up to date change by change.
pub struct Kept {
    facts: Arc<Facts>,
    /// The records that make the region.
    standing: BTreeMap<Key, Seen>,
    plan: KeptPlan,
    parts: Parts,
    /// The needs that each offer was declined for.
    declined_for: HashMap<OfferId, BTreeSet<NeedId>>,
    alarms: Alarms,
    look: Look,
}

impl Kept {
    /// Starts from every live record at a revision. Costs about what a full solve costs.
    ///
    /// # Errors
    /// When no region is in force, or its file cannot be read.
    pub fn new(at: Timestamp, revision: Revision, records: &BTreeMap<Key, Seen>) -> Result<Self, NoFacts> {
        let (region, policy) = region_of(records)?;
        let facts = Arc::new(facts_with(at, revision, records, Arc::new(region), policy));
        let makes_region = |key: &Key| matches!(key.kind, RecordKind::Region | RecordKind::Trust);
        let standing = records.iter().filter(|(key, _)| makes_region(key));
        Ok(Self::of(facts, standing.map(|(key, seen)| (key.clone(), seen.clone())).collect()))
    }

    /// Starts from facts, and the records that their region was made of.
    #[must_use]
    pub fn of(facts: Arc<Facts>, standing: BTreeMap<Key, Seen>) -> Self {
        let pairs = |need: &NeedId| {
            let need = need.clone();
            facts.declined_for(&need).map(|offer| (need.clone(), offer.clone())).collect::<Vec<_>>()
        };
        let plan = KeptPlan::new(&Problem {
            at: facts.at,
            region: facts.region.clone(),
            offers: facts.offers.values().cloned().collect(),
            needs: facts.needs.values().cloned().collect(),
            declined: facts.declines.keys().flat_map(pairs).collect(),
        });
        let mut declined_for: HashMap<OfferId, BTreeSet<NeedId>> = HashMap::new();
        for decline in facts.declines.values().flat_map(BTreeMap::values) {
            declined_for.entry(decline.offer.clone()).or_default().insert(decline.need.clone());
        }
        let parts = Parts::of(&facts);
        let mut kept = Self {
            look: Look::at_everything(&facts, &parts),
            alarms: Alarms::default(),
            facts,
            standing,
            plan,
            parts,
            declined_for,
        };
        for record in timed(&kept.facts).collect::<Vec<Timed>>() {
            kept.set_alarm(&record);
        }
        kept
    }

    /// The records, at the time at which it last looked.
    #[must_use]
    pub fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// The record of the region in force.
    pub(super) fn regions(&self) -> Vec<Key> {
        self.standing.keys().filter(|key| key.kind == RecordKind::Region).cloned().collect()
    }

    /// The offers of a trust of one resource.
    pub(super) fn shelf(&self, shelf: &Shelf) -> impl Iterator<Item = &OfferId> {
        self.parts.shelves().get(shelf).into_iter().flatten()
    }

    /// Takes in the next change of the log. Costs about as much as what it changes; a trust's figures as much as all its
    /// offers; another region file, or another mode, as much as a new start.
    ///
    /// # Errors
    /// When the region file in force can no longer be read: start again when it can.
    pub fn take(&mut self, revision: Revision, items: &[AppliedItem]) -> Result<(), NoFacts> {
        let mut of_region = false;
        for item in items {
            match (&item.before, &item.after) {
                (Some(was), None) => {
                    self.remove(&item.key, was);
                    Arc::make_mut(&mut self.facts).count_no_more(was);
                }
                (_, Some(is)) => {
                    Arc::make_mut(&mut self.facts).count(is);
                    let seen = Seen { revision, record: is.clone() };
                    if is_live(is) { self.put(&item.key, &seen) } else { self.remove(&item.key, is) }
                }
                (None, None) => {}
            }
            of_region |= matches!(item.key.kind, RecordKind::Region | RecordKind::Trust);
        }
        Arc::make_mut(&mut self.facts).revision = revision;
        if of_region { self.set_region() } else { Ok(()) }
    }

    /// Moves time on, never back, and finds what could now be decided otherwise than before.
    pub fn look(&mut self, at: Timestamp) {
        let at = at.max(self.facts.at);
        let before = self.facts.region.clone();
        Arc::make_mut(&mut self.facts).move_to(at);
        self.plan.apply(Change::Time(at));
        self.region_changed(&before);
        let mut touched = std::mem::take(&mut self.look.touched);
        touched.extend(self.alarms.rung(at));
        self.look.joins |= touched.iter().any(|record| is_of_joins(&self.facts, record));
        // However many offers of a shelf have changed, who might use it is looked for once.
        let mut touched_shelves = BTreeSet::new();
        for record in &touched {
            self.set_alarm(record);
            self.look_at(record);
            if let Timed::Offer(id) = record {
                let offer = self.facts.offers.get(id);
                touched_shelves.extend(
                    offer
                        .filter(|offer| offer.resource.kind != ResourceKind::Theatre)
                        .map(|offer| shelf(offer)),
                );
            }
        }
        for shelf in &touched_shelves {
            self.look_at_shelf(shelf);
        }
        self.look.due.extend(touched);
        for need in self.plan.take_touched() {
            self.look.changed.insert(need);
        }
        for id in std::mem::take(&mut self.look.changed) {
            let Some(need) = self.facts.needs.get(&id) else { continue };
            let todo = self.look.todo(self.parts.key(&need.resource));
            if self.plan.served(&id) > 0 {
                todo.served.insert(id);
            } else {
                todo.served.remove(&id);
            }
        }
    }

    /// Returns what is to be done now, as [`chores`](super::chores()) does.
    pub fn chores(&mut self) -> Vec<Chore> {
        let (facts, parts) = (&self.facts, &self.parts);
        let mut all = Vec::new();
        self.look.due.retain(|record| {
            let chore = due(facts, parts, record);
            let is_due = chore.is_some();
            all.extend(chore);
            is_due
        });
        let mut found = Vec::new();
        self.look.shelves.retain(|shelf| {
            let offers = parts.shelves().get(shelf);
            let ended = offers.map(|offers| groundless(facts, parts, offers)).unwrap_or_default();
            let is_due = !ended.is_empty();
            found.extend(ended);
            is_due
        });
        let found = newest_first(found);
        let joined = joined::groundless(facts, parts, &found);
        all.extend(found.into_iter().chain(joined));
        all
    }

    /// Returns what to propose now, as [`first_of_plan`](super::first_of_plan()) does: of each part the most urgent needs,
    /// about so many.
    pub fn placements(&mut self, at_most: usize) -> Vec<Placement> {
        let at_most = self.parts.at_most(at_most);
        let mut decided = Vec::new();
        for (key, mut todo) in std::mem::take(&mut self.look.parts) {
            let found = self.decide(&key, &mut todo, at_most);
            if found.placements.is_empty() {
                // Who waits for units waits for a change; which cases for a theatre wait counts in its plan.
                todo.settle(key.0 != ResourceKind::Theatre);
            }
            decided.push(found);
            if !todo.is_empty() {
                self.look.parts.insert(key, todo);
            }
        }
        // Joins take what the rest leaves, which is not known while more is to be placed.
        let is_cut = decided.iter().any(|part| part.is_cut);
        let mut placements = most_urgent_first(decided, &self.facts);
        if self.look.joins && !is_cut {
            let joined = joined::join(&self.facts, &self.parts, &placements);
            self.look.joins = !joined.is_empty();
            placements.extend(joined);
        }
        placements
    }

    /// Returns the next time after now at which something is to be done of itself, as
    /// [`next_deadline`](super::next_deadline()) does.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.alarms.next()
    }

    fn decide(&mut self, key: &PartKey, todo: &mut Todo, at_most: usize) -> Decided {
        if !todo.is_open() {
            return Decided::default();
        }
        let Some(part) = self.parts.get(key) else {
            *todo = Todo::default();
            return Decided::default();
        };
        let asks = |id: &NeedId| part.needs.get(id).is_some_and(|need| is_asking(need));
        todo.served.retain(|id| asks(id));
        todo.waiting.retain(|id| asks(id));
        let everybody = || part.asking().cloned().collect();
        let is_theatre = key.0 == ResourceKind::Theatre;
        let asking = if is_theatre {
            todo.waiting = hopeful(&self.facts, part, &todo.waiting);
            todo.waiting.clone()
        } else if self.parts.is_fair() || todo.served.len().max(todo.waiting.len()) > MANY {
            // A fair share makes what is given to anyone dearer to everyone.
            everybody()
        } else {
            let mut asking = self.plan.rivals(&todo.served);
            asking.extend(todo.waiting.iter().cloned());
            asking
        };
        let restless = std::mem::take(&mut todo.restless);
        if asking.is_empty() && restless.is_empty() {
            return Decided::default();
        }
        let facts = &*self.facts;
        let mut question = Question { facts, part, asking, restless, at_most };
        let mut found = decide(&question);
        let gives_way = |one: &Placement| one.because == Because::EarlierBand && !one.supersede.is_empty();
        if !is_theatre && found.placements.iter().any(gives_way) {
            // What is left of holds that give way may be had by those whom nothing was to be had for.
            question.asking = everybody();
            found = decide(&question);
        }
        todo.restless = question.restless;
        found
    }

    fn set_alarm(&mut self, record: &Timed) {
        let wake = deadline_of(&self.facts, &self.parts, record);
        let by_the_way = comes_nearer_at(&self.facts, record);
        self.alarms.set(record, Times { wake, by_the_way });
    }

    fn put(&mut self, key: &Key, seen: &Seen) {
        match &*seen.record {
            Record::Offer(offer) => {
                let was = self.facts.offers.get(&offer.id).cloned();
                self.add(key, seen);
                self.offer_changed(&offer.id.clone(), was.as_deref());
            }
            Record::Need(need) => {
                let was = self.facts.needs.get(&need.id).cloned();
                self.add(key, seen);
                self.need_changed(&need.id.clone(), was.as_deref());
            }
            Record::Proposal(proposal) => {
                self.add(key, seen);
                if let Some(hold) = self.facts.holds.get(&proposal.id) {
                    self.parts.put_hold(hold, &self.facts);
                }
                self.look.hold_changed(proposal);
            }
            Record::Transfer(transfer) => {
                self.add(key, seen);
                self.look.touched.insert(Timed::Transfer(transfer.id.clone()));
            }
            Record::Decline(decline) => {
                self.add(key, seen);
                self.declined_for.entry(decline.offer.clone()).or_default().insert(decline.need.clone());
                self.tell_declined(decline);
            }
            Record::Region(_) | Record::Trust(_) => {
                Arc::make_mut(&mut self.facts).versions.insert(key.clone(), seen.revision);
                self.standing.insert(key.clone(), seen.clone());
            }
            Record::Feed(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_) => {}
        }
    }

    /// Takes out a record that has ended or is gone.
    fn remove(&mut self, key: &Key, record: &Record) {
        match record {
            Record::Offer(offer) => {
                let Some(was) = self.facts.offers.get(&offer.id).cloned() else { return };
                self.forget(key, record);
                self.offer_changed(&was.id.clone(), Some(&was));
            }
            Record::Need(need) => {
                let Some(was) = self.facts.needs.get(&need.id).cloned() else { return };
                self.forget(key, record);
                self.need_changed(&was.id.clone(), Some(&was));
            }
            Record::Proposal(proposal) => {
                let Some(was) = self.facts.holds.get(&proposal.id).cloned() else { return };
                self.forget(key, record);
                self.parts.remove_hold(&was, &self.facts);
                self.look.hold_changed(&was);
            }
            Record::Transfer(transfer) => {
                let Some(was) = self.facts.transfers.get(&transfer.id).cloned() else { return };
                self.forget(key, record);
                self.look.touched.insert(Timed::Transfer(was.id.clone()));
            }
            Record::Decline(decline) => {
                self.forget(key, record);
                if let Some(needs) = self.declined_for.get_mut(&decline.offer) {
                    needs.remove(&decline.need);
                    if needs.is_empty() {
                        self.declined_for.remove(&decline.offer);
                    }
                }
                let pair = (decline.need.clone(), decline.offer.clone());
                self.plan.apply(Change::Forgiven(pair.0, pair.1));
                self.look.pair_changed(decline);
            }
            Record::Region(_) | Record::Trust(_) => {
                self.forget(key, record);
                self.standing.remove(key);
            }
            Record::Feed(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_) => {}
        }
    }

    fn add(&mut self, key: &Key, seen: &Seen) {
        Arc::make_mut(&mut self.facts).add(key.clone(), seen);
    }

    fn forget(&mut self, key: &Key, record: &Record) {
        Arc::make_mut(&mut self.facts).remove(key, record);
    }

    fn offer_changed(&mut self, id: &OfferId, was: Option<&Offer>) {
        match self.facts.offers.get(id).cloned() {
            Some(offer) => {
                self.parts.put_offer(was, &offer, &self.facts);
                self.plan.apply(Change::Offer(offer.clone()));
                self.look.shelves.insert(shelf(&offer));
            }
            None => {
                was.into_iter().for_each(|was| self.parts.remove_offer(was));
                self.plan.apply(Change::OfferGone(id.clone()));
            }
        }
        self.look.shelves.extend(was.map(shelf));
        for need in self.declined_for.get(id).cloned().unwrap_or_default() {
            self.tell_pair(&need, id);
        }
        self.look.touched.insert(Timed::Offer(id.clone()));
    }

    fn need_changed(&mut self, id: &NeedId, was: Option<&Need>) {
        match self.facts.needs.get(id).cloned() {
            Some(need) => {
                self.parts.put_need(was, &need);
                self.plan.apply(Change::Need(need));
            }
            None => {
                was.into_iter().for_each(|was| self.parts.remove_need(was));
                self.plan.apply(Change::NeedGone(id.clone()));
            }
        }
        let offers: Vec<OfferId> =
            self.facts.declines.get(id).into_iter().flat_map(BTreeMap::keys).cloned().collect();
        for offer in offers {
            self.tell_pair(id, &offer);
        }
        // What is held for it might now give way, or be moved.
        let held = self.parts.holds_for(id).filter_map(|hold| self.facts.holds.get(hold));
        self.look.touched.extend(held.map(|hold| Timed::Offer(hold.offer.clone())));
        self.look.need_changed(id);
    }

    fn tell_pair(&mut self, need: &NeedId, offer: &OfferId) {
        let decline = self.facts.declines.get(need).and_then(|of_need| of_need.get(offer)).cloned();
        decline.into_iter().for_each(|decline| self.tell_declined(&decline));
    }

    /// Tells the plan whether a pair may be matched again.
    fn tell_declined(&mut self, decline: &Decline) {
        let pair = (decline.need.clone(), decline.offer.clone());
        self.plan.apply(if self.facts.is_declined(decline) {
            Change::Declined(pair.0, pair.1)
        } else {
            Change::Forgiven(pair.0, pair.1)
        });
        self.look.pair_changed(decline);
    }

    /// Puts the region in force that its records now make.
    fn set_region(&mut self) -> Result<(), NoFacts> {
        let (region, policy) = region_of(&self.standing)?;
        let before = self.facts.region.clone();
        let facts = Arc::make_mut(&mut self.facts);
        facts.policy = policy;
        facts.set_region(Arc::new(region));
        self.region_changed(&before);
        Ok(())
    }

    /// Looks at what may be decided otherwise because another region is in force than before, or other allowances stand.
    fn region_changed(&mut self, before: &Arc<Region>) {
        let after = self.facts.region.clone();
        if Arc::ptr_eq(before, &after) {
            return;
        }
        let is_otherwise = before.without_figures() != after.without_figures();
        if is_otherwise || is_fair(before) != is_fair(&after) {
            *self = Self::of(self.facts.clone(), std::mem::take(&mut self.standing));
            return;
        }
        self.plan.apply(Change::Region(after.clone()));
        let is_as_before = |trust| before.trusts.get(trust) == after.trusts.get(trust);
        for (shelf, offers) in self.parts.shelves().iter().filter(|(shelf, _)| !is_as_before(&shelf.0)) {
            self.look.shelves.insert(shelf.clone());
            self.look.touched.extend(offers.iter().cloned().map(Timed::Offer));
        }
    }
}

/// Says whether a record is among those that are decided on.
fn is_live(record: &Record) -> bool {
    match record {
        Record::Offer(offer) => !offer.state.is_ended(),
        Record::Need(need) => !need.state.is_ended(),
        Record::Proposal(proposal) => !proposal.state.is_ended(),
        Record::Transfer(transfer) => !transfer.is_over(),
        Record::Decline(_) | Record::Trust(_) | Record::Region(_) => true,
        Record::Feed(_) | Record::Lease(_) | Record::Claim(_) | Record::Session(_) | Record::Monitor(_) => {
            false
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
