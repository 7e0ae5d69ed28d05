//! What a list is made of: the records of a kind, of now or of a time before, all of them or those that are named.

use std::collections::{BTreeSet, HashSet};

use fallow_api::convert::Check;
use fallow_api::convert::request::SELECTION_MAX;
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::ids::NameError;
use fallow_domain::refusal::Refusal;
use fallow_ledger::picture::{Of, Seen};
use fallow_ledger::{Key, RecordKind, Revision};
use jiff::Timestamp;

use crate::pages::Page;
use crate::{Live, not_ready};

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

    /// Returns the records in order of key, and says on the page which place in the log they are of: the one that it names,
    /// or else, as of a time before, the last that was committed by then. Of a list of now that is for the answer alone: its
    /// pages are each of when they are asked for. Changes are applied meanwhile. Cost: proportional to how many records there
    /// are of the kind, or are named; as of a time before, also to the changes since.
    ///
    /// # Errors
    /// [`Failure::Refused`] (`REVISION_GONE`) when the changes since then are no longer kept, or the page is one of another
    /// history; [`Failure::NotReady`] while the picture is not drawn, or behind the page; the store's troubles.
    pub async fn records(
        &self,
        live: &Live,
        kind: RecordKind,
        page: &mut Page,
    ) -> Result<(Vec<(Key, Seen)>, Revision), Failure> {
        let kinds = [kind];
        let of = self.named.as_ref().map_or(Of::Kinds(&kinds), Of::Keys);
        let Some(as_of) = self.as_of else {
            let (records, cursor) = live.picture().copy(of).ok_or_else(not_ready)?;
            return Ok((records.into_iter().collect(), cursor.revision()));
        };
        if let Some(of) = &page.of {
            live.stands_at(of).await?;
        }
        let then = page.of.take().or_else(|| live.picture().place_at(as_of));
        let records = then.as_ref().and_then(|then| live.picture().copy_at(of, then));
        let (Some(then), Some(records)) = (then, records) else {
            let text = format!("the changes since {as_of} are no longer kept here: ask for a later time");
            return Err(Refusal::new(reasons::REVISION_GONE, text).into());
        };
        let revision = then.revision();
        page.of = Some(then);
        Ok((records.into_iter().collect(), revision))
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
