//! What a log makes of its records, and the one number by which two states are compared.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::commit::{Change, Digest, Versioned};
use crate::cursor::Revision;
use crate::key::Key;

/// Every live record as a log makes it, at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    revision: Revision,
    live: BTreeMap<Key, (Revision, Bytes)>,
}

/// A change that does not follow on the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revision {found} comes where {expected} must: changes are missing, or out of order")]
pub struct NotNext {
    /// The revision that must come.
    pub expected: Revision,
    /// The one that came.
    pub found: Revision,
}

impl State {
    /// Makes the state of a snapshot.
    #[must_use]
    pub fn of(records: impl IntoIterator<Item = Versioned>, revision: Revision) -> State {
        let live = records.into_iter().map(|record| (record.key, (record.revision, record.body)));
        State { revision, live: live.collect() }
    }

    /// Applies the next change.
    ///
    /// # Errors
    /// [`NotNext`] when it is another than the next; the state stays as it was.
    pub fn apply(&mut self, change: &Change) -> Result<(), NotNext> {
        let expected = self.revision.next();
        if change.revision != expected {
            return Err(NotNext { expected, found: change.revision });
        }
        self.revision = expected;
        for (key, body) in &change.writes {
            match body {
                Some(body) => drop(self.live.insert(key.clone(), (expected, body.clone()))),
                None => drop(self.live.remove(key)),
            }
        }
        Ok(())
    }

    /// Returns the revision of the last change.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns the body of a record.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Bytes> {
        self.live.get(key).map(|(_, body)| body)
    }

    /// Returns how many records are live.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Returns whether no record is live.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Returns every live record, in key order.
    pub fn records(&self) -> impl Iterator<Item = Versioned> {
        let versioned = |(key, (revision, body)): (&Key, &(Revision, Bytes))| Versioned {
            key: key.clone(),
            revision: *revision,
            body: body.clone(),
        };
        self.live.iter().map(versioned)
    }

    /// Returns the digest of the state, as [`digest`] makes it of the same records. Cost: one pass over their bodies.
    #[must_use]
    pub fn digest(&self) -> Digest {
        summed(self.live.iter().map(|(key, (revision, body))| (key, *revision, body)))
    }
}

/// Returns the SHA-256 over live records in key order: of each its name, the revision that last wrote it, and its body.
/// Two states with the same digest are the same, record by record. `records` are in key order, as
/// [`crate::Ledger::snapshot`] gives them.
#[must_use]
pub fn digest(records: &[Versioned]) -> Digest {
    summed(records.iter().map(|record| (&record.key, record.revision, &record.body)))
}

fn summed<'r>(records: impl Iterator<Item = (&'r Key, Revision, &'r Bytes)>) -> Digest {
    let mut sum = Sha256::new();
    // Each part with its length before it, so that no two sets of records are the same bytes.
    let mut part = |bytes: &[u8]| {
        sum.update((bytes.len() as u64).to_le_bytes());
        sum.update(bytes);
    };
    for (key, revision, body) in records {
        part(key.to_string().as_bytes());
        part(&revision.0.to_le_bytes());
        part(body);
    }
    sum.finalize().into()
}

/// Writes a digest, or any bytes, in hexadecimal, as every command prints it.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RecordKind;

    fn record(id: &str, revision: u64, body: &str) -> Versioned {
        Versioned {
            key: Key::new(RecordKind::Offer, id),
            revision: Revision(revision),
            body: body.to_owned().into(),
        }
    }

    fn change(revision: u64, writes: &[(&str, Option<&str>)]) -> Change {
        let write = |(id, body): &(&str, Option<&str>)| {
            (Key::new(RecordKind::Offer, *id), body.map(|body| Bytes::from(body.to_owned())))
        };
        Change {
            revision: Revision(revision),
            writes: writes.iter().map(write).collect(),
            cause: Bytes::new(),
        }
    }

    #[test]
    fn a_log_and_a_snapshot_of_the_same_have_the_same_digest() {
        let mut state = State::default();
        state.apply(&change(1, &[("a", Some("1")), ("b", Some("1"))])).unwrap();
        state.apply(&change(2, &[("a", None), ("c", Some("2"))])).unwrap();
        let live = [record("b", 1, "1"), record("c", 2, "2")];
        assert_eq!(state.digest(), digest(&live));
        assert_eq!(state, State::of(live, Revision(2)));
        let gap = NotNext { expected: Revision(3), found: Revision(4) };
        assert_eq!(state.apply(&change(4, &[])), Err(gap));
    }

    #[test]
    fn whatever_differs_gives_another_digest() {
        let right = digest(&[record("a", 1, "xy"), record("b", 2, "z")]);
        for other in [
            vec![record("a", 1, "xy")],
            vec![record("a", 1, "x"), record("b", 2, "yz")],
            vec![record("a", 1, "xy"), record("b", 1, "z")],
            vec![record("a", 1, "xy"), record("c", 2, "z")],
            vec![record("a", 1, "xz"), record("b", 2, "z")],
            vec![],
        ] {
            assert_ne!(digest(&other), right, "{other:?}");
        }
    }
}
