//! The page on which somebody chooses who they are and in which of their roles.

use axum::extract::{Form, Query, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;

use crate::pages::{document, escaped};
use crate::sessions::Session;
use crate::{Issuer, State as Known, now};

/// The cookie by which a browser is known that has signed in before.
const COOKIE_NAME: &str = "issuer_session";

/// What a client sends somebody with; the page's form sends it on.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    response_type: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    code_challenge: String,
    #[serde(default)]
    code_challenge_method: String,
    #[serde(default)]
    acr_values: String,
    #[serde(default)]
    prompt: String,
    #[serde(default)]
    max_age: String,
    /// The person and the role, by their ids with a space between.
    #[serde(default)]
    who: String,
}

impl Asked {
    fn is_good(&self, state: &Known) -> bool {
        let client = state.client(&self.client_id);
        client.is_some_and(|client| client.redirects.contains(&self.redirect_uri))
            && self.response_type == "code"
            && self.scope.split(' ').any(|scope| scope == "openid")
            && self.code_challenge_method == "S256"
            && !self.code_challenge.is_empty()
    }

    /// Says whether somebody who is signed in need not be asked again.
    fn is_content_with(&self, session: &Session) -> bool {
        let is_recent =
            self.max_age.parse().is_ok_and(|age: i64| now().saturating_sub(session.signed_in) <= age);
        session.client == self.client_id
            && session.level >= self.level()
            && self.prompt != "login"
            && (self.max_age.is_empty() || is_recent)
    }

    /// Signs in as strongly as was asked for.
    fn level(&self) -> u8 {
        level_of(&self.acr_values)
    }
}

/// `GET /authorize`
pub(crate) async fn page(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let mut state = issuer.state();
    if !asked.is_good(&state) {
        return bad();
    }
    if let Some(session) = known(&state, &headers).filter(|session| asked.is_content_with(session)) {
        return back(&mut state, &asked, &session);
    }
    let hidden: String = [
        ("client_id", &asked.client_id),
        ("redirect_uri", &asked.redirect_uri),
        ("response_type", &asked.response_type),
        ("scope", &asked.scope),
        ("state", &asked.state),
        ("nonce", &asked.nonce),
        ("code_challenge", &asked.code_challenge),
        ("code_challenge_method", &asked.code_challenge_method),
        ("acr_values", &asked.acr_values),
        ("prompt", &asked.prompt),
        ("max_age", &asked.max_age),
    ]
    .iter()
    .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value)))
    .collect();
    let level = asked.level();
    let body = format!(
        "<h1>Who are you?</h1><p>Signs in at assurance level {level}.</p><form method=\"post\" action=\"/authorize\">{hidden}{}</form>",
        choices(&state)
    );
    Html(document("Sign in", &body)).into_response()
}

/// `POST /authorize`
pub(crate) async fn choose(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    let mut state = issuer.state();
    if !asked.is_good(&state) {
        return bad();
    }
    let Some((uid, role)) = chosen(&state, &asked.who) else { return bad() };
    let level = asked.level();
    // Who signs in again goes on in the same session.
    let same = known(&state, &headers)
        .filter(|session| session.uid == uid && session.role == role && session.client == asked.client_id);
    let session = match same.and_then(|session| state.sessions.anew(&session.sid, level)) {
        Some(session) => Ok(session),
        None => state.sessions.open(&uid, &role, &asked.client_id, level),
    };
    match session {
        Ok(session) => back(&mut state, &asked, &session),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Returns the session of a browser that has one.
fn known(state: &Known, headers: &HeaderMap) -> Option<Session> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, sid) = pairs.find(|(name, _)| *name == COOKIE_NAME)?;
    state.sessions.get(sid)
}

/// Sends somebody back to the client with a code, and lets their browser be known.
fn back(state: &mut Known, asked: &Asked, session: &Session) -> Response {
    // The code is of letters that need no encoding, and what the client sent along is sent back only if it is, too.
    let is_plain = asked.state.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let code =
        state.sessions.add_code(&session.sid, &asked.nonce, &asked.redirect_uri, &asked.code_challenge);
    match code {
        Ok(code) if is_plain => {
            let cookie = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Lax", session.sid);
            let to = format!("{}?code={code}&state={}", asked.redirect_uri, asked.state);
            ([(SET_COOKIE, cookie)], Redirect::to(&to)).into_response()
        }
        Ok(_) | Err(_) => bad(),
    }
}

/// Writes a button for each role of everybody.
pub(crate) fn choices(state: &Known) -> String {
    let mut list = String::from("<ul>");
    for person in &state.people {
        for role in &person.roles {
            let text = |name: &str| role.get(name).and_then(Value::as_str).unwrap_or_default();
            list.push_str(&format!(
                "<li><button name=\"who\" value=\"{} {}\">{}, {}</button></li>",
                escaped(&person.uid),
                escaped(text("person_roleid")),
                escaped(&person.name),
                escaped(text("org_code")),
            ));
        }
    }
    list.push_str("</ul>");
    list
}

/// Returns the person and the role that a button stands for.
pub(crate) fn chosen(state: &Known, who: &str) -> Option<(String, String)> {
    let (uid, role) = who.split_once(' ')?;
    let has = |one: &Value| one.get("person_roleid").and_then(Value::as_str) == Some(role);
    state.person(uid)?.roles.iter().any(has).then(|| (uid.to_owned(), role.to_owned()))
}

fn bad() -> Response {
    (StatusCode::BAD_REQUEST, Html(document("Bad request", "<h1>This is no request of a client.</h1>")))
        .into_response()
}

/// Returns the level that somebody is asked to sign in at.
pub(crate) fn level_of(acr_values: &str) -> u8 {
    if acr_values.starts_with("AAL3") { 3 } else { 2 }
}
