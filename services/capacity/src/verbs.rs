//! The short verbs on offers that are there: adjust, confirm, suspend, resume, withdraw.

use fallow_api::status::Failure;
use fallow_domain::decide::offer;
use fallow_domain::ids::{Note, OfferId};
use fallow_domain::offer::Offer;
use fallow_domain::records::Records;
use fallow_domain::refusal::Refusal;
use fallow_ledger::Key;
use fallow_ledger::record::{Record, offer_key};
use fallow_ledger::transact::Done;
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use jiff::Timestamp;

use crate::selection::Offers;

/// Moves an offer's free units by a difference.
pub(crate) async fn adjust(
    call: &Call,
    mutation: &Mutation,
    id: &OfferId,
    by: i64,
) -> Result<Done<Offer>, Failure> {
    one(call, mutation, id, |read| offer::adjust(read, id, by, &call.actor, call.at)).await
}

/// Takes an offer back.
pub(crate) async fn withdraw(
    call: &Call,
    mutation: &Mutation,
    id: &OfferId,
    because: &Note,
) -> Result<Done<Offer>, Failure> {
    one(call, mutation, id, |read| offer::withdraw(read, id, because, &call.actor, call.at)).await
}

/// Says that the figures of some offers are still true.
pub(crate) async fn confirm(
    call: &Call,
    mutation: &Mutation,
    ids: &[OfferId],
) -> Result<Done<Vec<Offer>>, Failure> {
    several(call, mutation, ids, |read| offer::confirm(read, ids, &call.actor, call.at)).await
}

/// Stops new holds on some offers.
pub(crate) async fn suspend(
    call: &Call,
    mutation: &Mutation,
    ids: &[OfferId],
    until: Option<Timestamp>,
    because: &Note,
) -> Result<Done<Vec<Offer>>, Failure> {
    several(call, mutation, ids, |read| offer::suspend(read, ids, until, because, &call.actor, call.at)).await
}

/// Ends the suspension of some offers.
pub(crate) async fn resume(
    call: &Call,
    mutation: &Mutation,
    ids: &[OfferId],
) -> Result<Done<Vec<Offer>>, Failure> {
    several(call, mutation, ids, |read| offer::resume(read, ids, &call.actor, call.at)).await
}

async fn one(
    call: &Call,
    mutation: &Mutation,
    id: &OfferId,
    decide: impl Fn(&Records) -> Result<Records, Refusal> + Send + Sync,
) -> Result<Done<Offer>, Failure> {
    let done = several(call, mutation, std::slice::from_ref(id), decide).await?;
    let offer = done.answer.into_iter().next();
    let answer = offer.ok_or_else(|| Failure::NotFound { record: "offer", id: id.to_string() })?;
    Ok(Done { answer, revision: done.revision, replayed: done.replayed })
}

async fn several(
    call: &Call,
    mutation: &Mutation,
    ids: &[OfferId],
    decide: impl Fn(&Records) -> Result<Records, Refusal> + Send + Sync,
) -> Result<Done<Vec<Offer>>, Failure> {
    let trust = call.own_trust()?;
    let roots: Vec<Key> = ids.iter().map(offer_key).collect();
    for (root, id) in roots.iter().zip(ids) {
        call.live.hear_of(root).await?;
        // Another trust's offer is as good as none.
        let (offer, _) = call.live.find("offer", root, Record::offer)?;
        if offer.trust != trust {
            return Err(Failure::NotFound { record: "offer", id: id.to_string() });
        }
    }
    let done = call
        .live
        .decide(mutation, roots, |read| {
            let changes = decide(read)?;
            let now = |id: &OfferId| changes.offers.get(id).or_else(|| read.offers.get(id)).cloned();
            let offers = Offers::of(ids.iter().filter_map(now).collect());
            Ok((changes, offers))
        })
        .await?;
    Ok(Done { answer: done.answer.resolve(call), revision: done.revision, replayed: done.replayed })
}
