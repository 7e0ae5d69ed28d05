//! The ledger over Sentinel, over Cluster and over Valkey: it conforms on each, and follows when its primary changes.

mod access;
mod fixtures;
mod site;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use fallow_ledger::{Commit, Key, Ledger, Outcome, RecordKind, RequestKey, Revision, Trouble};
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::testing::{Program, RedisCluster, RedisServer, SentinelTrio, Setup, until};
use fallow_ledger_redis::{Access, Durability, Options, RedisLedger};
use jiff::Timestamp;
use site::Site;

const REGION: &str = "north-vale";
const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// How long a Sentinel's primary may be silent: long where nothing is meant to die, so that a slow machine is not taken
/// for a dead one.
const LONG_MS: u32 = 120_000;
const SHORT_MS: u32 = 1_000;

fn options() -> Options {
    Options { durability: Durability::Unsafe, ..Options::default() }
}

async fn connect(url: &str, region: &str) -> Result<RedisLedger, Trouble> {
    RedisLedger::connect(url, region, options()).await
}

fn record(n: u64) -> Key {
    Key::new(RecordKind::Offer, n.to_string())
}

fn requested(n: u64) -> Commit {
    let body = n.to_string();
    let request = RequestKey::new("ZA1", body.clone(), body.as_bytes());
    Commit::new(AT).writing(record(n), body).requested(request, "done")
}

/// Commits, and again while the store is away or the outcome is not known, as a client does.
async fn committed(ledger: &RedisLedger, n: u64) -> Revision {
    let revision = Cell::new(None);
    until("a commit goes through", async || match ledger.commit(requested(n)).await {
        Ok(Outcome::Committed { revision: found } | Outcome::Replayed { revision: found, .. }) => {
            revision.set(Some(found));
            true
        }
        Ok(other) => panic!("a plain commit ended in {other:?}"),
        Err(trouble) => {
            assert!(trouble.is_passing(), "{trouble}");
            false
        }
    })
    .await;
    revision.get().expect("committed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_conforms_over_sentinels() {
    site::conforms(Site::Trio(SentinelTrio::start(Program::Redis, Setup::of(Program::Redis), LONG_MS).await))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_conforms_over_a_cluster() {
    site::conforms(Site::Cluster(RedisCluster::start(Program::Redis).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_conforms_over_valkey() {
    if let Some(missing) = Program::Valkey.missing() {
        return eprintln!("{missing}");
    }
    let setup = || Setup::of(Program::Valkey);
    site::conforms(Site::one(RedisServer::start_as(setup()).await)).await;
    site::conforms(Site::Trio(SentinelTrio::start(Program::Valkey, setup(), LONG_MS).await)).await;
    site::conforms(Site::Cluster(RedisCluster::start(Program::Valkey).await)).await;
}

#[tokio::test]
async fn a_regions_keys_lie_in_one_slot_and_regions_on_all_primaries() {
    let cluster = RedisCluster::start(Program::Redis).await;
    let mut owners = Vec::new();
    for region in ["north-vale", "cheshire-merseyside", "south-west", "a", "b", "c", "d", "e"] {
        let keys = Keys::of(region);
        let (slot, owner) = cluster.slot_of(&keys.meta).await;
        for key in keys.all().into_iter().chain([&*keys.restoring]) {
            assert_eq!(cluster.slot_of(key).await, (slot, owner), "{key}");
        }
        let ledger = connect(&cluster.url(), region).await.expect("a ledger");
        assert_eq!(committed(&ledger, 1).await, Revision(1));
        // What is there is on that primary, and nowhere else.
        for (n, server) in cluster.servers.iter().enumerate() {
            let there = server.command(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]).await;
            assert_eq!(
                redis::from_redis_value::<usize>(there).expect("a number") > 0,
                n == owner,
                "{region}"
            );
        }
        owners.push(owner);
    }
    assert!((0..3).all(|server| owners.contains(&server)), "{owners:?}");
}

#[tokio::test]
async fn commits_go_on_where_a_slot_has_moved_to() {
    let cluster = RedisCluster::start(Program::Redis).await;
    let ledger = Arc::new(connect(&cluster.url(), REGION).await.expect("a ledger"));
    assert_eq!(committed(&ledger, 1).await, Revision(1));
    let (slot, mut at) = cluster.slot_of(&Keys::of(REGION).meta).await;
    for n in 2..=4 {
        at = (at + 1) % 3;
        let (_, cursor) = ledger.snapshot().await.expect("a snapshot");
        cluster.move_slot(slot, at).await;
        assert_eq!(ledger.read(&[record(1)]).await.expect("a read").len(), 1, "a read follows at once");
        assert_eq!(committed(&ledger, n).await, Revision(n), "nothing was lost on the way");
        let seen = ledger.changes(&cursor, 10, Duration::from_secs(5)).await.expect("changes go on");
        assert_eq!(seen.changes.len(), 1);
        assert_eq!(cluster.slot_of(&Keys::of(REGION).meta).await, (slot, at));
    }
}

/// The old primary is killed between two commits, and later comes back as a replica of the new: what was acknowledged is
/// there, each commit once.
#[tokio::test]
async fn commits_go_on_over_the_new_primary_and_nothing_acknowledged_is_lost() {
    for program in [Program::Redis, Program::Valkey] {
        if let Some(missing) = program.missing() {
            eprintln!("{missing}");
            continue;
        }
        let mut trio = SentinelTrio::start(program, Setup::of(program).durable(), SHORT_MS).await;
        // One of the Sentinels is away as well: the others are enough.
        trio.sentinels[0].kill();
        let options = Options { replicas: 1, ..options() };
        let ledger = RedisLedger::connect(&trio.url(), REGION, options).await.expect("a ledger");
        for n in 1..=20 {
            assert_eq!(committed(&ledger, n).await, Revision(n));
        }
        let (_, cursor) = ledger.snapshot().await.expect("a snapshot");
        let old = trio.primary().await;
        let old_port = old.port();
        old.kill();
        let refused = ledger.commit(requested(21)).await;
        assert!(matches!(&refused, Err(trouble) if trouble.is_passing()), "{refused:?}");
        until("the Sentinels promote the replica", async || trio.primary_port().await != old_port).await;
        let old = trio.servers.iter_mut().find(|server| server.port() == old_port).expect("the old primary");
        old.restart().await;
        for n in 21..=40 {
            assert_eq!(committed(&ledger, n).await, Revision(n), "every commit once, and none lost");
        }
        let other = connect(&trio.url(), REGION).await.expect("a ledger");
        for n in 1..=40 {
            let found = other.read(&[record(n)]).await.expect("a read").pop().flatten().expect("a record");
            assert_eq!((found.revision, &found.body[..]), (Revision(n), n.to_string().as_bytes()));
        }
        let seen = other.changes(&cursor, 100, Duration::ZERO).await.expect("changes go on");
        assert_eq!(seen.changes.len(), 20);
    }
}

#[tokio::test]
async fn what_the_url_gets_wrong_is_said() {
    let trio = SentinelTrio::start(Program::Redis, Setup::default(), LONG_MS).await;
    let plain = RedisServer::start().await;
    let (port, sentinel) = (plain.port(), trio.sentinels[0].port());
    for (url, named) in [
        (trio.url_of("falow"), "knows no service falow; it knows fallow"),
        (format!("redis+sentinel://127.0.0.1:{port}/fallow"), "unknown command"),
        (format!("redis+cluster://127.0.0.1:{port}"), "cluster support disabled"),
        (format!("redis+cluster://127.0.0.1:{sentinel}"), "unknown command"),
        (format!("redis://user:secret@127.0.0.1:{port}"), "uthentication failed"),
    ] {
        let refused = connect(&url, REGION).await.err();
        let told = matches!(&refused, Some(Trouble::Misconfigured { detail }) if detail.contains(named));
        assert!(told && !format!("{refused:?}").contains("secret"), "{url}: {refused:?}");
    }
    let access = Access { password: Some("wrong".to_owned()), ..Access::default() };
    let refused = RedisLedger::connect(&trio.url(), REGION, Options { access, ..options() }).await;
    assert!(refused.is_err(), "the servers ask for no password, so one that is given is wrong");
}
