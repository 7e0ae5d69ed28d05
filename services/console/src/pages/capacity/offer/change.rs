//! Changing what an offer says of itself: how many are staffed, when, whom it can take, what it can do. It is published
//! again under its own key, so that its holds, its campaign and whom it is shared with stay.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use fallow_api::v1::{
    Figures, GetOfferRequest, Limits, Offer, PublishOfferRequest, Sex, Source, Window, offer,
};
use http::StatusCode;

use super::super::super::frame::{Frame, Place, rendered};
use super::super::super::problem::{error_of, summary};
use super::{CONTROLS, Form, form, limits, list, team};
use crate::app::Visit;
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::routes;
use crate::words::resource;
use crate::words::time::{self, from_wire};

#[derive(Template)]
#[template(path = "capacity/change.html")]
struct Page {
    frame: Frame,
    problem: Option<Problem>,
    summary: String,
    csrf: String,
    id: String,
    key: String,
    revision: i64,
    name: String,
    /// What the offer says as the page is made, whatever is filled in below.
    now_says: Vec<String>,
    counted: &'static str,
    form: Form,
    roles: String,
}

impl Page {
    fn error(&self, id: &str) -> Option<String> {
        error_of(self.problem.as_ref(), CONTROLS, id)
    }
}

/// `GET /capacity/offer/{id}/change`
pub(crate) async fn page(visit: Visit, Path(id): Path<String>) -> Response {
    let made = async {
        visit.needs_right("/capacity/offer/change")?;
        show(&visit, &id, None, None).await
    };
    visit.answer(made.await)
}

/// `POST /capacity/offer/change`
pub(crate) async fn change(Posted { visit, fields }: Posted) -> Response {
    let id = fields.text("offer");
    match publish(&visit, &fields).await {
        Ok(said) => visit.done(said, &format!("/capacity/offer/{}", crate::app::encoded(id))),
        Err(problem) => match visit.way_out(&problem) {
            Some(way) => way,
            None => visit.answer(show(&visit, id, Some(&fields), Some(problem)).await),
        },
    }
}

async fn publish(visit: &Visit, fields: &Fields) -> Result<String, Problem> {
    let known = read(visit, fields.text("offer")).await?;
    let request = PublishOfferRequest {
        request_id: fields.request_id(),
        // Whatever is taken over from the offer as it is now is right only as long as nobody has changed it.
        expected_revision: fields.revision(),
        offer: Some(changed(visit, fields, known)?),
        ..PublishOfferRequest::default()
    };
    let answer = visit.calls.capacity().publish_offer(request).await?.into_inner();
    let offer = answer.offer.unwrap_or_default();
    let name = offer.resource.as_ref().map(resource::with_specialties).unwrap_or_default();
    Ok(format!("Changed: {name}. It counts as confirmed just now."))
}

/// Reads an offer of the viewer's own trust that can still be changed.
async fn read(visit: &Visit, id: &str) -> Result<Offer, Problem> {
    let asked = GetOfferRequest { offer: id.to_owned() };
    let offer = visit.calls.capacity().get_offer(asked).await?.into_inner().offer.unwrap_or_default();
    match offer.state() {
        offer::State::Closed | offer::State::Withdrawn | offer::State::Expired => {
            Err(Problem::invalid("offer", "has ended: publish a new one"))
        }
        offer::State::Open | offer::State::Suspended | offer::State::Unspecified => Ok(offer),
    }
}

/// Returns the offer as it is to be published: what was filled in, and the rest as it was.
fn changed(visit: &Visit, fields: &Fields, known: Offer) -> Result<Offer, Problem> {
    let mut problem: Option<Problem> = None;
    let mut also = |found: Problem| match &mut problem {
        Some(problem) => problem.violations.extend(found.violations),
        None => problem = Some(found),
    };
    let mut time = |id: &'static str, required: bool| match (fields.text(id), required) {
        ("", false) => None,
        (text, _) => {
            let read = visit.now.read_control(text);
            if read.is_none() {
                also(Problem::invalid(id, "must be a date and a time"));
            }
            read
        }
    };
    let (from, until) = (time("from", false), time("until", true));
    let staffed = fields
        .number("count")
        .and_then(|count| count.ok_or_else(|| Problem::invalid("count", "say how many")));
    let staffed = staffed.unwrap_or_else(|found| {
        also(found);
        0
    });
    let limits = limits(fields, &mut also);
    if fields.text("key").is_empty() {
        also(Problem::invalid("key", "is missing: withdraw this offer and publish it anew"));
    }
    if let Some(problem) = problem {
        return Err(problem);
    }
    let figures = known.figures.unwrap_or_default();
    Ok(Offer {
        source_key: fields.text("key").to_owned(),
        site: known.site,
        resource: known.resource,
        figures: Some(Figures {
            staffed,
            occupied: figures.occupied,
            blocked: figures.blocked,
            ..Figures::default()
        }),
        window: Some(Window { from: from.map(time::to_wire), until: until.map(time::to_wire) }),
        capabilities: list(fields.text("capabilities")),
        limits: (limits != Limits::default()).then_some(limits),
        team: team(fields),
        shared_with: known.shared_with,
        release_at: known.release_at,
        campaign: known.campaign,
        cadence: known.cadence,
        note: fields.text("note").to_owned(),
        ..Offer::default()
    })
}

/// Shows the form: of the offer as it is, or as it was filled in.
async fn show(
    visit: &Visit,
    id: &str,
    fields: Option<&Fields>,
    problem: Option<Problem>,
) -> Result<Response, Problem> {
    let (frame, known, directory) = tokio::join!(
        Frame::read(visit, Place::Capacity, "Change an offer"),
        read(visit, id),
        visit.directory()
    );
    // Where the offer itself is what is wrong, there is no form to show.
    let (offer, directory) = (known?, directory?);
    if visit.viewer().trust.as_deref() != Some(offer.trust.as_str()) {
        return Err(Problem::not_found());
    }
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
    let is_session =
        offer.resource.as_ref().is_some_and(|one| one.kind() == fallow_api::v1::ResourceKind::Theatre);
    let page = Page {
        frame,
        summary: problem.as_ref().map_or_else(String::new, |problem| summary(problem, CONTROLS)),
        problem,
        csrf: visit.signed.csrf.clone(),
        id: offer.id.clone(),
        key: offer.source_key.clone(),
        revision: offer.revision,
        name: offer.resource.as_ref().map(resource::with_specialties).unwrap_or_default(),
        now_says: now_says(visit, &offer),
        counted: if is_session {
            "Minutes of the session that have their team."
        } else {
            "Those in use and blocked stay as they are; what is left is free."
        },
        form: fields.map_or_else(|| form_of(visit, &offer), form),
        roles: directory.roles().join(", "),
    };
    Ok(routes::html(status, rendered(&page)))
}

/// Says what the offer is now, and who may say otherwise again.
fn now_says(visit: &Visit, offer: &Offer) -> Vec<String> {
    let figures = offer.figures.unwrap_or_default();
    let until = offer.window.as_ref().and_then(|window| from_wire(window.until.as_ref()));
    let until = until.map(|until| format!(", until {}", visit.now.clock(until))).unwrap_or_default();
    let age = from_wire(offer.reported_at.as_ref())
        .map(|at| format!(" Updated {} ago.", visit.now.age(at)))
        .unwrap_or_default();
    let now = format!("Now: {} staffed, {} free{until}.{age}", figures.staffed, figures.free);
    let again = match offer.source() {
        Source::Feed => {
            Some("Your feed says this: mend it there, too, or its next report undoes the change.")
        }
        Source::Sheet => Some("A sheet says this: mend it there, too, or the next one undoes the change."),
        Source::Unspecified | Source::Person | Source::Adjustment => None,
    };
    std::iter::once(now).chain(again.map(str::to_owned)).collect()
}

/// Returns the form filled in with what the offer says.
fn form_of(visit: &Visit, offer: &Offer) -> Form {
    let window = offer.window.unwrap_or_default();
    let control = |at: Option<&prost_types::Timestamp>| {
        from_wire(at).map_or_else(String::new, |at| visit.now.control(at))
    };
    let limits = offer.limits.unwrap_or_default();
    let small = |number: Option<i32>| number.map_or_else(String::new, |number| number.to_string());
    let sex = limits.sex().as_str_name();
    Form {
        once: String::new(),
        resource: String::new(),
        count: offer.figures.unwrap_or_default().staffed.to_string(),
        site: offer.site.clone(),
        from: control(window.from.as_ref()),
        until: control(window.until.as_ref()),
        specialties: String::new(),
        staffed: offer.team.as_ref().is_none_or(|team| team.staffed),
        needs: offer.team.as_ref().map_or_else(String::new, |team| team.needs.join(", ")),
        age_min: small(limits.age_min),
        age_max: small(limits.age_max),
        sex: if limits.sex() == Sex::Unspecified { String::new() } else { sex.to_owned() },
        bmi_max: small(limits.bmi_max),
        asa_max: small(limits.asa_max),
        capabilities: offer.capabilities.join(", "),
        note: offer.note.clone(),
    }
}
