//! A number such as passports have.

use std::ops::Range;

use super::pattern;

pattern!(NAMED, r"(?i)\bpassport\b[\s.:#=a-z()\-]{0,14}?[a-z]{0,2}[0-9]{5,9}\b");
pattern!(NINE_DIGITS, r"\b[0-9]{9}\b");
// E, N, S and W with eight digits are codes of areas (E08000003), not of persons.
pattern!(LETTERED, r"\b(?:[A-DF-MO-RT-VX-Z][0-9]{8}|[A-Z]{2}[0-9]{7})\b");

/// Finds the number of a passport.
pub(super) fn find(text: &str) -> Option<Range<usize>> {
    [&NAMED, &NINE_DIGITS, &LETTERED].iter().find_map(|pattern| pattern.find(text)).map(|found| found.range())
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn passports_are_found() {
        for text in ["passport no 1234567", "123456789", "C12345678", "AB1234567"] {
            assert!(find(text).is_some(), "{text}");
        }
        for text in ["E08000003", "12345678", "AB123456", "passport office"] {
            assert!(find(text).is_none(), "{text}");
        }
    }
}
