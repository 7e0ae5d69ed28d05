//! Preferences of the screen, on a page of their own.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};

use super::frame::{Frame, Place, rendered};
use crate::app::Visit;
use crate::form::Posted;
use crate::preferences::{COOKIE_NAME, Preferences};
use crate::routes;

/// How long a browser keeps them, in seconds: a year.
const KEPT_SECONDS: u32 = 365 * 24 * 3600;

#[derive(Template)]
#[template(path = "preferences/page.html")]
struct Page {
    frame: Frame,
    csrf: String,
    chosen: Preferences,
}

/// `GET /preferences`
pub(crate) async fn page(visit: Visit) -> Response {
    let frame = Frame::read(&visit, Place::Elsewhere, "Preferences").await;
    let page = Page { frame, csrf: visit.signed.csrf.clone(), chosen: visit.preferences };
    routes::html(StatusCode::OK, rendered(&page))
}

/// `POST /preferences`
pub(crate) async fn keep(Posted { visit, fields }: Posted) -> Response {
    let chosen =
        Preferences { is_compact: fields.text("density") == "compact", has_keys: fields.has("keys") };
    visit.app.sessions.say(&visit.signed.id, "Kept for this browser.".into());
    let mut response = Redirect::to("/preferences").into_response();
    let secure = if visit.app.settings.https { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={KEPT_SECONDS}{secure}",
        chosen.text()
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
