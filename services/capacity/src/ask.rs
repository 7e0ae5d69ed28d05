//! `AskToConfirm`: a trust is asked whether its figures are still true.

use fallow_api::convert::{Check, resource};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::decide::offer::ask;
use fallow_domain::ids::{NeedId, OfferId, TrustCode};
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::resource::ResourceKey;
use fallow_ledger::record::{Record, need_key, offer_key};
use fallow_ledger::transact::Done;
use fallow_ledger::{Key, RecordKind};
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use fallow_live::visibility::Joined;
use jiff::SignedDuration;

use crate::selection::offer_of;

/// Most offers that one question is about; more are asked about again after the first are answered.
const OFFERS_MAX: usize = 500;

/// What is asked, and of whom.
pub(crate) struct Question {
    trust: TrustCode,
    /// `None` = of all resources.
    resource: Option<ResourceKey>,
    need: Option<NeedId>,
}

/// Parses a question.
///
/// # Errors
/// Every violation; `NOT_FOUND` for a trust or a need that is not the caller's to know.
pub(crate) fn parse(call: &Call, message: &v1::AskToConfirmRequest) -> Result<(Mutation, Question), Failure> {
    let mut check = Check::new("");
    let trust = check.ods::<TrustCode>("trust", &message.trust);
    if trust.is_some() && trust == call.actor.trust {
        check.wrong("trust", reasons::SAME_TRUST, "must be another trust: confirm your own offers instead");
    }
    let wire = message.resource.as_ref();
    let resource = wire.map(|wire| resource::parse_key(&mut check, wire, &call.region.region));
    let need = Some(message.need.as_str()).filter(|id| !id.is_empty());
    let need = need.map(|id| check.id("need", id, NeedId::parse));
    let mutation = call.asked("AskToConfirm", &mut check, message, None);
    let (mutation, trust) = check.finish(mutation.zip(trust))?;
    // What did not parse has ended the call by now.
    let (resource, need) = (resource.flatten(), need.flatten());
    if !call.region.region.trusts.contains_key(&trust) || !call.viewer().knows_trust(trust) {
        return Err(Failure::NotFound { record: "trust", id: trust.to_string() });
    }
    if let Some(need) = &need {
        may_see_need(call, need)?;
    }
    Ok((mutation, Question { trust, resource, need }))
}

fn may_see_need(call: &Call, id: &NeedId) -> Result<(), Failure> {
    let (need, _) = call.live.find("need", &need_key(id), need_of)?;
    match call.viewer().need(&need, Joined::No) {
        Some(_) => Ok(()),
        None => Err(Failure::NotFound { record: "need", id: id.to_string() }),
    }
}

/// Puts the question on every live offer of the trust that the caller may see, that is about the resource and that is not
/// FRESH, and returns how many those are.
///
/// # Errors
/// `RATE_LIMITED` when they were all asked about too lately.
pub(crate) async fn run(call: &Call, mutation: &Mutation, question: &Question) -> Result<Done<i64>, Failure> {
    let ids = asked_about(call, question);
    let roots: Vec<Key> = ids.iter().map(offer_key).collect();
    let again_after = SignedDuration::from_mins(call.region.region.policy.ask_again_minutes.into());
    call.live
        .decide(mutation, roots, |read| {
            let there: Vec<OfferId> = ids
                .iter()
                .filter(|id| read.offers.get(id).is_some_and(|offer| !offer.state.is_ended()))
                .cloned()
                .collect();
            let changes = ask(read, &there, question.need.as_ref(), again_after, &call.actor, call.at)?;
            let asked = i64::try_from(changes.offers.len()).unwrap_or(i64::MAX);
            Ok((changes, asked))
        })
        .await
}

fn asked_about(call: &Call, question: &Question) -> Vec<OfferId> {
    let still = call.live.picture().still();
    let is_meant = |offer: &&Offer| {
        offer.trust == question.trust
            && !offer.state.is_ended()
            && offer.freshness(call.at) != fallow_domain::offer::Freshness::Fresh
            && question.resource.as_ref().is_none_or(|key| offer.resource.key() == *key)
            && call.viewer().offer(offer).is_some()
    };
    let all = still.all(RecordKind::Offer);
    let meant = all.iter().filter_map(|(_, seen)| offer_of(&seen.record).filter(is_meant));
    meant.take(OFFERS_MAX).map(|offer| offer.id.clone()).collect()
}

fn need_of(record: &Record) -> Option<&Need> {
    if let Record::Need(need) = record { Some(need) } else { None }
}
