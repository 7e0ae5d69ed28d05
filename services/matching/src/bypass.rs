//! `BypassProposal`: gold ends a proposal that nobody has answered, and may name the offer to propose instead.

use std::sync::Arc;

use fallow_api::convert::Check;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::decide::proposal as decide;
use fallow_domain::ids::{Note, OfferId, ProposalId};
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::proposal::Proposal;
use fallow_domain::records::Records;
use fallow_domain::refusal::Refusal;
use fallow_ledger::record::{Record, decline_key, offer_key, proposal_key};
use fallow_ledger::transact::Done;
use fallow_ledger::{Key, RecordKind};
use fallow_live::call::{Call, new_id};
use fallow_live::mutate::Mutation;
use serde::{Deserialize, Serialize};

use crate::engine::{self, Placement, fresh_ids, named, of_placement};
use crate::facts::Facts;
use crate::verbs::{self, not_found};

/// How often a named offer is judged where something changes while it is.
const LOOKS: usize = 3;

/// What is bypassed, why, and what is proposed instead.
pub(crate) struct Asked {
    proposal: ProposalId,
    because: Note,
    /// `None` = the engine's next.
    offer: Option<OfferId>,
}

/// What a bypass did.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Bypassed {
    pub(crate) proposal: Proposal,
    /// The proposal of the offer that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instead: Option<Proposal>,
}

/// Parses a bypass.
///
/// # Errors
/// Every violation.
pub(crate) fn parse(call: &Call, message: &v1::BypassProposalRequest) -> Result<(Mutation, Asked), Failure> {
    let mut check = Check::new("");
    let proposal = verbs::proposal_id(&mut check, &message.proposal);
    let because: Note = check.required_text("reason", &message.reason);
    let offer = Some(message.offer.as_str()).filter(|id| !id.is_empty());
    let offer = offer.map(|id| check.id("offer", id, OfferId::parse));
    let mutation = call.asked("BypassProposal", &mut check, message, proposal.as_ref().map(proposal_key));
    let (mutation, proposal) = check.finish(mutation.zip(proposal))?;
    // What did not parse has ended the call by now.
    Ok((mutation, Asked { proposal, because, offer: offer.flatten() }))
}

/// Ends the proposal and, in the same commit, makes the one of the offer that was named.
///
/// # Errors
/// [`Failure::NotFound`] when there is no such proposal or offer; `NOT_ELIGIBLE`; what the decisions refuse.
pub(crate) async fn run(
    call: &Call,
    mutation: &Mutation,
    asked: &Asked,
    calendar: &WorkingCalendar,
) -> Result<Done<Bypassed>, Failure> {
    let id = &asked.proposal;
    call.live.hear_of(&proposal_key(id)).await?;
    let (found, _) = verbs::proposal_for(call, id)?;
    let mut roots = vec![proposal_key(id)];
    if let Some(offer) = &asked.offer {
        call.live.hear_of(&offer_key(offer)).await?;
        roots.extend(shelf_of(call, offer)?);
        roots.push(decline_key(&found.need, offer));
    }
    let (_, is_incident) = verbs::terms(call, calendar, &found);
    let ids = [fresh_ids()?];
    let mut looks = 0;
    loop {
        looks += 1;
        // On a thread of its own and before the commit, which may lose races: what is judged is the same each time.
        let judged = match &asked.offer {
            Some(offer) => Some(Judged::of(call, id, offer).await?),
            None => None,
        };
        let mut is_outdated = false;
        let done = call.live.decide(mutation, roots.clone(), |read| {
            let mut changes = decide::bypass(read, id, &asked.because, is_incident, &call.actor, call.at)?;
            let mut instead = None;
            if let Some(judged) = &judged {
                is_outdated = !judged.is_of(read, id);
                if is_outdated {
                    return Err(Failure::ChangedMeanwhile { current: None });
                }
                let placement = judged.placement.as_ref().map_err(Clone::clone)?;
                let mut working = read.clone();
                working.apply(changes.clone());
                let terms = (&*call.region.region, calendar);
                // The proposal is the engine's, whoever named the offer: nobody else proposes.
                let made = of_placement(placement, &ids, &working, terms, &engine::actor(), call.at)?;
                instead = ids.first().and_then(|(id, _)| made.proposals.get(id)).cloned();
                changes.apply(made);
            }
            let proposal = now(&changes, read, id).ok_or_else(|| not_found("proposal", id))?;
            Ok((changes, Bypassed { proposal, instead }))
        });
        match done.await {
            Err(Failure::ChangedMeanwhile { .. }) if is_outdated && looks < LOOKS => {
                call.live.catch_up().await?;
            }
            done => return done,
        }
    }
}

/// What the rules say of a named offer, and the records that they said it of.
struct Judged {
    hold: Option<Arc<Proposal>>,
    offer: (OfferId, Option<Arc<Offer>>),
    need: Option<Arc<Need>>,
    /// A refusal is told in the commit, whose own come first and which knows whether this was answered before.
    placement: Result<Placement, Refusal>,
}

impl Judged {
    async fn of(call: &Call, id: &ProposalId, offer: &OfferId) -> Result<Self, Failure> {
        let (call, id, offer) = (call.clone(), id.clone(), offer.clone());
        let judging = tokio::task::spawn_blocking(move || {
            let facts = Facts::of(&call.live, call.at)?;
            Ok(Self::by(&facts, &id, offer))
        });
        judging.await.unwrap_or_else(|error| {
            let trace_id = new_id();
            tracing::error!(%error, trace_id, "a named offer could not be judged");
            Err(Failure::Bug { trace_id })
        })
    }

    fn by(facts: &Facts, id: &ProposalId, offer: OfferId) -> Self {
        let hold = facts.holds.get(id).cloned();
        let need = hold.as_ref().and_then(|hold| facts.needs.get(&hold.need)).cloned();
        let placement = named(facts, id, &offer);
        let seen = facts.offers.get(&offer).cloned();
        Self { hold, offer: (offer, seen), need, placement }
    }

    /// Says whether what was judged is what is written on.
    fn is_of(&self, read: &Records, id: &ProposalId) -> bool {
        let hold = read.proposals.get(id);
        let (offer, seen) = &self.offer;
        self.hold.as_deref() == hold
            && seen.as_deref() == read.offers.get(offer)
            && self.need.as_deref() == hold.and_then(|hold| read.needs.get(&hold.need))
    }
}

fn now(changes: &Records, read: &Records, id: &ProposalId) -> Option<Proposal> {
    changes.proposals.get(id).or_else(|| read.proposals.get(id)).cloned()
}

/// Returns the offers that say what the trust of a named offer has left of its resource, that offer among them.
fn shelf_of(call: &Call, named: &OfferId) -> Result<Vec<Key>, Failure> {
    let missing = || not_found("offer", named);
    let (offer, _) = call.live.find("offer", &offer_key(named), Record::offer)?;
    call.viewer().offer(&offer).ok_or_else(missing)?;
    let all = call.live.picture().still().all(RecordKind::Offer);
    let resource = offer.resource.key();
    let is_beside = |other: &&Offer| {
        other.trust == offer.trust && !other.state.is_ended() && other.resource.key() == resource
    };
    let beside = all.iter().filter_map(|(_, seen)| seen.record.offer()).filter(is_beside);
    let mut keys: Vec<Key> = beside.map(|other| offer_key(&other.id)).collect();
    keys.push(offer_key(named));
    Ok(keys)
}
