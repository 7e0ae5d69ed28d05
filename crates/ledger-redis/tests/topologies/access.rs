//! TLS, certificates, users and passwords.

use fallow_ledger::Trouble;
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::testing::{Certificates, RedisServer, Setup};
use fallow_ledger_redis::{Access, Durability, Options, RedisLedger, deploy};

use crate::site::{self, Site};

/// The users that a deployment has, as the compose file mounts them; their passwords are put in at the start.
const USERS: &str = include_str!("../../../../deploy/redis/users.acl");

/// Gives every user of the file a password, which is its name, and adds one for the fixture.
fn users() -> String {
    let with_password = |line: &str| match line.strip_prefix("user ").and_then(|rest| rest.split_once(' ')) {
        Some((name, rest)) if name != "default" => format!("user {name} >{name} {rest}\n"),
        Some(_) => format!("{line}\n"),
        None => String::new(),
    };
    USERS.lines().map(with_password).collect::<String>() + "user fixture on >fixture ~* &* +@all\n"
}

fn by_password(password: &str) -> Access {
    Access { password: Some(password.to_owned()), ..Access::default() }
}

async fn connect(url: &str, access: Access) -> Result<RedisLedger, Trouble> {
    let options = Options { durability: Durability::Unsafe, access, ..Options::default() };
    RedisLedger::connect(url, "north-vale", options).await
}

fn as_user(server: &RedisServer, user: &str) -> String {
    server.url().replace("://", &format!("://{user}@"))
}

#[tokio::test]
async fn a_server_must_prove_itself_and_may_ask_the_same_of_us() {
    let (ours, foreign) = (Certificates::generate(), Certificates::generate());
    let pem = |text: &str| text.as_bytes().to_vec();
    let trusting = |of: &Certificates| Access { authorities: Some(pem(&of.ca)), ..Access::default() };
    let proving = |of: &Certificates| Access {
        certificate: Some((pem(&of.client.0), pem(&of.client.1))),
        ..trusting(&ours)
    };
    let open = RedisServer::start_as(Setup::default().tls(&ours, false)).await;
    assert!(connect(&open.url(), trusting(&ours)).await.is_ok());
    for stranger in [trusting(&foreign), Access::default()] {
        let refused = connect(&open.url(), stranger).await.err();
        assert!(matches!(refused, Some(Trouble::Unavailable { .. })), "{refused:?}");
    }
    let strict = RedisServer::start_as(Setup::default().tls(&ours, true)).await;
    assert!(connect(&strict.url(), proving(&ours)).await.is_ok());
    for stranger in [trusting(&ours), proving(&foreign)] {
        let refused = connect(&strict.url(), stranger).await.err();
        assert!(matches!(refused, Some(Trouble::Unavailable { .. })), "{refused:?}");
    }
    let no_pem = Access { authorities: Some(pem("no certificate")), ..Access::default() };
    let refused = connect(&strict.url(), no_pem).await.err();
    assert!(matches!(refused, Some(Trouble::Misconfigured { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_user_does_all_that_a_ledger_does_once_deploy_has_loaded_the_functions() {
    let server = RedisServer::start_as(Setup::default().users(&users(), "fixture", "fixture")).await;
    let refused = connect(&as_user(&server, "svc"), by_password("svc")).await.err();
    let told =
        matches!(&refused, Some(Trouble::Unavailable { detail }) if detail.contains("fallow ledger deploy"));
    assert!(told, "{refused:?}");

    deploy(&as_user(&server, "deploy"), &by_password("deploy")).await.expect("loaded");
    // The fixture trims the log for the suite; the service user may not.
    let url = as_user(&server, "svc");
    let options =
        Options { durability: Durability::Unsafe, access: by_password("svc"), ..Options::default() };
    site::conforms_as(Site::one(server), url, options).await;
}

#[tokio::test]
async fn each_user_may_do_its_work_and_no_more() {
    // Not the server's own settings are to refuse, but the users' rights.
    let setup =
        Setup::default().users(&users(), "fixture", "fixture").with(&["--enable-debug-command", "yes"]);
    let server = RedisServer::start_as(setup).await;
    deploy(&as_user(&server, "deploy"), &by_password("deploy")).await.expect("loaded");
    let keys = Keys::of("any");
    let foreign = keys.live.replace("fallow", "other");
    let library =
        "#!lua name=mine\nredis.register_function('mine', function() return redis.call('DBSIZE') end)";
    let everyone = ["svc", "reader", "keeper", "deploy", "metrics"];
    // What is asked, and who may; to everyone else it is refused.
    let asked: &[(&[&str], &[&str])] = &[
        (&["PING"], &everyone),
        (&["INFO", "replication"], &everyone),
        (&["CONFIG", "GET", "appendfsync"], &everyone),
        (&["CLUSTER", "SLOTS"], &everyone),
        (&["HGET", &keys.live, "offer/1"], &["svc", "reader", "keeper"]),
        (&["XRANGE", &keys.log, "-", "+"], &["svc", "reader", "keeper"]),
        (&["HGET", &foreign, "offer/1"], &[]),
        (&["WAIT", "0", "1"], &["svc", "keeper"]),
        (&["FCALL", "fallow_touch_v2", "1", &keys.meta], &["svc", "keeper"]),
        (&["FCALL", "fallow_touch_v2", "1", &foreign], &[]),
        (&["HSET", &keys.restoring, "offer/1", "1 x"], &["keeper"]),
        (&["XTRIM", &keys.log, "MINID", "0"], &["keeper"]),
        (&["FUNCTION", "LOAD", "REPLACE", library], &["deploy"]),
        (&["FUNCTION", "LIST"], &["deploy"]),
        (&["FUNCTION", "DELETE", "mine"], &[]),
        (&["SLOWLOG", "GET"], &["metrics"]),
        (&["DEL", &keys.live], &["keeper"]),
        (&["DEL", &foreign], &[]),
        (&["EVAL", "return 1", "0"], &[]),
        (&["SCRIPT", "LOAD", "return 1"], &[]),
        (&["CONFIG", "SET", "appendfsync", "no"], &[]),
        (&["DEBUG", "SLEEP", "0"], &[]),
        (&["KEYS", "*"], &[]),
        (&["EXPIRE", &keys.live, "1"], &[]),
        (&["FLUSHALL"], &[]),
        (&["FLUSHDB"], &[]),
        (&["SHUTDOWN", "NOSAVE"], &[]),
        (&["REPLICAOF", "NO", "ONE"], &[]),
        (&["ACL", "LIST"], &[]),
        (&["MONITOR"], &[]),
    ];
    for user in everyone {
        for (words, allowed) in asked {
            let refusal = server.try_as(user, user, words).await.err();
            let refused = refusal.as_ref().is_some_and(|error| error.code() == Some("NOPERM"));
            assert_eq!(refused, !allowed.contains(&user), "{user} {words:?}: {refusal:?}");
        }
    }
    let nobody = connect(&server.url(), Access::default()).await.err();
    assert!(matches!(&nobody, Some(Trouble::Misconfigured { .. })), "{nobody:?}");
}
