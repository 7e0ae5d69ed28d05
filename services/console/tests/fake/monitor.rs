//! The region, as far as the pages need it.

use fallow_api::v1::monitor_service_server::MonitorService;
use fallow_api::v1::*;
use futures::StreamExt;
use tokio_stream::wrappers::WatchStream;
use tonic::codegen::BoxStream;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::{World, gold};

#[tonic::async_trait]
impl MonitorService for World {
    async fn get_region(
        &self,
        request: Request<GetRegionRequest>,
    ) -> Result<Response<GetRegionResponse>, Status> {
        self.caller(&request)?;
        let region = self.records().region.clone();
        let toml = format!("id = \"north-vale\"\nname = \"{}\"\n", region.name);
        Ok(Response::new(GetRegionResponse { region: Some(region), toml, ..Default::default() }))
    }

    async fn get_situation(
        &self,
        request: Request<GetSituationRequest>,
    ) -> Result<Response<GetSituationResponse>, Status> {
        self.caller(&request)?;
        let situation = self.records().situation.clone();
        Ok(Response::new(GetSituationResponse { situation: Some(situation), ..Default::default() }))
    }

    async fn set_mode(&self, request: Request<SetModeRequest>) -> Result<Response<SetModeResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        self.change(|records| {
            let revision = records.bump(&asked.request_id);
            let all = &mut records.region.collaboratives;
            let one = all.iter_mut().find(|one| one.id == asked.collaborative);
            one.ok_or_else(|| Status::not_found("there is no such collaborative"))?.mode = asked.mode;
            let mode = situation::CollaborativeMode {
                collaborative: asked.collaborative,
                mode: asked.mode,
                reason: asked.reason,
                ..Default::default()
            };
            Ok(Response::new(SetModeResponse { mode: Some(mode), revision }))
        })
    }

    async fn list_actions(
        &self,
        request: Request<ListActionsRequest>,
    ) -> Result<Response<ListActionsResponse>, Status> {
        self.caller(&request)?;
        let waiting = request.into_inner().waiting;
        let mut actions = self.records().actions.clone();
        actions.retain(|action| !waiting || action.state() == action::State::Proposed);
        Ok(Response::new(ListActionsResponse { actions, ..Default::default() }))
    }

    async fn watch_actions(
        &self,
        request: Request<WatchActionsRequest>,
    ) -> Result<Response<BoxStream<WatchActionsResponse>>, Status> {
        self.caller(&request)?;
        Err(Status::unimplemented("no page follows actions"))
    }

    async fn propose_action(
        &self,
        request: Request<ProposeActionRequest>,
    ) -> Result<Response<ProposeActionResponse>, Status> {
        let by = self.caller(&request)?.actor.role.to_string();
        let ProposeActionRequest { request_id, validate_only, action } = request.into_inner();
        let mut action = action.unwrap_or_default();
        let now = self.now().as_second();
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        self.change(|records| {
            action.breaks_glass = !matches!(action.call, Some(action::Call::ApplyRegion(_)));
            match &action.call {
                Some(action::Call::ApplyRegion(asked)) if !asked.toml.contains("id =") => {
                    let wrong = vec![FieldViolation::new("action.apply_region.toml", "has no id")];
                    let details = ErrorDetails::with_bad_request(wrong);
                    return Err(Status::with_error_details(
                        tonic::Code::InvalidArgument,
                        "one is wrong",
                        details,
                    ));
                }
                Some(action::Call::ApplyRegion(_)) => {
                    action.changes = vec![RegionChange {
                        kind: region_change::Kind::Changed.into(),
                        path: "trust.ZA1.fair_allowance".to_owned(),
                        before: "0".to_owned(),
                        after: "2".to_owned(),
                    }];
                    action.text = "A new region file is to be put in force.".to_owned();
                }
                Some(action::Call::AnswerProposal(_)) => {
                    action.trusts = vec!["ZA4".to_owned(), "ZA5".to_owned()];
                    action.text = "Break glass: somebody is to answer for Dunmere.".to_owned();
                }
                Some(action::Call::BypassProposal(_)) | None => {
                    action.trusts = vec!["ZA4".to_owned(), "ZA5".to_owned()];
                    action.text = "Break glass: a proposal is to be bypassed.".to_owned();
                }
            }
            action.proposed_by = by;
            (action.proposed_at, action.expires_at) = (at(now), at(now + 1_800));
            action.set_state(action::State::Proposed);
            if !validate_only {
                action.revision = records.bump(&request_id);
                action.id = format!("act-{}", action.revision);
                records.actions.insert(0, action.clone());
            }
            let revision = action.revision;
            Ok(Response::new(ProposeActionResponse { action: Some(action), revision }))
        })
    }

    async fn confirm_action(
        &self,
        request: Request<ConfirmActionRequest>,
    ) -> Result<Response<ConfirmActionResponse>, Status> {
        let by = self.caller(&request)?.actor.role.to_string();
        let asked = request.into_inner();
        let now = prost_types::Timestamp { seconds: self.now().as_second(), nanos: 0 };
        self.change(|records| {
            let at = records.actions.iter().position(|one| one.id == asked.action);
            let at = at.ok_or_else(|| Status::not_found("there is no such action"))?;
            if records.actions[at].proposed_by == by {
                return Err(Status::failed_precondition("somebody in another role must confirm it"));
            }
            let revision = records.bump(&asked.request_id);
            let action = &mut records.actions[at];
            (action.revision, action.confirmed_by, action.confirmed_at) = (revision, by, Some(now));
            action.set_state(action::State::Confirmed);
            Ok(Response::new(ConfirmActionResponse { action: Some(action.clone()), revision }))
        })
    }

    async fn refuse_action(
        &self,
        request: Request<RefuseActionRequest>,
    ) -> Result<Response<RefuseActionResponse>, Status> {
        let by = self.caller(&request)?.actor.role.to_string();
        let asked = request.into_inner();
        without_figures("reason", &asked.reason)?;
        let now = prost_types::Timestamp { seconds: self.now().as_second(), nanos: 0 };
        self.change(|records| {
            let at = records.actions.iter().position(|one| one.id == asked.action);
            let at = at.ok_or_else(|| Status::not_found("there is no such action"))?;
            let revision = records.bump(&asked.request_id);
            let action = &mut records.actions[at];
            (action.revision, action.refused_by, action.refused_at) = (revision, by, Some(now));
            action.refused_because = asked.reason;
            action.set_state(action::State::Refused);
            Ok(Response::new(RefuseActionResponse { action: Some(action.clone()), revision }))
        })
    }

    async fn review_action(
        &self,
        request: Request<ReviewActionRequest>,
    ) -> Result<Response<ReviewActionResponse>, Status> {
        let by = self.caller(&request)?.actor.role.to_string();
        let asked = request.into_inner();
        without_figures("note", &asked.note)?;
        let now = prost_types::Timestamp { seconds: self.now().as_second(), nanos: 0 };
        self.change(|records| {
            let at = records.actions.iter().position(|one| one.id == asked.action);
            let at = at.ok_or_else(|| Status::not_found("there is no such action"))?;
            if [&records.actions[at].proposed_by, &records.actions[at].confirmed_by].contains(&&by) {
                return Err(Status::failed_precondition("another person must review it"));
            }
            let revision = records.bump(&asked.request_id);
            let action = &mut records.actions[at];
            (action.revision, action.reviewed_by, action.reviewed_at) = (revision, by, Some(now));
            action.review_note = asked.note;
            Ok(Response::new(ReviewActionResponse { action: Some(action.clone()), revision }))
        })
    }

    async fn watch_situation(
        &self,
        request: Request<WatchSituationRequest>,
    ) -> Result<Response<BoxStream<WatchSituationResponse>>, Status> {
        self.caller(&request)?;
        let changes = WatchStream::new(self.watch()).map(|revision| {
            let item = Some(watch_situation_response::Item::Bookmark(Bookmark {}));
            Ok(WatchSituationResponse { item, revision, ..Default::default() })
        });
        Ok(Response::new(changes.boxed()))
    }

    async fn list_alerts(
        &self,
        request: Request<ListAlertsRequest>,
    ) -> Result<Response<ListAlertsResponse>, Status> {
        self.caller(&request)?;
        let ListAlertsRequest { states, ids, .. } = request.into_inner();
        Ok(Response::new(self.records().list_alerts(&states, &ids)))
    }

    async fn take_alert(
        &self,
        request: Request<TakeAlertRequest>,
    ) -> Result<Response<TakeAlertResponse>, Status> {
        let actor = self.caller(&request)?.actor;
        let owner = match actor.trust {
            Some(trust) => format!("{} {trust}", actor.role),
            None => actor.role.to_string(),
        };
        let ask = request.into_inner();
        let taken = self.change(|records| {
            let which = (ask.alert.as_str(), ask.expected_revision, ask.request_id.as_str());
            records.change_alert(which, |alert| {
                alert.state = alert::State::Taken.into();
                alert.owner = owner;
            })
        });
        Ok(Response::new(TakeAlertResponse { alert: Some(taken?), ..TakeAlertResponse::default() }))
    }

    async fn close_alert(
        &self,
        request: Request<CloseAlertRequest>,
    ) -> Result<Response<CloseAlertResponse>, Status> {
        self.caller(&request)?;
        let ask = request.into_inner();
        let closed = self.change(|records| {
            let which = (ask.alert.as_str(), ask.expected_revision, ask.request_id.as_str());
            records.change_alert(which, |alert| {
                alert.state = alert::State::Closed.into();
                alert.note = ask.note.clone();
            })
        });
        Ok(Response::new(CloseAlertResponse { alert: Some(closed?), ..CloseAlertResponse::default() }))
    }

    async fn watch_alerts(
        &self,
        request: Request<WatchAlertsRequest>,
    ) -> Result<Response<BoxStream<WatchAlertsResponse>>, Status> {
        self.caller(&request)?;
        let changes = WatchStream::new(self.watch()).map(|revision| {
            let item = Some(watch_alerts_response::Item::Bookmark(Bookmark {}));
            Ok(WatchAlertsResponse { item, revision, ..Default::default() })
        });
        Ok(Response::new(changes.boxed()))
    }

    async fn get_trend(
        &self,
        request: Request<GetTrendRequest>,
    ) -> Result<Response<GetTrendResponse>, Status> {
        self.caller(&request)?;
        Ok(Response::new(gold::trend(&request.into_inner(), self.now())))
    }

    async fn get_report(
        &self,
        request: Request<GetReportRequest>,
    ) -> Result<Response<GetReportResponse>, Status> {
        self.caller(&request)?;
        Ok(Response::new(gold::report(request.into_inner().kind(), self.now())))
    }

    async fn list_timeline(
        &self,
        request: Request<ListTimelineRequest>,
    ) -> Result<Response<ListTimelineResponse>, Status> {
        self.caller(&request)?;
        let ListTimelineRequest { kinds, until, subjects, .. } = request.into_inner();
        let mut entries = self.records().kept.timeline.clone();
        entries.retain(|entry| {
            let at = entry.at.unwrap_or_default();
            (kinds.is_empty() || kinds.contains(&entry.kind))
                && until.is_none_or(|until| (at.seconds, at.nanos) <= (until.seconds, until.nanos))
                && (subjects.is_empty() || entry.subjects.iter().any(|one| subjects.contains(one)))
        });
        let held_from = gold::ago(self.now(), gold::HELD_MINUTES);
        Ok(Response::new(ListTimelineResponse { entries, held_from, ..ListTimelineResponse::default() }))
    }

    async fn record_decision(
        &self,
        request: Request<RecordDecisionRequest>,
    ) -> Result<Response<RecordDecisionResponse>, Status> {
        self.caller(&request)?;
        let ask = request.into_inner();
        let decision = ask.decision.unwrap_or_default();
        if decision.decision.is_empty() {
            let details = ErrorDetails::with_bad_request([FieldViolation::new(
                "decision.decision",
                "must not be empty",
            )]);
            let text = "the decision is not valid";
            return Err(Status::with_error_details(tonic::Code::InvalidArgument, text, details));
        }
        let at = self.now();
        self.change(|records| {
            let revision = records.bump(&ask.request_id);
            let entry = TimelineEntry {
                id: format!("{revision}-0"),
                at: Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 }),
                kind: TimelineKind::Decision.into(),
                text: format!("Gold decided: {}", decision.decision),
                decision: Some(decision.clone()),
                ..TimelineEntry::default()
            };
            records.kept.timeline.insert(0, entry);
        });
        Ok(Response::new(RecordDecisionResponse { decision: Some(decision), ..Default::default() }))
    }

    async fn get_sitrep(
        &self,
        request: Request<GetSitrepRequest>,
    ) -> Result<Response<GetSitrepResponse>, Status> {
        self.caller(&request)?;
        let sitrep = self.records().sitrep(request.into_inner().as_of, self.now());
        Ok(Response::new(GetSitrepResponse { sitrep: Some(sitrep), ..GetSitrepResponse::default() }))
    }

    async fn sign_off_sitrep(
        &self,
        request: Request<SignOffSitrepRequest>,
    ) -> Result<Response<SignOffSitrepResponse>, Status> {
        self.caller(&request)?;
        let (ask, now) = (request.into_inner(), self.now());
        let sitrep = self.change(|records| {
            records.bump(&ask.request_id);
            let at = ask.as_of.unwrap_or_default();
            records.kept.signed.push((at.seconds, ask.signatory.clone()));
            records.sitrep(Some(at), now)
        });
        Ok(Response::new(SignOffSitrepResponse { sitrep: Some(sitrep), ..Default::default() }))
    }
}

/// Refuses a text with a row of figures, as the services do one that may be a patient's.
fn without_figures(field: &str, text: &str) -> Result<(), Status> {
    if !text.contains("943 476 5919") {
        return Ok(());
    }
    let details = ErrorDetails::with_bad_request_violation(field, "looks like an NHS number");
    Err(Status::with_error_details(Code::InvalidArgument, "the request is not valid", details))
}
