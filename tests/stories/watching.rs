//! Waiting for what a watch tells: a story never sleeps, it waits for the record it expects.

use std::collections::BTreeMap;

use fallow_api::v1;

use crate::people::User;
use crate::world::soon;

/// Makes a function that watches records of one kind from the start and returns once the picture is as wanted.
macro_rules! watching {
    ($(#[$doc:meta])* $name:ident, $record:ident, $filter:ident, $request:ident, $service:ident, $verb:ident, $item:path) => {
        $(#[$doc])*
        pub(crate) async fn $name<T>(
            user: &User,
            filter: v1::$filter,
            mut wanted: impl FnMut(&BTreeMap<String, v1::$record>) -> Option<T>,
        ) -> T {
            use $item as Item;
            let mut seen = BTreeMap::new();
            let watching = async {
                let request = v1::$request { filter: Some(filter), ..Default::default() };
                let mut told = user.$service().$verb(request).await.unwrap().into_inner();
                let mut is_whole = false;
                loop {
                    let message = told.message().await.unwrap().expect("a watch does not end by itself");
                    match message.item.expect("every message says something") {
                        Item::$record(record) => {
                            seen.insert(record.id.clone(), record);
                        }
                        Item::Removed(id) => {
                            seen.remove(&id);
                        }
                        Item::SnapshotDone(_) => is_whole = true,
                        Item::Bookmark(_) => {}
                        Item::Moved(_) => panic!("the server is stopping"),
                    }
                    if is_whole && let Some(found) = wanted(&seen) {
                        return found;
                    }
                }
            };
            soon(concat!("what was waited for in ", stringify!($verb)), watching).await
        }
    };
}

watching!(
    /// Waits until the needs that fit a filter are as wanted.
    needs, Need, NeedFilter, WatchNeedsRequest, demand, watch_needs, v1::watch_needs_response::Item
);
watching!(
    /// Waits until the proposals that fit a filter are as wanted.
    proposals, Proposal, ProposalFilter, WatchProposalsRequest, matching, watch_proposals, v1::watch_proposals_response::Item
);
watching!(
    /// Waits until the transfers that fit a filter are as wanted.
    transfers, Transfer, TransferFilter, WatchTransfersRequest, matching, watch_transfers, v1::watch_transfers_response::Item
);

impl User {
    /// Waits for a live proposal of a need.
    pub(crate) async fn proposal_of(&self, need: &v1::Need) -> v1::Proposal {
        self.proposal_where(need, |_| true).await
    }

    /// Waits for a live proposal of a need that is as wanted.
    pub(crate) async fn proposal_where(
        &self,
        need: &v1::Need,
        wanted: impl Fn(&v1::Proposal) -> bool,
    ) -> v1::Proposal {
        let filter = v1::ProposalFilter { needs: vec![need.id.clone()], ..Default::default() };
        proposals(self, filter, |seen| seen.values().find(|proposal| wanted(proposal)).cloned()).await
    }

    /// Waits until a proposal is in a state.
    pub(crate) async fn proposal_in(&self, id: &str, state: v1::proposal::State) -> v1::Proposal {
        let filter = v1::ProposalFilter { states: vec![state.into()], ..Default::default() };
        proposals(self, filter, |seen| seen.get(id).cloned()).await
    }

    /// Waits until a need is in a state.
    pub(crate) async fn need_in(&self, need: &v1::Need, state: v1::need::State) -> v1::Need {
        let filter = v1::NeedFilter { states: vec![state.into()], ..Default::default() };
        needs(self, filter, |seen| seen.get(&need.id).cloned()).await
    }

    /// Waits until a transfer is in a state.
    pub(crate) async fn transfer_in(
        &self,
        transfer: &v1::Transfer,
        state: v1::transfer::State,
    ) -> v1::Transfer {
        let filter = v1::TransferFilter { states: vec![state.into()], ..Default::default() };
        transfers(self, filter, |seen| seen.get(&transfer.id).cloned()).await
    }

    /// Waits until gold's situation is as wanted.
    pub(crate) async fn situation_where(&self, what: &str, wanted: impl Fn(&v1::Situation) -> bool) {
        use v1::watch_situation_response::Item;
        soon(what, async {
            let request = v1::WatchSituationRequest::default();
            let mut told = self.monitor().watch_situation(request).await.unwrap().into_inner();
            while let Some(message) = told.message().await.unwrap() {
                if let Some(Item::Situation(situation)) = message.item
                    && wanted(&situation)
                {
                    return;
                }
            }
            panic!("a watch does not end by itself");
        })
        .await;
    }
}
