//! The binary itself: its exit codes as a shell sees them, streams, and Ctrl-C.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use fallow_api::v1::{
    GetNeedRequest, GetNeedResponse, ListOffersRequest, ListOffersResponse, Need, PublishOfferRequest,
    PublishOfferResponse, WatchOffersRequest, WatchOffersResponse, need, watch_offers_response,
};

use crate::records::{lc_118, level_2};
use crate::script::Script;

fn fallow(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fallow"));
    command.args(args).env_clear().env("HOME", "/nonexistent");
    command
}

fn run(args: &[&str]) -> Output {
    fallow(args).output().unwrap()
}

#[test]
fn a_shell_sees_the_codes_and_data_only_on_stdout() {
    for (args, code) in [
        (&["version"][..], 0),
        (&["--help"], 0),
        (&["free", "--help"], 0),
        (&[], 2),
        (&["fre"], 2),
        (&["mine"], 2),
        (&["errors", "NOTHING_LIKE_IT"], 3),
        (&["auth", "whoami", "--endpoint", "http://127.0.0.1:1"], 5),
        (&["mine", "--endpoint", "http://127.0.0.1:1"], 6),
        // A mistyped name is no divergence, and no failure of what was asked for.
        (&["replay", "--log", "/nonexistent/log.jsonl"], 3),
        (&["dev", "--scenario", "summer"], 2),
    ] {
        let ended = run(args);
        assert_eq!(ended.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&ended.stderr));
        assert_eq!(ended.stdout.is_empty(), code != 0, "{args:?}");
        assert_eq!(ended.stderr.is_empty(), code == 0, "{args:?}");
    }
}

/// What was done in part, and what came to nothing, a script tells from what was done and from what failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shell_sees_what_was_done_in_part_and_what_came_to_nothing() {
    let script = Script::default();
    script.on("CapacityService/ListOffers", |_: ListOffersRequest| Ok(ListOffersResponse::default()));
    script.on("CapacityService/PublishOffer", |ask: PublishOfferRequest| {
        Ok(PublishOfferResponse { offer: ask.offer, revision: 51 })
    });
    script.on("DemandService/GetNeed", |_: GetNeedRequest| {
        let need = Need { state: need::State::Unmet.into(), ..lc_118() };
        Ok(GetNeedResponse { need: Some(need), revision: 44 })
    });
    let address = script.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let sheet = folder.path().join("sheet.csv").display().to_string();
    let head = "resource,figures.staffed,window.until,cadence\n";
    for (rows, code, said) in [
        ("bed/ga_adult,2,2099-01-01T20:00:00Z,4h\n", 0, "1 added\n"),
        ("bed/ga_adult,2,2099-01-01T20:00:00Z,4h\nbed/ga_adult,2,never,4h\n", 8, "1 added, 1 rejected\n"),
    ] {
        std::fs::write(&sheet, format!("{head}{rows}")).unwrap();
        let ended = run(&["import", "capacity", &sheet, "--site", "ZA401", "--endpoint", &address]);
        let out = String::from_utf8(ended.stdout).unwrap();
        assert_eq!((ended.status.code(), out.ends_with(said)), (Some(code), true), "{out}");
    }
    let ended = run(&["demand", "wait", &lc_118().id, "--for", "met", "--endpoint", &address]);
    assert_eq!(ended.status.code(), Some(9), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// Whoever mistypes a time must not read that two histories are the same.
#[test]
fn a_replay_that_compares_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl").display().to_string();
    std::fs::write(&log, "{\"fallow_log\":1,\"revision\":0}\n").unwrap();
    let ended = run(&["replay", "--log", &log, "--from", "2027-01-01T00:00:00Z"]);
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(said.ends_with("nothing was compared\n"), "{said}");
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "the log has no change in that time\n");
    assert_eq!(ended.status.code(), Some(9));
}

/// A file that nobody has.
const NONE: &str = "/nonexistent/named.csv";

/// One code for a file that is not there, whichever command was to read it, and the name of the file that was mistyped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_there_ends_every_command_that_reads_one_with_3() {
    let address = Script::default().serve().await;
    let folder = tempfile::tempdir().unwrap();
    let there = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let sheet = there("sheet.csv", "resource,figures.staffed,window.until,cadence\n");
    let keys = folder.path().display().to_string();
    assert!(run(&["archive", "keygen", &keys]).status.success());
    let key = format!("{keys}/archive-key.pub.pem");
    let region = there("region.toml", include_str!("../../../../regions/north-vale.toml"));
    let at = ["match", "--at", "2026-11-24T08:00:00Z", "--out", "-"];
    let no_region = [&at[..], &["--offers", &sheet, "--needs", &sheet, "--region", NONE]].concat();
    let no_offers = [&at[..], &["--offers", NONE, "--needs", &sheet, "--region", &region]].concat();
    let commands: &[&[&str]] = &[
        &["region", "apply", "-f", NONE, "--yes"],
        &["action", "region", "-f", NONE, "--reason", "winter"],
        &["report", "alerts", "--thresholds", NONE],
        &["simulate", "-f", NONE],
        &["simulate", "-f", NONE, "--base", "/nonexistent", "--at", "2026-11-24T08:00:00Z"],
        &["import", "capacity", NONE],
        &["import", "capacity", &sheet, "--map", NONE],
        &["import", "demand", NONE],
        &["import", "fhir", NONE],
        &["capacity", "apply", "-f", NONE],
        &no_region,
        &no_offers,
        &["match", "--gap", NONE],
        &["replay", "--log", NONE],
        &["replay", "--log", &sheet, "--policy", NONE],
        &["replay", "--config", NONE],
        &["dev", "--region", NONE],
        &["dev-ca", "--config", NONE, &keys],
        &["serve", "capacity", "--config", NONE],
        &["healthcheck", "capacity", "--config", NONE],
        &["token", "issue", "--subject", "a", "--role", "gold", "--key", NONE],
        &["token", "issue", "--subject", "a", "--role", "gold", "--config", NONE],
        &["ledger", "status", "--config", NONE],
        &["ledger", "deploy", "--config", NONE],
        &["ledger", "open", "--config", NONE],
        &["ledger", "verify", "--config", NONE],
        &["ledger", "rebuild", "--from", &keys, "--by", "a", "--reason", "b", "--config", NONE],
        &["audit", "verify", NONE],
        &["audit", "verify", &keys, "--key", NONE],
        &["audit", "verify", &keys, "--receipt", NONE],
        &["audit", "verify", &keys, "--config", NONE],
        &["audit", "export", NONE],
        &["audit", "receipt", NONE, "--key", &key],
        &["audit", "prove", NONE, "--key", &key, "--trust", "ZA4"],
        &["audit", "check", NONE, "--key", &key],
        &["audit", "check", &sheet, "--key", NONE],
    ];
    for args in commands {
        let ended = fallow(args).env("FALLOW_ENDPOINT", &address).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{args:?}: {said}");
        assert!(said.contains("/nonexistent") && said.starts_with("error: "), "{args:?}: {said}");
        assert!(ended.stdout.is_empty(), "{args:?}");
    }
    // A file that is there and cannot be used is a matter of usage.
    let ended = fallow(&["region", "apply", "-f", &keys, "--yes"]).env("FALLOW_ENDPOINT", &address).output();
    assert_eq!(ended.unwrap().status.code(), Some(2));
}

#[test]
fn settings_come_from_the_environment_and_no_flag_takes_a_secret() {
    let ended = fallow(&["mine"]).env("FALLOW_ENDPOINT", "http://127.0.0.1:1").output().unwrap();
    assert_eq!(ended.status.code(), Some(6));
    let ended = fallow(&["mine"]).env("FALLOW_CONTEXT", "nowhere").output().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    assert_eq!(run(&["mine", "--token", "secret"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_ends_a_watch_with_130() {
    let script = Script::default();
    let item = watch_offers_response::Item::Offer(level_2());
    let event = WatchOffersResponse { item: Some(item), cursor: "c".into(), revision: 1 };
    // After the first message the stream breaks and the watch tries again, for ever.
    let broken = vec![vec![Ok(event)], vec![Err(tonic::Status::unavailable("gone"))]];
    script.watch::<WatchOffersRequest, _>("CapacityService/WatchOffers", broken);
    let address = script.serve().await;
    let mut child = fallow(&["watch", "--kinds", "offer", "--endpoint", &address])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"offer\":"), "{line}");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
