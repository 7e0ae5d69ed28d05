use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::v1;

fn read<M: Message + serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<M, JsonError> {
    from_str(&value.to_string())
}

fn written<M: Message + serde::Serialize>(message: &M) -> serde_json::Value {
    serde_json::from_str(&to_string(message).unwrap()).unwrap()
}

fn offer() -> v1::Offer {
    v1::Offer {
        id: "O000001".into(),
        trust: "RJN".into(),
        site: "RJN01".into(),
        resource: Some(v1::Resource {
            kind: v1::ResourceKind::Bed.into(),
            code: "CC_ADULT".into(),
            specialties: vec!["100".into()],
            level: 3,
            level_scheme: v1::LevelScheme::Ics.into(),
        }),
        figures: Some(v1::Figures { staffed: 63, occupied: 49, ..Default::default() }),
        window: Some(v1::Window {
            from: Some(prost_types::Timestamp { seconds: 1_795_681_800, nanos: 0 }),
            until: Some(prost_types::Timestamp { seconds: 1_795_696_200, nanos: 500_000_000 }),
        }),
        limits: Some(v1::Limits {
            age_min: Some(0),
            sex: Some(v1::Sex::Female.into()),
            bmi_max: Some(34),
            ..Default::default()
        }),
        state: v1::offer::State::Open.into(),
        cadence: Some(prost_types::Duration { seconds: 3600, nanos: 0 }),
        ..Default::default()
    }
}

#[test]
fn an_offer_is_written_with_short_names_and_numbers_and_without_defaults() {
    assert_eq!(
        written(&offer()),
        json!({
            "id": "O000001", "trust": "RJN", "site": "RJN01",
            "resource": {"kind": "BED", "code": "CC_ADULT", "specialties": ["100"], "level": 3, "level_scheme": "ICS"},
            "figures": {"staffed": 63, "occupied": 49},
            "window": {"from": "2026-11-26T08:30:00Z", "until": "2026-11-26T12:30:00.5Z"},
            "limits": {"age_min": 0, "sex": "FEMALE", "bmi_max": 34},
            "state": "OPEN", "cadence": "3600s",
        })
    );
}

#[test]
fn what_is_written_is_read_back() {
    assert_eq!(from_str::<v1::Offer>(&to_string(&offer()).unwrap()).unwrap(), offer());
}

#[test]
fn full_proto_json_is_read_too() {
    let full = json!({
        "id": "O000001", "sourceKey": null, "trust": "RJN", "site": "RJN01",
        "resource": {"kind": "RESOURCE_KIND_BED", "code": "CC_ADULT", "specialties": ["100"], "level": "3", "levelScheme": 2},
        "figures": {"staffed": "63", "occupied": 49.0, "held": null},
        "window": {"from": "2026-11-26T09:30:00+01:00", "until": "2026-11-26T12:30:00.500Z"},
        "capabilities": null, "limits": {"ageMin": 0, "sex": "SEX_FEMALE", "bmiMax": "34"}, "team": null,
        "state": "STATE_OPEN", "cadence": "3600.000s",
    });
    assert_eq!(read::<v1::Offer>(full).unwrap(), offer());
}

#[test]
fn what_is_wrong_is_named_with_its_field() {
    let cases = [
        (json!({"colour": "red"}), "", "unknown field `colour`"),
        (json!({"limits": {"age": 3}}), "limits", "unknown field `age`"),
        (json!({"figures": {"staffed": 1.5}}), "figures.staffed", "a whole number"),
        (json!({"figures": {"staffed": "x"}}), "figures.staffed", "a whole number"),
        (
            json!({"figures": {"staffed": 9_223_372_036_854_775_808_u64}}),
            "figures.staffed",
            "a smaller whole number",
        ),
        (json!({"limits": {"age_min": 2_147_483_648_i64}}), "limits.age_min", "a smaller whole number"),
        (json!({"state": "ASLEEP"}), "state", "one of OPEN SUSPENDED"),
        (json!({"window": {"from": "tomorrow"}}), "window.from", "a time such as"),
        (json!({"window": {"from": "2026-11-26T08:30:00"}}), "window.from", "a time such as"),
        (json!({"cadence": "an hour"}), "cadence", "a length of time"),
        (json!({"cadence": "1.s"}), "cadence", "a length of time"),
        (json!({"team": {"staffed": "true"}}), "team.staffed", "a boolean"),
        (json!({"capabilities": ["isolation", null]}), "capabilities[1]", "null"),
        (json!({"capabilities": "isolation"}), "capabilities", "a list"),
        (json!([]), "", "an object"),
    ];
    for (value, path, message) in cases {
        let error = read::<v1::Offer>(value.clone()).unwrap_err();
        assert!(error.message.contains(message), "{value}: {error}");
        assert!(
            error.path.starts_with(path) && (path.is_empty() || !error.path.is_empty()),
            "{value}: {error:?}"
        );
    }
}

#[test]
fn only_finite_numbers_are_read() {
    for text in ["\"NaN\"", "\"Infinity\"", "\"-inf\"", "1e999", "true"] {
        let error = from_str::<v1::Need>(&format!("{{\"risk\":{{\"value\":{text}}}}}")).unwrap_err();
        assert!(error.message.contains("number"), "{text}: {error}");
    }
    assert_eq!(from_str::<v1::Risk>(r#"{"value": "12.5"}"#).unwrap().value, 12.5);
}

#[test]
fn a_field_given_twice_is_refused_under_either_name() {
    let error = from_str::<v1::Offer>(r#"{"source_key": "a", "sourceKey": "b"}"#).unwrap_err();
    assert!(error.message.contains("duplicate field `sourceKey`"), "{error}");
}

#[test]
fn a_choice_is_written_as_its_member_and_refused_twice() {
    let message = v1::WatchOffersResponse {
        item: Some(v1::watch_offers_response::Item::SnapshotDone(v1::SnapshotDone {})),
        cursor: "c".into(),
        revision: 7,
    };
    assert_eq!(written(&message), json!({"snapshot_done": {}, "cursor": "c", "revision": 7}));
    assert_eq!(read::<v1::WatchOffersResponse>(written(&message)).unwrap(), message);
    let error = read::<v1::WatchOffersResponse>(json!({"removed": "O1", "bookmark": {}})).unwrap_err();
    assert!(error.message.contains("more than one `item`"), "{error}");
}

#[test]
fn maps_and_masks_are_read_back() {
    let error = v1::ItemError {
        code: 9,
        numbers: [("free".to_owned(), "0".to_owned())].into(),
        ..Default::default()
    };
    assert_eq!(written(&error), json!({"code": 9, "numbers": {"free": "0"}}));
    assert_eq!(read::<v1::ItemError>(written(&error)).unwrap(), error);
    let amend: v1::AmendNeedRequest = read(json!({"updateMask": "neededBy,max_travel_minutes"})).unwrap();
    assert_eq!(amend.update_mask.as_ref().unwrap().paths, ["needed_by", "max_travel_minutes"]);
    assert_eq!(written(&amend), json!({"update_mask": "needed_by,max_travel_minutes"}));
}

#[test]
fn numbers_that_json_cannot_hold_are_not_written() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let risk = v1::Risk { value, ..Default::default() };
        assert!(to_string(&risk).unwrap_err().message.contains("not a finite number"));
    }
    let late = v1::Risk {
        at: Some(prost_types::Timestamp { seconds: 253_402_300_800, nanos: 0 }),
        ..Default::default()
    };
    assert!(to_string(&late).unwrap_err().message.contains("years 1 to 9999"));
}

proptest! {
    #[test]
    fn any_time_is_read_back(seconds in -62_135_596_800_i64..=253_402_300_799, nanos in 0..1_000_000_000_i32) {
        let risk = v1::Risk { at: Some(prost_types::Timestamp { seconds, nanos }), ..Default::default() };
        prop_assert_eq!(from_str::<v1::Risk>(&to_string(&risk).unwrap()).unwrap(), risk);
    }

    #[test]
    fn any_length_of_time_is_read_back(nanoseconds in any::<i64>()) {
        let cadence = prost_types::Duration {
            seconds: nanoseconds / 1_000_000_000,
            nanos: i32::try_from(nanoseconds % 1_000_000_000).unwrap(),
        };
        let offer = v1::Offer { cadence: Some(cadence), ..Default::default() };
        prop_assert_eq!(from_str::<v1::Offer>(&to_string(&offer).unwrap()).unwrap(), offer);
    }

    #[test]
    fn any_value_is_read_back(
        note in ".*", units in any::<i64>(), level in any::<i32>(), priority in any::<i32>(),
        value in prop::num::f64::NORMAL | prop::num::f64::ZERO, age in any::<Option<i32>>(), team in any::<bool>(),
        requires in prop::collection::vec(".*", 0..4),
    ) {
        // Minus zero is written as zero: no figure of ours tells them apart.
        let value = value + 0.0;
        let need = v1::Need {
            note, units, priority, brings_team: team, requires,
            resource: Some(v1::Resource { level, ..Default::default() }),
            patient: Some(v1::Patient { age, ..Default::default() }),
            risk: Some(v1::Risk { value, ..Default::default() }),
            ..Default::default()
        };
        prop_assert_eq!(from_str::<v1::Need>(&to_string(&need).unwrap()).unwrap(), need);
    }

    #[test]
    fn no_text_stops_the_reader(text in ".*") {
        let _ = from_str::<v1::Need>(&text);
        let _ = from_str::<v1::Offer>(&format!("{{\"figures\":{text}}}"));
    }
}
