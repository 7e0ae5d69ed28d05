//! Needs, as far as the pages need them.

use fallow_api::v1::demand_service_server::DemandService;
use fallow_api::v1::*;
use futures::StreamExt;
use tokio_stream::wrappers::WatchStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::{World, expect};

/// Says whether a transfer binds the units of its need: it has neither arrived nor been called off.
fn is_under_way(transfer: &Transfer) -> bool {
    use transfer::State::{InTransit, Planned, Ready};
    matches!(transfer.state(), Planned | Ready | InTransit)
}

#[tonic::async_trait]
impl DemandService for World {
    async fn list_needs(
        &self,
        request: Request<ListNeedsRequest>,
    ) -> Result<Response<ListNeedsResponse>, Status> {
        self.caller(&request)?;
        let filter = request.into_inner().filter.unwrap_or_default();
        let records = self.records();
        let needs = records.needs.iter().filter(|one| {
            (filter.trusts.is_empty() || filter.trusts.contains(&one.trust))
                && (filter.ids.is_empty() || filter.ids.contains(&one.id))
                && if filter.states.is_empty() {
                    is_live(one) || !filter.ids.is_empty()
                } else {
                    filter.states.contains(&one.state)
                }
                && (filter.cohorts.is_empty() || filter.cohorts.contains(&one.cohort))
        });
        let needs = needs.cloned().collect();
        Ok(Response::new(ListNeedsResponse { needs, revision: records.revision, ..Default::default() }))
    }

    async fn get_need(&self, request: Request<GetNeedRequest>) -> Result<Response<GetNeedResponse>, Status> {
        self.caller(&request)?;
        let id = request.into_inner().need;
        let found = self.records().needs.iter().find(|one| one.id == id).cloned();
        let need =
            found.ok_or_else(|| Status::not_found("there is no such need, or it is not yours to know"))?;
        Ok(Response::new(GetNeedResponse { need: Some(need), revision: 0 }))
    }

    async fn raise_need(
        &self,
        request: Request<RaiseNeedRequest>,
    ) -> Result<Response<RaiseNeedResponse>, Status> {
        let trust = self.trust(&request)?;
        let RaiseNeedRequest { request_id, need, .. } = request.into_inner();
        let mut need = need.unwrap_or_default();
        let now = self.now();
        Ok(Response::new(self.change(|records| {
            let live = records.needs.iter().find(|one| one.trust == trust && one.case_ref == need.case_ref);
            if let Some(live) = live {
                return RaiseNeedResponse {
                    need: Some(live.clone()),
                    already_live: true,
                    ..Default::default()
                };
            }
            let revision = records.bump(&request_id);
            need.id = format!("n-{revision}");
            need.trust = trust;
            need.revision = revision;
            need.raised_at = Some(prost_types::Timestamp { seconds: now.as_second(), nanos: 0 });
            need.set_state(need::State::Open);
            records.needs.push(need.clone());
            RaiseNeedResponse { need: Some(need), revision, already_live: false, ..Default::default() }
        })))
    }

    async fn amend_need(
        &self,
        request: Request<AmendNeedRequest>,
    ) -> Result<Response<AmendNeedResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        let change = asked.need.unwrap_or_default();
        self.change(|records| {
            let at = records.needs.iter().position(|one| one.id == change.id);
            let at = at.ok_or_else(|| Status::not_found("there is no such need"))?;
            expect(asked.expected_revision, records.needs[at].revision)?;
            let revision = records.bump(&asked.request_id);
            let need = &mut records.needs[at];
            let mask = asked.update_mask.as_ref();
            let is_changed =
                |field: &str| mask.is_some_and(|mask| mask.paths.iter().any(|path| path == field));
            if is_changed("max_travel_minutes") {
                need.max_travel_minutes = change.max_travel_minutes;
            }
            if is_changed("needed_by") {
                need.needed_by = change.needed_by;
            }
            need.revision = revision;
            Ok(Response::new(AmendNeedResponse { need: Some(need.clone()), revision }))
        })
    }

    async fn resolve_need_outside(
        &self,
        request: Request<ResolveNeedOutsideRequest>,
    ) -> Result<Response<ResolveNeedOutsideResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        self.change(|records| {
            let at = records.needs.iter().position(|one| one.id == asked.need && one.trust == trust);
            let at = at.ok_or_else(|| Status::not_found("there is no such need"))?;
            expect(asked.expected_revision, records.needs[at].revision)?;
            if asked.note.contains("NHS number") {
                let text = "must not name a patient";
                let details = ErrorDetails::with_bad_request([FieldViolation::new("note", text)]);
                return Err(Status::with_error_details(tonic::Code::InvalidArgument, text, details));
            }
            let bound = records.transfers.iter().filter(|one| one.need == asked.need && is_under_way(one));
            let bound: Vec<&str> = bound.map(|one| one.id.as_str()).collect();
            if !bound.is_empty() {
                let named =
                    [("proposals".to_owned(), String::new()), ("transfers".to_owned(), bound.join(" "))];
                let details = ErrorDetails::with_error_info("UNITS_BOUND", "fallow.v1", named);
                let text = "the need has transfers that have not arrived: they must end first";
                return Err(Status::with_error_details(tonic::Code::FailedPrecondition, text, details));
            }
            if asked.validate_only {
                return Ok(Response::new(ResolveNeedOutsideResponse::default()));
            }
            let revision = records.bump(&asked.request_id);
            let need = &mut records.needs[at];
            need.note = asked.note.clone();
            need.set_state(need::State::ResolvedOutside);
            need.revision = revision;
            Ok(Response::new(ResolveNeedOutsideResponse { need: Some(need.clone()), revision }))
        })
    }

    async fn park_need(
        &self,
        request: Request<ParkNeedRequest>,
    ) -> Result<Response<ParkNeedResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let (need, revision) =
            self.aside(&asked.request_id, (&trust, &asked.need), asked.expected_revision, |need| {
                need.set_state(need::State::OnHold);
                need.review_at = asked.review_at;
            })?;
        Ok(Response::new(ParkNeedResponse { need: Some(need), revision }))
    }

    async fn resume_need(
        &self,
        request: Request<ResumeNeedRequest>,
    ) -> Result<Response<ResumeNeedResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let (need, revision) =
            self.aside(&asked.request_id, (&trust, &asked.need), asked.expected_revision, |need| {
                need.set_state(need::State::Open);
                need.review_at = None;
            })?;
        Ok(Response::new(ResumeNeedResponse { need: Some(need), revision }))
    }

    async fn amend_cohort(
        &self,
        request: Request<AmendCohortRequest>,
    ) -> Result<Response<AmendCohortResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let paths = asked.update_mask.unwrap_or_default().paths;
        let wanted = asked.need.unwrap_or_default();
        let (needs, revision) = self.cohort(&asked.request_id, &trust, &asked.cohort, |need| {
            if paths.iter().any(|path| path == "max_travel_minutes") {
                need.max_travel_minutes = wanted.max_travel_minutes;
            }
        })?;
        Ok(Response::new(AmendCohortResponse { needs, revision }))
    }

    async fn withdraw_cohort(
        &self,
        request: Request<WithdrawCohortRequest>,
    ) -> Result<Response<WithdrawCohortResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let withdraw = |need: &mut Need| need.set_state(need::State::Withdrawn);
        let (needs, revision) = self.cohort(&asked.request_id, &trust, &asked.cohort, withdraw)?;
        Ok(Response::new(WithdrawCohortResponse { needs, revision }))
    }

    async fn ask_to_validate(
        &self,
        request: Request<AskToValidateRequest>,
    ) -> Result<Response<AskToValidateResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let asked_at = Some(prost_types::Timestamp { seconds: self.now().as_second(), nanos: 0 });
        Ok(Response::new(self.change(|records| {
            let revision = records.bump(&asked.request_id);
            for need in records.needs.iter_mut().filter(|one| asked.needs.contains(&one.id)) {
                let known = need.validation.clone().unwrap_or_default();
                need.validation = Some(Validation { asked_at, asked_by_trust: trust.clone(), ..known });
            }
            AskToValidateResponse { asked: 1, revision }
        })))
    }

    async fn validate_need(
        &self,
        request: Request<ValidateNeedRequest>,
    ) -> Result<Response<ValidateNeedResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let validated_at = Some(prost_types::Timestamp { seconds: self.now().as_second(), nanos: 0 });
        self.change(|records| {
            let at = records.needs.iter().position(|one| one.id == asked.need && one.trust == trust);
            let at = at.ok_or_else(|| Status::not_found("there is no such need"))?;
            expect(asked.expected_revision, records.needs[at].revision)?;
            let revision = records.bump(&asked.request_id);
            let need = &mut records.needs[at];
            let ValidateNeedRequest { consented, fit, .. } = asked;
            need.validation = Some(Validation { validated_at, consented, fit, ..Validation::default() });
            need.revision = revision;
            Ok(Response::new(ValidateNeedResponse { need: Some(need.clone()), revision }))
        })
    }

    async fn watch_needs(
        &self,
        request: Request<WatchNeedsRequest>,
    ) -> Result<Response<BoxStream<WatchNeedsResponse>>, Status> {
        self.caller(&request)?;
        let changes = WatchStream::new(self.watch()).map(|revision| {
            let item = Some(watch_needs_response::Item::Bookmark(Bookmark {}));
            Ok(WatchNeedsResponse { item, revision, ..Default::default() })
        });
        Ok(Response::new(changes.boxed()))
    }
}

impl World {
    /// Changes one need of a trust.
    fn aside(
        &self,
        request_id: &str,
        (trust, need): (&str, &str),
        expected: Option<i64>,
        change: impl Fn(&mut Need),
    ) -> Result<(Need, i64), Status> {
        self.change(|records| {
            let at = records.needs.iter().position(|one| one.id == need && one.trust == trust);
            let at = at.ok_or_else(|| Status::not_found("there is no such need"))?;
            expect(expected, records.needs[at].revision)?;
            let revision = records.bump(request_id);
            let need = &mut records.needs[at];
            change(need);
            need.revision = revision;
            Ok((need.clone(), revision))
        })
    }

    /// Changes the live needs of a trust's cohort together.
    fn cohort(
        &self,
        request_id: &str,
        trust: &str,
        cohort: &str,
        change: impl Fn(&mut Need),
    ) -> Result<(Vec<Need>, i64), Status> {
        self.change(|records| {
            let is_of = |one: &Need| one.trust == trust && one.cohort == cohort && is_live(one);
            if !records.needs.iter().any(is_of) {
                return Err(Status::not_found("no live need of yours names this cohort"));
            }
            let revision = records.bump(request_id);
            let needs = records.needs.iter_mut().filter(|one| is_of(one)).map(|need| {
                change(need);
                need.revision = revision;
                need.clone()
            });
            Ok((needs.collect(), revision))
        })
    }
}

fn is_live(need: &Need) -> bool {
    use need::State;
    !matches!(
        need.state(),
        State::Met | State::Withdrawn | State::Expired | State::Unmet | State::ResolvedOutside
    )
}
