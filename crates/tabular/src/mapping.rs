//! How the columns of somebody else's sheet become ours.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Entries of a map at most. A sheet has no more columns than that, and a trust no more sites.
const ENTRIES_MAX: usize = 1_000;

/// A map from another system's sheet to our columns, as a TOML file says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// The sheet to read; empty = the one named after the table, else the first.
    pub sheet: String,
    /// The row of the head, from 1; 0 = the first that is not empty.
    pub head_row: usize,
    /// Pass over columns that are neither ours nor mapped.
    pub ignore_other_columns: bool,
    /// Their column to ours.
    pub columns: BTreeMap<String, String>,
    /// Our column of times to their two: the date and the time of day.
    pub dates: BTreeMap<String, [String; 2]>,
    /// Our column to what every row says in it, where the row itself says nothing.
    pub constants: BTreeMap<String, String>,
    /// Our column to what their words mean in it.
    pub values: BTreeMap<String, BTreeMap<String, String>>,
}

impl Mapping {
    /// Reads a map.
    ///
    /// # Errors
    /// Names the line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mapping: Self = toml::from_str(text).map_err(|error| error.to_string().trim().to_owned())?;
        let values = mapping.values.values().map(BTreeMap::len).sum::<usize>();
        let entries = mapping.columns.len() + mapping.dates.len() + mapping.constants.len() + values;
        if entries > ENTRIES_MAX {
            return Err(format!("has {entries} entries, a map has at most {ENTRIES_MAX}"));
        }
        Ok(mapping)
    }

    /// Returns our name of one of their columns.
    pub(crate) fn ours<'a>(&'a self, theirs: &'a str) -> &'a str {
        let named = self.columns.iter().find(|(name, _)| same(name, theirs));
        named.map_or(theirs, |(_, ours)| ours)
    }

    /// Returns what one of their words means in a column of ours.
    pub(crate) fn meaning(&self, column: &str, word: &str) -> Option<&str> {
        let words = self.values.get(column)?;
        words.iter().find(|(theirs, _)| same(theirs, word)).map(|(_, ours)| ours.as_str())
    }
}

/// Compares as people do: without case and without the space around.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}
