//! A server that is away, comes back, or comes back with less than it acknowledged.

mod lossy;

use std::sync::Arc;
use std::time::Duration;

use fallow_ledger::{Commit, Key, Ledger, Outcome, RecordKind, RequestKey, Revision, Trouble};
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::testing::RedisServer;
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use futures::future::{BoxFuture, FutureExt as _, try_join_all};
use futures::poll;
use jiff::Timestamp;
use lossy::Lossy;

const REGION: &str = "north-vale";
const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn offer() -> Key {
    Key::new(RecordKind::Offer, "1")
}

fn write(body: &str) -> Commit {
    Commit::new(AT).writing(offer(), body.to_owned())
}

fn requested(body: &str) -> Commit {
    write(body).requested(RequestKey::new("ZA1", body, body.as_bytes()), "done")
}

async fn connect(server: &RedisServer, durability: Durability) -> Result<RedisLedger, Trouble> {
    RedisLedger::connect(&server.url(), REGION, Options { durability, ..Options::default() }).await
}

async fn body(ledger: &RedisLedger) -> Result<Option<String>, Trouble> {
    let found = ledger.read(&[offer()]).await?.pop().flatten();
    Ok(found.map(|record| String::from_utf8_lossy(&record.body).into_owned()))
}

#[tokio::test]
async fn a_durable_server_passes_the_check_and_another_is_refused_by_setting() {
    let durable = RedisServer::start_durable().await;
    let report = connect(&durable, Durability::Checked).await.unwrap().check_server().await.unwrap();
    assert!(report.shortcomings.is_empty(), "{report:?}");

    let lax = RedisServer::start_with(&["--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"]).await;
    let Err(Trouble::Misconfigured { detail }) = connect(&lax, Durability::Checked).await else {
        panic!("a server that loses writes was taken");
    };
    let named =
        "appendfsync is everysec, must be always; maxmemory-policy is allkeys-lru, must be noeviction";
    assert_eq!(detail, named);
    assert!(connect(&lax, Durability::Unsafe).await.is_ok());

    let hiding = RedisServer::start_with(&["--rename-command", "CONFIG", ""]).await;
    let refused = connect(&hiding, Durability::Checked).await.err();
    assert!(
        matches!(&refused, Some(Trouble::Misconfigured { detail }) if detail.contains("hides")),
        "{refused:?}"
    );
    assert!(connect(&hiding, Durability::Attested("A. Person, 2026-11-21".to_owned())).await.is_ok());
}

#[tokio::test]
async fn a_setting_that_changes_later_is_found_by_the_next_check() {
    let server = RedisServer::start_durable().await;
    let ledger = connect(&server, Durability::Checked).await.unwrap();
    server.command(&["CONFIG", "SET", "appendfsync", "no"]).await;
    let found = ledger.check_server().await;
    let detail = "appendfsync is no, must be always".to_owned();
    assert_eq!(found, Err(Trouble::Misconfigured { detail }));
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable() {
    let mut server = RedisServer::start().await;
    let ledger = connect(&server, Durability::Unsafe).await.unwrap();
    let (_, cursor) = ledger.snapshot().await.unwrap();
    server.kill();
    assert!(matches!(connect(&server, Durability::Unsafe).await, Err(Trouble::Unavailable { .. })));
    assert!(matches!(body(&ledger).await, Err(Trouble::Unavailable { .. })));
    // The connection is known to be lost by now, so nothing is sent.
    for commit in [write("a"), requested("b")] {
        assert!(matches!(ledger.commit(commit).await, Err(Trouble::Unavailable { .. })));
    }
    assert!(matches!(ledger.snapshot().await, Err(Trouble::Unavailable { .. })));
    let waited = ledger.changes(&cursor, 10, Duration::from_secs(5)).await;
    assert!(matches!(waited, Err(Trouble::Unavailable { .. })));
}

#[tokio::test]
async fn a_bad_url_is_named_without_its_password() {
    for url in ["http://user:secret@127.0.0.1/", "redis://user:secret@:x/"] {
        let refused = RedisLedger::connect(url, REGION, Options::default()).await.err();
        let Some(Trouble::Misconfigured { detail }) = refused else { panic!("{url} was taken: {refused:?}") };
        assert!(!detail.contains("secret"), "{detail}");
    }
}

#[tokio::test]
async fn everything_acknowledged_is_there_after_a_kill_and_all_calls_recover() {
    let mut server = RedisServer::start_durable().await;
    let ledger = Arc::new(connect(&server, Durability::Checked).await.unwrap());
    let (_, start) = ledger.snapshot().await.unwrap();
    for round in 1..=3u64 {
        let mine = requested(&format!("{round}"));
        let revision = Revision(round);
        assert_eq!(ledger.commit(mine.clone()).await, Ok(Outcome::Committed { revision }));
        // Someone waits for a change while the server is killed: told so, and not left waiting.
        let waiting = {
            let (ledger, cursor) = (ledger.clone(), start.at(revision));
            let mut task = tokio::task::JoinSet::new();
            task.spawn(async move { ledger.changes(&cursor, 10, Duration::from_secs(30)).await });
            task
        };
        while !has_blocked_client(&server).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.restart().await;
        let told = waiting.join_all().await.remove(0);
        assert!(matches!(told, Err(Trouble::Unavailable { .. })), "{told:?}");

        assert_eq!(body(&ledger).await, Ok(Some(round.to_string())));
        let replay = Outcome::Replayed { revision, answer: "done".into() };
        assert_eq!(ledger.commit(mine).await, Ok(replay));
        let page = ledger.changes(&start, 10, Duration::ZERO).await.unwrap();
        assert_eq!(page.changes.len() as u64, round);
        assert_eq!(ledger.snapshot().await.unwrap().1, start.at(revision));
    }
}

async fn has_blocked_client(server: &RedisServer) -> bool {
    let info = server.command(&["INFO", "clients"]).await;
    redis::from_redis_value::<String>(info).expect("text").lines().any(|line| line == "blocked_clients:1")
}

#[tokio::test]
async fn a_commit_over_a_connection_that_broke_while_idle_is_tried_again_under_its_request_id() {
    let mut server = RedisServer::start_durable().await;
    let ledger = connect(&server, Durability::Checked).await.unwrap();
    server.restart().await;
    let first = ledger.commit(requested("1")).await;
    assert_eq!(first, Ok(Outcome::Committed { revision: Revision(1) }));
    server.restart().await;
    // Without a request id a second try could have a second effect: it is not made, and the caller is told. Where the
    // break was noticed before, nothing was sent over it.
    let second = ledger.commit(write("2")).await;
    let next = match second {
        Err(Trouble::Unknown { .. }) => Revision(2),
        Ok(Outcome::Committed { revision: Revision(2) }) => Revision(3),
        other => panic!("{other:?}"),
    };
    assert_eq!(ledger.commit(write("3")).await, Ok(Outcome::Committed { revision: next }));
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_of_unknown_outcome_unless_its_request_id_tells() {
    let server = RedisServer::start().await;
    let lossy = Lossy::before(&server.url()).await;
    let options = Options { durability: Durability::Unsafe, ..Options::default() };
    let ledger = RedisLedger::connect(&lossy.url(), REGION, options).await.unwrap();
    // The connection of commits is there.
    ledger.commit(write("0")).await.unwrap();

    lossy.swallow_next_answer_to("fallow_commit");
    let lost = ledger.commit(write("1")).await;
    assert!(matches!(lost, Err(Trouble::Unknown { .. })), "{lost:?}");
    assert_eq!(body(&ledger).await, Ok(Some("1".to_owned())), "it was written all the same");

    ledger.commit(write("1")).await.unwrap();
    lossy.swallow_next_answer_to("fallow_commit");
    let told = Outcome::Replayed { revision: Revision(4), answer: "done".into() };
    assert_eq!(ledger.commit(requested("2")).await, Ok(told), "found by its request id");

    lossy.swallow_next_answer_to("HMGET");
    assert_eq!(body(&ledger).await, Ok(Some("2".to_owned())), "a read is simply made again");
}

type Told<'a> = BoxFuture<'a, Result<Outcome, Trouble>>;

/// Hands in commits, one after the other, and gives what will be answered to each.
async fn hand_in(ledger: &RedisLedger, ids: std::ops::RangeInclusive<u32>) -> Vec<Told<'_>> {
    let mut told: Vec<Told<'_>> = Vec::new();
    for id in ids {
        let mut commit = async move { ledger.commit(requested(&id.to_string())).await }.boxed();
        assert!(poll!(&mut commit).is_pending(), "handed in");
        told.push(commit);
        // It is the writer's turn.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    told
}

/// Waits until the store has a revision.
async fn has_reached(onlooker: &RedisLedger, revision: u64) {
    while onlooker.snapshot().await.expect("a snapshot").1.revision() < Revision(revision) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn answered(told: Vec<Told<'_>>) -> Vec<Outcome> {
    try_join_all(told).await.expect("every one is answered")
}

#[tokio::test]
async fn a_second_batch_goes_before_the_first_is_answered_and_a_third_waits() {
    let server = RedisServer::start().await;
    let lossy = Lossy::before(&server.url()).await;
    let options = Options { durability: Durability::Unsafe, ..Options::default() };
    let onlooker = Options { looks_on: true, ..options.clone() };
    let ledger = RedisLedger::connect(&lossy.url(), REGION, options).await.unwrap();
    ledger.commit(requested("1")).await.unwrap();
    let onlooker = RedisLedger::connect(&server.url(), REGION, onlooker).await.unwrap();

    lossy.keep_back_answers_to("fallow_commit");
    let mut told = hand_in(&ledger, 2..=6).await;
    has_reached(&onlooker, 3).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(onlooker.snapshot().await.unwrap().1.revision(), Revision(3), "a batch of one, and one more");
    for told in &mut told {
        assert!(poll!(told).is_pending(), "nothing is said before the store has");
    }
    lossy.let_go();
    let once = (2..=6).map(|n| Outcome::Committed { revision: Revision(n) }).collect::<Vec<_>>();
    assert_eq!(answered(told).await, once);

    // The connection is lost with both batches under way: what they did is found by their request ids.
    lossy.keep_back_answers_to("fallow_commit");
    told = hand_in(&ledger, 7..=11).await;
    has_reached(&onlooker, 8).await;
    lossy.lose();
    let outcomes = answered(told).await;
    let replayed = |n| Outcome::Replayed { revision: Revision(n), answer: "done".into() };
    assert_eq!(outcomes[..2], [replayed(7), replayed(8)]);
    let mut later: Vec<_> = outcomes[2..].to_vec();
    later.sort_by_key(|outcome| format!("{outcome:?}"));
    let committed = |n| Outcome::Committed { revision: Revision(n) };
    assert_eq!(later, [committed(10), committed(11), committed(9)], "each once");
}

#[tokio::test]
async fn where_replicas_must_hold_a_write_nothing_follows_one_that_they_may_not_hold() {
    let (server, replica) = (RedisServer::start().await, RedisServer::start().await);
    let port = server.url().trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
    replica.command(&["REPLICAOF", "127.0.0.1", &port]).await;
    let lossy = Lossy::before(&server.url()).await;
    let options = Options { durability: Durability::Unsafe, replicas: 1, ..Options::default() };
    let onlooker = Options { looks_on: true, ..options.clone() };
    let ledger = RedisLedger::connect(&lossy.url(), REGION, options).await.unwrap();
    while ledger.commit(requested("1")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let onlooker = RedisLedger::connect(&server.url(), REGION, onlooker).await.unwrap();

    lossy.keep_back_answers_to("fallow_commit");
    let told = hand_in(&ledger, 2..=4).await;
    has_reached(&onlooker, 2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(onlooker.snapshot().await.unwrap().1.revision(), Revision(2));
    lossy.let_go();
    let once = (2..=4).map(|n| Outcome::Committed { revision: Revision(n) }).collect::<Vec<_>>();
    assert_eq!(answered(told).await, once);
}

#[tokio::test]
async fn a_commit_that_is_not_answered_in_time_is_of_unknown_outcome() {
    let server = RedisServer::start().await;
    let ledger = connect(&server, Durability::Unsafe).await.unwrap();
    ledger.commit(write("0")).await.unwrap();
    server.command(&["CLIENT", "PAUSE", "60000", "WRITE"]).await;
    let lost = ledger.commit(requested("1")).await;
    assert!(matches!(lost, Err(Trouble::Unknown { .. })), "{lost:?}");
    server.command(&["CLIENT", "UNPAUSE"]).await;
    let told = ledger.commit(requested("1")).await;
    let once = Revision(2);
    assert!(
        matches!(told, Ok(Outcome::Committed { revision } | Outcome::Replayed { revision, .. }) if revision == once),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_server_that_came_back_with_less_never_says_ok() {
    let mut server = RedisServer::start().await;
    let ledger = connect(&server, Durability::Unsafe).await.unwrap();
    ledger.commit(write("1")).await.unwrap();
    let (_, cursor) = ledger.snapshot().await.unwrap();

    // It kept nothing, and someone else opens it anew.
    server.restart().await;
    let other = connect(&server, Durability::Unsafe).await.unwrap();
    // The first goes over a connection that is gone, perhaps only since it was written.
    let first = ledger.commit(requested("2")).await;
    assert!(matches!(first, Err(Trouble::Unknown { .. } | Trouble::Sealed { .. })), "{first:?}");
    for process in [&ledger, &other] {
        let refused = process.commit(requested("2")).await;
        assert!(matches!(refused, Err(Trouble::Sealed { .. })), "{refused:?}");
    }
    assert_eq!(ledger.changes(&cursor, 10, Duration::ZERO).await, Err(Trouble::CursorGone));
    assert_eq!(body(&ledger).await, Ok(None), "reads go on");
}

#[tokio::test]
async fn a_ledger_that_falls_behind_without_a_restart_never_says_ok() {
    let server = RedisServer::start().await;
    let ledger = connect(&server, Durability::Unsafe).await.unwrap();
    for n in 1..=4 {
        ledger.commit(write(&n.to_string())).await.unwrap();
    }
    server.command(&["HSET", &Keys::of(REGION).meta, "revision", "3"]).await;
    for _ in 0..2 {
        let behind = ledger.commit(write("late")).await;
        assert!(matches!(behind, Err(Trouble::Sealed { .. })), "{behind:?}");
    }
}

#[tokio::test]
async fn a_wiped_server_gives_an_empty_snapshot_of_another_history() {
    let server = RedisServer::start().await;
    let ledger = connect(&server, Durability::Unsafe).await.unwrap();
    ledger.commit(write("1")).await.unwrap();
    let (_, before) = ledger.snapshot().await.unwrap();
    server.command(&["FLUSHALL"]).await;
    assert_eq!(ledger.changes(&before, 10, Duration::ZERO).await, Err(Trouble::CursorGone));
    let (live, after) = ledger.snapshot().await.unwrap();
    assert!(live.is_empty());
    assert_ne!(after.history(), before.history());
    assert!(matches!(ledger.commit(write("2")).await, Err(Trouble::Sealed { .. })));
}

#[tokio::test]
async fn a_log_that_is_ahead_of_the_revision_takes_no_commit_and_nothing_is_half_written() {
    let server = RedisServer::start().await;
    let ledger = connect(&server, Durability::Unsafe).await.unwrap();
    server.command(&["XADD", &Keys::of(REGION).log, "5-0", "cause", ""]).await;
    let refused = ledger.commit(requested("1")).await;
    assert!(matches!(refused, Err(Trouble::Corrupt { .. })), "{refused:?}");
    assert_eq!(body(&ledger).await, Ok(None));
    let (live, cursor) = ledger.snapshot().await.unwrap();
    assert_eq!((live.len(), cursor.revision()), (0, Revision::ABSENT));
}

#[tokio::test]
async fn a_record_that_is_not_ours_is_said_to_be_corrupt() {
    let server = RedisServer::start().await;
    let ledger = connect(&server, Durability::Unsafe).await.unwrap();
    server.command(&["HSET", &Keys::of(REGION).live, "offer/1", "scribble"]).await;
    let found = ledger.read(&[offer()]).await;
    assert!(matches!(found, Err(Trouble::Corrupt { key: Some(_), .. })), "{found:?}");
}

#[tokio::test]
async fn a_function_that_may_not_be_loaded_is_asked_for_by_name() {
    let server = RedisServer::start().await;
    let options = Options { durability: Durability::Unsafe, load_functions: false, ..Options::default() };
    let refused = RedisLedger::connect(&server.url(), REGION, options.clone()).await.err();
    assert!(
        matches!(&refused, Some(Trouble::Misconfigured { detail }) if detail.contains("the user deploy"))
    );
    connect(&server, Durability::Unsafe).await.unwrap();
    assert!(RedisLedger::connect(&server.url(), REGION, options).await.is_ok());
}

/// Redis leaves an open MULTI behind a log that was torn in the middle of a commit, and reads what comes after as part
/// of it at the start after the next.
#[tokio::test]
async fn what_is_written_behind_a_torn_log_outlives_the_next_restart() {
    let mut server = RedisServer::start_durable().await;
    let ledger = connect(&server, Durability::Checked).await.unwrap();
    ledger.commit(write("kept")).await.unwrap();
    let (_, start) = ledger.snapshot().await.unwrap();
    // Over a connection of the server's own, so that the ledger has not seen what the power cut takes.
    let keys = Keys::of(REGION);
    let torn = format!(
        "redis.call('XADD', '{}', '2-0', 'cause', '') redis.call('HSET', '{}', 'revision', '2') \
         redis.call('HSET', '{}', 'offer/1', '2 torn')",
        keys.log, keys.meta, keys.live
    );
    server.command(&["EVAL", &torn, "0"]).await;
    server.kill();
    let log = server.folder().join("appendonlydir");
    let manifest = std::fs::read_to_string(log.join("appendonly.aof.manifest")).unwrap();
    let last = manifest.lines().rfind(|line| line.ends_with("type i")).unwrap();
    let path = log.join(last.split(' ').nth(1).unwrap());
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 30).unwrap();
    server.restart().await;
    let written = ledger.commit(requested("after")).await.unwrap();
    assert_eq!(written, Outcome::Committed { revision: Revision(2) });
    server.restart().await;
    let page = ledger.changes(&start, 10, Duration::ZERO).await.unwrap();
    let bodies: Vec<_> = page.changes.iter().filter_map(|change| change.writes[&offer()].clone()).collect();
    assert_eq!(bodies, ["after"]);
    assert_eq!(body(&ledger).await, Ok(Some("after".to_owned())));
}

#[tokio::test]
async fn nothing_of_a_ledger_runs_out_by_itself() {
    let server = RedisServer::start().await;
    let ledger = connect(&server, Durability::Unsafe).await.unwrap();
    ledger.commit(requested("1")).await.unwrap();
    let keys: Vec<String> = redis::from_redis_value(server.command(&["KEYS", "*"]).await).unwrap();
    assert!(keys.len() >= 5, "meta, live, log, outcomes and their times: {keys:?}");
    for key in keys {
        let left: i64 = redis::from_redis_value(server.command(&["PTTL", &key]).await).unwrap();
        assert_eq!(left, -1, "{key} has a time to live");
    }
}

/// A process whose clock is days ahead, or years behind, changes nothing for others.
#[tokio::test]
async fn a_caller_whose_clock_is_wrong_has_nothing_forgotten() {
    let server = RedisServer::start().await;
    let ledger = connect(&server, Durability::Unsafe).await.unwrap();
    let at = |years: i64, body: &str| Commit {
        at: AT + jiff::SignedDuration::from_hours(years * 8_766),
        ..requested(body)
    };
    let outcomes = [(0, "right"), (-40, "behind"), (40, "ahead"), (1, "later")];
    for (years, body) in outcomes {
        ledger.commit(at(years, body)).await.unwrap();
    }
    for (n, (years, body)) in (1..).zip(outcomes) {
        let told = Outcome::Replayed { revision: Revision(n), answer: "done".into() };
        assert_eq!(ledger.commit(at(-years, body)).await, Ok(told), "{body}");
    }
}
