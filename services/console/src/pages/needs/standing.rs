//! Whether a need still stands: who asks, and what the home trust says.

use axum::response::Response;
use fallow_api::v1::{AskToValidateRequest, Need, ValidateNeedRequest};

use super::show_problem;
use crate::directory::Directory;
use crate::form::Posted;
use crate::words::codes;
use crate::words::time::{Now, from_wire};

/// What is known of it.
pub(super) struct Standing {
    /// Who asks, and when; `None` when nobody has since it was last said.
    pub(super) asked: Option<String>,
    /// What the home trust said last, and when.
    pub(super) said: String,
    pub(super) consented: bool,
    pub(super) fit: bool,
}

impl Standing {
    pub(super) fn of(need: &Need, now: &Now, directory: &Directory) -> Self {
        let known = need.validation.clone().unwrap_or_default();
        let who = if known.asked_by_trust.is_empty() {
            codes::role(&known.asked_by_role)
        } else {
            directory.trust(&known.asked_by_trust).to_owned()
        };
        let is_or_not = |is: bool| if is { "" } else { "not " };
        Self {
            asked: from_wire(known.asked_at.as_ref()).map(|at| format!("{who} asks, {}", now.clock(at))),
            said: match from_wire(known.validated_at.as_ref()) {
                Some(at) => format!(
                    "Said to stand {}: {}willing to be treated elsewhere, {}fit for it.",
                    now.clock(at),
                    is_or_not(known.consented),
                    is_or_not(known.fit)
                ),
                None => "Nobody has said so since it was raised.".to_owned(),
            },
            consented: known.consented,
            fit: known.fit,
        }
    }
}

/// `POST /needs/stands`: the home trust says that it still stands.
pub(crate) async fn stands(Posted { visit, fields }: Posted) -> Response {
    let need = fields.text("need");
    let request = ValidateNeedRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        need: need.to_owned(),
        consented: fields.has("consented"),
        fit: fields.has("fit"),
        ..ValidateNeedRequest::default()
    };
    match visit.calls.demand().validate_need(request).await {
        Ok(_) => visit.done("Said: it still stands.", &format!("/needs?why={need}")),
        Err(status) => show_problem(&visit, need, &status.into()).await,
    }
}

/// `POST /needs/ask-stands`: somebody else asks.
pub(crate) async fn ask(Posted { visit, fields }: Posted) -> Response {
    let need = fields.text("need");
    let request = AskToValidateRequest {
        request_id: fields.request_id_at(visit.sent_at),
        needs: vec![need.to_owned()],
        ..AskToValidateRequest::default()
    };
    match visit.calls.demand().ask_to_validate(request).await {
        Ok(_) => visit.done("Asked whether it still stands.", &format!("/needs?of=all&why={need}")),
        Err(status) => show_problem(&visit, need, &status.into()).await,
    }
}
