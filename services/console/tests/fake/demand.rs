//! Needs, as far as the pages need them.

use fallow_api::v1::demand_service_server::DemandService;
use fallow_api::v1::*;
use futures::StreamExt;
use tokio_stream::wrappers::WatchStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use super::{World, expect};

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
                && (filter.states.is_empty() || filter.states.contains(&one.state))
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
            RaiseNeedResponse { need: Some(need), revision, already_live: false }
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
            need.max_travel_minutes = change.max_travel_minutes;
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
            let revision = records.bump(&asked.request_id);
            let need = &mut records.needs[at];
            need.set_state(need::State::ResolvedOutside);
            need.revision = revision;
            Ok(Response::new(ResolveNeedOutsideResponse { need: Some(need.clone()), revision }))
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
