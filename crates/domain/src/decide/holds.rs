//! What every end of a hold has in common: units go back to the offer and the need in the same decision.

use jiff::Timestamp;

use crate::actor::Actor;
use crate::ids::{Label, NeedId, Note, OfferId, ProposalId};
use crate::lifecycle::need::NeedCommand;
use crate::lifecycle::proposal::ProposalCommand;
use crate::lifecycle::{self, Party};
use crate::need::{Need, NeedState};
use crate::proposal::{Proposal, ProposalState, SupportingDecline};
use crate::quantity::Count;
use crate::records::Desk;
use crate::refusal::{Refusal, reason};
use crate::standing::Decline;

/// The code of a declined pair whose hold ran out.
pub const NO_ANSWER: &str = "NO_ANSWER";
/// The code of a pair of which only a part was accepted: the rest is not proposed again.
pub const PART_ACCEPTED: &str = "PART_ACCEPTED";
/// The code of a pair that the authority refused.
pub const REFUSED: &str = "REFUSED";
/// The code of a pair that gold set aside.
pub const BYPASSED: &str = "BYPASSED";

/// Returns the state that a live need's gauges stand for.
pub(crate) fn state_of_gauges(need: &Need) -> NeedState {
    if need.units_arrived >= need.units {
        NeedState::Met
    } else if need.units_committed >= need.units {
        NeedState::Agreed
    } else if !need.units_committed.is_zero() {
        NeedState::PartAgreed
    } else if !need.units_proposed.is_zero() {
        NeedState::Proposed
    } else {
        NeedState::Open
    }
}

/// Lets a need's state follow its gauges. An ended need keeps its state, and a parked one stays parked until it is met.
pub(crate) fn settle(need: &mut Need, at: Timestamp) -> Result<(), Refusal> {
    if need.state.is_ended() {
        return Ok(());
    }
    lifecycle::need::TABLE.edge(need.state, NeedCommand::Settle, Party::Engine)?;
    let state = state_of_gauges(need);
    if need.state == NeedState::OnHold && state != NeedState::Met {
        return Ok(());
    }
    need.state = state;
    match state {
        NeedState::Agreed | NeedState::Met => need.agreed_at = need.agreed_at.or(Some(at)),
        NeedState::Open
        | NeedState::Proposed
        | NeedState::PartAgreed
        | NeedState::OnHold
        | NeedState::Withdrawn
        | NeedState::Expired
        | NeedState::Unmet
        | NeedState::ResolvedOutside => need.agreed_at = None,
    }
    if state == NeedState::Met {
        need.review_at = None;
    }
    Ok(())
}

/// Subtracts what the records say is there.
pub(crate) fn take(from: Count, units: Count, what: &str) -> Result<Count, Refusal> {
    from.minus(units).ok_or_else(|| Refusal::torn(format!("{what} holds {from}, not {units}")))
}

/// Adds, within what an account can hold.
pub(crate) fn add(to: Count, units: Count) -> Result<Count, Refusal> {
    to.plus(units).ok_or_else(|| {
        Refusal::new(reason::OUT_OF_RANGE, "the figures are too large")
            .with("value", units)
            .with("max", u32::MAX)
    })
}

/// Gives units of a live hold back to its offer and its need.
pub(crate) fn give_back(
    desk: &mut Desk<'_>,
    (need, offer): (&NeedId, &OfferId),
    units: Count,
    held: Count,
    at: Timestamp,
) -> Result<(), Refusal> {
    let offer = desk.offer_mut(offer)?;
    offer.figures.held = take(offer.figures.held, held, "the offer")?;
    let need = desk.need_mut(need)?;
    need.units_proposed = take(need.units_proposed, units, "the need")?;
    settle(need, at)
}

/// Ends a hold and gives its units back, those of a team's offer too.
pub(crate) fn end(
    desk: &mut Desk<'_>,
    id: &ProposalId,
    (command, by): (ProposalCommand, Party),
    state: ProposalState,
    because: Note,
    at: Timestamp,
) -> Result<(), Refusal> {
    let proposal = desk.proposal_mut(id)?;
    lifecycle::proposal::TABLE.edge(proposal.state, command, by)?;
    proposal.state = state;
    proposal.ended_at = Some(at);
    proposal.ended_because = because;
    let (need, offer) = (proposal.need.clone(), proposal.offer.clone());
    let (units, held) = (proposal.units, proposal.minutes_or_units_held);
    if let Some(team) = proposal.team.clone() {
        let offer = desk.offer_mut(&team.offer)?;
        offer.figures.held = take(offer.figures.held, team.units, "the team's offer")?;
    }
    give_back(desk, (&need, &offer), units, held, at)
}

/// Remembers that a pair is not to be proposed again while need and offer stay as they now are.
pub(crate) fn remember_decline(
    desk: &mut Desk<'_>,
    (need, offer): (&NeedId, &OfferId),
    code: &str,
    at: Timestamp,
) -> Result<(), Refusal> {
    let decline = Decline {
        need: need.clone(),
        offer: offer.clone(),
        need_generation: desk.need(need)?.generation,
        offer_generation: desk.offer(offer)?.generation,
        code: Label::parse(code).unwrap_or_default(),
        at,
    };
    desk.put().put_decline(decline);
    Ok(())
}

/// Returns the live holds of an offer, newest first, or says that some were not read.
pub(crate) fn of_offer(desk: &Desk<'_>, id: &OfferId) -> Result<Vec<ProposalId>, Refusal> {
    let (holds, sum) = newest_first(desk, |p| p.held_of(id));
    let held = desk.offer(id)?.figures.held;
    if sum != u64::from(held.get()) {
        return Err(Refusal::torn(format!("offer {id} holds {held}, and its proposals read {sum}")));
    }
    Ok(holds)
}

/// Returns the live holds of a need, newest first, or says that some were not read.
pub(crate) fn of_need(desk: &Desk<'_>, id: &NeedId) -> Result<Vec<ProposalId>, Refusal> {
    let (holds, sum) = newest_first(desk, |p| (p.need == *id).then_some(p.units));
    let proposed = desk.need(id)?.units_proposed;
    if sum != u64::from(proposed.get()) {
        return Err(Refusal::torn(format!(
            "need {id} has {proposed} proposed, and its proposals read {sum}"
        )));
    }
    Ok(holds)
}

/// Returns the live holds of which `size` says how much they take, and what they take together.
fn newest_first(desk: &Desk<'_>, size: impl Fn(&Proposal) -> Option<Count>) -> (Vec<ProposalId>, u64) {
    let live = desk.proposals().filter(|p| p.state == ProposalState::Held);
    let mut holds: Vec<(&Proposal, Count)> = live.filter_map(|p| Some((p, size(p)?))).collect();
    holds.sort_by(|(a, _), (b, _)| (b.proposed_at, &b.id).cmp(&(a.proposed_at, &a.id)));
    let sum = holds.iter().map(|(_, units)| u64::from(units.get())).sum();
    (holds.iter().map(|(p, _)| p.id.clone()).collect(), sum)
}

/// Splits holds into those that nobody has answered and the others, each in the order given.
pub(crate) fn split_unanswered(
    desk: &Desk<'_>,
    holds: Vec<ProposalId>,
) -> Result<(Vec<ProposalId>, Vec<ProposalId>), Refusal> {
    let (mut unanswered, mut answered) = (Vec::new(), Vec::new());
    for id in holds {
        if desk.proposal(&id)?.is_answered() { answered.push(id) } else { unanswered.push(id) }
    }
    Ok((unanswered, answered))
}

/// Ends every one of some holds as superseded.
pub(crate) fn supersede_all(
    desk: &mut Desk<'_>,
    holds: &[ProposalId],
    by: Party,
    because: &Note,
    at: Timestamp,
) -> Result<(), Refusal> {
    for id in holds {
        let command = (ProposalCommand::Supersede, by);
        end(desk, id, command, ProposalState::Superseded, because.clone(), at)?;
    }
    Ok(())
}

/// Ends holds of an offer as superseded by what its own trust says of it.
pub(crate) fn supersede_given(
    desk: &mut Desk<'_>,
    holds: &[ProposalId],
    offer: &OfferId,
    because: &Note,
    at: Timestamp,
) -> Result<(), Refusal> {
    for id in holds {
        let by = desk.proposal(id)?.side_of(offer);
        supersede_all(desk, std::slice::from_ref(id), by, because, at)?;
    }
    Ok(())
}

/// Releases holds of an offer that is short until it is not or none is left: unanswered ones first, then answered ones,
/// newest first in each. Committed units are never touched. A released answered hold is a no of the offer's trust: its
/// own report said that the capacity is gone.
pub(crate) fn release_short(
    desk: &mut Desk<'_>,
    id: &OfferId,
    actor: &Actor,
    at: Timestamp,
) -> Result<(), Refusal> {
    if desk.offer(id)?.figures.short() == 0 {
        return Ok(());
    }
    let (unanswered, answered) = {
        let holds = of_offer(desk, id)?;
        split_unanswered(desk, holds)?
    };
    let because = super::words("The trust reported fewer units than were held.");
    for hold in unanswered {
        if desk.offer(id)?.figures.short() == 0 {
            return Ok(());
        }
        supersede_given(desk, std::slice::from_ref(&hold), id, &because, at)?;
    }
    for hold in answered {
        if desk.offer(id)?.figures.short() == 0 {
            return Ok(());
        }
        let by = desk.proposal_mut(&hold)?.decline_for(id, actor, at);
        let command = (ProposalCommand::Decline, by);
        end(desk, &hold, command, ProposalState::Declined, because.clone(), at)?;
        let need = desk.proposal(&hold)?.need.clone();
        remember_decline(desk, (&need, id), SupportingDecline::CapacityChanged.as_str(), at)?;
    }
    Ok(())
}
