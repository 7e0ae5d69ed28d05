//! No new holds for a while, and new holds again.

use jiff::Timestamp;

use super::party;
use crate::actor::Actor;
use crate::ids::{Note, OfferId};
use crate::lifecycle::Party;
use crate::lifecycle::offer::{OfferCommand, TABLE};
use crate::offer::{OfferState, Suspension};
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// Suspends some offers until a time, or until the trust says so; live holds run on. Suspending again changes the end
/// and the reason.
///
/// # Errors
/// `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `WINDOW` (the end has passed), `CHANGED_MEANWHILE`; all or nothing.
pub fn suspend(
    read: &Records,
    ids: &[OfferId],
    until: Option<Timestamp>,
    because: &Note,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    if until.is_some_and(|until| until <= at) {
        return Err(Refusal::new(reason::WINDOW, "the end of the suspension has passed"));
    }
    let mut desk = Desk::new(read);
    for id in ids {
        let offer = desk.offer_mut(id)?;
        TABLE.edge(offer.state, OfferCommand::Suspend, party(actor, offer.trust))?;
        offer.state = OfferState::Suspended;
        offer.suspension = Some(Suspension { until, reason: because.clone(), left_out: false });
    }
    Ok(desk.finish())
}

/// Opens some suspended offers: the trust at any time, the engine once the suspension's end has come.
///
/// # Errors
/// `WRONG_SIDE`, `ILLEGAL_TRANSITION` (not suspended), `NOT_YET`, `CHANGED_MEANWHILE`; all or nothing.
pub fn resume(read: &Records, ids: &[OfferId], actor: &Actor, at: Timestamp) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    for id in ids {
        let offer = desk.offer_mut(id)?;
        let by = party(actor, offer.trust);
        TABLE.edge(offer.state, OfferCommand::Resume, by)?;
        let until = offer.suspension.as_ref().and_then(|s| s.until);
        if by == Party::Engine && until.is_none_or(|until| at < until) {
            let refusal = Refusal::new(reason::NOT_YET, "the suspension has not ended");
            return Err(match until {
                Some(until) => refusal.with("not_before", until),
                None => refusal,
            });
        }
        offer.state = OfferState::Open;
        offer.suspension = None;
    }
    Ok(desk.finish())
}
