//! How often each resource of each trust was late: by the hours that were taken down, and since then by the log.

use std::collections::BTreeMap;

use fallow_api::convert::request::number_to_wire;
use fallow_api::convert::time;
use fallow_api::v1;
use fallow_domain::ids::TrustCode;
use fallow_domain::monitor::lateness::{self, Late, TOLD_OVER};
use fallow_domain::records::Records;
use fallow_domain::resource::ResourceKey;
use fallow_domain::situation::Situation;
use jiff::{SignedDuration, Timestamp};

use crate::chronicle::Chronicle;
use crate::kept::Shelf;

/// How often each resource of each trust was late.
type Times = BTreeMap<(TrustCode, ResourceKey), u64>;

/// How often everything was late.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lateness {
    /// From when on it is counted without a gap.
    from: Timestamp,
    times: Times,
}

impl Lateness {
    /// Counts back from a time, for [`TOLD_OVER`] or as far as it is known without a gap.
    pub(crate) fn of(shelf: &Shelf, chronicle: &Chronicle, records: &Records, at: Timestamp) -> Self {
        let back = at.saturating_sub(TOLD_OVER).unwrap_or(at);
        let hours = shelf.hours_within(back, at).filter_map(|hour| Some((hour.at, hour.late.as_deref()?)));
        let since = |from: Timestamp| {
            let ended = chronicle.lapses_after(from)?;
            let standing: Vec<_> =
                records.offers.values().filter_map(|offer| lateness::standing(offer, at)).collect();
            Some(lateness::times(ended.iter().chain(&standing), from, at))
        };
        Self::by(&hours.collect(), since, chronicle.held_from(), at)
    }

    /// Counts by the hours of [`TOLD_OVER`] that were taken down, by their ends, and by the log, which is held from a time on:
    /// `since` counts from a time until now, `None` where not all of that is held.
    fn by(
        hours: &BTreeMap<Timestamp, &[Late]>,
        since: impl Fn(Timestamp) -> Option<Times>,
        held_from: Option<Timestamp>,
        at: Timestamp,
    ) -> Self {
        let back = at.saturating_sub(TOLD_OVER).unwrap_or(at);
        let joined = hours
            .keys()
            .next_back()
            .filter(|end| held_from.is_some_and(|held| held <= **end))
            .and_then(|end| Some((*end, since(*end)?)));
        let Some((end, times)) = joined else {
            let from = held_from.map_or(at, |held| back.max(held).min(at));
            return since(from)
                .map_or_else(|| Self { from: at, times: Times::new() }, |times| Self { from, times });
        };
        let mut counted = Self { from: end, times };
        for (end, late) in hours.iter().rev() {
            // What was before a gap is not added: nobody could say of when the sum is.
            if *end != counted.from {
                break;
            }
            for row in *late {
                *counted.times.entry((row.trust, row.resource.clone())).or_default() += row.times;
            }
            counted.from = end.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(*end);
        }
        counted.from = counted.from.max(back);
        counted
    }

    /// Writes it into the cells of a situation, which are in the order of those they were made of.
    pub(crate) fn put(&self, situation: &Situation, told: &mut v1::Situation) {
        told.late_counted_from = Some(time::to_wire(self.from));
        for (key, cell) in situation.cells.keys().zip(&mut told.cells) {
            cell.late_7d = number_to_wire(self.times.get(key).copied().unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(n: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 30 + n)
    }

    fn times(times: u64) -> Times {
        [(("ZA1".parse().unwrap(), "BED/GA_ADULT".parse().unwrap()), times)].into()
    }

    /// Counts at half past an hour by hours that ended, in each of which it became late once; since then it did twice.
    fn counted(ends: impl IntoIterator<Item = i64>, held_from: i64, now: i64) -> (i64, u64) {
        let late =
            [Late { trust: "ZA1".parse().unwrap(), resource: "BED/GA_ADULT".parse().unwrap(), times: 1 }];
        let hours = ends.into_iter().map(|end| (hour(end), &late[..])).collect();
        let since = |from: Timestamp| (from >= hour(held_from)).then(|| times(2));
        let at = hour(now) + SignedDuration::from_mins(30);
        let found = Lateness::by(&hours, since, Some(hour(held_from)), at);
        let from = found.from.duration_since(hour(0)).as_mins();
        (from, found.times.values().sum())
    }

    #[test]
    fn hours_that_were_taken_down_and_the_log_after_them_are_added_up() {
        assert_eq!(counted(1..=20, 20, 20), (0, 22), "a log of what is after the last hour is enough");
        assert_eq!(counted(1..=20, 0, 20), (0, 22), "what both tell of counts once");
        assert_eq!(counted([], 5, 20), (5 * 60, 2), "no hour has ended yet");
    }

    #[test]
    fn what_lies_before_a_gap_is_not_told_of() {
        assert_eq!(counted((1..=10).chain(13..=20), 20, 20), (12 * 60, 10), "two hours without a monitor");
        let later = hour(22) + SignedDuration::from_mins(10);
        let since = |from: Timestamp| (from >= later).then(|| times(2));
        let hours = BTreeMap::from([(hour(20), &[][..])]);
        let found = Lateness::by(&hours, since, Some(later), hour(23));
        assert_eq!(found, Lateness { from: later, times: times(2) }, "the log begins after the last hour");
        let unread = Lateness::by(&hours, |_| None, None, hour(23));
        assert_eq!(unread, Lateness { from: hour(23), times: Times::new() }, "nothing is known yet");
    }

    #[test]
    fn no_more_than_a_week_is_told() {
        let (from, sum) = counted(1..=200, 0, 200);
        assert_eq!(from, 32 * 60 + 30);
        assert!(sum >= 2 + 168, "{sum}");
    }
}
