//! Those who act in a story: a built-in user and the calls it makes, each with a request id of its own.

use fallow_api::client::{Authorised, Client, fresh_request_id};
use fallow_api::convert::time::to_wire;
use fallow_api::problem::Problem;
use fallow_api::v1;
use fallow_api::v1::capacity_service_client::CapacityServiceClient;
use fallow_api::v1::demand_service_client::DemandServiceClient;
use fallow_api::v1::matching_service_client::MatchingServiceClient;
use fallow_api::v1::monitor_service_client::MonitorServiceClient;
use jiff::Timestamp;

use crate::wire;

/// A built-in user at one of the processes.
#[derive(Clone)]
pub(crate) struct User {
    /// Its client.
    pub(crate) client: Client,
    /// The time at which it came.
    pub(crate) now: Timestamp,
}

/// Makes one call once and returns the answer, or what was wrong.
macro_rules! call {
    ($service:expr, $verb:ident, $request:expr) => {
        $service
            .$verb($request)
            .await
            .map(tonic::Response::into_inner)
            .map_err(|status| Problem::from(&status))
    };
}
pub(crate) use call;

impl User {
    pub(crate) fn capacity(&self) -> CapacityServiceClient<Authorised> {
        self.client.capacity()
    }

    pub(crate) fn demand(&self) -> DemandServiceClient<Authorised> {
        self.client.demand()
    }

    pub(crate) fn matching(&self) -> MatchingServiceClient<Authorised> {
        self.client.matching()
    }

    pub(crate) fn monitor(&self) -> MonitorServiceClient<Authorised> {
        self.client.monitor()
    }

    /// Publishes an offer.
    pub(crate) async fn publish(&self, offer: v1::Offer) -> v1::Offer {
        self.try_publish(offer).await.unwrap()
    }

    /// Publishes an offer, or learns why not.
    pub(crate) async fn try_publish(&self, offer: v1::Offer) -> Result<v1::Offer, Problem> {
        let request = v1::PublishOfferRequest {
            request_id: fresh_request_id(),
            offer: Some(offer),
            ..Default::default()
        };
        call!(self.capacity(), publish_offer, request).map(|answer| answer.offer.unwrap())
    }

    /// Publishes free step-down beds at a site.
    pub(crate) async fn publish_beds(&self, site: &str, free: i64) -> v1::Offer {
        self.publish(wire::offer(site, free, self.now)).await
    }

    /// Declares the trust's level.
    pub(crate) async fn declare_opel(&self, opel: i32) {
        let request =
            v1::DeclarePressureRequest { request_id: fresh_request_id(), opel, ..Default::default() };
        self.capacity().declare_pressure(request).await.unwrap();
    }

    /// Moves what is free by some units.
    pub(crate) async fn adjust(&self, offer: &v1::Offer, by: i64) -> v1::Offer {
        self.try_adjust(offer, by).await.unwrap()
    }

    /// Moves what is free by some units, or learns why not.
    pub(crate) async fn try_adjust(&self, offer: &v1::Offer, by: i64) -> Result<v1::Offer, Problem> {
        let request = v1::AdjustOfferRequest {
            request_id: fresh_request_id(),
            offer: offer.id.clone(),
            by,
            ..Default::default()
        };
        call!(self.capacity(), adjust_offer, request).map(|answer| answer.offer.unwrap())
    }

    /// Says "still true" of an offer.
    pub(crate) async fn confirm(&self, offer: &v1::Offer) -> v1::Offer {
        let request = v1::ConfirmOffersRequest {
            request_id: fresh_request_id(),
            selection: Some(only(offer)),
            ..Default::default()
        };
        call!(self.capacity(), confirm_offers, request).unwrap().offers.remove(0)
    }

    /// Suspends an offer until a time.
    pub(crate) async fn suspend(&self, offer: &v1::Offer, until: Timestamp) -> v1::Offer {
        let request = v1::SuspendOffersRequest {
            request_id: fresh_request_id(),
            selection: Some(only(offer)),
            until: Some(to_wire(until)),
            reason: "deep clean".into(),
            ..Default::default()
        };
        call!(self.capacity(), suspend_offers, request).unwrap().offers.remove(0)
    }

    /// Ends a suspension.
    pub(crate) async fn resume(&self, offer: &v1::Offer) -> v1::Offer {
        let request = v1::ResumeOffersRequest {
            request_id: fresh_request_id(),
            selection: Some(only(offer)),
            ..Default::default()
        };
        call!(self.capacity(), resume_offers, request).unwrap().offers.remove(0)
    }

    /// Reads an offer.
    pub(crate) async fn offer(&self, id: &str) -> v1::Offer {
        let request = v1::GetOfferRequest { offer: id.into() };
        call!(self.capacity(), get_offer, request).unwrap().offer.unwrap()
    }

    /// Raises a need.
    pub(crate) async fn raise(&self, need: v1::Need) -> v1::Need {
        self.try_raise(need).await.unwrap()
    }

    /// Raises a need, or learns why not.
    pub(crate) async fn try_raise(&self, need: v1::Need) -> Result<v1::Need, Problem> {
        let request =
            v1::RaiseNeedRequest { request_id: fresh_request_id(), need: Some(need), ..Default::default() };
        call!(self.demand(), raise_need, request).map(|answer| answer.need.unwrap())
    }

    /// Reads a need.
    pub(crate) async fn need(&self, id: &str) -> v1::Need {
        let request = v1::GetNeedRequest { need: id.into() };
        call!(self.demand(), get_need, request).unwrap().need.unwrap()
    }

    /// Answers a proposal for its own side.
    pub(crate) async fn answer(
        &self,
        request: v1::AnswerProposalRequest,
    ) -> Result<v1::AnswerProposalResponse, Problem> {
        let request = v1::AnswerProposalRequest { request_id: fresh_request_id(), ..request };
        call!(self.matching(), answer_proposal, request)
    }

    /// Says yes to all units of a proposal.
    pub(crate) async fn accept(&self, proposal: &v1::Proposal) -> v1::AnswerProposalResponse {
        self.accept_units(proposal, 0).await
    }

    /// Says yes to some units of a proposal; 0 = all.
    pub(crate) async fn accept_units(
        &self,
        proposal: &v1::Proposal,
        units: i64,
    ) -> v1::AnswerProposalResponse {
        let verdict = v1::Verdict::Accept.into();
        let request =
            v1::AnswerProposalRequest { proposal: proposal.id.clone(), verdict, units, ..Default::default() };
        self.answer(request).await.unwrap()
    }

    /// Says no to a proposal.
    pub(crate) async fn decline(
        &self,
        proposal: &v1::Proposal,
        reason: v1::DeclineReason,
    ) -> v1::AnswerProposalResponse {
        let request = v1::AnswerProposalRequest {
            proposal: proposal.id.clone(),
            verdict: v1::Verdict::Decline.into(),
            reason: reason.into(),
            ..Default::default()
        };
        self.answer(request).await.unwrap()
    }

    /// Takes a transfer to a state, or learns why not; marks checklist items as done on the way.
    pub(crate) async fn advance(
        &self,
        transfer: &v1::Transfer,
        to: v1::transfer::State,
        done: &[&str],
    ) -> Result<v1::Transfer, Problem> {
        let request = v1::AdvanceTransferRequest {
            request_id: fresh_request_id(),
            transfer: transfer.id.clone(),
            to: to.into(),
            done: done.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        call!(self.matching(), advance_transfer, request).map(|answer| answer.transfer.unwrap())
    }

    /// Calls a transfer off, or learns why not.
    pub(crate) async fn abort(
        &self,
        transfer: &v1::Transfer,
        reason: v1::DeclineReason,
    ) -> Result<v1::Transfer, Problem> {
        let request = v1::AbortTransferRequest {
            request_id: fresh_request_id(),
            transfer: transfer.id.clone(),
            reason: reason.into(),
            ..Default::default()
        };
        call!(self.matching(), abort_transfer, request).map(|answer| answer.transfer.unwrap())
    }

    /// Takes an offer back, or learns why not.
    pub(crate) async fn try_withdraw(&self, offer: &v1::Offer) -> Result<v1::Offer, Problem> {
        let request = v1::WithdrawOfferRequest {
            request_id: fresh_request_id(),
            offer: offer.id.clone(),
            reason: v1::DeclineReason::CapacityChanged.into(),
            ..Default::default()
        };
        call!(self.capacity(), withdraw_offer, request).map(|answer| answer.offer.unwrap())
    }

    /// Puts a region file in force.
    pub(crate) async fn apply_region(&self, toml: String) {
        let request = v1::ApplyRegionRequest { request_id: fresh_request_id(), toml, ..Default::default() };
        call!(self.monitor(), apply_region, request).unwrap();
    }

    /// Asks why a need is, or is not, served.
    pub(crate) async fn explain(&self, need: &v1::Need) -> v1::ExplainNeedResponse {
        let request = v1::ExplainNeedRequest { need: need.id.clone(), ..Default::default() };
        call!(self.matching(), explain_need, request).unwrap()
    }
}

fn only(offer: &v1::Offer) -> v1::OfferSelection {
    v1::OfferSelection { ids: vec![offer.id.clone()], ..Default::default() }
}
