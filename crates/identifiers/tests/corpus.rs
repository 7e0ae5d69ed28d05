//! The corpus: more than 20,000 identifiers in every disguise, of which every one must be refused, and more than 5,000
//! notes as bed managers write them, of which at most one in two hundred may be.
//!
//! Everything is made from a seed; numbers are of the range that is kept for tests (999), telephones of those kept for
//! fiction.

#![allow(clippy::unwrap_used, reason = "a corpus that cannot be made has failed")]

use std::collections::BTreeMap;

use fallow_identifiers::{Rule, find, find_split};
use jiff::ToSpan as _;
use jiff::civil::{Date, date};

#[path = "corpus/identifiers.rs"]
mod identifiers;
#[path = "corpus/notes.rs"]
mod notes;

const TODAY: Date = date(2026, 11, 24);

/// Throws the dice of a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number of `from` to `to`, both included.
    fn of(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.next().is_multiple_of(chances)
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.next() % from.len() as u64).unwrap()]
    }

    /// Returns a day that is `back` to `ahead` days from today.
    fn day(&mut self, back: u64, ahead: u64) -> Date {
        let days = i64::try_from(self.of(0, back + ahead)).unwrap() - i64::try_from(back).unwrap();
        TODAY.checked_add(days.days()).unwrap()
    }
}

#[test]
fn every_identifier_is_found_in_every_disguise() {
    let mut dice = Dice(1);
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    let mut missed = Vec::new();
    for _ in 0..identifiers::ROUNDS {
        for (kind, text) in identifiers::one_of_each(&mut dice) {
            *made.entry(kind).or_default() += 1;
            let text = identifiers::among_words(&text, &mut dice);
            if find(&text, TODAY).is_none() {
                missed.push(format!("{kind}: {text:?}"));
            }
        }
    }
    let total: usize = made.values().sum();
    assert!(total >= 20_000, "{total} identifiers");
    println!("{total} identifiers of {} kinds, {} missed", made.len(), missed.len());
    assert!(
        missed.is_empty(),
        "{} of {total} missed\n{}",
        missed.len(),
        missed[..missed.len().min(40)].join("\n")
    );
}

#[test]
fn every_number_split_in_two_is_found() {
    let mut dice = Dice(2);
    for _ in 0..2_000 {
        let number = identifiers::grouped(&identifiers::nhs_number(&mut dice), &mut dice);
        let digits: Vec<usize> =
            number.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
        let cut = digits[usize::try_from(dice.of(1, 9)).unwrap()];
        let (first, second) = (format!("side room {}", &number[..cut]), format!("{} later", &number[cut..]));
        let found = find_split(&first, &second, TODAY).map(|finding| finding.rule);
        assert_eq!(found, Some(Rule::NhsNumber), "{first:?} {second:?}");
    }
}

#[test]
fn notes_of_bed_managers_pass() {
    let mut dice = Dice(3);
    let mut notes: Vec<String> = notes::KEPT.iter().map(|note| (*note).to_owned()).collect();
    while notes.len() < 10_000 {
        notes.push(notes::one(&mut dice));
    }
    let refused: Vec<String> = notes
        .iter()
        .filter_map(|note| find(note, TODAY).map(|finding| format!("{finding:?}: {note:?}")))
        .collect();
    println!("{} notes, {} refused", notes.len(), refused.len());
    // One in two hundred may be, and it is said which.
    assert!(refused.len() * 200 <= notes.len(), "{}\n{}", refused.len(), refused.join("\n"));
    // What people said word for word must pass.
    for note in notes::KEPT {
        assert_eq!(find(note, TODAY), None, "{note:?}");
    }
}
