//! Checking field by field, collecting what is wrong.

use fallow_domain::ids::{Label, NameError, SiteCode, Text, TrustCode};
use fallow_domain::quantity::Count;
use fallow_domain::region::Region;
use jiff::{SignedDuration, Timestamp};

use super::{codes, time};
use crate::reasons::{
    BAD_CODE, BAD_ID, BAD_TEXT, OUT_OF_RANGE, REQUIRED, SITE_NOT_OF_TRUST, TOO_MANY, UNKNOWN_VALUE,
};
use crate::violation::Violations;

/// Most capabilities, requirements or roles of one record.
pub(super) const LABELS_MAX: usize = 50;

/// Collects what is wrong with a message. Each method returns the parsed value, or notes a violation and returns `None`
/// (or a harmless default where the caller goes on anyway); paths are built only for what is wrong.
#[derive(Debug)]
pub struct Check<'a> {
    prefix: &'a str,
    found: Violations,
}

impl<'a> Check<'a> {
    /// Starts a check of what stands at `prefix`, such as `offer` or `items[36]`; empty for the message itself.
    #[must_use]
    pub fn new(prefix: &'a str) -> Self {
        Self { prefix, found: Violations::new() }
    }

    /// Notes that a field is wrong.
    pub fn wrong(&mut self, field: &str, reason: &'static str, text: impl Into<String>) {
        let path = match (self.prefix, field) {
            ("", field) => field.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, field) => format!("{prefix}.{field}"),
        };
        self.found.add(path, reason, text);
    }

    /// Adds what another check found.
    pub fn add(&mut self, found: Violations) {
        self.found.extend(found);
    }

    /// Says whether nothing was wrong so far.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// Ends the check.
    ///
    /// # Errors
    /// Everything that was wrong; `value` is there when nothing was.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Violations> {
        debug_assert!(value.is_some() || !self.found.is_empty(), "nothing is wrong and yet nothing came out");
        self.found.or(value)
    }

    /// Returns a message that must be there.
    pub fn required<'m, M>(&mut self, field: &str, message: Option<&'m M>) -> Option<&'m M> {
        if message.is_none() {
            self.wrong(field, REQUIRED, "must be given");
        }
        message
    }

    /// Parses a count of 0 to `max`; something else is noted and counts as none.
    pub fn count(&mut self, field: &str, value: i64, max: i64) -> Count {
        self.number(field, value, 0, max).map(Count::new).unwrap_or_default()
    }

    /// Parses a whole number of `min` to `max`.
    pub fn number<N: TryFrom<i64>>(&mut self, field: &str, value: i64, min: i64, max: i64) -> Option<N> {
        let number = (min..=max).contains(&value).then(|| N::try_from(value).ok()).flatten();
        if number.is_none() {
            self.wrong(field, OUT_OF_RANGE, format!("must be {} to {}", grouped(min), grouped(max)));
        }
        number
    }

    /// Parses a number that may be absent.
    pub fn optional<N: TryFrom<i64>>(
        &mut self,
        field: &str,
        value: Option<i32>,
        min: i64,
        max: i64,
    ) -> Option<N> {
        value.and_then(|value| self.number(field, value.into(), min, max))
    }

    /// Parses a time that may be absent.
    pub fn time(&mut self, field: &str, value: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
        let time = time::from_wire(value?);
        if time.is_none() {
            self.wrong(
                field,
                OUT_OF_RANGE,
                "must be a time of the years 1 to 9999, with 0 to 999,999,999 nanoseconds",
            );
        }
        time
    }

    /// Parses a time that must be there.
    pub fn required_time(
        &mut self,
        field: &str,
        value: Option<&prost_types::Timestamp>,
    ) -> Option<Timestamp> {
        let value = self.required(field, value);
        self.time(field, value)
    }

    /// Parses a length of time of `min` to `max`, in words `range`.
    pub fn span(
        &mut self,
        field: &str,
        value: &prost_types::Duration,
        (min, max): (SignedDuration, SignedDuration),
        range: &str,
    ) -> Option<SignedDuration> {
        let span = time::span_from_wire(value).filter(|span| (min..=max).contains(span));
        if span.is_none() {
            self.wrong(field, OUT_OF_RANGE, format!("must be {range}"));
        }
        span
    }

    /// Parses a value of an enum that must be given.
    pub fn coded<D: codes::Coded>(&mut self, field: &str, value: i32) -> Option<D> {
        if value == 0 {
            self.wrong(field, REQUIRED, format!("must be one of {}", D::list()));
            return None;
        }
        self.optional_coded(field, value)
    }

    /// Parses a value of an enum that may be left out.
    pub fn optional_coded<D: codes::Coded>(&mut self, field: &str, value: i32) -> Option<D> {
        if value == 0 {
            return None;
        }
        let code = D::from_wire(value);
        if code.is_none() {
            self.wrong(field, UNKNOWN_VALUE, format!("must be one of {}", D::list()));
        }
        code
    }

    /// Parses a plain text; something else is noted and counts as empty.
    pub fn text<const MAX: usize>(&mut self, field: &str, value: &str) -> Text<MAX> {
        match Text::parse(value) {
            Ok(text) => text,
            Err(error) => {
                self.wrong(field, BAD_TEXT, error.to_string());
                Text::default()
            }
        }
    }

    /// Parses a text that must not be empty.
    pub fn required_text<const MAX: usize>(&mut self, field: &str, value: &str) -> Text<MAX> {
        if value.trim().is_empty() {
            self.wrong(field, REQUIRED, "must be given");
            return Text::default();
        }
        self.text(field, value)
    }

    /// Parses an id with one of its parsers.
    pub fn id<I>(
        &mut self,
        field: &str,
        value: &str,
        parse: impl FnOnce(&str) -> Result<I, NameError>,
    ) -> Option<I> {
        if value.is_empty() {
            self.wrong(field, REQUIRED, "must be given");
            return None;
        }
        parse(value).map_err(|error| self.wrong(field, BAD_ID, error.to_string())).ok()
    }

    /// Parses a list of labels; they come out sorted, each once.
    pub fn labels(&mut self, field: &str, values: &[String]) -> Vec<Label> {
        if !self.at_most(field, values.len(), LABELS_MAX) {
            return Vec::new();
        }
        let mut labels = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            match Label::parse(value) {
                Ok(label) if !label.is_empty() => labels.push(label),
                Ok(_) => self.wrong(&format!("{field}[{index}]"), REQUIRED, "must not be empty"),
                Err(error) => self.wrong(&format!("{field}[{index}]"), BAD_TEXT, error.to_string()),
            }
        }
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    /// Says whether a list is short enough.
    pub fn at_most(&mut self, field: &str, items: usize, max: usize) -> bool {
        if items > max {
            self.wrong(field, TOO_MANY, format!("must have at most {max} items, has {items}"));
        }
        items <= max
    }

    /// Parses the code of a trust of the region.
    pub fn trust(&mut self, field: &str, value: &str, region: &Region) -> Option<TrustCode> {
        let code: TrustCode = self.ods(field, value)?;
        if !region.trusts.contains_key(&code) {
            self.wrong(field, BAD_CODE, "must be a trust of this region");
            return None;
        }
        Some(code)
    }

    /// Parses the code of a site of a trust.
    pub fn site(
        &mut self,
        field: &str,
        value: &str,
        trust: Option<TrustCode>,
        region: &Region,
    ) -> Option<SiteCode> {
        let code: SiteCode = self.ods(field, value)?;
        let Some(site) = region.sites.get(&code) else {
            self.wrong(field, SITE_NOT_OF_TRUST, "must be a site of this region");
            return None;
        };
        match trust {
            Some(trust) if site.trust != trust => {
                self.wrong(field, SITE_NOT_OF_TRUST, format!("must be a site of {trust}"));
                None
            }
            Some(_) | None => Some(code),
        }
    }

    /// Parses an ODS code by its shape alone.
    pub fn ods<C: std::str::FromStr<Err = NameError>>(&mut self, field: &str, value: &str) -> Option<C> {
        if value.is_empty() {
            self.wrong(field, REQUIRED, "must be given");
            return None;
        }
        value.parse().map_err(|error: NameError| self.wrong(field, BAD_CODE, error.to_string())).ok()
    }
}

/// Writes a number with commas between thousands.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_thousands() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (-10_000, "−10,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn paths_begin_with_their_prefix() {
        for (prefix, field, path) in
            [("", "site", "site"), ("items[36]", "site", "items[36].site"), ("offer", "", "offer")]
        {
            let mut check = Check::new(prefix);
            check.wrong(field, REQUIRED, "must be given");
            assert_eq!(check.finish::<()>(None).unwrap_err().iter().next().unwrap().field, path);
        }
    }
}
