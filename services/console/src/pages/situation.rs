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

/// The controls of the page's form, for the error summary.
const CONTROLS: &[Control] = &[
    Control::new("collaborative", "collaborative", "Collaborative"),
    Control::new("mode", "collaborative", "Incident or routine"),
    Control::new("reason", "reason", "Why"),
];

#[derive(Template)]
#[template(path = "situation/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<sections::Entry>,
    problem: String,
    heat: String,
    /// The form by which gold declares and ends incidents.
    modes: Option<ModeForm>,
}

/// What the form of incidents holds.
struct ModeForm {
    csrf: String,
    once: String,
    /// Id, name, whether there is an incident, whether it was chosen.
    collaboratives: Vec<(String, String, bool, bool)>,
    reason: String,
    is_open: bool,
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
        mode_form(visit, fields, problem.is_some())
    );
    visit.answer(heat.map(|heat| {
        let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
        let problem = problem.map_or_else(String::new, |problem| summary(&problem, CONTROLS));
        let heat = rendered(&heat);
        let page = Page { frame, sections: sections(Section::Situation), problem, heat, modes };
        routes::html(status, rendered(&page))
    }))
}

/// Makes the form of incidents for gold; nothing where the region cannot be read.
async fn mode_form(visit: &Visit, fields: &Fields, is_open: bool) -> Option<ModeForm> {
    if visit.viewer().role != "gold" {
        return None;
    }
    let answer = visit.calls.monitor().get_region(GetRegionRequest {}).await.ok()?.into_inner();
    let all = answer.region.unwrap_or_default().collaboratives.into_iter();
    let chosen = fields.text("collaborative");
    Some(ModeForm {
        csrf: visit.signed.csrf.clone(),
        once: crate::form::once(),
        collaboratives: all
            .map(|one| {
                let (is_incident, is_chosen) = (codes::is_incident(one.mode()), one.id == chosen);
                (one.id, one.name, is_incident, is_chosen)
            })
            .collect(),
        reason: fields.text("reason").to_owned(),
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
