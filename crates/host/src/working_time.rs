//! When people are at work in England: Monday to Friday, 09:00 to 17:00 in London, not on bank holidays.
//!
//! The core knows no time zone; it takes the calendar made here as a list of intervals.

use std::collections::BTreeSet;

use fallow_domain::calendar::WorkingCalendar;
use jiff::civil::{Date, Time, Weekday, date, time};
use jiff::tz::TimeZone;
use thiserror::Error;

/// The bank holidays that are known, one a line: the date, then its name.
const BANK_HOLIDAYS: &str = include_str!("../data/bank_holidays_england.csv");
/// The first day of the calendar.
const FIRST_DAY: Date = date(2025, 1, 1);
/// The last day of the calendar. In years whose bank holidays are not yet announced every weekday counts: a hold that
/// ends on a holiday is a smaller harm than one that cannot be made.
const LAST_DAY: Date = date(2045, 12, 31);
/// When work begins.
const OPENS: Time = time(9, 0, 0, 0);
/// When work ends: eight hours later, the length of a working day in the core.
const CLOSES: Time = time(17, 0, 0, 0);

/// Why there is no calendar. Each is a mistake of the build, seen at the start of a process.
#[derive(Debug, Error)]
pub enum WorkingTimeError {
    /// The time zone or a date cannot be worked out.
    #[error("London time cannot be worked out")]
    Time(#[from] jiff::Error),
    /// The intervals are not in order.
    #[error("{0}")]
    Calendar(&'static str),
}

/// Returns the working calendar of England from 2025 to 2045. Made once, at the start of a process: it has some five
/// thousand intervals.
///
/// # Errors
/// The time zone data or the list of bank holidays was built in wrongly.
pub fn england() -> Result<WorkingCalendar, WorkingTimeError> {
    let london = TimeZone::get("Europe/London")?;
    let holidays = bank_holidays()?;
    let mut intervals = Vec::new();
    for day in FIRST_DAY.series(jiff::Span::new().days(1)).take_while(|day| *day <= LAST_DAY) {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        if !weekend && !holidays.contains(&day) {
            let at = |time| Ok::<_, jiff::Error>(day.to_datetime(time).to_zoned(london.clone())?.timestamp());
            intervals.push((at(OPENS)?, at(CLOSES)?));
        }
    }
    WorkingCalendar::new(intervals).map_err(WorkingTimeError::Calendar)
}

fn bank_holidays() -> Result<BTreeSet<Date>, jiff::Error> {
    let rows = BANK_HOLIDAYS.lines().filter(|line| !line.starts_with('#') && !line.starts_with("date"));
    rows.map(|row| row.split(',').next().unwrap_or_default().parse()).collect()
}

#[cfg(test)]
mod tests {
    use fallow_domain::calendar::hold_until;
    use jiff::{Timestamp, ToSpan as _};

    use super::*;

    #[test]
    fn holds_end_in_london_working_time() {
        let calendar = england().unwrap();
        for (at, hold, ends, why) in [
            ("2026-11-24T10:00:00Z", "4wh", "2026-11-24T14:00:00Z", "a winter day"),
            ("2026-11-27T16:00:00Z", "4wh", "2026-11-30T12:00:00Z", "over a weekend"),
            (
                "2026-06-01T08:00:00Z",
                "4wh",
                "2026-06-01T12:00:00Z",
                "a summer day: nine in London is eight in UTC",
            ),
            ("2026-12-24T15:00:00Z", "4wh", "2026-12-29T11:00:00Z", "over Christmas and its substitute day"),
            (
                "2027-03-25T16:00:00Z",
                "2wh",
                "2027-03-30T09:00:00Z",
                "over Easter and the change to summer time",
            ),
            (
                "2026-04-02T16:00:00Z",
                "1wd",
                "2026-04-07T16:00:00Z",
                "a day from Maundy Thursday, 17:00 in London",
            ),
            ("2044-12-20T10:00:00Z", "1wh", "2044-12-20T11:00:00Z", "far beyond what is announced"),
        ] {
            let at: Timestamp = at.parse().unwrap();
            let ends: Timestamp = ends.parse().unwrap();
            assert_eq!(hold_until(at, hold.parse().unwrap(), &calendar), Ok(ends), "{why}");
        }
    }

    #[test]
    fn the_listed_holidays_are_those_of_the_rules() {
        let listed = bank_holidays().unwrap();
        let years: BTreeSet<i16> = listed.iter().map(|day| day.year()).collect();
        assert_eq!(years, (2025..=2028).collect());
        let by_rule: BTreeSet<Date> = years.into_iter().flat_map(regular).collect();
        assert_eq!(listed, by_rule);
    }

    /// The eight regular bank holidays of a year.
    fn regular(year: i16) -> [Date; 8] {
        let monday = |month, nth| date(year, month, 1).nth_weekday_of_month(nth, Weekday::Monday).unwrap();
        // A holiday on a weekend moves to the next weekday that is not one itself.
        let weekday = |mut day: Date, taken: Option<Date>| {
            while matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) || Some(day) == taken {
                day = day.tomorrow().unwrap();
            }
            day
        };
        let easter = easter_sunday(year);
        let christmas = date(year, 12, 25);
        let (christmas_off, boxing_off) = if christmas.weekday() == Weekday::Sunday {
            // Boxing Day keeps its own day, and Christmas takes the one after.
            (date(year, 12, 27), date(year, 12, 26))
        } else {
            let first = weekday(christmas, None);
            (first, weekday(date(year, 12, 26), Some(first)))
        };
        [
            weekday(date(year, 1, 1), None),
            easter.checked_sub(2.days()).unwrap(),
            easter.tomorrow().unwrap(),
            monday(5, 1),
            monday(5, -1),
            monday(8, -1),
            christmas_off,
            boxing_off,
        ]
    }

    /// The anonymous Gregorian computus (Meeus, Astronomical Algorithms, chapter 8).
    fn easter_sunday(year: i16) -> Date {
        let y = i32::from(year);
        let (a, b, c) = (y % 19, y / 100, y % 100);
        let (d, e) = (b / 4, b % 4);
        let g = (b - (b + 8) / 25 + 1) / 3;
        let h = (19 * a + b - d - g + 15) % 30;
        let (i, k) = (c / 4, c % 4);
        let l = (32 + 2 * e + 2 * i - h - k) % 7;
        let m = (a + 11 * h + 22 * l) / 451;
        let n = h + l - 7 * m + 114;
        date(year, i8::try_from(n / 31).unwrap(), i8::try_from(n % 31 + 1).unwrap())
    }
}
