//! What the list of needs shows, worked out from the records.

use askama::Template;
use fallow_api::render;
use fallow_api::v1::unserved_explanation::change::Change;
use fallow_api::v1::{
    Need, Priority, Proposal, ResourceKind, UnservedExplanation, explanation, need, unserved_explanation,
};

use crate::directory::Directory;
use crate::words;
use crate::words::codes::{self, Tag};
use crate::words::resource::{self, Choice};
use crate::words::time::{Now, from_wire};

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "needs/list.html")]
pub(super) struct List {
    csrf: String,
    rows: Vec<Row>,
    /// `Open 4`, `Proposed 2`, and so on.
    counts: Vec<(&'static str, usize)>,
    /// The need whose explanation is opened.
    why: String,
    reason: Option<Reason>,
    withdraw_reasons: Vec<Choice>,
}

/// One need.
struct Row {
    id: String,
    what: String,
    site: String,
    case_ref: String,
    priority: &'static str,
    is_urgent: bool,
    needed_by: String,
    is_late: bool,
    state: Tag,
    is_open: bool,
    best: String,
    age: String,
}

/// Why a need, or some of its units, is not served, and what would help.
pub(super) struct Reason {
    need: String,
    revision: i64,
    name: String,
    headline: String,
    counts: Vec<String>,
    taken: Option<String>,
    relaxations: Vec<Relaxation>,
    deadline: Option<String>,
}

/// One change that would place something.
struct Relaxation {
    text: String,
    places: String,
    button: Button,
}

/// What can be done about it from here.
#[derive(Debug, PartialEq, Eq)]
enum Button {
    /// Let the need travel so many minutes.
    Widen(i64),
    /// Ask a trust whether its figures are still true.
    Ask(String),
    /// Nothing: another trust must act.
    None,
}

impl List {
    pub(super) fn new(
        csrf: &str,
        now: &Now,
        why: &str,
        needs: &[Need],
        proposals: &[Proposal],
        reason: Option<Reason>,
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
        let mut sorted: Vec<&Need> = needs.iter().collect();
        sorted.sort_by_key(|one| {
            let by = from_wire(one.needed_by.as_ref());
            // Those without a time come last.
            (by.is_none(), by, one.priority, one.id.clone())
        });
        let withdraw = |reason: &fallow_api::v1::DeclineReason| Choice {
            key: reason.as_str_name().to_owned(),
            name: codes::decline(*reason).to_owned(),
        };
        Self {
            csrf: csrf.to_owned(),
            rows: sorted.into_iter().map(|one| Row::new(one, proposals, now, directory)).collect(),
            counts: counted.into_iter().map(|state| (codes::need_state(state).text, count(state))).collect(),
            why: why.to_owned(),
            reason,
            withdraw_reasons: codes::HOME_DECLINES.iter().map(withdraw).collect(),
        }
    }
}

impl Row {
    fn new(need: &Need, proposals: &[Proposal], now: &Now, directory: &Directory) -> Self {
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
        Self {
            id: need.id.clone(),
            what: format!("{}{minutes}", resource::phrase(&resource, need.units)),
            site: directory.site(&need.site).to_owned(),
            case_ref: need.case_ref.clone(),
            priority,
            is_urgent: priority.starts_with("P1"),
            needed_by: needed_by.map_or_else(|| "open-ended".to_owned(), |by| now.clock(by)),
            is_late: needed_by.is_some_and(|by| by < now.at),
            state: codes::need_state(state),
            is_open: matches!(state, need::State::Open | need::State::PartAgreed),
            best: best(need, proposals, now, directory),
            age: raised.map_or_else(String::new, |at| now.age(at)),
        }
    }
}

/// Returns the best that can be said of a need: who is asked, how much is placed, or nothing yet.
fn best(need: &Need, proposals: &[Proposal], now: &Now, directory: &Directory) -> String {
    let mut texts = Vec::new();
    if need.units > 1 && need.units_committed > 0 {
        texts.push(format!("{} of {} placed", need.units_committed, need.units));
    }
    for proposal in proposals.iter().filter(|proposal| proposal.need == need.id) {
        let left = from_wire(proposal.held_until.as_ref()).and_then(|until| now.left(until));
        let left = left.map_or_else(|| "hold over".to_owned(), |left| format!("{left} left"));
        let asked = directory.trust(&proposal.supporting_trust);
        texts.push(match &proposal.team {
            Some(team) if team.answer.is_some() => {
                format!("{asked} asked, and {} for the team, {left}", directory.trust(&team.trust))
            }
            Some(_) | None => format!("{asked} asked, {left}"),
        });
    }
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

impl Reason {
    pub(super) fn new(need: &Need, unserved: &UnservedExplanation, now: &Now) -> Self {
        let resource = need.resource.clone().unwrap_or_default();
        let case_ref = if need.case_ref.is_empty() { String::new() } else { format!("{}: ", need.case_ref) };
        let headline = match (unserved.unserved, unserved.offers) {
            (0, _) => "Every unit of this need has a proposal or is agreed.".to_owned(),
            (_, 0) => "Nobody offers this at the moment.".to_owned(),
            (units, offers) => format!(
                "{} without a proposal. {} looked at.",
                words::count(units, "unit", "units"),
                words::count(offers, "offer was", "offers were")
            ),
        };
        let mut taken: Vec<String> = unserved
            .taken_by
            .iter()
            .map(|band| {
                codes::priority(Priority::try_from(*band).unwrap_or(Priority::Unspecified)).0.to_owned()
            })
            .collect();
        taken.dedup();
        let needed_by = from_wire(need.needed_by.as_ref());
        Self {
            need: need.id.clone(),
            revision: need.revision,
            name: format!("{case_ref}{}", resource::phrase(&resource, need.units)),
            headline,
            counts: unserved.counts.iter().map(not_used).collect(),
            taken: (!taken.is_empty())
                .then(|| format!("What it could have used went to needs of band {}.", taken.join(", "))),
            relaxations: unserved.relaxations.iter().map(Relaxation::new).collect(),
            deadline: needed_by
                .filter(|by| unserved.unserved > 0 && *by > now.at)
                .map(|by| format!("If nothing changes this is unmet {}.", now.clock(by))),
        }
    }
}

impl Relaxation {
    fn new(relaxation: &unserved_explanation::Relaxation) -> Self {
        let places = words::count(relaxation.places, "unit", "units");
        let change = relaxation.change.as_ref().and_then(|change| change.change.as_ref());
        Self {
            text: sentence(&relaxation.text),
            places: format!("would place {places} more"),
            button: change.map_or(Button::None, Button::of),
        }
    }

    /// Returns the minutes of a wider travel limit.
    fn widen(&self) -> Option<i64> {
        match self.button {
            Button::Widen(minutes) => Some(minutes),
            Button::Ask(_) | Button::None => None,
        }
    }

    /// Returns the trust to be asked.
    fn ask(&self) -> Option<&str> {
        match &self.button {
            Button::Ask(trust) => Some(trust),
            Button::Widen(_) | Button::None => None,
        }
    }
}

impl Button {
    /// Returns what the home trust can do towards a change.
    fn of(change: &Change) -> Self {
        match change {
            Change::TravelLimit(limit) => Self::Widen(limit.minutes),
            Change::Confirm(confirm) => Self::Ask(confirm.trust.clone()),
            Change::MoreUnits(_) | Change::LowerReserve(_) | Change::LaterBy(_) | Change::FindTeam(_) => {
                Self::None
            }
        }
    }
}

/// Writes how many offers one reason ruled out: `3 too far, such as Calverleigh, 52 min`.
fn not_used(counted: &explanation::NotUsed) -> String {
    let why = render::objection(counted.reason());
    if counted.example.is_empty() {
        format!("{} {why}", counted.count)
    } else {
        format!("{} {why}, such as {}", counted.count, counted.example)
    }
}

/// Begins a text with a capital.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_api::v1::unserved_explanation::change;

    #[test]
    fn changes_become_buttons_where_the_home_trust_can_act() {
        assert_eq!(Button::of(&Change::TravelLimit(change::TravelLimit { minutes: 60 })), Button::Widen(60));
        let confirm = change::Confirm { offer: "o-1".to_owned(), trust: "ZA5".to_owned() };
        assert_eq!(Button::of(&Change::Confirm(confirm)), Button::Ask("ZA5".to_owned()));
        let team = change::FindTeam { offer: "o-1".to_owned(), trust: "ZA5".to_owned() };
        assert_eq!(Button::of(&Change::FindTeam(team)), Button::None);
    }

    #[test]
    fn a_reason_counts_what_was_looked_at() {
        let now = Now {
            at: "2026-11-24T14:32:00Z".parse().unwrap(),
            zone: jiff::tz::TimeZone::get("Europe/London").unwrap(),
        };
        let need = Need {
            case_ref: "LC-120".to_owned(),
            units: 2,
            resource: resource::from_key("BED/GA_ADULT"),
            ..Need::default()
        };
        let headline = |unserved, offers| {
            Reason::new(
                &need,
                &UnservedExplanation { unserved, offers, ..UnservedExplanation::default() },
                &now,
            )
            .headline
        };
        assert_eq!(headline(2, 14), "2 units without a proposal. 14 offers were looked at.");
        assert_eq!(headline(1, 0), "Nobody offers this at the moment.");
        assert_eq!(headline(0, 5), "Every unit of this need has a proposal or is agreed.");
    }
}
