//! What the pages share: the services, the sessions, the clock, and one person's visit.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use fallow_host::clock::Clock;
use fallow_host::tasks::Tasks;
use http::header::COOKIE;
use http::request::Parts;
use http::{Method, StatusCode};
use jiff::tz::TimeZone;

use crate::directory::Directory;
use crate::live::Live;
use crate::pages::problem;
use crate::parked::Parked;
use crate::preferences::Preferences;
use crate::problem::{Kind, Problem};
use crate::provider::OnTheirWay;
use crate::session::{Presence, Sessions, Signed, Viewer};
use crate::upstream::{Calls, Upstream};
use crate::words::time::Now;
use crate::{Settings, SignIn};

/// The cookie that carries a session's name.
pub(crate) const COOKIE_NAME: &str = "fallow_session";

/// The reason with which a call asks for a stronger sign-in.
const AAL_TOO_LOW: &str = "AAL_TOO_LOW";

/// The header by which a page says that its person is typing, although they have sent nothing yet.
const PRESENT: &str = "x-fallow-present";

/// The console. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) upstream: Upstream,
    pub(crate) sessions: Sessions,
    /// Forms that wait for their person to sign in again.
    pub(crate) parked: Parked,
    /// People who are at the identity provider.
    pub(crate) on_their_way: OnTheirWay,
    pub(crate) live: Live,
    pub(crate) tasks: Tasks,
    clock: Clock,
    zone: TimeZone,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(crate) fn new(settings: Settings, clock: Clock, tasks: Tasks, zone: TimeZone) -> Self {
        let upstream = Upstream::new(&settings.endpoints);
        let (sessions, live) = (Sessions::new(settings.idle), Live::new());
        let (parked, on_their_way) = (Parked::default(), OnTheirWay::default());
        Self(Arc::new(Inner { settings, upstream, sessions, parked, on_their_way, live, tasks, clock, zone }))
    }

    /// Returns the moment for which a page is made.
    pub(crate) fn now(&self) -> Now {
        Now { at: self.clock.now(), zone: self.zone.clone() }
    }
}

/// One request of a signed-in person, with everything a page needs to answer it.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) app: App,
    pub(crate) signed: Signed,
    /// The services with this person's credential.
    pub(crate) calls: Calls,
    /// The moment for which the page is made.
    pub(crate) now: Now,
    /// What the person prefers at this screen.
    pub(crate) preferences: Preferences,
}

impl Visit {
    /// Finds the session of a request that a person made: a page or a form.
    pub(crate) async fn of_person(parts: &Parts, app: &App) -> Result<Self, Box<Response>> {
        Self::of(parts, app, Presence::Person).await.ok_or_else(|| {
            // Only what was to be read can be shown after signing in; a form would be sent twice.
            let next = (parts.method == Method::GET).then(|| parts.uri.path_and_query()).flatten();
            Box::new(to_sign_in(next.map_or("/", |next| next.as_str())))
        })
    }

    async fn of(parts: &Parts, app: &App, presence: Presence) -> Option<Self> {
        let signed = app.sessions.find(session_name(parts)?, presence)?;
        let token = app.sessions.token(&signed.id)?;
        let Ok(token) = token.text(app).await else {
            app.sessions.end(&signed.id);
            return None;
        };
        let calls = app.upstream.as_bearer(&token).ok()?;
        let preferences = Preferences::of(parts);
        Some(Self { app: app.clone(), signed, calls, now: app.now(), preferences })
    }

    /// Returns who looks.
    pub(crate) fn viewer(&self) -> &Viewer {
        &self.signed.viewer
    }

    /// Returns the trust that the viewer acts for; pages of a trust do not exist for anybody else.
    pub(crate) fn own_trust(&self) -> Result<&str, Problem> {
        self.viewer().trust.as_deref().ok_or_else(Problem::not_found)
    }

    /// Returns the names and telephones of the region.
    pub(crate) async fn directory(&self) -> Result<Arc<Directory>, Problem> {
        if let Some(known) = self.app.sessions.directory(&self.signed.id) {
            return Ok(known);
        }
        let directory = Arc::new(Directory::read(&self.calls).await?);
        self.app.sessions.keep_directory(&self.signed.id, directory.clone());
        Ok(directory)
    }

    /// Leaves a sentence for the next page and goes there.
    pub(crate) fn done(&self, said: impl Into<String>, next: &str) -> Response {
        self.app.sessions.say(&self.signed.id, said.into());
        Redirect::to(next).into_response()
    }

    /// Answers with a page about a problem, or with the way back to signing in.
    pub(crate) fn refuse(&self, problem: &Problem) -> Response {
        if problem.reason == AAL_TOO_LOW && matches!(self.app.settings.sign_in, SignIn::Provider(_)) {
            // What they had filled in, they fill in again: a stronger sign-in is asked for before anything long.
            return Redirect::to("/sign-in/provider?stronger=yes").into_response();
        }
        if problem.kind == Kind::SignedOut {
            self.app.sessions.end(&self.signed.id);
            return to_sign_in("/");
        }
        problem::page(self, problem)
    }

    /// Answers with what was made, or with the page about what went wrong.
    pub(crate) fn answer(&self, made: Result<Response, Problem>) -> Response {
        made.unwrap_or_else(|problem| self.refuse(&problem))
    }
}

impl FromRequestParts<App> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        Self::of_person(parts, app).await.map_err(|way| *way)
    }
}

/// A visit that the page made by itself, to update what it shows. It keeps no session alive.
pub(crate) struct Update(pub(crate) Visit);

impl FromRequestParts<App> for Update {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, StatusCode> {
        let presence = if parts.headers.contains_key(PRESENT) { Presence::Person } else { Presence::Page };
        Visit::of(parts, app, presence).await.map(Self).ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// Returns the name of the session that a request's cookie carries.
pub(crate) fn session_name(parts: &Parts) -> Option<&str> {
    cookie(parts, COOKIE_NAME)
}

/// Returns the value of a request's cookie.
pub(crate) fn cookie<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Goes to the sign-in page, and afterwards to an address of ours.
pub(crate) fn to_sign_in(next: &str) -> Response {
    Redirect::to(&format!("/sign-in?next={}", encoded(next))).into_response()
}

/// Encodes the value of a query.
pub(crate) fn encoded(value: &str) -> String {
    value.bytes().map(percent_encoded).collect()
}

/// Encodes one byte of a query's value.
fn percent_encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}
