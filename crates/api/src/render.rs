//! Explanations in words: the same text on the web, in the command line and in the API's manual.
//!
//! Pure: names of trusts and the time zone are arguments. What comes out are lines with a label, so that a page can set
//! them as it likes; [`plain`] sets them for a terminal.

pub mod campaign;
pub mod gold;
pub mod sitrep;
pub mod what_if;

mod words;

use std::collections::BTreeMap;

use fallow_domain::codes;
use fallow_domain::monitor::sentence;
use fallow_domain::resource::ResourceKind as Kind;
use jiff::tz::TimeZone;

use crate::convert::codes::Coded;
use crate::json::Enumeration;
use crate::v1::{
    Explanation, LentTeam, Need, Objection, Priority, Proposal, Region, Resource, ResourceKind, Sex,
    UnservedExplanation,
    explanation::{Alternative, Fairness, NotUsed, Rank},
    unserved_explanation::change::Change,
};

pub use words::objection;

/// The names of trusts by ODS code. A trust without a name goes by its code.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// Takes the names that a region file gives.
    #[must_use]
    pub fn of(region: &Region) -> Self {
        Self(region.trusts.iter().map(|trust| (trust.ods.clone(), trust.name.clone())).collect())
    }

    /// Returns what people call a trust.
    #[must_use]
    pub fn trust<'a>(&'a self, code: &'a str) -> &'a str {
        self.0.get(code).map_or(code, String::as_str)
    }
}

impl FromIterator<(String, String)> for Names {
    /// Takes names by ODS code.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

/// One line of an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What the line is about, such as "Burden".
    pub label: &'static str,
    /// What it says.
    pub text: String,
}

/// Returns what people call a resource: "Level 3", "G&A", "MRI", "Theatre 110".
#[must_use]
pub fn resource(resource: &Resource) -> String {
    let level = resource.level;
    let name = match (resource.kind(), resource.code.as_str()) {
        (ResourceKind::Bed, "GA_ADULT") => "G&A".to_owned(),
        (ResourceKind::Bed, "GA_PAEDIATRIC") => "G&A paediatric".to_owned(),
        (ResourceKind::Bed, "CC_ADULT") if level > 0 => format!("Level {level}"),
        (ResourceKind::Bed, "NEONATAL") => match level {
            1 => "Neonatal SC".to_owned(),
            2 => "Neonatal HD".to_owned(),
            3 => "Neonatal IC".to_owned(),
            _ => "Neonatal".to_owned(),
        },
        (ResourceKind::Bed, "PICU") => "PICU".to_owned(),
        (ResourceKind::Theatre, "MAIN") => "Theatre".to_owned(),
        (ResourceKind::Bed, code) if code.starts_with("MH_") => code.replace('_', " "),
        (_, code) => sentence_case(code),
    };
    if resource.specialties.is_empty() { name } else { format!("{name} {}", resource.specialties.join("/")) }
}

/// Returns what a resource is, in whole words for a report that is read far from Fallow: "adult critical care, level 3",
/// "main theatre for Trauma and Orthopaedic".
#[must_use]
pub fn resource_in_words(resource: &Resource) -> String {
    // The names of codes are by the key; a resource that has none is called as tables call it.
    let Ok(key) = resource_key(resource).to_uppercase().parse() else { return self::resource(resource) };
    let name = sentence::resource(&key);
    let called = |code: &String| {
        let known = code.parse().ok().and_then(codes::specialty_name);
        known.map_or_else(|| format!("specialty {code}"), str::to_owned)
    };
    let specialties: Vec<String> = resource.specialties.iter().map(called).collect();
    if specialties.is_empty() { name } else { format!("{name} for {}", specialties.join(", ")) }
}

/// Returns what one and several units of an offer of a kind are called: `bed`, `beds`.
#[must_use]
pub fn units(kind: ResourceKind) -> (&'static str, &'static str) {
    Kind::from_wire(kind.into()).map_or(("unit", "units"), Kind::units)
}

/// Counts the units of an offer of a kind: `1 bed`, `240 minutes`.
#[must_use]
pub fn counted(count: i64, kind: ResourceKind) -> String {
    let (one, many) = units(kind);
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Returns the key of a resource as people type it: `bed/cc_adult/3`.
#[must_use]
pub fn resource_key(resource: &Resource) -> String {
    let kind = ResourceKind::short_name(resource.kind).unwrap_or("?");
    let level = if resource.level > 0 { format!("/{}", resource.level) } else { String::new() };
    format!("{kind}/{}{level}", resource.code).to_lowercase()
}

fn sentence_case(code: &str) -> String {
    let words = codes::words(code);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Explains a proposal: its rank, burden, what is left afterwards, fairness, runners-up, what was not used and what
/// would change it. Parts that the engine did not give are left out.
#[must_use]
pub fn proposal(proposal: &Proposal, names: &Names, zone: &TimeZone) -> Vec<Line> {
    let Some(why) = &proposal.explanation else { return Vec::new() };
    let supporting = names.trust(&proposal.supporting_trust);
    let burden: i64 = why.terms.iter().map(|term| term.points).sum();
    let mut lines = Vec::new();
    let mut say = |label, text: String| lines.push(Line { label, text });

    let rank = why.rank.as_ref().map(|rank| format!("{}, ", ranked(rank, zone))).unwrap_or_default();
    say("Why this match", format!("{rank}burden {burden} (lower is better)"));
    if !why.terms.is_empty() {
        let terms = why.terms.iter().map(|term| {
            let detail = if term.detail.is_empty() { String::new() } else { format!(" {}", term.detail) };
            format!("{}{detail} = {}", term.name, term.points)
        });
        say("Burden", terms.collect::<Vec<_>>().join(" | "));
    }
    if let Some(team) = &proposal.team {
        say("Team", lent(team, names));
    }
    if let Some(after) = &why.after {
        say(
            "After this",
            format!(
                "{supporting} has {} free and keeps {} for itself; pressure {} of 4.",
                left(after.free, proposal),
                left(after.reserve, proposal),
                after.pressure
            ),
        );
    }
    if let Some(fair) = &why.fairness {
        say("Fairness", fairness(fair, supporting));
    }
    let runner_up = |other: &Alternative| {
        format!("{}, burden {}: {}", names.trust(&other.trust), other.burden, other.reason)
    };
    let mut runners_up: Vec<String> = why.alternatives.iter().map(runner_up).collect();
    // Two offers of one trust that cost the same are one thing to know.
    runners_up.dedup();
    for text in runners_up {
        say("Runner-up", text);
    }
    if !why.not_used.is_empty() {
        say("Not used", why.not_used.iter().map(not_used).collect::<Vec<_>>().join("; "));
    }
    if !why.unknown.is_empty() {
        say("Not known", why.unknown.join("; "));
    }
    for flip in &why.flips {
        say("Would flip", format!("if {}, {}", flip.change, flip.then));
    }
    say("Checked", checked(why, zone));
    lines
}

/// Says how much is left of what a proposal is about. Of a theatre it is minutes, which nobody would take a bare number for.
fn left(count: i64, proposal: &Proposal) -> String {
    if proposal.minutes > 0 { counted(count, ResourceKind::Theatre) } else { count.to_string() }
}

/// Says what a trust gave and took, what that is beside what it has staffed, and whom giving helped.
fn fairness(fair: &Fairness, supporting: &str) -> String {
    let beside = fair.staffed_share.map(|share| format!(", with {share}% of what is staffed"));
    let helped = fair.most_deprived_share.map(|share| {
        format!(" Of those helped whose area is known, about {share}% live in the most deprived fifth.")
    });
    format!(
        "28 days: {supporting} has given {} and taken {}; {}% of all giving{}.{}",
        fair.given,
        fair.taken,
        fair.share,
        beside.unwrap_or_default(),
        helped.unwrap_or_default()
    )
}

/// Says whose team comes to the session, for which roles and why it.
fn lent(team: &LentTeam, names: &Names) -> String {
    let why = match team.others {
        0 => "nobody else could come".to_owned(),
        others => format!("the nearest of {}", others.saturating_add(1)),
    };
    let lender = names.trust(&team.trust);
    let roles = team.roles.join(", ").replace('_', " ").to_lowercase();
    format!("{lender} lends a team ({roles}), {} minutes from the session, {why}.", team.travel_minutes)
}

fn checked(why: &Explanation, zone: &TimeZone) -> String {
    looked_at(why.checked_at, why.revision, &why.policy, zone)
}

fn looked_at(at: Option<prost_types::Timestamp>, revision: i64, policy: &str, zone: &TimeZone) -> String {
    let at = local(at, "%H:%M:%S", zone).map(|at| format!("at {at} ")).unwrap_or_default();
    let policy = if policy.is_empty() { String::new() } else { format!(", policy {policy}") };
    format!("{at}on revision {revision}{policy}")
}

fn ranked(rank: &Rank, zone: &TimeZone) -> String {
    let band = Priority::short_name(rank.priority).unwrap_or("?");
    let waited = match rank.waited_days {
        0 => "today".to_owned(),
        1 => "1 day ago".to_owned(),
        days => format!("{days} days ago"),
    };
    let breach =
        local(rank.breach_at, "%a %-d %b %H:%M", zone).map(|at| format!(", breach {at}")).unwrap_or_default();
    format!("rank {} of {} open needs, {band} listed {waited}{breach}", rank.position, rank.of)
}

fn not_used(row: &NotUsed) -> String {
    let example = if row.example.is_empty() { String::new() } else { format!(" ({})", row.example) };
    format!("{} {}{example}", row.count, objection(row.reason()))
}

fn local(at: Option<prost_types::Timestamp>, format: &str, zone: &TimeZone) -> Option<String> {
    let at = at?;
    let at = jiff::Timestamp::new(at.seconds, at.nanos).ok()?;
    Some(at.to_zoned(zone.clone()).strftime(format).to_string())
}

/// Sets lines for a terminal: labels in one column, each line indented by two spaces and ended by a line feed.
#[must_use]
pub fn plain(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.label.len()).max().unwrap_or(0);
    lines.iter().map(|line| format!("  {:<width$}  {}\n", line.label, line.text)).collect()
}

/// Why a need, or some of its units, has no proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unserved {
    /// What is needed: "LC-120  2 x G&A, female, needed by Tue 24 Nov 20:00".
    pub need: String,
    /// What there is for it: "0 of 14 offers fit".
    pub verdict: String,
    /// One row per reason, most offers first.
    pub rows: Vec<UnservedRow>,
    /// What would help but answers no row.
    pub more: Vec<Fix>,
    /// Who took what it could have used, the rank, and when the engine looked.
    pub notes: Vec<Line>,
}

/// The offers that one reason ruled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnservedRow {
    /// How many.
    pub count: i64,
    /// The code, such as `TOO_FAR`.
    pub reason: &'static str,
    /// The same in words that go after a count: "too far".
    pub words: &'static str,
    /// One of them, in words; may be empty.
    pub example: String,
    /// What would lift this reason, cheapest first.
    pub fixes: Vec<Fix>,
}

/// A change that was found, by solving again, to place something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The change, for what makes a button or a command of it; absent when this version does not know it.
    pub change: Option<Change>,
    /// The same in words.
    pub text: String,
    /// How many more units in all it would place.
    pub places: i64,
}

/// Explains why a need is not served.
#[must_use]
pub fn unserved(need: &Need, why: &UnservedExplanation, zone: &TimeZone) -> Unserved {
    let mut rows: Vec<UnservedRow> = why
        .counts
        .iter()
        .map(|row| UnservedRow {
            count: row.count,
            reason: Objection::short_name(row.reason).unwrap_or("?"),
            words: objection(row.reason()),
            example: row.example.clone(),
            fixes: Vec::new(),
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    let mut more = Vec::new();
    for relaxation in &why.relaxations {
        let fix = Fix {
            change: relaxation.change.as_ref().and_then(|change| change.change.clone()),
            text: relaxation.text.clone(),
            places: relaxation.places,
        };
        let reasons = fix.change.as_ref().map_or(&[][..], lifts);
        match rows.iter_mut().find(|row| reasons.contains(&row.reason)) {
            Some(row) => row.fixes.push(fix),
            None => more.push(fix),
        }
    }
    let mut notes = Vec::new();
    if !why.taken_by.is_empty() {
        let bands: Vec<&str> =
            why.taken_by.iter().map(|band| Priority::short_name(*band).unwrap_or("?")).collect();
        notes.push(Line { label: "Taken by", text: format!("{} needs", bands.join(", ")) });
    }
    if let Some(rank) = &why.rank {
        notes.push(Line { label: "Rank", text: ranked(rank, zone) });
    }
    notes.push(Line { label: "Checked", text: looked_at(why.checked_at, why.revision, &why.policy, zone) });
    let verdict = if why.unserved < need.units {
        format!("{} of {} units have no proposal", why.unserved, need.units)
    } else {
        format!("0 of {} offers fit", why.offers)
    };
    Unserved { need: need_in_words(need, zone), verdict, rows, more, notes }
}

/// Names the reasons that a change lifts.
fn lifts(change: &Change) -> &'static [&'static str] {
    match change {
        Change::TravelLimit(_) => &["TOO_FAR"],
        Change::Confirm(_) => &["STALE"],
        Change::MoreUnits(_) | Change::LowerReserve(_) => &["BELOW_RESERVE"],
        Change::LaterBy(_) => &["TOO_LATE"],
        Change::FindTeam(_) => &["TEAM_MISSING"],
    }
}

/// Says what is needed on one line: "LC-120  2 x G&A, female, needed by Tue 24 Nov 20:00".
#[must_use]
pub fn need_in_words(need: &Need, zone: &TimeZone) -> String {
    let what = need.resource.as_ref().map(resource).unwrap_or_default();
    let sex = match need.patient.as_ref().map(|patient| patient.sex()) {
        Some(Sex::Female) => ", female",
        Some(Sex::Male) => ", male",
        Some(Sex::Unspecified) | None => "",
    };
    let requires: String = need.requires.iter().map(|what| format!(", {what}")).collect();
    let by = local(need.needed_by, "%a %-d %b %H:%M", zone)
        .map(|at| format!(", needed by {at}"))
        .unwrap_or_default();
    format!("{}  {} x {what}{sex}{requires}{by}", need.case_ref, need.units)
}

/// Sets the explanation of an unserved need for a terminal. `command` turns a change into the command that makes it, where
/// there is one; otherwise the change's words are printed.
#[must_use]
pub fn plain_unserved(why: &Unserved, command: &dyn Fn(&Change) -> Option<String>) -> String {
    let fix = |fix: &Fix| {
        let how = fix.change.as_ref().and_then(command).unwrap_or_else(|| fix.text.clone());
        format!("fix: {how} places {}", fix.places)
    };
    let widest = |length: &dyn Fn(&UnservedRow) -> usize| why.rows.iter().map(length).max().unwrap_or(0);
    let count_width = widest(&|row| row.count.to_string().len()).max(1);
    let reason_width = widest(&|row| row.reason.len());
    let words_width = widest(&|row| row.words.chars().count());
    let example_width = widest(&|row| row.example.chars().count());
    let mut text = format!("{}    {}\n", why.need, why.verdict);
    for row in &why.rows {
        let UnservedRow { count, reason, words, example, .. } = row;
        let said = format!(
            "  {count:>count_width$}  {reason:<reason_width$}  {words:<words_width$}  {example:<example_width$}"
        );
        let indent = said.chars().count();
        let first = row.fixes.first().map(&fix).unwrap_or_default();
        text.push_str(format!("{said}  {first}").trim_end());
        text.push('\n');
        for cure in row.fixes.iter().skip(1) {
            text.push_str(&format!("{:indent$}  {}\n", "", fix(cure)));
        }
    }
    for cure in &why.more {
        text.push_str(&format!("  {:count_width$}  {}\n", "", fix(cure)));
    }
    text.push_str(&plain(&why.notes));
    text
}

#[cfg(test)]
mod tests;
