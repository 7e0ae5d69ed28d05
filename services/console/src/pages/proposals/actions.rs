//! The answers: yes, yes to some, provisionally, no with a reason; and taking a yes back.

use axum::response::Response;
use fallow_api::v1::{
    AnswerCampaignRequest, AnswerProposalRequest, Block, DeclineReason, ExtendHoldRequest,
    RetractAnswerRequest, Verdict, answer,
};
use prost_types::Duration as WireDuration;

use super::super::problem::Control;
use super::mend::{Mend, mend};
use super::room::Opened;
use super::show_problem;
use super::view::asked;
use crate::app::Visit;
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::session::Flash;
use crate::words::{self, codes};

/// The controls of the page's forms, for the error summary.
pub(super) const CONTROLS: &[Control] = &[
    Control::new("reason", "inbox", "Reason"),
    Control::new("units", "inbox", "Units"),
    Control::new("note", "inbox", "Note"),
];

/// What "give me more time" asks for.
const MORE_MINUTES: i64 = 5;

/// Returns the inbox in the order in which it was shown to whoever sent a form of it.
fn inbox(fields: &Fields) -> Opened {
    Opened::in_order(fields.text("order"))
}

/// Leaves a sentence for the inbox and goes back there, or shows it with what went wrong.
async fn answered_with(visit: &Visit, fields: &Fields, sent: Result<Flash, Problem>) -> Response {
    let inbox = inbox(fields);
    match sent {
        Ok(said) => visit.done(said, &format!("/proposals{}", inbox.query())),
        Err(problem) => show_problem(visit, &inbox, &problem).await,
    }
}

/// `POST /proposals/answer`
pub(crate) async fn answer(Posted { visit, fields }: Posted) -> Response {
    let sent = send(&visit, &fields).await;
    answered_with(&visit, &fields, sent).await
}

/// `POST /proposals/answer-block`: one answer to the cases of a campaign that the page showed.
pub(crate) async fn answer_block(Posted { visit, fields }: Posted) -> Response {
    let sent = send_block(&visit, &fields).await.map(Flash::from);
    answered_with(&visit, &fields, sent).await
}

async fn send_block(visit: &Visit, fields: &Fields) -> Result<String, Problem> {
    let (verdict, reason) = verdict(fields)?;
    let request = AnswerCampaignRequest {
        request_id: fields.request_id(),
        block: Some(Block {
            site: fields.text("site").to_owned(),
            campaign: fields.text("campaign").to_owned(),
        }),
        proposals: fields.text("proposals").split_whitespace().map(str::to_owned).collect(),
        verdict: verdict.into(),
        reason: reason.into(),
        note: if verdict == Verdict::Decline { fields.text("note").to_owned() } else { String::new() },
        ..AnswerCampaignRequest::default()
    };
    let answer = visit.calls.matching().answer_campaign(request).await?.into_inner();
    let cases = words::count(answer.answered, "case", "cases");
    Ok(match verdict {
        Verdict::Accept | Verdict::Unspecified => match answer.transfers.len() {
            0 => format!("Accepted {cases}. Waiting for the other trusts."),
            agreed => format!("Accepted {cases}, {agreed} of them now agreed: see Transfers."),
        },
        Verdict::Provisional => {
            format!("Provisional yes to {cases}. The holds are extended; say yes or no before they end.")
        }
        Verdict::Decline => format!("Declined {cases}. Fallow asks the next in line."),
    })
}

/// Reads what is answered to a block, and why where it is a no.
fn verdict(fields: &Fields) -> Result<(Verdict, DeclineReason), Problem> {
    let verdict = match fields.text("answer") {
        "accept" => Verdict::Accept,
        "provisional" => Verdict::Provisional,
        "decline" => Verdict::Decline,
        _ => return Err(Problem::invalid("answer", "choose an answer")),
    };
    Ok((verdict, reason(verdict, fields)?))
}

/// Reads why it is a no; nothing of a yes.
fn reason(verdict: Verdict, fields: &Fields) -> Result<DeclineReason, Problem> {
    if verdict != Verdict::Decline {
        return Ok(DeclineReason::Unspecified);
    }
    match codes::read_decline(fields.text("reason")) {
        Some(reason) if reason != DeclineReason::Unspecified => Ok(reason),
        Some(_) | None => Err(Problem::invalid("reason", "choose why you decline")),
    }
}

/// Reads which proposal is answered and from which revision, and how: the name of the button that was pressed, or of the
/// field that its form holds, is the answer.
fn answered(fields: &Fields) -> Result<(Verdict, String, Option<i64>), Problem> {
    let verdicts =
        [("decline", Verdict::Decline), ("accept", Verdict::Accept), ("provisional", Verdict::Provisional)];
    let mut said = verdicts.into_iter().filter_map(|(name, verdict)| Some((verdict, fields.about(name)?)));
    let (verdict, (proposal, revision)) =
        said.next().ok_or_else(|| Problem::invalid("answer", "choose an answer"))?;
    Ok((verdict, proposal, revision))
}

async fn send(visit: &Visit, fields: &Fields) -> Result<Flash, Problem> {
    let (verdict, proposal, revision) = answered(fields)?;
    let reason = reason(verdict, fields)?;
    let declines = verdict == Verdict::Decline;
    let accepts = verdict == Verdict::Accept;
    let request = AnswerProposalRequest {
        request_id: fields.request_id(),
        expected_revision: revision,
        proposal,
        verdict: verdict.into(),
        units: if accepts { fields.number("units")?.unwrap_or(0) } else { 0 },
        reason: reason.into(),
        set_free: (declines && fields.has("set-free")).then_some(0),
        note: if declines { fields.text("note").to_owned() } else { String::new() },
        ..AnswerProposalRequest::default()
    };
    let answer = visit.calls.matching().answer_proposal(request).await?.into_inner();
    let proposal = answer.proposal.unwrap_or_default();
    if let Some(transfer) = answer.transfer {
        let time = visit.now.time_of_day(visit.now.at);
        return Ok(format!("Agreed {time}. Now: transfer {}.", words::reference(&transfer.id)).into());
    }
    let directory = visit.directory().await?;
    let own = visit.viewer().trust.as_deref();
    let still = asked(&proposal)
        .filter(|(trust, said)| Some(*trust) != own && said.state() != answer::State::Accepted)
        .map(|(trust, _)| directory.trust(trust).to_owned());
    let still: Vec<String> = still.collect();
    Ok(match verdict {
        Verdict::Accept if !still.is_empty() => {
            format!("Accepted. Waiting for {}.", still.join(" and ")).into()
        }
        Verdict::Accept | Verdict::Unspecified => "Accepted.".into(),
        Verdict::Provisional => "Provisional yes. The hold is extended; say yes or no before it ends.".into(),
        Verdict::Decline => {
            let done = "Declined. Fallow asks the next in line.";
            match mend(reason, fields.has("set-free"), &proposal, own.unwrap_or_default()) {
                Some(Mend { said, way }) => Flash { text: format!("{done} {said}"), way: Some(way) },
                None => done.into(),
            }
        }
    })
}

/// `POST /proposals/undo`
pub(crate) async fn undo(Posted { visit, fields }: Posted) -> Response {
    let (proposal, expected_revision) = fields.about("undo").unwrap_or_default();
    let request = RetractAnswerRequest {
        request_id: fields.request_id(),
        expected_revision,
        proposal,
        ..RetractAnswerRequest::default()
    };
    let sent = visit.calls.matching().retract_answer(request).await;
    let sent = sent.map(|_| "Your answer is taken back.".into()).map_err(Problem::from);
    answered_with(&visit, &fields, sent).await
}

/// `POST /proposals/extend`: five more minutes, once per side; a button of the form that declines.
pub(crate) async fn extend(Posted { visit, fields }: Posted) -> Response {
    let (proposal, expected_revision) = fields.about("decline").unwrap_or_default();
    let request = ExtendHoldRequest {
        request_id: fields.request_id(),
        expected_revision,
        proposal,
        by: Some(WireDuration { seconds: MORE_MINUTES * 60, nanos: 0 }),
        ..ExtendHoldRequest::default()
    };
    let sent = visit.calls.matching().extend_hold(request).await;
    let sent = sent.map(|_| format!("You have {MORE_MINUTES} more minutes.").into()).map_err(Problem::from);
    answered_with(&visit, &fields, sent).await
}
