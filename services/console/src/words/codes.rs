//! States and reasons in plain words. Each table walks the whole enumeration, so a new value cannot be forgotten.

use fallow_api::v1::{
    DeclineReason, Freshness, FromHome, Mode, Priority, Sex, Source, TimelineKind, answer, authority, need,
    offer, transfer,
};
use fallow_domain::actor::Role;
use fallow_domain::monitor::sentence;

/// A state as a tag: a text, and the class that colours it. Colour never says anything that the text does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    /// What people read.
    pub(crate) text: &'static str,
    /// The class of the tag: `grey`, `blue`, `amber`, `plum` or `white`.
    pub(crate) colour: &'static str,
}

const fn tag(text: &'static str, colour: &'static str) -> Tag {
    Tag { text, colour }
}

pub(crate) fn freshness(value: Freshness) -> Tag {
    match value {
        Freshness::Unspecified => tag("Not provided", "grey"),
        Freshness::Fresh => tag("Fresh", "white"),
        Freshness::Ageing => tag("Ageing", "amber"),
        Freshness::Stale => tag("Stale", "stale"),
    }
}

pub(crate) fn offer_state(value: offer::State) -> Tag {
    match value {
        offer::State::Unspecified => tag("Not said", "grey"),
        offer::State::Open => tag("Open", "white"),
        offer::State::Suspended => tag("Suspended", "amber"),
        offer::State::Closed => tag("Closed", "grey"),
        offer::State::Withdrawn => tag("Withdrawn", "grey"),
        offer::State::Expired => tag("Expired", "grey"),
    }
}

pub(crate) fn need_state(value: need::State) -> Tag {
    match value {
        need::State::Unspecified => tag("Not said", "grey"),
        need::State::Open => tag("Open", "amber"),
        need::State::Proposed => tag("Proposed", "blue"),
        need::State::PartAgreed => tag("Part agreed", "blue"),
        need::State::Agreed => tag("Agreed", "white"),
        need::State::OnHold => tag("On hold", "grey"),
        need::State::Met => tag("Met", "white"),
        need::State::Withdrawn => tag("Withdrawn", "grey"),
        need::State::Expired => tag("Expired", "plum"),
        need::State::Unmet => tag("Unmet", "plum"),
        need::State::ResolvedOutside => tag("Resolved outside Fallow", "grey"),
    }
}

pub(crate) fn timeline_kind(value: TimelineKind) -> Tag {
    match value {
        TimelineKind::Unspecified => tag("Other", "grey"),
        TimelineKind::Decision => tag("Decision", "blue"),
        TimelineKind::Alert => tag("Alert", "amber"),
        TimelineKind::Feed => tag("Feed", "grey"),
        TimelineKind::Transfer => tag("Transfer", "white"),
        TimelineKind::Region => tag("Region", "grey"),
        TimelineKind::Pressure => tag("OPEL", "grey"),
        TimelineKind::Need => tag("Need", "white"),
    }
}

pub(crate) fn transfer_state(value: transfer::State) -> Tag {
    match value {
        transfer::State::Unspecified => tag("Not said", "grey"),
        transfer::State::Planned => tag("Planned", "amber"),
        transfer::State::Ready => tag("Ready", "blue"),
        transfer::State::InTransit => tag("In transit", "blue"),
        transfer::State::Arrived => tag("Arrived", "white"),
        transfer::State::Completed => tag("Completed", "white"),
        transfer::State::RepatriationDue => tag("Return due", "amber"),
        transfer::State::Repatriating => tag("Returning", "blue"),
        transfer::State::Repatriated => tag("Returned home", "white"),
        transfer::State::Aborted => tag("Aborted", "plum"),
        transfer::State::Deployed => tag("At work", "blue"),
        transfer::State::Extended => tag("Extended", "blue"),
        transfer::State::Returned => tag("Returned", "white"),
    }
}

pub(crate) fn answer_state(value: answer::State) -> Tag {
    match value {
        answer::State::Unspecified | answer::State::Pending => tag("Waiting", "grey"),
        answer::State::Provisional => tag("Provisional yes", "amber"),
        answer::State::Accepted => tag("Accepted", "white"),
        answer::State::Declined => tag("Declined", "plum"),
    }
}

/// Returns what an authority has said; `None` when nobody above the trusts need say anything.
pub(crate) fn authority_state(value: authority::State) -> Option<Tag> {
    match value {
        authority::State::Unspecified | authority::State::NotNeeded => None,
        authority::State::Pending => Some(tag("Waiting", "grey")),
        authority::State::Approved => Some(tag("Approved", "white")),
        authority::State::Refused => Some(tag("Refused", "plum")),
    }
}

/// Returns the priority's code and its limit, such as `P1A, within 24 hours`.
pub(crate) fn priority(value: Priority) -> (&'static str, &'static str) {
    match value {
        Priority::Unspecified => ("Not said", ""),
        Priority::P1a => ("P1A", "within 24 hours"),
        Priority::P1b => ("P1B", "within 72 hours"),
        Priority::P2 => ("P2", "within 4 weeks"),
        Priority::P3 => ("P3", "within 3 months"),
        Priority::P4 => ("P4", "longer than 3 months"),
    }
}

/// The priorities that a form offers, most urgent first.
pub(crate) const PRIORITIES: [Priority; 5] =
    [Priority::P1a, Priority::P1b, Priority::P2, Priority::P3, Priority::P4];

pub(crate) fn source(value: Source) -> &'static str {
    match value {
        Source::Unspecified => "not said",
        Source::Feed => "feed",
        Source::Sheet => "sheet",
        Source::Person => "person",
        Source::Adjustment => "adjusted",
    }
}

pub(crate) fn sex(value: Sex) -> &'static str {
    match value {
        Sex::Unspecified => "any sex",
        Sex::Female => "female",
        Sex::Male => "male",
    }
}

pub(crate) fn is_incident(value: Mode) -> bool {
    match value {
        Mode::Incident => true,
        Mode::Routine | Mode::Unspecified => false,
    }
}

/// Returns why a side said no, in words.
pub(crate) fn decline(value: DeclineReason) -> &'static str {
    match value {
        DeclineReason::Unspecified => "no reason given",
        DeclineReason::CapacityChanged => "Capacity changed",
        DeclineReason::Staffing => "Staffing",
        DeclineReason::CaseMix => "Case mix",
        DeclineReason::Equipment => "Equipment",
        DeclineReason::InfectionControl => "Infection control",
        DeclineReason::Finance => "Finance",
        DeclineReason::PatientDeclined => "Patient declined",
        DeclineReason::NotFit => "Not fit to move",
        DeclineReason::TreatedElsewhere => "Treated elsewhere",
        DeclineReason::TooFarForPatient => "Too far for the patient",
        DeclineReason::NoTransport => "No transport",
        DeclineReason::Other => "Other",
        DeclineReason::NoAnswer => "No answer in time",
    }
}

/// Returns how far from home a place is: `36 km from home, out of area`.
pub(crate) fn from_home(value: FromHome) -> String {
    let FromHome { kilometres, out_of_area } = value;
    format!("{kilometres} km from home{}", if out_of_area { ", out of area" } else { "" })
}

/// Returns what an inbox's form sends for a reason: the name that all of them begin with is left out, for there are many.
pub(crate) fn decline_key(value: DeclineReason) -> &'static str {
    let name = value.as_str_name();
    name.strip_prefix(DECLINE).unwrap_or(name)
}

/// Reads what [`decline_key`] wrote.
pub(crate) fn read_decline(key: &str) -> Option<DeclineReason> {
    DeclineReason::from_str_name(&format!("{DECLINE}{key}"))
}

const DECLINE: &str = "DECLINE_REASON_";

/// Why a supporting trust may decline or take an offer back, in the order of the form.
pub(crate) const SUPPORTING_DECLINES: [DeclineReason; 7] = [
    DeclineReason::CapacityChanged,
    DeclineReason::Staffing,
    DeclineReason::CaseMix,
    DeclineReason::InfectionControl,
    DeclineReason::Equipment,
    DeclineReason::Finance,
    DeclineReason::Other,
];

/// Why a home trust may decline or take a need back, in the order of the form.
pub(crate) const HOME_DECLINES: [DeclineReason; 6] = [
    DeclineReason::PatientDeclined,
    DeclineReason::NotFit,
    DeclineReason::TreatedElsewhere,
    DeclineReason::TooFarForPatient,
    DeclineReason::NoTransport,
    DeclineReason::Other,
];

/// Why any side may decline, in the order of the form.
pub(crate) const DECLINES: [DeclineReason; 12] = [
    DeclineReason::CapacityChanged,
    DeclineReason::Staffing,
    DeclineReason::CaseMix,
    DeclineReason::InfectionControl,
    DeclineReason::Equipment,
    DeclineReason::Finance,
    DeclineReason::PatientDeclined,
    DeclineReason::NotFit,
    DeclineReason::TreatedElsewhere,
    DeclineReason::TooFarForPatient,
    DeclineReason::NoTransport,
    DeclineReason::Other,
];

/// Why a transfer may be called off, in the order of the form.
pub(crate) const ABORTS: [DeclineReason; 6] = [
    DeclineReason::CapacityChanged,
    DeclineReason::PatientDeclined,
    DeclineReason::NotFit,
    DeclineReason::TreatedElsewhere,
    DeclineReason::NoTransport,
    DeclineReason::Other,
];

/// Returns the name of a role, as people say it.
pub(crate) fn role(value: &str) -> String {
    match value.parse::<Role>() {
        Ok(role) => sentence::capital(role.in_words()),
        Err(_) => super::resource::in_words(&value.to_uppercase()),
    }
}
