//! A trust changes a need.

use jiff::Timestamp;

use super::raise::{check_figures, check_window};
use super::{party, travelling, units_bound};
use crate::actor::Actor;
use crate::decide::{holds, words};
use crate::ids::NeedId;
use crate::lifecycle::Party;
use crate::lifecycle::need::{NeedCommand, TABLE};
use crate::need::Need;
use crate::records::{Desk, Records};
use crate::refusal::Refusal;

/// Amends a need to be as `wanted` says. Taken from it are units, minutes per case, priority, earliest, needed-by,
/// requirements, patient, travel limit, risk, team, fragile service, scope, pathways, funding and note; all else stays.
///
/// What a supporting trust has said yes to stays true: facts of the case (minutes, requirements, patient, team) change
/// only while no answered proposal and no transfer on its way rests on them, and proposals that nobody has answered are
/// superseded. Fewer units supersede unanswered proposals, newest first, and never go below what is answered or agreed.
/// Limits of time and travel change at any time: they bear on the next proposals.
///
/// # Errors
/// `UNITS_BOUND` with ids, `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `OUT_OF_RANGE`, `WINDOW`, `CHANGED_MEANWHILE`.
pub fn amend(read: &Records, wanted: Need, actor: &Actor, at: Timestamp) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let id = wanted.id.clone();
    let before = desk.need(&id)?.clone();
    TABLE.edge(before.state, NeedCommand::Amend, party(actor, before.trust))?;
    check_figures(&wanted)?;
    if before.needed_by != wanted.needed_by || before.earliest != wanted.earliest {
        check_window(&wanted, at)?;
    }
    if before.units_committed > wanted.units {
        let transfers = travelling(&desk, &id)?;
        return Err(units_bound(&id, &[], &transfers).with("bound", before.units_committed));
    }
    if is_other_case(&before, &wanted) {
        let (unanswered, answered) = {
            let all = holds::of_need(&desk, &id)?;
            holds::split_unanswered(&desk, all)?
        };
        let transfers = travelling(&desk, &id)?;
        if !answered.is_empty() || !transfers.is_empty() {
            return Err(units_bound(&id, &answered, &transfers));
        }
        let because = words("The home trust changed the facts of the case.");
        holds::supersede_all(&mut desk, &unanswered, Party::Home, &because, at)?;
    }
    release_beyond(&mut desk, &id, &wanted, at)?;
    let need = desk.need_mut(&id)?;
    let is_other_pair = is_other_case(&before, &wanted)
        || before.units != wanted.units
        || before.earliest != wanted.earliest
        || before.needed_by != wanted.needed_by
        || before.max_travel_minutes != wanted.max_travel_minutes;
    if is_other_pair {
        need.generation = need.generation.saturating_add(1);
    }
    take_over(need, wanted);
    holds::settle(need, at)?;
    Ok(desk.finish())
}

/// Says whether the facts differ on which a trust's yes rests.
fn is_other_case(before: &Need, wanted: &Need) -> bool {
    before.minutes_per_case != wanted.minutes_per_case
        || before.requires != wanted.requires
        || before.patient != wanted.patient
        || before.brings_team != wanted.brings_team
}

/// Supersedes unanswered proposals, newest first, until the rest fits the units wanted.
fn release_beyond(desk: &mut Desk<'_>, id: &NeedId, wanted: &Need, at: Timestamp) -> Result<(), Refusal> {
    let is_beyond = |desk: &Desk<'_>| -> Result<bool, Refusal> {
        let need = desk.need(id)?;
        let bound = u64::from(need.units_committed.get()) + u64::from(need.units_proposed.get());
        Ok(bound > u64::from(wanted.units.get()))
    };
    if !is_beyond(desk)? {
        return Ok(());
    }
    let (unanswered, answered) = {
        let all = holds::of_need(desk, id)?;
        holds::split_unanswered(desk, all)?
    };
    let because = words("The home trust needs fewer units.");
    for hold in unanswered {
        if !is_beyond(desk)? {
            return Ok(());
        }
        holds::supersede_all(desk, std::slice::from_ref(&hold), Party::Home, &because, at)?;
    }
    if is_beyond(desk)? {
        let need = desk.need(id)?;
        let bound = need.units_committed.plus(need.units_proposed).unwrap_or(need.units);
        let transfers = travelling(desk, id)?;
        return Err(units_bound(id, &answered, &transfers).with("bound", bound));
    }
    Ok(())
}

fn take_over(need: &mut Need, wanted: Need) {
    need.units = wanted.units;
    need.minutes_per_case = wanted.minutes_per_case;
    need.priority = wanted.priority;
    need.earliest = wanted.earliest;
    need.needed_by = wanted.needed_by;
    need.requires = wanted.requires;
    need.patient = wanted.patient;
    need.max_travel_minutes = wanted.max_travel_minutes;
    need.risk = wanted.risk;
    need.brings_team = wanted.brings_team;
    need.fragile_service = wanted.fragile_service;
    need.scope = wanted.scope;
    need.pathway = wanted.pathway;
    need.discharge_pathway = wanted.discharge_pathway;
    need.funding_route = wanted.funding_route;
    need.cost_centre = wanted.cost_centre;
    need.note = wanted.note;
}
