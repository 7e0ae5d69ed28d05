//! Clocks of a need, computed and never typed in: when its band is breached, and which waiting-time limits it has passed.

use jiff::{SignedDuration, Timestamp};

use crate::need::{Need, Pathway, Priority};
use crate::policy::LimitHours;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Returns when a band is breached, counted from the day of listing.
#[must_use]
pub fn breach_at(priority: Priority, listed_at: Timestamp, limits: &LimitHours) -> Timestamp {
    let limit = SignedDuration::from_hours(i64::from(limits.of(priority)));
    listed_at.checked_add(limit).unwrap_or(Timestamp::MAX)
}

/// Returns the limits of a waiting clock in days, shortest first: RTT 18, 52, 65, 78 and 104 weeks, DM01 6 and 13 weeks,
/// cancer 28, 31 and 62 days.
#[must_use]
pub const fn limits_days(pathway: Pathway) -> &'static [u32] {
    match pathway {
        Pathway::Rtt => &[18 * 7, 52 * 7, 65 * 7, 78 * 7, 104 * 7],
        Pathway::Dm01 => &[6 * 7, 13 * 7],
        Pathway::Cancer => &[28, 31, 62],
    }
}

/// Where a need stands on its waiting clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Which clock.
    pub pathway: Pathway,
    /// Whole days since listing.
    pub waited_days: u32,
    /// The longest limit that has passed, in days; `None` = none yet. A limit passes when its last day is over.
    pub passed_days: Option<u32>,
    /// The next limit, in days, and when it passes; `None` = all have.
    pub next: Option<(u32, Timestamp)>,
}

/// Returns where a need stands on its waiting clock, or `None` when no clock runs for it.
#[must_use]
pub fn waiting(need: &Need, at: Timestamp) -> Option<Waiting> {
    let pathway = need.pathway?;
    let ends = |days: u32| {
        let limit = SignedDuration::from_hours(24 * i64::from(days));
        need.listed_at.checked_add(limit).unwrap_or(Timestamp::MAX)
    };
    let limits = limits_days(pathway);
    Some(Waiting {
        pathway,
        waited_days: waited_days(need, at),
        passed_days: limits.iter().copied().rev().find(|days| at >= ends(*days)),
        next: limits.iter().copied().find(|days| at < ends(*days)).map(|days| (days, ends(days))),
    })
}

/// Returns the whole days since a need was listed, never below 0.
#[must_use]
pub fn waited_days(need: &Need, at: Timestamp) -> u32 {
    let waited = at.duration_since(need.listed_at).as_secs().max(0) / DAY.as_secs();
    u32::try_from(waited).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::{monday, new_need};

    fn days(n: i64) -> SignedDuration {
        SignedDuration::from_hours(24 * n)
    }

    #[test]
    fn the_band_fixes_the_breach() {
        let limits = LimitHours::default();
        for (priority, hours) in [
            (Priority::P1A, 24),
            (Priority::P1B, 72),
            (Priority::P2, 28 * 24),
            (Priority::P3, 91 * 24),
            (Priority::P4, 126 * 24),
        ] {
            let expected = monday() + SignedDuration::from_hours(hours);
            assert_eq!(breach_at(priority, monday(), &limits), expected, "{priority}");
        }
    }

    #[test]
    fn limits_pass_one_after_another() {
        let mut need = new_need("ZA1", "n", 1, monday());
        assert_eq!(waiting(&need, monday()), None);
        need.pathway = Some(Pathway::Cancer);
        for (day, passed, next) in
            [(0, None, Some(28)), (27, None, Some(28)), (28, Some(28), Some(31)), (62, Some(62), None)]
        {
            let found = waiting(&need, monday() + days(day)).unwrap();
            assert_eq!(i64::from(found.waited_days), day);
            assert_eq!((found.passed_days, found.next.map(|(days, _)| days)), (passed, next), "{day}");
        }
        need.pathway = Some(Pathway::Rtt);
        let found = waiting(&need, monday() + days(365)).unwrap();
        assert_eq!(found.passed_days, Some(52 * 7));
        assert_eq!(found.next, Some((65 * 7, monday() + days(65 * 7))));
        assert_eq!(waited_days(&need, monday() - days(2)), 0);
    }
}
