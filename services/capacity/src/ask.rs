//! `AskToConfirm`: a trust is asked whether its figures are still true.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use fallow_api::convert::{Check, resource};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::decide::offer::{ask, asked_until};
use fallow_domain::ids::{NeedId, OfferId, TrustCode};
use fallow_domain::matching::eligible::could_serve_if_true;
use fallow_domain::matching::problem::Problem;
use fallow_domain::need::Need;
use fallow_domain::offer::{Freshness, Offer};
use fallow_domain::resource::ResourceKey;
use fallow_ledger::record::{Record, need_key, offer_key};
use fallow_ledger::transact::{Done, Step};
use fallow_ledger::{Key, RecordKind};
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use fallow_live::neighbours;
use fallow_live::visibility::{Joined, Visible};
use jiff::SignedDuration;

/// Most offers that one question is about; more are asked about again after the first are answered.
const OFFERS_MAX: usize = 500;

/// What is asked, and of whom.
pub(crate) struct Question {
    trust: TrustCode,
    /// `None` = of all resources.
    resource: Option<ResourceKey>,
    /// As the caller sees it; `None` = whatever could be offered.
    need: Option<Need>,
}

/// Parses a question.
///
/// # Errors
/// Every violation; `NOT_FOUND` for a trust, a kind of it or a need that is not the caller's to know.
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
    // Else whoever may not see the figures would be told that there is nothing to ask about them.
    if let Some(key) = resource.as_ref().filter(|key| !call.viewer().knows_kind(trust, key.kind)) {
        return Err(Failure::NotFound { record: "resource", id: format!("{key} of {trust}") });
    }
    let need = need.map(|id| visible_need(call, &id)).transpose()?;
    Ok((mutation, Question { trust, resource, need }))
}

/// Returns what the caller may see of a need: whom it is for does not show in how much is asked about.
fn visible_need(call: &Call, id: &NeedId) -> Result<Need, Failure> {
    let (need, _) = call.live.find("need", &need_key(id), Record::need)?;
    let visible = call.viewer().need(&need, Joined::No);
    visible.map(Visible::into_inner).ok_or_else(|| Failure::NotFound { record: "need", id: id.to_string() })
}

/// Puts the question on the live offers of the trust that the caller may see, that are about the resource, that could serve
/// the need and that are not FRESH, and returns how many those are: at most [`OFFERS_MAX`] of those not asked about lately.
///
/// # Errors
/// `RATE_LIMITED` when they were all asked about too lately.
pub(crate) async fn run(call: &Call, mutation: &Mutation, question: &Question) -> Result<Done<i64>, Failure> {
    let again_after = SignedDuration::from_mins(call.region.region.policy.ask_again_minutes.into());
    let ids = asked_about(call, question, again_after);
    let need = question.need.as_ref().map(|need| &need.id);
    // A question moves no figure, so that nothing but the offers themselves has to be read for it.
    let keys: Vec<Key> = ids.iter().map(offer_key).collect();
    call.live
        .mutate(mutation, keys, |view| {
            let read = neighbours::records(view);
            let is_live = |id: &&OfferId| read.offers.get(id).is_some_and(|offer| !offer.state.is_ended());
            let there: Vec<OfferId> = ids.iter().filter(is_live).cloned().collect();
            let changes = ask(&read, &there, need, again_after, &call.actor, call.at)?;
            let answer = i64::try_from(changes.offers.len()).unwrap_or(i64::MAX);
            if changes.is_empty() {
                return Ok(Step::Answer(answer));
            }
            Ok(Step::Write { writes: neighbours::writes(changes), answer })
        })
        .await
}

/// Returns the offers that the question is about, those first that may be asked about now.
fn asked_about(call: &Call, question: &Question, again_after: SignedDuration) -> Vec<OfferId> {
    let all = call.live.picture().still().all(RecordKind::Offer);
    let is_meant = |offer: &&Offer| {
        offer.trust == question.trust
            && !offer.state.is_ended()
            && question.resource.as_ref().is_none_or(|key| offer.resource.key() == *key)
            && call.viewer().offer(offer).is_some()
    };
    let meant: Vec<&Offer> =
        all.iter().filter_map(|(_, seen)| seen.record.offer()).filter(is_meant).collect();
    let serving = question.need.as_ref().map(|need| could_serve(call, need, &meant));
    let mut asked: Vec<(bool, &OfferId)> = meant
        .into_iter()
        .filter(|offer| offer.freshness(call.at) != Freshness::Fresh)
        .filter(|offer| serving.as_ref().is_none_or(|serving| serving.contains(&offer.id)))
        .map(|offer| {
            let asked_until = asked_until(offer, &call.actor, again_after);
            (asked_until.is_some_and(|until| call.at < until), &offer.id)
        })
        .collect();
    asked.sort();
    asked.into_iter().take(OFFERS_MAX).map(|(_, id)| id.clone()).collect()
}

/// Returns which of a trust's offers could serve a need, as far as the caller may know it, if they are as they were said to
/// be.
fn could_serve(call: &Call, need: &Need, offers: &[&Offer]) -> BTreeSet<OfferId> {
    let problem = Problem {
        at: call.at,
        region: call.region.region.clone(),
        offers: offers.iter().map(|offer| Arc::new(Offer::clone(offer))).collect(),
        needs: Vec::new(),
        declined: HashSet::new(),
    };
    could_serve_if_true(&problem, need).into_iter().collect()
}
