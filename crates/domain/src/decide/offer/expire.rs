//! An offer's window has passed.

use jiff::Timestamp;

use super::{capacity_committed, party};
use crate::actor::Actor;
use crate::decide::{holds, words};
use crate::ids::OfferId;
use crate::lifecycle::Party;
use crate::lifecycle::offer::{OfferCommand, TABLE};
use crate::offer::OfferState;
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// Ends an offer at or after the end of its window: CLOSED when all that was staffed was used, else EXPIRED. Holds that
/// nobody has answered end with it; transfers run on.
///
/// # Errors
/// `NOT_YET`, `CAPACITY_COMMITTED` while a hold is answered (it lapses or is confirmed by itself: try again then),
/// `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn expire(read: &Records, id: &OfferId, actor: &Actor, at: Timestamp) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let offer = desk.offer(id)?;
    TABLE.edge(offer.state, OfferCommand::Expire, party(actor, offer.trust))?;
    if at < offer.window.until {
        return Err(Refusal::new(reason::NOT_YET, "the offer's window has not passed")
            .with("not_before", offer.window.until));
    }
    let (unanswered, answered) = {
        let all = holds::of_offer(&desk, id)?;
        holds::split_unanswered(&desk, all)?
    };
    if !answered.is_empty() {
        return Err(capacity_committed(id, &answered, &[]));
    }
    let because = words("The offer's window has passed.");
    holds::supersede_all(&mut desk, &unanswered, Party::Engine, &because, at)?;
    let offer = desk.offer_mut(id)?;
    let is_used_up = !offer.figures.staffed.is_zero() && offer.figures.free().is_zero();
    offer.state = if is_used_up { OfferState::Closed } else { OfferState::Expired };
    offer.suspension = None;
    Ok(desk.finish())
}
