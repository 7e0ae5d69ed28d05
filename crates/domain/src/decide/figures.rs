//! What a report does to an offer's account.

use jiff::{SignedDuration, Timestamp};

use crate::offer::{Baseline, Figures, Offer, Source};
use crate::quantity::Count;
use crate::refusal::{Refusal, reason};
use crate::resource::ResourceKind;

/// A report may be dated so far ahead of our clock: clocks differ.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_secs(60);
/// Within this time a change is measured from where it began.
pub const LARGE_CHANGE_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// A change of at most so many units is never large.
pub const LARGE_CHANGE_UNITS: u32 = 10;
/// A theatre session is counted in minutes: this many stand for one unit.
const THEATRE_UNIT_MINUTES: u32 = 60;

/// Refuses a report that is too old, from the future, or older than the last from its source.
pub(crate) fn check_time(
    offer: Option<&Offer>,
    (source, reported_at, cadence): (Source, Timestamp, SignedDuration),
    at: Timestamp,
) -> Result<(), Refusal> {
    if reported_at.duration_since(at) > AHEAD_MAX {
        return Err(Refusal::new(reason::SOURCE_AHEAD, "the report is dated more than a minute ahead")
            .with("reported_at", reported_at)
            .with("now", at));
    }
    let two = cadence.checked_mul(2).unwrap_or(SignedDuration::MAX);
    if at.duration_since(reported_at) > two {
        return Err(Refusal::new(reason::SOURCE_STALE, "the report is older than two cadences")
            .with("reported_at", reported_at)
            .with("cadence_minutes", cadence.as_mins()));
    }
    let last = offer.and_then(|o| o.recent.reports.get(&source));
    match last {
        Some(last) if reported_at < *last && binds(*last, at) => {
            Err(Refusal::new(reason::OUT_OF_ORDER_FEED, "this source has reported since").with("last", last))
        }
        Some(_) | None => Ok(()),
    }
}

/// Says whether what was last said, dated so, binds what is said now. A date of more than a minute ahead would have been
/// refused: then a clock was wrong, and nobody waits until it is right.
pub(crate) fn binds(last: Timestamp, at: Timestamp) -> bool {
    last.duration_since(at) <= AHEAD_MAX
}

/// Refuses a change of more than half and more than ten units within five minutes, unless it was confirmed, and moves
/// the baseline from which the next change is measured.
pub(crate) fn check_large_change(
    offer: &mut Offer,
    before: Figures,
    is_confirmed: bool,
    at: Timestamp,
) -> Result<(), Refusal> {
    let baseline = match offer.recent.baseline {
        Some(baseline) if at.duration_since(baseline.at) < LARGE_CHANGE_WITHIN => baseline,
        Some(_) | None => Baseline { at, usable: before.usable() },
    };
    let after = offer.figures.usable();
    let (old, new) = (u64::from(baseline.usable.get()), u64::from(after.get()));
    let moved = old.abs_diff(new);
    let is_large = moved > u64::from(large_change_floor(offer.resource.kind)) && moved * 2 > old;
    if is_large && !is_confirmed {
        return Err(Refusal::new(
            reason::LARGE_CHANGE,
            format!(
                "{old} usable become {new} within five minutes: publish again and confirm the large change"
            ),
        )
        .with("before", old)
        .with("after", new));
    }
    offer.recent.baseline = Some(if is_large { Baseline { at, usable: after } } else { baseline });
    Ok(())
}

const fn large_change_floor(kind: ResourceKind) -> u32 {
    if kind.is_minutes() { LARGE_CHANGE_UNITS * THEATRE_UNIT_MINUTES } else { LARGE_CHANGE_UNITS }
}

/// Counts into a report the units that arrived after it was made, and forgets the arrivals it has counted itself.
pub(crate) fn occupied_with_arrivals(offer: &mut Offer, occupied: Count, reported_at: Timestamp) -> Count {
    offer.recent.arrivals.retain(|arrival| arrival.at > reported_at);
    offer
        .recent
        .arrivals
        .iter()
        .fold(occupied, |sum, arrival| sum.plus(arrival.units).unwrap_or(Count::new(u32::MAX)))
}

/// Moves free by `by`: lowers occupied (raises it for a negative number), and staffed takes the part that would carry
/// occupied below 0.
pub(crate) fn move_free(figures: &mut Figures, by: i64) -> Result<(), Refusal> {
    let out_of_range = || {
        Refusal::new(reason::OUT_OF_RANGE, "the difference is larger than an account can hold")
            .with("value", by)
            .with("max", u32::MAX)
    };
    let units = u32::try_from(by.unsigned_abs()).map(Count::new).map_err(|_| out_of_range())?;
    if by < 0 {
        figures.occupied = figures.occupied.plus(units).ok_or_else(out_of_range)?;
        return Ok(());
    }
    let from_occupied = units.min(figures.occupied);
    figures.occupied = figures.occupied.less(from_occupied);
    figures.staffed = figures.staffed.plus(units.less(from_occupied)).ok_or_else(out_of_range)?;
    Ok(())
}
