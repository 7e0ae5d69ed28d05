//! Commits that replicas must hold before they are acknowledged.

use std::process::Command;
use std::time::Duration;

use fallow_ledger::{Commit, Key, Ledger, Outcome, RecordKind, RequestKey, Revision, Trouble};
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::testing::{Program, RedisServer, Setup};
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::Timestamp;

const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);

fn requested(id: &str) -> Commit {
    let commit = Commit::new(AT).writing(Key::new(RecordKind::Offer, "1"), id.to_owned());
    commit.requested(RequestKey::new("ZA1", id, id.as_bytes()), "done")
}

/// A ledger whose commits one replica must hold.
async fn ledger(server: &RedisServer) -> RedisLedger {
    let options = Options {
        durability: Durability::Unsafe,
        replicas: 1,
        // How long a replica may take. Those that answer do so at once; those that do not never will.
        response_timeout: Duration::from_secs(2),
        ..Options::default()
    };
    RedisLedger::connect(&server.url(), "north-vale", options).await.expect("a ledger")
}

async fn primary() -> RedisServer {
    RedisServer::start_with(&["--appendonly", "no", "--repl-diskless-sync-delay", "0"]).await
}

async fn info(server: &RedisServer, section: &str) -> String {
    redis::from_redis_value(server.command(&["INFO", section]).await).expect("text")
}

fn field<'a>(info: &'a str, name: &str) -> &'a str {
    let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap_or_default().trim()
}

/// Makes a server follow another, and waits until it does.
async fn follow(replica: &RedisServer, primary: &RedisServer) {
    let info_of = info(primary, "server").await;
    replica.command(&["REPLICAOF", "127.0.0.1", field(&info_of, "tcp_port")]).await;
    let connected = async {
        while !info(primary, "replication").await.contains("state=online") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), connected).await.expect("the replica follows");
}

/// Sends a signal to a server's process.
async fn signal(server: &RedisServer, name: &str) {
    let info = info(server, "server").await;
    send_signal(field(&info, "process_id"), name);
}

fn send_signal(process: &str, name: &str) {
    let sent = Command::new("kill").args([name, process]).status().expect("kill runs");
    assert!(sent.success(), "the signal is sent");
}

#[tokio::test]
async fn a_commit_that_too_few_replicas_hold_is_of_unknown_outcome_and_a_replay_tells() {
    let (primary, replica) = (primary().await, primary().await);
    let ledger = ledger(&primary).await;

    // There was never a replica: nothing is sent.
    let refused = ledger.commit(requested("1")).await;
    assert!(matches!(&refused, Err(Trouble::Unavailable { .. })), "{refused:?}");
    assert_eq!(ledger.snapshot().await.unwrap().1.revision(), Revision::ABSENT);

    follow(&replica, &primary).await;
    let first = Outcome::Committed { revision: Revision(1) };
    assert_eq!(ledger.commit(requested("1")).await, Ok(first));

    // The replica goes: what is under way is in doubt, and nothing more is written then.
    replica.command(&["REPLICAOF", "NO", "ONE"]).await;
    let lost = ledger.commit(requested("2")).await;
    assert!(matches!(&lost, Err(Trouble::Unknown { detail }) if detail.contains("0 of 1")), "{lost:?}");
    let refused = ledger.commit(requested("3")).await;
    assert!(matches!(&refused, Err(Trouble::Unavailable { .. })), "{refused:?}");
    assert_eq!(ledger.snapshot().await.unwrap().1.revision(), Revision(2));

    follow(&replica, &primary).await;
    let told = Outcome::Replayed { revision: Revision(2), answer: "done".into() };
    assert_eq!(ledger.commit(requested("2")).await, Ok(told));
    assert_eq!(ledger.commit(requested("3")).await, Ok(Outcome::Committed { revision: Revision(3) }));
}

#[tokio::test]
async fn no_epoch_is_begun_on_a_server_that_comes_back_without_its_replicas() {
    let durable = ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"];
    let mut primary = RedisServer::start_with(&durable).await;
    let mut replica = RedisServer::start_with(&durable).await;
    follow(&replica, &primary).await;
    let ledger = ledger(&primary).await;
    assert_eq!(ledger.commit(requested("1")).await, Ok(Outcome::Committed { revision: Revision(1) }));
    let keys = Keys::of("north-vale");
    let epoch = async |server: &RedisServer| {
        let found = server.command(&["HGET", &keys.meta, "epoch"]).await;
        redis::from_redis_value::<String>(found).expect("text")
    };
    let before = epoch(&primary).await;

    replica.kill();
    primary.restart().await;
    let refused = ledger.commit(requested("2")).await;
    assert!(matches!(&refused, Err(trouble) if trouble.is_passing()), "{refused:?}");
    assert_eq!(epoch(&primary).await, before, "what was begun here would be missed where the ledger goes on");

    replica.restart().await;
    follow(&replica, &primary).await;
    let gone_on = async {
        loop {
            match ledger.commit(requested("2")).await {
                Err(trouble) if trouble.is_passing() => tokio::time::sleep(Duration::from_millis(20)).await,
                other => return other,
            }
        }
    };
    let gone_on = tokio::time::timeout(Duration::from_secs(60), gone_on).await.expect("in time");
    assert!(matches!(gone_on, Ok(Outcome::Committed { .. } | Outcome::Replayed { .. })), "{gone_on:?}");
    assert_ne!(epoch(&primary).await, before);
}

/// Redis 7.0 waits for all that was there at the connection's last command; later ones, and Valkey, for its last write.
#[tokio::test]
async fn a_replay_is_no_more_certain_than_the_commit_that_it_repeats() {
    for program in [Program::Redis, Program::Valkey] {
        match program.missing() {
            None => check_replay(program).await,
            Some(missing) => eprintln!("{missing}"),
        }
    }
}

async fn check_replay(program: Program) {
    let setup = Setup::of(program).with(&["--repl-diskless-sync-delay", "0"]);
    let (primary, replica) = (RedisServer::start_as(setup.clone()).await, RedisServer::start_as(setup).await);
    follow(&replica, &primary).await;
    let (one, two) = (ledger(&primary).await, ledger(&primary).await);
    one.commit(requested("1")).await.expect("held");
    two.commit(requested("2")).await.expect("held");

    // The replica is there and has all that `two` wrote, but takes nothing more.
    let process = info(&replica, "server").await;
    signal(&replica, "-STOP").await;
    let lost = one.commit(requested("3")).await;
    assert!(matches!(lost, Err(Trouble::Unknown { .. })), "{lost:?}");
    let repeated = two.commit(requested("3")).await;
    assert!(matches!(repeated, Err(Trouble::Unknown { .. })), "{repeated:?}");
    send_signal(field(&process, "process_id"), "-CONT");

    let told = Outcome::Replayed { revision: Revision(3), answer: "done".into() };
    let asked = async {
        // Until the replica has caught up, it is still not known.
        loop {
            match two.commit(requested("3")).await {
                Err(trouble) if trouble.is_passing() => {}
                other => return other,
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), asked).await.expect("told in time"), Ok(told));
}

/// What a connection has not written to since, some servers do not wait for. The mark is seen on every server; that the wait
/// counts it, the test above sees where there is a Valkey.
#[tokio::test]
async fn a_replay_leaves_a_mark_that_replicas_must_confirm() {
    let (primary, replica) = (primary().await, primary().await);
    follow(&replica, &primary).await;
    let ledger = ledger(&primary).await;
    ledger.commit(requested("1")).await.expect("held");
    let written = async || {
        let persistence = info(&primary, "persistence").await;
        field(&persistence, "rdb_changes_since_last_save").parse::<u64>().expect("a number")
    };
    let before = written().await;
    let told = Outcome::Replayed { revision: Revision(1), answer: "done".into() };
    assert_eq!(ledger.commit(requested("1")).await, Ok(told));
    assert!(written().await > before, "nothing was written that a wait for replicas could cover");
}

#[tokio::test]
async fn commits_that_wait_together_are_written_in_the_order_in_which_they_came() {
    let server = RedisServer::start().await;
    let options = Options { durability: Durability::Unsafe, ..Options::default() };
    let ledger = RedisLedger::connect(&server.url(), "north-vale", options).await.expect("a ledger");
    ledger.commit(requested("0")).await.unwrap();
    // While the server writes nothing, all of them wait, most of them in one batch.
    server.command(&["CLIENT", "PAUSE", "60000", "WRITE"]).await;
    let commits = async {
        let mut waiting: Vec<_> =
            (1..=600).map(|n| Box::pin(ledger.commit(requested(&n.to_string())))).collect();
        for commit in &mut waiting {
            // Handed in, one after the other.
            let handed_in = std::future::poll_fn(|cx| {
                let _ = commit.as_mut().poll(cx);
                std::task::Poll::Ready(())
            });
            handed_in.await;
        }
        // One caller goes away: nobody else is harmed.
        drop(waiting.remove(2));
        server.command(&["CLIENT", "UNPAUSE"]).await;
        let mut revisions = Vec::new();
        for commit in waiting {
            match commit.await {
                Ok(Outcome::Committed { revision }) => revisions.push(revision),
                other => panic!("{other:?}"),
            }
        }
        revisions
    };
    let revisions = commits.await;
    assert_eq!(revisions.len(), 599);
    assert!(revisions.windows(2).all(|pair| pair[0] < pair[1]), "out of order");
}
