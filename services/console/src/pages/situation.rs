//! The region as gold command and every trust see it: who can help, who is short, and how old each number is.

pub(crate) mod grid;
pub(crate) mod one;
pub(crate) mod sections;
pub(crate) mod view;

use askama::Template;
use axum::response::Response;
use fallow_api::v1::{GetRegionRequest, GetSituationRequest, Mode, SetModeRequest};
use http::{HeaderMap, StatusCode};

use self::sections::{Section, sections};
use self::view::Heat;
use super::alerts::strip::Strip;
use super::frame::{Frame, Place, rendered};
use super::problem::{Control, summary};
use crate::app::{Update, Visit};
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::routes;
use crate::words::codes;

/// The controls of the page's forms, for the error summary.
const CONTROLS: &[Control] = &[
    Control::new("collaborative", "incident", "Collaborative"),
    Control::new("mode", "incident", "Incident or routine"),
    Control::new("reason", REASON, "Why"),
];
/// The id of the reason in the form that was sent.
const REASON: &str = "reason";

#[derive(Template)]
#[template(path = "situation/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<sections::Entry>,
    problem: String,
    heat: String,
    /// The forms by which gold declares and ends incidents.
    modes: Option<ModeForms>,
}

/// What the forms of incidents hold.
struct ModeForms {
    csrf: String,
    once: String,
    collaboratives: Vec<ModeForm>,
    is_open: bool,
}

/// The form of one collaborative: it has the one button that applies, so that nothing else is pressed with the enter key.
struct ModeForm {
    id: String,
    name: String,
    is_incident: bool,
    /// The id of the reason's control.
    control: String,
    /// What was filled in, where this form was sent.
    reason: String,
}

/// `GET /situation`
pub(crate) async fn page(visit: Visit) -> Response {
    show(&visit, &Fields::default(), None).await
}

/// `POST /situation/mode`: gold declares an incident, or ends it.
pub(crate) async fn switch(Posted { visit, fields }: Posted) -> Response {
    let mode = match fields.text("mode") {
        "incident" => Mode::Incident,
        "routine" => Mode::Routine,
        _ => Mode::Unspecified,
    };
    let request = SetModeRequest {
        request_id: fields.request_id(),
        collaborative: fields.text("collaborative").to_owned(),
        mode: mode.into(),
        reason: fields.text("reason").to_owned(),
        ..SetModeRequest::default()
    };
    match visit.calls.monitor().set_mode(request).await {
        Ok(_) if mode == Mode::Incident => {
            visit.done("The incident is declared. Everybody sees it, and your reason.", "/situation")
        }
        Ok(_) => visit.done("The incident is over. Everybody sees it, and your reason.", "/situation"),
        Err(status) => show(&visit, &fields, Some(status.into())).await,
    }
}

async fn show(visit: &Visit, fields: &Fields, problem: Option<Problem>) -> Response {
    if let Some(way) = problem.as_ref().and_then(|problem| visit.way_out(problem)) {
        return way;
    }
    let (frame, heat, modes) = tokio::join!(
        Frame::read(visit, Place::Situation, "Situation"),
        read(visit),
        mode_forms(visit, fields, problem.is_some())
    );
    visit.answer(heat.map(|heat| {
        let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
        let problem = problem.map_or_else(String::new, |problem| summary(&problem, CONTROLS));
        let heat = rendered(&heat);
        let page = Page { frame, sections: sections(visit, Section::Situation), problem, heat, modes };
        routes::html(status, rendered(&page))
    }))
}

/// Makes the forms of incidents for gold; nothing where the region cannot be read.
async fn mode_forms(visit: &Visit, fields: &Fields, is_open: bool) -> Option<ModeForms> {
    if visit.viewer().role != "gold" {
        return None;
    }
    let answer = visit.calls.monitor().get_region(GetRegionRequest {}).await.ok()?.into_inner();
    let all = answer.region.unwrap_or_default().collaboratives;
    let chosen = fields.text("collaborative");
    // What was written for a collaborative that is no more is kept in the first form.
    let sent = all.iter().position(|one| one.id == chosen).unwrap_or(0);
    let forms = all.into_iter().enumerate().map(|(number, one)| {
        let is_sent = number == sent;
        ModeForm {
            is_incident: codes::is_incident(one.mode()),
            control: if is_sent { REASON.to_owned() } else { format!("{REASON}-{number}") },
            reason: if is_sent { fields.text("reason").to_owned() } else { String::new() },
            id: one.id,
            name: one.name,
        }
    });
    Some(ModeForms {
        csrf: visit.signed.csrf.clone(),
        once: crate::form::once(),
        collaboratives: forms.collect(),
        is_open,
    })
}

/// `GET /f/situation`
pub(crate) async fn fragment(Update(visit): Update, headers: HeaderMap) -> Response {
    match read(&visit).await {
        Ok(heat) => routes::fragment(&headers, rendered(&heat)),
        Err(problem) => visit.refuse(&problem),
    }
}

async fn read(visit: &Visit) -> Result<Heat, Problem> {
    let mut monitor = visit.calls.monitor();
    let (answer, strip) =
        tokio::join!(monitor.get_situation(GetSituationRequest::default()), Strip::read(visit));
    let own = visit.viewer().trust.as_deref();
    Ok(Heat::new(&visit.now, own, &answer?.into_inner().situation.unwrap_or_default(), strip))
}
