//! People and records for the tests of the engine, from within the crate and from without: to be changed one thing at a
//! time.

#![allow(dead_code, reason = "each of the two needs its part")]

use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::decide::offer::OfferReport;
use fallow_domain::ids::{Label, NeedId, Note, SourceKey};
use fallow_domain::need::{Need, NeedState, Patient, Priority, Scope, TransferReason, Validation};
use fallow_domain::offer::{Limits, Source, Team, Window};
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

pub(crate) fn beds(code: &str, level: Option<u8>) -> Resource {
    Resource {
        kind: ResourceKind::Bed,
        code: Code::new(code),
        specialties: Vec::new(),
        level: level.and_then(Level::new),
        level_scheme: None,
    }
}

/// A report of adult beds of a trust, good for two hours and promised hourly.
pub(crate) fn report(trust: &str, id: &str, free: u32, at: Timestamp) -> OfferReport {
    OfferReport {
        source_key: Some(SourceKey::parse(id).unwrap()),
        trust: trust.parse().unwrap(),
        site: format!("{trust}01").parse().unwrap(),
        resource: beds("GA_ADULT", None),
        staffed: Count::new(free),
        occupied: Count::ZERO,
        blocked: Count::ZERO,
        window: Window { from: None, until: start() + SignedDuration::from_hours(72) },
        capabilities: Vec::new(),
        limits: Limits::default(),
        team: Team::default(),
        shared_with: Vec::new(),
        release_at: None,
        campaign: Label::default(),
        reported_at: at,
        source: Source::Feed,
        source_seq: None,
        cadence: SignedDuration::from_hours(1),
        note: Note::default(),
    }
}

pub(crate) fn need(trust: &str, id: &str, priority: Priority, at: Timestamp) -> Need {
    Need {
        id: NeedId::parse(id).unwrap(),
        case_ref: None,
        trust: trust.parse().unwrap(),
        site: format!("{trust}01").parse().unwrap(),
        resource: beds("GA_ADULT", None),
        units: Count::ONE,
        minutes_per_case: Count::ZERO,
        priority,
        listed_at: at,
        earliest: None,
        needed_by: None,
        requires: Vec::new(),
        patient: Patient::default(),
        max_travel_minutes: None,
        imd_decile: None,
        risk: None,
        reason: TransferReason::Capacity,
        scope: Scope::WholePathway,
        fragile_service: false,
        brings_team: false,
        home_area: Label::default(),
        from_home: None,
        away_since: None,
        cohort: Label::default(),
        validation: Validation::default(),
        pathway: None,
        discharge_pathway: None,
        funding_route: Label::default(),
        cost_centre: Label::default(),
        state: NeedState::Open,
        review_at: None,
        raised_at: None,
        agreed_at: None,
        units_proposed: Count::ZERO,
        units_committed: Count::ZERO,
        units_arrived: Count::ZERO,
        note: Note::default(),
        generation: 0,
    }
}
