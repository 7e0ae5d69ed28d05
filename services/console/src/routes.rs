//! Every address of the console, and what all answers have in common.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use tower_http::compression::CompressionLayer;

use crate::app::{App, Update, Visit};
use crate::assets;
use crate::pages::{
    actions, alerts, approvals, capacity, demo, frame, needs, preferences, proposals, provider, reports,
    resume, search, sign_in, sitrep, situation, timeline, transfers, trends, upload, wall, what_if,
};
use crate::problem::Problem;

/// Largest form, in bytes. Ours are under two kilobytes.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// What a page may load and do: only from here, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Returns the console's addresses.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/healthz", get(|| async { "ok" }))
        .route("/help", get(frame::help))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-in/provider", get(provider::leave))
        .route("/sign-in/back", get(provider::back))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/sign-out/provider", post(provider::logged_out))
        .route("/resume/{name}", get(resume::page))
        .route("/capacity", get(capacity::page))
        .route("/capacity/offer", get(capacity::offer::new).post(capacity::offer::publish))
        .route("/capacity/offer/change", post(capacity::offer::change::change))
        .route("/capacity/offer/{id}", get(capacity::offer::one))
        .route("/capacity/offer/{id}/change", get(capacity::offer::change::page))
        .route("/capacity/free", post(capacity::actions::set_free))
        .route("/capacity/still-true", post(capacity::actions::still_true))
        .route("/capacity/suspend", post(capacity::actions::suspend))
        .route("/capacity/resume", post(capacity::actions::resume))
        .route("/capacity/withdraw", post(capacity::actions::withdraw))
        .route("/capacity/reserve", post(capacity::actions::set_reserve))
        .route("/capacity/opel", post(capacity::actions::declare_opel))
        .route("/needs", get(needs::page))
        .route("/needs/text", get(needs::copy::text))
        .route("/needs/new", get(needs::raise::new).post(needs::raise::raise))
        .route("/needs/widen", post(needs::actions::widen))
        .route("/needs/later", post(needs::actions::later))
        .route("/needs/ask", post(needs::actions::ask))
        .route("/needs/park", post(needs::actions::park))
        .route("/needs/resume", post(needs::actions::resume))
        .route("/needs/withdraw", post(needs::actions::withdraw))
        .route("/needs/resolve", post(needs::actions::resolve))
        .route("/needs/stands", post(needs::standing::stands))
        .route("/needs/ask-stands", post(needs::standing::ask))
        .route("/needs/cohort/amend", post(needs::cohort::amend))
        .route("/needs/cohort/withdraw", post(needs::cohort::withdraw))
        .route("/proposals", get(proposals::page))
        .route("/proposals/text", get(proposals::copy::text))
        .route("/proposals/raw", get(proposals::copy::raw))
        .route("/proposals/answer", post(proposals::actions::answer))
        .route("/proposals/answer-block", post(proposals::actions::answer_block))
        .route("/proposals/undo", post(proposals::actions::undo))
        .route("/proposals/extend", post(proposals::actions::extend))
        .route("/transfers", get(transfers::page))
        .route("/transfers/advance", post(transfers::actions::advance))
        .route("/transfers/extend", post(transfers::actions::extend))
        .route("/transfers/abort", post(transfers::actions::abort))
        .route("/transfers/resolve", post(transfers::actions::resolve))
        .route("/situation", get(situation::page))
        .route("/situation/mode", post(situation::switch))
        .route("/situation/one", get(situation::one::page))
        .route("/situation/ask", post(situation::one::ask))
        .route("/what-if", get(what_if::page))
        .route("/what-if/scenario.toml", get(what_if::scenario))
        .route("/wall", get(wall::page))
        .route("/wall/display", get(wall::display::page).post(wall::display::hang))
        .route("/wall/down", post(wall::display::take_down))
        .route("/actions", get(actions::page))
        .route("/actions/confirm", post(actions::confirm))
        .route("/actions/refuse", post(actions::refuse))
        .route("/actions/review", post(actions::review))
        .route("/actions/proposal", get(actions::proposal::page))
        .route("/actions/bypass", post(actions::proposal::bypass))
        .route("/actions/glass", post(actions::proposal::glass))
        .route(
            "/actions/region",
            post(actions::region).layer(DefaultBodyLimit::max(actions::FILE_FORM_BYTES_MAX)),
        )
        .route("/approvals", get(approvals::page))
        .route("/approvals/approve", post(approvals::approve))
        .route("/approvals/refuse", post(approvals::refuse))
        .route("/alerts", get(alerts::page))
        .route("/alerts/one", get(alerts::one::page))
        .route("/alerts/take", post(alerts::take))
        .route("/alerts/close", post(alerts::close))
        .route("/trends", get(trends::page))
        .route("/reports", get(reports::page))
        .route("/timeline", get(timeline::page))
        .route("/timeline/decision", post(timeline::decide))
        .route("/reports/report.csv", get(reports::file))
        .route("/timeline/timeline.csv", get(timeline::file))
        .route("/sitrep", get(sitrep::page))
        .route("/sitrep/sign", post(sitrep::sign))
        .route("/sitrep/sitrep.md", get(sitrep::markdown))
        .route("/sitrep/sitrep.csv", get(sitrep::sheet))
        .route("/sitrep/sitrep.xlsx", get(sitrep::workbook))
        .route("/search", get(search::page))
        .route("/demo", get(demo::page))
        .route("/demo/fault", post(demo::fault))
        .route("/demo/speed", post(demo::speed))
        .route("/preferences", get(preferences::page).post(preferences::keep))
        .route("/upload", get(upload::page).post(upload::preview))
        .route(
            "/upload/confirm",
            post(upload::confirm).layer(DefaultBodyLimit::max(upload::CONFIRMED_BYTES_MAX)),
        )
        .route("/upload/template/{kind}", get(upload::template))
        .route("/f/head/{page}", get(frame::fragment))
        .route("/f/capacity", get(capacity::fragment))
        .route("/f/needs", get(needs::fragment))
        .route("/f/proposals", get(proposals::fragment))
        .route("/f/transfers", get(transfers::fragment))
        .route("/f/situation", get(situation::fragment))
        .route("/f/situation/one", get(situation::one::fragment))
        .route("/f/wall", get(wall::fragment))
        .route("/f/actions", get(actions::fragment))
        .route("/f/approvals", get(approvals::fragment))
        .route("/f/alerts", get(alerts::fragment))
        .route("/f/alerts/one", get(alerts::one::fragment))
        .route("/f/timeline", get(timeline::fragment))
        .route("/events", get(events))
        .route("/assets/{name}", get(assets::serve))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(from_fn(with_headers))
        .layer(CompressionLayer::new())
        .with_state(app)
}

/// Goes to the page that the viewer most likely wants: their proposals, the region for those above trusts, and for those who
/// may not read it what takes two people.
async fn home(visit: Visit) -> Redirect {
    Redirect::to(match visit.viewer().trust {
        Some(_) => "/proposals",
        None if visit.rights().may("/situation") => "/situation",
        None => "/actions",
    })
}

async fn nothing_here(visit: Visit) -> Response {
    visit.refuse(&Problem::not_found())
}

/// Streams what changed. Whoever may not read a fragment learns here only that a revision number grew.
async fn events(State(app): State<App>, Update(visit): Update, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let (stopping, id) = (app.tasks.stopping(), visit.signed.id);
    let sessions = app.clone();
    let ended = async move {
        tokio::select! {
            () = stopping => {}
            () = sessions.sessions.over(&id) => {}
        }
    };
    app.live.stream(last, ended)
}

/// Adds what every answer carries.
async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        // A page shows what one person may see: nobody keeps it but, for its ETag, the page itself.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        headers.append(VARY, HeaderValue::from_static("Cookie"));
    }
    response
}

/// Answers with a page.
pub(crate) fn html(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], text).into_response()
}

/// Answers with a table as a file of comma-separated text.
///
/// # Errors
/// When the table cannot be written, which no reader can mend.
pub(crate) fn csv(name: &str, head: &[String], rows: &[Vec<String>]) -> Result<Response, Problem> {
    let bytes = fallow_tabular::report::csv(head, rows)
        .map_err(|error| Problem::invalid("file", &error.to_string()))?;
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, bytes).into_response())
}

/// Answers with a fragment, or with 304 when the browser already shows it.
pub(crate) fn fragment(headers: &HeaderMap, text: String) -> Response {
    use sha2::{Digest, Sha256};
    let hash: String = Sha256::digest(&text)[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    // Weak, because it is sent compressed or not.
    let tag = format!("W/\"{hash}\"");
    let known = headers.get(http::header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        html(StatusCode::OK, text)
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
