//! `AnswerProposal`: yes, perhaps or no, for the side that the credential speaks for.

use fallow_api::convert::{Check, FIGURE_MAX};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::decide::proposal::{HomeReply, Reply, SupportingReply, answer};
use fallow_domain::ids::TrustCode;
use fallow_domain::ids::{Note, ProposalId};
use fallow_domain::proposal::{HomeDecline, Proposal, SupportingDecline};
use fallow_domain::quantity::Count;
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

/// For which side a trust speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// The supporting trust's.
    Supporting,
    /// The home trust's; also whoever has no side, whom the decision refuses.
    Home,
    /// That of the trust that lends a team.
    Team,
}

impl Speaks {
    fn of(proposal: &Proposal, trust: TrustCode) -> Self {
        if proposal.supporting_trust == trust {
            Self::Supporting
        } else if proposal.third_trust() == Some(trust) {
            Self::Team
        } else {
            Self::Home
        }
    }
}

/// Parses what a side says.
pub(crate) fn reply(
    check: &mut Check<'_>,
    message: &v1::AnswerProposalRequest,
    speaks: Speaks,
) -> Option<Reply> {
    match speaks {
        Speaks::Supporting => giving(check, message).map(Reply::Supporting),
        Speaks::Home => home(check, message).map(Reply::Home),
        Speaks::Team => giving(check, message).map(Reply::Team),
    }
}

/// Parses what a trust says that gives something.
fn giving(check: &mut Check<'_>, message: &v1::AnswerProposalRequest) -> Option<SupportingReply> {
    match verdict(check, message)? {
        v1::Verdict::Accept => Some(SupportingReply::Accept { units: units(check, message)? }),
        v1::Verdict::Provisional => Some(SupportingReply::Provisional),
        v1::Verdict::Decline => {
            let code = check.coded::<SupportingDecline>("reason", message.reason);
            let set_free = match message.set_free {
                Some(free) => check.number("set_free", free, 0, FIGURE_MAX).map(Count::new).map(Some),
                None => Some(None),
            };
            Some(SupportingReply::Decline { code: code?, set_free: set_free? })
        }
        v1::Verdict::Unspecified => None,
    }
}

fn home(check: &mut Check<'_>, message: &v1::AnswerProposalRequest) -> Option<HomeReply> {
    if message.set_free.is_some() {
        check.wrong("set_free", reasons::NOT_APPLICABLE, "is for the trust to say whose offer it is");
        return None;
    }
    match verdict(check, message)? {
        v1::Verdict::Accept => Some(HomeReply::Accept { units: units(check, message)? }),
        v1::Verdict::Decline => {
            Some(HomeReply::Decline { code: check.coded::<HomeDecline>("reason", message.reason)? })
        }
        v1::Verdict::Provisional => {
            check.wrong(
                "verdict",
                reasons::NOT_APPLICABLE,
                "only a trust that gives something answers provisionally",
            );
            None
        }
        v1::Verdict::Unspecified => None,
    }
}

/// Parses the verdict, and refuses what belongs to another one.
fn verdict(check: &mut Check<'_>, message: &v1::AnswerProposalRequest) -> Option<v1::Verdict> {
    let verdict = match v1::Verdict::try_from(message.verdict) {
        Ok(v1::Verdict::Unspecified) => {
            check.wrong("verdict", reasons::REQUIRED, "must be ACCEPT, PROVISIONAL or DECLINE");
            return None;
        }
        Ok(verdict) => verdict,
        Err(_) => {
            check.wrong("verdict", reasons::UNKNOWN_VALUE, "must be ACCEPT, PROVISIONAL or DECLINE");
            return None;
        }
    };
    let (is_accept, is_decline) = (verdict == v1::Verdict::Accept, verdict == v1::Verdict::Decline);
    let misplaced = [
        ("units", message.units != 0 && !is_accept, "goes with ACCEPT"),
        ("reason", message.reason != 0 && !is_decline, "goes with DECLINE"),
        ("set_free", message.set_free.is_some() && !is_decline, "goes with DECLINE"),
    ];
    for (field, is_misplaced, text) in misplaced {
        if is_misplaced {
            check.wrong(field, reasons::NOT_APPLICABLE, text);
        }
    }
    check.is_clean().then_some(verdict)
}

/// Parses how many units are accepted; the outer `None` is a violation, the inner one means all.
///
/// Whether so many are proposed is for the decision to say: a repeated answer must find its first outcome although the
/// proposal has shrunk since.
fn units(check: &mut Check<'_>, message: &v1::AnswerProposalRequest) -> Option<Option<Count>> {
    if message.units == 0 {
        return Some(None);
    }
    check.number("units", message.units, 1, FIGURE_MAX).map(Count::new).map(Some)
}
