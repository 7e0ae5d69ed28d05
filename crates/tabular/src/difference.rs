//! What a sheet would change, in one line for each record.

use std::fmt;

use fallow_api::render;
use fallow_api::v1::need::State;
use fallow_api::v1::{Limits, Need, Offer, RaiseNeedResponse, Team};
use jiff::Timestamp;
use serde::Serialize;

use crate::Local;

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Becomes {
    /// It is new.
    Added,
    /// It has other figures or terms.
    Changed,
    /// It is taken back, because the sheet leaves it out.
    Withdrawn,
    /// The sheet leaves it out, but units of it are promised: it takes no new holds.
    Suspended,
    /// It is as it was.
    Same,
}

impl Becomes {
    /// Returns the sign that stands before the line.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Added => "+",
            Self::Changed => "~",
            Self::Withdrawn => "-",
            Self::Suspended => "!",
            Self::Same => "=",
        }
    }

    /// Returns the word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Withdrawn => "withdrawn",
            Self::Suspended => "suspended",
            Self::Same => "unchanged",
        }
    }
}

/// One record's difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What becomes of it.
    pub becomes: Becomes,
    /// Which record: its site and resource, or its case.
    pub what: String,
    /// What is different, in plain words; empty when nothing is.
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!("{} {:<28}  {}", self.becomes.sign(), self.what, self.detail);
        f.write_str(line.trim_end())
    }
}

/// Returns what an offer becomes: `before` is the live one of the same key, `after` what the service answers.
#[must_use]
pub fn offer(before: Option<&Offer>, after: &Offer, local: &Local) -> Difference {
    let what = name(after);
    let Some(before) = before else {
        return Difference { becomes: Becomes::Added, what, detail: all(after, local) };
    };
    let (was, is) = (before.figures.unwrap_or_default(), after.figures.unwrap_or_default());
    let mut changes = Vec::new();
    let mut note = |field: &str, was: String, is: String| {
        if was != is {
            let shown = |text: String| if text.is_empty() { "none".to_owned() } else { text };
            changes.push(format!("{field} {} -> {}", shown(was), shown(is)));
        }
    };
    for (field, was, is) in [
        ("free", was.free, is.free),
        ("short", was.short, is.short),
        ("staffed", was.staffed, is.staffed),
        ("occupied", was.occupied, is.occupied),
        ("blocked", was.blocked, is.blocked),
    ] {
        note(field, was.to_string(), is.to_string());
    }
    let (was, is) = (before.window.unwrap_or_default(), after.window.unwrap_or_default());
    note("from", time(was.from, local), time(is.from, local));
    note("until", time(was.until, local), time(is.until, local));
    note("specialties", specialties(before), specialties(after));
    note("capabilities", before.capabilities.join(" "), after.capabilities.join(" "));
    note("limits", limits(before.limits.as_ref()), limits(after.limits.as_ref()));
    note("team", team(before.team.as_ref()), team(after.team.as_ref()));
    note("release", time(before.release_at, local), time(after.release_at, local));
    note("cadence", cadence(before), cadence(after));
    note("campaign", before.campaign.clone(), after.campaign.clone());
    note("note", before.note.clone(), after.note.clone());
    let becomes = if changes.is_empty() { Becomes::Same } else { Becomes::Changed };
    Difference { becomes, what, detail: changes.join(", ") }
}

/// Says that an offer is taken back because the sheet leaves it out.
#[must_use]
pub fn withdrawn(offer: &Offer) -> Difference {
    let held = offer.figures.map_or(0, |figures| figures.held);
    let holds = if held > 0 { format!("; {held} held and not answered, which ends") } else { String::new() };
    Difference {
        becomes: Becomes::Withdrawn,
        what: name(offer),
        detail: format!("not in the sheet: withdrawn{holds}"),
    }
}

/// Says that an offer is left out by the sheet and cannot be taken back.
#[must_use]
pub fn suspended(offer: &Offer) -> Difference {
    let detail = "not in the sheet, but units of it are promised: it takes no new holds".to_owned();
    Difference { becomes: Becomes::Suspended, what: name(offer), detail }
}

/// What raising a need did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// The need is new.
    Now,
    /// The same case was live already.
    AlreadyLive,
    /// The same request had been carried out before: nothing was raised now, and the need may have ended since.
    Before,
}

impl Raised {
    /// Reads what the answer to a raised need says.
    #[must_use]
    pub const fn of(answer: &RaiseNeedResponse) -> Self {
        match (answer.already_live, answer.raised_before) {
            (true, _) => Self::AlreadyLive,
            (false, true) => Self::Before,
            (false, false) => Self::Now,
        }
    }
}

/// Says whether a need waits for nothing any more.
#[must_use]
pub fn is_over(need: &Need) -> bool {
    match need.state() {
        State::Met | State::Withdrawn | State::Expired | State::Unmet | State::ResolvedOutside => true,
        State::Unspecified
        | State::Open
        | State::Proposed
        | State::PartAgreed
        | State::Agreed
        | State::OnHold => false,
    }
}

/// Returns what a need becomes: raised, or as it was because it was raised already.
#[must_use]
pub fn need(need: &Need, raised: Raised, local: &Local) -> Difference {
    let resource = need.resource.as_ref().map(render::resource).unwrap_or_default();
    let by = match time(need.needed_by, local) {
        none if none.is_empty() => String::new(),
        by => format!(", by {by}"),
    };
    let asked = format!("{} x {resource}{by}", need.units);
    let before = |said: &str| Difference {
        becomes: Becomes::Same,
        // Without a reference, what it is for is all that it can be known by.
        what: if need.case_ref.is_empty() { asked.clone() } else { need.case_ref.clone() },
        detail: said.to_owned(),
    };
    match raised {
        Raised::Now => Difference { becomes: Becomes::Added, what: need.case_ref.clone(), detail: asked },
        Raised::AlreadyLive => before("raised already: the live one stays as it is"),
        Raised::Before if is_over(need) => before(
            "raised from this sheet before, and over since: nothing is asked for now; to ask again, change the sheet or \
             give the row a case reference",
        ),
        Raised::Before => before("raised from this sheet before, and still live"),
    }
}

/// Counts differences and rejected rows: `1 changed, 1 added, 2 rejected`.
#[must_use]
pub fn counted(differences: &[Difference], rejected: usize) -> String {
    let all = [Becomes::Changed, Becomes::Added, Becomes::Withdrawn, Becomes::Suspended, Becomes::Same];
    let count = |becomes| differences.iter().filter(|one| one.becomes == becomes).count();
    let counted =
        all.map(|becomes| (count(becomes), becomes.word())).into_iter().chain([(rejected, "rejected")]);
    let told: Vec<String> =
        counted.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if told.is_empty() { "nothing in the sheet".to_owned() } else { told.join(", ") }
}

/// Returns the key under which an offer that has none is published: the same site, resource and start are the same
/// offer, so that saying "2 free" and then "1 free" changes one.
#[must_use]
pub fn source_key(offer: &Offer) -> String {
    let from = offer.window.and_then(|window| instant(window.from));
    let start = from.map(|at| format!("@{}", at.strftime("%Y%m%dT%H%MZ"))).unwrap_or_default();
    let resource = offer.resource.as_ref().map(render::resource_key).unwrap_or_default();
    format!("{}:{resource}{start}", offer.site)
}

fn name(offer: &Offer) -> String {
    let resource = offer.resource.as_ref().map(render::resource_key).unwrap_or_default();
    format!("{} {resource}", offer.site)
}

fn all(offer: &Offer, local: &Local) -> String {
    let (figures, window) = (offer.figures.unwrap_or_default(), offer.window.unwrap_or_default());
    let from = match time(window.from, local) {
        none if none.is_empty() => String::new(),
        from => format!(" from {from}"),
    };
    let specialties = match specialties(offer) {
        none if none.is_empty() => none,
        codes => format!(" for {codes}"),
    };
    format!("{} free{specialties}{from} until {}", figures.free, time(window.until, local))
}

fn specialties(offer: &Offer) -> String {
    offer.resource.as_ref().map(|resource| resource.specialties.join("/")).unwrap_or_default()
}

fn cadence(offer: &Offer) -> String {
    offer.cadence.map(|cadence| format!("{} min", cadence.seconds / 60)).unwrap_or_default()
}

fn team(team: Option<&Team>) -> String {
    match team {
        None => "staffed".to_owned(),
        Some(team) if team.staffed => "staffed".to_owned(),
        Some(team) => format!("needs {}", team.needs.join(" ")).trim_end().to_owned(),
    }
}

fn limits(limits: Option<&Limits>) -> String {
    let Some(limits) = limits else { return String::new() };
    let sex = limits.sex.and_then(<fallow_api::v1::Sex as fallow_api::json::Enumeration>::short_name);
    let told = [
        limits.age_min.map(|age| format!("age {age} up")),
        limits.age_max.map(|age| format!("age to {age}")),
        sex.map(|sex| sex.to_lowercase()),
        limits.bmi_max.map(|bmi| format!("BMI to {bmi}")),
        limits.asa_max.map(|asa| format!("ASA to {asa}")),
    ];
    told.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn time(at: Option<prost_types::Timestamp>, local: &Local) -> String {
    let shown = |at: Timestamp| at.to_zoned(local.zone.clone()).strftime("%a %-d %b %H:%M").to_string();
    instant(at).map(shown).unwrap_or_default()
}

fn instant(at: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok())
}
