//! What a bed manager does on the board. Each is a posted form that ends in a redirect, or in the page with what is wrong.

use askama::Template;
use axum::response::Response;
use fallow_api::v1::{
    AdjustOfferRequest, ConfirmOffersRequest, DeclarePressureRequest, DeclineReason, GetOfferRequest,
    OfferSelection, ResumeOffersRequest, SetReserveRequest, SuspendOffersRequest, WithdrawOfferRequest,
};

use super::super::frame::rendered;
use super::super::problem::Control;
use super::{show, show_problem};
use crate::app::Visit;
use crate::form::{Fields, Posted};
use crate::problem::{Kind, Problem};
use crate::words::{self, codes, resource, time};

/// The controls of the page's forms, for the error summary.
pub(super) const CONTROLS: &[Control] = &[
    Control::new("until", "suspend-until", "Until"),
    Control::new("reason", "suspend-reason", "Reason"),
    Control::new("units", "reserve-units", "Keep back"),
    Control::new("resource", "reserve-what", "Resource"),
    Control::new("by", "free", "Free"),
];

const BOARD: &str = "/capacity";

/// `POST /capacity/free`: one more, one fewer, or a typed number.
///
/// A step is meant whatever the number is by now; a typed number is meant against the number that was shown, and refused
/// when the offer has moved on.
pub(crate) async fn set_free(Posted { visit, fields }: Posted) -> Response {
    match change_free(&visit, &fields).await {
        Ok(said) => visit.done(said, BOARD),
        Err(problem) if problem.kind == Kind::ChangedMeanwhile => {
            changed_meanwhile(&visit, &fields, &problem).await
        }
        Err(problem) => show_problem(&visit, &problem).await,
    }
}

async fn change_free(visit: &Visit, fields: &Fields) -> Result<String, Problem> {
    let step = fields.number("by")?;
    let by = match (step, fields.number("free")?, fields.number("shown")?) {
        (Some(step), _, _) => step,
        (None, Some(typed), Some(shown)) => typed - shown,
        (None, _, _) => return Err(Problem::invalid("free", "must be a whole number")),
    };
    if by == 0 {
        return Ok("Nothing to change: that is the number already.".to_owned());
    }
    let request = AdjustOfferRequest {
        request_id: fields.request_id(),
        expected_revision: if step.is_some() { None } else { fields.revision() },
        offer: fields.text("offer").to_owned(),
        by,
        ..AdjustOfferRequest::default()
    };
    let answer = visit.calls.capacity().adjust_offer(request).await?.into_inner();
    let offer = answer.offer.unwrap_or_default();
    let name = offer.resource.as_ref().map(resource::with_specialties).unwrap_or_default();
    let figures = offer.figures.unwrap_or_default();
    let short = if figures.short > 0 { format!(" You are {} short.", figures.short) } else { String::new() };
    Ok(format!("{name}: {} free now.{short}", figures.free))
}

/// Both values, when a typed number meets an offer that has moved on.
#[derive(Template)]
#[template(path = "capacity/changed.html")]
struct Changed {
    csrf: String,
    heading: &'static str,
    name: String,
    offer: String,
    revision: i64,
    /// What was shown, what was typed, and what it says now.
    shown: i64,
    typed: i64,
    free: i64,
    age: String,
    source: &'static str,
}

async fn changed_meanwhile(visit: &Visit, fields: &Fields, problem: &Problem) -> Response {
    let request = GetOfferRequest { offer: fields.text("offer").to_owned() };
    let offer = match visit.calls.capacity().get_offer(request).await {
        Ok(answer) => answer.into_inner().offer.unwrap_or_default(),
        Err(status) => return show_problem(visit, &status.into()).await,
    };
    let reported_at = time::from_wire(offer.reported_at.as_ref()).unwrap_or(visit.now.at);
    let panel = Changed {
        csrf: visit.signed.csrf.clone(),
        heading: problem.heading(),
        name: offer.resource.as_ref().map(resource::with_specialties).unwrap_or_default(),
        revision: offer.revision,
        shown: fields.number("shown").ok().flatten().unwrap_or(0),
        typed: fields.number("free").ok().flatten().unwrap_or(0),
        free: offer.figures.unwrap_or_default().free,
        age: visit.now.age(reported_at),
        source: codes::source(offer.source()),
        offer: offer.id,
    };
    show(visit, problem.http_status(), rendered(&panel)).await
}

/// `POST /capacity/still-true`: of one offer, or of all.
pub(crate) async fn still_true(Posted { visit, fields }: Posted) -> Response {
    let offer = fields.text("offer");
    let selection = if offer.is_empty() {
        OfferSelection { all: true, ..OfferSelection::default() }
    } else {
        OfferSelection { ids: vec![offer.to_owned()], ..OfferSelection::default() }
    };
    let request = ConfirmOffersRequest {
        request_id: fields.request_id(),
        selection: Some(selection),
        ..ConfirmOffersRequest::default()
    };
    match visit.calls.capacity().confirm_offers(request).await {
        Ok(answer) => {
            let confirmed = answer.into_inner().offers;
            let said = match confirmed.as_slice() {
                [one] => format!(
                    "{}: still true.",
                    one.resource.as_ref().map(resource::with_specialties).unwrap_or_default()
                ),
                many => format!("Still true: {}.", words::count(count(many.len()), "offer", "offers")),
            };
            visit.done(said, BOARD)
        }
        Err(status) => show_problem(&visit, &status.into()).await,
    }
}

/// `POST /capacity/suspend`: one offer, a resource, or all.
pub(crate) async fn suspend(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let until = visit.now.read_control(fields.text("until"));
        let until = until.ok_or_else(|| Problem::invalid("until", "must be a date and a time"))?;
        let request = SuspendOffersRequest {
            request_id: fields.request_id(),
            selection: Some(selection(&fields)?),
            until: Some(time::to_wire(until)),
            reason: fields.text("reason").to_owned(),
            ..SuspendOffersRequest::default()
        };
        let suspended = visit.calls.capacity().suspend_offers(request).await?.into_inner().offers.len();
        let what = words::count(count(suspended), "offer is", "offers are");
        Ok::<_, Problem>(format!("{what} paused until {}.", visit.now.clock(until)))
    };
    match made.await {
        Ok(said) => visit.done(said, BOARD),
        Err(problem) => show_problem(&visit, &problem).await,
    }
}

/// `POST /capacity/resume`: one offer, or all.
pub(crate) async fn resume(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let request = ResumeOffersRequest {
            request_id: fields.request_id(),
            selection: Some(selection(&fields)?),
            ..ResumeOffersRequest::default()
        };
        Ok::<_, Problem>(visit.calls.capacity().resume_offers(request).await?.into_inner().offers.len())
    };
    match made.await {
        Ok(resumed) => {
            visit.done(format!("Open again: {}.", words::count(count(resumed), "offer", "offers")), BOARD)
        }
        Err(problem) => show_problem(&visit, &problem).await,
    }
}

/// `POST /capacity/withdraw`
pub(crate) async fn withdraw(Posted { visit, fields }: Posted) -> Response {
    let reason = DeclineReason::from_str_name(fields.text("reason")).unwrap_or(DeclineReason::Unspecified);
    let request = WithdrawOfferRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        offer: fields.text("offer").to_owned(),
        reason: reason.into(),
        ..WithdrawOfferRequest::default()
    };
    match visit.calls.capacity().withdraw_offer(request).await {
        Ok(_) => visit.done("The offer is withdrawn.", BOARD),
        Err(status) => show_problem(&visit, &status.into()).await,
    }
}

/// `POST /capacity/reserve`
pub(crate) async fn set_reserve(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let what = resource::from_key(fields.text("what"));
        let what = what.ok_or_else(|| Problem::invalid("reserve-what", "choose one"))?;
        let units =
            fields.number("units")?.ok_or_else(|| Problem::invalid("units", "must be a whole number"))?;
        let name = resource::short(&what);
        let request = SetReserveRequest {
            request_id: fields.request_id(),
            resource: Some(what),
            units,
            ..SetReserveRequest::default()
        };
        visit.calls.capacity().set_reserve(request).await?;
        Ok::<_, Problem>(format!("{name}: you keep back {units}."))
    };
    match made.await {
        Ok(said) => visit.done(said, BOARD),
        Err(problem) => show_problem(&visit, &problem).await,
    }
}

/// `POST /capacity/opel`
pub(crate) async fn declare_opel(Posted { visit, fields }: Posted) -> Response {
    let opel = fields.number("opel").ok().flatten().and_then(|opel| i32::try_from(opel).ok()).unwrap_or(0);
    let request =
        DeclarePressureRequest { request_id: fields.request_id(), opel, ..DeclarePressureRequest::default() };
    match visit.calls.capacity().declare_pressure(request).await {
        Ok(_) => visit.done(format!("You declared OPEL {opel}."), BOARD),
        Err(status) => show_problem(&visit, &status.into()).await,
    }
}

/// Reads which offers a form means: one by id, those of a resource, or all.
fn selection(fields: &Fields) -> Result<OfferSelection, Problem> {
    let none = OfferSelection::default;
    if !fields.text("offer").is_empty() {
        return Ok(OfferSelection { ids: vec![fields.text("offer").to_owned()], ..none() });
    }
    match fields.text("what") {
        "" | "all" => Ok(OfferSelection { all: true, ..none() }),
        key => match resource::from_key(key) {
            Some(resource) => Ok(OfferSelection { resource: Some(resource), ..none() }),
            None => Err(Problem::invalid("resource", "choose one of the list")),
        },
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
