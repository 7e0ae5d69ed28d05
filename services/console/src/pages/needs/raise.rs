//! Raising a need by a short form.

use askama::Template;
use axum::response::Response;
use fallow_api::v1::{Need, NeedFilter, Patient, Priority, RaiseNeedRequest, ResourceKind, Sex};
use http::StatusCode;

use super::super::frame::{Frame, Place, rendered};
use super::super::problem::{Control, error_of, summary};
use crate::app::Visit;
use crate::form::{Fields, Posted, once};
use crate::problem::Problem;
use crate::routes;
use crate::words::codes;
use crate::words::resource::{self, Choice, ChoiceGroup};
use crate::words::time;

const CONTROLS: &[Control] = &[
    Control::new("resource", "resource", "What"),
    Control::new("specialties", "specialties", "Specialties"),
    Control::new("units", "units", "How many"),
    Control::new("minutes_per_case", "minutes", "Minutes per case"),
    Control::new("priority", "priority", "Priority"),
    Control::new("needed_by", "needed-by", "Needed by"),
    Control::new("earliest", "earliest", "Not before"),
    Control::new("case_ref", "case-ref", "Our reference"),
    Control::new("site", "site", "Site"),
    Control::new("max_travel_minutes", "travel", "Travel limit"),
    Control::new("patient", "age", "Age"),
    Control::new("requires", "requires", "Required"),
    Control::new("note", "note", "Note"),
];

/// What the form shows.
#[derive(Default)]
struct Form {
    once: String,
    resource: String,
    units: String,
    minutes: String,
    specialties: String,
    priority: String,
    needed_by: String,
    earliest: String,
    case_ref: String,
    site: String,
    travel: String,
    age: String,
    sex: String,
    isolation: bool,
    requires: String,
    note: String,
}

#[derive(Template)]
#[template(path = "needs/raise.html")]
struct Page {
    frame: Frame,
    problem: Option<Problem>,
    summary: String,
    csrf: String,
    form: Form,
    groups: Vec<ChoiceGroup>,
    sites: Vec<Choice>,
    priorities: Vec<Choice>,
    /// What is live already, the newest first: address and words.
    live: Vec<(String, String)>,
}

impl Page {
    fn error(&self, id: &str) -> Option<String> {
        error_of(self.problem.as_ref(), CONTROLS, id)
    }
}

/// `GET /needs/new`
pub(crate) async fn new(visit: Visit) -> Response {
    let form = Form { once: once(), units: "1".to_owned(), ..Form::default() };
    visit.answer(page(&visit, form, None).await)
}

async fn page(visit: &Visit, form: Form, problem: Option<Problem>) -> Result<Response, Problem> {
    let trust = visit.own_trust()?;
    visit.needs_right("/needs/new")?;
    let frame = Frame::read(visit, Place::Needs, "Raise a need").await;
    let ours = NeedFilter { trusts: vec![trust.to_owned()], ..NeedFilter::default() };
    let (directory, ours) = tokio::join!(visit.directory(), visit.calls.needs(ours));
    let directory = directory?;
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
    let site = |site: &crate::directory::Site| Choice { key: site.code.clone(), name: site.name.clone() };
    let band = |band: Priority| {
        let (code, limit) = codes::priority(band);
        Choice { key: band.as_str_name().to_owned(), name: format!("{code}, {limit}") }
    };
    let page = Page {
        frame,
        summary: problem.as_ref().map_or_else(String::new, |problem| summary(problem, CONTROLS)),
        problem,
        csrf: visit.signed.csrf.clone(),
        form,
        groups: directory.choices(),
        sites: directory.sites_of(trust).into_iter().map(site).collect(),
        priorities: codes::PRIORITIES.into_iter().map(band).collect(),
        // The form can be filled in without it.
        live: live(ours.unwrap_or_default()),
    };
    Ok(routes::html(status, rendered(&page)))
}

/// Live needs named before the form, so that nobody raises one twice.
const LIVE_MAX: usize = 12;

fn live(mut needs: Vec<Need>) -> Vec<(String, String)> {
    needs.sort_by_key(|need| std::cmp::Reverse(time::from_wire(need.raised_at.as_ref())));
    let line = |need: &Need| {
        let what = need.resource.as_ref().map(|one| resource::phrase(one, need.units)).unwrap_or_default();
        (format!("/needs?why={}#why", need.id), format!("{} {what}", need.case_ref).trim().to_owned())
    };
    needs.iter().take(LIVE_MAX).map(line).collect()
}

/// `POST /needs/new`
pub(crate) async fn raise(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let need = need(&visit, &fields)?;
        let request = RaiseNeedRequest {
            request_id: fields.request_id(),
            need: Some(need),
            ..RaiseNeedRequest::default()
        };
        let answer = visit.calls.demand().raise_need(request).await?.into_inner();
        let need = answer.need.unwrap_or_default();
        let what = need.resource.as_ref().map(|one| resource::phrase(one, need.units)).unwrap_or_default();
        let said = if answer.already_live {
            format!("{}: this need was live already. Nothing was raised twice.", need.case_ref)
        } else {
            format!("Raised: {what}. Fallow is looking for it.")
        };
        Ok::<_, Problem>((said, format!("/needs?why={}", need.id)))
    };
    match made.await {
        Ok((said, next)) => visit.done(said, &next),
        Err(problem) => match visit.way_out(&problem) {
            Some(way) => way,
            None => visit.answer(page(&visit, filled(&fields), Some(problem)).await),
        },
    }
}

/// Reads the need of a form. What the console can see is wrong it says itself; all else is for the service to say.
fn need(visit: &Visit, fields: &Fields) -> Result<Need, Problem> {
    let mut problem: Option<Problem> = None;
    let mut also = |found: Problem| match &mut problem {
        Some(problem) => problem.violations.extend(found.violations),
        None => problem = Some(found),
    };
    let mut resource = resource::from_key(fields.text("resource"));
    match &mut resource {
        None => also(Problem::invalid("resource", "choose one")),
        Some(resource) => {
            let codes = fields.text("specialties").split([',', ' ']).filter(|code| !code.is_empty());
            resource.specialties = codes.map(ToOwned::to_owned).collect();
        }
    }
    let priority = Priority::from_str_name(fields.text("priority")).unwrap_or(Priority::Unspecified);
    if priority == Priority::Unspecified {
        also(Problem::invalid("priority", "choose one"));
    }
    let mut number = |id: &'static str, absent: i64| match fields.number(id) {
        Ok(number) => number.unwrap_or(absent),
        Err(found) => {
            also(found);
            absent
        }
    };
    let (units, minutes, travel, age) =
        (number("units", 1), number("minutes", 0), number("travel", 0), number("age", -1));
    let mut at = |id: &'static str| match fields.text(id) {
        "" => None,
        text => {
            let read = visit.now.read_control(text);
            if read.is_none() {
                also(Problem::invalid(id, "must be a date and a time"));
            }
            read.map(time::to_wire)
        }
    };
    let (needed_by, earliest) = (at("needed-by"), at("earliest"));
    if let Some(problem) = problem {
        return Err(problem);
    }
    let is_theatre = resource.as_ref().is_some_and(|one| one.kind() == ResourceKind::Theatre);
    let sex = Sex::from_str_name(fields.text("sex")).filter(|sex| *sex != Sex::Unspecified);
    let patient = Patient {
        age: i32::try_from(age).ok().filter(|age| *age >= 0),
        sex: sex.map(Into::into),
        isolation: fields.has("isolation").then_some(true),
        ..Patient::default()
    };
    let requires = fields.text("requires").split(',').map(str::trim).filter(|one| !one.is_empty());
    let case_ref = match fields.text("case-ref") {
        "" => format!("console-{}", fields.text("once")),
        given => given.to_owned(),
    };
    Ok(Need {
        case_ref,
        site: fields.text("site").to_owned(),
        resource,
        units,
        minutes_per_case: if is_theatre { minutes } else { 0 },
        priority: priority.into(),
        earliest,
        needed_by,
        requires: requires.map(ToOwned::to_owned).collect(),
        patient: (patient != Patient::default()).then_some(patient),
        max_travel_minutes: travel,
        note: fields.text("note").to_owned(),
        ..Need::default()
    })
}

/// Returns the form as it was filled in.
fn filled(fields: &Fields) -> Form {
    let text = |name: &str| fields.text(name).to_owned();
    Form {
        once: text("once"),
        resource: text("resource"),
        units: text("units"),
        minutes: text("minutes"),
        specialties: text("specialties"),
        priority: text("priority"),
        needed_by: text("needed-by"),
        earliest: text("earliest"),
        case_ref: text("case-ref"),
        site: text("site"),
        travel: text("travel"),
        age: text("age"),
        sex: text("sex"),
        isolation: fields.has("isolation"),
        requires: text("requires"),
        note: text("note"),
    }
}
