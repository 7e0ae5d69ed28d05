//! A form that comes back after signing in again.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;

use super::frame::{Frame, Place, rendered};
use super::upload::Kept;
use crate::app::Visit;
use crate::parked::Form;
use crate::problem::Problem;
use crate::routes;

/// Fields that are no business of the person's.
const HIDDEN: [&str; 3] = ["once", "revision", "request"];

#[derive(Template)]
#[template(path = "resume/page.html")]
struct Page {
    frame: Frame,
    csrf: String,
    path: String,
    fields: Vec<(String, String)>,
    /// What they filled in, in words.
    shown: Vec<(String, String)>,
    /// What is done of it already; empty when nothing is.
    done: String,
    /// Whether it is a sheet, of which some may be done without anybody knowing.
    is_sheet: bool,
    /// Whether they act now as they did then: for another trust, or in another role, it would say something else.
    is_same: bool,
}

/// `GET /resume/{name}`
pub(crate) async fn page(visit: Visit, Path(name): Path<String>) -> Response {
    let Some(form) = visit.app.parked.find(&name, &visit.viewer().subject) else {
        return visit.refuse(&Problem::not_found());
    };
    let frame = Frame::read(&visit, Place::Elsewhere, "Go on where you were").await;
    let kept = Kept::of(&form);
    let is_sheet = kept.is_some();
    let Kept { shown, done } = kept.unwrap_or_else(|| Kept { shown: shown(&form), done: String::new() });
    let is_same = form.viewer == *visit.viewer();
    let (csrf, path) = (visit.signed.csrf.clone(), form.path);
    let page = Page { frame, csrf, path, fields: form.fields, shown, done, is_sheet, is_same };
    routes::html(StatusCode::OK, rendered(&page))
}

fn shown(form: &Form) -> Vec<(String, String)> {
    let shown =
        form.fields.iter().filter(|(name, value)| !HIDDEN.contains(&name.as_str()) && !value.is_empty());
    shown.map(|(name, value)| (name.replace(['_', '.'], " "), value.clone())).collect()
}
