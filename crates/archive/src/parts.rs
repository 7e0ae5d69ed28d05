//! A change cut into parts, each with a digest that tells nothing of it, so that some can be shown without the others.
//!
//! The parts stand in groups: what is said of the cause, field by field, and then each record with its name and what
//! became of it. Whoever is shown a part is given its salt; of the rest they are given digests, which they cannot guess
//! backwards, for 16 random bytes go into each.

use fallow_ledger::Change;
use fallow_ledger::state::hex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::frame::Chain;

/// What the salts of a batch are made of: 32 random bytes, which nobody is shown who is not shown the archive.
pub(crate) type Seed = [u8; 32];

/// What keeps a digest from being guessed backwards.
pub(crate) type Salt = [u8; 16];

/// What is put before a leaf of the tree, and before a group: neither can be taken for the other, or for a node.
const LEAF: u8 = 0;
const GROUP: u8 = 2;

/// The first part of the group of a record: its name, kind and id.
pub(crate) const RECORD: &str = "record";
/// What a record was written as.
pub(crate) const BODY: &str = "body";
/// What a record was written as, where that is no text.
pub(crate) const BYTES: &str = "bytes";
/// That a record was removed.
pub(crate) const REMOVED: &str = "removed";

/// A part of a change: a name and a text. Text that is not UTF-8 stands in hexadecimal, under another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Part {
    fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// Returns the digest of the part.
    pub(crate) fn digest(&self, salt: &Salt) -> Chain {
        digest(salt, &self.name, &self.value)
    }
}

/// Returns the digest of a part.
pub(crate) fn digest(salt: &Salt, name: &str, value: &str) -> Chain {
    let mut sum = Sha256::new();
    sum.update(salt);
    sum.update((name.len() as u64).to_le_bytes());
    sum.update(name);
    sum.update(value);
    sum.finalize().into()
}

/// Cuts a change into its groups of parts: the cause first, then the records in their order.
pub(crate) fn groups(change: &Change) -> Vec<Vec<Part>> {
    let mut groups = vec![cause(&change.cause)];
    groups.extend(change.writes.iter().map(|(key, body)| {
        let became = match body.as_deref().map(std::str::from_utf8) {
            Some(Ok(text)) => Part::new(BODY, text),
            Some(Err(_)) => Part::new(BYTES, body.as_deref().map(hex).unwrap_or_default()),
            None => Part::new(REMOVED, "true"),
        };
        vec![Part::new(RECORD, key.to_string()), became]
    }));
    groups
}

/// Cuts a cause into its fields, named by their way through the objects: `verb`, `by.role`. One that was not written as a
/// cause is one part.
fn cause(bytes: &[u8]) -> Vec<Part> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else {
        return vec![Part::new(BYTES, hex(bytes))];
    };
    let mut parts = Vec::new();
    for (name, value) in fields {
        cut(name, value, &mut parts);
    }
    parts.sort_by(|one, other| one.name.cmp(&other.name));
    parts
}

fn cut(name: String, value: Value, parts: &mut Vec<Part>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (field, value) in fields {
                cut(format!("{name}.{field}"), value, parts);
            }
        }
        Value::String(text) => parts.push(Part { name, value: text }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            parts.push(Part { name, value: value.to_string() });
        }
    }
}

/// Returns the salt of a part, by the revision of its change, its group and its place in it.
pub(crate) fn salt(seed: &Seed, revision: u64, group: usize, place: usize) -> Salt {
    let mut sum = Sha256::new();
    sum.update(b"fallow archive salt 1");
    sum.update(seed);
    for number in [revision, group as u64, place as u64] {
        sum.update(number.to_le_bytes());
    }
    let whole: Chain = sum.finalize().into();
    let mut salt = Salt::default();
    salt.copy_from_slice(&whole[..16]);
    salt
}

/// Returns the digest of a group by those of its parts.
pub(crate) fn group(parts: &[Chain]) -> Chain {
    let mut sum = Sha256::new();
    sum.update([GROUP]);
    sum.update((parts.len() as u64).to_le_bytes());
    parts.iter().for_each(|part| sum.update(part));
    sum.finalize().into()
}

/// Returns the leaf of a change by the digests of its groups.
pub(crate) fn leaf(revision: u64, groups: &[Chain]) -> Chain {
    let mut sum = Sha256::new();
    sum.update([LEAF]);
    sum.update(revision.to_le_bytes());
    sum.update((groups.len() as u64).to_le_bytes());
    groups.iter().for_each(|group| sum.update(group));
    sum.finalize().into()
}

/// Returns the leaf of a change.
pub(crate) fn leaf_of(change: &Change, seed: &Seed) -> Chain {
    let groups: Vec<Chain> = (groups(change).iter().enumerate())
        .map(|(at, parts)| group(&digests(parts, seed, change.revision.0, at)))
        .collect();
    leaf(change.revision.0, &groups)
}

/// Returns the digests of the parts of a group.
pub(crate) fn digests(parts: &[Part], seed: &Seed, revision: u64, group: usize) -> Vec<Chain> {
    let salted = parts.iter().enumerate();
    salted.map(|(place, part)| part.digest(&salt(seed, revision, group, place))).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fallow_ledger::{Key, RecordKind, Revision};

    use super::*;

    fn change(cause: &str) -> Change {
        let key = |id: &str| Key::new(RecordKind::Need, id);
        let bodies = [("a", Some("{}".into())), ("b", None), ("c", Some(Bytes::from_static(&[0xff])))];
        let writes = bodies.into_iter().map(|(id, body)| (key(id), body)).collect();
        Change { revision: Revision(7), writes, cause: Bytes::copy_from_slice(cause.as_bytes()) }
    }

    fn told(change: &Change) -> Vec<Vec<String>> {
        let text = |part: &Part| format!("{}={}", part.name, part.value);
        groups(change).iter().map(|parts| parts.iter().map(text).collect()).collect()
    }

    #[test]
    fn a_change_is_cut_into_its_cause_and_its_records() {
        let change = change(r#"{"verb":"Raise","by":{"role":"bed_manager","subject":"a"},"n":[1,2],"e":{}}"#);
        assert_eq!(
            told(&change),
            [
                vec!["by.role=bed_manager", "by.subject=a", "e={}", "n=[1,2]", "verb=Raise"],
                vec!["record=need/a", "body={}"],
                vec!["record=need/b", "removed=true"],
                vec!["record=need/c", "bytes=ff"],
            ]
        );
        assert_eq!(told(&self::change("why"))[0], ["bytes=776879"]);
    }

    #[test]
    fn a_leaf_is_another_for_another_change_revision_or_seed() {
        let (one, seed) = (change("why"), [1; 32]);
        let leaf = leaf_of(&one, &seed);
        assert_eq!(leaf_of(&one.clone(), &seed), leaf);
        assert_ne!(leaf_of(&one, &[2; 32]), leaf);
        assert_ne!(leaf_of(&Change { revision: Revision(8), ..one.clone() }, &seed), leaf);
        assert_ne!(leaf_of(&change("whz"), &seed), leaf);
        // The same parts salted for another place are others.
        assert_ne!(salt(&seed, 7, 0, 1), salt(&seed, 7, 1, 0));
    }
}
