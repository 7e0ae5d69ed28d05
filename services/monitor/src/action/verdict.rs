//! What people say of an action in words: that it is not to be done, and what they found when they looked at it again.

use fallow_api::convert::Check;
use fallow_api::convert::request::Mutating;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::action::Action;
use fallow_domain::actor::Actor;
use fallow_domain::decide::action as decide;
use fallow_domain::ids::{ActionId, Note};
use fallow_domain::refusal::Refusal;
use fallow_ledger::record::action_key;
use fallow_ledger::transact::Step;
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use jiff::Timestamp;
use prost::Message;

use super::{Now, joins, kept, known, knows};
use crate::kept::action_of;

/// How an action becomes what somebody says of it.
type Decide = fn(&Action, &Actor, &Note, Timestamp) -> Result<Action, Refusal>;

/// Refuses an action.
///
/// # Errors
/// Violations; [`Failure::NotFound`]; what [`decide::refuse`] refuses; as [`fallow_live::Live::mutate`].
pub(crate) async fn refuse(call: &Call, message: &v1::RefuseActionRequest) -> Result<Now, Failure> {
    let words = ("reason", message.reason.as_str());
    let (mutation, found, note) = parse(call, "RefuseAction", message, &message.action, words).await?;
    // Who stops it must know as much of it as who confirms it: all its trusts, not one.
    if let Some(id) = found.errand.proposal()
        && let Ok(proposal) = joins(call, id)
        && knows(call, id, &proposal).is_err()
    {
        return Err(Failure::NotFound { record: "action", id: found.id.to_string() });
    }
    write(call, &mutation, found, &note, decide::refuse).await
}

/// Writes down the review of an action.
///
/// # Errors
/// Violations; [`Failure::NotFound`]; what [`decide::review`] refuses; as [`fallow_live::Live::mutate`].
pub(crate) async fn review(call: &Call, message: &v1::ReviewActionRequest) -> Result<Now, Failure> {
    let words = ("note", message.note.as_str());
    let (mutation, found, note) = parse(call, "ReviewAction", message, &message.action, words).await?;
    write(call, &mutation, found, &note, decide::review).await
}

async fn parse<M: Mutating + Message>(
    call: &Call,
    verb: &'static str,
    message: &M,
    id: &str,
    (field, words): (&'static str, &str),
) -> Result<(Mutation, Action, Note), Failure> {
    let mut check = Check::new("");
    let id = check.id("action", id, ActionId::parse);
    let note: Note = check.required_text(field, words);
    let mutation = call.asked(verb, &mut check, message, id.as_ref().map(action_key));
    let (mutation, id) = check.finish(mutation.zip(id))?;
    let (found, _) = known(call, &id).await?;
    Ok((mutation, found, note))
}

async fn write(
    call: &Call,
    mutation: &Mutation,
    found: Action,
    note: &Note,
    decide: Decide,
) -> Result<Now, Failure> {
    let key = action_key(&found.id);
    let id = found.id.clone();
    let mut now = found;
    let done = call.live.mutate(mutation, vec![key.clone()], |view| {
        let missing = || Failure::NotFound { record: "action", id: id.to_string() };
        let was = view.get(&key).and_then(action_of).ok_or_else(missing)?;
        now = decide(was, &call.actor, note, call.at)?;
        Ok(Step::Write { writes: vec![(key.clone(), Some(kept(&now)))], answer: id.clone() })
    });
    let done = done.await?;
    Ok(Now::after(call, mutation, &done, now))
}
