//! Needs.

use fallow_domain::ids::{NeedId, SiteCode, TrustCode};
use fallow_domain::need::{Need, NeedState, Patient, Risk, Scope, TransferReason, Validation};
use fallow_domain::offer::Sex;
use fallow_domain::quantity::Count;
use fallow_domain::region::FromHome;
use fallow_domain::resource::{Resource, ResourceKind};
use jiff::{SignedDuration, Timestamp};

use super::codes::{Coded, or_unspecified};
use super::offer::{join, own_trust};
use super::time::to_wire as time_to_wire;
use super::{AHEAD_DAYS_MAX, Check, FIGURE_MAX, FILED_FIGURE_MAX, Filed, Published, resource};
use crate::reasons::{NOT_APPLICABLE, OUT_OF_RANGE, REQUIRED, SERVER_FIELD, WINDOW};
use crate::status::Failure;
use crate::v1;
use crate::violation::Violations;

/// Longest case and longest travel of live needs: a day.
const DAY_MINUTES: i64 = 1_440;
/// How far ahead of ours a trust's clock may be.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Parses a need that a trust raises, as `prefix` names it in the request; `id` is the fresh id it gets.
///
/// # Errors
/// `Forbidden` when it names another trust; else every violation at once.
pub fn published(wire: &v1::Need, prefix: &str, live: &Published<'_>, id: NeedId) -> Result<Need, Failure> {
    own_trust(&wire.trust, live.trust, &join(prefix, "trust"))?;
    let mut check = Check::new(prefix);
    written_by_the_server(&mut check, wire);
    let need = live_facts(&mut check, wire, live, id);
    Ok(check.finish(need)?)
}

/// Parses a need as a caller wants it amended: `current`, with the fields that `mask` names taken from `wire`.
///
/// # Errors
/// `Forbidden` when it names another trust; else every violation at once, an unknown name in the mask among them.
pub fn amended(
    current: &Need,
    wire: &v1::Need,
    mask: &[String],
    prefix: &str,
    live: &Published<'_>,
) -> Result<Need, Failure> {
    own_trust(&wire.trust, live.trust, &join(prefix, "trust"))?;
    // The rest comes from the record, so that the whole is checked as one.
    let mut whole = to_wire(current, 0, true);
    let mut wrong = Violations::new();
    if mask.is_empty() {
        wrong.add("update_mask", REQUIRED, "must name the fields to change");
    }
    for name in mask {
        if !take(&mut whole, wire, name) {
            let text = format!("must name fields that can be amended: {}", AMENDABLE.join(", "));
            wrong.add("update_mask", OUT_OF_RANGE, text);
            break;
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    let mut check = Check::new(prefix);
    let wanted = live_facts(&mut check, &whole, live, current.id.clone());
    let wanted = check.finish(wanted)?;
    Ok(Need {
        state: current.state,
        review_at: current.review_at,
        units_proposed: current.units_proposed,
        units_committed: current.units_committed,
        units_arrived: current.units_arrived,
        raised_at: current.raised_at,
        agreed_at: current.agreed_at,
        from_home: current.from_home,
        validation: current.validation.clone(),
        generation: current.generation,
        ..wanted
    })
}

/// The names that an update mask may hold.
pub const AMENDABLE: &[&str] = &[
    "units",
    "minutes_per_case",
    "priority",
    "earliest",
    "needed_by",
    "requires",
    "patient",
    "max_travel_minutes",
    "risk",
    "brings_team",
    "fragile_service",
    "scope",
    "pathway",
    "discharge_pathway",
    "funding_route",
    "cost_centre",
    "note",
];

/// Takes one field from `wire`; says whether there is one of that name.
fn take(whole: &mut v1::Need, wire: &v1::Need, name: &str) -> bool {
    match name {
        "units" => whole.units = wire.units,
        "minutes_per_case" => whole.minutes_per_case = wire.minutes_per_case,
        "priority" => whole.priority = wire.priority,
        "earliest" => whole.earliest = wire.earliest,
        "needed_by" => whole.needed_by = wire.needed_by,
        "requires" => whole.requires.clone_from(&wire.requires),
        "patient" => whole.patient = wire.patient,
        "max_travel_minutes" => whole.max_travel_minutes = wire.max_travel_minutes,
        "risk" => whole.risk.clone_from(&wire.risk),
        "brings_team" => whole.brings_team = wire.brings_team,
        "fragile_service" => whole.fragile_service = wire.fragile_service,
        "scope" => whole.scope = wire.scope,
        "pathway" => whole.pathway = wire.pathway,
        "discharge_pathway" => whole.discharge_pathway = wire.discharge_pathway,
        "funding_route" => whole.funding_route.clone_from(&wire.funding_route),
        "cost_centre" => whole.cost_centre.clone_from(&wire.cost_centre),
        "note" => whole.note.clone_from(&wire.note),
        _ => return false,
    }
    true
}

/// Parses a need of a file.
///
/// # Errors
/// Every violation at once.
pub fn filed(wire: &v1::Need, file: &Filed<'_>) -> Result<Need, Violations> {
    let mut check = Check::new("");
    let id = check.id("id", &wire.id, NeedId::parse_any_text);
    let trust = check.trust("trust", &wire.trust, file.region);
    let site = check.site("site", &wire.site, trust, file.region);
    let resource = resource::parse(&mut check, wire.resource.as_ref(), file.region, true);
    let listed_at = check.time("listed_at", wire.listed_at.as_ref()).unwrap_or(file.at);
    let bounds = Bounds { units: FILED_FIGURE_MAX, minutes: FILED_FIGURE_MAX, risk: None };
    let kind = resource.as_ref().map(|resource| resource.kind);
    let head = match (id, trust, site, resource) {
        (Some(id), Some(trust), Some(site), Some(resource)) => {
            Some(Head { id, trust, site, resource, listed_at })
        }
        _ => None,
    };
    let need = body(&mut check, wire, head, kind, &bounds);
    let state = check.optional_coded("state", wire.state).unwrap_or(NeedState::Open);
    let review_at = check.time("review_at", wire.review_at.as_ref());
    let units_proposed = check.count("units_proposed", wire.units_proposed, FILED_FIGURE_MAX);
    let units_committed = check.count("units_committed", wire.units_committed, FILED_FIGURE_MAX);
    let units_arrived = check.count("units_arrived", wire.units_arrived, FILED_FIGURE_MAX);
    check.finish(need.map(|need| Need {
        state,
        review_at,
        units_proposed,
        units_committed,
        units_arrived,
        ..need
    }))
}

/// Writes a need for the wire; what is known of the patient only where `shows_patient` says so.
#[must_use]
pub fn to_wire(need: &Need, revision: u64, shows_patient: bool) -> v1::Need {
    let number = |count: Count| i64::from(count.get());
    v1::Need {
        id: need.id.to_string(),
        case_ref: need.case_ref.as_ref().map(ToString::to_string).unwrap_or_default(),
        trust: need.trust.to_string(),
        site: need.site.to_string(),
        resource: Some(resource::to_wire(&need.resource)),
        units: number(need.units),
        minutes_per_case: number(need.minutes_per_case),
        priority: need.priority.to_wire(),
        listed_at: Some(time_to_wire(need.listed_at)),
        earliest: need.earliest.map(time_to_wire),
        needed_by: need.needed_by.map(time_to_wire),
        requires: need.requires.iter().map(ToString::to_string).collect(),
        patient: (shows_patient && !need.patient.is_unknown()).then(|| patient_to_wire(&need.patient)),
        max_travel_minutes: need.max_travel_minutes.map_or(0, i64::from),
        imd_decile: need.imd_decile.map_or(0, i32::from),
        risk: need.risk.as_ref().map(|risk| v1::Risk {
            value: risk.value,
            source: risk.source.to_string(),
            at: risk.at.map(time_to_wire),
        }),
        reason: need.reason.to_wire(),
        scope: need.scope.to_wire(),
        fragile_service: need.fragile_service,
        brings_team: need.brings_team,
        home_area: need.home_area.to_string(),
        pathway: or_unspecified(need.pathway),
        discharge_pathway: or_unspecified(need.discharge_pathway),
        funding_route: need.funding_route.to_string(),
        cost_centre: need.cost_centre.to_string(),
        state: need.state.to_wire(),
        units_proposed: number(need.units_proposed),
        units_committed: number(need.units_committed),
        units_arrived: number(need.units_arrived),
        note: need.note.to_string(),
        revision: super::request::number_to_wire(revision),
        review_at: need.review_at.map(time_to_wire),
        raised_at: need.raised_at.map(time_to_wire),
        agreed_at: need.agreed_at.map(time_to_wire),
        from_home: need.from_home.map(from_home_to_wire),
        away_since: need.away_since.map(time_to_wire),
        cohort: need.cohort.to_string(),
        validation: (!need.validation.is_empty()).then(|| validation_to_wire(&need.validation)),
    }
}

/// Writes how far from home a place is.
pub(super) fn from_home_to_wire(from: FromHome) -> v1::FromHome {
    v1::FromHome { kilometres: from.kilometres.into(), out_of_area: from.out_of_area }
}

fn validation_to_wire(validation: &Validation) -> v1::Validation {
    let (asked, said) = (validation.asked.as_ref(), validation.said.as_ref());
    v1::Validation {
        asked_at: asked.map(|asked| time_to_wire(asked.at)),
        asked_by_trust: asked.and_then(|asked| asked.by.trust).map(|ods| ods.to_string()).unwrap_or_default(),
        asked_by_role: asked.map(|asked| asked.by.role.to_string()).unwrap_or_default(),
        validated_at: said.map(|said| time_to_wire(said.at)),
        consented: said.is_some_and(|said| said.consented),
        fit: said.is_some_and(|said| said.fit),
    }
}

fn written_by_the_server(check: &mut Check<'_>, wire: &v1::Need) {
    for (field, given) in [
        ("id", !wire.id.is_empty()),
        ("state", wire.state != 0),
        ("units_proposed", wire.units_proposed != 0),
        ("units_committed", wire.units_committed != 0),
        ("units_arrived", wire.units_arrived != 0),
        ("revision", wire.revision != 0),
        ("review_at", wire.review_at.is_some()),
        ("raised_at", wire.raised_at.is_some()),
        ("agreed_at", wire.agreed_at.is_some()),
        ("from_home", wire.from_home.is_some()),
        ("validation", wire.validation.is_some()),
    ] {
        if given {
            check.wrong(field, SERVER_FIELD, "must be left out: the server writes it");
        }
    }
}

fn live_facts(check: &mut Check<'_>, wire: &v1::Need, live: &Published<'_>, id: NeedId) -> Option<Need> {
    let site = check.site("site", &wire.site, Some(live.trust), live.region);
    let resource = resource::parse(check, wire.resource.as_ref(), live.region, true);
    let listed_at = check.time("listed_at", wire.listed_at.as_ref()).unwrap_or(live.at);
    if listed_at.duration_since(live.at) > CLOCK_SKEW {
        check.wrong("listed_at", WINDOW, "must not be in the future");
    }
    let away_since = check.time("away_since", wire.away_since.as_ref());
    if away_since.is_some_and(|since| since.duration_since(live.at) > CLOCK_SKEW) {
        check.wrong("away_since", WINDOW, "must not be in the future");
    }
    let bounds = Bounds { units: FIGURE_MAX, minutes: DAY_MINUTES, risk: Some((0.0, 100.0)) };
    ahead(check, wire, live.at);
    if let Some(resource) = &resource
        && resource.kind != ResourceKind::Theatre
    {
        if wire.minutes_per_case != 0 {
            check.wrong(
                "minutes_per_case",
                NOT_APPLICABLE,
                "must be left out: only theatre cases have minutes",
            );
        }
        if wire.brings_team {
            check.wrong("brings_team", NOT_APPLICABLE, "must be left out: only theatre cases bring a team");
        }
    }
    let kind = resource.as_ref().map(|resource| resource.kind);
    let head = match (site, resource) {
        (Some(site), Some(resource)) => Some(Head { id, trust: live.trust, site, resource, listed_at }),
        _ => None,
    };
    let need = body(check, wire, head, kind, &bounds)?;
    Some(Need { from_home: live.region.from_home(&need.home_area, need.site), ..need })
}

/// Checks the times of a live need: to be met in the future, after it can begin, and not too far ahead.
fn ahead(check: &mut Check<'_>, wire: &v1::Need, at: Timestamp) {
    let furthest = SignedDuration::from_hours(24 * AHEAD_DAYS_MAX);
    let time = |time: &Option<prost_types::Timestamp>| time.as_ref().and_then(super::time::from_wire);
    let (earliest, needed_by) = (time(&wire.earliest), time(&wire.needed_by));
    if earliest.is_some_and(|earliest| earliest.duration_since(at) > furthest) {
        check.wrong("earliest", WINDOW, format!("must be at most {AHEAD_DAYS_MAX} days ahead"));
    }
    match needed_by {
        Some(by) if by <= at => check.wrong("needed_by", WINDOW, "must be in the future"),
        Some(by) if by.duration_since(at) > furthest => {
            check.wrong("needed_by", WINDOW, format!("must be at most {AHEAD_DAYS_MAX} days ahead"));
        }
        Some(by) if earliest.is_some_and(|earliest| by < earliest) => {
            check.wrong("needed_by", WINDOW, "must not be before `earliest`");
        }
        Some(_) | None => {}
    }
}

/// How great the numbers of a need may be.
struct Bounds {
    units: i64,
    minutes: i64,
    /// `None` = any finite score; the engine counts it between 0 and 100.
    risk: Option<(f64, f64)>,
}

/// What a need is about, once it is known.
struct Head {
    id: NeedId,
    trust: TrustCode,
    site: SiteCode,
    resource: Resource,
    listed_at: Timestamp,
}

/// Parses what both doors read alike. Without a head everything is checked all the same.
fn body(
    check: &mut Check<'_>,
    wire: &v1::Need,
    head: Option<Head>,
    kind: Option<ResourceKind>,
    bounds: &Bounds,
) -> Option<Need> {
    let units = if wire.units == 0 { Some(1) } else { check.number("units", wire.units, 1, bounds.units) };
    let minutes = match kind {
        Some(ResourceKind::Theatre) => {
            check.number("minutes_per_case", wire.minutes_per_case, 1, bounds.minutes).map(Count::new)
        }
        Some(_) | None => Some(Count::ZERO),
    };
    let priority = check.coded("priority", wire.priority);
    let earliest = check.time("earliest", wire.earliest.as_ref());
    let needed_by = check.time("needed_by", wire.needed_by.as_ref());
    let requires = check.labels("requires", &wire.requires);
    let patient = patient(check, wire.patient.as_ref());
    let travel: Option<u32> = check.number("max_travel_minutes", wire.max_travel_minutes, 0, bounds.minutes);
    let decile: Option<u8> = check.number("imd_decile", wire.imd_decile.into(), 0, 10);
    let risk = risk(check, wire.risk.as_ref(), bounds);
    let reason = check.optional_coded("reason", wire.reason).unwrap_or(TransferReason::Capacity);
    let scope = check.optional_coded("scope", wire.scope).unwrap_or(Scope::EpisodeOnly);
    let pathway = check.optional_coded("pathway", wire.pathway);
    let discharge_pathway = check.optional_coded("discharge_pathway", wire.discharge_pathway);
    let case_ref = Some(check.text("case_ref", &wire.case_ref)).filter(|case| !case.is_empty());
    let home_area = check.text("home_area", &wire.home_area);
    let funding_route = check.text("funding_route", &wire.funding_route);
    let cost_centre = check.text("cost_centre", &wire.cost_centre);
    let note = check.text("note", &wire.note);
    let (cohort, away_since) =
        (check.text("cohort", &wire.cohort), check.time("away_since", wire.away_since.as_ref()));
    let Head { id, trust, site, resource, listed_at } = head?;
    Some(Need {
        id,
        case_ref,
        trust,
        site,
        resource,
        units: Count::new(units?),
        minutes_per_case: minutes?,
        priority: priority?,
        listed_at,
        earliest,
        needed_by,
        requires,
        patient,
        max_travel_minutes: travel.filter(|minutes| *minutes > 0),
        imd_decile: decile.filter(|decile| *decile > 0),
        risk,
        reason,
        scope,
        fragile_service: wire.fragile_service,
        brings_team: wire.brings_team,
        home_area,
        from_home: None,
        away_since,
        cohort,
        validation: Validation::default(),
        pathway,
        discharge_pathway,
        funding_route,
        cost_centre,
        state: NeedState::Open,
        review_at: None,
        units_proposed: Count::ZERO,
        units_committed: Count::ZERO,
        units_arrived: Count::ZERO,
        raised_at: None,
        agreed_at: None,
        note,
        generation: 0,
    })
}

fn patient(check: &mut Check<'_>, wire: Option<&v1::Patient>) -> Patient {
    let Some(wire) = wire else { return Patient::default() };
    Patient {
        age: check.optional("patient.age", wire.age, 0, 130),
        sex: wire.sex.and_then(|sex| check.optional_coded::<Sex>("patient.sex", sex)),
        bmi: check.optional("patient.bmi", wire.bmi, 0, 200),
        asa: check.optional("patient.asa", wire.asa, 1, 6),
        isolation: wire.isolation,
    }
}

fn patient_to_wire(patient: &Patient) -> v1::Patient {
    // All of these were at most 200 when they were parsed.
    let small = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
    v1::Patient {
        age: small(patient.age),
        sex: patient.sex.map(Coded::to_wire),
        bmi: small(patient.bmi),
        asa: small(patient.asa),
        isolation: patient.isolation,
    }
}

fn risk(check: &mut Check<'_>, wire: Option<&v1::Risk>, bounds: &Bounds) -> Option<Risk> {
    let wire = wire?;
    let at = check.time("risk.at", wire.at.as_ref());
    let source = check.text("risk.source", &wire.source);
    let fits = match bounds.risk {
        Some((min, max)) => {
            (min..=max).contains(&wire.value) && !(wire.value == 0.0 && wire.value.is_sign_negative())
        }
        None => wire.value.is_finite(),
    };
    if !fits {
        check.wrong("risk.value", OUT_OF_RANGE, "must be a number from 0 to 100");
    }
    fits.then_some(Risk { value: wire.value, source, at })
}

#[cfg(test)]
mod tests;
