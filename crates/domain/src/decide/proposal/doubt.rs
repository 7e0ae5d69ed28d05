//! The end of a hold of which an answer may have been lost.

use jiff::Timestamp;

use crate::actor::{Actor, Role};
use crate::decide::holds;
use crate::ids::{Note, ProposalId};
use crate::lifecycle::Party;
use crate::lifecycle::proposal::ProposalCommand;
use crate::proposal::ProposalState;
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// Ends a hold, answered or not, because the store may have lost an answer: WITHDRAWN, with words that every trust of it
/// sees, and its units given back. Whoever said yes may believe it agreed, so nobody is to act on it. Nothing is
/// remembered of the pair: it may be proposed again at once, and then all of it is asked afresh.
///
/// # Errors
/// `WRONG_SIDE` (anybody but a platform administrator), `REASON_REQUIRED`, `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn end_in_doubt(
    read: &Records,
    id: &ProposalId,
    because: &Note,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    if actor.role != Role::PlatformAdmin {
        return Err(Refusal::new(reason::WRONG_SIDE, "only who accepts the loss ends a hold in doubt"));
    }
    if because.is_empty() {
        return Err(Refusal::new(
            reason::REASON_REQUIRED,
            "every trust of the proposal sees why: give a reason",
        ));
    }
    let mut desk = Desk::new(read);
    let command = (ProposalCommand::Withdraw, Party::Engine);
    holds::end(&mut desk, id, command, ProposalState::Withdrawn, because.clone(), at)?;
    Ok(desk.finish())
}
