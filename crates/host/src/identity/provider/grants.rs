//! What a client of the provider asks for: codes, tokens, and new ones for old.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fallow_api::status::Failure;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::Provider;
use super::fetch::{Answer, Credential, FetchError, form};
use crate::identity::compact::strict_json;

/// Largest answer of the token endpoint, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Time between two questions of a device, where the provider names none.
const ASK_EVERY_SECONDS: u64 = 5;
/// How much longer a device waits that asked too often, by the standard.
pub const SLOWER: Duration = Duration::from_secs(5);
/// Random bytes of a secret that nobody may guess.
const SECRET_BYTES: usize = 32;
/// Life of an access token whose life the provider does not tell, in seconds.
const UNTOLD_LIFE_SECONDS: u64 = 300;

/// A text that is wiped from memory when it is dropped, and never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// Returns the text, for the one who sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Who we are at the provider.
#[derive(Debug, Clone)]
pub struct Client {
    /// Our id.
    pub id: String,
    /// Our secret, if we can keep one.
    pub secret: Option<Secret>,
    /// What we ask to know, separated by spaces.
    pub scopes: String,
}

/// What a person is sent to the provider with.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Where they come back to.
    pub redirect_uri: &'a str,
    /// What they come back with, known to this browser alone.
    pub state: &'a str,
    /// What the ID token must carry.
    pub nonce: &'a str,
    /// The hash of what only we can show when we ask for tokens: [`challenge_of`].
    pub challenge: &'a str,
    /// How well they must sign in; empty = as the provider has it.
    pub acr: &'a str,
    /// Whether they must sign in anew although the provider knows them still.
    pub anew: bool,
    /// How long ago they may have signed in there at most, in seconds. Asked for this, a provider always says when it was.
    pub age_seconds_max: u32,
}

/// What a sign-in gave us. Never leaves the process that asked.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Says who signed in.
    pub id_token: Secret,
    /// Opens UserInfo.
    pub access_token: Secret,
    /// Becomes new tokens, where the provider gives one.
    pub refresh_token: Option<Secret>,
    /// How long the access token lasts.
    pub lasts: Duration,
}

/// What a device shows to its person, and how it asks whether they have done it.
#[derive(Debug, Clone)]
pub struct Device {
    code: Secret,
    /// What the person types.
    pub user_code: String,
    /// Where they type it.
    pub verification_uri: String,
    /// The same address with the code in it, if the provider has one.
    pub verification_uri_complete: Option<String>,
    /// How long they have.
    pub lasts: Duration,
    /// How long to wait between two questions.
    pub every: Duration,
}

/// Whether a device's person has signed in.
#[derive(Debug)]
pub enum Waiting {
    /// They have.
    Done(Tokens),
    /// Not yet: ask again.
    Still,
    /// Not yet: ask again, and from now on [`SLOWER`] less often.
    Slower,
}

impl GrantError {
    /// Says whether the provider has refused what was shown for good, so that the person must sign in again. Anything
    /// else may pass.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused(code) if code == "invalid_grant")
    }
}

/// Why there are no tokens.
#[derive(Debug, Error)]
pub enum GrantError {
    /// The provider's endpoints are not known.
    #[error(transparent)]
    Directory(#[from] Failure),
    /// The provider gave no answer.
    #[error("the identity provider gives no answer")]
    Fetch(#[from] FetchError),
    /// The provider said no, with a code such as `access_denied`.
    #[error("the identity provider says: {0}")]
    Refused(String),
    /// The answer is none.
    #[error("the identity provider's answer cannot be read")]
    Answer,
    /// The provider does not offer this.
    #[error("the identity provider does not offer sign-in by device code")]
    NotOffered,
    /// The system gave no randomness.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
    access_token: String,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct DeviceAnswer {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

/// Makes a secret that nobody guesses: 256 random bits, as 43 letters, digits, dashes and underscores.
///
/// # Errors
/// The system gives no random bytes.
pub fn fresh_secret() -> Result<String, GrantError> {
    let mut bytes = Zeroizing::new([0_u8; SECRET_BYTES]);
    getrandom::fill(&mut *bytes).map_err(|_| GrantError::NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(*bytes))
}

/// Returns the challenge of a verifier (PKCE, RFC 7636, method S256).
#[must_use]
pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

impl Provider {
    /// Returns the address to which a person is sent to sign in.
    ///
    /// # Errors
    /// The provider's endpoints are not known.
    pub async fn sign_in_address(&self, client: &Client, asking: Asking<'_>) -> Result<String, GrantError> {
        let endpoints = self.endpoints().await?;
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", client.id.as_str()),
            ("scope", client.scopes.as_str()),
            ("redirect_uri", asking.redirect_uri),
            ("state", asking.state),
            ("nonce", asking.nonce),
            ("code_challenge", asking.challenge),
            ("code_challenge_method", "S256"),
        ];
        if !asking.acr.is_empty() {
            fields.push(("acr_values", asking.acr));
        }
        let age = asking.age_seconds_max.to_string();
        fields.push(("max_age", &age));
        if asking.anew {
            fields.push(("prompt", "login"));
        }
        Ok(with_query(&endpoints.authorization_endpoint, &fields))
    }

    /// Returns the address at which a person's session at the provider ends, and from which they come back to `back`;
    /// `None` when the provider has none.
    ///
    /// # Errors
    /// The provider's endpoints are not known.
    pub async fn sign_out_address(
        &self,
        client: &Client,
        tokens: &Tokens,
        back: &str,
    ) -> Result<Option<String>, GrantError> {
        let endpoints = self.endpoints().await?;
        Ok(endpoints.end_session_endpoint.as_deref().map(|address| {
            let fields = [
                ("id_token_hint", tokens.id_token.reveal()),
                ("client_id", client.id.as_str()),
                ("post_logout_redirect_uri", back),
            ];
            with_query(address, &fields)
        }))
    }

    /// Exchanges the code with which a person came back. `verifier` is what the challenge was made of.
    ///
    /// # Errors
    /// The provider refuses it or gives no answer.
    pub async fn tokens_for_code(
        &self,
        client: &Client,
        (code, verifier, redirect_uri): (&str, &str, &str),
    ) -> Result<Tokens, GrantError> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        self.tokens(client, &fields, None).await
    }

    /// Exchanges a refresh token for new tokens. Where the provider sends no new ID token, the old one stays.
    ///
    /// # Errors
    /// As [`Provider::tokens_for_code`]; there was no refresh token.
    pub async fn tokens_anew(&self, client: &Client, old: &Tokens) -> Result<Tokens, GrantError> {
        let Some(refresh) = &old.refresh_token else {
            return Err(GrantError::Refused("no refresh token".to_owned()));
        };
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.reveal())];
        self.tokens(client, &fields, Some(old)).await
    }

    /// Begins a sign-in on another device (RFC 8628). `acr` is how well the person must sign in, and anew; empty = as the
    /// provider has it. What a provider makes of it shows in the ID token alone.
    ///
    /// # Errors
    /// The provider does not offer it, refuses it, or gives no answer.
    pub async fn begin_device(&self, client: &Client, acr: &str) -> Result<Device, GrantError> {
        let endpoints = self.endpoints().await?;
        let address = endpoints.device_authorization_endpoint.as_deref().ok_or(GrantError::NotOffered)?;
        let mut fields = vec![("scope", client.scopes.as_str())];
        if !acr.is_empty() {
            fields.extend([("acr_values", acr), ("max_age", "0")]);
        }
        let answer = parse(&self.ask(address, client, &fields).await?)?;
        let found: DeviceAnswer = serde_json::from_value(answer).map_err(|_| GrantError::Answer)?;
        Ok(Device {
            code: Secret::new(&found.device_code),
            user_code: found.user_code,
            verification_uri: found.verification_uri,
            verification_uri_complete: found.verification_uri_complete,
            lasts: Duration::from_secs(found.expires_in.min(3_600)),
            every: Duration::from_secs(found.interval.unwrap_or(ASK_EVERY_SECONDS).clamp(1, 60)),
        })
    }

    /// Asks whether a device's person has signed in.
    ///
    /// # Errors
    /// They refused, their time is over, or the provider gives no answer.
    pub async fn ask_device(&self, client: &Client, device: &Device) -> Result<Waiting, GrantError> {
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", device.code.reveal()),
        ];
        match self.tokens(client, &fields, None).await {
            Ok(tokens) => Ok(Waiting::Done(tokens)),
            Err(GrantError::Refused(code)) if code == "authorization_pending" => Ok(Waiting::Still),
            Err(GrantError::Refused(code)) if code == "slow_down" => Ok(Waiting::Slower),
            // By the standard whoever gets no answer asks less often, and goes on.
            Err(GrantError::Fetch(FetchError::Late | FetchError::Away(_))) => Ok(Waiting::Slower),
            Err(other) => Err(other),
        }
    }

    async fn tokens(
        &self,
        client: &Client,
        fields: &[(&str, &str)],
        old: Option<&Tokens>,
    ) -> Result<Tokens, GrantError> {
        let endpoints = self.endpoints().await?;
        let answer = parse(&self.ask(&endpoints.token_endpoint, client, fields).await?)?;
        let found: TokenAnswer = serde_json::from_value(answer).map_err(|_| GrantError::Answer)?;
        let id_token = match (&found.id_token, old) {
            (Some(token), _) => Secret::new(token),
            (None, Some(old)) => old.id_token.clone(),
            (None, None) => return Err(GrantError::Answer),
        };
        let refresh_token = found.refresh_token.as_deref().map(Secret::new);
        Ok(Tokens {
            id_token,
            access_token: Secret::new(&found.access_token),
            refresh_token: refresh_token.or_else(|| old.and_then(|old| old.refresh_token.clone())),
            lasts: Duration::from_secs(found.expires_in.unwrap_or(UNTOLD_LIFE_SECONDS)),
        })
    }

    /// Posts a form as the client: by the header where it has a secret, unless the provider takes it in the form alone.
    async fn ask(
        &self,
        address: &str,
        client: &Client,
        fields: &[(&str, &str)],
    ) -> Result<Answer, GrantError> {
        let endpoints = self.endpoints().await?;
        let methods = &endpoints.token_endpoint_auth_methods_supported;
        let is_named = |name: &str| methods.iter().any(|method| method == name);
        let in_form = is_named("client_secret_post") && !is_named("client_secret_basic");
        let mut fields = fields.to_vec();
        let credential = match &client.secret {
            Some(secret) if !in_form => Credential::Basic(&client.id, secret.reveal()),
            Some(secret) => {
                fields.extend([("client_id", client.id.as_str()), ("client_secret", secret.reveal())]);
                Credential::None
            }
            None => {
                fields.push(("client_id", &client.id));
                Credential::None
            }
        };
        Ok(self.fetcher.post(address, credential, &fields, ANSWER_BYTES_MAX).await?)
    }
}

fn parse(answer: &Answer) -> Result<Value, GrantError> {
    let found = strict_json(&answer.body);
    if answer.status == 200 {
        return found.ok_or(GrantError::Answer);
    }
    let code = found.as_ref().and_then(|found| found.get("error")).and_then(Value::as_str);
    let plain = |code: &&str| {
        code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match code.filter(plain) {
        Some(code) => Err(GrantError::Refused(code.to_owned())),
        None => Err(FetchError::Status(answer.status).into()),
    }
}

fn with_query(address: &str, fields: &[(&str, &str)]) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{}", form(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge_of(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let secret = fresh_secret().unwrap();
        assert_eq!(secret.len(), 43);
        assert_ne!(secret, fresh_secret().unwrap());
    }

    #[test]
    fn what_the_provider_says_no_with_is_told_and_nothing_else_of_it() {
        let refused = |status: u16, body: &'static str| {
            parse(&Answer { status, kind: String::new(), body: body.into() }).unwrap_err().to_string()
        };
        assert_eq!(refused(400, r#"{"error":"invalid_grant"}"#), "the identity provider says: invalid_grant");
        for body in [r#"{"error":"<b>"}"#, "<html>secret</html>", r#"{"error":7}"#] {
            assert_eq!(refused(500, body), "the identity provider gives no answer", "{body}");
        }
        assert!(!format!("{:?}", Secret::new("hidden")).contains("hidden"));
    }
}
