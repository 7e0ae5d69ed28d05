//! When a hold ends: on the clock, or in working time by a calendar that is worked out outside the core.

use jiff::{SignedDuration, Timestamp};

use crate::policy::HoldTime;
use crate::refusal::{Refusal, reason};

/// The length of a working day: 09:00 to 17:00.
pub const WORKING_DAY: SignedDuration = SignedDuration::from_hours(8);

/// When people are at work: whoever knows the time zone and the bank holidays works it out, so that the core does not
/// have to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkingCalendar {
    intervals: Vec<(Timestamp, Timestamp)>,
}

impl WorkingCalendar {
    /// Makes a calendar from working intervals, each from its start until its end, oldest first and not overlapping.
    ///
    /// # Errors
    /// Says when they are not.
    pub fn new(intervals: Vec<(Timestamp, Timestamp)>) -> Result<Self, &'static str> {
        if intervals.iter().any(|(start, end)| start >= end) {
            return Err("every working interval must end after it starts");
        }
        if intervals.windows(2).any(|pair| matches!(pair, [(_, end), (start, _)] if end > start)) {
            return Err("working intervals must be in order and must not overlap");
        }
        Ok(Self { intervals })
    }

    /// Returns the time at which so much working time has passed since `at`, or `None` when the calendar ends before.
    /// An amount that ends with a working day ends there, not at the start of the next.
    #[must_use]
    pub fn after(&self, at: Timestamp, working: SignedDuration) -> Option<Timestamp> {
        let first = self.intervals.partition_point(|(_, end)| *end <= at);
        let mut left = working;
        for (start, end) in self.intervals.get(first..)? {
            let from = at.max(*start);
            let length = end.duration_since(from);
            if left <= length {
                return from.checked_add(left).ok();
            }
            left = left.checked_sub(length)?;
        }
        None
    }

    /// Returns how much working time there is from one time until another, as far as the calendar reaches.
    #[must_use]
    pub fn between(&self, from: Timestamp, until: Timestamp) -> SignedDuration {
        let first = self.intervals.partition_point(|(_, end)| *end <= from);
        let within = self.intervals.iter().skip(first).take_while(|(start, _)| *start < until);
        let lengths = within.map(|(start, end)| until.min(*end).duration_since(from.max(*start)));
        lengths.fold(SignedDuration::ZERO, SignedDuration::saturating_add)
    }
}

/// Returns when a hold of a length that starts at `at` ends. Minutes are plain clock time; a working day counts as
/// [`WORKING_DAY`] of working time.
///
/// # Errors
/// `CALENDAR_ENDS` when the calendar does not reach that far.
pub fn hold_until(at: Timestamp, hold: HoldTime, calendar: &WorkingCalendar) -> Result<Timestamp, Refusal> {
    let ends = match hold {
        HoldTime::Minutes(minutes) => at.checked_add(SignedDuration::from_mins(i64::from(minutes))).ok(),
        HoldTime::WorkingHours(hours) => calendar.after(at, SignedDuration::from_hours(i64::from(hours))),
        HoldTime::WorkingDays(days) => WORKING_DAY
            .checked_mul(i32::try_from(days).unwrap_or(i32::MAX))
            .and_then(|w| calendar.after(at, w)),
    };
    ends.ok_or_else(|| {
        Refusal::new(reason::CALENDAR_ENDS, format!("the working calendar ends within {hold} of {at}"))
    })
}

/// Returns when to remind a trust that has not answered: after a sixth and after a third of the hold.
#[must_use]
pub fn reminders(proposed_at: Timestamp, held_until: Timestamp) -> [Timestamp; 2] {
    let whole = held_until.duration_since(proposed_at);
    [6, 3].map(|part| proposed_at.checked_add(whole / part).unwrap_or(held_until))
}

/// Returns when to remind within a hold in working time: after a sixth and after a third of the working time that it
/// really has, also where its offer or an agreement ends it sooner, so that nobody is reminded at night or on a Sunday and it
/// counts as told. `None` of a hold on the clock, and of one without any working time: those are reminded of as the clock
/// goes ([`reminders`]).
#[must_use]
pub fn working_reminders(
    proposed_at: Timestamp,
    hold: HoldTime,
    held_until: Timestamp,
    calendar: &WorkingCalendar,
) -> Option<[Timestamp; 2]> {
    let whole = match hold {
        HoldTime::Minutes(_) => return None,
        HoldTime::WorkingHours(_) | HoldTime::WorkingDays(_) => calendar.between(proposed_at, held_until),
    };
    let [sixth, third] = [6, 3].map(|part| calendar.after(proposed_at, whole / part));
    Some([sixth?, third?]).filter(|_| whole > SignedDuration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    /// Monday 23 to Wednesday 25 November, without Tuesday (as if it were a holiday).
    fn calendar() -> WorkingCalendar {
        WorkingCalendar::new(vec![(t("23T09:00"), t("23T17:00")), (t("25T09:00"), t("25T17:00"))]).unwrap()
    }

    #[test]
    fn holds_end_on_the_clock_or_in_working_time() {
        for (at, hold, expected) in [
            ("21T23:55", "10m", "22T00:05"),
            ("23T10:00", "4wh", "23T14:00"),
            ("23T13:00", "4wh", "23T17:00"),
            ("23T15:00", "4wh", "25T11:00"),
            ("21T12:00", "4wh", "23T13:00"),
            ("23T17:00", "1wh", "25T10:00"),
            ("23T10:00", "1wd", "25T10:00"),
            ("22T10:00", "2wd", "25T17:00"),
        ] {
            let hold: HoldTime = hold.parse().unwrap();
            assert_eq!(hold_until(t(at), hold, &calendar()), Ok(t(expected)), "{at} {hold}");
        }
        let refusal = hold_until(t("25T16:00"), HoldTime::WorkingHours(2), &calendar()).unwrap_err();
        assert_eq!(refusal.reason, reason::CALENDAR_ENDS);
    }

    #[test]
    fn a_calendar_is_in_order() {
        assert!(WorkingCalendar::new(vec![(t("23T09:00"), t("23T09:00"))]).is_err());
        let overlapping = vec![(t("23T09:00"), t("23T17:00")), (t("23T16:00"), t("23T18:00"))];
        assert!(WorkingCalendar::new(overlapping).is_err());
    }

    #[test]
    fn a_hold_in_working_time_is_reminded_of_in_working_time() {
        let of = |at: &str, hold: &str, until: &str| {
            working_reminders(t(at), hold.parse().unwrap(), t(until), &calendar())
        };
        // Six hours from the afternoon before a day off: not in the night, and not on the day off.
        assert_eq!(of("23T15:00", "6wh", "25T13:00"), Some([t("23T16:00"), t("23T17:00")]));
        assert_eq!(of("23T16:30", "6wh", "25T14:30"), Some([t("25T09:30"), t("25T10:30")]));
        assert_eq!(of("22T10:00", "2wd", "25T17:00"), Some([t("23T11:40"), t("23T14:20")]));
        assert_eq!(of("23T15:00", "6h", "23T21:00"), None, "the clock's");
        // The offer ends before: a part of the working time that is left, and the clock where there is none.
        assert_eq!(of("23T11:00", "2wd", "24T08:30"), Some([t("23T12:00"), t("23T13:00")]));
        assert_eq!(of("23T16:00", "2wd", "25T11:00"), Some([t("23T16:30"), t("23T17:00")]));
        assert_eq!(of("23T18:00", "2wd", "25T08:30"), None);
    }

    #[test]
    fn working_time_is_counted_between_two_times() {
        let between = |from, until| calendar().between(t(from), t(until)).as_hours();
        assert_eq!(between("22T10:00", "26T10:00"), 16);
        assert_eq!(between("23T10:00", "23T12:00"), 2);
        assert_eq!(between("23T16:00", "25T10:00"), 2);
        assert_eq!(between("23T17:00", "25T09:00"), 0);
    }

    #[test]
    fn reminders_come_at_a_sixth_and_a_third() {
        assert_eq!(reminders(t("23T10:00"), t("23T11:00")), [t("23T10:10"), t("23T10:20")]);
    }
}
