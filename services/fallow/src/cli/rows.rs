//! The four records as rows.

use fallow_api::render;
use fallow_api::v1::{
    Answer, Freshness, Need, Offer, Priority, Proposal, Source, Transfer, answer, need, offer, proposal,
    transfer,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use super::codes::word;
use super::output::{Cell, Column, Record, Tone, View, column, wide};
use super::time::{age, from_wire, left};

impl Record for Offer {
    const COLUMNS: &'static [Column] = &[
        column("id"),
        wide("trust"),
        column("site"),
        column("resource"),
        column("free"),
        wide("short"),
        column("held"),
        column("agreed"),
        column("staffed"),
        wide("occupied"),
        wide("blocked"),
        wide("from"),
        column("until"),
        column("updated"),
        column("fresh"),
        column("state"),
        wide("source"),
        wide("key"),
        wide("campaign"),
        wide("note"),
        wide("revision"),
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn row(&self, view: &View) -> Vec<Cell> {
        let figures = self.figures.unwrap_or_default();
        let window = self.window.unwrap_or_default();
        let free = match figures.short {
            0 => figures.free.to_string().into(),
            _ if view.exact => figures.free.to_string().into(),
            short => Cell::toned(format!("{short} short"), Tone::Bad),
        };
        let updated = match from_wire(self.reported_at) {
            Some(at) if !view.exact => age(view.now.duration_since(at)),
            Some(_) | None => view.time(self.reported_at),
        };
        vec![
            self.id.as_str().into(),
            self.trust.as_str().into(),
            self.site.as_str().into(),
            self.resource.as_ref().map(render::resource).unwrap_or_default().into(),
            free,
            figures.short.to_string().into(),
            figures.held.to_string().into(),
            figures.committed.to_string().into(),
            figures.staffed.to_string().into(),
            figures.occupied.to_string().into(),
            figures.blocked.to_string().into(),
            view.time(window.from).into(),
            view.time(window.until).into(),
            updated.into(),
            freshness_cell(freshness(self, view.now)),
            word::<offer::State>(self.state).into(),
            word::<Source>(self.source).into(),
            self.source_key.as_str().into(),
            self.campaign.as_str().into(),
            self.note.as_str().into(),
            self.revision.to_string().into(),
        ]
    }
}

/// Says how old the figures of an offer are at a time against its promise.
pub(crate) fn freshness(offer: &Offer, now: Timestamp) -> Freshness {
    let (Some(at), Some(cadence)) = (from_wire(offer.reported_at), offer.cadence) else {
        return Freshness::Unspecified;
    };
    let old = now.duration_since(at);
    let cadence = SignedDuration::new(cadence.seconds, cadence.nanos);
    if old <= cadence {
        Freshness::Fresh
    } else if old <= cadence.saturating_add(cadence) {
        Freshness::Ageing
    } else {
        Freshness::Stale
    }
}

/// Shows a freshness; what is stale is not proposed, so it stands out.
pub(crate) fn freshness_cell(freshness: Freshness) -> Cell {
    match freshness {
        Freshness::Fresh => "FRESH".into(),
        Freshness::Ageing => Cell::toned("AGEING", Tone::Warn),
        Freshness::Stale => Cell::toned("STALE", Tone::Bad),
        Freshness::Unspecified => "-".into(),
    }
}

impl Record for Need {
    const COLUMNS: &'static [Column] = &[
        column("id"),
        column("ref"),
        column("trust"),
        wide("site"),
        column("units"),
        column("resource"),
        wide("requires"),
        column("needed_by"),
        column("priority"),
        column("state"),
        column("proposed"),
        column("agreed"),
        column("arrived"),
        wide("listed"),
        wide("cohort"),
        wide("note"),
        wide("revision"),
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn row(&self, view: &View) -> Vec<Cell> {
        let over = from_wire(self.needed_by).is_some_and(|by| by < view.now);
        let tone = if over { Tone::Bad } else { Tone::Plain };
        vec![
            self.id.as_str().into(),
            self.case_ref.as_str().into(),
            self.trust.as_str().into(),
            self.site.as_str().into(),
            self.units.to_string().into(),
            self.resource.as_ref().map(render::resource).unwrap_or_default().into(),
            self.requires.join(" ").into(),
            Cell::toned(view.time(self.needed_by), tone),
            word::<Priority>(self.priority).to_uppercase().into(),
            word::<need::State>(self.state).into(),
            self.units_proposed.to_string().into(),
            self.units_committed.to_string().into(),
            self.units_arrived.to_string().into(),
            view.time(self.listed_at).into(),
            self.cohort.as_str().into(),
            self.note.as_str().into(),
            self.revision.to_string().into(),
        ]
    }
}

/// A proposal with the need that it is for, where the caller may see it. In JSON it is the proposal alone.
#[derive(Debug, Clone)]
pub(crate) struct Suggestion {
    /// The proposal.
    pub(crate) proposal: Proposal,
    /// The need.
    pub(crate) need: Option<Need>,
}

impl Serialize for Suggestion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.proposal.serialize(serializer)
    }
}

impl Record for Suggestion {
    const COLUMNS: &'static [Column] = &[
        column("id"),
        column("hold"),
        column("units"),
        column("resource"),
        column("ref"),
        column("from"),
        column("for"),
        column("supporting"),
        column("home"),
        column("state"),
        wide("authority"),
        wide("need"),
        wide("offer"),
        wide("revision"),
    ];

    fn id(&self) -> &str {
        &self.proposal.id
    }

    fn row(&self, view: &View) -> Vec<Cell> {
        let proposal = &self.proposal;
        let live = proposal.state() == proposal::State::Held;
        let hold = match from_wire(proposal.held_until) {
            Some(until) if live && !view.exact => left(until, view.now),
            Some(_) | None => view.time(proposal.held_until),
        };
        let resource = self.need.as_ref().and_then(|need| need.resource.as_ref()).map(render::resource);
        vec![
            proposal.id.as_str().into(),
            hold.into(),
            proposal.units.to_string().into(),
            resource.unwrap_or_default().into(),
            self.need.as_ref().map(|need| need.case_ref.as_str()).unwrap_or_default().into(),
            proposal.supporting_trust.as_str().into(),
            proposal.home_trust.as_str().into(),
            supported(proposal).into(),
            answered(proposal.home.as_ref()).into(),
            word::<proposal::State>(proposal.state).into(),
            proposal
                .authority
                .as_ref()
                .map(|authority| word::<fallow_api::v1::authority::State>(authority.state))
                .unwrap_or_default()
                .into(),
            proposal.need.as_str().into(),
            proposal.offer.as_str().into(),
            proposal.revision.to_string().into(),
        ]
    }
}

/// Shows what the supporting trust said, and the trust that lends a team where it has an answer of its own.
fn supported(proposal: &Proposal) -> String {
    let said = answered(proposal.supporting.as_ref());
    match proposal.team.as_ref().and_then(|team| Some((team, team.answer.as_ref()?))) {
        Some((team, lends)) => format!("{said}, team {} {}", team.trust, answered(Some(lends))),
        None => said,
    }
}

/// Shows what a side said, with its reason where it said no.
fn answered(answer: Option<&Answer>) -> String {
    let Some(answer) = answer else { return "pending".to_owned() };
    let said = word::<answer::State>(answer.state);
    match answer.state() {
        answer::State::Declined => format!("{said} {}", word::<fallow_api::v1::DeclineReason>(answer.reason)),
        answer::State::Unspecified
        | answer::State::Pending
        | answer::State::Provisional
        | answer::State::Accepted => said,
    }
}

impl Record for Transfer {
    const COLUMNS: &'static [Column] = &[
        column("id"),
        column("units"),
        column("resource"),
        column("from"),
        column("for"),
        column("state"),
        column("due"),
        column("done"),
        column("transport"),
        wide("need"),
        wide("proposal"),
        wide("note"),
        wide("revision"),
    ];

    fn id(&self) -> &str {
        &self.id
    }

    fn row(&self, view: &View) -> Vec<Cell> {
        let moving = matches!(
            self.state(),
            transfer::State::Planned
                | transfer::State::Ready
                | transfer::State::InTransit
                | transfer::State::RepatriationDue
                | transfer::State::Repatriating
                | transfer::State::Deployed
                | transfer::State::Extended
        );
        let over = moving && from_wire(self.due_at).is_some_and(|due| due < view.now);
        let done = self.checklist.iter().filter(|item| item.done_at.is_some()).count();
        let transport =
            self.transport.as_ref().filter(|transport| !transport.kind.is_empty()).map(|transport| {
                format!("{}{}", transport.kind, if transport.booked { ", booked" } else { ", not booked" })
            });
        vec![
            self.id.as_str().into(),
            self.units.to_string().into(),
            self.resource.as_ref().map(render::resource).unwrap_or_default().into(),
            self.supporting_trust.as_str().into(),
            self.home_trust.as_str().into(),
            word::<transfer::State>(self.state).into(),
            Cell::toned(view.time(self.due_at), if over { Tone::Bad } else { Tone::Plain }),
            format!("{done}/{}", self.checklist.len()).into(),
            transport.unwrap_or_default().into(),
            self.need.as_str().into(),
            self.proposal.as_str().into(),
            self.note.as_str().into(),
            self.revision.to_string().into(),
        ]
    }
}
