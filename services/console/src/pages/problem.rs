//! Problems on a page: the summary on top of it, and the page for requests that no other page can answer.

use askama::Template;
use axum::response::Response;

use super::frame::{Frame, rendered};
use crate::app::Visit;
use crate::problem::{Kind, Problem};
use crate::routes;
use crate::words::first_upper;

/// A control that a violation can point at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Control {
    /// The end of the field's path on the wire, such as `window.until`.
    pub(crate) path: &'static str,
    /// The id of the control.
    pub(crate) id: &'static str,
    /// What the label says, as the beginning of a sentence.
    pub(crate) name: &'static str,
}

impl Control {
    /// Returns a control.
    pub(crate) const fn new(path: &'static str, id: &'static str, name: &'static str) -> Self {
        Self { path, id, name }
    }

    fn is_meant_by(&self, field: &str) -> bool {
        field == self.id || field.ends_with(self.path) || field.contains(&format!("{}.", self.path))
    }
}

#[derive(Template)]
#[template(path = "problem/summary.html")]
struct Summary<'a> {
    problem: &'a Problem,
    is_change: bool,
    /// Each with the id of the control to mend, empty where there is none.
    lines: Vec<(String, String)>,
}

/// Writes the summary that stands on top of a page whose form was refused.
pub(crate) fn summary(problem: &Problem, controls: &[Control]) -> String {
    summary_of_row(problem, controls, "")
}

/// The same of a form that each row of a page has: an id of a control that ends in a dash goes on with the row's.
pub(crate) fn summary_of_row(problem: &Problem, controls: &[Control], row: &str) -> String {
    let lines = problem.violations.iter().map(|violation| {
        let control = controls.iter().find(|control| control.is_meant_by(&violation.field));
        let name = control.map_or(violation.field.as_str(), |control| control.name);
        let id = match control.map_or("", |control| control.id) {
            begun if begun.ends_with('-') => format!("{begun}{row}"),
            whole => whole.to_owned(),
        };
        (id, format!("{name}: {}", violation.text))
    });
    let lines = lines.collect();
    rendered(&Summary { problem, is_change: problem.kind == Kind::ChangedMeanwhile, lines })
}

/// Returns what is wrong with one control.
pub(crate) fn error_of(problem: Option<&Problem>, controls: &[Control], id: &str) -> Option<String> {
    let control = controls.iter().find(|control| control.id == id)?;
    let mut wrong = problem?.violations.iter().filter(|violation| control.is_meant_by(&violation.field));
    wrong.next().map(|violation| first_upper(&violation.text))
}

#[derive(Template)]
#[template(path = "problem/page.html")]
struct Page<'a> {
    frame: Frame,
    problem: &'a Problem,
}

/// Makes the page. It asks no service, for that may be what failed.
pub(crate) fn page(visit: &Visit, problem: &Problem) -> Response {
    let frame = Frame::alone(visit, problem.heading());
    routes::html(problem.http_status(), rendered(&Page { frame, problem }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_find_their_controls_by_the_path_on_the_wire() {
        const CONTROLS: &[Control] = &[
            Control::new("window.until", "until", "Until"),
            Control::new("resource", "resource", "Resource"),
        ];
        let mut problem = Problem::invalid("offer.window.until", "must be later than from");
        assert_eq!(error_of(Some(&problem), CONTROLS, "until").as_deref(), Some("Must be later than from"));
        assert_eq!(error_of(Some(&problem), CONTROLS, "resource"), None);
        problem.violations.extend(Problem::invalid("offer.resource.code", "is not known").violations);
        problem.violations.extend(Problem::invalid("offer.note", "names a <person>").violations);
        let text = summary(&problem, CONTROLS);
        assert!(text.contains("<a href=\"#until\">Until: must be later than from</a>"), "{text}");
        assert!(text.contains("<a href=\"#resource\">Resource: is not known</a>"), "{text}");
        assert!(text.contains("offer.note: names a &#60;person&#62;"), "{text}");
    }
}
