//! The needs of one cohort, changed or taken back together.

use axum::response::Response;
use fallow_api::v1::{AmendCohortRequest, DeclineReason, Need, WithdrawCohortRequest};
use prost_types::FieldMask;

use super::view::encoded;
use super::{Opened, show_opened};
use crate::app::Visit;
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::words;
use crate::words::time::to_wire;

/// A cohort of the viewer's trust.
pub(super) struct Cohort {
    pub(super) name: String,
    /// `all 12 needs`.
    pub(super) all: String,
}

impl Cohort {
    /// Looks for a cohort of the trust `own` among the listed needs.
    pub(super) fn of(name: &str, own: &str, listed: &[&Need]) -> Option<Self> {
        let ours = listed.iter().filter(|need| need.trust == own && need.cohort == name).count();
        let ours = i64::try_from(ours).unwrap_or(i64::MAX);
        let all = format!("all {}", words::count(ours, "need", "needs"));
        (ours > 0 && !name.is_empty()).then(|| Self { name: name.to_owned(), all })
    }
}

/// `POST /needs/cohort/amend`: a later time or a longer way for all of them.
pub(crate) async fn amend(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let changed = visit.calls.demand().amend_cohort(amended(&visit, &fields)?).await?.into_inner().needs;
        Ok::<_, Problem>(format!("{} changed. Fallow is looking again.", counted(&changed)))
    };
    answer(&visit, &fields, made.await).await
}

/// Reads what is to change; what was left empty stays as it is.
fn amended(visit: &Visit, fields: &Fields) -> Result<AmendCohortRequest, Problem> {
    let (mut need, mut paths) = (Need::default(), Vec::new());
    if let Some(minutes) = fields.number("max_travel_minutes")? {
        need.max_travel_minutes = minutes;
        paths.push("max_travel_minutes".to_owned());
    }
    if !fields.text("needed_by").is_empty() {
        let by = visit.now.read_control(fields.text("needed_by"));
        let by = by.ok_or_else(|| Problem::invalid("needed_by", "must be a date and a time"))?;
        need.needed_by = Some(to_wire(by));
        paths.push("needed_by".to_owned());
    }
    if paths.is_empty() {
        return Err(Problem::invalid("needed_by", "say what is to change"));
    }
    Ok(AmendCohortRequest {
        request_id: fields.request_id_at(visit.sent_at),
        cohort: fields.text("cohort").to_owned(),
        need: Some(need),
        update_mask: Some(FieldMask { paths }),
        ..AmendCohortRequest::default()
    })
}

/// `POST /needs/cohort/withdraw`: none of them is needed any more.
pub(crate) async fn withdraw(Posted { visit, fields }: Posted) -> Response {
    let reason = DeclineReason::from_str_name(fields.text("reason")).unwrap_or(DeclineReason::Unspecified);
    let request = WithdrawCohortRequest {
        request_id: fields.request_id_at(visit.sent_at),
        cohort: fields.text("cohort").to_owned(),
        reason: reason.into(),
        ..WithdrawCohortRequest::default()
    };
    let made = async {
        let withdrawn = visit.calls.demand().withdraw_cohort(request).await?.into_inner().needs;
        Ok::<_, Problem>(format!("{} withdrawn.", counted(&withdrawn)))
    };
    answer(&visit, &fields, made.await).await
}

fn counted(needs: &[Need]) -> String {
    words::count(i64::try_from(needs.len()).unwrap_or(i64::MAX), "need is", "needs are")
}

async fn answer(visit: &Visit, fields: &Fields, made: Result<String, Problem>) -> Response {
    let cohort = fields.text("cohort");
    match made {
        Ok(said) => visit.done(said, &format!("/needs?cohort={}", encoded(cohort))),
        Err(problem) => show_opened(visit, &Opened::cohort(cohort), &problem).await,
    }
}
