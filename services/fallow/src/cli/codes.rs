//! Codes in any case, with the nearest right one when a code is wrong.

use std::ffi::OsStr;
use std::marker::PhantomData;

use clap::builder::{PossibleValue, TypedValueParser};
use fallow_api::json::Enumeration;

/// Reads the codes of an enum as an option takes them, and tells help and completion which there are.
#[derive(Debug, Clone)]
pub(crate) struct Codes<E>(PhantomData<fn() -> E>);

/// Returns what reads the codes of an enum.
pub(crate) const fn of<E>() -> Codes<E> {
    Codes(PhantomData)
}

impl<E> TypedValueParser for Codes<E>
where
    E: Enumeration + TryFrom<i32> + Clone + Send + Sync + 'static,
{
    type Value = E;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<E, clap::Error> {
        let read: fn(&str) -> Result<E, String> = parse::<E>;
        read.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let known = E::NAMES.iter().filter(|(_, number)| *number != 0);
        Some(Box::new(known.map(|(name, _)| PossibleValue::new(name.to_lowercase()))))
    }
}

/// Reads one of an enum's short names, in any case and with `-` for `_`. `UNSPECIFIED` is none of them.
///
/// # Errors
/// Names what is wrong, the nearest code if one is near, and all there are.
pub(crate) fn parse<E: Enumeration + TryFrom<i32>>(text: &str) -> Result<E, String> {
    let meant = canonical(text);
    let known = || E::NAMES.iter().filter(|(_, number)| *number != 0).map(|(name, _)| *name);
    known()
        .find(|name| *name == meant)
        .and_then(E::number)
        .and_then(|number| E::try_from(number).ok())
        .ok_or_else(|| unknown(text, known()))
}

/// Says that a code is unknown: "unknown code STAFING. Did you mean STAFFING? One of: …".
pub(crate) fn unknown<'a>(text: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let guess = nearest(text, known.clone()).map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
    format!("unknown code \"{text}\".{guess} One of: {}", known.collect::<Vec<_>>().join(", "))
}

/// Returns the code that a mistyped one most likely meant, if any is near.
pub(crate) fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this likeness a guess confuses more than it helps; the value is that of clap's own suggestions.
    const LIKENESS: f64 = 0.7;
    let meant = canonical(text);
    known
        .map(|name| (strsim::jaro_winkler(&meant, &canonical(name)), name))
        .filter(|(likeness, _)| *likeness > LIKENESS)
        // The first of equals, so that the order of the code list decides.
        .min_by(|a, b| b.0.total_cmp(&a.0))
        .map(|(_, name)| name)
}

/// Returns a number's short name in lower case, as commands take it; `-` for one that this version does not know.
pub(crate) fn word<E: Enumeration>(number: i32) -> String {
    E::short_name(number).map_or_else(|| "-".to_owned(), str::to_lowercase)
}

fn canonical(text: &str) -> String {
    text.trim().to_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use fallow_api::v1::{DeclineReason, Priority, transfer};

    use super::*;

    #[test]
    fn reads_any_case() {
        assert_eq!(parse("staffing"), Ok(DeclineReason::Staffing));
        assert_eq!(parse("Treated-Elsewhere"), Ok(DeclineReason::TreatedElsewhere));
        assert_eq!(parse("p1a"), Ok(Priority::P1a));
        assert_eq!(parse("in_transit"), Ok(transfer::State::InTransit));
    }

    #[test]
    fn a_wrong_code_gets_the_nearest_right_one() {
        let said = parse::<Priority>("P1").unwrap_err();
        assert_eq!(said, "unknown code \"P1\". Did you mean P1A? One of: P1A, P1B, P2, P3, P4");
        let said = parse::<DeclineReason>("stafing").unwrap_err();
        assert!(
            said.starts_with("unknown code \"stafing\". Did you mean STAFFING? One of: CAPACITY_CHANGED, "),
            "{said}"
        );
        let said = parse::<Priority>("unspecified").unwrap_err();
        assert_eq!(said, "unknown code \"unspecified\". One of: P1A, P1B, P2, P3, P4");
    }
}
