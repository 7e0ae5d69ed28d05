//! Carrying out what was decided: one commit each, bound to the lease and to the versions of what was looked at.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fallow_api::status::Failure;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::ids::{ProposalId, TransferId};
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
use super::plan::{Placement, Suggest};
use super::{PROPOSE, actor, by_engine, of_chore, of_placement};
use crate::facts::Facts;

/// What carries decisions out: the ledger, the right to act, and what the decisions rest on.
pub(super) struct Carrier<'a> {
    pub(super) live: &'a Live,
    pub(super) lease: &'a Lease,
    pub(super) calendar: &'a WorkingCalendar,
    /// What was looked at.
    pub(super) facts: Arc<Facts>,
    /// The versions that this engine's own commits have written since.
    written: HashMap<Key, Revision>,
    /// The region's record.
    regions: Vec<Key>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// It is done.
    Done,
    /// Something it rests on has changed, or a rule says no: look again.
    Skipped,
    /// Another engine has the lease.
    LeaseLost,
}

impl<'a> Carrier<'a> {
    pub(super) fn new(live: &'a Live, lease: &'a Lease, calendar: &'a WorkingCalendar, kept: &Kept) -> Self {
        let (facts, regions) = (kept.facts().clone(), kept.regions());
        Self { live, lease, calendar, facts, written: HashMap::new(), regions }
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
        let decide = |read: &Records| of_chore(chore, read, &by, at);
        self.commit(verb, &span, first, &bound, Some(root), decide).await
    }

    /// Carries out placements that are to be known together; where that cannot be, each for itself.
    ///
    /// # Errors
    /// The store's troubles.
    pub(super) async fn place_together(
        &mut self,
        placements: &[Placement],
        kept: &Kept,
    ) -> Result<Carried, Failure> {
        let carried = self.place(placements, kept).await?;
        if carried != Carried::Skipped || placements.len() == 1 {
            return Ok(carried);
        }
        let mut is_done = false;
        for placement in placements {
            match self.place(std::slice::from_ref(placement), kept).await? {
                Carried::Done => is_done = true,
                Carried::Skipped => {}
                Carried::LeaseLost => return Ok(Carried::LeaseLost),
            }
        }
        Ok(if is_done { Carried::Done } else { Carried::Skipped })
    }

    /// Carries out placements: what gives way and what is suggested, in one commit.
    async fn place(&mut self, placements: &[Placement], kept: &Kept) -> Result<Carried, Failure> {
        let (by, at) = (actor(), self.facts.at);
        let facts = self.facts.clone();
        let mut bound: BTreeSet<Key> = self.regions.iter().cloned().collect();
        // Read, but not as they were when planned: any free units above the reserve will do.
        let mut also: BTreeSet<Key> = [lease_key()].into();
        let mut causes: Vec<Key> = Vec::new();
        for placement in placements {
            if self.read_for(placement, kept, &mut bound, &mut also, &mut causes).is_none() {
                return Ok(Carried::Skipped);
            }
        }
        also.extend(bound.iter().cloned());
        let needs: Vec<&str> = placements.iter().map(|placement| placement.need.as_str()).collect();
        let span = tracing::info_span!("propose", need = needs.join(" "), revision = facts.revision.0);
        self.continue_from(&span, &causes);
        let ids = placements
            .iter()
            .map(|placement| placement.suggest.iter().map(|_| fresh_ids()).collect())
            .collect::<Result<Vec<Vec<_>>, _>>()?;
        let calendar = self.calendar;
        let bound: Vec<Key> = bound.into_iter().collect();
        let decide = |read: &Records| {
            let mut working = read.clone();
            let mut changes = Records::default();
            for (placement, ids) in placements.iter().zip(&ids) {
                let change = of_placement(placement, ids, &working, (&facts.region, calendar), &by, at)?;
                working.apply(change.clone());
                changes.apply(change);
            }
            Ok(changes)
        };
        self.commit(PROPOSE, &span, also.into_iter().collect(), &bound, None, decide).await
    }

    /// Adds what a placement must be read with; `None` when its need or an offer is gone.
    fn read_for(
        &self,
        placement: &Placement,
        kept: &Kept,
        bound: &mut BTreeSet<Key>,
        also: &mut BTreeSet<Key>,
        causes: &mut Vec<Key>,
    ) -> Option<()> {
        let facts = &self.facts;
        let need = facts.needs.get(&placement.need)?;
        bound.extend([need_key(&need.id), trust_key(need.trust)]);
        bound.extend(placement.supersede.iter().map(proposal_key));
        causes.push(need_key(&need.id));
        for offer in placement.suggest.iter().flat_map(Suggest::offers) {
            let offer = facts.offers.get(offer)?;
            bound.extend([offer_key(&offer.id), trust_key(offer.trust), decline_key(&need.id, &offer.id)]);
            causes.push(offer_key(&offer.id));
            let key = offer.resource.key();
            // Where a trust keeps nothing for itself, what else it has left says nothing of this hold.
            if !facts.region.reserve(offer.trust, &key).is_zero() {
                also.extend(kept.shelf(&(offer.trust, key)).map(offer_key));
            }
        }
        for hold in placement.supersede.iter().filter_map(|id| facts.holds.get(id)) {
            also.extend(hold.offers().map(offer_key).chain([need_key(&hold.need)]));
        }
        Some(())
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

    /// Commits what is decided on the records read, if the lease and everything in `bound` are as they were looked at.
    /// `root` names the record whose neighbours must all be read.
    async fn commit(
        &mut self,
        verb: &'static str,
        span: &Span,
        first: Vec<Key>,
        bound: &[Key],
        root: Option<Key>,
        decide: impl Fn(&Records) -> Result<Records, Refusal> + Send + Sync,
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
                if expected.iter().any(|(key, revision)| view.revision(key) != *revision) {
                    return Err(changed());
                }
                if let Some(root) = &root {
                    let missing = neighbours::missing(view, live.picture(), std::slice::from_ref(root));
                    if !missing.is_empty() {
                        return Ok(Step::Read(missing));
                    }
                }
                let changes = decide(&neighbours::records(view))?;
                let writes = neighbours::writes(changes);
                written = writes.iter().map(|(key, _)| key.clone()).collect();
                Ok(if writes.is_empty() { Step::Answer(()) } else { Step::Write { writes, answer: () } })
            })
            .instrument(span.clone())
            .await;
        match done {
            Ok(done) => {
                if done.revision != Revision::ABSENT {
                    for key in written {
                        self.written.insert(key, done.revision);
                    }
                }
                Ok(Carried::Done)
            }
            Err(_) if is_lost => Ok(Carried::LeaseLost),
            Err(Failure::ChangedMeanwhile { .. }) => Ok(Carried::Skipped),
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
