//! A trust takes its own answer back: a slip of the finger, seen at once.

use jiff::{SignedDuration, Timestamp};

use super::{check_live, party, wrong_side};
use crate::actor::Actor;
use crate::ids::ProposalId;
use crate::lifecycle::Party;
use crate::lifecycle::proposal::{AnswerState, ProposalCommand, next_answer};
use crate::proposal::{ProposalState, Side};
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// So long after an answer it can be taken back.
pub const RETRACT_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// Takes the acting trust's yes back within [`RETRACT_WITHIN`] while no other side has answered. Units given back by
/// a partial yes do not return, and an extension stays used.
///
/// # Errors
/// `TOO_LATE_TO_RETRACT`, `HOLD_EXPIRED`, `WRONG_SIDE`, `ILLEGAL_TRANSITION` (nothing answered, or a no, which has ended
/// the proposal).
pub fn retract(read: &Records, id: &ProposalId, actor: &Actor, at: Timestamp) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let proposal = desk.proposal_mut(id)?;
    let by = party(actor, proposal);
    if proposal.state == ProposalState::Confirmed
        && matches!(by, Party::Home | Party::Supporting | Party::Team)
    {
        return Err(too_late());
    }
    check_live(proposal, ProposalCommand::Retract, by, at)?;
    // At most one answer has been given: if it is not the acting trust's own, there is nothing to take back.
    let is_alone = proposal.answers().filter(|answer| *answer != AnswerState::Pending).count() <= 1;
    match (by, proposal.team.as_mut().and_then(|team| team.side.as_mut())) {
        (Party::Supporting, _) => take_back(&mut proposal.supporting, is_alone, at)?,
        (Party::Home, _) => take_back(&mut proposal.home, is_alone, at)?,
        (Party::Team, Some(side)) => take_back(side, is_alone, at)?,
        (Party::Team | Party::Authority | Party::Gold | Party::Engine | Party::Other, _) => {
            return Err(wrong_side(by));
        }
    }
    Ok(desk.finish())
}

fn take_back<Code>(side: &mut Side<Code>, is_alone: bool, at: Timestamp) -> Result<(), Refusal> {
    next_answer(side.answer.state(), ProposalCommand::Retract)?;
    let is_late = side.at.is_none_or(|answered_at| at.duration_since(answered_at) > RETRACT_WITHIN);
    if is_late || !is_alone {
        return Err(too_late());
    }
    *side = Side { extended: side.extended, ..Side::pending() };
    Ok(())
}

fn too_late() -> Refusal {
    Refusal::new(
        reason::TOO_LATE_TO_RETRACT,
        "an answer can be taken back for ten seconds, while no other trust has answered",
    )
}
