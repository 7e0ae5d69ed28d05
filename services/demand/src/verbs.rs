//! The verbs on a need that is there: amend, park, resume, withdraw, resolve outside.

use fallow_api::convert::Check;
use fallow_api::status::Failure;
use fallow_domain::ids::NeedId;
use fallow_domain::need::Need;
use fallow_domain::records::Records;
use fallow_ledger::record::{Record, need_key};
use fallow_ledger::transact::Done;
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;

/// Changes one need of the caller's by a decision, and answers with it as it then is.
///
/// # Errors
/// [`Failure::NotFound`] when there is no such need of the caller's trust; what the decision refuses.
pub(crate) async fn change(
    call: &Call,
    mutation: &Mutation,
    id: &NeedId,
    decide: impl Fn(&Records) -> Result<Records, Failure> + Send + Sync,
) -> Result<Done<Need>, Failure> {
    call.live.hear_of(&need_key(id)).await?;
    own(call, id)?;
    call.live
        .decide(mutation, vec![need_key(id)], |read| {
            let changes = decide(read)?;
            let now = changes.needs.get(id).or_else(|| read.needs.get(id)).cloned();
            let need = now.ok_or_else(|| Failure::NotFound { record: "need", id: id.to_string() })?;
            Ok((changes, need))
        })
        .await
}

/// Returns a need of the caller's trust as the picture has it. Another trust's need is as good as none.
///
/// # Errors
/// [`Failure::NotFound`].
pub(crate) fn own(call: &Call, id: &NeedId) -> Result<Need, Failure> {
    let trust = call.own_trust()?;
    let (need, _) = call.live.find("need", &need_key(id), Record::need)?;
    if need.trust == trust { Ok(need) } else { Err(Failure::NotFound { record: "need", id: id.to_string() }) }
}

/// Parses the id of a need.
pub(crate) fn id(check: &mut Check<'_>, field: &str, text: &str) -> Option<NeedId> {
    check.id(field, text, NeedId::parse)
}
