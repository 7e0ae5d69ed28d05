//! The region as it was: the live records at a time that the picture still remembers.

use std::collections::BTreeMap;

use fallow_domain::ids::TrustCode;
use fallow_domain::records::Records;
use fallow_domain::region::Region;
use fallow_domain::situation::Situation;
use fallow_domain::standing::{RegionState, TrustState};
use fallow_ledger::picture::{Of, Picture, Seen};
use fallow_ledger::record::Record;
use fallow_ledger::{RecordKind, Revision};
use fallow_live::region::lay_over;
use jiff::Timestamp;

use crate::kept::Shelf;

/// What the monitor looks at: everything but what others keep for themselves.
const KINDS: [RecordKind; 8] = [
    RecordKind::Offer,
    RecordKind::Need,
    RecordKind::Proposal,
    RecordKind::Transfer,
    RecordKind::Trust,
    RecordKind::Region,
    RecordKind::Decline,
    RecordKind::Monitor,
];

/// Everything at one moment.
pub(crate) struct Moment {
    /// The moment.
    pub(crate) at: Timestamp,
    /// The last revision before it.
    pub(crate) revision: Revision,
    /// The region in force then.
    pub(crate) region: Region,
    /// What is laid over it.
    pub(crate) state: RegionState,
    /// The records of trusts.
    pub(crate) records: Records,
    /// What trusts had said of themselves.
    pub(crate) states: BTreeMap<TrustCode, TrustState>,
    /// What the monitor kept.
    pub(crate) shelf: Shelf,
}

impl Moment {
    /// Returns the region at a time; `None` when the picture does not reach back so far, or no region was in force.
    pub(crate) fn at(picture: &Picture, at: Timestamp) -> Option<Self> {
        let then = picture.place_at(at)?;
        let records = picture.copy_at(Of::Kinds(&KINDS), &then)?;
        Self::of(records.into_values(), then.revision(), at)
    }

    /// Returns the region as it now is; `None` while none is in force.
    pub(crate) fn now(picture: &Picture, at: Timestamp) -> Option<Self> {
        Self::with(picture, &KINDS, at)
    }

    /// As [`now`](Self::now), with the records of some kinds only: a region's records are copied one by one, and who counts
    /// from what the log says needs none of them.
    pub(crate) fn with(picture: &Picture, kinds: &[RecordKind], at: Timestamp) -> Option<Self> {
        let (records, cursor) = picture.copy(Of::Kinds(kinds))?;
        Self::of(records.into_values(), cursor.revision(), at)
    }

    fn of(all: impl Iterator<Item = Seen>, revision: Revision, at: Timestamp) -> Option<Self> {
        let (mut records, mut states, mut state) = (Records::default(), BTreeMap::new(), None);
        let mut kept = Vec::new();
        for seen in all {
            match &*seen.record {
                Record::Offer(offer) => records.put_offer(offer.clone()),
                Record::Need(need) => records.put_need(need.clone()),
                Record::Proposal(proposal) => records.put_proposal(proposal.clone()),
                Record::Transfer(transfer) => records.put_transfer(transfer.clone()),
                Record::Decline(decline) => records.put_decline(decline.clone()),
                Record::Trust(said) => {
                    states.insert(said.ods, said.clone());
                }
                Record::Region(found) => state = Some(found.clone()),
                Record::Monitor(_) => kept.push(seen.clone()),
                Record::Feed(_) | Record::Lease(_) | Record::Claim(_) | Record::Session(_) => {}
            }
        }
        let state = state?;
        let region = lay_over(&state, states.values()).ok()?;
        let shelf = Shelf::of(kept.iter(), revision);
        Some(Self { at, revision, region, state, records, states, shelf })
    }

    /// Folds the moment into the situation of the whole region.
    pub(crate) fn situation(&self) -> Situation {
        Situation::of(&self.region, &self.states, &self.records, self.at)
    }
}
