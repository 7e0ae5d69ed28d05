//! Times as people type them, in files and on the command line: `18:00`, `+4h`, `tomorrow 08:00`, `thu 13:30`,
//! `24/11/2026 18:00`, RFC 3339. A time by the clock that the zone skips or repeats is refused, never guessed.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, ToSpan, Zoned};
use thiserror::Error;

/// Why a text is not a time. Each message says what would be one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimeError {
    /// Nothing that is understood.
    #[error("\"{0}\" is not a time. Try 18:00, +4h, tomorrow 08:00, thu 13:30 or 2026-11-24T18:00:00Z")]
    NotATime(String),
    /// Nothing that is understood as a length of time.
    #[error("\"{0}\" is not a length of time. Try 45m, 4h, 1h30m or 2d")]
    NotADuration(String),
    /// A time of today that is over.
    #[error("{said} today has passed (it is {now}). Say: tomorrow {said}")]
    Passed {
        /// The time that was typed.
        said: String,
        /// The time it is.
        now: String,
    },
    /// A time that the clocks jump over.
    #[error(
        "{said} does not exist: the clocks go forward that night. Say {after}, or give the time in UTC, such as {utc}"
    )]
    Gap {
        /// The time that was typed.
        said: String,
        /// The same an hour later by the clock.
        after: String,
        /// The instant in UTC.
        utc: String,
    },
    /// A time that comes twice.
    #[error(
        "{said} comes twice: the clocks go back that night. Say {first} for the first or {second} for the second"
    )]
    Fold {
        /// The time that was typed.
        said: String,
        /// The earlier instant, RFC 3339.
        first: String,
        /// The later instant, RFC 3339.
        second: String,
    },
}
/// Reads a time that lies ahead, such as a deadline.
///
/// # Errors
/// Says what would be a time, and asks back where the clocks make one ambiguous.
pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, TimeError> {
    let typed = text.trim();
    let lower = typed.to_lowercase();
    let not_a_time = || TimeError::NotATime(typed.to_owned());
    if let Ok(instant) = typed.parse::<Timestamp>() {
        return Ok(instant);
    }
    let here = now.to_zoned(zone.clone());
    if lower == "now" {
        return Ok(now);
    }
    if let Some(ahead) = lower.strip_prefix('+') {
        return later(&here, ahead).ok_or_else(not_a_time);
    }
    if let Some(time) = clock(&lower) {
        let at = settle(here.date().to_datetime(time), zone)?;
        if at <= now {
            let now = here.strftime("%H:%M").to_string();
            return Err(TimeError::Passed { said: typed.to_owned(), now });
        }
        return Ok(at);
    }
    if let Some((day, time)) =
        lower.split_once([' ', 't']).filter(|(day, _)| day.starts_with(|c: char| c.is_ascii_digit()))
    {
        let date = date(day).ok_or_else(not_a_time)?;
        return settle(date.to_datetime(clock(time).ok_or_else(not_a_time)?), zone);
    }
    let (day, time) = lower.split_once(' ').ok_or_else(not_a_time)?;
    let time = clock(time.trim()).ok_or_else(not_a_time)?;
    let ahead = match day {
        "today" => return parse(&time.strftime("%H:%M").to_string(), now, zone),
        "tomorrow" => 1,
        name => days_until(here.weekday(), weekday(name).ok_or_else(not_a_time)?),
    };
    let date = here.date().checked_add(ahead.days()).map_err(|_| not_a_time())?;
    settle(date.to_datetime(time), zone)
}

/// Reads a time that is over, such as the one that a report is of: `08:00` is the last eight o'clock, `-4h` four hours ago.
///
/// # Errors
/// As [`parse`].
pub fn past(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, TimeError> {
    let lower = text.trim().to_lowercase();
    let here = now.to_zoned(zone.clone());
    let not_a_time = || TimeError::NotATime(text.trim().to_owned());
    if let Some(ago) = lower.strip_prefix('-') {
        let ago = span(ago).filter(|span| span.is_positive()).ok_or_else(not_a_time)?;
        return here.checked_sub(ago).map(|at| at.timestamp()).map_err(|_| not_a_time());
    }
    let (days, time) = match lower.split_once(' ') {
        Some(("yesterday", time)) => (1, time),
        Some(("today", time)) => (0, time),
        Some(_) => return parse(text, now, zone),
        None => (0, lower.as_str()),
    };
    let Some(time) = clock(time.trim()) else { return parse(text, now, zone) };
    let on = |days: i64| {
        let date = here.date().checked_sub(days.days()).map_err(|_| not_a_time())?;
        settle(date.to_datetime(time), zone)
    };
    match on(days)? {
        at if at <= now => Ok(at),
        _ => on(1),
    }
}

/// Reads a length of time: `45m`, `4h`, `1h30m`, `2d`. A day is 24 hours here.
///
/// # Errors
/// Says what would be one; zero and less are none.
pub fn duration(text: &str) -> Result<SignedDuration, TimeError> {
    let not = || TimeError::NotADuration(text.to_owned());
    let span = span(&text.trim().to_lowercase()).ok_or_else(not)?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| not())?;
    if length.is_positive() { Ok(length) } else { Err(not()) }
}

/// Reads a length of time as whole minutes; a bare number is minutes.
///
/// # Errors
/// As [`duration`].
pub fn minutes(text: &str) -> Result<i64, TimeError> {
    match text.trim().parse::<u16>() {
        Ok(minutes) => Ok(i64::from(minutes)),
        Err(_) => duration(text).map(|length| length.as_mins()),
    }
}

/// Days count on the calendar, so that `+1d` is the same time tomorrow whatever the clocks do.
fn later(here: &Zoned, ahead: &str) -> Option<Timestamp> {
    let span = span(ahead)?;
    if !span.is_positive() {
        return None;
    }
    here.checked_add(span).ok().map(|at| at.timestamp())
}

fn span(text: &str) -> Option<Span> {
    // A sign, a fraction or ISO 8601 would be read too; people who type those mean something else.
    let plain =
        text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain { text.parse().ok() } else { None }
}

/// Reads `18:00`, `8:05`, `18:00:30`.
pub(crate) fn clock(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next().unwrap_or("00");
    let two = |part: &str| {
        (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<i8>().ok())
    };
    let hour = if hour.len() == 1 { hour.parse().ok() } else { two(hour).flatten() }?;
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, two(minute).flatten()?, two(second).flatten()?, 0).ok()
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "mon" | "monday" => Weekday::Monday,
        "tue" | "tues" | "tuesday" => Weekday::Tuesday,
        "wed" | "wednesday" => Weekday::Wednesday,
        "thu" | "thur" | "thurs" | "thursday" => Weekday::Thursday,
        "fri" | "friday" => Weekday::Friday,
        "sat" | "saturday" => Weekday::Saturday,
        "sun" | "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// The name of today's weekday means a week from today: for today there is `today`.
fn days_until(today: Weekday, day: Weekday) -> i32 {
    match i32::from(today.until(day)) {
        0 => 7,
        days => days,
    }
}

/// Reads a date as people write it here, `24/11/2026`, or as ISO 8601 has it, `2026-11-24`.
pub(crate) fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('/');
    let (Some(day), Some(month), Some(year), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return text.parse().ok().filter(|_| text.len() == 10);
    };
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    if !digits(day, 2) || !digits(month, 2) || year.len() != 4 || !digits(year, 4) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// Finds the instant of a time by the clock; refuses what the clocks make ambiguous rather than guess.
///
/// # Errors
/// When the clocks jump over it or show it twice.
pub fn settle(at: DateTime, zone: &TimeZone) -> Result<Timestamp, TimeError> {
    let said = at.strftime("%H:%M on %-d %B %Y").to_string();
    let ambiguous = zone.to_ambiguous_timestamp(at);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            offset.to_timestamp(at).map_err(|_| TimeError::NotATime(said))
        }
        AmbiguousOffset::Gap { before, .. } => {
            let instant = before.to_timestamp(at).map_err(|_| TimeError::NotATime(said.clone()))?;
            let after = instant.to_zoned(zone.clone()).strftime("%H:%M").to_string();
            Err(TimeError::Gap { said, after, utc: instant.to_string() })
        }
        AmbiguousOffset::Fold { before, after } => {
            let with_offset = |offset| format!("{}{offset}", at.strftime("%Y-%m-%dT%H:%M:%S"));
            let (first, second) = (rfc_offset(before), rfc_offset(after));
            Err(TimeError::Fold { said, first: with_offset(first), second: with_offset(second) })
        }
    }
}

fn rfc_offset(offset: jiff::tz::Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 14:31 on Tuesday 24 November 2026, London winter time.
    const NOW: &str = "2026-11-24T14:31:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zone() -> TimeZone {
        TimeZone::get("Europe/London").unwrap()
    }

    fn read(text: &str) -> Result<String, String> {
        read_at(text, NOW)
    }

    fn read_at(text: &str, now: &str) -> Result<String, String> {
        parse(text, at(now), &zone()).map(|at| at.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_what_people_type() {
        for (text, meant) in [
            ("18:00", "2026-11-24T18:00:00Z"),
            ("today 18:00", "2026-11-24T18:00:00Z"),
            ("Tomorrow 08:00", "2026-11-25T08:00:00Z"),
            ("tomorrow 8:00", "2026-11-25T08:00:00Z"),
            ("thu 13:30", "2026-11-26T13:30:00Z"),
            ("Tuesday 09:00", "2026-12-01T09:00:00Z"),
            ("+4h", "2026-11-24T18:31:00Z"),
            ("+1h30m", "2026-11-24T16:01:00Z"),
            ("+2d", "2026-11-26T14:31:00Z"),
            ("now", NOW),
            ("2026-11-26 13:30", "2026-11-26T13:30:00Z"),
            ("2026-11-26T13:30", "2026-11-26T13:30:00Z"),
            ("2026-11-24T18:00:00+01:00", "2026-11-24T17:00:00Z"),
            ("2026-07-01 12:00", "2026-07-01T11:00:00Z"),
            ("26/11/2026 13:30", "2026-11-26T13:30:00Z"),
            ("1/7/2026 9:05", "2026-07-01T08:05:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(meant), "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_be_sure_of() {
        for text in [
            "",
            "ASAP",
            "25:00",
            "18:60",
            "18",
            "+",
            "+-4h",
            "+4",
            "+1.5h",
            "soon 18:00",
            "tomorrow",
            "18:00:00:00",
            "26/11/2026",
            "26/11/26 13:30",
            "13/26/2026 13:30",
            "2026-11-26",
        ] {
            let said = read(text).unwrap_err();
            assert_eq!(
                said,
                format!(
                    "\"{text}\" is not a time. Try 18:00, +4h, tomorrow 08:00, thu 13:30 or 2026-11-24T18:00:00Z"
                )
            );
        }
        assert_eq!(read("08:00").unwrap_err(), "08:00 today has passed (it is 14:31). Say: tomorrow 08:00");
    }

    #[test]
    fn asks_back_when_the_clocks_change() {
        assert_eq!(
            read_at("tomorrow 01:30", "2026-03-28T12:00:00Z").unwrap_err(),
            "01:30 on 29 March 2026 does not exist: the clocks go forward that night. Say 02:30, or give the time in UTC, \
             such as 2026-03-29T01:30:00Z"
        );
        assert_eq!(
            read_at("tomorrow 01:30", "2026-10-24T12:00:00Z").unwrap_err(),
            "01:30 on 25 October 2026 comes twice: the clocks go back that night. Say 2026-10-25T01:30:00+01:00 for the \
             first or 2026-10-25T01:30:00+00:00 for the second"
        );
        // What the message says to type is accepted.
        assert_eq!(read("2026-10-25T01:30:00+01:00").as_deref(), Ok("2026-10-25T00:30:00Z"));
        assert_eq!(read_at("+1d", "2026-10-24T12:00:00Z").as_deref(), Ok("2026-10-25T13:00:00Z"));
    }

    #[test]
    fn reads_lengths() {
        for (text, whole) in [("45", 45), ("45m", 45), ("1h30m", 90), ("4h", 240), ("2d", 2880)] {
            assert_eq!(minutes(text), Ok(whole), "{text}");
        }
        for bad in ["", "-5m", "0m", "soon", "1.5h", "m", "70000"] {
            let said = minutes(bad).unwrap_err().to_string();
            assert_eq!(said, format!("\"{bad}\" is not a length of time. Try 45m, 4h, 1h30m or 2d"));
        }
    }

    #[test]
    fn a_time_of_the_past_is_the_last_one_of_its_name() {
        let now: Timestamp = "2026-11-24T09:30:00Z".parse().unwrap();
        let read =
            |text: &str| past(text, now, &TimeZone::get("Europe/London").unwrap()).map(|at| at.to_string());
        assert_eq!(read("08:00"), Ok("2026-11-24T08:00:00Z".to_owned()));
        assert_eq!(read("20:00"), Ok("2026-11-23T20:00:00Z".to_owned()), "eight tonight is not over");
        assert_eq!(read("yesterday 08:00"), Ok("2026-11-23T08:00:00Z".to_owned()));
        assert_eq!(read("-90m"), Ok("2026-11-24T08:00:00Z".to_owned()));
        assert_eq!(read("2026-11-20T00:00:00Z"), Ok("2026-11-20T00:00:00Z".to_owned()));
        assert_eq!(read("now"), Ok(now.to_string()));
        assert!(read("soon").is_err() && read("-soon").is_err());
    }
}
