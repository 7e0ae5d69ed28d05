//! Proofs: a trust that has the operator's public key, and nothing else of the archive, finds out whether what it did is in
//! there; and it is shown nothing of another's.

use std::collections::BTreeMap;

use ed25519_dalek::pkcs8::DecodePublicKey as _;
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use fallow_archive::proof::{NotAProof, Proof, Proved};
use fallow_archive::verify::{Against, Told, verify};
use fallow_archive::{Flaw, SigningKey};
use fallow_domain::ids::TrustCode;
use fallow_ledger::cause::Cause;
use fallow_ledger::conformance::twin::Dice;
use fallow_ledger::record::Record;
use fallow_ledger::state::State;
use fallow_ledger::{Commit, Key, Ledger, RecordKind};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::attacker::{bodies, files, forged, write};
use crate::world::{World, at, caught_up, world};

const OFFER: &str = include_str!("../../../ledger/tests/golden/offer.v1.json");
const NEED: &str = include_str!("../../../ledger/tests/golden/need.v1.json");
const PROPOSAL: &str = include_str!("../../../ledger/tests/golden/proposal.v1.json");
const TRUST: &str = include_str!("../../../ledger/tests/golden/trust.v1.json");
const DECLINE: &str = include_str!("../../../ledger/tests/golden/decline.v1.json");

/// Who offers, who asks, and who has nothing to do with it.
const OFFERS: &str = "ZA1";
const ASKS: &str = "ZA2";
const AWAY: &str = "ZA3";

fn trust(code: &str) -> TrustCode {
    code.parse().unwrap()
}

fn by(code: &str, subject: &str, verb: &str, request: &str) -> String {
    json!({
        "by": { "subject": subject, "kind": "person", "role": "bed_manager", "trust": code },
        "verb": verb, "at": "2026-11-24T08:00:00Z", "request_id": request,
    })
    .to_string()
}

fn with(golden: &str, fields: &[(&str, Value)]) -> String {
    let mut body: Value = serde_json::from_str(golden).unwrap();
    for (name, value) in fields {
        body["r"][*name] = value.clone();
    }
    body.to_string()
}

async fn put(world: &World, cause: String, writes: &[(RecordKind, &str, Option<String>)]) {
    let mut commit = Commit::new(at(0)).because(cause);
    for (kind, id, body) in writes {
        let key = Key::new(*kind, *id);
        commit = match body {
            Some(body) => commit.writing(key, body.clone()),
            None => commit.deleting(key),
        };
    }
    world.ledger.commit(commit).await.unwrap();
}

/// An archive of a night: an offer, a need, a proposal between the two, its answer, and what a third trust does meanwhile.
async fn night() -> World {
    let world = world();
    let mut archivist = world.archivist();
    caught_up(&mut archivist, at(0)).await;
    let (offer, need, proposal) = (RecordKind::Offer, RecordKind::Need, RecordKind::Proposal);
    put(
        &world,
        by(OFFERS, "ann.of.one", "PublishOffer", "r-1"),
        &[(offer, "of-one", Some(with(OFFER, &[("note", json!("canary-of-one"))])))],
    )
    .await;
    caught_up(&mut archivist, at(1)).await;
    put(
        &world,
        by(ASKS, "bea.of.two", "RaiseNeed", "r-2"),
        &[(need, "of-two", Some(with(NEED, &[("cost_centre", json!("canary-of-two"))])))],
    )
    .await;
    for n in 0..5 {
        let away = with(OFFER, &[("trust", json!(AWAY)), ("note", json!(format!("canary-of-three {n}")))]);
        let id = format!("of-three-{n}");
        put(
            &world,
            by(AWAY, "cat.of.three", "PublishOffer", &format!("r-3{n}")),
            &[(offer, &id, Some(away))],
        )
        .await;
    }
    // One commit over both trusts, as the engine makes it.
    let engine = json!({
        "by": { "subject": "engine-1", "kind": "system", "role": "engine" },
        "verb": "propose", "at": "2026-11-24T08:01:00Z",
    });
    put(
        &world,
        engine.to_string(),
        &[
            (offer, "of-one", Some(with(OFFER, &[("note", json!("canary-of-one"))]))),
            (need, "of-two", Some(with(NEED, &[("cost_centre", json!("canary-of-two"))]))),
            (proposal, "between", Some(with(PROPOSAL, &[("ended_because", json!("canary-between"))]))),
            (RecordKind::Decline, "between", Some(DECLINE.to_owned())),
        ],
    )
    .await;
    put(
        &world,
        by(ASKS, "bea.of.two", "AnswerProposal", "r-4"),
        &[
            (offer, "of-one", Some(with(OFFER, &[("note", json!("canary-of-one"))]))),
            (proposal, "between", Some(with(PROPOSAL, &[("ended_because", json!("canary-between"))]))),
        ],
    )
    .await;
    put(&world, by(OFFERS, "ann.of.one", "WithdrawOffer", "r-5"), &[(offer, "of-one", None)]).await;
    let denied = json!({
        "by": { "subject": "ann.of.one", "kind": "person", "role": "bed_manager", "trust": OFFERS },
        "verb": "BypassProposal", "at": "2026-11-24T08:02:00Z", "request_id": "r-6",
        "denied": { "reason": "ROLE_FORBIDS", "times": 1 },
    });
    put(&world, denied.to_string(), &[]).await;
    put(&world, "not written as a cause".to_owned(), &[]).await;
    caught_up(&mut archivist, at(2)).await;
    world
}

/// The lines that a trust is given.
fn lines(world: &World, code: &str) -> Vec<String> {
    let (mut lines, mut state) = (Vec::new(), State::default());
    let report = verify(world.path(), &against(world), &mut |told| {
        let Told::Change { change, header, batch } = told else { return };
        let before = |key: &Key| Record::decode(key.kind, state.get(key)?).ok();
        let proof = batch.unwrap().prove(change, header, trust(code), before);
        lines.extend(proof.map(|proof| serde_json::to_string(&proof).unwrap()));
        state.apply(change).unwrap();
    })
    .unwrap();
    assert_eq!(report.findings, []);
    lines
}

fn against(world: &World) -> Against {
    Against { keys: vec![world.key.public()], witnesses: Vec::new() }
}

fn checked(world: &World, line: &str) -> Result<Proved, NotAProof> {
    Proof::read(line)?.check(&[world.key.public()])
}

fn proved(world: &World, code: &str) -> Vec<Proved> {
    lines(world, code).iter().map(|line| checked(world, line).unwrap()).collect()
}

/// A change as one line: what was done, by whom, and each record with how much of it is shown.
fn told(proved: &Proved) -> String {
    let said = |name| proved.cause(name).unwrap_or("-");
    let records = proved.records.iter().map(|record| {
        let how = match (&record.body, record.removed) {
            (Some(_), _) => "whole",
            (None, Some(true)) => "removed",
            (None, Some(false) | None) => "name",
        };
        format!("{} {how}", record.record)
    });
    let records = records.collect::<Vec<_>>().join(", ");
    let (verb, by, request) = (said("verb"), said("by.subject"), said("request_id"));
    format!("{} {verb} by {by} {request}: {records}; {} hidden", proved.revision, proved.hidden)
}

#[tokio::test]
async fn a_trust_is_shown_what_is_its_own_and_digests_of_the_rest() {
    let world = night().await;
    let all = |code| proved(&world, code).iter().map(told).collect::<Vec<_>>();
    assert_eq!(
        all(OFFERS),
        [
            "1 PublishOffer by ann.of.one r-1: offer/of-one whole; 0 hidden",
            "8 propose by - -: offer/of-one whole, proposal/between name; 2 hidden",
            "9 AnswerProposal by - -: offer/of-one whole, proposal/between name; 0 hidden",
            "10 WithdrawOffer by ann.of.one r-5: offer/of-one removed; 0 hidden",
            "11 BypassProposal by ann.of.one r-6: ; 0 hidden",
        ]
    );
    assert_eq!(
        all(ASKS),
        [
            "2 RaiseNeed by bea.of.two r-2: need/of-two whole; 0 hidden",
            "8 propose by - -: need/of-two whole, proposal/between name; 2 hidden",
            "9 AnswerProposal by bea.of.two r-4: proposal/between name; 1 hidden",
        ]
    );
    assert_eq!(all(AWAY).len(), 5);
    assert_eq!(all("ZA4"), Vec::<String>::new());
    // Of one change, both trusts hold the same digest: they can compare what they were given.
    let leaf = |code, at: usize| proved(&world, code)[at].leaf;
    assert_eq!(leaf(OFFERS, 1), leaf(ASKS, 1));
    assert_eq!(proved(&world, OFFERS)[4].cause("denied.reason"), Some("ROLE_FORBIDS"));
}

#[tokio::test]
async fn no_byte_of_another_trust_is_given_away() {
    let world = night().await;
    let own = [
        (OFFERS, &["canary-of-one", "ann.of.one", "r-1"][..]),
        (ASKS, &["canary-of-two", "bea.of.two", "r-2"]),
        (AWAY, &["canary-of-three", "cat.of.three", "r-30"]),
    ];
    for (code, mine) in own {
        let given = lines(&world, code).concat();
        for word in mine {
            assert!(given.contains(word), "{code} is not shown its own {word}");
        }
        for (other, words) in own.iter().filter(|(other, _)| *other != code) {
            for word in *words {
                assert!(!given.contains(word), "{code} is shown {word} of {other}");
            }
        }
        assert!(!given.contains("canary-between"), "what joins two trusts holds words of both");
    }
}

/// Others ask a trust whether its offer or its need still holds. The record remembers who; the trust is not told it, by a
/// proof as little as by a call.
#[tokio::test]
async fn nobody_of_another_trust_is_named_by_a_record_of_ones_own() {
    let asks = |code: Option<&str>, subject: &str| {
        let mut by = json!({ "subject": subject, "kind": "person", "role": "bed_manager" });
        if let Some(code) = code {
            by["trust"] = json!(code);
        }
        json!({ "by": by, "at": "2026-11-24T08:00:00Z" })
    };
    let says = |code: Option<&str>, subject: &str| {
        let mut said = asks(code, subject);
        (said["consented"], said["fit"]) = (json!(true), json!(true));
        said
    };
    let declares = |code: Option<&str>, subject: &str| {
        let mut declared = asks(code, subject);
        declared["opel"] = json!(3);
        declared
    };
    let mine = |golden: &str, fields: &[(&str, Value)]| {
        with(golden, &[&[("trust", json!(OFFERS))], fields].concat())
    };
    for (code, is_named) in [(Some(OFFERS), true), (Some(ASKS), false), (None, false)] {
        let mut written = vec![
            (RecordKind::Offer, mine(OFFER, &[("recent", json!({ "asked": [asks(code, "canary")] }))])),
            (RecordKind::Need, mine(NEED, &[("validation", json!({ "asked": asks(code, "canary") }))])),
            (RecordKind::Need, mine(NEED, &[("validation", json!({ "said": says(code, "canary") }))])),
        ];
        written.push((RecordKind::Trust, with(TRUST, &[("declared", declares(code, "canary"))])));
        for (kind, body) in written {
            let world = world();
            let mut archivist = world.archivist();
            put(&world, by(OFFERS, "ann.of.one", "Ask", "r-1"), &[(kind, "x", Some(body.clone()))]).await;
            caught_up(&mut archivist, at(1)).await;
            assert!(Record::decode(kind, body.as_bytes()).is_ok(), "{body}");
            let given = lines(&world, OFFERS).concat();
            assert_eq!(given.contains("canary"), is_named, "{code:?} in {body}");
            let shown = &checked(&world, &given).unwrap().records[0];
            assert_eq!(shown.body.is_some(), is_named);
            assert_eq!(shown.record, format!("{}/x", kind.as_str()));
        }
    }
}

/// Whoever knows the very bytes of what is hidden from them cannot tell that they are those.
#[tokio::test]
async fn what_is_hidden_cannot_be_guessed_backwards() {
    // A need of another trust and a decline, in the second change of the trust: the same two in two archives.
    let hidden = |line: &str| -> Vec<(usize, [u8; 32])> {
        let line: Value = serde_json::from_str(line).unwrap();
        let groups = line["groups"].as_array().unwrap().iter().enumerate();
        groups
            .filter(|(_, group)| group["digest"].is_string())
            .map(|(at, group)| (at, group_of(group)))
            .collect()
    };
    let worlds = [night().await, night().await];
    let line = lines(&worlds[0], OFFERS)[1].clone();
    let [one, two] = [&worlds[0], &worlds[1]].map(|world| hidden(&lines(world, OFFERS)[1]));
    assert_eq!(
        one.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        two.iter().map(|(at, _)| *at).collect::<Vec<_>>()
    );
    assert_eq!(one.len(), 2);
    for (one, two) in one.iter().zip(&two) {
        assert_ne!(one.1, two.1, "the same record has another digest in another archive");
    }
    // Its true bytes, without a salt, with none of its own, and with every salt that the proof gives away.
    let shown: Value = serde_json::from_str(&line).unwrap();
    let parts =
        shown["groups"].as_array().unwrap().iter().filter_map(|group| group["parts"].as_array()).flatten();
    let mut salts: Vec<Vec<u8>> =
        parts.filter(|part| part["salt"].is_string()).map(|part| unhex(&part["salt"])).collect();
    assert!(salts.len() >= 5, "{}", salts.len());
    salts.extend([Vec::new(), vec![0; 16]]);
    let body = with(NEED, &[("cost_centre", json!("canary-of-two"))]);
    let whole = lines(&worlds[0], ASKS)[1].clone();
    let theirs: Value = serde_json::from_str(&whole).unwrap();
    let need = (theirs["groups"].as_array().unwrap().iter())
        .find(|group| group["parts"][0]["value"] == "need/of-two")
        .unwrap();
    assert_eq!(need["parts"][1]["value"], json!(body), "these are its bytes");
    assert!(
        one.iter().any(|(_, digest)| *digest == group_of(need)),
        "and it is one of the two, by its own salts"
    );
    for first in &salts {
        for second in &salts {
            let guess = group(&[part(first, "record", "need/of-two"), part(second, "body", &body)]);
            assert!(one.iter().all(|(_, digest)| *digest != guess));
        }
    }
}

#[tokio::test]
async fn any_edit_of_a_proof_is_found() {
    let world = night().await;
    let mut dice = Dice::new(1);
    let mut found = 0;
    for line in lines(&world, OFFERS) {
        let whole = checked(&world, &line).unwrap();
        for place in 0..line.len() {
            let mut bytes = line.clone().into_bytes();
            let put = b"0123456789abcdef\"{}[],:. TZ"[usize::try_from(dice.below(27)).unwrap()];
            match dice.below(3) {
                0 => bytes[place] = put,
                1 => drop(bytes.remove(place)),
                _ => bytes.insert(place, put),
            }
            let Ok(edited) = String::from_utf8(bytes) else { continue };
            // A space between two fields says nothing else; whatever does is found.
            match checked(&world, &edited) {
                Ok(proved) => assert_eq!(proved, whole, "{edited}"),
                Err(_) => found += 1,
            }
        }
    }
    assert!(found > 5_000, "{found}");
}

/// What somebody does to the proofs of a trust who knows their form: each of it is found.
#[tokio::test]
async fn what_is_taken_out_swapped_or_put_in_is_found() {
    let world = night().await;
    let proofs: Vec<Value> =
        lines(&world, OFFERS).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [one, two, three, ..] = &proofs[..] else { panic!("{} proofs", proofs.len()) };
    let refused = |what: &str, proof: &Value| {
        let found = checked(&world, &proof.to_string());
        assert!(found.is_err(), "{what}: {found:?}");
    };
    assert!(checked(&world, &two.to_string()).is_ok());
    for (at, _) in two["groups"].as_array().unwrap().iter().enumerate() {
        let mut proof = two.clone();
        proof["groups"].as_array_mut().unwrap().remove(at);
        refused("a record is taken out", &proof);
        let mut proof = two.clone();
        proof["groups"].as_array_mut().unwrap().swap(at, (at + 1) % 5);
        refused("two records are swapped", &proof);
        let mut proof = two.clone();
        proof["groups"][at] = json!({ "digest": "0".repeat(64) });
        refused("a record is covered", &proof);
    }
    let parts = two["groups"][0]["parts"].as_array().unwrap().len();
    for at in 0..parts {
        let mut proof = two.clone();
        proof["groups"][0]["parts"].as_array_mut().unwrap().remove(at);
        refused("a field of the cause is taken out", &proof);
    }
    for (name, value) in [("verb", "AcceptProposal"), ("by.role", "site_lead"), ("by.subject", "dan")] {
        let mut proof = one.clone();
        let parts = proof["groups"][0]["parts"].as_array_mut().unwrap();
        let part = parts.iter_mut().find(|part| part["name"] == name).unwrap();
        part["value"] = json!(value);
        refused("a field of the cause is edited", &proof);
    }
    // What is signed of one change says nothing of another.
    for field in ["groups", "path", "before", "checkpoint", "revision", "first", "count"] {
        let mut proof = one.clone();
        proof[field] = if one[field] == two[field] { json!(7) } else { two[field].clone() };
        refused(field, &proof);
    }
    let mut proof = two.clone();
    proof["revision"] = three["revision"].clone();
    refused("the revision of another change", &proof);
    // An insertion: a change that never was, in the place of one that was.
    let mut proof = two.clone();
    proof["groups"] =
        json!([{ "parts": [{ "name": "verb", "value": "AcceptProposal", "salt": "00".repeat(16) }] }]);
    refused("a change that never was", &proof);
    let mut proof = two.clone();
    proof["region"] = json!("south-vale");
    refused("another region", &proof);
    let mut proof = two.clone();
    proof["fallow_proof"] = json!(2);
    assert_eq!(checked(&world, &proof.to_string()), Err(NotAProof::Version { found: 2 }));
}

/// Whoever holds a proof can cover a part of it, for its digest follows from what is shown. So a covered part says nothing:
/// not that a record is still there, nor that nothing was denied.
#[tokio::test]
async fn what_a_holder_covers_is_not_shown_and_says_nothing() {
    let world = night().await;
    let proofs: Vec<Value> =
        lines(&world, OFFERS).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let covered = |proof: &Value, group: usize, at: usize| {
        let mut proof = proof.clone();
        let piece = &mut proof["groups"][group]["parts"][at];
        let text = |field: &str| piece[field].as_str().unwrap();
        let digest = part(&unhex(&piece["salt"]), text("name"), text("value"));
        *piece = json!({ "digest": hex(&digest) });
        proof
    };
    let check = |proof: &Value| checked(&world, &proof.to_string());
    // Of a record that was removed, that it was.
    let removed = check(&proofs[3]).unwrap();
    assert_eq!((removed.records[0].removed, removed.records[0].covered), (Some(true), 0));
    let half = check(&covered(&proofs[3], 1, 1)).unwrap();
    assert_eq!((half.records[0].removed, half.records[0].covered), (None, 1));
    assert_eq!(half.leaf, removed.leaf, "it is what was signed");
    assert!(half.agrees_with(&removed));
    assert_eq!(check(&proofs[0]).unwrap().records[0].removed, Some(false));
    assert_eq!(check(&proofs[1]).unwrap().records[1].removed, None, "another's proposal");
    // A record without its name is nothing that is written.
    assert!(matches!(check(&covered(&proofs[3], 1, 0)), Err(NotAProof::Malformed(_))));
    // That something was denied.
    let denied = &proofs[4];
    let parts = denied["groups"][0]["parts"].as_array().unwrap();
    let at = parts.iter().position(|part| part["name"] == "denied.reason").unwrap();
    let whole = check(denied).unwrap();
    assert_eq!((whole.cause("denied.reason"), whole.covered), (Some("ROLE_FORBIDS"), 0));
    let half = check(&covered(denied, 0, at)).unwrap();
    assert_eq!((half.cause("denied.reason"), half.covered), (None, 1));
    // And all of what was done, part by part or at once: that proves nothing.
    let mut none = denied.clone();
    for at in 0..parts.len() {
        none = covered(&none, 0, at);
    }
    assert!(matches!(check(&none), Err(NotAProof::Malformed(_))));
    let mut none = denied.clone();
    none["groups"][0] = json!({ "digest": hex(&group_of(&denied["groups"][0])) });
    assert!(matches!(check(&none), Err(NotAProof::Malformed(_))));
}

/// The salts are drawn anew: one change that is archived twice has two digests, and agrees with itself.
#[tokio::test]
async fn what_was_archived_twice_agrees_and_what_was_rewritten_does_not() {
    let (one, two) = (night().await, night().await);
    let two_lines = lines(&two, OFFERS);
    for (line, again) in lines(&one, OFFERS).iter().zip(&two_lines) {
        let (proved, again) = (checked(&one, line).unwrap(), checked(&two, again).unwrap());
        assert_ne!(proved.leaf, again.leaf);
        assert_ne!(proved.batch.root, again.batch.root);
        assert!(proved.agrees_with(&again));
    }
    let other = world();
    let mut archivist = other.archivist();
    let body = with(OFFER, &[("note", json!("another room"))]);
    put(
        &other,
        by(OFFERS, "ann.of.one", "PublishOffer", "r-1"),
        &[(RecordKind::Offer, "of-one", Some(body))],
    )
    .await;
    caught_up(&mut archivist, at(1)).await;
    assert!(!proved(&other, OFFERS)[0].agrees_with(&proved(&one, OFFERS)[0]));
}

#[tokio::test]
async fn a_foreign_key_proves_nothing() {
    let world = night().await;
    let line = &lines(&world, OFFERS)[0];
    let foreign = SigningKey::generate().unwrap().public();
    let proof = Proof::read(line).unwrap();
    assert_eq!(proof.check(std::slice::from_ref(&foreign)), Err(NotAProof::Signature));
    assert_eq!(proof.check(&[]), Err(NotAProof::Signature));
    // A key that was changed: the old one and the new one may both be given.
    assert!(proof.check(&[foreign, world.key.public()]).is_ok());
}

/// A tree over other changes than those that stand before it is found in the archive itself, by whoever verifies it.
#[tokio::test]
async fn a_tree_that_is_not_of_its_changes_is_found() {
    let world = night().await;
    let whole = files(world.path());
    let all = bodies(&whole);
    let place = |kind: u8| {
        let found = all.iter().enumerate().flat_map(|(n, bodies)| (0..bodies.len()).map(move |at| (n, at)));
        found.filter(|(n, at)| all[*n][*at].first() == Some(&kind)).collect::<Vec<_>>()
    };
    let findings = |bodies| {
        write(world.path(), &forged(bodies));
        let report = world.verified_against(&Against::default());
        report.findings.into_iter().map(|finding| finding.flaw).collect::<Vec<_>>()
    };
    assert_eq!(findings(all.clone()), []);
    let (seeds, trees) = (place(b'N'), place(b'T'));
    assert_eq!((seeds.len(), trees.len()), (2, 2));
    for (n, at) in seeds.iter().chain(&trees).copied() {
        for byte in [1, 9, 32] {
            let mut edited = all.clone();
            edited[n][at][byte] ^= 1;
            assert_eq!(findings(edited), [Flaw::Tree], "byte {byte} of record {at}");
        }
        let mut without = all.clone();
        without[n].remove(at);
        assert!(matches!(findings(without)[..], [Flaw::Misplaced(_)]), "without record {at}");
        let mut twice = all.clone();
        let body = twice[n][at].clone();
        twice[n].insert(at, body);
        assert!(matches!(findings(twice)[..], [Flaw::Misplaced(_)]), "record {at} twice");
    }
    // As archives were before there were proofs: sound, and nothing of them can be proved.
    let mut old = all.clone();
    old.iter_mut().for_each(|bodies| bodies.retain(|body| !matches!(body.first(), Some(b'N' | b'T'))));
    assert_eq!(findings(old), []);
    let mut without = 0;
    verify(world.path(), &Against::default(), &mut |told| {
        without += usize::from(matches!(told, Told::Change { batch: None, .. }));
    })
    .unwrap();
    assert_eq!(without, 12);
}

/// The check as the documentation gives it, by somebody who has only that, a library for SHA-256 and one for Ed25519.
#[tokio::test]
async fn a_proof_is_checked_by_its_description_alone() {
    let world = night().await;
    let key = VerifyingKey::from_public_key_pem(&world.key.public().to_pem().unwrap()).unwrap();
    let mut roots = BTreeMap::new();
    for code in [OFFERS, ASKS, AWAY] {
        for line in lines(&world, code) {
            let proof: Value = serde_json::from_str(&line).unwrap();
            let number = |field: &str| proof[field].as_u64().unwrap();
            let groups: Vec<[u8; 32]> = proof["groups"].as_array().unwrap().iter().map(group_of).collect();
            let mut leaf = vec![0];
            leaf.extend(number("revision").to_le_bytes());
            leaf.extend((groups.len() as u64).to_le_bytes());
            leaf.extend(groups.concat());
            let path = proof["path"].as_array().unwrap().iter().map(unhex).collect::<Vec<_>>();
            let root = climb(sha(&leaf), number("revision") - number("first"), number("count"), &path);
            let mut tree = vec![b'T'];
            tree.extend(number("first").to_le_bytes());
            tree.extend(number("count").to_le_bytes());
            tree.extend(root);
            let mut chain = unhex(&proof["before"]);
            chain.extend(u32::try_from(tree.len()).unwrap().to_le_bytes());
            chain.extend(&tree);
            let checkpoint = &proof["checkpoint"];
            let mut signed = b"fallow archive checkpoint 1".to_vec();
            for text in ["region", "history"] {
                let text = proof[text].as_str().unwrap();
                signed.extend((text.len() as u64).to_le_bytes());
                signed.extend(text.as_bytes());
            }
            signed.extend(number("segment").to_le_bytes());
            signed.extend(checkpoint["revision"].as_u64().unwrap().to_le_bytes());
            let at: Timestamp = checkpoint["at"].as_str().unwrap().parse().unwrap();
            signed.extend(at.as_millisecond().to_le_bytes());
            signed.push(u8::from(checkpoint["closes"].as_bool().unwrap()));
            signed.extend(sha(&chain));
            let signature = Signature::from_slice(&unhex(&checkpoint["signature"])).unwrap();
            key.verify(&signed, &signature).unwrap();
            roots.insert(number("revision"), root);
        }
    }
    assert_eq!(roots.len(), 11, "every change of a trust");
    let cause = Cause::decode(by(OFFERS, "ann", "PublishOffer", "r").as_bytes()).unwrap();
    assert_eq!(cause.by.trust, Some(trust(OFFERS)));
}

fn sha(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn part(salt: &[u8], name: &str, value: &str) -> [u8; 32] {
    sha(&[salt, &(name.len() as u64).to_le_bytes(), name.as_bytes(), value.as_bytes()].concat())
}

fn group(parts: &[[u8; 32]]) -> [u8; 32] {
    sha(&[&[2][..], &(parts.len() as u64).to_le_bytes(), &parts.concat()].concat())
}

fn group_of(shown: &Value) -> [u8; 32] {
    let Some(parts) = shown["parts"].as_array() else { return unhex(&shown["digest"]).try_into().unwrap() };
    let digests = parts.iter().map(|piece| match piece["digest"].as_str() {
        Some(_) => unhex(&piece["digest"]).try_into().unwrap(),
        None => {
            let text = |field: &str| piece[field].as_str().unwrap();
            part(&unhex(&piece["salt"]), text("name"), text("value"))
        }
    });
    group(&digests.collect::<Vec<_>>())
}

/// The root over `count` leaves by the digests beside the way from one of them, from the leaf on.
fn climb(leaf: [u8; 32], at: u64, count: u64, path: &[Vec<u8>]) -> [u8; 32] {
    if count == 1 {
        return leaf;
    }
    let half = (count - 1).next_power_of_two().max(1);
    let half = if half >= count { half / 2 } else { half };
    let (beside, path) = path.split_last().unwrap();
    let node = |left: &[u8], right: &[u8]| sha(&[&[1][..], left, right].concat());
    if at < half {
        node(&climb(leaf, at, half, path), beside)
    } else {
        node(beside, &climb(leaf, at - half, count - half, path))
    }
}

fn hex(bytes: &[u8]) -> String {
    fallow_ledger::state::hex(bytes)
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
