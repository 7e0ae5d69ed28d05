//! The token endpoint: codes, refresh tokens and device codes become tokens.

use axum::Json;
use axum::extract::{Form, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256, Sha512};

use crate::sessions::Session;
use crate::{Client, Issuer, IssuerError, State as Known, now};

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    grant_type: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
    device_code: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// The tokens of a session.
pub(crate) struct Issued {
    pub(crate) id_token: String,
    pub(crate) access_token: String,
}

/// Makes an ID token and an access token that belong together.
pub(crate) fn issue(
    state: &mut Known,
    issuer: &str,
    session: &Session,
    nonce: Option<&str>,
) -> Result<Issued, IssuerError> {
    let access_token = state.sessions.add_token(&session.sid)?;
    let now = now();
    let mut claims = json!({
        "iss": issuer, "aud": session.client, "azp": session.client, "sub": session.uid, "iat": now,
        "exp": now.saturating_add(i64::try_from(state.token_life.as_secs()).unwrap_or(i64::MAX)),
        "auth_time": session.signed_in, "sid": session.sid,
        "acr": format!("AAL{}_ANY", session.level), "amr": ["N3_SMARTCARD"],
        "authentication_assurance_level": session.level.to_string(), "id_assurance_level": "3",
        "selected_roleid": session.role,
        "at_hash": URL_SAFE_NO_PAD.encode(&Sha512::digest(&access_token)[..32]),
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    Ok(Issued { id_token: state.newest()?.sign("JWT", &claims)?, access_token })
}

/// `POST /token`
pub(crate) async fn token(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    let mut state = issuer.state();
    let Some(client) = client(&state, &headers, asked.client_id.as_deref(), asked.client_secret.as_deref())
    else {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client");
    };
    let session = match asked.grant_type.as_deref() {
        Some("authorization_code") => by_code(&mut state, &asked),
        Some("refresh_token") => asked
            .refresh_token
            .as_deref()
            .and_then(|token| state.sessions.take_refresh_token(token))
            .map(|session| {
                state.refreshed += 1;
                (session, None)
            })
            .ok_or("invalid_grant"),
        Some("urn:ietf:params:oauth:grant-type:device_code") => {
            by_device(&mut state, &asked).map(|session| (session, None))
        }
        Some(_) | None => Err("unsupported_grant_type"),
    };
    let (session, nonce) = match session {
        Ok((session, nonce)) if session.client == client.id => (session, nonce),
        Ok(_) => return refused(StatusCode::BAD_REQUEST, "invalid_grant"),
        Err(code) => return refused(StatusCode::BAD_REQUEST, code),
    };
    let life = state.token_life.as_secs();
    let address = issuer.address();
    let made = issue(&mut state, address, &session, nonce.as_deref())
        .and_then(|tokens| Ok((tokens, state.sessions.add_refresh_token(&session.sid)?)));
    match made {
        Ok((tokens, refresh_token)) => {
            let mut answer = json!({
                "token_type": "Bearer", "expires_in": life, "id_token": tokens.id_token,
                "access_token": tokens.access_token, "refresh_token": refresh_token,
            });
            let is_renewal = asked.grant_type.as_deref() == Some("refresh_token");
            if let (true, false, Some(answer)) = (is_renewal, state.renews_id_tokens, answer.as_object_mut())
            {
                answer.remove("id_token");
            }
            ([(CACHE_CONTROL, "no-store")], Json(answer)).into_response()
        }
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

fn by_code(state: &mut Known, asked: &Asked) -> Result<(Session, Option<String>), &'static str> {
    let code =
        asked.code.as_deref().and_then(|code| state.sessions.take_code(code)).ok_or("invalid_grant")?;
    let shown = URL_SAFE_NO_PAD.encode(Sha256::digest(asked.code_verifier.as_deref().unwrap_or_default()));
    let is_ours = asked.redirect_uri.as_deref() == Some(&code.redirect_uri) && shown == code.challenge;
    let session = state.sessions.get(&code.sid).filter(|_| is_ours).ok_or("invalid_grant")?;
    Ok((session, code.nonce))
}

fn by_device(state: &mut Known, asked: &Asked) -> Result<Session, &'static str> {
    let device_code = asked.device_code.as_deref().unwrap_or_default();
    let (waiting, too_soon) = state.sessions.device(device_code).ok_or("expired_token")?;
    if too_soon {
        return Err("slow_down");
    }
    let sid = waiting.sid.ok_or("authorization_pending")?;
    state.sessions.take_device(device_code);
    state.sessions.get(&sid).ok_or("expired_token")
}

/// Finds the client that asks, by its header or its form; one with a secret must show it.
pub(crate) fn client(
    state: &Known,
    headers: &HeaderMap,
    id: Option<&str>,
    secret: Option<&str>,
) -> Option<Client> {
    let basic = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let (id, secret) = match basic {
        Some(basic) => {
            let pair = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
            let (id, secret) = pair.split_once(':')?;
            (id.to_owned(), Some(secret.to_owned()))
        }
        None => (id?.to_owned(), secret.map(str::to_owned)),
    };
    state.client(&id).filter(|client| client.secret == secret).cloned()
}

pub(crate) fn refused(status: StatusCode, code: &'static str) -> Response {
    (status, Json(json!({ "error": code }))).into_response()
}
