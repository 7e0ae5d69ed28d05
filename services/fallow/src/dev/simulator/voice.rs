//! One user of the API: each call that the simulated people and systems make.

use std::collections::BTreeMap;

use fallow_api::client::{Client, SettingsError, fresh_request_id};
use fallow_api::json::Enumeration as _;
use fallow_api::problem::Problem;
use fallow_api::v1;
use jiff::Timestamp;

use super::tally::Tally;

/// Proposals and transfers read at once; no trust of a demonstration has more.
const PAGE: i32 = 1_000;

/// The users by whom the simulated region speaks.
#[derive(Clone)]
pub(crate) struct Voices {
    client: Client,
    tokens: BTreeMap<String, String>,
    tally: Tally,
}

impl Voices {
    /// Makes the voices of users, by name, such as `bed-manager.ZA1`, each with its token.
    pub(crate) fn new(client: Client, tokens: BTreeMap<String, String>, tally: Tally) -> Self {
        Self { client, tokens, tally }
    }

    pub(super) fn gold(&self) -> Voice {
        self.of("duty-lead")
    }

    pub(super) fn board(&self) -> Voice {
        self.of("icb")
    }

    pub(super) fn system(&self, trust: &str) -> Voice {
        self.of(&format!("trust-system.{trust}"))
    }

    pub(super) fn bed_manager(&self, trust: &str) -> Voice {
        self.of(&format!("bed-manager.{trust}"))
    }

    /// A user without a token is refused by the services, which the tally shows.
    fn of(&self, user: &str) -> Voice {
        let token = self.tokens.get(user).map_or("", String::as_str);
        let acting: Result<Client, SettingsError> = self.client.acting_by(token);
        Voice {
            who: user.to_owned(),
            client: acting.unwrap_or_else(|_| self.client.clone()),
            tally: self.tally.clone(),
        }
    }
}

/// One user.
pub(super) struct Voice {
    who: String,
    client: Client,
    tally: Tally,
}

/// Sends a request to a method of a service and counts the answer.
macro_rules! send {
    ($voice:expr, $service:ident . $method:ident, $request:expr) => {{
        let service = $voice.client.$service();
        let answer = $voice
            .client
            .call($request, |request| {
                let mut service = service.clone();
                async move { service.$method(request).await }
            })
            .await;
        $voice.tally.note(stringify!($method), &$voice.who, answer)
    }};
}

impl Voice {
    /// Streams a feed's items, numbered by the time of the report.
    pub(super) async fn stream(&self, at: Timestamp, offers: Vec<v1::Offer>) {
        let first = at.as_second().saturating_mul(1_000);
        let items = (first..).zip(offers).map(|(source_seq, offer)| v1::StreamOffersRequest {
            feed: "adt".to_owned(),
            source_seq,
            offer: Some(offer),
        });
        let mut service = self.client.capacity();
        let items: Vec<_> = items.collect();
        let opened = service.stream_offers(futures::stream::iter(items)).await;
        let opened = opened.map(tonic::Response::into_inner).map_err(|status| Problem::from(&status));
        let Some(mut acknowledged) = self.tally.note("stream_offers", &self.who, opened) else { return };
        loop {
            match acknowledged.message().await {
                Ok(Some(v1::StreamOffersResponse {
                    result: Some(v1::stream_offers_response::Result::Error(error)),
                    ..
                })) => {
                    self.tally.note::<()>("stream_item", &self.who, Err(Problem::from(&error)));
                }
                Ok(Some(_)) => {
                    self.tally.note("stream_item", &self.who, Ok(()));
                }
                Ok(None) => return,
                Err(status) => {
                    self.tally.note::<()>("stream_offers", &self.who, Err(Problem::from(&status)));
                    return;
                }
            }
        }
    }

    /// States all sessions of a kind at a site.
    pub(super) async fn replace(
        &self,
        at: Timestamp,
        site: String,
        kind: v1::ResourceKind,
        items: Vec<v1::Offer>,
    ) {
        let kind_name = v1::ResourceKind::short_name(kind.into()).unwrap_or_default().to_lowercase();
        let feed = format!("sheet-{site}-{kind_name}");
        let request = v1::ReplaceOffersRequest {
            site,
            kinds: vec![kind.into()],
            feed,
            source_seq: at.as_second(),
            items,
            ..Default::default()
        };
        send!(self, capacity.replace_offers, request);
    }

    pub(super) async fn publish(&self, offer: v1::Offer) {
        let request = v1::PublishOfferRequest {
            request_id: fresh_request_id(),
            offer: Some(offer),
            ..Default::default()
        };
        send!(self, capacity.publish_offer, request);
    }

    pub(super) async fn declare(&self, opel: i32) {
        let request =
            v1::DeclarePressureRequest { request_id: fresh_request_id(), opel, ..Default::default() };
        send!(self, capacity.declare_pressure, request);
    }

    /// Raises a need and returns its id.
    pub(super) async fn raise(&self, need: v1::Need) -> Option<String> {
        let request =
            v1::RaiseNeedRequest { request_id: fresh_request_id(), need: Some(need), ..Default::default() };
        let raised = send!(self, demand.raise_need, request)?;
        raised.need.map(|need| need.id)
    }

    pub(super) async fn set_mode(&self, collaborative: &str, incident: bool, reason: &str) {
        let mode = if incident { v1::Mode::Incident } else { v1::Mode::Routine };
        let request = v1::SetModeRequest {
            request_id: fresh_request_id(),
            collaborative: collaborative.to_owned(),
            mode: mode.into(),
            reason: reason.to_owned(),
            ..Default::default()
        };
        send!(self, monitor.set_mode, request);
    }

    /// Lists the live proposals of a trust, on either side.
    pub(super) async fn proposals(&self, trust: &str) -> Vec<v1::Proposal> {
        let filter = v1::ProposalFilter { trusts: vec![trust.to_owned()], ..Default::default() };
        let request =
            v1::ListProposalsRequest { page_size: PAGE, filter: Some(filter), ..Default::default() };
        send!(self, matching.list_proposals, request).map(|answer| answer.proposals).unwrap_or_default()
    }

    /// Lists the live proposals that wait for this user's own answer.
    pub(super) async fn waiting(&self) -> Vec<v1::Proposal> {
        let filter = v1::ProposalFilter { waiting_for_me: true, ..Default::default() };
        let request =
            v1::ListProposalsRequest { page_size: PAGE, filter: Some(filter), ..Default::default() };
        send!(self, matching.list_proposals, request).map(|answer| answer.proposals).unwrap_or_default()
    }

    /// Approves a proposal above its trusts.
    pub(super) async fn approve(&self, proposal: &str) {
        let request = v1::ApproveProposalRequest {
            request_id: fresh_request_id(),
            proposal: proposal.to_owned(),
            ..Default::default()
        };
        send!(self, matching.approve_proposal, request);
    }

    /// Asks a trust whether its figures are still true, when its feed has fallen silent.
    pub(super) async fn ask_to_confirm(&self, trust: &str) {
        let request = v1::AskToConfirmRequest {
            request_id: fresh_request_id(),
            trust: trust.to_owned(),
            ..Default::default()
        };
        send!(self, capacity.ask_to_confirm, request);
    }

    /// Lists the live transfers of a trust, on either side.
    pub(super) async fn transfers(&self, trust: &str) -> Vec<v1::Transfer> {
        let filter = v1::TransferFilter { trusts: vec![trust.to_owned()], ..Default::default() };
        let request =
            v1::ListTransfersRequest { page_size: PAGE, filter: Some(filter), ..Default::default() };
        send!(self, matching.list_transfers, request).map(|answer| answer.transfers).unwrap_or_default()
    }

    /// Answers a proposal; what the answer says is filled in by the caller.
    pub(super) async fn answer(&self, answer: v1::AnswerProposalRequest) {
        let request = v1::AnswerProposalRequest { request_id: fresh_request_id(), ..answer };
        send!(self, matching.answer_proposal, request);
    }

    /// Takes a transfer on; what was done is filled in by the caller.
    pub(super) async fn advance(&self, step: v1::AdvanceTransferRequest) {
        let request = v1::AdvanceTransferRequest { request_id: fresh_request_id(), ..step };
        send!(self, matching.advance_transfer, request);
    }

    pub(super) async fn abort(&self, transfer: &str, reason: v1::DeclineReason) {
        let request = v1::AbortTransferRequest {
            request_id: fresh_request_id(),
            transfer: transfer.to_owned(),
            reason: reason.into(),
            ..Default::default()
        };
        send!(self, matching.abort_transfer, request);
    }
}
