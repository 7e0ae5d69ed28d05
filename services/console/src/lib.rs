//! The console: Fallow's pages for people, server-rendered, live without reload, working without JavaScript.
//!
//! It is a gRPC client like any other, with nothing that other clients lack: each page is read with the credential of the
//! person who looks at it. A page lies in one folder of `src/pages`: its handlers, its view model and its templates.
//!
//! Updates are *poke and pull* (see `live`): a stream of events says only that something changed, and the page fetches
//! its fragments again by their ETags. Where the stream does not get through, the page asks every ten seconds.

use std::io;
use std::time::Duration;

use fallow_host::clock::Clock;
use fallow_host::tasks::Tasks;
use jiff::tz::TimeZone;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;

mod app;
mod assets;
mod demo;
mod directory;
mod form;
mod live;
mod on_their_way;
mod pages;
mod parked;
mod preferences;
mod problem;
mod provider;
mod rights;
mod routes;
mod session;
mod upstream;
mod words;

pub use demo::{Demo, Fault, Faults};
pub use provider::AtProvider;
pub use session::TokenIssuer;
pub use upstream::Endpoints;

/// The zone in which times are shown.
const ZONE: &str = "Europe/London";

/// How the console is set up.
#[derive(Clone)]
pub struct Settings {
    /// Where the services are, and by which certificate they are reached: whenever that is another, the console connects
    /// anew.
    pub endpoints: watch::Receiver<Endpoints>,
    /// Makes the console's own credential, role `console`, with which it hears that something changed.
    pub credential: TokenIssuer,
    /// How people sign in.
    pub sign_in: SignIn,
    /// Set in a demonstration, whose pages say that nothing is kept and nothing is secret.
    pub demo: Option<Demo>,
    /// How long a session lives without its person doing anything; 15 minutes at most.
    pub idle: Duration,
    /// Whether people reach the console by https, so that the cookie must not travel otherwise.
    pub https: bool,
}

/// How people sign in.
#[derive(Clone)]
pub enum SignIn {
    /// As one of the built-in users, without a password: for development and tests only.
    BuiltIn(Vec<BuiltInUser>),
    /// At the identity provider.
    Provider(Box<AtProvider>),
    /// With an access token.
    AccessToken,
}

/// A built-in user, to be chosen from a list.
#[derive(Debug, Clone)]
pub struct BuiltInUser {
    /// The name of the trust, or `Region` for roles above trusts.
    pub place: String,
    /// Makes the user's credentials, and says who they are.
    pub issuer: TokenIssuer,
}

/// Why the console cannot run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The zone files built into the binary lack the zone.
    #[error("the time zone {ZONE} is not known")]
    Zone(#[source] jiff::Error),
    /// The listener failed.
    #[error("the console stopped listening")]
    Listen(#[source] io::Error),
}

/// Serves the console on a listener until the tasks are told to stop. Open streams end then, so that it ends soon.
///
/// # Errors
/// The time zone is not known, or the listener fails.
pub async fn serve(
    settings: Settings,
    clock: Clock,
    tasks: Tasks,
    listener: TcpListener,
) -> Result<(), ServeError> {
    let zone = TimeZone::get(ZONE).map_err(ServeError::Zone)?;
    let app = app::App::new(settings, clock, tasks.clone(), zone);
    let (mut endpoints, upstream) = (app.settings.endpoints.clone(), app.upstream.clone());
    let stopping = tasks.stopping();
    tasks.spawn("console connections", async move {
        let renewing = async {
            while endpoints.changed().await.is_ok() {
                upstream.replace(&endpoints.borrow_and_update());
            }
        };
        tokio::select! {
            () = renewing => {}
            () = stopping => {}
        }
    });
    app.live.follow(&app.upstream, &app.settings.credential, &tasks);
    axum::serve(listener, routes::router(app))
        .with_graceful_shutdown(tasks.stopping())
        .await
        .map_err(ServeError::Listen)
}
