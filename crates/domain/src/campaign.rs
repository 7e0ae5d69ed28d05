//! Campaigns: the sessions or slots of one site that a trust gives as one block, and the cases in them.
//!
//! A campaign is a name that offers carry. The engine looks for cases for them as for any other offer, in the same plan
//! and by the same rank; what makes them a block is how they are held, made known and answered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{Label, OfferId, ProposalId, SiteCode, TrustCode};
use crate::offer::Offer;
use crate::proposal::{Proposal, ProposalState};
use crate::resource::ResourceKind;
use crate::transfer::{Transfer, TransferState};

/// Names the block of a campaign at a site. A site belongs to one trust, so a block does too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Block {
    /// Where.
    pub site: SiteCode,
    /// The campaign's name, never empty.
    pub campaign: Label,
}

/// A campaign as one looks at it: what it gives, to whom, and what waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Its site and name.
    pub block: Block,
    /// The trust that gives it.
    pub trust: TrustCode,
    /// Its live offers by kind.
    pub capacity: BTreeMap<ResourceKind, Capacity>,
    /// Its cases by home trust.
    pub cases: BTreeMap<TrustCode, Cases>,
    /// The proposals that wait for the trust that looks, the first to lapse first.
    pub waiting: Vec<ProposalId>,
    /// When the first of its live holds lapses.
    pub lapses_at: Option<Timestamp>,
}

/// What the offers of a block add up to: minutes for theatre sessions, else slots, places, staff or items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// Live offers, such as sessions.
    pub offers: u64,
    /// Staffed less occupied and blocked, what is held and agreed included.
    pub usable: u64,
    /// Held for proposals.
    pub held: u64,
    /// Agreed.
    pub committed: u64,
    /// Still free.
    pub free: u64,
}

/// The cases of one home trust in a block, in units of its needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cases {
    /// In live proposals.
    pub proposed: u64,
    /// Of those proposed: without a yes of the supporting trust.
    pub without_supporting: u64,
    /// Of those proposed: without a yes of the home trust.
    pub without_home: u64,
    /// In transfers that nobody has called off.
    pub agreed: u64,
}

/// Adds up the campaigns in some records, in order of site and name. `asking` is the trust for whose answer `waiting`
/// is told. Offers that have ended count nothing.
#[must_use]
pub fn campaigns<'a>(
    offers: impl IntoIterator<Item = &'a Offer>,
    proposals: impl IntoIterator<Item = &'a Proposal>,
    transfers: impl IntoIterator<Item = &'a Transfer>,
    asking: Option<TrustCode>,
) -> Vec<Campaign> {
    let mut found: BTreeMap<Block, Campaign> = BTreeMap::new();
    let mut block_of: BTreeMap<&OfferId, Block> = BTreeMap::new();
    for offer in offers.into_iter().filter(|offer| !offer.state.is_ended()) {
        let Some(block) = offer.block() else { continue };
        entry(&mut found, &block, offer.trust).add_offer(offer);
        block_of.insert(&offer.id, block);
    }
    let mut held: Vec<&Proposal> =
        proposals.into_iter().filter(|proposal| proposal.state == ProposalState::Held).collect();
    held.sort_by(|a, b| (a.held_until, &a.id).cmp(&(b.held_until, &b.id)));
    for proposal in held {
        let Some(block) = &proposal.block else { continue };
        entry(&mut found, block, proposal.supporting_trust).add_proposal(proposal, asking);
    }
    for transfer in transfers.into_iter().filter(|transfer| transfer.state != TransferState::Aborted) {
        let Some(block) = block_of.get(&transfer.offer) else { continue };
        let campaign = entry(&mut found, block, transfer.supporting_trust);
        campaign.cases.entry(transfer.home_trust).or_default().agreed += u64::from(transfer.units.get());
    }
    found.into_values().collect()
}

fn entry<'a>(found: &'a mut BTreeMap<Block, Campaign>, block: &Block, trust: TrustCode) -> &'a mut Campaign {
    found.entry(block.clone()).or_insert_with(|| Campaign {
        block: block.clone(),
        trust,
        capacity: BTreeMap::new(),
        cases: BTreeMap::new(),
        waiting: Vec::new(),
        lapses_at: None,
    })
}

impl Campaign {
    fn add_offer(&mut self, offer: &Offer) {
        let sum = self.capacity.entry(offer.resource.kind).or_default();
        sum.offers += 1;
        for (sum, more) in [
            (&mut sum.usable, offer.figures.usable()),
            (&mut sum.held, offer.figures.held),
            (&mut sum.committed, offer.figures.committed),
            (&mut sum.free, offer.figures.free()),
        ] {
            *sum += u64::from(more.get());
        }
    }

    fn add_proposal(&mut self, proposal: &Proposal, asking: Option<TrustCode>) {
        let units = u64::from(proposal.units.get());
        let cases = self.cases.entry(proposal.home_trust).or_default();
        cases.proposed += units;
        if !proposal.supporting.is_yes() {
            cases.without_supporting += units;
        }
        if !proposal.home.is_yes() {
            cases.without_home += units;
        }
        // A campaign is answered by the trusts of its cases and its site; who lends a team answers for each case.
        let is_asked = |trust| proposal.third_trust() != Some(trust) && proposal.waits_for(trust);
        if asking.is_some_and(is_asked) {
            self.waiting.push(proposal.id.clone());
        }
        self.lapses_at = self.lapses_at.or(Some(proposal.held_until));
    }
}
