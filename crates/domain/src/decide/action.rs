//! Decisions about actions that need two people.

use jiff::Timestamp;

use crate::action::{Action, ActionState, Confirmed, OVERRIDES_MAX, OVERRIDES_WITHIN, Said};
use crate::actor::{Actor, ActorKind, Role};
use crate::ids::Note;
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
/// `ILLEGAL_TRANSITION` when it is done or refused, `OVERRIDE_EXPIRED` at its end and after, `SECOND_PERSON_REQUIRED`, `WRONG_SIDE`.
pub fn confirm(
    action: &Action,
    by: &Actor,
    at: Timestamp,
    review_by: Option<Timestamp>,
) -> Result<Action, Refusal> {
    waits(action, at, "confirm")?;
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

/// Refuses an action that waits, for whoever could be one of its two people; who proposed it takes it back so.
///
/// # Errors
/// `ILLEGAL_TRANSITION` when it is done or refused, `OVERRIDE_EXPIRED` at its end and after, `WRONG_SIDE`.
pub fn refuse(action: &Action, by: &Actor, note: &Note, at: Timestamp) -> Result<Action, Refusal> {
    waits(action, at, "refuse")?;
    takes_part(action, by)?;
    let refused = Said { by: by.clone(), at, note: note.clone() };
    Ok(Action { refused: Some(refused), ..action.clone() })
}

/// Writes down that what broke glass was looked at again: by a person who is neither of the two, and whose business it is.
///
/// # Errors
/// `ILLEGAL_TRANSITION` for what was not done, breaks no glass or was reviewed, `SECOND_PERSON_REQUIRED` for one of the
/// two, `WRONG_SIDE` for who governs none of it.
pub fn review(action: &Action, by: &Actor, note: &Note, at: Timestamp) -> Result<Action, Refusal> {
    let state = action.state(at);
    let illegal = |text: &'static str| {
        Refusal::new(reason::ILLEGAL_TRANSITION, text).with("from", state).with("command", "review")
    };
    let Some(confirmed) = &action.confirmed else {
        return Err(illegal("it was not done: there is nothing to review"));
    };
    if !action.errand.breaks_glass() {
        return Err(illegal("it broke no glass: nobody needs to review it"));
    }
    if action.reviewed.is_some() {
        return Err(illegal("it was reviewed"));
    }
    let governs = match by.role {
        Role::SiteLead => by.trust.is_some_and(|own| action.trusts.contains(&own)),
        Role::Coordinator | Role::Icb | Role::LeadProvider | Role::Gold => true,
        Role::TrustSystem
        | Role::BedManager
        | Role::Engine
        | Role::Console
        | Role::Auditor
        | Role::PlatformAdmin => false,
    };
    if by.kind != ActorKind::Person || !governs {
        let text = "a site lead of a trust that it concerns reviews it, or somebody above its trusts";
        return Err(Refusal::new(reason::WRONG_SIDE, text));
    }
    if [&action.proposed_by, &confirmed.by].iter().any(|person| person.subject == by.subject) {
        return Err(Refusal::new(
            reason::SECOND_PERSON_REQUIRED,
            "you are one of the two who did this: another person must review it",
        ));
    }
    let reviewed = Said { by: by.clone(), at, note: note.clone() };
    Ok(Action { reviewed: Some(reviewed), ..action.clone() })
}

/// Checks that an action waits for its second person.
fn waits(action: &Action, at: Timestamp, command: &'static str) -> Result<(), Refusal> {
    let text = match action.state(at) {
        ActionState::Proposed => return Ok(()),
        ActionState::Expired => {
            let text = "nobody confirmed it in time: propose it again";
            return Err(Refusal::new(reason::OVERRIDE_EXPIRED, text).with("expires_at", action.expires_at));
        }
        ActionState::Confirmed => "two people have done this",
        ActionState::Refused => "it was refused: propose it again if it must be done",
    };
    Err(Refusal::new(reason::ILLEGAL_TRANSITION, text)
        .with("from", action.state(at))
        .with("command", command))
}

/// Checks that somebody is one of the two that an action needs: a person in one of its roles, and a site lead for the own
/// trust alone.
fn takes_part(action: &Action, by: &Actor) -> Result<(), Refusal> {
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
