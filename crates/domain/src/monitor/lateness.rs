//! How often somebody's figures were late: the stretches during which an offer was STALE, and how many began in a time.
//!
//! A resource of a trust is late from the moment at which some live offer of it becomes STALE (no report for two of its
//! cadences) until none is, which is what its cell of the situation says. Several offers that are stale at once are late
//! once.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::TrustCode;
use crate::offer::{Freshness, Offer};
use crate::resource::ResourceKey;

/// Over how long it is told how often somebody was late.
pub const TOLD_OVER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Most rows of one hour that are kept.
pub const ROWS_MAX: usize = 4_000;

/// A stretch during which an offer was STALE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapse {
    /// The trust.
    pub trust: TrustCode,
    /// The resource.
    pub resource: ResourceKey,
    /// The last moment at which the offer was not STALE yet.
    pub from: Timestamp,
    /// When it was reported again, or ended; `None` = it still is STALE.
    pub until: Option<Timestamp>,
}

/// How often one resource of a trust became late in an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// The trust.
    #[serde(rename = "t")]
    pub trust: TrustCode,
    /// The resource.
    #[serde(rename = "r")]
    pub resource: ResourceKey,
    /// How often, at least once.
    #[serde(rename = "n")]
    pub times: u64,
}

/// Returns the lapse that a change of an offer at a time ended, or took to another beginning; `None` where the offer was
/// not STALE before, or is as stale as it was. `after` is `None` where the offer is no longer kept.
#[must_use]
pub fn ended(before: &Offer, after: Option<&Offer>, at: Timestamp) -> Option<Lapse> {
    let lapse = standing(before, at)?;
    let goes_on = after.and_then(|after| standing(after, at));
    (goes_on.as_ref() != Some(&lapse)).then_some(Lapse { until: Some(at), ..lapse })
}

/// Returns the lapse of an offer that is live and STALE at a time.
#[must_use]
pub fn standing(offer: &Offer, at: Timestamp) -> Option<Lapse> {
    if offer.state.is_ended() || offer.freshness(at) != Freshness::Stale {
        return None;
    }
    let two = offer.cadence.checked_mul(2)?;
    Some(Lapse {
        trust: offer.trust,
        resource: offer.resource.key(),
        from: offer.reported_at.checked_add(two).ok()?,
        until: None,
    })
}

/// Counts how often each resource of each trust became late, from one time on and before another.
#[must_use]
pub fn times<'a>(
    lapses: impl IntoIterator<Item = &'a Lapse>,
    from: Timestamp,
    until: Timestamp,
) -> BTreeMap<(TrustCode, ResourceKey), u64> {
    let mut of_cell: BTreeMap<(TrustCode, &ResourceKey), Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
    for lapse in lapses {
        let stretch = (lapse.from, lapse.until.unwrap_or(Timestamp::MAX));
        of_cell.entry((lapse.trust, &lapse.resource)).or_default().push(stretch);
    }
    let mut counted = BTreeMap::new();
    for ((trust, resource), mut stretches) in of_cell {
        stretches.sort_unstable();
        let (mut began, mut late_until) = (0, Timestamp::MIN);
        for (start, end) in stretches {
            // Where one offer is reported again while another is still stale, the cell goes on being late.
            began += u64::from(start > late_until && start >= from && start < until);
            late_until = late_until.max(end);
        }
        if began > 0 {
            counted.insert((trust, resource.clone()), began);
        }
    }
    counted
}

/// Returns what is kept of an hour, in order, at most [`ROWS_MAX`] of it.
#[must_use]
pub fn rows(times: BTreeMap<(TrustCode, ResourceKey), u64>) -> Vec<Late> {
    let row = |((trust, resource), times)| Late { trust, resource, times };
    times.into_iter().map(row).take(ROWS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offer::OfferState;
    use crate::test_world::*;

    /// An offer of ZA1 that was reported at a minute and promises a report each hour.
    fn offer(minute: i64) -> Offer {
        let world = World::with(10, 4, 1);
        let mut offer = world.records.offers.values().next().unwrap().clone();
        offer.cadence = SignedDuration::from_hours(1);
        offer.reported_at = at(minute);
        offer
    }

    fn at(minute: i64) -> Timestamp {
        monday() + minutes(minute)
    }

    fn count(lapses: &[Lapse], from: i64, until: i64) -> u64 {
        times(lapses, at(from), at(until)).values().sum()
    }

    #[test]
    fn late_is_after_two_cadences_and_until_the_next_report() {
        assert_eq!(standing(&offer(0), at(120)), None, "ageing is not late");
        let lapse = standing(&offer(0), at(121)).unwrap();
        assert_eq!((lapse.from, lapse.until), (at(120), None));
        let over = ended(&offer(0), Some(&offer(150)), at(150)).unwrap();
        assert_eq!((over.from, over.until), (at(120), Some(at(150))));
        assert_eq!(ended(&offer(0), Some(&offer(110)), at(110)), None, "in time");
        // A hold, or whatever else is written of an offer that nobody reported, ends nothing.
        assert_eq!(ended(&offer(0), Some(&offer(0)), at(150)), None);
        let withdrawn = Offer { state: OfferState::Withdrawn, ..offer(0) };
        assert_eq!(ended(&offer(0), Some(&withdrawn), at(150)).unwrap().until, Some(at(150)));
        assert_eq!(ended(&offer(0), None, at(150)).unwrap().until, Some(at(150)));
        assert_eq!(standing(&withdrawn, at(500)), None, "what has ended is not late");
    }

    #[test]
    fn each_time_counts_once_in_the_hour_in_which_it_began() {
        let first = ended(&offer(0), Some(&offer(150)), at(150)).unwrap();
        let second = standing(&offer(150), at(400)).unwrap();
        let lapses = [first, second];
        assert_eq!(count(&lapses, 0, 600), 2);
        let hours: Vec<u64> = (0..6).map(|hour| count(&lapses, hour * 60, hour * 60 + 60)).collect();
        assert_eq!(hours, [0, 0, 1, 0, 1, 0], "at 2 h, and at 4 h 30 min");
    }

    #[test]
    fn several_offers_that_are_late_at_once_are_late_once() {
        let one = Lapse { until: Some(at(200)), ..standing(&offer(0), at(200)).unwrap() };
        let other = Lapse { from: at(160), until: Some(at(240)), ..one.clone() };
        assert_eq!(count(&[other.clone(), one.clone()], 0, 600), 1, "whatever the order");
        // A late report that is late itself: the same time goes on.
        let next = Lapse { from: at(200), until: None, ..one.clone() };
        assert_eq!(count(&[one.clone(), next], 0, 600), 1);
        let elsewhere = Lapse { trust: "ZA2".parse().unwrap(), ..one.clone() };
        assert_eq!(count(&[one.clone(), elsewhere], 0, 600), 2);
        let after = Lapse { from: at(300), until: None, ..other };
        assert_eq!(count(&[one, after], 0, 600), 2);
    }
}
