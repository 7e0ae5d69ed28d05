//! The decisions, pure: records, a command, who and when go in; the new versions of the changed records, or a refusal,
//! come out.
//!
//! Every function names what it must be given. It is given more where that is easier: what a decision does not touch it
//! does not give back. Where the records given do not add up (an offer's held units are not the sum of its holds) they
//! were read while something changed, and the answer is `CHANGED_MEANWHILE`: read again.

pub mod action;
pub mod figures;
pub mod holds;
pub mod need;
pub mod offer;
pub mod proposal;
pub mod transfer;
pub mod trust;

use crate::ids::Note;

/// Makes a note of our own fixed words.
pub(crate) fn words(text: &'static str) -> Note {
    // Ours are all short and plain; a test of each text would be a test of this line.
    Note::parse(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
