//! A text as it looks: one digit for all that look like it, nothing that cannot be seen, and the way back to the
//! characters that were typed.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// What stands in the place of what is known to be harmless. No rule has it in a pattern.
const BLANK: u8 = 1;

/// The zeros of the scripts that have digits of their own, of which each is followed by its one to nine. Those that
/// compatibility decomposition makes plain (full-width, mathematical, segmented) are not among them.
const ZEROS: [u32; 69] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0,
    0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
    0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0,
    0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0,
    0x11950, 0x11BF0, 0x11C50, 0x11D50, 0x11DA0, 0x11DE0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50,
    0x16D70, 0x1CCF0, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950,
];

/// A text in which every character is what it looks like. Bytes are places in it; [`Plain::chars`] leads back.
#[derive(Debug)]
pub(crate) struct Plain {
    /// As it looks, letters as letters.
    pub(crate) text: String,
    /// The same, with O and l among digits as 0 and 1. Byte for byte as long.
    pub(crate) digits: String,
    /// For each byte, the character that it was made of.
    origin: Vec<usize>,
}

impl Plain {
    pub(crate) fn of(raw: &str) -> Self {
        let (mut text, mut origin) = (String::with_capacity(raw.len()), Vec::with_capacity(raw.len()));
        for (index, typed) in raw.chars().enumerate() {
            let decomposed = std::iter::once(typed).nfkd().filter(|c| !is_combining_mark(*c));
            for c in decomposed.filter(|c| !is_invisible(*c)).map(as_it_looks) {
                text.push(c);
                origin.resize(text.len(), index);
            }
        }
        let mut plain = Self { digits: String::new(), text, origin };
        plain.blank_ids();
        plain.digits = letters_among_digits(&plain.text);
        plain
    }

    /// Returns the characters of the text as it was typed.
    pub(crate) fn chars(&self, bytes: Range<usize>) -> Range<usize> {
        let at = |byte: usize| self.origin.get(byte).copied();
        let start = at(bytes.start).unwrap_or_default();
        start..bytes.end.checked_sub(1).and_then(at).map_or(start, |last| last + 1)
    }

    /// Takes out what is known to be harmless, so that its digits belong to nothing. Its bytes must be ASCII.
    pub(crate) fn blank(&mut self, bytes: Range<usize>) {
        for text in [&mut self.text, &mut self.digits] {
            if text.get(bytes.clone()).is_some_and(str::is_ascii) {
                text.replace_range(bytes.clone(), &char::from(BLANK).to_string().repeat(bytes.len()));
            }
        }
    }

    /// Counts what can be a digit.
    pub(crate) fn digit_count(&self) -> usize {
        self.text.chars().filter(|c| may_be_digit(*c)).count()
    }

    /// Takes out UUIDs and what a system writes in their place: they are no one's number, and one in a few hundred has
    /// ten digits that pass the check.
    fn blank_ids(&mut self) {
        let mut found = Vec::new();
        let mut start = 0;
        for (end, c) in self.text.char_indices().chain([(self.text.len(), ' ')]) {
            if c.is_ascii_hexdigit() || c == '-' {
                continue;
            }
            if is_id(&self.text[start..end]) {
                found.push(start..end);
            }
            start = end + c.len_utf8();
        }
        for bytes in found {
            self.blank(bytes);
        }
    }
}

/// Says whether a word is a UUID, with its hyphens or without. One of digits alone is not: no generator makes it.
fn is_id(word: &str) -> bool {
    let bytes = word.as_bytes();
    let lettered = bytes.iter().any(u8::is_ascii_alphabetic);
    match bytes.len() {
        32 => lettered && bytes.iter().all(u8::is_ascii_hexdigit),
        36 => {
            let hyphens = bytes
                .iter()
                .enumerate()
                .all(|(place, byte)| (*byte == b'-') == [8, 13, 18, 23].contains(&place));
            let versioned = (b'1'..=b'8').contains(&bytes[14]);
            hyphens && versioned && b"89abAB".contains(&bytes[19])
        }
        _ => false,
    }
}

/// Says whether a character is a digit, or a letter that passes for one.
pub(crate) fn may_be_digit(c: char) -> bool {
    let c = as_it_looks(c);
    c.is_ascii_digit() || is_letter_digit(c) || (!c.is_ascii() && c.is_numeric())
}

/// Says whether a letter passes for a 0 or a 1.
pub(crate) const fn is_letter_digit(c: char) -> bool {
    matches!(c, 'O' | 'o' | 'l' | 'I' | '|')
}

/// Returns what a digit, or a letter that passes for one, is worth.
pub(crate) fn digit_value(c: char) -> Option<u32> {
    match c {
        'O' | 'o' => Some(0),
        'l' | 'I' | '|' => Some(1),
        c => c.to_digit(10),
    }
}

/// Says whether a character leaves no trace on a screen.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Returns the plain character that a character looks like, after decomposition.
fn as_it_looks(c: char) -> char {
    if c.is_ascii() {
        return if c.is_ascii_control() { ' ' } else { c };
    }
    let code = u32::from(c);
    if let Some(value) = ZEROS.iter().find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10)) {
        return char::from_digit(value, 10).unwrap_or(c);
    }
    match c {
        c if c.is_whitespace() => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{2796}' | '\u{FE58}' | '\u{30FC}' => '-',
        '\u{B7}' | '\u{2022}' | '\u{2027}' | '\u{2219}' | '\u{22C5}' | '\u{3002}' => '.',
        '\u{2044}' | '\u{2215}' | '\u{29F8}' => '/',
        '\u{2018}' | '\u{2019}' | '\u{2BC}' => '\'',
        // Greek and Cyrillic letters that no reader tells from Latin ones.
        'Α' | 'А' => 'A',
        'Β' | 'В' => 'B',
        'С' | 'Ϲ' => 'C',
        'Ε' | 'Е' => 'E',
        'Η' | 'Н' => 'H',
        'Ι' | 'І' | 'Ӏ' | 'ӏ' | 'ǀ' | 'ı' => 'I',
        'Κ' | 'К' => 'K',
        'Μ' | 'М' => 'M',
        'Ν' => 'N',
        'Ο' | 'О' | 'Օ' => 'O',
        'ο' | 'о' | 'օ' => 'o',
        'Ρ' | 'Р' => 'P',
        'Ѕ' => 'S',
        'Τ' | 'Т' => 'T',
        'Χ' | 'Х' => 'X',
        'Υ' | 'У' => 'Y',
        'а' => 'a',
        'е' => 'e',
        'р' => 'p',
        'с' => 'c',
        'х' => 'x',
        c => c,
    }
}

/// Writes O and l as 0 and 1 where they stand in a row with digits and no other letter touches them.
fn letters_among_digits(text: &str) -> String {
    let mut out = text.to_owned();
    let mut before = ' ';
    let mut chars = text.char_indices().peekable();
    while let Some(&(start, c)) = chars.peek() {
        if !(c.is_ascii_digit() || is_letter_digit(c)) {
            before = c;
            chars.next();
            continue;
        }
        let mut end = start;
        while let Some(&(at, c)) = chars.peek()
            && (c.is_ascii_digit() || is_letter_digit(c))
        {
            end = at + c.len_utf8();
            chars.next();
        }
        let after = chars.peek().map_or(' ', |(_, c)| *c);
        let row = &text[start..end];
        let row_start =
            if before.is_alphabetic() { row.trim_start_matches(is_letter_digit).len() } else { row.len() };
        let (start, row) = (end - row_start, &row[row.len() - row_start..]);
        let row = if after.is_alphabetic() { row.trim_end_matches(is_letter_digit) } else { row };
        if row.bytes().any(|byte| byte.is_ascii_digit()) {
            let digits = row.chars().filter_map(digit_value).filter_map(|value| char::from_digit(value, 10));
            out.replace_range(start..start + row.len(), &digits.collect::<String>());
        }
        before = text[..end].chars().next_back().unwrap_or(' ');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_as_it_looks() {
        for (typed, looks) in [
            ("９９９", "999"),
            ("٩٩٩ ۰۱۲", "999 012"),
            ("9\u{200D}9\u{202E}9", "999"),
            ("𝟗⑨⁹", "999"),
            ("9\u{301}e\u{301}é", "9ee"),
            ("1–2—3−4", "1-2-3-4"),
            ("1\u{A0}2\t3", "1 2 3"),
            ("ΑВС", "ABC"),
            ("№ 4", "No 4"),
        ] {
            assert_eq!(Plain::of(typed).text, looks, "{typed:?}");
        }
    }

    #[test]
    fn letters_are_digits_among_digits_alone() {
        for (typed, digits) in [
            ("9O00OOOO18", "9000000018"),
            ("l2/O3/48", "12/03/48"),
            ("hello 2 of 3", "hello 2 of 3"),
            ("no9O1", "no901"),
            ("4old", "4old"),
            ("OOO 18", "OOO 18"),
        ] {
            assert_eq!(Plain::of(typed).digits, digits, "{typed:?}");
        }
    }

    #[test]
    fn places_lead_back_to_what_was_typed() {
        let plain = Plain::of("é\u{200B}９x");
        assert_eq!(plain.text, "e9x");
        assert_eq!(plain.chars(1..2), 2..3);
        assert_eq!(plain.chars(0..3), 0..4);
    }

    #[test]
    fn ids_are_no_ones_number() {
        for id in ["019a7b1c-9994-7659-9190-999476591400", "9994765914ab4cde8f00999476591400"] {
            assert!(!Plain::of(&format!("case {id}, bay 3")).text.contains("9994"), "{id}");
        }
        for number in ["99947659-1400-0000-0000-000000000000", "99947659149994765914999476591400"] {
            assert!(Plain::of(number).text.contains("99947"), "{number}");
        }
    }
}
