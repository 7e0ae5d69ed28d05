//! What a list is made of: the records of a kind, of now or of a time before, all of them or those that are named.

use std::collections::{BTreeSet, HashSet};

use fallow_api::convert::Check;
use fallow_api::convert::request::SELECTION_MAX;
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::ids::NameError;
use fallow_domain::refusal::Refusal;
use fallow_ledger::picture::Seen;
use fallow_ledger::{Key, RecordKind, Revision};
use jiff::Timestamp;

use crate::Live;

/// Which records a list is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The keys of those that are named, in order; `None` = all.
    pub named: Option<BTreeSet<Key>>,
    /// The time as of which; `None` = now.
    pub as_of: Option<Timestamp>,
}

impl Asked {
    /// Parses the `filter.ids` and `as_of` of a list that is asked for at a time.
    ///
    /// # Errors
    /// Violations of `filter.ids` (`TOO_MANY` beyond [`SELECTION_MAX`], `BAD_ID`, `REQUIRED` for an empty one) and of
    /// `as_of` (`OUT_OF_RANGE`, `WINDOW` in the future).
    pub fn parse<I>(
        ids: &[String],
        as_of: Option<&prost_types::Timestamp>,
        now: Timestamp,
        id: impl Fn(&str) -> Result<I, NameError>,
        key: impl Fn(&I) -> Key,
    ) -> Result<Self, Failure> {
        let mut check = Check::new("");
        let named = named(&mut check, ids, id, key);
        let as_of = check.time("as_of", as_of);
        if as_of.is_some_and(|as_of| as_of > now) {
            check.wrong("as_of", reasons::WINDOW, "must not be in the future");
        }
        let is_clean = check.is_clean();
        Ok(check.finish(is_clean.then_some(Self { named, as_of }))?)
    }

    /// Returns the records with the revision of the list, in order of key. Cost: of those that are named, one look at
    /// each; of all as they now are, proportional to how many there are; as of a time before, as a snapshot.
    ///
    /// # Errors
    /// [`Failure::Refused`] (`REVISION_GONE`) when the changes since then are no longer kept.
    pub fn records(&self, live: &Live, kind: RecordKind) -> Result<(Vec<(Key, Seen)>, Revision), Failure> {
        let still = live.picture().still();
        let Some(as_of) = self.as_of else {
            let records = match &self.named {
                Some(keys) => keys.iter().filter_map(|key| Some((key.clone(), still.get(key)?))).collect(),
                None => still.all(kind),
            };
            return Ok((records, still.revision()));
        };
        let then = still.revision_at(as_of).and_then(|revision| Some((revision, still.back_at(revision)?.1)));
        let (revision, records) = then.ok_or_else(|| {
            let text = format!("the changes since {as_of} are no longer kept here: ask for a later time");
            Failure::Refused(Refusal::new(reasons::REVISION_GONE, text))
        })?;
        let wanted =
            |key: &Key| key.kind == kind && self.named.as_ref().is_none_or(|keys| keys.contains(key));
        Ok((records.into_iter().filter(|(key, _)| wanted(key)).collect(), revision))
    }
}

/// The ids that a filter names: looked up for each record, however many there are.
#[derive(Debug)]
pub struct Named(HashSet<String>);

impl Named {
    /// Takes the `filter.ids`; none names all.
    #[must_use]
    pub fn of(ids: &[String]) -> Self {
        Self(ids.iter().cloned().collect())
    }

    /// Says whether a record is named. Cost: one look-up.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.0.is_empty() || self.0.contains(id)
    }
}

/// Parses the `filter.ids` of a watch.
///
/// # Errors
/// As [`Asked::parse`].
pub fn check_ids<I>(ids: &[String], id: impl Fn(&str) -> Result<I, NameError>) -> Result<(), Failure> {
    let mut check = Check::new("");
    check_each(&mut check, ids, id);
    let is_clean = check.is_clean();
    Ok(check.finish(is_clean.then_some(()))?)
}

fn named<I>(
    check: &mut Check<'_>,
    ids: &[String],
    id: impl Fn(&str) -> Result<I, NameError>,
    key: impl Fn(&I) -> Key,
) -> Option<BTreeSet<Key>> {
    let ids = check_each(check, ids, id);
    (!ids.is_empty()).then(|| ids.iter().map(key).collect())
}

fn check_each<I>(check: &mut Check<'_>, ids: &[String], id: impl Fn(&str) -> Result<I, NameError>) -> Vec<I> {
    if !check.at_most("filter.ids", ids.len(), SELECTION_MAX) {
        return Vec::new();
    }
    let parse = |(index, text): (usize, &String)| check.id(&format!("filter.ids[{index}]"), text, &id);
    ids.iter().enumerate().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_that_is_named_names_all() {
        assert!(Named::of(&[]).has("o-1"));
        let named = Named::of(&["o-1".to_owned(), "o-2".to_owned()]);
        assert_eq!(["o-1", "o-2", "o-3"].map(|id| named.has(id)), [true, true, false]);
    }
}
