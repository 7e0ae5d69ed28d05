//! What-ifs: what is to be tried, and what would differ, in numbers and in words.

use std::collections::HashMap;

use fallow_domain::ids::{CollaborativeId, NeedId, OfferId, TrustCode};
use fallow_domain::matching::problem::Problem;
use fallow_domain::matching::simulate::{
    CHANGES_MAX, Change, Misfit, PlacementChange, Remark, Summary, WhatIf, WorseOff,
};
use fallow_domain::need::Need;
use fallow_domain::region::{Mode, Region, file};
use jiff::Timestamp;

use super::codes::Coded;
use super::request::number_to_wire;
use super::{Check, resource, time};
use crate::reasons::{BAD_CODE, INVALID, OUT_OF_RANGE, REQUIRED};
use crate::v1;
use crate::v1::simulated_change::Change as Wire;
use crate::v1::worse_off::{Kind, Who};
use crate::violation::Violations;

/// Most changed placements, and most who are worse off, that one answer lists; more are counted only.
pub const LISTED_MAX: usize = 1_000;
/// Most units that one change adds or takes, minutes for theatres.
const UNITS_MAX: i64 = 10_000;
/// Longest travel limit to try, in minutes.
const TRAVEL_MINUTES_MAX: i64 = 1_440;
/// Longest policy text, in bytes.
const POLICY_BYTES_MAX: usize = 64 * 1024;

/// Parses what is to be tried, every violation at once.
///
/// # Errors
/// Every violation, each with its path, such as `changes[3].close_site`.
pub fn changes(wire: &[v1::SimulatedChange], region: &Region) -> Result<Vec<Change>, Violations> {
    let mut whole = Check::new("");
    if !whole.at_most("changes", wire.len(), CHANGES_MAX) {
        return whole.finish(None);
    }
    let mut parsed = Vec::with_capacity(wire.len());
    for (number, one) in wire.iter().enumerate() {
        match change(one, &format!("changes[{number}]"), region) {
            Ok(change) => parsed.push(change),
            Err(wrong) => whole.add(wrong),
        }
    }
    whole.finish(Some(parsed))
}

/// Says of a change that does not fit the records what a violation says.
#[must_use]
pub fn misfit(misfit: &Misfit) -> Violations {
    Violations::one(format!("changes[{}].{}", misfit.change, misfit.field), INVALID, misfit.text.clone())
}

fn change(wire: &v1::SimulatedChange, path: &str, region: &Region) -> Result<Change, Violations> {
    let inner = |field: &str| format!("{path}.{field}");
    match &wire.change {
        None => Err(Violations::one(path, REQUIRED, "must say what changes")),
        Some(Wire::Units(units)) => {
            let path = inner("units");
            let mut check = Check::new(&path);
            let trust = trust(&mut check, "trust", &units.trust, region);
            let resource = resource::parse(&mut check, units.resource.as_ref(), region, false);
            let by: Option<i32> = check.number("by", units.by, -UNITS_MAX, UNITS_MAX);
            let until = check.time("until", units.until.as_ref());
            let change = match (trust, resource, by) {
                (Some(trust), Some(resource), Some(by)) => Some(Change::Units { trust, resource, by, until }),
                (Some(_) | None, Some(_) | None, Some(_) | None) => None,
            };
            check.finish(change)
        }
        Some(Wire::CloseSite(code)) => {
            let mut check = Check::new(path);
            let known = region.sites.keys().map(|code| code.as_str());
            let code = match check.ods("close_site", code) {
                Some(code) if region.sites.contains_key(&code) => Some(code),
                Some(_) => {
                    check.wrong(
                        "close_site",
                        BAD_CODE,
                        format!("must be a site of this region{}", guess(code, known)),
                    );
                    None
                }
                None => None,
            };
            check.finish(code.map(Change::CloseSite))
        }
        Some(Wire::Opel(opel)) => {
            let path = inner("opel");
            let mut check = Check::new(&path);
            let trust = trust(&mut check, "trust", &opel.trust, region);
            let level: Option<u8> = check.number("opel", opel.opel.into(), 1, 4);
            check.finish(trust.zip(level).map(|(trust, level)| Change::Opel { trust, level }))
        }
        Some(Wire::FeedReturns(code)) => {
            let mut check = Check::new(path);
            let trust = trust(&mut check, "feed_returns", code, region);
            check.finish(trust.map(Change::FeedReturns))
        }
        Some(Wire::TravelLimitMinutes(minutes)) => {
            let mut check = Check::new(path);
            let minutes = check.number("travel_limit_minutes", *minutes, 1, TRAVEL_MINUTES_MAX);
            check.finish(minutes.map(Change::TravelLimit))
        }
        Some(Wire::Demand(demand)) => {
            let path = inner("demand");
            let mut check = Check::new(&path);
            let resource = match &demand.resource {
                None => Some(None),
                Some(one) => resource::parse(&mut check, Some(one), region, false).map(|one| Some(one.key())),
            };
            let thousandths = thousandths(demand.factor);
            if thousandths.is_none() {
                check.wrong("factor", OUT_OF_RANGE, "must be 0 to 10");
            }
            let change = resource
                .zip(thousandths)
                .map(|(resource, thousandths)| Change::Demand { resource, thousandths });
            check.finish(change)
        }
        Some(Wire::PolicyToml(text)) => {
            let mut check = Check::new(path);
            let policy = policy(&mut check, text, region);
            check.finish(policy.map(|policy| Change::Policy(Box::new(policy))))
        }
        Some(Wire::Mode(change)) => {
            let path = inner("mode");
            let mut check = Check::new(&path);
            let collaborative = collaborative(&mut check, &change.collaborative, region);
            let mode: Option<Mode> = check.coded("mode", change.mode);
            let change =
                collaborative.zip(mode).map(|(collaborative, mode)| Change::Mode { collaborative, mode });
            check.finish(change)
        }
    }
}

fn trust(check: &mut Check<'_>, field: &str, text: &str, region: &Region) -> Option<TrustCode> {
    let code: TrustCode = check.ods(field, text)?;
    if region.trusts.contains_key(&code) {
        return Some(code);
    }
    let known = region.trusts.keys().map(|code| code.as_str());
    check.wrong(field, BAD_CODE, format!("must be a trust of this region{}", guess(text, known)));
    None
}

fn collaborative(check: &mut Check<'_>, text: &str, region: &Region) -> Option<CollaborativeId> {
    let id = check.id("collaborative", text, CollaborativeId::parse)?;
    if region.collaboratives.iter().any(|one| one.id == id) {
        return Some(id);
    }
    let known = region.collaboratives.iter().map(|one| one.id.as_str());
    check.wrong(
        "collaborative",
        BAD_CODE,
        format!("must be a collaborative of this region{}", guess(text, known)),
    );
    None
}

fn policy(check: &mut Check<'_>, text: &str, region: &Region) -> Option<fallow_domain::policy::Policy> {
    if text.len() > POLICY_BYTES_MAX {
        check.wrong("policy_toml", OUT_OF_RANGE, format!("must have at most {POLICY_BYTES_MAX} bytes"));
        return None;
    }
    match file::parse_policy(text, region) {
        Ok(policy) => Some(policy),
        Err(error) => {
            for problem in error.problems {
                check.wrong("policy_toml", INVALID, problem.to_string());
            }
            None
        }
    }
}

/// Returns a factor in thousandths, halves away from zero; `None` outside 0 to 10.
fn thousandths(factor: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, reason = "at most 10,000")]
    let whole = |factor: f64| (factor * 1_000.0).round() as i64;
    (0.0..=10.0).contains(&factor).then(|| u32::try_from(whole(factor)).ok()).flatten()
}

/// Names the code that was most likely meant: ": did you mean ZA401?", or nothing.
fn guess<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> String {
    /// Below this likeness a guess confuses more than it helps.
    const LIKENESS: f64 = 0.7;
    let likely = known
        .map(|code| (strsim::jaro_winkler(text, code), code))
        .filter(|(likeness, _)| *likeness > LIKENESS)
        .min_by(|a, b| b.0.total_cmp(&a.0));
    likely.map(|(_, code)| format!(": did you mean {code}?")).unwrap_or_default()
}

/// Where and when a what-if starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The revision; 0 for files.
    pub revision: u64,
    /// The time taken as now.
    pub at: Timestamp,
}

/// Writes what would differ. `shows` says whether the reader may know of a placement between a home and a supporting trust.
#[must_use]
pub fn to_wire(
    what_if: &WhatIf,
    base: &Problem,
    started: Started,
    shows: impl Fn(TrustCode, TrustCode) -> bool,
) -> v1::SimulateResponse {
    let words = Words {
        region: &base.region,
        needs: base.needs.iter().map(|need| (&need.id, &**need)).collect(),
        offers: what_if.trial.offers.iter().map(|offer| (&offer.id, offer.trust)).collect(),
    };
    let changed: Vec<_> = what_if.changed.iter().filter_map(|one| words.placement(one, &shows)).collect();
    let worse: Vec<_> = what_if.worse_off.iter().filter_map(|one| words.worse(one, &shows)).collect();
    let (changed_total, worse_off_total) = (changed.len(), worse.len());
    let worse: Vec<v1::WorseOff> = worse.into_iter().take(LISTED_MAX).collect();
    v1::SimulateResponse {
        before: Some(summary(&what_if.before)),
        after: Some(summary(&what_if.after)),
        changed: changed.into_iter().take(LISTED_MAX).collect(),
        worse_off: worse.iter().map(|one| one.text.clone()).collect(),
        revision: number_to_wire(started.revision),
        at: Some(time::to_wire(started.at)),
        worse,
        remarks: what_if.remarks.iter().map(|remark| words_of(*remark)).collect(),
        changed_total: count(changed_total),
        worse_off_total: count(worse_off_total),
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn summary(sum: &Summary) -> v1::PlanSummary {
    use v1::plan_summary::{BandCount, Margin, Share};
    let part = |thousandths: u32| f64::from(thousandths) / 1_000.0;
    v1::PlanSummary {
        placed: number_to_wire(sum.placed),
        overdue: sum
            .overdue
            .iter()
            .map(|(band, units)| BandCount { priority: band.to_wire(), units: number_to_wire(*units) })
            .collect(),
        median_travel_minutes: sum.median_travel_minutes.unwrap_or(0).into(),
        worst_reserve_margin: sum.worst_reserve.as_ref().map_or(0, |margin| margin.units),
        fairness_spread: part(sum.fairness_spread),
        placed_by_decile: sum.placed_by_decile.iter().map(|units| number_to_wire(*units)).collect(),
        unserved: number_to_wire(sum.unserved),
        worst_reserve: sum.worst_reserve.as_ref().map(|margin| Margin {
            trust: margin.trust.to_string(),
            resource: Some(resource::key_to_wire(&margin.resource)),
            units: margin.units,
        }),
        gives_most: sum
            .gives_most
            .as_ref()
            .map(|most| Share { trust: most.trust.to_string(), share: part(most.thousandths) }),
        placed_decile_unknown: number_to_wire(sum.placed_decile_unknown),
    }
}

/// What is needed to name things.
struct Words<'a> {
    region: &'a Region,
    needs: HashMap<&'a NeedId, &'a Need>,
    /// Whose each offer is, those that the changes added among them.
    offers: HashMap<&'a OfferId, TrustCode>,
}

impl Words<'_> {
    fn trust(&self, code: TrustCode) -> String {
        self.region.trusts.get(&code).map_or_else(|| code.to_string(), |trust| trust.name.to_string())
    }

    fn placement(
        &self,
        one: &PlacementChange,
        shows: &impl Fn(TrustCode, TrustCode) -> bool,
    ) -> Option<v1::PlacementChange> {
        let need = self.needs.get(&one.need)?;
        let side = |offer: &Option<OfferId>| {
            let trust = offer.as_ref().and_then(|offer| self.offers.get(offer).copied());
            let seen = trust.filter(|trust| shows(need.trust, *trust));
            (seen, seen.and(offer.as_ref()).map(ToString::to_string).unwrap_or_default())
        };
        let ((before_trust, before), (after_trust, after)) = (side(&one.before), side(&one.after));
        before_trust.or(after_trust)?;
        let code = |trust: Option<TrustCode>| trust.map(|trust| trust.to_string()).unwrap_or_default();
        Some(v1::PlacementChange {
            need: one.need.to_string(),
            before,
            after,
            units: one.units.into(),
            name: name_of(need),
            home_trust: need.trust.to_string(),
            before_trust: code(before_trust),
            after_trust: code(after_trust),
        })
    }

    fn worse(&self, one: &WorseOff, shows: &impl Fn(TrustCode, TrustCode) -> bool) -> Option<v1::WorseOff> {
        let of_need = |need: &NeedId, kind: Kind, amount: i64, what: String| {
            let found = self.needs.get(need).filter(|need| shows(need.trust, need.trust))?;
            Some(v1::WorseOff {
                who: Some(Who::Need(need.to_string())),
                kind: kind.into(),
                amount,
                resource: None,
                text: format!("{} of {} {what}", name_of(found), self.trust(found.trust)),
            })
        };
        let of_trust = |trust: TrustCode, kind: Kind, amount: i64, what: String| v1::WorseOff {
            who: Some(Who::Trust(trust.to_string())),
            kind: kind.into(),
            amount,
            resource: None,
            text: format!("{} {what}", self.trust(trust)),
        };
        match one {
            WorseOff::Unplaced { need, units } => {
                let what = if *units == 1 { "place".to_owned() } else { format!("{units} places") };
                of_need(need, Kind::Unplaced, (*units).into(), format!("loses its {what}"))
            }
            WorseOff::Later { need, minutes } => {
                of_need(need, Kind::Later, *minutes, format!("waits {} longer", long(*minutes)))
            }
            WorseOff::Farther { need, minutes } => {
                let minutes = i64::from(*minutes);
                of_need(need, Kind::Farther, minutes, format!("travels {minutes} min farther"))
            }
            WorseOff::GivesMore { trust, units } => {
                let (amount, s) = (number_to_wire(*units), if *units == 1 { "" } else { "s" });
                Some(of_trust(*trust, Kind::GivesMore, amount, format!("gives {units} unit{s} more")))
            }
            WorseOff::AtReserve { trust, resource: key } => {
                let what = format!("has no {key} left above its reserve");
                let resource = Some(resource::key_to_wire(key));
                Some(v1::WorseOff { resource, ..of_trust(*trust, Kind::AtReserve, 0, what) })
            }
        }
    }
}

/// Returns what people call a need: its reference, or its id where it has none.
fn name_of(need: &Need) -> String {
    need.case_ref.as_ref().map_or_else(|| need.id.to_string(), ToString::to_string)
}

/// Writes a length of time in the two largest of its units.
fn long(minutes: i64) -> String {
    let (days, hours, left) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    let parts = [(days, "d"), (hours, "h"), (left, "min")];
    let told: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).take(2).map(|(n, unit)| format!("{n} {unit}")).collect();
    if told.is_empty() { "0 min".to_owned() } else { told.join(" ") }
}

/// Says a remark; changes are counted as the request counts them.
fn words_of(remark: Remark) -> String {
    match remark {
        Remark::FewerFree { change, asked, taken } => format!(
            "changes[{change}]: {taken} of {asked} go: no more are free, and what is held or promised stays"
        ),
        Remark::StandingStays { change, units } => {
            format!("changes[{change}]: {units} held for standing proposals stay as they are")
        }
        Remark::ChangesNothing { change } => format!("changes[{change}]: changes nothing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGION: &str = include_str!("../../../../regions/north-vale.toml");

    fn wrong(json: &str) -> Vec<String> {
        let request: v1::SimulateRequest = crate::json::from_str(json).unwrap();
        let region = file::parse(REGION).unwrap();
        changes(&request.changes, &region).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_violation_names_its_field_and_the_likely_code() {
        let found = wrong(
            r#"{"changes":[
                {"close_site":"ZA499"},
                {"units":{"trust":"ZX1","resource":{"kind":"BED","code":"GA_ADULT"},"by":10001}},
                {"opel":{"trust":"ZA1","opel":5}},
                {},
                {"travel_limit_minutes":0},
                {"demand":{"factor":10.5,"resource":{"kind":"BED","code":"SOFA"}}},
                {"policy_toml":"fair_stop = 1"},
                {"mode":{"collaborative":"north-vale-acut"}},
                {"feed_returns":"q"}
            ]}"#,
        );
        let expected = [
            "changes[0].close_site must be a site of this region: did you mean ZA4",
            "changes[1].units.trust must be a trust of this region",
            "changes[1].units.by must be −10,000 to 10,000",
            "changes[2].opel.opel must be 1 to 4",
            "changes[3] must say what changes",
            "changes[4].travel_limit_minutes must be 1 to 1,440",
            "changes[5].demand.resource.code must be a BED code of this region's lists",
            "changes[5].demand.factor must be 0 to 10",
            "changes[6].policy_toml ",
            "changes[7].mode.collaborative must be a collaborative of this region: did you mean north-vale-acute?",
            "changes[7].mode.mode must be one of ROUTINE, INCIDENT",
            "changes[8].feed_returns must be 3 capital letters or digits",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}\n{expected}");
        }
    }

    #[test]
    fn too_many_changes_are_refused_before_they_are_read() {
        let one = r#"{"travel_limit_minutes":0},"#.repeat(CHANGES_MAX + 1);
        let found = wrong(&format!(r#"{{"changes":[{}]}}"#, one.trim_end_matches(',')));
        assert_eq!(found, ["changes must have at most 100 items, has 101"]);
    }

    #[test]
    fn factors_count_to_three_decimals() {
        assert_eq!(
            [0.0, 1.3, 0.0004, 0.0005, 10.0].map(thousandths),
            [Some(0), Some(1_300), Some(0), Some(1), Some(10_000)]
        );
        assert_eq!([-0.1, 10.001, f64::NAN, f64::INFINITY].map(thousandths), [None; 4]);
    }

    #[test]
    fn times_are_told_in_their_two_largest_units() {
        assert_eq!(
            [0, 40, 60, 95, 1_440, 3_000].map(long),
            ["0 min", "40 min", "1 h", "1 h 35 min", "1 d", "2 d 2 h"]
        );
    }
}
