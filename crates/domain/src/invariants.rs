//! What must be true of the live records at any revision, and of any step between two: pure checkers for tests, fault
//! runs and the running auditor. They share nothing with the decisions but the records and the tables.

use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::Timestamp;

use crate::ids::{NeedId, OfferId};
use crate::lifecycle;
use crate::need::{Need, NeedState};
use crate::offer::{Offer, OfferState};
use crate::proposal::{Proposal, ProposalState};
use crate::quantity::Count;
use crate::records::Records;
use crate::resource::coded;
use crate::transfer::Transfer;

coded!(
    /// What must be true.
    Rule {
        /// Staffed + short = free + held + committed + occupied + blocked, and free × short = 0.
        Conservation = "conservation",
        /// An offer's held units are those of its live holds, its committed ones those of its transfers before arrival.
        NoDoubleHold = "no_double_hold",
        /// A need's gauges are those of its live holds and transfers, and its state is the one they stand for.
        Gauges = "gauges",
        /// What has ended or is parked has no live hold, and what is short has none either.
        NoStrayHold = "no_stray_hold",
        /// Every step is in its record's table.
        LegalEdgesOnly = "legal_edges_only",
        /// No hold lapses before its time or is used after it, and none that is answered is taken away.
        NeverEarly = "never_early",
        /// What is confirmed has the yes of the home trust, of the supporting one and of a third that lends a team.
        EveryYes = "every_yes",
        /// No new hold takes a trust's free units below what it keeps for itself.
        ReserveKept = "reserve_kept",
    }
);

/// A rule that does not hold, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The record, such as `offer o-1`.
    pub record: String,
    /// What was found, with its figures.
    pub found: String,
}

impl Violation {
    fn new(rule: Rule, record: impl Display, found: impl Into<String>) -> Self {
        Self { rule, record: record.to_string(), found: found.into() }
    }
}

#[derive(Default)]
struct Sums {
    held: u64,
    committed: u64,
}

/// Returns every rule that the live records break at one revision. Cost: one pass over them.
#[must_use]
pub fn check(world: &Records) -> Vec<Violation> {
    let mut offers: BTreeMap<&OfferId, Sums> = BTreeMap::new();
    let mut needs: BTreeMap<&NeedId, Sums> = BTreeMap::new();
    for proposal in world.proposals.values().filter(|p| p.state == ProposalState::Held) {
        for (offer, units) in holdings(proposal) {
            offers.entry(offer).or_default().held += u64::from(units.get());
        }
        needs.entry(&proposal.need).or_default().held += u64::from(proposal.units.get());
    }
    for transfer in world.transfers.values().filter(|t| t.state.is_before_arrival()) {
        let session = (&transfer.offer, transfer.minutes_or_units_committed);
        let team = transfer.team.as_ref().map(|team| (&team.offer, team.units));
        for (offer, units) in [session].into_iter().chain(team) {
            offers.entry(offer).or_default().committed += u64::from(units.get());
        }
        needs.entry(&transfer.need).or_default().committed += u64::from(transfer.units.get());
    }
    let mut found = Vec::new();
    for id in offers.keys().filter(|id| !world.offers.contains_key(**id)) {
        found.push(Violation::new(
            Rule::NoDoubleHold,
            format!("offer {id}"),
            "units of an offer that is gone",
        ));
    }
    for id in needs.keys().filter(|id| !world.needs.contains_key(**id)) {
        found.push(Violation::new(Rule::Gauges, format!("need {id}"), "units of a need that is gone"));
    }
    let none = Sums::default();
    for offer in world.offers.values() {
        check_offer(offer, offers.get(&offer.id).unwrap_or(&none), &mut found);
    }
    for need in world.needs.values() {
        check_need(need, needs.get(&need.id).unwrap_or(&none), &mut found);
    }
    for proposal in world.proposals.values().filter(|p| p.state == ProposalState::Confirmed) {
        check_answers(proposal, &mut found);
    }
    for transfer in world.transfers.values() {
        check_transfer(transfer, world.proposals.get(&transfer.proposal), &mut found);
    }
    found
}

/// Returns what a proposal holds of which offer: one, and the team's where it takes one.
fn holdings(proposal: &Proposal) -> impl Iterator<Item = (&OfferId, Count)> {
    let team = proposal.team.as_ref().map(|team| (&team.offer, team.units));
    [(&proposal.offer, proposal.minutes_or_units_held)].into_iter().chain(team)
}

fn check_offer(offer: &Offer, sums: &Sums, found: &mut Vec<Violation>) {
    let record = format!("offer {}", offer.id);
    let figures = offer.figures;
    let sum = |parts: &[u32]| parts.iter().map(|part| u64::from(*part)).sum::<u64>();
    let free = figures.free().get();
    let taken =
        sum(&[figures.held.get(), figures.committed.get(), figures.occupied.get(), figures.blocked.get()]);
    let has = u64::from(figures.staffed.get()) + figures.short();
    if has != u64::from(free) + taken || (free > 0 && figures.short() > 0) {
        found.push(Violation::new(
            Rule::Conservation,
            &record,
            format!("{has} are not {free} free + {taken}"),
        ));
    }
    for (what, stands, sum) in
        [("held", figures.held, sums.held), ("committed", figures.committed, sums.committed)]
    {
        if u64::from(stands.get()) != sum {
            let text = format!("{stands} {what} stand for {sum}");
            found.push(Violation::new(Rule::NoDoubleHold, &record, text));
        }
    }
    if sums.held > 0 && (offer.state.is_ended() || figures.short() > 0) {
        let text = format!("{} held while {} and {} short", sums.held, offer.state, figures.short());
        found.push(Violation::new(Rule::NoStrayHold, &record, text));
    }
    if offer.suspension.is_some() != (offer.state == OfferState::Suspended) {
        let text = format!("{} with or without a suspension", offer.state);
        found.push(Violation::new(Rule::LegalEdgesOnly, &record, text));
    }
}

fn check_need(need: &Need, sums: &Sums, found: &mut Vec<Violation>) {
    let record = format!("need {}", need.id);
    let units = u64::from(need.units.get());
    let (proposed, committed, arrived) = (
        u64::from(need.units_proposed.get()),
        u64::from(need.units_committed.get()),
        u64::from(need.units_arrived.get()),
    );
    if proposed != sums.held || committed != arrived + sums.committed || proposed + committed > units {
        let text = format!(
            "{proposed} proposed, {committed} committed, {arrived} arrived of {units} stand for {} held and {} on the way",
            sums.held, sums.committed
        );
        found.push(Violation::new(Rule::Gauges, &record, text));
    }
    let is_right = match need.state {
        NeedState::Open => proposed == 0 && committed == 0,
        NeedState::Proposed => proposed > 0 && committed == 0,
        NeedState::PartAgreed => committed > 0 && committed < units,
        NeedState::Agreed => committed == units && arrived < units,
        NeedState::Met => arrived == units,
        NeedState::OnHold => arrived < units,
        NeedState::Withdrawn | NeedState::Expired | NeedState::Unmet | NeedState::ResolvedOutside => true,
    };
    if !is_right {
        let text = format!("{} with {proposed}, {committed} and {arrived} of {units}", need.state);
        found.push(Violation::new(Rule::Gauges, &record, text));
    }
    if proposed > 0 && (need.state.is_ended() || need.state == NeedState::OnHold) {
        let text = format!("{proposed} proposed while {}", need.state);
        found.push(Violation::new(Rule::NoStrayHold, &record, text));
    }
}

fn check_answers(proposal: &Proposal, found: &mut Vec<Violation>) {
    let team = proposal.team.as_ref().and_then(|team| team.side.as_ref());
    let is_agreed =
        proposal.home.is_yes() && proposal.supporting.is_yes() && team.is_none_or(|side| side.is_yes());
    let is_third = proposal.team.as_ref().is_some_and(|team| {
        team.side.is_some() != (team.trust != proposal.home_trust && team.trust != proposal.supporting_trust)
    });
    if !is_agreed || is_third {
        let text = "confirmed without the yes of every trust that gives something or takes it";
        found.push(Violation::new(Rule::EveryYes, format!("proposal {}", proposal.id), text));
    }
}

fn check_transfer(transfer: &Transfer, proposal: Option<&Proposal>, found: &mut Vec<Violation>) {
    let Some(proposal) = proposal else {
        // An ended proposal may have left the live records before its transfer does.
        return;
    };
    let is_its_own = proposal.state == ProposalState::Confirmed
        && proposal.units == transfer.units
        && proposal.minutes_or_units_held == transfer.minutes_or_units_committed
        && proposal.need == transfer.need
        && proposal.team.as_ref().map(|team| (&team.offer, team.units))
            == transfer.team.as_ref().map(|team| (&team.offer, team.units))
        && proposal.offer == transfer.offer;
    if !is_its_own {
        let text = format!("differs from its proposal {}, {}", proposal.id, proposal.state);
        found.push(Violation::new(Rule::NoDoubleHold, format!("transfer {}", transfer.id), text));
    }
}

/// Returns every rule that a step breaks: the new versions of the records it changed, over all there was before.
#[must_use]
pub fn check_step(before: &Records, changes: &Records, at: Timestamp) -> Vec<Violation> {
    let mut found = Vec::new();
    for (id, new) in &changes.offers {
        let old = before.offers.get(id);
        check_edge(&lifecycle::offer::TABLE, id, old.map(|o| o.state), new.state, &mut found);
        if old.is_some_and(|old| old.generation > new.generation) {
            found.push(Violation::new(Rule::LegalEdgesOnly, format!("offer {id}"), "the generation fell"));
        }
    }
    for (id, new) in &changes.needs {
        let old = before.needs.get(id);
        check_edge(&lifecycle::need::TABLE, id, old.map(|n| n.state), new.state, &mut found);
        if old.is_some_and(|old| old.generation > new.generation) {
            found.push(Violation::new(Rule::LegalEdgesOnly, format!("need {id}"), "the generation fell"));
        }
    }
    for (id, new) in &changes.proposals {
        let old = before.proposals.get(id);
        check_edge(&lifecycle::proposal::TABLE, id, old.map(|p| p.state), new.state, &mut found);
        if let Some(old) = old {
            check_hold_time(old, new, at, &mut found);
        }
    }
    for (id, new) in &changes.transfers {
        let old = before.transfers.get(id).map(|t| t.state);
        check_edge(&lifecycle::transfer::TABLE, id, old, new.state, &mut found);
    }
    found
}

fn check_edge<S, C>(
    table: &lifecycle::Table<S, C>,
    id: &impl Display,
    old: Option<S>,
    new: S,
    found: &mut Vec<Violation>,
) where
    S: Copy + Eq + Display,
    C: Copy + Eq + Display,
{
    let text = match old {
        None if table.births.contains(&new) => return,
        Some(old) if table.is_legal(old, new) => return,
        None => format!("born as {new}"),
        Some(old) => format!("{old} to {new}"),
    };
    found.push(Violation::new(Rule::LegalEdgesOnly, format!("{} {id}", table.record), text));
}

fn check_hold_time(old: &Proposal, new: &Proposal, at: Timestamp, found: &mut Vec<Violation>) {
    if old.state != ProposalState::Held {
        return;
    }
    let is_over = at >= old.held_until;
    let is_right = match new.state {
        ProposalState::Held => (!is_over || old == new) && new.held_until >= old.held_until,
        ProposalState::Confirmed => !is_over,
        ProposalState::Lapsed => is_over,
        ProposalState::Superseded | ProposalState::Bypassed => !old.is_answered(),
        ProposalState::Declined | ProposalState::Withdrawn => true,
    };
    if !is_right {
        let answered = if old.is_answered() { "answered" } else { "unanswered" };
        let text = format!("{answered}, held until {}, is {} at {at}", old.held_until, new.state);
        found.push(Violation::new(Rule::NeverEarly, format!("proposal {}", old.id), text));
    }
}

/// Says whether a new hold left a trust's free units at or above what it keeps for itself; `free` is what its OPEN, not
/// STALE offers of the resource have left after the hold. Theatres take no reserve.
#[must_use]
pub fn check_reserve(hold: &Proposal, room: crate::decide::proposal::Room) -> Option<Violation> {
    let reserve = u64::from(room.reserve.get());
    (room.free < reserve).then(|| {
        let text = format!("{} free are left of {} to keep", room.free, reserve);
        Violation::new(Rule::ReserveKept, format!("proposal {}", hold.id), text)
    })
}

#[cfg(test)]
mod tests;
