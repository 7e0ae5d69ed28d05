//! Fallow JSON to CSV and XLSX and back: nothing is lost and nothing is made up.

use fallow_api::json;
use fallow_api::v1::{
    Figures, Limits, Need, Offer, Patient, Priority, Resource, Risk, Sex, Source, Team, Window, offer,
};
use prop_assert_eq as same;
use proptest::option::of as perhaps;
use proptest::prelude::*;
use proptest::{collection::vec, prop_oneof};
use prost_types::{Duration, Timestamp};
use serde::Serialize;

use super::london;
use crate::{Format, Table, rows, write};

/// Plain text as records hold it, with all that files have a use for.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[!-~£é＝✓]( ?[!-~£é＝✓]){0,12}",
        "['=+@\\-]{1,3}[a-z;\\\\\",]{0,4}",
        Just("_x0041_".to_owned()),
        Just("yes".to_owned()),
        Just("0123".to_owned()),
        Just("1e5".to_owned()),
    ]
}

/// Times of the years that spreadsheets know and of those they do not, many of them where the clocks change.
fn time() -> impl Strategy<Value = Timestamp> {
    let around = |at: i64| (at - 7_200..at + 7_200, Just(0));
    // 25 October 2026, 01:00 UTC, and 29 March 2026, 01:00 UTC.
    let at = prop_oneof![
        around(1_792_890_000),
        around(1_774_746_000),
        (1_700_000_000_i64..1_900_000_000, Just(0)),
        (-62_135_596_800_i64..253_402_300_799, 0..1_000_000_000),
    ];
    at.prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn count() -> impl Strategy<Value = i64> {
    prop_oneof![0_i64..20, 0..=i64::MAX]
}

fn resource() -> impl Strategy<Value = Resource> {
    (1..=6_i32, text(), 0..=3_i32, vec(text(), 0..3)).prop_map(|(kind, code, level, specialties)| Resource {
        kind,
        code,
        level,
        specialties,
        ..Resource::default()
    })
}

fn an_offer() -> impl Strategy<Value = Offer> {
    let figures = (1_i64..20, count(), count()).prop_map(|(staffed, occupied, held)| Figures {
        staffed,
        occupied,
        held,
        ..Figures::default()
    });
    let limits = (0..130_i32, perhaps(1..=6_i32)).prop_map(|(age_min, asa_max)| Limits {
        age_min: Some(age_min),
        asa_max,
        ..Limits::default()
    });
    let team = (any::<bool>(), vec(text(), 0..3)).prop_map(|(staffed, needs)| Team { staffed, needs });
    let window = (perhaps(time()), time()).prop_map(|(from, until)| Window { from, until: Some(until) });
    let texts = (text(), text(), vec(text(), 0..3));
    let terms = (perhaps(limits), perhaps(team), perhaps(window), perhaps(time()), perhaps(1_i64..4_000_000));
    (perhaps(resource()), perhaps(figures), texts, terms, count()).prop_map(
        |(resource, figures, (source_key, note, capabilities), (limits, team, window, at, cadence), seq)| {
            Offer {
                source_key,
                note,
                capabilities,
                resource,
                figures,
                limits,
                team,
                window,
                release_at: at,
                reported_at: at,
                cadence: cadence.map(|seconds| Duration { seconds, nanos: 0 }),
                state: offer::State::Suspended.into(),
                source: Source::Feed.into(),
                source_seq: seq,
                ..Offer::default()
            }
        },
    )
}

fn a_need() -> impl Strategy<Value = Need> {
    let patient = (perhaps(0..130_i32), perhaps(any::<bool>())).prop_map(|(age, isolation)| Patient {
        age,
        isolation,
        sex: Some(Sex::Female.into()),
        ..Patient::default()
    });
    let risk = (0.001_f64..100.0, text()).prop_map(|(value, source)| Risk { value, source, at: None });
    (
        perhaps(resource()),
        text(),
        vec(text(), 0..3),
        perhaps(time()),
        count(),
        perhaps(patient),
        perhaps(risk),
    )
        .prop_map(|(resource, case_ref, requires, at, units, patient, risk)| Need {
            case_ref,
            requires,
            resource,
            units,
            listed_at: at,
            needed_by: at,
            patient,
            risk,
            priority: Priority::P1a.into(),
            fragile_service: units % 2 == 0,
            ..Need::default()
        })
}

/// Writes records in a format and reads them again.
fn again<M: Serialize + json::Message + serde::de::DeserializeOwned>(
    records: &[M],
    table: Table,
    format: Format,
) -> Vec<M> {
    let local = london();
    let bytes = match format {
        Format::Csv => write::csv(records, table, &local).unwrap(),
        Format::Xlsx => write::xlsx(records, table, &local).unwrap(),
        Format::JsonLines => {
            records.iter().map(|one| json::to_string(one).unwrap() + "\n").collect::<String>().into_bytes()
        }
    };
    let rows = rows(&bytes, format, table, &local).unwrap();
    rows.iter().map(|row| json::from_str(row.json.as_ref().unwrap()).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn offers_come_back_from_every_format(offers in vec(an_offer(), 1..4)) {
        for format in [Format::JsonLines, Format::Csv, Format::Xlsx] {
            same!(&again(&offers, Table::Offers, format), &offers, "{:?}", format);
        }
        // From one to the next and to the next.
        let there = again(&again(&offers, Table::Offers, Format::Csv), Table::Offers, Format::Xlsx);
        same!(again(&there, Table::Offers, Format::Csv), offers);
    }

    #[test]
    fn needs_come_back_from_every_format(needs in vec(a_need(), 1..4)) {
        for format in [Format::JsonLines, Format::Csv, Format::Xlsx] {
            same!(&again(&needs, Table::Needs, format), &needs, "{:?}", format);
        }
    }
}

#[test]
fn an_hour_that_comes_twice_is_written_with_its_offset() {
    let at = |seconds| Offer { reported_at: Some(Timestamp { seconds, nanos: 0 }), ..Offer::default() };
    let bytes = write::csv(&[at(1_792_888_200), at(1_792_895_400)], Table::Offers, &london()).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("2026-10-25T00:30:00Z") && text.contains("2026-10-25 02:30"), "{text}");
}
