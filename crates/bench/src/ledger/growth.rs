//! What a commit costs with few and with many live records: L5.

use std::sync::Arc;

use anyhow::{Context, Result};
use fallow_ledger::{Commit, Ledger, Outcome};
use fallow_ledger_redis::testing::RedisServer;
use fallow_ledger_redis::{Options, RedisLedger};
use jiff::Timestamp;

use super::Figure;
use super::load::closed;
use super::script::{BODY, plain, record};

/// How many records one commit lays down beforehand.
const AT_ONCE: u64 = 500;

/// Measures commits on a region with so many live offers.
pub(crate) async fn commits_with(live: u64, commits: u64) -> Result<Figure> {
    let server = RedisServer::start_durable().await;
    let ledger = Arc::new(RedisLedger::connect(&server.url(), "growth", Options::default()).await?);
    for first in (0..live).step_by(usize::try_from(AT_ONCE)?) {
        let all = (first..first + AT_ONCE.min(live - first)).map(record);
        // Far from the numbers that the measured commits write.
        let commit = all.fold(Commit::new(Timestamp::UNIX_EPOCH), |commit, key| commit.writing(key, BODY));
        ledger.commit(commit).await?;
    }
    let process = server.process_id().context("a running server")?;
    let call = move |_, number: u64| {
        let ledger = ledger.clone();
        async move { matches!(ledger.commit(plain(number)).await, Ok(Outcome::Committed { .. })) }
    };
    closed(&format!("a commit with {live} live offers"), 32, commits, process, call).await
}
