//! The servers that other tests run on are what they say.

use fallow_ledger_redis::testing::{Certificates, Program, RedisCluster, RedisServer, SentinelTrio, Setup};

async fn get(server: &RedisServer, key: &str) -> Option<String> {
    redis::from_redis_value(server.command(&["GET", key]).await).expect("a text or nothing")
}

#[tokio::test]
async fn a_replica_has_what_its_primary_has_and_can_take_its_place() {
    let mut primary = RedisServer::start_durable().await;
    primary.command(&["SET", "a", "1"]).await;
    let replica = primary.start_replica(&[]).await;
    assert_eq!(get(&replica, "a").await.as_deref(), Some("1"));
    primary.has_replicas(1).await;
    assert!(replica.try_command(&["SET", "a", "2"]).await.is_err(), "a replica takes no writes");
    primary.kill();
    replica.command(&["REPLICAOF", "NO", "ONE"]).await;
    replica.command(&["SET", "a", "2"]).await;
}

#[tokio::test]
async fn sentinels_know_their_pair() {
    for program in [Program::Redis, Program::Valkey] {
        if let Some(missing) = program.missing() {
            eprintln!("{missing}");
            continue;
        }
        let mut trio = SentinelTrio::start(program, Setup::of(program), 60_000).await;
        let first = trio.servers[0].port();
        assert_eq!(trio.primary().await.port(), first);
    }
}

#[tokio::test]
async fn a_slot_of_a_cluster_moves_with_its_keys() {
    for program in [Program::Redis, Program::Valkey] {
        if let Some(missing) = program.missing() {
            eprintln!("{missing}");
            continue;
        }
        let cluster = RedisCluster::start(program).await;
        let (slot, from) = cluster.slot_of("a").await;
        cluster.servers[from].command(&["SET", "a", "1"]).await;
        let to = (from + 1) % 3;
        cluster.move_slot(slot, to).await;
        assert_eq!(cluster.slot_of("a").await, (slot, to));
        assert_eq!(get(&cluster.servers[to], "a").await.as_deref(), Some("1"));
    }
}

#[tokio::test]
async fn a_server_with_tls_or_users_lets_nobody_else_in() {
    let certificates = Certificates::generate();
    let acl = "user default off\nuser fixture on >secret ~* &* +@all\n";
    let setup = Setup::default().tls(&certificates, true).users(acl, "fixture", "secret");
    let server = RedisServer::start_as(setup).await;
    server.command(&["SET", "a", "1"]).await;
    let replica = server.start_replica(&[]).await;
    assert_eq!(get(&replica, "a").await.as_deref(), Some("1"));
    for url in [server.url().replace("rediss", "redis"), server.url()] {
        let client = redis::Client::open(url).expect("a URL");
        assert!(client.get_multiplexed_async_connection().await.is_err());
    }
}
