use fallow_domain::region::file;
use serde_json::json;

use super::*;
use crate::json::from_str;
use crate::reasons::{BAD_CODE, BAD_TEXT, OUT_OF_RANGE, SITE_NOT_OF_TRUST, TOO_MANY, UNKNOWN_VALUE};

pub(in crate::convert) const REGION: &str = r#"
    [region]
    id = "Y99"
    name = "Small"
    resources = { STAFF = ["ODP"] }
    [[trust]]
    ods = "ZA1"
    name = "Aldermoor"
    [[trust]]
    ods = "ZA2"
    name = "Brackwater"
    [[site]]
    code = "ZA101"
    trust = "ZA1"
    name = "Aldermoor Royal"
    lat = 53.0
    lon = -2.0
    kind = "HOSPITAL"
    [[site]]
    code = "ZA201"
    trust = "ZA2"
    name = "Brackwater General"
    lat = 53.0
    lon = -2.1
    kind = "HOSPITAL"
    [[collaborative]]
    id = "vale"
    name = "Vale"
    kind = "ACUTE"
    members = ["ZA1", "ZA2"]
    shares = ["BED"]
    [[collaborative]]
    id = "alone"
    name = "Alone"
    kind = "ACUTE"
    members = ["ZA2"]
    shares = ["BED"]
"#;

fn at() -> Timestamp {
    "2026-11-24T08:00:00Z".parse().unwrap()
}

/// An offer with some fields replaced; a replacement of `null` takes the field away.
fn offer(changes: serde_json::Value) -> v1::Offer {
    let mut whole = json!({
        "source_key": "L2", "site": "ZA101", "resource": {"kind": "BED", "code": "GA_ADULT"},
        "figures": {"staffed": 14, "occupied": 11, "blocked": 1},
        "window": {"until": "2026-11-24T20:00:00Z"}, "cadence": "3600s",
    });
    for (field, value) in changes.as_object().unwrap() {
        whole[field] = value.clone();
    }
    from_str(&whole.to_string()).unwrap()
}

fn publish(wire: &v1::Offer) -> Result<OfferReport, Failure> {
    let region = file::parse(REGION).unwrap();
    let live = Published { region: &region, trust: "ZA1".parse().unwrap(), at: at() };
    published(wire, "offer", &live, Source::Person)
}

fn file_it(wire: &v1::Offer) -> Result<Offer, Violations> {
    filed(wire, &Filed { region: &file::parse(REGION).unwrap(), at: at() })
}

/// The violations as `field reason`.
fn wrong(failure: Failure) -> Vec<String> {
    let Failure::Invalid(list) = failure else { return vec![failure.to_string()] };
    list.iter().map(|v| format!("{} {}", v.field, v.reason)).collect()
}

#[test]
fn a_report_is_taken_with_its_defaults() {
    let report = publish(&offer(json!({"capabilities": ["hoist", "isolation", "hoist"]}))).unwrap();
    assert_eq!((report.staffed.get(), report.occupied.get(), report.blocked.get()), (14, 11, 1));
    assert_eq!((report.reported_at, report.source, report.source_seq), (at(), Source::Person, None));
    assert!(report.team.staffed && report.limits.is_open() && report.shared_with.is_empty());
    assert_eq!(report.capabilities.iter().map(|c| c.as_str()).collect::<Vec<_>>(), ["hoist", "isolation"]);
    assert_eq!(report.window.from, None);
}

#[test]
fn every_bad_field_is_named_with_its_reason() {
    let long: Vec<_> = (0..51).map(|n| n.to_string()).collect();
    let figures = |n: serde_json::Value| json!({"figures": {"staffed": n}});
    let window = |from: &str, until: &str| json!({"window": {"from": from, "until": until}});
    let resource = |kind: &str, code: &str| json!({"resource": {"kind": kind, "code": code}});
    let cases = [
        (json!({"site": ""}), "offer.site", REQUIRED),
        (json!({"site": "za101"}), "offer.site", BAD_CODE),
        (json!({"site": "ZA201"}), "offer.site", SITE_NOT_OF_TRUST),
        (json!({"site": "ZA999"}), "offer.site", SITE_NOT_OF_TRUST),
        (json!({"trust": "zа1"}), "offer.trust", BAD_CODE),
        (json!({"resource": null}), "offer.resource", REQUIRED),
        (resource("RESOURCE_KIND_UNSPECIFIED", "MRI"), "offer.resource.kind", REQUIRED),
        (json!({"resource": {"kind": 99, "code": "MRI"}}), "offer.resource.kind", UNKNOWN_VALUE),
        (resource("BED", "SOFA"), "offer.resource.code", BAD_CODE),
        (resource("STAFF", "CHEF"), "offer.resource.code", BAD_CODE),
        (resource("BED", ""), "offer.resource.code", REQUIRED),
        (resource("BED", "CC_ADULT"), "offer.resource.level", REQUIRED),
        (
            json!({"resource": {"kind": "BED", "code": "CC_ADULT", "level": 4}}),
            "offer.resource.level",
            OUT_OF_RANGE,
        ),
        (
            json!({"resource": {"kind": "BED", "code": "GA_ADULT", "level": 2}}),
            "offer.resource.level",
            NOT_APPLICABLE,
        ),
        (
            json!({
                "resource": {"kind": "THEATRE", "code": "MAIN"},
                "window": {"from": "2026-11-24T12:00:00Z", "until": "2026-11-24T16:00:00Z"},
            }),
            "offer.resource.specialties",
            REQUIRED,
        ),
        (
            json!({
                "resource": {"kind": "THEATRE", "code": "MAIN", "specialties": ["110", "11"]},
                "window": {"from": "2026-11-24T12:00:00Z", "until": "2026-11-24T16:00:00Z"},
            }),
            "offer.resource.specialties[1]",
            BAD_CODE,
        ),
        (json!({"figures": null}), "offer.figures", REQUIRED),
        (figures(json!(-1)), "offer.figures.staffed", OUT_OF_RANGE),
        (figures(json!(10_001)), "offer.figures.staffed", OUT_OF_RANGE),
        (figures(json!(1_i64 << 31)), "offer.figures.staffed", OUT_OF_RANGE),
        (figures(json!(i64::MAX)), "offer.figures.staffed", OUT_OF_RANGE),
        (json!({"figures": {"staffed": 1, "held": 1}}), "offer.figures.held", SERVER_FIELD),
        (json!({"figures": {"staffed": 1, "free": 1}}), "offer.figures.free", SERVER_FIELD),
        (json!({"id": "o1"}), "offer.id", SERVER_FIELD),
        (json!({"state": "OPEN"}), "offer.state", SERVER_FIELD),
        (json!({"revision": 7}), "offer.revision", SERVER_FIELD),
        (json!({"window": null}), "offer.window", REQUIRED),
        (json!({"window": {}}), "offer.window.until", REQUIRED),
        (window("2026-11-24T21:00:00Z", "2026-11-24T20:00:00Z"), "offer.window.until", WINDOW),
        (window("2026-11-24T20:00:00Z", "2026-11-24T20:00:00Z"), "offer.window.until", WINDOW),
        (window("2026-11-23T06:00:00Z", "2026-11-24T08:00:00Z"), "offer.window.until", WINDOW),
        (window("2027-12-30T06:00:00Z", "2027-12-30T08:00:00Z"), "offer.window.from", WINDOW),
        (window("2026-11-24T20:00:00Z", "2028-01-01T00:00:00Z"), "offer.window", WINDOW),
        (json!({"cadence": null}), "offer.cadence", REQUIRED),
        (json!({"cadence": "59s"}), "offer.cadence", OUT_OF_RANGE),
        (json!({"cadence": "-3600s"}), "offer.cadence", OUT_OF_RANGE),
        (json!({"cadence": "2678401s"}), "offer.cadence", OUT_OF_RANGE),
        (json!({"note": "x".repeat(141)}), "offer.note", BAD_TEXT),
        (json!({"note": "bay\u{202e}12"}), "offer.note", BAD_TEXT),
        (json!({"source_key": "a\u{0}b"}), "offer.source_key", BAD_TEXT),
        (json!({"capabilities": long}), "offer.capabilities", TOO_MANY),
        (json!({"capabilities": ["hoist", ""]}), "offer.capabilities[1]", REQUIRED),
        (json!({"limits": {"age_min": -1}}), "offer.limits.age_min", OUT_OF_RANGE),
        (json!({"limits": {"age_min": 18, "age_max": 16}}), "offer.limits.age_max", WINDOW),
        (json!({"limits": {"asa_max": 7}}), "offer.limits.asa_max", OUT_OF_RANGE),
        (json!({"limits": {"sex": 7}}), "offer.limits.sex", UNKNOWN_VALUE),
        (json!({"team": {"staffed": true, "needs": ["ODP"]}}), "offer.team.needs", NOT_APPLICABLE),
        (json!({"shared_with": ["alone"]}), "offer.shared_with[0]", BAD_ID),
        (json!({"shared_with": ["nowhere"]}), "offer.shared_with[0]", BAD_ID),
        (json!({"release_at": "2026-11-24T08:00:00Z"}), "offer.release_at", NOT_APPLICABLE),
        (json!({"source": "ADJUSTMENT"}), "offer.source", SERVER_FIELD),
        (json!({"source_seq": -1}), "offer.source_seq", OUT_OF_RANGE),
    ];
    for (changes, field, reason) in cases {
        let found = wrong(publish(&offer(changes.clone())).unwrap_err());
        assert_eq!(found, [format!("{field} {reason}")], "{changes}");
    }
}

#[test]
fn all_violations_come_at_once() {
    let bad = offer(json!({
        "site": "", "resource": {"kind": "BED", "code": "SOFA"}, "figures": {"staffed": -1, "occupied": 10_001},
        "window": {"until": "2026-11-23T20:00:00Z"}, "cadence": null, "note": "x".repeat(141),
    }));
    assert_eq!(wrong(publish(&bad).unwrap_err()).len(), 7);
    assert!(wrong(publish(&v1::Offer::default()).unwrap_err()).len() >= 5, "an empty offer lacks everything");
}

#[test]
fn times_that_are_none_are_refused() {
    for (seconds, nanos) in [(1, 1_000_000_000), (1, -1), (253_402_300_800, 0), (i64::MIN, 0)] {
        let mut wire = offer(json!({}));
        wire.window.as_mut().unwrap().until = Some(prost_types::Timestamp { seconds, nanos });
        assert_eq!(wrong(publish(&wire).unwrap_err()), ["offer.window.until OUT_OF_RANGE"]);
    }
}

#[test]
fn another_trust_is_no_violation_but_forbidden() {
    let failure = publish(&offer(json!({"trust": "ZA2"}))).unwrap_err();
    assert_eq!((failure.reason(), failure.code()), (TRUST_MISMATCH, tonic::Code::PermissionDenied));
    assert!(publish(&offer(json!({"trust": "ZA1"}))).is_ok());
}

#[test]
fn a_slot_is_at_most_a_month_long_and_a_rolling_offer_may_run_on() {
    let until = json!({"from": "2026-11-25T08:00:00Z", "until": "2026-12-30T20:00:00Z"});
    let slot = offer(json!({"resource": {"kind": "DIAGNOSTIC", "code": "MRI"}, "window": until.clone()}));
    assert_eq!(wrong(publish(&slot).unwrap_err()), ["offer.window WINDOW"]);
    assert!(publish(&offer(json!({"window": until}))).is_ok());
}

#[test]
fn a_session_or_slot_says_when_it_starts_and_nothing_else_must() {
    let of = |resource: serde_json::Value| publish(&offer(json!({"resource": resource})));
    for resource in [
        json!({"kind": "THEATRE", "code": "MAIN", "specialties": ["110"]}),
        json!({"kind": "DIAGNOSTIC", "code": "MRI"}),
    ] {
        assert_eq!(wrong(of(resource.clone()).unwrap_err()), ["offer.window.from REQUIRED"], "{resource}");
    }
    for resource in [json!({"kind": "BED", "code": "GA_ADULT"}), json!({"kind": "STAFF", "code": "ODP"})] {
        assert!(of(resource.clone()).is_ok(), "{resource}");
    }
}

#[test]
fn a_filed_offer_gives_its_state_and_what_is_absent_has_its_value() {
    let row = json!({
        "id": "an offer of last month", "trust": "ZA2", "site": "ZA201",
        "figures": {"staffed": 63, "occupied": 49, "held": 2, "committed": 1, "free": 11}, "revision": 3,
        "reported_at": "2026-11-01T08:00:00Z", "window": {"until": "2026-10-01T00:00:00Z"},
    });
    let filed = file_it(&offer(row)).unwrap();
    assert_eq!((filed.state, filed.figures.free().get(), filed.window.from), (OfferState::Open, 11, None));
    assert_eq!((filed.figures.held.get(), filed.figures.committed.get()), (2, 1));
    assert!(filed.team.staffed, "an absent team is a staffed one");
    assert_eq!(filed.freshness(at()), fallow_domain::offer::Freshness::Stale);

    let bad = offer(json!({"id": "x".repeat(65), "trust": "ZA3", "cadence": null}));
    let found: Vec<_> = file_it(&bad).unwrap_err().into_iter().map(|v| v.field).collect();
    assert_eq!(found, ["id", "trust", "cadence"]);
}

#[test]
fn what_is_written_files_again() {
    let row = json!({
        "id": "o1", "trust": "ZA1", "shared_with": ["vale"], "source": "FEED", "source_seq": 7, "state": "SUSPENDED",
        "resource": {"kind": "THEATRE", "code": "MAIN", "specialties": ["110"]}, "note": "ring first",
        "limits": {"age_min": 0, "sex": "FEMALE", "bmi_max": 40, "asa_max": 3}, "capabilities": ["hdu_bed"],
        "team": {"needs": ["ANAESTHETIST"]}, "release_at": "2026-11-24T00:00:00Z",
        "suspension": {"until": "2026-11-25T00:00:00Z", "reason": "flood"},
    });
    let offer = file_it(&offer(row)).unwrap();
    let wire = to_wire(&offer, 9);
    assert_eq!((wire.revision, wire.figures.unwrap().free), (9, 2));
    assert_eq!(file_it(&wire).unwrap(), offer);
}

#[test]
fn a_session_is_of_the_local_day_in_which_it_starts() {
    let day = |from: &str, until: &str| {
        let row = json!({"window": {"from": from, "until": until}});
        publish(&offer(row)).unwrap().day.map(|day| (day.start.to_string(), day.end.to_string()))
    };
    let bounds = |start: &str, end: &str| Some((start.to_owned(), end.to_owned()));
    // The clocks go forward: an hour short, and the next day starts an hour earlier.
    assert_eq!(
        day("2027-03-28T07:30:00Z", "2027-03-28T12:00:00Z"),
        bounds("2027-03-28T00:00:00Z", "2027-03-28T23:00:00Z")
    );
    assert_eq!(
        day("2027-03-28T23:30:00Z", "2027-03-29T12:00:00Z"),
        bounds("2027-03-28T23:00:00Z", "2027-03-29T23:00:00Z")
    );
    assert_eq!(publish(&offer(json!({}))).unwrap().day, None, "a bed, from now on");
}

#[test]
fn a_session_of_a_file_keeps_to_its_trusts_release_week() {
    let region = REGION.replacen("ods = \"ZA1\"", "ods = \"ZA1\"\n    release_weeks = 5", 1);
    let region = file::parse(&region).unwrap();
    let released = |row: serde_json::Value| {
        let file = Filed { region: &region, at: at() };
        filed(&offer(row), &file).unwrap().release_at
    };
    let window = json!({"from": "2027-01-10T08:00:00Z", "until": "2027-01-10T12:00:00Z"});
    let main = json!({"kind": "THEATRE", "code": "MAIN", "specialties": ["110"]});
    let said = json!("2026-11-01T00:00:00Z");
    let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let session = json!({"id": "o1", "trust": "ZA1", "resource": main, "window": window});
    assert_eq!(released(session), time("2026-12-06T08:00:00Z"));
    let by_hand = json!({"id": "o1", "trust": "ZA1", "resource": main, "window": window, "release_at": said});
    assert_eq!(released(by_hand), time("2026-11-01T00:00:00Z"));
    assert_eq!(released(json!({"id": "o1", "trust": "ZA1", "window": window})), None, "a bed");
}
