//! Decisions of gold, as the incident record keeps them.

use fallow_api::convert::request::number_to_wire;
use fallow_api::convert::{Check, time};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::ids::{DecisionId, Text};
use fallow_domain::monitor::kept::{CONSULTED_MAX, Decision, Kept};
use fallow_ledger::Revision;
use fallow_ledger::record::{Record, decision_key};
use fallow_ledger::transact::{Done, Step};
use fallow_live::call::{Call, new_id};
use fallow_live::mutate::Mutation;
use jiff::SignedDuration;

/// How far ahead a review may be: a year.
const REVIEW_WITHIN: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Parses a decision.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse(
    call: &Call,
    message: &v1::RecordDecisionRequest,
) -> Result<(Mutation, Decision), Failure> {
    let mut check = Check::new("");
    let wire = check.required("decision", message.decision.as_ref()).cloned().unwrap_or_default();
    let decision: Text<500> = check.required_text("decision.decision", &wire.decision);
    let rationale: Text<2000> = check.required_text("decision.rationale", &wire.rationale);
    let mut consulted = Vec::new();
    if check.at_most("decision.consulted", wire.consulted.len(), CONSULTED_MAX) {
        for (at, name) in wire.consulted.iter().enumerate() {
            consulted.push(check.required_text(&format!("decision.consulted[{at}]"), name));
        }
    }
    let review_at = check.time("decision.review_at", wire.review_at.as_ref());
    if let Some(review_at) = review_at {
        let ahead = review_at.duration_since(call.at);
        if ahead <= SignedDuration::ZERO || ahead > REVIEW_WITHIN {
            let text = "must be in the future, at most a year ahead";
            check.wrong("decision.review_at", reasons::WINDOW, text);
        }
    }
    let mutation = call.asked("RecordDecision", &mut check, message, None);
    let id = DecisionId::parse(&new_id()).ok();
    let (mutation, id) = check.finish(mutation.zip(id))?;
    let by = call.actor.clone();
    Ok((mutation, Decision { id, at: call.at, decision, rationale, consulted, review_at, by }))
}

/// Keeps a decision.
///
/// # Errors
/// As [`fallow_live::Live::mutate`].
pub(crate) async fn run(
    call: &Call,
    mutation: &Mutation,
    decision: &Decision,
) -> Result<Done<Decision>, Failure> {
    let key = decision_key(&decision.id);
    call.live
        .mutate(mutation, vec![key.clone()], |_| {
            let record = Record::Monitor(Box::new(Kept::Decision(decision.clone())));
            Ok(Step::Write { writes: vec![(key.clone(), Some(record))], answer: decision.clone() })
        })
        .await
}

/// Writes a decision for the wire.
pub(crate) fn to_wire(decision: &Decision, revision: Revision) -> v1::Decision {
    v1::Decision {
        id: decision.id.to_string(),
        at: Some(time::to_wire(decision.at)),
        decision: decision.decision.to_string(),
        rationale: decision.rationale.to_string(),
        consulted: decision.consulted.iter().map(ToString::to_string).collect(),
        review_at: decision.review_at.map(time::to_wire),
        role: decision.by.role.to_string(),
        revision: number_to_wire(revision.0),
    }
}
