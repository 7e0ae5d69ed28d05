//! What goes into a commit and what comes out of the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::cursor::{Cursor, Revision};
use crate::key::Key;
use crate::limits::{self, Limit};
use crate::trouble::Trouble;

/// A live record: what it is called, what it says, and the commit that last wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// What the record is called.
    pub key: Key,
    /// The commit that last wrote it; never [`Revision::ABSENT`].
    pub revision: Revision,
    /// What it says, see [`crate::record`].
    pub body: Bytes,
}

/// A part of a snapshot that is told part by part, see [`crate::Ledger::snapshot_in_parts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The snapshot is begun anew: nothing that was told before counts.
    Anew,
    /// Live records, in no order. Each takes the place of what was told under its key before.
    Live(Vec<Versioned>),
    /// Records that are no longer live, whatever was told of them before.
    Gone(Vec<Key>),
}

/// The SHA-256 of the body of a request, by which a repeated request is told from another under the same id.
pub type Digest = [u8; 32];

/// Which request a commit answers. Every mutation that a caller may repeat has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Whose id it is, usually the ODS code of a trust: two trusts may use the same id.
    pub scope: Arc<str>,
    /// The caller's id, usually a UUID.
    pub id: Arc<str>,
    /// What was asked.
    pub digest: Digest,
}

impl RequestKey {
    /// Names a request by its scope, its id and the bytes of what was asked.
    pub fn new(scope: impl Into<Arc<str>>, id: impl Into<Arc<str>>, body: &[u8]) -> RequestKey {
        RequestKey { scope: scope.into(), id: id.into(), digest: Sha256::digest(body).into() }
    }
}

/// The new bodies by record; `None` deletes the record (deleting what is absent is no error).
pub type Writes = BTreeMap<Key, Option<Bytes>>;

/// One step of the ledger: what was read, what to write, why, and what to answer if it is asked again.
///
/// A commit without writes is allowed: it takes a revision, and its cause is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// When it is made. A ledger without a clock of its own goes by it to forget request ids that are older than
    /// [`limits::REQUEST_MEMORY`]; one that lies in a server goes by the server's clock.
    pub at: Timestamp,
    /// The request that it answers, if one can be repeated.
    pub request: Option<RequestKey>,
    /// The revision that each record must still have; [`Revision::ABSENT`] when it must not be there.
    pub expects: BTreeMap<Key, Revision>,
    /// The history in which those revisions were seen, when they were not read from the ledger itself: a revision names one
    /// content within a history only. Of another one than the ledger's, the commit conflicts, whatever else it is.
    pub seen_in: Option<Arc<str>>,
    /// What to write.
    pub writes: Writes,
    /// Why: who did what, see [`crate::cause::Cause`].
    pub cause: Bytes,
    /// What a repetition of the request is answered. Ignored without a request.
    pub answer: Bytes,
}

/// How a commit ended. Only `Committed` has an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was written, under this revision.
    Committed {
        /// The revision of the commit.
        revision: Revision,
    },
    /// The request had been answered before, and this is the answer. Nothing was written now.
    Replayed {
        /// The revision of the first commit.
        revision: Revision,
        /// The answer of the first commit.
        answer: Bytes,
    },
    /// These records (in key order) no longer have the expected revision, or all of them were seen in another history:
    /// read them again. At least one, but where a commit of another history expects nothing. Nothing was written.
    Conflict {
        /// The records that differ.
        keys: Vec<Key>,
    },
    /// The request id was used for another request. Nothing was written.
    RequestIdReused,
}

/// One commit, as the log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The number of the commit.
    pub revision: Revision,
    /// What it wrote.
    pub writes: Writes,
    /// Why.
    pub cause: Bytes,
}

/// A page of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The commits, oldest first, without a gap; empty when the wait ran out.
    pub changes: Vec<Change>,
    /// Where to go on from: the revision of the last change, or the cursor asked from.
    pub cursor: Cursor,
}

impl Commit {
    /// Makes a commit that expects and writes nothing yet.
    pub fn new(at: Timestamp) -> Commit {
        Commit {
            at,
            request: None,
            expects: BTreeMap::new(),
            seen_in: None,
            writes: Writes::new(),
            cause: Bytes::new(),
            answer: Bytes::new(),
        }
    }

    /// Makes it the answer to a request that may be repeated.
    pub fn requested(mut self, request: RequestKey, answer: impl Into<Bytes>) -> Commit {
        self.request = Some(request);
        self.answer = answer.into();
        self
    }

    /// Says which revision a record must still have.
    pub fn expecting(mut self, key: Key, revision: Revision) -> Commit {
        self.expects.insert(key, revision);
        self
    }

    /// Says in which history the expected revisions were seen, see [`Commit::seen_in`].
    pub fn seen_in(mut self, history: Arc<str>) -> Commit {
        self.seen_in = Some(history);
        self
    }

    /// Writes a record.
    pub fn writing(mut self, key: Key, body: impl Into<Bytes>) -> Commit {
        self.writes.insert(key, Some(body.into()));
        self
    }

    /// Deletes a record.
    pub fn deleting(mut self, key: Key) -> Commit {
        self.writes.insert(key, None);
        self
    }

    /// Says why.
    pub fn because(mut self, cause: impl Into<Bytes>) -> Commit {
        self.cause = cause.into();
        self
    }

    /// Checks every limit that can be checked without the store.
    ///
    /// # Errors
    /// [`Trouble::TooLarge`], naming the first limit that is broken.
    pub fn check(&self) -> Result<(), Trouble> {
        if let Some(request) = &self.request {
            within(Limit::RequestIdBytes, limits::REQUEST_ID_BYTES, request.scope.len())?;
            within(Limit::RequestIdBytes, limits::REQUEST_ID_BYTES, request.id.len())?;
        }
        within(Limit::Reads, limits::READS, self.expects.len())?;
        within(Limit::WritesPerCommit, limits::WRITES_PER_COMMIT, self.writes.len())?;
        self.expects.keys().chain(self.writes.keys()).try_for_each(check_key)?;
        let bodies = self.writes.values().flatten();
        bodies.clone().try_for_each(|body| within(Limit::BodyBytes, limits::BODY_BYTES, body.len()))?;
        within(Limit::CauseBytes, limits::CAUSE_BYTES, self.cause.len())?;
        within(Limit::AnswerBytes, limits::ANSWER_BYTES, self.answer.len())?;
        let total = bodies.map(Bytes::len).sum::<usize>() + self.cause.len() + self.answer.len();
        within(Limit::CommitBytes, limits::COMMIT_BYTES, total)
    }
}

/// Checks the limits of a read.
///
/// # Errors
/// [`Trouble::TooLarge`], naming the first limit that is broken.
pub fn check_read(keys: &[Key]) -> Result<(), Trouble> {
    within(Limit::Reads, limits::READS, keys.len())?;
    keys.iter().try_for_each(check_key)
}

fn check_key(key: &Key) -> Result<(), Trouble> {
    if key.id.is_empty() {
        return Err(Trouble::TooLarge { limit: Limit::KeyIdBytes, allowed: limits::KEY_ID_BYTES, found: 0 });
    }
    within(Limit::KeyIdBytes, limits::KEY_ID_BYTES, key.id.len())
}

fn within(limit: Limit, allowed: usize, found: usize) -> Result<(), Trouble> {
    if found > allowed { Err(Trouble::TooLarge { limit, allowed, found }) } else { Ok(()) }
}
