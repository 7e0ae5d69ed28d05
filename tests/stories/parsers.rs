//! No parser panics, whatever it is given: noise, and good documents that were spoiled.

use std::path::Path;

use fallow_archive::entry::{Entry, Tree};
use fallow_archive::proof::{NotAProof, Proof};
use fallow_ledger::Revision;
use fallow_tabular::template::{Lists, Template};
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

/// A proof in its form, which nobody has signed.
fn proof() -> Vec<u8> {
    let digest = "07".repeat(32);
    let part = r#"{"name":"verb","value":"RaiseNeed","salt":"00000000000000000000000000000000"}"#;
    format!(
        r#"{{"fallow_proof":1,"region":"north-vale","history":"a1","segment":1,"revision":42,"groups":[{{"parts":[{part},{{"digest":"{digest}"}}]}},{{"digest":"{digest}"}}],"first":41,"count":3,"path":["{digest}","{digest}"],"before":"{digest}","checkpoint":{{"revision":43,"at":"2026-11-24T08:00:00Z","closes":false,"signature":"{digest}{digest}"}}}}"#
    )
    .into_bytes()
}

#[test]
fn the_form_of_a_proof_is_read_as_far_as_its_signature() {
    let text = String::from_utf8(proof()).unwrap();
    assert_eq!(Proof::read(&text).unwrap().check(&[]), Err(NotAProof::Signature));
}

/// Good documents of every sort: each parser is fed all of them, for none knows which it will be given.
fn documents() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = vec![
        include_bytes!("../../regions/north-vale.toml").to_vec(),
        b"source_key,site,resource,staffed,occupied,until\nward 5,ZA101,BED/GA_ADULT,12,10,tomorrow 20:00\n"
            .to_vec(),
        br#"{"changes":[{"close_site":"ZA101"}]}"#.to_vec(),
        br#"{"source_key":"ward 5","site":"ZA101","figures":{"staffed":12}}"#.to_vec(),
        b"sheet = \"Lists\"\nhead_row = 2\n[columns]\nWard = \"source_key\"\n[dates]\nuntil = [\"Day\", \"Time\"]\n".to_vec(),
        b"seen Mrs Example on 12 Mar 1948, NHS no 999 000 0018, LS1 4AB".to_vec(),
        b"eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJmYWxsb3cifQ.c2ln".to_vec(),
        proof(),
        Entry::Tree(Tree { first: Revision(41), count: 3, root: [7; 32] }).encode(),
        fallow_tabular::template::workbook(Template::Theatre, &Lists::default()).unwrap(),
    ];
    for folder in ["crates/ledger/tests/golden"] {
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
