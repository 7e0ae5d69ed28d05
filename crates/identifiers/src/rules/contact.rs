//! How a person is reached, or known to the state: telephone, e-mail, National Insurance.

use std::ops::Range;

use super::pattern;

// Numbers of the United Kingdom: ten digits after the first 0, nine in some places whose code begins with 01.
pattern!(DOMESTIC, r"\b0[12378](?:[\s.()/\-]{0,2}[0-9]){9}\b");
pattern!(DOMESTIC_SHORT, r"\b01(?:[\s.()/\-]{0,2}[0-9]){8}\b");
pattern!(INTERNATIONAL, r"(?:\+|\b00)\s?44[\s.()/\-]*(?:\(?0\)?)?(?:[\s.()/\-]{0,2}[0-9]){9,10}\b");
// The last label has letters: "2 beds free @ 14.30" is a time.
pattern!(EMAIL, r"[\p{L}0-9._%+'\-]+\s?@\s?[\p{L}0-9\-]+(?:\.[\p{L}0-9\-]+)*\.\p{L}{2,}");
pattern!(NATIONAL_INSURANCE, r"(?i)\b[a-z]{2}[0-9]{6}[a-d]\b");
pattern!(
    NATIONAL_INSURANCE_SPACED,
    r"\b[A-Z]{2}[\s.\-]?[0-9]{2}[\s.\-]?[0-9]{2}[\s.\-]?[0-9]{2}[\s.\-]?[A-D]\b"
);

/// Finds a telephone number.
pub(super) fn phone(text: &str) -> Option<Range<usize>> {
    [&DOMESTIC, &INTERNATIONAL, &DOMESTIC_SHORT]
        .iter()
        .find_map(|pattern| pattern.find(text))
        .map(|found| found.range())
}

/// Finds an e-mail address.
pub(super) fn email(text: &str) -> Option<Range<usize>> {
    if !text.contains('@') {
        return None;
    }
    EMAIL.find(text).map(|found| found.range())
}

/// Finds a National Insurance number. Prefixes that were never given out count: people make them up.
pub(super) fn national_insurance(text: &str) -> Option<Range<usize>> {
    NATIONAL_INSURANCE.find(text).or_else(|| NATIONAL_INSURANCE_SPACED.find(text)).map(|found| found.range())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_reach_a_person_are_found() {
        for text in [
            "07700 900123",
            "+44 7700 900123",
            "0044 (0)7700 900123",
            "020 7946 0123",
            "(0113) 496 0123",
            "01632 96001",
        ] {
            assert!(phone(text).is_some(), "{text}");
        }
        for text in ["a.b@example.org", "ask o'b@mail.example.org now"] {
            assert!(email(text).is_some(), "{text}");
        }
        for text in ["QQ123456C", "qq123456c", "QQ 12 34 56 C"] {
            assert!(national_insurance(text).is_some(), "{text}");
        }
    }

    #[test]
    fn desks_and_counts_pass() {
        for text in ["ext 4471", "bleep 2031", "opens 0730", "0730 1600", "0800 1 2 3"] {
            assert!(phone(text).is_none(), "{text}");
        }
        assert!(email("2 beds @ 14:00").is_none());
        assert!(email("2 beds free @ 14.30").is_none());
        assert!(national_insurance("to 12 18 24 a").is_none());
    }
}
