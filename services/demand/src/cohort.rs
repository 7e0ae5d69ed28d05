//! `AmendCohort` and `WithdrawCohort`: the needs of a trust that name one cohort, changed together or not at all.

use fallow_api::convert::{Check, need, request};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::decide::need as decide;
use fallow_domain::ids::{Label, NeedId, Note};
use fallow_domain::need::Need;
use fallow_domain::proposal::HomeDecline;
use fallow_domain::records::Records;
use fallow_domain::refusal::{Refusal, reason};
use fallow_ledger::record::need_key;
use fallow_ledger::{Key, RecordKind};
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;

/// Most needs of one cohort that are changed together.
const COHORT_MAX: usize = 500;

/// Amends every live need of a cohort.
///
/// # Errors
/// `NOT_FOUND` when there is none; every violation of any of them; what amending refuses.
pub(crate) async fn amend(
    call: &Call,
    message: &v1::AmendCohortRequest,
) -> Result<(Vec<v1::Need>, i64), Failure> {
    let mut check = Check::new("");
    let cohort: Label = check.required_text("cohort", &message.cohort);
    let wire = check.required("need", message.need.as_ref()).cloned();
    let mutation = call.asked("AmendCohort", &mut check, message, None);
    let (mutation, wire) = check.finish(mutation.zip(wire))?;
    let mask = message.update_mask.clone().unwrap_or_default().paths;
    let input = call.input(call.own_trust()?);
    change(call, &mutation, &cohort, |read, id| {
        let current = read.needs.get(id).ok_or_else(|| gone(id))?;
        let wanted = need::amended(current, &wire, &mask, "need", &input)?;
        Ok(decide::amend(read, wanted, &call.actor, call.at)?)
    })
    .await
}

/// Withdraws every live need of a cohort.
///
/// # Errors
/// `NOT_FOUND` when there is none; what withdrawing refuses.
pub(crate) async fn withdraw(
    call: &Call,
    message: &v1::WithdrawCohortRequest,
) -> Result<(Vec<v1::Need>, i64), Failure> {
    let mut check = Check::new("");
    let cohort: Label = check.required_text("cohort", &message.cohort);
    let because = check.coded::<HomeDecline>("reason", message.reason);
    let mutation = call.asked("WithdrawCohort", &mut check, message, None);
    let (mutation, because) = check.finish(mutation.zip(because))?;
    let because = Note::parse(because.as_str()).unwrap_or_default();
    change(call, &mutation, &cohort, |read, id| {
        Ok(decide::withdraw(read, id, &because, &call.actor, call.at)?)
    })
    .await
}

/// Decides on each need of a cohort in turn, each on what the decisions before it have left, and commits all or nothing.
async fn change(
    call: &Call,
    mutation: &Mutation,
    cohort: &Label,
    decide: impl Fn(&Records, &NeedId) -> Result<Records, Failure> + Send + Sync,
) -> Result<(Vec<v1::Need>, i64), Failure> {
    // Any copy of the service may have raised some of them a moment ago.
    call.live.catch_up().await?;
    let ids = members(call, cohort)?;
    let roots: Vec<Key> = ids.iter().map(need_key).collect();
    let done = call
        .live
        .decide(mutation, roots, |read| {
            // Asked only now: a repeated request is answered as before, whatever has become of the cohort.
            if ids.is_empty() {
                return Err(Failure::NotFound { record: "cohort", id: cohort.to_string() });
            }
            let mut working = read.clone();
            let mut changes = Records::default();
            for id in &ids {
                let change =
                    decide(&working, id).map_err(|failure| of_case(failure, working.needs.get(id)))?;
                working.apply(change.clone());
                changes.apply(change);
            }
            Ok((changes, ids.clone()))
        })
        .await?;
    // A repeated request is answered with the needs as they are now.
    let found = done.answer.iter().filter_map(|id| call.live.picture().get(&need_key(id)));
    let revision = done.revision.0;
    let wire =
        found.filter_map(|seen| seen.record.need().map(|found| need::to_wire(found, seen.revision.0, true)));
    Ok((wire.collect(), request::number_to_wire(revision)))
}

/// Returns the live needs of the caller's trust that name a cohort, in order of id.
fn members(call: &Call, cohort: &Label) -> Result<Vec<NeedId>, Failure> {
    let trust = call.own_trust()?;
    let still = call.live.picture().still();
    let is_member = |need: &&Need| need.trust == trust && need.cohort == *cohort && !need.state.is_ended();
    let all = still.all(RecordKind::Need);
    let mut ids: Vec<NeedId> = all
        .iter()
        .filter_map(|(_, seen)| seen.record.need().filter(is_member))
        .map(|need| need.id.clone())
        .collect();
    ids.sort();
    if ids.len() > COHORT_MAX {
        let mut check = Check::new("");
        let text = format!("names {} live needs; at most {COHORT_MAX} are changed together", ids.len());
        check.wrong("cohort", reasons::TOO_MANY, text);
        return Ok(check.finish(None)?);
    }
    Ok(ids)
}

/// Says of a refusal which case of the cohort it is about: the whole cohort stays as it was because of that one.
fn of_case(failure: Failure, need: Option<&Need>) -> Failure {
    match (failure, need) {
        (Failure::Refused(refusal), Some(need)) if refusal.reason != reason::CHANGED_MEANWHILE => {
            let case = need.case_ref.as_ref().map_or_else(|| need.id.to_string(), ToString::to_string);
            let text = format!("{case}: {}; nothing of the cohort was changed", refusal.text);
            Failure::Refused(Refusal { text, ..refusal }.with("need", &need.id))
        }
        (failure, _) => failure,
    }
}

fn gone(id: &NeedId) -> Failure {
    Failure::NotFound { record: "need", id: id.to_string() }
}
