//! The wire: each handler takes the call, parses, calls the verb's file, and converts back.

use fallow_api::convert::{AHEAD_DAYS_MAX, Check, Published, need, request};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1::demand_service_server::{DemandService, DemandServiceServer};
use fallow_api::v1::{self, raise_needs_response, watch_needs_response};
use fallow_domain::decide::need as decide;
use fallow_domain::ids::{NeedId, Note};
use fallow_domain::need::Need;
use fallow_domain::proposal::HomeDecline;
use fallow_host::clock::Clock;
use fallow_host::identity::caller;
use fallow_host::tasks::Tasks;
use fallow_host::telemetry::traceparent;
use fallow_host::wire::RequestId;
use fallow_ledger::record::{Record, need_key};
use fallow_ledger::transact::Done;
use fallow_live::Live;
use fallow_live::call::Call;
use fallow_live::denials::Denial;
use fallow_live::mutate::Mutation;
use fallow_live::watch::Item;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use crate::{cohort, raise, read, validate, verbs};

/// The demand service over a region's ledger.
#[derive(Clone)]
pub struct Demand {
    live: Live,
    clock: Clock,
    tasks: Tasks,
}

impl Demand {
    /// Makes the service, ready to be added to a server.
    #[must_use]
    pub fn server(live: Live, clock: Clock, tasks: Tasks) -> DemandServiceServer<Self> {
        DemandServiceServer::new(Self { live, clock, tasks })
    }

    fn call<T>(&self, request: &Request<T>) -> Result<Call, Failure> {
        Call::new(&self.live, caller(request)?.actor, self.clock.now(), traceparent())
    }
}

/// Returns a need of the caller's and the revision to answer with.
fn one(call: &Call, mutation: &Mutation, done: &Done<Need>) -> (Option<v1::Need>, i64) {
    let revision = call.revision(done, &need_key(&done.answer.id), mutation.validate_only);
    (Some(need::to_wire(&done.answer, revision, true)), request::number_to_wire(revision))
}

#[tonic::async_trait]
impl DemandService for Demand {
    async fn raise_need(
        &self,
        request: Request<v1::RaiseNeedRequest>,
    ) -> Result<Response<v1::RaiseNeedResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, raised) = parse_raise(&call, &message)?;
        let done = raise::run(&call, &mutation, &raised).await?;
        let answer = &done.answer;
        let key = need_key(&answer.need.id);
        let revision = call.revision(&done, &key, mutation.validate_only);
        // What was raised before is told as it now is: whoever repeats a request must hear of its end.
        let known = if done.replayed { call.live.find("need", &key, Record::need).ok() } else { None };
        let need = known.map_or_else(|| answer.need.clone(), |(need, _)| need);
        Ok(Response::new(v1::RaiseNeedResponse {
            need: Some(need::to_wire(&need, revision, true)),
            revision: request::number_to_wire(revision),
            already_live: answer.already_live,
            raised_before: done.replayed,
        }))
    }

    async fn raise_needs(
        &self,
        request: Request<Streaming<v1::RaiseNeedsRequest>>,
    ) -> Result<Response<BoxStream<v1::RaiseNeedsResponse>>, Status> {
        let opened = self.call(&request)?;
        opened.own_trust()?;
        let id = request.extensions().get().map(|RequestId(id)| id.clone());
        let state = (self.clone(), opened.actor, request.into_inner(), String::new());
        let answers = stream::try_unfold(state, move |(service, actor, mut items, mut feed)| {
            let id = id.clone();
            async move {
                let Some(item) = items.message().await? else { return Ok(None) };
                if !item.feed.is_empty() {
                    feed.clone_from(&item.feed);
                }
                // The time and the region are those of the item, not of the stream's beginning.
                let (at, trace) = (service.clock.now(), traceparent());
                let raised = match Call::new(&service.live, actor.clone(), at, trace.clone()) {
                    Ok(call) => raise::item(&call, &item, &feed).await,
                    Err(failure) => Err(failure),
                };
                let result = match raised {
                    Ok(raised) => raise_needs_response::Result::Raised(raised),
                    Err(failure) => {
                        let error = failure.item_error();
                        service.live.denials().item(&error, |reason| Denial {
                            by: actor.clone(),
                            call: "RaiseNeeds",
                            reason,
                            request_id: id,
                            at: service.clock.now(),
                            traceparent: trace,
                        });
                        raise_needs_response::Result::Error(error)
                    }
                };
                let answer = v1::RaiseNeedsResponse { source_seq: item.source_seq, result: Some(result) };
                Ok(Some((answer, (service, actor, items, feed))))
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn amend_need(
        &self,
        request: Request<v1::AmendNeedRequest>,
    ) -> Result<Response<v1::AmendNeedResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, id) = parse_amend(&call, &message)?;
        let input = call.input(call.own_trust()?);
        let done = verbs::change(&call, &mutation, &id, |read| {
            // The mask is laid on the need as it is read for this decision: what others amended meanwhile stays.
            let current = read
                .needs
                .get(&id)
                .ok_or_else(|| Failure::NotFound { record: "need", id: id.to_string() })?;
            let wanted = amended(current, &message, &input)?;
            Ok(decide::amend(read, wanted, &call.actor, call.at)?)
        });
        let (need, revision) = one(&call, &mutation, &done.await?);
        Ok(Response::new(v1::AmendNeedResponse { need, revision }))
    }

    async fn park_need(
        &self,
        request: Request<v1::ParkNeedRequest>,
    ) -> Result<Response<v1::ParkNeedResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::id(&mut check, "need", &message.need);
        let review_at = check.required_time("review_at", message.review_at.as_ref());
        if let Some(review_at) = review_at {
            reviewed_at(&mut check, review_at, call.at);
        }
        let because: Note = check.text("reason", &message.reason);
        let mutation = call.asked("ParkNeed", &mut check, &message, id.as_ref().map(need_key));
        let parsed = mutation.zip(id).zip(review_at);
        let ((mutation, id), review_at) = check.finish(parsed).map_err(Failure::from)?;
        let done = verbs::change(&call, &mutation, &id, |read| {
            Ok(decide::park(read, &id, review_at, &because, &call.actor, call.at)?)
        });
        let (need, revision) = one(&call, &mutation, &done.await?);
        Ok(Response::new(v1::ParkNeedResponse { need, revision }))
    }

    async fn resume_need(
        &self,
        request: Request<v1::ResumeNeedRequest>,
    ) -> Result<Response<v1::ResumeNeedResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::id(&mut check, "need", &message.need);
        let mutation = call.asked("ResumeNeed", &mut check, &message, id.as_ref().map(need_key));
        let (mutation, id) = check.finish(mutation.zip(id)).map_err(Failure::from)?;
        let done = verbs::change(&call, &mutation, &id, |read| Ok(decide::resume(read, &id, &call.actor)?));
        let (need, revision) = one(&call, &mutation, &done.await?);
        Ok(Response::new(v1::ResumeNeedResponse { need, revision }))
    }

    async fn withdraw_need(
        &self,
        request: Request<v1::WithdrawNeedRequest>,
    ) -> Result<Response<v1::WithdrawNeedResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::id(&mut check, "need", &message.need);
        let because = check.coded::<HomeDecline>("reason", message.reason);
        let mutation = call.asked("WithdrawNeed", &mut check, &message, id.as_ref().map(need_key));
        let ((mutation, id), because) = check.finish(mutation.zip(id).zip(because)).map_err(Failure::from)?;
        let because = Note::parse(because.as_str()).unwrap_or_default();
        let done = verbs::change(&call, &mutation, &id, |read| {
            Ok(decide::withdraw(read, &id, &because, &call.actor, call.at)?)
        });
        let (need, revision) = one(&call, &mutation, &done.await?);
        Ok(Response::new(v1::WithdrawNeedResponse { need, revision }))
    }

    async fn resolve_need_outside(
        &self,
        request: Request<v1::ResolveNeedOutsideRequest>,
    ) -> Result<Response<v1::ResolveNeedOutsideResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::id(&mut check, "need", &message.need);
        let how: Note = check.text("note", &message.note);
        let mutation = call.asked("ResolveNeedOutside", &mut check, &message, id.as_ref().map(need_key));
        let (mutation, id) = check.finish(mutation.zip(id)).map_err(Failure::from)?;
        let done = verbs::change(&call, &mutation, &id, |read| {
            Ok(decide::resolve_outside(read, &id, &how, &call.actor, call.at)?)
        });
        let (need, revision) = one(&call, &mutation, &done.await?);
        Ok(Response::new(v1::ResolveNeedOutsideResponse { need, revision }))
    }

    async fn amend_cohort(
        &self,
        request: Request<v1::AmendCohortRequest>,
    ) -> Result<Response<v1::AmendCohortResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (needs, revision) = cohort::amend(&call, &message).await?;
        Ok(Response::new(v1::AmendCohortResponse { needs, revision }))
    }

    async fn withdraw_cohort(
        &self,
        request: Request<v1::WithdrawCohortRequest>,
    ) -> Result<Response<v1::WithdrawCohortResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (needs, revision) = cohort::withdraw(&call, &message).await?;
        Ok(Response::new(v1::WithdrawCohortResponse { needs, revision }))
    }

    async fn ask_to_validate(
        &self,
        request: Request<v1::AskToValidateRequest>,
    ) -> Result<Response<v1::AskToValidateResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let done = validate::ask(&call, &message).await?;
        let revision = request::number_to_wire(done.revision.0);
        Ok(Response::new(v1::AskToValidateResponse { asked: done.answer, revision }))
    }

    async fn validate_need(
        &self,
        request: Request<v1::ValidateNeedRequest>,
    ) -> Result<Response<v1::ValidateNeedResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::id(&mut check, "need", &message.need);
        let mutation = call.asked("ValidateNeed", &mut check, &message, id.as_ref().map(need_key));
        let (mutation, id) = check.finish(mutation.zip(id)).map_err(Failure::from)?;
        let said = (message.consented, message.fit);
        let done = verbs::change(&call, &mutation, &id, |read| {
            Ok(decide::validate(read, &id, said, &call.actor, call.at)?)
        });
        let (need, revision) = one(&call, &mutation, &done.await?);
        Ok(Response::new(v1::ValidateNeedResponse { need, revision }))
    }

    async fn get_need(
        &self,
        request: Request<v1::GetNeedRequest>,
    ) -> Result<Response<v1::GetNeedResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = verbs::id(&mut check, "need", &message.need);
        let (need, revision) = read::get(&call, &check.finish(id).map_err(Failure::from)?)?;
        Ok(Response::new(v1::GetNeedResponse {
            need: Some(need),
            revision: request::number_to_wire(revision),
        }))
    }

    async fn list_needs(
        &self,
        request: Request<v1::ListNeedsRequest>,
    ) -> Result<Response<v1::ListNeedsResponse>, Status> {
        let call = self.call(&request)?;
        Ok(Response::new(read::list(&call, &request.into_inner()).await?))
    }

    async fn watch_needs(
        &self,
        request: Request<v1::WatchNeedsRequest>,
    ) -> Result<Response<BoxStream<v1::WatchNeedsResponse>>, Status> {
        let call = self.call(&request)?;
        let watching = read::watch(call, request.into_inner(), self.tasks.stopping())?;
        let answers = watching.map(|told| {
            let told = told.map_err(Status::from)?;
            Ok(v1::WatchNeedsResponse {
                item: Some(match told.item {
                    Item::Now(need) => watch_needs_response::Item::Need(need),
                    Item::Removed(id) => watch_needs_response::Item::Removed(id),
                    Item::SnapshotDone => watch_needs_response::Item::SnapshotDone(v1::SnapshotDone {}),
                    Item::Bookmark => watch_needs_response::Item::Bookmark(v1::Bookmark {}),
                    Item::Moved => watch_needs_response::Item::Moved(v1::Moved {}),
                }),
                cursor: told.cursor,
                revision: request::number_to_wire(told.revision.0),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// Checks when somebody looks at a parked need again.
fn reviewed_at(check: &mut Check<'_>, review_at: Timestamp, at: Timestamp) {
    if review_at <= at {
        check.wrong("review_at", reasons::WINDOW, "must be in the future");
    } else if review_at.duration_since(at) > SignedDuration::from_hours(24 * AHEAD_DAYS_MAX) {
        check.wrong("review_at", reasons::WINDOW, format!("must be at most {AHEAD_DAYS_MAX} days ahead"));
    }
}

fn parse_raise(call: &Call, message: &v1::RaiseNeedRequest) -> Result<(Mutation, Need), Failure> {
    let input = call.input(call.own_trust()?);
    let id = raise::fresh_id()?;
    let mut check = Check::new("");
    let wire = check.required("need", message.need.as_ref());
    let parsed = wire.map(|wire| need::published(wire, "need", &input, id)).transpose();
    let need = found(&mut check, parsed)?;
    let mutation = call.asked("RaiseNeed", &mut check, message, None);
    Ok(check.finish(mutation.zip(need))?)
}

fn parse_amend(call: &Call, message: &v1::AmendNeedRequest) -> Result<(Mutation, NeedId), Failure> {
    let input = call.input(call.own_trust()?);
    let mut check = Check::new("");
    let wire = check.required("need", message.need.as_ref());
    let id = wire.and_then(|wire| verbs::id(&mut check, "need.id", &wire.id));
    if let Some(id) = &id {
        // Checked on the need as it stands, so that every violation is told at once; decided on as it is then read.
        found(&mut check, amended(&verbs::own(call, id)?, message, &input).map(Some))?;
    }
    let mutation = call.asked("AmendNeed", &mut check, message, id.as_ref().map(need_key));
    Ok(check.finish(mutation.zip(id))?)
}

/// Returns a need with the fields that the request names taken from it.
fn amended(current: &Need, message: &v1::AmendNeedRequest, input: &Published<'_>) -> Result<Need, Failure> {
    let wire = message.need.clone().unwrap_or_default();
    let mask = message.update_mask.clone().unwrap_or_default().paths;
    need::amended(current, &wire, &mask, "need", input)
}

/// Adds violations to those found so far and goes on; any other failure ends the call.
fn found<T>(check: &mut Check<'_>, parsed: Result<Option<T>, Failure>) -> Result<Option<T>, Failure> {
    match parsed {
        Ok(parsed) => Ok(parsed),
        Err(Failure::Invalid(wrong)) => {
            check.add(wrong);
            Ok(None)
        }
        Err(other) => Err(other),
    }
}
