//! `AskToValidate`: trusts are asked whether needs on the shared list still stand.

use fallow_api::convert::Check;
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::decide::need::ask_to_validate;
use fallow_domain::ids::NeedId;
use fallow_ledger::Key;
use fallow_ledger::record::{Record, need_key};
use fallow_ledger::transact::{Done, Step};
use fallow_live::call::Call;
use fallow_live::neighbours;
use fallow_live::visibility::Joined;
use jiff::SignedDuration;

use crate::verbs;

/// Most needs of one question.
const NEEDS_MAX: usize = 100;

/// Asks whether needs still stand, and returns of how many that was asked now.
///
/// # Errors
/// Every violation; `NOT_FOUND` for a need that is not the caller's to know; `RATE_LIMITED`.
pub(crate) async fn ask(call: &Call, message: &v1::AskToValidateRequest) -> Result<Done<i64>, Failure> {
    let mut check = Check::new("");
    let mut ids: Vec<NeedId> = Vec::with_capacity(message.needs.len().min(NEEDS_MAX));
    if message.needs.is_empty() {
        check.wrong("needs", reasons::REQUIRED, "must name at least one need");
    }
    if check.at_most("needs", message.needs.len(), NEEDS_MAX) {
        for (index, text) in message.needs.iter().enumerate() {
            ids.extend(verbs::id(&mut check, &format!("needs[{index}]"), text));
        }
    }
    let mutation = call.asked("AskToValidate", &mut check, message, None);
    let mutation = check.finish(mutation)?;
    ids.sort();
    ids.dedup();
    for id in &ids {
        call.live.hear_of(&need_key(id)).await?;
        let (need, _) = call.live.find("need", &need_key(id), Record::need)?;
        if call.viewer().need(&need, Joined::No).is_none() {
            return Err(Failure::NotFound { record: "need", id: id.to_string() });
        }
    }
    // A question moves no unit, so that nothing but the needs themselves has to be read for it.
    let keys: Vec<Key> = ids.iter().map(need_key).collect();
    let again_after = SignedDuration::from_mins(call.region.region.policy.ask_again_minutes.into());
    call.live
        .mutate(&mutation, keys, |view| {
            let read = neighbours::records(view);
            let changes = ask_to_validate(&read, &ids, again_after, &call.actor, call.at)?;
            let answer = i64::try_from(changes.needs.len()).unwrap_or(i64::MAX);
            if changes.is_empty() {
                return Ok(Step::Answer(answer));
            }
            Ok(Step::Write { writes: neighbours::writes(changes), answer })
        })
        .await
}
