//! Carrying out what was decided: in commits bound to the lease and to the versions of what was looked at.
//!
//! Placements that are planned together are committed together, in the order of the plan: each with its explanation, and each
//! bound to what it rests on.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fallow_api::status::Failure;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::ids::{OfferId, ProposalId, TransferId};
use fallow_domain::offer::{Freshness, Offer, OfferState};
use fallow_domain::records::Records;
use fallow_domain::refusal::{Refusal, reason};
use fallow_host::telemetry::{continue_trace, link_trace, traceparent};
use fallow_ledger::record::{decline_key, lease_key, need_key, offer_key, proposal_key, trust_key};
use fallow_ledger::transact::{Step, View};
use fallow_ledger::{Key, Revision, planted};
use fallow_live::Live;
use fallow_live::call::new_id;
use fallow_live::mutate::Mutation;
use fallow_live::neighbours;
use tracing::{Instrument as _, Span};

use super::chores::Chore;
use super::kept::Kept;
use super::lease::Lease;
use super::parts::{Shelf, shelf};
use super::plan::Placement;
use super::{PROPOSE, actor, by_engine, of_chore, of_placement};
use crate::facts::Facts;

/// How often placements are committed together of which others changed something, before each is committed for itself.
const TRIES: usize = 3;
/// Needs that the span of a commit names at most.
const NAMED_MAX: usize = 16;
/// Units more than a trust's reserve and what is taken of it that the offers read must show: others may take some meanwhile.
/// Where they take more, the rest of the trust's offers are read as well.
const SPARE: u64 = 8;

/// What carries decisions out: the ledger, the right to act, and what the decisions rest on.
pub(super) struct Carrier<'a> {
    pub(super) live: &'a Live,
    pub(super) lease: &'a Lease,
    pub(super) calendar: &'a WorkingCalendar,
    /// What was looked at.
    pub(super) facts: Arc<Facts>,
    /// The versions that this engine's own commits have written since.
    written: HashMap<Key, Revision>,
    /// The units that this engine's own commits have taken since, which the offers looked at do not show.
    taken: BTreeMap<Shelf, u64>,
    /// Of which something was planned that could not be done, for others changed what it rests on: nothing more is taken of
    /// them before the next look, for what is less urgent would have what the need left out may still get.
    behind: BTreeSet<Shelf>,
    /// The region's record.
    regions: Vec<Key>,
}

/// What a decision comes to, on what was read.
enum Decided {
    /// It must know these records too.
    Read(Vec<Key>),
    /// It changes this.
    Changes(Records),
}

/// A group of placements that a commit goes without.
struct LeftOut {
    /// Its place among the groups.
    place: usize,
    /// What a rule says against it; `None` where it only waits, behind one refused that takes of the same.
    refusal: Option<Refusal>,
    /// Whether something that it takes of is no longer as it was looked at.
    is_behind: bool,
}

/// What a commit of placements is decided on.
struct Reads {
    /// Everything that is read.
    all: BTreeSet<Key>,
    /// What must be as it was when that was planned.
    bound: Vec<Key>,
    /// What it came about by: its needs and offers.
    causes: Vec<Key>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// It is done.
    Done,
    /// Something it rests on has changed: look again.
    Overtaken,
    /// A rule says no, or nothing is left to be done.
    Skipped,
    /// Another engine has the lease.
    LeaseLost,
}

impl<'a> Carrier<'a> {
    pub(super) fn new(live: &'a Live, lease: &'a Lease, calendar: &'a WorkingCalendar, kept: &Kept) -> Self {
        let (facts, regions) = (kept.facts().clone(), kept.regions());
        let (written, taken, behind) = (HashMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { live, lease, calendar, facts, written, taken, behind, regions }
    }

    /// Carries out a chore.
    ///
    /// # Errors
    /// The store's troubles.
    pub(super) async fn chore(&mut self, chore: &Chore) -> Result<Carried, Failure> {
        let (verb, root) = (chore.verb(), chore.root());
        let (by, at) = (actor(), self.facts.at);
        let mut first = neighbours::around(self.live.picture(), std::slice::from_ref(&root));
        first.push(lease_key());
        // What a chore rests on beside its root's neighbours: only whether a pair is eligible, which others' records say.
        let bound = match chore {
            Chore::Supersede(id, _) => self.ground_of(id),
            Chore::Lapse(_)
            | Chore::ResumeOffer(_)
            | Chore::ExpireOffer(_)
            | Chore::GiveUpNeed(_)
            | Chore::ExpireNeed(_)
            | Chore::CallBack(_) => Vec::new(),
        };
        first.extend(bound.iter().cloned());
        let span = tracing::info_span!("engine_chore", verb, record = %root);
        self.continue_from(&span, std::slice::from_ref(&root));
        let decide = |_: &View, read: &Records| of_chore(chore, read, &by, at).map(Decided::Changes);
        self.commit(verb, &span, first, &bound, (Some(root), &mut Vec::new()), decide).await
    }

    /// Carries out groups of placements in one commit, in order: a flush of the store's log and a look of everybody's picture
    /// for all of them. What has changed meanwhile is left out, and so is what a rule refuses, each with what takes of the same
    /// after it; where that does not help, each is carried out for itself. When it `is_late` (the lease is to be renewed), what
    /// is left waits for the next look: that counts as done, so that there is one.
    ///
    /// # Errors
    /// The store's troubles.
    pub(super) async fn place_many(
        &mut self,
        groups: &[Vec<Placement>],
        kept: &Kept,
        is_late: &(dyn Fn() -> bool + Sync),
    ) -> Result<Carried, Failure> {
        let mut left: Vec<&[Placement]> = groups.iter().map(Vec::as_slice).collect();
        // What those left out take of: `place` must not know before the commit, for it would leave out those before them too.
        let mut waiting: BTreeSet<Shelf> = BTreeSet::new();
        for tried in 0..TRIES {
            if tried > 0 && is_late() {
                return Ok(Carried::Done);
            }
            let mut changed = Vec::new();
            match self.place(&left, kept, &mut changed).await? {
                Carried::Overtaken if left.len() > 1 && !changed.is_empty() => {}
                Carried::Overtaken | Carried::Skipped => break,
                carried @ (Carried::Done | Carried::LeaseLost) => {
                    self.behind.append(&mut waiting);
                    return Ok(carried);
                }
            }
            let has_changed = |group: &[Placement]| {
                let reads = self.reads(&[group], kept);
                reads.is_none_or(|reads| reads.bound.iter().any(|key| changed.contains(key)))
            };
            // What is left of a block is carried out one by one, in its turn.
            if left.iter().any(|group| group.len() > 1 && has_changed(group)) {
                break;
            }
            left.retain(|group| {
                let taken = taken_of(group, &self.facts);
                let waits = taken.keys().any(|shelf| waiting.contains(shelf)) || has_changed(group);
                if waits {
                    waiting.extend(taken.into_keys());
                }
                !waits
            });
            if left.is_empty() {
                self.behind.append(&mut waiting);
                return Ok(Carried::Overtaken);
            }
        }
        // From here on each goes for itself: those left out have had their turn, and what is left stands before them or apart.
        let carried = self.place_in_turn(left, kept, is_late).await?;
        self.behind.append(&mut waiting);
        Ok(carried)
    }

    /// Carries out groups of placements one after another.
    async fn place_in_turn<'p>(
        &mut self,
        groups: impl IntoIterator<Item = &'p [Placement], IntoIter: Send>,
        kept: &Kept,
        is_late: &(dyn Fn() -> bool + Sync),
    ) -> Result<Carried, Failure> {
        let mut all = Carried::Skipped;
        for group in groups {
            if is_late() {
                return Ok(Carried::Done);
            }
            match self.place_together(group, kept, is_late).await? {
                Carried::Done => all = Carried::Done,
                Carried::Overtaken if all == Carried::Skipped => all = Carried::Overtaken,
                Carried::Overtaken | Carried::Skipped => {}
                Carried::LeaseLost => return Ok(Carried::LeaseLost),
            }
        }
        Ok(all)
    }

    /// Carries out placements that are to be known together; where that cannot be, each for itself.
    async fn place_together(
        &mut self,
        placements: &[Placement],
        kept: &Kept,
        is_late: &(dyn Fn() -> bool + Sync),
    ) -> Result<Carried, Failure> {
        match self.place(&[placements], kept, &mut Vec::new()).await? {
            Carried::Overtaken if placements.len() == 1 => {
                self.behind.extend(taken_of(placements, &self.facts).into_keys());
                Ok(Carried::Overtaken)
            }
            Carried::Overtaken | Carried::Skipped if placements.len() > 1 => {
                let each = placements.chunks(1);
                Box::pin(self.place_in_turn(each, kept, is_late)).await
            }
            carried @ (Carried::Done | Carried::Overtaken | Carried::Skipped | Carried::LeaseLost) => {
                Ok(carried)
            }
        }
    }

    /// Carries out groups of placements, what gives way and what is suggested, in one commit, but for the groups that a rule
    /// refuses and those after them that take of the same. Tells in `changed` what is no longer as it was looked at, where that
    /// is why nothing is done.
    async fn place(
        &mut self,
        groups: &[&[Placement]],
        kept: &Kept,
        changed: &mut Vec<Key>,
    ) -> Result<Carried, Failure> {
        let (by, at) = (actor(), self.facts.at);
        let facts = self.facts.clone();
        let taking = |group: &&[Placement]| taken_of(group, &facts);
        let mut groups: Vec<(&[Placement], BTreeMap<Shelf, u64>)> =
            groups.iter().map(|group| (*group, taking(group))).collect();
        groups.retain(|(_, taken)| !taken.keys().any(|shelf| self.behind.contains(shelf)));
        let placements: Vec<&[Placement]> = groups.iter().map(|(group, _)| *group).collect();
        if placements.is_empty() {
            return Ok(Carried::Skipped);
        }
        let Some(Reads { all, bound, causes }) = self.reads(&placements, kept) else {
            return Ok(Carried::Skipped);
        };
        let needs = placements.iter().copied().flatten().map(|placement| placement.need.as_str());
        let needs: Vec<&str> = needs.take(NAMED_MAX).collect();
        let span = tracing::info_span!("propose", need = needs.join(" "), revision = facts.revision.0);
        self.continue_from(&span, &causes);
        let ids_of = |placement: &Placement| placement.suggest.iter().map(|_| fresh_ids()).collect();
        let ids = placements
            .iter()
            .map(|group| group.iter().map(ids_of).collect())
            .collect::<Result<Vec<Vec<Vec<_>>>, _>>()?;
        let calendar = self.calendar;
        let mut left_out: Vec<LeftOut> = Vec::new();
        let decide = |view: &View, read: &Records| {
            left_out.clear();
            let mut working = read.clone();
            let mut changes = Records::default();
            let mut refused: BTreeSet<&Shelf> = BTreeSet::new();
            for (place, ((group, taken), ids)) in groups.iter().zip(&ids).enumerate() {
                if taken.keys().any(|shelf| refused.contains(shelf)) {
                    left_out.push(LeftOut { place, refusal: None, is_behind: false });
                    continue;
                }
                let (mut after, mut of_group) = (working.clone(), Records::default());
                let mut placed = group.iter().zip(ids).map(|(placement, ids)| {
                    let change = of_placement(placement, ids, &after, (&facts.region, calendar), &by, at)?;
                    after.apply(change.clone());
                    of_group.apply(change);
                    Ok(())
                });
                let Err(refusal) = placed.try_for_each(|done: Result<(), Refusal>| done) else {
                    changes.apply(of_group);
                    working = after;
                    continue;
                };
                let on_shelves: Vec<Key> =
                    taken.keys().flat_map(|shelf| kept.shelf(shelf)).map(offer_key).collect();
                if refusal.reason == reason::BELOW_RESERVE {
                    // Others took more than was to spare. What the trust has in its other offers may be enough.
                    let unread: Vec<Key> =
                        on_shelves.iter().filter(|key| !view.has_read(key)).cloned().collect();
                    if !unread.is_empty() {
                        return Ok(Decided::Read(unread));
                    }
                }
                refused.extend(taken.keys());
                let differs = |key: &Key| view.has_read(key) && view.revision(key) != facts.version(key);
                let is_behind = on_shelves.iter().any(differs);
                left_out.push(LeftOut { place, refusal: Some(refusal), is_behind });
            }
            match left_out.first().and_then(|first| first.refusal.clone()) {
                Some(refusal) if changes.is_empty() => Err(refusal),
                Some(_) | None => Ok(Decided::Changes(changes)),
            }
        };
        let carried =
            self.commit(PROPOSE, &span, all.into_iter().collect(), &bound, (None, changed), decide).await?;
        if changed.is_empty() && carried != Carried::LeaseLost {
            self.remember(&span, carried, &groups, &left_out);
        }
        Ok(carried)
    }

    /// Keeps in mind what a commit took and what it went without, for those after it.
    fn remember(
        &mut self,
        span: &Span,
        carried: Carried,
        groups: &[(&[Placement], BTreeMap<Shelf, u64>)],
        left_out: &[LeftOut],
    ) {
        for (place, (group, taken)) in groups.iter().enumerate() {
            let Some(left_out) = left_out.iter().find(|left_out| left_out.place == place) else {
                if carried == Carried::Done {
                    for (shelf, units) in taken {
                        *self.taken.entry(shelf.clone()).or_default() += units;
                    }
                }
                continue;
            };
            if left_out.is_behind {
                self.behind.extend(taken.keys().cloned());
            }
            let needs: Vec<&str> =
                group.iter().map(|placement| placement.need.as_str()).take(NAMED_MAX).collect();
            let need = needs.join(" ");
            span.in_scope(|| match &left_out.refusal {
                Some(refusal) => {
                    tracing::info!(need, reason = refusal.reason, "left out of the commit: {refusal}");
                }
                None => {
                    tracing::info!(need, "left out of the commit, behind one refused that takes of the same")
                }
            });
        }
    }

    /// Returns what placements must be read with; `None` when a need or an offer is gone.
    fn reads(&self, groups: &[&[Placement]], kept: &Kept) -> Option<Reads> {
        let facts = &self.facts;
        let mut bound: BTreeSet<Key> = self.regions.iter().cloned().collect();
        // Read, but not as they were when planned: any free units above the reserve will do.
        let mut also: BTreeSet<Key> = [lease_key()].into();
        let mut causes: Vec<Key> = Vec::new();
        for placement in groups.iter().copied().flatten() {
            let need = facts.needs.get(&placement.need)?;
            bound.extend([need_key(&need.id), trust_key(need.trust)]);
            bound.extend(placement.supersede.iter().map(proposal_key));
            causes.push(need_key(&need.id));
            for suggest in &placement.suggest {
                for offer in suggest.offers() {
                    let offer = facts.offers.get(offer)?;
                    bound.extend([
                        offer_key(&offer.id),
                        trust_key(offer.trust),
                        decline_key(&need.id, &offer.id),
                    ]);
                    causes.push(offer_key(&offer.id));
                }
            }
            for hold in placement.supersede.iter().filter_map(|id| facts.holds.get(id)) {
                also.extend(hold.offers().map(offer_key).chain([need_key(&hold.need)]));
            }
        }
        let mut wanted: BTreeMap<Shelf, u64> = BTreeMap::new();
        for (shelf, units) in groups.iter().flat_map(|group| taken_of(group, facts)) {
            *wanted.entry(shelf).or_default() += units;
        }
        for (shelf, units) in wanted {
            also.extend(self.reads_of(&shelf, units, kept));
        }
        also.extend(bound.iter().cloned());
        Some(Reads { all: also, bound: bound.into_iter().collect(), causes })
    }

    /// The offers of a shelf that show that so many units leave its trust what it keeps for itself: the fullest, and no more
    /// than it takes, for each may change meanwhile and have the commit fail. What the others have can only add to it. None
    /// where the trust keeps nothing; all of them where they hardly are enough.
    fn reads_of(&self, shelf: &Shelf, units: u64, kept: &Kept) -> Vec<Key> {
        let facts = &self.facts;
        let reserve = u64::from(facts.region.reserve(shelf.0, &shelf.1).get());
        if reserve == 0 {
            return Vec::new();
        }
        let counts = |offer: &&Arc<Offer>| {
            offer.state == OfferState::Open && offer.freshness(facts.at) != Freshness::Stale
        };
        let offers = kept.shelf(shelf).filter_map(|id| facts.offers.get(id)).filter(counts);
        let mut fullest: Vec<(Reverse<u32>, &OfferId)> =
            offers.map(|offer| (Reverse(offer.figures.free().get()), &offer.id)).collect();
        fullest.sort_unstable();
        // The offers are as they were looked at, the decision is on what there is now.
        let taken = self.taken.get(shelf).copied().unwrap_or_default();
        let (wanted, mut found, mut few) = (reserve + taken + units + SPARE, 0, Vec::new());
        for (Reverse(free), id) in fullest {
            few.push(offer_key(id));
            found += u64::from(free);
            if found >= wanted {
                return few;
            }
        }
        kept.shelf(shelf).map(offer_key).collect()
    }

    /// The records that say whether a held pair is still eligible.
    fn ground_of(&self, id: &ProposalId) -> Vec<Key> {
        let Some(hold) = self.facts.holds.get(id) else { return Vec::new() };
        let mut ground: Vec<Key> = self.regions.clone();
        ground.extend(hold.offers().map(offer_key));
        ground.extend([need_key(&hold.need), trust_key(hold.supporting_trust)]);
        ground.extend(hold.team.as_ref().map(|team| trust_key(team.trust)));
        ground
    }

    /// Commits what is decided on the records read, if the lease and everything in `bound` are as they were looked at: what is
    /// not is told in `changed`. `root` names the record whose neighbours must all be read.
    async fn commit(
        &mut self,
        verb: &'static str,
        span: &Span,
        first: Vec<Key>,
        bound: &[Key],
        (root, changed_since): (Option<Key>, &mut Vec<Key>),
        mut decide: impl FnMut(&View, &Records) -> Result<Decided, Refusal> + Send,
    ) -> Result<Carried, Failure> {
        let decided_at = Some(self.facts.revision);
        let traceparent = span.in_scope(traceparent);
        let mutation = Mutation { decided_at, ..by_engine(verb, self.facts.at, traceparent) };
        let (live, lease) = (self.live, self.lease);
        let expected: Vec<(&Key, Revision)> = bound.iter().map(|key| (key, self.version(key))).collect();
        let mut written: Vec<Key> = Vec::new();
        let mut is_lost = false;
        let done = live
            .mutate(&mutation, first, |view: &View| {
                if !lease.is_in(view) && !planted::on("lease-not-expected") {
                    is_lost = true;
                    return Err(changed());
                }
                let differ = expected.iter().filter(|(key, revision)| view.revision(key) != *revision);
                *changed_since = differ.map(|(key, _)| (*key).clone()).collect();
                if !changed_since.is_empty() {
                    return Err(changed());
                }
                if let Some(root) = &root {
                    let missing = neighbours::missing(view, live.picture(), std::slice::from_ref(root));
                    if !missing.is_empty() {
                        return Ok(Step::Read(missing));
                    }
                }
                let changes = match decide(view, &neighbours::records(view))? {
                    Decided::Read(more) => return Ok(Step::Read(more)),
                    Decided::Changes(changes) => changes,
                };
                let writes = neighbours::writes(changes);
                written = writes.iter().map(|(key, _)| key.clone()).collect();
                Ok(if writes.is_empty() { Step::Answer(()) } else { Step::Write { writes, answer: () } })
            })
            .instrument(span.clone())
            .await;
        match done {
            Ok(done) => {
                if done.revision != Revision::ABSENT {
                    self.written.extend(written.into_iter().map(|key| (key, done.revision)));
                }
                Ok(Carried::Done)
            }
            Err(_) if is_lost => Ok(Carried::LeaseLost),
            Err(Failure::ChangedMeanwhile { .. }) => Ok(Carried::Overtaken),
            Err(Failure::Refused(refusal)) => {
                span.in_scope(|| tracing::info!(verb, reason = refusal.reason, "not done: {refusal}"));
                Ok(Carried::Skipped)
            }
            // The store as a whole is in trouble: nothing else can be done either.
            Err(
                failure @ (Failure::StoreAway { .. }
                | Failure::OutcomeUnknown { .. }
                | Failure::StoreSealed
                | Failure::StoreMisconfigured { .. }
                | Failure::NotReady { .. }),
            ) => Err(failure),
            // One record is in trouble: the rest of the region must not wait for it.
            Err(other) => {
                span.in_scope(|| tracing::error!(verb, error = %other, "set aside, going on with the rest"));
                Ok(Carried::Skipped)
            }
        }
    }

    /// Returns the revision that a record has as far as this engine knows.
    fn version(&self, key: &Key) -> Revision {
        self.written.get(key).copied().unwrap_or_else(|| self.facts.version(key))
    }

    /// Makes a span go on from the change that wrote the latest of some records, and links it to the others.
    fn continue_from(&self, span: &Span, keys: &[Key]) {
        let mut revisions: Vec<Revision> = keys.iter().map(|key| self.facts.version(key)).collect();
        revisions.sort_unstable();
        revisions.dedup();
        let causes = revisions.iter().rev().filter_map(|revision| self.live.picture().cause_of(*revision));
        for (place, text) in causes.filter_map(|cause| cause.traceparent).enumerate() {
            if place == 0 { continue_trace(span, &text) } else { link_trace(span, &text) }
        }
    }
}

/// Returns how many units placements take of each trust's resources; cases of a theatre, of which no trust keeps any.
pub(crate) fn taken_of(placements: &[Placement], facts: &Facts) -> BTreeMap<Shelf, u64> {
    let mut taken: BTreeMap<Shelf, u64> = BTreeMap::new();
    for suggest in placements.iter().flat_map(|placement| &placement.suggest) {
        for offer in suggest.offers().filter_map(|offer| facts.offers.get(offer)) {
            *taken.entry(shelf(offer)).or_default() += u64::from(suggest.units.get());
        }
    }
    taken
}

fn changed() -> Failure {
    Failure::ChangedMeanwhile { current: None }
}

/// Makes the id of a new proposal, and of the transfer if every trust had agreed beforehand.
///
/// # Errors
/// Never but for a mistake of ours.
pub(crate) fn fresh_ids() -> Result<(ProposalId, TransferId), Failure> {
    let bad = |error: fallow_domain::ids::NameError| {
        Failure::Refused(Refusal::new(reason::OUT_OF_RANGE, error.to_string()))
    };
    Ok((ProposalId::parse(&new_id()).map_err(bad)?, TransferId::parse(&new_id()).map_err(bad)?))
}

#[cfg(test)]
mod tests;
