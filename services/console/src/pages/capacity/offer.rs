//! One offer: adding it by a short form, and looking at it alone.

pub(crate) mod change;

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use fallow_api::v1::{
    Figures, GetOfferRequest, Limits, Offer, OfferFilter, PublishOfferRequest, ResourceKind, Sex, Source,
    Team, Window,
};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use prost_types::Duration as WireDuration;

use super::super::frame::{Frame, Place, rendered};
use super::super::problem::{Control, error_of, summary};
use super::view::Row;
use crate::app::Visit;
use crate::directory::Directory;
use crate::form::{Fields, Posted, once};
use crate::problem::Problem;
use crate::routes;
use crate::words::codes::{self, Tag};
use crate::words::resource::{self, Choice, ChoiceGroup};
use crate::words::time;

/// How often a person who publishes by hand promises to look again. Sheets and feeds say their own.
const CADENCE_HOURS: i64 = 4;

const CONTROLS: &[Control] = &[
    Control::new("resource", "resource", "What"),
    Control::new("figures", "count", "How many"),
    Control::new("window.until", "until", "Until"),
    Control::new("window.from", "from", "From"),
    Control::new("window", "until", "Until"),
    Control::new("specialties", "specialties", "Specialties"),
    Control::new("site", "site", "Site"),
    Control::new("team", "needs", "Roles still needed"),
    Control::new("age_min", "age-min", "Youngest age"),
    Control::new("age_max", "age-max", "Oldest age"),
    Control::new("bmi_max", "bmi-max", "Highest BMI"),
    Control::new("asa_max", "asa-max", "Highest ASA"),
    Control::new("limits", "age-min", "Limits"),
    Control::new("capabilities", "capabilities", "What the place can do"),
    Control::new("note", "note", "Note"),
];

/// What the form shows: what was filled in before, or a good beginning.
struct Form {
    once: String,
    resource: String,
    count: String,
    site: String,
    from: String,
    until: String,
    specialties: String,
    staffed: bool,
    needs: String,
    age_min: String,
    age_max: String,
    sex: String,
    bmi_max: String,
    asa_max: String,
    capabilities: String,
    note: String,
}

#[derive(Template)]
#[template(path = "capacity/offer_form.html")]
struct Page {
    frame: Frame,
    problem: Option<Problem>,
    summary: String,
    csrf: String,
    form: Form,
    groups: Vec<ChoiceGroup>,
    sites: Vec<Choice>,
    roles: String,
    cadence_hours: i64,
}

impl Page {
    fn error(&self, id: &str) -> Option<String> {
        error_of(self.problem.as_ref(), CONTROLS, id)
    }
}

/// `GET /capacity/offer`: the form, with what was offered last already chosen.
pub(crate) async fn new(visit: Visit) -> Response {
    let made = async {
        let trust = visit.own_trust()?.to_owned();
        visit.needs_right("/capacity/offer")?;
        let own = OfferFilter { trusts: vec![trust.clone()], ..OfferFilter::default() };
        let offers = visit.calls.offers(own).await.unwrap_or_default();
        let last = last(&offers);
        let until = visit.now.next_hour_of_day(20, SignedDuration::from_hours(1));
        let form = Form {
            once: once(),
            resource: last.and_then(|last| last.resource.as_ref()).map_or_else(String::new, resource::key),
            count: String::new(),
            site: match last {
                Some(last) => last.site.clone(),
                None => visit
                    .directory()
                    .await?
                    .sites_of(&trust)
                    .first()
                    .map_or_else(String::new, |site| site.code.clone()),
            },
            from: String::new(),
            until: visit.now.control(until),
            specialties: String::new(),
            staffed: true,
            needs: String::new(),
            age_min: String::new(),
            age_max: String::new(),
            sex: String::new(),
            bmi_max: String::new(),
            asa_max: String::new(),
            capabilities: String::new(),
            note: String::new(),
        };
        page(&visit, form, None).await
    };
    visit.answer(made.await)
}

/// Returns what a person of the trust offered or changed last, and where nobody did, whatever was said last.
fn last(offers: &[Offer]) -> Option<&Offer> {
    let newest = |by: &dyn Fn(&Offer) -> bool| {
        let fits = offers.iter().filter(|one| by(one));
        fits.max_by_key(|one| (time::from_wire(one.reported_at.as_ref()), one.revision))
    };
    newest(&|one| one.source() == Source::Person).or_else(|| newest(&|_| true))
}

async fn page(visit: &Visit, form: Form, problem: Option<Problem>) -> Result<Response, Problem> {
    let trust = visit.own_trust()?;
    let (frame, board) =
        tokio::join!(Frame::read(visit, Place::Capacity, "Add an offer"), super::read(visit));
    let directory = visit.directory().await?;
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
    let own = board.map(|board| board.resources()).unwrap_or_default();
    let page = Page {
        frame,
        summary: problem.as_ref().map_or_else(String::new, |problem| summary(problem, CONTROLS)),
        problem,
        csrf: visit.signed.csrf.clone(),
        form,
        groups: super::choices(directory.choices(), own),
        sites: sites(&directory, trust),
        roles: directory.roles().join(", "),
        cadence_hours: CADENCE_HOURS,
    };
    Ok(routes::html(status, rendered(&page)))
}

fn sites(directory: &Directory, trust: &str) -> Vec<Choice> {
    let choice = |site: &crate::directory::Site| Choice { key: site.code.clone(), name: site.name.clone() };
    directory.sites_of(trust).into_iter().map(choice).collect()
}

/// `POST /capacity/offer`
pub(crate) async fn publish(Posted { visit, fields }: Posted) -> Response {
    let made = async {
        let offer = offer(&visit, &fields)?;
        let name = offer.resource.as_ref().map(resource::with_specialties).unwrap_or_default();
        let request = PublishOfferRequest {
            request_id: fields.request_id(),
            offer: Some(offer),
            ..PublishOfferRequest::default()
        };
        let answer = visit.calls.capacity().publish_offer(request).await?.into_inner();
        let free = answer.offer.unwrap_or_default().figures.unwrap_or_default().free;
        Ok::<_, Problem>(format!("Published: {name}, {free} free."))
    };
    match made.await {
        Ok(said) => visit.done(said, "/capacity"),
        Err(problem) => match visit.way_out(&problem) {
            Some(way) => way,
            None => visit.answer(page(&visit, form(&fields), Some(problem)).await),
        },
    }
}

/// Reads the offer of a form. What the console can see is wrong it says itself; all else is for the service to say.
fn offer(visit: &Visit, fields: &Fields) -> Result<Offer, Problem> {
    let mut problem: Option<Problem> = None;
    let mut also = |found: Problem| match &mut problem {
        Some(problem) => problem.violations.extend(found.violations),
        None => problem = Some(found),
    };
    let mut resource = resource::from_key(fields.text("resource"));
    if resource.is_none() {
        also(Problem::invalid("resource", "choose one"));
    }
    let specialties = fields.text("specialties").split([',', ' ']).filter(|code| !code.is_empty());
    if let Some(resource) = &mut resource {
        resource.specialties = specialties.map(ToOwned::to_owned).collect();
    }
    let mut time = |id: &'static str, required: bool| -> Option<Timestamp> {
        match (fields.text(id), required) {
            ("", false) => None,
            (text, _) => {
                let read = visit.now.read_control(text);
                if read.is_none() {
                    also(Problem::invalid(id, "must be a date and a time"));
                }
                read
            }
        }
    };
    // A place that is used from its start on is of use to nobody who does not know when that is.
    let starts = resource.as_ref().is_some_and(|one| match one.kind() {
        ResourceKind::Theatre | ResourceKind::Diagnostic => true,
        ResourceKind::Unspecified
        | ResourceKind::Bed
        | ResourceKind::VirtualWard
        | ResourceKind::Staff
        | ResourceKind::Equipment => false,
    });
    let (from, until) = (time("from", starts), time("until", true));
    let is_session = resource.as_ref().is_some_and(|one| one.kind() == ResourceKind::Theatre);
    let staffed = match fields.number("count") {
        Ok(Some(count)) => count,
        // A session is as long as it lasts, unless somebody says otherwise.
        Ok(None) if is_session => match (from, until) {
            (Some(from), Some(until)) => until.duration_since(from).as_mins(),
            (_, _) => 0,
        },
        Ok(None) => {
            also(Problem::invalid("count", "say how many"));
            0
        }
        Err(found) => {
            also(found);
            0
        }
    };
    let limits = limits(fields, &mut also);
    if let Some(problem) = problem {
        return Err(problem);
    }
    Ok(Offer {
        source_key: format!("console-{}", fields.text("once")),
        site: fields.text("site").to_owned(),
        resource,
        figures: Some(Figures { staffed, ..Figures::default() }),
        window: Some(Window { from: from.map(time::to_wire), until: until.map(time::to_wire) }),
        capabilities: list(fields.text("capabilities")),
        limits: (limits != Limits::default()).then_some(limits),
        team: team(fields),
        cadence: Some(WireDuration { seconds: CADENCE_HOURS * 3600, nanos: 0 }),
        note: fields.text("note").to_owned(),
        ..Offer::default()
    })
}

/// Reads whom an offer can take, and says what of it cannot be read.
fn limits(fields: &Fields, also: &mut impl FnMut(Problem)) -> Limits {
    let mut small = |id: &'static str| match fields.number(id) {
        Ok(number) => number.map(|number| i32::try_from(number).unwrap_or(i32::MAX)),
        Err(found) => {
            also(found);
            None
        }
    };
    Limits {
        age_min: small("age-min"),
        age_max: small("age-max"),
        sex: Sex::from_str_name(fields.text("sex")).filter(|sex| *sex != Sex::Unspecified).map(Into::into),
        bmi_max: small("bmi-max"),
        asa_max: small("asa-max"),
    }
}

/// Reads which roles are missing; `None` when none is.
fn team(fields: &Fields) -> Option<Team> {
    let is_staffed = fields.text("staffed") != "no";
    (!is_staffed).then(|| Team { staffed: false, needs: list(fields.text("needs")) })
}

/// Reads a list that people separate by commas.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(ToOwned::to_owned).collect()
}

/// Returns the form as it was filled in.
fn form(fields: &Fields) -> Form {
    let text = |name: &str| fields.text(name).to_owned();
    Form {
        once: text("once"),
        resource: text("resource"),
        count: text("count"),
        site: text("site"),
        from: text("from"),
        until: text("until"),
        specialties: text("specialties"),
        staffed: fields.text("staffed") != "no",
        needs: text("needs"),
        age_min: text("age-min"),
        age_max: text("age-max"),
        sex: text("sex"),
        bmi_max: text("bmi-max"),
        asa_max: text("asa-max"),
        capabilities: text("capabilities"),
        note: text("note"),
    }
}

#[derive(Template)]
#[template(path = "capacity/offer.html")]
struct One {
    frame: Frame,
    csrf: String,
    row: Row,
    state: Tag,
    is_live: bool,
    is_suspended: bool,
    lines: Vec<(&'static str, String)>,
    suspend_until: String,
    reasons: Vec<Choice>,
    /// Whether it was published under a key, by which alone it can be published again.
    has_key: bool,
}

/// `GET /capacity/offer/{id}`
pub(crate) async fn one(visit: Visit, Path(id): Path<String>) -> Response {
    let made = async {
        let (frame, answer, directory) = tokio::join!(
            Frame::read(&visit, Place::Capacity, "Offer"),
            async { visit.calls.capacity().get_offer(GetOfferRequest { offer: id.clone() }).await },
            visit.directory()
        );
        let (offer, directory) = (answer?.into_inner().offer.unwrap_or_default(), directory?);
        let state = offer.state();
        let reason = |reason: &fallow_api::v1::DeclineReason| Choice {
            key: reason.as_str_name().to_owned(),
            name: codes::decline(*reason).to_owned(),
        };
        let is_suspended = state == fallow_api::v1::offer::State::Suspended;
        let is_ours = visit.viewer().trust.as_deref() == Some(offer.trust.as_str());
        let may_change = visit.rights().may("/capacity/withdraw");
        let page = One {
            frame,
            csrf: visit.signed.csrf.clone(),
            lines: lines(&visit, &offer, &directory),
            row: Row::new(&offer, 0, &visit.now, &directory),
            state: codes::offer_state(state),
            is_live: is_ours && may_change && (is_suspended || state == fallow_api::v1::offer::State::Open),
            is_suspended,
            suspend_until: visit.now.control(visit.now.next_hour_of_day(8, SignedDuration::from_hours(1))),
            reasons: codes::SUPPORTING_DECLINES.iter().map(reason).collect(),
            has_key: !offer.source_key.is_empty(),
        };
        Ok::<_, Problem>(routes::html(StatusCode::OK, rendered(&page)))
    };
    let made = made.await;
    visit.answer(made)
}

/// Everything there is to say of an offer, line by line.
fn lines(visit: &Visit, offer: &Offer, directory: &Directory) -> Vec<(&'static str, String)> {
    let now = &visit.now;
    let figures = offer.figures.unwrap_or_default();
    let window = offer.window.unwrap_or_default();
    let mut lines = vec![
        ("Trust", directory.trust(&offer.trust).to_owned()),
        ("Site", directory.site(&offer.site).to_owned()),
        (
            "Account",
            format!(
                "staffed {} = free {} + held {} + agreed {} + occupied {} + blocked {}",
                figures.staffed,
                figures.free,
                figures.held,
                figures.committed,
                figures.occupied,
                figures.blocked
            ),
        ),
    ];
    if figures.short > 0 {
        lines.push(("Short", format!("{} more are promised or in use than you have", figures.short)));
    }
    if let Some(from) = time::from_wire(window.from.as_ref()) {
        lines.push(("From", now.clock(from)));
    }
    if let Some(until) = time::from_wire(window.until.as_ref()) {
        lines.push(("Until", now.clock(until)));
    }
    if let Some(at) = time::from_wire(offer.reported_at.as_ref()) {
        lines.push((
            "Updated",
            format!("{} ({} ago), by {}", now.clock(at), now.age(at), codes::source(offer.source())),
        ));
    }
    if !offer.capabilities.is_empty() {
        lines.push(("Can do", offer.capabilities.join(", ")));
    }
    if let Some(limits) = &offer.limits {
        let text = limits_in_words(limits);
        if !text.is_empty() {
            lines.push(("Limits", text));
        }
    }
    if !offer.note.is_empty() {
        lines.push(("Note", offer.note.clone()));
    }
    if let Some(suspension) = &offer.suspension {
        let until =
            time::from_wire(suspension.until.as_ref()).map(|until| format!(", until {}", now.clock(until)));
        lines.push(("Suspended", format!("{}{}", suspension.reason, until.unwrap_or_default())));
    }
    lines.push(("Revision", offer.revision.to_string()));
    lines
}

/// Writes limits as people say them: `age 18 or over, female, BMI up to 40`.
fn limits_in_words(limits: &Limits) -> String {
    let age = match (limits.age_min, limits.age_max) {
        (Some(least), Some(most)) => Some(format!("age {least} to {most}")),
        (Some(least), None) => Some(format!("age {least} or over")),
        (None, Some(most)) => Some(format!("age {most} or under")),
        (None, None) => None,
    };
    let sex = limits.sex.is_some().then(|| codes::sex(limits.sex()).to_owned());
    let bmi = limits.bmi_max.map(|most| format!("BMI up to {most}"));
    let asa = limits.asa_max.map(|most| format!("ASA up to {most}"));
    [age, sex, bmi, asa].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_said_as_people_say_them() {
        let limits = Limits {
            age_min: Some(18),
            sex: Some(Sex::Female.into()),
            bmi_max: Some(40),
            ..Limits::default()
        };
        assert_eq!(limits_in_words(&limits), "age 18 or over, female, BMI up to 40");
        assert_eq!(
            limits_in_words(&Limits { age_min: Some(0), age_max: Some(16), ..Limits::default() }),
            "age 0 to 16"
        );
        assert_eq!(limits_in_words(&Limits::default()), "");
    }

    #[test]
    fn lists_are_separated_by_commas() {
        assert_eq!(list(" isolation, bariatric ,,"), ["isolation", "bariatric"]);
    }
}
