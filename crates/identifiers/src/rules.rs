//! The rules, one a file. Each returns the first place that it suspects.

use std::ops::Range;

use jiff::civil::Date;

use crate::Rule;
use crate::numbers;
use crate::plain::Plain;

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
pub(crate) fn first(plain: &mut Plain, today: Date) -> Option<(Rule, Range<usize>)> {
    // Most texts are a few words: what needs digits is not tried on those.
    if plain.digit_count() > 0 {
        let found = with_digits(plain, today);
        if found.is_some() {
            return found;
        }
    }
    let found = |rule, bytes: Option<Range<usize>>| bytes.map(|bytes| (rule, bytes));
    found(Rule::PersonName, person_name::find(&plain.text))
        .or_else(|| found(Rule::Email, contact::email(&plain.text)))
        .or_else(|| found(Rule::DateOfBirth, date::named(&plain.digits)))
}

fn with_digits(plain: &mut Plain, today: Date) -> Option<(Rule, Range<usize>)> {
    let found = |rule, bytes: Option<Range<usize>>| bytes.map(|bytes| (rule, bytes));
    let mut harmless = Vec::new();
    if let Some(bytes) = date::named(&plain.digits) {
        return Some((Rule::DateOfBirth, bytes));
    }
    for bytes in times::all(&plain.digits) {
        plain.blank(bytes);
    }
    let dated = found(Rule::DateOfBirth, date::outside(&plain.digits, today, &mut harmless));
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
