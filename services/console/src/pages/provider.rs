//! Signing in at the identity provider, by the code flow: there, back, and out.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use fallow_host::clock::Clock;
use fallow_host::identity::provider::{Asking, GrantError, challenge_of, fresh_secret};
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;

use super::sign_in::{self, OVER, local};
use crate::SignIn;
use crate::app::{App, Cookie, cookie, session_name};
use crate::form::{Fields, matches};
use crate::on_their_way::{OnTheirWay, SIGN_IN_WITHIN};
use crate::problem::{Kind, Problem};
use crate::provider::{self, Arrived, AtProvider, Held};
use crate::session::{Token, viewer_of};

/// How long ago people may have signed in at the provider at most, in seconds: one shift.
const AGE_SECONDS_MAX: u32 = 12 * 3_600;
/// The level of a stronger sign-in.
const STRONGER: i32 = 3;
/// By how much the provider's clock may differ from ours, in seconds.
const LEEWAY_SECONDS: i64 = 30;

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
pub(crate) async fn leave(
    State(app): State<App>,
    Query(leaving): Query<Leaving>,
    request: Request,
) -> Response {
    let SignIn::Provider(at) = &app.settings.sign_in else { return StatusCode::NOT_FOUND.into_response() };
    let next = local(&leaving.next);
    let (parts, _) = request.into_parts();
    // Whoever signed out, or was away for too long, is not let in again because the provider knows the browser still.
    let has_been = session_name(&parts, &app).is_some_and(|name| !name.is_empty());
    let way = OnTheirWay {
        state: String::new(),
        stronger: !leaving.stronger.is_empty(),
        began: Clock::system().now().as_second(),
        next: next.to_owned(),
    };
    match set_out(&app, at, way, has_been).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(%error, "nobody can be sent to the identity provider");
            sign_in::refused(&app, next, &away())
        }
    }
}

async fn set_out(
    app: &App,
    at: &AtProvider,
    mut way: OnTheirWay,
    has_been: bool,
) -> Result<Response, GrantError> {
    way.state = fresh_secret()?;
    let asking = Asking {
        redirect_uri: &at.back_address(),
        state: &way.state,
        nonce: &app.seal.nonce(&way.state),
        challenge: &challenge_of(&app.seal.verifier(&way.state)),
        acr: if way.stronger { &at.step_up_acr } else { &at.sign_in_acr },
        anew: way.stronger || has_been,
        age_seconds_max: AGE_SECONDS_MAX,
    };
    let address = at.provider.sign_in_address(&at.client, asking).await?;
    let mut response = Redirect::to(&address).into_response();
    set_way(app, &mut response, Some(&app.seal.close(&way)));
    Ok(response)
}

/// `GET /sign-in/back`
pub(crate) async fn back(State(app): State<App>, Query(back): Query<Back>, request: Request) -> Response {
    let SignIn::Provider(at) = &app.settings.sign_in else { return StatusCode::NOT_FOUND.into_response() };
    let (parts, _) = request.into_parts();
    // Only the browser that set out comes back: nobody is signed in as somebody else by a link.
    let sealed = cookie(&parts, Cookie::OnTheWay.name(app.settings.https));
    let way = sealed.and_then(|sealed| app.seal.open(sealed, Clock::system().now()));
    let Some(way) = way.filter(|way| matches(&back.state, &way.state)) else {
        return sign_in::refused(
            &app,
            "/",
            &Problem::invalid("state", "This sign-in took too long or began elsewhere."),
        );
    };
    let mut response = match arrive(&app, at, &back, &way).await {
        Ok((id, held)) => {
            if let Some(before) = session_name(&parts, &app) {
                end_before(&app, at, before, &held).await;
            }
            sign_in::with_cookie(&app, &id, Redirect::to(&way.next).into_response())
        }
        Err(problem) => {
            let refused = sign_in::refused(&app, &way.next, &problem);
            let is_ended = problem.kind == Kind::SignedOut && session_name(&parts, &app).is_none();
            // The provider's session is one that was ended here: only another sign-in there helps.
            if is_ended { sign_in::with_cookie(&app, OVER, refused) } else { refused }
        }
    };
    set_way(&app, &mut response, None);
    response
}

/// Ends the session that a browser had before the one that it has now; at the services, too, unless that would end both.
async fn end_before(app: &App, at: &AtProvider, id: &str, now: &Held) {
    let token = app.sessions.token(id);
    app.sessions.end(id);
    if let Some(Token::Held(held)) = token
        && held.is_apart_from(now)
    {
        held.end(app, at).await;
    }
}

async fn arrive(
    app: &App,
    at: &AtProvider,
    back: &Back,
    way: &OnTheirWay,
) -> Result<(String, Arc<Held>), Problem> {
    if !back.error.is_empty() {
        return Err(Problem::invalid("error", "You were not signed in at the identity provider."));
    }
    let verifier = app.seal.verifier(&way.state);
    let code = (back.code.as_str(), verifier.as_str(), at.back_address());
    let tokens = at.provider.tokens_for_code(&at.client, (code.0, code.1, &code.2)).await;
    let tokens = tokens.map_err(|error| {
        tracing::warn!(%error, "a code could not be exchanged");
        away()
    })?;
    let arrived = Held::exchange(app, tokens, &app.seal.nonce(&way.state)).await?;
    check_strength(way, &arrived)?;
    let viewer = viewer_of(&arrived.credential).ok_or_else(away)?;
    Ok((app.sessions.begin(viewer, Token::Held(arrived.held.clone())), arrived.held))
}

/// Checks that somebody who was sent to sign in more strongly did, and did it since.
fn check_strength(way: &OnTheirWay, arrived: &Arrived) -> Result<(), Problem> {
    let is_anew = arrived.signed_in_at >= way.began.saturating_sub(LEEWAY_SECONDS);
    if way.stronger && !(arrived.assurance >= STRONGER && is_anew) {
        let text = "Your identity provider did not confirm who you are with a smartcard or security key.";
        return Err(Problem::invalid("stronger", text));
    }
    Ok(())
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

fn set_way(app: &App, response: &mut Response, sealed: Option<&str>) {
    let (value, seconds) = sealed.map_or(("", 0), |sealed| (sealed, SIGN_IN_WITHIN.as_secs()));
    let cookie = Cookie::OnTheWay.set(app.settings.https, value, Some(seconds));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
