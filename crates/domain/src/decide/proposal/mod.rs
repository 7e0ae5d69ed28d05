//! Decisions about proposals.
//!
//! Give each: the proposal, its need and its offer. A decision about a new proposal also wants the pair's decline, where
//! there is one; a decline that sets the offer's free units wants every HELD proposal of the offer with its need. A
//! proposal that joins a session with a team also wants the team's offer.

mod answer;
mod authority;
mod campaign;
mod confirm;
mod doubt;
mod hold;
mod join;
mod on_behalf;
mod propose;
mod retract;

pub use answer::{HomeReply, Reply, SupportingReply, answer};
pub use authority::{Ruling, rule};
pub use campaign::answer_campaign;
pub use doubt::end_in_doubt;
pub use hold::{bypass, extend, lapse, supersede};
pub use join::{SuggestedTeam, propose_joined};
pub use on_behalf::answer_for;
pub use propose::{Room, Suggestion, propose};
pub use retract::{RETRACT_WITHIN, retract};

use jiff::Timestamp;

use crate::actor::Actor;
use crate::calendar::WorkingCalendar;
use crate::campaign::Block;
use crate::in_force::InForce;
use crate::lifecycle::Party;
use crate::lifecycle::proposal::{ProposalCommand, TABLE};
use crate::offer::Offer;
use crate::proposal::{Proposal, ProposalState};
use crate::refusal::{Refusal, reason};

/// On what terms two trusts deal: the policy in force between them, and when their people are at work.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The policy between the two.
    pub in_force: InForce<'a>,
    /// When people are at work.
    pub calendar: &'a WorkingCalendar,
    /// Minutes between two cases of a theatre session.
    pub turnover_minutes: u32,
}

/// Returns the last moment of any hold of an offer: the end of its window. A block's hold may last days, so it also ends
/// when its session begins: there is no use for an answer after that.
fn last_moment(offer: &Offer, block: Option<&Block>, at: Timestamp) -> Timestamp {
    let begins = offer.window.from.filter(|from| block.is_some() && *from > at);
    begins.unwrap_or(offer.window.until)
}

/// Returns the last moment to which the hold of a proposal can be extended: nor does it outlast an agreement by which a side
/// has answered.
fn last_of(proposal: &Proposal, offer: &Offer, at: Timestamp) -> Timestamp {
    let last = last_moment(offer, proposal.block.as_ref(), at);
    proposal.hold_at_most().map_or(last, |end| end.min(last))
}

fn party(actor: &Actor, proposal: &Proposal) -> Party {
    let (home, supporting) = (Some(proposal.home_trust), Some(proposal.supporting_trust));
    Party::of_three(actor, home, supporting, proposal.third_trust())
}

/// Refuses a command that the proposal's state or the side does not allow, with the reason that says most: an answer
/// after the hold ran out is HOLD_EXPIRED whether or not the lapse was committed.
fn check_live(
    proposal: &Proposal,
    command: ProposalCommand,
    by: Party,
    at: Timestamp,
) -> Result<(), Refusal> {
    let expired = || {
        Refusal::new(reason::HOLD_EXPIRED, "the hold ran out before this answer")
            .with("held_until", proposal.held_until)
    };
    match proposal.state {
        ProposalState::Held => {
            TABLE.edge(proposal.state, command, by)?;
            if at >= proposal.held_until { Err(expired()) } else { Ok(()) }
        }
        ProposalState::Lapsed => Err(expired()),
        ProposalState::Confirmed if command == ProposalCommand::Accept => {
            Err(Refusal::new(reason::ALREADY_ACCEPTED, "every trust has said yes"))
        }
        ProposalState::Confirmed
        | ProposalState::Declined
        | ProposalState::Superseded
        | ProposalState::Withdrawn
        | ProposalState::Bypassed => TABLE.edge(proposal.state, command, by).map(|_| ()),
    }
}

fn wrong_side(side: Party) -> Refusal {
    Refusal::new(reason::WRONG_SIDE, format!("only the {side} trust answers for its side"))
}
