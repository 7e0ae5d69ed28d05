//! A snapshot of many records is taken in parts, and is of one revision all the same.

#![allow(clippy::unwrap_used, reason = "also helpers of tests say what failed by their line")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fallow_ledger::state::{State, digest};
use fallow_ledger::{Commit, Keeper, Key, Ledger, Outcome, RecordKind, Revision};
use fallow_ledger_redis::testing::RedisServer;
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::Timestamp;
use tokio::task::JoinSet;

const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);

async fn ledger(server: &RedisServer) -> Arc<RedisLedger> {
    let options = Options { durability: Durability::Unsafe, ..Options::default() };
    Arc::new(RedisLedger::connect(&server.url(), "region", options).await.unwrap())
}

fn key(n: u64) -> Key {
    Key::new(RecordKind::Offer, format!("{n:06}"))
}

/// Fills a ledger with so many records.
async fn fill(ledger: &dyn Ledger, records: u64) {
    for first in (0..records).step_by(1_000) {
        let mut commit = Commit::new(AT);
        for n in first..records.min(first + 1_000) {
            commit = commit.writing(key(n), format!("body of {n}"));
        }
        ledger.commit(commit).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_taken_in_parts_under_writes_is_of_one_revision() {
    const RECORDS: u64 = 9_000;
    let server = RedisServer::start().await;
    let ledger = self::ledger(&server).await;
    fill(&*ledger, RECORDS).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writer = JoinSet::new();
    {
        let (ledger, stop) = (ledger.clone(), stop.clone());
        writer.spawn(async move {
            let mut n = 0_u64;
            while !stop.load(Ordering::Acquire) {
                // Changed, removed and put in, all over the keys.
                let commit = Commit::new(AT)
                    .writing(key(n * 7 % RECORDS), format!("changed {n}"))
                    .deleting(key(n * 13 % RECORDS))
                    .writing(key(RECORDS + n % 500), format!("new {n}"));
                assert!(matches!(ledger.commit(commit).await.unwrap(), Outcome::Committed { .. }));
                n += 1;
            }
        });
    }
    let mut taken = Vec::new();
    for _ in 0..12 {
        taken.push(ledger.snapshot().await.unwrap());
    }
    stop.store(true, Ordering::Release);
    writer.join_all().await;
    // The log makes the same at each of the revisions.
    let mut state = State::default();
    let (_, head) = ledger.snapshot().await.unwrap();
    let mut cursor = head.at(Revision::ABSENT);
    let mut due = taken.iter().peekable();
    while cursor.revision() < head.revision() {
        let page = ledger.changes(&cursor, 1_000, std::time::Duration::ZERO).await.unwrap();
        cursor = page.cursor;
        for change in &page.changes {
            state.apply(change).unwrap();
            while let Some((records, at)) = due.next_if(|(_, at)| at.revision() == state.revision()) {
                assert_eq!(digest(records), state.digest(), "the snapshot at {at}");
            }
        }
    }
    assert!(due.next().is_none(), "every snapshot was compared");
    assert!(taken.last().unwrap().1.revision() > taken[0].1.revision(), "written meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_taken_in_parts_survives_a_trim_of_the_log() {
    let server = RedisServer::start().await;
    let ledger = self::ledger(&server).await;
    fill(&*ledger, 5_000).await;
    let (before, head) = ledger.snapshot().await.unwrap();
    let note = fallow_ledger::Archived { cursor: head.clone(), chain: [0; 32], at: AT };
    ledger.archived(&note).await.unwrap();
    ledger.trim(&head).await.unwrap();
    assert_eq!(ledger.snapshot().await.unwrap(), (before, head));
}
