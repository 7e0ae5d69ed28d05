//! A transfer is called off before it arrives.

use jiff::Timestamp;

use super::advance::enter;
use super::party;
use crate::actor::Actor;
use crate::decide::holds;
use crate::ids::{Note, TransferId};
use crate::lifecycle::Party;
use crate::lifecycle::transfer::{TABLE, TransferCommand};
use crate::records::{Desk, Records};
use crate::refusal::Refusal;
use crate::transfer::{AbortCode, TransferState};

/// Aborts a transfer and gives its units back: the offer's are free again, a team's too, the need's are looked for
/// again. The pair, or where the team's trust calls it off the need and the team, is remembered as declined, so that the
/// engine looks elsewhere until one of the two changes.
///
/// # Errors
/// `ILLEGAL_TRANSITION` (it has arrived or ended), `WRONG_SIDE`, `CHANGED_MEANWHILE`.
pub fn abort(
    read: &Records,
    id: &TransferId,
    code: AbortCode,
    note: &Note,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let transfer = desk.transfer_mut(id)?;
    let by = party(actor, transfer);
    TABLE.edge(transfer.state, TransferCommand::Abort, by)?;
    enter(transfer, TransferState::Aborted, actor, at);
    transfer.aborted = Some(code);
    if !note.is_empty() {
        transfer.note = note.clone();
    }
    let transfer = transfer.clone();
    let offer = desk.offer_mut(&transfer.offer)?;
    let units = transfer.minutes_or_units_committed;
    offer.figures.committed = holds::take(offer.figures.committed, units, "the offer")?;
    if let Some(team) = &transfer.team {
        let offer = desk.offer_mut(&team.offer)?;
        offer.figures.committed = holds::take(offer.figures.committed, team.units, "the team's offer")?;
    }
    let need = desk.need_mut(&transfer.need)?;
    need.units_committed = holds::take(need.units_committed, transfer.units, "the need")?;
    holds::settle(need, at)?;
    // Where only the team falls away, the session with another one is a new question.
    let gone = match &transfer.team {
        Some(team) if by == Party::Team => &team.offer,
        Some(_) | None => &transfer.offer,
    };
    holds::remember_decline(&mut desk, (&transfer.need, gone), code.as_str(), at)?;
    Ok(desk.finish())
}
