//! Decisions about actions that need two people.

use jiff::Timestamp;

use crate::action::{Action, ActionState, Confirmed, OVERRIDES_MAX, OVERRIDES_WITHIN};
use crate::actor::{Actor, ActorKind};
use crate::refusal::{Refusal, reason};

/// Checks that an action may wait for its second person. `before` are those that the same person proposed before and that
/// break glass, in any order; the last two are enough.
///
/// # Errors
/// `WRONG_SIDE` for who is none of the two that it needs, `OVERRIDE_REASON`, `OVERRIDE_LIMIT`.
pub fn propose<'a>(action: &Action, before: impl IntoIterator<Item = &'a Action>) -> Result<(), Refusal> {
    takes_part(action, &action.proposed_by)?;
    if !action.errand.breaks_glass() {
        return Ok(());
    }
    if action.code.is_none() || action.reason.as_str().trim().is_empty() {
        return Err(Refusal::new(
            reason::OVERRIDE_REASON,
            "everybody concerned sees why: give a reason from the list and in words",
        ));
    }
    let recent = |one: &&Action| {
        one.errand.breaks_glass() && action.proposed_at.duration_since(one.proposed_at) < OVERRIDES_WITHIN
    };
    let used = before.into_iter().filter(recent).count();
    if used >= OVERRIDES_MAX {
        let text = format!("you have proposed this {used} times within 24 hours, which is the most");
        return Err(Refusal::new(reason::OVERRIDE_LIMIT, text)
            .with("used", used)
            .with("most", OVERRIDES_MAX));
    }
    Ok(())
}

/// Confirms an action: another person, in another role, in time.
///
/// # Errors
/// `ILLEGAL_TRANSITION` when it is done, `OVERRIDE_EXPIRED` at its end and after, `SECOND_PERSON_REQUIRED`, `WRONG_SIDE`.
pub fn confirm(
    action: &Action,
    by: &Actor,
    at: Timestamp,
    review_by: Option<Timestamp>,
) -> Result<Action, Refusal> {
    match action.state(at) {
        ActionState::Proposed => {}
        ActionState::Confirmed => {
            return Err(Refusal::new(reason::ILLEGAL_TRANSITION, "two people have done this")
                .with("from", ActionState::Confirmed)
                .with("command", "confirm"));
        }
        ActionState::Expired => {
            return Err(Refusal::new(
                reason::OVERRIDE_EXPIRED,
                "nobody confirmed it in time: propose it again",
            )
            .with("expires_at", action.expires_at));
        }
    }
    takes_part(action, by)?;
    if by.subject == action.proposed_by.subject {
        return Err(Refusal::new(
            reason::SECOND_PERSON_REQUIRED,
            "you have proposed this: another person must confirm it",
        ));
    }
    if by.role == action.proposed_by.role {
        return Err(Refusal::new(
            reason::SECOND_PERSON_REQUIRED,
            format!("a {} has proposed this: somebody in another role must confirm it", by.role),
        ));
    }
    let review_by = review_by.filter(|_| action.errand.breaks_glass());
    Ok(Action { confirmed: Some(Confirmed { by: by.clone(), at, review_by }), ..action.clone() })
}

/// Checks that somebody is one of the two that an action needs: a person in one of its roles, and a site lead for the own
/// trust alone.
fn takes_part(action: &Action, by: &Actor) -> Result<(), Refusal> {
    use crate::actor::Role;

    let roles = action.errand.roles();
    let is_of_trust = by.role != Role::SiteLead || by.trust == action.for_trust();
    if by.kind == ActorKind::Person && roles.contains(&by.role) && is_of_trust {
        return Ok(());
    }
    let roles = roles.iter().map(|role| role.as_str().replace('_', " ")).collect::<Vec<_>>().join(", ");
    let text =
        format!("this takes two people, each of them one of: {roles}; a site lead for the own trust alone");
    Err(Refusal::new(reason::WRONG_SIDE, text))
}
