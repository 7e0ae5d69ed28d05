//! Alerts: what somebody should act on, who does, and what became of the last ones.

pub(crate) mod one;
pub(crate) mod strip;

use askama::Template;
use axum::response::Response;
use fallow_api::v1::{
    Alert, CloseAlertRequest, ListAlertsRequest, ListAlertsResponse, TakeAlertRequest, alert,
};
use http::{HeaderMap, StatusCode};

use super::frame::{Frame, Place, rendered};
use super::problem::{Control, summary};
use super::situation::sections::{Entry, Section, sections};
use crate::app::{Update, Visit, encoded};
use crate::directory::Directory;
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::rights::Rights;
use crate::routes;
use crate::session::Viewer;
use crate::words;
use crate::words::time::{Now, from_wire};

/// Ended alerts that the page shows.
const ENDED_SHOWN: i32 = 20;
/// Open alerts that the page shows: far more than a day's budget.
const OPEN_SHOWN: i32 = 200;
/// Rules of what takes two people: their alerts end when it is confirmed, refused or reviewed, and nobody closes them.
const ENDS_ITSELF: [&str; 2] = ["action_waits", "glass_broken"];
/// The controls of the page's forms, for the error summary.
const CONTROLS: &[Control] = &[Control::new("note", "note", "What was done")];

#[derive(Template)]
#[template(path = "alerts/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    board: String,
}

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "alerts/board.html")]
struct Board {
    csrf: String,
    /// `Today 7 of 20`.
    budget: String,
    open: Vec<Row>,
    digest: Vec<Row>,
    ended: Vec<Row>,
}

/// One alert.
struct Row {
    id: String,
    revision: i64,
    text: String,
    /// What has the same cause and raises nothing of its own.
    children: Vec<String>,
    /// Names of the trusts it concerns; empty where its text says so.
    trusts: String,
    raised: String,
    owner: String,
    is_unowned: bool,
    can_take: bool,
    /// Whether the viewer may close it: not what ends by itself alone.
    can_close: bool,
    /// What became of it.
    ended: String,
    /// Whether it stands on the page of its own account, to which its forms then lead back.
    is_account: bool,
}

/// Returns where a form of an alert leads back to: the page that it stood on.
fn back(fields: &Fields) -> String {
    match fields.text("account") {
        "" => "/alerts".to_owned(),
        _ => format!("/alerts/one?id={}", encoded(fields.text("alert"))),
    }
}

/// `GET /alerts`
pub(crate) async fn page(visit: Visit) -> Response {
    show(&visit, None).await
}

/// `GET /f/alerts`
pub(crate) async fn fragment(Update(visit): Update, headers: HeaderMap) -> Response {
    match read(&visit).await {
        Ok(board) => routes::fragment(&headers, rendered(&board)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// `POST /alerts/take`: it is the viewer's from now on.
pub(crate) async fn take(Posted { visit, fields }: Posted) -> Response {
    let request = TakeAlertRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        alert: fields.text("alert").to_owned(),
        ..TakeAlertRequest::default()
    };
    match visit.calls.monitor().take_alert(request).await {
        Ok(answer) => {
            let taken = answer.into_inner().alert.unwrap_or_default();
            visit.done(format!("Yours now: {}", taken.text), &back(&fields))
        }
        Err(status) => show(&visit, Some(status.into())).await,
    }
}

/// `POST /alerts/close`: done, with what was done.
pub(crate) async fn close(Posted { visit, fields }: Posted) -> Response {
    let request = CloseAlertRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        alert: fields.text("alert").to_owned(),
        note: fields.text("note").to_owned(),
        ..CloseAlertRequest::default()
    };
    match visit.calls.monitor().close_alert(request).await {
        Ok(answer) => {
            let closed = answer.into_inner().alert.unwrap_or_default();
            visit.done(format!("Closed: {}", closed.text), &back(&fields))
        }
        Err(status) => show(&visit, Some(status.into())).await,
    }
}

async fn show(visit: &Visit, problem: Option<Problem>) -> Response {
    if let Some(way) = problem.as_ref().and_then(|problem| visit.way_out(problem)) {
        return way;
    }
    let (frame, board) = tokio::join!(Frame::read(visit, Place::Situation, "Alerts"), read(visit));
    visit.answer(board.map(|board| {
        let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
        let page = Page {
            frame,
            sections: sections(visit, Section::Alerts),
            problem: problem.map_or_else(String::new, |problem| summary(&problem, CONTROLS)),
            board: rendered(&board),
        };
        routes::html(status, rendered(&page))
    }))
}

async fn read(visit: &Visit) -> Result<Board, Problem> {
    let ask = |states: Vec<i32>, page_size| {
        let request = ListAlertsRequest { states, page_size, ..ListAlertsRequest::default() };
        async move { Ok::<_, Problem>(visit.calls.monitor().list_alerts(request).await?.into_inner()) }
    };
    let (open, ended, directory) = tokio::join!(
        ask(Vec::new(), OPEN_SHOWN),
        ask(vec![alert::State::Closed.into()], ENDED_SHOWN),
        visit.directory()
    );
    let directory = directory.unwrap_or_default();
    Ok(Board::new(visit, &directory, open?, ended?))
}

impl Board {
    fn new(
        visit: &Visit,
        directory: &Directory,
        open: ListAlertsResponse,
        ended: ListAlertsResponse,
    ) -> Self {
        let row = |alert: Alert| Row::new(alert, &visit.now, visit.viewer(), directory);
        let budget = format!("Raised in 24 h: {} of {} a day.", open.raised_24h, open.per_day);
        let (digest, open): (Vec<Alert>, Vec<Alert>) =
            open.alerts.into_iter().partition(|alert| alert.digest);
        Self {
            csrf: visit.signed.csrf.clone(),
            budget,
            open: open.into_iter().map(row).collect(),
            digest: digest.into_iter().map(row).collect(),
            ended: ended.alerts.into_iter().map(row).collect(),
        }
    }

    /// `3 open, 1 of nobody`.
    fn told(&self) -> String {
        let unowned = self.open.iter().filter(|row| row.is_unowned).count();
        match (self.open.len(), unowned) {
            (0, _) => "Nothing is alarming.".to_owned(),
            (all, 0) => format!("{all} open, all owned."),
            (all, unowned) => format!("{all} open, {unowned} without an owner."),
        }
    }
}

impl Row {
    fn new(alert: Alert, now: &Now, viewer: &Viewer, directory: &Directory) -> Self {
        let at = |time: Option<&prost_types::Timestamp>| from_wire(time);
        let raised = at(alert.raised_at.as_ref());
        let age = raised.map(|raised| now.age(raised)).unwrap_or_default();
        let is_open = alert.state() != alert::State::Closed;
        let is_unowned = is_open && alert.owner.is_empty();
        let trusts: Vec<&str> = alert.trusts.iter().map(|trust| directory.trust(trust)).collect();
        let closed = at(alert.closed_at.as_ref()).map(|at| now.clock(at)).unwrap_or_default();
        let can_act = is_open && may_act(viewer, &alert);
        Self {
            can_take: can_act && alert.state() == alert::State::Raised,
            can_close: can_act && !ENDS_ITSELF.contains(&alert.rule.as_str()),
            is_unowned,
            owner: if is_unowned { format!("unowned {age}") } else { owner(&alert.owner, directory) },
            raised: raised.map(|raised| format!("{}, {age}", now.clock(raised))).unwrap_or_default(),
            // Most alerts begin with the one trust that they concern.
            trusts: match trusts.as_slice() {
                [] => "the region".to_owned(),
                [one] if alert.text.starts_with(one) => String::new(),
                all => all.join(", "),
            },
            ended: match (is_open, alert.note.as_str(), alert.owner.is_empty()) {
                (true, _, _) => String::new(),
                (false, "", true) => format!("{closed}: no longer so; nobody acted"),
                (false, "", false) => format!("{closed}: no longer so"),
                (false, note, _) => format!("{closed}: {note}"),
            },
            is_account: false,
            id: alert.id,
            revision: alert.revision,
            text: alert.text,
            children: alert.children,
        }
    }
}

/// Writes `bed_manager ZA4` as people say it.
pub(super) fn owner(owner: &str, directory: &Directory) -> String {
    match owner.split_once(' ') {
        Some((role, trust)) => format!("{}, {}", words::codes::role(role), directory.trust(trust)),
        None if owner.is_empty() => "nobody".to_owned(),
        None => words::codes::role(owner),
    }
}

/// Says whether to offer the buttons. What is allowed, the service says.
fn may_act(viewer: &Viewer, alert: &Alert) -> bool {
    match viewer.role.as_str() {
        "bed_manager" | "site_lead" => viewer.trust.as_ref().is_some_and(|own| alert.trusts.contains(own)),
        role => Rights::of(role).may("/alerts/take"),
    }
}
