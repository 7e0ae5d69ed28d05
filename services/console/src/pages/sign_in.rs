//! Signing in and out.

use std::time::Duration;

use askama::Template;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use fallow_api::v1::GetRegionRequest;
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::frame::{Frame, rendered};
use crate::app::{App, Cookie, Visit, encoded, session_name, to_sign_in};
use crate::form::{Fields, is_same_origin, matches};
use crate::problem::{Kind, Problem};
use crate::session::{Presence, Token, Viewer, viewer_of};
use crate::words::codes;
use crate::{SignIn, assets, routes};

/// Where to go after signing in.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

/// A built-in user as the list shows them.
struct Choice {
    subject: String,
    role: String,
}

/// The built-in users of one place.
struct Group {
    place: String,
    choices: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "sign_in/page.html")]
struct Page {
    demo: bool,
    /// The built-in users, trust by trust; empty where people bring a token.
    groups: Vec<Group>,
    /// The way to the identity provider, where people sign in there.
    provider: Option<String>,
    next: String,
    problem: Option<String>,
    style: String,
    icon: String,
}

impl Page {
    fn new(app: &App, next: &str, problem: Option<String>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        if let SignIn::BuiltIn(users) = &app.settings.sign_in {
            for user in users {
                let actor = &user.issuer.caller().actor;
                let choice =
                    Choice { subject: actor.subject.to_string(), role: codes::role(actor.role.as_str()) };
                match groups.iter_mut().find(|group| group.place == user.place) {
                    Some(group) => group.choices.push(choice),
                    None => groups.push(Group { place: user.place.clone(), choices: vec![choice] }),
                }
            }
        }
        Self {
            demo: app.settings.demo.is_some(),
            groups,
            provider: matches!(app.settings.sign_in, SignIn::Provider(_))
                .then(|| format!("/sign-in/provider?next={}", encoded(local(next)))),
            next: local(next).to_owned(),
            problem,
            style: assets::style(),
            icon: assets::icon(),
        }
    }
}

/// `GET /sign-in`
pub(crate) async fn page(State(app): State<App>, Query(next): Query<Next>) -> Response {
    routes::html(StatusCode::OK, rendered(&Page::new(&app, &next.next, None)))
}

/// `POST /sign-in`
pub(crate) async fn sign_in(State(app): State<App>, request: Request) -> Response {
    let ours = is_same_origin(request.headers());
    let fields = match Fields::read(request).await {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let next = local(fields.text("next"));
    let signed_in = if ours { who(&app, &fields).await } else { Err(Problem::forged()) };
    match signed_in {
        Ok((viewer, token)) => {
            let id = app.sessions.begin(viewer, token);
            with_cookie(&app, &id, Redirect::to(next).into_response())
        }
        Err(problem) => refused(&app, next, &problem),
    }
}

/// Answers with the page and what went wrong.
pub(crate) fn refused(app: &App, next: &str, problem: &Problem) -> Response {
    let page = Page::new(app, next, Some(format!("{} {}", problem.text, problem.advice())));
    routes::html(problem.http_status(), rendered(&page))
}

/// How long signing out waits for the identity provider and the services. It is done here before, and goes on there.
const OUT_WITHIN: Duration = Duration::from_secs(5);

/// `POST /sign-out`: a session and its secret are enough, for whoever leaves a shared screen must be able to also while
/// no provider and no service answers.
pub(crate) async fn sign_out(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let found = session_name(&parts, &app).and_then(|name| app.sessions.find(name, Presence::Person));
    let ours = is_same_origin(&parts.headers);
    let fields = match Fields::read(Request::from_parts(parts, body)).await {
        Ok(fields) => fields,
        Err(refused) => return refused,
    };
    let Some(signed) = found else { return to_sign_in("/") };
    if !ours || !matches(fields.text("csrf"), &signed.csrf) {
        return refused(&app, "/", &Problem::forged());
    }
    let token = app.sessions.token(&signed.id);
    app.sessions.end(&signed.id);
    let mut there = None;
    if let (Some(Token::Held(held)), SignIn::Provider(at)) = (token, &app.settings.sign_in) {
        let (ending, at) = (app.clone(), at.clone());
        let (done, told) = oneshot::channel();
        app.tasks.spawn("sign-out", async move {
            let address = held.sign_out_address(&at, &at.out_address()).await;
            held.end(&ending, &at).await;
            // Whoever did not wait is signed out here all the same.
            let _ = done.send(address);
        });
        there = tokio::time::timeout(OUT_WITHIN, told).await.ok().and_then(Result::ok).flatten();
    }
    let response = match there {
        Some(there) => routes::html(StatusCode::OK, rendered(&Out { there, style: assets::style() })),
        None => Redirect::to("/sign-in").into_response(),
    };
    with_cookie(&app, OVER, response)
}

/// The way on from signing out here to signing out at the provider. A page of its own, because a form that is sent here
/// may lead to no other place (`form-action`).
#[derive(Template)]
#[template(path = "sign_in/out.html")]
struct Out {
    there: String,
    style: String,
}

#[derive(Template)]
#[template(path = "sign_in/stronger.html")]
struct Stronger {
    frame: Frame,
    way: String,
    is_kept: bool,
}

/// Answers somebody who must sign in more strongly for what they wanted: with the way there, from which they come back to
/// the form that was kept.
pub(crate) fn stronger(visit: &Visit, kept: Option<&str>) -> Response {
    let next = kept.map_or_else(|| "/".to_owned(), |name| format!("/resume/{name}"));
    let way = format!("/sign-in/provider?stronger=yes&next={}", encoded(&next));
    let frame = Frame::alone(visit, "Confirm who you are");
    let page = Stronger { frame, way, is_kept: kept.is_some() };
    routes::html(StatusCode::FORBIDDEN, rendered(&page))
}

/// Finds out who signs in, by the list or by the token they bring.
async fn who(app: &App, fields: &Fields) -> Result<(Viewer, Token), Problem> {
    match &app.settings.sign_in {
        SignIn::Provider(_) => Err(Problem::invalid("user", "Sign in at your identity provider.")),
        SignIn::BuiltIn(users) => {
            let name = fields.text("user");
            let chosen = users.iter().find(|user| user.issuer.caller().actor.subject.as_str() == name);
            let user = chosen.ok_or_else(|| Problem::invalid("user", "Choose one of the users."))?;
            let actor = &user.issuer.caller().actor;
            let viewer = Viewer {
                subject: actor.subject.to_string(),
                role: actor.role.to_string(),
                trust: actor.trust.map(|trust| trust.to_string()),
            };
            Ok((viewer, Token::Issued(user.issuer.clone())))
        }
        SignIn::AccessToken => {
            let token = fields.text("token");
            let not_a_token = || Problem::invalid("token", "This is not an access token.");
            let viewer = viewer_of(token).ok_or_else(not_a_token)?;
            // The services decide whether it is good: everybody may read the region.
            let calls = app.upstream.as_bearer(token)?;
            match calls.monitor().get_region(GetRegionRequest {}).await.map_err(Problem::from) {
                Ok(_) => Ok((viewer, Token::Given(token.to_owned()))),
                Err(problem) if problem.kind == Kind::SignedOut => Err(not_a_token()),
                Err(problem) => Err(problem),
            }
        }
    }
}

/// What the cookie of the session holds in a browser whose session is over: whoever signs in there shows anew who they
/// are, also where the provider would know them still.
pub(crate) const OVER: &str = "over";

/// Sets the cookie of the session.
pub(crate) fn with_cookie(app: &App, id: &str, mut response: Response) -> Response {
    let cookie = Cookie::Session.set(app.settings.https, id, None);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Longest address of ours that one returns to, in bytes.
const NEXT_BYTES_MAX: usize = 2 * 1024;

/// Returns an address of ours, `/` for any other.
pub(crate) fn local(next: &str) -> &str {
    // Browsers leave tabs and line ends out of an address: "/<tab>/evil.example" is "//evil.example" to them.
    let is_plain = |byte: u8| byte > b' ' && byte != 0x7f && byte != b'\\';
    let is_ours = next.len() <= NEXT_BYTES_MAX
        && next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(is_plain)
        && !next.starts_with("/sign-");
    if is_ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_only_ever_returns_to_a_page_of_ours() {
        for ours in ["/", "/capacity", "/needs?why=n-1"] {
            assert_eq!(local(ours), ours);
        }
        for other in [
            "",
            "capacity",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/sign-in",
            "/a\r\nb",
            "/\t/evil.example",
            "/ /evil.example",
            "/\0/evil.example",
            "/\u{7f}/evil.example",
            &format!("/{}", "x".repeat(NEXT_BYTES_MAX)),
        ] {
            assert_eq!(local(other), "/", "{other}");
        }
    }
}
