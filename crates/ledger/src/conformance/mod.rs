//! What every ledger must do, as checks that run over any of them.
//!
//! Each check is named after a sentence in the documentation of [`Ledger`]. It gives a [`Fault`] instead of
//! panicking, so that a test can also show that a ledger with a planted bug is caught. [`twin`] compares two ledgers
//! answer by answer over random sequences of calls.

mod changes;
mod commits;
pub mod keeping;
mod reads;
mod requests;
pub mod twin;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::{Commit, Key, Ledger, Outcome, RecordKind, Revision, Trouble};

pub use changes::*;
pub use commits::*;
pub use reads::*;
pub use requests::*;

/// How many request ids per scope the ledgers of a [`Maker`] remember: few, so that the cap is reached.
pub const REQUESTS_PER_SCOPE: usize = 32;

/// The time at which the checks begin.
pub const START: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// Makes ledgers to be checked, each empty, with a history of its own, remembering [`REQUESTS_PER_SCOPE`]
/// request ids per scope.
#[async_trait::async_trait]
pub trait Maker: Send + Sync {
    /// Makes a ledger.
    async fn fresh(&self) -> Arc<dyn Ledger>;

    /// Makes time pass for all ledgers made so far, where they have a clock of their own. Those that go by the time of their
    /// commits need nothing.
    async fn pass(&self, time: SignedDuration) {
        let _ = time;
    }

    /// Makes a ledger, and the means of making it forget changes.
    async fn forgetful(&self) -> (Arc<dyn Ledger>, Forget);
}

/// Forgets the changes up to and including a revision.
pub type Forget = Box<dyn Fn(Revision) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What a ledger did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Fault {
        Fault(format!("unexpected trouble: {trouble}"))
    }
}

/// What a check found.
pub type Verdict = Result<(), Fault>;

/// Fails the check when two values differ.
macro_rules! same {
    ($left:expr, $right:expr, $($what:tt)+) => {
        let (left, right) = (&$left, &$right);
        if left != right {
            return Err($crate::conformance::Fault(format!("{}: {left:?}, not {right:?}", format!($($what)+))));
        }
    };
}
use same;

/// Calls a macro with some tokens of the caller in brackets, and the names of all checks.
#[macro_export]
macro_rules! with_checks {
    ($callback:path, [$($passed:tt)*]) => {
        $callback! {
            [$($passed)*]
            an_absent_record_is_none
            answers_are_in_the_order_of_keys
            each_with_the_revision_that_last_wrote_it
            no_commit_is_seen_in_part
            more_keys_than_reads_are_refused
            a_snapshot_gives_everything_live_in_key_order
            all_parts_together_are_the_snapshot
            changes_go_on_from_a_snapshot_without_gap_or_repeat
            bytes_come_back_as_written
            changes_come_oldest_first
            at_most_limit_changes
            each_change_is_exactly_one_more_than_the_one_before
            with_changes_it_returns_at_once
            a_commit_wakes_a_waiting_call
            when_the_wait_runs_out_the_page_is_empty
            a_cursor_of_another_history_is_gone
            a_cursor_ahead_of_the_ledger_is_gone
            a_cursor_before_what_is_kept_is_gone
            all_of_it_is_written
            nothing_is_written_if_any_record_has_changed
            what_was_seen_in_another_history_conflicts
            a_conflict_names_every_record_that_differs
            an_expected_absence_is_compared
            a_deleted_record_is_absent
            a_commit_without_writes_takes_a_revision
            what_is_too_large_writes_nothing
            of_32_racers_on_one_record_one_wins
            the_same_request_id_answers_as_before
            the_request_id_is_looked_up_first
            with_another_digest_it_is_refused
            request_ids_are_scoped
            a_conflict_does_not_remember_the_request_id
            of_50_repetitions_one_has_an_effect
            an_outcome_is_remembered_for_72_hours
            a_full_scope_is_refused_and_makes_room_by_itself
        }
    };
}

/// A check over any ledger.
pub type Check = for<'a> fn(&'a dyn Maker) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

macro_rules! list {
    ([] $($check:ident)+) => {
        /// Lists all checks with their names.
        pub fn all() -> Vec<(&'static str, Check)> {
            vec![$((stringify!($check), (|maker| Box::pin($check(maker))) as Check)),+]
        }
    };
}
with_checks!(list, []);

/// Makes one test for each check. It is given the path of an `async fn` that makes a [`Maker`].
#[macro_export]
macro_rules! conformance_tests {
    ($maker:path) => {
        $crate::with_checks!($crate::conformance_tests, [$maker]);
    };
    ([$maker:path] $($check:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                if let Err(fault) = $crate::conformance::$check(&$maker().await).await {
                    panic!("{fault}");
                }
            }
        )+
    };
}

fn key(name: &str) -> Key {
    Key::new(RecordKind::Offer, name)
}

fn draft() -> Commit {
    Commit::new(START)
}

/// Commits what must not conflict.
async fn committed(ledger: &dyn Ledger, commit: Commit) -> Result<Revision, Fault> {
    match ledger.commit(commit).await? {
        Outcome::Committed { revision } => Ok(revision),
        other @ (Outcome::Replayed { .. } | Outcome::Conflict { .. } | Outcome::RequestIdReused) => {
            Err(Fault(format!("a plain commit ended in {other:?}")))
        }
    }
}

/// Reads one record.
async fn one(ledger: &dyn Ledger, key: &Key) -> Result<Option<(Revision, bytes::Bytes)>, Fault> {
    let mut found = ledger.read(std::slice::from_ref(key)).await?;
    same!(found.len(), 1, "answers to a read of one key");
    Ok(found.pop().flatten().map(|record| (record.revision, record.body)))
}
