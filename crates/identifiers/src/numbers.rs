//! Ten digits, however they are written: in one, in groups, with separators, with letters that pass for digits.

use std::iter;
use std::ops::Range;

use crate::Rule;
use crate::plain::{Plain, digit_value, is_letter_digit};
use crate::rules::{just_before, pattern};

/// Digits of an NHS or CHI number.
const LENGTH: usize = 10;
/// Real digits that a number with letters in it must have: "Ill" and "00l" are words and marks.
const REAL_DIGITS_MIN: usize = 5;
/// Longest gap between two groups of a number, in bytes.
const GAP_MAX: usize = 3;
/// How NHS numbers are grouped: in this grouping any mark may stand between.
const GROUPED: [usize; 3] = [3, 3, 4];

pattern!(
    NAMED_BEFORE,
    r"(?i)(?:\bnhs|\bchi|\bno|\bnumber|\bnum|\bnr|#)[\s.:#=(\-]*(?:(?:no|number|num|nr)[\s.:#=(\-]*)?(?:is\s+)?$"
);
pattern!(NAMED_AFTER, r"(?i)^[\s,;(\-]*(?:nhs|chi)\b");

/// Digits that touch one another.
#[derive(Debug)]
struct Group {
    bytes: Range<usize>,
    values: Vec<u32>,
    real: usize,
}

/// What lies between a group and the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// Nothing that people put into a number.
    Wide,
    /// A space, dot, dash, slash or low line, or two or three of them.
    Separator,
    /// Some other mark.
    Mark,
}

/// Returns every ten digits that could be a person's number, with the rule that they fall under.
pub(crate) fn suspects(plain: &Plain) -> impl Iterator<Item = (Rule, Range<usize>)> + '_ {
    [false, true].into_iter().flat_map(|lettered| {
        let groups = groups(&plain.text, lettered);
        let gaps: Vec<Gap> = iter::once(Gap::Wide)
            .chain(groups.windows(2).map(|two| gap(&plain.text[two[0].bytes.end..two[1].bytes.start])))
            .collect();
        let mut found = Vec::new();
        for (start, group) in groups.iter().enumerate() {
            if group.values.len() > LENGTH {
                found.extend(inside(group, &plain.text));
                continue;
            }
            let mut values = Vec::new();
            for end in start..groups.len() {
                if end > start && gaps[end] == Gap::Wide {
                    break;
                }
                values.extend(&groups[end].values);
                if values.len() >= LENGTH {
                    let parts = &groups[start..=end];
                    let marked = gaps[start + 1..=end].contains(&Gap::Mark);
                    let as_grouped = parts.iter().map(|group| group.values.len()).eq(GROUPED);
                    let real: usize = parts.iter().map(|group| group.real).sum();
                    if values.len() == LENGTH && (!marked || as_grouped) && real >= REAL_DIGITS_MIN {
                        let bytes = group.bytes.start..groups[end].bytes.end;
                        // Letters among ten digits that touch one another are there to hide them.
                        let hidden = parts.len() == 1 && real < LENGTH;
                        found.extend(judged(&values, bytes, &plain.text, hidden));
                    }
                    break;
                }
            }
        }
        found
    })
}

/// Finds ten digits within more that touch one another.
fn inside(group: &Group, text: &str) -> Option<(Rule, Range<usize>)> {
    // Digits and the letters that pass for them have one byte each.
    let windows = group.values.windows(LENGTH).enumerate();
    windows
        .filter_map(|(offset, values)| {
            let start = group.bytes.start + offset;
            let real = text[start..start + LENGTH].bytes().filter(u8::is_ascii_digit).count();
            (real >= REAL_DIGITS_MIN && passes_check(values))
                .then_some((Rule::NhsNumber, start..start + LENGTH))
        })
        .next()
}

fn judged(values: &[u32], bytes: Range<usize>, text: &str, hidden: bool) -> Option<(Rule, Range<usize>)> {
    if hidden || passes_check(values) {
        return Some((Rule::NhsNumber, bytes));
    }
    let named =
        NAMED_BEFORE.is_match(just_before(text, bytes.start)) || NAMED_AFTER.is_match(&text[bytes.end..]);
    named.then_some((Rule::NamedNumber, bytes))
}

/// Says whether ten digits pass modulus 11 with the weights 10 to 2: the last one is the check digit.
fn passes_check(values: &[u32]) -> bool {
    let weighted: u32 = values.iter().zip((2..=10).rev()).map(|(value, weight)| value * weight).sum();
    let check = match 11 - weighted % 11 {
        11 => 0,
        check => check,
    };
    values.last() == Some(&check)
}

/// Returns the groups of a text in order; with `lettered`, letters that pass for digits count where no other letter
/// touches them.
fn groups(text: &str, lettered: bool) -> Vec<Group> {
    let counts = |c: char| c.is_ascii_digit() || (lettered && is_letter_digit(c));
    let mut groups = Vec::new();
    let mut rest = 0;
    while let Some(start) = text[rest..].find(counts).map(|at| rest + at) {
        let end = text[start..].find(|c| !counts(c)).map_or(text.len(), |length| start + length);
        rest = end;
        let mut row = &text[start..end];
        let touched = |c: Option<char>| c.is_some_and(char::is_alphabetic);
        if touched(text[..start].chars().next_back()) {
            row = row.trim_start_matches(is_letter_digit);
        }
        let start = end - row.len();
        if touched(text[end..].chars().next()) {
            row = row.trim_end_matches(is_letter_digit);
        }
        if !row.is_empty() {
            let real = row.bytes().filter(u8::is_ascii_digit).count();
            let values = row.chars().filter_map(digit_value).collect();
            groups.push(Group { bytes: start..start + row.len(), values, real });
        }
    }
    groups
}

fn gap(between: &str) -> Gap {
    let is_separator = |c: char| matches!(c, ' ' | '.' | '-' | '/' | '\\' | '_');
    let is_mark = |c: char| c.is_ascii_punctuation() || is_separator(c);
    match between {
        between if between.len() > GAP_MAX || between.is_empty() => Gap::Wide,
        between if between.chars().all(is_separator) => Gap::Separator,
        between if between.chars().all(is_mark) => Gap::Mark,
        _ => Gap::Wide,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Rule>) {
        let plain = Plain::of(text);
        assert_eq!(suspects(&plain).next().map(|(rule, _)| rule), expected, "{text:?}");
    }

    #[test]
    fn ten_digits_with_their_check_digit_are_found_however_they_are_written() {
        for text in [
            "9994765914",
            "999 476 5914",
            "999-476-5914",
            "999.476/5914",
            "999 - 476 - 5914",
            "9 9 9 4 7 6 5 9 1 4",
            "999,476,5914",
            "x9994765914x",
            "bed 2 999 476 5914 0730",
            "99994765914",
            "999 476 5914/2",
            "9O00OOOO18",
            "9999999999",
            "1111111111",
            "999 OOO OO18",
            "no9O00OOOO18",
            "99947 65914",
            "bay 4 9994765914",
        ] {
            check(text, Some(Rule::NhsNumber));
        }
        for text in [
            "9994765913",
            "999 476 591",
            "999 476 5913",
            "94 / 34 : 76 . 59 ; 19",
            "Ill oo 1000",
            "4471 2031",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn ten_digits_that_are_called_a_number_are_found() {
        for text in [
            "NHS no 9994765913",
            "NHS9994765913",
            "nhs number: 999 476 5913",
            "9994765913 (NHS)",
            "№ 9994765913",
        ] {
            check(text, Some(Rule::NamedNumber));
        }
        for text in ["piano 9994765913", "NHS beds 2"] {
            check(text, None);
        }
    }
}
