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
    let key = archive.key.public().id();
    let end =
        format!("2 changes of north-vale, revisions 1 to 3, are in the archive as the key {key} signed it\n");
    assert!(said.ends_with(&end), "{said}");
    // As data.
    let lines = archive.check(&[&file, "--json"], 0);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["revision"], &first["cause"]["request_id"]), (&json!(1), &json!(REQUEST)));
    assert_eq!(first["records"][0]["body"]["r"]["note"], "side room");
    // One change, by its revision and by the trust's request.
    let one = archive.prove(&["--trust", "ZA1", "--revision", "3"]);
    assert_eq!(one, proofs.lines().nth(1).unwrap().to_owned() + "\n");
    assert_eq!(archive.prove(&["--trust", "ZA1", "--request", "r-3"]), one);
    let folder = archive.folder.path().display().to_string();
    let none = said_of(&["prove", &folder, "--trust", "ZA1", "--request", "r-2"], 1);
    assert!(none.contains("no such change of this trust"), "the request of another trust: {none}");
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
    assert!(archive.check(&[&empty], 2).contains("there is no proof in what was given"));
    // By another's key nothing is proved.
    let file = archive.write("za1.proofs", &proofs);
    let foreign = archive.write("foreign.pem", &SigningKey::generate().unwrap().public().to_pem().unwrap());
    let said = said_of(&["check", &file, "--key", &foreign], 1);
    assert!(said.contains("0 changes are proved; 2 things are wrong"), "{said}");
    assert!(said_of(&["check", &file], 2).contains("--key"), "no key, no check");
    let missing = archive.path("missing").display().to_string();
    assert!(archive.check(&[&missing], 1).contains("missing"));
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
    archive.check(&[&whole, "--kept", &kept], 0);
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
