//! What the archive alone may do to a ledger: note what lies outside the store, trim what it has noted, and fill an
//! empty one. Everybody else has the four verbs of [`Ledger`].

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::Ledger;
use crate::commit::{Digest, Versioned};
use crate::cursor::{Cursor, Revision};
use crate::state::hex;
use crate::trouble::Trouble;

/// A note that everything through a place of the log lies outside the store, on disk.
#[derive(Clone, PartialEq, Eq)]
pub struct Archived {
    /// The last change that was written and flushed, and the history that it is of.
    pub cursor: Cursor,
    /// The archive's chain there: the SHA-256 over all that it holds, by which the store is a witness of the archive.
    pub chain: Digest,
    /// When it was flushed.
    pub at: Timestamp,
}

impl fmt::Debug for Archived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Archived({} at {}, chain {})", self.cursor, self.at, hex(&self.chain))
    }
}

/// How far an archive goes, and where that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The last change that it has.
    pub cursor: Cursor,
    /// The line of the ledger's log on which that change was read while the ledger was open, see [`Attested::Open`]. An
    /// archive that does not know it can show what a store lacks, and never that a store lacks nothing.
    pub line: Option<Arc<str>>,
}

/// How a ledger stands for its archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attested {
    /// It takes writes.
    Open {
        /// The name of the line that its log goes on in. It is another whenever a server begins to write that may lack
        /// something, and never the same again: a revision on a line names one content.
        line: Arc<str>,
        /// The last revision on the line that is known to stay.
        kept: Revision,
    },
    /// It is closed to writes, for now or for good.
    Closed {
        /// Why.
        why: String,
    },
}

/// How far the log of a ledger reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The oldest change that is kept; the one after the head when none is.
    pub oldest: Revision,
    /// The last change.
    pub head: Cursor,
    /// What was last noted as archived, also of another history.
    pub archived: Option<Archived>,
}

/// Why a ledger did not do what a keeper asked. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeeperError {
    /// More was to be trimmed than is archived.
    #[error("only what is archived is trimmed: through {asked} was asked, {} is archived", archived.map_or_else(|| "nothing".to_owned(), |through| format!("through {through}")))]
    NotArchived {
        /// The last revision that was to go.
        asked: Revision,
        /// The last that is archived of this history.
        archived: Option<Revision>,
    },
    /// The archive has what the store does not: the store has lost something.
    #[error("the store ends at revision {head}, but {archived} is archived: the store has lost changes")]
    Ahead {
        /// The last revision of the archive.
        archived: Revision,
        /// The last revision of the store.
        head: Revision,
    },
    /// The store is of another history.
    #[error("the store's history is {found}, not {asked}")]
    OtherHistory {
        /// The history that was asked for.
        asked: Arc<str>,
        /// The store's; empty when it has none.
        found: Arc<str>,
    },
    /// A ledger that is not empty was to be filled.
    #[error("the ledger is not empty: it has {records} records and its last revision is {head}")]
    NotEmpty {
        /// Its last revision.
        head: Revision,
        /// How many records it has.
        records: u64,
    },
    /// The store could not answer.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

/// A ledger that can be archived, trimmed and restored. Only the archive and the commands of an operator hold one.
///
/// Each sentence below that says what an implementation does has a test of the same name in
/// [`crate::conformance::keeping`].
#[async_trait::async_trait]
pub trait Keeper: Ledger {
    /// Gives how far the log reaches, and what was last noted as archived.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], [`Trouble::Corrupt`].
    async fn reach(&self) -> Result<Reach, Trouble>;

    /// Says what the archive has, if anything, to a store that may ask whether it has lost something, and gives how the
    /// ledger stands then.
    ///
    /// A store that lacks the place is closed to writes until somebody accepts the loss. One that waits for a witness opens
    /// by the archive only if nothing that was acknowledged can be missing, as far as the archive goes: it saw the last
    /// line, and the store ends where it does, or nothing was acknowledged before it was archived.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], [`Trouble::Corrupt`].
    async fn attest(&self, archive: Option<&Seen>) -> Result<Attested, Trouble>;

    /// Notes that everything through a place of the log is archived.
    ///
    /// A note never goes back: one of an earlier revision of the same history is passed over. One of the same revision
    /// takes the place of the one before.
    ///
    /// # Errors
    /// [`KeeperError::Ahead`], [`KeeperError::OtherHistory`], [`KeeperError::Trouble`].
    async fn archived(&self, note: &Archived) -> Result<(), KeeperError>;

    /// Removes the changes through a place from the log, and gives how many it removed. Live records stay.
    ///
    /// Only what is archived is trimmed. Cursors from before are gone.
    ///
    /// # Errors
    /// [`KeeperError::NotArchived`], [`KeeperError::OtherHistory`], [`KeeperError::Trouble`].
    async fn trim(&self, through: &Cursor) -> Result<u64, KeeperError>;

    /// Fills an empty ledger with records, as of the revision of a note, in one step. `line` is the one on which the archive
    /// that it comes from was last seen: what was written on it after the note is given up.
    ///
    /// A restored ledger goes on where the archive ends. Its log begins there. It has a history of its own: a cursor from
    /// before may be beyond what was restored, so all of them are gone. Request ids from before are forgotten: the log does
    /// not keep answers.
    ///
    /// # Errors
    /// [`KeeperError::NotEmpty`], [`KeeperError::Trouble`]. After trouble it may be repeated.
    async fn restore(
        &self,
        records: &[Versioned],
        note: &Archived,
        line: Option<&str>,
    ) -> Result<(), KeeperError>;
}
