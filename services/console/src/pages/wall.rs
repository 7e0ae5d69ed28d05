//! The wall: the region across the room. No controls, no names of people, and grey as soon as it is not live.

pub(crate) mod display;

use askama::Template;
use axum::response::Response;
use fallow_api::v1::{GetSituationRequest, Situation, situation};
use http::{HeaderMap, StatusCode};

use super::alerts::strip::Strip;
use super::frame::rendered;
use super::situation::grid::Grid;
use super::situation::view::Top;
use crate::app::{Update, Visit};
use crate::assets;
use crate::problem::Problem;
use crate::routes;
use crate::words::codes;
use crate::words::time::Now;

#[derive(Template)]
#[template(path = "wall/page.html")]
struct Page {
    style: String,
    script: String,
    icon: String,
    build: &'static str,
    demo: bool,
    board: String,
}

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "wall/board.html")]
struct Board {
    region: String,
    top: Top,
    /// `OPEL declared: 3, 4`, in the order of the trusts.
    opel: String,
    incidents: Vec<String>,
    strip: Strip,
    grid: Grid,
    has_links: bool,
    store_caveat: String,
    /// `Gold room, until today 20:10`, where the screen shows nothing else.
    display: Option<String>,
}

/// `GET /wall`
pub(crate) async fn page(visit: Visit) -> Response {
    let made = read(&visit).await.map(|board| {
        let page = Page {
            style: assets::style(),
            script: assets::script(),
            icon: assets::icon(),
            build: assets::build(),
            demo: visit.app.settings.demo.is_some(),
            board: rendered(&board),
        };
        routes::html(StatusCode::OK, rendered(&page))
    });
    visit.answer(made)
}

/// `GET /f/wall`
pub(crate) async fn fragment(Update(visit): Update, headers: HeaderMap) -> Response {
    match read(&visit).await {
        Ok(board) => routes::fragment(&headers, rendered(&board)),
        Err(problem) => visit.refuse(&problem),
    }
}

async fn read(visit: &Visit) -> Result<Board, Problem> {
    let mut monitor = visit.calls.monitor();
    let (answer, strip) =
        tokio::join!(monitor.get_situation(GetSituationRequest::default()), Strip::read(visit));
    let mut board = Board::new(&visit.now, &answer?.into_inner().situation.unwrap_or_default(), strip);
    board.display = visit
        .signed
        .display
        .as_ref()
        .map(|(display, left)| format!("{}, until {}", display.name, display::ends(visit, *left)));
    Ok(board)
}

impl Board {
    fn new(now: &Now, situation: &Situation, strip: Strip) -> Self {
        let declared = situation.trusts.iter().map(|trust| match trust.opel {
            0 => "none".to_owned(),
            level => level.to_string(),
        });
        let incident = |mode: &situation::CollaborativeMode| match mode.reason.as_str() {
            "" => mode.name.clone(),
            reason => format!("{}, {reason}", mode.name),
        };
        let incidents = situation.modes.iter().filter(|mode| codes::is_incident(mode.mode()));
        Self {
            region: situation.name.clone(),
            top: Top::new(now, situation),
            opel: declared.collect::<Vec<_>>().join(", "),
            incidents: incidents.map(incident).collect(),
            strip,
            grid: Grid::new(now, None, situation),
            has_links: false,
            store_caveat: situation.store_caveat.clone(),
            display: None,
        }
    }
}
