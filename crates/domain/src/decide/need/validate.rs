//! A case on the waiting list is validated: somebody asks whether it still stands, and its trust says so.

use jiff::{SignedDuration, Timestamp};

use super::party;
use crate::actor::Actor;
use crate::ids::NeedId;
use crate::lifecycle::need::{NeedCommand, TABLE};
use crate::need::{Need, Validated, ValidationAsked};
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// Asks the home trust of some needs whether they still stand: of those that nobody has asked about within `again_after`,
/// and that were not validated within it. The question stands until it is answered, and stops nothing meanwhile.
///
/// # Errors
/// `RATE_LIMITED` when every one of them was asked about, or validated, too lately; `WRONG_SIDE` (one's own need),
/// `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`; all or nothing.
pub fn ask_to_validate(
    read: &Records,
    ids: &[NeedId],
    again_after: SignedDuration,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let mut soonest: Option<Timestamp> = None;
    for id in ids {
        let need = desk.need(id)?;
        TABLE.edge(need.state, NeedCommand::AskToValidate, party(actor, need.trust))?;
        match quiet_until(need, again_after).filter(|until| at < *until) {
            Some(until) => soonest = Some(soonest.map_or(until, |soonest| soonest.min(until))),
            None => {
                desk.need_mut(id)?.validation.asked = Some(ValidationAsked { by: actor.clone(), at });
            }
        }
    }
    let changes = desk.finish();
    match soonest {
        Some(until) if changes.is_empty() => {
            Err(Refusal::new(reason::RATE_LIMITED, "the trust was asked the same a short while ago")
                .with("not_before", until)
                .with("retry_after_seconds", until.duration_since(at).as_secs().max(1)))
        }
        Some(_) | None => Ok(changes),
    }
}

/// Returns until when a need is not asked about again.
fn quiet_until(need: &Need, again_after: SignedDuration) -> Option<Timestamp> {
    let asked = need.validation.asked.as_ref().map(|asked| asked.at);
    let said = need.validation.said.as_ref().map(|said| said.at);
    let last = asked.max(said)?;
    Some(last.checked_add(again_after).unwrap_or(Timestamp::MAX))
}

/// Records that a need still stands: whether the patient has consented and is fit. It answers whoever has asked.
///
/// # Errors
/// `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`.
pub fn validate(
    read: &Records,
    id: &NeedId,
    (consented, fit): (bool, bool),
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let need = desk.need_mut(id)?;
    TABLE.edge(need.state, NeedCommand::Validate, party(actor, need.trust))?;
    need.validation.asked = None;
    need.validation.said = Some(Validated { consented, fit, by: actor.clone(), at });
    Ok(desk.finish())
}
