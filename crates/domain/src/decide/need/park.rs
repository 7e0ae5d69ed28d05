//! A need waits for its home trust, and is looked for again.

use jiff::Timestamp;

use super::party;
use crate::actor::Actor;
use crate::decide::{holds, words};
use crate::ids::{NeedId, Note};
use crate::lifecycle::Party;
use crate::lifecycle::need::{NeedCommand, TABLE};
use crate::lifecycle::proposal::ProposalCommand;
use crate::need::NeedState;
use crate::proposal::ProposalState;
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// Parks a need until a review; its live proposals end WITHDRAWN, its transfers run on. Parking again changes the review.
/// A reason that is not empty becomes the need's note.
///
/// # Errors
/// `WINDOW` (the review has passed), `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn park(
    read: &Records,
    id: &NeedId,
    review_at: Timestamp,
    because: &Note,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let need = desk.need(id)?;
    TABLE.edge(need.state, NeedCommand::Park, party(actor, need.trust))?;
    if review_at <= at {
        return Err(Refusal::new(reason::WINDOW, "the review has passed").with("review_at", review_at));
    }
    withdraw_holds(&mut desk, id, &words("The home trust parked the need."), at)?;
    let need = desk.need_mut(id)?;
    need.state = NeedState::OnHold;
    need.review_at = Some(review_at);
    if !because.is_empty() {
        need.note = because.clone();
    }
    Ok(desk.finish())
}

/// Ends the parking of a need: it is where its gauges say.
///
/// # Errors
/// `WRONG_SIDE`, `ILLEGAL_TRANSITION` (not parked), `CHANGED_MEANWHILE`.
pub fn resume(read: &Records, id: &NeedId, actor: &Actor) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let need = desk.need_mut(id)?;
    TABLE.edge(need.state, NeedCommand::Resume, party(actor, need.trust))?;
    need.state = holds::state_of_gauges(need);
    need.review_at = None;
    Ok(desk.finish())
}

/// Ends every live proposal of a need because its home trust took it back.
pub(super) fn withdraw_holds(
    desk: &mut Desk<'_>,
    id: &NeedId,
    because: &Note,
    at: Timestamp,
) -> Result<(), Refusal> {
    for hold in holds::of_need(desk, id)? {
        let command = (ProposalCommand::Withdraw, Party::Home);
        holds::end(desk, &hold, command, ProposalState::Withdrawn, because.clone(), at)?;
    }
    Ok(())
}
