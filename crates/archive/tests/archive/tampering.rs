//! A thousand random tamperings, by whoever knows the form and lacks the key: every one is found.

use std::collections::BTreeMap;

use fallow_archive::verify::{Against, Receipt, Witness};
use fallow_archive::{Flaw, SigningKey};
use fallow_ledger::conformance::twin::Dice;

use crate::attacker::{Bodies, Files, bodies, dense, files, forged, is_checkpoint, records, write};
use crate::world::{World, at, caught_up, step, world};

/// An archive of five segments, some of whose batches hold several changes.
async fn archive() -> World {
    let mut world = world();
    world.segment_bytes = 1_500;
    let mut archivist = world.archivist();
    for n in 0..24 {
        world.commit(1 + n % 3).await;
        step(&mut archivist, at(i64::try_from(n).unwrap())).await.unwrap();
    }
    caught_up(&mut archivist, at(100)).await;
    drop(archivist);
    assert!(files(world.path()).len() >= 5, "{} segments", files(world.path()).len());
    world
}

fn pick(dice: &mut Dice, length: usize) -> usize {
    usize::try_from(dice.below(length as u64)).unwrap()
}

/// Does one random thing to an archive; `None` when it came out as it was.
fn tamper(dice: &mut Dice, whole: &Files) -> Option<(&'static str, Files)> {
    let mut files = whole.clone();
    let names: Vec<String> = files.keys().cloned().collect();
    let name = names[pick(dice, names.len())].clone();
    let how = match dice.below(16) {
        0 => {
            let bytes = files.get_mut(&name).unwrap();
            let place = pick(dice, bytes.len());
            bytes[place] ^= 1 << dice.below(8);
            "a bit is flipped"
        }
        1 => {
            let bytes = files.get_mut(&name).unwrap();
            let place = pick(dice, bytes.len());
            bytes.truncate(place);
            "a segment is cut anywhere"
        }
        2 => {
            let bytes = files.get_mut(&name).unwrap();
            let place = pick(dice, bytes.len());
            bytes.remove(place);
            "a byte is taken out"
        }
        3 => {
            let bytes = files.get_mut(&name).unwrap();
            let place = pick(dice, bytes.len());
            bytes.insert(place, dice.below(256).to_le_bytes()[0]);
            "a byte is put in"
        }
        4 => {
            let bytes = files.get_mut(&name).unwrap();
            let starts: Vec<usize> = records(bytes).iter().map(|(at, _)| *at).collect();
            bytes.truncate(starts[pick(dice, starts.len())]);
            "a segment is cut between records"
        }
        5 => {
            files.remove(&name);
            "a segment is deleted"
        }
        6 => {
            let kept = 1 + pick(dice, names.len() - 1);
            names[kept..].iter().for_each(|name| drop(files.remove(name)));
            "the last segments are deleted"
        }
        7 => {
            let other = &names[pick(dice, names.len())];
            let (one, two) = (files[&name].clone(), files[other].clone());
            files.insert(name, two);
            files.insert(other.clone(), one);
            "two segments are swapped"
        }
        8 => {
            let bytes = files[&name].clone();
            files.insert(format!("{:08}.segment", names.len() + 1), bytes);
            "a segment is repeated at the end"
        }
        9 => {
            let bytes = files.get_mut(&name).unwrap();
            edit_with_crc(dice, bytes);
            "a record is edited and its CRC worked out anew"
        }
        _ => return forge(dice, whole).filter(|(_, files)| files != whole),
    };
    (files != *whole).then_some((how, files))
}

/// Edits a record and works its CRC out anew, but not its chain.
fn edit_with_crc(dice: &mut Dice, bytes: &mut [u8]) {
    let found = records(bytes);
    let (at, length) = found.get(pick(dice, found.len())).map(|(at, body)| (*at, body.len())).unwrap();
    bytes[at + 40 + pick(dice, length)] ^= 1 << dice.below(8);
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[at..at + 4]);
    crc.update(&bytes[at + 8..at + 40 + length]);
    bytes[at + 4..at + 8].copy_from_slice(&crc.finalize().to_le_bytes());
}

/// Does one random thing to records, and works out everything but the signatures again.
fn forge(dice: &mut Dice, whole: &Files) -> Option<(&'static str, Files)> {
    let mut all: Bodies = bodies(whole);
    let segment = pick(dice, all.len());
    let record = pick(dice, all[segment].len());
    let how = match dice.below(9) {
        0 => {
            let body = &mut all[segment][record];
            let place = pick(dice, body.len());
            body[place] ^= 1 << dice.below(8);
            "a record is edited and forged"
        }
        1 => {
            all[segment].remove(record);
            dense(&mut all);
            "a record is taken out and forged"
        }
        2 => {
            let body = all[segment][record].clone();
            let to = pick(dice, all[segment].len() + 1);
            all[segment].insert(to, body);
            dense(&mut all);
            "a record is repeated and forged"
        }
        3 => {
            let other = pick(dice, all[segment].len());
            all[segment].swap(record, other);
            dense(&mut all);
            "two records are swapped and forged"
        }
        4 => {
            all.remove(segment);
            dense(&mut all);
            "a segment is taken out and forged"
        }
        5 => {
            let other = pick(dice, all.len());
            all.swap(segment, other);
            dense(&mut all);
            "two segments are swapped and forged"
        }
        6 => {
            let copy = all[segment].clone();
            all.insert(pick(dice, all.len() + 1), copy);
            dense(&mut all);
            "a segment is repeated and forged"
        }
        7 => {
            all[segment].truncate(record.max(1));
            all.truncate(segment + 1);
            "the archive is cut at a record and forged"
        }
        _ => {
            // Everything after the first edited record, without the checkpoints that would give it away.
            let change = all[segment].iter().position(|body| body.first() == Some(&b'C'))?;
            let at = all[segment][change].len() - 1;
            all[segment][change][at] ^= 1;
            all.truncate(segment + 1);
            let mut seen = 0;
            all[segment].retain(|body| {
                seen += 1;
                seen <= change || !is_checkpoint(body)
            });
            "a change is edited and the checkpoints after it taken out"
        }
    };
    Some((how, forged(all)))
}

/// Whether files are a beginning of an archive that ends with a checkpoint: what nothing within it can give away.
fn is_a_beginning(files: &Files, whole: &Files) -> bool {
    let (part, all) = (bodies(files).concat(), bodies(whole).concat());
    part.last().is_some_and(|body| is_checkpoint(body)) && all.starts_with(&part)
}

#[tokio::test]
async fn a_thousand_of_a_thousand_tamperings_are_found() {
    let world = archive().await;
    let whole = files(world.path());
    assert_eq!(world.verified().await.findings, [], "the archive as it was written");
    let key_alone = Against { keys: vec![world.key.public()], witnesses: vec![] };
    let mut dice = Dice::new(20_261_122);
    let (mut done, mut by_witness_alone) = (BTreeMap::<&str, u32>::new(), 0);
    while done.values().sum::<u32>() < 1_000 {
        let Some((how, tampered)) = tamper(&mut dice, &whole) else { continue };
        write(world.path(), &tampered);
        let report = world.verified().await;
        assert!(!report.findings.is_empty(), "{how}: not found after {done:?}");
        if world.verified_against(&key_alone).findings.is_empty() {
            // Without a witness, a beginning of the archive is an archive.
            assert!(is_a_beginning(&tampered, &whole), "{how}: the key alone does not find it");
            by_witness_alone += 1;
        }
        *done.entry(how).or_default() += 1;
    }
    assert!(done.len() >= 19, "{done:?}");
    println!("1,000 of 1,000 found, {by_witness_alone} of them by the witness alone: {done:?}");
    write(world.path(), &whole);
    assert_eq!(world.verified().await.findings, [], "the archive put back");
}

#[tokio::test]
async fn a_flipped_bit_is_found_in_its_segment_and_not_after_its_byte() {
    let world = archive().await;
    let whole = files(world.path());
    let mut dice = Dice::new(7);
    for _ in 0..100 {
        let name = whole.keys().nth(pick(&mut dice, whole.len())).unwrap();
        let place = pick(&mut dice, whole[name].len());
        let mut tampered = whole.clone();
        tampered.get_mut(name).unwrap()[place] ^= 1;
        write(world.path(), &tampered);
        let found = world.verified().await.findings.remove(0);
        assert_eq!(found.place.segment, *name, "{found}");
        let starts = records(&whole[name]);
        let record = starts.iter().rposition(|(start, _)| *start <= place);
        assert_eq!(found.place.record, record.map_or(0, |record| record as u64 + 1), "{found} for {place}");
        if record.is_some_and(|record| place >= starts[record].0 + 40) {
            assert_eq!(found.flaw, Flaw::Crc, "an accident is called one");
        }
    }
}

#[tokio::test]
async fn an_archive_signed_anew_by_another_key_is_found() {
    let world = archive().await;
    let other = SigningKey::generate().unwrap();
    let against = Against { keys: vec![other.public()], witnesses: vec![] };
    let found = &world.verified_against(&against).findings;
    assert!(found.iter().all(|finding| finding.flaw == Flaw::Signature), "{found:?}");
    assert_eq!(found.len(), files(world.path()).len(), "one in each segment");
}

#[tokio::test]
async fn a_receipt_finds_an_end_that_is_missing() {
    let world = archive().await;
    let keys = vec![world.key.public()];
    let whole = files(world.path());
    let last = world.verified().await.last.unwrap();
    let text = serde_json::to_string(&Receipt::of(&last)).unwrap();
    let witness = Receipt::witness(&text, "receipt.json", &keys).unwrap();
    assert_eq!(witness, Witness { name: "receipt.json".into(), cursor: last.cursor(), chain: last.chain });
    let against = Against { keys: keys.clone(), witnesses: vec![witness] };
    assert_eq!(world.verified_against(&against).findings, []);
    // Whole segments from the end: what is left is signed and ends with a close.
    let mut cut = whole.clone();
    cut.pop_last();
    write(world.path(), &cut);
    assert_eq!(world.verified_against(&Against { keys: keys.clone(), witnesses: vec![] }).findings, []);
    let found = world.verified_against(&against).findings;
    assert!(matches!(&found[..], [one] if matches!(one.flaw, Flaw::Short { .. })), "{found:?}");
    // A receipt that was edited is none.
    let edited = text.replace(&format!("\"revision\":{}", last.cursor().revision()), "\"revision\":3");
    assert_ne!(edited, text);
    assert!(Receipt::witness(&edited, "receipt.json", &keys).is_err());
}
