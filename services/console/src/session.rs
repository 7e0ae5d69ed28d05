//! Sessions: who is signed in, kept on the server under a random name that the cookie carries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fallow_host::identity::{Caller, Signer};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use uuid::Uuid;

use crate::SignIn;
use crate::app::App;
use crate::directory::Directory;
use crate::form::matches;
use crate::problem::Problem;
use crate::provider::Held;

/// How long a session lives at most without its person doing anything. Updates that the page fetches by itself do not
/// count.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// How long a session lives at most: one shift.
const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);

/// Sessions at most; the one idle longest makes room. A region has a few hundred people at their screens.
const SESSIONS_MAX: usize = 10_000;

/// How often it is looked at whether a session is over in which a page listens for news.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long names and telephones of the region are kept before they are read again.
const DIRECTORY_FOR: Duration = Duration::from_secs(60);

/// Life of a token that the console makes for one request; the clocks of the services may differ a little.
const TOKEN_FOR: Duration = Duration::from_secs(5 * 60);

/// Makes access tokens of one user. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TokenIssuer(Arc<(Signer, Caller)>);

impl TokenIssuer {
    /// Makes an issuer of tokens for a caller.
    #[must_use]
    pub fn new(signer: Signer, caller: Caller) -> Self {
        Self(Arc::new((signer, caller)))
    }

    /// Returns whom the tokens speak for.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.0.1
    }

    /// Makes a token, valid for five minutes. A key that cannot sign gives an empty one, which no service accepts.
    pub(crate) fn token(&self) -> String {
        let (signer, caller) = &*self.0;
        signer.issue(caller, TOKEN_FOR).unwrap_or_else(|error| {
            tracing::error!(%error, "the console could not sign a token");
            String::new()
        })
    }
}

/// Who looks at the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Viewer {
    /// The subject of the credential.
    pub(crate) subject: String,
    /// The role, as the credential has it: `bed_manager`.
    pub(crate) role: String,
    /// ODS code of the acting trust; `None` for roles above trusts.
    pub(crate) trust: Option<String>,
}

/// Where the token of a session comes from.
#[derive(Clone)]
pub(crate) enum Token {
    /// Exchanged for what the identity provider gave, and renewed as long as that lasts.
    Held(Arc<Held>),
    /// Given at sign-in.
    Given(String),
    /// Made anew for each request, for built-in users.
    Issued(TokenIssuer),
}

impl Token {
    /// Returns the access token for a request.
    ///
    /// # Errors
    /// The identity provider or the services say that the session has ended; or, with a problem of the moment, none can be
    /// had just now.
    pub(crate) async fn text(&self, app: &App) -> Result<String, Problem> {
        match (self, &app.settings.sign_in) {
            (Self::Given(text), _) => Ok(text.clone()),
            (Self::Issued(issuer), _) => Ok(issuer.token()),
            (Self::Held(held), SignIn::Provider(at)) => held.credential(app, at).await,
            // Nobody is signed in at a provider that there is not.
            (Self::Held(_), SignIn::BuiltIn(_) | SignIn::AccessToken) => Err(Problem::not_found()),
        }
    }
}

/// A sentence that the next page says once: what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flash {
    /// The sentence.
    pub(crate) text: String,
    /// Where to go on from there, and what the way there is called.
    pub(crate) way: Option<(String, &'static str)>,
}

impl From<String> for Flash {
    fn from(text: String) -> Self {
        Self { text, way: None }
    }
}

impl From<&str> for Flash {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// A screen that shows the wall and nothing else, for as long as its person's sign-in may last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Display {
    /// By which it is taken down. It is no secret and opens nothing.
    pub(crate) handle: String,
    /// What its person calls it, such as the room.
    pub(crate) name: String,
}

/// Displays of one person at most.
const DISPLAYS_MAX: usize = 10;

struct Session {
    viewer: Viewer,
    /// Set of a session that is a display's.
    display: Option<Display>,
    token: Token,
    csrf: String,
    began: Instant,
    seen: Instant,
    flash: Option<Flash>,
    directory: Option<(Instant, Arc<Directory>)>,
}

impl Session {
    /// Nobody sits at a display, which can do nothing: it ends with the shift alone, that of whoever signed in for it.
    fn is_over(&self, now: Instant, idle: Duration) -> bool {
        let is_idle = self.display.is_none() && now.duration_since(self.seen) >= idle;
        is_idle || now.duration_since(self.began) >= ABSOLUTE
    }

    fn left(&self, now: Instant) -> Duration {
        ABSOLUTE.saturating_sub(now.duration_since(self.began))
    }
}

/// What one request needs of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    /// The name of the session, as the cookie has it.
    pub(crate) id: String,
    /// Who it is.
    pub(crate) viewer: Viewer,
    /// What a form must carry to be of this session.
    pub(crate) csrf: String,
    /// Of a display: which it is, and how long it lasts at most.
    pub(crate) display: Option<(Display, Duration)>,
}

/// Whether a request shows that a person is there, or only that a page is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// The person did something.
    Person,
    /// The page asked by itself.
    Page,
}

/// A session that is over: enough to know a form of it that comes late.
struct Over {
    viewer: Viewer,
    csrf: String,
    at: Instant,
}

/// All sessions of this process.
pub(crate) struct Sessions {
    idle: Duration,
    all: Mutex<HashMap<String, Session>>,
    over: Mutex<HashMap<String, Over>>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new(IDLE)
    }
}

impl Sessions {
    /// Makes the sessions of a process, each of which ends when its person is idle for so long; 15 minutes at most.
    pub(crate) fn new(idle: Duration) -> Self {
        Self { idle: idle.min(IDLE), all: Mutex::default(), over: Mutex::default() }
    }

    /// Begins a session and returns its name.
    pub(crate) fn begin(&self, viewer: Viewer, token: Token) -> String {
        // Two random UUIDs: 244 random bits.
        let id = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let now = Instant::now();
        let csrf = Uuid::new_v4().simple().to_string();
        let session = Session {
            viewer,
            display: None,
            token,
            csrf,
            began: now,
            seen: now,
            flash: None,
            directory: None,
        };
        self.keep(&id, session, now);
        id
    }

    /// Makes a display of a person's session: a new session for the wall alone, with the sign-in and the shift of the old
    /// one, which ends. Returns its name; `None` where the session is over, or the person has [`DISPLAYS_MAX`] already.
    pub(crate) fn hang(&self, id: &str, name: &str) -> Option<String> {
        let now = Instant::now();
        let session = {
            let all = self.lock();
            let own = all.get(id).filter(|session| !session.is_over(now, self.idle))?;
            let others = all.values().filter(|one| one.display.is_some() && one.viewer == own.viewer);
            if others.count() >= DISPLAYS_MAX {
                return None;
            }
            let handle = Uuid::new_v4().simple().to_string();
            Session {
                viewer: own.viewer.clone(),
                display: Some(Display { handle, name: name.to_owned() }),
                token: own.token.clone(),
                csrf: Uuid::new_v4().simple().to_string(),
                began: own.began,
                seen: now,
                flash: None,
                directory: own.directory.clone(),
            }
        };
        let hung = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.keep(&hung, session, now);
        self.end(id);
        Some(hung)
    }

    /// Returns the displays that a person has hung, with how long each lasts, in the order of their names.
    pub(crate) fn displays(&self, viewer: &Viewer) -> Vec<(Display, Duration)> {
        let (now, all) = (Instant::now(), self.lock());
        let theirs = all.values().filter(|one| one.viewer == *viewer && !one.is_over(now, self.idle));
        let mut found: Vec<(Display, Duration)> =
            theirs.filter_map(|one| Some((one.display.clone()?, one.left(now)))).collect();
        found.sort_by(|(a, _), (b, _)| (&a.name, &a.handle).cmp(&(&b.name, &b.handle)));
        found
    }

    /// Ends a display of a person, and says whether there was one.
    pub(crate) fn take_down(&self, viewer: &Viewer, handle: &str) -> bool {
        let is_it = |one: &Session| {
            one.viewer == *viewer && one.display.as_ref().is_some_and(|display| display.handle == handle)
        };
        let found = self.lock().iter().find(|(_, one)| is_it(one)).map(|(id, _)| id.clone());
        found.iter().for_each(|id| self.end(id));
        found.is_some()
    }

    /// Takes a session in; the one idle longest makes room.
    fn keep(&self, id: &str, session: Session, now: Instant) {
        let mut sessions = self.lock();
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| !session.is_over(now, self.idle));
            let idle_longest =
                sessions.iter().min_by_key(|(_, session)| session.seen).map(|(id, _)| id.clone());
            if let (true, Some(oldest)) = (sessions.len() >= SESSIONS_MAX, idle_longest) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(id.to_owned(), session);
    }

    /// Returns the session of that name, unless it is over.
    pub(crate) fn find(&self, id: &str, presence: Presence) -> Option<Signed> {
        let now = Instant::now();
        let mut sessions = self.lock();
        let session = sessions.get_mut(id)?;
        if session.is_over(now, self.idle) {
            drop(sessions);
            self.end(id);
            return None;
        }
        if presence == Presence::Person || session.display.is_some() {
            session.seen = now;
        }
        Some(Signed {
            id: id.to_owned(),
            viewer: session.viewer.clone(),
            csrf: session.csrf.clone(),
            display: session.display.clone().map(|display| (display, session.left(now))),
        })
    }

    /// Waits until a session is over.
    pub(crate) async fn over(&self, id: &str) {
        while self.find(id, Presence::Page).is_some() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Returns where the token of a session comes from.
    pub(crate) fn token(&self, id: &str) -> Option<Token> {
        self.lock().get(id).map(|session| session.token.clone())
    }

    /// Ends a session. Ending it twice is fine.
    pub(crate) fn end(&self, id: &str) {
        let Some(session) = self.lock().remove(id) else { return };
        let over = Over { viewer: session.viewer, csrf: session.csrf, at: Instant::now() };
        let mut all = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, over| over.at.elapsed() < ABSOLUTE);
        if all.len() < SESSIONS_MAX {
            all.insert(id.to_owned(), over);
        }
    }

    /// Ends the sessions of the identity provider that are meant.
    pub(crate) fn end_held(&self, is_meant: impl Fn(&Held) -> bool) {
        let meant = |session: &Session| matches!(&session.token, Token::Held(held) if is_meant(held));
        let ended: Vec<String> = {
            let all = self.lock();
            all.iter().filter(|(_, session)| meant(session)).map(|(id, _)| id.clone()).collect()
        };
        ended.iter().for_each(|id| self.end(id));
    }

    /// Says whether there is a session of that name, or was one in the last hours.
    pub(crate) fn is_known(&self, id: &str) -> bool {
        let is_over = || self.over.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id);
        self.lock().contains_key(id) || is_over()
    }

    /// Returns whose session it was that is over now, if a form with this secret was of it.
    pub(crate) fn was_of(&self, id: &str, csrf: &str) -> Option<Viewer> {
        let all = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(id).filter(|over| matches(csrf, &over.csrf)).map(|over| over.viewer.clone())
    }

    /// Leaves a sentence for the session's next page.
    pub(crate) fn say(&self, id: &str, flash: Flash) {
        if let Some(session) = self.lock().get_mut(id) {
            session.flash = Some(flash);
        }
    }

    /// Takes the sentence that was left.
    pub(crate) fn take_flash(&self, id: &str) -> Option<Flash> {
        self.lock().get_mut(id).and_then(|session| session.flash.take())
    }

    /// Returns what the session knows of the region, unless that is old.
    pub(crate) fn directory(&self, id: &str) -> Option<Arc<Directory>> {
        let sessions = self.lock();
        let (read, directory) = sessions.get(id)?.directory.as_ref()?;
        (read.elapsed() < DIRECTORY_FOR).then(|| directory.clone())
    }

    /// Keeps what was read of the region.
    pub(crate) fn keep_directory(&self, id: &str, directory: Arc<Directory>) {
        if let Some(session) = self.lock().get_mut(id) {
            session.directory = Some((Instant::now(), directory));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        // Every session is whole after each single operation, so a poisoned lock changes nothing.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The claims of a token that a screen shows. The services check the token; this only reads it.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    role: String,
    #[serde(default)]
    trust: Option<String>,
}

/// Reads claims of a token, without checking it; `None` when it is not a token.
pub(crate) fn claims_of<T: DeserializeOwned>(token: &str) -> Option<T> {
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// Reads who a token speaks for, without checking it; `None` when it is not a token.
pub(crate) fn viewer_of(token: &str) -> Option<Viewer> {
    let claims: Claims = claims_of(token)?;
    let trust = claims.trust.filter(|trust| !trust.is_empty());
    Some(Viewer { subject: claims.sub, role: claims.role, trust })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer() -> Viewer {
        Viewer { subject: "ana".to_owned(), role: "bed_manager".to_owned(), trust: Some("ZA4".to_owned()) }
    }

    fn given() -> Token {
        Token::Given("token".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_its_person_is_idle_however_busy_the_page() {
        let sessions = Sessions::default();
        let id = sessions.begin(viewer(), given());
        for _ in 0..14 {
            tokio::time::advance(Duration::from_secs(60)).await;
            assert!(sessions.find(&id, Presence::Page).is_some());
        }
        assert!(sessions.find(&id, Presence::Person).is_some());
        tokio::time::advance(Duration::from_secs(14 * 60)).await;
        assert!(sessions.find(&id, Presence::Page).is_some());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(sessions.find(&id, Presence::Person).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_display_outlasts_idleness_and_not_the_shift_of_who_hung_it() {
        let sessions = Sessions::default();
        let person = sessions.begin(viewer(), given());
        tokio::time::advance(Duration::from_secs(10 * 60)).await;
        let wall = sessions.hang(&person, "Gold room").unwrap();
        assert!(sessions.find(&person, Presence::Person).is_none(), "the screen is no longer a person's");
        let late = sessions.find(&wall, Presence::Page).unwrap();
        assert_ne!((late.id.as_str(), late.csrf.as_str()), (person.as_str(), ""));
        tokio::time::advance(Duration::from_secs(11 * 3600)).await;
        let (display, left) = sessions.find(&wall, Presence::Page).unwrap().display.unwrap();
        assert_eq!((display.name.as_str(), left), ("Gold room", Duration::from_secs(50 * 60)));
        tokio::time::advance(left).await;
        assert!(sessions.find(&wall, Presence::Page).is_none(), "twelve hours after the sign-in");
        // Nothing that is over is hung.
        assert_eq!(sessions.hang(&wall, "Gold room"), None);
    }

    #[tokio::test]
    async fn displays_are_listed_and_taken_down_by_the_person_who_hung_them() {
        let sessions = Sessions::default();
        let hang = |name: &str| sessions.hang(&sessions.begin(viewer(), given()), name);
        let walls: Vec<String> = ["B", "A"].map(|name| hang(name).unwrap()).to_vec();
        let listed = sessions.displays(&viewer());
        assert_eq!(listed.iter().map(|(one, _)| one.name.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        let other = Viewer { subject: "ben".to_owned(), ..viewer() };
        assert!(sessions.displays(&other).is_empty());
        let handle = &listed[0].0.handle;
        assert!(!walls.contains(handle), "what is listed opens nothing");
        assert!(!sessions.take_down(&other, handle) && sessions.take_down(&viewer(), handle));
        assert!(!sessions.take_down(&viewer(), handle), "once");
        assert!(sessions.find(&walls[1], Presence::Page).is_none());
        assert!(sessions.find(&walls[0], Presence::Page).is_some());
        for name in 1..DISPLAYS_MAX {
            assert!(hang(&name.to_string()).is_some());
        }
        assert_eq!(hang("one too many"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_with_the_shift() {
        let sessions = Sessions::default();
        let id = sessions.begin(viewer(), given());
        for _ in 0..71 {
            tokio::time::advance(Duration::from_secs(10 * 60)).await;
            assert!(sessions.find(&id, Presence::Person).is_some());
        }
        tokio::time::advance(Duration::from_secs(10 * 60)).await;
        assert!(sessions.find(&id, Presence::Person).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_listens_hears_of_the_end() {
        let sessions = std::sync::Arc::new(Sessions::default());
        let id = sessions.begin(viewer(), given());
        let mut over = std::pin::pin!(sessions.over(&id));
        assert!(tokio::time::timeout(Duration::from_secs(60), &mut over).await.is_err());
        sessions.end(&id);
        assert!(tokio::time::timeout(LOOK_EVERY * 2, &mut over).await.is_ok());
    }

    #[tokio::test]
    async fn names_are_long_and_never_the_same_and_ended_sessions_are_gone() {
        let sessions = Sessions::default();
        let (one, other) = (sessions.begin(viewer(), given()), sessions.begin(viewer(), given()));
        assert!(one != other && one.len() == 64);
        let (first, second) =
            (sessions.find(&one, Presence::Page).unwrap(), sessions.find(&other, Presence::Page).unwrap());
        assert_ne!(first.csrf, second.csrf);
        sessions.end(&one);
        assert!(sessions.find(&one, Presence::Page).is_none() && sessions.find("", Presence::Page).is_none());
        assert_eq!(sessions.find(&other, Presence::Page).unwrap().viewer, viewer());
    }

    #[tokio::test]
    async fn a_sentence_is_said_once() {
        let sessions = Sessions::default();
        let id = sessions.begin(viewer(), given());
        sessions.say(&id, "Done.".into());
        assert_eq!(sessions.take_flash(&id), Some("Done.".into()));
        assert_eq!(sessions.take_flash(&id), None);
    }

    #[tokio::test]
    async fn a_late_form_is_known_by_the_secret_of_its_session() {
        let sessions = Sessions::default();
        let id = sessions.begin(viewer(), given());
        let csrf = sessions.find(&id, Presence::Person).unwrap().csrf;
        assert_eq!(sessions.was_of(&id, &csrf), None);
        sessions.end(&id);
        assert_eq!(sessions.was_of(&id, &csrf), Some(viewer()));
        assert_eq!((sessions.was_of(&id, "guess"), sessions.was_of("", &csrf)), (None, None));
    }

    #[test]
    fn tokens_are_read() {
        // {"sub":"ana","role":"bed_manager","trust":"ZA4"}
        let claims = "eyJzdWIiOiJhbmEiLCJyb2xlIjoiYmVkX21hbmFnZXIiLCJ0cnVzdCI6IlpBNCJ9";
        assert_eq!(viewer_of(&format!("e30.{claims}.c2ln")), Some(viewer()));
        for bad in ["", "a.b", "a.b.c", "a.!!.c", "e30.e30.e30", "a.b.c.d"] {
            assert_eq!(viewer_of(bad), None, "{bad}");
        }
    }
}
