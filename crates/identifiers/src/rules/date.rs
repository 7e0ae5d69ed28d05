//! Dates that no plan of beds needs, in twelve layouts, and any date beside what says that it is of a birth.

use std::ops::Range;

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};
use regex::Captures;

use super::pattern;

/// How far back a date is still of the plan, in days.
const BACK_DAYS: i64 = 30;
/// How far ahead, in days: the longest window of an offer.
const AHEAD_DAYS: i64 = 400;
/// Years of four digits that are years and not times of the day or counts.
const YEARS: std::ops::RangeInclusive<i16> = 1890..=2099;

// Twelve layouts: day, month and year with slashes, dots, dashes or spaces (1-4), the year first with dashes, slashes
// or dots (5-7), the month in letters after the day, spaced or joined (8, 9), before it (10), and eight digits with the
// year first or last (11, 12).
pattern!(DAY_FIRST, r"\b([0-9]{1,2})( ?[/.\-] ?)([0-9]{1,2})( ?[/.\-] ?)([0-9]{4}|[0-9]{2})\b");
pattern!(SPACED, r"\b([0-9]{1,2}) {1,2}([0-9]{1,2}) {1,2}((?:18|19|20)[0-9][0-9])\b");
pattern!(
    YEAR_FIRST,
    r"\b([0-9]{4})( ?[/.\-] ?)([0-9]{1,2})( ?[/.\-] ?)([0-9]{1,2})(?:\b|[Tt][0-9][0-9]:?[0-9][0-9](?::?[0-9][0-9])?)"
);
pattern!(
    MONTH_IN_LETTERS,
    r"(?i)\b([0-9]{1,2})(?:st|nd|rd|th)?[\s./\-,]{0,2}(?:of )?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?[\s./\-,']{0,2}([0-9]{4}|[0-9]{2})\b"
);
pattern!(
    MONTH_FIRST,
    r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\.? {0,2}([0-9]{1,2})(?:st|nd|rd|th)?,? {1,2}([0-9]{4})\b"
);
pattern!(EIGHT_DIGITS, r"\b([0-9]{8})(?:\b|[Tt][0-9]{4,6})");
// A moment as systems write it into keys, to the minute or the second.
pattern!(
    STAMP,
    r"(?:\b|_)(20[0-9]{2})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9])?(?:\b|_)"
);
pattern!(DAY_AND_MONTH, r"\b([0-9]{1,2})/([0-9]{1,2})\b");
pattern!(
    OF_A_BIRTH,
    r"(?i)(?:\bd\.?o\.?b\b\.?|\bdate of birth|\bbirth ?date|\bborn(?: on| in)?|\bb\.)[\s.:=,(\-]*(?:[0-9]{1,2}(?:st|nd|rd|th)?(?: of)?[\s/.\-]{0,2}(?:[0-9]{1,2}[\s/.\-]{1,2}[0-9]{2,4}|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*|[0-9]{4}[/.\-][0-9]{1,2}|[0-9]{8}\b|[0-9]{6}\b|(?:18|19|20)[0-9][0-9]\b)"
);
pattern!(
    BIRTH_AFTER,
    r"(?i)\b[0-9]{1,4}[/.\-][0-9]{1,2}[/.\-][0-9]{1,4}[\s,;(\-]*(?:d\.?o\.?b\b|date of birth)"
);

// After a day and a month in letters: a time of the day or a count, and no year of two digits.
pattern!(
    NO_YEAR,
    r"(?i)^(?:[:./\-][0-9]|\s*(?:am|pm|h|hrs?|hours?|x|to|till|beds?|slots?|places?|units?|cases?|lists?|trolleys?|chairs?|cots?|rooms?|cubicles?|patients|pts|hdu|itu|icu|picu|g&a|cath|day|level|maternity|medical|surgical|step|side|staffed|male|female)\b)"
);

/// Finds a date beside what says that it is of a birth.
pub(super) fn named(text: &str) -> Option<Range<usize>> {
    OF_A_BIRTH.find(text).or_else(|| BIRTH_AFTER.find(text)).map(|found| found.range())
}

/// Finds a date that is too far from today. Dates that are near go into `harmless`.
pub(super) fn outside(text: &str, today: Date, harmless: &mut Vec<Range<usize>>) -> Option<Range<usize>> {
    let mut first: Option<Range<usize>> = None;
    let mut judge = |bytes: Range<usize>, date: Option<Date>| {
        if is_near(date, today) {
            harmless.push(bytes);
        } else if first.as_ref().is_none_or(|first| bytes.start < first.start) {
            first = Some(bytes);
        }
    };
    // One separator throughout: "17/25 - 12" are two things.
    let is_one = |found: &Captures<'_>| found[2] == found[4] && stands_alone(text, found);
    for found in DAY_FIRST.captures_iter(text).filter(is_one) {
        if let Some(date) = numeric(&found, [5, 3, 1]) {
            judge(range(&found), date);
        }
    }
    for found in SPACED.captures_iter(text).filter(|found| stands_alone(text, found)) {
        if let Some(date) = numeric(&found, [3, 2, 1]) {
            judge(range(&found), date);
        }
    }
    for found in YEAR_FIRST.captures_iter(text).filter(is_one) {
        if let Some(date) = numeric(&found, [1, 3, 5]) {
            judge(range(&found), date);
        }
    }
    for found in MONTH_IN_LETTERS.captures_iter(text) {
        // Nobody was born in a year to come: "24 Nov 2030" is half past eight.
        let is_time = match found[3].len() {
            2 => NO_YEAR.is_match(&text[range(&found).end..]),
            _ => number(&found[3]) > today.year() + 1 || number(&found[3]) < *YEARS.start(),
        };
        if let (Some(month), false) = (month(&found[2]), is_time)
            && let Some(date) = whole(year(&found[3]), month, number(&found[1]))
        {
            judge(range(&found), date);
        }
    }
    for found in MONTH_FIRST.captures_iter(text) {
        if let Some(month) = month(&found[1])
            && let Some(date) = whole(year(&found[3]), month, number(&found[2]))
        {
            judge(range(&found), date);
        }
    }
    for found in EIGHT_DIGITS.captures_iter(text).filter(|found| stands_alone(text, found)) {
        let at = |from: usize, to: usize| number(&found[1][from..to]);
        let year_first = whole(at(0, 4), at(4, 6), at(6, 8)).flatten();
        let date = year_first.or_else(|| whole(at(4, 8), at(2, 4), at(0, 2)).flatten());
        if date.is_some() {
            judge(range(&found), date);
        }
    }
    for found in STAMP.captures_iter(text) {
        // Far from the plan it is no date either, but digits.
        let date = whole(number(&found[1]), number(&found[2]), number(&found[3])).flatten();
        if is_near(date, today) {
            judge(range(&found), date);
        }
    }
    for found in DAY_AND_MONTH.captures_iter(text).filter(|found| stands_alone(text, found)) {
        let (day, month) = (number(&found[1]), number(&found[2]));
        // Every day of a year is within 400 days. "4/6" counts beds; two digits make it a date.
        if found[1].len() + found[2].len() > 2 && (1..=31).contains(&day) && (1..=12).contains(&month) {
            harmless.push(range(&found));
        }
    }
    first
}

fn is_near(date: Option<Date>, today: Date) -> bool {
    let at = |span: Span| today.checked_add(span).ok();
    match (date, at((-BACK_DAYS).days()), at(AHEAD_DAYS.days())) {
        (Some(date), Some(first), Some(last)) => (first..=last).contains(&date),
        _ => false,
    }
}

/// Says whether no digit goes on before or after by a separator: else it is part of a longer number.
fn stands_alone(text: &str, found: &Captures<'_>) -> bool {
    let bytes = range(found);
    let is_joint = |c: char| matches!(c, '/' | '.' | '-');
    let (before, after) = (&text[..bytes.start], &text[bytes.end..]);
    let goes_on_before =
        before.strip_suffix(is_joint).is_some_and(|rest| rest.ends_with(|c: char| c.is_ascii_digit()));
    let goes_on_after =
        after.strip_prefix(is_joint).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    !goes_on_before && !goes_on_after
}

/// Returns the date of three numbers in the given places; `Some(None)` for one that is in no calendar of ours but looks
/// like a date all the same.
fn numeric(found: &Captures<'_>, [year, month, day]: [usize; 3]) -> Option<Option<Date>> {
    whole(self::year(&found[year]), number(&found[month]), number(&found[day]))
}

#[expect(clippy::option_option, reason = "no date at all, a date that cannot be placed, a date")]
fn whole(year: i16, month: i16, day: i16) -> Option<Option<Date>> {
    if !YEARS.contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    Some(Date::new(year, month, day).ok())
}

/// Returns the number of a month by its first three letters.
fn month(letters: &str) -> Option<i16> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    (1..).zip(MONTHS).find(|(_, month)| letters.eq_ignore_ascii_case(month)).map(|(number, _)| number)
}

/// Returns a year; two digits are of this century.
fn year(digits: &str) -> i16 {
    if digits.len() == 2 { 2000 + number(digits) } else { number(digits) }
}

/// Returns a number of at most four digits.
fn number(digits: &str) -> i16 {
    digits.parse().unwrap_or_default()
}

fn range(found: &Captures<'_>) -> Range<usize> {
    found.get(0).map(|whole| whole.range()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suspected(text: &str) -> bool {
        let today = jiff::civil::date(2026, 11, 24);
        named(text).is_some() || outside(text, today, &mut Vec::new()).is_some()
    }

    #[test]
    fn dates_far_from_the_plan_are_found_in_every_layout() {
        for text in [
            "12/03/1948",
            "12.3.48",
            "12-03-48",
            "12 03 1948",
            "1948-03-12",
            "1948/3/12",
            "1948.03.12",
            "12 Mar 1948",
            "12th of March 1948",
            "12-Mar-48",
            "12mar48",
            "March 12, 1948",
            "19480312",
            "12031948",
            "24/11/2024",
            "24/10/2026",
            "born 24/11/2026",
            "DOB 120348",
            "d.o.b. 12.3.48",
            "b. 1948",
            "born 1948",
            "born in March",
            "12/03/26 DOB",
            "31/02/1948",
            "1948-03-12T10:00",
        ] {
            assert!(suspected(text), "{text}");
        }
    }

    #[test]
    fn dates_of_the_plan_pass() {
        for text in [
            "24/11/2026 14:00",
            "24/11",
            "2026-11-24T14:00:00Z",
            "24 Nov 14:00",
            "24 Nov 14 beds",
            "1 Dec 2026",
            "20261124",
            "27.12.27",
            "26/10/2026",
            "newborn cots 2",
            "beds 4/5/6",
            "99/99/1948",
            "10.0.0.1",
            "v0.14.9",
            "12345678",
            "94-34-76-59-19",
            "from 24 Nov 0730",
            "24 Nov 12 trolleys",
            "202611240800",
        ] {
            assert!(!suspected(text), "{text}");
        }
    }
}
