//! One cell: what it holds, and what that is in a record.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

use crate::columns::{Column, Holds};
use crate::local_time;

/// Largest whole number that a spreadsheet keeps exactly.
const WHOLE_MAX: i64 = 1 << 53;

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Nothing.
    Empty,
    /// Text, as typed.
    Text(Cow<'a, str>),
    /// A number of a spreadsheet.
    Number(f64),
    /// A whole number, exactly.
    Whole(i64),
    /// A tick.
    YesOrNo(bool),
    /// A date and a time by the clock.
    Moment(DateTime),
    /// A time of day.
    Clock(Time),
    /// Something that no cell of ours may hold, in words.
    Unreadable(&'static str),
}

/// The time and the place for which cells are read and written.
#[derive(Debug, Clone)]
pub struct Local {
    /// The time it is.
    pub now: Timestamp,
    /// The zone whose clocks the cells mean.
    pub zone: TimeZone,
}

impl Cell<'_> {
    /// Says whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Number(_)
            | Self::Whole(_)
            | Self::YesOrNo(_)
            | Self::Moment(_)
            | Self::Clock(_)
            | Self::Unreadable(_) => false,
        }
    }

    /// Returns what a person would type to get the cell.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text.trim()),
            Self::Number(number) => Cow::Owned(plain(*number)),
            Self::Whole(number) => Cow::Owned(number.to_string()),
            Self::YesOrNo(yes) => Cow::Borrowed(if *yes { "yes" } else { "no" }),
            Self::Moment(at) if at.second() == 0 => Cow::Owned(at.strftime("%Y-%m-%d %H:%M").to_string()),
            Self::Moment(at) => Cow::Owned(at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            Self::Clock(time) => Cow::Owned(time.strftime("%H:%M").to_string()),
            Self::Unreadable(what) => Cow::Borrowed(what),
        }
    }

    /// Returns the cell without what it borrows.
    pub(crate) fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Empty => Cell::Empty,
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Number(number) => Cell::Number(number),
            Self::Whole(number) => Cell::Whole(number),
            Self::YesOrNo(yes) => Cell::YesOrNo(yes),
            Self::Moment(at) => Cell::Moment(at),
            Self::Clock(time) => Cell::Clock(time),
            Self::Unreadable(what) => Cell::Unreadable(what),
        }
    }
}

/// A number without a fraction is written without a point: a code such as 110 that a spreadsheet took for a number.
fn plain(number: f64) -> String {
    whole(number).map_or_else(|| number.to_string(), |whole| whole.to_string())
}

fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "checked to be exact")]
    let whole = (number.fract() == 0.0 && number.abs() <= WHOLE_MAX as f64).then_some(number as i64);
    whole
}

/// Returns what a cell is in a record, in JSON.
///
/// # Errors
/// Says what is wrong and what would be right, in plain words.
pub(crate) fn value(column: Column, cell: &Cell<'_>, local: &Local) -> Result<Value, String> {
    if let Cell::Unreadable(what) = cell {
        return Err((*what).to_owned());
    }
    let text = cell.text();
    match column.holds {
        Holds::Text => Ok(Value::from(unguarded(&text))),
        Holds::Number => number(cell).ok_or_else(|| format!("\"{text}\" must be a number")),
        Holds::YesOrNo => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Value::Bool(true)),
            "false" | "no" | "0" => Ok(Value::Bool(false)),
            _ => Err(format!("\"{text}\" must be true or false")),
        },
        Holds::List => Ok(list(unguarded(&text)).into()),
        Holds::Time => time(cell, &text, local),
        Holds::TimeOrDate => match local_time::date(&text) {
            Some(day) => instant(day.at(0, 0, 0, 0), local),
            None => time(cell, &text, local),
        },
        Holds::Length => {
            let length = match text.parse::<u32>() {
                Ok(minutes) => jiff::SignedDuration::from_mins(minutes.into()),
                Err(_) => local_time::duration(&text).map_err(|error| error.to_string())?,
            };
            Ok(Value::from(format!("{}s", length.as_secs())))
        }
        Holds::Resource => Err("is a resource".to_owned()),
    }
}

fn number(cell: &Cell<'_>) -> Option<Value> {
    let number = match cell {
        Cell::Whole(number) => Some(Number::from(*number)),
        Cell::Number(number) => whole(*number).map(Number::from).or_else(|| Number::from_f64(*number)),
        Cell::Text(text) => {
            let text = text.trim();
            let exact = text.parse::<i64>().map(Number::from).ok();
            exact.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
        }
        Cell::Empty | Cell::YesOrNo(_) | Cell::Moment(_) | Cell::Clock(_) | Cell::Unreadable(_) => None,
    };
    number.map(Value::Number)
}

fn time(cell: &Cell<'_>, text: &str, local: &Local) -> Result<Value, String> {
    match cell {
        Cell::Moment(at) => instant(*at, local),
        Cell::Number(_) | Cell::Whole(_) | Cell::YesOrNo(_) => Err(format!(
            "\"{text}\" is not a time. Format the cell as a date and a time, or type 18:00 or +4h"
        )),
        Cell::Empty | Cell::Text(_) | Cell::Clock(_) | Cell::Unreadable(_) => {
            let at = local_time::parse(text, local.now, &local.zone).map_err(|error| error.to_string())?;
            Ok(Value::from(at.to_string()))
        }
    }
}

fn instant(at: DateTime, local: &Local) -> Result<Value, String> {
    let at = local_time::settle(at, &local.zone).map_err(|error| error.to_string())?;
    Ok(Value::from(at.to_string()))
}

/// Splits a list at its semicolons; a backslash takes the sign after it as it is.
fn list(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut signs) = (Vec::new(), String::new(), text.chars());
    while let Some(sign) = signs.next() {
        match sign {
            ';' => parts.push(std::mem::take(&mut part)),
            '\\' => part.push(signs.next().unwrap_or('\\')),
            _ => part.push(sign),
        }
    }
    parts.push(part);
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Joins a list for one cell.
pub(crate) fn joined<'t>(parts: impl Iterator<Item = &'t str>) -> String {
    let escaped = parts.map(|part| part.replace('\\', "\\\\").replace(';', "\\;"));
    escaped.collect::<Vec<_>>().join("; ")
}

/// Says whether a spreadsheet would take a text for a formula, or for one that a quote was put before.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
}

/// Puts a quote before what a spreadsheet would run as a formula; [`unguarded`] takes it away again.
pub(crate) fn guarded(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> Local {
        Local { now: "2026-11-24T14:31:00Z".parse().unwrap(), zone: TimeZone::get("Europe/London").unwrap() }
    }

    fn check(holds: Holds, cell: Cell<'_>, expected: Result<Value, &str>) {
        let column = Column { name: "x", holds };
        let read = value(column, &cell, &local());
        assert_eq!(read, expected.map_err(ToOwned::to_owned), "{cell:?}");
    }

    fn text(text: &str) -> Cell<'_> {
        Cell::Text(Cow::Borrowed(text))
    }

    #[test]
    fn numbers_that_are_codes_lose_no_digit_and_gain_none() {
        check(Holds::List, Cell::Number(110.0), Ok(vec!["110"].into()));
        check(Holds::Text, Cell::Number(0.5), Ok("0.5".into()));
        check(Holds::Number, Cell::Number(14.0), Ok(14.into()));
        check(Holds::Number, text(" 14 "), Ok(14.into()));
        check(Holds::Number, text("two"), Err("\"two\" must be a number"));
        check(Holds::Number, Cell::YesOrNo(true), Err("\"yes\" must be a number"));
    }

    #[test]
    fn times_are_by_the_clock_and_never_guessed() {
        let moment = |text: &str| Cell::Moment(text.parse().unwrap());
        check(Holds::Time, moment("2026-07-01T19:00"), Ok("2026-07-01T18:00:00Z".into()));
        check(Holds::Time, Cell::Clock(Time::constant(20, 0, 0, 0)), Ok("2026-11-24T20:00:00Z".into()));
        check(
            Holds::Time,
            moment("2026-03-29T01:30"),
            Err(
                "01:30 on 29 March 2026 does not exist: the clocks go forward that night. Say 02:30, or give the time \
                 in UTC, such as 2026-03-29T01:30:00Z",
            ),
        );
        check(
            Holds::Time,
            moment("2026-10-25T01:30"),
            Err(
                "01:30 on 25 October 2026 comes twice: the clocks go back that night. Say 2026-10-25T01:30:00+01:00 \
                 for the first or 2026-10-25T01:30:00+00:00 for the second",
            ),
        );
        check(
            Holds::Time,
            Cell::Number(46350.0),
            Err("\"46350\" is not a time. Format the cell as a date and a time, or type 18:00 or +4h"),
        );
        check(Holds::TimeOrDate, text("1/7/2026"), Ok("2026-06-30T23:00:00Z".into()));
        check(Holds::Length, text("90"), Ok("5400s".into()));
        check(Holds::Length, text("1d"), Ok("86400s".into()));
    }

    #[test]
    fn lists_split_at_semicolons_that_are_not_escaped() {
        check(Holds::List, text(r"a; b\;c;; \\d "), Ok(vec!["a", "b;c", r"\d"].into()));
        let parts = ["a;b", r"c\", "d"];
        assert_eq!(list(&joined(parts.into_iter())), parts);
    }

    #[test]
    fn formulas_go_out_as_text_and_come_back_as_they_were() {
        for formula in ["=cmd()", "+441", "-1", "@x", "'=x", "''+", "＝x"] {
            assert_eq!(guarded(formula), format!("'{formula}"));
            assert_eq!(unguarded(&guarded(formula)), formula);
        }
        for plain in ["", "'", "'tis", "a=b", "14"] {
            assert_eq!((guarded(plain).as_ref(), unguarded(plain)), (plain, plain));
        }
    }
}
