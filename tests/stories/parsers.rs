//! No parser panics, whatever it is given: noise, and good documents that were spoiled.

use std::path::Path;

use bytes::Bytes;
use fallow_archive::entry::Entry;
use fallow_archive::proof::{NotAProof, Proof};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

mod entrances;

use entrances::ALL;

/// How many spoiled documents each parser is fed.
const CASES: u32 = 192;
/// Longest noise, in bytes.
const NOISE_MAX: usize = 512;
/// Longest document that is spoiled, in bytes: beyond, a parser only does the same again.
const DOCUMENT_MAX: usize = 8 * 1024;

/// One way to spoil a document.
#[derive(Debug, Clone)]
enum Spoil {
    /// Cut off here.
    Cut(usize),
    /// Other bytes here.
    Write(usize, Vec<u8>),
    /// A piece left out.
    Skip(usize, usize),
    /// A piece said twice.
    Twice(usize, usize),
}

fn spoil(document: &[u8], ways: &[Spoil]) -> Vec<u8> {
    let mut bytes = document.to_vec();
    for way in ways {
        let place = |at: usize| at % (bytes.len() + 1);
        match way {
            Spoil::Cut(at) => bytes.truncate(place(*at)),
            Spoil::Write(at, others) => {
                let (at, end) = (place(*at), place(*at).saturating_add(others.len()).min(bytes.len()));
                bytes.splice(at..end, others.iter().copied());
            }
            Spoil::Skip(at, length) => {
                let (at, end) = (place(*at), place(*at).saturating_add(*length).min(bytes.len()));
                bytes.drain(at..end);
            }
            Spoil::Twice(at, length) => {
                let (at, end) = (place(*at), place(*at).saturating_add(*length).min(bytes.len()));
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

fn spoils() -> impl Strategy<Value = Vec<Spoil>> {
    let place = 0..DOCUMENT_MAX;
    let one = prop_oneof![
        1 => place.clone().prop_map(Spoil::Cut),
        4 => (place.clone(), proptest::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, b)| Spoil::Write(at, b)),
        2 => (place.clone(), 1_usize..64).prop_map(|(at, length)| Spoil::Skip(at, length)),
        2 => (place, 1_usize..64).prop_map(|(at, length)| Spoil::Twice(at, length)),
    ];
    proptest::collection::vec(one, 1..6)
}

#[test]
fn the_form_of_a_proof_is_read_as_far_as_its_signature() {
    let text = include_str!("../../fuzz/seeds/proof.json");
    assert_eq!(Proof::read(text).unwrap().check(&[]), Err(NotAProof::Signature));
}

/// The fuzzer goes on from these. One that were no entry any more would only ever lead it to the same refusal.
#[test]
fn each_entry_that_the_fuzzer_begins_with_is_one() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let mut kinds = Vec::new();
    for seed in std::fs::read_dir(seeds).unwrap() {
        let path = seed.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(kind) = name.strip_prefix("archive-") else { continue };
        let bytes = std::fs::read(&path).unwrap();
        let entry =
            Entry::decode(&Bytes::from(bytes.clone())).unwrap_or_else(|flaw| panic!("{name}: {flaw}"));
        assert_eq!(entry.encode(), bytes, "{name}");
        let found = match entry {
            Entry::Header(_) => "header",
            Entry::Snapshot(_) => "snapshot",
            Entry::Change(_) => "change",
            Entry::Line(_) => "line",
            Entry::Seed(_) => "seed",
            Entry::Tree(_) => "tree",
            Entry::Checkpoint(_) => "checkpoint",
        };
        assert_eq!(found, kind, "{name}");
        kinds.push(found);
    }
    kinds.sort_unstable();
    assert_eq!(kinds, ["change", "checkpoint", "header", "tree"]);
}

/// Good documents of every sort, those that the fuzzer begins with too: each parser is fed all of them, for none knows which
/// it will be given.
fn documents() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in ["regions", "crates/ledger/tests/golden", "fuzz/seeds"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            found.push(std::fs::read(file.unwrap().path()).unwrap());
        }
    }
    for document in &mut found {
        // A workbook has its table of contents at its end.
        if !document.starts_with(b"PK") {
            document.truncate(DOCUMENT_MAX);
        }
    }
    found
}

#[test]
fn no_parser_panics_over_a_spoiled_document() {
    let documents = documents();
    let spoiled =
        (0..documents.len(), spoils()).prop_map(move |(which, ways)| spoil(&documents[which], &ways));
    let noise = proptest::collection::vec(any::<u8>(), 0..NOISE_MAX);
    let given = prop_oneof![3 => spoiled.boxed(), 1 => noise.boxed()];
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&given, |bytes| {
        for (_, parse) in ALL {
            parse(&bytes);
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn good_documents_are_read_to_their_end() {
    for document in documents() {
        for (_, parse) in ALL {
            parse(&document);
        }
    }
}

#[test]
fn every_entrance_has_its_fuzz_target() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    let mut found: Vec<String> = std::fs::read_dir(targets)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    let mut names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(found, names);
}
