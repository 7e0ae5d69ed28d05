//! A display: a screen in a room that shows the wall and nothing else, and is not signed out because nobody touches it.

use std::time::Duration;

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use jiff::SignedDuration;

use super::super::frame::{Frame, Place, rendered};
use super::super::problem::{Control, error_of, summary};
use super::super::sign_in::with_cookie;
use super::super::situation::sections::{Entry, Section, sections};
use crate::app::Visit;
use crate::form::Posted;
use crate::problem::Problem;
use crate::routes;

/// Longest name of a display, in characters.
const NAME_MAX: usize = 40;
/// The controls of the form, for the error summary.
const CONTROLS: &[Control] = &[Control::new("name", "name", "What this screen is called")];

#[derive(Template)]
#[template(path = "wall/display.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    csrf: String,
    /// What was typed.
    called: String,
    error: Option<String>,
    /// Handle, name, and until when it lasts, of those that the viewer has hung.
    displays: Vec<(String, String, String)>,
}

/// Returns when a display ends that lasts so much longer.
pub(super) fn ends(visit: &Visit, left: Duration) -> String {
    let left = SignedDuration::try_from(left).unwrap_or_default();
    visit.now.clock(visit.now.at.saturating_add(left).unwrap_or(visit.now.at))
}

/// `GET /wall/display`
pub(crate) async fn page(visit: Visit) -> Response {
    show(&visit, "", None).await
}

/// `POST /wall/display`: this browser shows the wall from now on and nothing else.
pub(crate) async fn hang(Posted { visit, fields }: Posted) -> Response {
    let name = fields.text("name").trim().to_owned();
    if let Err(problem) = visit.needs_right("/wall/display").and_then(|()| checked(&name)) {
        return show(&visit, &name, Some(problem)).await;
    }
    match visit.app.sessions.hang(&visit.signed.id, &name) {
        Some(display) => {
            let viewer = visit.viewer();
            tracing::info!(display = %name, subject = %viewer.subject, role = %viewer.role, "a display was hung");
            with_cookie(&visit.app, &display, Redirect::to("/wall").into_response())
        }
        None => {
            let text = "You have as many displays as one person can. Take one down first.";
            show(&visit, &name, Some(Problem::invalid("name", text))).await
        }
    }
}

/// `POST /wall/down`: a display of one's own shows nothing any more.
pub(crate) async fn take_down(Posted { visit, fields }: Posted) -> Response {
    if visit.app.sessions.take_down(visit.viewer(), fields.text("display")) {
        tracing::info!(subject = %visit.viewer().subject, "a display was taken down");
        visit.done("Taken down: that screen goes grey within seconds.", "/wall/display")
    } else {
        show(&visit, "", Some(Problem::not_found())).await
    }
}

/// Checks what a display is to be called.
fn checked(name: &str) -> Result<(), Problem> {
    let letters = name.chars().count();
    let text = match letters {
        0 => "must be given, such as the room".to_owned(),
        _ if letters > NAME_MAX => format!("must have at most {NAME_MAX} characters, has {letters}"),
        _ if name.chars().any(char::is_control) => "must be one line of text".to_owned(),
        // A room has a number; a patient's has ten digits.
        _ if name.chars().filter(char::is_ascii_digit).count() >= 10 => {
            "must name a screen, not a patient".to_owned()
        }
        _ => return Ok(()),
    };
    Err(Problem::invalid("name", &text))
}

async fn show(visit: &Visit, name: &str, problem: Option<Problem>) -> Response {
    if let Some(way) = problem.as_ref().and_then(|problem| visit.way_out(problem)) {
        return way;
    }
    if let Err(refused) = visit.needs_right("/wall/display") {
        return visit.refuse(&refused);
    }
    let frame = Frame::read(visit, Place::Situation, "A wall in the room").await;
    let displays = visit.app.sessions.displays(visit.viewer()).into_iter();
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
    let page = Page {
        frame: Frame { is_live: false, ..frame },
        sections: sections(visit, Section::Wall),
        csrf: visit.signed.csrf.clone(),
        called: name.to_owned(),
        error: error_of(problem.as_ref(), CONTROLS, "name"),
        problem: problem.map_or_else(String::new, |problem| summary(&problem, CONTROLS)),
        displays: displays.map(|(one, left)| (one.handle, one.name, ends(visit, left))).collect(),
    };
    routes::html(status, rendered(&page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_is_called_by_one_short_line() {
        for good in ["Gold room", "Bed office, 2nd floor", &"x".repeat(NAME_MAX)] {
            assert_eq!(checked(good), Ok(()), "{good}");
        }
        for bad in ["", "two\nlines", "943 476 5919", &"x".repeat(NAME_MAX + 1)] {
            let problem = checked(bad).unwrap_err();
            assert_eq!(problem.violations[0].field, "name", "{bad}");
        }
    }
}
