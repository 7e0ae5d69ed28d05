//! The cases for which trusts need help: what the night has left, and what arises through the day.

use fallow_api::v1;
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};

use super::{Act, Event, hours, kind_of, resource, sex, wire_time};
use crate::dev::dice::Dice;
use crate::dev::scenario::{Cases, Night, Scenario, trust_of};

/// Number of the day's first case; those of the night are below.
const FIRST_OF_DAY: i64 = 300;
/// Numbers kept for each day.
const A_DAY: i64 = 200;

/// Hours until a patient can be ready for a theatre list: admitted, assessed and fasted.
const BEFORE_THEATRE: i64 = 24;
/// Hours until a patient can be there for a test.
const BEFORE_A_TEST: i64 = 3;

/// A case of the night, and what the night made of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NightCase {
    /// What is needed.
    pub(crate) need: v1::Need,
    /// Minutes since the trusts agreed, as far as the day can tell.
    pub(crate) settled_minutes: i64,
    /// Left to a visitor.
    pub(crate) waits: bool,
}

/// Returns what the night has left.
pub(crate) fn night(scenario: &Scenario) -> Vec<NightCase> {
    let at = scenario.begins_at();
    let case = |case: &Night| NightCase {
        need: night_need(case, at),
        settled_minutes: case.settled,
        waits: case.waits,
    };
    scenario.night.iter().map(case).collect()
}

fn night_need(case: &Night, at: Timestamp) -> v1::Need {
    let isolation = case.isolation.then_some(true);
    v1::Need {
        case_ref: case.case_ref.clone(),
        site: case.site.clone(),
        resource: Some(resource(&case.resource, &case.specialties)),
        units: case.units,
        minutes_per_case: case.minutes,
        priority: coded("PRIORITY", &case.band, v1::Priority::from_str_name),
        listed_at: wire_time(hours(at, -case.waited_hours)),
        earliest: earliest(&case.resource, at),
        needed_by: wire_time(hours(at, case.within_hours)),
        patient: patient(case.age, case.sex.as_deref().map(sex), isolation),
        max_travel_minutes: case.travel,
        home_area: case.home.clone(),
        reason: coded(
            "TRANSFER_REASON",
            case.reason.as_deref().unwrap_or("CAPACITY"),
            v1::TransferReason::from_str_name,
        ),
        scope: coded("SCOPE", &case.scope, v1::Scope::from_str_name),
        pathway: case.pathway.as_deref().map_or(0, |name| coded("PATHWAY", name, v1::Pathway::from_str_name)),
        discharge_pathway: discharge(case.discharge.as_deref()),
        note: case.note.clone(),
        ..Default::default()
    }
}

/// Returns the cases that arise on a day, numbered in the order in which they do.
pub(super) fn of_day(scenario: &Scenario, seed: u64, day: i64) -> Vec<Event> {
    let mut arising = Vec::new();
    for (sort, cases) in scenario.cases.iter().enumerate() {
        for turn in 0..cases.a_day {
            let mut dice = Dice::named(seed, &format!("case {sort} {turn} day {day}"));
            let hour = i8::try_from(dice.weighted(&scenario.busy)).unwrap_or(0);
            let seconds = SignedDuration::from_secs(dice.between(0, 3_599));
            let Ok(at) = scenario.on_day(day, Time::constant(hour, 0, 0, 0)).map(|at| at + seconds) else {
                continue;
            };
            arising.push((at, cases, dice));
        }
    }
    arising.sort_by_key(|(at, ..)| *at);
    let numbered = (FIRST_OF_DAY + day * A_DAY..).zip(arising);
    numbered
        .map(|(number, (at, cases, mut dice))| {
            let need = Box::new(need(cases, number, at, &mut dice));
            Event { at, trust: trust_of(&need.site).to_owned(), act: Act::Raise(need) }
        })
        .collect()
}

fn need(cases: &Cases, number: i64, at: Timestamp, dice: &mut Dice) -> v1::Need {
    let units = dice.pick(&cases.units).copied().unwrap_or(1);
    let age = cases.ages.map(|(youngest, oldest)| dice.between(youngest, oldest));
    let is_female = dice.chance(52);
    let sexed = cases.sexed.then(|| sex(if is_female { "FEMALE" } else { "MALE" }));
    let isolation = dice.chance(cases.isolation).then_some(true);
    // Of several patients only what all share is said.
    let age = age.filter(|_| units == 1).and_then(|age| i32::try_from(age).ok());
    let band = dice.pick(&cases.bands).map_or("", String::as_str);
    v1::Need {
        case_ref: format!("{}-{number}", cases.prefix),
        site: dice.pick(&cases.sites).cloned().unwrap_or_default(),
        resource: Some(resource(&cases.resource, &cases.specialties)),
        units,
        minutes_per_case: dice.pick(&cases.minutes).copied().unwrap_or(0),
        priority: coded("PRIORITY", band, v1::Priority::from_str_name),
        listed_at: wire_time(hours(at, -dice.between(cases.waited_hours.0, cases.waited_hours.1))),
        earliest: earliest(&cases.resource, at),
        needed_by: wire_time(hours(at, dice.between(cases.within_hours.0, cases.within_hours.1))),
        patient: patient(age, sexed, isolation),
        max_travel_minutes: dice.pick(&cases.travel).copied().unwrap_or(0),
        imd_decile: i32::try_from(dice.between(1, 10)).unwrap_or(0),
        reason: coded("TRANSFER_REASON", &cases.reason, v1::TransferReason::from_str_name),
        scope: coded("SCOPE", &cases.scope, v1::Scope::from_str_name),
        pathway: cases
            .pathway
            .as_deref()
            .map_or(0, |name| coded("PATHWAY", name, v1::Pathway::from_str_name)),
        discharge_pathway: discharge(cases.discharge.as_deref()),
        ..Default::default()
    }
}

/// Returns from when on a need of some kind can be met; `None` = at once.
fn earliest(resource: &str, at: Timestamp) -> Option<prost_types::Timestamp> {
    let ahead = match kind_of(resource) {
        v1::ResourceKind::Theatre => BEFORE_THEATRE,
        v1::ResourceKind::Diagnostic => BEFORE_A_TEST,
        v1::ResourceKind::Unspecified
        | v1::ResourceKind::Bed
        | v1::ResourceKind::Staff
        | v1::ResourceKind::Equipment
        | v1::ResourceKind::VirtualWard => return None,
    };
    wire_time(hours(at, ahead))
}

fn patient(age: Option<i32>, sex: Option<i32>, isolation: Option<bool>) -> Option<v1::Patient> {
    let patient = v1::Patient { age, sex, isolation, ..Default::default() };
    (patient != v1::Patient::default()).then_some(patient)
}

fn discharge(name: Option<&str>) -> i32 {
    name.map_or(0, |name| coded("DISCHARGE_PATHWAY", name, v1::DischargePathway::from_str_name))
}

/// Returns the number of a name that the scenario gives without its prefix; 0, which the services refuse where they need
/// one, when there is none.
fn coded<T: Into<i32>>(prefix: &str, name: &str, find: fn(&str) -> Option<T>) -> i32 {
    find(&format!("{prefix}_{name}")).map_or(0, Into::into)
}
