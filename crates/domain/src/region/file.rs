//! The region file: TOML in, a checked [`Region`] out, with every problem named at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use thiserror::Error;

use super::{Area, Collaborative, CollaborativeKind, Mode, Region, Site, SiteKind, Trust};
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
mod tests {
    use super::*;

    const SMALL: &str = r#"
        [region]
        id = "Y99"
        name = "Small"
        resources = { STAFF = ["ODP"] }
        [[trust]]
        ods = "AAA"
        name = "A"
        opel = 2
        reserve = { "BED/CC_ADULT/3" = 1, "STAFF/ODP" = 2 }
        [[trust]]
        ods = "BBB"
        name = "B"
        successor = "AAA"
        [[site]]
        code = "AAA01"
        trust = "AAA"
        name = "A main"
        lat = 53.0
        lon = -2.0
        kind = "HOSPITAL"
        [[site]]
        code = "BBB01"
        trust = "BBB"
        name = "B main"
        lat = 53.0
        lon = -2.1
        kind = "SURGICAL_HUB"
        phone = "0555 0101"
        [[collaborative]]
        id = "ab"
        name = "A and B"
        kind = "ACUTE"
        members = ["AAA", "BBB"]
        lead = "AAA"
        shares = ["BED"]
        [[travel]]
        from = "AAA01"
        to = "BBB01"
        minutes = 41
    "#;

    fn problems(text: &str) -> Vec<String> {
        parse(text).unwrap_err().problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_whole_file_is_read() {
        let region = parse(SMALL).unwrap();
        let (a, b) = ("AAA01".parse().unwrap(), "BBB01".parse().unwrap());
        assert_eq!(region.travel_minutes(a, b), Some(41));
        assert_eq!(
            region.travel_minutes(b, a),
            Some(41),
            "a measured time holds both ways unless both are given"
        );
        assert_eq!(region.travel_minutes(a, a), Some(5));
        assert_eq!(region.joining("AAA".parse().unwrap(), "BBB".parse().unwrap()).count(), 1);
        assert!(
            region.knows_code(ResourceKind::Staff, "ODP") && !region.knows_code(ResourceKind::Staff, "CHEF")
        );
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let text = SMALL
            .replace("opel = 2", "opel = 5")
            .replace("\"STAFF/ODP\" = 2", "\"THEATRE/MAIN\" = 2, \"BED/CC_ADULT\" = 1, \"BED/SOFA\" = 1")
            .replace("minutes = 41", "minutes = 4100")
            .replace("lat = 53.0\n        lon = -2.1", "lat = 530.0\n        lon = -2.1")
            .replace("lead = \"AAA\"", "lead = \"CCC\"");
        let found = problems(&text).join("\n");
        for expected in [
            "opel",
            "THEATRE/MAIN",
            "needs its level",
            "no code SOFA",
            "at most 1440",
            "site BBB01: lat",
            "trust CCC",
        ] {
            assert!(found.contains(expected), "{expected} in\n{found}");
        }
    }

    #[test]
    fn two_collaboratives_of_one_id_join_only_their_own_members() {
        let text = format!(
            "{SMALL}\n[[trust]]\nods = \"CCC\"\nname = \"C\"\n[[collaborative]]\nid = \"ab\"\nname = \"B and C\"\n\
             kind = \"ACUTE\"\nmembers = [\"BBB\", \"CCC\"]\nshares = [\"BED\"]\n"
        );
        let region = parse(&text).unwrap();
        let joining = |a: &str, b: &str| region.joining(a.parse().unwrap(), b.parse().unwrap()).count();
        assert_eq!((joining("AAA", "BBB"), joining("BBB", "CCC"), joining("AAA", "CCC")), (1, 1, 0));
    }

    #[test]
    fn a_policy_is_read_by_itself() {
        let region = parse(SMALL).unwrap();
        for text in ["[policy]\nfair_step = 7\n", "fair_step = 7\n"] {
            assert_eq!(parse_policy(text, &region).unwrap().fair_step, 7, "{text}");
        }
        for (text, wrong) in [
            ("fair_stop = 7", "fair_stop"),
            ("[policy]\nfair_stop = 7", "fair_stop"),
            ("[policy]\n[region]\nid = \"Y62\"", "region"),
            ("opel_limit = 9", "policy: opel_limit: must be 1 to 5, is 9"),
            (
                "[[standing_agreement]]\nid = \"a\"\ntrust = \"CCC\"\nuntil = \"2027-01-01T00:00:00Z\"",
                "trust CCC is not in this file",
            ),
        ] {
            let error = parse_policy(text, &region).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn unknown_keys_and_duplicates_are_errors() {
        assert!(problems(&SMALL.replace("opel = 2", "opal = 2"))[0].contains("opal"));
        let twice = format!("{SMALL}\n[[trust]]\nods = \"AAA\"\nname = \"A again\"\n");
        assert_eq!(problems(&twice), ["trust AAA: stands twice in this file"]);
    }
}
