//! Our own tokens: JWTs with one algorithm (EdDSA over Ed25519), every claim checked, each failure with its reason.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{Label, RegionId};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Header};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::assurance::Assurance;
use super::compact::{Compact, MALFORMED, lacks, refuse};
use super::keys::{KeyError, KeySet, SigningKey};
use super::sessions::{self, EndedSessions};
use super::signed::Signed;
use super::{Caller, no_credentials};
use crate::clock::Clock;

/// Longest token that is looked at, in bytes. Ours have some 500.
pub const TOKEN_BYTES_MAX: usize = 8_192;
/// Longest leeway that any setting may give, in seconds.
pub(super) const LEEWAY_SECONDS_MAX: u32 = 30;

/// The claims as they stand in a token. All optional here, so that what is missing can be named.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    aud: Option<Value>,
    sub: Option<String>,
    iat: Option<i64>,
    nbf: Option<i64>,
    exp: Option<i64>,
    kind: Option<ActorKind>,
    role: Option<String>,
    trust: Option<String>,
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aal: Option<Assurance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
}

/// Signs tokens.
#[derive(Debug, Clone)]
pub struct Signer {
    key: SigningKey,
    issuer: String,
    audience: String,
    clock: Clock,
}

impl Signer {
    /// Makes a signer for an issuer and an audience. `clock` is the system's but in tests.
    #[must_use]
    pub fn new(key: SigningKey, issuer: &str, audience: &str, clock: Clock) -> Self {
        Self { key, issuer: issuer.to_owned(), audience: audience.to_owned(), clock }
    }

    /// Returns the public half of the key, for those who verify.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        self.key.key_set()
    }

    /// Issues a token that says who `caller` is, valid from now for `life`.
    ///
    /// # Errors
    /// The key cannot sign, which a key that was read or generated can.
    pub fn issue(&self, caller: &Caller, life: Duration) -> Result<String, KeyError> {
        let now = self.clock.now().as_second();
        let claims = Claims {
            iss: Some(self.issuer.clone()),
            aud: Some(self.audience.clone().into()),
            sub: Some(caller.actor.subject.to_string()),
            iat: Some(now),
            nbf: None,
            exp: Some(now.saturating_add(i64::try_from(life.as_secs()).unwrap_or(i64::MAX))),
            kind: Some(caller.actor.kind),
            role: Some(caller.actor.role.to_string()),
            trust: caller.actor.trust.map(|trust| trust.to_string()),
            region: Some(caller.region.to_string()),
            aal: caller.assurance,
            sid: caller.session.as_ref().map(ToString::to_string),
            auth_time: caller.signed_in_at.map(Timestamp::as_second),
        };
        self.sign(&claims)
    }

    fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.key.id().to_owned());
        jsonwebtoken::encode(&header, claims, &self.key.encoding)
            .map_err(|_| KeyError::Malformed("the key does not sign"))
    }
}

/// Verifies tokens of one issuer for one region. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    keys: KeySet,
    issuer: String,
    audience: String,
    region: RegionId,
    leeway_seconds: i64,
    clock: Clock,
    ended: Option<Arc<EndedSessions>>,
    signed: Arc<Signed>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// Makes a verifier. `clock` is the system's but in tests; a leeway above 30 s counts as 30 s.
    #[must_use]
    pub fn new(
        keys: KeySet,
        (issuer, audience): (&str, &str),
        region: RegionId,
        leeway_seconds: u32,
        clock: Clock,
    ) -> Self {
        let leeway_seconds = leeway_seconds.min(LEEWAY_SECONDS_MAX).into();
        Self {
            keys,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            region,
            leeway_seconds,
            clock,
            ended: None,
            signed: Arc::default(),
        }
    }

    /// Returns the same verifier, which refuses from now on what was signed in with a session that has ended.
    #[must_use]
    pub fn refusing(self, ended: Arc<EndedSessions>) -> Self {
        Self { ended: Some(ended), ..self }
    }

    /// Returns the region whose credentials it believes.
    pub(crate) fn region(&self) -> &RegionId {
        &self.region
    }

    /// Finds out who calls from the headers of a call.
    ///
    /// # Errors
    /// There is no credential, more than one, or one that [`Verifier::verify`] refuses.
    pub fn caller_of(&self, headers: &HeaderMap) -> Result<Caller, Failure> {
        let mut credentials = headers.get_all(AUTHORIZATION).iter();
        let Some(credential) = credentials.next() else { return Err(no_credentials()) };
        if credentials.next().is_some() {
            return refuse(reasons::AMBIGUOUS_CREDENTIALS, "send exactly one authorization header");
        }
        let token = credential.to_str().ok().and_then(|text| text.split_once(' '));
        match token {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => self.verify(token),
            Some(_) | None => {
                refuse(reasons::TOKEN_MALFORMED, "the authorization header must be `Bearer` and a token")
            }
        }
    }

    /// Finds out who a token speaks for.
    ///
    /// # Errors
    /// Says which check the token does not pass; nothing of the token is repeated.
    pub fn verify(&self, token: &str) -> Result<Caller, Failure> {
        let claims = self.signed_claims(token)?;
        self.check_end(&claims)?;
        let caller = self.told(&claims)?;
        self.check_session(&caller)?;
        Ok(caller)
    }

    /// Finds out who a token spoke for that may have ended: to renew it, where it is shown otherwise that its session goes
    /// on. It is a credential for nothing else.
    ///
    /// # Errors
    /// As [`Verifier::verify`], but `TOKEN_EXPIRED` and `SESSION_ENDED`.
    pub fn once_held_by(&self, token: &str) -> Result<Caller, Failure> {
        self.told(&*self.signed_claims(token)?)
    }

    /// Reads who the claims of a token speak for.
    fn told(&self, claims: &Claims) -> Result<Caller, Failure> {
        if claims.iss.as_deref() != Some(&self.issuer) {
            return refuse(reasons::TOKEN_ISSUER, "the token comes from another issuer");
        }
        // A list is refused even when we are in it: a token for two services can be replayed by one at the other.
        if claims.aud.as_ref().and_then(Value::as_str) != Some(&self.audience) {
            return refuse(
                reasons::TOKEN_AUDIENCE,
                "the token is meant for another audience, or for more than one",
            );
        }
        self.check_times(claims)?;
        let subject = claims.sub.as_deref().unwrap_or_default();
        let Some(region) = claims.region.as_deref() else { return lacks("region") };
        if region != self.region.as_str() {
            return refuse(reasons::TOKEN_REGION, "the token is for another region");
        }
        let (Some(kind), Ok(subject)) = (claims.kind, Label::parse(subject)) else {
            return lacks("kind and a plain sub");
        };
        let role = match claims.role.as_deref() {
            None | Some("") => {
                return Err(Failure::Forbidden {
                    reason: reasons::NO_ROLE,
                    text: "you have no role in Fallow".to_owned(),
                });
            }
            Some(text) => text.parse::<Role>().or_else(|_| lacks("a known role"))?,
        };
        let trust = match claims.trust.as_deref() {
            None => None,
            Some(text) => Some(text.parse().or_else(|_| lacks("a trust of the form of an ODS code"))?),
        };
        match (Standing::of(role), trust) {
            (Standing::OfATrust, None) => return lacks("the trust of a role that acts for one"),
            (Standing::AboveTrusts, Some(_)) => return lacks("a trust only with a role that acts for one"),
            (Standing::OfATrust | Standing::Either, Some(_))
            | (Standing::AboveTrusts | Standing::Either, None) => {}
        }
        let assurance = match (kind, claims.aal) {
            (ActorKind::Person, None) => return lacks("the aal of a person"),
            (ActorKind::Person | ActorKind::System, found) => found,
        };
        let session = match claims.sid.as_deref() {
            None => None,
            Some(text) => Some(Label::parse(text).or_else(|_| lacks("a plain sid"))?),
        };
        let signed_in_at = match (&session, claims.auth_time.map(Timestamp::from_second)) {
            (None, _) => None,
            (Some(_), Some(Ok(at))) => Some(at),
            (Some(_), Some(Err(_)) | None) => return lacks("the auth_time of a session"),
        };
        let actor = Actor { subject, kind, role, trust };
        Ok(Caller { actor, region: self.region.clone(), assurance, session, signed_in_at })
    }

    /// Refuses a caller whose sign-in was ended. What lasts, such as a watch, asks again as long as it does.
    ///
    /// # Errors
    /// `SESSION_ENDED`.
    pub(crate) fn check_session(&self, caller: &Caller) -> Result<(), Failure> {
        let (Some(ended), Some(session), Some(signed_in_at)) =
            (&self.ended, &caller.session, caller.signed_in_at)
        else {
            return Ok(());
        };
        if sessions::has_ended(&**ended, session, &caller.actor.subject, signed_in_at) {
            return refuse(reasons::SESSION_ENDED, "the session has ended: sign in again");
        }
        Ok(())
    }

    /// Returns the claims of a token whose signature holds. The keys are those of the verifier as long as it lives, so that
    /// what was signed by one of them stays so.
    fn signed_claims(&self, token: &str) -> Result<Arc<Claims>, Failure> {
        if token.len() > TOKEN_BYTES_MAX {
            return refuse(reasons::TOKEN_MALFORMED, MALFORMED);
        }
        self.signed.claims_of(token, || {
            let compact = Compact::read(token, Algorithm::EdDSA)?;
            let claims = compact.verified(self.keys.find(&compact.key_id), Algorithm::EdDSA)?;
            // A claim of the wrong type is an error of the deserialiser.
            serde_json::from_value(Value::Object(claims))
                .or_else(|_| refuse(reasons::TOKEN_MALFORMED, "a claim of the token is of the wrong kind"))
        })
    }

    /// Refuses a token that has ended. One that does not say when it ends is refused as such.
    fn check_end(&self, claims: &Claims) -> Result<(), Failure> {
        let now = self.clock.now().as_second();
        match claims.exp {
            Some(exp) if exp.saturating_add(self.leeway_seconds) <= now => {
                refuse(reasons::TOKEN_EXPIRED, "the token has ended: sign in again")
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_times(&self, claims: &Claims) -> Result<(), Failure> {
        let (Some(iat), Some(_)) = (claims.iat, claims.exp) else { return lacks("iat and exp") };
        if claims.sub.as_deref().is_none_or(str::is_empty) {
            return lacks("sub");
        }
        let latest = self.clock.now().as_second().saturating_add(self.leeway_seconds);
        if iat > latest || claims.nbf.is_some_and(|nbf| nbf > latest) {
            return refuse(reasons::TOKEN_NOT_YET, "the token begins in the future");
        }
        Ok(())
    }
}

/// Whether a role acts for a trust.
enum Standing {
    OfATrust,
    AboveTrusts,
    Either,
}

impl Standing {
    fn of(role: Role) -> Self {
        match role {
            Role::TrustSystem | Role::BedManager | Role::SiteLead => Self::OfATrust,
            Role::Engine | Role::Console | Role::Gold | Role::Auditor | Role::PlatformAdmin => {
                Self::AboveTrusts
            }
            // A collaborative's people may sit in one of its trusts.
            Role::Coordinator | Role::Icb | Role::LeadProvider => Self::Either,
        }
    }
}

#[cfg(test)]
mod tests;
