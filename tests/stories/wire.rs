//! What trusts send: offers and needs as small as they may be, to be changed where a story needs it.

use fallow_api::convert::time::{span_to_wire, to_wire};
use fallow_api::v1;
use jiff::{SignedDuration, Timestamp};

/// How often the trusts of these stories promise to report.
pub(crate) const CADENCE: SignedDuration = SignedDuration::from_hours(4);

/// Step-down beds: no trust of North Vale keeps any of these for itself.
pub(crate) fn bed() -> v1::Resource {
    resource(v1::ResourceKind::Bed, "STEP_DOWN")
}

/// A resource of a kind and code.
pub(crate) fn resource(kind: v1::ResourceKind, code: &str) -> v1::Resource {
    v1::Resource { kind: kind.into(), code: code.into(), ..v1::Resource::default() }
}

/// An offer of free beds at a site from now on, until two days later.
pub(crate) fn offer(site: &str, free: i64, now: Timestamp) -> v1::Offer {
    v1::Offer {
        source_key: format!("{site} step-down"),
        site: site.into(),
        resource: Some(bed()),
        figures: Some(v1::Figures { staffed: free, ..v1::Figures::default() }),
        window: Some(v1::Window { from: None, until: Some(to_wire(now + SignedDuration::from_hours(48))) }),
        cadence: Some(span_to_wire(CADENCE)),
        ..v1::Offer::default()
    }
}

/// A need of beds for patients at a site, of the third band.
pub(crate) fn need(site: &str, case_ref: &str, units: i64) -> v1::Need {
    v1::Need {
        case_ref: case_ref.into(),
        site: site.into(),
        resource: Some(bed()),
        units,
        priority: v1::Priority::P2.into(),
        ..v1::Need::default()
    }
}
