//! What the tracker shows, worked out from the records.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use fallow_api::v1::{ChecklistItem, DeclineReason, Need, ResourceKind, Transfer, Transport, transfer};

use super::super::frame::rendered;
use super::Shown;
use super::actions::need_at;
use super::timeline::Moment;
use crate::directory::{Desk, Directory};
use crate::words;
use crate::words::codes::{self, Tag};
use crate::words::resource::{self, Choice};
use crate::words::time::{Now, from_wire, span};

/// Who looks.
#[derive(Clone, Copy)]
pub(super) struct Viewing<'a> {
    /// The viewer's trust.
    pub(super) trust: Option<&'a str>,
    /// Whether the viewer's role may move what is of the trust.
    pub(super) may_act: bool,
    /// Whether it may end what its trust needs as resolved outside Fallow.
    pub(super) may_resolve: bool,
}

/// Records around the transfers.
pub(super) struct Known {
    /// By id.
    pub(super) needs: BTreeMap<String, Need>,
    pub(super) opened: Option<Opened>,
    pub(super) directory: Arc<Directory>,
}

/// What is known of the opened transfer.
pub(super) struct Opened {
    pub(super) transfer: Transfer,
    /// What happened to it.
    pub(super) moments: Vec<Moment>,
    /// Who agreed to it, and when.
    pub(super) agreed: Option<String>,
    /// Its need, where the viewer sees it.
    pub(super) need: Option<Need>,
}

/// The opened transfer as it is shown.
struct Panel {
    row: Row,
    moments: Vec<Moment>,
    agreed: Option<String>,
    /// Where its need is shown, where it is the viewer's own.
    need_at: Option<String>,
    /// `None` where it can no longer be called off, or not by the viewer.
    outside: Option<Outside>,
}

/// What the viewer can do about a transfer whose case was solved without it.
enum Outside {
    /// End it and its need, which are our own. `whole` says how many units the need is, where the transfer has fewer.
    /// `reason` is why the transfer is called off, as the form sends it.
    Ours { whole: Option<String>, reason: &'static str },
    /// Ask the home trust, whose need it is.
    Theirs,
}

impl Panel {
    fn new(opened: &Opened, row: Row, viewing: Viewing<'_>) -> Self {
        let Opened { transfer, moments, agreed, need } = opened;
        let is_home = viewing.trust == Some(transfer.home_trust.as_str());
        let whole = need
            .as_ref()
            .filter(|need| need.units > transfer.units)
            .map(|need| resource::phrase(&need.resource.clone().unwrap_or_default(), need.units));
        let is_lent = transfer.resource.as_ref().is_some_and(|one| is_lent(one.kind()));
        let reason = if is_lent { DeclineReason::Other } else { DeclineReason::TreatedElsewhere };
        let outside = match (row.can_abort, is_home) {
            (true, true) if viewing.may_resolve => {
                Some(Outside::Ours { whole, reason: reason.as_str_name() })
            }
            (true, false) => Some(Outside::Theirs),
            (true | false, _) => None,
        };
        Self {
            need_at: is_home.then(|| need_at(&transfer.need)),
            agreed: agreed.clone(),
            moments: moments.clone(),
            outside,
            row,
        }
    }
}

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "transfers/tracker.html")]
pub(super) struct Tracker {
    csrf: String,
    shown: Shown,
    rows: Vec<Row>,
    /// How many of the rows are passed over.
    passed: usize,
    /// The rows of the list for which there is room, as they are written.
    written: Vec<String>,
    /// Where the next page begins, and what the way there says.
    more: Option<(usize, String)>,
    columns: Vec<Column>,
    opened: Option<Panel>,
    aborts: Vec<Choice>,
}

/// A row of the list as it is written.
#[derive(Template)]
#[template(path = "transfers/row.html")]
struct Written<'a> {
    csrf: &'a str,
    shown: &'a Shown,
    row: &'a Row,
    is_open: bool,
}

/// Bytes of all rows of one list at most: with the frame and an opened transfer a page is within the 60 kB of goal C1.
const ROWS_BYTES_MAX: usize = 44_000;

/// Most transfers that the columns show at once, each of which takes less than 900 bytes.
const SLIPS_MAX: usize = 48;

/// The columns, in the order in which a transfer goes through them.
const COLUMNS: [&str; 6] = ["Planned", "Ready", "Moving", "Arrived", "Done", "Aborted"];

/// The transfers of one column.
struct Column {
    name: &'static str,
    /// How many there are, shown or not.
    all: usize,
    /// Indices of those of its rows that are shown.
    rows: Vec<usize>,
}

/// One transfer.
struct Row {
    id: String,
    /// What people call it.
    reference: String,
    /// The home trust's reference of the case; empty where the viewer does not see the need.
    case_ref: String,
    need: String,
    revision: i64,
    what: String,
    supporting: String,
    home: String,
    /// From which site to which.
    way: String,
    state: Tag,
    /// When it was agreed.
    agreed: Option<String>,
    due: Option<String>,
    /// Time until the next step is due.
    left: Option<String>,
    is_overdue: bool,
    checklist: Vec<Item>,
    /// `3 of 4 done`; empty without a checklist.
    done: String,
    is_all_done: bool,
    /// The steps that can follow: the value that the form sends, and what the button says.
    steps: Vec<(&'static str, &'static str)>,
    can_abort: bool,
    /// Whether the viewer may act for one of the trusts.
    is_ours: bool,
    /// Why it was aborted.
    aborted: Option<&'static str>,
    desk: Option<Desk>,
    /// How far from home, since when out of area, how it travels and when it comes back, as far as that is known.
    facts: Vec<String>,
    /// What the forms about the way there and the way back hold; `None` where the viewer has nothing to say about them.
    way_there: Option<WayThere>,
    way_back: Option<WayBack>,
    /// Until when lent staff or a lent item stay, as the control's value, where the viewer may change that.
    stay: Option<String>,
    column: usize,
}

/// What the form about the transport holds.
struct WayThere {
    kind: String,
    provider: String,
    is_booked: bool,
}

/// What the form about the return holds.
struct WayBack {
    /// The value of the control; empty when it is not known.
    due: String,
    note: String,
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
        shown: Shown,
        now: &Now,
        viewing: Viewing<'_>,
        transfers: &[Transfer],
        known: Known,
    ) -> Self {
        let mut sorted: Vec<&Transfer> = transfers.iter().collect();
        // What still moves comes first, and of that what is due first.
        sorted
            .sort_by_key(|one| (column_of(one.state()) >= 4, from_wire(one.due_at.as_ref()), one.id.clone()));
        let row = |one: &Transfer| Row::new(one, viewing, now, &known);
        let rows: Vec<Row> = sorted.into_iter().map(row).collect();
        let passed = if shown.from < rows.len() { shown.from } else { 0 };
        let written = if shown.is_columns() { Vec::new() } else { list(csrf, &shown, &rows[passed..]) };
        let last =
            if shown.is_columns() { rows.len().min(passed + SLIPS_MAX) } else { passed + written.len() };
        let column = |(at, name): (usize, &'static str)| Column {
            name,
            all: rows.iter().filter(|row| row.column == at).count(),
            rows: (passed..last).filter(|row| rows[*row].column == at).collect(),
        };
        let abort = |reason: &fallow_api::v1::DeclineReason| Choice {
            key: reason.as_str_name().to_owned(),
            name: codes::decline(*reason).to_owned(),
        };
        Self {
            csrf: csrf.to_owned(),
            shown,
            columns: COLUMNS.into_iter().enumerate().map(column).collect(),
            opened: known.opened.as_ref().map(|one| Panel::new(one, row(&one.transfer), viewing)),
            passed,
            written,
            more: more(last, rows.len()),
            rows,
            aborts: codes::ABORTS.iter().map(abort).collect(),
        }
    }

    /// Returns the transfers of a column.
    fn of(&self, column: &Column) -> Vec<&Row> {
        column.rows.iter().filter_map(|at| self.rows.get(*at)).collect()
    }
}

/// Writes the first rows, as many as there is room for, and one in any case.
fn list(csrf: &str, shown: &Shown, rows: &[Row]) -> Vec<String> {
    let mut left = ROWS_BYTES_MAX;
    let mut written: Vec<String> = Vec::new();
    for row in rows {
        let one = rendered(&Written { csrf, shown, row, is_open: false });
        match left.checked_sub(one.len()) {
            Some(rest) => left = rest,
            None if written.is_empty() => left = 0,
            None => break,
        }
        written.push(one);
    }
    written
}

/// Says where the next page begins, where there is more than is shown.
fn more(last: usize, all: usize) -> Option<(usize, String)> {
    let rest = i64::try_from(all.saturating_sub(last)).unwrap_or(i64::MAX);
    (rest > 0).then(|| (last, format!("Show {} more", words::count(rest, "transfer", "transfers"))))
}

/// Returns the column in which a transfer of a state stands.
fn column_of(state: transfer::State) -> usize {
    use transfer::State;
    match state {
        State::Unspecified | State::Planned => 0,
        State::Ready => 1,
        State::InTransit | State::Repatriating => 2,
        State::Arrived | State::Deployed | State::Extended | State::RepatriationDue => 3,
        State::Completed | State::Repatriated | State::Returned => 4,
        State::Aborted => 5,
    }
}

impl Row {
    fn new(transfer: &Transfer, viewing: Viewing<'_>, now: &Now, known: &Known) -> Self {
        let Viewing { trust, may_act, .. } = viewing;
        let directory = &known.directory;
        let due = from_wire(transfer.due_at.as_ref());
        let state = transfer.state();
        let lender = transfer.team.as_ref().map(|team| &team.trust);
        let acting = trust.filter(|_| may_act);
        let is_ours = acting.is_some_and(|trust| {
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
        let is_lent = is_lent(resource.kind());
        let sides = Sides {
            home: acting == Some(transfer.home_trust.as_str()),
            supporting: acting == Some(transfer.supporting_trust.as_str()),
        };
        let returns = transfer.return_plan.is_some();
        let column = column_of(state);
        let due = due.filter(|_| column < 4);
        let checked = transfer.checklist.iter().filter(|item| item.done_at.is_some()).count();
        let items = transfer.checklist.len();
        Self {
            id: transfer.id.clone(),
            reference: words::reference(&transfer.id),
            case_ref: known.needs.get(&transfer.need).map_or_else(String::new, |need| need.case_ref.clone()),
            need: transfer.need.clone(),
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
            agreed: from_wire(transfer.agreed_at.as_ref()).map(|at| now.clock(at)),
            due: due.map(|due| now.clock(due)),
            left: due.and_then(|due| now.left(due)),
            is_overdue: due.is_some_and(|due| due < now.at) && can_abort(state),
            way: format!("{} to {}", directory.site(&transfer.from_site), directory.site(&transfer.to_site)),
            checklist: transfer.checklist.iter().map(|item| Item::new(item, now)).collect(),
            done: if items == 0 { String::new() } else { format!("{checked} of {items} done") },
            is_all_done: checked == items,
            steps: steps(state, is_lent, sides, returns).into_iter().collect(),
            can_abort: is_ours && can_abort(state),
            is_ours: is_ours && column < 4,
            aborted: (state == transfer::State::Aborted).then(|| codes::decline(transfer.abort_reason())),
            desk: directory.desk_of(other),
            facts: facts(transfer, now, directory),
            way_there: (is_ours && can_abort(state)).then(|| WayThere::of(transfer)),
            way_back: (is_ours && !is_lent && comes_back(state)).then(|| WayBack::of(transfer, now)),
            stay: ((sides.home || sides.supporting) && is_at_work(state))
                .then(|| WayBack::of(transfer, now).due),
            column,
        }
    }

    /// Returns what buttons and links say that this is: `LC-118, transfer 5F2A9C`.
    fn called(&self) -> String {
        if self.case_ref.is_empty() {
            format!("transfer {}", self.reference)
        } else {
            format!("{}, transfer {}", self.case_ref, self.reference)
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

impl WayThere {
    fn of(transfer: &Transfer) -> Self {
        let Transport { kind, provider, booked } = transfer.transport.clone().unwrap_or_default();
        Self { kind, provider, is_booked: booked }
    }
}

impl WayBack {
    fn of(transfer: &Transfer, now: &Now) -> Self {
        let plan = transfer.return_plan.clone().unwrap_or_default();
        let due = from_wire(plan.due_at.as_ref()).map(|due| now.control(due));
        Self { due: due.unwrap_or_default(), note: plan.note }
    }
}

/// Says what is known of the way there, of the stay and of the way back.
fn facts(transfer: &Transfer, now: &Now, directory: &Directory) -> Vec<String> {
    let mut facts: Vec<String> = transfer.from_home.map(codes::from_home).into_iter().collect();
    if let Some(since) = from_wire(transfer.away_since.as_ref()) {
        facts.push(match from_wire(transfer.away_until.as_ref()) {
            Some(until) => format!("was out of area for {}", span(until.duration_since(since))),
            None => format!("out of area for {}", now.age(since)),
        });
    }
    if let Some(by) = &transfer.transport {
        let said = [
            by.kind.as_str(),
            directory.trust(&by.provider),
            if by.booked { "booked" } else { "not booked yet" },
        ];
        let said: Vec<&str> = said.into_iter().filter(|one| !one.is_empty()).collect();
        facts.push(format!("transport: {}", said.join(", ")));
    }
    if let Some(plan) = &transfer.return_plan {
        let due = from_wire(plan.due_at.as_ref());
        let is_lent = transfer.resource.as_ref().is_some_and(|resource| is_lent(resource.kind()));
        let is_away = comes_back(transfer.state()) || is_at_work(transfer.state());
        let is_late = is_away && due.is_some_and(|due| due < now.at);
        let due = due.map_or_else(|| "not known when".to_owned(), |due| now.clock(due));
        let late = if is_late { ", late" } else { "" };
        let note = if plan.note.is_empty() { String::new() } else { format!(": {}", plan.note) };
        let whither = if is_lent { "back at the lender\u{2019}s" } else { "back home" };
        facts.push(format!("{whither} {due}{late}{note}"));
    }
    facts
}

/// Says whether a return can still be planned.
fn comes_back(state: transfer::State) -> bool {
    match state {
        transfer::State::Planned
        | transfer::State::Ready
        | transfer::State::InTransit
        | transfer::State::Arrived
        | transfer::State::Completed
        | transfer::State::RepatriationDue
        | transfer::State::Repatriating => true,
        transfer::State::Unspecified
        | transfer::State::Repatriated
        | transfer::State::Aborted
        | transfer::State::Deployed
        | transfer::State::Extended
        | transfer::State::Returned => false,
    }
}

/// Says whether what moves is lent and comes back: staff and items, not patients.
fn is_lent(kind: ResourceKind) -> bool {
    matches!(kind, ResourceKind::Staff | ResourceKind::Equipment)
}

/// Says whether lent staff or a lent item are at work, so that their stay can be made longer or shorter.
fn is_at_work(state: transfer::State) -> bool {
    matches!(state, transfer::State::Deployed | transfer::State::Extended)
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
    fn every_state_has_a_column_and_what_ended_stands_last() {
        use transfer::State;
        let columns = [State::Planned, State::Ready, State::InTransit, State::Arrived, State::Completed];
        assert_eq!(columns.map(column_of), [0, 1, 2, 3, 4]);
        assert_eq!(COLUMNS[column_of(State::Aborted)], "Aborted");
        assert_eq!(COLUMNS[column_of(State::Repatriating)], "Moving");
    }

    #[test]
    fn names_begin_with_a_capital() {
        assert_eq!(sentence_case("clinical handover"), "Clinical handover");
        assert_eq!(sentence_case(""), "");
    }
}
