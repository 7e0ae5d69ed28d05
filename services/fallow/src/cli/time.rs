//! Times as people read them, in London time; how they type them is read by [`fallow_tabular::local_time`].

use fallow_tabular::local_time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub(crate) use local_time::{TimeError, duration, minutes, parse, past};

/// The zone that people of every region read and type.
const ZONE: &str = "Europe/London";

/// Returns the zone that people read and type.
///
/// Never fails in practice: the zone is compiled in. Were it not, UTC would be shown, and said so by its name.
pub(crate) fn zone() -> TimeZone {
    TimeZone::get(ZONE).unwrap_or(TimeZone::UTC)
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

/// Shows how long ago something was: `34 min ago`, `now`.
pub(crate) fn ago(length: SignedDuration) -> String {
    match age(length).as_str() {
        now @ "now" => now.to_owned(),
        age => format!("{age} ago"),
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

    #[test]
    fn the_zone_is_compiled_in() {
        assert_eq!(zone().iana_name(), Some("Europe/London"));
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
