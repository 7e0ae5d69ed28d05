//! The rules, one a file. Each returns the first place that it suspects.

use std::ops::Range;

use jiff::civil::Date;

use crate::numbers;
use crate::plain::Plain;
use crate::{Rule, Source};

mod age_and_sex;
mod contact;
mod date;
mod hospital_number;
mod passport;
mod person_name;
mod postcode;
mod times;

/// Makes a pattern that is compiled once.
macro_rules! pattern {
    ($name:ident, $text:literal) => {
        static $name: std::sync::LazyLock<regex::Regex> =
            std::sync::LazyLock::new(|| regex::Regex::new($text).expect("a constant pattern compiles"));
    };
}
pub(crate) use pattern;

/// Returns what is suspected first, by the order of the rules. Dates and times that a plan of beds needs are taken out
/// before numbers are looked for, so that `24/11/2026 14:00` is no row of digits.
pub(crate) fn first(plain: &mut Plain, source: Source, today: Date) -> Option<(Rule, Range<usize>)> {
    // Most texts are a few words: what needs digits is not tried on those.
    if plain.digit_count() > 0 {
        let found = with_digits(plain, source, today);
        if found.is_some() {
            return found;
        }
    }
    let found = |rule, bytes: Option<Range<usize>>| bytes.map(|bytes| (rule, bytes));
    let name = if source == Source::PlaceName { None } else { person_name::find(&plain.text) };
    found(Rule::PersonName, name)
        .or_else(|| found(Rule::Email, contact::email(&plain.text)))
        .or_else(|| found(Rule::DateOfBirth, date::named(&plain.digits)))
}

fn with_digits(plain: &mut Plain, source: Source, today: Date) -> Option<(Rule, Range<usize>)> {
    let found = |rule, bytes: Option<Range<usize>>| bytes.map(|bytes| (rule, bytes));
    let mut harmless = Vec::new();
    if let Some(bytes) = date::named(&plain.digits) {
        return Some((Rule::DateOfBirth, bytes));
    }
    for bytes in times::all(&plain.digits) {
        plain.blank(bytes);
    }
    let far = date::outside(&plain.digits, today, &mut harmless).filter(|_| source == Source::Note);
    let dated = found(Rule::DateOfBirth, far);
    harmless.drain(..).for_each(|bytes| plain.blank(bytes));
    // A number in groups can look like a date, and not the other way round.
    numbers::suspects(plain)
        .next()
        .or(dated)
        .or_else(|| found(Rule::AgeAndSex, age_and_sex::find(&plain.text)))
        .or_else(|| found(Rule::HospitalNumber, hospital_number::find(&plain.text)))
        .or_else(|| found(Rule::Postcode, postcode::find(&plain.text)))
        .or_else(|| found(Rule::Phone, contact::phone(&plain.digits)))
        .or_else(|| found(Rule::NationalInsurance, contact::national_insurance(&plain.text)))
        .or_else(|| found(Rule::Passport, passport::find(&plain.text)))
}

/// Returns the places of dates and times of a text that a plan of beds needs.
pub(crate) fn dates_and_times(text: &str, today: Date) -> Vec<Range<usize>> {
    let mut places = times::all(text);
    let _ = date::outside(text, today, &mut places);
    places
}

/// Returns what stands just before a place: enough for any word that tells what follows, and no more, or a long row of
/// numbers would cost the square of its length.
pub(crate) fn just_before(text: &str, place: usize) -> &str {
    let mut from = place.saturating_sub(64);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..place]
}
