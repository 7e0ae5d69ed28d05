//! Times as people read them: the clock time of the region with a day in words, and a relative age beside it.

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use prost_types::Timestamp as WireTimestamp;

/// From here on an end is no longer a time that anybody plans by.
const ROLLING: SignedDuration = SignedDuration::from_hours(31 * 24);

/// The moment and the place for which times are written.
#[derive(Debug, Clone)]
pub(crate) struct Now {
    /// The host's time.
    pub(crate) at: Timestamp,
    /// The region's zone, Europe/London.
    pub(crate) zone: TimeZone,
}

impl Now {
    /// Writes a time as `today 14:32`, `tomorrow 08:00`, `Thu 26 Nov 13:30`, with the year when it is another one.
    pub(crate) fn clock(&self, at: Timestamp) -> String {
        let (now, then) = (self.at.to_zoned(self.zone.clone()), at.to_zoned(self.zone.clone()));
        let time = then.strftime("%H:%M");
        let days = (then.date() - now.date()).get_days();
        match days {
            0 => format!("today {time}"),
            1 => format!("tomorrow {time}"),
            -1 => format!("yesterday {time}"),
            _ if then.year() == now.year() => then.strftime("%a %-d %b %H:%M").to_string(),
            _ => then.strftime("%a %-d %b %Y %H:%M").to_string(),
        }
    }

    /// Writes until when an offer can be used: what runs for more than a month is `rolling`.
    pub(crate) fn until(&self, at: Timestamp) -> String {
        if at.duration_since(self.at) > ROLLING { "rolling".to_owned() } else { self.clock(at) }
    }

    /// Writes only the time of day, `14:32`.
    pub(crate) fn time_of_day(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M").to_string()
    }

    /// Writes how long ago something was: `under 1 min`, `52 min`, `2 h 5 min`, `3 d`. What lies ahead is `under 1 min`.
    pub(crate) fn age(&self, at: Timestamp) -> String {
        span(self.at.duration_since(at))
    }

    /// Writes how long something still lasts: `12 min`, or `None` when it is over.
    pub(crate) fn left(&self, until: Timestamp) -> Option<String> {
        (until > self.at).then(|| span(until.duration_since(self.at)))
    }

    /// Writes a time as a spreadsheet sorts it: `2026-11-24 14:31`, by the clock here.
    pub(crate) fn stamp(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// Writes a time as the value of a `datetime-local` control.
    pub(crate) fn control(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M").to_string()
    }

    /// Reads the value of a `datetime-local` control; a time that the clocks skip or repeat is taken as jiff's
    /// "compatible" does.
    pub(crate) fn read_control(&self, text: &str) -> Option<Timestamp> {
        let local: civil::DateTime = text.trim().parse().ok()?;
        local.to_zoned(self.zone.clone()).ok().map(|zoned| zoned.timestamp())
    }

    /// Returns the next moment at which the region's clocks show an hour, at least `ahead` from now.
    pub(crate) fn next_hour_of_day(&self, hour: i8, ahead: SignedDuration) -> Timestamp {
        let earliest = self.at.saturating_add(ahead).unwrap_or(self.at);
        let mut day = earliest.to_zoned(self.zone.clone()).date();
        loop {
            let candidate = day.at(hour, 0, 0, 0).to_zoned(self.zone.clone());
            match candidate {
                Ok(zoned) if zoned.timestamp() >= earliest => return zoned.timestamp(),
                Ok(_) => {}
                // Only beyond the last year that can be written.
                Err(_) => return earliest,
            }
            match day.tomorrow() {
                Ok(next) => day = next,
                Err(_) => return earliest,
            }
        }
    }
}

/// Writes a length of time in at most two units, rounded down.
pub(crate) fn span(length: SignedDuration) -> String {
    let minutes = length.as_mins();
    let (hours, days) = (minutes / 60, minutes / (24 * 60));
    if minutes < 1 {
        "under 1 min".to_owned()
    } else if minutes < 60 {
        format!("{minutes} min")
    } else if hours < 10 && minutes % 60 != 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if hours < 48 {
        format!("{hours} h")
    } else {
        format!("{days} d")
    }
}

/// Reads a time from the wire; `None` when it is absent or cannot be.
pub(crate) fn from_wire(time: Option<&WireTimestamp>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok())
}

/// Writes a time to the wire.
pub(crate) fn to_wire(time: Timestamp) -> WireTimestamp {
    // jiff's sub-second part shares the sign of the seconds; the wire counts nanoseconds forward.
    let (mut seconds, mut nanos) = (time.as_second(), time.subsec_nanosecond());
    if nanos < 0 {
        seconds -= 1;
        nanos += 1_000_000_000;
    }
    WireTimestamp { seconds, nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn london(now: &str) -> Now {
        Now { at: now.parse().unwrap(), zone: TimeZone::get("Europe/London").unwrap() }
    }

    fn check_clock(now: &str, at: &str, expected: &str) {
        assert_eq!(london(now).clock(at.parse().unwrap()), expected, "{at} seen at {now}");
    }

    #[test]
    fn days_are_those_of_london() {
        check_clock("2026-11-24T14:00:00Z", "2026-11-24T14:32:00Z", "today 14:32");
        check_clock("2026-11-24T14:00:00Z", "2026-11-25T08:00:00Z", "tomorrow 08:00");
        check_clock("2026-11-24T14:00:00Z", "2026-11-23T23:59:00Z", "yesterday 23:59");
        check_clock("2026-11-24T14:00:00Z", "2026-11-26T13:30:00Z", "Thu 26 Nov 13:30");
        check_clock("2026-11-24T14:00:00Z", "2027-01-04T08:05:00Z", "Mon 4 Jan 2027 08:05");
        // In summer London is an hour ahead: 23:30 UTC is tomorrow.
        check_clock("2026-07-01T12:00:00Z", "2026-07-01T23:30:00Z", "tomorrow 00:30");
    }

    #[test]
    fn ages_use_at_most_two_units() {
        let now = london("2026-11-24T14:00:00Z");
        let cases = [
            ("2026-11-24T14:00:00Z", "under 1 min"),
            ("2026-11-24T14:00:30Z", "under 1 min"),
            ("2026-11-24T13:59:01Z", "under 1 min"),
            ("2026-11-24T13:08:00Z", "52 min"),
            ("2026-11-24T11:55:00Z", "2 h 5 min"),
            ("2026-11-24T12:00:00Z", "2 h"),
            ("2026-11-23T21:30:00Z", "16 h"),
            ("2026-11-22T13:59:00Z", "2 d"),
        ];
        for (at, expected) in cases {
            assert_eq!(now.age(at.parse().unwrap()), expected, "{at}");
        }
        assert_eq!(now.left("2026-11-24T14:34:10Z".parse().unwrap()).as_deref(), Some("34 min"));
        assert_eq!(now.left("2026-11-24T14:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn controls_read_what_they_show() {
        for at in ["2026-11-24T20:00:00Z", "2026-07-01T19:00:00Z"] {
            let (now, at) = (london("2026-11-24T14:00:00Z"), at.parse().unwrap());
            assert_eq!(now.read_control(&now.control(at)), Some(at));
        }
        let now = london("2026-07-01T12:00:00Z");
        assert_eq!(now.control("2026-07-01T19:00:00Z".parse().unwrap()), "2026-07-01T20:00");
        for bad in ["", "ASAP", "2026-13-01T10:00", "20:00"] {
            assert_eq!(now.read_control(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_next_hour_of_day_is_far_enough_ahead() {
        let now = london("2026-11-24T14:00:00Z");
        let next = |hour, hours| now.next_hour_of_day(hour, SignedDuration::from_hours(hours)).to_string();
        assert_eq!(next(20, 1), "2026-11-24T20:00:00Z");
        assert_eq!(next(20, 7), "2026-11-25T20:00:00Z");
        assert_eq!(next(8, 0), "2026-11-25T08:00:00Z");
    }

    #[test]
    fn the_wire_keeps_times() {
        for text in ["2026-11-24T14:00:00.25Z", "1969-12-31T23:59:59.75Z"] {
            let at: Timestamp = text.parse().unwrap();
            assert_eq!(from_wire(Some(&to_wire(at))), Some(at));
        }
        assert_eq!(from_wire(Some(&WireTimestamp { seconds: i64::MAX, nanos: 0 })), None);
        assert_eq!(from_wire(None), None);
    }
}
