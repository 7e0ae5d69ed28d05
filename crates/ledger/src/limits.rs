//! How much of everything a ledger takes. Both implementations check the same numbers, see [`crate::Commit::check`].

use jiff::SignedDuration;

/// The longest id of a record, in bytes: a claim of a 64-character name in any script, with room.
pub const KEY_ID_BYTES: usize = 512;

/// The most records that one read names, and the most that one commit compares.
///
/// Below the number of arguments that Redis' Lua passes to one command (just under 8,000).
pub const READS: usize = 7_000;

/// The most records that one commit writes: a site's whole state by ReplaceOffers, a thousand new offers with their source
/// keys in place of a thousand others.
///
/// Below half the number of arguments that Redis' Lua passes to one command.
pub const WRITES_PER_COMMIT: usize = 3_900;

/// The longest body of a record, in bytes: a region file of a few hundred sites, with room.
pub const BODY_BYTES: usize = 1024 * 1024;

/// The most bytes that one commit carries, bodies, cause and answer together.
pub const COMMIT_BYTES: usize = 8 * 1024 * 1024;

/// The longest cause of a commit, in bytes.
pub const CAUSE_BYTES: usize = 8 * 1024;

/// The longest remembered answer of a request, in bytes: the ids of a site's whole state before and after. Small on purpose:
/// it is kept for 72 h.
pub const ANSWER_BYTES: usize = 128 * 1024;

/// The longest scope of a request id, and the longest request id, in bytes each.
pub const REQUEST_ID_BYTES: usize = 128;

/// The most changes that one call of `changes` gives.
pub const CHANGES_PAGE: usize = 1_000;

/// How long a request id and its outcome are remembered at least: a long weekend of a client that was offline.
pub const REQUEST_MEMORY: SignedDuration = SignedDuration::from_hours(72);

/// The most request ids that are remembered per scope. Beyond, new ones are refused until the oldest have aged:
/// to forget one early could give a repeated call a second effect.
pub const REQUESTS_PER_SCOPE: usize = 100_000;

/// The most outcomes that one commit forgets. More than one, so that forgetting always catches up.
pub const REQUESTS_PRUNED_PER_COMMIT: usize = 16;

/// Names a limit in [`crate::Trouble::TooLarge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`KEY_ID_BYTES`]; also broken by an empty id.
    KeyIdBytes,
    /// [`READS`].
    Reads,
    /// [`WRITES_PER_COMMIT`].
    WritesPerCommit,
    /// [`BODY_BYTES`].
    BodyBytes,
    /// [`COMMIT_BYTES`].
    CommitBytes,
    /// [`CAUSE_BYTES`].
    CauseBytes,
    /// [`ANSWER_BYTES`].
    AnswerBytes,
    /// [`REQUEST_ID_BYTES`].
    RequestIdBytes,
}

impl Limit {
    /// Returns what is limited, for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Limit::KeyIdBytes => "bytes of a record id",
            Limit::Reads => "records read",
            Limit::WritesPerCommit => "records written",
            Limit::BodyBytes => "bytes of a record",
            Limit::CommitBytes => "bytes of a commit",
            Limit::CauseBytes => "bytes of a cause",
            Limit::AnswerBytes => "bytes of an answer",
            Limit::RequestIdBytes => "bytes of a request id",
        }
    }
}
