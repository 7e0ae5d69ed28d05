//! Times as people type and read them: `18:00`, `+4h`, `tomorrow 08:00`, `thu 13:30`, RFC 3339; shown in London time.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp, ToSpan, Zoned};
use thiserror::Error;

/// The zone that people of every region read and type.
const ZONE: &str = "Europe/London";

/// Why a text is not a time. Each message says what would be one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum TimeError {
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

/// Returns the zone that people read and type.
///
/// Never fails in practice: the zone is compiled in. Were it not, UTC would be shown, and said so by its name.
pub(crate) fn zone() -> TimeZone {
    TimeZone::get(ZONE).unwrap_or(TimeZone::UTC)
}

/// Reads a time that lies ahead, such as a deadline.
///
/// # Errors
/// Says what would be a time, and asks back where the clocks make one ambiguous.
pub(crate) fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, TimeError> {
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
        let date: jiff::civil::Date = day.parse().map_err(|_| not_a_time())?;
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

/// Reads a length of time: `45m`, `4h`, `1h30m`, `2d`. A day is 24 hours here.
///
/// # Errors
/// Says what would be one; zero and less are none.
pub(crate) fn duration(text: &str) -> Result<SignedDuration, TimeError> {
    let not = || TimeError::NotADuration(text.to_owned());
    let span = span(&text.trim().to_lowercase()).ok_or_else(not)?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| not())?;
    if length.is_positive() { Ok(length) } else { Err(not()) }
}

/// Reads a length of time as whole minutes; a bare number is minutes.
///
/// # Errors
/// As [`duration`].
pub(crate) fn minutes(text: &str) -> Result<i64, TimeError> {
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
fn clock(text: &str) -> Option<Time> {
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

/// Finds the instant of a time by the clock; refuses what the clocks make ambiguous rather than guess.
fn settle(at: DateTime, zone: &TimeZone) -> Result<Timestamp, TimeError> {
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

/// Shows a time near now: `14:32` today, `tomorrow 08:00`, else `Thu 26 Nov 13:30`, with the year when it is another.
pub(crate) fn show(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (there, here) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let days = here.date().until(there.date()).map_or(i32::MAX, |span| span.get_days());
    let form = match days {
        0 => "today %H:%M",
        1 => "tomorrow %H:%M",
        _ if there.year() == here.year() => "%a %-d %b %H:%M",
        _ => "%a %-d %b %Y %H:%M",
    };
    there.strftime(form).to_string()
}

/// Shows how long ago or ahead: `34 min`, `3 h`, `2 d`. Rounded down; `now` under a minute.
pub(crate) fn age(length: SignedDuration) -> String {
    let minutes = length.as_mins().abs();
    match minutes {
        0 => "now".to_owned(),
        1..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

/// Shows a hold that runs out: `12:40 left`, `34 min left`, `lapsed`.
pub(crate) fn left(until: Timestamp, now: Timestamp) -> String {
    let left = until.duration_since(now);
    let seconds = left.as_secs();
    match seconds {
        ..=0 => "lapsed".to_owned(),
        1..1800 => format!("{}:{:02} left", seconds / 60, seconds % 60),
        _ => format!("{} left", age(left)),
    }
}

/// Turns a time of the wire into ours; `None` when absent or out of range.
pub(crate) fn from_wire(at: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok())
}

/// Turns a time into that of the wire.
pub(crate) fn to_wire(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 14:31 on Tuesday 24 November 2026, London winter time.
    const NOW: &str = "2026-11-24T14:31:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn read(text: &str) -> Result<String, String> {
        read_at(text, NOW)
    }

    fn read_at(text: &str, now: &str) -> Result<String, String> {
        parse(text, at(now), &zone()).map(|at| at.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_zone_is_compiled_in() {
        assert_eq!(zone().iana_name(), Some("Europe/London"));
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
    fn shows_times_near_now() {
        let shown = |text: &str| show(at(text), at(NOW), &zone());
        assert_eq!(shown("2026-11-24T20:00:00Z"), "today 20:00");
        assert_eq!(shown("2026-11-25T08:00:00Z"), "tomorrow 08:00");
        assert_eq!(shown("2026-11-26T13:30:00Z"), "Thu 26 Nov 13:30");
        assert_eq!(shown("2026-07-01T11:00:00Z"), "Wed 1 Jul 12:00");
        assert_eq!(shown("2027-01-04T09:00:00Z"), "Mon 4 Jan 2027 09:00");
    }

    #[test]
    fn shows_ages_and_holds() {
        let minutes = SignedDuration::from_mins;
        let said: Vec<String> = [0, 1, 119, 120, 2879, 2880].map(|m| age(minutes(m))).into();
        assert_eq!(said, ["now", "1 min", "119 min", "2 h", "47 h", "2 d"]);
        let hold = |seconds| left(at(NOW) + SignedDuration::from_secs(seconds), at(NOW));
        assert_eq!(
            [hold(760), hold(34 * 60), hold(0), hold(-5)],
            ["12:40 left", "34 min left", "lapsed", "lapsed"]
        );
    }
}
