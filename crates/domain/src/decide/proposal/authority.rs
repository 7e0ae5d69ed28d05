//! Whoever must approve above the trusts of a proposal does, or does not.

use jiff::Timestamp;

use super::confirm::confirm_if_all_said_yes;
use super::{check_live, party};
use crate::actor::{Actor, Role};
use crate::decide::holds;
use crate::ids::{Note, ProposalId, TransferId};
use crate::lifecycle::proposal::ProposalCommand;
use crate::proposal::{Authority, ProposalState};
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// What an authority says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Yes.
    Approve,
    /// No; every trust of it sees why.
    Refuse {
        /// Why; not empty.
        because: Note,
    },
}

/// Approves or refuses a proposal as the authority that the policy names; gold may in incident mode whoever is named, and
/// where gold is named also once the incident is over: `is_incident` as [`Proposal::is_in_incident`](crate::proposal::Proposal::is_in_incident) says it.
/// The last yes that is needed commits the units and creates the transfer under the id given.
///
/// # Errors
/// `WRONG_SIDE` (another role is named), `NOT_INCIDENT_MODE` (gold), `REASON_REQUIRED`, `ALREADY_ACCEPTED`,
/// `HOLD_EXPIRED`, `ILLEGAL_TRANSITION` (nobody must approve), `CHANGED_MEANWHILE`.
pub fn rule(
    read: &Records,
    id: &ProposalId,
    ruling: Ruling,
    is_incident: bool,
    transfer: &TransferId,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let command = match ruling {
        Ruling::Approve => ProposalCommand::Approve,
        Ruling::Refuse { .. } => ProposalCommand::Refuse,
    };
    let mut desk = Desk::new(read);
    let proposal = desk.proposal_mut(id)?;
    let by = party(actor, proposal);
    check_live(proposal, command, by, at)?;
    check_authority(&proposal.authority, actor.role, is_incident)?;
    match ruling {
        Ruling::Approve => {
            proposal.authority = Authority::Approved { by: actor.clone(), at };
            confirm_if_all_said_yes(&mut desk, id, transfer, at)?;
        }
        Ruling::Refuse { because } => {
            if because.is_empty() {
                return Err(Refusal::new(
                    reason::REASON_REQUIRED,
                    "every trust of the proposal sees why: give a reason",
                ));
            }
            proposal.authority = Authority::Refused { by: actor.clone(), at, because: because.clone() };
            let (need, offer) = (proposal.need.clone(), proposal.offer.clone());
            holds::end(&mut desk, id, (command, by), ProposalState::Declined, because, at)?;
            holds::remember_decline(&mut desk, (&need, &offer), holds::REFUSED, at)?;
        }
    }
    Ok(desk.finish())
}

fn check_authority(authority: &Authority, acting: Role, is_incident: bool) -> Result<(), Refusal> {
    match authority {
        // What was proposed for gold to approve stays gold's when the incident ends: nobody else could say yes.
        Authority::Pending { role } if acting == Role::Gold && *role != acting && !is_incident => {
            Err(Refusal::new(reason::NOT_INCIDENT_MODE, "gold approves for others in incident mode only"))
        }
        Authority::Pending { role } if acting != *role && acting != Role::Gold => {
            Err(Refusal::new(reason::WRONG_SIDE, format!("this proposal is for {role} to approve")))
        }
        Authority::Pending { .. } => Ok(()),
        Authority::NotNeeded => {
            Err(Refusal::new(reason::ILLEGAL_TRANSITION, "nobody has to approve this proposal"))
        }
        Authority::Approved { .. } => {
            Err(Refusal::new(reason::ALREADY_ACCEPTED, "the proposal has been approved"))
        }
        Authority::Refused { .. } => {
            Err(Refusal::new(reason::ILLEGAL_TRANSITION, "the proposal has been refused"))
        }
    }
}
