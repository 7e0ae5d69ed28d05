//! `PublishOffer`: a new offer, or the same one again by the trust's own key.

use fallow_api::status::Failure;
use fallow_domain::decide::offer::{OfferReport, publish};
use fallow_domain::ids::{Label, OfferId};
use fallow_domain::offer::Offer;
use fallow_domain::refusal::{Refusal, reason};
use fallow_domain::standing::Claim;
use fallow_ledger::Key;
use fallow_ledger::record::{Record, offer_key, source_claim_key};
use fallow_ledger::transact::{Done, Step, View};
use fallow_live::call::{Call, new_id};
use fallow_live::mutate::Mutation;
use fallow_live::neighbours;

/// Publishes an offer and answers with it as it then is.
///
/// # Errors
/// What [`fallow_domain::decide::offer::publish`] refuses.
pub(crate) async fn run(
    call: &Call,
    mutation: &Mutation,
    report: &OfferReport,
    confirm_large_change: bool,
) -> Result<Done<Offer>, Failure> {
    let fresh = offer_id(&new_id())?;
    let claim = report.source_key.as_ref().map(|key| source_claim_key(report.trust, key.as_str()));
    let picture = call.live.picture();
    let first: Vec<Key> = claim
        .iter()
        .flat_map(|claim| {
            let known = picture.get(claim).and_then(|seen| holder(&seen.record));
            known
                .into_iter()
                .flat_map(|id| neighbours::around(picture, &[offer_key(&id)]))
                .chain([claim.clone()])
        })
        .collect();
    call.live
        .mutate(mutation, first, |view| {
            let id = match claim.as_ref().and_then(|claim| view.get(claim)).and_then(holder) {
                Some(known) => {
                    let roots = [offer_key(&known)];
                    let missing = neighbours::missing(view, picture, &roots);
                    if !missing.is_empty() {
                        return Ok(Step::Read(missing));
                    }
                    // An ended offer is history: the same key then begins a new one.
                    if is_live(view, &roots[0]) { known } else { fresh.clone() }
                }
                None => fresh.clone(),
            };
            let read = neighbours::records(view);
            let changes = publish(&read, &id, report.clone(), confirm_large_change, &call.actor, call.at)?;
            let Some(offer) = changes.offers.get(&id).or_else(|| read.offers.get(&id)).cloned() else {
                return Ok(Step::ReadAgain);
            };
            if changes.is_empty() {
                return Ok(Step::Answer(offer));
            }
            let mut writes = neighbours::writes(changes);
            if let (Some(claim), true) = (&claim, id == fresh) {
                writes.push((claim.clone(), Some(Record::Claim(Claim { holder: label(&id)? }))));
            }
            Ok(Step::Write { writes, answer: offer })
        })
        .await
}

fn is_live(view: &View, key: &Key) -> bool {
    matches!(view.get(key), Some(Record::Offer(offer)) if !offer.state.is_ended())
}

/// Returns the offer that holds a source key.
pub(crate) fn holder(record: &Record) -> Option<OfferId> {
    if let Record::Claim(claim) = record { OfferId::parse(claim.holder.as_str()).ok() } else { None }
}

/// Makes an offer id of our own text.
pub(crate) fn offer_id(text: &str) -> Result<OfferId, Failure> {
    OfferId::parse(text)
        .map_err(|error| Failure::Refused(Refusal::new(reason::OUT_OF_RANGE, error.to_string())))
}

/// Makes the claim's holder of an id.
pub(crate) fn label(id: &OfferId) -> Result<Label, Failure> {
    Label::parse(id.as_str())
        .map_err(|error| Failure::Refused(Refusal::new(reason::OUT_OF_RANGE, error.to_string())))
}
