//! Who goes first: the band, and within it points for waiting, risk and deprivation.

use jiff::{SignedDuration, Timestamp};

use crate::need::{Need, Priority};
use crate::policy::Policy;

/// Where a need stands: the smaller, the earlier it is served. Needs of equal rank are of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// The band.
    pub band: Priority,
    /// Higher scores come first.
    pub score: std::cmp::Reverse<i64>,
}

/// Returns the rank of a need.
#[must_use]
pub fn rank(need: &Need, policy: &Policy, at: Timestamp) -> Rank {
    Rank { band: need.priority, score: std::cmp::Reverse(score(need, policy, at)) }
}

/// Returns the points of a need within its band: the share of the band's limit it has waited, in percent, rounded down,
/// and what risk and deprivation add.
#[must_use]
pub fn score(need: &Need, policy: &Policy, at: Timestamp) -> i64 {
    waiting_points(need, policy, at) + risk_points(need, policy) + equity_points(need, policy)
}

/// Returns the time from which the need's rank may be another one because it has waited longer.
#[must_use]
pub fn rank_holds_until(need: &Need, policy: &Policy, at: Timestamp) -> Timestamp {
    // One percent of a limit of so many seconds is that many hundredths of a second.
    let points = waiting_points(need, policy, at).saturating_add(1);
    let limit = i64::from(policy.limit_hours.of(need.priority).max(1)) * 3_600;
    let waited = SignedDuration::from_millis(points.saturating_mul(limit).saturating_mul(10));
    need.listed_at.checked_add(waited).unwrap_or(Timestamp::MAX)
}

fn waiting_points(need: &Need, policy: &Policy, at: Timestamp) -> i64 {
    let waited = at.duration_since(need.listed_at);
    // In hundredths of a second, rounded down, which changes no whole percent of a limit in whole seconds.
    let waited = waited.as_secs() * 100 + i64::from(waited.subsec_nanos()) / 10_000_000;
    waited.max(0) / (i64::from(policy.limit_hours.of(need.priority).max(1)) * 3_600)
}

#[allow(clippy::cast_possible_truncation)] // at most the weight, which is at most 1,000
fn risk_points(need: &Need, policy: &Policy) -> i64 {
    let value = need.risk.as_ref().map_or(0.0, |risk| risk.value.clamp(0.0, 100.0));
    (f64::from(policy.risk_weight) * value / 100.0).floor() as i64
}

fn equity_points(need: &Need, policy: &Policy) -> i64 {
    let Some(decile) = need.imd_decile.filter(|decile| (1..=10).contains(decile)) else { return 0 };
    (i64::from(policy.equity_weight) * (10 - i64::from(decile)) / 9).min(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::examples::{AT, need};
    use crate::need::Risk;

    fn at() -> Timestamp {
        AT.parse().unwrap()
    }

    fn points(change: impl FnOnce(&mut Need), policy: &Policy) -> i64 {
        let mut need = need("N1");
        need.listed_at = at();
        change(&mut need);
        score(&need, policy, at())
    }

    #[test]
    fn waiting_counts_in_percent_of_the_bands_limit_rounded_down() {
        let policy = Policy::default();
        let waited = |priority, seconds: i64| {
            points(
                |n| (n.priority, n.listed_at) = (priority, at() - jiff::SignedDuration::from_secs(seconds)),
                &policy,
            )
        };
        assert_eq!(waited(Priority::P1A, 86_400), 100);
        assert_eq!(waited(Priority::P1A, 86_399), 99);
        assert_eq!(waited(Priority::P1A, 864), 1);
        assert_eq!(waited(Priority::P1A, 863), 0);
        assert_eq!(waited(Priority::P2, 28 * 86_400), 100);
        assert_eq!(waited(Priority::P3, 91 * 86_400), 100);
        assert_eq!(waited(Priority::P4, 126 * 86_400 * 2), 200);
        assert_eq!(waited(Priority::P2, -86_400), 0, "listed in the future");
    }

    #[test]
    fn a_rank_holds_until_a_percent_more_has_been_waited() {
        let policy = Policy::default();
        for (priority, seconds) in
            [(Priority::P1A, 0), (Priority::P1A, 863), (Priority::P2, 864), (Priority::P4, -5)]
        {
            let mut need = need("N1");
            need.priority = priority;
            need.listed_at = at() - SignedDuration::from_secs(seconds);
            let until = rank_holds_until(&need, &policy, at());
            let just_before = until - SignedDuration::from_nanos(1);
            assert_eq!(
                score(&need, &policy, just_before),
                score(&need, &policy, at()),
                "{priority} {seconds}"
            );
            assert_eq!(score(&need, &policy, until), score(&need, &policy, at()) + 1, "{priority} {seconds}");
        }
    }

    #[test]
    fn risk_and_deprivation_add_points_up_to_their_limits() {
        let policy = Policy { risk_weight: 7, equity_weight: 20, ..Policy::default() };
        let risk = |value| Some(Risk { value, source: crate::ids::Label::parse("score").unwrap(), at: None });
        assert_eq!(points(|n| n.risk = risk(50.0), &policy), 3);
        assert_eq!(points(|n| n.risk = risk(1e9), &policy), 7);
        assert_eq!(points(|n| n.risk = risk(-5.0), &policy), 0);
        let decile = |decile| points(|n| n.imd_decile = decile, &policy);
        assert_eq!(
            [decile(None), decile(Some(10)), decile(Some(9)), decile(Some(7)), decile(Some(1))],
            [0, 0, 2, 6, 10]
        );
    }

    #[test]
    fn a_band_is_never_crossed() {
        let policy = Policy { risk_weight: 1_000, equity_weight: 1_000, ..Policy::default() };
        for bands in Priority::ALL.windows(2) {
            let urgent = Need { priority: bands[0], ..need("N1") };
            let waited = Need { priority: bands[1], listed_at: Timestamp::MIN, ..need("N2") };
            assert!(rank(&urgent, &policy, at()) < rank(&waited, &policy, at()), "{bands:?}");
        }
    }
}
