//! What the capacity board shows, worked out from the records.

use std::collections::BTreeMap;

use askama::Template;
use fallow_api::v1::{Freshness, Need, Offer, Resource, ResourceKind, Situation, offer, situation};
use jiff::{SignedDuration, Timestamp};

use crate::directory::Directory;
use crate::words::codes::{self, Tag};
use crate::words::resource::{self, Choice};
use crate::words::time::{Now, from_wire, span};

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "capacity/board.html")]
pub(super) struct Board {
    csrf: String,
    /// Who may change what is offered, where the viewer may not.
    pub(super) others: Option<String>,
    newest_revision: i64,
    /// Beds, tests, staff, items and places.
    units: Vec<Row>,
    /// Theatre sessions.
    sessions: Vec<Row>,
    /// The one sentence about age: the oldest number, and how many need somebody now.
    oldest: Option<String>,
    /// How many offers are not fresh.
    due: usize,
    reserves: Vec<String>,
    /// The declared OPEL, in words.
    pub(super) opel: Option<String>,
    has_sites: bool,
    suspended: String,
}

/// One offer.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) revision: i64,
    /// `KIND/CODE/LEVEL`.
    key: String,
    pub(super) name: String,
    site: String,
    staffed: i64,
    pub(super) free: i64,
    held: i64,
    agreed: i64,
    blocked: i64,
    short: i64,
    /// The unit's name, for what screen readers say.
    unit: &'static str,
    until: String,
    /// The session's time, for theatres.
    session: String,
    starts: Option<Timestamp>,
    /// `Team complete`, or who is missing.
    team: Option<String>,
    /// When it is released, while that lies ahead.
    release: Option<String>,
    age: String,
    pub(super) freshness: Tag,
    source: &'static str,
    note: String,
    /// `until today 20:00: norovirus`, while no new proposals are made of it.
    suspended: Option<String>,
    is_stale: bool,
    is_due: bool,
    /// Who asks whether it is still true: `Brackwater asks, today 14:20`.
    pub(super) asked: Option<String>,
    /// What would happen if it were confirmed.
    stale_note: Option<String>,
    reported_at: Timestamp,
    cadence: SignedDuration,
}

impl Board {
    pub(super) fn new(
        csrf: &str,
        now: &Now,
        trust: &str,
        offers: &[Offer],
        open: &[Need],
        situation: &Situation,
        directory: &Directory,
    ) -> Self {
        let mut rows: Vec<(ResourceKind, Row)> = offers
            .iter()
            .map(|offer| {
                let wanted =
                    open.iter().filter(|need| need.trust != trust && could_serve(offer, need)).count();
                (kind(offer), Row::new(offer, wanted, now, directory))
            })
            .collect();
        rows.sort_by(|(a_kind, a), (b_kind, b)| {
            let order = |kind: &ResourceKind, row: &Row| {
                (*kind as i32, row.key.clone(), row.starts, row.site.clone(), row.id.clone())
            };
            order(a_kind, a).cmp(&order(b_kind, b))
        });
        let due = rows.iter().filter(|(_, row)| row.is_due).count();
        let oldest = rows.iter().map(|(_, row)| row).max_by_key(|row| {
            now.at.duration_since(row.reported_at).as_secs().saturating_mul(1000)
                / row.cadence.as_secs().max(1)
        });
        let oldest = oldest
            .map(|row| format!("Oldest number: {}, {} (due every {})", row.name, row.age, span(row.cadence)));
        let suspended = rows.iter().filter(|(_, row)| row.suspended.is_some()).count();
        let sites: BTreeMap<&str, ()> = offers.iter().map(|offer| (offer.site.as_str(), ())).collect();
        let (sessions, units) = rows.into_iter().partition(|(kind, _)| *kind == ResourceKind::Theatre);
        let only_rows = |rows: Vec<(ResourceKind, Row)>| rows.into_iter().map(|(_, row)| row).collect();
        Self {
            csrf: csrf.to_owned(),
            others: None,
            newest_revision: offers.iter().map(|offer| offer.revision).max().unwrap_or(0),
            units: only_rows(units),
            sessions: only_rows(sessions),
            oldest,
            due,
            reserves: reserves(trust, situation),
            opel: opel(trust, situation, now),
            has_sites: sites.len() > 1,
            suspended: match suspended {
                0 => String::new(),
                1 => "1 offer is suspended.".to_owned(),
                many => format!("{many} offers are suspended."),
            },
        }
    }

    /// Returns what is offered now, each resource once.
    pub(super) fn resources(&self) -> Vec<Choice> {
        let mut own: Vec<Choice> = Vec::new();
        for row in self.units.iter().chain(&self.sessions) {
            if own.iter().all(|known| known.key != row.key) {
                let name =
                    resource::from_key(&row.key).map_or_else(|| row.key.clone(), |one| resource::short(&one));
                own.push(Choice { key: row.key.clone(), name });
            }
        }
        own
    }

    fn is_empty(&self) -> bool {
        self.units.is_empty() && self.sessions.is_empty()
    }

    fn len(&self) -> usize {
        self.units.len() + self.sessions.len()
    }
}

impl Row {
    pub(super) fn new(offer: &Offer, wanted: usize, now: &Now, directory: &Directory) -> Self {
        let resource = offer.resource.clone().unwrap_or_default();
        let figures = offer.figures.unwrap_or_default();
        let window = offer.window.unwrap_or_default();
        let (from, until) = (from_wire(window.from.as_ref()), from_wire(window.until.as_ref()));
        let reported_at = from_wire(offer.reported_at.as_ref()).unwrap_or(now.at);
        let cadence =
            offer.cadence.map_or(SignedDuration::ZERO, |every| SignedDuration::from_secs(every.seconds));
        let freshness = freshness(reported_at, cadence, now.at);
        let is_stale = freshness == Freshness::Stale;
        let session = match (from, until) {
            (Some(from), Some(until)) => {
                format!("{} to {}", now.clock(from), now.time_of_day(until))
            }
            (_, Some(until)) => format!("until {}", now.clock(until)),
            (_, None) => String::new(),
        };
        let team = offer.team.as_ref().filter(|team| !team.staffed).map(|team| {
            let roles: Vec<String> =
                team.needs.iter().map(|role| resource::in_words(role).to_lowercase()).collect();
            format!("Needs {}", if roles.is_empty() { "a team".to_owned() } else { roles.join(", ") })
        });
        let release = from_wire(offer.release_at.as_ref()).filter(|at| *at > now.at);
        let stale_note = is_stale.then(|| {
            let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
            let ask = match wanted {
                0 => String::new(),
                1 => " 1 open need elsewhere asks for this.".to_owned(),
                many => format!(" {many} open needs elsewhere ask for this."),
            };
            format!("Fallow is not offering these until somebody confirms them.{ask}")
        });
        Self {
            id: offer.id.clone(),
            revision: offer.revision,
            key: resource::key(&resource),
            name: resource::with_specialties(&resource),
            site: directory.site(&offer.site).to_owned(),
            staffed: figures.staffed,
            free: figures.free,
            held: figures.held,
            agreed: figures.committed,
            blocked: figures.blocked,
            short: figures.short,
            unit: resource::units(resource.kind()).1,
            // A slot is of a time; a bed is there until one, or from one that is still to come.
            until: match from {
                Some(from) if from > now.at || resource.kind() == ResourceKind::Diagnostic => session.clone(),
                Some(_) | None => until.map_or_else(String::new, |until| now.until(until)),
            },
            session,
            starts: from,
            team,
            release: release.map(|at| now.clock(at)),
            age: now.age(reported_at),
            freshness: codes::freshness(freshness),
            source: codes::source(offer.source()),
            note: offer.note.clone(),
            suspended: suspended(offer, now),
            asked: asked(offer, now, directory),
            is_stale,
            is_due: freshness != Freshness::Fresh,
            stale_note,
            reported_at,
            cadence,
        }
    }
}

/// Returns until when and why an offer is suspended, if it is.
fn suspended(offer: &Offer, now: &Now) -> Option<String> {
    if offer.state() != offer::State::Suspended {
        return None;
    }
    let suspension = offer.suspension.clone().unwrap_or_default();
    let until = from_wire(suspension.until.as_ref()).map(|until| format!(" until {}", now.clock(until)));
    let reason =
        if suspension.reason.is_empty() { String::new() } else { format!(": {}", suspension.reason) };
    Some(format!("Suspended{}{reason}", until.unwrap_or_default()))
}

/// Returns who has asked last whether the figures are still true, and how many did before.
fn asked(offer: &Offer, now: &Now, directory: &Directory) -> Option<String> {
    let (last, before) = offer.asked.split_last()?;
    let who =
        if last.trust.is_empty() { codes::role(&last.role) } else { directory.trust(&last.trust).to_owned() };
    let at = from_wire(last.at.as_ref()).map(|at| format!(", {}", now.clock(at))).unwrap_or_default();
    let more = match before.len() {
        0 => String::new(),
        more => format!(", and {more} before"),
    };
    Some(format!("{who} asks{at}{more}"))
}

/// Says how far figures can be relied on; the rule of the glossary, on the time that the page is made for.
fn freshness(reported_at: Timestamp, cadence: SignedDuration, now: Timestamp) -> Freshness {
    let age = now.duration_since(reported_at);
    if age <= cadence {
        Freshness::Fresh
    } else if age <= cadence.checked_mul(2).unwrap_or(SignedDuration::MAX) {
        Freshness::Ageing
    } else {
        Freshness::Stale
    }
}

/// Says whether a need asks for the resource of an offer. Whether they fit in all else is for the engine to say.
fn could_serve(offer: &Offer, need: &Need) -> bool {
    let (Some(ours), Some(theirs)) = (&offer.resource, &need.resource) else { return false };
    ours.kind == theirs.kind && ours.code == theirs.code && ours.level >= theirs.level
}

fn kind(offer: &Offer) -> ResourceKind {
    offer.resource.as_ref().map_or(ResourceKind::Unspecified, Resource::kind)
}

/// Returns what the trust keeps for itself, a phrase for each resource: `Level 2: keep 1`.
fn reserves(trust: &str, situation: &Situation) -> Vec<String> {
    let own = situation.cells.iter().filter(|cell| cell.trust == trust && cell.reserve > 0);
    let phrase = |cell: &situation::Cell| {
        let name = cell.resource.as_ref().map(resource::short).unwrap_or_default();
        format!("{name}: keep {}", cell.reserve)
    };
    own.map(phrase).collect()
}

/// Returns the trust's declared OPEL: `OPEL 3, declared today 13:10`.
fn opel(trust: &str, situation: &Situation, now: &Now) -> Option<String> {
    let own = situation.trusts.iter().find(|one| one.trust == trust && one.opel > 0)?;
    let at = from_wire(own.opel_declared_at.as_ref()).map(|at| format!(", declared {}", now.clock(at)));
    Some(format!("OPEL {}{}", own.opel, at.unwrap_or_default()))
}
