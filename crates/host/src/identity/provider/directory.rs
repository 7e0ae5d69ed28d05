//! What the provider says of itself: where its endpoints are, and the keys with which it signs.
//!
//! Both are kept. Keys that were fetched once serve for up to a day while the endpoint misbehaves, so that a night's
//! outage of a key server locks nobody out; a key that is not known makes us ask again, at most once a minute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fallow_api::status::Failure;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::fetch::{Credential, FetchError, Fetcher, is_trusted};
use crate::clock::Clock;
use crate::identity::compact::{algorithm_name, strict_json};

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
    #[serde(default)]
    pub(super) token_endpoint_auth_methods_supported: Vec<String>,
}

type Keys = Arc<BTreeMap<String, DecodingKey>>;

#[derive(Default)]
struct Known {
    endpoints: Option<Arc<Endpoints>>,
    keys: Option<(Keys, Duration)>,
    asked: Option<Duration>,
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
}

impl Directory {
    pub(super) fn new(issuer: &str, algorithm: Algorithm, fetcher: Fetcher, clock: Clock) -> Self {
        let (issuer, known, failures) = (issuer.to_owned(), Mutex::default(), AtomicU64::new(0));
        Self(Arc::new(Inner { issuer, algorithm, fetcher, clock, known, failures }))
    }

    /// Returns how often the provider could not be read.
    pub(super) fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    /// Returns where the endpoints are.
    pub(super) async fn endpoints(&self) -> Result<Arc<Endpoints>, Failure> {
        self.0.endpoints(&mut *self.0.known.lock().await).await
    }

    /// Returns the key of an id; `None` when the provider has none of that id. Only the provider's own key set is ever
    /// asked, never an address that a token names.
    pub(super) async fn key(&self, id: &str) -> Result<Option<DecodingKey>, Failure> {
        let inner = &*self.0;
        let known = &mut *inner.known.lock().await;
        let now = inner.clock.steady();
        let since = |then: Duration| now.saturating_sub(then);
        let is_old = known.keys.as_ref().is_none_or(|(_, read)| since(*read) >= READ_AGAIN);
        let is_unknown = known.keys.as_ref().is_none_or(|(keys, _)| !keys.contains_key(id));
        let patience = if known.keys.is_some() { ASK_AGAIN } else { TRY_AGAIN };
        let may_ask = known.asked.is_none_or(|asked| since(asked) >= patience);
        if (is_old || is_unknown) && may_ask {
            known.asked = Some(now);
            match inner.read_keys(known).await {
                Ok(keys) => known.keys = Some((keys, now)),
                Err(what) => {
                    inner.alert("the identity provider's keys cannot be read", &what);
                    // Perhaps they have moved; what is known of the rest stays good if they have not.
                    if let Ok(endpoints) = inner.read_endpoints().await {
                        known.endpoints = Some(Arc::new(endpoints));
                    }
                }
            }
        }
        // Keys that could not be read for a day may have been withdrawn for a reason.
        if known.keys.as_ref().is_some_and(|(_, read)| since(*read) >= KEEP) {
            known.keys = None;
        }
        match &known.keys {
            Some((keys, _)) => Ok(keys.get(id).cloned()),
            None => Err(Failure::ProviderAway { retry_after: RETRY_AFTER }),
        }
    }
}

impl Inner {
    async fn endpoints(&self, known: &mut Known) -> Result<Arc<Endpoints>, Failure> {
        if let Some(endpoints) = &known.endpoints {
            return Ok(endpoints.clone());
        }
        match self.read_endpoints().await {
            Ok(endpoints) => Ok(known.endpoints.insert(Arc::new(endpoints)).clone()),
            Err(what) => {
                self.alert("the identity provider's description cannot be read", &what);
                Err(Failure::ProviderAway { retry_after: RETRY_AFTER })
            }
        }
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
        if !all.into_iter().chain(&endpoints.device_authorization_endpoint).all(|address| is_trusted(address))
        {
            return Err("an endpoint is no https:// address".to_owned());
        }
        Ok(endpoints)
    }

    async fn read_keys(&self, known: &mut Known) -> Result<Keys, String> {
        let endpoints = self.endpoints(known).await.map_err(|failure| failure.to_string())?;
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
