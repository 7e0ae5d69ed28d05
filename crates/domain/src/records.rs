//! Sets of records: what a decision reads, and what it gives back.

use std::collections::BTreeMap;

use crate::ids::{NeedId, OfferId, ProposalId, TransferId};
use crate::need::Need;
use crate::offer::Offer;
use crate::proposal::Proposal;
use crate::refusal::Refusal;
use crate::standing::Decline;
use crate::transfer::Transfer;

/// A set of records: all that a decision reads, or the new versions of those it changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Records {
    /// Offers by id.
    pub offers: BTreeMap<OfferId, Offer>,
    /// Needs by id.
    pub needs: BTreeMap<NeedId, Need>,
    /// Proposals by id.
    pub proposals: BTreeMap<ProposalId, Proposal>,
    /// Transfers by id.
    pub transfers: BTreeMap<TransferId, Transfer>,
    /// Declined pairs.
    pub declines: BTreeMap<(NeedId, OfferId), Decline>,
}

impl Records {
    /// Adds an offer, or replaces the one of the same id.
    pub fn put_offer(&mut self, offer: Offer) {
        self.offers.insert(offer.id.clone(), offer);
    }

    /// Adds a need, or replaces the one of the same id.
    pub fn put_need(&mut self, need: Need) {
        self.needs.insert(need.id.clone(), need);
    }

    /// Adds a proposal, or replaces the one of the same id.
    pub fn put_proposal(&mut self, proposal: Proposal) {
        self.proposals.insert(proposal.id.clone(), proposal);
    }

    /// Adds a transfer, or replaces the one of the same id.
    pub fn put_transfer(&mut self, transfer: Transfer) {
        self.transfers.insert(transfer.id.clone(), transfer);
    }

    /// Adds a declined pair, or replaces the decline of the same pair.
    pub fn put_decline(&mut self, decline: Decline) {
        self.declines.insert((decline.need.clone(), decline.offer.clone()), decline);
    }

    /// Takes over every record of another set.
    pub fn apply(&mut self, changes: Self) {
        let Self { offers, needs, proposals, transfers, declines } = changes;
        self.offers.extend(offers);
        self.needs.extend(needs);
        self.proposals.extend(proposals);
        self.transfers.extend(transfers);
        self.declines.extend(declines);
    }

    /// Says whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { offers, needs, proposals, transfers, declines } = self;
        offers.is_empty()
            && needs.is_empty()
            && proposals.is_empty()
            && transfers.is_empty()
            && declines.is_empty()
    }
}

/// What a decision works on: the records read, covered by the new versions of those it has changed so far.
pub(crate) struct Desk<'a> {
    read: &'a Records,
    changed: Records,
}

macro_rules! desk_record {
    ($get:ident, $get_mut:ident, $field:ident, $id:ty, $record:ty, $name:literal) => {
        pub(crate) fn $get(&self, id: &$id) -> Result<&$record, Refusal> {
            self.changed
                .$field
                .get(id)
                .or_else(|| self.read.$field.get(id))
                .ok_or_else(|| Refusal::torn(format!(concat!($name, " {} was not read"), id)))
        }

        pub(crate) fn $get_mut(&mut self, id: &$id) -> Result<&mut $record, Refusal> {
            if !self.changed.$field.contains_key(id) {
                let record = self.$get(id)?.clone();
                self.changed.$field.insert(id.clone(), record);
            }
            self.changed
                .$field
                .get_mut(id)
                .ok_or_else(|| Refusal::torn(format!(concat!($name, " {} was not read"), id)))
        }
    };
}

impl<'a> Desk<'a> {
    pub(crate) fn new(read: &'a Records) -> Self {
        Self { read, changed: Records::default() }
    }

    desk_record!(offer, offer_mut, offers, OfferId, Offer, "offer");
    desk_record!(need, need_mut, needs, NeedId, Need, "need");
    desk_record!(proposal, proposal_mut, proposals, ProposalId, Proposal, "proposal");
    desk_record!(transfer, transfer_mut, transfers, TransferId, Transfer, "transfer");

    /// Returns the records as they were read.
    pub(crate) fn read(&self) -> &'a Records {
        self.read
    }

    /// Lays new records on the desk.
    pub(crate) fn put(&mut self) -> &mut Records {
        &mut self.changed
    }

    /// Returns every proposal as it now is, in order of id.
    pub(crate) fn proposals(&self) -> impl Iterator<Item = &Proposal> {
        self.read.proposals.iter().map(|(id, read)| self.changed.proposals.get(id).unwrap_or(read))
    }

    /// Returns the new versions of the records that differ from what was read.
    pub(crate) fn finish(mut self) -> Records {
        let read = self.read;
        self.changed.offers.retain(|id, new| read.offers.get(id) != Some(new));
        self.changed.needs.retain(|id, new| read.needs.get(id) != Some(new));
        self.changed.proposals.retain(|id, new| read.proposals.get(id) != Some(new));
        self.changed.transfers.retain(|id, new| read.transfers.get(id) != Some(new));
        self.changed.declines.retain(|pair, new| read.declines.get(pair) != Some(new));
        self.changed
    }
}
