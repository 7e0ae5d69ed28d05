//! Where one is in the log.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The number of a commit: the version of the records it wrote, its place in the log, and a watch's cursor.
///
/// The first commit is 1 and each commit adds exactly 1, so a gap is always a fault.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a record that is absent, and of a ledger without commits.
    pub const ABSENT: Revision = Revision(0);

    /// Returns the revision of the next commit.
    pub const fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in the log of one history: everything up to and including `revision` is known.
///
/// Callers keep and return its text without looking inside. A ledger that was wiped or replaced has another
/// history, and answers a cursor of the old one with [`crate::Trouble::CursorGone`] rather than with changes
/// that do not follow.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    history: Arc<str>,
    revision: Revision,
}

impl Cursor {
    /// Makes the cursor of a place in a history. For implementations of [`crate::Ledger`].
    ///
    /// `history` is 1 to 64 ASCII letters and digits.
    pub fn new(history: Arc<str>, revision: Revision) -> Cursor {
        Cursor { history, revision }
    }

    /// Returns the id of the history.
    pub fn history(&self) -> &Arc<str> {
        &self.history
    }

    /// Returns the last revision that is known.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Returns the cursor of another place in the same history.
    pub fn at(&self, revision: Revision) -> Cursor {
        Cursor { history: self.history.clone(), revision }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.history, self.revision)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that no ledger gave out as a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the text is not a cursor")]
pub struct NotACursor;

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Cursor, NotACursor> {
        let (history, revision) = text.split_once('.').ok_or(NotACursor)?;
        let plain =
            |s: &str, ok: fn(&u8) -> bool| !s.is_empty() && s.len() <= 64 && s.bytes().all(|b| ok(&b));
        if !plain(history, u8::is_ascii_alphanumeric) || !plain(revision, u8::is_ascii_digit) {
            return Err(NotACursor);
        }
        let revision = revision.parse().map_err(|_| NotACursor)?;
        Ok(Cursor::new(history.into(), Revision(revision)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_from_its_text() {
        let cursor = Cursor::new("0af3".into(), Revision(42));
        assert_eq!(cursor.to_string(), "0af3.42");
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn text_that_is_no_cursor_is_refused() {
        for text in ["", ".", "a.", ".1", "a.b", "a.-1", "a.+1", "a b.1", "a.99999999999999999999999"] {
            assert_eq!(text.parse::<Cursor>(), Err(NotACursor), "{text}");
        }
    }
}
