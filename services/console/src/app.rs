//! What the pages share: the services, the sessions, the clock, and one person's visit.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use fallow_host::clock::Clock;
use fallow_host::tasks::Tasks;
use http::header::COOKIE;
use http::request::Parts;
use http::{Method, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::directory::Directory;
use crate::live::Live;
use crate::on_their_way::Seal;
use crate::pages::{problem, sign_in};
use crate::parked::{Form, Parked};
use crate::preferences::Preferences;
use crate::problem::{Kind, Problem};
use crate::provider::is_passing;
use crate::rights::{Rights, who_may};
use crate::session::{Flash, Presence, Sessions, Signed, Viewer};
use crate::upstream::{Calls, Upstream};
use crate::words::time::Now;
use crate::{Settings, SignIn};

/// A cookie of ours. Over https browsers take it from this host alone: nobody beside us can set one for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// Carries a session's name; of one that is over, too, so that its person proves anew who they are.
    Session,
    /// Ties the provider's answer to the browser that asked.
    OnTheWay,
}

impl Cookie {
    /// Returns its name.
    pub(crate) const fn name(self, https: bool) -> &'static str {
        match (self, https) {
            (Self::Session, false) => "fallow_session",
            (Self::Session, true) => "__Host-fallow_session",
            (Self::OnTheWay, false) => "fallow_sign_in",
            (Self::OnTheWay, true) => "__Host-fallow_sign_in",
        }
    }

    /// Returns the header by which a browser keeps it, as long as it runs or for so many seconds.
    pub(crate) fn set(self, https: bool, value: &str, seconds: Option<u64>) -> String {
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let secure = if https { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}", self.name(https))
    }
}

/// The cookie by which a page says that it loads itself anew, which nobody asked for.
const BY_ITSELF: &str = "fallow_by_itself";

/// What a page that cannot set a cookie, without scripts, adds to its address when it loads itself anew.
const BY_ITSELF_QUERY: &str = "by-itself=yes";

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
    /// By which people are known who come back from the identity provider.
    pub(crate) seal: Seal,
    pub(crate) live: Live,
    pub(crate) tasks: Tasks,
    clock: Clock,
    /// The machine's own, whatever `clock` is.
    real: Clock,
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
        let upstream = Upstream::new(&settings.endpoints.borrow());
        let (sessions, live) = (Sessions::new(settings.idle), Live::new());
        let (parked, seal) = (Parked::default(), Seal::default());
        let real = Clock::system();
        Self(Arc::new(Inner { settings, upstream, sessions, parked, seal, live, tasks, clock, real, zone }))
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
    /// When the request came by the machine's own clock. Ids are made of it, for the clock of a demonstration may stand
    /// still, be set or run fast.
    pub(crate) sent_at: Timestamp,
    /// What the person prefers at this screen.
    pub(crate) preferences: Preferences,
    /// The form that they sent, to be given back if they must sign in again for it.
    pub(crate) form: Option<Arc<Form>>,
}

/// Why a request is nobody's visit.
enum NoVisit {
    /// Nobody is signed in.
    SignedOut,
    /// Somebody is, but their credential cannot be had at the moment.
    Away(Box<Visit>, Problem),
}

impl Visit {
    /// Finds the session of a request that a person made: a page or a form.
    pub(crate) async fn of_person(parts: &Parts, app: &App) -> Result<Self, Box<Response>> {
        let says_so = cookie(parts, BY_ITSELF).is_some() || parts.uri.query() == Some(BY_ITSELF_QUERY);
        let is_by_itself = parts.method == Method::GET && says_so;
        let presence = if is_by_itself { Presence::Page } else { Presence::Person };
        Self::of(parts, app, presence).await.map_err(|none| match none {
            NoVisit::SignedOut => {
                // Only what was to be read can be shown after signing in; a form would be sent twice.
                let next = (parts.method == Method::GET).then(|| parts.uri.path_and_query()).flatten();
                Box::new(to_sign_in(next.map_or("/", |next| next.as_str())))
            }
            NoVisit::Away(visit, problem) => Box::new(problem::page(&visit, &problem)),
        })
    }

    async fn of(parts: &Parts, app: &App, presence: Presence) -> Result<Self, NoVisit> {
        let found = session_name(parts, app).and_then(|name| app.sessions.find(name, presence));
        let signed = found.ok_or(NoVisit::SignedOut)?;
        // Whoever stands before a wall is nobody: everything but the wall is for somebody who signs in.
        if signed.display.is_some() && !is_of_the_wall(parts) {
            return Err(NoVisit::SignedOut);
        }
        let token = app.sessions.token(&signed.id).ok_or(NoVisit::SignedOut)?;
        let (token, problem) = match token.text(app).await {
            Ok(token) => (token, None),
            // The session goes on: what fails for a moment signs nobody out.
            Err(problem) if is_passing(&problem) => (String::new(), Some(problem)),
            Err(_) => {
                app.sessions.end(&signed.id);
                return Err(NoVisit::SignedOut);
            }
        };
        let calls = app.upstream.as_bearer(&token).map_err(|_| NoVisit::SignedOut)?;
        let preferences = Preferences::of(parts);
        let (now, sent_at) = (app.now(), app.real.now());
        let visit = Self { app: app.clone(), signed, calls, now, sent_at, preferences, form: None };
        match problem {
            None => Ok(visit),
            Some(problem) => Err(NoVisit::Away(Box::new(visit), problem)),
        }
    }

    /// Returns the same visit with a credential that lasts, for work that goes on longer than one does.
    ///
    /// # Errors
    /// The session has ended; or no credential can be had at the moment.
    pub(crate) async fn renewed(&self) -> Result<Self, Problem> {
        let ended = || Problem::signed_out("Your session has ended.");
        let token = self.app.sessions.token(&self.signed.id).ok_or_else(ended)?;
        let calls = self.app.upstream.as_bearer(&token.text(&self.app).await?)?;
        Ok(Self { calls, now: self.app.now(), ..self.clone() })
    }

    /// Returns who looks.
    pub(crate) fn viewer(&self) -> &Viewer {
        &self.signed.viewer
    }

    /// Returns what the viewer's role may do.
    pub(crate) fn rights(&self) -> Rights {
        Rights::of(&self.viewer().role)
    }

    /// Refuses a page whose form would be refused, and says who may send it.
    ///
    /// # Errors
    /// The viewer's role may not do what the address does.
    pub(crate) fn needs_right(&self, address: &str) -> Result<(), Problem> {
        match self.rights().may(address) {
            true => Ok(()),
            false => {
                Err(Problem::forbidden(&format!("{} may do this; your role may look.", who_may(address))))
            }
        }
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
    pub(crate) fn done(&self, said: impl Into<Flash>, next: &str) -> Response {
        self.app.sessions.say(&self.signed.id, said.into());
        Redirect::to(next).into_response()
    }

    /// Answers with a page about a problem, or with the way back to signing in.
    pub(crate) fn refuse(&self, problem: &Problem) -> Response {
        self.way_out(problem).unwrap_or_else(|| problem::page(self, problem))
    }

    /// Returns the way to signing in when a problem is mended by nothing else, from where their form comes back. Every page
    /// that would show what is wrong with a form asks this first.
    pub(crate) fn way_out(&self, problem: &Problem) -> Option<Response> {
        if problem.is_too_weak() && matches!(self.app.settings.sign_in, SignIn::Provider(_)) {
            return Some(sign_in::stronger(self, self.kept().as_deref()));
        }
        if problem.kind == Kind::SignedOut {
            return Some(Redirect::to(&self.to_sign_in_again()).into_response());
        }
        None
    }

    /// Ends the session and returns the address to sign in again, from where the form that was sent comes back.
    pub(crate) fn to_sign_in_again(&self) -> String {
        self.app.sessions.end(&self.signed.id);
        sign_in_address(&self.kept().map_or_else(|| "/".to_owned(), |name| format!("/resume/{name}")))
    }

    /// Puts a field into the form that was sent, for when it comes back.
    pub(crate) fn put_into_form(&mut self, name: &str, value: String) {
        if let Some(form) = self.form.as_mut().map(Arc::make_mut) {
            form.fields.retain(|(field, _)| field != name);
            form.fields.push((name.to_owned(), value));
        }
    }

    /// Keeps the form that was sent until its person has signed in again, and returns its name.
    fn kept(&self) -> Option<String> {
        self.form.as_deref().cloned().and_then(|form| self.app.parked.keep(form))
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
        Visit::of(parts, app, presence).await.map(Self).map_err(|none| match none {
            NoVisit::SignedOut => StatusCode::UNAUTHORIZED,
            NoVisit::Away(_, problem) => problem.http_status(),
        })
    }
}

/// Says whether a request is one that a wall makes.
fn is_of_the_wall(parts: &Parts) -> bool {
    parts.method == Method::GET && ["/wall", "/f/wall", "/events"].contains(&parts.uri.path())
}

/// Returns the name of the session that a request's cookie carries.
pub(crate) fn session_name<'a>(parts: &'a Parts, app: &App) -> Option<&'a str> {
    cookie(parts, Cookie::Session.name(app.settings.https))
}

/// Returns the value of a request's cookie.
pub(crate) fn cookie<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Goes to the sign-in page, and afterwards to an address of ours.
pub(crate) fn to_sign_in(next: &str) -> Response {
    Redirect::to(&sign_in_address(next)).into_response()
}

fn sign_in_address(next: &str) -> String {
    format!("/sign-in?next={}", encoded(next))
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

#[cfg(test)]
pub(crate) mod tests {
    use axum::body::Body;
    use axum::extract::FromRequest as _;
    use fallow_domain::ids::RegionId;
    use fallow_host::identity::provider::{Client, Options, Provider};
    use fallow_host::identity::{Signer, SigningKey, built_in};
    use tonic::transport::Endpoint;

    use super::*;
    use crate::form::Posted;
    use crate::pages::resume;
    use crate::session::{Token, TokenIssuer};
    use crate::{AtProvider, Endpoints};

    /// A console whose people sign in at a provider, with nobody behind it.
    fn app() -> App {
        app_at("http://127.0.0.1:9")
    }

    /// A console whose people sign in at a provider, in front of the services at an address.
    pub(crate) fn app_at(address: &str) -> App {
        let region = RegionId::parse("north-vale").unwrap();
        let signer = Signer::new(SigningKey::generate().unwrap(), "fallow", "fallow", Clock::system());
        let options = Options {
            issuer: "https://id.example".to_owned(),
            algorithm: "EdDSA".to_owned(),
            clients: vec!["console".to_owned()],
            authorities: None,
            leeway_seconds: 30,
        };
        let at = AtProvider {
            provider: Provider::new(options, Clock::system()).unwrap(),
            client: Client { id: "console".to_owned(), secret: None, scopes: "openid".to_owned() },
            address: "https://fallow.example".to_owned(),
            sign_in_acr: String::new(),
            step_up_acr: "AAL3_ANY".to_owned(),
        };
        let services = Endpoint::from_shared(address.to_owned()).unwrap();
        let settings = Settings {
            endpoints: tokio::sync::watch::channel(Endpoints::all_at(&services)).1,
            credential: TokenIssuer::new(signer, built_in::user("console", &region).unwrap()),
            sign_in: SignIn::Provider(Box::new(at)),
            demo: None,
            idle: std::time::Duration::from_secs(900),
            https: true,
        };
        App::new(settings, Clock::system(), Tasks::new(), TimeZone::UTC)
    }

    /// A form, sent by the session of that name.
    fn sent(id: &str, body: impl Into<Body>) -> axum::extract::Request {
        http::Request::post("/proposals/bypass")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", format!("__Host-fallow_session={id}"))
            .body(body.into())
            .unwrap()
    }

    #[tokio::test]
    async fn a_form_whose_session_the_services_have_ended_is_kept_too() {
        let app = app();
        let viewer = Viewer { subject: "ana".to_owned(), role: "gold".to_owned(), trust: None };
        let id = app.sessions.begin(viewer.clone(), Token::Given("token".to_owned()));
        let csrf = app.sessions.find(&id, Presence::Person).unwrap().csrf;
        let request = sent(&id, format!("csrf={csrf}&proposal=p-1"));
        let Posted { visit, .. } = Posted::from_request(request, &app).await.ok().unwrap();
        let response = visit.refuse(&Problem::signed_out("ended"));
        let way = response.headers()["location"].to_str().unwrap();
        let name = way.strip_prefix("/sign-in?next=/resume/").expect("the way back to the form");
        let kept = app.parked.find(name, "ana").unwrap();
        assert_eq!((kept.viewer, kept.path.as_str()), (viewer, "/proposals/bypass"));
        assert_eq!(kept.fields, [("proposal".to_owned(), "p-1".to_owned())]);
    }

    #[tokio::test]
    async fn of_a_form_of_nobody_no_more_is_read_than_must_be() {
        const CHUNK: usize = 16 * 1024;
        let read = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = read.clone();
        let chunks = (0..256).map(move |_| {
            counted.fetch_add(CHUNK, std::sync::atomic::Ordering::SeqCst);
            Ok::<_, std::convert::Infallible>(vec![b'&'; CHUNK])
        });
        let body = Body::from_stream(tokio_stream::iter(chunks));
        let refused = Posted::from_request(sent("nobody", body), &app()).await.err().unwrap();
        assert_eq!(refused.headers()["location"], "/sign-in?next=/");
        let read = read.load(std::sync::atomic::Ordering::SeqCst);
        assert!(read <= 64 * 1024 + CHUNK, "{read} bytes were read");
    }

    #[tokio::test]
    async fn a_kept_form_is_sent_only_as_who_filled_it_in() {
        let app = app();
        let acting = |trust: &str| Viewer {
            subject: "ana".to_owned(),
            role: "site_lead".to_owned(),
            trust: Some(trust.to_owned()),
        };
        let fields = vec![("units".to_owned(), "27".to_owned())];
        let form = Form { viewer: acting("ZA1"), path: "/needs/new".to_owned(), fields };
        let name = app.parked.keep(form).unwrap();
        for (trust, may_send) in [("ZA1", true), ("ZA2", false)] {
            let id = app.sessions.begin(acting(trust), Token::Given("token".to_owned()));
            let (parts, _) = sent(&id, "").into_parts();
            let visit = Visit::of_person(&parts, &app).await.ok().unwrap();
            let page = resume::page(visit, axum::extract::Path(name.clone())).await;
            let body = axum::body::to_bytes(page.into_body(), 1 << 20).await.unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(body.contains("<dd>27</dd>"), "{trust}: what they had filled in is shown");
            assert_eq!(body.contains("Send it now"), may_send, "{trust}");
            assert_eq!(body.contains("action=\"/needs/new\""), may_send, "{trust}");
        }
    }

    #[tokio::test]
    async fn a_form_that_needs_a_stronger_sign_in_is_kept_until_its_person_is_back() {
        let app = app();
        let viewer = Viewer { subject: "ana".to_owned(), role: "gold".to_owned(), trust: None };
        let id = app.sessions.begin(viewer, Token::Given("token".to_owned()));
        let csrf = app.sessions.find(&id, Presence::Person).unwrap().csrf;
        let request = sent(&id, format!("csrf={csrf}&proposal=p-1&reason=SURGE"));
        let Posted { visit, fields } = Posted::from_request(request, &app).await.ok().unwrap();
        assert_eq!(fields.text("proposal"), "p-1");
        let mut problem = Problem::not_found();
        problem.reason = "AAL_TOO_LOW".to_owned();
        let response = visit.refuse(&problem);
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        // A link: a redirection from a form to another place is forbidden to the browser.
        let (_, name) =
            body.split_once("/sign-in/provider?stronger=yes&#38;next=/resume/").expect("the way there");
        let name = name.split('"').next().unwrap();
        let kept = app.parked.find(name, "ana").unwrap();
        assert_eq!(kept.path, "/proposals/bypass");
        let fields = [("proposal", "p-1"), ("reason", "SURGE")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(kept.fields, fields);
        assert_eq!(app.parked.find(name, "ben"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_loads_itself_anew_keeps_no_session_alive() {
        let app = app();
        let viewer = Viewer { subject: "ana".to_owned(), role: "gold".to_owned(), trust: None };
        let id = app.sessions.begin(viewer, Token::Given("token".to_owned()));
        let load = async |more: &str| {
            let cookies = format!("__Host-fallow_session={id}{more}");
            let request = http::Request::get("/needs").header("cookie", cookies).body(()).unwrap();
            Visit::of_person(&request.into_parts().0, &app).await.is_ok()
        };
        for minutes in [14, 14] {
            tokio::time::advance(std::time::Duration::from_secs(minutes * 60)).await;
            assert!(load("").await, "a person who looks is there");
        }
        tokio::time::advance(std::time::Duration::from_secs(14 * 60)).await;
        assert!(load("; fallow_by_itself=1").await, "the page may be shown");
        tokio::time::advance(std::time::Duration::from_secs(60)).await;
        assert!(!load("; fallow_by_itself=1").await, "and nobody was there");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_without_scripts_keeps_no_session_alive() {
        let wall = include_str!("pages/wall/page.html");
        let (_, address) = wall.split_once("content=\"30; url=").expect("it loads itself anew");
        let address = address.split('"').next().unwrap();
        let app = app();
        let viewer = Viewer { subject: "ana".to_owned(), role: "gold".to_owned(), trust: None };
        let id = app.sessions.begin(viewer, Token::Given("token".to_owned()));
        let load = async |path: &str| {
            let cookie = format!("__Host-fallow_session={id}");
            let request = http::Request::get(path).header("cookie", cookie).body(()).unwrap();
            Visit::of_person(&request.into_parts().0, &app).await.is_ok()
        };
        tokio::time::advance(std::time::Duration::from_secs(14 * 60)).await;
        assert!(load("/wall").await, "a person who looks is there");
        for _ in 0..29 {
            tokio::time::advance(std::time::Duration::from_secs(30)).await;
            assert!(load(address).await, "the wall may be shown");
        }
        tokio::time::advance(std::time::Duration::from_secs(30)).await;
        assert!(!load(address).await, "and nobody was there");
    }

    #[tokio::test]
    async fn ids_are_made_of_a_clock_that_nobody_stops() {
        let app = app();
        let stopped = Clock::manual(Timestamp::UNIX_EPOCH);
        let settings = app.settings.clone();
        let app = App::new(settings, stopped, Tasks::new(), TimeZone::UTC);
        let viewer = Viewer { subject: "ana".to_owned(), role: "gold".to_owned(), trust: None };
        let id = app.sessions.begin(viewer, Token::Given("token".to_owned()));
        let (parts, _) = sent(&id, "").into_parts();
        let sent_at = async || Visit::of_person(&parts, &app).await.ok().unwrap().sent_at;
        let first = sent_at().await;
        assert_eq!(app.now().at, Timestamp::UNIX_EPOCH);
        assert!(first > Timestamp::UNIX_EPOCH, "{first}");
        let until = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        while sent_at().await.as_millisecond() <= first.as_millisecond() {
            assert!(tokio::time::Instant::now() < until, "it stands still");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_cookies_of_https_are_of_this_host_alone() {
        for (cookie, name) in
            [(Cookie::Session, "__Host-fallow_session"), (Cookie::OnTheWay, "__Host-fallow_sign_in")]
        {
            // What browsers ask of the prefix: Secure, the whole host, and no domain.
            let set = cookie.set(true, "v", Some(600));
            assert_eq!(set, format!("{name}=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure"));
            assert!(!cookie.set(false, "v", None).contains("Secure"));
        }
        let request = http::Request::get("/").header("cookie", "fallow_session=planted").body(()).unwrap();
        assert_eq!(session_name(&request.into_parts().0, &app()), None);
    }
}
