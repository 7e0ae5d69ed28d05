//! Bad requests as they come over a real connection: the server is tonic's own, the client writes raw HTTP/2.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1::capacity_service_server::{CapacityService, CapacityServiceServer};
use fallow_api::v1::{self, GetOfferRequest, PublishOfferRequest, StreamOffersRequest, WatchOffersRequest};
use fallow_domain::ids::RegionId;
use http::{HeaderMap, Method, Request, StatusCode};
use prost::Message;
use tokio::sync::Notify;
use tonic::codegen::BoxStream;
use tonic::{Code, Response, Status, Streaming};

use super::{Denied, REQUEST_ID, RequestId, VERSION, Wire};
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::{Signer, SigningKey, Verifier, built_in, caller};
use crate::limits::Limits;
use crate::serve::{Running, Server};
use crate::tasks::Tasks;
use crate::telemetry;

mod abuse;
mod denied;
mod drain;
mod pushback;

const PUBLISH: &str = "/fallow.v1.CapacityService/PublishOffer";
const GET: &str = "/fallow.v1.CapacityService/GetOffer";
const WATCH: &str = "/fallow.v1.CapacityService/WatchOffers";
const STREAM: &str = "/fallow.v1.CapacityService/StreamOffers";
const UNREAL: &str = "/fallow.v1.CapacityService/ListOffers";

/// Says that a call that waits has arrived.
static ARRIVED: Notify = Notify::const_new();
/// Lets a call that waits go on.
static GO_ON: Notify = Notify::const_new();

/// A service that misbehaves as its request asks.
struct Moody;

#[tonic::async_trait]
impl CapacityService for Moody {
    async fn publish_offer(
        &self,
        request: tonic::Request<PublishOfferRequest>,
    ) -> Result<Response<v1::PublishOfferResponse>, Status> {
        let who = caller(&request)?;
        assert!(request.extensions().get::<RequestId>().is_some());
        match request.get_ref().request_id.as_str() {
            "panic" => panic!("on purpose"),
            "slow" => tokio::time::sleep(Duration::from_secs(30)).await,
            "away" => {
                return Err(Failure::StoreAway { retry_after: Duration::from_millis(1_500) }.into());
            }
            "waits" => {
                ARRIVED.notify_one();
                GO_ON.notified().await;
            }
            "raw" => return Err(Status::internal("connection to 10.0.0.7 lost")),
            _ => {}
        }
        assert_eq!(who.own_trust()?.as_str(), "ZA1");
        Ok(Response::new(v1::PublishOfferResponse { revision: 7, ..Default::default() }))
    }

    async fn get_offer(
        &self,
        request: tonic::Request<GetOfferRequest>,
    ) -> Result<Response<v1::GetOfferResponse>, Status> {
        if request.get_ref().offer == "slow" {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        Ok(Response::new(v1::GetOfferResponse { revision: 7, ..Default::default() }))
    }

    async fn watch_offers(
        &self,
        request: tonic::Request<WatchOffersRequest>,
    ) -> Result<Response<BoxStream<v1::WatchOffersResponse>>, Status> {
        let mood = request.into_inner().cursor;
        let first =
            futures::stream::iter([Ok(v1::WatchOffersResponse { revision: 1, ..Default::default() })]);
        let then = futures::stream::once(async move {
            // tonic drops what it would have sent in the moment of a failure, so the failure comes a moment later.
            tokio::task::yield_now().await;
            match mood.as_str() {
                "panic" => panic!("on purpose"),
                _ => Err(Status::internal("connection to 10.0.0.7 lost")),
            }
        });
        Ok(Response::new(Box::pin(futures::StreamExt::chain(first, then))))
    }

    async fn stream_offers(
        &self,
        request: tonic::Request<Streaming<StreamOffersRequest>>,
    ) -> Result<Response<BoxStream<v1::StreamOffersResponse>>, Status> {
        let answers = futures::StreamExt::map(request.into_inner(), |item| {
            item.map(|item| v1::StreamOffersResponse { source_seq: item.source_seq, result: None })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

struct World {
    address: SocketAddr,
    running: Running,
    tasks: Tasks,
    signer: Signer,
    manager: String,
    denied: Arc<Mutex<Vec<Denied>>>,
}

/// What came back.
#[derive(Debug)]
struct Got {
    http: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    problem: Option<Problem>,
}

impl Got {
    /// The code and the reason; `(Ok, "")` when the call succeeded.
    fn outcome(&self) -> (Code, &str) {
        self.problem.as_ref().map_or((Code::Ok, ""), |problem| (problem.code, problem.reason.as_str()))
    }
}

async fn world() -> World {
    let settings = [("limits.publish_burst", "1000"), ("limits.read_burst", "1000")];
    let config = Config::load(None, []).unwrap().with(&settings).unwrap();
    let region = RegionId::parse("north-vale").unwrap();
    let signer = Signer::new(SigningKey::generate().unwrap(), "fallow", "fallow", Clock::system());
    let verifier = Verifier::new(signer.key_set(), ("fallow", "fallow"), region, 10, Clock::system());
    let tasks = Tasks::new();
    let denied: Arc<Mutex<Vec<Denied>>> = Arc::default();
    let noted = denied.clone();
    let wire = Wire::new(verifier, Limits::new(&config.limits), &config.server, Clock::system())
        .noting(move |denied| noted.lock().unwrap().push(denied));
    let server = Server::new(wire).with(CapacityServiceServer::new(Moody));
    let running = server.start((config.listen.bind, 0), &config.server, &tasks).await.unwrap();
    let mut world =
        World { address: running.address, running, tasks, signer, manager: String::new(), denied };
    world.manager = world.token("bed-manager.ZA1");
    world
}

impl World {
    fn token(&self, name: &str) -> String {
        let user = built_in::user(name, &RegionId::parse("north-vale").unwrap()).unwrap();
        format!("Bearer {}", self.signer.issue(&user, Duration::from_secs(60)).unwrap())
    }

    fn request(&self, path: &str) -> http::request::Builder {
        Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/grpc")
            .header("authorization", &self.manager)
    }

    /// Sends a request with these bytes as its body, on a connection of its own.
    async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Got {
        let tcp = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
        self.tasks.spawn("client", async {
            // It ends when the test drops its side.
            let _ = connection.await;
        });
        let body = body.into();
        let (response, mut send) = client.send_request(request.body(()).unwrap(), false).unwrap();
        // A server that has seen enough closes its side, and the rest cannot be sent.
        let _ = send.send_data(body, true);
        let (head, mut stream) =
            tokio::time::timeout(Duration::from_secs(20), response).await.unwrap().unwrap().into_parts();
        let mut body = Vec::new();
        while let Some(Ok(data)) = stream.data().await {
            let _ = stream.flow_control().release_capacity(data.len());
            body.extend_from_slice(&data);
        }
        let trailers = stream.trailers().await.ok().flatten().unwrap_or_default();
        let status = Status::from_header_map(&trailers).or_else(|| Status::from_header_map(&head.headers));
        let problem = status.filter(|status| status.code() != Code::Ok).map(|status| Problem::from(&status));
        Got { http: head.status, headers: head.headers, body: body.into(), problem }
    }

    async fn call(&self, path: &str, message: &impl Message) -> Got {
        self.send(self.request(path), framed(message)).await
    }

    /// Asserts that the server still serves.
    async fn is_well(&self) {
        let got = self.call(GET, &GetOfferRequest::default()).await;
        assert_eq!(got.outcome(), (Code::Ok, ""), "{got:?}");
        assert_eq!(v1::GetOfferResponse::decode(&got.body[5..]).unwrap().revision, 7);
    }
}

/// A message with its prefix.
fn framed(message: &impl Message) -> Vec<u8> {
    frame(&message.encode_to_vec())
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(bytes);
    framed
}

fn publish(mood: &str) -> PublishOfferRequest {
    PublishOfferRequest { request_id: mood.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn a_good_call_is_served_and_named() {
    let world = world().await;
    let got = world.send(world.request(PUBLISH).header(REQUEST_ID, "feed-7"), framed(&publish("ok"))).await;
    assert_eq!(got.outcome(), (Code::Ok, ""), "{got:?}");
    assert_eq!(got.headers[REQUEST_ID], "feed-7");
    assert_eq!(got.headers[VERSION], concat!(env!("CARGO_PKG_VERSION"), " v1"));
    world.is_well().await;
}

/// What a server is helps whoever attacks it: only who says who they are is told.
#[tokio::test]
async fn nobody_unknown_is_told_the_version() {
    let world = world().await;
    let bare = |path: &str| {
        Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}{path}", world.address))
            .header("content-type", "application/grpc")
    };
    let refused = world.send(bare(GET), framed(&GetOfferRequest::default())).await;
    assert_eq!(refused.outcome().0, Code::Unauthenticated, "{refused:?}");
    assert!(!refused.headers.contains_key(VERSION), "{refused:?}");
    let open = world.send(bare("/grpc.health.v1.Health/Check"), frame(&[])).await;
    assert_eq!(open.outcome().0, Code::Ok, "{open:?}");
    assert!(!open.headers.contains_key(VERSION), "{open:?}");
    // Who is known and may not is told all the same.
    let gold = bare(PUBLISH).header("authorization", world.token("duty-lead"));
    let denied = world.send(gold, framed(&publish("ok"))).await;
    assert_eq!(denied.outcome().0, Code::PermissionDenied, "{denied:?}");
    assert!(denied.headers.contains_key(VERSION), "{denied:?}");
}

/// Without a credential all are one caller: nobody among them keeps the rest out by opening calls and sending nothing.
#[tokio::test]
async fn sign_ins_without_a_message_keep_nobody_from_signing_in() {
    const EXCHANGE: &str = "/fallow.v1.IdentityService/ExchangeToken";
    let world = world().await;
    let tcp = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(tcp).await.unwrap();
    world.tasks.spawn("client", async {
        // It ends when the test drops its side.
        let _ = connection.await;
    });
    let mut idle = Vec::new();
    for _ in 0..Config::load(None, []).unwrap().limits.calls {
        client = client.ready().await.unwrap();
        idle.push(client.send_request(world.request(EXCHANGE).body(()).unwrap(), false).unwrap());
    }
    world.is_well().await;
    let got = world.call(EXCHANGE, &v1::ExchangeTokenRequest::default()).await;
    // The server of this test has no such service behind the layer.
    assert_eq!(got.outcome().0, Code::Unimplemented, "{got:?}");
    drop(idle);
}

#[tokio::test]
async fn what_is_no_message_is_refused_by_name() {
    let world = world().await;
    let good = framed(&publish("ok"));
    let twice = [good.clone(), good.clone()].concat();
    for (what, body, code, reason) in [
        ("empty", vec![], Code::InvalidArgument, reasons::MISSING_MESSAGE),
        ("two messages", twice, Code::InvalidArgument, reasons::CARDINALITY),
        (
            "cut off",
            [&[0, 0, 0, 0, 200][..], &[1, 2, 3]].concat(),
            Code::InvalidArgument,
            reasons::MALFORMED_MESSAGE,
        ),
        ("half a prefix", vec![0, 0], Code::InvalidArgument, reasons::MALFORMED_MESSAGE),
        ("bad UTF-8", frame(&[0x0a, 2, 0xff, 0xfe]), Code::InvalidArgument, reasons::MALFORMED_MESSAGE),
        ("wrong wire type", frame(&[0x08, 1]), Code::InvalidArgument, reasons::MALFORMED_MESSAGE),
        (
            "endless varint",
            frame(&[0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            Code::InvalidArgument,
            reasons::MALFORMED_MESSAGE,
        ),
        ("group without end", frame(&[0x23; 300]), Code::InvalidArgument, reasons::MALFORMED_MESSAGE),
        ("compressed", vec![1, 0, 0, 0, 0], Code::InvalidArgument, reasons::BAD_FRAME),
        ("flag 7", vec![7, 0, 0, 0, 0], Code::InvalidArgument, reasons::BAD_FRAME),
        ("4 GiB announced", vec![0, 255, 255, 255, 255], Code::ResourceExhausted, reasons::MESSAGE_TOO_LARGE),
        ("one byte too large", vec![0, 0, 1, 0, 1], Code::ResourceExhausted, reasons::MESSAGE_TOO_LARGE),
        ("5 MiB", frame(&vec![0; 5 << 20]), Code::ResourceExhausted, reasons::MESSAGE_TOO_LARGE),
    ] {
        let got = world.send(world.request(PUBLISH), body).await;
        assert_eq!(got.outcome(), (code, reason), "{what}: {got:?}");
        let problem = got.problem.unwrap();
        let told = format!("{} {:?}", problem.text, problem.violations);
        assert!(!told.contains("Protobuf") && !told.contains("request_id"), "{what} tells too much: {told}");
    }
    let larger = world
        .send(world.request("/fallow.v1.CapacityService/ReplaceOffers"), frame(&vec![0xff; 70_000]))
        .await;
    assert_eq!(larger.outcome(), (Code::InvalidArgument, reasons::MALFORMED_MESSAGE), "its limit is larger");
    world.is_well().await;
}

#[tokio::test]
async fn what_is_no_grpc_is_answered_by_http() {
    let world = world().await;
    let get = Request::builder().method(Method::GET).uri(format!("http://{}{GET}", world.address));
    assert_eq!(world.send(get, "").await.http, StatusCode::METHOD_NOT_ALLOWED);
    for kind in [Some("application/json"), Some("application/grpc-web"), None] {
        let mut request =
            Request::builder().method(Method::POST).uri(format!("http://{}{GET}", world.address));
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        assert_eq!(world.send(request, "{}").await.http, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
    }
    world.is_well().await;
}

#[tokio::test]
async fn calls_that_do_not_exist_say_so_with_details() {
    let world = world().await;
    for path in ["/fallow.v1.CapacityService/Nothing", "/fallow.v9.X/Y", "/", "/a/b/c", UNREAL] {
        let got = world.call(path, &GetOfferRequest::default()).await;
        assert_eq!(got.outcome(), (Code::Unimplemented, reasons::UNKNOWN_METHOD), "{path}");
    }
    let other = world.call("/fallow.v1.DemandService/GetNeed", &v1::GetNeedRequest::default()).await;
    assert_eq!(other.outcome(), (Code::Unimplemented, reasons::UNKNOWN_METHOD), "served by another process");
}

#[tokio::test]
async fn deadlines_are_kept_and_their_end_is_said() {
    let world = world().await;
    for bad in ["100q", "-5S", "123456789S", "5", ""] {
        let got =
            world.send(world.request(PUBLISH).header("grpc-timeout", bad), framed(&publish("ok"))).await;
        assert_eq!(got.outcome(), (Code::InvalidArgument, reasons::BAD_DEADLINE), "{bad:?}");
    }
    let twice = world.request(PUBLISH).header("grpc-timeout", "1S").header("grpc-timeout", "2S");
    assert_eq!(world.send(twice, framed(&publish("ok"))).await.outcome().1, reasons::BAD_DEADLINE);
    for short in ["0S", "99m"] {
        let got =
            world.send(world.request(PUBLISH).header("grpc-timeout", short), framed(&publish("ok"))).await;
        assert_eq!(got.outcome(), (Code::InvalidArgument, reasons::DEADLINE_TOO_SHORT), "{short}");
    }
    let slow = world.request(PUBLISH).header("grpc-timeout", "150m");
    let got = world.send(slow, framed(&publish("slow"))).await;
    assert_eq!(got.outcome(), (Code::DeadlineExceeded, reasons::OUTCOME_UNKNOWN));
    let slow = world.request(GET).header("grpc-timeout", "50m");
    let got = world.send(slow, framed(&GetOfferRequest { offer: "slow".to_owned() })).await;
    assert_eq!(got.outcome(), (Code::DeadlineExceeded, reasons::DEADLINE_PASSED));
    world.is_well().await;
}

#[tokio::test]
async fn who_calls_is_known_before_anything_is_done() {
    let world = world().await;
    let bare = |path: &str| {
        Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}{path}", world.address))
            .header("content-type", "application/grpc")
    };
    let body = || framed(&publish("ok"));
    assert_eq!(
        world.send(bare(PUBLISH), body()).await.outcome(),
        (Code::Unauthenticated, reasons::NO_CREDENTIALS)
    );
    let twice = world.request(PUBLISH).header("authorization", &world.manager);
    assert_eq!(
        world.send(twice, body()).await.outcome(),
        (Code::Unauthenticated, reasons::AMBIGUOUS_CREDENTIALS)
    );
    let gold = bare(PUBLISH).header("authorization", world.token("duty-lead"));
    assert_eq!(world.send(gold, body()).await.outcome(), (Code::PermissionDenied, reasons::ROLE_FORBIDS));
    let garbled = world.request(PUBLISH).header("trace-bin", "*not base64*");
    assert_eq!(world.send(garbled, body()).await.outcome(), (Code::InvalidArgument, reasons::BAD_METADATA));
    let zipped = world.request(PUBLISH).header("grpc-encoding", "gzip");
    assert_eq!(
        world.send(zipped, body()).await.outcome(),
        (Code::Unimplemented, reasons::COMPRESSION_UNSUPPORTED)
    );
}

#[tokio::test]
async fn our_mistakes_cost_one_call_and_tell_nothing() {
    let spans = telemetry::in_memory();
    let world = world().await;
    let mut answers =
        vec![world.call(PUBLISH, &publish("panic")).await, world.call(PUBLISH, &publish("raw")).await];
    for mood in ["panic", "raw"] {
        let got =
            world.call(WATCH, &WatchOffersRequest { cursor: mood.to_owned(), ..Default::default() }).await;
        assert_eq!(
            v1::WatchOffersResponse::decode(&got.body[5..]).unwrap().revision,
            1,
            "the first item came"
        );
        answers.push(got);
    }
    for got in &answers {
        assert_eq!(got.outcome(), (Code::Internal, reasons::BUG), "{got:?}");
        let text = format!("{:?}", got.problem);
        assert!(!text.contains("10.0.0.7") && !text.contains("purpose"), "{text}");
    }
    // The trace id in the answer finds the call.
    let trace = answers[0].problem.as_ref().unwrap().numbers["trace_id"].clone();
    let finished = spans.get_finished_spans().unwrap();
    let span = finished.iter().find(|span| span.span_context.trace_id().to_string() == trace).unwrap();
    assert_eq!(span.name, "fallow.v1.CapacityService/PublishOffer");
    let says = |key: &str, value: &str| {
        span.attributes.iter().any(|pair| pair.key.as_str() == key && pair.value.as_str() == value)
    };
    assert!(says("rpc.response.status_code", "INTERNAL") && says("fallow.trust", "ZA1"), "{span:?}");
    world.is_well().await;
}

#[tokio::test]
async fn a_call_belongs_to_the_trace_of_its_caller() {
    let spans = telemetry::in_memory();
    let world = world().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = world.request(GET).header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    world.send(request, framed(&GetOfferRequest::default())).await;
    world.tasks.finish(Duration::from_secs(10)).await.unwrap();
    let finished = spans.get_finished_spans().unwrap();
    assert!(finished.iter().any(|span| span.span_context.trace_id().to_string() == trace
        && span.parent_span_id.to_string() == "00f067aa0ba902b7"));
}

#[tokio::test]
async fn a_stream_is_held_to_the_same_rules_message_by_message() {
    let world = world().await;
    let item = |source_seq| framed(&StreamOffersRequest { source_seq, ..Default::default() });
    let good = world.send(world.request(STREAM), [item(1), item(2)].concat()).await;
    assert_eq!(good.outcome(), (Code::Ok, ""));
    assert_eq!(good.body.len(), 2 * framed(&v1::StreamOffersResponse { source_seq: 1, result: None }).len());
    for (what, tail, code, reason) in [
        ("too large", vec![0, 0, 2, 0, 0], Code::ResourceExhausted, reasons::MESSAGE_TOO_LARGE),
        ("compressed", vec![1, 0, 0, 0, 0], Code::InvalidArgument, reasons::BAD_FRAME),
        ("cut off", vec![0, 0, 0, 0, 9, 1], Code::InvalidArgument, reasons::MALFORMED_MESSAGE),
        ("unreadable", frame(&[0x0a, 2, 0xff, 0xfe]), Code::InvalidArgument, reasons::MALFORMED_MESSAGE),
    ] {
        let got = world.send(world.request(STREAM), [item(1), tail].concat()).await;
        assert_eq!(got.outcome(), (code, reason), "{what}: {got:?}");
    }
    world.is_well().await;
}

#[tokio::test]
async fn health_follows_readiness_and_the_end() {
    use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
    let world = world().await;
    let check = async |service: &str| {
        // Health is open to all and needs no right.
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{}/grpc.health.v1.Health/Check", world.address))
            .header("content-type", "application/grpc");
        let got = world.send(request, framed(&HealthCheckRequest { service: service.to_owned() })).await;
        got.body.get(5..).map(|body| HealthCheckResponse::decode(body).unwrap().status().as_str_name())
    };
    for service in ["", "fallow.v1.CapacityService"] {
        assert_eq!(check(service).await, Some("NOT_SERVING"), "{service:?}");
    }
    world.running.ready().await;
    for service in ["", "fallow.v1.CapacityService"] {
        assert_eq!(check(service).await, Some("SERVING"), "{service:?}");
    }
    assert_eq!(check("fallow.v1.DemandService").await, None);
    world.running.not_ready().await;
    assert_eq!(check("").await, Some("NOT_SERVING"));
    world.tasks.finish(Duration::from_secs(10)).await.unwrap();
    assert!(tokio::net::TcpStream::connect(world.address).await.is_err(), "nothing new is accepted");
}
