//! What takes two people: what waits for the second of them, what they did and who looks at it again, and asking for a
//! new region file.

pub(crate) mod proposal;
mod view;

use askama::Template;
use axum::response::Response;
use fallow_api::v1::action::Call;
use fallow_api::v1::{
    Action, ApplyRegionRequest, ConfirmActionRequest, GetRegionRequest, ListActionsRequest, ProposalFilter,
    ProposeActionRequest, RefuseActionRequest, ReviewActionRequest, proposal as wire,
};
use http::{HeaderMap, StatusCode};

pub(super) use self::proposal::is_incident_between;
use self::view::{Board, FileShown, Said};
pub(super) use self::view::{between, what};
use super::frame::{Frame, Place, rendered};
use super::problem::{Control, error_of, summary, summary_of_row};
use super::situation::sections::{Entry, Section, sections};
use crate::app::{Update, Visit};
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::routes;

/// Bytes of a form with a region file at most: 512 KiB, of which a browser may write each byte as three.
pub(crate) const FILE_FORM_BYTES_MAX: usize = 1_600 * 1024;
/// The controls of the page's forms, for the error summary.
const CONTROLS: &[Control] = &[
    Control::new("apply_region.toml", "toml", "Region file"),
    Control::new("action.reason", "reason", "Why"),
    Control::new("action", "waiting", "Action"),
];
/// The controls of the forms that each row has; their ids end in the row's.
const OF_ROWS: &[Control] = &[
    Control::new("reason", "why-", "Why it is refused"),
    Control::new("note", "found-", "What the review found"),
    Control::new("action", "action-", "Action"),
];

#[derive(Template)]
#[template(path = "actions/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    board: String,
    /// The form for a region file, for who may ask for one.
    file: Option<FileForm>,
}

/// The form for a region file.
struct FileForm {
    csrf: String,
    toml: String,
    reason: String,
    /// What it would change, once it was looked at.
    checked: Option<FileShown>,
    is_open: bool,
}

/// `GET /actions`
pub(crate) async fn page(visit: Visit) -> Response {
    show(&visit, None, None).await
}

/// `GET /f/actions`
pub(crate) async fn fragment(Update(visit): Update, headers: HeaderMap) -> Response {
    match read(&visit).await {
        Ok(board) => routes::fragment(&headers, rendered(&board)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// `POST /actions/confirm`: the second person wants it, too, and it is done.
pub(crate) async fn confirm(Posted { visit, fields }: Posted) -> Response {
    let request = ConfirmActionRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        action: fields.text("asked").to_owned(),
        ..ConfirmActionRequest::default()
    };
    match visit.calls.monitor().confirm_action(request).await {
        Ok(answer) => {
            let done = answer.into_inner().action.unwrap_or_default();
            visit.done(format!("Confirmed and done. {}", done.text), "/actions")
        }
        Err(status) => show(&visit, Some(status.into()), None).await,
    }
}

/// `POST /actions/refuse`: somebody who could be the second person says that it is not to be done.
pub(crate) async fn refuse(Posted { visit, fields }: Posted) -> Response {
    let request = RefuseActionRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        action: fields.text("asked").to_owned(),
        reason: fields.text("reason").to_owned(),
        ..RefuseActionRequest::default()
    };
    match visit.calls.monitor().refuse_action(request).await {
        Ok(answer) => {
            let refused = answer.into_inner().action.unwrap_or_default();
            visit.done(format!("Nothing is done. {}", refused.text), "/actions")
        }
        Err(status) => say_again(&visit, status.into(), &fields, ("reason", false)).await,
    }
}

/// `POST /actions/review`: a third person writes down what they found.
pub(crate) async fn review(Posted { visit, fields }: Posted) -> Response {
    let request = ReviewActionRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        action: fields.text("asked").to_owned(),
        note: fields.text("note").to_owned(),
        ..ReviewActionRequest::default()
    };
    match visit.calls.monitor().review_action(request).await {
        Ok(answer) => {
            let reviewed = answer.into_inner().action.unwrap_or_default();
            visit.done(format!("The review is kept. {}", reviewed.text), "/actions")
        }
        Err(status) => say_again(&visit, status.into(), &fields, ("note", true)).await,
    }
}

/// `POST /actions/region`: shows what a region file would change, or asks for it.
pub(crate) async fn region(Posted { visit, fields }: Posted) -> Response {
    let is_check = fields.has("check");
    let file = ApplyRegionRequest { toml: fields.text("toml").to_owned(), ..ApplyRegionRequest::default() };
    let request = ProposeActionRequest {
        request_id: fields.request_id(),
        validate_only: is_check,
        action: Some(Action {
            call: Some(Call::ApplyRegion(file)),
            reason: fields.text("reason").to_owned(),
            ..Action::default()
        }),
    };
    match visit.calls.monitor().propose_action(request).await {
        Ok(answer) if is_check => {
            let action = answer.into_inner().action.unwrap_or_default();
            let directory = visit.directory().await.unwrap_or_default();
            let checked = FileShown::of(&action, &directory);
            show(&visit, None, Some(Filled { fields: &fields, checked })).await
        }
        Ok(_) => visit.done(
            "Asked for. Nothing is changed until a second person, in another role, confirms it here.",
            "/actions",
        ),
        Err(status) => {
            show(&visit, Some(status.into()), Some(Filled { fields: &fields, checked: None })).await
        }
    }
}

/// What somebody has filled in, and what it would change.
struct Filled<'f> {
    fields: &'f Fields,
    checked: Option<FileShown>,
}

/// Shows the page again with what somebody said of an action, and what is wrong with it.
async fn say_again(
    visit: &Visit,
    problem: Problem,
    fields: &Fields,
    (field, is_review): (&str, bool),
) -> Response {
    let id = if is_review { "found-" } else { "why-" };
    let said = Said {
        action: fields.text("asked").to_owned(),
        is_review,
        text: fields.text(field).to_owned(),
        error: error_of(Some(&problem), OF_ROWS, id),
    };
    show_with(visit, Some(problem), None, Some(said)).await
}

async fn show(visit: &Visit, problem: Option<Problem>, filled: Option<Filled<'_>>) -> Response {
    show_with(visit, problem, filled, None).await
}

async fn show_with(
    visit: &Visit,
    problem: Option<Problem>,
    filled: Option<Filled<'_>>,
    said: Option<Said>,
) -> Response {
    if let Some(way) = problem.as_ref().and_then(|problem| visit.way_out(problem)) {
        return way;
    }
    let (frame, board, file) = tokio::join!(
        Frame::read(visit, Place::Situation, "What takes two people"),
        read(visit),
        file_form(visit, filled)
    );
    visit.answer(board.map(|mut board| {
        let said_of = said.as_ref().map(|said| said.action.clone());
        let is_shown = said.is_some_and(|said| board.say_again(said));
        let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
        let page = Page {
            frame,
            sections: sections(visit, Section::Actions),
            problem: problem.map_or_else(String::new, |problem| match said_of.filter(|_| is_shown) {
                Some(row) => summary_of_row(&problem, OF_ROWS, &row),
                None => summary(&problem, CONTROLS),
            }),
            board: rendered(&board),
            file,
        };
        routes::html(status, rendered(&page))
    }))
}

/// Makes the form for a region file, with the file in force to begin with.
async fn file_form(visit: &Visit, filled: Option<Filled<'_>>) -> Option<FileForm> {
    if !view::REGION_ROLES.contains(&visit.viewer().role.as_str()) {
        return None;
    }
    let csrf = visit.signed.csrf.clone();
    if let Some(Filled { fields, checked }) = filled {
        let (toml, reason) = (fields.text("toml").to_owned(), fields.text("reason").to_owned());
        return Some(FileForm { csrf, toml, reason, checked, is_open: true });
    }
    let known = visit.calls.monitor().get_region(GetRegionRequest {}).await.ok();
    let toml = known.map(|answer| answer.into_inner().toml).unwrap_or_default();
    Some(FileForm { csrf, toml, reason: String::new(), checked: None, is_open: false })
}

async fn read(visit: &Visit) -> Result<Board, Problem> {
    let list = |waiting: bool| async move {
        let answer =
            visit.calls.monitor().list_actions(ListActionsRequest { waiting, ..Default::default() }).await?;
        Ok::<_, Problem>(answer.into_inner().actions)
    };
    let proposals = async {
        if !view::takes_part_in_any(visit.viewer()) {
            return Ok(Vec::new());
        }
        let states = vec![wire::State::Held.into()];
        visit.calls.proposals(ProposalFilter { states, ..ProposalFilter::default() }).await
    };
    let (waiting, all, proposals, directory) =
        tokio::join!(list(true), list(false), proposals, visit.directory());
    let proposals = proposals?;
    let needs =
        super::proposals::needs_of(visit, proposals.get(..view::PROPOSALS_SHOWN).unwrap_or(&proposals));
    let needs = needs.await;
    Ok(Board::new(visit, &directory.unwrap_or_default(), (&waiting?, &all?), &proposals, &needs))
}
