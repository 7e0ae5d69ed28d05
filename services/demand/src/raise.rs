//! `RaiseNeed` and `RaiseNeeds`: a need, or the live one of the same case.

use fallow_api::convert::{self, Check};
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::decide::need::{Raised, raise};
use fallow_domain::ids::{Label, NeedId};
use fallow_domain::need::Need;
use fallow_domain::refusal::{Refusal, reason};
use fallow_domain::standing::Claim;
use fallow_host::texts;
use fallow_ledger::record::{Record, case_claim_key, need_key};
use fallow_ledger::transact::{Done, Step};
use fallow_live::call::{Call, new_id};
use fallow_live::mutate::Mutation;
use fallow_live::neighbours;
use serde::{Deserialize, Serialize};

/// The need that was raised, or was live already.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The need.
    pub(crate) need: Need,
    /// Whether the same case was live before.
    pub(crate) already_live: bool,
}

/// Raises a need. When the home trust has the same case and resource live, that need is the answer.
///
/// # Errors
/// What [`fallow_domain::decide::need::raise`] refuses.
pub(crate) async fn run(call: &Call, mutation: &Mutation, need: &Need) -> Result<Done<Answer>, Failure> {
    let claim =
        need.case_ref.as_ref().map(|case| case_claim_key(need.trust, case.as_str(), &need.resource.key()));
    let picture = call.live.picture();
    let known = claim.as_ref().and_then(|claim| picture.get(claim)).and_then(|seen| holder(&seen.record));
    let first = claim.iter().cloned().chain(known.as_ref().map(need_key)).collect();
    call.live
        .mutate(mutation, first, |view| {
            if let Some(known) = claim.as_ref().and_then(|claim| view.get(claim)).and_then(holder)
                && !view.has_read(&need_key(&known))
            {
                return Ok(Step::Read(vec![need_key(&known)]));
            }
            let read = neighbours::records(view);
            match raise(&read, need.clone(), &call.actor, call.at)? {
                Raised::AlreadyLive(id) => match read.needs.get(&id) {
                    Some(live) => Ok(Step::Answer(Answer { need: live.clone(), already_live: true })),
                    None => Ok(Step::ReadAgain),
                },
                Raised::New(changes) => {
                    let Some(raised) = changes.needs.get(&need.id).cloned() else {
                        return Ok(Step::ReadAgain);
                    };
                    let mut writes = neighbours::writes(changes);
                    if let Some(claim) = &claim {
                        let holder = Label::parse(need.id.as_str()).map_err(not_ours)?;
                        writes.push((claim.clone(), Some(Record::Claim(Claim { holder }))));
                    }
                    Ok(Step::Write { writes, answer: Answer { need: raised, already_live: false } })
                }
            }
        })
        .await
}

/// Raises one item of a stream and returns what to acknowledge it with. An item whose number was taken before answers as
/// then, so a feed may go on from its last acknowledgement after any break.
///
/// # Errors
/// Every violation of the item; what raising refuses; `REQUEST_ID_REUSED` when the number was another item's.
pub(crate) async fn item(
    call: &Call,
    item: &v1::RaiseNeedsRequest,
    feed: &str,
) -> Result<v1::RaisedNeed, Failure> {
    texts::check_item("/fallow.v1.DemandService/RaiseNeeds", item, call.at)?;
    let id = fresh_id()?;
    let mut check = Check::new("");
    let feed: Label = check.required_text("feed", feed);
    let seq = convert::request::source_seq(&mut check, item.source_seq);
    let wire = check.required("need", item.need.as_ref());
    let parsed = wire
        .map(|wire| convert::need::published(wire, "need", &call.input(call.own_trust()?), id))
        .transpose();
    let need = match parsed {
        Ok(need) => need,
        Err(Failure::Invalid(found)) => {
            check.add(found);
            None
        }
        Err(other) => return Err(other),
    };
    let (seq, need) = check.finish(seq.zip(need))?;
    let body = prost::Message::encode_to_vec(item.need.as_ref().unwrap_or(&v1::Need::default()));
    let mutation = call.named("RaiseNeeds", format!("need feed {feed} {seq}"), body, false);
    let done = run(call, &mutation, &need).await?;
    let revision = call.revision(&done, &need_key(&done.answer.need.id), false);
    Ok(v1::RaisedNeed {
        need: done.answer.need.id.to_string(),
        revision: convert::request::number_to_wire(revision),
        already_live: done.answer.already_live,
    })
}

/// Makes the id of a new need.
pub(crate) fn fresh_id() -> Result<NeedId, Failure> {
    NeedId::parse(&new_id()).map_err(not_ours)
}

fn holder(record: &Record) -> Option<NeedId> {
    if let Record::Claim(claim) = record { NeedId::parse(claim.holder.as_str()).ok() } else { None }
}

fn not_ours(error: fallow_domain::ids::NameError) -> Failure {
    Failure::Refused(Refusal::new(reason::OUT_OF_RANGE, error.to_string()))
}
