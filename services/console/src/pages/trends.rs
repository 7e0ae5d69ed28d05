//! One measure over time, with what is usual of it, as a chart and as a table.

mod chart;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{GetTrendRequest, GetTrendResponse, Measure, Resource};
use http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;

use self::chart::Chart;
use super::frame::{Frame, Place, rendered};
use super::problem::summary;
use super::situation::sections::{Entry, Section, sections};
use crate::app::Visit;
use crate::directory::Directory;
use crate::problem::Problem;
use crate::routes;
use crate::words::resource::{self, Choice, ChoiceGroup};
use crate::words::time::{Now, from_wire, to_wire};

/// The measures that can be asked for, each with its name and unit.
const MEASURES: [(Measure, &str, &str); 5] = [
    (Measure::NeedsOpen, "Open needs", ""),
    (Measure::NeedsOverdue, "Needs past their needed-by", ""),
    (Measure::PlacedPercent, "Placed in 24 hours, per cent", " %"),
    (Measure::MinutesToAgreed, "Median minutes to agreement", " min"),
    (Measure::Net, "Spare minus needed", ""),
];
/// How far back one can look, in days. Hours are kept for 14; the days before are points of their own.
const DAYS: [i64; 4] = [1, 7, 14, 28];
const USUAL_DAYS: i64 = 7;

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    measure: String,
    #[serde(default)]
    trust: String,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    days: String,
}

#[derive(Template)]
#[template(path = "trends/page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    /// Value, name, whether it is chosen.
    measures: Vec<(&'static str, &'static str, bool)>,
    trusts: Vec<(Choice, bool)>,
    resources: Vec<ChoiceGroup>,
    asked: Asked,
    days: Vec<(i64, bool)>,
    is_net: bool,
    trend: Option<Trend>,
}

/// What is shown of an answer.
pub(super) struct Trend {
    pub(super) name: String,
    /// The one plain sentence.
    pub(super) sentence: String,
    /// `Mean 30, usual 20 to 45.`
    pub(super) limits: String,
    pub(super) chart: Option<Chart>,
    /// When, how much, whether it is special cause; newest first.
    rows: Vec<(String, String, bool)>,
}

/// `GET /trends`
pub(crate) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let (frame, directory) = tokio::join!(Frame::read(&visit, Place::Situation, "Trends"), visit.directory());
    let directory = directory.unwrap_or_default();
    // A trust is told of what it sees; the other measures count the whole region.
    let own = visit.viewer().trust.as_deref();
    let (measure, name, unit) = chosen(&asked.measure, own.is_some());
    let asked = match (own, asked.trust.as_str()) {
        (Some(own), "") if measure == Measure::Net => Asked { trust: own.to_owned(), ..asked },
        (Some(_) | None, _) => asked,
    };
    // What is spare is of one resource: beds and minutes of theatre do not add up.
    let asked = match asked.resource.as_str() {
        "" if measure == Measure::Net => {
            let first = directory.choices().into_iter().flat_map(|group| group.choices).next();
            Asked { resource: first.map(|choice| choice.key).unwrap_or_default(), ..asked }
        }
        _ => asked,
    };
    let days = asked.days.parse().ok().filter(|days| DAYS.contains(days)).unwrap_or(USUAL_DAYS);
    let is_net = measure == Measure::Net;
    let name = if is_net { named(name, &asked, &directory) } else { name.to_owned() };
    let from = visit.now.at.saturating_sub(SignedDuration::from_hours(days * 24)).unwrap_or(visit.now.at);
    let request = GetTrendRequest {
        measure: measure.into(),
        trust: if is_net { asked.trust.clone() } else { String::new() },
        resource: if is_net { resource::from_key(&asked.resource) } else { None },
        from: Some(to_wire(from)),
        ..GetTrendRequest::default()
    };
    let answer = visit.calls.monitor().get_trend(request).await.map_err(Problem::from);
    let (trend, problem) = match answer {
        Ok(answer) => (Some(Trend::new(name, unit, answer.into_inner(), &visit.now)), None),
        Err(problem) => (None, Some(problem)),
    };
    let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
    let offered = MEASURES.iter().filter(|(one, ..)| own.is_none() || *one == Measure::Net);
    let trust = |(code, name): (&str, &str)| {
        let choice = Choice { key: code.to_owned(), name: name.to_owned() };
        (choice, code == asked.trust)
    };
    let page = Page {
        frame: Frame { is_live: false, ..frame },
        sections: sections(&visit, Section::Trends),
        problem: problem.map_or_else(String::new, |problem| summary(&problem, &[])),
        measures: offered.map(|(one, name, _)| (one.as_str_name(), *name, *one == measure)).collect(),
        trusts: directory.trusts().map(trust).collect(),
        resources: directory.choices(),
        days: DAYS.iter().map(|one| (*one, *one == days)).collect(),
        asked,
        is_net,
        trend,
    };
    routes::html(status, rendered(&page))
}

/// Returns the measure that was chosen: for a trust, what it may see of it.
fn chosen(value: &str, is_of_a_trust: bool) -> (Measure, &'static str, &'static str) {
    let usual = if is_of_a_trust { MEASURES[4] } else { MEASURES[0] };
    MEASURES.into_iter().find(|(one, ..)| one.as_str_name() == value).unwrap_or(usual)
}

/// `Spare minus needed, Dunmere General Hospital, Level 2`.
fn named(name: &str, asked: &Asked, directory: &Directory) -> String {
    let trust = match asked.trust.as_str() {
        "" => "the region",
        trust => directory.trust(trust),
    };
    let what = resource::from_key(&asked.resource)
        .map_or_else(|| "all resources".to_owned(), |one| resource::short(&one));
    format!("{name}: {trust}, {what}")
}

impl Trend {
    /// Reads what was spare less what was needed of a resource at a trust, for the usual number of days; `None` where that
    /// cannot be read.
    pub(super) async fn of_net(visit: &Visit, trust: &str, resource: Resource) -> Option<Self> {
        let from = visit.now.at.saturating_sub(SignedDuration::from_hours(USUAL_DAYS * 24)).ok()?;
        let request = GetTrendRequest {
            measure: Measure::Net.into(),
            trust: trust.to_owned(),
            resource: Some(resource),
            from: Some(to_wire(from)),
            ..GetTrendRequest::default()
        };
        let answer = visit.calls.monitor().get_trend(request).await.ok()?.into_inner();
        Some(Self::new(format!("Spare minus needed, {USUAL_DAYS} days"), "", answer, &visit.now))
    }

    fn new(name: String, unit: &str, answer: GetTrendResponse, now: &Now) -> Self {
        let at = |point: &fallow_api::v1::get_trend_response::Point| from_wire(point.at.as_ref());
        let limits =
            format!("Mean {:.0}{unit}, usual {:.0} to {:.0}{unit}.", answer.mean, answer.lower, answer.upper);
        let rows = answer.points.iter().rev().map(|point| {
            let when = at(point).map(|at| now.clock(at)).unwrap_or_default();
            (when, format!("{:.0}{unit}", point.value), point.special_cause)
        });
        Self {
            name,
            limits,
            chart: Chart::new(&answer, now),
            rows: rows.collect(),
            sentence: answer.sentence,
        }
    }
}
