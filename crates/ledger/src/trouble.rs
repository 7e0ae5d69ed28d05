//! What can go wrong with a ledger, told apart by what the caller may do next.

use crate::key::Key;
use crate::limits::Limit;

/// Why a ledger could not answer. Losing a race is no trouble, see [`crate::Outcome::Conflict`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The store is away and nothing was written: the call can be repeated at once.
    #[error("the store cannot be reached: {detail}")]
    Unavailable {
        /// What was being done and what failed, for an operator.
        detail: String,
    },
    /// The commit was sent and its answer was lost, so it is perhaps written. Repeating it with the same request
    /// id tells; without a request id, reading the records tells.
    #[error("the outcome of the commit is not known: {detail}")]
    Unknown {
        /// What was being done and what failed, for an operator.
        detail: String,
    },
    /// The changes after this cursor are no longer kept, or it is of another history or ahead of the store:
    /// start again from a snapshot.
    #[error("the cursor is gone")]
    CursorGone,
    /// The store came back behind what it had acknowledged, and is closed to writes until someone opens it.
    #[error("the store is sealed: {detail}")]
    Sealed {
        /// What does not fit together, for an operator.
        detail: String,
    },
    /// The store's settings would lose acknowledged writes, or its version is too old.
    #[error("the store is misconfigured: {detail}")]
    Misconfigured {
        /// Which setting, what it is and what it must be, for an operator.
        detail: String,
    },
    /// The call is larger than the ledger takes. Nothing was written.
    #[error("too large: {found} {}, at most {allowed}", limit.as_str())]
    TooLarge {
        /// Which limit.
        limit: Limit,
        /// The largest value that is taken.
        allowed: usize,
        /// The value found.
        found: usize,
    },
    /// This scope has as many request ids remembered as it may; wait for the oldest to age. Nothing was written.
    #[error("{scope} has {allowed} requests remembered, the most that are kept")]
    TooManyRequests {
        /// The scope, usually a trust.
        scope: String,
        /// The most that are kept, see [`crate::limits::REQUESTS_PER_SCOPE`].
        allowed: usize,
    },
    /// What is stored cannot be read.
    #[error("what is stored cannot be read{}: {detail}", key.as_ref().map(|k| format!(" ({k})")).unwrap_or_default())]
    Corrupt {
        /// The record, when it is one record.
        key: Option<Key>,
        /// What was found, for an operator; never the body itself.
        detail: String,
    },
}

impl Trouble {
    /// Returns whether the same call may succeed later without anyone's doing: the store was merely away.
    pub fn is_passing(&self) -> bool {
        match self {
            Trouble::Unavailable { .. } | Trouble::Unknown { .. } => true,
            Trouble::CursorGone
            | Trouble::Sealed { .. }
            | Trouble::Misconfigured { .. }
            | Trouble::TooLarge { .. }
            | Trouble::TooManyRequests { .. }
            | Trouble::Corrupt { .. } => false,
        }
    }
}
