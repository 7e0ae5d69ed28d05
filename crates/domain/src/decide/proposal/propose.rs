//! The engine sets units of an offer aside for a need.

use jiff::Timestamp;

use super::Terms;
use super::confirm::confirm_if_all_said_yes;
use crate::actor::Actor;
use crate::calendar::{hold_until, working_reminders};
use crate::decide::holds;
use crate::ids::{NeedId, OfferId, ProposalId, TransferId, TrustCode};
use crate::in_force::Matter;
use crate::lifecycle::Party;
use crate::lifecycle::need::{NeedCommand, TABLE as NEEDS};
use crate::lifecycle::offer::{OfferCommand, TABLE as OFFERS};
use crate::matching::explanation::Explanation;
use crate::need::Need;
use crate::offer::{Freshness, Offer, OfferState};
use crate::policy::StandingAgreement;
use crate::proposal::{Answer, Generations, Proposal, ProposalState, Schedule, Side};
use crate::quantity::Count;
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};
use crate::region::{FromHome, Region};
use crate::resource::ResourceKey;

/// What the engine suggests.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// The id the proposal gets.
    pub id: ProposalId,
    /// The need to be served.
    pub need: NeedId,
    /// The offer that would serve it.
    pub offer: OfferId,
    /// Units of the need.
    pub units: Count,
    /// How far from home the offered place is for the patient, where that is known.
    pub from_home: Option<FromHome>,
    /// Why.
    pub explanation: Explanation,
    /// The id the transfer gets if every trust had agreed beforehand.
    pub transfer: TransferId,
}

/// What a trust has left of a resource, over all its offers of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free units of its OPEN, not STALE offers of that kind, code and level, less what earlier suggestions of the same
    /// commit take.
    pub free: u64,
    /// Units it keeps for itself; never any for theatres.
    pub reserve: Count,
}

impl Room {
    /// Returns what the trust of an offer has left of its resource, over the offers given: all of the trust's that are live,
    /// and any others.
    #[must_use]
    pub fn around<'a>(
        offer: &Offer,
        offers: impl IntoIterator<Item = &'a Offer>,
        region: &Region,
        at: Timestamp,
    ) -> Self {
        let key = offer.resource.key();
        Self::of(offers, (offer.trust, &key), region.reserve(offer.trust, &key), at)
    }

    /// Adds up what a trust has left of a resource over the offers given; those of other trusts and resources, and those
    /// that cannot be proposed, count nothing.
    #[must_use]
    pub fn of<'a>(
        offers: impl IntoIterator<Item = &'a Offer>,
        (trust, resource): (TrustCode, &ResourceKey),
        reserve: Count,
        at: Timestamp,
    ) -> Self {
        let free = offers
            .into_iter()
            .filter(|o| {
                o.trust == trust
                    && o.state == OfferState::Open
                    && o.freshness(at) != Freshness::Stale
                    && o.resource.key() == *resource
            })
            .map(|o| u64::from(o.figures.free().get()))
            .sum();
        Self { free, reserve }
    }
}

/// Proposes units of an offer for a need and holds them. A side that has agreed beforehand answers at once; where all
/// have, and nobody must approve, the transfer is there at once too.
///
/// # Errors
/// `SAME_TRUST`, `STALE`, `NOT_RELEASED`, `DECLINED_BEFORE`, `NOT_ENOUGH_UNITS`, `BELOW_RESERVE`, `WINDOW`,
/// `CALENDAR_ENDS`, `WRONG_SIDE`, `ILLEGAL_TRANSITION` (suspended, parked, ended), `CHANGED_MEANWHILE`.
pub fn propose(
    read: &Records,
    suggestion: Suggestion,
    room: Room,
    terms: &Terms<'_>,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let (id, transfer) = (suggestion.id.clone(), suggestion.transfer.clone());
    let agreed = hold(&mut desk, suggestion, room, terms, actor, at)?;
    keep_hold(&mut desk, &id, agreed.into_iter().flatten(), terms)?;
    confirm_if_all_said_yes(&mut desk, &id, &transfer, at)?;
    Ok(desk.finish())
}

/// Makes the proposal of a suggestion and holds its units, without looking whether everybody has agreed. Returns when the
/// standing agreements end by which the supporting and the home trust have answered: [`keep_hold`] wants them.
pub(super) fn hold(
    desk: &mut Desk<'_>,
    suggestion: Suggestion,
    room: Room,
    terms: &Terms<'_>,
    actor: &Actor,
    at: Timestamp,
) -> Result<[Option<Timestamp>; 2], Refusal> {
    let (need, offer) = (desk.need(&suggestion.need)?.clone(), desk.offer(&suggestion.offer)?.clone());
    let by = Party::of(actor, Some(need.trust), Some(offer.trust));
    OFFERS.edge(offer.state, OfferCommand::Hold, by)?;
    NEEDS.edge(need.state, NeedCommand::Hold, by)?;
    check_pair(desk.read(), &need, &offer, at)?;
    let held = units_to_hold(&need, &offer, suggestion.units, terms.turnover_minutes)?;
    if !offer.resource.kind.is_minutes() {
        check_reserve(room, held)?;
    }
    let block = offer.block();
    let hold = terms.in_force.hold_for(&need, block.as_ref());
    let held_until =
        hold_until(at, hold, terms.calendar)?.min(super::last_moment(&offer, block.as_ref(), at));
    if held_until <= at {
        return Err(Refusal::new(reason::WINDOW, "the offer's window has passed"));
    }
    let asked = Matter {
        kind: need.resource.kind,
        code: &need.resource.code,
        priority: need.priority,
        units: suggestion.units,
    };
    let begins = begins(&need, &offer, at);
    let agreement = |trust, with| terms.in_force.agreement_of(trust, with, &asked, begins);
    let (agreed, agreed_home) = (agreement(offer.trust, need.trust), agreement(need.trust, offer.trust));
    let ends = [agreed, agreed_home].map(|agreement| agreement.map(|agreement| agreement.until));
    let proposal = Proposal {
        id: suggestion.id.clone(),
        need: need.id.clone(),
        offer: offer.id.clone(),
        home_trust: need.trust,
        supporting_trust: offer.trust,
        block,
        units: suggestion.units,
        minutes_or_units_held: held,
        proposed_at: at,
        held_until,
        first_held_until: None,
        schedule: agreed.map(|agreement| {
            Box::new(Schedule { agreed_until: Some(agreement.until), ..Schedule::default() })
        }),
        supporting: side(agreed, at),
        home: side(agreed_home, at),
        team: None,
        from_home: suggestion.from_home,
        authority: terms.in_force.authority_for(need.resource.kind, need.priority, suggestion.units),
        explanation: suggestion.explanation,
        state: ProposalState::Held,
        ended_because: crate::ids::Note::default(),
        ended_at: None,
        generations: Generations { need: need.generation, offer: offer.generation },
    };
    desk.put().put_proposal(proposal);
    let offer = desk.offer_mut(&suggestion.offer)?;
    offer.figures.held = holds::add(offer.figures.held, held)?;
    let need = desk.need_mut(&suggestion.need)?;
    need.units_proposed = holds::add(need.units_proposed, suggestion.units)?;
    holds::settle(need, at)?;
    Ok(ends)
}

/// Ends the hold of a proposal that was just made no later than the agreements by which sides have answered it: a yes that
/// was given beforehand is none when its agreement is over. Then fixes when to remind of it.
pub(super) fn keep_hold(
    desk: &mut Desk<'_>,
    id: &ProposalId,
    ends: impl Iterator<Item = Timestamp>,
    terms: &Terms<'_>,
) -> Result<(), Refusal> {
    let proposal = desk.proposal(id)?;
    let hold = terms.in_force.hold_for(desk.need(&proposal.need)?, proposal.block.as_ref());
    let proposal = desk.proposal_mut(id)?;
    let hold_at_most = ends.min();
    proposal.held_until = hold_at_most.map_or(proposal.held_until, |end| end.min(proposal.held_until));
    let remind_at = working_reminders(proposal.proposed_at, hold, proposal.held_until, terms.calendar);
    let agreed_until = proposal.schedule.as_ref().and_then(|schedule| schedule.agreed_until);
    proposal.schedule = Schedule { remind_at, agreed_until, hold_at_most }.kept();
    Ok(())
}

/// Returns when what is proposed begins, as far as that is known: not before it is needed, nor before it is there.
pub(super) fn begins(need: &Need, offer: &Offer, at: Timestamp) -> Timestamp {
    [offer.window.from, need.earliest].into_iter().flatten().fold(at, Timestamp::max)
}

/// Makes a side that has agreed beforehand, or has still to answer.
pub(super) fn side<Code>(agreement: Option<&StandingAgreement>, at: Timestamp) -> Side<Code> {
    match agreement {
        Some(agreement) => Side {
            answer: Answer::Accepted,
            at: Some(at),
            agreement: Some(agreement.id.clone()),
            ..Side::pending()
        },
        None => Side::pending(),
    }
}

fn check_pair(read: &Records, need: &Need, offer: &Offer, at: Timestamp) -> Result<(), Refusal> {
    if need.trust == offer.trust {
        return Err(Refusal::new(reason::SAME_TRUST, "a trust is not asked to help itself"));
    }
    check_fresh(offer, at)?;
    if let Some(release_at) = offer.release_at.filter(|release_at| at < *release_at) {
        return Err(Refusal::new(reason::NOT_RELEASED, "the trust has not released the session yet")
            .with("release_at", release_at));
    }
    check_declined(read, need, offer)
}

/// Refuses an offer that nobody has said to be true for too long.
pub(super) fn check_fresh(offer: &Offer, at: Timestamp) -> Result<(), Refusal> {
    match offer.freshness(at) {
        Freshness::Fresh | Freshness::Ageing => Ok(()),
        Freshness::Stale => {
            Err(Refusal::new(reason::STALE, "nobody has said for two cadences that the offer is true")
                .with("reported_at", offer.reported_at))
        }
    }
}

/// Refuses a pair that was declined while neither has changed.
pub(super) fn check_declined(read: &Records, need: &Need, offer: &Offer) -> Result<(), Refusal> {
    let declined = read.declines.get(&(need.id.clone(), offer.id.clone()));
    if declined
        .is_some_and(|d| d.need_generation == need.generation && d.offer_generation == offer.generation)
    {
        return Err(Refusal::new(reason::DECLINED_BEFORE, "the pair was declined, and neither has changed"));
    }
    Ok(())
}

/// Returns what a hold takes of the offer's account: the units, or `min(minutes per case + turnover, free)` for each
/// theatre case. The last case needs no turnover after it.
fn units_to_hold(need: &Need, offer: &Offer, units: Count, turnover_minutes: u32) -> Result<Count, Refusal> {
    let (wanted, free) = (need.units_wanted(), offer.figures.free());
    if units.is_zero() || units > wanted {
        return Err(Refusal::new(reason::NOT_ENOUGH_UNITS, format!("the need wants {wanted} more units"))
            .with("wanted", wanted)
            .with("asked", units));
    }
    let too_few = |asked: u64| {
        Refusal::new(reason::NOT_ENOUGH_UNITS, format!("the offer has {free} free"))
            .with("free", free)
            .with("asked", asked)
    };
    if !offer.resource.kind.is_minutes() {
        return if units > free { Err(too_few(u64::from(units.get()))) } else { Ok(units) };
    }
    let turnover = u64::from(turnover_minutes);
    let with_turnover = u64::from(units.get()) * (u64::from(need.minutes_per_case.get()) + turnover);
    let least = with_turnover.saturating_sub(turnover);
    if least > u64::from(free.get()) {
        return Err(too_few(least));
    }
    Ok(u32::try_from(with_turnover).map_or(free, |minutes| Count::new(minutes).min(free)))
}

/// Refuses units that a trust keeps for itself.
pub(super) fn check_reserve(room: Room, held: Count) -> Result<(), Refusal> {
    if room.free < u64::from(room.reserve.get()) + u64::from(held.get()) {
        return Err(Refusal::new(reason::BELOW_RESERVE, "the trust keeps these units for itself")
            .with("free", room.free)
            .with("reserve", room.reserve)
            .with("asked", held));
    }
    Ok(())
}
