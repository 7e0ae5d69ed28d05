//! Taking a transfer to its next step, marking its checklist, stopping it.

use axum::response::Response;
use fallow_api::v1::{AbortTransferRequest, AdvanceTransferRequest, DeclineReason, transfer};

use super::show_problem;
use crate::form::Posted;
use crate::words::{self, codes};

/// `POST /transfers/advance`: to the next state, or one item of the checklist done.
pub(crate) async fn advance(Posted { visit, fields }: Posted) -> Response {
    let to = transfer::State::from_str_name(fields.text("to")).unwrap_or(transfer::State::Unspecified);
    let request = AdvanceTransferRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        transfer: fields.text("transfer").to_owned(),
        to: to.into(),
        done: fields.all("done"),
        ..AdvanceTransferRequest::default()
    };
    match visit.calls.matching().advance_transfer(request).await {
        Ok(answer) => {
            let now = answer.into_inner().transfer.unwrap_or_default();
            let said = if to == transfer::State::Unspecified {
                "The checklist is updated.".to_owned()
            } else {
                format!(
                    "Transfer {}: {}.",
                    words::reference(&now.id),
                    codes::transfer_state(now.state()).text
                )
            };
            let opened = if fields.has("open") { format!("?open={}", now.id) } else { String::new() };
            visit.done(said, &format!("/transfers{opened}#transfer-{}", now.id))
        }
        Err(status) => show_problem(&visit, &status.into()).await,
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
