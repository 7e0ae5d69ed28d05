//! The region as gold command and every trust see it: who can help, who is short, and how old each number is.

pub(crate) mod grid;
pub(crate) mod one;
pub(crate) mod sections;
pub(crate) mod view;

use askama::Template;
use axum::response::Response;
use fallow_api::v1::GetSituationRequest;
use http::{HeaderMap, StatusCode};

use self::sections::{Section, sections};
use self::view::Heat;
use super::alerts::strip::Strip;
use super::frame::{Frame, Place, rendered};
use crate::app::{Update, Visit};
use crate::problem::Problem;
use crate::routes;

#[derive(Template)]
#[template(path = "situation/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<sections::Entry>,
    heat: String,
}

/// `GET /situation`
pub(crate) async fn page(visit: Visit) -> Response {
    let (frame, heat) = tokio::join!(Frame::read(&visit, Place::Situation, "Situation"), read(&visit));
    visit.answer(heat.map(|heat| {
        let page = Page { frame, sections: sections(Section::Situation), heat: rendered(&heat) };
        routes::html(StatusCode::OK, rendered(&page))
    }))
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
