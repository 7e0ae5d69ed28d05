//! Against the real provider's protocol and an identity service that does as it is told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use axum::extract::State;
use fallow_api::v1;
use fallow_api::v1::identity_service_server::{IdentityService, IdentityServiceServer};
use fallow_domain::ids::RegionId;
use fallow_host::identity::provider::{Options, Secret};
use fallow_host::identity::{Signer, SigningKey, built_in};
use fallow_host::tasks::Tasks;
use fallow_issuer::{Issuer, Person};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};

use super::*;
use crate::app::Visit;
use crate::pages::sign_in::sign_out;
use crate::session::{Presence, Token, TokenIssuer, Viewer};
use crate::{Endpoints, Settings, SignIn};

const MANAGER: &str = "900000000001";
const PATIENCE: Duration = Duration::from_secs(30);

/// An identity service: its credentials last as long as it is told, and it fails as it is told.
#[derive(Default)]
struct Fake {
    lasts: AtomicI64,
    fails: Mutex<Option<Status>>,
    exchanged: AtomicU64,
    /// The credential that the last exchange showed.
    last: Mutex<String>,
}

#[derive(Clone, Default)]
struct Served(Arc<Fake>);

#[tonic::async_trait]
impl IdentityService for Served {
    async fn get_provider(
        &self,
        _: Request<v1::GetProviderRequest>,
    ) -> Result<Response<v1::GetProviderResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn exchange_token(
        &self,
        request: Request<v1::ExchangeTokenRequest>,
    ) -> Result<Response<v1::ExchangeTokenResponse>, Status> {
        *self.0.last.lock().unwrap() = request.into_inner().credential;
        if let Some(status) = self.0.fails.lock().unwrap().clone() {
            return Err(status);
        }
        let number = self.0.exchanged.fetch_add(1, Ordering::SeqCst) + 1;
        let ends = Clock::system().now() + SignedDuration::from_secs(self.0.lasts.load(Ordering::SeqCst));
        Ok(Response::new(v1::ExchangeTokenResponse {
            token: format!("credential-{number}"),
            expires_at: Some(time::to_wire(ends)),
            assurance: 2,
            ..Default::default()
        }))
    }

    async fn end_session(
        &self,
        _: Request<v1::EndSessionRequest>,
    ) -> Result<Response<v1::EndSessionResponse>, Status> {
        Ok(Response::new(v1::EndSessionResponse {}))
    }

    async fn log_out(&self, _: Request<v1::LogOutRequest>) -> Result<Response<v1::LogOutResponse>, Status> {
        Ok(Response::new(v1::LogOutResponse {}))
    }
}

struct World {
    app: App,
    at: AtProvider,
    issuer: Issuer,
    fake: Arc<Fake>,
    held: Arc<Held>,
    tasks: Tasks,
}

/// A person whose tokens and credential are always about to end, so that each request renews both.
async fn world() -> World {
    let tasks = Tasks::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let people = vec![Person::with_role(MANAGER, "Bed manager", "ZA1", ("R8008", &[]))];
    let client = fallow_issuer::Client { id: "console".to_owned(), ..Default::default() };
    let issuer = Issuer::new(&listener, people, vec![client]).unwrap();
    issuer.set_token_life(Duration::from_secs(30));
    let serving = issuer.clone().serve(listener, tasks.stopping());
    tasks.spawn("issuer", async move { serving.await.unwrap() });

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let services = format!("http://{}", listener.local_addr().unwrap());
    let served = Served::default();
    served.0.lasts.store(30, Ordering::SeqCst);
    let fake = served.0.clone();
    let stopping = tasks.stopping();
    tasks.spawn("services", async move {
        let server = Server::builder().add_service(IdentityServiceServer::new(served));
        server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopping).await.unwrap();
    });

    let options = Options {
        issuer: issuer.address().to_owned(),
        algorithm: "EdDSA".to_owned(),
        clients: vec!["console".to_owned()],
        authorities: None,
        leeway_seconds: 30,
    };
    let at = AtProvider {
        provider: Provider::new(options, Clock::system()).unwrap(),
        client: Client { id: "console".to_owned(), secret: None, scopes: "openid".to_owned() },
        address: "http://127.0.0.1:9".to_owned(),
        sign_in_acr: String::new(),
        step_up_acr: String::new(),
    };
    let region = RegionId::parse("north-vale").unwrap();
    let signer = Signer::new(SigningKey::generate().unwrap(), "fallow", "fallow", Clock::system());
    let settings = Settings {
        endpoints: tokio::sync::watch::channel(Endpoints::all_at(&Endpoint::from_shared(services).unwrap()))
            .1,
        credential: TokenIssuer::new(signer, built_in::user("console", &region).unwrap()),
        sign_in: SignIn::Provider(Box::new(at.clone())),
        demo: None,
        idle: Duration::from_secs(900),
        https: false,
    };
    let app = App::new(settings, Clock::system(), tasks.clone(), TimeZone::UTC);
    let (id_token, access_token) = issuer.sign_in(MANAGER, "console", 2).unwrap();
    let refresh_token = issuer.refresh_token(&id_token).unwrap();
    let tokens = Tokens {
        id_token: Secret::new(&id_token),
        access_token: Secret::new(&access_token),
        refresh_token: Some(Secret::new(&refresh_token)),
        lasts: Duration::from_secs(30),
    };
    let held = Held::exchange(&app, tokens, "").await.unwrap().held;
    World { app, at, issuer, fake, held, tasks }
}

impl World {
    async fn credential(&self) -> Result<String, Problem> {
        tokio::time::timeout(PATIENCE, self.held.credential(&self.app, &self.at)).await.unwrap()
    }

    async fn end(self) {
        drop(self.app);
        self.tasks.finish(PATIENCE).await.unwrap();
    }
}

#[tokio::test]
async fn what_came_for_a_refresh_token_is_not_lost_with_the_request_that_asked() {
    let world = world().await;
    // The browser hangs up as soon as the provider has taken the refresh token, which is good once.
    let (held, app, at) = (world.held.clone(), world.app.clone(), world.at.clone());
    let asking = async move { held.credential(&app, &at).await };
    let mut asking = Box::pin(asking);
    while world.issuer.refreshed() == 0 {
        assert!(futures::poll!(asking.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    drop(asking);
    assert_eq!(world.issuer.refreshed(), 1);
    assert!(world.credential().await.is_ok());
    assert!(world.issuer.refreshed() >= 2, "and what came for it is used");
    world.end().await;
}

/// Also where the credential has ended and no new one can be had.
#[tokio::test]
async fn who_leaves_is_signed_out_while_nobody_answers() {
    let world = world().await;
    let viewer = Viewer { subject: MANAGER.to_owned(), role: "bed_manager".to_owned(), trust: None };
    let id = world.app.sessions.begin(viewer, Token::Held(world.held.clone()));
    let csrf = world.app.sessions.find(&id, Presence::Page).unwrap().csrf;
    *world.fake.fails.lock().unwrap() = Some(Status::unavailable("away"));
    world.held.state.lock().await.credential_ends = Instant::now();
    let leave = async |csrf: &str| {
        let request = http::Request::post("/sign-out")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", format!("fallow_session={id}"))
            .body(axum::body::Body::from(format!("csrf={csrf}")))
            .unwrap();
        sign_out(State(world.app.clone()), request).await
    };
    assert_eq!(leave("guess").await.status(), 403);
    assert!(world.app.sessions.find(&id, Presence::Page).is_some(), "nobody else signs them out");
    let response = leave(&csrf).await;
    assert!(!response.status().is_server_error() && !response.status().is_client_error(), "{response:?}");
    assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("fallow_session=over;"));
    assert!(world.app.sessions.find(&id, Presence::Page).is_none());
    world.end().await;
}

#[tokio::test]
async fn one_sign_in_is_told_from_another_by_its_person_and_time() {
    let world = world().await;
    let held = |sub: &str, signed_in_at| {
        let state = world.held.state.clone();
        Held { sid: None, sub: sub.to_owned(), signed_in_at, state }
    };
    assert!(world.held.signed_in_at > 0, "the provider says when");
    assert!(held("ana", 7).is_apart_from(&held("ana", 8)));
    assert!(held("ana", 7).is_apart_from(&held("ben", 7)));
    // A provider that asked for nothing anew: to end the first is to end both.
    assert!(!held("ana", 7).is_apart_from(&held("ana", 7)));
    world.end().await;
}

#[tokio::test]
async fn requests_of_one_person_share_a_renewal() {
    let world = world().await;
    world.fake.lasts.store(300, Ordering::SeqCst);
    let all = futures::future::join_all((0..10).map(|_| world.credential())).await;
    assert!(all.iter().all(|one| one.as_deref() == Ok("credential-2")), "{all:?}");
    assert_eq!((world.issuer.refreshed(), world.fake.exchanged.load(Ordering::SeqCst)), (1, 2));
    world.end().await;
}

#[tokio::test]
async fn what_fails_for_a_moment_signs_nobody_out_and_an_end_does() {
    let world = world().await;
    let viewer = Viewer { subject: MANAGER.to_owned(), role: "bed_manager".to_owned(), trust: None };
    let id = world.app.sessions.begin(viewer, Token::Held(world.held.clone()));
    let fail = |status: Option<Status>| *world.fake.fails.lock().unwrap() = status;
    let visit = async || {
        let request = http::Request::get("/capacity").header("cookie", format!("fallow_session={id}"));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Visit::of_person(&parts, &world.app).await.map(drop).map_err(|response| response.status().as_u16())
    };
    // While the old credential lasts, nobody notices.
    fail(Some(Status::unavailable("away")));
    assert_eq!(visit().await, Ok(()));
    // It has ended meanwhile: a page says so, and the session goes on.
    world.held.state.lock().await.credential_ends = Instant::now();
    assert_eq!(visit().await, Err(503));
    assert!(world.app.sessions.find(&id, Presence::Page).is_some());
    fail(None);
    world.held.state.lock().await.failed = None;
    assert_eq!(visit().await, Ok(()));
    // A refresh token that the provider takes no more, and a session that is over.
    world.issuer.end_sessions_of(MANAGER).await.unwrap();
    world.held.state.lock().await.credential_ends = Instant::now();
    assert_eq!(visit().await, Err(303));
    assert!(world.app.sessions.find(&id, Presence::Page).is_none());
    world.end().await;
}

#[tokio::test]
async fn work_that_outlives_a_credential_goes_on_with_another() {
    let world = world().await;
    world.issuer.set_renews_id_tokens(false);
    let viewer = Viewer { subject: MANAGER.to_owned(), role: "bed_manager".to_owned(), trust: None };
    let id = world.app.sessions.begin(viewer, Token::Held(world.held.clone()));
    let request = http::Request::get("/upload").header("cookie", format!("fallow_session={id}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let visit = Visit::of_person(&parts, &world.app).await.ok().unwrap();
    let before = world.fake.exchanged.load(Ordering::SeqCst);
    assert!(visit.renewed().await.is_ok());
    assert_eq!(world.fake.exchanged.load(Ordering::SeqCst), before + 1);
    let last = world.fake.last.lock().unwrap().clone();
    assert_eq!(
        last,
        format!("credential-{before}"),
        "with the last credential, for there is no new ID token"
    );
    world.app.sessions.end(&id);
    assert_eq!(visit.renewed().await.err().unwrap().kind, Kind::SignedOut);
    drop(visit);
    world.end().await;
}
