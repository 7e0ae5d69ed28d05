//! The region, as far as the pages need it.

use fallow_api::v1::monitor_service_server::MonitorService;
use fallow_api::v1::*;
use futures::StreamExt;
use tokio_stream::wrappers::WatchStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use super::World;

#[tonic::async_trait]
impl MonitorService for World {
    async fn get_region(
        &self,
        request: Request<GetRegionRequest>,
    ) -> Result<Response<GetRegionResponse>, Status> {
        self.caller(&request)?;
        let region = self.records().region.clone();
        Ok(Response::new(GetRegionResponse { region: Some(region), ..Default::default() }))
    }

    async fn get_situation(
        &self,
        request: Request<GetSituationRequest>,
    ) -> Result<Response<GetSituationResponse>, Status> {
        self.caller(&request)?;
        let situation = self.records().situation.clone();
        Ok(Response::new(GetSituationResponse { situation: Some(situation), ..Default::default() }))
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
}
