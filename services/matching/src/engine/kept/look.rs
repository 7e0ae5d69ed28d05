//! What is to be looked at again after a change, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fallow_domain::ids::{NeedId, OfferId, ProposalId};
use fallow_domain::need::{Need, Priority};
use fallow_domain::offer::Offer;
use fallow_domain::proposal::Proposal;
use fallow_domain::resource::ResourceKind;
use fallow_domain::standing::Decline;

use super::Kept;
use crate::engine::better::{alike, is_better_among, is_better_by_enough, might_use};
use crate::engine::chores::{Timed, timed};
use crate::engine::parts::{Part, PartKey, Parts, Shelf, is_asking, shelf};
use crate::facts::Facts;

/// What is to be looked at again.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Records that have changed since it was last looked.
    pub(super) touched: BTreeSet<Timed>,
    /// Needs whose units in the kept plan may have changed since.
    pub(super) changed: BTreeSet<NeedId>,
    /// Records with which something may be to be done because its time has come.
    pub(super) due: BTreeSet<Timed>,
    /// Shelves of which a hold may have lost its ground.
    pub(super) shelves: BTreeSet<Shelf>,
    /// Whether anything of theatres or staff has changed, so that there may be something to join.
    pub(super) joins: bool,
    /// Parts in which something may be to be proposed.
    pub(super) parts: BTreeMap<PartKey, Todo>,
}

/// What is to be looked at again in a part.
#[derive(Debug, Default)]
pub(super) struct Todo {
    /// Whether something has changed for those who wait.
    is_touched: bool,
    /// Needs that the kept plan serves: they are to be proposed what it gives them.
    pub(super) served: BTreeSet<NeedId>,
    /// Needs that the kept plan says nothing of: cases for a theatre that some session might hold, and needs for which a
    /// hold for a later band might give way.
    pub(super) waiting: BTreeSet<NeedId>,
    /// Holds that might be moved to something better.
    pub(super) restless: BTreeSet<ProposalId>,
}

impl Todo {
    /// Says whether anything is to be decided.
    pub(super) fn is_open(&self) -> bool {
        self.is_touched || !self.served.is_empty() || !self.restless.is_empty()
    }

    /// Says whether there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_open() && self.waiting.is_empty()
    }

    /// Notes that there is nothing to propose until something changes; with `forget`, who waits is forgotten.
    pub(super) fn settle(&mut self, forget: bool) {
        self.is_touched = false;
        self.restless.clear();
        if forget {
            self.waiting.clear();
        }
    }

    fn wait(&mut self, need: &NeedId) {
        self.is_touched = true;
        self.waiting.insert(need.clone());
    }
}

impl Look {
    /// Everything is to be looked at.
    pub(super) fn at_everything(facts: &Facts, parts: &Parts) -> Self {
        let todo = |(key, part): (&PartKey, &Part)| {
            let asking: BTreeSet<NeedId> = part.asking().cloned().collect();
            let restless = part.unanswered().cloned().collect();
            let todo = Todo { is_touched: true, served: BTreeSet::new(), waiting: asking, restless };
            (key.clone(), todo)
        };
        Self {
            due: timed(facts).collect(),
            shelves: parts.shelves().keys().cloned().collect(),
            parts: parts.all().iter().map(todo).collect(),
            changed: facts.needs.keys().cloned().collect(),
            touched: BTreeSet::new(),
            joins: true,
        }
    }

    pub(super) fn todo(&mut self, part: PartKey) -> &mut Todo {
        self.parts.entry(part).or_default()
    }

    pub(super) fn need_changed(&mut self, need: &NeedId) {
        self.touched.insert(Timed::Need(need.clone()));
        self.changed.insert(need.clone());
    }

    /// An answered hold keeps its offer and its need from ending.
    pub(super) fn hold_changed(&mut self, hold: &Proposal) {
        self.touched.insert(Timed::Hold(hold.id.clone()));
        self.touched.extend(hold.offers().cloned().map(Timed::Offer));
        self.need_changed(&hold.need);
    }

    pub(super) fn pair_changed(&mut self, pair: &Decline) {
        self.touched.insert(Timed::Offer(pair.offer.clone()));
        self.need_changed(&pair.need);
    }
}

impl Kept {
    /// Finds what could be decided otherwise because a record has changed, or its time has come.
    pub(super) fn look_at(&mut self, record: &Timed) {
        match record {
            Timed::Offer(id) => self.look_at_offer(id),
            Timed::Need(id) => self.look_at_need(id),
            Timed::Hold(id) => self.look_at_hold(id),
            Timed::Transfer(_) => {}
        }
    }

    fn look_at_offer(&mut self, id: &OfferId) {
        let Some(offer) = self.facts.offers.get(id).cloned() else { return };
        self.look.shelves.insert(shelf(&offer));
        for hold in self.parts.holds_on(id).cloned().collect::<Vec<_>>() {
            self.look_at_hold(&hold);
        }
        if offer.resource.kind == ResourceKind::Theatre {
            let latest = latest_band(&self.facts, &self.parts, &shelf(&offer));
            self.look_at_those_who_might_use(std::slice::from_ref(&offer), latest);
        }
    }

    /// Looks at those who might use what stands on a shelf. A trust's reserve is over all its offers of the resource: what
    /// changes of one may set free another. Theatres keep none, and are looked at one by one.
    pub(super) fn look_at_shelf(&mut self, shelf: &Shelf) {
        let offers: Vec<Arc<Offer>> =
            self.shelf(shelf).filter_map(|id| self.facts.offers.get(id).cloned()).collect();
        let latest = latest_band(&self.facts, &self.parts, shelf);
        self.look_at_those_who_might_use(&offers, latest);
    }

    /// Looks at those who might use any of some offers of one resource, of which the latest band that could give way holds
    /// something.
    fn look_at_those_who_might_use(&mut self, offers: &[Arc<Offer>], latest: Option<Priority>) {
        let Some(first) = offers.first() else { return };
        let is_theatre = first.resource.kind == ResourceKind::Theatre;
        let key = self.parts.key(&first.resource);
        let Some(part) = self.parts.get(&key) else { return };
        let todo = self.look.parts.entry(key).or_default();
        // Others might do better with it.
        let (free, bare, setting) = (alike(offers.iter()), self.plan.bare(), self.plan.setting());
        let might = part.unanswered().filter(|hold| {
            let pair = self.facts.holds.get(*hold).and_then(|hold| pair(&self.facts, hold));
            pair.is_some_and(|(need, held)| {
                let might_use = |other: &Offer| might_use(bare, setting, need, other);
                free.iter().any(|alike| is_better_among(bare, need, held, alike, might_use))
            })
        });
        todo.restless.extend(might.cloned());
        // Of units that are free the kept plan knows.
        if latest.is_none() && !is_theatre {
            return;
        }
        let free = first.figures.free();
        let held = self.parts.holds_on(&first.id).filter_map(|hold| self.facts.holds.get(hold));
        let yielding = held.filter(|hold| !hold.is_answered()).filter_map(|hold| hold.held_of(&first.id));
        let most = yielding.fold(free, |sum, held| sum.plus(held).unwrap_or(sum));
        for need in part.needs.values().filter(|need| is_asking(need)) {
            let fits = is_theatre && need.minutes_per_case <= free;
            let may_fit = !is_theatre || need.minutes_per_case <= most;
            let may_come_in = fits || (may_fit && latest.is_some_and(|band| need.priority < band));
            if may_come_in && offers.iter().any(|offer| might_use(bare, setting, need, offer)) {
                todo.wait(&need.id);
            }
        }
    }

    fn look_at_need(&mut self, id: &NeedId) {
        let Some(need) = self.facts.needs.get(id).filter(|need| is_asking(need)) else { return };
        let key = self.parts.key(&need.resource);
        let Some(part) = self.parts.get(&key) else { return };
        // Of units that are free the kept plan knows.
        let may_come_in = need.resource.kind == ResourceKind::Theatre
            || part.unanswered().filter_map(|hold| self.facts.holds.get(hold)).any(|hold| {
                pair(&self.facts, hold).is_some_and(|(its, held)| {
                    its.priority > need.priority
                        && self.shelf(&shelf(held)).any(|id| {
                            self.facts.offers.get(id).is_some_and(|offer| {
                                might_use(self.plan.bare(), self.plan.setting(), need, offer)
                            })
                        })
                })
            });
        if may_come_in {
            self.look.todo(key).wait(id);
        }
    }

    fn look_at_hold(&mut self, id: &ProposalId) {
        let Some(hold) = self.facts.holds.get(id).filter(|hold| !hold.is_answered()) else { return };
        let Some((need, held)) = pair(&self.facts, hold) else { return };
        self.look.shelves.insert(shelf(held));
        let key = self.parts.key(&held.resource);
        let Some(part) = self.parts.get(&key) else { return };
        let bare = self.plan.bare();
        if part.offers.values().any(|other| is_better_by_enough(bare, need, held, other)) {
            self.look.todo(key).restless.insert(id.clone());
        }
    }
}

/// The need and the offer of a hold.
fn pair<'f>(facts: &'f Facts, hold: &Proposal) -> Option<(&'f Need, &'f Offer)> {
    Some((facts.needs.get(&hold.need)?, facts.offers.get(&hold.offer)?))
}

/// The latest band of the holds that could give way on a shelf: one of another offer helps where the trust's reserve stands
/// between.
fn latest_band(facts: &Facts, parts: &Parts, shelf: &Shelf) -> Option<Priority> {
    let shelf = parts.shelves().get(shelf).into_iter().flatten();
    let holds = shelf.flat_map(|offer| parts.holds_on(offer)).filter_map(|hold| facts.holds.get(hold));
    let needs = holds.filter(|hold| !hold.is_answered()).filter_map(|hold| facts.needs.get(&hold.need));
    needs.map(|need| need.priority).max()
}
