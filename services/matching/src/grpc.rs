//! The wire: each handler takes the call, parses, calls the verb's file, and converts back.

use std::sync::Arc;

use fallow_api::convert::{Check, request};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1::matching_service_server::{MatchingService, MatchingServiceServer};
use fallow_api::v1::{self, watch_proposals_response, watch_transfers_response};
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::decide::proposal as decide;
use fallow_domain::decide::transfer;
use fallow_domain::ids::{NeedId, Note, ProposalId};
use fallow_domain::transfer::AbortCode;
use fallow_host::clock::Clock;
use fallow_host::identity::caller;
use fallow_host::tasks::Tasks;
use fallow_host::telemetry::traceparent;
use fallow_ledger::record::{proposal_key, transfer_key};
use fallow_live::Live;
use fallow_live::call::Call;
use fallow_live::watch::Item;
use futures::StreamExt;
use jiff::SignedDuration;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use crate::explain::Explaining;
use crate::simulate::Trials;
use crate::{answer, bypass, campaigns, explain, proposals, transfers, verbs};

/// Longest extension that can be asked for; the policy's hold is far below.
const LONGEST_EXTENSION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The matching service over a region's ledger.
#[derive(Clone)]
pub struct Matching {
    live: Live,
    clock: Clock,
    calendar: Arc<WorkingCalendar>,
    tasks: Tasks,
    trials: Trials,
    explaining: Arc<Explaining>,
}

impl Matching {
    /// Makes the service, ready to be added to a server.
    #[must_use]
    pub fn server(
        live: Live,
        clock: Clock,
        calendar: Arc<WorkingCalendar>,
        tasks: Tasks,
    ) -> MatchingServiceServer<Self> {
        let (trials, explaining) = (Trials::default(), Arc::new(Explaining::new()));
        MatchingServiceServer::new(Self { live, clock, calendar, tasks, trials, explaining })
    }

    fn call<T>(&self, request: &Request<T>) -> Result<Call, Failure> {
        Call::new(&self.live, caller(request)?.actor, self.clock.now(), traceparent())
    }
}

#[tonic::async_trait]
impl MatchingService for Matching {
    async fn list_proposals(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        let call = self.call(&request)?;
        Ok(Response::new(proposals::list(&call, &request.into_inner())?))
    }

    async fn get_proposal(
        &self,
        request: Request<v1::GetProposalRequest>,
    ) -> Result<Response<v1::GetProposalResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::proposal_id(&mut check, &message.proposal);
        let (found, revision) = proposals::get(&call, &check.finish(id).map_err(Failure::from)?)?;
        Ok(Response::new(v1::GetProposalResponse {
            proposal: Some(found),
            revision: request::number_to_wire(revision),
        }))
    }

    async fn watch_proposals(
        &self,
        request: Request<v1::WatchProposalsRequest>,
    ) -> Result<Response<BoxStream<v1::WatchProposalsResponse>>, Status> {
        let call = self.call(&request)?;
        let watching =
            proposals::watch(call, request.into_inner(), self.clock.clone(), self.tasks.stopping())?;
        let answers = watching.map(|told| {
            use watch_proposals_response::Item as Wire;
            let told = told.map_err(Status::from)?;
            Ok(v1::WatchProposalsResponse {
                item: Some(match told.item {
                    Item::Now(found) => Wire::Proposal(found),
                    Item::Removed(id) => Wire::Removed(id),
                    Item::SnapshotDone => Wire::SnapshotDone(v1::SnapshotDone {}),
                    Item::Bookmark => Wire::Bookmark(v1::Bookmark {}),
                    Item::Moved => Wire::Moved(v1::Moved {}),
                }),
                cursor: told.cursor,
                revision: request::number_to_wire(told.revision.0),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn answer_proposal(
        &self,
        request: Request<v1::AnswerProposalRequest>,
    ) -> Result<Response<v1::AnswerProposalResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        verbs::hear_of(&call, ProposalId::parse(&message.proposal).ok().as_ref().map(proposal_key)).await?;
        let (mutation, asked) = answer::parse(&call, &message)?;
        let done = answer::run(&call, &mutation, &asked, &self.calendar).await?;
        let (proposal, transfer, revision) = verbs::answered(&call, &mutation, &done);
        Ok(Response::new(v1::AnswerProposalResponse { proposal, transfer, revision }))
    }

    async fn retract_answer(
        &self,
        request: Request<v1::RetractAnswerRequest>,
    ) -> Result<Response<v1::RetractAnswerResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::proposal_id(&mut check, &message.proposal);
        let mutation = call.asked("RetractAnswer", &mut check, &message, id.as_ref().map(proposal_key));
        let (mutation, id) = check.finish(mutation.zip(id)).map_err(Failure::from)?;
        let done = verbs::on_proposal(&call, &mutation, &id, |read| {
            decide::retract(read, &id, &call.actor, call.at)
        });
        let (proposal, _, revision) = verbs::answered(&call, &mutation, &done.await?);
        Ok(Response::new(v1::RetractAnswerResponse { proposal, revision }))
    }

    async fn approve_proposal(
        &self,
        request: Request<v1::ApproveProposalRequest>,
    ) -> Result<Response<v1::ApproveProposalResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::proposal_id(&mut check, &message.proposal);
        let because: Note = check.text("reason", &message.reason);
        if message.refuse && message.reason.trim().is_empty() {
            check.wrong(
                "reason",
                reasons::REASON_REQUIRED,
                "every trust of the proposal sees why: give a reason",
            );
        }
        let mutation = call.asked("ApproveProposal", &mut check, &message, id.as_ref().map(proposal_key));
        let (mutation, id) = check.finish(mutation.zip(id)).map_err(Failure::from)?;
        let (found, _) = verbs::proposal_for(&call, &id)?;
        let (_, is_incident) = verbs::terms(&call, &self.calendar, &found);
        let plan = verbs::transfer_id()?;
        let ruling = || match message.refuse {
            false => decide::Ruling::Approve,
            true => decide::Ruling::Refuse { because: because.clone() },
        };
        let done = verbs::on_proposal(&call, &mutation, &id, |read| {
            decide::rule(read, &id, ruling(), is_incident, &plan, &call.actor, call.at)
        });
        let (proposal, transfer, revision) = verbs::answered(&call, &mutation, &done.await?);
        Ok(Response::new(v1::ApproveProposalResponse { proposal, transfer, revision }))
    }

    async fn extend_hold(
        &self,
        request: Request<v1::ExtendHoldRequest>,
    ) -> Result<Response<v1::ExtendHoldResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::proposal_id(&mut check, &message.proposal);
        let bounds = (SignedDuration::from_secs(1), LONGEST_EXTENSION);
        let by = message.by.as_ref().and_then(|by| check.span("by", by, bounds, "a second to 30 days"));
        let mutation = call.asked("ExtendHold", &mut check, &message, id.as_ref().map(proposal_key));
        let (mutation, id) = check.finish(mutation.zip(id)).map_err(Failure::from)?;
        let (found, _) = verbs::proposal_for(&call, &id)?;
        let (terms, _) = verbs::terms(&call, &self.calendar, &found);
        let done = verbs::on_proposal(&call, &mutation, &id, |read| {
            decide::extend(read, &id, by, &terms, &call.actor, call.at)
        });
        let (proposal, _, revision) = verbs::answered(&call, &mutation, &done.await?);
        Ok(Response::new(v1::ExtendHoldResponse { proposal, revision }))
    }

    async fn bypass_proposal(
        &self,
        request: Request<v1::BypassProposalRequest>,
    ) -> Result<Response<v1::BypassProposalResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, asked) = bypass::parse(&call, &message)?;
        let done = bypass::run(&call, &mutation, &asked, &self.calendar).await?;
        let revision = call.revision(&done, &proposal_key(&done.answer.proposal.id), mutation.validate_only);
        let write = |found| verbs::proposal_to_wire(&call.live, found, revision, call.at);
        Ok(Response::new(v1::BypassProposalResponse {
            proposal: Some(write(&done.answer.proposal)),
            revision: request::number_to_wire(revision),
            instead: done.answer.instead.as_ref().map(write),
        }))
    }

    async fn list_campaigns(
        &self,
        request: Request<v1::ListCampaignsRequest>,
    ) -> Result<Response<v1::ListCampaignsResponse>, Status> {
        let call = self.call(&request)?;
        Ok(Response::new(campaigns::list(&call, &request.into_inner())?))
    }

    async fn get_campaign(
        &self,
        request: Request<v1::GetCampaignRequest>,
    ) -> Result<Response<v1::GetCampaignResponse>, Status> {
        let call = self.call(&request)?;
        Ok(Response::new(campaigns::get(&call, &request.into_inner())?))
    }

    async fn answer_campaign(
        &self,
        request: Request<v1::AnswerCampaignRequest>,
    ) -> Result<Response<v1::AnswerCampaignResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, asked) = campaigns::parse(&call, &message)?;
        let done = campaigns::answer(&call, &mutation, &asked, &self.calendar).await?;
        Ok(Response::new(campaigns::answered(&done)))
    }

    async fn explain_need(
        &self,
        request: Request<v1::ExplainNeedRequest>,
    ) -> Result<Response<v1::ExplainNeedResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = check.id("need", &message.need, NeedId::parse);
        let trust = match message.trust.as_str() {
            "" => None,
            code => check.trust("trust", code, &call.region.region),
        };
        let id = check.finish(id).map_err(Failure::from)?;
        // It may solve everything: in turn, and on a thread of its own, so that answers never wait for explanations.
        let turn = self.explaining.turn().await;
        let explaining = self.explaining.clone();
        let explained = tokio::task::spawn_blocking(move || {
            // The turn is over when the work is, even if the caller has gone meanwhile.
            let _turn = turn;
            explain::run(&explaining, &call, &id, trust)
        });
        let explained = explained.await;
        let explained = explained.map_err(|error| {
            let trace_id = fallow_live::call::new_id();
            tracing::error!(%error, trace_id, "a need could not be explained");
            Failure::Bug { trace_id }
        })?;
        Ok(Response::new(explained?))
    }

    async fn simulate(
        &self,
        request: Request<v1::SimulateRequest>,
    ) -> Result<Response<v1::SimulateResponse>, Status> {
        let call = self.call(&request)?;
        Ok(Response::new(self.trials.run(call, request.into_inner()).await?))
    }

    async fn list_transfers(
        &self,
        request: Request<v1::ListTransfersRequest>,
    ) -> Result<Response<v1::ListTransfersResponse>, Status> {
        let call = self.call(&request)?;
        Ok(Response::new(transfers::list(&call, &request.into_inner())?))
    }

    async fn get_transfer(
        &self,
        request: Request<v1::GetTransferRequest>,
    ) -> Result<Response<v1::GetTransferResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::parse_transfer_id(&mut check, &message.transfer);
        let (found, revision) = transfers::get(&call, &check.finish(id).map_err(Failure::from)?)?;
        Ok(Response::new(v1::GetTransferResponse {
            transfer: Some(found),
            revision: request::number_to_wire(revision),
        }))
    }

    async fn watch_transfers(
        &self,
        request: Request<v1::WatchTransfersRequest>,
    ) -> Result<Response<BoxStream<v1::WatchTransfersResponse>>, Status> {
        let call = self.call(&request)?;
        let watching = transfers::watch(call, request.into_inner(), self.tasks.stopping())?;
        let answers = watching.map(|told| {
            use watch_transfers_response::Item as Wire;
            let told = told.map_err(Status::from)?;
            Ok(v1::WatchTransfersResponse {
                item: Some(match told.item {
                    Item::Now(found) => Wire::Transfer(found),
                    Item::Removed(id) => Wire::Removed(id),
                    Item::SnapshotDone => Wire::SnapshotDone(v1::SnapshotDone {}),
                    Item::Bookmark => Wire::Bookmark(v1::Bookmark {}),
                    Item::Moved => Wire::Moved(v1::Moved {}),
                }),
                cursor: told.cursor,
                revision: request::number_to_wire(told.revision.0),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn advance_transfer(
        &self,
        request: Request<v1::AdvanceTransferRequest>,
    ) -> Result<Response<v1::AdvanceTransferResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, id, progress) = transfers::parse_advance(&call, &message)?;
        let done = verbs::on_transfer(&call, &mutation, &id, |read| {
            transfer::advance(read, &id, progress.clone(), &call.actor, call.at)
        });
        let (transfer, revision) = verbs::moved(&call, &mutation, &done.await?);
        Ok(Response::new(v1::AdvanceTransferResponse { transfer, revision }))
    }

    async fn abort_transfer(
        &self,
        request: Request<v1::AbortTransferRequest>,
    ) -> Result<Response<v1::AbortTransferResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::parse_transfer_id(&mut check, &message.transfer);
        let code = check.coded::<AbortCode>("reason", message.reason);
        let mutation = call.asked("AbortTransfer", &mut check, &message, id.as_ref().map(transfer_key));
        let ((mutation, id), code) = check.finish(mutation.zip(id).zip(code)).map_err(Failure::from)?;
        let done = verbs::on_transfer(&call, &mutation, &id, |read| {
            transfer::abort(read, &id, code, &Note::default(), &call.actor, call.at)
        });
        let (transfer, revision) = verbs::moved(&call, &mutation, &done.await?);
        Ok(Response::new(v1::AbortTransferResponse { transfer, revision }))
    }

    async fn extend_transfer(
        &self,
        request: Request<v1::ExtendTransferRequest>,
    ) -> Result<Response<v1::ExtendTransferResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::parse_transfer_id(&mut check, &message.transfer);
        let wire = check.required("due_at", message.due_at.as_ref());
        let due_at = transfers::due_at(&mut check, wire, call.at);
        let mutation = call.asked("ExtendTransfer", &mut check, &message, id.as_ref().map(transfer_key));
        let ((mutation, id), due_at) = check.finish(mutation.zip(id).zip(due_at)).map_err(Failure::from)?;
        let done = verbs::on_transfer(&call, &mutation, &id, |read| {
            transfer::extend(read, &id, due_at, &call.actor, call.at)
        });
        let (transfer, revision) = verbs::moved(&call, &mutation, &done.await?);
        Ok(Response::new(v1::ExtendTransferResponse { transfer, revision }))
    }
}
