//! A transfer goes a step further, or something on it is done, booked or put off.

use jiff::Timestamp;

use super::{party, receiving, sending};
use crate::actor::Actor;
use crate::decide::holds;
use crate::ids::{Label, TransferId};
use crate::lifecycle::Party;
use crate::lifecycle::transfer::{TABLE, TransferCommand, command_to, is_lent};
use crate::offer::Arrival;
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};
use crate::transfer::{ReturnPlan, Step, Transfer, TransferState, Transport};

/// What a trust says of a transfer; each part may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// The state to go to; `None` = stay.
    pub to: Option<TransferState>,
    /// Items of the checklist by name, done or not done after all.
    pub ticks: Vec<(Label, bool)>,
    /// How it travels.
    pub transport: Option<Transport>,
    /// When the next step is due.
    pub due_at: Option<Timestamp>,
    /// How and when it goes back.
    pub return_plan: Option<ReturnPlan>,
}

/// Marks what was done and goes to the next state where one is asked for. Departure is for the trust that sends,
/// ARRIVED for the trust where the patient, the staff or the item arrives; on ARRIVED the offer's committed units, and a
/// team's, become occupied and the need's units arrived.
///
/// # Errors
/// `CHECKLIST_OPEN` for READY, `NO_SUCH_ITEM`, `NOT_YET` (the engine, before a return is due), `WINDOW` (a return at a time
/// that has passed), `AGREEMENT_ENDS` (a return later than the agreement, of what was lent by one), `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn advance(
    read: &Records,
    id: &TransferId,
    progress: Progress,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let transfer = desk.transfer_mut(id)?;
    let by = party(actor, transfer);
    let is_noted = !progress.ticks.is_empty()
        || progress.transport.is_some()
        || progress.due_at.is_some()
        || progress.return_plan.is_some();
    if is_noted || progress.to.is_none() {
        TABLE.edge(transfer.state, TransferCommand::Note, by)?;
    }
    tick(transfer, &progress.ticks, actor, at)?;
    if progress.transport.is_some() {
        transfer.transport = progress.transport;
    }
    if let Some(mut plan) = progress.return_plan {
        check_return(transfer, &plan, at)?;
        check_lent(transfer, plan.due_at, by)?;
        if transfer.lent_until.is_some() && by != Party::Supporting {
            // Only the lender can leave the end open: a remark by itself changes no date.
            plan.due_at = plan.due_at.or(return_at(transfer));
        }
        transfer.return_plan = Some(plan);
    }
    if let Some(to) = progress.to {
        step(transfer, to, by, actor, at)?;
        if to == TransferState::Arrived {
            arrive(&mut desk, id, at)?;
        }
    }
    if let Some(due_at) = progress.due_at {
        desk.transfer_mut(id)?.due_at = due_at;
    }
    Ok(desk.finish())
}

/// Nobody goes back at a time that has passed; a plan that is overdue may still be said again with another remark.
fn check_return(transfer: &Transfer, planned: &ReturnPlan, at: Timestamp) -> Result<(), Refusal> {
    let before = return_at(transfer);
    match planned.due_at.filter(|due_at| *due_at <= at && Some(*due_at) != before) {
        Some(due_at) => {
            Err(Refusal::new(reason::WINDOW, "the time of the return has passed").with("due_at", due_at))
        }
        None => Ok(()),
    }
}

/// Returns when it goes back, as far as that is planned.
fn return_at(transfer: &Transfer) -> Option<Timestamp> {
    transfer.return_plan.as_ref().and_then(|plan| plan.due_at)
}

/// What was lent by a standing agreement stays beyond its end only if the trust that lends it says so itself. Once it has,
/// anybody may name a time up to the one that it gave.
fn check_lent(transfer: &Transfer, due_at: Option<Timestamp>, by: Party) -> Result<(), Refusal> {
    let latest = transfer.lent_until.map(|until| return_at(transfer).map_or(until, |given| given.max(until)));
    match latest.filter(|latest| due_at.is_some_and(|due_at| due_at > *latest)) {
        Some(until) if by != Party::Supporting => Err(Refusal::new(
            reason::AGREEMENT_ENDS,
            "the agreement by which they were lent ends before that: only the lender can say yes to more",
        )
        .with("until", until)),
        Some(_) | None => Ok(()),
    }
}

fn tick(
    transfer: &mut Transfer,
    ticks: &[(Label, bool)],
    actor: &Actor,
    at: Timestamp,
) -> Result<(), Refusal> {
    for (name, is_done) in ticks {
        let item = transfer.checklist.iter_mut().find(|item| item.name == *name).ok_or_else(|| {
            Refusal::new(reason::NO_SUCH_ITEM, format!("the checklist has no item \u{201c}{name}\u{201d}"))
        })?;
        let is_news = item.done_at.is_some() != *is_done;
        if is_news {
            item.done_at = is_done.then_some(at);
            item.done_by = is_done.then(|| actor.clone());
        }
    }
    Ok(())
}

fn step(
    transfer: &mut Transfer,
    to: TransferState,
    by: Party,
    actor: &Actor,
    at: Timestamp,
) -> Result<(), Refusal> {
    let illegal = |why: &str| {
        Refusal::new(reason::ILLEGAL_TRANSITION, why).with("from", transfer.state).with("command", to)
    };
    let command =
        command_to(to).ok_or_else(|| illegal("a transfer starts as PLANNED and is aborted with a code"))?;
    TABLE.edge(transfer.state, command, by)?;
    let is_lent = is_lent(transfer.resource.kind);
    let only = |side: Party| {
        let refusal = Refusal::new(reason::WRONG_SIDE, format!("{to} is for the {side} trust to say"));
        if by == side { Ok(()) } else { Err(refusal) }
    };
    match command {
        TransferCommand::Prepare => {
            let open = transfer.checklist.iter().filter(|item| item.done_at.is_none()).count();
            if open > 0 {
                return Err(Refusal::new(
                    reason::CHECKLIST_OPEN,
                    format!("{open} items of the checklist are not done"),
                )
                .with("open", open));
            }
        }
        TransferCommand::Depart => only(sending(transfer))?,
        TransferCommand::Arrive => only(receiving(transfer))?,
        TransferCommand::Complete if is_lent => {
            return Err(illegal("staff and items are deployed and come back"));
        }
        TransferCommand::Deploy if !is_lent => return Err(illegal("only staff and items are deployed")),
        TransferCommand::CallBack => {
            let Some(plan) = &transfer.return_plan else {
                return Err(illegal("no return is planned"));
            };
            if by == Party::Engine && plan.due_at.is_none_or(|due_at| at < due_at) {
                return Err(Refusal::new(reason::NOT_YET, "the return is not due"));
            }
        }
        TransferCommand::Extend => return Err(illegal("more time is asked for with a new due time")),
        TransferCommand::Complete
        | TransferCommand::Deploy
        | TransferCommand::Return
        | TransferCommand::SendBack
        | TransferCommand::ArriveBack
        | TransferCommand::Abort
        | TransferCommand::Note => {}
    }
    enter(transfer, to, actor, at);
    Ok(())
}

/// Enters a state and notes the step; entering the same state again replaces its step, so that there is one for each.
pub(super) fn enter(transfer: &mut Transfer, to: TransferState, actor: &Actor, at: Timestamp) {
    transfer.state = to;
    transfer.steps.retain(|step| step.state != to);
    transfer.steps.push(Step { state: to, at, by: actor.clone() });
    let is_stay = matches!(to, TransferState::Completed | TransferState::Deployed);
    if let Some(due_at) = transfer.return_plan.as_ref().and_then(|plan| plan.due_at).filter(|_| is_stay) {
        transfer.due_at = due_at;
    }
}

/// Moves what has arrived from committed to occupied, and remembers it until a report is made that can have counted it.
fn arrive(desk: &mut Desk<'_>, id: &TransferId, at: Timestamp) -> Result<(), Refusal> {
    let transfer = desk.transfer(id)?.clone();
    let used = transfer.minutes_or_units_committed;
    let offer = desk.offer_mut(&transfer.offer)?;
    offer.figures.committed = holds::take(offer.figures.committed, used, "the offer")?;
    offer.figures.occupied = holds::add(offer.figures.occupied, used)?;
    offer.recent.arrivals.push(Arrival { at, units: used });
    if let Some(team) = &transfer.team {
        let offer = desk.offer_mut(&team.offer)?;
        offer.figures.committed = holds::take(offer.figures.committed, team.units, "the team's offer")?;
        offer.figures.occupied = holds::add(offer.figures.occupied, team.units)?;
        offer.recent.arrivals.push(Arrival { at, units: team.units });
    }
    let need = desk.need_mut(&transfer.need)?;
    need.units_arrived = holds::add(need.units_arrived, transfer.units)?;
    holds::settle(need, at)
}

/// Gives staff, an item or a return a later or earlier due time.
///
/// # Errors
/// `WINDOW` (the time has passed), `AGREEMENT_ENDS` (beyond the end of the agreement by which they were lent, and not the
/// lender's own word), `WRONG_SIDE`, `ILLEGAL_TRANSITION` (also where no return is planned).
pub fn extend(
    read: &Records,
    id: &TransferId,
    due_at: Timestamp,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let transfer = desk.transfer_mut(id)?;
    let by = party(actor, transfer);
    let edge = TABLE.edge(transfer.state, TransferCommand::Extend, by)?;
    if due_at <= at {
        return Err(Refusal::new(reason::WINDOW, "the new due time has passed").with("due_at", due_at));
    }
    check_lent(transfer, Some(due_at), by)?;
    let plan = transfer.return_plan.as_mut().ok_or_else(|| {
        Refusal::new(reason::ILLEGAL_TRANSITION, "no return is planned that could be put off")
    })?;
    plan.due_at = Some(due_at);
    transfer.due_at = due_at;
    if let [to] = edge.to {
        enter(transfer, *to, actor, at);
    }
    Ok(desk.finish())
}
