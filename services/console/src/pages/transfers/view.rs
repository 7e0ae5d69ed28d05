//! What the tracker shows, worked out from the records.

use askama::Template;
use fallow_api::v1::{ChecklistItem, ResourceKind, Transfer, transfer};

use crate::directory::{Desk, Directory};
use crate::words::codes::{self, Tag};
use crate::words::resource::{self, Choice};
use crate::words::time::{Now, from_wire};

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "transfers/tracker.html")]
pub(super) struct Tracker {
    csrf: String,
    rows: Vec<Row>,
    /// How many there are in each state that there is one in.
    counts: Vec<(&'static str, usize)>,
    aborts: Vec<Choice>,
}

/// One transfer.
struct Row {
    id: String,
    revision: i64,
    what: String,
    supporting: String,
    home: String,
    /// From which site to which.
    way: String,
    state: Tag,
    due: Option<String>,
    is_overdue: bool,
    checklist: Vec<Item>,
    /// The steps that can follow: the value that the form sends, and what the button says.
    steps: Vec<(&'static str, &'static str)>,
    can_abort: bool,
    /// Whether the viewer is of one of the two trusts.
    is_ours: bool,
    desk: Option<Desk>,
}

/// One thing to do before a transfer can go on.
struct Item {
    /// What the form sends.
    name: String,
    text: String,
    /// When it was done and by whom; `None` = not yet.
    done: Option<String>,
}

impl Tracker {
    pub(super) fn new(
        csrf: &str,
        now: &Now,
        trust: Option<&str>,
        transfers: &[Transfer],
        directory: &Directory,
    ) -> Self {
        let mut sorted: Vec<&Transfer> = transfers.iter().collect();
        sorted.sort_by_key(|one| (from_wire(one.due_at.as_ref()), one.id.clone()));
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        let mut states: Vec<transfer::State> = transfers.iter().map(Transfer::state).collect();
        states.sort_unstable_by_key(|state| *state as i32);
        for state in states {
            let name = codes::transfer_state(state).text;
            match counts.last_mut() {
                Some((last, count)) if *last == name => *count += 1,
                Some(_) | None => counts.push((name, 1)),
            }
        }
        let abort = |reason: &fallow_api::v1::DeclineReason| Choice {
            key: reason.as_str_name().to_owned(),
            name: codes::decline(*reason).to_owned(),
        };
        Self {
            csrf: csrf.to_owned(),
            rows: sorted.into_iter().map(|one| Row::new(one, trust, now, directory)).collect(),
            counts,
            aborts: codes::ABORTS.iter().map(abort).collect(),
        }
    }
}

impl Row {
    fn new(transfer: &Transfer, trust: Option<&str>, now: &Now, directory: &Directory) -> Self {
        let due = from_wire(transfer.due_at.as_ref());
        let state = transfer.state();
        let lender = transfer.team.as_ref().map(|team| &team.trust);
        let is_ours = trust.is_some_and(|trust| {
            trust == transfer.home_trust
                || trust == transfer.supporting_trust
                || lender.is_some_and(|lender| trust == lender)
        });
        let other = if trust == Some(transfer.home_trust.as_str()) {
            &transfer.supporting_trust
        } else {
            &transfer.home_trust
        };
        let resource = transfer.resource.clone().unwrap_or_default();
        let is_lent = matches!(resource.kind(), ResourceKind::Staff | ResourceKind::Equipment);
        let sides = Sides {
            home: trust == Some(transfer.home_trust.as_str()),
            supporting: trust == Some(transfer.supporting_trust.as_str()),
        };
        let returns = transfer.return_plan.is_some();
        Self {
            id: transfer.id.clone(),
            revision: transfer.revision,
            what: match lender {
                Some(lender) => {
                    let team = directory.trust(lender);
                    format!("{} with a team from {team}", resource::phrase(&resource, transfer.units))
                }
                None => resource::phrase(&resource, transfer.units),
            },
            supporting: directory.trust(&transfer.supporting_trust).to_owned(),
            home: directory.trust(&transfer.home_trust).to_owned(),
            state: codes::transfer_state(state),
            due: due.map(|due| now.clock(due)),
            is_overdue: due.is_some_and(|due| due < now.at) && can_abort(state),
            way: format!("{} to {}", directory.site(&transfer.from_site), directory.site(&transfer.to_site)),
            checklist: transfer.checklist.iter().map(|item| Item::new(item, now)).collect(),
            steps: steps(state, is_lent, sides, returns).into_iter().collect(),
            can_abort: is_ours && can_abort(state),
            is_ours,
            desk: directory.desk_of(other),
        }
    }
}

impl Item {
    fn new(item: &ChecklistItem, now: &Now) -> Self {
        let by =
            if item.done_by.is_empty() { String::new() } else { format!(", {}", codes::role(&item.done_by)) };
        let done = from_wire(item.done_at.as_ref()).map(|at| format!("Done {}{by}", now.time_of_day(at)));
        Self { name: item.name.clone(), text: sentence_case(&item.name), done }
    }
}

/// Begins a text with a capital.
fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Says whether a transfer has not arrived yet, so that it can still be stopped.
fn can_abort(state: transfer::State) -> bool {
    match state {
        transfer::State::Planned | transfer::State::Ready | transfer::State::InTransit => true,
        transfer::State::Unspecified
        | transfer::State::Arrived
        | transfer::State::Completed
        | transfer::State::RepatriationDue
        | transfer::State::Repatriating
        | transfer::State::Repatriated
        | transfer::State::Aborted
        | transfer::State::Deployed
        | transfer::State::Extended
        | transfer::State::Returned => false,
    }
}

/// On which sides of a transfer the viewer is.
#[derive(Debug, Clone, Copy)]
struct Sides {
    home: bool,
    supporting: bool,
}

/// Returns the step that the viewer's side can take next, as the form sends it and as the button says it. Whether it is
/// allowed at the moment is for the service to say. Patients arrive at the supporting trust, staff and items at the home
/// trust, and each arrival is said by the side that sees it.
fn steps(
    state: transfer::State,
    is_lent: bool,
    sides: Sides,
    returns: bool,
) -> Option<(&'static str, &'static str)> {
    use transfer::State;
    let Sides { home, supporting } = sides;
    let (next, text, may) = match state {
        State::Planned => (State::Ready, "Everything is ready", home || supporting),
        State::Ready => (State::InTransit, "Mark moving", home || supporting),
        State::InTransit => (State::Arrived, "Mark arrived", if is_lent { home } else { supporting }),
        State::Arrived if is_lent => (State::Deployed, "Mark at work", home),
        State::Arrived => (State::Completed, "Complete", supporting),
        State::Deployed | State::Extended => (State::Returned, "Mark returned", supporting),
        State::Completed => (State::RepatriationDue, "Return is due", supporting && returns),
        State::RepatriationDue => (State::Repatriating, "Mark returning", supporting),
        State::Repatriating => (State::Repatriated, "Mark back home", home),
        State::Unspecified | State::Repatriated | State::Aborted | State::Returned => return None,
    };
    may.then(|| (next.as_str_name(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Sides = Sides { home: true, supporting: false };
    const SUPPORTING: Sides = Sides { home: false, supporting: true };
    const GOLD: Sides = Sides { home: false, supporting: false };

    #[test]
    fn only_the_side_that_sees_it_is_offered_the_arrival() {
        let moving = transfer::State::InTransit;
        assert_eq!(steps(moving, false, SUPPORTING, false), Some(("STATE_ARRIVED", "Mark arrived")));
        assert_eq!(steps(moving, false, HOME, false), None);
        assert_eq!(steps(moving, true, HOME, false), Some(("STATE_ARRIVED", "Mark arrived")));
        assert_eq!(steps(transfer::State::Planned, false, GOLD, false), None);
    }

    #[test]
    fn a_return_follows_only_where_one_is_planned() {
        assert_eq!(steps(transfer::State::Completed, false, SUPPORTING, false), None);
        let due = steps(transfer::State::Completed, false, SUPPORTING, true);
        assert_eq!(due, Some(("STATE_REPATRIATION_DUE", "Return is due")));
    }

    #[test]
    fn names_begin_with_a_capital() {
        assert_eq!(sentence_case("clinical handover"), "Clinical handover");
        assert_eq!(sentence_case(""), "");
    }
}
