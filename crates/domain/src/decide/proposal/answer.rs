//! A trust answers for its side.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::confirm::confirm_if_all_said_yes;
use super::{Terms, check_live, party, wrong_side};
use crate::actor::Actor;
use crate::calendar::hold_until;
use crate::decide::{holds, offer};
use crate::ids::{Note, OfferId, ProposalId, TransferId};
use crate::lent::LentTeam;
use crate::lifecycle::Party;
use crate::lifecycle::proposal::{ProposalCommand, next_answer};
use crate::proposal::{Answer, HomeDecline, Proposal, ProposalState, Side, SupportingDecline};
use crate::quantity::Count;
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// What a trust answers that gives something: the supporting trust, or that of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupportingReply {
    /// Yes, to so many units; `None` = all.
    Accept {
        /// How many.
        units: Option<Count>,
    },
    /// Yes, subject to a check: the hold gets its one extension.
    Provisional,
    /// No.
    Decline {
        /// Why.
        code: SupportingDecline,
        /// What the offer's free units really are, said in the same breath.
        set_free: Option<Count>,
    },
}

/// What a home trust answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HomeReply {
    /// Yes, to so many units; `None` = all.
    Accept {
        /// How many.
        units: Option<Count>,
    },
    /// No.
    Decline {
        /// Why.
        code: HomeDecline,
    },
}

/// What a side answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The supporting trust.
    Supporting(SupportingReply),
    /// The home trust.
    Home(HomeReply),
    /// The trust of the team, where it is a third one.
    Team(SupportingReply),
}

/// Answers for a side: the home trust's, the supporting trust's or, where that is a third one, that of the team's trust. The
/// last yes that is needed commits the units and creates the transfer under the id given. Fewer units than proposed give the
/// rest back at once. A no is remembered of the need and what was declined: after that of the team's trust, the session may
/// be proposed with another team.
///
/// # Errors
/// `HOLD_EXPIRED` at or after its end, `ALREADY_ACCEPTED`, `ALREADY_EXTENDED`, `SECOND_PERSON_REQUIRED`,
/// `NOT_ENOUGH_UNITS`, `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `CALENDAR_ENDS`, `CHANGED_MEANWHILE`.
#[allow(clippy::too_many_arguments)] // an answer is what, by whom, when and on what terms
pub fn answer(
    read: &Records,
    id: &ProposalId,
    reply: Reply,
    note: &Note,
    transfer: &TransferId,
    terms: &Terms<'_>,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let gives = |side, reply| answer_giving(read, id, (side, reply), note, transfer, terms, actor, at);
    match reply {
        Reply::Supporting(reply) => gives(Party::Supporting, reply),
        Reply::Home(reply) => answer_home(read, id, reply, note, transfer, actor, at),
        Reply::Team(reply) => gives(Party::Team, reply),
    }
}

/// Answers for a trust that gives something.
#[allow(clippy::too_many_arguments)] // an answer is what, by whom, when and on what terms
fn answer_giving(
    read: &Records,
    id: &ProposalId,
    (side, reply): (Party, SupportingReply),
    note: &Note,
    transfer: &TransferId,
    terms: &Terms<'_>,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let (command, answer) = match reply {
        SupportingReply::Accept { .. } => (ProposalCommand::Accept, Answer::Accepted),
        SupportingReply::Provisional => (ProposalCommand::Provisional, Answer::Provisional),
        SupportingReply::Decline { code, .. } => (ProposalCommand::Decline, Answer::Declined(code)),
    };
    let mut desk = Desk::new(read);
    let proposal = desk.proposal_mut(id)?;
    let by = party(actor, proposal);
    check_live(proposal, command, by, at)?;
    if by != side {
        return Err(wrong_side(side));
    }
    check_people(proposal, by, actor)?;
    let given = giving(proposal, side)?.1.clone();
    give(giving(proposal, side)?.0, command, answer, note, actor, at)?;
    match reply {
        SupportingReply::Accept { units } => {
            shrink(&mut desk, id, units, at)?;
            confirm_if_all_said_yes(&mut desk, id, transfer, at)?;
        }
        SupportingReply::Provisional => extend_once(&mut desk, id, side, terms, at)?,
        SupportingReply::Decline { code, set_free } => {
            decline(&mut desk, id, by, note, at)?;
            if let Some(free) = set_free {
                let now = desk.offer(&given)?.figures;
                let difference = i64::from(free.get()) - i64::from(now.free().get());
                if difference != 0 {
                    offer::adjust_on(&mut desk, &given, difference, actor, at)?;
                }
            }
            let need = desk.proposal(id)?.need.clone();
            holds::remember_decline(&mut desk, (&need, &given), code.as_str(), at)?;
        }
    }
    Ok(desk.finish())
}

/// Answers for the home trust.
fn answer_home(
    read: &Records,
    id: &ProposalId,
    reply: HomeReply,
    note: &Note,
    transfer: &TransferId,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let (command, answer) = match reply {
        HomeReply::Accept { .. } => (ProposalCommand::Accept, Answer::Accepted),
        HomeReply::Decline { code } => (ProposalCommand::Decline, Answer::Declined(code)),
    };
    let mut desk = Desk::new(read);
    let proposal = desk.proposal_mut(id)?;
    let by = party(actor, proposal);
    check_live(proposal, command, by, at)?;
    if by != Party::Home {
        return Err(wrong_side(Party::Home));
    }
    check_people(proposal, by, actor)?;
    give(&mut proposal.home, command, answer, note, actor, at)?;
    match reply {
        HomeReply::Accept { units } => {
            shrink(&mut desk, id, units, at)?;
            confirm_if_all_said_yes(&mut desk, id, transfer, at)?;
        }
        HomeReply::Decline { code } => {
            decline(&mut desk, id, by, note, at)?;
            let (need, offer) = (desk.proposal(id)?.need.clone(), desk.proposal(id)?.offer.clone());
            holds::remember_decline(&mut desk, (&need, &offer), code.as_str(), at)?;
        }
    }
    Ok(desk.finish())
}

/// Returns the side of a trust that gives something, and the offer that it speaks for.
fn giving(proposal: &mut Proposal, side: Party) -> Result<(&mut Side<SupportingDecline>, &OfferId), Refusal> {
    match (side, proposal.team.as_deref_mut()) {
        (Party::Team, Some(LentTeam { side: Some(side), offer, .. })) => Ok((side, offer)),
        (Party::Team, Some(_) | None) => Err(wrong_side(side)),
        (
            Party::Supporting | Party::Home | Party::Authority | Party::Gold | Party::Engine | Party::Other,
            _,
        ) => Ok((&mut proposal.supporting, &proposal.offer)),
    }
}

/// The answers of the trusts must be of different people.
pub(super) fn check_people(proposal: &Proposal, own: Party, actor: &Actor) -> Result<(), Refusal> {
    let team = proposal.team.as_ref().and_then(|team| team.side.as_ref());
    let home = proposal.home.people().map(|by| (Party::Home, by));
    let supporting = proposal.supporting.people().map(|by| (Party::Supporting, by));
    let team = team.into_iter().flat_map(Side::people).map(|by| (Party::Team, by));
    let mut given = home.chain(supporting).chain(team);
    if given.any(|(side, by)| side != own && by.subject == actor.subject) {
        return Err(Refusal::new(
            reason::SECOND_PERSON_REQUIRED,
            "the same person answered for another trust: somebody else must answer",
        ));
    }
    Ok(())
}

fn give<Code>(
    side: &mut Side<Code>,
    command: ProposalCommand,
    answer: Answer<Code>,
    note: &Note,
    actor: &Actor,
    at: Timestamp,
) -> Result<(), Refusal> {
    next_answer(side.answer.state(), command)?;
    side.answer = answer;
    side.at = Some(at);
    side.by = Some(actor.clone());
    side.with = None;
    side.agreement = None;
    side.note = note.clone();
    Ok(())
}

fn decline(
    desk: &mut Desk<'_>,
    id: &ProposalId,
    by: Party,
    note: &Note,
    at: Timestamp,
) -> Result<(), Refusal> {
    let command = (ProposalCommand::Decline, by);
    holds::end(desk, id, command, ProposalState::Declined, note.clone(), at)
}

/// Makes a proposal smaller and gives the rest back at once. The rest of the pair is not proposed again: a trust that
/// said "two of three" has said no to the third.
fn shrink(desk: &mut Desk<'_>, id: &ProposalId, units: Option<Count>, at: Timestamp) -> Result<(), Refusal> {
    let proposal = desk.proposal_mut(id)?;
    let Some(units) = units.filter(|units| *units != proposal.units) else {
        return Ok(());
    };
    let (rest, whole) = match proposal.units.minus(units) {
        Some(rest) if !units.is_zero() => (rest, proposal.units),
        Some(_) | None => {
            return Err(Refusal::new(
                reason::NOT_ENOUGH_UNITS,
                format!("1 to {} units are proposed", proposal.units),
            )
            .with("proposed", proposal.units)
            .with("asked", units));
        }
    };
    // Of minutes, a part keeps what its cases take: each a whole case with its turnover, the last perhaps without.
    let held = proposal.minutes_or_units_held;
    let per_unit = held.get().div_ceil(whole.get());
    let kept = units.times(per_unit).map_or(held, |kept| kept.min(held));
    proposal.units = units;
    proposal.minutes_or_units_held = kept;
    let (need, offer) = (proposal.need.clone(), proposal.offer.clone());
    holds::give_back(desk, (&need, &offer), rest, held.less(kept), at)?;
    holds::remember_decline(desk, (&need, &offer), holds::PART_ACCEPTED, at)
}

/// Gives a side its one extension.
fn extend_once(
    desk: &mut Desk<'_>,
    id: &ProposalId,
    side: Party,
    terms: &Terms<'_>,
    at: Timestamp,
) -> Result<(), Refusal> {
    if giving(desk.proposal_mut(id)?, side)?.0.extended {
        return Err(Refusal::new(reason::ALREADY_EXTENDED, "this side has extended the hold before"));
    }
    let proposal = desk.proposal(id)?;
    let (need, offer) = (desk.need(&proposal.need)?, desk.offer(&proposal.offer)?);
    let hold = terms.in_force.hold_for(need, proposal.block.as_ref());
    let longer = hold_until(proposal.held_until, hold, terms.calendar)?;
    let last = super::last_of(proposal, offer, at);
    let until = longer.min(last).max(proposal.held_until);
    let proposal = desk.proposal_mut(id)?;
    proposal.hold_until(until);
    giving(proposal, side)?.0.extended = true;
    Ok(())
}
