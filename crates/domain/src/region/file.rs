//! The region file: TOML in, a checked [`Region`] out, with every problem named at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use thiserror::Error;

use super::{Area, Collaborative, CollaborativeKind, Mode, Region, Site, SiteKind, Trust};
use crate::actor::Role;
use crate::codes;
use crate::ids::{CollaborativeId, Label, Name, RegionId, SiteCode, TrustCode};
use crate::place::Coordinates;
use crate::policy::Policy;
use crate::quantity::Count;
use crate::resource::{ResourceKey, ResourceKind};

/// Longest travel time that a row may give, in minutes.
pub const TRAVEL_MINUTES_MAX: u32 = 1_440;
/// Greatest weight, step or number of points that a policy may set.
pub const POINTS_MAX: u32 = 1_000;
/// Longest time, in minutes, that a policy may keep one from asking the same again.
pub const ASK_AGAIN_MINUTES_MAX: u32 = 1_440;
/// Greatest reserve or fair allowance.
pub const UNITS_MAX: u32 = 1_000_000;

/// Everything that is wrong with a region file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct RegionFileError {
    /// Each problem; at least one.
    pub problems: Vec<RegionProblem>,
}

impl fmt::Display for RegionFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionProblem {
    /// Where: `trust RBL: reserve`; empty for the file as a whole.
    pub path: String,
    /// What, in plain words.
    pub message: String,
}

impl fmt::Display for RegionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    region: RegionTable,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    trust: Vec<TrustTable>,
    #[serde(default)]
    site: Vec<SiteTable>,
    #[serde(default)]
    area: Vec<AreaTable>,
    #[serde(default)]
    collaborative: Vec<CollaborativeTable>,
    #[serde(default)]
    travel: Vec<TravelTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionTable {
    id: RegionId,
    name: Name,
    #[serde(default = "london")]
    timezone: String,
    #[serde(default)]
    resources: BTreeMap<ResourceKind, BTreeSet<String>>,
}

fn london() -> String {
    "Europe/London".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrustTable {
    ods: TrustCode,
    name: Name,
    opel: Option<u8>,
    fair_allowance: Option<Count>,
    #[serde(default)]
    successor: String,
    release_weeks: Option<u32>,
    #[serde(default)]
    reserve: BTreeMap<String, Count>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteTable {
    code: SiteCode,
    trust: TrustCode,
    name: Name,
    lat: f64,
    lon: f64,
    kind: SiteKind,
    #[serde(default)]
    phone: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AreaTable {
    code: Label,
    name: Name,
    lat: f64,
    lon: f64,
    trust: TrustCode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CollaborativeTable {
    id: CollaborativeId,
    name: Name,
    kind: CollaborativeKind,
    members: Vec<TrustCode>,
    lead: Option<TrustCode>,
    shares: Vec<ResourceKind>,
    #[serde(default = "routine")]
    mode: Mode,
}

fn routine() -> Mode {
    Mode::Routine
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TravelTable {
    from: SiteCode,
    to: SiteCode,
    minutes: u32,
}

/// Reads a region file.
///
/// # Errors
/// Names every problem: the line of a syntax error or unknown key, or each code, number and list that does not hold.
pub fn parse(text: &str) -> Result<Region, RegionFileError> {
    let file: File = toml::from_str(text).map_err(|error| RegionFileError {
        problems: vec![RegionProblem {
            path: String::new(),
            message: error.to_string().trim_end().to_owned(),
        }],
    })?;
    let mut check = Check { problems: Vec::new() };
    let region = check.region(file);
    if check.problems.is_empty() { Ok(region) } else { Err(RegionFileError { problems: check.problems }) }
}

/// Reads a policy by itself: the `[policy]` part of a region file, with or without that head.
///
/// # Errors
/// As [`parse`]; also a standing agreement of a trust that `region` does not have.
pub fn parse_policy(text: &str, region: &Region) -> Result<Policy, RegionFileError> {
    /// A text with the head.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Headed {
        policy: Policy,
    }
    let syntax = |error: &toml::de::Error| RegionFileError {
        problems: vec![RegionProblem {
            path: String::new(),
            message: error.to_string().trim_end().to_owned(),
        }],
    };
    let table: toml::Table = toml::from_str(text).map_err(|error| syntax(&error))?;
    let policy = if table.contains_key("policy") {
        toml::from_str::<Headed>(text).map(|headed| headed.policy)
    } else {
        toml::from_str(text)
    };
    let policy = policy.map_err(|error| syntax(&error))?;
    let mut check = Check { problems: Vec::new() };
    check.policy(&policy);
    check.agreements(&policy, region);
    if check.problems.is_empty() { Ok(policy) } else { Err(RegionFileError { problems: check.problems }) }
}

/// Returns what is wrong with the approvals of a region: rules that nobody can fulfil, so that every proposal that they
/// apply to would lapse. A file with such a rule is not to be put in force; one that is in force already can be read.
#[must_use]
pub fn approvals_of_nobody(region: &Region) -> Vec<RegionProblem> {
    let mut check = Check { problems: Vec::new() };
    check.approvals(&region.policy, region);
    check.problems
}

/// Says whether an approval of some kinds, or of every kind where none is named, is asked for between members of a
/// collaborative. A theatre is proposed with a team that somebody lends, and then the approval of staff is asked of whoever
/// leads the trusts of the theatre.
fn concerns(kinds: &[ResourceKind], one: &Collaborative) -> bool {
    let with_a_team = kinds.contains(&ResourceKind::Staff) && one.shares.contains(&ResourceKind::Theatre);
    kinds.is_empty() || with_a_team || kinds.iter().any(|kind| one.shares.contains(kind))
}

/// Says whether a collaborative joins two trusts for which no lead could approve, be it of another collaborative of theirs.
fn joins_without_lead(one: &Collaborative, region: &Region) -> bool {
    let mut pairs = one.members.iter().flat_map(|a| one.members.range(..a).map(move |b| (*a, *b)));
    one.lead.is_none() && pairs.any(|(a, b)| region.joining(a, b).all(|joint| joint.lead.is_none()))
}

struct Check {
    problems: Vec<RegionProblem>,
}

impl Check {
    fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(RegionProblem { path: path.into(), message: message.into() });
    }

    fn at_most(&mut self, path: &str, value: u32, max: u32) {
        if value > max {
            self.problem(path, format!("must be at most {max}, is {value}"));
        }
    }

    fn region(&mut self, file: File) -> Region {
        self.policy(&file.policy);
        let mut region = Region {
            id: file.region.id,
            name: file.region.name,
            timezone: file.region.timezone,
            resources: file.region.resources,
            policy: file.policy,
            trusts: BTreeMap::new(),
            sites: BTreeMap::new(),
            areas: BTreeMap::new(),
            collaboratives: Vec::new(),
            travel: BTreeMap::new(),
        };
        for kind in region.resources.keys() {
            if !codes::are_regional(*kind) {
                self.problem("region: resources", format!("{kind} codes are national and cannot be listed"));
            }
        }
        for table in file.trust {
            self.trust(&mut region, table);
        }
        self.successors(&region);
        for table in file.site {
            self.site(&mut region, table);
        }
        for table in file.area {
            self.area(&mut region, table);
        }
        for table in file.collaborative {
            self.collaborative(&mut region, table);
        }
        region.collaboratives.sort_by(|a, b| a.id.cmp(&b.id));
        self.agreements(&region.policy, &region);
        for table in file.travel {
            self.travel(&mut region, &table);
        }
        region
    }

    fn policy(&mut self, policy: &Policy) {
        self.at_most("policy: turnover_minutes", policy.turnover_minutes, 240);
        for limit in [Some(policy.opel_limit), policy.incident.opel_limit].into_iter().flatten() {
            if !(1..=5).contains(&limit) {
                self.problem("policy: opel_limit", format!("must be 1 to 5, is {limit}"));
            }
        }
        let again = policy.ask_again_minutes;
        if !(1..=ASK_AGAIN_MINUTES_MAX).contains(&again) {
            self.problem(
                "policy: ask_again_minutes",
                format!("must be 1 to {ASK_AGAIN_MINUTES_MAX}, is {again}"),
            );
        }
        for (path, value) in [
            ("policy: fair_step", policy.fair_step),
            ("policy: delay_points_per_day", policy.delay_points_per_day),
            ("policy: level_points", policy.level_points),
            ("policy: risk_weight", policy.risk_weight),
            ("policy: equity_weight", policy.equity_weight),
            ("policy: keep_points", policy.keep_points),
        ] {
            self.at_most(path, value, POINTS_MAX);
        }
        for points in policy.opel_points {
            self.at_most("policy: opel_points", points, POINTS_MAX);
        }
        for (path, text) in policy.alerts.problems() {
            self.problem(path, text);
        }
        let hours = policy.limit_hours;
        for value in [hours.p1a, hours.p1b, hours.p2, hours.p3, hours.p4] {
            if !(1..=100_000).contains(&value) {
                self.problem("policy: limit_hours", format!("must be 1 to 100,000, is {value}"));
            }
        }
    }

    fn agreements(&mut self, policy: &Policy, region: &Region) {
        let of_incidents = policy.incident.standing_agreement.iter().flatten();
        for agreement in policy.standing_agreement.iter().chain(of_incidents) {
            let path = || format!("policy: standing_agreement {}", agreement.id);
            for trust in std::iter::once(&agreement.trust).chain(&agreement.with) {
                if !region.trusts.contains_key(trust) {
                    self.problem(path(), format!("trust {trust} is not in this file"));
                }
            }
            for code in &agreement.codes {
                let kinds = if agreement.kinds.is_empty() { ResourceKind::ALL } else { &agreement.kinds };
                if !kinds.iter().any(|kind| region.knows_code(*kind, code.as_str())) {
                    self.problem(path(), format!("there is no code {code}"));
                }
            }
        }
    }

    fn approvals(&mut self, policy: &Policy, region: &Region) {
        let routine = policy.approval.iter().map(|rule| (rule, "policy: approval", false));
        let of_incidents = policy.incident.approval.iter().flatten();
        let of_incidents = of_incidents.map(|rule| (rule, "policy: incident: approval", true));
        for (rule, path, is_incident) in routine.chain(of_incidents) {
            match rule.role {
                Role::Icb => {}
                Role::Gold if is_incident => {}
                Role::Gold => {
                    self.problem(path, "gold approves in an incident only: use policy.incident.approval")
                }
                Role::LeadProvider => {
                    let is_concerned =
                        |one: &&Collaborative| concerns(&rule.kinds, one) && joins_without_lead(one, region);
                    for one in region.collaboratives.iter().filter(is_concerned) {
                        let text = format!("collaborative {} has no lead who could approve", one.id);
                        self.problem(path, text);
                    }
                }
                Role::TrustSystem
                | Role::BedManager
                | Role::SiteLead
                | Role::Coordinator
                | Role::Engine
                | Role::Console
                | Role::Auditor
                | Role::PlatformAdmin => {
                    let text =
                        format!("role must be icb, lead_provider or, in an incident, gold, is {}", rule.role);
                    self.problem(path, text);
                }
            }
        }
    }

    fn trust(&mut self, region: &mut Region, table: TrustTable) {
        let path = format!("trust {}", table.ods);
        if let Some(opel) = table.opel
            && !(1..=4).contains(&opel)
        {
            self.problem(format!("{path}: opel"), format!("must be 1 to 4, is {opel}"));
        }
        if let Some(weeks) = table.release_weeks {
            self.at_most(&format!("{path}: release_weeks"), weeks, 52);
        }
        if let Some(allowance) = table.fair_allowance {
            self.at_most(&format!("{path}: fair_allowance"), allowance.get(), UNITS_MAX);
        }
        let successor = match table.successor.as_str() {
            "" => None,
            code => code.parse().map_err(|e| self.problem(format!("{path}: successor"), format!("{e}"))).ok(),
        };
        let mut reserve = BTreeMap::new();
        for (text, units) in table.reserve {
            let path = format!("{path}: reserve {text:?}");
            self.at_most(&path, units.get(), UNITS_MAX);
            match text.parse::<ResourceKey>() {
                Err(shape) => self.problem(path, shape),
                Ok(key) if key.kind == ResourceKind::Theatre => {
                    self.problem(path, "a theatre takes no reserve: it is kept by not offering the session");
                }
                Ok(key) if !region.knows_code(key.kind, key.code.as_str()) => {
                    self.problem(path, format!("{} has no code {}", key.kind, key.code));
                }
                Ok(key) if codes::has_levels(key.kind, key.code.as_str()) != key.level.is_some() => {
                    let needs = if key.level.is_some() { "has no levels" } else { "needs its level, 1 to 3" };
                    self.problem(path, format!("{} {needs}", key.code));
                }
                Ok(key) => {
                    reserve.insert(key, units);
                }
            }
        }
        let trust = Trust {
            name: table.name,
            opel: table.opel,
            fair_allowance: table.fair_allowance,
            successor,
            release_weeks: table.release_weeks,
            reserve,
        };
        if region.trusts.insert(table.ods, trust).is_some() {
            self.problem(path, "stands twice in this file");
        }
    }

    fn successors(&mut self, region: &Region) {
        for (ods, trust) in &region.trusts {
            match trust.successor {
                Some(successor) if successor == *ods => {
                    self.problem(format!("trust {ods}: successor"), "must be another trust");
                }
                Some(successor) if !region.trusts.contains_key(&successor) => {
                    self.problem(
                        format!("trust {ods}: successor"),
                        format!("trust {successor} is not in this file"),
                    );
                }
                Some(_) | None => {}
            }
        }
    }

    fn site(&mut self, region: &mut Region, table: SiteTable) {
        let path = format!("site {}", table.code);
        if !region.trusts.contains_key(&table.trust) {
            self.problem(format!("{path}: trust"), format!("trust {} is not in this file", table.trust));
        }
        self.coordinates(&path, table.lat, table.lon);
        if table.phone.len() > 32
            || table.phone.chars().any(|c| !c.is_ascii_digit() && !"+ ()-ext.".contains(c))
        {
            self.problem(format!("{path}: phone"), "must be a telephone number of at most 32 characters");
        }
        let site = Site {
            trust: table.trust,
            name: table.name,
            coordinates: Coordinates { lat: table.lat, lon: table.lon },
            kind: table.kind,
            phone: table.phone,
        };
        if region.sites.insert(table.code, site).is_some() {
            self.problem(path, "stands twice in this file");
        }
    }

    fn coordinates(&mut self, path: &str, lat: f64, lon: f64) {
        for (name, value, limit) in [("lat", lat, 90.0), ("lon", lon, 180.0)] {
            if !(-limit..=limit).contains(&value) {
                self.problem(format!("{path}: {name}"), format!("must be −{limit} to {limit} degrees"));
            }
        }
    }

    fn area(&mut self, region: &mut Region, table: AreaTable) {
        let path = format!("area {}", table.code);
        if !region.trusts.contains_key(&table.trust) {
            self.problem(format!("{path}: trust"), format!("trust {} is not in this file", table.trust));
        }
        self.coordinates(&path, table.lat, table.lon);
        let coordinates = Coordinates { lat: table.lat, lon: table.lon };
        let area = Area { name: table.name, coordinates, trust: table.trust };
        if region.areas.insert(table.code, area).is_some() {
            self.problem(path, "stands twice in this file");
        }
    }

    fn collaborative(&mut self, region: &mut Region, table: CollaborativeTable) {
        let path = format!("collaborative {}", table.id);
        for member in table.members.iter().chain(&table.lead) {
            if !region.trusts.contains_key(member) {
                self.problem(format!("{path}: members"), format!("trust {member} is not in this file"));
            }
        }
        let members: BTreeSet<_> = table.members.iter().copied().collect();
        if members.len() != table.members.len() {
            self.problem(format!("{path}: members"), "names a trust twice");
        }
        if let Some(lead) = table.lead
            && !members.contains(&lead)
        {
            self.problem(format!("{path}: lead"), format!("trust {lead} is not a member"));
        }
        region.collaboratives.push(Collaborative {
            id: table.id,
            name: table.name,
            kind: table.kind,
            members,
            lead: table.lead,
            shares: table.shares.into_iter().collect(),
            mode: table.mode,
        });
    }

    fn travel(&mut self, region: &mut Region, table: &TravelTable) {
        let path = format!("travel {} to {}", table.from, table.to);
        for site in [table.from, table.to] {
            if !region.sites.contains_key(&site) {
                self.problem(&path, format!("site {site} is not in this file"));
            }
        }
        self.at_most(&path, table.minutes, TRAVEL_MINUTES_MAX);
        if region.travel.insert((table.from, table.to), table.minutes).is_some() {
            self.problem(path, "stands twice in this file");
        }
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
