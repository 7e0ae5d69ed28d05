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

/// Rows of the table with which the alerts are still on the screen below it.
const ROWS_ABOVE_ALERTS: usize = 12;
/// Trusts whose levels are listed one by one.
const OPEL_LISTED: usize = 8;

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
    /// `3, 4`, in the order of the trusts, or how many declared each where there are many.
    opel: String,
    incidents: Vec<String>,
    strip: Strip,
    grid: Grid,
    /// Whether the alerts are still on the screen below the table.
    is_short: bool,
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
        let incident = |mode: &situation::CollaborativeMode| match mode.reason.as_str() {
            "" => mode.name.clone(),
            reason => format!("{}, {reason}", mode.name),
        };
        let grid = Grid::new(now, None, situation);
        let incidents = situation.modes.iter().filter(|mode| codes::is_incident(mode.mode()));
        Self {
            region: situation.name.clone(),
            top: Top::new(now, situation),
            opel: opel(situation),
            is_short: !grid.is_turned && grid.rows.len() <= ROWS_ABOVE_ALERTS,
            incidents: incidents.map(incident).collect(),
            strip,
            grid,
            has_links: false,
            store_caveat: situation.store_caveat.clone(),
            display: None,
        }
    }
}

/// Writes what the trusts declared: one level after another, or of many trusts how many declared each, the highest first.
fn opel(situation: &Situation) -> String {
    let levels = || situation.trusts.iter().map(|trust| trust.opel);
    let name = |level: i32| if level == 0 { "none".to_owned() } else { level.to_string() };
    if situation.trusts.len() <= OPEL_LISTED {
        return levels().map(name).collect::<Vec<_>>().join(", ");
    }
    let counted = (0..=4).rev().filter_map(|level| {
        let many = levels().filter(|one| *one == level).count();
        (many > 0).then(|| format!("{many} at {}", name(level)))
    });
    counted.collect::<Vec<_>>().join(", ").replace("at none", "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_trusts_declared_is_counted() {
        let of = |levels: &[i32]| {
            let trust = |level: &i32| situation::TrustSituation { opel: *level, ..Default::default() };
            opel(&Situation { trusts: levels.iter().map(trust).collect(), ..Situation::default() })
        };
        assert_eq!(of(&[3, 4, 0, 2]), "3, 4, none, 2");
        assert_eq!(of(&[2, 1, 4, 0, 2, 2, 1, 0, 3, 2]), "1 at 4, 1 at 3, 4 at 2, 2 at 1, 2 none");
    }
}
