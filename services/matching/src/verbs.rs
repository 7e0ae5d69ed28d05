//! What the verbs share: the ids of records, and one change of one proposal or transfer.

use fallow_api::convert::{Check, proposal, transfer};
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::decide::proposal::Terms;
use fallow_domain::ids::{ProposalId, SiteCode, TransferId};
use fallow_domain::proposal::Proposal;
use fallow_domain::records::Records;
use fallow_domain::refusal::{Refusal, reason};
use fallow_domain::resource::ResourceKind;
use fallow_domain::transfer::Transfer;
use fallow_host::telemetry::link_trace;
use fallow_ledger::record::{Record, need_key, offer_key, proposal_key, transfer_key};
use fallow_ledger::transact::Done;
use fallow_ledger::{Key, Revision};
use fallow_live::Live;
use fallow_live::call::{Call, new_id};
use fallow_live::mutate::Mutation;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A proposal as it is after a change, and the transfer that the change made of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The proposal.
    pub(crate) proposal: Proposal,
    /// The transfer, when the change was the last yes.
    pub(crate) transfer: Option<Transfer>,
}

/// Changes one proposal that the caller may see, and answers with it as it then is.
///
/// # Errors
/// [`Failure::NotFound`] when there is none for the caller; what the decision refuses.
pub(crate) async fn on_proposal(
    call: &Call,
    mutation: &Mutation,
    id: &ProposalId,
    decide: impl Fn(&Records) -> Result<Records, Refusal> + Send + Sync,
) -> Result<Done<Answer>, Failure> {
    hear_of(call, Some(proposal_key(id))).await?;
    let (_, revision) = proposal_for(call, id)?;
    link_to(&call.live, revision);
    let done = call.live.decide(mutation, vec![proposal_key(id)], |read| {
        let changes = decide(read)?;
        let now = changes.proposals.get(id).or_else(|| read.proposals.get(id)).cloned();
        let proposal = now.ok_or_else(|| not_found("proposal", id))?;
        let transfer = changes.transfers.values().find(|transfer| transfer.proposal == *id).cloned();
        Ok((changes, Answer { proposal, transfer }))
    });
    done.await
}

/// Changes one transfer that the caller may see, and answers with it as it then is.
///
/// # Errors
/// As [`on_proposal`].
pub(crate) async fn on_transfer(
    call: &Call,
    mutation: &Mutation,
    id: &TransferId,
    decide: impl Fn(&Records) -> Result<Records, Refusal> + Send + Sync,
) -> Result<Done<Transfer>, Failure> {
    hear_of(call, Some(transfer_key(id))).await?;
    let (_, revision) = transfer_for(call, id)?;
    link_to(&call.live, revision);
    let done = call.live.decide(mutation, vec![transfer_key(id)], |read| {
        let changes = decide(read)?;
        let now = changes.transfers.get(id).or_else(|| read.transfers.get(id)).cloned();
        let transfer = now.ok_or_else(|| not_found("transfer", id))?;
        Ok((changes, transfer))
    });
    done.await
}

/// Links the call's trace to that of the change it is about, such as the engine's proposal.
fn link_to(live: &Live, revision: Revision) {
    if let Some(text) = live.picture().cause_of(revision).and_then(|cause| cause.traceparent) {
        link_trace(&tracing::Span::current(), &text);
    }
}

/// Returns a proposal that the caller may see, as the picture has it.
///
/// # Errors
/// [`Failure::NotFound`].
pub(crate) fn proposal_for(call: &Call, id: &ProposalId) -> Result<(Proposal, Revision), Failure> {
    let (found, seen) = call.live.find("proposal", &proposal_key(id), Record::proposal)?;
    let visible = call.viewer().proposal(&found).ok_or_else(|| not_found("proposal", id))?;
    Ok((visible.into_inner(), seen.revision))
}

/// Waits until the picture shows a record that another process may just have written, where its id is one.
///
/// # Errors
/// The store's troubles.
pub(crate) async fn hear_of(call: &Call, key: Option<Key>) -> Result<(), Failure> {
    match key {
        Some(key) => call.live.hear_of(&key).await,
        None => Ok(()),
    }
}

/// Returns a transfer that the caller may see, as the picture has it.
///
/// # Errors
/// [`Failure::NotFound`].
pub(crate) fn transfer_for(call: &Call, id: &TransferId) -> Result<(Transfer, Revision), Failure> {
    let (found, seen) = call.live.find("transfer", &transfer_key(id), Record::transfer)?;
    let visible = call.viewer().transfer(&found).ok_or_else(|| not_found("transfer", id))?;
    Ok((visible.into_inner(), seen.revision))
}

/// Returns on what terms the home and the supporting trust of a proposal deal, and whether an incident concerns any of its
/// trusts.
pub(crate) fn terms<'a>(
    call: &'a Call,
    calendar: &'a WorkingCalendar,
    proposal: &Proposal,
) -> (Terms<'a>, bool) {
    let region = &call.region.region;
    let is_incident = region.is_incident_between(proposal.home_trust, proposal.supporting_trust);
    let terms = Terms {
        in_force: region.policy.in_force(is_incident),
        calendar,
        turnover_minutes: region.policy.turnover_minutes,
    };
    (terms, proposal.is_in_incident(region))
}

/// Makes the id that a transfer gets if this answer is the last yes.
///
/// # Errors
/// Never but for a mistake of ours.
pub(crate) fn transfer_id() -> Result<TransferId, Failure> {
    TransferId::parse(&new_id())
        .map_err(|error| Failure::Refused(Refusal::new(reason::OUT_OF_RANGE, error.to_string())))
}

/// Writes a proposal for the wire as it is at a time, with the telephones of its desks.
pub(crate) fn proposal_to_wire(live: &Live, found: &Proposal, revision: u64, at: Timestamp) -> v1::Proposal {
    let (offer, need) =
        (live.picture().get(&offer_key(&found.offer)), live.picture().get(&need_key(&found.need)));
    let (offered, needed) =
        (offer.as_ref().map(|seen| &*seen.record), need.as_ref().map(|seen| &*seen.record));
    let kind = offered.and_then(kind_of);
    // An offer leaves the live records only after its proposals have; a bed's units are counted as they are.
    let written = proposal::to_wire(found, kind.unwrap_or(ResourceKind::Bed), revision, at);
    let region = live.region().ok();
    let phone = |record: Option<&Record>| {
        let site = record.and_then(site_of);
        site.zip(region.as_ref()).map(|(site, region)| region.region.phone(site)).unwrap_or_default()
    };
    let lent = found.team.as_ref().and_then(|team| live.picture().get(&offer_key(&team.offer)));
    let lent = lent.as_ref().map(|seen| &*seen.record);
    let team = written.team.map(|team| v1::LentTeam { phone: phone(lent), ..team });
    v1::Proposal { home_phone: phone(needed), supporting_phone: phone(offered), team, ..written }
}

/// Writes what answers a change of a proposal, with the revision to answer with.
pub(crate) fn answered(
    call: &Call,
    mutation: &Mutation,
    done: &Done<Answer>,
) -> (Option<v1::Proposal>, Option<v1::Transfer>, i64) {
    let revision = call.revision(done, &proposal_key(&done.answer.proposal.id), mutation.validate_only);
    let written = proposal_to_wire(&call.live, &done.answer.proposal, revision, call.at);
    let plan = done.answer.transfer.as_ref().map(|plan| transfer::to_wire(plan, revision));
    (Some(written), plan, fallow_api::convert::request::number_to_wire(revision))
}

/// Writes what answers a change of a transfer, with the revision to answer with.
pub(crate) fn moved(call: &Call, mutation: &Mutation, done: &Done<Transfer>) -> (Option<v1::Transfer>, i64) {
    let revision = call.revision(done, &transfer_key(&done.answer.id), mutation.validate_only);
    let written = transfer::to_wire(&done.answer, revision);
    (Some(written), fallow_api::convert::request::number_to_wire(revision))
}

/// Parses the id of a proposal.
pub(crate) fn proposal_id(check: &mut Check<'_>, text: &str) -> Option<ProposalId> {
    check.id("proposal", text, ProposalId::parse)
}

/// Parses the id of a transfer.
pub(crate) fn parse_transfer_id(check: &mut Check<'_>, text: &str) -> Option<TransferId> {
    check.id("transfer", text, TransferId::parse)
}

fn site_of(record: &Record) -> Option<SiteCode> {
    if let Record::Offer(offer) = record {
        return Some(offer.site);
    }
    if let Record::Need(need) = record { Some(need.site) } else { None }
}

fn kind_of(record: &Record) -> Option<ResourceKind> {
    if let Record::Offer(offer) = record { Some(offer.resource.kind) } else { None }
}

pub(crate) fn not_found(record: &'static str, id: &impl ToString) -> Failure {
    Failure::NotFound { record, id: id.to_string() }
}
