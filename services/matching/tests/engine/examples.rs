//! People and records for the tests of the engine, from within the crate and from without: to be changed one thing at a
//! time.

#![allow(dead_code, reason = "each of the two needs its part")]

use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::decide::offer::OfferReport;
use fallow_domain::ids::{Label, NeedId, SiteCode, SourceKey, TrustCode};
use fallow_domain::need::{Need, Priority};
use fallow_domain::offer::Window;
use fallow_domain::quantity::Count;
use fallow_domain::resource::{Code, Level, Resource, ResourceKind};
use jiff::{SignedDuration, Timestamp};

/// Monday at ten.
pub(crate) fn start() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

pub(crate) fn manager(trust: &str) -> Actor {
    Actor {
        subject: Label::parse(&format!("manager-{trust}")).unwrap(),
        kind: ActorKind::Person,
        role: Role::BedManager,
        trust: Some(trust.parse().unwrap()),
    }
}

pub(crate) fn gold() -> Actor {
    Actor { subject: Label::parse("gold").unwrap(), kind: ActorKind::Person, role: Role::Gold, trust: None }
}

pub(crate) fn labels(texts: &[&str]) -> Vec<Label> {
    texts.iter().map(|text| Label::parse(text).unwrap()).collect()
}

pub(crate) fn beds(code: &str, level: Option<u8>) -> Resource {
    Resource {
        kind: ResourceKind::Bed,
        code: Code::new(code),
        specialties: Vec::new(),
        level: level.and_then(Level::new),
        level_scheme: None,
    }
}

/// A trust and its first site.
fn place(trust: &str) -> (TrustCode, SiteCode) {
    (trust.parse().unwrap(), format!("{trust}01").parse().unwrap())
}

/// A report of adult beds of a trust, good for two hours and promised hourly.
pub(crate) fn report(trust: &str, id: &str, free: u32, at: Timestamp) -> OfferReport {
    let window = Window { from: None, until: start() + SignedDuration::from_hours(72) };
    let (key, told) = (SourceKey::parse(id).unwrap(), (at, SignedDuration::from_hours(1)));
    OfferReport::bare(key, place(trust), beds("GA_ADULT", None), Count::new(free), window, told)
}

pub(crate) fn need(trust: &str, id: &str, priority: Priority, at: Timestamp) -> Need {
    Need::bare(NeedId::parse(id).unwrap(), place(trust), beds("GA_ADULT", None), priority, at)
}
