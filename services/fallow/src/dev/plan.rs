//! The plan of a day: what trusts and gold will do by themselves, and when. The same seed gives the same plan.
//!
//! What people answer to proposals is no part of it, for nobody knows what will be proposed: see [`super::people`].

mod cases;
mod reports;

use fallow_api::v1;
use jiff::{SignedDuration, Timestamp};

use super::scenario::Scenario;

pub(super) use cases::night;

/// Something that happens by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// When.
    pub(super) at: Timestamp,
    /// ODS code of the trust that does it; gold's are empty.
    pub(super) trust: String,
    /// What.
    pub(super) act: Act,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    /// A trust's system streams the figures of its wards.
    Stream(Vec<v1::Offer>),
    /// A person publishes the figures of one ward.
    Publish(Box<v1::Offer>),
    /// A trust's system states all sessions of a kind at a site.
    Replace {
        /// ODS site code.
        site: String,
        /// The kind.
        kind: v1::ResourceKind,
        /// Its sessions.
        offers: Vec<v1::Offer>,
    },
    /// A person raises a need.
    Raise(Box<v1::Need>),
    /// A trust declares its OPEL.
    Declare(i32),
    /// Gold switches a collaborative's mode.
    Mode {
        /// Id of the collaborative.
        collaborative: String,
        /// Whether to incident mode.
        incident: bool,
        /// Why.
        reason: String,
    },
    /// Gold asks a trust that has fallen silent whether its figures are still true.
    Ask {
        /// ODS code of the silent trust.
        of: String,
    },
}

/// A silent trust is asked so long after it was last heard: past two cadences of its systems.
const ASKED_AFTER: SignedDuration = SignedDuration::from_mins(45);

/// Returns what has been reported and declared when the scenario begins.
pub(super) fn opening(scenario: &Scenario, seed: u64) -> Vec<Event> {
    let at = scenario.begins_at();
    let now = scenario.local(at).time();
    let mut events = reports::all(scenario, seed, at);
    for opel in &scenario.opel {
        let level = opel.levels.iter().rev().find(|(from, _)| *from <= now).map(|(_, level)| *level);
        events.extend(level.map(|level| Event { at, trust: opel.trust.clone(), act: Act::Declare(level) }));
    }
    events
}

/// Returns what happens after `after` until the end of a day, in order; day 0 is the first.
pub(super) fn day(scenario: &Scenario, seed: u64, day: i64, after: Timestamp) -> Vec<Event> {
    let mut events = reports::of_day(scenario, seed, day);
    events.extend(cases::of_day(scenario, seed, day));
    for opel in &scenario.opel {
        events.extend(opel.levels.iter().filter_map(|(time, level)| {
            let at = scenario.on_day(day, *time).ok()?;
            Some(Event { at, trust: opel.trust.clone(), act: Act::Declare(*level) })
        }));
    }
    events.extend(scenario.mode.iter().filter_map(|change| {
        let at = scenario.on_day(day, change.at).ok()?;
        let act = Act::Mode {
            collaborative: change.collaborative.clone(),
            incident: change.incident,
            reason: change.reason.clone(),
        };
        Some(Event { at, trust: String::new(), act })
    }));
    events.extend(scenario.silence.iter().filter_map(|silence| {
        let at = scenario.on_day(day, silence.from).ok()?.checked_add(ASKED_AFTER).ok()?;
        Some(Event { at, trust: String::new(), act: Act::Ask { of: silence.trust.clone() } })
    }));
    events.retain(|event| event.at > after);
    // Stable: what happens at the same moment happens in the order of the scenario.
    events.sort_by_key(|event| event.at);
    events
}

/// Writes a time for the wire.
fn wire_time(at: Timestamp) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 })
}

/// Adds hours.
fn hours(at: Timestamp, hours: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_hours(hours)).unwrap_or(at)
}

/// Reads `KIND/CODE` or `KIND/CODE/LEVEL`.
fn resource(key: &str, specialties: &[String]) -> v1::Resource {
    let mut parts = key.split('/');
    v1::Resource {
        kind: kind_of(key).into(),
        code: parts.nth(1).unwrap_or_default().to_owned(),
        specialties: specialties.to_vec(),
        level: parts.next().and_then(|level| level.parse().ok()).unwrap_or_default(),
        ..Default::default()
    }
}

/// Reads the kind of `KIND/CODE`.
fn kind_of(key: &str) -> v1::ResourceKind {
    let kind = key.split('/').next().unwrap_or_default();
    v1::ResourceKind::from_str_name(&format!("RESOURCE_KIND_{kind}")).unwrap_or_default()
}

fn sex(name: &str) -> i32 {
    v1::Sex::from_str_name(&format!("SEX_{name}")).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn whole(seed: u64) -> Vec<Event> {
        let scenario = Scenario::named("winter-tuesday").unwrap();
        let begins = scenario.begins_at();
        let mut events = opening(&scenario, seed);
        events.extend(day(&scenario, seed, 0, begins));
        events.extend(day(&scenario, seed, 1, begins));
        events
    }

    #[test]
    fn the_same_seed_plans_the_same_days() {
        assert_eq!(whole(1), whole(1));
        assert_ne!(whole(1), whole(2));
    }

    #[test]
    fn a_day_has_everything_that_the_story_needs() {
        let scenario = Scenario::named("winter-tuesday").unwrap();
        let events = whole(1);
        assert!(events.is_sorted_by_key(|event| event.at));
        let count = |what: fn(&Act) -> bool| events.iter().filter(|event| what(&event.act)).count();
        assert!(count(|act| matches!(act, Act::Raise(_))) > 200);
        assert!(count(|act| matches!(act, Act::Stream(_))) > 6 * 96);
        assert!(count(|act| matches!(act, Act::Publish(_))) > 400);
        assert!(count(|act| matches!(act, Act::Replace { .. })) > 60);
        assert!(count(|act| matches!(act, Act::Declare(_))) > 12);
        assert_eq!(count(|act| matches!(act, Act::Mode { .. })), 4);
        assert_eq!(count(|act| matches!(act, Act::Ask { .. })), 2);

        // Eastholme is silent for longer than two cadences and comes back.
        let eastholme: Vec<Timestamp> = events
            .iter()
            .filter(|event| event.trust == "ZA5" && matches!(event.act, Act::Stream(_)))
            .map(|event| event.at)
            .collect();
        let silence = eastholme.windows(2).map(|pair| pair[1].duration_since(pair[0])).max().unwrap();
        assert!((90..130).contains(&silence.as_mins()), "{silence}");

        // No two cases share a reference, and each is of a site of the trust that raises it.
        let mut refs = BTreeSet::new();
        for need in night(&scenario) {
            assert!(refs.insert(need.need.case_ref));
        }
        for event in &events {
            if let Act::Raise(need) = &event.act {
                assert!(refs.insert(need.case_ref.clone()), "{}", need.case_ref);
                assert!(need.site.starts_with(&event.trust));
            }
        }
        let unstaffed = |offer: &v1::Offer| offer.team.as_ref().is_some_and(|team| !team.staffed);
        assert!(
            events.iter().any(
                |event| matches!(&event.act, Act::Replace { offers, .. } if offers.iter().any(unstaffed))
            )
        );
    }

    #[test]
    fn every_offer_is_an_account_and_keeps_its_end() {
        let mut ends = std::collections::BTreeMap::new();
        for event in whole(3) {
            let offers = match event.act {
                Act::Stream(offers) | Act::Replace { offers, .. } => offers,
                Act::Publish(offer) => vec![*offer],
                Act::Raise(_) | Act::Declare(_) | Act::Mode { .. } | Act::Ask { .. } => Vec::new(),
            };
            for offer in offers {
                let figures = offer.figures.unwrap();
                assert!(figures.occupied >= 0 && figures.blocked >= 0, "{figures:?}");
                assert!(figures.occupied + figures.blocked <= figures.staffed, "{figures:?}");
                let until = offer.window.unwrap().until.unwrap();
                assert_eq!(*ends.entry((offer.site, offer.source_key)).or_insert(until), until);
            }
        }
    }
}
