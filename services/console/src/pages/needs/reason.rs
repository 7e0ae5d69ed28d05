//! Why a need is not served, and what would help: each change as a button where the viewer can make it.

use fallow_api::render;
use fallow_api::v1::unserved_explanation::change::Change;
use fallow_api::v1::{ListAlertsResponse, Need, UnservedExplanation, need};
use jiff::SignedDuration;

use super::gold;
use super::standing::Standing;
use crate::app::Visit;
use crate::directory::{Desk, Directory};
use crate::words;
use crate::words::resource;
use crate::words::time::{self, Now, from_wire};

/// Why a need, or some of its units, is not served, and what would help.
pub(super) struct Reason {
    pub(super) need: String,
    pub(super) revision: i64,
    pub(super) name: String,
    pub(super) headline: String,
    /// Whether why it is not served is the viewer's to see.
    pub(super) is_explained: bool,
    pub(super) rows: Vec<Row>,
    /// What would help and lifts none of the reasons above.
    pub(super) more: Vec<Fix>,
    pub(super) notes: Vec<render::Line>,
    /// What comes if nothing changes.
    pub(super) deadline: Option<String>,
    /// Whether the viewer may change it.
    pub(super) can_change: bool,
    /// Whether the viewer may ask its trust whether it still stands.
    pub(super) can_ask: bool,
    /// Whether what it asks can be changed, as it stands.
    pub(super) can_amend: bool,
    /// The travel limit in minutes; empty where there is none.
    pub(super) travel: String,
    /// By when it is needed: the value of the control, empty for one that is open-ended.
    pub(super) needed_by: String,
    /// Whether it can be parked, as it stands.
    pub(super) can_park: bool,
    /// Until when it is parked.
    pub(super) parked: Option<String>,
    /// When it is looked at again unless another time is chosen: the value of the control.
    pub(super) review: String,
    pub(super) standing: Standing,
}

/// What a viewer's role may do about needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct May {
    /// Change those of the viewer's trust.
    pub(super) change: bool,
    /// Ask other trusts whether their figures are true and their needs still stand.
    pub(super) ask: bool,
}

impl May {
    pub(super) fn of(visit: &Visit) -> Self {
        let rights = visit.rights();
        let ask = rights.may("/needs/ask") && rights.may("/needs/ask-stands");
        Self { change: rights.may("/needs/withdraw"), ask }
    }

    /// Returns the trust whose needs may be changed.
    pub(super) fn own(self, trust: Option<&str>) -> Option<&str> {
        trust.filter(|_| self.change)
    }
}

/// Offers that one reason rules out.
pub(super) struct Row {
    /// `6 too far, such as Calverleigh, 52 min`.
    pub(super) text: String,
    pub(super) fixes: Vec<Fix>,
}

/// One change that would place something.
#[derive(Debug, Clone)]
pub(super) struct Fix {
    pub(super) text: String,
    /// `would place 2 units more`.
    pub(super) places: String,
    pub(super) button: Button,
}

/// What the viewer can do about it from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Button {
    /// Let the need travel so many minutes.
    Widen(i64),
    /// Let the need be met by a later time: the value of the form, and what the button says.
    Later(String, String),
    /// Ask a trust whether its figures are still true: its code and name.
    Ask(String, String),
    /// It is for another trust: ring its desk.
    Ring(Desk),
    /// It is for the viewer's own trust, on the capacity page.
    Own,
    /// Nothing from here.
    None,
}

impl Reason {
    /// Explains a need to a viewer of trust `own`; without an explanation, where that is not theirs to see. `alerts` are those
    /// of its trust, empty where nobody asks when gold is told.
    pub(super) fn new(
        need: &Need,
        (own, may): (Option<&str>, May),
        explained: Option<&UnservedExplanation>,
        alerts: &ListAlertsResponse,
        now: &Now,
        directory: &Directory,
    ) -> Self {
        let nothing = UnservedExplanation::default();
        let unserved = explained.unwrap_or(&nothing);
        let what = need.resource.clone().unwrap_or_default();
        let case_ref = if need.case_ref.is_empty() { String::new() } else { format!("{}: ", need.case_ref) };
        let said = render::unserved(need, unserved, &now.zone);
        let is_ours = own == Some(need.trust.as_str());
        let can_change = is_ours && may.change;
        let is_parked = need.state() == need::State::OnHold;
        let fix = |one: &render::Fix| Fix::new(one, own, (can_change, may.ask), now, directory);
        let row = |one: &render::UnservedRow| {
            let such_as =
                if one.example.is_empty() { String::new() } else { format!(", such as {}", one.example) };
            Row {
                text: format!("{} {}{such_as}", one.count, one.words),
                fixes: one.fixes.iter().map(fix).collect(),
            }
        };
        Self {
            need: need.id.clone(),
            revision: need.revision,
            name: format!("{case_ref}{}", resource::phrase(&what, need.units)),
            headline: match explained {
                None => "Why it is not served yet is for its own trust to see.".to_owned(),
                Some(_) if is_parked => "It is parked: nothing is looked for.".to_owned(),
                Some(unserved) => headline(unserved),
            },
            is_explained: explained.is_some(),
            rows: said.rows.iter().map(row).collect(),
            more: said.more.iter().map(fix).collect(),
            notes: said.notes,
            deadline: gold::said(need, unserved, alerts, now, directory),
            can_change,
            can_ask: !is_ours && may.ask,
            can_amend: can_change && is_live(need.state()),
            travel: Some(need.max_travel_minutes)
                .filter(|limit| *limit > 0)
                .map_or_else(String::new, |limit| limit.to_string()),
            needed_by: from_wire(need.needed_by.as_ref()).map_or_else(String::new, |by| now.control(by)),
            can_park: can_change && is_live(need.state()),
            parked: from_wire(need.review_at.as_ref()).filter(|_| is_parked).map(|at| now.clock(at)),
            review: now.control(now.next_hour_of_day(8, SignedDuration::from_hours(1))),
            standing: Standing::of(need, now, directory),
        }
    }

    /// Returns the cheapest change that the viewer can begin from here.
    pub(super) fn cheapest(self) -> Option<Fix> {
        let mut fixes = self.rows.into_iter().flat_map(|row| row.fixes).chain(self.more);
        fixes.find(|fix| fix.button != Button::None)
    }
}

/// Says whether a need of a state is still looked for, in whole or in part, or put aside: it can be changed and put aside, and
/// of one that is put aside the time can be changed.
fn is_live(state: need::State) -> bool {
    match state {
        need::State::Open | need::State::Proposed | need::State::PartAgreed | need::State::OnHold => true,
        need::State::Unspecified
        | need::State::Agreed
        | need::State::Met
        | need::State::Withdrawn
        | need::State::Expired
        | need::State::Unmet
        | need::State::ResolvedOutside => false,
    }
}

fn headline(unserved: &UnservedExplanation) -> String {
    match (unserved.unserved, unserved.offers) {
        (0, _) => "Every unit of this need has a proposal or is agreed.".to_owned(),
        (_, 0) => "Nobody offers this at the moment.".to_owned(),
        (units, offers) => format!(
            "{} without a proposal. {} looked at.",
            words::count(units, "unit", "units"),
            words::count(offers, "offer was", "offers were")
        ),
    }
}

impl Fix {
    fn new(
        fix: &render::Fix,
        own: Option<&str>,
        may: (bool, bool),
        now: &Now,
        directory: &Directory,
    ) -> Self {
        let button =
            fix.change.as_ref().map_or(Button::None, |change| Button::of(change, own, may, now, directory));
        let mut letters = fix.text.chars();
        let text =
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
        let places = format!("would place {} more", words::count(fix.places, "unit", "units"));
        Self { text, places, button }
    }

    /// Returns the minutes of a wider travel limit.
    pub(super) fn widen(&self) -> Option<i64> {
        match self.button {
            Button::Widen(minutes) => Some(minutes),
            Button::Later(..) | Button::Ask(..) | Button::Ring(_) | Button::Own | Button::None => None,
        }
    }

    /// Returns the later time, for the form and for people.
    pub(super) fn later(&self) -> Option<(&str, &str)> {
        match &self.button {
            Button::Later(value, text) => Some((value, text)),
            Button::Widen(_) | Button::Ask(..) | Button::Ring(_) | Button::Own | Button::None => None,
        }
    }

    /// Returns the trust to be asked: code and name.
    pub(super) fn ask(&self) -> Option<(&str, &str)> {
        match &self.button {
            Button::Ask(code, name) => Some((code, name)),
            Button::Widen(_) | Button::Later(..) | Button::Ring(_) | Button::Own | Button::None => None,
        }
    }

    /// Returns the desk to ring.
    pub(super) fn ring(&self) -> Option<&Desk> {
        match &self.button {
            Button::Ring(desk) => Some(desk),
            Button::Widen(_) | Button::Later(..) | Button::Ask(..) | Button::Own | Button::None => None,
        }
    }

    /// Says whether it is done on the capacity page.
    pub(super) fn is_own(&self) -> bool {
        self.button == Button::Own
    }
}

impl Button {
    /// Returns what a viewer of trust `own` can do towards a change, who may change the need or not, and ask others or not.
    fn of(
        change: &Change,
        own: Option<&str>,
        (may_change, may_ask): (bool, bool),
        now: &Now,
        directory: &Directory,
    ) -> Self {
        let others = |trust: &str| match directory.desk_of(trust) {
            _ if own == Some(trust) => Self::Own,
            Some(desk) => Self::Ring(desk),
            None => Self::None,
        };
        match change {
            Change::TravelLimit(limit) if may_change => Self::Widen(limit.minutes),
            Change::LaterBy(later) if may_change => match from_wire(later.needed_by.as_ref()) {
                Some(at) => Self::Later(now.control(at), now.clock(at)),
                None => Self::None,
            },
            Change::TravelLimit(_) | Change::LaterBy(_) => Self::None,
            Change::Confirm(confirm) if own == Some(confirm.trust.as_str()) => Self::Own,
            Change::Confirm(confirm) if !may_ask => others(&confirm.trust),
            Change::Confirm(confirm) => {
                Self::Ask(confirm.trust.clone(), directory.trust(&confirm.trust).to_owned())
            }
            Change::MoreUnits(more) => others(&more.trust),
            Change::LowerReserve(lower) => others(&lower.trust),
            Change::FindTeam(find) => others(&find.trust),
        }
    }
}

/// Reads the later time that a button sent.
pub(super) fn later_of(text: &str, now: &Now) -> Option<prost_types::Timestamp> {
    now.read_control(text).map(time::to_wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_api::v1::unserved_explanation::change;
    use fallow_api::v1::{Region, Site, Trust};

    fn now() -> Now {
        Now {
            at: "2026-11-24T14:32:00Z".parse().unwrap(),
            zone: jiff::tz::TimeZone::get("Europe/London").unwrap(),
        }
    }

    fn vale() -> Directory {
        Directory::new(Region {
            trusts: vec![Trust { ods: "ZA5".to_owned(), name: "Eastholme".to_owned(), ..Trust::default() }],
            sites: vec![Site {
                code: "ZA501".to_owned(),
                trust: "ZA5".to_owned(),
                name: "Eastholme Infirmary".to_owned(),
                phone: "0555 0105".to_owned(),
                ..Site::default()
            }],
            ..Region::default()
        })
    }

    fn check(change: &Change, own: Option<&str>, expected: &Button) {
        let may = (own == Some("ZA4"), own != Some("ZA9"));
        assert_eq!(Button::of(change, own, may, &now(), &vale()), *expected, "{change:?} for {own:?}");
    }

    #[test]
    fn every_change_is_a_button_for_somebody() {
        let widen = Change::TravelLimit(change::TravelLimit { minutes: 60 });
        check(&widen, Some("ZA4"), &Button::Widen(60));
        check(&widen, None, &Button::None);
        let later = Change::LaterBy(change::LaterBy {
            needed_by: Some(time::to_wire("2026-11-24T22:00:00Z".parse().unwrap())),
        });
        let said = Button::Later("2026-11-24T22:00".to_owned(), "today 22:00".to_owned());
        check(&later, Some("ZA4"), &said);
        let confirm = Change::Confirm(change::Confirm { offer: "o-1".to_owned(), trust: "ZA5".to_owned() });
        check(&confirm, Some("ZA4"), &Button::Ask("ZA5".to_owned(), "Eastholme".to_owned()));
        check(&confirm, None, &Button::Ask("ZA5".to_owned(), "Eastholme".to_owned()));
        check(&confirm, Some("ZA9"), &Button::Ring(vale().desk("ZA501").unwrap()));
        let team = Change::FindTeam(change::FindTeam { offer: "o-1".to_owned(), trust: "ZA5".to_owned() });
        check(&team, Some("ZA4"), &Button::Ring(vale().desk("ZA501").unwrap()));
        check(&team, Some("ZA5"), &Button::Own);
        let unknown = change::LowerReserve { trust: "ZA9".to_owned(), ..change::LowerReserve::default() };
        check(&Change::LowerReserve(unknown), Some("ZA4"), &Button::None);
    }

    #[test]
    fn a_reason_counts_what_was_looked_at() {
        let said = |unserved, offers| {
            headline(&UnservedExplanation { unserved, offers, ..UnservedExplanation::default() })
        };
        assert_eq!(said(2, 14), "2 units without a proposal. 14 offers were looked at.");
        assert_eq!(said(1, 0), "Nobody offers this at the moment.");
        assert_eq!(said(0, 5), "Every unit of this need has a proposal or is agreed.");
    }
}
