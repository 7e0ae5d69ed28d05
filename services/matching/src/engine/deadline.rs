//! When the engine has to look again although nothing changes.

use fallow_domain::decide::need::REVIEW_GRACE;
use fallow_domain::offer::OfferState;
use jiff::{SignedDuration, Timestamp};

use super::chores::{Answered, can_be_given_up};
use crate::facts::Facts;

/// The least that a time must be over before it is over: needed-by and staleness count from just after.
const JUST_AFTER: SignedDuration = SignedDuration::from_millis(1);

/// Returns the next time after now at which something is to be done, or another plan may be possible, of itself.
#[must_use]
pub fn next_deadline(facts: &Facts) -> Option<Timestamp> {
    let answered = Answered::of(facts);
    let holds = facts.holds.values().map(|hold| hold.held_until);
    let offers = facts.offers.values().flat_map(|offer| {
        let stale_after = offer.cadence.checked_mul(2).and_then(|two| add(offer.reported_at, two));
        let suspended = offer.suspension.as_ref().filter(|_| offer.state == OfferState::Suspended);
        [
            Some(offer.window.until).filter(|_| !answered.offers.contains(&offer.id)),
            stale_after.and_then(|at| add(at, JUST_AFTER)),
            // A session that has begun takes nobody any more.
            offer.window.from.and_then(|from| add(from, JUST_AFTER)),
            offer.release_at,
            suspended.and_then(|suspension| suspension.until),
        ]
    });
    let needs = facts.needs.values().flat_map(|need| {
        let can_end = can_be_given_up(need.state) && !answered.needs.contains(&need.id);
        [
            need.needed_by.filter(|_| can_end).and_then(|by| add(by, JUST_AFTER)),
            need.review_at.and_then(|review| add(review, REVIEW_GRACE)),
        ]
    });
    let returns =
        facts.transfers.values().map(|transfer| transfer.return_plan.as_ref().and_then(|plan| plan.due_at));
    let all = holds.map(Some).chain(offers).chain(needs).chain(returns);
    all.flatten().filter(|at| *at > facts.at).min()
}

fn add(at: Timestamp, more: SignedDuration) -> Option<Timestamp> {
    at.checked_add(more).ok()
}
