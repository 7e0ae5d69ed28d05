//! The account of an alert: what fired it, when it entered and cleared, whose it was, and what the timeline says of its
//! cause.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{Alert, ListAlertsRequest, ListTimelineRequest, alert};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::super::frame::{Frame, Place, rendered};
use super::super::situation::sections::{Entry, Section, sections};
use super::super::timeline::Line;
use super::{Row, owner};
use crate::app::{Update, Visit, encoded};
use crate::directory::Directory;
use crate::problem::Problem;
use crate::routes;
use crate::words::codes::Tag;
use crate::words::resource;
use crate::words::time::{Now, from_wire, span};

/// Entries of the timeline that the page shows.
const ENTRIES: i32 = 100;
/// Records that the timeline is asked about: as many as an alert names, and the alert itself.
const SUBJECTS_MAX: usize = 50;

/// Which alert.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    /// Its id.
    #[serde(default)]
    id: String,
}

#[derive(Template)]
#[template(path = "alerts/one_page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    account: String,
}

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "alerts/one.html")]
struct Account {
    csrf: String,
    row: Row,
    state: Tag,
    is_digest: bool,
    /// When its rule raises an alert.
    rule: String,
    /// Each trust, or the trust's resource, and the address of its own account; the address is empty where it has none.
    concerns: Vec<(String, String)>,
    owned: String,
    cleared: String,
    /// By whom and what was done; empty while it is open.
    closed: String,
    /// Newest first.
    entries: Vec<Line>,
    /// Address of the timeline as of when it was raised.
    then: String,
}

/// `GET /alerts/one`
pub(crate) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let (frame, account) = tokio::join!(Frame::read(&visit, Place::Situation, "Alert"), read(&visit, &asked));
    visit.answer(account.map(|account| {
        let page = Page {
            frame: Frame { title: account.row.text.clone(), ..frame },
            sections: sections(&visit, Section::Alerts),
            account: rendered(&account),
        };
        routes::html(StatusCode::OK, rendered(&page))
    }))
}

/// `GET /f/alerts/one`
pub(crate) async fn fragment(
    Update(visit): Update,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    match read(&visit, &asked).await {
        Ok(account) => routes::fragment(&headers, rendered(&account)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// Reads the alert and what happened to its cause. One that nobody knows, or that is no longer kept, is not found.
async fn read(visit: &Visit, asked: &Asked) -> Result<Account, Problem> {
    let request = ListAlertsRequest { ids: vec![asked.id.clone()], ..ListAlertsRequest::default() };
    let found = async {
        let answer = visit.calls.monitor().list_alerts(request).await?.into_inner();
        answer.alerts.into_iter().find(|alert| alert.id == asked.id).ok_or_else(Problem::not_found)
    };
    let (alert, directory) = tokio::join!(found, visit.directory());
    let (alert, directory) = (alert?, directory.unwrap_or_default());
    let subjects = std::iter::once(&alert.id).chain(&alert.subjects).take(SUBJECTS_MAX).cloned();
    let request = ListTimelineRequest {
        page_size: ENTRIES,
        subjects: subjects.collect(),
        ..ListTimelineRequest::default()
    };
    let entries = visit.calls.monitor().list_timeline(request).await?.into_inner().entries;
    let entries = entries.into_iter().map(|entry| Line::new(entry, &visit.now)).collect();
    Ok(Account::new(visit, alert, entries, &directory))
}

impl Account {
    fn new(visit: &Visit, alert: Alert, entries: Vec<Line>, directory: &Directory) -> Self {
        let now = &visit.now;
        Self {
            csrf: visit.signed.csrf.clone(),
            state: state(&alert),
            is_digest: alert.digest,
            rule: alert.rule_text.clone(),
            concerns: concerns(&alert, directory),
            owned: owned(&alert, directory, now),
            cleared: match from_wire(alert.cleared_at.as_ref()) {
                Some(at) => now.clock(at),
                None if alert.cleared => "yes".to_owned(),
                None => "not yet: it is still so".to_owned(),
            },
            closed: closed(&alert, directory, now),
            entries,
            then: from_wire(alert.raised_at.as_ref())
                .map(|at| format!("/timeline?at={}", encoded(&now.control(at))))
                .unwrap_or_default(),
            row: Row { is_account: true, ..Row::new(alert, now, visit.viewer(), directory) },
        }
    }
}

fn state(alert: &Alert) -> Tag {
    match alert.state() {
        alert::State::Raised => Tag { text: "Unowned", colour: "amber" },
        alert::State::Taken => Tag { text: "Owned", colour: "blue" },
        alert::State::Closed => Tag { text: "Over", colour: "grey" },
        alert::State::Unspecified => Tag { text: "Not said", colour: "grey" },
    }
}

/// Returns what it is about: the number of one trust, each trust, or the region.
fn concerns(alert: &Alert, directory: &Directory) -> Vec<(String, String)> {
    let of = alert.resource.as_ref();
    let named = |trust: &String| match of {
        None => (directory.trust(trust).to_owned(), String::new()),
        Some(of) => (
            format!("{}, {}", directory.trust(trust), resource::short(of)),
            format!("/situation/one?trust={}&resource={}", encoded(trust), encoded(&resource::key(of))),
        ),
    };
    if alert.trusts.is_empty() {
        let region =
            of.map_or_else(|| "the region".to_owned(), |of| format!("the region, {}", resource::short(of)));
        return vec![(region, String::new())];
    }
    alert.trusts.iter().map(named).collect()
}

/// `Gold command, from today 14:22, 4 min after it was raised`.
fn owned(alert: &Alert, directory: &Directory, now: &Now) -> String {
    let taken = from_wire(alert.taken_at.as_ref());
    match (alert.owner.is_empty(), taken) {
        (true, _) => "nobody took it".to_owned(),
        (false, None) => owner(&alert.owner, directory),
        (false, Some(taken)) => {
            let waited = from_wire(alert.raised_at.as_ref())
                .map(|raised| format!(", {} after it was raised", span(taken.duration_since(raised))));
            format!(
                "{}, from {}{}",
                owner(&alert.owner, directory),
                now.clock(taken),
                waited.unwrap_or_default()
            )
        }
    }
}

/// `today 13:02, by Site lead, Dunmere General: rang the ward`.
fn closed(alert: &Alert, directory: &Directory, now: &Now) -> String {
    if alert.state() != alert::State::Closed {
        return String::new();
    }
    let at = from_wire(alert.closed_at.as_ref()).map(|at| now.clock(at)).unwrap_or_default();
    let by = match alert.closed_by.as_str() {
        "" => "by itself".to_owned(),
        who => format!("by {}", owner(who, directory)),
    };
    let note = if alert.note.is_empty() { String::new() } else { format!(": {}", alert.note) };
    format!("{at}, {by}{note}")
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::words::time::to_wire;

    fn at(text: &str) -> Option<prost_types::Timestamp> {
        Some(to_wire(text.parse().unwrap()))
    }

    #[test]
    fn it_says_whose_it_was_and_how_it_ended() {
        let now = Now { at: "2026-11-24T14:32:00Z".parse().unwrap(), zone: TimeZone::UTC };
        let names = Directory::default();
        let raised = Alert { raised_at: at("2026-11-24T14:18:00Z"), ..Alert::default() };
        assert_eq!(owned(&raised, &names, &now), "nobody took it");
        assert_eq!(closed(&raised, &names, &now), "");
        let taken = Alert { owner: "gold".to_owned(), taken_at: at("2026-11-24T14:22:00Z"), ..raised };
        assert_eq!(owned(&taken, &names, &now), "Gold command, from today 14:22, 4 min after it was raised");
        let mut over = Alert { closed_at: at("2026-11-24T14:30:00Z"), ..taken };
        over.set_state(alert::State::Closed);
        assert_eq!(closed(&over, &names, &now), "today 14:30, by itself");
        over.closed_by = "site_lead ZA4".to_owned();
        over.note = "Two beds from 16:00.".to_owned();
        assert_eq!(closed(&over, &names, &now), "today 14:30, by Site lead, ZA4: Two beds from 16:00.");
    }

    #[test]
    fn it_leads_to_the_number_that_it_is_about() {
        let names = Directory::default();
        let mut alert = Alert { resource: resource::from_key("BED/CC_ADULT/3"), ..Alert::default() };
        assert_eq!(concerns(&alert, &names), [("the region, Level 3".to_owned(), String::new())]);
        alert.trusts = vec!["ZA4".to_owned()];
        let address = "/situation/one?trust=ZA4&resource=BED/CC_ADULT/3";
        assert_eq!(concerns(&alert, &names), [("ZA4, Level 3".to_owned(), address.to_owned())]);
        alert.resource = None;
        assert_eq!(concerns(&alert, &names), [("ZA4".to_owned(), String::new())]);
    }
}
