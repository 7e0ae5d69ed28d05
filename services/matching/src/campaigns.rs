//! Campaigns: reading them, and one answer to many cases of a block.

use std::collections::BTreeSet;

use fallow_api::convert::answer::{Speaks, reply};
use fallow_api::convert::{Check, campaign, request};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::campaign::{Block, Campaign, campaigns};
use fallow_domain::decide::proposal::{Reply, answer_campaign};
use fallow_domain::ids::{Note, ProposalId, TransferId, TrustCode};
use fallow_domain::offer::Offer;
use fallow_domain::proposal::Proposal;
use fallow_domain::records::Records;
use fallow_domain::transfer::Transfer;
use fallow_ledger::record::proposal_key;
use fallow_ledger::transact::Done;
use fallow_ledger::{RecordKind, Revision};
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use serde::{Deserialize, Serialize};

use crate::verbs::{not_found, proposal_for, proposal_id, terms, transfer_id};

/// Most cases that one answer takes. Each writes a proposal, a need, at most an offer, and a transfer or what is
/// remembered of the pair: at most four records of the thousand that the ledger writes in one commit.
const CASES_MAX: usize = 200;

/// Reads every campaign that the caller may see any of, with the revision of the picture.
fn seen(call: &Call) -> (Vec<Campaign>, Revision) {
    let (offers, proposals, transfers, revision) = {
        let still = call.live.picture().still();
        let all = |kind| still.all(kind);
        let kinds = (all(RecordKind::Offer), all(RecordKind::Proposal), all(RecordKind::Transfer));
        (kinds.0, kinds.1, kinds.2, still.revision())
    };
    let viewer = call.viewer();
    let offers: Vec<&Offer> = offers
        .iter()
        .filter_map(|(_, seen)| seen.record.offer())
        .filter(|offer| !offer.campaign.is_empty() && viewer.offer(offer).is_some())
        .collect();
    let proposals: Vec<&Proposal> = proposals
        .iter()
        .filter_map(|(_, seen)| seen.record.proposal())
        .filter(|proposal| proposal.block.is_some() && viewer.proposal(proposal).is_some())
        .collect();
    let transfers: Vec<&Transfer> = transfers
        .iter()
        .filter_map(|(_, seen)| seen.record.transfer())
        .filter(|transfer| viewer.transfer(transfer).is_some())
        .collect();
    (campaigns(offers, proposals, transfers, call.actor.trust), revision)
}

/// Lists a page of campaigns, in order of site and name.
pub(crate) fn list(
    call: &Call,
    request: &v1::ListCampaignsRequest,
) -> Result<v1::ListCampaignsResponse, Failure> {
    let query = format!("ListCampaigns {:?} {:?}", call.actor.role, call.actor.trust);
    let page = call.live.pages().page(request.page_size, &request.page_token, &query)?;
    let (found, revision) = seen(call);
    let (found, next_page_token) = call.live.pages().cut(&page, &query, found);
    Ok(v1::ListCampaignsResponse {
        campaigns: found.iter().map(campaign::to_wire).collect(),
        next_page_token,
        revision: request::number_to_wire(revision.0),
    })
}

/// Reads one campaign.
///
/// # Errors
/// Violations of the block's name; [`Failure::NotFound`].
pub(crate) fn get(call: &Call, request: &v1::GetCampaignRequest) -> Result<v1::GetCampaignResponse, Failure> {
    let mut check = Check::new("");
    let block = campaign::block(&mut check, request.block.as_ref());
    let block = check.finish(block)?;
    let (found, revision) = seen(call);
    let found = found.iter().find(|campaign| campaign.block == block);
    let found = found.ok_or_else(|| not_found("campaign", &block.campaign))?;
    Ok(v1::GetCampaignResponse {
        campaign: Some(campaign::to_wire(found)),
        revision: request::number_to_wire(revision.0),
    })
}

/// One answer to many cases, as it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    cases: Vec<ProposalId>,
    trust: TrustCode,
    reply: Reply,
    note: Note,
}

/// What one answer did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answered {
    cases: usize,
    transfers: Vec<TransferId>,
}

/// Parses an answer. Which reasons there are depends on the side: the trust whose site it is supports, others need.
///
/// # Errors
/// Every violation; [`Failure::NotFound`] when a proposal is not the caller's to see.
pub(crate) fn parse(call: &Call, message: &v1::AnswerCampaignRequest) -> Result<(Mutation, Asked), Failure> {
    let trust = call.own_trust()?;
    let mut check = Check::new("");
    let block = campaign::block(&mut check, message.block.as_ref());
    let note: Note = check.text("note", &message.note);
    let mutation = call.asked("AnswerCampaign", &mut check, message, None);
    if message.proposals.is_empty() {
        check.wrong("proposals", reasons::REQUIRED, "must name the cases that are answered");
    }
    let mut cases = Vec::new();
    if check.at_most("proposals", message.proposals.len(), CASES_MAX) {
        for text in &message.proposals {
            cases.extend(proposal_id(&mut check, text));
        }
    }
    if let Some(block) = &block {
        check_block(call, &mut check, block, &cases)?;
    }
    if cases.iter().collect::<BTreeSet<_>>().len() < cases.len() {
        check.wrong("proposals", reasons::NOT_APPLICABLE, "must name each case once");
    }
    let site = block.as_ref().and_then(|block| call.region.region.sites.get(&block.site));
    let said = v1::AnswerProposalRequest {
        verdict: message.verdict,
        reason: message.reason,
        ..v1::AnswerProposalRequest::default()
    };
    let is_own = site.is_some_and(|site| site.trust == trust);
    let speaks = if is_own { Speaks::Supporting } else { Speaks::Home };
    let reply = reply(&mut check, &said, speaks);
    let asked = reply.map(|reply| Asked { cases, trust, reply, note });
    Ok(check.finish(mutation.zip(asked))?)
}

/// Checks that every case is of the block, which none ever leaves.
fn check_block(
    call: &Call,
    check: &mut Check<'_>,
    block: &Block,
    cases: &[ProposalId],
) -> Result<(), Failure> {
    for (index, id) in cases.iter().enumerate() {
        let (proposal, _) = proposal_for(call, id)?;
        if proposal.block.as_ref() != Some(block) {
            let field = format!("proposals[{index}]");
            check.wrong(&field, reasons::NOT_APPLICABLE, "must be a case of this campaign at this site");
        }
    }
    Ok(())
}

/// Answers for the caller's side, all cases or none.
///
/// # Errors
/// [`Failure::ChangedMeanwhile`] when a case no longer waits for this answer; what [`answer_campaign`] refuses.
pub(crate) async fn answer(
    call: &Call,
    mutation: &Mutation,
    asked: &Asked,
    calendar: &WorkingCalendar,
) -> Result<Done<Answered>, Failure> {
    let cases = asked
        .cases
        .iter()
        .map(|id| Ok((id.clone(), transfer_id()?)))
        .collect::<Result<Vec<(ProposalId, TransferId)>, Failure>>()?;
    let roots = asked.cases.iter().map(proposal_key).collect();
    let done = call.live.decide(mutation, roots, |read: &Records| {
        // What has been answered, withdrawn or replaced since it was looked at is not what was meant.
        if asked.cases.iter().any(|id| !read.proposals.get(id).is_some_and(|p| p.waits_for(asked.trust))) {
            return Err(Failure::ChangedMeanwhile { current: None });
        }
        let terms = |proposal: &Proposal| terms(call, calendar, proposal).0;
        let changes = answer_campaign(read, &cases, asked.reply, &asked.note, terms, &call.actor, call.at)?;
        let made = |id: &TransferId| changes.transfers.contains_key(id);
        let transfers = cases.iter().map(|(_, id)| id.clone()).filter(made).collect();
        Ok((changes, Answered { cases: asked.cases.len(), transfers }))
    });
    done.await
}

/// Writes what answers an answer.
pub(crate) fn answered(done: &Done<Answered>) -> v1::AnswerCampaignResponse {
    v1::AnswerCampaignResponse {
        answered: i64::try_from(done.answer.cases).unwrap_or(i64::MAX),
        transfers: done.answer.transfers.iter().map(ToString::to_string).collect(),
        revision: request::number_to_wire(done.revision.0),
    }
}
