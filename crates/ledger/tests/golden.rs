//! Stored bodies of every kind and schema so far, which must be read for ever.
//!
//! A file is `KIND.vN[.what].json`, one body each. None is ever changed: a new form gets a new file beside the old.

use std::collections::BTreeSet;
use std::path::Path;

use fallow_ledger::RecordKind;
use fallow_ledger::record::{Record, SCHEMA};
use serde_json::Value;

/// Reads a body, writes it again, and checks that nothing it said was lost.
fn check(kind: RecordKind, body: &[u8]) -> Result<(), String> {
    let record = Record::decode(kind, body).map_err(|unreadable| unreadable.to_string())?;
    let again = record.encode();
    if Record::decode(kind, &again) != Ok(record) {
        return Err("what is written again is read as something else".to_owned());
    }
    let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).map_err(|error| error.to_string());
    said(&value(body)?["r"], &value(&again)?["r"], "r")
}

/// Checks that everything that `old` says is said by `new`, which may say more.
fn said(old: &Value, new: &Value, place: &str) -> Result<(), String> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => old.iter().try_for_each(|(name, value)| {
            let place = format!("{place}.{name}");
            said(value, new.get(name).ok_or_else(|| format!("{place} was lost"))?, &place)
        }),
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            old.iter().zip(new).try_for_each(|(old, new)| said(old, new, place))
        }
        (old, new) if old == new => Ok(()),
        (old, new) => Err(format!("{place} was {old} and is now {new}")),
    }
}

#[test]
fn every_stored_body_of_yesterday_is_read_and_nothing_of_it_is_lost() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut read = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut parts = name.split('.');
        let kind = parts.next().and_then(|kind| RecordKind::ALL.into_iter().find(|k| k.as_str() == kind));
        let schema = parts.next().and_then(|schema| schema.strip_prefix('v')?.parse::<u32>().ok());
        let (Some(kind), Some(schema)) = (kind, schema) else { panic!("{name} is not KIND.vN[.what].json") };
        let body = std::fs::read(&path).unwrap();
        check(kind, &body).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert!(body.starts_with(format!("{{\"v\":{schema},").as_bytes()), "{name} is of another schema");
        read.insert((kind, schema));
    }
    for kind in RecordKind::ALL {
        for schema in 1..=SCHEMA {
            assert!(read.contains(&(kind, schema)), "no stored body of {} v{schema}", kind.as_str());
        }
    }
}

#[test]
fn a_field_that_is_no_longer_read_is_found() {
    let lost = check(RecordKind::Claim, br#"{"v":1,"r":{"holder":"o1","since":7}}"#);
    assert_eq!(lost, Err("r.since was lost".to_owned()));
    let body = br#"{"v":1,"r":{"ods":"ZA1","reserves":{"BED/GA_ADULT":1,"BED/MATERNITY":2}}}"#;
    assert_eq!(check(RecordKind::Trust, body), Ok(()));
}
