//! More time for a hold, and its ends that are nobody's answer.

use jiff::{SignedDuration, Timestamp};

use super::{Terms, check_live, party, wrong_side};
use crate::actor::Actor;
use crate::calendar::hold_until;
use crate::decide::holds;
use crate::ids::{Note, OfferId, ProposalId};
use crate::lifecycle::Party;
use crate::lifecycle::proposal::{AnswerState, ProposalCommand, TABLE};
use crate::proposal::{Authority, Proposal, ProposalState};
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// Extends a hold by so much, or by the policy's hold for the need when `by` is `None`: once per side, a provisional yes
/// included, and never beyond the offer's window or an agreement by which a side has answered.
///
/// # Errors
/// `ALREADY_EXTENDED`, `HOLD_TOO_LONG`, `HOLD_EXPIRED`, `OUT_OF_RANGE` (no time at all), `WINDOW`, `WRONG_SIDE`,
/// `ILLEGAL_TRANSITION`, `CALENDAR_ENDS`, `CHANGED_MEANWHILE`.
pub fn extend(
    read: &Records,
    id: &ProposalId,
    by: Option<SignedDuration>,
    terms: &Terms<'_>,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let proposal = desk.proposal(id)?;
    let (need, offer) = (desk.need(&proposal.need)?, desk.offer(&proposal.offer)?);
    let hold = terms.in_force.hold_for(need, proposal.block.as_ref());
    let latest = hold_until(proposal.held_until, hold, terms.calendar)?;
    let window_until = super::last_of(proposal, offer, at);
    let proposal = desk.proposal_mut(id)?;
    let side = party(actor, proposal);
    check_live(proposal, ProposalCommand::Extend, side, at)?;
    let extended = match (side, proposal.team.as_mut().and_then(|team| team.side.as_mut())) {
        (Party::Supporting, _) => &mut proposal.supporting.extended,
        (Party::Home, _) => &mut proposal.home.extended,
        (Party::Team, Some(team)) => &mut team.extended,
        (Party::Team | Party::Authority | Party::Gold | Party::Engine | Party::Other, _) => {
            return Err(wrong_side(side));
        }
    };
    if *extended {
        return Err(Refusal::new(reason::ALREADY_EXTENDED, "this side has extended the hold before"));
    }
    *extended = true;
    let until = match by {
        None => latest,
        Some(by) if by <= SignedDuration::ZERO => {
            return Err(Refusal::new(reason::OUT_OF_RANGE, "an extension is longer than no time"));
        }
        Some(by) => proposal.held_until.saturating_add(by).unwrap_or(Timestamp::MAX),
    };
    if until > latest {
        return Err(Refusal::new(reason::HOLD_TOO_LONG, "an extension is at most the policy's hold")
            .with("latest", latest));
    }
    let until = until.min(window_until);
    if until <= proposal.held_until {
        return Err(Refusal::new(
            reason::WINDOW,
            "the hold already lasts as long as the offer and what was agreed beforehand",
        )
        .with("until", window_until));
    }
    proposal.hold_until(until);
    Ok(desk.finish())
}

/// Ends a hold that has run out: LAPSED, and the pair is remembered as not answered.
///
/// # Errors
/// `HOLD_NOT_EXPIRED` before its time, `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn lapse(read: &Records, id: &ProposalId, actor: &Actor, at: Timestamp) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let proposal = desk.proposal(id)?;
    let by = party(actor, proposal);
    TABLE.edge(proposal.state, ProposalCommand::Lapse, by)?;
    if at < proposal.held_until {
        return Err(Refusal::new(reason::HOLD_NOT_EXPIRED, "the hold has not run out")
            .with("held_until", proposal.held_until));
    }
    let (need, silent) = (proposal.need.clone(), silent(proposal));
    let because = Note::parse(&unanswered(proposal)).unwrap_or_default();
    holds::end(&mut desk, id, (ProposalCommand::Lapse, by), ProposalState::Lapsed, because, at)?;
    for offer in &silent {
        holds::remember_decline(&mut desk, (&need, offer), holds::NO_ANSWER, at)?;
    }
    Ok(desk.finish())
}

/// Says who kept silent, for those who did not.
fn unanswered(proposal: &Proposal) -> String {
    let is_agreed = proposal.answers().all(|answer| answer == AnswerState::Accepted);
    match (&proposal.authority, proposal.is_answered()) {
        (Authority::Pending { role }, _) if is_agreed => {
            format!("Every trust said yes, and {} did not approve it in time.", role.as_approver())
        }
        (_, true) => "Not every trust answered in time.".to_owned(),
        (_, false) => "Nobody answered in time.".to_owned(),
    }
}

/// Returns the offers of which the pair is to be remembered as not answered: a team's when its trust was silent, the
/// other when anybody else was. A session whose trusts said yes may be proposed again with another team, and the team
/// for another session.
fn silent(proposal: &Proposal) -> Vec<OfferId> {
    let team = proposal.team.as_ref().filter(|team| team.is_awaited()).map(|team| team.offer.clone());
    let is_only_the_team = team.is_some() && proposal.home.is_yes() && proposal.supporting.is_yes();
    let offer = (!is_only_the_team).then(|| proposal.offer.clone());
    offer.into_iter().chain(team).collect()
}

/// Ends a proposal that nobody has answered, for an earlier band, a pair no longer eligible, or a better plan.
///
/// # Errors
/// `ALREADY_ANSWERED`, `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn supersede(
    read: &Records,
    id: &ProposalId,
    because: &Note,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let proposal = desk.proposal(id)?;
    let by = party(actor, proposal);
    TABLE.edge(proposal.state, ProposalCommand::Supersede, by)?;
    if by != Party::Engine {
        // A trust supersedes only by what it says of its offer or its need.
        return Err(Refusal::new(reason::WRONG_SIDE, "only the engine replaces a proposal"));
    }
    if proposal.is_answered() {
        return Err(already_answered());
    }
    holds::supersede_all(&mut desk, std::slice::from_ref(id), by, because, at)?;
    Ok(desk.finish())
}

/// Ends a proposal that nobody has answered on gold's word, with a reason that every trust of it sees. `is_incident` says
/// whether a collaborative that joins trusts of it is in incident mode ([`Proposal::is_in_incident`]).
///
/// # Errors
/// `NOT_INCIDENT_MODE`, `REASON_REQUIRED`, `ALREADY_ANSWERED`, `HOLD_EXPIRED`, `WRONG_SIDE`, `ILLEGAL_TRANSITION`,
/// `CHANGED_MEANWHILE`.
pub fn bypass(
    read: &Records,
    id: &ProposalId,
    because: &Note,
    is_incident: bool,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let proposal = desk.proposal(id)?;
    let by = party(actor, proposal);
    check_live(proposal, ProposalCommand::Bypass, by, at)?;
    if !is_incident {
        return Err(Refusal::new(
            reason::NOT_INCIDENT_MODE,
            "no collaborative that joins trusts of the proposal is in incident mode",
        ));
    }
    if because.is_empty() {
        return Err(Refusal::new(
            reason::REASON_REQUIRED,
            "every trust of the proposal sees why: give a reason",
        ));
    }
    if proposal.is_answered() {
        return Err(already_answered());
    }
    let (need, offer) = (proposal.need.clone(), proposal.offer.clone());
    let command = (ProposalCommand::Bypass, by);
    holds::end(&mut desk, id, command, ProposalState::Bypassed, because.clone(), at)?;
    holds::remember_decline(&mut desk, (&need, &offer), holds::BYPASSED, at)?;
    Ok(desk.finish())
}

fn already_answered() -> Refusal {
    Refusal::new(reason::ALREADY_ANSWERED, "a trust has answered: only the trusts end the proposal now")
}
