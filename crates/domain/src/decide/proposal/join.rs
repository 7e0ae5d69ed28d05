//! The engine sets a session and somebody's team aside together, for a case that neither could serve alone.

use jiff::Timestamp;

use super::confirm::confirm_if_all_said_yes;
use super::propose::{begins, check_declined, check_fresh, check_reserve, hold, keep_hold, side};
use super::{Room, Suggestion, Terms};
use crate::actor::Actor;
use crate::decide::holds;
use crate::ids::{OfferId, ProposalId};
use crate::in_force::{InForce, Matter};
use crate::lent::{LentTeam, TEAM_UNITS, covers};
use crate::lifecycle::Party;
use crate::lifecycle::offer::{OfferCommand, TABLE as OFFERS};
use crate::proposal::{Authority, Side};
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};
use crate::resource::ResourceKind;

/// The team that the engine suggests for an unstaffed session.
#[derive(Debug, Clone, Copy)]
pub struct SuggestedTeam<'a> {
    /// The offer of staff.
    pub offer: &'a OfferId,
    /// Minutes that it travels to the session.
    pub travel_minutes: u32,
    /// How many other offers of staff could come.
    pub others: u32,
    /// What its trust has left of the role.
    pub room: Room,
    /// The policy between its trust and that of the session.
    pub in_force: InForce<'a>,
}

/// Proposes minutes of an unstaffed session together with a team for it and holds both. Home trust, supporting trust and
/// the team's trust are asked, each once: where the team is the home or the supporting trust's own, that trust answers
/// for both. Where only the lending of staff needs an approval, that is the proposal's.
///
/// # Errors
/// What [`super::propose`] refuses, of the session or of the team; `NOT_ENOUGH_UNITS` also where the team does not cover
/// what the session lacks, and `ILLEGAL_TRANSITION` where the session lacks nobody.
pub fn propose_joined(
    read: &Records,
    suggestion: Suggestion,
    team: SuggestedTeam<'_>,
    room: Room,
    terms: &Terms<'_>,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let (id, transfer) = (suggestion.id.clone(), suggestion.transfer.clone());
    let [mut agreed, mut agreed_home] = hold(&mut desk, suggestion, room, terms, actor, at)?;
    let lent = lend(&mut desk, &id, team, actor, at)?;
    let priority = desk.need(&desk.proposal(&id)?.need)?.priority;
    let code = desk.offer(&lent.offer)?.resource.code.clone();
    let starts = session_starts(&desk, &id, at)?;
    let proposal = desk.proposal_mut(&id)?;
    let asked = Matter { kind: ResourceKind::Staff, code: &code, priority, units: lent.units };
    // The team goes to the session; a session's own trust needs no agreement with itself, so the home trust stands for
    // whom its people then work for.
    let goes_to =
        if lent.trust == proposal.supporting_trust { proposal.home_trust } else { proposal.supporting_trust };
    let to_lend = team.in_force.agreement_of(lent.trust, goes_to, &asked, starts);
    if lent.side.is_none() && to_lend.is_none() {
        // Its trust may have agreed beforehand to the session, but not to send its people.
        if lent.trust == proposal.home_trust {
            proposal.home = Side::pending();
            agreed_home = None;
        } else {
            proposal.supporting = Side::pending();
            agreed = None;
        }
    }
    if proposal.authority == Authority::NotNeeded {
        proposal.authority = team.in_force.authority_for(ResourceKind::Staff, priority, lent.units);
    }
    // The agreement to lend counts where a side has answered by it: the third trust's own, or that of the trust for both.
    let has_answered = match (&lent.side, lent.trust == proposal.home_trust) {
        (Some(_), _) => true,
        (None, true) => proposal.home.is_yes(),
        (None, false) => proposal.supporting.is_yes(),
    };
    let lending = to_lend.filter(|_| has_answered).map(|agreement| agreement.until);
    proposal.team = Some(Box::new(lent));
    keep_hold(&mut desk, &id, [agreed, agreed_home, lending].into_iter().flatten(), terms)?;
    confirm_if_all_said_yes(&mut desk, &id, &transfer, at)?;
    Ok(desk.finish())
}

/// Returns when the session of a proposal that was just made begins.
fn session_starts(desk: &Desk<'_>, id: &ProposalId, at: Timestamp) -> Result<Timestamp, Refusal> {
    let proposal = desk.proposal(id)?;
    Ok(begins(desk.need(&proposal.need)?, desk.offer(&proposal.offer)?, at))
}

/// Holds the team for the session of a proposal that was just made.
fn lend(
    desk: &mut Desk<'_>,
    id: &ProposalId,
    team: SuggestedTeam<'_>,
    actor: &Actor,
    at: Timestamp,
) -> Result<LentTeam, Refusal> {
    let proposal = desk.proposal(id)?;
    let (need, session) = (desk.need(&proposal.need)?, desk.offer(&proposal.offer)?);
    let offer = desk.offer(team.offer)?;
    OFFERS.edge(offer.state, OfferCommand::Hold, Party::of(actor, None, Some(offer.trust)))?;
    if session.team.staffed || session.team.needs.is_empty() {
        return Err(Refusal::new(
            reason::ILLEGAL_TRANSITION,
            "the session says of nobody that they are missing",
        ));
    }
    if offer.resource.kind != ResourceKind::Staff || !covers(offer, session) {
        return Err(Refusal::new(reason::NOT_ENOUGH_UNITS, "the team does not cover what the session lacks"));
    }
    check_fresh(offer, at)?;
    check_declined(desk.read(), need, offer)?;
    if TEAM_UNITS > offer.figures.free() {
        return Err(Refusal::new(reason::NOT_ENOUGH_UNITS, "the offer of staff has nobody free")
            .with("free", offer.figures.free())
            .with("asked", TEAM_UNITS));
    }
    check_reserve(team.room, TEAM_UNITS)?;
    let is_third = offer.trust != proposal.home_trust && offer.trust != proposal.supporting_trust;
    let code = &offer.resource.code;
    let asked = Matter { kind: ResourceKind::Staff, code, priority: need.priority, units: TEAM_UNITS };
    let goes_to = proposal.supporting_trust;
    let starts = begins(need, session, at);
    let lent = LentTeam {
        offer: offer.id.clone(),
        trust: offer.trust,
        units: TEAM_UNITS,
        roles: session.team.needs.clone(),
        travel_minutes: team.travel_minutes,
        others: team.others,
        side: is_third.then(|| side(team.in_force.agreement_of(offer.trust, goes_to, &asked, starts), at)),
        generation: offer.generation,
    };
    let offer = desk.offer_mut(team.offer)?;
    offer.figures.held = holds::add(offer.figures.held, TEAM_UNITS)?;
    Ok(lent)
}
