//! The OpenID Connect provider by which people sign in, such as NHS CIS2.
//!
//! Its tokens are believed when they are signed with the one algorithm that the settings pin, by a key of the provider's
//! own key set, and say all that they must ([`Provider::sign_in`]). Who somebody is at work is asked of its UserInfo
//! ([`Provider::chosen_role`]): the role that was chosen at sign-in, and never another.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fallow_api::reasons;
use fallow_api::status::Failure;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha512};
use thiserror::Error;

use super::compact::{ALGORITHMS, Compact, refuse, strict_json};
use crate::clock::Clock;

mod claims;
mod directory;
mod fetch;
mod grants;
mod userinfo;

pub use claims::{LoggedOut, SignedIn};
pub use directory::Endpoints;
pub use fetch::FetchError;
pub use grants::{
    Asking, Client, Device, GrantError, SLOWER, Secret, Tokens, Waiting, challenge_of, fresh_secret,
};
pub use userinfo::ChosenRole;

use claims::Expected;
use directory::Directory;
use fetch::{Credential, Fetcher};

/// Largest UserInfo that is read, in bytes: a person with hundreds of roles has some hundred kilobytes.
const USERINFO_BYTES_MAX: usize = 512 * 1024;

/// What must be known of a provider before anything is asked of it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its issuer, exactly as its tokens name it.
    pub issuer: String,
    /// The one algorithm with which it signs: one of [`algorithms`].
    pub algorithm: String,
    /// Our client ids at the provider.
    pub clients: Vec<String>,
    /// The authorities of its certificate; `None` = those of the machine.
    pub authorities: Option<PathBuf>,
    /// Forgiven difference of clocks in seconds; above 30 counts as 30.
    pub leeway_seconds: u32,
}

/// Why a provider cannot be used as it is set.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// The issuer is no address that is trusted.
    #[error("provider.issuer must begin with https:// (http:// only on this machine)")]
    Issuer,
    /// The algorithm is none that is taken.
    #[error("provider.algorithm must be one of {}", algorithms().join(", "))]
    Algorithm,
    /// The authorities cannot be read.
    #[error("provider.ca_file")]
    Authorities(#[source] FetchError),
}

/// Returns the names of the algorithms that a provider may be pinned to.
#[must_use]
pub fn algorithms() -> Vec<&'static str> {
    ALGORITHMS.iter().map(|(name, _)| *name).collect()
}

/// A provider. Cheap to clone.
#[derive(Clone)]
pub struct Provider {
    options: Arc<Options>,
    algorithm: Algorithm,
    fetcher: Fetcher,
    directory: Directory,
    clock: Clock,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({})", self.options.issuer)
    }
}

impl Provider {
    /// Makes a provider; nothing is asked of it yet. `clock` is the system's but in tests.
    ///
    /// # Errors
    /// The options cannot be used.
    pub fn new(options: Options, clock: Clock) -> Result<Self, ProviderError> {
        let named = ALGORITHMS.iter().find(|(name, _)| *name == options.algorithm);
        let (_, algorithm) = *named.ok_or(ProviderError::Algorithm)?;
        if !fetch::is_trusted(&options.issuer) {
            return Err(ProviderError::Issuer);
        }
        let fetcher = Fetcher::new(options.authorities.as_deref()).map_err(ProviderError::Authorities)?;
        let directory = Directory::new(&options.issuer, algorithm, fetcher.clone(), clock.clone());
        Ok(Self { options: Arc::new(options), algorithm, fetcher, directory, clock })
    }

    /// Returns its issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.options.issuer
    }

    /// Returns how often its keys or its description could not be read: an alert when it grows.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.directory.failures()
    }

    /// Returns where its endpoints are.
    ///
    /// # Errors
    /// [`Failure::ProviderAway`].
    pub async fn endpoints(&self) -> Result<Arc<Endpoints>, Failure> {
        self.directory.endpoints().await
    }

    /// Reads the sign-in out of an ID token. With an access token, it must be the one that was issued beside it.
    ///
    /// # Errors
    /// Says which check the token does not pass; [`Failure::ProviderAway`] while no key is known.
    pub async fn sign_in(&self, id_token: &str, access_token: Option<&str>) -> Result<SignedIn, Failure> {
        let signed_in = self.expected().sign_in(&self.id_claims(id_token).await?)?;
        if let (Some(hash), Some(token)) = (&signed_in.access_token_hash, access_token)
            && *hash != self.hash_of(token)
        {
            return refuse(reasons::TOKEN_BINDING, "the access token was not issued with this ID token");
        }
        Ok(signed_in)
    }

    /// Reads the sign-in out of an ID token that may have ended, and was issued beside an access token before the one that
    /// there is now: a provider need not give another when it renews that (OpenID Connect Core, 12.2). Good only for whom
    /// something else shows to hold the session.
    ///
    /// # Errors
    /// As [`Provider::sign_in`], but `TOKEN_EXPIRED`.
    pub async fn past_sign_in(&self, id_token: &str) -> Result<SignedIn, Failure> {
        self.expected().past_sign_in(&self.id_claims(id_token).await?)
    }

    /// Returns the claims of an ID token whose signature holds.
    async fn id_claims(&self, id_token: &str) -> Result<Map<String, Value>, Failure> {
        let compact = Compact::read(id_token, self.algorithm)?;
        if !matches!(compact.kind.as_deref(), None | Some("jwt")) {
            return refuse(reasons::TOKEN_MALFORMED, "the token is no ID token");
        }
        self.verified(&compact).await
    }

    /// Asks the provider for the role that somebody chose when they signed in.
    ///
    /// # Errors
    /// `SESSION_ENDED` when the provider no longer takes the access token, `USERINFO_MALFORMED`, `NO_ROLE`,
    /// `ROLE_NOT_SELECTED`; [`Failure::ProviderAway`].
    pub async fn chosen_role(&self, signed_in: &SignedIn, access_token: &str) -> Result<ChosenRole, Failure> {
        let away = || Failure::ProviderAway { retry_after: directory::RETRY_AFTER };
        let endpoints = self.directory.endpoints().await?;
        let asked = self
            .fetcher
            .get(&endpoints.userinfo_endpoint, Credential::Bearer(access_token), USERINFO_BYTES_MAX)
            .await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(FetchError::Status(401 | 403)) => {
                return refuse(
                    reasons::SESSION_ENDED,
                    "the identity provider has ended the session: sign in again",
                );
            }
            Err(error @ FetchError::Body(_)) => return userinfo::malformed(&error.to_string()),
            Err(error) => {
                tracing::warn!(%error, "the identity provider's UserInfo cannot be read");
                return Err(away());
            }
        };
        let userinfo = if answer.kind == "application/jwt" {
            self.signed_userinfo(&answer.body).await?
        } else {
            match strict_json(&answer.body) {
                Some(Value::Object(userinfo)) => userinfo,
                Some(_) | None => return userinfo::malformed("UserInfo is no JSON object"),
            }
        };
        // Without this, one person's access token could be exchanged with another's ID token.
        if userinfo.get("sub").and_then(Value::as_str) != Some(&signed_in.sub) {
            return userinfo::malformed("UserInfo is of another person");
        }
        userinfo::chosen_role(&userinfo, &signed_in.selected_role)
    }

    /// Reads which sign-ins a logout token ends.
    ///
    /// # Errors
    /// As [`Provider::sign_in`].
    pub async fn logout(&self, logout_token: &str) -> Result<LoggedOut, Failure> {
        let compact = Compact::read(logout_token, self.algorithm)?;
        if !matches!(compact.kind.as_deref(), None | Some("jwt" | "logout+jwt")) {
            return refuse(reasons::TOKEN_MALFORMED, "the token is no logout token");
        }
        self.expected().logout(&self.verified(&compact).await?)
    }

    /// Reads a UserInfo that is signed. It need not name an audience; when it does, it is ours.
    async fn signed_userinfo(&self, body: &[u8]) -> Result<Map<String, Value>, Failure> {
        let Ok(token) = std::str::from_utf8(body) else { return userinfo::malformed("UserInfo is no text") };
        let claims = self.verified(&Compact::read(token.trim(), self.algorithm)?).await?;
        if claims.get("iss").is_some_and(|issuer| issuer.as_str() != Some(&self.options.issuer)) {
            return refuse(reasons::TOKEN_ISSUER, "UserInfo comes from another issuer");
        }
        let ours =
            |audience: &Value| self.options.clients.iter().any(|client| audience.as_str() == Some(client));
        let is_ours = match claims.get("aud") {
            None => true,
            Some(Value::Array(list)) => list.iter().any(ours),
            Some(one) => ours(one),
        };
        if !is_ours {
            return refuse(reasons::TOKEN_AUDIENCE, "UserInfo is meant for another client");
        }
        Ok(claims)
    }

    async fn verified(&self, compact: &Compact<'_>) -> Result<Map<String, Value>, Failure> {
        let key = self.directory.key(&compact.key_id).await?;
        compact.verified(key.as_ref(), self.algorithm)
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            issuer: &self.options.issuer,
            clients: &self.options.clients,
            now: self.clock.now().as_second(),
            leeway: self.options.leeway_seconds.min(super::token::LEEWAY_SECONDS_MAX).into(),
        }
    }

    /// Returns what an ID token says of the access token beside it: half the hash that its algorithm uses.
    fn hash_of(&self, access_token: &str) -> String {
        if self.algorithm == Algorithm::EdDSA {
            URL_SAFE_NO_PAD.encode(&Sha512::digest(access_token)[..32])
        } else {
            URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token)[..16])
        }
    }
}
