//! Small records for tests: one need and one offer that fit each other, to be changed one thing at a time.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{Label, NeedId, OfferId};
use crate::need::{Need, Priority};
use crate::offer::{Figures, Limits, Offer, OfferState, Source, Team, Window};
use crate::region::{Region, file};
use crate::resource::{Code, Resource, ResourceKind};

use super::problem::Problem;

/// The time of the examples.
pub(crate) const AT: &str = "2026-11-24T08:00:00Z";

const REGION: &str = r#"
[region]
id = "Y62"
name = "Examples"
[[trust]]
ods = "AAA"
name = "A"
[[trust]]
ods = "BBB"
name = "B"
[[trust]]
ods = "CCC"
name = "C"
[[site]]
code = "AAA01"
trust = "AAA"
name = "A"
lat = 53.0
lon = -2.0
kind = "HOSPITAL"
[[site]]
code = "BBB01"
trust = "BBB"
name = "B"
lat = 53.1
lon = -2.0
kind = "HOSPITAL"
[[site]]
code = "CCC01"
trust = "CCC"
name = "C"
lat = 53.3
lon = -2.1
kind = "HOSPITAL"
[[collaborative]]
id = "all"
name = "All"
kind = "ACUTE"
members = ["AAA", "BBB", "CCC"]
shares = ["BED", "THEATRE", "DIAGNOSTIC"]
[[collaborative]]
id = "pair"
name = "Pair"
kind = "ACUTE"
members = ["AAA", "CCC"]
shares = ["BED"]
"#;

pub(crate) fn at() -> Timestamp {
    AT.parse().unwrap()
}

/// The time of the examples and so many seconds.
pub(crate) fn after(seconds: i64) -> Timestamp {
    at() + SignedDuration::from_secs(seconds)
}

pub(crate) fn region() -> Region {
    file::parse(REGION).unwrap()
}

pub(crate) fn resource(kind: ResourceKind, code: &str) -> Resource {
    Resource { kind, code: Code::new(code), specialties: Vec::new(), level: None, level_scheme: None }
}

pub(crate) fn labels(texts: &[&str]) -> Vec<Label> {
    texts.iter().map(|text| Label::parse(text).unwrap()).collect()
}

/// A need of trust AAA for one adult bed.
pub(crate) fn need(id: &str) -> Need {
    let place = ("AAA".parse().unwrap(), "AAA01".parse().unwrap());
    let beds = resource(ResourceKind::Bed, "GA_ADULT");
    Need { raised_at: Some(at()), ..Need::bare(NeedId::parse(id).unwrap(), place, beds, Priority::P2, at()) }
}

/// An offer of trust BBB of one adult bed, from now for a day.
pub(crate) fn offer(id: &str) -> Offer {
    Offer {
        id: OfferId::parse(id).unwrap(),
        source_key: None,
        trust: "BBB".parse().unwrap(),
        site: "BBB01".parse().unwrap(),
        resource: resource(ResourceKind::Bed, "GA_ADULT"),
        figures: Figures { staffed: 1.into(), ..Figures::default() },
        window: Window { from: Some(at()), until: after(86_400) },
        capabilities: Vec::new(),
        limits: Limits::default(),
        team: Team::default(),
        shared_with: Vec::new(),
        release_at: None,
        campaign: Label::default(),
        state: OfferState::Open,
        suspension: None,
        reported_at: at(),
        source: Source::Feed,
        source_seq: None,
        cadence: SignedDuration::from_secs(3_600),
        note: crate::ids::Note::default(),
        generation: 0,
        recent: crate::offer::Recent::default(),
    }
}

pub(crate) fn problem(region: Region, needs: Vec<Need>, offers: Vec<Offer>) -> Problem {
    Problem {
        at: at(),
        region: Arc::new(region),
        offers: offers.into_iter().map(Arc::new).collect(),
        needs: needs.into_iter().map(Arc::new).collect(),
        declined: std::collections::HashSet::new(),
    }
}
