//! What another policy would have decided on what there was.
//!
//! Each decision is tried on the facts of its time; what would have followed from it is not played on, for nobody knows
//! what trusts would have answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fallow_domain::ids::{NeedId, OfferId, ProposalId};
use fallow_domain::need::Priority;
use fallow_domain::policy::Policy;
use fallow_ledger::cause::Cause;
use fallow_ledger::record::Record;
use fallow_ledger::{Change, RecordKind, Revision, Versioned};
use jiff::Timestamp;

use super::state::{State, decoded};
use super::{Decider, LogFlaw, Window};
use crate::engine;

/// What became of a need first, under one policy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Verdict {
    /// When it was first proposed something.
    pub at: Timestamp,
    /// Which offers, in order of id.
    pub offers: Vec<OfferId>,
}

impl Verdict {
    fn new(at: Timestamp, offers: impl Iterator<Item = OfferId>) -> Self {
        let offers: BTreeSet<OfferId> = offers.collect();
        Self { at, offers: offers.into_iter().collect() }
    }
}

/// One need under both policies.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Story {
    /// The need.
    pub need: NeedId,
    /// How urgent it is.
    pub priority: Priority,
    /// When the log first has it.
    pub raised_at: Timestamp,
    /// What the log has.
    pub logged: Option<Verdict>,
    /// What the other policy would have done first.
    pub other: Option<Verdict>,
}

/// A log under another policy: it is given the log change by change.
pub struct OtherPolicy {
    policy: Policy,
    decider: Decider,
    window: Window,
    state: State,
    stories: BTreeMap<NeedId, Story>,
    superseded: [BTreeSet<ProposalId>; 2],
}

impl OtherPolicy {
    /// Starts at a snapshot, as [`super::Replay::new`].
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn new(
        policy: Policy,
        decider: Decider,
        window: Window,
        (revision, records): (Revision, &[Versioned]),
    ) -> Result<Self, LogFlaw> {
        let state = State::new(revision, records)?;
        let (stories, superseded) = (BTreeMap::new(), [BTreeSet::new(), BTreeSet::new()]);
        Ok(Self { policy, decider, window, state, stories, superseded })
    }

    /// Takes the next change of the log. Cost: one plan for every change that could change a plan.
    ///
    /// # Errors
    /// The change does not follow on the last one, or cannot be read.
    pub fn take(&mut self, change: &Change) -> Result<(), LogFlaw> {
        self.state.follows(change)?;
        let writes = decoded(change)?;
        let cause = Cause::decode(&change.cause).filter(|cause| self.window.has(cause.at));
        if let Some(cause) = &cause {
            for record in writes.values().flatten() {
                self.heard_of(record, cause.at);
            }
            if engine::is_decision(&cause.by, &cause.verb) {
                self.logged(&writes, cause);
            }
        }
        let matters = writes.keys().any(|key| match key.kind {
            RecordKind::Offer
            | RecordKind::Need
            | RecordKind::Proposal
            | RecordKind::Transfer
            | RecordKind::Trust
            | RecordKind::Region
            | RecordKind::Decline => true,
            RecordKind::Feed
            | RecordKind::Lease
            | RecordKind::Claim
            | RecordKind::Session
            | RecordKind::Monitor => false,
        });
        self.state.apply(change)?;
        if let Some(cause) = cause.filter(|_| matters && self.state.has_region()) {
            self.decide(change.revision, cause.at)?;
        }
        Ok(())
    }

    /// Returns what became of each need, by id, and how many proposals were superseded by the log and by the other policy.
    #[must_use]
    pub fn finish(self) -> (Vec<Story>, [usize; 2]) {
        (self.stories.into_values().collect(), self.superseded.map(|ids| ids.len()))
    }

    fn heard_of(&mut self, record: &Record, at: Timestamp) {
        if let Record::Need(need) = record {
            self.stories.entry(need.id.clone()).or_insert_with(|| Story {
                need: need.id.clone(),
                priority: need.priority,
                raised_at: at,
                logged: None,
                other: None,
            });
        }
    }

    fn logged(&mut self, writes: &BTreeMap<fallow_ledger::Key, Option<Record>>, cause: &Cause) {
        let fresh = self.state.new_proposals(writes);
        for proposal in &fresh {
            if let Some(story) = self.stories.get_mut(&proposal.need) {
                let offers = fresh.iter().filter(|p| p.need == proposal.need).map(|p| p.offer.clone());
                story.logged.get_or_insert_with(|| Verdict::new(cause.at, offers));
            }
        }
        if cause.verb == engine::PROPOSE {
            let ended = writes.values().flatten().filter_map(|record| match record {
                Record::Proposal(proposal) if proposal.state.is_ended() => Some(proposal.id.clone()),
                Record::Offer(_)
                | Record::Need(_)
                | Record::Proposal(_)
                | Record::Transfer(_)
                | Record::Trust(_)
                | Record::Feed(_)
                | Record::Region(_)
                | Record::Lease(_)
                | Record::Claim(_)
                | Record::Session(_)
                | Record::Monitor(_)
                | Record::Decline(_) => None,
            });
            self.superseded[0].extend(ended);
        }
    }

    fn decide(&mut self, revision: Revision, at: Timestamp) -> Result<(), LogFlaw> {
        let Some(mut facts) = self.state.facts_at(revision, at)? else { return Ok(()) };
        let mut region = Arc::unwrap_or_clone(facts.as_said.clone());
        region.policy = self.policy.clone();
        facts.set_region(Arc::new(region));
        for placement in (self.decider.plan)(&facts) {
            self.superseded[1].extend(placement.supersede.iter().cloned());
            if let Some(story) = self.stories.get_mut(&placement.need) {
                let offers = placement.suggest.iter().map(|suggest| suggest.offer.clone());
                story.other.get_or_insert_with(|| Verdict::new(at, offers));
            }
        }
        Ok(())
    }
}
