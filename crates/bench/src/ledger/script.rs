//! The commit script: by `redis-benchmark`, over a bare connection, and by the ledger; the same words each time.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use fallow_bench::stopwatch::Stopwatch;
use fallow_ledger::{Commit, Key, Ledger, Outcome, RecordKind, RequestKey, Revision};
use fallow_ledger_redis::testing::{Bare, RedisServer};
use fallow_ledger_redis::{Options, RedisLedger};
use jiff::Timestamp;

use super::Figure;
use super::load::{closed, cpu_us};

/// How many records there are: each commit writes one of them.
const RECORDS: u64 = 10_000;
const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// About as much as an offer takes, and about as much as a cause.
pub(crate) const BODY: &str = r#"{"schema":1,"id":"0198c2aa-7f3e-7cc1-9d52-3f0f3f6f0001","trust":"ZA1","site":"ZA101","source_key":"ZA101 step-down","resource":{"kind":"BED","code":"STEP_DOWN"},"figures":{"staffed":12,"occupied":9,"blocked":0,"held":1,"committed":0},"window":{"from":"2026-11-24T08:00:00Z","until":"2026-11-26T08:00:00Z"},"capabilities":["bariatric","isolation"],"limits":{"age_min":16},"team":{"staffed":true},"state":"OPEN","reported_at":"2026-11-24T07:29:48Z","source":"FEED","cadence":"14400s"}"#;
const CAUSE: &str = r#"{"by":{"subject":"ward-feed","kind":"system","role":"trust_system","trust":"ZA1"},"verb":"PublishOffer","at":"2026-11-24T08:00:00Z","request_id":"0198c2aa-7f3e-7cc1-9d52-3f0f3f6f0002"}"#;

/// A record by its number, in the twelve digits in which `redis-benchmark` writes them.
pub(crate) fn record(number: u64) -> Key {
    Key::new(RecordKind::Offer, format!("{number:012}"))
}

/// A write that expects nothing and has no request id: what can be repeated word for word.
pub(crate) fn plain(number: u64) -> Commit {
    // A multiplication scatters the numbers; the modulus keeps them among the records.
    let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % RECORDS;
    Commit::new(AT).because(CAUSE).writing(record(scattered), BODY)
}

/// The same words by `redis-benchmark`, a connection for each in flight.
pub(crate) async fn by_redis_benchmark(server: &RedisServer, at_once: usize, commits: u64) -> Result<Figure> {
    let bare = Bare::connect(&server.url(), "by-redis-benchmark").await?;
    let words = bare
        .words(&Commit::new(AT).because(CAUSE).writing(Key::new(RecordKind::Offer, "__rand_int__"), BODY));
    let process = server.process_id().context("a running server")?;
    let mut command = std::process::Command::new("redis-benchmark");
    command.args(["-p", &server.port().to_string(), "-c", &at_once.to_string(), "-n", &commits.to_string()]);
    command.args(["-r", &RECORDS.to_string(), "--csv"]).args(words.into_iter().map(OsString::from_vec));
    let revision_before = revision(server, "by-redis-benchmark").await?;
    let (before, watch) = (cpu_us(process), Stopwatch::start());
    let output = tokio::task::spawn_blocking(move || command.stderr(Stdio::inherit()).output()).await??;
    let (seconds, after) = (watch.spent().wall_ns as f64 / 1e9, cpu_us(process));
    // It does not look at the answers.
    let written = revision(server, "by-redis-benchmark").await? - revision_before;
    ensure!(written >= commits, "redis-benchmark made {written} of {commits} commits");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "redis-benchmark ended with {}", output.status);
    // test, rps, then milliseconds: mean, min, p50, p95, p99, max; each in quotes.
    let line = text.lines().last().with_context(|| format!("redis-benchmark said {text}"))?;
    let numbers: Vec<f64> =
        line.rsplit("\",\"").take(7).filter_map(|value| value.trim_matches('"').parse().ok()).collect();
    let [_max, p99, _p95, p50, _min, _mean, per_second] = numbers[..] else {
        anyhow::bail!("redis-benchmark said {text}");
    };
    ensure!(seconds > 0.0 && per_second > 0.0, "redis-benchmark said {text}");
    Ok(Figure {
        what: "the script by redis-benchmark".to_owned(),
        at_once,
        per_second,
        p50_us: p50 * 1e3,
        p99_us: p99 * 1e3,
        server_us: (after - before) / commits as f64,
        client_us: 0.0,
    })
}

/// Returns the last revision of a region.
async fn revision(server: &RedisServer, region: &str) -> Result<u64> {
    let ledger = RedisLedger::connect(&server.url(), region, Options::default()).await?;
    Ok(ledger.snapshot().await?.1.revision().0)
}

/// The same words over one plain connection, as they come.
pub(crate) async fn bare(server: &RedisServer, at_once: usize, commits: u64) -> Result<Figure> {
    let bare = Bare::connect(&server.url(), "bare").await?;
    let process = server.process_id().context("a running server")?;
    let call = move |_, number| {
        let mut bare = bare.clone();
        async move { bare.commit(&plain(number)).await }
    };
    closed("the script over a bare connection", at_once, commits, process, call).await
}

/// The same words by the ledger.
pub(crate) async fn by_ledger(server: &RedisServer, at_once: usize, commits: u64) -> Result<Figure> {
    let ledger = Arc::new(RedisLedger::connect(&server.url(), "by-ledger", Options::default()).await?);
    let process = server.process_id().context("a running server")?;
    let call = move |_, number| {
        let ledger = ledger.clone();
        async move { matches!(ledger.commit(plain(number)).await, Ok(Outcome::Committed { .. })) }
    };
    closed("the ledger, the same words", at_once, commits, process, call).await
}

/// The ledger as services use it: each commit expects the version that it read, and has a request id.
pub(crate) async fn compare_and_set(server: &RedisServer, at_once: usize, commits: u64) -> Result<Figure> {
    let ledger = Arc::new(RedisLedger::connect(&server.url(), "compare-and-set", Options::default()).await?);
    let process = server.process_id().context("a running server")?;
    let known: Arc<Mutex<Vec<Revision>>> = Arc::new(Mutex::new(vec![Revision::ABSENT; at_once]));
    let run = uuid::Uuid::new_v4();
    let call = move |lane: usize, number: u64| {
        let (ledger, known) = (ledger.clone(), known.clone());
        async move {
            // Numbers that no other use of the region has: its records are its own.
            let key = Key::new(RecordKind::Offer, format!("{run}-{lane}"));
            let expected = known.lock().unwrap_or_else(PoisonError::into_inner)[lane];
            let request = RequestKey::new(format!("T{lane}"), format!("{run}-{number}"), BODY.as_bytes());
            let commit = Commit::new(AT).because(CAUSE).expecting(key.clone(), expected).writing(key, BODY);
            match ledger.commit(commit.requested(request, "answer")).await {
                Ok(Outcome::Committed { revision }) => {
                    known.lock().unwrap_or_else(PoisonError::into_inner)[lane] = revision;
                    true
                }
                Ok(_) | Err(_) => false,
            }
        }
    };
    closed("the ledger, compare-and-set, request id", at_once, commits, process, call).await
}
