//! The ledger: live records that change by commits with version checks, and the log of those commits.
//!
//! Four verbs are all there is. `read` and `snapshot`, whole or in parts, tell what is live; `changes` tells what happened since;
//! `commit` writes several records at once, or nothing if any record that the decision rested on has changed.
//! The ledger knows no business rule: a rule is "in the same atomic step" because the decision is bound to the
//! exact version of everything it read.
//!
//! Two implementations share one [`conformance`] suite: [`MemoryLedger`] here, and the one over Redis.
//!
//! Invariants: this crate knows neither the wire nor Redis; it never asks for the time (commits carry it).

pub mod cause;
mod commit;
pub mod conformance;
mod cursor;
pub mod follow;
mod keeper;
mod key;
pub mod limits;
mod memory;
pub mod picture;
pub mod planted;
pub mod record;
pub mod state;
pub mod transact;
mod trouble;
pub mod watch;

use std::time::Duration;

use tokio::sync::mpsc;

pub use commit::{Change, Changes, Commit, Digest, Outcome, Part, RequestKey, Versioned, Writes, check_read};
pub use cursor::{Cursor, NotACursor, Revision};
pub use keeper::{Archived, Attested, Keeper, KeeperError, Reach, Seen};
pub use key::{Key, NotAKey, RecordKind};
pub use memory::MemoryLedger;
pub use trouble::Trouble;

/// Live records and the log of their changes. Object safe: services hold an `Arc<dyn Ledger>`.
///
/// Each sentence below that says what an implementation does has a test of the same name in [`conformance`].
#[async_trait::async_trait]
pub trait Ledger: Send + Sync {
    /// Gives the named records, each with the revision that last wrote it.
    ///
    /// The answers are in the order of `keys`. An absent record is `None`. All answers are of one revision: no
    /// commit is seen in part.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], [`Trouble::TooLarge`] beyond [`limits::READS`] keys, [`Trouble::Corrupt`].
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Trouble>;

    /// Gives everything live, in key order, and the cursor from which `changes` goes on without gap or repeat.
    ///
    /// Cost: proportional to what is live.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], [`Trouble::Corrupt`].
    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble>;

    /// Tells the same part by part, in no order, and gives the cursor: for who makes something of each record, so that the
    /// bodies of a whole region never lie in memory at once, and are read while the next are on their way.
    ///
    /// All parts together are the snapshot. Some of them are of no one revision, and when it fails neither are all.
    ///
    /// # Errors
    /// As [`Ledger::snapshot`].
    async fn snapshot_in_parts(&self, told: mpsc::Sender<Part>) -> Result<Cursor, Trouble> {
        let (records, cursor) = self.snapshot().await?;
        // Who no longer listens needs nothing.
        let _ = told.send(Part::Live(records)).await;
        Ok(cursor)
    }

    /// Gives the changes after the cursor, oldest first, at most `limit`, waiting up to `wait` for the first.
    ///
    /// Revisions are dense: each change is exactly one more than the one before. When there are changes it
    /// returns at once; a commit wakes a waiting call; when the wait runs out the page is empty and the cursor is the
    /// one given. `limit` is brought into 1 to [`limits::CHANGES_PAGE`].
    ///
    /// # Errors
    /// [`Trouble::CursorGone`] when the changes after the cursor are no longer kept, or the cursor is of another
    /// history, or ahead of the ledger. [`Trouble::Unavailable`], [`Trouble::Corrupt`].
    async fn changes(&self, cursor: &Cursor, limit: usize, wait: Duration) -> Result<Changes, Trouble>;

    /// Writes all of it, or nothing if any record it read has changed.
    ///
    /// The request id is looked up first: the same request id with the same digest answers as before, whatever has
    /// changed since; with another digest it is refused. Request ids are scoped: two scopes may use the same id.
    /// An outcome is remembered for [`limits::REQUEST_MEMORY`] at least, and forgotten by later commits.
    /// A conflict and a refusal write nothing and do not remember the request id.
    ///
    /// # Errors
    /// Nothing was written: [`Trouble::Unavailable`], [`Trouble::Sealed`], [`Trouble::Misconfigured`],
    /// [`Trouble::TooLarge`], [`Trouble::TooManyRequests`]. Perhaps written: [`Trouble::Unknown`].
    async fn commit(&self, commit: Commit) -> Result<Outcome, Trouble>;
}
