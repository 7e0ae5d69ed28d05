//! What differs between what the log wrote and what the replay would have written.

use std::collections::BTreeMap;

use fallow_domain::records::Records;
use fallow_ledger::Key;
use fallow_ledger::record::Record;
use fallow_live::neighbours;
use serde_json::Value;

/// Most characters of a value that a difference shows.
const SHOWN: usize = 80;

/// Names each record that the log wrote otherwise than the replay would have.
pub(super) fn writes(changes: Records, logged: &BTreeMap<Key, Option<Record>>) -> Vec<String> {
    let replayed: BTreeMap<Key, Option<Record>> = neighbours::writes(changes).into_iter().collect();
    let mut texts = Vec::new();
    for (key, record) in logged {
        match (record, replayed.get(key)) {
            (_, None) => texts.push(format!("the log writes {key}; the replay does not")),
            (logged, Some(replayed)) if logged == replayed => {}
            (Some(logged), Some(Some(replayed))) => {
                let where_ = first_difference(logged, replayed);
                texts.push(format!("{key} differs: {where_}"));
            }
            (Some(_), Some(None)) => texts.push(format!("the log writes {key}; the replay deletes it")),
            (None, Some(_)) => texts.push(format!("the log deletes {key}; the replay writes it")),
        }
    }
    let only = replayed.keys().filter(|key| !logged.contains_key(*key));
    texts.extend(only.map(|key| format!("the replay writes {key}; the log does not")));
    texts
}

/// Names the first field in which two records differ, and both its values.
#[must_use]
pub fn first_difference(logged: &Record, replayed: &Record) -> String {
    let value = |record: &Record| serde_json::from_slice::<Value>(&record.encode()).unwrap_or(Value::Null);
    let (logged, replayed) = (value(logged), value(replayed));
    match find("", &logged["r"], &replayed["r"]) {
        Some((path, logged, replayed)) => {
            format!("{path} is {} in the log, {} in the replay", short(logged), short(replayed))
        }
        None => "in kind".to_owned(),
    }
}

fn find<'v>(
    path: &str,
    a: &'v Value,
    b: &'v Value,
) -> Option<(String, Option<&'v Value>, Option<&'v Value>)> {
    let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort_unstable();
            names.dedup();
            names.into_iter().find_map(|name| match (a.get(name), b.get(name)) {
                (Some(a), Some(b)) => find(&within(name), a, b),
                (a, b) => Some((within(name), a, b)),
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut items = a.iter().zip(b).enumerate();
            items.find_map(|(place, (a, b))| find(&format!("{path}[{place}]"), a, b))
        }
        (a, b) => (a != b).then(|| (path.to_owned(), Some(a), Some(b))),
    }
}

fn short(value: Option<&Value>) -> String {
    let Some(value) = value else { return "absent".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
