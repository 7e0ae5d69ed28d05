use super::*;
use crate::ids::CollaborativeId;
use crate::matching::examples::{after, labels, need, offer, problem, region, resource};
use crate::need::{NeedState, Priority};
use crate::offer::{OfferState, Sex, Team};
use crate::region::{Mode, Region, SiteKind};
use crate::resource::{Level, Specialty};

struct Case {
    region: Region,
    need: Need,
    offer: Offer,
}

fn case() -> Case {
    Case { region: region(), need: need("N1"), offer: offer("O1") }
}

fn theatre() -> Case {
    let mut case = case();
    case.need.resource = resource(ResourceKind::Theatre, "MAIN");
    case.need.minutes_per_case = 60.into();
    case.offer.resource = resource(ResourceKind::Theatre, "MAIN");
    case.offer.figures.staffed = 240.into();
    case.need.resource.specialties = specialties(&[110]);
    case.offer.resource.specialties = specialties(&[110, 100]);
    case
}

fn slots() -> Case {
    let mut case = case();
    case.need.resource = resource(ResourceKind::Diagnostic, "MRI");
    case.offer.resource = resource(ResourceKind::Diagnostic, "MRI");
    case
}

fn beds(need_code: &str, offer_code: &str) -> Case {
    let mut case = case();
    case.need.resource = resource(ResourceKind::Bed, need_code);
    case.offer.resource = resource(ResourceKind::Bed, offer_code);
    case
}

/// A slot at a surgical hub, in a region whose hubs take no emergencies.
fn fenced() -> Case {
    let mut case = slots();
    case.region.policy.ring_fence = vec![SiteKind::SurgicalHub];
    let site = case.region.sites.get_mut(&case.offer.site).unwrap();
    site.kind = SiteKind::SurgicalHub;
    case
}

fn specialties(codes: &[u16]) -> Vec<Specialty> {
    codes.iter().map(|&code| Specialty::new(code).unwrap()).collect()
}

fn collaborative(id: &str) -> CollaborativeId {
    CollaborativeId::parse(id).unwrap()
}

/// Checks the objections to the pair, and that the index of the plan agrees with them.
fn check(case: Case, expected: &str) {
    let problem = problem(case.region, vec![case.need], vec![case.offer]);
    let found = objections(&problem, &problem.setting(), &problem.needs[0], &problem.offers[0]);
    let codes: Vec<&str> = found.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.join(" "), expected);
    let plan = crate::matching::solve::solve(&problem, None, 10, 0, &mut || false);
    assert_eq!(
        plan.allocations.len(),
        usize::from(expected.is_empty()),
        "{expected}: the plan differs from the rule"
    );
}

/// Starts from a pair that fits, changes it, and names what objects.
macro_rules! table {
    ($($name:ident: $case:expr, $change:expr => $codes:literal;)+) => {
        $(#[test] fn $name() {
            let mut case = $case;
            let change: fn(&mut Case) = $change;
            change(&mut case);
            check(case, $codes);
        })+
    };
}

table! {
    a_plain_bed_fits: case(), |_| {} => "";
    a_plain_session_fits: theatre(), |_| {} => "";
    a_plain_slot_fits: slots(), |_| {} => "";

    ones_own_offer: case(), |c| c.offer.trust = c.need.trust => "SAME_TRUST";

    kind_not_shared: case(), |c| for one in &mut c.region.collaboratives { one.shares.remove(&ResourceKind::Bed); } => "NO_AGREEMENT";
    shared_with_one_that_joins: case(), |c| c.offer.shared_with = vec![collaborative("all")] => "";
    shared_with_one_that_does_not_join: case(), |c| c.offer.shared_with = vec![collaborative("pair")] => "NO_AGREEMENT";
    shared_with_an_unknown_one: case(), |c| c.offer.shared_with = vec![collaborative("nobody")] => "NO_AGREEMENT";
    not_a_member: case(), |c| c.region.collaboratives.retain(|one| one.id.as_str() != "all") => "NO_AGREEMENT";

    another_code: beds("GA_ADULT", "STEP_DOWN"), |_| {} => "WRONG_RESOURCE";
    another_kind: beds("GA_ADULT", "GA_ADULT"), |c| c.offer.resource = resource(ResourceKind::Diagnostic, "MRI") => "WRONG_RESOURCE";

    a_specialty_in_common: case(), |c| {
        c.need.resource.specialties = specialties(&[300, 340]);
        c.offer.resource.specialties = specialties(&[340, 430]);
    } => "";
    no_specialty_in_common: case(), |c| {
        c.need.resource.specialties = specialties(&[300]);
        c.offer.resource.specialties = specialties(&[340]);
    } => "SPECIALTY_MISMATCH";
    the_offer_names_no_specialty: case(), |c| c.need.resource.specialties = specialties(&[300]) => "SPECIALTY_MISMATCH";
    the_need_names_no_specialty: case(), |c| c.offer.resource.specialties = specialties(&[300]) => "";
    a_theatre_need_must_name_one: theatre(), |c| c.need.resource.specialties.clear() => "SPECIALTY_MISMATCH";

    a_capability_is_there: case(), |c| { c.need.requires = labels(&["telemetry"]); c.offer.capabilities = labels(&["hoist", "telemetry"]); } => "";
    a_capability_is_missing: case(), |c| { c.need.requires = labels(&["hoist", "telemetry"]); c.offer.capabilities = labels(&["telemetry"]); } => "CAPABILITY_MISSING";
    isolation_is_missing: case(), |c| c.need.requires = labels(&["isolation"]) => "ISOLATION";
    both_are_missing: case(), |c| c.need.requires = labels(&["isolation", "telemetry"]) => "CAPABILITY_MISSING ISOLATION";
    the_patient_needs_isolation: case(), |c| c.need.patient.isolation = Some(true) => "ISOLATION";
    the_patient_needs_isolation_and_gets_it: case(), |c| { c.need.patient.isolation = Some(true); c.offer.capabilities = labels(&["isolation"]); } => "";
    the_patient_needs_no_isolation: case(), |c| c.need.patient.isolation = Some(false) => "";

    a_lower_level: beds("CC_ADULT", "CC_ADULT"), |c| (c.need.resource.level, c.offer.resource.level) = (Level::new(3), Level::new(2)) => "CARE_LEVEL";
    the_same_level: beds("CC_ADULT", "CC_ADULT"), |c| (c.need.resource.level, c.offer.resource.level) = (Level::new(3), Level::new(3)) => "";
    a_higher_level: beds("CC_ADULT", "CC_ADULT"), |c| (c.need.resource.level, c.offer.resource.level) = (Level::new(2), Level::new(3)) => "";

    another_security: beds("MH_206", "MH_208"), |_| {} => "SECURITY_LEVEL";
    another_security_for_the_young: beds("MH_303", "MH_304"), |_| {} => "SECURITY_LEVEL";
    another_security_and_disability: beds("MH_307", "MH_306"), |_| {} => "SECURITY_LEVEL";
    the_same_security: beds("MH_207", "MH_207"), |_| {} => "";
    security_of_another_group: beds("MH_206", "MH_303"), |_| {} => "WRONG_RESOURCE";

    too_young: case(), |c| (c.need.patient.age, c.offer.limits.age_min) = (Some(15), Some(16)) => "AGE_OR_SEX";
    just_old_enough: case(), |c| (c.need.patient.age, c.offer.limits.age_min) = (Some(16), Some(16)) => "";
    too_old: case(), |c| (c.need.patient.age, c.offer.limits.age_max) = (Some(18), Some(17)) => "AGE_OR_SEX";
    just_young_enough: case(), |c| (c.need.patient.age, c.offer.limits.age_max) = (Some(17), Some(17)) => "";
    newborn_where_only_newborns_go: case(), |c| (c.need.patient.age, c.offer.limits.age_max) = (Some(0), Some(0)) => "";
    age_unknown: case(), |c| c.offer.limits.age_min = Some(16) => "";
    the_other_sex: case(), |c| (c.need.patient.sex, c.offer.limits.sex) = (Some(Sex::Male), Some(Sex::Female)) => "AGE_OR_SEX";
    the_same_sex: case(), |c| (c.need.patient.sex, c.offer.limits.sex) = (Some(Sex::Female), Some(Sex::Female)) => "";
    sex_unknown: case(), |c| c.offer.limits.sex = Some(Sex::Female) => "";

    bmi_above: case(), |c| (c.need.patient.bmi, c.offer.limits.bmi_max) = (Some(41), Some(40)) => "BMI_OR_ASA_LIMIT";
    bmi_at_the_limit: case(), |c| (c.need.patient.bmi, c.offer.limits.bmi_max) = (Some(40), Some(40)) => "";
    bmi_unknown: case(), |c| c.offer.limits.bmi_max = Some(0) => "";
    asa_above: case(), |c| (c.need.patient.asa, c.offer.limits.asa_max) = (Some(3), Some(2)) => "BMI_OR_ASA_LIMIT";
    asa_at_the_limit: case(), |c| (c.need.patient.asa, c.offer.limits.asa_max) = (Some(2), Some(2)) => "";
    asa_unknown: case(), |c| c.offer.limits.asa_max = Some(1) => "";

    // 0.1 degrees of latitude are 32 minutes.
    too_far: case(), |c| c.need.max_travel_minutes = Some(31) => "TOO_FAR";
    just_near_enough: case(), |c| c.need.max_travel_minutes = Some(32) => "";
    a_measured_way: case(), |c| { c.region.travel.insert((c.need.site, c.offer.site), 33); c.need.max_travel_minutes = Some(32); } => "TOO_FAR";
    a_measured_way_back: case(), |c| { c.region.travel.insert((c.offer.site, c.need.site), 33); c.need.max_travel_minutes = Some(32); } => "TOO_FAR";
    measured_both_ways: case(), |c| {
        c.region.travel.insert((c.need.site, c.offer.site), 32);
        c.region.travel.insert((c.offer.site, c.need.site), 99);
        c.need.max_travel_minutes = Some(32);
    } => "";

    starts_too_late: case(), |c| { c.offer.window.from = Some(after(61)); c.need.needed_by = Some(after(60)); } => "TOO_LATE";
    starts_just_in_time: case(), |c| { c.offer.window.from = Some(after(60)); c.need.needed_by = Some(after(60)); } => "";
    started_since_ever: case(), |c| { c.offer.window.from = None; c.need.needed_by = Some(after(60)); } => "";

    bed_ends_as_the_need_starts: case(), |c| c.need.earliest = Some(c.offer.window.until) => "TOO_EARLY";
    bed_ends_a_second_after: case(), |c| { c.offer.window.until = after(61); c.need.earliest = Some(after(60)); } => "";
    bed_ended_before_now: case(), |c| { c.offer.window = crate::offer::Window { from: Some(after(-60)), until: after(0) }; c.need.earliest = Some(after(-90)); } => "TOO_EARLY";
    slot_starts_before_the_need: slots(), |c| { c.need.earliest = Some(after(60)); c.offer.window.from = Some(after(59)); } => "TOO_EARLY";
    slot_starts_with_the_need: slots(), |c| { c.need.earliest = Some(after(60)); c.offer.window.from = Some(after(60)); } => "";
    slot_started_before_now: slots(), |c| { c.need.earliest = Some(after(-60)); c.offer.window.from = Some(after(-1)); } => "TOO_EARLY";
    slot_without_a_start: slots(), |c| c.offer.window.from = None => "TOO_EARLY";
    session_starts_before_the_need: theatre(), |c| c.need.earliest = Some(after(1)) => "TOO_EARLY";

    session_too_short: theatre(), |c| c.need.minutes_per_case = 241.into() => "TOO_SHORT";
    session_just_long_enough: theatre(), |c| c.need.minutes_per_case = 240.into() => "";

    no_team: case(), |c| c.offer.team = Team { staffed: false, needs: labels(&["NURSE"]) } => "TEAM_MISSING";
    the_need_brings_the_team: case(), |c| { c.offer.team = Team { staffed: false, needs: labels(&["NURSE"]) }; c.need.brings_team = true; } => "";

    an_emergency_at_a_ring_fenced_site: fenced(), |c| c.need.priority = Priority::P1B => "RING_FENCED";
    planned_work_at_a_ring_fenced_site: fenced(), |c| c.need.priority = Priority::P2 => "";
    an_emergency_elsewhere: fenced(), |c| { c.need.priority = Priority::P1A; c.region.policy.ring_fence = vec![SiteKind::CommunityHospital]; } => "";

    exactly_two_cadences_old: case(), |c| c.offer.reported_at = after(-7_200) => "";
    older_than_two_cadences: case(), |c| c.offer.reported_at = after(-7_201) => "STALE BELOW_RESERVE";

    suspended: case(), |c| c.offer.state = OfferState::Suspended => "SUSPENDED BELOW_RESERVE";
    withdrawn: case(), |c| c.offer.state = OfferState::Withdrawn => "SUSPENDED BELOW_RESERVE";
    not_yet_released: theatre(), |c| c.offer.release_at = Some(after(1)) => "SUSPENDED";
    just_released: theatre(), |c| c.offer.release_at = Some(after(0)) => "";

    opel_at_the_limit: case(), |c| opel(c, 4) => "TRUST_UNDER_PRESSURE";
    opel_below_the_limit: case(), |c| opel(c, 3) => "";
    a_lower_limit: case(), |c| { opel(c, 3); c.region.policy.opel_limit = 3; } => "TRUST_UNDER_PRESSURE";
    the_limit_of_an_incident: case(), |c| { opel(c, 4); c.region.policy.incident.opel_limit = Some(5); incident(c); } => "";
    the_limit_of_an_incident_elsewhere: case(), |c| { opel(c, 4); c.region.policy.incident.opel_limit = Some(5); } => "TRUST_UNDER_PRESSURE";

    nothing_free: case(), |c| c.offer.figures.occupied = 1.into() => "BELOW_RESERVE";
    all_in_reserve: case(), |c| reserve(c, "BED/GA_ADULT", 1) => "BELOW_RESERVE";
    one_above_the_reserve: case(), |c| { c.offer.figures.staffed = 2.into(); reserve(c, "BED/GA_ADULT", 1); } => "";
    a_reserve_of_another_level: beds("CC_ADULT", "CC_ADULT"), |c| {
        (c.need.resource.level, c.offer.resource.level) = (Level::new(2), Level::new(3));
        reserve(c, "BED/CC_ADULT/2", 5);
    } => "";
    a_reserve_of_the_offers_level: beds("CC_ADULT", "CC_ADULT"), |c| {
        (c.need.resource.level, c.offer.resource.level) = (Level::new(2), Level::new(3));
        reserve(c, "BED/CC_ADULT/3", 1);
    } => "BELOW_RESERVE";

    everything_at_once: theatre(), |c| {
        c.offer.trust = c.need.trust;
        c.need.requires = labels(&["isolation", "robot"]);
        c.need.minutes_per_case = 400.into();
        c.need.max_travel_minutes = Some(1);
        c.offer.state = OfferState::Suspended;
        c.offer.reported_at = after(-86_400);
        opel(c, 4);
        c.region.trusts.get_mut(&"AAA".parse().unwrap()).unwrap().opel = Some(4);
    } => "SAME_TRUST CAPABILITY_MISSING ISOLATION TOO_FAR TOO_SHORT STALE SUSPENDED TRUST_UNDER_PRESSURE";
}

fn opel(case: &mut Case, level: u8) {
    case.region.trusts.get_mut(&case.offer.trust).unwrap().opel = Some(level);
}

fn incident(case: &mut Case) {
    let all = case.region.collaboratives.iter_mut().find(|one| one.id.as_str() == "all");
    all.unwrap().mode = Mode::Incident;
}

fn reserve(case: &mut Case, key: &str, units: u32) {
    let trust = case.region.trusts.get_mut(&case.offer.trust).unwrap();
    trust.reserve.insert(key.parse().unwrap(), units.into());
}

#[test]
fn a_declined_pair_is_not_matched_again() {
    let case = case();
    let mut problem = problem(case.region, vec![case.need], vec![case.offer]);
    problem.declined.insert((problem.needs[0].id.clone(), problem.offers[0].id.clone()));
    let found = objections(&problem, &problem.setting(), &problem.needs[0], &problem.offers[0]);
    assert_eq!(found, [NotUsed::DeclinedBefore]);
    assert_eq!(crate::matching::solve::solve(&problem, None, 0, 0, &mut || false).allocations, []);
}

#[test]
fn only_live_needs_with_units_left_take_part() {
    let placed = |change: fn(&mut Need)| {
        let mut case = case();
        change(&mut case.need);
        let problem = problem(case.region, vec![case.need], vec![case.offer]);
        crate::matching::solve::solve(&problem, None, 0, 0, &mut || false).allocations.len()
    };
    assert_eq!(placed(|_| {}), 1);
    assert_eq!(
        placed(|n| (n.units, n.units_proposed, n.state) = (2.into(), 1.into(), NeedState::Proposed)),
        1
    );
    assert_eq!(placed(|n| (n.units_proposed, n.state) = (1.into(), NeedState::Proposed)), 0);
    assert_eq!(
        placed(|n| (n.units, n.units_committed, n.state) = (2.into(), 1.into(), NeedState::PartAgreed)),
        1
    );
    assert_eq!(placed(|n| n.state = NeedState::OnHold), 0);
    assert_eq!(placed(|n| n.state = NeedState::Withdrawn), 0);
}

#[test]
fn an_offer_could_serve_if_nothing_but_the_age_of_its_figures_objects() {
    let stale = |id: &str, change: &dyn Fn(&mut Offer)| {
        let mut offer = Offer { reported_at: after(-100 * 3_600), ..offer(id) };
        change(&mut offer);
        offer
    };
    let offers = vec![
        stale("old", &|_| ()),
        stale("other", &|offer| offer.resource = resource(ResourceKind::Bed, "MATERNITY")),
        stale("full", &|offer| offer.figures.occupied = offer.figures.staffed),
        stale("unstaffed", &|offer| offer.team.staffed = false),
    ];
    let problem = problem(region(), vec![need("n")], offers);
    let asked = could_serve_if_true(&problem, &problem.needs[0]);
    assert_eq!(asked.iter().map(OfferId::as_str).collect::<Vec<_>>(), ["old", "unstaffed"]);
}
