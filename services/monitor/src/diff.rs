//! What is different between two region files, line by line.

use std::collections::BTreeMap;

use fallow_domain::region::Region;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Bytes of changes that an answer remembers: below the 128 KiB that the ledger keeps of one.
const REMEMBERED_BYTES: usize = 48 * 1024;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// Where, such as `trust.ZA1.opel`.
    pub(crate) path: String,
    /// The value before; `None` when it was not there.
    pub(crate) before: Option<String>,
    /// The value after; `None` when it is gone.
    pub(crate) after: Option<String>,
}

/// Returns every difference, in order of path. Cost: both regions are written out once.
pub(crate) fn between(before: Option<&Region>, after: &Region) -> Vec<Change> {
    let (mut before, after) = (before.map(lines).unwrap_or_default(), lines(after));
    let mut changes = Vec::new();
    for (path, value) in after {
        match before.remove(&path) {
            Some(same) if same == value => {}
            was => changes.push(Change { path, before: was, after: Some(value) }),
        }
    }
    changes.extend(before.into_iter().map(|(path, was)| Change { path, before: Some(was), after: None }));
    changes.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    changes
}

/// Returns the changes that an answer can remember for its repetition: all but in the largest of files.
pub(crate) fn remembered(changes: &[Change]) -> Vec<Change> {
    let mut left = REMEMBERED_BYTES;
    let fits = |change: &&Change| {
        // A value may be escaped to twice its length, and the names of the fields take some forty bytes.
        let bytes = |text: &Option<String>| text.as_ref().map_or(0, |text| 2 * text.len());
        let size = 40 + 2 * change.path.len() + bytes(&change.before) + bytes(&change.after);
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    };
    changes.iter().take_while(fits).cloned().collect()
}

/// Writes a region as one line for each value it gives.
fn lines(region: &Region) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    let policy = serde_json::to_value(&region.policy).unwrap_or_default();
    let head = json!({ "id": region.id, "name": region.name, "timezone": region.timezone });
    flatten("region", &head, &mut lines);
    for (kind, codes) in &region.resources {
        flatten(&format!("region.resources.{kind}"), &json!(codes), &mut lines);
    }
    flatten("policy", &policy, &mut lines);
    for (code, trust) in &region.trusts {
        let path = format!("trust.{code}");
        let value = json!({
            "name": trust.name, "opel": trust.opel, "fair_allowance": trust.fair_allowance,
            "successor": trust.successor, "release_weeks": trust.release_weeks,
        });
        flatten(&path, &value, &mut lines);
        for (key, units) in &trust.reserve {
            flatten(&format!("{path}.reserve.{key}"), &json!(units), &mut lines);
        }
    }
    for (code, site) in &region.sites {
        let value = json!({
            "trust": site.trust, "name": site.name, "lat": site.coordinates.lat, "lon": site.coordinates.lon,
            "kind": site.kind, "phone": site.phone,
        });
        flatten(&format!("site.{code}"), &value, &mut lines);
    }
    for (code, area) in &region.areas {
        let value = json!({
            "trust": area.trust, "name": area.name, "lat": area.coordinates.lat, "lon": area.coordinates.lon,
        });
        flatten(&format!("area.{code}"), &value, &mut lines);
    }
    for collaborative in &region.collaboratives {
        let value = json!({
            "name": collaborative.name, "kind": collaborative.kind, "members": collaborative.members,
            "lead": collaborative.lead, "shares": collaborative.shares, "mode": collaborative.mode,
        });
        flatten(&unused(&lines, &format!("collaborative.{}", collaborative.id)), &value, &mut lines);
    }
    for ((from, to), minutes) in &region.travel {
        flatten(&format!("travel.{from}.{to}"), &json!(minutes), &mut lines);
    }
    lines
}

/// Returns a path that no line has yet: two collaboratives may have one id.
fn unused(lines: &BTreeMap<String, String>, path: &str) -> String {
    let is_used = |path: &str| lines.contains_key(&format!("{path}.name"));
    let numbered = (2..).map(|number| format!("{path}#{number}"));
    std::iter::once(path.to_owned()).chain(numbered).find(|path| !is_used(path)).unwrap_or_default()
}

/// Adds the lines of a value: one for each that is no table, nothing for what is not given.
fn flatten(path: &str, value: &Value, lines: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(table) => {
            table.iter().for_each(|(key, value)| flatten(&format!("{path}.{key}"), value, lines));
        }
        // A list of tables with ids, such as standing agreements, is told table by table.
        Value::Array(items) if items.iter().any(|item| id(item).is_some()) => {
            for (index, item) in items.iter().enumerate() {
                let name = id(item).map_or_else(|| index.to_string(), str::to_owned);
                flatten(&format!("{path}.{name}"), item, lines);
            }
        }
        Value::Array(items) => {
            let list = items.iter().map(plain).collect::<Vec<_>>().join(", ");
            lines.insert(path.to_owned(), list);
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            lines.insert(path.to_owned(), plain(value));
        }
    }
}

fn id(item: &Value) -> Option<&str> {
    item.get("id").and_then(Value::as_str)
}

/// Writes a value as people do: a text without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use fallow_domain::region::file;

    use super::*;

    const FILE: &str = r#"
        [region]
        id = "nv"
        name = "North Vale"
        resources = { STAFF = ["ODP"] }
        [policy]
        keep_points = 10
        [[policy.standing_agreement]]
        id = "ct-lists"
        trust = "ZA1"
        kinds = ["DIAGNOSTIC"]
        until = "2027-03-31T22:59:59Z"
        [[trust]]
        ods = "ZA1"
        name = "Aldermoor"
        opel = 2
        reserve = { "BED/CC_ADULT/3" = 1 }
        [[trust]]
        ods = "ZA2"
        name = "Brackwater"
        [[site]]
        code = "ZA101"
        trust = "ZA1"
        name = "Aldermoor General"
        lat = 53.0
        lon = -2.0
        kind = "HOSPITAL"
        phone = "0555 0101"
        [[collaborative]]
        id = "nva"
        name = "Acute"
        kind = "ACUTE"
        members = ["ZA1", "ZA2"]
        shares = ["BED", "DIAGNOSTIC"]
    "#;

    fn region(text: &str) -> Region {
        file::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn told(change: &Change) -> String {
        match (&change.before, &change.after) {
            (Some(before), Some(after)) => format!("~ {} {before} -> {after}", change.path),
            (None, Some(after)) => format!("+ {} {after}", change.path),
            (Some(before), None) => format!("- {} {before}", change.path),
            (None, None) => panic!("{} is no change", change.path),
        }
    }

    #[test]
    fn each_change_is_one_line() {
        let before = region(FILE);
        for (old, new, expected) in [
            ("", "", &[][..]),
            ("opel = 2", "opel = 3", &["~ trust.ZA1.opel 2 -> 3"][..]),
            ("opel = 2", "", &["- trust.ZA1.opel 2"]),
            (
                "\"BED/CC_ADULT/3\" = 1",
                "\"BED/GA_ADULT\" = 4",
                &["- trust.ZA1.reserve.BED/CC_ADULT/3 1", "+ trust.ZA1.reserve.BED/GA_ADULT 4"],
            ),
            (
                "keep_points = 10",
                "keep_points = 10\nturnover_minutes = 20",
                &["~ policy.turnover_minutes 15 -> 20"],
            ),
            ("\"ODP\"", "\"ODP\", \"RN\"", &["~ region.resources.STAFF ODP -> ODP, RN"]),
            (
                "members = [\"ZA1\", \"ZA2\"]",
                "members = [\"ZA1\"]\nlead = \"ZA1\"\nmode = \"INCIDENT\"",
                &[
                    "+ collaborative.nva.lead ZA1",
                    "~ collaborative.nva.members ZA1, ZA2 -> ZA1",
                    "~ collaborative.nva.mode ROUTINE -> INCIDENT",
                ],
            ),
            ("lat = 53.0", "lat = 53.25", &["~ site.ZA101.lat 53.0 -> 53.25"]),
        ] {
            let after = region(&FILE.replace(old, new));
            let changes: Vec<String> = between(Some(&before), &after).iter().map(told).collect();
            assert_eq!(changes, expected, "{old} -> {new}");
        }
    }

    #[test]
    fn tables_come_and_go_as_their_values() {
        let before = region(FILE);
        let after = region(&format!("{FILE}\n[[trust]]\nods = \"ZA3\"\nname = \"Calverleigh\"\nopel = 1\n"));
        let added = between(Some(&before), &after);
        assert_eq!(
            added.iter().map(told).collect::<Vec<_>>(),
            ["+ trust.ZA3.name Calverleigh", "+ trust.ZA3.opel 1"]
        );
        let removed: Vec<_> = between(Some(&after), &before).iter().map(told).collect();
        assert_eq!(removed, ["- trust.ZA3.name Calverleigh", "- trust.ZA3.opel 1"]);
        let all = between(None, &before);
        assert!(
            all.iter().all(|change| change.before.is_none()) && all.is_sorted_by_key(|change| &change.path)
        );
        assert!(all.iter().any(|change| change.path == "policy.standing_agreement.ct-lists.trust"));
    }

    #[test]
    fn two_collaboratives_of_one_id_are_told_apart() {
        let second = "\n[[collaborative]]\nid = \"nva\"\nname = \"Other\"\nkind = \"MIXED\"\nmembers = [\"ZA2\"]\nshares = []\n";
        let changes = between(Some(&region(FILE)), &region(&format!("{FILE}{second}")));
        assert!(
            !changes.is_empty()
                && changes.iter().all(|change| change.path.starts_with("collaborative.nva#2."))
        );
    }

    #[test]
    fn what_an_answer_remembers_is_bounded() {
        let change = |number: usize| Change {
            path: format!("site.{number}.name"),
            before: None,
            after: Some("é\"".repeat(50)),
        };
        let changes: Vec<Change> = (0..2_000).map(change).collect();
        let kept = remembered(&changes);
        assert!(!kept.is_empty() && kept[..] == changes[..kept.len()]);
        assert!(serde_json::to_vec(&kept).unwrap().len() < 60 * 1024);
        assert_eq!(remembered(&changes[..3]), changes[..3]);
    }
}
