use fallow_domain::region::file;
use serde_json::json;

use super::super::offer::tests::REGION;
use super::*;
use crate::json::from_str;
use crate::reasons::{BAD_TEXT, UNKNOWN_VALUE};

fn at() -> Timestamp {
    "2026-11-24T08:00:00Z".parse().unwrap()
}

/// A need with some fields replaced; a replacement of `null` takes the field away.
fn need(changes: serde_json::Value) -> v1::Need {
    let mut whole = json!({
        "case_ref": "LC-118", "site": "ZA101", "resource": {"kind": "BED", "code": "CC_ADULT", "level": 3},
        "priority": "P1A", "needed_by": "2026-11-24T16:00:00Z", "max_travel_minutes": 45,
        "patient": {"age": 0, "sex": "FEMALE"},
    });
    for (field, value) in changes.as_object().unwrap() {
        whole[field] = value.clone();
    }
    from_str(&whole.to_string()).unwrap()
}

fn live(run: impl FnOnce(&Published<'_>) -> Result<Need, Failure>) -> Result<Need, Failure> {
    let region = file::parse(REGION).unwrap();
    run(&Published { region: &region, trust: "ZA1".parse().unwrap(), at: at() })
}

fn raise(wire: &v1::Need) -> Result<Need, Failure> {
    live(|live| published(wire, "need", live, NeedId::parse("n1").unwrap()))
}

fn file_it(wire: &v1::Need) -> Result<Need, Violations> {
    filed(wire, &Filed { region: &file::parse(REGION).unwrap(), at: at() })
}

fn wrong(failure: Failure) -> Vec<String> {
    let Failure::Invalid(list) = failure else { return vec![failure.to_string()] };
    list.iter().map(|v| format!("{} {}", v.field, v.reason)).collect()
}

#[test]
fn a_need_is_taken_with_its_defaults() {
    let raised = raise(&need(json!({}))).unwrap();
    assert_eq!((raised.units.get(), raised.listed_at, raised.earliest), (1, at(), None));
    assert_eq!((raised.patient.age, raised.patient.bmi), (Some(0), None));
    assert_eq!((raised.max_travel_minutes, raised.imd_decile), (Some(45), None));
    assert_eq!((raised.reason, raised.scope), (TransferReason::Capacity, Scope::EpisodeOnly));
}

#[test]
fn every_bad_field_is_named_with_its_reason() {
    let theatre = |minutes: i64| {
        json!({
            "resource": {"kind": "THEATRE", "code": "MAIN", "specialties": ["110"]}, "minutes_per_case": minutes,
        })
    };
    let cases = [
        (json!({"id": "n7"}), "need.id", SERVER_FIELD),
        (json!({"units_proposed": 1}), "need.units_proposed", SERVER_FIELD),
        (json!({"units": -1}), "need.units", OUT_OF_RANGE),
        (json!({"units": 10_001}), "need.units", OUT_OF_RANGE),
        (theatre(0), "need.minutes_per_case", OUT_OF_RANGE),
        (theatre(1_441), "need.minutes_per_case", OUT_OF_RANGE),
        (json!({"minutes_per_case": 30}), "need.minutes_per_case", NOT_APPLICABLE),
        (json!({"brings_team": true}), "need.brings_team", NOT_APPLICABLE),
        (json!({"priority": null}), "need.priority", REQUIRED),
        (json!({"priority": 99}), "need.priority", UNKNOWN_VALUE),
        (json!({"listed_at": "2026-11-24T08:01:01Z"}), "need.listed_at", WINDOW),
        (json!({"needed_by": "2026-11-24T08:00:00Z"}), "need.needed_by", WINDOW),
        (json!({"needed_by": "2028-01-01T00:00:00Z"}), "need.needed_by", WINDOW),
        (json!({"earliest": "2026-11-24T17:00:00Z"}), "need.needed_by", WINDOW),
        (json!({"max_travel_minutes": -1}), "need.max_travel_minutes", OUT_OF_RANGE),
        (json!({"imd_decile": 11}), "need.imd_decile", OUT_OF_RANGE),
        (json!({"patient": {"age": 131}}), "need.patient.age", OUT_OF_RANGE),
        (json!({"patient": {"asa": 0}}), "need.patient.asa", OUT_OF_RANGE),
        (json!({"patient": {"sex": 3}}), "need.patient.sex", UNKNOWN_VALUE),
        (json!({"risk": {"value": 100.5}}), "need.risk.value", OUT_OF_RANGE),
        (json!({"risk": {"value": -1}}), "need.risk.value", OUT_OF_RANGE),
        (json!({"case_ref": "a\nb"}), "need.case_ref", BAD_TEXT),
        (json!({"cost_centre": "x".repeat(65)}), "need.cost_centre", BAD_TEXT),
    ];
    for (changes, field, reason) in cases {
        assert_eq!(
            wrong(raise(&need(changes.clone())).unwrap_err()),
            [format!("{field} {reason}")],
            "{changes}"
        );
    }
}

#[test]
fn scores_that_are_no_numbers_are_refused() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0] {
        let mut wire = need(json!({}));
        wire.risk = Some(v1::Risk { value, ..Default::default() });
        assert_eq!(wrong(raise(&wire).unwrap_err()), ["need.risk.value OUT_OF_RANGE"], "{value}");
    }
}

#[test]
fn an_amendment_changes_what_its_mask_names_and_nothing_else() {
    let before =
        Need { units_proposed: Count::ONE, generation: 4, ..raise(&need(json!({"units": 2}))).unwrap() };
    let change =
        need(json!({"units": 3, "priority": "P4", "max_travel_minutes": 90, "site": "", "resource": null}));
    let mask = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let run = |mask: &[String], change: &v1::Need| live(|live| amended(&before, change, mask, "need", live));

    let after = run(&mask(&["units", "max_travel_minutes"]), &change).unwrap();
    let expected = Need { units: Count::new(3), max_travel_minutes: Some(90), ..before.clone() };
    assert_eq!(after, expected);

    for bad in [&[][..], &["site"], &["state"], &["patient.age"]] {
        let found = wrong(run(&mask(bad), &change).unwrap_err());
        assert!(found.len() == 1 && found[0].starts_with("update_mask "), "{bad:?}: {found:?}");
    }
    let late = need(json!({"needed_by": "2026-11-23T00:00:00Z"}));
    assert_eq!(wrong(run(&mask(&["needed_by"]), &late).unwrap_err()), ["need.needed_by WINDOW"]);
    assert!(AMENDABLE.iter().all(|name| take(&mut v1::Need::default(), &change, name)));
}

#[test]
fn a_filed_need_may_lie_in_the_past_and_what_is_absent_has_its_value() {
    let row = json!({
        "id": "N 1", "trust": "ZA2", "site": "ZA201", "listed_at": "2026-01-01T00:00:00Z", "needed_by": null,
        "minutes_per_case": 30, "max_travel_minutes": 0, "units_committed": 1, "units": 0,
    });
    let filed = file_it(&need(row)).unwrap();
    assert_eq!((filed.state, filed.units.get(), filed.minutes_per_case.get()), (NeedState::Open, 1, 0));
    assert_eq!((filed.needed_by, filed.max_travel_minutes, filed.units_committed.get()), (None, None, 1));

    let bad = need(json!({"id": "", "trust": "ZA1", "priority": null, "units": -2}));
    let found: Vec<_> = file_it(&bad).unwrap_err().into_iter().map(|v| v.field).collect();
    assert_eq!(found, ["id", "units", "priority"]);
}

#[test]
fn what_is_written_files_again_and_hides_the_patient_where_told() {
    let row = json!({
        "id": "n1", "trust": "ZA1", "units": 4, "requires": ["isolation"], "state": "PROPOSED", "units_proposed": 2,
        "listed_at": "2026-11-01T00:00:00Z", "earliest": "2026-11-24T10:00:00Z", "imd_decile": 3,
        "patient": {"age": 5, "bmi": 20, "asa": 2, "isolation": false}, "pathway": "CANCER", "discharge_pathway": "P0",
        "risk": {"value": 12.5, "source": "C2Ai", "at": "2026-11-20T00:00:00Z"}, "fragile_service": true,
        "reason": "REPATRIATION", "scope": "WHOLE_PATHWAY", "home_area": "E08000003", "note": "side room",
        "funding_route": "block", "cost_centre": "C1",
    });
    let need = file_it(&need(row)).unwrap();
    assert_eq!(file_it(&to_wire(&need, 9, true)).unwrap(), need);
    assert_eq!(to_wire(&need, 9, false).patient, None);
}
