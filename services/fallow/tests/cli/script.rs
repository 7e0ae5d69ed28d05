//! A server that answers just the calls a test scripts, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use fallow_api::json::{self, Message};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use serde::Serialize;
use tokio::net::TcpListener;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;
use tower::service_fn;

type Answer = Arc<dyn Fn(http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> + Send + Sync>;
type Seen = Arc<Mutex<Vec<String>>>;

/// The calls that a server answers. Any other is UNIMPLEMENTED, which a command under test reports as a failure.
#[derive(Clone, Default)]
pub(crate) struct Script {
    answers: Arc<Mutex<HashMap<&'static str, Answer>>>,
    seen: Seen,
    /// The credential of each call.
    credentials: Seen,
    /// The name of each call, answered or not.
    paths: Seen,
    /// What the services say of themselves beside each answer; nothing where it is empty.
    version: Arc<Mutex<&'static str>>,
}

impl Script {
    /// Answers a call, named such as `CapacityService/ListOffers`.
    pub(crate) fn on<Q, A>(
        &self,
        call: &'static str,
        answer: impl Fn(Q) -> Result<A, Status> + Send + Sync + 'static,
    ) -> &Self
    where
        Q: Message + prost::Message + Serialize + Default + 'static,
        A: prost::Message + Default + 'static,
    {
        let (answer, seen) = (Arc::new(answer), self.seen.clone());
        self.add(call, move |request| {
            let (answer, seen) = (answer.clone(), seen.clone());
            async move {
                let service = service_fn(move |request: Request<Q>| {
                    remember(&seen, call, &request);
                    std::future::ready(answer(request.into_inner()).map(Response::new))
                });
                Grpc::new(ProstCodec::<A, Q>::default()).unary(service, request).await.map(Body::new)
            }
            .boxed()
        })
    }

    /// Answers a call by a message that says nothing, whatever is asked.
    pub(crate) fn says_nothing(&self, call: &'static str) -> &Self {
        self.add(call, |request| {
            async move {
                let service = service_fn(|_: Request<()>| std::future::ready(Ok(Response::new(()))));
                Grpc::new(ProstCodec::<(), ()>::default()).unary(service, request).await.map(Body::new)
            }
            .boxed()
        })
    }

    /// Answers a watch: the messages and statuses of one stream after the other, each opened by one call.
    pub(crate) fn watch<Q, A>(&self, call: &'static str, streams: Vec<Vec<Result<A, Status>>>) -> &Self
    where
        Q: Message + prost::Message + Serialize + Default + 'static,
        A: prost::Message + Default + Clone + 'static,
    {
        self.watch_paced::<Q, A>(call, Duration::ZERO, streams)
    }

    /// Answers a watch, each message so long after what came before it.
    pub(crate) fn watch_paced<Q, A>(
        &self,
        call: &'static str,
        after: Duration,
        streams: Vec<Vec<Result<A, Status>>>,
    ) -> &Self
    where
        Q: Message + prost::Message + Serialize + Default + 'static,
        A: prost::Message + Default + Clone + 'static,
    {
        self.watch_late::<Q, A>(call, Duration::ZERO, after, streams)
    }

    /// Answers a watch, but only so long after it was asked for, and then each message so long after what came before it.
    pub(crate) fn watch_late<Q, A>(
        &self,
        call: &'static str,
        late: Duration,
        after: Duration,
        streams: Vec<Vec<Result<A, Status>>>,
    ) -> &Self
    where
        Q: Message + prost::Message + Serialize + Default + 'static,
        A: prost::Message + Default + Clone + 'static,
    {
        let wait = async move || {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
        };
        let (streams, seen) = (Arc::new(Mutex::new(streams.into_iter())), self.seen.clone());
        self.add(call, move |request| {
            let (streams, seen) = (streams.clone(), seen.clone());
            async move {
                let service = service_fn(move |request: Request<Q>| {
                    remember(&seen, call, &request);
                    let next = streams.lock().unwrap().next();
                    let paced = move |item| async move {
                        wait().await;
                        item
                    };
                    let answer = next.map(|items| Response::new(stream::iter(items).then(paced)));
                    async move {
                        tokio::time::sleep(late).await;
                        answer.ok_or_else(|| Status::permission_denied("the script ends here"))
                    }
                });
                Grpc::new(ProstCodec::<A, Q>::default())
                    .server_streaming(service, request)
                    .await
                    .map(Body::new)
            }
            .boxed()
        })
    }

    /// Says beside each answer what the services are.
    pub(crate) fn says(&self, version: &'static str) {
        *self.version.lock().unwrap() = version;
    }

    /// Answers every question after the health of a service.
    pub(crate) fn serves(&self) -> &Self {
        self.is_of_health(ServingStatus::Serving)
    }

    /// Answers every question after the health of a service by this.
    pub(crate) fn is_of_health(&self, health: ServingStatus) -> &Self {
        self.add("grpc.health.v1.Health/Check", move |request| {
            async move {
                let service = service_fn(move |_: Request<HealthCheckRequest>| {
                    let status = health.into();
                    std::future::ready(Ok(Response::new(HealthCheckResponse { status })))
                });
                let codec = ProstCodec::<HealthCheckResponse, HealthCheckRequest>::default();
                Grpc::new(codec).unary(service, request).await.map(Body::new)
            }
            .boxed()
        })
    }

    fn add(
        &self,
        call: &'static str,
        answer: impl Fn(http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> + Send + Sync + 'static,
    ) -> &Self {
        self.answers.lock().unwrap().insert(call, Arc::new(answer));
        self
    }

    /// Returns what was asked since the last look, each call with its request as Fallow JSON.
    pub(crate) fn take_seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Returns the credential of each call since the last look, `Bearer …`.
    pub(crate) fn take_credentials(&self) -> Vec<String> {
        std::mem::take(&mut self.credentials.lock().unwrap())
    }

    /// Returns the name of each call since the last look, such as `CapacityService/ListOffers`, answered or not.
    pub(crate) fn take_paths(&self) -> Vec<String> {
        std::mem::take(&mut self.paths.lock().unwrap())
    }

    /// Serves on a port of its own; returns the address.
    pub(crate) async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (answers, credentials, paths) =
            (self.answers.clone(), self.credentials.clone(), self.paths.clone());
        let version = self.version.clone();
        let router = Router::new().fallback(move |request: http::Request<Body>| {
            let shown = request.headers().get("authorization").and_then(|shown| shown.to_str().ok());
            credentials.lock().unwrap().push(shown.unwrap_or_default().to_owned());
            let path = request.uri().path().trim_start_matches('/');
            let path = path.trim_start_matches("fallow.v1.").to_owned();
            paths.lock().unwrap().push(path.clone());
            let answer = answers.lock().unwrap().get(path.as_str()).cloned();
            let version = *version.lock().unwrap();
            async move {
                let mut response = match answer {
                    Some(answer) => answer(request).await,
                    None => Status::unimplemented(format!("no script for {path}")).into_http::<Body>(),
                };
                if !version.is_empty() {
                    let said = http::HeaderValue::from_static(version);
                    response.headers_mut().insert(fallow_host::wire::VERSION, said);
                }
                response
            }
        });
        #[expect(clippy::disallowed_methods, reason = "a test's own server ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

fn remember<Q: Message + Serialize>(seen: &Seen, call: &str, request: &Request<Q>) {
    let signed = if request.metadata().contains_key("authorization") { "" } else { " (without credential)" };
    let asked = json::to_string(request.get_ref()).unwrap();
    seen.lock().unwrap().push(format!("{call}{signed} {asked}"));
}
