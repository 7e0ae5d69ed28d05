//! A number of a hospital's own records beside what says that it is one.

use std::ops::Range;

use super::pattern;

pattern!(
    NAMED,
    r"(?i)\b(?:mrn|pid|(?:hosp(?:ital)?|unit|pas|district|case[\s\-]?notes?|rxr?|patient|pt|k|x)[\s.\-]*(?:no|num|number|nr|id|ref|#))[\s.:#=()\-]*(?:(?:no|num|number|nr|is)[\s.:#=]*)?[a-z]{0,3}[\s\-]?[0-9](?:[\s\-]?[0-9]){4,9}[a-z]?\b"
);
pattern!(
    AFTER_COLON,
    r"(?i)\b(?:hosp(?:ital)?|unit|patient|pt)\s*[:#=]\s*[a-z]{0,3}[\s\-]?[0-9](?:[\s\-]?[0-9]){4,9}[a-z]?\b"
);
pattern!(K_NUMBER, r"(?i)\bk[\s\-]?[0-9]{6,7}\b");

/// Finds a hospital number.
pub(super) fn find(text: &str) -> Option<Range<usize>> {
    [&NAMED, &AFTER_COLON, &K_NUMBER].iter().find_map(|pattern| pattern.find(text)).map(|found| found.range())
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn hospital_numbers_are_found() {
        for text in [
            "MRN 1234567",
            "Hosp no: K123456",
            "unit no 123456",
            "K123456",
            "mrn:AB-123456",
            "PAS number 1234567",
            "case notes no. 12 34 56",
            "pt ID 1234567",
            "hospital number is 0123456",
            "patient: 1234567",
        ] {
            assert!(find(text).is_some(), "{text}");
        }
    }

    #[test]
    fn counts_and_places_pass() {
        for text in
            ["unit 4, 12 beds", "hosp 2 wards", "unit no 3", "K2 ward", "MRN", "patient no show", "LC-118"]
        {
            assert!(find(text).is_none(), "{text}");
        }
    }
}
