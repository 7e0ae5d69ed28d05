//! Sign-in on another device (RFC 8628).

use axum::Json;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::pages::{document, escaped};
use crate::sign_in::{choices, chosen, level_of};
use crate::token::{client, refused};
use crate::{CODE_LIFE, DEVICE_EVERY, Issuer};

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    client_id: Option<String>,
    client_secret: Option<String>,
    /// How well the person must sign in, as at the page for browsers.
    #[serde(default)]
    acr_values: String,
}

/// `POST /device_authorization`
pub(crate) async fn begin(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    let mut state = issuer.state();
    let Some(client) = client(&state, &headers, asked.client_id.as_deref(), asked.client_secret.as_deref())
    else {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client");
    };
    match state.sessions.add_device(&client.id, level_of(&asked.acr_values)) {
        Ok((device_code, user_code)) => Json(json!({
            "device_code": device_code, "user_code": user_code,
            "verification_uri": format!("{}/device", issuer.address()),
            "verification_uri_complete": format!("{}/device?user_code={user_code}", issuer.address()),
            "expires_in": CODE_LIFE.as_secs(), "interval": DEVICE_EVERY.as_secs(),
        }))
        .into_response(),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

/// What the page's form sends.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    user_code: String,
    #[serde(default)]
    who: String,
}

/// `GET /device`
pub(crate) async fn page(State(issuer): State<Issuer>, Query(typed): Query<Typed>) -> Html<String> {
    let body = format!(
        "<h1>Sign in on another device</h1><form method=\"post\" action=\"/device\"><label for=\"user_code\">The code that it \
         shows</label> <input id=\"user_code\" name=\"user_code\" value=\"{}\" required>{}</form>",
        escaped(&typed.user_code),
        choices(&issuer.state())
    );
    Html(document("Sign in on another device", &body))
}

/// `POST /device`
pub(crate) async fn choose(State(issuer): State<Issuer>, Form(typed): Form<Typed>) -> Response {
    let mut state = issuer.state();
    let who = chosen(&state, &typed.who);
    let waits =
        state.sessions.device_of(&typed.user_code).map(|device| (device.client.clone(), device.level));
    let (Some((uid, role)), Some((client, level))) = (who, waits) else {
        let text = "<h1>No device shows this code.</h1>";
        return (StatusCode::BAD_REQUEST, Html(document("Unknown code", text))).into_response();
    };
    let Ok(session) = state.sessions.open(&uid, &role, &client, level) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if let Some(device) = state.sessions.device_of(&typed.user_code) {
        device.sid = Some(session.sid);
    }
    Html(document("Signed in", "<h1>Your device is signed in.</h1>")).into_response()
}
