//! A ledger with a planted bug: what the suite must find.

#![allow(clippy::wildcard_enum_match_arm, reason = "each bug bends one call and leaves the others alone")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fallow_ledger::{Changes, Commit, Cursor, Key, Ledger, Outcome, Part, Revision, Trouble, Versioned};
use jiff::Timestamp;
use tokio::sync::mpsc;

/// One thing done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    VersionNotCompared,
    OnlyFirstVersionCompared,
    AbsenceNotCompared,
    WritesOnConflict,
    CommitsByHalves,
    RequestIdNotScoped,
    RequestIdForgotten,
    RequestIdForgottenEarly,
    DigestNotCompared,
    ReplayLosesAnswer,
    ConflictRemembersRequest,
    VersionsBeforeRequestId,
    RequestIdsNeverForgotten,
    GapInChanges,
    ChangeTwice,
    NewestFirst,
    RevisionsNotDense,
    LimitIgnored,
    WaitIgnored,
    NeverWoken,
    AlwaysWaits,
    OtherHistoryTaken,
    OtherHistoryCommitted,
    AheadTaken,
    SnapshotTornFromCursor,
    SnapshotUnordered,
    PartLost,
    DeleteIgnored,
    ReadsShuffled,
    CauseLost,
}

impl Bug {
    /// Every bug, with the check that must find it.
    pub(crate) const ALL: [(Bug, &'static str); 30] = [
        (Bug::VersionNotCompared, "of_32_racers_on_one_record_one_wins"),
        (Bug::OnlyFirstVersionCompared, "nothing_is_written_if_any_record_has_changed"),
        (Bug::AbsenceNotCompared, "an_expected_absence_is_compared"),
        (Bug::WritesOnConflict, "nothing_is_written_if_any_record_has_changed"),
        (Bug::CommitsByHalves, "no_commit_is_seen_in_part"),
        (Bug::RequestIdNotScoped, "request_ids_are_scoped"),
        (Bug::RequestIdForgotten, "of_50_repetitions_one_has_an_effect"),
        (Bug::RequestIdForgottenEarly, "an_outcome_is_remembered_for_72_hours"),
        (Bug::DigestNotCompared, "with_another_digest_it_is_refused"),
        (Bug::ReplayLosesAnswer, "the_same_request_id_answers_as_before"),
        (Bug::ConflictRemembersRequest, "a_conflict_does_not_remember_the_request_id"),
        (Bug::VersionsBeforeRequestId, "the_request_id_is_looked_up_first"),
        (Bug::RequestIdsNeverForgotten, "a_full_scope_is_refused_and_makes_room_by_itself"),
        (Bug::GapInChanges, "changes_go_on_from_a_snapshot_without_gap_or_repeat"),
        (Bug::ChangeTwice, "changes_go_on_from_a_snapshot_without_gap_or_repeat"),
        (Bug::NewestFirst, "changes_come_oldest_first"),
        (Bug::RevisionsNotDense, "each_change_is_exactly_one_more_than_the_one_before"),
        (Bug::LimitIgnored, "at_most_limit_changes"),
        (Bug::WaitIgnored, "when_the_wait_runs_out_the_page_is_empty"),
        (Bug::NeverWoken, "a_commit_wakes_a_waiting_call"),
        (Bug::AlwaysWaits, "with_changes_it_returns_at_once"),
        (Bug::OtherHistoryTaken, "a_cursor_of_another_history_is_gone"),
        (Bug::OtherHistoryCommitted, "what_was_seen_in_another_history_conflicts"),
        (Bug::AheadTaken, "a_cursor_ahead_of_the_ledger_is_gone"),
        (Bug::SnapshotTornFromCursor, "changes_go_on_from_a_snapshot_without_gap_or_repeat"),
        (Bug::SnapshotUnordered, "a_snapshot_gives_everything_live_in_key_order"),
        (Bug::PartLost, "all_parts_together_are_the_snapshot"),
        (Bug::DeleteIgnored, "a_deleted_record_is_absent"),
        (Bug::ReadsShuffled, "answers_are_in_the_order_of_keys"),
        (Bug::CauseLost, "bytes_come_back_as_written"),
    ];

    /// Whether a single caller, who makes one call after the other and never waits, can notice it.
    pub(crate) fn shows_to_one_caller(self) -> bool {
        !matches!(
            self,
            Bug::CommitsByHalves
                | Bug::WaitIgnored
                | Bug::NeverWoken
                | Bug::AlwaysWaits
                | Bug::SnapshotTornFromCursor
                | Bug::PartLost
        )
    }
}

/// A right ledger behind a wrapper that does one thing wrong.
pub(crate) struct Faulty {
    bug: Bug,
    inner: Arc<dyn Ledger>,
    calls: AtomicU64,
}

impl Faulty {
    pub(crate) fn new(bug: Bug, inner: Arc<dyn Ledger>) -> Faulty {
        Faulty { bug, inner, calls: AtomicU64::new(0) }
    }

    async fn head(&self) -> Result<Cursor, Trouble> {
        Ok(self.inner.snapshot().await?.1)
    }

    /// The commit as a ledger with the bug would take it.
    fn bend(&self, mut commit: Commit) -> Commit {
        match self.bug {
            Bug::VersionNotCompared => commit.expects.clear(),
            Bug::OnlyFirstVersionCompared => {
                commit.expects = commit.expects.into_iter().take(1).collect();
            }
            Bug::AbsenceNotCompared => commit.expects.retain(|_, revision| *revision != Revision::ABSENT),
            Bug::RequestIdNotScoped => {
                if let Some(request) = &mut commit.request {
                    request.scope = "all".into();
                }
            }
            Bug::RequestIdForgotten => commit.request = None,
            Bug::OtherHistoryCommitted => commit.seen_in = None,
            Bug::RequestIdForgottenEarly => {
                let since = commit.at.duration_since(Timestamp::UNIX_EPOCH);
                commit.at = Timestamp::UNIX_EPOCH + since * 2;
            }
            Bug::RequestIdsNeverForgotten => commit.at = Timestamp::UNIX_EPOCH,
            Bug::DigestNotCompared => {
                if let Some(request) = &mut commit.request {
                    request.digest = [0; 32];
                }
            }
            Bug::DeleteIgnored => commit.writes.retain(|_, body| body.is_some()),
            Bug::CauseLost => commit.cause = bytes::Bytes::new(),
            _ => {}
        }
        commit
    }
}

#[async_trait]
impl Ledger for Faulty {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Trouble> {
        let mut found = self.inner.read(keys).await?;
        if self.bug == Bug::ReadsShuffled {
            found.sort_by_key(|found| found.as_ref().map(|record| record.key.clone()));
        }
        Ok(found)
    }

    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        let (mut live, mut cursor) = self.inner.snapshot().await?;
        if self.bug == Bug::SnapshotTornFromCursor {
            // Beside a writer this always tears; without one there is nothing to tear.
            cursor = self.inner.changes(&cursor, 1, Duration::from_millis(50)).await?.cursor;
        }
        if self.bug == Bug::SnapshotUnordered {
            live.reverse();
        }
        Ok((live, cursor))
    }

    async fn snapshot_in_parts(&self, told: mpsc::Sender<Part>) -> Result<Cursor, Trouble> {
        if self.bug != Bug::PartLost {
            return self.inner.snapshot_in_parts(told).await;
        }
        let (mut live, cursor) = self.inner.snapshot().await?;
        live.truncate(1_000);
        let _ = told.send(Part::Live(live)).await;
        Ok(cursor)
    }

    async fn changes(&self, cursor: &Cursor, limit: usize, wait: Duration) -> Result<Changes, Trouble> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut asked = cursor.clone();
        let (mut limit, mut wait) = (limit, wait);
        match self.bug {
            Bug::OtherHistoryTaken => {
                asked = Cursor::new(self.head().await?.history().clone(), cursor.revision())
            }
            Bug::AheadTaken => {
                let head = self.head().await?;
                if asked.history() == head.history() {
                    asked = asked.at(asked.revision().min(head.revision()));
                }
                wait = Duration::ZERO;
            }
            Bug::LimitIgnored => limit = limit.saturating_mul(2),
            Bug::WaitIgnored => wait = Duration::ZERO,
            Bug::AlwaysWaits => tokio::time::sleep(wait).await,
            Bug::NeverWoken => {
                let now = self.inner.changes(&asked, limit, Duration::ZERO).await?;
                if now.changes.is_empty() {
                    tokio::time::sleep(wait).await;
                }
                return Ok(now);
            }
            _ => {}
        }
        let mut page = self.inner.changes(&asked, limit, wait).await?;
        match self.bug {
            Bug::GapInChanges if call % 5 == 4 && page.changes.len() > 1 => {
                page.changes.remove(0);
            }
            Bug::ChangeTwice if call % 5 == 4 && !page.changes.is_empty() => {
                page.changes.insert(0, page.changes[0].clone());
            }
            Bug::NewestFirst => page.changes.reverse(),
            _ => {}
        }
        Ok(page)
    }

    async fn commit(&self, commit: Commit) -> Result<Outcome, Trouble> {
        let commit = self.bend(commit);
        if self.bug == Bug::CommitsByHalves && commit.writes.len() > 1 {
            let (mut first, mut second) = (commit.clone(), commit);
            let half = first.writes.len() / 2;
            second.writes = first.writes.iter().skip(half).map(|(k, b)| (k.clone(), b.clone())).collect();
            first.writes = first.writes.into_iter().take(half).collect();
            self.inner.commit(first).await?;
            tokio::task::yield_now().await;
            second.expects.clear();
            return self.inner.commit(second).await;
        }
        if self.bug == Bug::VersionsBeforeRequestId {
            let probe = Commit { request: None, writes: [].into(), ..commit.clone() };
            if let conflict @ Outcome::Conflict { .. } = self.inner.commit(probe).await? {
                return Ok(conflict);
            }
        }
        let outcome = self.inner.commit(commit.clone()).await?;
        match (self.bug, outcome) {
            (Bug::WritesOnConflict, conflict @ Outcome::Conflict { .. }) => {
                self.inner.commit(Commit { expects: [].into(), request: None, ..commit }).await?;
                Ok(conflict)
            }
            (Bug::ConflictRemembersRequest, conflict @ Outcome::Conflict { .. }) => {
                self.inner.commit(Commit { expects: [].into(), writes: [].into(), ..commit }).await?;
                Ok(conflict)
            }
            (Bug::ReplayLosesAnswer, Outcome::Replayed { revision, .. }) => {
                Ok(Outcome::Replayed { revision, answer: bytes::Bytes::new() })
            }
            (Bug::RevisionsNotDense, Outcome::Conflict { keys }) => {
                self.inner.commit(Commit::new(commit.at)).await?;
                Ok(Outcome::Conflict { keys })
            }
            (_, outcome) => Ok(outcome),
        }
    }
}
