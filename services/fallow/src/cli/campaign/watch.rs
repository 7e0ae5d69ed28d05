//! What changes a list of campaigns: the offers that name one, and the proposals that are part of one.

use std::collections::BTreeSet;

use fallow_api::client::Client;
use fallow_api::v1::{
    WatchOffersRequest, WatchOffersResponse, WatchProposalsRequest, WatchProposalsResponse,
    watch_offers_response, watch_proposals_response,
};
use serde::Serialize;
use tonic::Response;

use crate::cli::failure::Failure;
use crate::cli::watch::{Feed, Happening, Source};

/// A change of an offer or of a proposal, as each is written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Change {
    Offer(Box<WatchOffersResponse>),
    Proposal(Box<WatchProposalsResponse>),
}

/// Both watches, and what of them is a campaign's.
pub(super) struct Changes {
    offers: Feed<WatchOffersResponse>,
    proposals: Feed<WatchProposalsResponse>,
    /// The ids of the live offers and proposals of campaigns: of what ends, nothing else is told.
    members: BTreeSet<String>,
}

impl Changes {
    /// Watches what campaigns are made of.
    pub(super) fn new() -> Self {
        let offers = Feed::new(String::new(), |client: Client, cursor| {
            let ask = WatchOffersRequest { cursor, filter: None };
            async move { client.capacity().watch_offers(ask).await.map(Response::into_inner) }
        });
        let proposals = Feed::new(String::new(), |client: Client, cursor| {
            let ask = WatchProposalsRequest { cursor, filter: None };
            async move { client.matching().watch_proposals(ask).await.map(Response::into_inner) }
        });
        Self { offers, proposals, members: BTreeSet::new() }
    }

    /// Says whether a change is of a campaign. That an offer leaves its campaign is one, once.
    fn is_of_one(&mut self, change: &Change) -> bool {
        use watch_offers_response::Item as OfferItem;
        use watch_proposals_response::Item as ProposalItem;
        let (id, is_member) = match change {
            Change::Offer(event) => match &event.item {
                Some(OfferItem::Offer(offer)) => (&offer.id, !offer.campaign.is_empty()),
                Some(OfferItem::Removed(id)) => (id, false),
                Some(OfferItem::SnapshotDone(_) | OfferItem::Bookmark(_) | OfferItem::Moved(_)) | None => {
                    return true;
                }
            },
            Change::Proposal(event) => match &event.item {
                Some(ProposalItem::Proposal(proposal)) => (&proposal.id, proposal.block.is_some()),
                Some(ProposalItem::Removed(id)) => (id, false),
                Some(ProposalItem::SnapshotDone(_) | ProposalItem::Bookmark(_) | ProposalItem::Moved(_))
                | None => return true,
            },
        };
        if is_member {
            self.members.insert(id.clone());
            return true;
        }
        self.members.remove(id)
    }
}

impl Source for Changes {
    type Event = Change;

    async fn next(&mut self) -> Result<Happening<Change>, Failure> {
        loop {
            let change = tokio::select! {
                happening = self.offers.next() => match happening? {
                    Happening::Event(event) => Change::Offer(Box::new(event)),
                    Happening::Notice(notice) => return Ok(Happening::Notice(notice)),
                    Happening::Opens => return Ok(Happening::Opens),
                },
                happening = self.proposals.next() => match happening? {
                    Happening::Event(event) => Change::Proposal(Box::new(event)),
                    Happening::Notice(notice) => return Ok(Happening::Notice(notice)),
                    Happening::Opens => return Ok(Happening::Opens),
                },
            };
            if self.is_of_one(&change) {
                return Ok(Happening::Event(change));
            }
        }
    }

    fn open_by(&mut self, client: Result<Client, Failure>) -> Result<Option<String>, Failure> {
        // One of them asked. Where the other opens as well, it asks by itself.
        if self.offers.opens() { self.offers.open_by(client) } else { self.proposals.open_by(client) }
    }
}
