//! Finding a case, a transfer, a trust or a telephone by a few letters.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{Need, NeedFilter, Priority, Transfer, TransferFilter};
use http::StatusCode;
use serde::Deserialize;

use super::frame::{Frame, Place, rendered};
use crate::app::Visit;
use crate::directory::{Desk, Directory};
use crate::problem::Problem;
use crate::routes;
use crate::words;
use crate::words::codes::{self, Tag};
use crate::words::resource;
use crate::words::time::{Now, from_wire};

/// Shortest text that is looked for: fewer letters find everything.
const LETTERS_MIN: usize = 2;

/// Results of each sort at most.
const FOUND_MAX: usize = 30;

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Sought {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "search/page.html")]
struct Page {
    frame: Frame,
    q: String,
    is_short: bool,
    needs: Vec<Found>,
    transfers: Vec<Found>,
    desks: Vec<Desk>,
}

/// One thing that was found.
struct Found {
    link: String,
    name: String,
    what: String,
    whose: String,
    when: String,
    state: Tag,
    is_urgent: bool,
}

/// `GET /search`
pub(crate) async fn page(visit: Visit, Query(sought): Query<Sought>) -> Response {
    visit.answer(find(&visit, sought.q.trim()).await)
}

async fn find(visit: &Visit, q: &str) -> Result<Response, Problem> {
    let frame = Frame::read(visit, Place::Elsewhere, "Search").await;
    let is_short = q.chars().count() < LETTERS_MIN;
    let (mut needs, mut transfers, mut desks) = (Vec::new(), Vec::new(), Vec::new());
    if !is_short {
        let (live, moving, directory) = tokio::join!(
            visit.calls.needs(NeedFilter::default()),
            visit.calls.transfers(TransferFilter::default()),
            visit.directory()
        );
        let (live, moving, directory) = (live?, moving?, directory?);
        let words = Words::of(q);
        let own = visit.viewer().trust.as_deref();
        let need = |need: &Need| {
            let found = Found::of_need(need, own, &visit.now, &directory);
            words
                .are_in(&format!("{} {} {} {}", found.name, found.what, found.whose, found.when))
                .then_some(found)
        };
        let transfer = |one: &Transfer| {
            let need = live.iter().find(|need| need.id == one.need);
            let found = Found::of_transfer(one, need, &visit.now, &directory);
            words
                .are_in(&format!("{} {} {} {}", found.name, found.what, found.whose, one.id))
                .then_some(found)
        };
        needs = live.iter().filter_map(need).take(FOUND_MAX).collect();
        transfers = moving.iter().filter_map(transfer).take(FOUND_MAX).collect();
        let all = directory.desks().into_iter().flat_map(|(trust, desks)| {
            desks.into_iter().map(move |desk| (format!("{trust} {} {}", desk.name, desk.phone), desk))
        });
        desks = all.filter(|(text, _)| words.are_in(text)).map(|(_, desk)| desk).take(FOUND_MAX).collect();
    }
    let page = Page { frame, q: q.to_owned(), is_short, needs, transfers, desks };
    Ok(routes::html(StatusCode::OK, rendered(&page)))
}

/// What is looked for, word by word: each must be somewhere.
struct Words(Vec<String>);

impl Words {
    fn of(q: &str) -> Self {
        // People write "very urgent" on a board; here that is a band.
        let text = q.to_lowercase().replace("very urgent", "p1a").replace("urgent", "p1");
        Self(text.split_whitespace().map(str::to_owned).collect())
    }

    fn are_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.0.iter().all(|word| text.contains(word.as_str()))
    }
}

impl Found {
    fn of_need(need: &Need, own: Option<&str>, now: &Now, directory: &Directory) -> Self {
        let (band, _) = codes::priority(need.priority());
        let by = from_wire(need.needed_by.as_ref());
        let of = if own == Some(need.trust.as_str()) { "" } else { "of=all&" };
        Self {
            link: format!("/needs?{of}why={}#why", need.id),
            name: if need.case_ref.is_empty() { words::reference(&need.id) } else { need.case_ref.clone() },
            what: need.resource.as_ref().map(|one| resource::phrase(one, need.units)).unwrap_or_default(),
            whose: directory.site(&need.site).to_owned(),
            when: match by {
                Some(by) => format!("{band}, needed by {}", now.clock(by)),
                None => band.to_owned(),
            },
            state: codes::need_state(need.state()),
            is_urgent: matches!(need.priority(), Priority::P1a | Priority::P1b),
        }
    }

    fn of_transfer(transfer: &Transfer, need: Option<&Need>, now: &Now, directory: &Directory) -> Self {
        let due = from_wire(transfer.due_at.as_ref());
        let reference = words::reference(&transfer.id);
        let (from, to) = (directory.site(&transfer.from_site), directory.site(&transfer.to_site));
        Self {
            link: format!("/transfers?open={}#open", transfer.id),
            name: match need.map(|need| need.case_ref.as_str()) {
                Some(case_ref) if !case_ref.is_empty() => format!("{case_ref}, transfer {reference}"),
                Some(_) | None => format!("transfer {reference}"),
            },
            what: transfer
                .resource
                .as_ref()
                .map(|one| resource::phrase(one, transfer.units))
                .unwrap_or_default(),
            whose: format!("{from} to {to}"),
            when: due.map_or_else(String::new, |due| format!("due {}", now.clock(due))),
            state: codes::transfer_state(transfer.state()),
            is_urgent: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_be_somewhere_and_urgent_is_a_band() {
        let text = "LC-118 1 \u{d7} Level 3 Dunmere General P1A, needed by today 16:07";
        for found in ["lc-118", "dunmere level", "VERY URGENT", "urgent level 3"] {
            assert!(Words::of(found).are_in(text), "{found}");
        }
        for missing in ["lc-119", "dunmere mri"] {
            assert!(!Words::of(missing).are_in(text), "{missing}");
        }
        assert!(!Words::of("very urgent").are_in("EH-2207 P1B"));
    }
}
