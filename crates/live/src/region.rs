//! The region in force: the file last applied, with the modes that gold has switched and what trusts have said since.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use fallow_api::status::Failure;
use fallow_domain::ids::RegionId;
use fallow_domain::region::{Region, file};
use fallow_domain::standing::{RegionState, TrustState};
use fallow_ledger::picture::{Picture, Still};
use fallow_ledger::record::{Record, region_key};
use fallow_ledger::{RecordKind, Revision};

use crate::RETRY_AFTER;

/// The region in force at a revision.
#[derive(Debug)]
pub struct InForce {
    /// The region with everything laid over it.
    pub region: Arc<Region>,
    /// The record it came from.
    pub state: RegionState,
    /// The revision that wrote that record.
    pub state_revision: Revision,
    /// The latest revision that wrote the region's or a trust's record.
    pub revision: Revision,
    /// Which writes of the region's and the trusts' records it was made of.
    made_of: [u64; 2],
}

/// Keeps the last region in force, so that a file is read once and not at every call.
#[derive(Debug)]
pub(crate) struct Cache {
    id: RegionId,
    last: ArcSwapOption<InForce>,
}

impl Cache {
    pub(crate) fn new(id: RegionId) -> Self {
        Self { id, last: ArcSwapOption::empty() }
    }

    pub(crate) fn id(&self) -> &RegionId {
        &self.id
    }

    pub(crate) fn in_force(&self, picture: &Picture) -> Result<Arc<InForce>, Failure> {
        let not_ready = || Failure::NotReady { retry_after: RETRY_AFTER };
        let made_of = || [RecordKind::Region, RecordKind::Trust].map(|kind| picture.writes(kind));
        // Asked at each call, and for each change and watcher: nobody waits for the follower here while nothing is new.
        if let Some(last) = self.last.load_full().filter(|last| last.made_of == made_of()) {
            return Ok(last);
        }
        let still = picture.still();
        let made_of = made_of();
        let file = still.get(&region_key(&self.id)).ok_or_else(not_ready)?;
        let trusts = trusts(&still);
        let revision =
            trusts.iter().map(|(revision, _)| *revision).max().unwrap_or_default().max(file.revision);
        let Record::Region(state) = &*file.record else { return Err(not_ready()) };
        let region = lay_over(state, trusts.iter().map(|(_, trust)| trust)).map_err(|problem| {
            // Only what was checked is ever applied, so this is a file of another version of Fallow.
            tracing::error!(error = %problem, "the region file in force cannot be read");
            not_ready()
        })?;
        let now = Arc::new(InForce {
            region: Arc::new(region),
            state: state.clone(),
            state_revision: file.revision,
            revision,
            made_of,
        });
        self.last.store(Some(now.clone()));
        Ok(now)
    }
}

fn trusts(still: &Still<'_>) -> Vec<(Revision, TrustState)> {
    let all = still.all(RecordKind::Trust).into_iter();
    all.filter_map(|(_, seen)| match &*seen.record {
        Record::Trust(trust) => Some((seen.revision, trust.clone())),
        Record::Offer(_)
        | Record::Need(_)
        | Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => None,
    })
    .collect()
}

/// Lays over a region file what was said since: modes by gold, OPEL and reserves by the trusts themselves.
///
/// # Errors
/// When the file cannot be read.
pub fn lay_over<'a>(
    state: &RegionState,
    trusts: impl Iterator<Item = &'a TrustState>,
) -> Result<Region, file::RegionFileError> {
    let mut region = file::parse(&state.toml)?;
    for (id, change) in &state.modes {
        if let Some(collaborative) = region.collaboratives.iter_mut().find(|c| c.id == *id) {
            collaborative.mode = change.mode;
        }
    }
    for said in trusts {
        if let Some(trust) = region.trusts.get_mut(&said.ods) {
            if let Some(declared) = &said.declared {
                trust.opel = Some(declared.opel);
            }
            for (resource, units) in &said.reserves {
                trust.reserve.insert(resource.clone(), *units);
            }
        }
    }
    Ok(region)
}
