//! A handler that takes the same message, runs the same script, and does nothing else.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use anyhow::Result;
use fallow_api::v1::{PublishOfferRequest, PublishOfferResponse};
use fallow_ledger_redis::testing::Bare;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::ledger::script::plain;

/// Takes whatever comes for a `PublishOffer`.
#[derive(Clone)]
struct Handler {
    bare: Bare,
    number: Arc<AtomicU64>,
}

impl NamedService for Handler {
    const NAME: &'static str = "fallow.v1.CapacityService";
}

impl UnaryService<PublishOfferRequest> for Handler {
    type Response = PublishOfferResponse;
    type Future = BoxFuture<Response<PublishOfferResponse>, Status>;

    fn call(&mut self, request: Request<PublishOfferRequest>) -> Self::Future {
        let mut bare = self.bare.clone();
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            match bare.commit(&plain(number)).await {
                true => {
                    Ok(Response::new(PublishOfferResponse { offer: request.into_inner().offer, revision: 1 }))
                }
                false => Err(Status::unavailable("the store")),
            }
        })
    }
}

impl tonic::codegen::Service<http::Request<Body>> for Handler {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let handler = self.clone();
        Box::pin(async move {
            let codec = ProstCodec::<PublishOfferResponse, PublishOfferRequest>::default();
            Ok(Grpc::new(codec).unary(handler, request).await)
        })
    }
}

/// Serves until the process is killed.
pub(crate) async fn serve(url: &str, port: u16) -> Result<()> {
    let handler = Handler { bare: Bare::connect(url, "bare-handler").await?, number: Arc::default() };
    Ok(Server::builder().add_service(handler).serve((Ipv4Addr::LOCALHOST, port).into()).await?)
}
