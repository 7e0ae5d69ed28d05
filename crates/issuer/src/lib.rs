//! A small OpenID Connect provider that stands in for NHS CIS2 in demonstrations and tests.
//!
//! It speaks the real protocol (discovery, code flow with PKCE, device codes, refresh, UserInfo with CIS2's roles, back-
//! channel logout) and signs real tokens, so that everything in front of it is what runs in production. What it leaves
//! out is the proof of who somebody is: whoever opens its page may be anybody. It listens on this machine alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpListener;

mod device;
mod keys;
mod pages;
mod sessions;
mod sign_in;
mod token;

use keys::Key;
use sessions::Sessions;

/// Life of codes that are exchanged for tokens.
const CODE_LIFE: Duration = Duration::from_secs(120);
/// How often a device may ask whether its person has signed in.
const DEVICE_EVERY: Duration = Duration::from_secs(1);
/// Life of ID and access tokens, unless [`Issuer::set_token_life`] says otherwise.
const TOKEN_LIFE: Duration = Duration::from_secs(600);

/// Why there is no issuer.
#[derive(Debug, Error)]
pub enum IssuerError {
    /// The listener has no address, or its server ended.
    #[error("the issuer cannot listen")]
    Listen(#[from] std::io::Error),
    /// No key could be made.
    #[error("no key could be made")]
    Key,
}

/// Somebody who may sign in.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their id, as CIS2 numbers people.
    pub uid: String,
    /// What the page calls them: a role, not a name.
    pub name: String,
    /// Their roles, as UserInfo tells them (`nhsid_nrbac_roles`).
    pub roles: Vec<Value>,
}

impl Person {
    /// Makes somebody with one role at an organisation.
    #[must_use]
    pub fn with_role(uid: &str, name: &str, organisation: &str, (code, activities): (&str, &[&str])) -> Self {
        let role = json!({
            "person_orgid": format!("{uid}-{organisation}"),
            "person_roleid": format!("{uid}-1"),
            "org_code": organisation,
            "role_name": name,
            "role_code": code,
            "activity_codes": activities,
        });
        Self { uid: uid.to_owned(), name: name.to_owned(), roles: vec![role] }
    }
}

/// Somebody who asks for sign-ins: a console, a command line.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret; `None` = it cannot keep one.
    pub secret: Option<String>,
    /// Where people may be sent back to.
    pub redirects: Vec<String>,
    /// Where it wants to hear of sessions that have ended.
    pub logout_address: Option<String>,
}

/// What the key set answers, so that tests see what a broken one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysAnswer {
    /// The keys.
    Keys,
    /// A mebibyte.
    Huge,
    /// A redirection to another address with the keys.
    Redirect,
    /// A page for people.
    Html,
    /// An error.
    Error,
}

/// A running provider. Cheap to clone.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    address: String,
    state: Mutex<State>,
}

struct State {
    keys: Vec<Key>,
    people: Vec<Person>,
    clients: Vec<Client>,
    sessions: Sessions,
    keys_answer: KeysAnswer,
    keys_asked: u64,
    refreshed: u64,
    token_life: Duration,
    renews_id_tokens: bool,
}

impl Issuer {
    /// Makes a provider that will be found at a listener's address; [`Issuer::serve`] serves it.
    ///
    /// # Errors
    /// The listener has no address, or the system has no randomness.
    pub fn new(
        listener: &TcpListener,
        people: Vec<Person>,
        clients: Vec<Client>,
    ) -> Result<Self, IssuerError> {
        let address = format!("http://{}", listener.local_addr()?);
        let state = State {
            keys: vec![Key::generate()?],
            people,
            clients,
            sessions: Sessions::default(),
            keys_answer: KeysAnswer::Keys,
            keys_asked: 0,
            refreshed: 0,
            token_life: TOKEN_LIFE,
            renews_id_tokens: true,
        };
        Ok(Self(Arc::new(Inner { address, state: Mutex::new(state) })))
    }

    /// Serves it until `stop` comes.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), IssuerError> {
        let router = Router::new()
            .route("/", get(pages::sessions))
            .route("/.well-known/openid-configuration", get(pages::description))
            .route("/keys", get(pages::keys))
            .route("/keys-elsewhere", get(pages::keys_elsewhere))
            .route("/authorize", get(sign_in::page).post(sign_in::choose))
            .route("/token", post(token::token))
            .route("/userinfo", get(pages::userinfo))
            .route("/device_authorization", post(device::begin))
            .route("/device", get(device::page).post(device::choose))
            .route("/logout", get(pages::log_out))
            .route("/sessions/end", post(pages::end_session))
            .with_state(self);
        Ok(axum::serve(listener, router).with_graceful_shutdown(stop).await?)
    }

    /// Returns its address, which is its name as an issuer.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Signs claims as they are, with the newest key: for tests of what must be refused.
    ///
    /// # Errors
    /// The key does not sign, which every key does.
    pub fn sign(&self, kind: &str, claims: &Value) -> Result<String, IssuerError> {
        self.state().newest()?.sign(kind, claims)
    }

    /// Returns the claims of a good ID token for a person's first role and a client, without a nonce.
    #[must_use]
    pub fn claims(&self, uid: &str, client: &str) -> Value {
        let now = now();
        json!({
            "iss": self.address(), "aud": client, "sub": uid, "iat": now, "exp": now + 300, "auth_time": now,
            "sid": format!("sid-{uid}"), "acr": "AAL2_ANY", "selected_roleid": format!("{uid}-1"),
        })
    }

    /// Opens a session for a person's first role without their page, and returns its ID and access tokens.
    ///
    /// # Errors
    /// There is no such person, or the key does not sign.
    pub fn sign_in(&self, uid: &str, client: &str, level: u8) -> Result<(String, String), IssuerError> {
        let mut state = self.state();
        let role = format!("{uid}-1");
        let session = state.sessions.open(uid, &role, client, level)?;
        let tokens = token::issue(&mut state, self.address(), &session, None)?;
        Ok((tokens.id_token, tokens.access_token))
    }

    /// Returns a refresh token of the session that an ID token names; `None` when there is none.
    #[must_use]
    pub fn refresh_token(&self, id_token: &str) -> Option<String> {
        let sid = pages::sid_of(id_token)?;
        self.state().sessions.add_refresh_token(&sid).ok()
    }

    /// Returns how often a refresh token was taken for new tokens.
    #[must_use]
    pub fn refreshed(&self) -> u64 {
        self.state().refreshed
    }

    /// Ends every session of a person, as when they take their card out, and tells the clients.
    ///
    /// # Errors
    /// The key does not sign.
    pub async fn end_sessions_of(&self, uid: &str) -> Result<(), IssuerError> {
        let ended: Vec<String> = {
            let state = self.state();
            let all = state.sessions.all().filter(|session| session.uid == uid);
            all.map(|session| session.sid.clone()).collect()
        };
        for sid in ended {
            self.end(&sid).await?;
        }
        Ok(())
    }

    /// Changes what UserInfo says of a person's roles.
    pub fn set_roles(&self, uid: &str, roles: Vec<Value>) {
        if let Some(person) = self.state().people.iter_mut().find(|person| person.uid == uid) {
            person.roles = roles;
        }
    }

    /// Makes a new key, with which everything is signed from now on; the old ones stay in the set unless `alone`.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn turn_keys(&self, alone: bool) -> Result<(), IssuerError> {
        let key = Key::generate()?;
        let mut state = self.state();
        if alone {
            state.keys.clear();
        }
        state.keys.push(key);
        Ok(())
    }

    /// Decides what the key set answers from now on.
    pub fn set_keys_answer(&self, answer: KeysAnswer) {
        self.state().keys_answer = answer;
    }

    /// Returns how often the key set was asked for.
    #[must_use]
    pub fn keys_asked(&self) -> u64 {
        self.state().keys_asked
    }

    /// Decides how long tokens last that are issued from now on.
    pub fn set_token_life(&self, life: Duration) {
        self.state().token_life = life;
    }

    /// Decides whether a refresh token brings a new ID token from now on, which a provider may leave out.
    pub fn set_renews_id_tokens(&self, renews: bool) {
        self.state().renews_id_tokens = renews;
    }

    /// Ends a session and tells its client.
    async fn end(&self, sid: &str) -> Result<(), IssuerError> {
        let told = {
            let mut state = self.state();
            let Some(session) = state.sessions.end(sid) else { return Ok(()) };
            let client = state.clients.iter().find(|client| client.id == session.client);
            let Some(address) = client.and_then(|client| client.logout_address.clone()) else {
                return Ok(());
            };
            let now = now();
            let claims = json!({
                "iss": self.address(), "aud": session.client, "iat": now, "exp": now + 120, "sid": session.sid,
                "sub": session.uid, "jti": keys::random()?,
                "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            });
            (address, state.newest()?.sign("logout+jwt", &claims)?)
        };
        // A client that does not listen finds out by its next look at UserInfo.
        let _ = pages::tell(&told.0, &told.1).await;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole after each single change.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn newest(&self) -> Result<&Key, IssuerError> {
        self.keys.last().ok_or(IssuerError::Key)
    }

    fn person(&self, uid: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.uid == uid)
    }

    fn client(&self, id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.id == id)
    }
}

/// Returns the time in seconds since 1970.
// A provider of its own, which shares no clock with those in front of it.
#[expect(clippy::disallowed_methods)]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}
