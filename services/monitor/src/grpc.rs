//! The wire: each handler takes the call, parses, calls the verb's file, and converts back.

use std::sync::Arc;

use fallow_api::convert::{Check, region, request};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1::monitor_service_server::{MonitorService, MonitorServiceServer};
use fallow_api::v1::{self, region_change, watch_actions_response, watch_alerts_response};
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::ids::{CollaborativeId, Note};
use fallow_domain::region::{Mode, file};
use fallow_host::clock::Clock;
use fallow_host::identity::caller;
use fallow_host::tasks::Tasks;
use fallow_host::telemetry::traceparent;
use fallow_ledger::Revision;
use fallow_ledger::record::{alert_key, region_key};
use fallow_ledger::transact::Done;
use fallow_live::Live;
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use fallow_live::watch::Item;
use futures::StreamExt;
use prost::Message;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use crate::chronicle::Chronicle;
use crate::diff::Change;
use crate::keeping::Keeping;
use crate::reports::Reports;
use crate::situation::Folds;
use crate::watch::Watching;
use crate::{action, alerts, apply, audit, decision, mode, sitrep, timeline, trend, view};

/// The monitor service over a region's ledger.
#[derive(Clone)]
pub struct Monitor {
    live: Live,
    clock: Clock,
    tasks: Tasks,
    folds: Arc<Folds>,
    chronicle: Arc<Chronicle>,
    reports: Arc<Reports>,
    calendar: Arc<WorkingCalendar>,
}

impl Monitor {
    /// Makes the service, ready to be added to a server, and starts what it keeps.
    ///
    /// `store_caveat` is what every screen says of a store whose settings are not checked; empty where they are.
    #[must_use]
    pub fn server(
        live: Live,
        clock: Clock,
        calendar: Arc<WorkingCalendar>,
        tasks: Tasks,
        store_caveat: String,
    ) -> MonitorServiceServer<Self> {
        let chronicle = Arc::new(Chronicle::default());
        let (kept, of, stopping) = (chronicle.clone(), live.clone(), tasks.stopping());
        tasks.spawn_vital("chronicle", async move {
            tokio::select! {
                () = kept.keep(&of) => {}
                () = stopping => {}
            }
        });
        let keeping = Keeping::new(live.clone(), clock.clone(), chronicle.clone(), store_caveat.clone());
        let stopping = tasks.stopping();
        tasks.spawn_vital("keeping", async move {
            tokio::select! {
                () = keeping.run() => {}
                () = stopping => {}
            }
        });
        let folds = Arc::new(Folds::new(store_caveat, chronicle.clone()));
        let reports = Arc::new(Reports::default());
        MonitorServiceServer::new(Self { live, clock, tasks, folds, chronicle, reports, calendar })
    }

    fn call<T>(&self, request: &Request<T>) -> Result<Call, Failure> {
        Call::new(&self.live, caller(request)?.actor, self.clock.now(), traceparent())
    }

    /// Returns the mutation of a call that is made when there may be no region in force yet.
    fn first_of_all(
        &self,
        request: &Request<v1::ApplyRegionRequest>,
        verb: &'static str,
    ) -> Result<Mutation, Failure> {
        let message = request.get_ref();
        let mut check = Check::new("");
        let asked = request::mutation(&mut check, message);
        if message.toml.trim().is_empty() {
            check.wrong("toml", reasons::REQUIRED, "must be given");
        }
        let asked = check.finish(asked)?;
        let expected =
            asked.expected_revision.map(|revision| (region_key(self.live.region_id()), Revision(revision)));
        Ok(Mutation {
            actor: caller(request)?.actor,
            verb,
            at: self.clock.now(),
            is_feed: false,
            request: Some((asked.request_id.to_string(), message.encode_to_vec())),
            validate_only: asked.validate_only,
            expected,
            traceparent: traceparent(),
            decided_at: None,
        })
    }

    /// Returns the revision to answer with when the region was to be changed.
    fn revision<A>(&self, done: &Done<A>, validate_only: bool) -> u64 {
        let stands = || self.live.picture().get(&region_key(self.live.region_id()));
        match done.revision {
            Revision::ABSENT if !validate_only => stands().map_or(0, |seen| seen.revision.0),
            revision => revision.0,
        }
    }
}

#[tonic::async_trait]
impl MonitorService for Monitor {
    async fn get_situation(
        &self,
        request: Request<v1::GetSituationRequest>,
    ) -> Result<Response<v1::GetSituationResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let seen = self.folds.look(&call, &message.collaborative)?;
        Ok(Response::new(v1::GetSituationResponse {
            situation: Some(seen.situation.clone()),
            revision: request::number_to_wire(seen.revision.0),
        }))
    }

    async fn watch_situation(
        &self,
        request: Request<v1::WatchSituationRequest>,
    ) -> Result<Response<BoxStream<v1::WatchSituationResponse>>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let watching = Watching::start(&call, self.clock.clone(), self.folds.clone(), message)?;
        let messages = watching.into_stream(self.tasks.stopping());
        Ok(Response::new(Box::pin(messages.map(|message| message.map_err(Status::from)))))
    }

    async fn list_alerts(
        &self,
        request: Request<v1::ListAlertsRequest>,
    ) -> Result<Response<v1::ListAlertsResponse>, Status> {
        let call = self.call(&request)?;
        Ok(Response::new(alerts::list(&call, &request.into_inner())?))
    }

    async fn take_alert(
        &self,
        request: Request<v1::TakeAlertRequest>,
    ) -> Result<Response<v1::TakeAlertResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = alerts::id(&mut check, &message.alert);
        let mutation = call.asked("TakeAlert", &mut check, &message, id.as_ref().map(alert_key));
        let (mutation, id) = check.finish(mutation.zip(id)).map_err(Failure::from)?;
        let done = alerts::act(&call, &mutation, &id, &alerts::Deed::Take).await?;
        let revision = call.revision(&done, &alert_key(&id), mutation.validate_only);
        Ok(Response::new(v1::TakeAlertResponse {
            alert: Some(alerts::to_wire(&done.answer, Revision(revision), &call.region.region.policy.alerts)),
            revision: request::number_to_wire(revision),
        }))
    }

    async fn close_alert(
        &self,
        request: Request<v1::CloseAlertRequest>,
    ) -> Result<Response<v1::CloseAlertResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = alerts::id(&mut check, &message.alert);
        let note: Note = check.text("note", &message.note);
        let mutation = call.asked("CloseAlert", &mut check, &message, id.as_ref().map(alert_key));
        let (mutation, id) = check.finish(mutation.zip(id)).map_err(Failure::from)?;
        let done = alerts::act(&call, &mutation, &id, &alerts::Deed::Close(note)).await?;
        let revision = call.revision(&done, &alert_key(&id), mutation.validate_only);
        Ok(Response::new(v1::CloseAlertResponse {
            alert: Some(alerts::to_wire(&done.answer, Revision(revision), &call.region.region.policy.alerts)),
            revision: request::number_to_wire(revision),
        }))
    }

    async fn watch_alerts(
        &self,
        request: Request<v1::WatchAlertsRequest>,
    ) -> Result<Response<BoxStream<v1::WatchAlertsResponse>>, Status> {
        let call = self.call(&request)?;
        let watching = alerts::watch(call, request.into_inner(), self.tasks.stopping())?;
        let answers = watching.map(|told| {
            let told = told.map_err(Status::from)?;
            Ok(v1::WatchAlertsResponse {
                item: Some(match told.item {
                    Item::Now(alert) => watch_alerts_response::Item::Alert(alert),
                    // Alerts are kept beside other things under names that say which.
                    Item::Removed(id) => watch_alerts_response::Item::Removed(
                        id.strip_prefix("alert/").map_or(id.clone(), str::to_owned),
                    ),
                    Item::SnapshotDone => watch_alerts_response::Item::SnapshotDone(v1::SnapshotDone {}),
                    Item::Bookmark => watch_alerts_response::Item::Bookmark(v1::Bookmark {}),
                    Item::Moved => watch_alerts_response::Item::Moved(v1::Moved {}),
                }),
                cursor: told.cursor,
                revision: request::number_to_wire(told.revision.0),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_trend(
        &self,
        request: Request<v1::GetTrendRequest>,
    ) -> Result<Response<v1::GetTrendResponse>, Status> {
        let call = self.call(&request)?;
        Ok(Response::new(trend::get(&call, &request.into_inner())?))
    }

    async fn get_report(
        &self,
        request: Request<v1::GetReportRequest>,
    ) -> Result<Response<v1::GetReportResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        Ok(Response::new(self.reports.get(&call, &self.chronicle, &message).await?))
    }

    async fn get_sitrep(
        &self,
        request: Request<v1::GetSitrepRequest>,
    ) -> Result<Response<v1::GetSitrepResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let as_of = sitrep::as_of(&call, &mut check, message.as_of.as_ref());
        let as_of = check.finish(Some(as_of)).map_err(Failure::from)?;
        let sitrep = sitrep::get(&call, as_of, self.folds.store_caveat())?;
        let revision = request::number_to_wire(self.live.picture().revision().0);
        Ok(Response::new(v1::GetSitrepResponse { sitrep: Some(sitrep), revision }))
    }

    async fn sign_off_sitrep(
        &self,
        request: Request<v1::SignOffSitrepRequest>,
    ) -> Result<Response<v1::SignOffSitrepResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, as_of, signatory) = sitrep::parse(&call, &message)?;
        let caveat = self.folds.store_caveat();
        let (sitrep, _) = sitrep::sign_off(&call, &mutation, as_of, &signatory, caveat).await?;
        let revision = sitrep.revision;
        Ok(Response::new(v1::SignOffSitrepResponse { sitrep: Some(sitrep), revision }))
    }

    async fn list_timeline(
        &self,
        request: Request<v1::ListTimelineRequest>,
    ) -> Result<Response<v1::ListTimelineResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        Ok(Response::new(timeline::list(&call, &self.chronicle, &message).await?))
    }

    async fn watch_timeline(
        &self,
        request: Request<v1::WatchTimelineRequest>,
    ) -> Result<Response<BoxStream<v1::WatchTimelineResponse>>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let watching = timeline::Watching::start(&call, &self.chronicle, message).await?;
        let messages = watching.into_stream(self.tasks.stopping());
        Ok(Response::new(Box::pin(messages.map(|message| message.map_err(Status::from)))))
    }

    async fn record_decision(
        &self,
        request: Request<v1::RecordDecisionRequest>,
    ) -> Result<Response<v1::RecordDecisionResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, decision) = decision::parse(&call, &message)?;
        let done = decision::run(&call, &mutation, &decision).await?;
        Ok(Response::new(v1::RecordDecisionResponse {
            decision: Some(decision::to_wire(&done.answer, done.revision)),
            revision: request::number_to_wire(done.revision.0),
        }))
    }

    async fn set_mode(
        &self,
        request: Request<v1::SetModeRequest>,
    ) -> Result<Response<v1::SetModeResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let mut check = Check::new("");
        let id = check.id("collaborative", &message.collaborative, CollaborativeId::parse);
        let mode = check.coded::<Mode>("mode", message.mode);
        let reason: Note = check.required_text("reason", &message.reason);
        let mutation = call.asked("SetMode", &mut check, &message, Some(region_key(self.live.region_id())));
        let ((mutation, id), mode) = check.finish(mutation.zip(id).zip(mode)).map_err(Failure::from)?;
        let done = mode::run(&call, &mutation, &id, mode, &reason).await?;
        let named = call.region.region.collaboratives.iter().find(|collaborative| collaborative.id == id);
        let name = named.map_or("", |collaborative| collaborative.name.as_str());
        let mode = view::mode(&id, name, done.answer.mode, Some(&done.answer));
        let revision = request::number_to_wire(self.revision(&done, mutation.validate_only));
        Ok(Response::new(v1::SetModeResponse { mode: Some(mode), revision }))
    }

    async fn apply_region(
        &self,
        request: Request<v1::ApplyRegionRequest>,
    ) -> Result<Response<v1::ApplyRegionResponse>, Status> {
        let mutation = self.first_of_all(&request, "ApplyRegion")?;
        let toml = request.into_inner().toml;
        let done = apply::run(&self.live, &mutation, &toml).await?;
        let revision = self.revision(&done, mutation.validate_only);
        // What was just checked can be read.
        let applied = file::parse(&toml).map_err(|error| Failure::from(region::problems(&error)))?;
        let answer = done.answer;
        Ok(Response::new(v1::ApplyRegionResponse {
            region: Some(region::to_wire(&applied, &policy(answer.version), revision)),
            changes: answer.changes.into_iter().map(change_to_wire).collect(),
            revision: request::number_to_wire(revision),
        }))
    }

    async fn get_region(
        &self,
        request: Request<v1::GetRegionRequest>,
    ) -> Result<Response<v1::GetRegionResponse>, Status> {
        let call = self.call(&request)?;
        let revision = request::number_to_wire(call.region.state_revision.0);
        Ok(Response::new(v1::GetRegionResponse {
            region: Some(region::to_wire(
                &call.region.region,
                &policy(call.region.state.version),
                call.region.state_revision.0,
            )),
            toml: call.region.state.toml.clone(),
            revision,
        }))
    }

    async fn propose_action(
        &self,
        request: Request<v1::ProposeActionRequest>,
    ) -> Result<Response<v1::ProposeActionResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, action) = action::parse(&call, &message)?;
        let now = action::propose(&call, &mutation, action).await?;
        Ok(Response::new(v1::ProposeActionResponse {
            action: Some(action::with_changes(&call, action::to_wire(&call, &now.action, now.revision))),
            revision: request::number_to_wire(now.revision),
        }))
    }

    async fn confirm_action(
        &self,
        request: Request<v1::ConfirmActionRequest>,
    ) -> Result<Response<v1::ConfirmActionResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let (mutation, found) = action::parse_confirm(&call, &message).await?;
        let now = action::confirm(&call, &mutation, &found, &self.calendar).await?;
        Ok(Response::new(v1::ConfirmActionResponse {
            action: Some(action::to_wire(&call, &now.action, now.revision)),
            revision: request::number_to_wire(now.revision),
        }))
    }

    async fn refuse_action(
        &self,
        request: Request<v1::RefuseActionRequest>,
    ) -> Result<Response<v1::RefuseActionResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let now = action::verdict::refuse(&call, &message).await?;
        Ok(Response::new(v1::RefuseActionResponse {
            action: Some(action::to_wire(&call, &now.action, now.revision)),
            revision: request::number_to_wire(now.revision),
        }))
    }

    async fn review_action(
        &self,
        request: Request<v1::ReviewActionRequest>,
    ) -> Result<Response<v1::ReviewActionResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let now = action::verdict::review(&call, &message).await?;
        Ok(Response::new(v1::ReviewActionResponse {
            action: Some(action::to_wire(&call, &now.action, now.revision)),
            revision: request::number_to_wire(now.revision),
        }))
    }

    async fn get_action(
        &self,
        request: Request<v1::GetActionRequest>,
    ) -> Result<Response<v1::GetActionResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let action = action::get(&call, &message).await?;
        let revision = action.revision;
        Ok(Response::new(v1::GetActionResponse { action: Some(action), revision }))
    }

    async fn list_audit(
        &self,
        request: Request<v1::ListAuditRequest>,
    ) -> Result<Response<v1::ListAuditResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        Ok(Response::new(audit::list(&call, &message).await?))
    }

    async fn list_actions(
        &self,
        request: Request<v1::ListActionsRequest>,
    ) -> Result<Response<v1::ListActionsResponse>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        Ok(Response::new(action::list::list(&call, &message)?))
    }

    async fn watch_actions(
        &self,
        request: Request<v1::WatchActionsRequest>,
    ) -> Result<Response<BoxStream<v1::WatchActionsResponse>>, Status> {
        let (call, message) = (self.call(&request)?, request.into_inner());
        let watching = action::list::watch(call, self.clock.clone(), message, self.tasks.stopping())?;
        let answers = watching.map(|told| {
            let told = told.map_err(Status::from)?;
            Ok(v1::WatchActionsResponse {
                item: Some(match told.item {
                    Item::Now(action) => watch_actions_response::Item::Action(action),
                    // Actions are kept beside other things under names that say which.
                    Item::Removed(id) => watch_actions_response::Item::Removed(
                        id.strip_prefix("action/").map_or(id.clone(), str::to_owned),
                    ),
                    Item::SnapshotDone => watch_actions_response::Item::SnapshotDone(v1::SnapshotDone {}),
                    Item::Bookmark => watch_actions_response::Item::Bookmark(v1::Bookmark {}),
                    Item::Moved => watch_actions_response::Item::Moved(v1::Moved {}),
                }),
                cursor: told.cursor,
                revision: request::number_to_wire(told.revision.0),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// Names the policy that a region file's version holds, as explanations do.
fn policy(version: u64) -> String {
    version.to_string()
}

pub(crate) fn change_to_wire(change: Change) -> v1::RegionChange {
    let kind = match (&change.before, &change.after) {
        (None, _) => region_change::Kind::Added,
        (Some(_), None) => region_change::Kind::Removed,
        (Some(_), Some(_)) => region_change::Kind::Changed,
    };
    v1::RegionChange {
        kind: kind.into(),
        path: change.path,
        before: change.before.unwrap_or_default(),
        after: change.after.unwrap_or_default(),
    }
}
