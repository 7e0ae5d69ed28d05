//! Checks of [`Keeper`], over any ledger that can be archived: each is named after a sentence in its documentation.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Fault, START, Verdict, committed, draft, key, same};
use crate::{
    Archived, Commit, Cursor, Keeper, KeeperError, Outcome, Reach, RequestKey, Revision, Trouble, state,
};

/// Makes ledgers to be checked, each empty and with a history of its own.
#[async_trait::async_trait]
pub trait KeeperMaker: Send + Sync {
    /// Makes a ledger.
    async fn keeper(&self) -> Arc<dyn Keeper>;
}

/// Calls a macro with some tokens of the caller in brackets, and the names of all checks of keepers.
#[macro_export]
macro_rules! with_keeper_checks {
    ($callback:path, [$($passed:tt)*]) => {
        $callback! {
            [$($passed)*]
            reach_gives_how_far_the_log_reaches
            what_was_last_noted_is_given_back
            a_note_never_goes_back
            a_note_ahead_of_the_ledger_is_refused
            a_note_of_another_history_is_refused
            only_what_is_archived_is_trimmed
            cursors_from_before_a_trim_are_gone
            live_records_stay_when_the_log_is_trimmed
            an_empty_ledger_is_filled_in_one_step
            a_restored_ledger_goes_on_where_the_archive_ends
            a_restored_ledger_has_a_history_of_its_own
            a_ledger_that_is_not_empty_is_not_filled
        }
    };
}

/// A check over any keeper.
pub type KeeperCheck = for<'a> fn(&'a dyn KeeperMaker) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

macro_rules! list {
    ([] $($check:ident)+) => {
        /// Lists all checks with their names.
        pub fn all() -> Vec<(&'static str, KeeperCheck)> {
            vec![$((stringify!($check), (|maker| Box::pin($check(maker))) as KeeperCheck)),+]
        }
    };
}
with_keeper_checks!(list, []);

/// Makes one test for each check of keepers. It is given the path of an `async fn` that makes a [`KeeperMaker`].
#[macro_export]
macro_rules! keeper_tests {
    ($maker:path) => {
        $crate::with_keeper_checks!($crate::keeper_tests, [$maker]);
    };
    ([$maker:path] $($check:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                if let Err(fault) = $crate::conformance::keeping::$check(&$maker().await).await {
                    panic!("{fault}");
                }
            }
        )+
    };
}

impl From<KeeperError> for Fault {
    fn from(error: KeeperError) -> Fault {
        Fault(format!("unexpected: {error}"))
    }
}

fn note(cursor: &Cursor) -> Archived {
    let seed = cursor.revision().0.to_le_bytes()[0];
    Archived { cursor: cursor.clone(), chain: [seed; 32], at: START }
}

/// Commits `count` times, over few records, and returns the head.
async fn busy(ledger: &dyn Keeper, count: u64) -> Result<Cursor, Fault> {
    for n in 0..count {
        let commit = draft().writing(key(&format!("k{}", n % 5)), format!("body {n}"));
        committed(ledger, commit.because(format!("cause {n}"))).await?;
    }
    Ok(ledger.snapshot().await?.1)
}

async fn gone(ledger: &dyn Keeper, cursor: &Cursor) -> bool {
    ledger.changes(cursor, 10, Duration::ZERO).await == Err(Trouble::CursorGone)
}

/// Reach gives how far the log reaches.
pub async fn reach_gives_how_far_the_log_reaches(maker: &dyn KeeperMaker) -> Verdict {
    let ledger = maker.keeper().await;
    let empty = ledger.reach().await?;
    same!((empty.oldest, empty.head.revision()), (Revision(1), Revision(0)), "an empty ledger");
    let head = busy(&*ledger, 7).await?;
    let all = Reach { oldest: Revision(1), head: head.clone(), archived: None };
    same!(ledger.reach().await?, all, "a whole log");
    ledger.archived(&note(&head)).await?;
    ledger.trim(&head.at(Revision(4))).await?;
    let reach = ledger.reach().await?;
    same!((reach.oldest, &reach.head), (Revision(5), &head), "a trimmed log");
    ledger.trim(&head).await?;
    same!(ledger.reach().await?.oldest, Revision(8), "a log of which nothing is kept");
    Ok(())
}

/// What was last noted is given back.
pub async fn what_was_last_noted_is_given_back(maker: &dyn KeeperMaker) -> Verdict {
    let ledger = maker.keeper().await;
    let head = busy(&*ledger, 4).await?;
    for revision in [2, 4] {
        let note = note(&head.at(Revision(revision)));
        ledger.archived(&note).await?;
        same!(ledger.reach().await?.archived, Some(note), "the note");
    }
    let again = Archived { chain: [0xAB; 32], ..note(&head) };
    ledger.archived(&again).await?;
    same!(ledger.reach().await?.archived, Some(again), "another note of the same revision");
    Ok(())
}

/// A note never goes back.
pub async fn a_note_never_goes_back(maker: &dyn KeeperMaker) -> Verdict {
    let ledger = maker.keeper().await;
    let head = busy(&*ledger, 12).await?;
    // As numbers, not as texts: 9 is before 12.
    ledger.archived(&note(&head)).await?;
    ledger.archived(&note(&head.at(Revision(9)))).await?;
    same!(ledger.reach().await?.archived, Some(note(&head)), "the note after an older one");
    Ok(())
}

/// A note ahead of the ledger is refused: the store has lost changes.
pub async fn a_note_ahead_of_the_ledger_is_refused(maker: &dyn KeeperMaker) -> Verdict {
    let ledger = maker.keeper().await;
    let head = busy(&*ledger, 9).await?;
    let refused = ledger.archived(&note(&head.at(Revision(10)))).await;
    let ahead = KeeperError::Ahead { archived: Revision(10), head: Revision(9) };
    same!(refused, Err(ahead), "a note ahead of the ledger");
    same!(ledger.reach().await?.archived, None, "the note after a refusal");
    Ok(())
}

/// A note of another history is refused, and so is a trim.
pub async fn a_note_of_another_history_is_refused(maker: &dyn KeeperMaker) -> Verdict {
    let (ledger, other) = (maker.keeper().await, maker.keeper().await);
    let (ours, theirs) = (busy(&*ledger, 3).await?, busy(&*other, 3).await?);
    let refusal =
        KeeperError::OtherHistory { asked: theirs.history().clone(), found: ours.history().clone() };
    same!(ledger.archived(&note(&theirs)).await, Err(refusal.clone()), "a note of the other");
    ledger.archived(&note(&ours)).await?;
    same!(ledger.trim(&theirs).await, Err(refusal), "a trim through a cursor of the other");
    same!(ledger.reach().await?.oldest, Revision(1), "the log after refusals");
    Ok(())
}

/// Only what is archived is trimmed.
pub async fn only_what_is_archived_is_trimmed(maker: &dyn KeeperMaker) -> Verdict {
    let ledger = maker.keeper().await;
    let head = busy(&*ledger, 12).await?;
    let refusal = |archived: Option<u64>| {
        Err(KeeperError::NotArchived { asked: Revision(10), archived: archived.map(Revision) })
    };
    same!(ledger.trim(&head.at(Revision(10))).await, refusal(None), "a trim of an archived nothing");
    // As numbers, not as texts: 10 is after 9.
    ledger.archived(&note(&head.at(Revision(9)))).await?;
    same!(ledger.trim(&head.at(Revision(10))).await, refusal(Some(9)), "a trim beyond what is archived");
    same!(ledger.reach().await?.oldest, Revision(1), "the log after refusals");
    same!(ledger.trim(&head.at(Revision(9))).await, Ok(9), "a trim of what is archived");
    same!(ledger.trim(&head.at(Revision(9))).await, Ok(0), "the same trim again");
    Ok(())
}

/// Cursors from before a trim are gone, later ones are not.
pub async fn cursors_from_before_a_trim_are_gone(maker: &dyn KeeperMaker) -> Verdict {
    let ledger = maker.keeper().await;
    let head = busy(&*ledger, 8).await?;
    ledger.archived(&note(&head)).await?;
    ledger.trim(&head.at(Revision(5))).await?;
    for revision in 0..=8 {
        let is_gone = gone(&*ledger, &head.at(Revision(revision))).await;
        same!(is_gone, revision < 5, "the cursor at {revision}");
    }
    Ok(())
}

/// Live records stay when the log is trimmed, and commits go on.
pub async fn live_records_stay_when_the_log_is_trimmed(maker: &dyn KeeperMaker) -> Verdict {
    let ledger = maker.keeper().await;
    let head = busy(&*ledger, 8).await?;
    let before = ledger.snapshot().await?;
    ledger.archived(&note(&head)).await?;
    ledger.trim(&head).await?;
    same!(ledger.snapshot().await?, before, "the snapshot after a trim");
    same!(committed(&*ledger, draft().writing(key("a"), "x")).await?, Revision(9), "the next commit");
    same!(ledger.changes(&head, 10, Duration::ZERO).await?.changes.len(), 1, "the changes after it");
    Ok(())
}

/// An empty ledger is filled in one step: revision, records and note are those given.
pub async fn an_empty_ledger_is_filled_in_one_step(maker: &dyn KeeperMaker) -> Verdict {
    let (ledger, other) = (maker.keeper().await, maker.keeper().await);
    // More than one part, where an implementation takes parts.
    let mut commit = draft();
    for n in 0..3_000 {
        commit = commit.writing(key(&format!("many{n:04}")), vec![0, 1, 0xFF, b' ', b'\n']);
    }
    committed(&*ledger, commit).await?;
    let head = busy(&*ledger, 20).await?;
    let (records, _) = ledger.snapshot().await?;
    other.restore(&records, &note(&head), None).await?;
    let (restored, cursor) = other.snapshot().await?;
    same!(cursor.revision(), head.revision(), "the revision of the restored ledger");
    same!(state::digest(&restored), state::digest(&records), "the digest of the restored ledger");
    let reach = Reach { oldest: head.revision().next(), head: cursor, archived: Some(note(&head)) };
    same!(other.reach().await?, reach, "the reach of the restored ledger");
    let nothing = maker.keeper().await;
    nothing.restore(&[], &note(&head), Some("the line")).await?;
    let (none, cursor) = nothing.snapshot().await?;
    same!((none, cursor.revision()), (vec![], head.revision()), "a ledger restored with no record");
    Ok(())
}

/// A restored ledger goes on where the archive ends.
pub async fn a_restored_ledger_goes_on_where_the_archive_ends(maker: &dyn KeeperMaker) -> Verdict {
    let (ledger, other) = (maker.keeper().await, maker.keeper().await);
    let head = busy(&*ledger, 6).await?;
    let (records, _) = ledger.snapshot().await?;
    other.restore(&records, &note(&head), None).await?;
    let end = other.snapshot().await?.1;
    same!(other.changes(&end, 10, Duration::ZERO).await?.changes, vec![], "changes at the end");
    same!(gone(&*other, &end.at(Revision(5))).await, true, "a cursor of before the end is gone");
    let stale = draft().expecting(key("k0"), Revision(1)).writing(key("k0"), "x");
    same!(other.commit(stale).await?, Outcome::Conflict { keys: vec![key("k0")] }, "a stale commit");
    let next = draft().expecting(key("k0"), Revision(6)).writing(key("k0"), "x");
    let next = next.requested(RequestKey::new("ZA1", "1", b"body"), "answer");
    same!(committed(&*other, next).await?, Revision(7), "the next commit");
    let page = other.changes(&end, 10, Duration::ZERO).await?;
    same!(page.cursor, end.at(Revision(7)), "the cursor after the next commit");
    Ok(())
}

/// A restored ledger has a history of its own, so that a cursor from beyond the end of the archive never goes on in it.
pub async fn a_restored_ledger_has_a_history_of_its_own(maker: &dyn KeeperMaker) -> Verdict {
    let (ledger, other) = (maker.keeper().await, maker.keeper().await);
    let end = busy(&*ledger, 6).await?;
    let (records, _) = ledger.snapshot().await?;
    let beyond = busy(&*ledger, 3).await?;
    other.restore(&records, &note(&end), None).await?;
    // At the same revision, and then beyond it, the one ledger has something else than the other.
    busy(&*other, 5).await?;
    for cursor in [&end, &beyond, &end.at(Revision(20))] {
        same!(gone(&*other, cursor).await, true, "the cursor {cursor} of before the restore");
    }
    let refusal = KeeperError::OtherHistory {
        asked: end.history().clone(),
        found: other.snapshot().await?.1.history().clone(),
    };
    same!(other.archived(&note(&beyond)).await, Err(refusal), "a note of what was not restored");
    Ok(())
}

/// A ledger that is not empty is not filled.
pub async fn a_ledger_that_is_not_empty_is_not_filled(maker: &dyn KeeperMaker) -> Verdict {
    let (ledger, other) = (maker.keeper().await, maker.keeper().await);
    let head = busy(&*ledger, 6).await?;
    let (records, _) = ledger.snapshot().await?;
    // Deleted again, a record leaves a revision behind.
    committed(&*other, draft().writing(key("a"), "x")).await?;
    committed(&*other, Commit::new(START).deleting(key("a"))).await?;
    let before = other.snapshot().await?;
    let refusal = KeeperError::NotEmpty { head: Revision(2), records: 0 };
    same!(other.restore(&records, &note(&head), None).await, Err(refusal), "a restore over what is there");
    same!(other.snapshot().await?, before, "the snapshot after a refusal");
    let own = KeeperError::NotEmpty { head: Revision(6), records: 5 };
    same!(ledger.restore(&records, &note(&head), None).await, Err(own), "a restore over itself");
    Ok(())
}
