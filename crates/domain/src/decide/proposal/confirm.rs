//! The last yes: held units become committed and the transfer is there, in one decision.

use jiff::Timestamp;

use crate::decide::{holds, transfer};
use crate::ids::{ProposalId, TransferId};
use crate::lifecycle::proposal::AnswerState;
use crate::proposal::{Authority, Proposal, ProposalState};
use crate::records::Desk;
use crate::refusal::Refusal;

/// Confirms a proposal when every side that must has said yes; otherwise it stays as it is.
pub(super) fn confirm_if_all_said_yes(
    desk: &mut Desk<'_>,
    id: &ProposalId,
    transfer_id: &TransferId,
    at: Timestamp,
) -> Result<(), Refusal> {
    if !have_all_said_yes(desk.proposal(id)?) {
        return Ok(());
    }
    let proposal = desk.proposal_mut(id)?;
    proposal.state = ProposalState::Confirmed;
    proposal.ended_at = Some(at);
    let proposal = proposal.clone();
    let offer = desk.offer_mut(&proposal.offer)?;
    let held = proposal.minutes_or_units_held;
    offer.figures.held = holds::take(offer.figures.held, held, "the offer")?;
    offer.figures.committed = holds::add(offer.figures.committed, held)?;
    if let Some(team) = &proposal.team {
        let offer = desk.offer_mut(&team.offer)?;
        offer.figures.held = holds::take(offer.figures.held, team.units, "the team's offer")?;
        offer.figures.committed = holds::add(offer.figures.committed, team.units)?;
    }
    let need = desk.need_mut(&proposal.need)?;
    need.units_proposed = holds::take(need.units_proposed, proposal.units, "the need")?;
    need.units_committed = holds::add(need.units_committed, proposal.units)?;
    holds::settle(need, at)?;
    let plan = transfer::plan(
        transfer_id.clone(),
        &proposal,
        desk.need(&proposal.need)?,
        desk.offer(&proposal.offer)?,
        at,
    );
    desk.put().put_transfer(plan);
    Ok(())
}

fn have_all_said_yes(proposal: &Proposal) -> bool {
    let authority = match proposal.authority {
        Authority::NotNeeded | Authority::Approved { .. } => true,
        Authority::Pending { .. } | Authority::Refused { .. } => false,
    };
    authority && proposal.answers().all(|answer| answer == AnswerState::Accepted)
}
