//! When the engine has to look again although nothing changes.

use fallow_domain::decide::need::REVIEW_GRACE;
use fallow_domain::offer::OfferState;
use jiff::{SignedDuration, Timestamp};

use super::chores::{Timed, can_be_given_up, is_answered_for, timed};
use super::parts::Parts;
use crate::facts::Facts;

/// The least that a time must be over before it is over: needed-by and staleness count from just after.
const JUST_AFTER: SignedDuration = SignedDuration::from_nanos(1);
const DAY_NS: i128 = 86_400 * 1_000_000_000;

/// Returns the next time after now at which something is to be done, or another plan may be possible, of itself. It looks
/// at everything; the live engine keeps the times in order.
#[must_use]
pub fn next_deadline(facts: &Facts) -> Option<Timestamp> {
    let parts = Parts::of(facts);
    timed(facts).filter_map(|record| deadline_of(facts, &parts, &record)).min()
}

/// Returns the next time after now at which something is to be done with a record, or another plan may be possible.
pub(super) fn deadline_of(facts: &Facts, parts: &Parts, record: &Timed) -> Option<Timestamp> {
    let times = match record {
        Timed::Hold(id) => [facts.holds.get(id).map(|hold| hold.held_until), None, None, None, None],
        Timed::Offer(id) => {
            let offer = facts.offers.get(id)?;
            let stale_after = offer.cadence.checked_mul(2).and_then(|two| add(offer.reported_at, two));
            let suspended = offer.suspension.as_ref().filter(|_| offer.state == OfferState::Suspended);
            [
                Some(offer.window.until).filter(|_| !is_answered_for(facts, parts.holds_on(id))),
                stale_after.and_then(|at| add(at, JUST_AFTER)),
                // A session that has begun takes nobody any more.
                offer.window.from.and_then(|from| add(from, JUST_AFTER)),
                offer.release_at,
                suspended.and_then(|suspension| suspension.until),
            ]
        }
        Timed::Need(id) => {
            let need = facts.needs.get(id)?;
            let can_end = can_be_given_up(need.state) && !is_answered_for(facts, parts.holds_for(id));
            let given_up = need.needed_by.filter(|_| can_end).and_then(|by| add(by, JUST_AFTER));
            [given_up, need.review_at.and_then(|review| add(review, REVIEW_GRACE)), None, None, None]
        }
        Timed::Transfer(id) => {
            let transfer = facts.transfers.get(id)?;
            [transfer.return_plan.as_ref().and_then(|plan| plan.due_at), None, None, None, None]
        }
    };
    times.into_iter().flatten().filter(|at| *at > facts.at).min()
}

/// Returns the next time after now at which an offer comes a day nearer to those who wait, and so costs them less: nothing
/// to wake for, but to be looked at when the engine next looks.
pub(super) fn comes_nearer_at(facts: &Facts, record: &Timed) -> Option<Timestamp> {
    let Timed::Offer(id) = record else { return None };
    let from = facts.offers.get(id)?.window.from?;
    let days = from.as_nanosecond().saturating_sub(facts.at.as_nanosecond()) / DAY_NS;
    // Within the last day it comes no nearer.
    let days = i64::try_from(days).ok().filter(|days| *days > 0)?;
    add(from.checked_sub(SignedDuration::from_hours(24 * days)).ok()?, JUST_AFTER)
}

fn add(at: Timestamp, more: SignedDuration) -> Option<Timestamp> {
    at.checked_add(more).ok()
}
