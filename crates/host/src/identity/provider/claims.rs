//! What the provider's tokens must say, each claim with the reason when it does not.

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::ids::Label;
use serde_json::{Map, Value};

use crate::identity::Assurance;
use crate::identity::compact::{lacks, refuse};
use crate::identity::sessions::{self, session_name};

/// What every logout token says that it is.
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long a logout token is good that does not say, in seconds: the standard's first edition let it leave that out.
const LOGOUT_SECONDS: i64 = 600;
/// Most characters of a text that is taken from a token.
const TEXT_MAX: usize = 512;

/// A person's sign-in, as a verified ID token tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The provider's id of the person.
    pub sub: String,
    /// The subject by which Fallow knows them.
    pub subject: Label,
    /// The name of the session.
    pub session: Label,
    /// When the token was issued, in seconds since 1970.
    pub issued_at: i64,
    /// When the person signed in, in seconds since 1970.
    pub signed_in_at: i64,
    /// How sure the provider was of them; `None` when it does not say.
    pub assurance: Option<Assurance>,
    /// The role that they chose, by the provider's id; empty when they chose none.
    pub selected_role: String,
    /// What the console sent along to know the answer by.
    pub nonce: Option<String>,
    /// What binds an access token to this sign-in.
    pub(super) access_token_hash: Option<String>,
}

/// Which sign-ins a verified logout token ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedOut {
    /// The name of the one session, or the one that stands for all of the person's.
    pub name: Label,
    /// When it was said, in seconds since 1970 by the provider's clock: whoever signs in later is not meant, however
    /// often it is said again.
    pub issued_at: i64,
}

/// What tokens are checked against.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) clients: &'a [String],
    /// Seconds since 1970.
    pub(super) now: i64,
    pub(super) leeway: i64,
}

type Claims = Map<String, Value>;

/// What a token must say of its end.
#[derive(Debug, Clone, Copy)]
enum End {
    /// When it is; then the token is good for nothing.
    Told,
    /// As [`End::Told`], or nothing: it is so many seconds after the token was issued then.
    UntoldAfter(i64),
    /// Something; it may be past, for something else shows that the session goes on.
    MayBePast,
}

impl Expected<'_> {
    /// Reads an ID token's claims.
    pub(super) fn sign_in(&self, claims: &Claims) -> Result<SignedIn, Failure> {
        self.signed_in(claims, End::Told)
    }

    /// Reads the claims of an ID token that may have ended.
    pub(super) fn past_sign_in(&self, claims: &Claims) -> Result<SignedIn, Failure> {
        self.signed_in(claims, End::MayBePast)
    }

    fn signed_in(&self, claims: &Claims, end: End) -> Result<SignedIn, Failure> {
        let issued_at = self.check(claims, end)?;
        let Some(sub) = text(claims, "sub")?.filter(|sub| !sub.is_empty()) else { return lacks("sub") };
        // Without it, a token that is made anew every ten minutes would let a session last for ever.
        let Some(signed_in_at) = whole(claims, "auth_time")? else { return lacks("auth_time") };
        if signed_in_at > self.now.saturating_add(self.leeway) {
            return refuse(reasons::TOKEN_NOT_YET, "the token tells of a sign-in in the future");
        }
        let session = match text(claims, "sid")?.filter(|sid| !sid.is_empty()) {
            Some(sid) => session_name(self.issuer, sid),
            // A provider without session ids: the person and the moment name the sign-in as well.
            None => session_name(self.issuer, &format!("{sub} {signed_in_at}")),
        };
        Ok(SignedIn {
            sub: sub.to_owned(),
            subject: sessions::subject_of(self.issuer, sub),
            session,
            issued_at,
            signed_in_at,
            assurance: assurance(claims)?,
            selected_role: text(claims, "selected_roleid")?.unwrap_or_default().to_owned(),
            nonce: text(claims, "nonce")?.map(str::to_owned),
            access_token_hash: text(claims, "at_hash")?.map(str::to_owned),
        })
    }

    /// Reads a logout token's claims (OpenID Connect Back-Channel Logout 1.0).
    pub(super) fn logout(&self, claims: &Claims) -> Result<LoggedOut, Failure> {
        let issued_at = self.check(claims, End::UntoldAfter(LOGOUT_SECONDS))?;
        if text(claims, "jti")?.is_none_or(str::is_empty) {
            return lacks("jti");
        }
        let is_event =
            claims.get("events").and_then(|events| events.get(LOGOUT_EVENT)).is_some_and(Value::is_object);
        if !is_event || claims.contains_key("nonce") {
            return lacks("the event of a logout, and no nonce");
        }
        match (text(claims, "sid")?, text(claims, "sub")?) {
            (Some(sid), _) if !sid.is_empty() => {
                Ok(LoggedOut { name: session_name(self.issuer, sid), issued_at })
            }
            (_, Some(sub)) if !sub.is_empty() => {
                let name = sessions::person_name(&sessions::subject_of(self.issuer, sub));
                Ok(LoggedOut { name, issued_at })
            }
            _ => lacks("sid or sub"),
        }
    }

    /// Checks what all tokens must say, and returns when this one was issued.
    fn check(&self, claims: &Claims, end: End) -> Result<i64, Failure> {
        if text(claims, "iss")? != Some(self.issuer) {
            return refuse(reasons::TOKEN_ISSUER, "the token comes from another issuer");
        }
        // A list with others is refused even when we are in it: one of them could replay the token here.
        let audience = match claims.get("aud") {
            Some(Value::String(one)) => Some(one.as_str()),
            Some(Value::Array(list)) if list.len() == 1 => list.first().and_then(Value::as_str),
            Some(_) | None => None,
        };
        let client = audience.filter(|audience| self.clients.iter().any(|client| client == audience));
        let party = text(claims, "azp")?;
        if client.is_none() || party.is_some_and(|party| Some(party) != client) {
            return refuse(
                reasons::TOKEN_AUDIENCE,
                "the token is meant for another client, or for more than one",
            );
        }
        let Some(issued_at) = whole(claims, "iat")? else { return lacks("iat") };
        let untold = match end {
            End::Told | End::MayBePast => None,
            End::UntoldAfter(life) => Some(issued_at.saturating_add(life)),
        };
        let Some(ends) = whole(claims, "exp")?.or(untold) else { return lacks("exp") };
        if !matches!(end, End::MayBePast) && ends.saturating_add(self.leeway) <= self.now {
            return refuse(reasons::TOKEN_EXPIRED, "the token has ended: sign in again");
        }
        let latest = self.now.saturating_add(self.leeway);
        if issued_at > latest || whole(claims, "nbf")?.is_some_and(|nbf| nbf > latest) {
            return refuse(reasons::TOKEN_NOT_YET, "the token begins in the future");
        }
        Ok(issued_at)
    }
}

/// Returns how sure the provider was: by the level that it tells as a number, else by the `acr`.
fn assurance(claims: &Claims) -> Result<Option<Assurance>, Failure> {
    let level = match claims.get("authentication_assurance_level") {
        None => return Ok(text(claims, "acr")?.and_then(Assurance::of_acr)),
        Some(Value::String(text)) => text.parse::<u8>().ok(),
        Some(other) => other.as_u64().and_then(|level| u8::try_from(level).ok()),
    };
    Ok(level.and_then(|level| Assurance::try_from(level).ok()))
}

fn text<'c>(claims: &'c Claims, name: &str) -> Result<Option<&'c str>, Failure> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= TEXT_MAX => Ok(Some(text)),
        Some(_) => refuse(reasons::TOKEN_MALFORMED, &format!("{name} must be a short text")),
    }
}

fn whole(claims: &Claims, name: &str) -> Result<Option<i64>, Failure> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) => Ok(Some(number)),
            None => refuse(reasons::TOKEN_MALFORMED, &format!("{name} must be a whole number of seconds")),
        },
    }
}

#[cfg(test)]
mod tests;
