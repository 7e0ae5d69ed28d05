//! `fallow ledger` as an operator's shell sees it, over a Redis of its own.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use fallow_archive::archivist::{Archivist, Keep};
use fallow_archive::{Disk, Settings, SigningKey};
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::Label;
use fallow_ledger::cause::Cause;
use fallow_ledger::{Commit, Keeper, Key, Ledger, RecordKind};
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::testing::{RedisServer, Setup};
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const REGION: &str = "north-vale";
const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);
const TRUST: &str = include_str!("../../../../crates/ledger/tests/golden/trust.v1.json");
const OFFER: &str = include_str!("../../../../crates/ledger/tests/golden/offer.v1.json");
const NEED: &str = include_str!("../../../../crates/ledger/tests/golden/need.v1.json");
const PROPOSAL: &str = include_str!("../../../../crates/ledger/tests/golden/proposal.v1.json");

/// Runs `fallow ledger` with these words over a store.
fn ledger(url: &str, words: &[&str]) -> Output {
    ledger_as(url, words, &[])
}

fn ledger_as(url: &str, words: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fallow"));
    command.arg("ledger").args(words).env_clear();
    command.env("FALLOW__STORE__KIND", "redis").env("FALLOW__STORE__URL", url);
    command.envs(settings.iter().copied()).output().unwrap()
}

/// Returns what a command printed, which is to end with this exit code.
fn says(output: &Output, code: i32) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn status(url: &str) -> Value {
    serde_json::from_str(&says(&ledger(url, &["status", "--json"]), 0)).unwrap()
}

async fn open(url: &str) -> RedisLedger {
    let options = Options { durability: Durability::Unsafe, ..Options::default() };
    RedisLedger::connect(url, REGION, options).await.unwrap()
}

async fn put(ledger: &RedisLedger, kind: RecordKind, id: &str, body: String) {
    let by = Actor {
        subject: Label::parse("bed.manager@aldermoor").unwrap(),
        kind: ActorKind::Person,
        role: Role::BedManager,
        trust: Some("ZA1".parse().unwrap()),
    };
    let (verb, request_id, traceparent, decided_at) = ("Declare".to_owned(), None, None, None);
    let cause = Cause { by, verb, at: AT, request_id, traceparent, decided_at, denied: None };
    ledger.commit(Commit::new(AT).writing(Key::new(kind, id), body).because(cause.encode())).await.unwrap();
}

/// A stored body with some of its fields set, or taken out.
fn body(golden: &str, fields: &[(&str, Option<Value>)]) -> String {
    let mut body: Value = serde_json::from_str(golden).unwrap();
    let record = body["r"].as_object_mut().unwrap();
    for (name, value) in fields {
        match value {
            Some(value) => record.insert((*name).to_owned(), value.clone()),
            None => record.remove(*name),
        };
    }
    body.to_string()
}

fn offer(name: &str) -> String {
    body(OFFER, &[("id", Some(json!(format!("{name}-offer"))))])
}

/// Writes a hold that the supporting trust has accepted.
async fn hold(ledger: &RedisLedger, name: &str) {
    let id = |what: &str| Some(json!(format!("{name}-{what}")));
    put(ledger, RecordKind::Offer, &format!("{name}-offer"), offer(name)).await;
    let need = body(NEED, &[("id", id("need")), ("state", Some(json!("OPEN")))]);
    put(ledger, RecordKind::Need, &format!("{name}-need"), need).await;
    let held = [
        ("id", id("hold")),
        ("offer", id("offer")),
        ("need", id("need")),
        ("state", Some(json!("HELD"))),
        ("held_until", Some(json!("2999-01-01T00:00:00Z"))),
        ("home", Some(json!({ "answer": "PENDING" }))),
        ("ended_because", None),
        ("ended_at", None),
    ];
    put(ledger, RecordKind::Proposal, &format!("{name}-hold"), body(PROPOSAL, &held)).await;
}

const ACCEPT: [&str; 6] = ["open", "--accept-loss", "--by", "A. Person", "--reason", "the disk lost power"];

#[tokio::test]
async fn the_status_of_an_empty_store_is_that_nobody_has_opened_it() {
    let server = RedisServer::start_durable().await;
    let said = says(&ledger(&server.url(), &["status"]), 0);
    assert!(said.contains("waiting: no process has opened it yet"), "{said}");
    assert!(!said.contains("restarted"), "{said}");
    open(&server.url()).await;
    assert_eq!(status(&server.url())["standing"], "open");
    server.command(&["CONFIG", "SET", "appendfsync", "everysec"]).await;
    let said = says(&ledger(&server.url(), &["status"]), 0);
    assert!(said.contains("shortcoming: appendfsync is everysec, must be always"), "{said}");
    assert_eq!(status(&server.url())["writes_ok"], false);
}

#[tokio::test]
async fn a_loss_is_accepted_hold_by_hold_and_a_second_run_finishes() {
    let mut server = RedisServer::start_durable().await;
    let url = server.url();
    let said = says(&ledger(&url, &ACCEPT[..2]), 2);
    assert!(said.contains("--by"), "{said}");
    let writer = open(&url).await;
    for name in ["one", "two", "three"] {
        hold(&writer, name).await;
    }
    let said = says(&ledger(&url, &ACCEPT), 1);
    assert!(said.contains("there is no loss to accept"), "{said}");
    drop(writer);
    // Everything was down at once, and the offer of one hold cannot be read.
    server.restart().await;
    let live = Keys::of(REGION).live;
    server.command(&["HSET", &live, "offer/two-offer", "4 scribble"]).await;
    assert_eq!(status(&url)["standing"], "waiting");
    let said = says(&ledger(&url, &["open"]), 4);
    assert!(said.contains("1 writers are silent") && said.contains("--accept-loss"), "{said}");

    let said = says(&ledger(&url, &ACCEPT), 1);
    assert!(
        said.contains("2 open holds were ended and 1 could not be") && said.contains("two-hold: "),
        "{said}"
    );
    let found = status(&url);
    assert_eq!((&found["standing"], &found["accepting"]["by"]), (&json!("waiting"), &json!("A. Person")));

    server.command(&["HSET", &live, "offer/two-offer", &format!("4 {}", offer("two"))]).await;
    let said = says(&ledger(&url, &ACCEPT), 0);
    assert!(said.contains("the ledger is open") && said.contains("1 open holds were ended"), "{said}");
    let found = status(&url);
    assert_eq!(
        (&found["standing"], &found["accepted"]["reason"]),
        (&json!("open"), &json!("the disk lost power"))
    );
    let after = open(&url).await;
    for name in ["one", "two", "three"] {
        let key = Key::new(RecordKind::Proposal, format!("{name}-hold"));
        let ended = after.read(&[key]).await.unwrap().remove(0).unwrap();
        assert!(String::from_utf8_lossy(&ended.body).contains("WITHDRAWN"), "{name}");
    }
}

#[tokio::test]
async fn a_hold_that_cannot_be_mended_is_left_by_name() {
    let mut server = RedisServer::start_durable().await;
    let url = server.url();
    let writer = open(&url).await;
    hold(&writer, "one").await;
    drop(writer);
    server.restart().await;
    server.command(&["HSET", &Keys::of(REGION).live, "offer/one-offer", "1 scribble"]).await;
    says(&ledger(&url, &ACCEPT), 1);
    let said = says(&ledger(&url, &[&ACCEPT[..], &["--leave", "one-hold"]].concat()), 0);
    assert!(said.contains("0 open holds were ended"), "{said}");
    assert_eq!(status(&url)["standing"], "open");
}

/// Archives all that a store has.
async fn archived(url: &str, folder: &Path, key: &SigningKey) {
    let keeper: Arc<dyn Keeper> = Arc::new(open(url).await);
    let head = keeper.snapshot().await.unwrap().1.revision();
    let settings = Settings {
        folder: folder.to_owned(),
        region: REGION.into(),
        segment_bytes: 20_000,
        segment_age: SignedDuration::from_hours(1),
        key: Some(key.clone()),
    };
    let keep = Keep { age: SignedDuration::from_hours(24), changes: 0 };
    let mut archivist = Archivist::new(keeper, settings, Disk::default(), keep);
    while archivist.step(AT, Duration::ZERO).await.unwrap().archived.cursor.revision() < head {}
    archivist.finish(AT).await.unwrap();
}

#[tokio::test]
async fn a_rebuild_is_on_record_and_has_the_same_digest() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive");
    let archive = archive.to_str().unwrap();
    let key = SigningKey::generate().unwrap();
    let public = folder.path().join("key.pub.pem");
    std::fs::write(&public, key.public().to_pem().unwrap()).unwrap();
    let public = public.to_str().unwrap();
    let (lost, empty) = (RedisServer::start_durable().await, RedisServer::start_durable().await);
    let writer = open(&lost.url()).await;
    put(&writer, RecordKind::Trust, "ZA1", TRUST.to_owned()).await;
    hold(&writer, "one").await;
    let (_, before) = writer.snapshot().await.unwrap();
    archived(&lost.url(), Path::new(archive), &key).await;

    let rebuild = ["rebuild", "--from", archive, "--key", public];
    let said = says(&ledger(&empty.url(), &rebuild), 2);
    assert!(said.contains("--by"), "{said}");
    let word = ["--by", "A. Person", "--reason", "both disks failed"];
    let rebuild = [&rebuild[..], &word].concat();
    let said = says(&ledger(&empty.url(), &rebuild), 0);
    let digests: Vec<&str> =
        said.lines().filter_map(|line| line.split_once("digest ")).map(|(_, d)| d).collect();
    assert!(digests.len() == 2 && digests[0] == digests[1], "{said}");
    assert!(said.contains("1 open holds were ended"), "{said}");
    let found = status(&empty.url());
    assert_eq!((&found["standing"], &found["accepted"]["by"]), (&json!("open"), &json!("A. Person")));
    let (_, after) = open(&empty.url()).await.snapshot().await.unwrap();
    assert_ne!(after.history(), before.history());
    let said = says(&ledger(&empty.url(), &rebuild), 4);
    assert!(said.contains("the ledger is not empty"), "{said}");
}

#[tokio::test]
async fn a_store_is_verified_against_its_archive() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, key) = (folder.path().join("archive"), SigningKey::generate().unwrap());
    let public = folder.path().join("key.pub.pem");
    std::fs::write(&public, key.public().to_pem().unwrap()).unwrap();
    let server = RedisServer::start_durable().await;
    put(&open(&server.url()).await, RecordKind::Trust, "ZA1", TRUST.to_owned()).await;
    archived(&server.url(), &archive, &key).await;
    let verify = ["verify", "--archive", archive.to_str().unwrap(), "--key", public.to_str().unwrap()];
    let said = says(&ledger(&server.url(), &verify), 0);
    assert!(said.ends_with("sound\n"), "{said}");
    // By hand, behind the log.
    let edited = TRUST.replace("\"opel\":3", "\"opel\":4");
    server.command(&["HSET", &Keys::of(REGION).live, "trust/ZA1", &format!("1 {edited}")]).await;
    let said = says(&ledger(&server.url(), &verify), 1);
    assert!(said.contains("picture_equals_replay") && said.contains("trust/ZA1"), "{said}");
}

#[tokio::test]
async fn an_archive_is_looked_through_for_patients() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, key) = (folder.path().join("archive"), SigningKey::generate().unwrap());
    let server = RedisServer::start_durable().await;
    let store = open(&server.url()).await;
    put(&store, RecordKind::Trust, "ZA1", TRUST.to_owned()).await;
    archived(&server.url(), &archive, &key).await;
    let look = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fallow"));
        command.args(["audit", "verify", archive.to_str().unwrap(), "--identifiers"]).env_clear();
        command.output().unwrap()
    };
    let said = says(&look(), 0);
    assert!(said.contains("looked at: nothing that could identify a patient"), "{said}");
    // As if one had come past every entrance.
    let body = r#"{"v":1,"r":{"holder":"943 476 5919"}}"#;
    put(&store, RecordKind::Claim, "offer/ZA1/ward", body.to_owned()).await;
    archived(&server.url(), &archive, &key).await;
    let said = says(&look(), 1);
    assert!(said.contains("sound\n") && said.contains("claim/offer, r.holder: looks like an NHS"), "{said}");
    assert!(!said.contains("943"), "what was found is not repeated: {said}");
}

#[tokio::test]
async fn the_users_of_a_folder_deploy_and_look_each_as_they_may() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let said = says(&ledger("redis://127.0.0.1:1", &["users", path]), 0);
    assert!(said.contains("redis-users.acl") && said.contains("redis-deploy"), "{said}");
    says(&ledger("redis://127.0.0.1:1", &["users", path]), 2);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let acl = read("redis-users.acl") + "user fixture on >fixture ~* &* +@all\n";
    let server = RedisServer::start_as(Setup::default().durable().users(&acl, "fixture", "fixture")).await;
    let run = |user: &str, words: &[&str]| {
        let password = folder.path().join(format!("redis-{user}"));
        let url = server.url().replace("://", &format!("://{user}@"));
        ledger_as(&url, words, &[("FALLOW__STORE__PASSWORD_FILE", password.to_str().unwrap())])
    };
    let said = says(&run("svc", &["status"]), 6);
    assert!(said.contains("the user deploy loads them: fallow ledger deploy"), "{said}");
    says(&run("svc", &["deploy"]), 1);
    let said = says(&run("deploy", &["deploy"]), 0);
    assert!(said.contains("has the functions of"), "{said}");
    let said = says(&run("svc", &["status"]), 0);
    assert!(said.contains("no process has opened it yet"), "{said}");
}
