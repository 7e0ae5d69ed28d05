//! Taking a transfer to its next step, marking its checklist, stopping it.

use axum::response::Response;
use fallow_api::v1::{
    AbortTransferRequest, AdvanceTransferRequest, DeclineReason, ExtendTransferRequest,
    ResolveNeedOutsideRequest, ReturnPlan, Transfer, Transport, transfer,
};
use tonic_types::StatusExt as _;

use super::super::problem::Control;
use super::{Shown, show_problem};
use crate::app::{Visit, encoded};
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::session::Flash;
use crate::words::time::to_wire;
use crate::words::{self, codes};

/// The controls of the page's forms, for the error summary.
pub(super) const CONTROLS: &[Control] = &[
    Control::new("transport.kind", "way-kind", "How"),
    Control::new("transport.provider", "way-provider", "Who carries"),
    Control::new("return_plan.due_at", "way-due", "Back by"),
    Control::new("return_plan.note", "way-note", "What was agreed"),
    Control::new("due_at", "way-until", "Until"),
    Control::new("note", "resolve-note", "How was it resolved?"),
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
        Err(problem) => show_problem(&visit, sent_from(&fields, fields.has("open")), &problem).await,
    }
}

/// Returns the page from which a form was sent: with its transfer opened where the form stands in there, so that what was
/// wrong can be mended where it is.
fn sent_from(fields: &Fields, is_open: bool) -> Shown {
    let open = if is_open { fields.text("transfer").to_owned() } else { String::new() };
    Shown { open, ..Shown::default() }
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
        Err(problem) => show_problem(&visit, sent_from(&fields, true), &problem).await,
    }
}

/// `POST /transfers/abort`
pub(crate) async fn abort(Posted { visit, fields }: Posted) -> Response {
    match visit.calls.matching().abort_transfer(to_abort(&fields)).await {
        Ok(answer) => {
            let transfer = answer.into_inner().transfer.unwrap_or_default();
            let is_ours = visit.viewer().trust.as_deref() == Some(transfer.home_trust.as_str());
            let way = is_ours.then(|| (need_at(&transfer.need), "See its need."));
            visit.done(
                Flash { text: "The transfer is aborted. Its units are given back.".to_owned(), way },
                "/transfers",
            )
        }
        Err(status) => {
            let shown = Shown { abort: "1".to_owned(), ..sent_from(&fields, true) };
            show_problem(&visit, shown, &status.into()).await
        }
    }
}

/// Returns where a need is shown to its own trust.
pub(super) fn need_at(need: &str) -> String {
    format!("/needs?why={}#why", encoded(need))
}

/// `POST /transfers/resolve`: the case was solved without Fallow. The transfer is called off and its need ends, in this
/// order, for a need does not end before what is under way for it.
pub(crate) async fn resolve(Posted { visit, fields }: Posted) -> Response {
    // Asked first, so that nothing is called off where the note or the need is then refused.
    let made = async {
        check(&visit, &fields).await?;
        visit.calls.matching().abort_transfer(to_abort(&fields)).await?;
        Ok::<_, Problem>(())
    };
    if let Err(problem) = made.await {
        let shown = Shown { resolve: "1".to_owned(), ..sent_from(&fields, true) };
        return show_problem(&visit, shown, &problem).await;
    }
    match visit.calls.demand().resolve_need_outside(to_resolve(&fields)).await {
        Ok(_) => visit
            .done("Recorded: resolved outside Fallow. The transfer and its need have ended.", "/transfers"),
        // Somebody was quicker: the half that is done is said, and the way to the other half.
        Err(status) => {
            let why = Problem::from(status).text;
            let said = format!(
                "The transfer is aborted, and its units are given back. Its need has not ended: {why}"
            );
            visit.done(said, &need_at(fields.text("need")))
        }
    }
}

fn to_abort(fields: &Fields) -> AbortTransferRequest {
    let reason = DeclineReason::from_str_name(fields.text("reason")).unwrap_or(DeclineReason::Unspecified);
    AbortTransferRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        transfer: fields.text("transfer").to_owned(),
        reason: reason.into(),
        ..AbortTransferRequest::default()
    }
}

fn to_resolve(fields: &Fields) -> ResolveNeedOutsideRequest {
    ResolveNeedOutsideRequest {
        request_id: fields.request_id_for("need"),
        need: fields.text("need").to_owned(),
        note: fields.text("note").to_owned(),
        ..ResolveNeedOutsideRequest::default()
    }
}

/// Checks that the need could end once this transfer has: that nothing else is under way for it, that it is live and ours.
async fn check(visit: &Visit, fields: &Fields) -> Result<(), Problem> {
    let request = ResolveNeedOutsideRequest {
        request_id: fields.request_id_for("check"),
        validate_only: true,
        ..to_resolve(fields)
    };
    let Err(status) = visit.calls.demand().resolve_need_outside(request).await else { return Ok(()) };
    let details = status.get_error_details();
    let Some(bound) = details.error_info().filter(|info| info.reason == "UNITS_BOUND") else {
        return Err(status.into());
    };
    let listed = |name: &str| bound.metadata.get(name).map_or("", String::as_str);
    match (listed("proposals"), listed("transfers")) {
        ("", only) if only == fields.text("transfer") => Ok(()),
        _ => Err(Problem::refused(
            "There is another transfer under way for the same need, or a proposal that somebody has answered. End those first.",
        )),
    }
}
