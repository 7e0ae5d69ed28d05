//! `AnswerProposal`: yes, perhaps or no, for the side that the credential speaks for.

use fallow_api::convert::Check;
use fallow_api::convert::answer::{Speaks, reply};
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::decide::proposal::{Reply, answer};
use fallow_domain::ids::{Note, ProposalId};
use fallow_ledger::record::proposal_key;
use fallow_ledger::transact::Done;
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;

use crate::verbs::{self, Answer};

/// An answer as it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    id: ProposalId,
    reply: Reply,
    note: Note,
}

/// Answers for the caller's side.
///
/// # Errors
/// What [`answer`] refuses.
pub(crate) async fn run(
    call: &Call,
    mutation: &Mutation,
    asked: &Asked,
    calendar: &WorkingCalendar,
) -> Result<Done<Answer>, Failure> {
    let (proposal, _) = verbs::proposal_for(call, &asked.id)?;
    let (terms, _) = verbs::terms(call, calendar, &proposal);
    let transfer = verbs::transfer_id()?;
    let (id, note, by, at) = (&asked.id, &asked.note, &call.actor, call.at);
    verbs::on_proposal(call, mutation, id, |read| {
        answer(read, id, asked.reply, note, &transfer, &terms, by, at)
    })
    .await
}

/// Parses an answer. Which reasons there are depends on the side, so the proposal is looked up first.
///
/// # Errors
/// Every violation; [`Failure::NotFound`] when the proposal is not the caller's to see.
pub(crate) fn parse(call: &Call, message: &v1::AnswerProposalRequest) -> Result<(Mutation, Asked), Failure> {
    let trust = call.own_trust()?;
    let mut check = Check::new("");
    let id = verbs::proposal_id(&mut check, &message.proposal);
    let note: Note = check.text("note", &message.note);
    let mutation = call.asked("AnswerProposal", &mut check, message, id.as_ref().map(proposal_key));
    let proposal = id.as_ref().map(|id| verbs::proposal_for(call, id)).transpose()?;
    let reply =
        proposal.as_ref().and_then(|(proposal, _)| reply(&mut check, message, Speaks::of(proposal, trust)));
    let asked = id.zip(reply).map(|(id, reply)| Asked { id, reply, note });
    Ok(check.finish(mutation.zip(asked))?)
}
