//! Our capacity: what we offer, how fresh it is, and the few things a bed manager does about it.

pub(crate) mod actions;
pub(crate) mod offer;
mod strip;
mod view;

use askama::Template;
use axum::response::Response;
use fallow_api::v1::{GetSituationRequest, NeedFilter, OfferFilter, need};
use http::{HeaderMap, StatusCode};

use self::view::Board;
use super::frame::{Frame, Place, rendered};
use super::problem::summary;
use crate::app::{Update, Visit};
use crate::problem::Problem;
use crate::rights::who_may;
use crate::routes;
use crate::words::resource::{Choice, ChoiceGroup};

#[derive(Template)]
#[template(path = "capacity/page.html")]
struct Page {
    frame: Frame,
    /// What went wrong with the last form, ready to show.
    problem: String,
    /// The fragment that updates itself.
    board: String,
    /// The theatres of six weeks; empty where we have none.
    strip: String,
    csrf: String,
    /// Whether the viewer may change anything.
    may_change: bool,
    /// What we offer, for the forms that concern one resource.
    own: Vec<Choice>,
    /// When a suspension ends unless another time is chosen.
    suspend_until: String,
    opel: Option<String>,
}

/// `GET /capacity`
pub(crate) async fn page(visit: Visit) -> Response {
    show(&visit, StatusCode::OK, String::new()).await
}

/// `GET /f/capacity`
pub(crate) async fn fragment(Update(visit): Update, headers: HeaderMap) -> Response {
    match read(&visit).await {
        Ok(board) => routes::fragment(&headers, rendered(&board)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// Shows the page again with what went wrong on top.
pub(crate) async fn show_problem(visit: &Visit, problem: &Problem) -> Response {
    if let Some(way) = visit.way_out(problem) {
        return way;
    }
    show(visit, problem.http_status(), summary(problem, actions::CONTROLS)).await
}

/// Shows the page, with something to read first.
async fn show(visit: &Visit, status: StatusCode, problem: String) -> Response {
    let (frame, board, strip) =
        tokio::join!(Frame::read(visit, Place::Capacity, "Our capacity"), read(visit), strip::read(visit));
    let made = board.map(|board| {
        let until = visit.now.next_hour_of_day(8, jiff::SignedDuration::from_hours(1));
        let page = Page {
            frame,
            problem,
            strip: strip.map_or_else(String::new, |strip| rendered(&strip)),
            csrf: visit.signed.csrf.clone(),
            may_change: board.others.is_none(),
            own: board.resources(),
            suspend_until: visit.now.control(until),
            opel: board.opel.clone(),
            board: rendered(&board),
        };
        routes::html(status, rendered(&page))
    });
    visit.answer(made)
}

/// Reads everything that the board shows.
async fn read(visit: &Visit) -> Result<Board, Problem> {
    let trust = visit.own_trust()?;
    let own = OfferFilter { trusts: vec![trust.to_owned()], ..OfferFilter::default() };
    let open = NeedFilter { states: vec![need::State::Open.into()], ..NeedFilter::default() };
    let situation = async {
        let answer = visit.calls.monitor().get_situation(GetSituationRequest::default()).await?;
        Ok::<_, Problem>(answer.into_inner().situation.unwrap_or_default())
    };
    let (offers, needs, situation, directory) =
        tokio::join!(visit.calls.offers(own), visit.calls.needs(open), situation, visit.directory());
    // The table is what matters; what stands around it may be missing.
    let (needs, situation) = (needs.unwrap_or_default(), situation.unwrap_or_default());
    let directory = directory?;
    let mut board =
        Board::new(&visit.signed.csrf, &visit.now, trust, &offers?, &needs, &situation, &directory);
    if !visit.rights().may("/capacity/free") {
        let name = directory.trust(trust);
        board.others = Some(format!("{} of {name} change these", who_may("/capacity/free")));
    }
    Ok(board)
}

/// Lists the resources of a form, the ones we offer already first.
fn choices(groups: Vec<ChoiceGroup>, own: Vec<Choice>) -> Vec<ChoiceGroup> {
    let first = (!own.is_empty()).then_some(ChoiceGroup { name: "Offered now", choices: own });
    first.into_iter().chain(groups).collect()
}
