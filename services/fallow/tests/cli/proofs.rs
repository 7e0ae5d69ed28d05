//! `audit prove` and `audit check`: what an operator gives to a trust, and what the trust finds out by itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use fallow_archive::archivist::{Archivist, Keep};
use fallow_archive::{Disk, Settings, SigningKey};
use fallow_ledger::{Commit, Key, Ledger, MemoryLedger, RecordKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);
const OFFER: &str = include_str!("../../../../crates/ledger/tests/golden/offer.v1.json");
const REQUEST: &str = "0198c7a0-1111-7000-8000-000000000001";

/// An archive, the operator's public key beside it, and a folder of the trust's own.
struct Archive {
    folder: TempDir,
    trust: TempDir,
    key: SigningKey,
}

impl Archive {
    /// What ZA1 publishes, what ZA2 does meanwhile, and what ZA1 withdraws.
    async fn new() -> Self {
        let archive = Self {
            folder: tempfile::tempdir().unwrap(),
            trust: tempfile::tempdir().unwrap(),
            key: SigningKey::generate().unwrap(),
        };
        archive.write("operator.pub.pem", &archive.key.public().to_pem().unwrap());
        archive.fill(MemoryLedger::new(), archive.folder.path(), "side room").await;
        archive
    }

    async fn fill(&self, ledger: MemoryLedger, folder: &Path, note: &str) {
        let ledger = Arc::new(ledger);
        for (trust, verb, request, id, note) in [
            ("ZA1", "PublishOffer", REQUEST, "of-one", Some(note)),
            ("ZA2", "PublishOffer", "r-2", "of-two", Some("not yours")),
            ("ZA1", "WithdrawOffer", "r-3", "of-one", None),
        ] {
            let by = json!({ "subject": format!("manager.{trust}"), "kind": "person", "role": "bed_manager", "trust": trust });
            let cause = json!({ "by": by, "verb": verb, "at": AT, "request_id": request });
            let key = Key::new(RecordKind::Offer, id);
            let commit = Commit::new(AT).because(cause.to_string());
            let commit = match note {
                Some(note) => {
                    let mut body: Value = serde_json::from_str(OFFER).unwrap();
                    (body["r"]["trust"], body["r"]["note"]) = (json!(trust), json!(note));
                    commit.writing(key, body.to_string())
                }
                None => commit.deleting(key),
            };
            ledger.commit(commit).await.unwrap();
        }
        let settings = Settings {
            folder: folder.to_owned(),
            region: "north-vale".into(),
            segment_bytes: 1_000_000,
            segment_age: SignedDuration::from_hours(1),
            key: Some(self.key.clone()),
        };
        let keep = Keep { age: SignedDuration::from_hours(1), changes: 1_000 };
        let mut archivist = Archivist::new(ledger, settings, Disk::default(), keep);
        while !archivist.step(AT, Duration::ZERO).await.unwrap().changes.is_empty() {}
    }

    fn path(&self, name: &str) -> PathBuf {
        self.trust.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    /// Returns the proofs of a trust.
    fn prove(&self, words: &[&str]) -> String {
        let folder = self.folder.path().display().to_string();
        let key = self.path("operator.pub.pem").display().to_string();
        said(&audit(&[&["prove", &folder, "--key", &key], words].concat()), 0)
    }

    /// Checks files by the operator's key.
    fn check(&self, words: &[&str], code: i32) -> String {
        let key = self.path("operator.pub.pem").display().to_string();
        said(&audit(&[&["check", "--key", &key], words].concat()), code)
    }
}

fn audit(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fallow")).arg("audit").args(words).env_clear().output().unwrap()
}

fn said(output: &Output, code: i32) -> String {
    let text = String::from_utf8([output.stdout.as_slice(), &output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[tokio::test]
async fn a_trust_checks_its_own_changes_without_us() {
    let archive = Archive::new().await;
    let proofs = archive.prove(&["--trust", "ZA1"]);
    assert_eq!(proofs.lines().count(), 2);
    assert!(!proofs.contains("not yours") && !proofs.contains("ZA2"), "{proofs}");
    let file = archive.write("za1.proofs", &proofs);
    let said = archive.check(&[&file], 0);
    assert!(
        said.contains(&format!("manager.ZA1 (bed_manager) for ZA1  PublishOffer  request {REQUEST}")),
        "{said}"
    );
    assert!(said.contains("offer/of-one") && said.contains("side room"), "{said}");
    assert!(said.contains("offer/of-one  removed"), "{said}");
    let key = archive.key.public().fingerprint();
    let end = format!("2 changes of north-vale were signed by key {key}: revisions 1 to 3 of history ");
    assert!(said.lines().last().unwrap().starts_with(&end), "{said}");
    assert_eq!(said.matches(&format!("signed by key {key}\n")).count(), 2, "each says by which: {said}");
    // As data.
    let lines = archive.check(&[&file, "--json"], 0);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["revision"], &first["cause"]["request_id"]), (&json!(1), &json!(REQUEST)));
    assert_eq!(first["records"][0]["body"]["r"]["note"], "side room");
    assert_eq!((&first["key"], &first["covered"]), (&json!(key), &json!(0)));
    assert_eq!(first["records"][0]["removed"], json!(false));
    // One change, by its revision and by the trust's request.
    let one = archive.prove(&["--trust", "ZA1", "--revision", "3"]);
    assert_eq!(one, proofs.lines().nth(1).unwrap().to_owned() + "\n");
    assert_eq!(archive.prove(&["--trust", "ZA1", "--request", "r-3"]), one);
    let folder = archive.folder.path().display().to_string();
    let none = said_of(&["prove", &folder, "--trust", "ZA1", "--request", "r-2"], 9);
    assert!(none.contains("no such change of this trust"), "the request of another trust: {none}");
    let late = said_of(&["prove", &folder, "--trust", "ZA1", "--revision", "4"], 9);
    assert!(late.ends_with("by this archive; its last is revision 3\n"), "{late}");
    let other = said_of(&["prove", &folder, "--trust", "ZA1", "--revision", "2"], 9);
    assert!(!other.contains("its last"), "{other}");
}

fn said_of(words: &[&str], code: i32) -> String {
    said(&audit(words), code)
}

#[tokio::test]
async fn what_is_wrong_with_proofs_is_named_by_file_and_line() {
    let archive = Archive::new().await;
    let proofs = archive.prove(&["--trust", "ZA1"]);
    let edited = archive.write("edited", &proofs.replace("side room", "side door"));
    let said = archive.check(&[&edited], 1);
    assert!(said.contains(&format!("WRONG {edited}, line 1: is not what was signed")), "{said}");
    assert!(said.contains("1 changes are proved; 1 things are wrong"), "{said}");
    let (first, second) = proofs.split_once('\n').unwrap();
    let swapped = archive
        .write("swapped", &format!("{first}\n{}\n", second.replace("\"revision\":3", "\"revision\":2")));
    assert!(archive.check(&[&swapped], 1).contains("swapped, line 2: "));
    let noise = archive.write("noise", "{}\n");
    assert!(archive.check(&[&noise], 1).contains("it is no line that `fallow audit prove` wrote"));
    let empty = archive.write("empty", "\n");
    assert!(archive.check(&[&empty], 1).contains("there is no proof in what was given"));
    // By another's key nothing is proved.
    let file = archive.write("za1.proofs", &proofs);
    let foreign = archive.write("foreign.pem", &SigningKey::generate().unwrap().public().to_pem().unwrap());
    let said = said_of(&["check", &file, "--key", &foreign], 1);
    assert!(said.contains("0 changes are proved; 2 things are wrong"), "{said}");
    assert!(said_of(&["check", &file], 2).contains("--key"), "no key, no check");
    let missing = archive.path("missing").display().to_string();
    assert!(archive.check(&[&missing], 3).contains("missing"));
}

#[tokio::test]
async fn a_change_that_was_left_out_is_missed_by_who_kept_it() {
    let archive = Archive::new().await;
    let proofs = archive.prove(&["--trust", "ZA1"]);
    let kept = [
        format!(r#"{{"revision":1,"call":"PublishOffer","subject":"manager.ZA1","request_id":"{REQUEST}"}}"#),
        r#"{"revision":3,"request_id":"r-3"}"#.to_owned(),
        // What another did to our records: told, and not asked for.
        r#"{"revision":2,"call":"AnswerProposal","role":"site_lead","trust":"ZA2"}"#.to_owned(),
    ];
    let kept = archive.write("mine.jsonl", &kept.join("\n"));
    let whole = archive.write("whole", &proofs);
    let said = archive.check(&[&whole, "--kept", &kept], 0);
    assert!(said.contains("2 of 3 kept entries are proved, 1 not asked for"), "{said}");
    let short = archive.write("short", proofs.lines().next().unwrap());
    let said = archive.check(&[&short, "--kept", &kept], 1);
    assert!(said.contains("mine.jsonl, line 2: of revision 3, r-3, there is no proof"), "{said}");
    let other = archive.write("other.jsonl", r#"{"revision":3,"request_id":"r-9"}"#);
    let said = archive.check(&[&whole, "--kept", &other], 1);
    assert!(
        said.contains("line 1: revision 3 was r-9, and") && said.contains("proves something else"),
        "{said}"
    );
    let bad = archive.write("bad.jsonl", "revision 3\n");
    assert!(archive.check(&[&whole, "--kept", &bad], 1).contains("is no entry of a trail"));
}

/// Whoever has the key can write an archive anew; who kept proofs of the first sees that there were two.
#[tokio::test]
async fn an_archive_that_was_written_anew_is_found_by_two_proofs() {
    let archive = Archive::new().await;
    let empty = MemoryLedger::new();
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for (folder, note) in folders.iter().zip(["side room", "another room"]) {
        archive.fill(empty.backup(), folder.path(), note).await;
    }
    let [before, after] = folders.map(|folder| {
        let name = folder.path().display().to_string();
        let proofs = said_of(&["prove", &name, "--trust", "ZA1"], 0);
        archive.write(&format!("proofs of {}", folder.path().file_name().unwrap().display()), &proofs)
    });
    assert!(archive.check(&[&before], 0).contains("side room"));
    assert!(archive.check(&[&after], 0).contains("another room"));
    let said = archive.check(&[&before, &after], 1);
    assert!(
        said.contains(&format!(
            "{after}, line 1: another change than {before}, line 1 has the same revision 1"
        )),
        "{said}"
    );
    assert!(
        archive.check(&[&before, &before], 0).contains("4 changes"),
        "the same file twice is no contradiction"
    );
}

/// Each field of the trail is held against the proof: the same request with another end is another change.
#[tokio::test]
async fn what_was_kept_is_held_against_the_proof_field_by_field() {
    let archive = Archive::new().await;
    let whole = archive.write("whole", &archive.prove(&["--trust", "ZA1"]));
    let entry = json!({
        "revision": 1, "at": AT, "call": "PublishOffer", "subject": "manager.ZA1", "role": "bed_manager",
        "trust": "ZA1", "requestId": REQUEST, "times": 1, "records": ["offer/of-one", "monitor/unseen"],
    });
    let holds = |entry: &Value, code| {
        let kept = archive.write("kept.jsonl", &format!("{entry}\n"));
        archive.check(&[&whole, "--kept", &kept], code)
    };
    assert!(holds(&entry, 0).contains("1 of 1 kept entries are proved"));
    for (field, value, word) in [
        ("denied", json!("ROLE_FORBIDS"), "denied was ROLE_FORBIDS"),
        ("at", json!("2026-11-24T08:00:00Z"), "at was 2026-11-24T08:00:00Z"),
        ("role", json!("site_lead"), "role was site_lead, and is bed_manager"),
        ("trust", json!("ZA2"), "trust was ZA2"),
        ("records", json!(["offer/of-two"]), "offer/of-two was written, and is not shown"),
        ("subject", json!("manager.ZA2"), "subject was manager.ZA2"),
        ("revision", json!(0), "names no revision"),
    ] {
        let mut other = entry.clone();
        other[field] = value;
        let said = holds(&other, 1);
        assert!(said.contains(word), "{field}: {said}");
    }
    // A bare revision asks for a proof of any kind; what others did alone proves nothing.
    holds(&json!({ "revision": 3 }), 0);
    assert!(holds(&json!({ "revision": 2 }), 1).contains("of revision 2, kept, there is no proof"));
    let said = holds(&json!({ "revision": 1, "role": "engine" }), 1);
    assert!(said.contains("none of what was kept is proved") && said.contains("0 of 1"), "{said}");
}

#[tokio::test]
async fn proofs_of_another_trust_and_covered_ones_are_told() {
    let archive = Archive::new().await;
    let proofs = archive.prove(&["--trust", "ZA1"]);
    let mine = archive.write("za1.proofs", &proofs);
    archive.check(&[&mine, "--trust", "ZA1"], 0);
    let said = archive.check(&[&mine, "--trust", "ZA2"], 1);
    assert!(said.contains("shows offer/of-one, a record of ZA1 and not of ZA2"), "{said}");
    // The true digest in the place of a part: nobody can tell it from what the operator covers.
    let mut proof: Value = serde_json::from_str(proofs.lines().nth(1).unwrap()).unwrap();
    for group in [0, 1] {
        let piece = &mut proof["groups"][group]["parts"][1];
        let text = |field: &str| piece[field].as_str().unwrap().to_owned();
        let salt: Vec<u8> =
            (0..32).step_by(2).map(|at| u8::from_str_radix(&text("salt")[at..at + 2], 16).unwrap()).collect();
        let (name, value) = (text("name"), text("value"));
        let mut sum = Sha256::new();
        sum.update(salt);
        sum.update((name.len() as u64).to_le_bytes());
        sum.update(name + &value);
        *piece = json!({ "digest": fallow_ledger::state::hex(&sum.finalize()) });
    }
    let covered = archive.write("covered", &proof.to_string());
    let said = archive.check(&[&covered], 0);
    assert!(said.contains("offer/of-one  what became of it is not shown"), "{said}");
    assert!(said.contains("parts of who, what and why that are not shown: 1"), "{said}");
    let json: Value =
        serde_json::from_str(archive.check(&[&covered, "--json"], 0).lines().next().unwrap()).unwrap();
    assert_eq!((&json["records"][0]["removed"], &json["covered"]), (&Value::Null, &json!(1)));
    let said = archive.check(&[&covered, "--trust", "ZA1"], 1);
    assert!(said.contains("covers 1 parts of what was done for ZA1"), "{said}");
    let kept = archive.write("kept.jsonl", r#"{"revision":3,"request_id":"r-3"}"#);
    assert!(archive.check(&[&covered, "--kept", &kept], 1).contains("are covered"));
    // As data, what is wrong is data too.
    let said = audit(&[
        "check",
        &covered,
        "--json",
        "--key",
        &archive.write("other.pem", &SigningKey::generate().unwrap().public().to_pem().unwrap()),
    ]);
    let wrong: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(wrong["place"], json!(format!("{covered}, line 1")));
    assert!(wrong["wrong"].as_str().unwrap().starts_with("is not what was signed"));
}

/// An archive that was lost and is made anew from the same log draws other salts: that is told, and is no accusation.
#[tokio::test]
async fn an_archive_that_was_made_anew_is_told_and_accuses_nobody() {
    let archive = Archive::new().await;
    let ledger = MemoryLedger::new();
    archive.fill(ledger.backup(), archive.trust.path().join("first").as_path(), "side room").await;
    archive.fill(ledger.backup(), archive.trust.path().join("second").as_path(), "side room").await;
    let [first, second] = ["first", "second"].map(|name| {
        let folder = archive.path(name).display().to_string();
        said_of(&["prove", &folder, "--trust", "ZA1"], 0)
    });
    assert_ne!(first, second);
    let both = [archive.write("one", &first), archive.write("two", &second)];
    let said = archive.check(&[&both[0], &both[1]], 0);
    assert!(said.contains(&format!("NOTE {}, line 1: was archived twice", both[1])), "{said}");
    assert!(said.contains("were signed in two archives"), "{said}");
    // Of each archive another change: nothing to compare but the batches.
    let one = archive.write("one", first.lines().next().unwrap());
    let two = archive.write("two", second.lines().nth(1).unwrap());
    let said = archive.check(&[&one, &two], 0);
    assert!(said.contains("its revisions 1 to 3 and 1 to 3 were signed in two archives"), "{said}");
}
