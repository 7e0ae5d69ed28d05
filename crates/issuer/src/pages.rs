//! What the provider shows: its description, its keys, who somebody is, who is signed in.

use axum::Json;
use axum::extract::{Form, Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Issuer, KeysAnswer};

/// `GET /.well-known/openid-configuration`
pub(crate) async fn description(State(issuer): State<Issuer>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", issuer.address());
    Json(json!({
        "issuer": issuer.address(),
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/keys"),
        "end_session_endpoint": at("/logout"),
        "device_authorization_endpoint": at("/device_authorization"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
    }))
}

/// `GET /keys`
pub(crate) async fn keys(State(issuer): State<Issuer>) -> Response {
    let answer = {
        let mut state = issuer.state();
        state.keys_asked += 1;
        state.keys_answer
    };
    match answer {
        KeysAnswer::Keys => keys_elsewhere(State(issuer)).await,
        KeysAnswer::Huge => Json(json!({ "keys": [], "padding": "x".repeat(1024 * 1024) })).into_response(),
        KeysAnswer::Redirect => Redirect::temporary("/keys-elsewhere").into_response(),
        KeysAnswer::Html => Html("<h1>Maintenance</h1>").into_response(),
        KeysAnswer::Error => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// `GET /keys-elsewhere`
pub(crate) async fn keys_elsewhere(State(issuer): State<Issuer>) -> Response {
    let keys: Vec<Value> = issuer.state().keys.iter().map(crate::keys::Key::jwk).collect();
    Json(json!({ "keys": keys })).into_response()
}

/// `GET /userinfo`
pub(crate) async fn userinfo(State(issuer): State<Issuer>, headers: HeaderMap) -> Response {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let state = issuer.state();
    let session = bearer.and_then(|token| state.sessions.of_token(token));
    let person = session.as_ref().and_then(|session| state.person(&session.uid));
    match person {
        Some(person) => {
            Json(json!({ "sub": person.uid, "name": person.name, "nhsid_nrbac_roles": person.roles }))
                .into_response()
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// How somebody comes who signs out at a client.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Leaving {
    #[serde(default)]
    id_token_hint: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    post_logout_redirect_uri: String,
}

/// `GET /logout`
pub(crate) async fn log_out(State(issuer): State<Issuer>, Query(leaving): Query<Leaving>) -> Response {
    // Whose session it is, the hint says; it is only ever ended, so nothing rests on its signature.
    let sid = sid_of(&leaving.id_token_hint).unwrap_or_default();
    let back = {
        let state = issuer.state();
        let client = state.client(&leaving.client_id);
        let ours = |address: &String| {
            let origin = |text: &str| text.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            origin(address) == origin(&leaving.post_logout_redirect_uri)
        };
        client.is_some_and(|client| client.redirects.iter().any(ours))
    };
    if issuer.end(&sid).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if back {
        return Redirect::to(&leaving.post_logout_redirect_uri).into_response();
    }
    Html(document("Signed out", "<h1>You are signed out.</h1>")).into_response()
}

/// Reads which session an ID token names, without checking it.
pub(crate) fn sid_of(id_token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("sid")?.as_str().map(str::to_owned)
}

/// `GET /`: who is signed in, each with a button that ends it, as when a card is taken out.
pub(crate) async fn sessions(State(issuer): State<Issuer>) -> Html<String> {
    let mut rows = String::new();
    {
        let state = issuer.state();
        let mut all: Vec<_> = state.sessions.all().collect();
        all.sort_by_key(|session| session.signed_in);
        for session in all {
            let name = state.person(&session.uid).map_or("", |person| person.name.as_str());
            rows.push_str(&format!(
                "<li>{} <button name=\"sid\" value=\"{}\">End this session</button></li>",
                escaped(name),
                escaped(&session.sid)
            ));
        }
    }
    let body = format!(
        "<h1>Who is signed in</h1><form method=\"post\" action=\"/sessions/end\"><ul>{rows}</ul></form>"
    );
    Html(document("Sessions", &body))
}

/// Which session to end.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Ending {
    #[serde(default)]
    sid: String,
}

/// `POST /sessions/end`
pub(crate) async fn end_session(State(issuer): State<Issuer>, Form(ending): Form<Ending>) -> Response {
    match issuer.end(&ending.sid).await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Tells a client of this machine that a session has ended (back-channel logout).
pub(crate) async fn tell(address: &str, logout_token: &str) -> std::io::Result<()> {
    let bad = || std::io::Error::other("no address of this machine");
    let rest = address.strip_prefix("http://").ok_or_else(bad)?;
    let (host, path) = rest.split_once('/').ok_or_else(bad)?;
    let body = format!("logout_token={logout_token}");
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let told = async {
        let mut stream = TcpStream::connect(host).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(4_096).read_to_end(&mut answer).await.map(drop)
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), told).await.map_err(std::io::Error::other)?
}

/// Writes a page.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en-GB\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\"><title>{title} - demonstration provider</title></head><body><main><p>This provider is \
         part of a demonstration: nobody has to prove who they are.</p>{body}</main></body></html>"
    )
}

/// Writes a text so that it is only ever text.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
