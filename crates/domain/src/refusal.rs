//! Refusals: what a rule said no to, coded, with its numbers.

use thiserror::Error;

/// A rule said no. The reason is fixed and is what programs read; the text is for people; the numbers are the figures
/// that the rule compared, in order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct Refusal {
    /// The reason, one of those that the table of errors explains, such as `CAPACITY_COMMITTED`.
    pub reason: &'static str,
    /// What was refused and why, in plain words.
    pub text: String,
    /// The figures, each with its name: `("free", "0")`.
    pub numbers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// Makes a refusal without numbers.
    #[must_use]
    pub fn new(reason: &'static str, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), numbers: Vec::new() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.numbers.push((name, value.to_string()));
        self
    }
}
