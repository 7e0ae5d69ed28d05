//! Times of the day, which are no part of a number.

use std::ops::Range;

use super::pattern;

pattern!(WITH_COLON, r"\b(?:[01]?[0-9]|2[0-4]):[0-5][0-9](?::[0-5][0-9])?(?:\b|[Zz])");
pattern!(FROM_TO, r"\b(?:[01][0-9]|2[0-4])[.:]?[0-5][0-9] ?- ?(?:[01][0-9]|2[0-4])[.:]?[0-5][0-9]\b");

/// Returns every time of the day, and every pair of times such as `0730-1600` that no longer number holds.
pub(super) fn all(text: &str) -> Vec<Range<usize>> {
    let joins = |c: char| matches!(c, '-' | '.' | '/');
    let digit = |c: char| c.is_ascii_digit();
    let pairs = FROM_TO.find_iter(text).filter(|found| {
        let before = text[..found.start()].strip_suffix(joins).is_some_and(|rest| rest.ends_with(digit));
        let after = text[found.end()..].strip_prefix(joins).is_some_and(|rest| rest.starts_with(digit));
        !before && !after
    });
    pairs.chain(WITH_COLON.find_iter(text)).map(|found| found.range()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_found_and_parts_of_numbers_are_not() {
        for (text, count) in [
            ("14:00", 1),
            ("from 7:30 to 16:00:05", 2),
            ("0730-1600", 1),
            ("0800 - 1800", 1),
            ("07.30-1600", 1),
            ("25:00", 0),
            ("0730-1600-12", 0),
            ("0730", 0),
            ("9994-7659-14", 0),
        ] {
            assert_eq!(super::all(text).len(), count, "{text}");
        }
    }
}
