//! What the list of needs shows, worked out from the records.

use std::collections::BTreeMap;

use askama::Template;
use fallow_api::v1::{Need, Proposal, ResourceKind, need};

use super::cohort::Cohort;
use super::reason::{Fix, May, Reason};
use crate::directory::Directory;
use crate::words;
use crate::words::codes::{self, Tag};
use crate::words::resource::{self, Choice};
use crate::words::time::{Now, from_wire};

/// Rows shown at once: more than anybody reads, and a page that is still small. The rest is a resource away.
const ROWS_MAX: usize = 60;

/// Who looks, and at what.
pub(super) struct Asked {
    pub(super) csrf: String,
    /// The viewer's trust.
    pub(super) own: Option<String>,
    /// What the viewer's role may do.
    pub(super) may: May,
    /// Whether everybody's needs are listed.
    pub(super) of_all: bool,
    /// The need whose explanation is opened.
    pub(super) why: String,
    /// Key of the only resource that is listed.
    pub(super) resource: String,
    /// The only cohort that is listed.
    pub(super) cohort: String,
}

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "needs/list.html")]
pub(super) struct List {
    asked: Asked,
    rows: Vec<Row>,
    /// How many there are, shown or not.
    all: usize,
    /// `Open 4`, `Proposed 2`, and so on.
    counts: Vec<(&'static str, usize)>,
    resources: Vec<Choice>,
    reason: Option<Reason>,
    withdraw_reasons: Vec<Choice>,
    /// The listed cohort, where the viewer's trust may change it as one.
    cohort: Option<Cohort>,
}

/// One need.
struct Row {
    id: String,
    what: String,
    /// Whose it is and where.
    site: String,
    case_ref: String,
    priority: &'static str,
    is_urgent: bool,
    needed_by: String,
    is_late: bool,
    state: Tag,
    is_open: bool,
    /// Whether the viewer may be told why it is not served.
    is_explained: bool,
    best: String,
    age: String,
    /// How far from home the patient is and for how long.
    facts: Vec<String>,
    cohort: String,
    /// Whether somebody asks the viewer's trust if it still stands.
    is_asked: bool,
    revision: i64,
    /// The cheapest change that would place something, where nothing fits.
    fix: Option<Fix>,
}

impl List {
    /// Makes the list. `fixes` holds the cheapest change for needs that nothing fits, by their ids.
    pub(super) fn new(
        asked: Asked,
        now: &Now,
        needs: &[Need],
        proposals: &[Proposal],
        reason: Option<Reason>,
        mut fixes: BTreeMap<String, Fix>,
        directory: &Directory,
    ) -> Self {
        let counted = [
            need::State::Open,
            need::State::Proposed,
            need::State::PartAgreed,
            need::State::Agreed,
            need::State::OnHold,
        ];
        let count = |state: need::State| needs.iter().filter(|one| one.state() == state).count();
        let resources: BTreeMap<String, String> = needs
            .iter()
            .filter_map(|one| one.resource.as_ref())
            .map(|one| (resource::key(one), resource::short(one)))
            .collect();
        let is_listed = |need: &&Need| {
            (asked.resource.is_empty()
                || need.resource.as_ref().is_some_and(|one| resource::key(one) == asked.resource))
                && (asked.cohort.is_empty() || need.cohort == asked.cohort)
        };
        let mut sorted: Vec<&Need> = needs.iter().filter(is_listed).collect();
        sorted.sort_by_key(|one| {
            let by = from_wire(one.needed_by.as_ref());
            // Those without a time come last.
            (by.is_none(), by, one.priority, one.id.clone())
        });
        let withdraw = |reason: &fallow_api::v1::DeclineReason| Choice {
            key: reason.as_str_name().to_owned(),
            name: codes::decline(*reason).to_owned(),
        };
        let row = |one: &Need| Row::new(one, &asked, proposals, fixes.remove(&one.id), now, directory);
        Self {
            rows: sorted.iter().take(ROWS_MAX).copied().map(row).collect(),
            all: sorted.len(),
            counts: counted.into_iter().map(|state| (codes::need_state(state).text, count(state))).collect(),
            resources: resources.into_iter().map(|(key, name)| Choice { key, name }).collect(),
            reason,
            cohort: asked
                .may
                .own(asked.own.as_deref())
                .and_then(|own| Cohort::of(&asked.cohort, own, &sorted)),
            withdraw_reasons: codes::HOME_DECLINES.iter().map(withdraw).collect(),
            asked,
        }
    }

    fn beyond(&self) -> Option<String> {
        more_than(self.rows.len(), self.all)
    }

    /// Returns the query that keeps the list as it is.
    fn query(&self) -> String {
        let mut query = String::new();
        for (name, value) in [
            ("of", if self.asked.of_all && self.asked.own.is_some() { "all" } else { "" }),
            ("resource", self.asked.resource.as_str()),
            ("cohort", self.asked.cohort.as_str()),
        ] {
            if !value.is_empty() {
                query.push_str(&format!("{name}={}&", encoded(value)));
            }
        }
        query
    }
}

/// Writes a value as an address has it.
pub(super) fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

impl Row {
    fn new(
        need: &Need,
        asked: &Asked,
        proposals: &[Proposal],
        fix: Option<Fix>,
        now: &Now,
        directory: &Directory,
    ) -> Self {
        let needed_by = from_wire(need.needed_by.as_ref());
        let priority = codes::priority(need.priority()).0;
        let state = need.state();
        let raised = from_wire(need.raised_at.as_ref()).or_else(|| from_wire(need.listed_at.as_ref()));
        let resource = need.resource.clone().unwrap_or_default();
        let minutes = match resource.kind() {
            ResourceKind::Theatre => format!(", {} min each", need.minutes_per_case),
            ResourceKind::Unspecified
            | ResourceKind::Bed
            | ResourceKind::Diagnostic
            | ResourceKind::Staff
            | ResourceKind::Equipment
            | ResourceKind::VirtualWard => String::new(),
        };
        let site = directory.site(&need.site);
        Self {
            id: need.id.clone(),
            what: format!("{}{minutes}", resource::phrase(&resource, need.units)),
            site: if asked.of_all {
                format!("{}, {site}", directory.trust(&need.trust))
            } else {
                site.to_owned()
            },
            case_ref: need.case_ref.clone(),
            priority,
            is_urgent: priority.starts_with("P1"),
            needed_by: needed_by.map_or_else(|| "open-ended".to_owned(), |by| now.clock(by)),
            is_late: needed_by.is_some_and(|by| by < now.at),
            state: codes::need_state(state),
            is_open: matches!(state, need::State::Open | need::State::PartAgreed),
            is_explained: asked.own.as_ref().is_none_or(|own| *own == need.trust),
            best: match from_wire(need.review_at.as_ref()).filter(|_| state == need::State::OnHold) {
                Some(review) => format!("Parked until {}", now.clock(review)),
                None => best(need, proposals, now, directory),
            },
            age: raised.map_or_else(String::new, |at| now.age(at)),
            facts: facts(need, now),
            cohort: need.cohort.clone(),
            is_asked: asked.may.own(asked.own.as_deref()) == Some(need.trust.as_str())
                && need.validation.as_ref().is_some_and(|one| one.asked_at.is_some()),
            revision: need.revision,
            fix,
        }
    }
}

/// Returns how far from home the patient is, and since when.
fn facts(need: &Need, now: &Now) -> Vec<String> {
    let away = from_wire(need.away_since.as_ref()).map(|since| format!("away for {}", now.age(since)));
    need.from_home.map(codes::from_home).into_iter().chain(away).collect()
}

/// Returns the best that can be said of a need: who is asked, how much is placed, or nothing yet.
fn best(need: &Need, proposals: &[Proposal], now: &Now, directory: &Directory) -> String {
    let mut texts = Vec::new();
    if need.units > 1 && need.units_committed > 0 {
        texts.push(format!("{} of {} placed", need.units_committed, need.units));
    }
    // Of those who are asked more than once, the hold that ends first is told: they stand in that order.
    let mut told: Vec<(String, usize, String)> = Vec::new();
    for proposal in proposals.iter().filter(|proposal| proposal.need == need.id) {
        let left = from_wire(proposal.held_until.as_ref()).and_then(|until| now.left(until));
        let left = left.map_or_else(|| "hold over".to_owned(), |left| format!("{left} left"));
        let asked = directory.trust(&proposal.supporting_trust);
        let who = match &proposal.team {
            Some(team) if team.answer.is_some() => {
                format!("{asked} asked, and {} for the team", directory.trust(&team.trust))
            }
            Some(_) | None => format!("{asked} asked"),
        };
        match told.iter_mut().find(|one| one.0 == who) {
            Some(one) => one.1 += 1,
            None => told.push((who, 1, left)),
        }
    }
    texts.extend(told.into_iter().map(|(who, times, left)| match times {
        1 => format!("{who}, {left}"),
        _ => format!("{who} {times} times, first {left}"),
    }));
    if texts.is_empty() {
        match need.state() {
            need::State::Open => "Nothing fits yet".to_owned(),
            need::State::Agreed => "Agreed; see transfers".to_owned(),
            need::State::Unspecified
            | need::State::Proposed
            | need::State::PartAgreed
            | need::State::OnHold
            | need::State::Met
            | need::State::Withdrawn
            | need::State::Expired
            | need::State::Unmet
            | need::State::ResolvedOutside => String::new(),
        }
    } else {
        texts.join("; ")
    }
}

/// Says how many needs stand below what is shown.
fn more_than(shown: usize, all: usize) -> Option<String> {
    let more = i64::try_from(all.saturating_sub(shown)).unwrap_or(i64::MAX);
    (more > 0).then(|| {
        format!("{} below these: choose a resource to see them.", words::count(more, "need is", "needs are"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_is_counted() {
        assert_eq!(more_than(60, 60), None);
        assert_eq!(
            more_than(60, 61).as_deref(),
            Some("1 need is below these: choose a resource to see them.")
        );
    }

    #[test]
    fn an_address_has_nothing_that_it_may_not() {
        assert_eq!(encoded("BED/CC_ADULT/2"), "BED/CC_ADULT/2");
        assert_eq!(encoded("Day cases é\"&"), "Day%20cases%20%C3%A9%22%26");
    }
}
