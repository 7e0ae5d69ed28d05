//! Signing in at the identity provider, by the code flow: there, back, and out.

use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use fallow_host::identity::provider::{Asking, GrantError, challenge_of, fresh_secret};
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;

use super::sign_in::{self, local};
use crate::SignIn;
use crate::app::{App, cookie};
use crate::form::Fields;
use crate::problem::{Kind, Problem};
use crate::provider::{self, AtProvider, Held};
use crate::session::{Token, viewer_of};

/// The cookie that ties the provider's answer to the browser that asked.
const STATE_COOKIE: &str = "fallow_sign_in";
/// How long the browser keeps it, in seconds: as long as somebody may take.
const STATE_SECONDS: u32 = 600;

/// How somebody sets out.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Leaving {
    #[serde(default)]
    next: String,
    /// Anything: they must sign in more strongly than before.
    #[serde(default)]
    stronger: String,
}

/// How somebody comes back.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Back {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
}

/// `GET /sign-in/provider`
pub(crate) async fn leave(State(app): State<App>, Query(leaving): Query<Leaving>) -> Response {
    let SignIn::Provider(at) = &app.settings.sign_in else { return StatusCode::NOT_FOUND.into_response() };
    let next = local(&leaving.next);
    match set_out(&app, at, next, !leaving.stronger.is_empty()).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(%error, "nobody can be sent to the identity provider");
            sign_in::refused(&app, next, &away())
        }
    }
}

async fn set_out(app: &App, at: &AtProvider, next: &str, stronger: bool) -> Result<Response, GrantError> {
    let (state, nonce, verifier) = (fresh_secret()?, fresh_secret()?, fresh_secret()?);
    let asking = Asking {
        redirect_uri: &at.back_address(),
        state: &state,
        nonce: &nonce,
        challenge: &challenge_of(&verifier),
        acr: if stronger { &at.step_up_acr } else { &at.sign_in_acr },
        anew: stronger,
    };
    let address = at.provider.sign_in_address(&at.client, asking).await?;
    app.on_their_way.add(&state, nonce, verifier, next.to_owned());
    let mut response = Redirect::to(&address).into_response();
    set_state(app, &mut response, Some(&state));
    Ok(response)
}

/// `GET /sign-in/back`
pub(crate) async fn back(State(app): State<App>, Query(back): Query<Back>, request: Request) -> Response {
    let SignIn::Provider(at) = &app.settings.sign_in else { return StatusCode::NOT_FOUND.into_response() };
    let (parts, _) = request.into_parts();
    // Only the browser that set out comes back: nobody is signed in as somebody else by a link.
    let is_same = !back.state.is_empty() && cookie(&parts, STATE_COOKIE) == Some(&back.state);
    let Some(pending) = is_same.then(|| app.on_their_way.take(&back.state)).flatten() else {
        return sign_in::refused(
            &app,
            "/",
            &Problem::invalid("state", "This sign-in took too long or began elsewhere."),
        );
    };
    let mut response = match arrive(&app, at, &back, (&pending.verifier, &pending.nonce)).await {
        Ok(id) => sign_in::with_cookie(&app, Some(&id), Redirect::to(&pending.next).into_response()),
        Err(problem) => sign_in::refused(&app, &pending.next, &problem),
    };
    set_state(&app, &mut response, None);
    response
}

async fn arrive(
    app: &App,
    at: &AtProvider,
    back: &Back,
    (verifier, nonce): (&str, &str),
) -> Result<String, Problem> {
    if !back.error.is_empty() {
        return Err(Problem::invalid("error", "You were not signed in at the identity provider."));
    }
    let tokens = at.provider.tokens_for_code(&at.client, (&back.code, verifier, &at.back_address())).await;
    let tokens = tokens.map_err(|error| {
        tracing::warn!(%error, "a code could not be exchanged");
        away()
    })?;
    let (held, credential) = Held::exchange(app, tokens, nonce).await?;
    let viewer = viewer_of(&credential).ok_or_else(away)?;
    Ok(app.sessions.begin(viewer, Token::Held(held)))
}

/// `POST /sign-out/provider`: the provider says that a session has ended. Its signature is its credential.
pub(crate) async fn logged_out(State(app): State<App>, request: Request) -> Response {
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let status = match provider::log_out(&app, fields.text("logout_token")).await {
        Ok(()) => StatusCode::OK,
        Err(problem) if problem.kind == Kind::Away => StatusCode::SERVICE_UNAVAILABLE,
        Err(_) => StatusCode::BAD_REQUEST,
    };
    (status, [(CACHE_CONTROL, "no-store")]).into_response()
}

fn away() -> Problem {
    Problem::away("The identity provider does not answer as it should.")
}

fn set_state(app: &App, response: &mut Response, state: Option<&str>) {
    let secure = if app.settings.https { "; Secure" } else { "" };
    let (value, age) = state.map_or(("", 0), |state| (state, STATE_SECONDS));
    let cookie =
        format!("{STATE_COOKIE}={value}; Path=/sign-in; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
