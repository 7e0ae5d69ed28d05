//! A handler that takes the same message, runs the same script, and does nothing else; or one that also verifies the same
//! credential, and whose region is followed as a service's is.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use fallow_api::v1::{PublishOfferRequest, PublishOfferResponse};
use fallow_domain::offer::Offer;
use fallow_host::config::Config;
use fallow_host::identity::{Identity, Verifier};
use fallow_ledger::follow::follow;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::Record;
use fallow_ledger::{Commit, Key};
use fallow_ledger_redis::testing::Bare;
use fallow_ledger_redis::{Options, RedisLedger};
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::ledger::script::plain;

/// The region of the handler that is nothing else.
const REGION: &str = "bare-handler";
/// The region of the one that is followed.
const FOLLOWED: &str = "followed-handler";
/// An offer as a picture reads it, of about the size of what the script writes otherwise.
const OFFER: &str = r#"{"id":"0198c2aa-7f3e-7cc1-9d52-3f0f3f6f0001","trust":"ZA1","site":"ZA101",
    "source_key":"ZA101 step-down","resource":{"kind":"BED","code":"STEP_DOWN"},
    "figures":{"staffed":12,"occupied":9,"blocked":0,"held":1,"committed":0},
    "window":{"from":"2026-11-24T08:00:00Z","until":"2026-11-26T08:00:00Z"},"state":"OPEN",
    "reported_at":"2026-11-24T07:29:48Z","source":"FEED","cadence":"PT4H"}"#;

/// Takes whatever comes for a `PublishOffer`.
#[derive(Clone)]
struct Handler {
    bare: Bare,
    number: Arc<AtomicU64>,
    /// What it does beside the script.
    beside: Option<Arc<Beside>>,
}

/// What a service cannot do without.
struct Beside {
    verifier: Verifier,
    /// What is written: its follower reads it.
    body: bytes::Bytes,
}

impl Beside {
    fn commit(&self, number: u64) -> Commit {
        let plain = plain(number);
        let written: Vec<Key> = plain.writes.keys().cloned().collect();
        written.into_iter().fold(plain, |commit, key| commit.writing(key, self.body.clone()))
    }
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
        let beside = self.beside.clone();
        Box::pin(async move {
            let commit = match &beside {
                Some(beside) => {
                    beside.verifier.caller_of(&request.metadata().clone().into_headers())?;
                    beside.commit(number)
                }
                None => plain(number),
            };
            match bare.commit(&commit).await {
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

/// Serves until the process is killed. Where it is `followed`, it verifies credentials by the settings of the environment, and
/// follows its region; a second such process that nobody calls is the other follower that a service's region has.
pub(crate) async fn serve(url: &str, port: u16, followed: bool) -> Result<()> {
    let region = if followed { FOLLOWED } else { REGION };
    let mut following = JoinSet::new();
    let beside = if followed {
        let config = Config::load(None, std::env::vars())?;
        let offer: Offer = serde_json::from_str(OFFER).context("the offer that is written")?;
        let ledger = Arc::new(RedisLedger::connect(url, region, Options::default()).await?);
        following.spawn(follow(ledger, Arc::new(Picture::default())));
        Some(Arc::new(Beside {
            verifier: Identity::open(&config)?.verifier,
            body: Record::Offer(offer).encode(),
        }))
    } else {
        None
    };
    let handler = Handler { bare: Bare::connect(url, region).await?, number: Arc::default(), beside };
    Ok(Server::builder().add_service(handler).serve((Ipv4Addr::LOCALHOST, port).into()).await?)
}
