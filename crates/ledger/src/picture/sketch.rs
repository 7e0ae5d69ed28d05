//! What a picture is drawn from: the records of a snapshot, each read as its part came.

use std::collections::HashSet;
use std::sync::Arc;

use crate::commit::{Part, Versioned};
use crate::cursor::Revision;
use crate::key::Key;
use crate::record::{Record, Unreadable, shared_key};

/// The records of a snapshot as they come, and in the end all of them.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    told: Vec<Sketched>,
}

/// What was told of a record.
#[derive(Debug)]
pub(crate) struct Sketched {
    pub(crate) key: Key,
    pub(crate) revision: Revision,
    /// `None` where it is live no more.
    pub(crate) record: Option<Result<Arc<Record>, Unreadable>>,
}

impl Sketched {
    fn of(Versioned { key, revision, body }: Versioned) -> Self {
        let record = Record::decode(key.kind, &body).map(Arc::new);
        let key = match &record {
            Ok(record) => shared_key(key, record),
            Err(_) => key,
        };
        Self { key, revision, record: Some(record) }
    }
}

impl Sketch {
    /// Takes a part in.
    pub(crate) fn take(&mut self, part: Part) {
        match part {
            Part::Anew => self.told.clear(),
            Part::Live(records) => self.told.extend(records.into_iter().map(Sketched::of)),
            Part::Gone(keys) => {
                let gone = |key| Sketched { key, revision: Revision::ABSENT, record: None };
                self.told.extend(keys.into_iter().map(gone));
            }
        }
    }

    /// Returns how much was told; a record of which more was told counts more than once.
    pub(crate) fn len(&self) -> usize {
        self.told.len()
    }

    /// Returns what was told last of each record, in no order, and puts its key into `known`.
    pub(crate) fn last<'a>(self, known: &'a mut HashSet<Key>) -> impl Iterator<Item = Sketched> + 'a {
        known.reserve(self.told.len());
        self.told.into_iter().rev().filter(|told| known.insert(told.key.clone()))
    }
}

#[cfg(test)]
mod tests {
    use fallow_domain::ids::Label;
    use fallow_domain::standing::Claim;

    use super::*;
    use crate::key::RecordKind;

    fn live(id: &str, revision: u64, holder: &str) -> Versioned {
        let claim = Record::Claim(Claim { holder: Label::parse(holder).unwrap() });
        Versioned { key: Key::new(RecordKind::Claim, id), revision: Revision(revision), body: claim.encode() }
    }

    /// What is live in the end, by key.
    fn drawn(parts: Vec<Part>) -> Vec<(String, u64)> {
        let mut sketch = Sketch::default();
        for part in parts {
            sketch.take(part);
        }
        let mut known = HashSet::new();
        let live = sketch.last(&mut known).filter(|told| told.record.is_some());
        let mut live: Vec<_> = live.map(|told| (told.key.id.to_string(), told.revision.0)).collect();
        live.sort();
        live
    }

    #[test]
    fn what_was_told_last_of_a_record_counts() {
        let gone = |id: &str| Part::Gone(vec![Key::new(RecordKind::Claim, id)]);
        let parts = vec![
            Part::Live(vec![live("a", 3, "late"), live("b", 1, "b"), live("c", 1, "c")]),
            Part::Live(vec![live("a", 2, "early"), live("b", 1, "b")]),
            gone("b"),
            gone("c"),
            Part::Live(vec![live("a", 3, "late"), live("c", 4, "again")]),
        ];
        assert_eq!(drawn(parts), [("a".to_owned(), 3), ("c".to_owned(), 4)]);
    }

    #[test]
    fn nothing_from_before_a_snapshot_was_begun_anew_counts() {
        let parts = vec![
            Part::Live(vec![live("lost", 7, "lost"), live("a", 7, "lost")]),
            Part::Anew,
            Part::Live(vec![live("a", 1, "kept")]),
        ];
        assert_eq!(drawn(parts), [("a".to_owned(), 1)]);
    }

    #[test]
    fn a_body_that_cannot_be_read_is_live_and_set_apart() {
        let mut broken = live("a", 1, "a");
        broken.body = "{".into();
        let mut sketch = Sketch::default();
        sketch.take(Part::Live(vec![broken]));
        let mut known = HashSet::new();
        let told: Vec<Sketched> = sketch.last(&mut known).collect();
        assert!(matches!(told.as_slice(), [Sketched { record: Some(Err(_)), .. }]), "{told:?}");
    }
}
