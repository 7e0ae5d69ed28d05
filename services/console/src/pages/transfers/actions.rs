//! Taking a transfer to its next step, marking its checklist, stopping it.

use axum::response::Response;
use fallow_api::v1::{
    AbortTransferRequest, AdvanceTransferRequest, DeclineReason, ExtendTransferRequest, ReturnPlan, Transfer,
    Transport, transfer,
};

use super::super::problem::Control;
use super::show_problem;
use crate::app::Visit;
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::words::time::to_wire;
use crate::words::{self, codes};

/// The controls of the page's forms, for the error summary.
pub(super) const CONTROLS: &[Control] = &[
    Control::new("transport.kind", "way-kind", "How"),
    Control::new("transport.provider", "way-provider", "Who carries"),
    Control::new("return_plan.due_at", "way-due", "Back by"),
    Control::new("return_plan.note", "way-note", "What was agreed"),
    Control::new("due_at", "way-until", "Until"),
];

/// `POST /transfers/advance`: to the next state, one item of the checklist done, or the way there or back as it is known.
pub(crate) async fn advance(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let request = asked(&visit, &fields)?;
        let to = request.to();
        let now = visit.calls.matching().advance_transfer(request).await?.into_inner().transfer;
        let now = now.unwrap_or_default();
        Ok::<_, Problem>((said(&fields, to, &now), now.id))
    };
    match made.await {
        Ok((said, id)) => {
            let opened = if fields.has("open") { format!("?open={id}") } else { String::new() };
            visit.done(said, &format!("/transfers{opened}#transfer-{id}"))
        }
        Err(problem) => show_problem(&visit, &problem).await,
    }
}

/// Reads what a form asks for.
fn asked(visit: &Visit, fields: &Fields) -> Result<AdvanceTransferRequest, Problem> {
    let to = transfer::State::from_str_name(fields.text("to")).unwrap_or(transfer::State::Unspecified);
    let transport = (fields.text("set") == "transport").then(|| Transport {
        kind: fields.text("kind").to_owned(),
        provider: fields.text("provider").to_owned(),
        booked: fields.has("booked"),
    });
    let due_at = match fields.text("return-due") {
        "" => None,
        text => Some(to_wire(
            visit
                .now
                .read_control(text)
                .ok_or_else(|| Problem::invalid("return_plan.due_at", "must be a date and a time"))?,
        )),
    };
    let note = fields.text("return-note").to_owned();
    Ok(AdvanceTransferRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        transfer: fields.text("transfer").to_owned(),
        to: to.into(),
        done: fields.all("done"),
        transport,
        return_plan: (fields.text("set") == "return").then_some(ReturnPlan { due_at, note }),
        ..AdvanceTransferRequest::default()
    })
}

/// Says what was done.
fn said(fields: &Fields, to: transfer::State, now: &Transfer) -> String {
    if to != transfer::State::Unspecified {
        let state = codes::transfer_state(now.state()).text;
        return format!("Transfer {}: {state}.", words::reference(&now.id));
    }
    let kept = match fields.text("set") {
        "transport" => "The transport is kept.",
        "return" => "The way home is kept.",
        _ => "The checklist is updated.",
    };
    kept.to_owned()
}

/// `POST /transfers/extend`: staff or an item stay longer, or go back earlier, than was planned.
pub(crate) async fn extend(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let until = visit.now.read_control(fields.text("until"));
        let until = until.ok_or_else(|| Problem::invalid("due_at", "must be a date and a time"))?;
        let request = ExtendTransferRequest {
            request_id: fields.request_id(),
            expected_revision: fields.revision(),
            transfer: fields.text("transfer").to_owned(),
            due_at: Some(to_wire(until)),
            ..ExtendTransferRequest::default()
        };
        let now = visit.calls.matching().extend_transfer(request).await?.into_inner().transfer;
        Ok::<_, Problem>((until, now.unwrap_or_default().id))
    };
    match made.await {
        Ok((until, id)) => {
            let said = format!("They stay until {}. Both trusts see it.", visit.now.clock(until));
            visit.done(said, &format!("/transfers?open={id}#transfer-{id}"))
        }
        Err(problem) => show_problem(&visit, &problem).await,
    }
}

/// `POST /transfers/abort`
pub(crate) async fn abort(Posted { visit, fields }: Posted) -> Response {
    let reason = DeclineReason::from_str_name(fields.text("reason")).unwrap_or(DeclineReason::Unspecified);
    let request = AbortTransferRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        transfer: fields.text("transfer").to_owned(),
        reason: reason.into(),
        ..AbortTransferRequest::default()
    };
    match visit.calls.matching().abort_transfer(request).await {
        Ok(_) => visit.done("The transfer is aborted. Its units are given back.", "/transfers"),
        Err(status) => show_problem(&visit, &status.into()).await,
    }
}
