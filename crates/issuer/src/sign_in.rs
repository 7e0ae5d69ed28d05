//! The page on which somebody chooses who they are and in which of their roles.

use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;

use crate::pages::{document, escaped};
use crate::{Issuer, State as Known};

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

    /// Signs in as strongly as was asked for.
    fn level(&self) -> u8 {
        if self.acr_values.starts_with("AAL3") { 3 } else { 2 }
    }
}

/// `GET /authorize`
pub(crate) async fn page(State(issuer): State<Issuer>, Query(asked): Query<Asked>) -> Response {
    let state = issuer.state();
    if !asked.is_good(&state) {
        return bad();
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
pub(crate) async fn choose(State(issuer): State<Issuer>, Form(asked): Form<Asked>) -> Response {
    let mut state = issuer.state();
    if !asked.is_good(&state) {
        return bad();
    }
    let Some((uid, role)) = chosen(&state, &asked.who) else { return bad() };
    let nonce = Some(asked.nonce.clone()).filter(|nonce| !nonce.is_empty());
    let level = asked.level();
    let code = state.sessions.open(&uid, &role, &asked.client_id, level, nonce).and_then(|session| {
        state.sessions.add_code(&session.sid, &asked.redirect_uri, &asked.code_challenge)
    });
    match code {
        // Both are of letters that need no encoding: ours is, and the client's is sent back only if it is.
        Ok(code) if asked.state.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) => {
            Redirect::to(&format!("{}?code={code}&state={}", asked.redirect_uri, asked.state)).into_response()
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
