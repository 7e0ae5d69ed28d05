//! Finds what in a text looks as if it could identify a patient, so that it is refused before it is kept anywhere.
//!
//! Fallow counts beds and never knows who lies in one. People type all the same what they are used to type, and a field
//! of 140 characters has room for an NHS number. [`find`] reads a text as a person would: full-width and Arabic digits,
//! letters in the place of digits, marks that cannot be seen and separators in a number all count as what they look
//! like. Each rule is a file of its own in `rules/`; the corpus in `tests/corpus.rs` holds what they must find and what
//! they must let pass.
//!
//! Pure: the day is an argument, and a finding says which rule and where, never what stands there.

use std::fmt;
use std::ops::Range;

use jiff::civil::Date;

mod numbers;
mod plain;
mod rules;

use plain::Plain;

/// What a text was suspected of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Ten digits that pass the check of NHS and CHI numbers (modulus 11), however they are written.
    NhsNumber,
    /// Ten digits beside "NHS", "CHI", "no" or "number", whatever their check digit.
    NamedNumber,
    /// A date that no plan of beds needs, or any date beside "born".
    DateOfBirth,
    /// An age with a sex.
    AgeAndSex,
    /// A title, or "pt:", with a name.
    PersonName,
    /// A number of a hospital's own records beside what says so.
    HospitalNumber,
    /// A full postcode.
    Postcode,
    /// A telephone number.
    Phone,
    /// An e-mail address.
    Email,
    /// A National Insurance number.
    NationalInsurance,
    /// A number such as passports have.
    Passport,
}

impl Rule {
    /// Every rule, in the order in which they are tried.
    pub const ALL: [Self; 11] = [
        Self::NhsNumber,
        Self::NamedNumber,
        Self::DateOfBirth,
        Self::AgeAndSex,
        Self::PersonName,
        Self::HospitalNumber,
        Self::Postcode,
        Self::Phone,
        Self::Email,
        Self::NationalInsurance,
        Self::Passport,
    ];

    /// Returns its name for logs and programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NhsNumber => "NHS_NUMBER",
            Self::NamedNumber => "NAMED_NUMBER",
            Self::DateOfBirth => "DATE_OF_BIRTH",
            Self::AgeAndSex => "AGE_AND_SEX",
            Self::PersonName => "PERSON_NAME",
            Self::HospitalNumber => "HOSPITAL_NUMBER",
            Self::Postcode => "POSTCODE",
            Self::Phone => "PHONE",
            Self::Email => "EMAIL",
            Self::NationalInsurance => "NATIONAL_INSURANCE",
            Self::Passport => "PASSPORT",
        }
    }

    /// Returns what it looks like to a person, to go after "looks like".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NhsNumber => "an NHS or CHI number",
            Self::NamedNumber => "the number of a person",
            Self::DateOfBirth => "a date of birth, or a date more than 30 days ago or 400 days ahead",
            Self::AgeAndSex => "a person's age and sex",
            Self::PersonName => "a person's name",
            Self::HospitalNumber => "a hospital number",
            Self::Postcode => "a full postcode",
            Self::Phone => "a telephone number",
            Self::Email => "an e-mail address",
            Self::NationalInsurance => "a National Insurance number",
            Self::Passport => "a passport number",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was found: which rule, and where. Never the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The characters of the text, the first being 0.
    pub chars: Range<usize>,
}

impl fmt::Display for Finding {
    /// Says it to the person who typed the text, to go after the name of the field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.chars.start + 1, self.chars.end);
        write!(
            f,
            "has, in its characters {from} to {to}, what looks like {}; leave it out",
            self.rule.words()
        )
    }
}

/// Where a text is from, which decides what it may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// What people of a trust write: everything is looked for.
    Note,
    /// A remark in a file about organisations: it may be of any year, so that only dates beside "born" count.
    Remark,
    /// The name of an organisation or a place, which may also be called after a person: "Dr Gray's Hospital".
    PlaceName,
}

/// Finds the first thing in a text that could identify a patient; `today` is the day in the United Kingdom.
///
/// Costs some microseconds for a note.
#[must_use]
pub fn find(text: &str, today: Date) -> Option<Finding> {
    find_in(text, Source::Note, today)
}

/// Finds the first thing in a text from a given source, as [`find`] does in a note.
#[must_use]
pub fn find_in(text: &str, source: Source, today: Date) -> Option<Finding> {
    let mut plain = Plain::of(text);
    rules::first(&mut plain, source, today).map(|(rule, bytes)| Finding { rule, chars: plain.chars(bytes) })
}

/// Says whether a text begins or ends with what may be a digit, without which no number is split over it and another.
#[must_use]
pub fn may_be_split(text: &str) -> bool {
    let may_be_digit = |c: Option<char>| c.is_some_and(plain::may_be_digit);
    may_be_digit(text.chars().find(counts)) || may_be_digit(text.chars().rev().find(counts))
}

/// Finds a number that begins at the end of one text and ends at the beginning of the next, as when it is split over two
/// fields. The characters are those of the second text; `today` is the day in the United Kingdom.
///
/// Each text alone is for [`find`].
#[must_use]
pub fn find_split(first: &str, second: &str, today: Date) -> Option<Finding> {
    let touches = |text: Option<char>| text.is_some_and(plain::may_be_digit);
    if !touches(first.chars().rev().find(counts)) || !touches(second.chars().find(counts)) {
        return None;
    }
    let before = first.trim_end_matches(|c| !counts(&c));
    let rest = second.trim_start_matches(|c| !counts(&c));
    let marks = [&first[before.len()..], &second[..second.len() - rest.len()]];
    let left_out = marks[1].chars().count();
    let seam = before.chars().count() + 1;
    let mut plain = Plain::of(&format!("{before} {rest}"));
    // A mark at the seam may be of a number in groups, of which two look like a date.
    if !marks.iter().any(|marks| marks.contains(['/', '.', '-'])) {
        blank_dates(&mut plain, [before, rest], today);
    }
    numbers::suspects(&plain)
        .map(|(rule, bytes)| (rule, plain.chars(bytes)))
        .find(|(_, chars)| chars.start < seam && seam < chars.end)
        .map(|(rule, chars)| Finding { rule, chars: 0..left_out + chars.end - seam })
}

/// Says whether a character stands for something: others may lie between the halves of a number.
fn counts(c: &char) -> bool {
    c.is_alphanumeric() || *c == '|'
}

/// Takes the dates and times of two texts out of the joined one: `bay 13` and `24/11/2026 14:00` are no number. A date
/// stays where the digits on the other side of the seam are part of a row with marks: both may be of one number.
fn blank_dates(joined: &mut Plain, texts: [&str; 2], today: Date) {
    let [first, second] = texts.map(Plain::of);
    let [dates, later] = [&first, &second].map(|plain| rules::dates_and_times(&plain.digits, today));
    let is_joint = |c: char| matches!(c, '/' | '.' | '-');
    let is_digit = |c: char| c.is_ascii_digit();
    let tail = first.digits.trim_end_matches(is_digit).strip_suffix(is_joint);
    let head = second.digits.trim_start_matches(is_digit).strip_prefix(is_joint);
    let first_goes_on = tail.is_some_and(|rest| rest.ends_with(is_digit))
        && !dates.iter().any(|bytes| bytes.end == first.digits.len());
    let second_goes_on =
        head.is_some_and(|rest| rest.starts_with(is_digit)) && !later.iter().any(|bytes| bytes.start == 0);
    let offset = first.digits.len() + 1;
    if !second_goes_on {
        dates.into_iter().for_each(|bytes| joined.blank(bytes));
    }
    if !first_goes_on {
        later.into_iter().for_each(|bytes| joined.blank(bytes.start + offset..bytes.end + offset));
    }
}

#[cfg(test)]
mod tests;
