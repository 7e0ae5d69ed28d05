//! What a bed manager does about a need that is not served.

use axum::response::Response;
use fallow_api::v1::{
    AmendNeedRequest, AskToConfirmRequest, DeclineReason, Need, ParkNeedRequest, ResolveNeedOutsideRequest,
    ResumeNeedRequest, WithdrawNeedRequest,
};
use prost_types::FieldMask;

use super::super::problem::Control;
use super::reason::later_of;
use super::show_problem;
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::words;
use crate::words::time::from_wire;

/// The controls of the page's forms, for the error summary.
pub(super) const CONTROLS: &[Control] = &[
    Control::new("note", "resolve-note", "How"),
    Control::new("park_reason", "park-reason", "Why it is parked"),
    Control::new("reason", "withdraw-reason", "Reason"),
    Control::new("review_at", "park-until", "Look at it again"),
    Control::new("need.needed_by", "later-by", "Needed by"),
    Control::new("need.max_travel_minutes", "travel-limit", "Travel limit"),
    Control::new("needed_by", "cohort-by", "Needed by"),
    Control::new("max_travel_minutes", "cohort-travel", "Travel limit"),
    Control::new("minutes", "travel-limit", "Travel limit"),
    Control::new("by", "later-by", "Needed by"),
];

/// Returns the page with one need opened.
fn opened(fields: &Fields) -> String {
    format!("/needs?why={}", fields.text("need"))
}

/// `POST /needs/widen`: lets the need travel farther.
pub(crate) async fn widen(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let minutes = fields.number("minutes")?.ok_or_else(|| Problem::invalid("minutes", "say how many"))?;
        let request = AmendNeedRequest {
            request_id: fields.request_id(),
            expected_revision: fields.revision(),
            need: Some(Need {
                id: fields.text("need").to_owned(),
                max_travel_minutes: minutes,
                ..Need::default()
            }),
            update_mask: Some(FieldMask { paths: vec!["max_travel_minutes".to_owned()] }),
            ..AmendNeedRequest::default()
        };
        visit.calls.demand().amend_need(request).await?;
        Ok::<_, Problem>(format!("The travel limit is {minutes} minutes now. Fallow is looking again."))
    };
    match made.await {
        Ok(said) => visit.done(said, &opened(&fields)),
        Err(problem) => show_problem(&visit, fields.text("need"), &problem).await,
    }
}

/// `POST /needs/later`: lets the need be met by a later time.
pub(crate) async fn later(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let by = later_of(fields.text("by"), &visit.now)
            .ok_or_else(|| Problem::invalid("by", "must be a date and a time"))?;
        let request = AmendNeedRequest {
            request_id: fields.request_id(),
            expected_revision: fields.revision(),
            need: Some(Need { id: fields.text("need").to_owned(), needed_by: Some(by), ..Need::default() }),
            update_mask: Some(FieldMask { paths: vec!["needed_by".to_owned()] }),
            ..AmendNeedRequest::default()
        };
        visit.calls.demand().amend_need(request).await?;
        let at = from_wire(Some(&by)).map(|at| visit.now.clock(at)).unwrap_or_default();
        Ok::<_, Problem>(format!("It may be met until {at} now. Fallow is looking again."))
    };
    match made.await {
        Ok(said) => visit.done(said, &opened(&fields)),
        Err(problem) => show_problem(&visit, fields.text("need"), &problem).await,
    }
}

/// `POST /needs/ask`: asks another trust whether its figures are still true.
pub(crate) async fn ask(Posted { visit, fields }: Posted) -> Response {
    let request = AskToConfirmRequest {
        request_id: fields.request_id_at(visit.sent_at),
        trust: fields.text("trust").to_owned(),
        need: fields.text("need").to_owned(),
        ..AskToConfirmRequest::default()
    };
    match visit.calls.capacity().ask_to_confirm(request).await {
        Ok(answer) => {
            let asked = words::count(answer.into_inner().asked, "offer", "offers");
            visit.done(format!("Asked {} to confirm {asked}.", fields.text("trust")), &opened(&fields))
        }
        Err(status) => show_problem(&visit, fields.text("need"), &status.into()).await,
    }
}

/// `POST /needs/park`: puts it aside until somebody looks at it again.
pub(crate) async fn park(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let review_at = later_of(fields.text("review_at"), &visit.now)
            .ok_or_else(|| Problem::invalid("review_at", "must be a date and a time"))?;
        let request = ParkNeedRequest {
            request_id: fields.request_id(),
            expected_revision: fields.revision(),
            need: fields.text("need").to_owned(),
            review_at: Some(review_at),
            reason: fields.text("reason").to_owned(),
            ..ParkNeedRequest::default()
        };
        visit.calls.demand().park_need(request).await?;
        let at = from_wire(Some(&review_at)).map(|at| visit.now.clock(at)).unwrap_or_default();
        Ok::<_, Problem>(format!("Parked until {at}. Nothing is looked for until then."))
    };
    match made.await {
        Ok(said) => visit.done(said, &opened(&fields)),
        Err(mut problem) => {
            // There is another reason on the page, of another form.
            let why = problem.violations.iter_mut().filter(|wrong| wrong.field == "reason");
            why.for_each(|wrong| wrong.field = "park_reason".to_owned());
            show_problem(&visit, fields.text("need"), &problem).await
        }
    }
}

/// `POST /needs/resume`: what was put aside is looked for again.
pub(crate) async fn resume(Posted { visit, fields }: Posted) -> Response {
    let request = ResumeNeedRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        need: fields.text("need").to_owned(),
        ..ResumeNeedRequest::default()
    };
    match visit.calls.demand().resume_need(request).await {
        Ok(_) => visit.done("Fallow is looking for it again.", &opened(&fields)),
        Err(status) => show_problem(&visit, fields.text("need"), &status.into()).await,
    }
}

/// `POST /needs/withdraw`
pub(crate) async fn withdraw(Posted { visit, fields }: Posted) -> Response {
    let reason = DeclineReason::from_str_name(fields.text("reason")).unwrap_or(DeclineReason::Unspecified);
    let request = WithdrawNeedRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        need: fields.text("need").to_owned(),
        reason: reason.into(),
        ..WithdrawNeedRequest::default()
    };
    match visit.calls.demand().withdraw_need(request).await {
        Ok(_) => visit.done("The need is withdrawn.", "/needs"),
        Err(status) => show_problem(&visit, fields.text("need"), &status.into()).await,
    }
}

/// `POST /needs/resolve`: solved without Fallow.
pub(crate) async fn resolve(Posted { visit, fields }: Posted) -> Response {
    let request = ResolveNeedOutsideRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        need: fields.text("need").to_owned(),
        note: fields.text("note").to_owned(),
        ..ResolveNeedOutsideRequest::default()
    };
    match visit.calls.demand().resolve_need_outside(request).await {
        Ok(_) => visit.done("Recorded: resolved outside Fallow.", "/needs"),
        Err(status) => show_problem(&visit, fields.text("need"), &status.into()).await,
    }
}
