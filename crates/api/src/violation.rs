//! What is wrong with a request: every field at once.

use std::fmt;

use crate::reasons;

/// Most violations that one answer lists; more are counted only.
pub const LISTED_MAX: usize = 50;

/// Most violations that one sentence tells; a status carries its sentence twice, in headers.
const TOLD_MAX: usize = 3;

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its path, such as `offer.window.until` or `items[36].figures.staffed`.
    pub field: String,
    /// What is wrong and what would be right, in plain words; never what was sent.
    pub text: String,
    /// One of [`reasons`].
    pub reason: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.text)
    }
}

/// Everything that is wrong with a request, in the order of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Makes an empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a list of one.
    #[must_use]
    pub fn one(field: impl Into<String>, reason: &'static str, text: impl Into<String>) -> Self {
        let mut list = Self::new();
        list.add(field, reason, text);
        list
    }

    /// Adds one.
    pub fn add(&mut self, field: impl Into<String>, reason: &'static str, text: impl Into<String>) {
        self.0.push(Violation { field: field.into(), text: text.into(), reason });
    }

    /// Adds all of another list.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Returns them in order.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the value if nothing is wrong, else the list.
    ///
    /// # Errors
    /// The list itself, when it is not empty.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            Some(_) | None => Err(self),
        }
    }

    /// Returns the reason of all of them, or `INVALID` where they differ.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.0.split_first() {
            Some((first, rest)) if rest.iter().all(|other| other.reason == first.reason) => first.reason,
            Some(_) | None => reasons::INVALID,
        }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().take(TOLD_MAX).enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{violation}")?;
        }
        match self.0.len().saturating_sub(TOLD_MAX) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for Violations {}

impl IntoIterator for Violations {
    type Item = Violation;
    type IntoIter = std::vec::IntoIter<Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
