//! A trust takes an offer back.

use jiff::Timestamp;

use super::{capacity_committed, committed_transfers, party};
use crate::actor::Actor;
use crate::decide::holds;
use crate::ids::{Note, OfferId};
use crate::lifecycle::offer::{OfferCommand, TABLE};
use crate::offer::OfferState;
use crate::records::{Desk, Records};
use crate::refusal::Refusal;

/// Withdraws an offer. Holds that nobody has answered end SUPERSEDED in the same decision, with the reason given.
///
/// # Errors
/// `CAPACITY_COMMITTED` with the ids of answered proposals and of transfers before arrival; `WRONG_SIDE`,
/// `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn withdraw(
    read: &Records,
    id: &OfferId,
    because: &Note,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let offer = desk.offer(id)?;
    TABLE.edge(offer.state, OfferCommand::Withdraw, party(actor, offer.trust))?;
    withdraw_on(&mut desk, id, because, at)?;
    Ok(desk.finish())
}

/// Withdraws an offer that the acting trust may withdraw.
pub(super) fn withdraw_on(
    desk: &mut Desk<'_>,
    id: &OfferId,
    because: &Note,
    at: Timestamp,
) -> Result<(), Refusal> {
    let (unanswered, answered) = {
        let all = holds::of_offer(desk, id)?;
        holds::split_unanswered(desk, all)?
    };
    let transfers = committed_transfers(desk, id)?;
    if !answered.is_empty() || !transfers.is_empty() {
        return Err(capacity_committed(id, &answered, &transfers));
    }
    holds::supersede_given(desk, &unanswered, id, because, at)?;
    let offer = desk.offer_mut(id)?;
    offer.state = OfferState::Withdrawn;
    offer.suspension = None;
    Ok(())
}
