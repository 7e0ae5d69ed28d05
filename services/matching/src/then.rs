//! Facts as they were: made of records that were there at one revision, whoever kept them.

use std::collections::BTreeMap;
use std::sync::Arc;

use fallow_domain::region::Region;
use fallow_domain::standing::{RegionState, TrustState};
use fallow_ledger::picture::Seen;
use fallow_ledger::record::Record;
use fallow_ledger::{Key, RecordKind, Revision};
use fallow_live::region::lay_over;
use jiff::Timestamp;

use crate::facts::Facts;

/// Why there are no facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFacts {
    /// No region was in force.
    #[error("no region was in force")]
    NoRegion,
    /// The region file in force cannot be read.
    #[error("the region file cannot be read: {0}")]
    BadRegion(String),
}

/// Makes facts of records that were there at one revision.
///
/// # Errors
/// When no region was in force, or its file cannot be read.
pub(crate) fn facts_of(
    at: Timestamp,
    revision: Revision,
    records: &BTreeMap<Key, Seen>,
) -> Result<Facts, NoFacts> {
    let (region, policy) = region_of(records)?;
    Ok(facts_with(at, revision, records, Arc::new(region), policy))
}

/// Makes facts of records and of the region that was in force with them.
pub(crate) fn facts_with(
    at: Timestamp,
    revision: Revision,
    records: &BTreeMap<Key, Seen>,
    region: Arc<Region>,
    policy: String,
) -> Facts {
    let mut facts = Facts::new(at, revision, region, policy);
    for (key, seen) in records {
        match key.kind {
            RecordKind::Region | RecordKind::Trust => {
                facts.versions.insert(key.clone(), seen.revision);
            }
            RecordKind::Offer
            | RecordKind::Need
            | RecordKind::Proposal
            | RecordKind::Transfer
            | RecordKind::Decline
            | RecordKind::Feed
            | RecordKind::Lease
            | RecordKind::Claim
            | RecordKind::Session
            | RecordKind::Monitor => facts.add(key.clone(), seen),
        }
    }
    facts.move_to(at);
    facts
}

/// Returns the region that was in force with some records, and the version of its file.
///
/// # Errors
/// As [`facts_of`].
pub(crate) fn region_of(records: &BTreeMap<Key, Seen>) -> Result<(Region, String), NoFacts> {
    let mut state: Option<&RegionState> = None;
    let mut trusts: Vec<&TrustState> = Vec::new();
    for seen in records.values() {
        match &*seen.record {
            Record::Region(found) => state = Some(found),
            Record::Trust(said) => trusts.push(said),
            Record::Offer(_)
            | Record::Need(_)
            | Record::Proposal(_)
            | Record::Transfer(_)
            | Record::Decline(_)
            | Record::Feed(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_) => {}
        }
    }
    let state = state.ok_or(NoFacts::NoRegion)?;
    let region =
        lay_over(state, trusts.into_iter()).map_err(|error| NoFacts::BadRegion(error.to_string()))?;
    Ok((region, state.version.to_string()))
}
