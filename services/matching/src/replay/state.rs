//! The live records as a log makes them, now and a little while back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use fallow_domain::proposal::Proposal;
use fallow_domain::records::Records;
use fallow_domain::region::Region;
use fallow_ledger::picture::Seen;
use fallow_ledger::record::{Record, Unreadable};
use fallow_ledger::{Change, Key, RecordKind, Revision, Versioned};
use jiff::Timestamp;

use super::Live;
use crate::facts::Facts;
use crate::then::{NoFacts, facts_with, region_of};

/// Changes that can be taken back: the engine decides on what is seconds old.
const KEPT: usize = 8_192;

/// A log that cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogFlaw {
    /// Changes are missing or in disorder.
    #[error("revision {found} comes where {expected} must: changes are missing, or out of order")]
    Gap {
        /// The revision that must come.
        expected: Revision,
        /// The one that came.
        found: Revision,
    },
    /// A record cannot be read.
    #[error("revision {revision}, {key}: {flaw}")]
    Unreadable {
        /// The change.
        revision: Revision,
        /// The record.
        key: Key,
        /// What is wrong.
        flaw: Unreadable,
    },
    /// The engine decided something while no region was in force.
    #[error("revision {revision}: {text}")]
    NoRegion {
        /// The revision decided at.
        revision: Revision,
        /// What is wrong.
        text: String,
    },
}

/// The live records as a log makes them.
pub(super) struct State {
    revision: Revision,
    all: Live,
    /// The same, as decisions take them.
    live: Records,
    /// What the last changes overwrote, oldest first.
    overwritten: VecDeque<Overwritten>,
    /// The region that was in force last, with the revisions of the records that make it.
    region: Option<InForce>,
}

/// A change, and what each record that it wrote was before.
type Overwritten = (Revision, Vec<(Key, Option<Seen>)>);
/// The records that make a region, at their revisions; the region; and the version of its file.
type InForce = (Vec<(Key, Revision)>, Arc<Region>, String);

impl State {
    pub(super) fn new(revision: Revision, records: &[Versioned]) -> Result<Self, LogFlaw> {
        let mut state = Self {
            revision,
            all: Live::new(),
            live: Records::default(),
            overwritten: VecDeque::new(),
            region: None,
        };
        for record in records {
            let read = read(record.revision, &record.key, &record.body)?;
            state.put(&record.key, Some(read), record.revision);
        }
        Ok(state)
    }

    pub(super) fn live(&self) -> &Records {
        &self.live
    }

    /// Says whether a region is in force.
    pub(super) fn has_region(&self) -> bool {
        self.all.keys().any(|key| key.kind == RecordKind::Region)
    }

    /// Says whether a change follows on the last one.
    pub(super) fn follows(&self, change: &Change) -> Result<(), LogFlaw> {
        let (expected, found) = (self.revision.next(), change.revision);
        if found == expected { Ok(()) } else { Err(LogFlaw::Gap { expected, found }) }
    }

    pub(super) fn apply(&mut self, change: &Change) -> Result<(), LogFlaw> {
        let mut before = Vec::with_capacity(change.writes.len());
        for (key, record) in decoded(change)? {
            let was = self.put(&key, record, change.revision);
            before.push((key, was));
        }
        if self.overwritten.len() == KEPT {
            self.overwritten.pop_front();
        }
        self.overwritten.push_back((change.revision, before));
        self.revision = change.revision;
        Ok(())
    }

    fn put(&mut self, key: &Key, record: Option<Record>, revision: Revision) -> Option<Seen> {
        match &record {
            Some(Record::Offer(offer)) => self.live.put_offer(offer.clone()),
            Some(Record::Need(need)) => self.live.put_need(need.clone()),
            Some(Record::Proposal(proposal)) => self.live.put_proposal(proposal.clone()),
            Some(Record::Transfer(transfer)) => self.live.put_transfer(transfer.clone()),
            Some(Record::Decline(decline)) => self.live.put_decline(decline.clone()),
            Some(
                Record::Trust(_)
                | Record::Feed(_)
                | Record::Region(_)
                | Record::Lease(_)
                | Record::Claim(_)
                | Record::Session(_)
                | Record::Monitor(_),
            )
            | None => {}
        }
        match record {
            Some(record) => self.all.insert(key.clone(), Seen { revision, record: Arc::new(record) }),
            None => {
                let was = self.all.remove(key);
                if let Some(seen) = &was {
                    self.forget(&seen.record);
                }
                was
            }
        }
    }

    fn forget(&mut self, record: &Record) {
        match record {
            Record::Offer(offer) => drop(self.live.offers.remove(&offer.id)),
            Record::Need(need) => drop(self.live.needs.remove(&need.id)),
            Record::Proposal(proposal) => drop(self.live.proposals.remove(&proposal.id)),
            Record::Transfer(transfer) => drop(self.live.transfers.remove(&transfer.id)),
            Record::Decline(decline) => {
                drop(self.live.declines.remove(&(decline.need.clone(), decline.offer.clone())));
            }
            Record::Trust(_)
            | Record::Feed(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_) => {}
        }
    }

    /// Returns the proposals that a change makes.
    pub(super) fn new_proposals<'w>(&self, writes: &'w BTreeMap<Key, Option<Record>>) -> Vec<&'w Proposal> {
        let is_new = |key: &Key| !self.all.contains_key(key);
        writes
            .iter()
            .filter_map(|(key, record)| match record {
                Some(Record::Proposal(proposal)) if is_new(key) => Some(proposal),
                Some(
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
                    | Record::Decline(_),
                )
                | None => None,
            })
            .collect()
    }

    /// Says whether any but a round's own commits has written one of some records after a revision.
    pub(super) fn is_touched_since(&self, since: Revision, own: &[Revision], keys: &[Key]) -> bool {
        let later = self.overwritten.iter().rev().take_while(|(revision, _)| *revision > since);
        later
            .filter(|(revision, _)| !own.contains(revision))
            .any(|(_, before)| before.iter().any(|(key, _)| keys.contains(key)))
    }

    /// Returns the facts at a revision and time; `None` when the revision lies too far back.
    pub(super) fn facts_at(&mut self, revision: Revision, at: Timestamp) -> Result<Option<Facts>, LogFlaw> {
        let mut all = self.all.clone();
        for (_, before) in self.overwritten.iter().rev().take_while(|(made, _)| *made > revision) {
            for (key, was) in before {
                match was {
                    Some(seen) => drop(all.insert(key.clone(), seen.clone())),
                    None => drop(all.remove(key)),
                }
            }
        }
        let taken_back = self.overwritten.iter().rev().take_while(|(made, _)| *made > revision).count();
        let wanted = self.revision.0.saturating_sub(revision.0);
        if u64::try_from(taken_back).unwrap_or(u64::MAX) < wanted {
            return Ok(None);
        }
        let (region, policy) = self.region_in(&all, revision)?;
        Ok(Some(facts_with(at, revision, &all, region, policy)))
    }

    /// Returns the region in force with some records; read again only when one of those that make it has changed.
    fn region_in(&mut self, all: &Live, revision: Revision) -> Result<(Arc<Region>, String), LogFlaw> {
        let makes = |key: &Key| matches!(key.kind, RecordKind::Region | RecordKind::Trust);
        let of: Vec<(Key, Revision)> = all
            .iter()
            .filter(|(key, _)| makes(key))
            .map(|(key, seen)| (key.clone(), seen.revision))
            .collect();
        if let Some((last, region, policy)) = &self.region
            && *last == of
        {
            return Ok((region.clone(), policy.clone()));
        }
        let (region, policy) =
            region_of(all).map_err(|none: NoFacts| LogFlaw::NoRegion { revision, text: none.to_string() })?;
        let region = Arc::new(region);
        self.region = Some((of, region.clone(), policy.clone()));
        Ok((region, policy))
    }
}

/// Reads the records that a change writes.
pub(super) fn decoded(change: &Change) -> Result<BTreeMap<Key, Option<Record>>, LogFlaw> {
    let mut records = BTreeMap::new();
    for (key, body) in &change.writes {
        let record = body.as_ref().map(|body| read(change.revision, key, body)).transpose()?;
        records.insert(key.clone(), record);
    }
    Ok(records)
}

fn read(revision: Revision, key: &Key, body: &[u8]) -> Result<Record, LogFlaw> {
    Record::decode(key.kind, body).map_err(|flaw| LogFlaw::Unreadable { revision, key: key.clone(), flaw })
}
