//! What a placement costs people, in points, term by term.

use jiff::Timestamp;

use crate::policy::Policy;
use crate::resource::Level;

/// The terms of the burden of one unit, without fairness, which depends on the whole plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Burden {
    /// One point a minute of travel.
    pub travel: u32,
    /// Points for the days from the need's time to the offer's start.
    pub delay: u32,
    /// Points for the supporting trust's declared OPEL.
    pub opel: u32,
    /// Points for the levels of care above the need's.
    pub level: u32,
}

impl Burden {
    /// Returns the sum of the terms.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.travel.saturating_add(self.delay).saturating_add(self.opel).saturating_add(self.level)
    }
}

/// Returns the whole days from the need's time to the offer's start, rounded down, never below 0.
#[must_use]
pub fn delay_days(start: Timestamp, from: Option<Timestamp>) -> u32 {
    let Some(from) = from else { return 0 };
    // Whole seconds, rounded down: what is left of a second ends no day.
    let part = i64::from(from.subsec_nanosecond() - start.subsec_nanosecond());
    let seconds = from.as_second() - start.as_second() + part.div_euclid(1_000_000_000);
    u32::try_from(seconds.max(0) / 86_400).unwrap_or(u32::MAX)
}

/// Returns the points for a declared OPEL of 1 to 4; a trust that has declared none counts as 1.
#[must_use]
pub fn opel_points(policy: &Policy, declared: Option<u8>) -> u32 {
    let place = usize::from(declared.unwrap_or(1).clamp(1, 4) - 1);
    policy.opel_points[place]
}

/// Returns how many levels of care the offer gives above those needed.
#[must_use]
pub fn levels_above(needed: Option<Level>, offered: Option<Level>) -> u32 {
    let number = |level: Option<Level>| u32::from(level.map_or(0, Level::get));
    number(offered).saturating_sub(number(needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_and_never_negative() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let start = at("2026-11-24T08:00:00Z");
        let days = |from| delay_days(start, Some(at(from)));
        assert_eq!(days("2026-11-24T07:00:00Z"), 0);
        assert_eq!(days("2026-11-25T07:59:59.999Z"), 0);
        assert_eq!(days("2026-11-25T08:00:00Z"), 1);
        assert_eq!(days("2026-12-01T08:00:00Z"), 7);
        assert_eq!(delay_days(start, None), 0);
    }

    #[test]
    fn no_declared_opel_counts_as_one() {
        let policy = Policy { opel_points: [1, 4, 15, 40], ..Policy::default() };
        let points = [None, Some(1), Some(2), Some(3), Some(4)].map(|opel| opel_points(&policy, opel));
        assert_eq!(points, [1, 1, 4, 15, 40]);
    }

    #[test]
    fn only_levels_above_the_need_cost() {
        let level = |n| Level::new(n);
        assert_eq!(levels_above(level(2), level(3)), 1);
        assert_eq!(levels_above(level(1), level(3)), 2);
        assert_eq!(levels_above(level(3), level(2)), 0);
        assert_eq!(levels_above(None, None), 0);
    }
}
