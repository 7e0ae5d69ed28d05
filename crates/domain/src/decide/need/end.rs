//! The ends of a need other than being met.

use jiff::{SignedDuration, Timestamp};

use super::park::withdraw_holds;
use super::{party, travelling, units_bound};
use crate::actor::Actor;
use crate::decide::{holds, words};
use crate::ids::{NeedId, Note};
use crate::lifecycle::Party;
use crate::lifecycle::need::{NeedCommand, TABLE};
use crate::need::NeedState;
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// A parked need that nobody has come back to expires so long after its review: 28 days.
pub const REVIEW_GRACE: SignedDuration = SignedDuration::from_hours(28 * 24);

/// Withdraws a need. Its live proposals end WITHDRAWN with the reason given, and their units go back.
///
/// # Errors
/// `UNITS_BOUND` with the ids of transfers that have not arrived (abort them first), `WRONG_SIDE`,
/// `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn withdraw(
    read: &Records,
    id: &NeedId,
    because: &Note,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    end_by_home(read, id, (NeedCommand::Withdraw, NeedState::Withdrawn), because, actor, at)
}

/// Records that a need was solved without Fallow. Its live proposals end WITHDRAWN, and a note that is not empty becomes
/// the need's.
///
/// # Errors
/// As [`withdraw`].
pub fn resolve_outside(
    read: &Records,
    id: &NeedId,
    how: &Note,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let command = (NeedCommand::ResolveOutside, NeedState::ResolvedOutside);
    let mut changes =
        end_by_home(read, id, command, &words("The need was solved outside Fallow."), actor, at)?;
    if let Some(need) = changes.needs.get_mut(id).filter(|_| !how.is_empty()) {
        need.note = how.clone();
    }
    Ok(changes)
}

fn end_by_home(
    read: &Records,
    id: &NeedId,
    (command, state): (NeedCommand, NeedState),
    because: &Note,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let need = desk.need(id)?;
    TABLE.edge(need.state, command, party(actor, need.trust))?;
    let transfers = travelling(&desk, id)?;
    if !transfers.is_empty() {
        return Err(units_bound(id, &[], &transfers));
    }
    withdraw_holds(&mut desk, id, because, at)?;
    let need = desk.need_mut(id)?;
    need.state = state;
    need.review_at = None;
    Ok(desk.finish())
}

/// Ends a need whose needed-by has passed as UNMET: some of its units were not agreed in time. Proposals that nobody has
/// answered are superseded; transfers run on and still count as arrived.
///
/// # Errors
/// `NOT_YET` (also where there is no needed-by), `UNITS_BOUND` while a proposal is answered (it ends by itself: try again
/// then), `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn give_up(read: &Records, id: &NeedId, actor: &Actor, at: Timestamp) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let need = desk.need(id)?;
    TABLE.edge(need.state, NeedCommand::GiveUp, party(actor, need.trust))?;
    if need.needed_by.is_none_or(|needed_by| at <= needed_by) {
        return Err(Refusal::new(reason::NOT_YET, "needed-by has not passed"));
    }
    let (unanswered, answered) = {
        let all = holds::of_need(&desk, id)?;
        holds::split_unanswered(&desk, all)?
    };
    if !answered.is_empty() {
        return Err(units_bound(id, &answered, &[]));
    }
    holds::supersede_all(&mut desk, &unanswered, Party::Engine, &words("Needed-by has passed."), at)?;
    let need = desk.need_mut(id)?;
    need.state = NeedState::Unmet;
    need.review_at = None;
    Ok(desk.finish())
}

/// Ends a parked need that nobody has come back to for [`REVIEW_GRACE`] after its review.
///
/// # Errors
/// `NOT_YET`, `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn expire(read: &Records, id: &NeedId, actor: &Actor, at: Timestamp) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let need = desk.need_mut(id)?;
    TABLE.edge(need.state, NeedCommand::Expire, party(actor, need.trust))?;
    if need.review_at.is_none_or(|review_at| at.duration_since(review_at) < REVIEW_GRACE) {
        return Err(Refusal::new(reason::NOT_YET, "the need's review was less than 28 days ago"));
    }
    need.state = NeedState::Expired;
    need.review_at = None;
    Ok(desk.finish())
}
