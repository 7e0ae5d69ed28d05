//! What the provider says of itself: where its endpoints are, and the keys with which it signs.
//!
//! Both are kept. Keys that were fetched once serve for up to a day while the endpoint misbehaves, so that a night's
//! outage of a key server locks nobody out; a key that is not known makes us ask again, at most once a minute.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fallow_api::status::Failure;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use super::fetch::{Credential, FetchError, Fetcher, is_trusted};
use crate::clock::Clock;
use crate::identity::compact::{algorithm_name, strict_json};
use crate::tasks::Tasks;

/// Largest description and largest key set that are read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Most keys that are kept.
const KEYS_MAX: usize = 32;
/// How often the keys are read again.
const READ_AGAIN: Duration = Duration::from_secs(10 * 60);
/// How soon after a look the endpoint is asked again, whatever for.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// How soon after a failure it is asked again while nothing at all is known.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// How long keys serve while they cannot be read again.
const KEEP: Duration = Duration::from_secs(24 * 3_600);
/// What a caller is told to wait while the provider is away.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Where the provider's endpoints are.
#[derive(Debug, Clone, Deserialize)]
pub struct Endpoints {
    issuer: String,
    /// Where people sign in.
    pub authorization_endpoint: String,
    /// Where codes become tokens.
    pub token_endpoint: String,
    /// Where it says who somebody is.
    pub userinfo_endpoint: String,
    jwks_uri: String,
    /// Where a device asks for a code, if anywhere.
    pub device_authorization_endpoint: Option<String>,
    /// Where people sign out, if anywhere (OpenID Connect RP-Initiated Logout).
    pub end_session_endpoint: Option<String>,
    #[serde(default)]
    pub(super) token_endpoint_auth_methods_supported: Vec<String>,
}

type Keys = Arc<BTreeMap<String, DecodingKey>>;

#[derive(Default)]
struct Known {
    endpoints: Option<Arc<Endpoints>>,
    keys: Option<(Keys, Duration)>,
    looks: [Look; 2],
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The description alone, if it is not known.
    Description,
    /// The keys, and the description where it is not known or the keys are not where it says.
    Keys,
}

/// The last look at something.
#[derive(Default)]
struct Look {
    began: Option<Duration>,
    /// Closed when it is over.
    over: Option<watch::Receiver<()>>,
}

/// What is known of a provider. Cheap to clone.
#[derive(Clone)]
pub(super) struct Directory(Arc<Inner>);

struct Inner {
    issuer: String,
    algorithm: Algorithm,
    fetcher: Fetcher,
    clock: Clock,
    known: Mutex<Known>,
    failures: AtomicU64,
    tasks: Tasks,
}

impl Directory {
    pub(super) fn new(issuer: &str, algorithm: Algorithm, fetcher: Fetcher, clock: Clock) -> Self {
        let (issuer, known, failures) = (issuer.to_owned(), Mutex::default(), AtomicU64::new(0));
        Self(Arc::new(Inner { issuer, algorithm, fetcher, clock, known, failures, tasks: Tasks::new() }))
    }

    /// Returns how often the provider could not be read.
    pub(super) fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    /// Returns where the endpoints are.
    pub(super) async fn endpoints(&self) -> Result<Arc<Endpoints>, Failure> {
        let known = |known: &Known| known.endpoints.clone();
        if let Some(endpoints) = known(&self.0.lock()) {
            return Ok(endpoints);
        }
        self.look(Of::Description).await;
        known(&self.0.lock()).ok_or(Failure::ProviderAway { retry_after: RETRY_AFTER })
    }

    /// Returns the key of an id; `None` when the provider has none of that id, as far as its key set could be read. Only the
    /// provider's own key set is ever asked, never an address that a token names.
    pub(super) async fn key(&self, id: &str) -> Result<Option<DecodingKey>, Failure> {
        let (is_old, has_it) = {
            let known = &mut *self.0.lock();
            let now = self.0.clock.steady();
            let since = |then: Duration| now.saturating_sub(then);
            // Keys that could not be read for a day may have been withdrawn for a reason.
            known.keys.take_if(|(_, read)| since(*read) >= KEEP);
            let is_old = known.keys.as_ref().is_none_or(|(_, read)| since(*read) >= READ_AGAIN);
            (is_old, known.keys.as_ref().is_some_and(|(keys, _)| keys.contains_key(id)))
        };
        match (has_it, is_old) {
            (true, false) => {}
            // What is known is good enough; nobody waits for what may be newer.
            (true, true) => drop(self.begin_to_look(Of::Keys)),
            (false, _) => self.look(Of::Keys).await,
        }
        let known = self.0.lock();
        let away = Err(Failure::ProviderAway { retry_after: RETRY_AFTER });
        match &known.keys {
            None => away,
            Some((keys, read)) => match keys.get(id) {
                Some(key) => Ok(Some(key.clone())),
                // The keys that are known are older than the last look, which failed: the provider may have new ones since,
                // and whoever shows one is not to be sent away for good.
                None if known.looks[Of::Keys as usize].began.is_some_and(|began| *read < began) => away,
                None => Ok(None),
            },
        }
    }

    /// Looks at the provider unless it is too soon, and waits until that is over.
    async fn look(&self, of: Of) {
        if let Some(mut looking) = self.begin_to_look(of) {
            // An error is the end of the look, too.
            let _ = looking.changed().await;
        }
    }

    /// Looks at the provider in a task of its own, which no caller that gives up takes with it: else whoever shows keys
    /// that nobody knows, and hangs up, could keep everybody from new ones. `None` when it is too soon for a look.
    fn begin_to_look(&self, of: Of) -> Option<watch::Receiver<()>> {
        let known = &mut *self.0.lock();
        let patience = if known.keys.is_some() { ASK_AGAIN } else { TRY_AGAIN };
        let look = &mut known.looks[of as usize];
        if let Some(under_way) = look.over.as_ref().filter(|over| over.has_changed().is_ok()) {
            return Some(under_way.clone());
        }
        let now = self.0.clock.steady();
        if look.began.is_some_and(|began| now.saturating_sub(began) < patience) {
            return None;
        }
        let (is_over, over) = watch::channel(());
        *look = Look { began: Some(now), over: Some(over.clone()) };
        let inner = self.0.clone();
        self.0.tasks.spawn("identity provider", async move {
            match of {
                Of::Description => drop(inner.describe().await),
                Of::Keys => inner.read_all().await,
            }
            drop(is_over);
        });
        Some(over)
    }
}

impl Inner {
    /// Reads the keys; where they are not where they were, the description again.
    async fn read_all(&self) {
        let known = self.lock().endpoints.clone();
        let read = match known {
            None => match self.describe().await {
                Some(endpoints) => self.keys_at(&endpoints).await,
                None => None,
            },
            Some(before) => match self.keys_at(&before).await {
                Some(keys) => Some(keys),
                // Perhaps they have moved; what is known of the rest stays good if they have not.
                None => match self.describe().await.filter(|now| now.jwks_uri != before.jwks_uri) {
                    Some(endpoints) => self.keys_at(&endpoints).await,
                    None => None,
                },
            },
        };
        if let Some(keys) = read {
            let now = self.clock.steady();
            self.lock().keys = Some((keys, now));
        }
    }

    async fn describe(&self) -> Option<Arc<Endpoints>> {
        match self.read_endpoints().await {
            Ok(endpoints) => Some(self.lock().endpoints.insert(Arc::new(endpoints)).clone()),
            Err(what) => {
                self.alert("the identity provider's description cannot be read", &what);
                None
            }
        }
    }

    async fn keys_at(&self, endpoints: &Endpoints) -> Option<Keys> {
        match self.read_keys(endpoints).await {
            Ok(keys) => Some(keys),
            Err(what) => {
                self.alert("the identity provider's keys cannot be read", &what);
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Whole after each change, and held over nothing that waits.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_endpoints(&self) -> Result<Endpoints, String> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let found = self.json(&address).await?;
        let endpoints: Endpoints = serde_json::from_value(found).map_err(|error| error.to_string())?;
        if endpoints.issuer != self.issuer {
            return Err("it names another issuer than provider.issuer".to_owned());
        }
        let all = [
            &endpoints.authorization_endpoint,
            &endpoints.token_endpoint,
            &endpoints.userinfo_endpoint,
            &endpoints.jwks_uri,
        ];
        let more = [&endpoints.device_authorization_endpoint, &endpoints.end_session_endpoint];
        if !all.into_iter().chain(more.into_iter().flatten()).all(|address| is_trusted(address)) {
            return Err("an endpoint is no https:// address".to_owned());
        }
        Ok(endpoints)
    }

    async fn read_keys(&self, endpoints: &Endpoints) -> Result<Keys, String> {
        let set = self.json(&endpoints.jwks_uri).await?;
        let set = set.get("keys").and_then(Value::as_array).ok_or("it is no JWK set")?;
        if set.len() > KEYS_MAX {
            return Err(format!("it has {} keys, of which {KEYS_MAX} are the most", set.len()));
        }
        let mut keys = BTreeMap::new();
        for (id, key) in set.iter().filter_map(|key| usable(key, self.algorithm)) {
            if keys.insert(id, key).is_some() {
                return Err("two of its keys have one id".to_owned());
            }
        }
        if keys.is_empty() {
            return Err(format!("it has no key with an id for {}", algorithm_name(self.algorithm)));
        }
        Ok(Arc::new(keys))
    }

    async fn json(&self, address: &str) -> Result<Value, String> {
        let told = |error: FetchError| match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        let answer = self.fetcher.get(address, Credential::None, ANSWER_BYTES_MAX).await.map_err(told)?;
        strict_json(&answer.body).ok_or_else(|| "it is no JSON".to_owned())
    }

    fn alert(&self, what: &str, why: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        tracing::error!(issuer = self.issuer, why, "{what}");
    }
}

/// Returns a key that signs with the pinned algorithm; others, such as those for encryption, are passed over.
fn usable(key: &Value, algorithm: Algorithm) -> Option<(String, DecodingKey)> {
    let key: Jwk = serde_json::from_value(key.clone()).ok()?;
    let id = key.common.key_id.clone().filter(|id| !id.is_empty())?;
    let signs = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let fits = match key.common.key_algorithm {
        None => true,
        Some(named) => named.to_string() == algorithm_name(algorithm),
    };
    let key = DecodingKey::from_jwk(&key).ok()?;
    (signs && fits && key.family() == algorithm.family()).then_some((id, key))
}

#[cfg(test)]
mod tests;
