//! How long a snapshot of many records takes, and how long commits wait for it:
//! `cargo run --release -p fallow-ledger-redis --features testing --example snapshot [RECORDS]`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fallow_ledger::{Commit, Key, Ledger, RecordKind};
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::testing::RedisServer;
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::Timestamp;
use tokio::time::Instant;

/// Bytes of a body: an offer with its figures, window and limits.
const BODY: usize = 1_300;
/// How often each way is taken; the median is told.
const TIMES: usize = 5;

fn key(n: usize) -> Key {
    Key::new(RecordKind::Offer, format!("0198c2a0-0000-7000-8000-{n:012}"))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let records = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let server = RedisServer::start().await;
    let options = Options { durability: Durability::Unsafe, ..Options::default() };
    let ledger = RedisLedger::connect(&server.url(), "region", options).await.expect("a ledger");
    let ledger = Arc::new(ledger);
    let at = Timestamp::UNIX_EPOCH;
    for first in (0..records).step_by(1_000) {
        let commit = (first..records.min(first + 1_000))
            .fold(Commit::new(at), |commit, n| commit.writing(key(n), vec![b'x'; BODY]));
        ledger.commit(commit).await.expect("a commit");
    }
    println!("{records} records of {BODY} bytes");
    let (mut parts, mut at_once) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        parts.push(beside(&ledger, async { drop(ledger.snapshot().await.expect("a snapshot")) }).await);
        let keys = Keys::of("region");
        at_once
            .push(beside(&ledger, async { drop(server.try_command(&["HGETALL", &keys.live]).await) }).await);
    }
    for (name, mut taken) in [("in parts", parts), ("HGETALL alone", at_once)] {
        taken.sort_unstable();
        let (whole, longest) = taken[TIMES / 2];
        println!("{name}: {whole:?}; the longest commit meanwhile: {longest:?}");
    }
}

/// Does something beside commits one after the other; gives how long it took, and how long the longest commit did.
async fn beside(ledger: &Arc<RedisLedger>, work: impl Future<Output = ()>) -> (Duration, Duration) {
    let stop = Arc::new(AtomicBool::new(false));
    let committing = {
        let (ledger, stop) = (ledger.clone(), stop.clone());
        async move {
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::Acquire) {
                let begun = Instant::now();
                let commit = Commit::new(Timestamp::UNIX_EPOCH).writing(key(0), vec![b'y'; BODY]);
                ledger.commit(commit).await.expect("a commit");
                longest = longest.max(begun.elapsed());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            longest
        }
    };
    let working = async {
        let begun = Instant::now();
        work.await;
        stop.store(true, Ordering::Release);
        begun.elapsed()
    };
    let (longest, whole) = tokio::join!(committing, working);
    (whole, longest)
}
