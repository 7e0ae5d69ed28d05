//! An age with a sex: "82M", "67 yo F".

use std::ops::Range;

use super::{just_before, pattern};

/// Oldest age that is one.
const AGE_MAX: u32 = 120;
/// Age from which a number before a bare M or F is read as one: smaller numbers count beds.
const BARE_AGE_MIN: u32 = 13;
/// Age from which a number before a bare m is read as one: "45m" are minutes.
const BARE_LOWER_M_MIN: u32 = 60;

pattern!(
    AGED,
    r"(?i)\b([0-9]{1,3})[\s\-]*(?:y/?o|y\.o\.?|years?|yrs?|y)[\s.,;/\-]*(?:of[\s\-]age|olds?)?[\s.,;/\-]*(?:[a-z]+\s)?(?:m|f|male|female|man|woman|lady|gent|gentleman|boy|girl|chap)\b"
);
pattern!(
    SAID_AGED,
    r"(?i)\baged?\s*:?\s*([0-9]{1,3})[\s,;/\-]*(?:m|f|male|female|man|woman|lady|gent|gentleman|boy|girl)\b"
);
pattern!(
    SEX_FIRST,
    r"(?i)\b(?:m|f|male|female|man|woman|lady|gent|gentleman|boy|girl)[\s,;/\-]*(?:aged?|age)?[\s:]*([0-9]{1,3})[\s\-]*(?:y/?o|y\.o|years?|yrs?|y)\b"
);
pattern!(
    SEX_THEN_AGED,
    r"(?i)\b(?:m|f|male|female|man|woman|lady|gent|gentleman|boy|girl)[\s,;/\-]+aged?\s*:?\s*([0-9]{1,3})\b"
);
pattern!(BARE, r"\b([0-9]{1,3})\s?/?(M|F|m|f)\b");

// What makes a number with a letter a place or a count.
pattern!(
    PLACE_BEFORE,
    r"(?i)\b(?:wards?|bays?|beds?|rooms?|rm|theatre|cubicle|level|floor|block|x)[\s.:\-]*$"
);
pattern!(SPAN_BEFORE, r"(?i)(?:\b(?:within|in|every|after|under)|[~+])[\s.:\-]*$");
pattern!(
    COUNTED_AFTER,
    r"(?i)^\s*(?:[0-9]{1,3}\s?[mf]\s+)?(?:(?:side|single|surgical|medical|acute|adult|g&a|hdu|itu|step|rehab|ortho|elective)\W*)*(?:beds|rooms|wards|slots|places|spaces|patients|pts|cubicles|trolleys|only|cohort)\b"
);

// What makes an age one of many: "18 years and over", "16-18y F bay".
pattern!(
    BAND_AFTER,
    r"(?i)^\s*(?:and|or|&)\s+(?:over|above|older|under|below|up|younger)\b\s*(?:$|[^0-9\s])"
);
pattern!(SPAN_OF_AGES_BEFORE, r"\b([0-9]{1,3})\s?(?:-|to)\s?$");
pattern!(BAY_AFTER, r"(?i)^\s+(?:bays?|wards?|beds?|cohorts?|only)\b\s*(?:$|[^0-9\s])");

/// Finds an age with a sex.
pub(super) fn find(text: &str) -> Option<Range<usize>> {
    for pattern in [&AGED, &SAID_AGED, &SEX_FIRST, &SEX_THEN_AGED] {
        for found in pattern.captures_iter(text) {
            let whole = found.get(0).map(|whole| whole.range()).unwrap_or_default();
            if age(&found[1]) <= AGE_MAX && !is_of_many(text, &whole, age(&found[1])) {
                return Some(whole);
            }
        }
    }
    BARE.captures_iter(text).find_map(|found| {
        let bytes = found.get(0)?.range();
        let (age, letter) = (age(&found[1]), &found[2]);
        let least = if letter == "m" { BARE_LOWER_M_MIN } else { BARE_AGE_MIN };
        let (before, after) = (just_before(text, bytes.start), &text[bytes.end..]);
        let minutes = letter == "m" && SPAN_BEFORE.is_match(before);
        let counts = minutes || PLACE_BEFORE.is_match(before) || COUNTED_AFTER.is_match(after);
        ((least..=AGE_MAX).contains(&age) && !counts).then_some(bytes)
    })
}

/// Says whether an age is the bound of a band of ages, which is of nobody.
fn is_of_many(text: &str, bytes: &Range<usize>, oldest: u32) -> bool {
    let (before, after) = (just_before(text, bytes.start), &text[bytes.end..]);
    let spans = SPAN_OF_AGES_BEFORE.captures(before).is_some_and(|youngest| age(&youngest[1]) < oldest);
    BAND_AFTER.is_match(after) || (spans && BAY_AFTER.is_match(after))
}

fn age(digits: &str) -> u32 {
    digits.parse().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn ages_with_a_sex_are_found() {
        for text in [
            "82M",
            "67 yo F #NOF",
            "67yoF",
            "67 y/o female",
            "82-year-old woman",
            "82 year old frail man",
            "aged 67, male",
            "F 67yo",
            "female, 34 years",
            "82m",
            "45 F",
            "82/M",
            "3 yr old boy",
            "woman aged 81",
            "100F",
            "82F 2 beds",
            "bay 4-82y F",
            "bay 4-82y F bay 4",
            "female 82 years and over 2 days",
        ] {
            assert!(find(text).is_some(), "{text}");
        }
    }

    #[test]
    fn beds_minutes_and_places_pass() {
        for text in [
            "2F 3M beds",
            "24 F beds",
            "ward 24F",
            "45m",
            "takes 16 year olds",
            "300M",
            "12 male beds",
            "4 yr lease",
            "bed 18M",
            "M62 closed",
            "20M side rooms",
            "in 75m",
            "6 female",
            "14F 12M beds",
            "female 18 years and over",
            "16-18y F bay",
        ] {
            assert!(find(text).is_none(), "{text}");
        }
    }
}
