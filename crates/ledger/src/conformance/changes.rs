//! Checks of `changes`.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Fault, Maker, Verdict, committed, draft, key, same};
use crate::limits;
use crate::{Changes, Cursor, Ledger, Revision, Trouble};

const LONG: Duration = Duration::from_secs(20);

fn revisions(page: &Changes) -> Vec<u64> {
    page.changes.iter().map(|change| change.revision.0).collect()
}

/// Commits `count` times and returns the cursor from before.
async fn after_commits(ledger: &dyn Ledger, count: u64) -> Result<Cursor, Fault> {
    let (_, cursor) = ledger.snapshot().await?;
    for n in 0..count {
        committed(ledger, draft().writing(key("a"), n.to_string()).because(format!("cause {n}"))).await?;
    }
    Ok(cursor)
}

/// Changes come oldest first, each with its cause.
pub async fn changes_come_oldest_first(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let start = after_commits(&*ledger, 12).await?;
    let page = ledger.changes(&start, 100, Duration::ZERO).await?;
    same!(revisions(&page), (1..=12).collect::<Vec<u64>>(), "the revisions of a page");
    same!(page.cursor, start.at(Revision(12)), "the cursor after the page");
    same!(page.changes[11].cause, "cause 11", "the cause of the last change");
    let rest = ledger.changes(&start.at(Revision(9)), 100, Duration::ZERO).await?;
    same!(revisions(&rest), vec![10, 11, 12], "the revisions after the ninth");
    Ok(())
}

/// At most `limit` changes, brought into 1 to `limits::CHANGES_PAGE`.
pub async fn at_most_limit_changes(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let start = after_commits(&*ledger, limits::CHANGES_PAGE as u64 + 5).await?;
    for (limit, expected) in [(3, 3), (0, 1), (usize::MAX, limits::CHANGES_PAGE)] {
        let page = ledger.changes(&start, limit, LONG).await?;
        same!(page.changes.len(), expected, "the length of a page of at most {limit}");
        same!(page.cursor, start.at(Revision(expected as u64)), "the cursor after a page of at most {limit}");
    }
    Ok(())
}

/// Revisions are dense: each change is exactly one more than the one before, also with refused commits between.
pub async fn each_change_is_exactly_one_more_than_the_one_before(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let (_, start) = ledger.snapshot().await?;
    for n in 1..=9 {
        let revision = committed(&*ledger, draft().writing(key("a"), "x")).await?;
        same!(revision, Revision(n), "the revision of the commit");
        ledger.commit(draft().expecting(key("a"), Revision(n + 100)).writing(key("b"), "y")).await?;
    }
    let mut cursor = start;
    for n in 1..=9 {
        let page = ledger.changes(&cursor, 1, Duration::ZERO).await?;
        same!(revisions(&page), vec![n], "the change after {cursor}");
        cursor = page.cursor;
    }
    same!(ledger.changes(&cursor, 1, Duration::ZERO).await?.changes, vec![], "changes after the last");
    Ok(())
}

/// When there are changes it returns at once.
pub async fn with_changes_it_returns_at_once(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let start = after_commits(&*ledger, 2).await?;
    let begun = Instant::now();
    same!(revisions(&ledger.changes(&start, 10, LONG).await?), vec![1, 2], "the page");
    same!(begun.elapsed() < LONG / 2, true, "returned at once");
    Ok(())
}

/// A commit wakes a waiting call.
pub async fn a_commit_wakes_a_waiting_call(maker: &dyn Maker) -> Verdict {
    const WAITERS: usize = 3;
    let ledger = maker.fresh().await;
    let start = after_commits(&*ledger, 1).await?.at(Revision(1));
    let mut waiting = JoinSet::new();
    for _ in 0..WAITERS {
        let (ledger, start) = (ledger.clone(), start.clone());
        waiting.spawn(async move { ledger.changes(&start, 10, LONG).await });
    }
    // Long enough for the calls to be waiting; if one is not, the check is weaker but still right.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    committed(&*ledger, draft().writing(key("b"), "x")).await?;
    let pages = waiting.join_all().await;
    same!(begun.elapsed() < LONG / 2, true, "woken by the commit");
    for page in pages {
        same!(revisions(&page?), vec![2], "the page that woke the call");
    }
    Ok(())
}

/// When the wait runs out the page is empty and the cursor is the one given.
pub async fn when_the_wait_runs_out_the_page_is_empty(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let head = after_commits(&*ledger, 2).await?.at(Revision(2));
    let wait = Duration::from_millis(300);
    let begun = Instant::now();
    let page = ledger.changes(&head, 10, wait).await?;
    let waited = begun.elapsed();
    same!(page, Changes { changes: vec![], cursor: head }, "the page after a wait");
    // Redis counts in whole milliseconds of its own clock, so a few less are right too.
    same!(waited + Duration::from_millis(20) >= wait, true, "waited for as long as was asked");
    same!(waited < wait + LONG / 2, true, "waited no longer than was asked");
    Ok(())
}

/// A cursor of another history is gone.
pub async fn a_cursor_of_another_history_is_gone(maker: &dyn Maker) -> Verdict {
    let (ledger, other) = (maker.fresh().await, maker.fresh().await);
    let ours = after_commits(&*ledger, 2).await?;
    let theirs = after_commits(&*other, 2).await?;
    for cursor in [theirs.clone(), theirs.at(Revision(1)), theirs.at(Revision(2))] {
        same!(
            ledger.changes(&cursor, 10, LONG).await,
            Err(Trouble::CursorGone),
            "the other's cursor {cursor}"
        );
    }
    same!(revisions(&ledger.changes(&ours, 10, LONG).await?), vec![1, 2], "the page from its own cursor");
    Ok(())
}

/// A cursor ahead of the ledger is gone.
pub async fn a_cursor_ahead_of_the_ledger_is_gone(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let start = after_commits(&*ledger, 2).await?;
    for ahead in [3, 1_000, u64::MAX] {
        let cursor = start.at(Revision(ahead));
        same!(ledger.changes(&cursor, 10, LONG).await, Err(Trouble::CursorGone), "the cursor {cursor}");
    }
    Ok(())
}

/// A cursor is gone when the changes after it are no longer kept; live records and later cursors are not.
pub async fn a_cursor_before_what_is_kept_is_gone(maker: &dyn Maker) -> Verdict {
    let (ledger, forget) = maker.forgetful().await;
    let start = after_commits(&*ledger, 10).await?;
    let (live, head) = ledger.snapshot().await?;
    forget(Revision(6)).await;
    for gone in 0..6 {
        let cursor = start.at(Revision(gone));
        same!(ledger.changes(&cursor, 10, LONG).await, Err(Trouble::CursorGone), "the cursor {cursor}");
    }
    let page = ledger.changes(&start.at(Revision(6)), 10, LONG).await?;
    same!(revisions(&page), vec![7, 8, 9, 10], "the changes that are kept");
    forget(Revision(10)).await;
    let at_nine = ledger.changes(&start.at(Revision(9)), 10, LONG).await;
    same!(at_nine, Err(Trouble::CursorGone), "the cursor before a log of which nothing is kept");
    same!(ledger.changes(&head, 10, Duration::ZERO).await?.changes, vec![], "changes after the head");
    same!(ledger.snapshot().await?, (live, head), "the snapshot after forgetting");
    Ok(())
}
