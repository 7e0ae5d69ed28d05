//! What one site has of one resource, counted as a person would: what can be proposed now, and what cannot and why.

use std::collections::BTreeMap;

use fallow_api::v1::{Freshness, Offer, Resource, offer};
use jiff::{SignedDuration, Timestamp};

use crate::cli::rows::freshness;
use crate::cli::time::from_wire;

/// Why units are not to be had now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// Nobody has said for two cadences that they are still there.
    Stale,
    /// The trust takes no new holds on them.
    Suspended,
    /// A session that its trust has not released to others yet.
    NotReleased,
    /// Nobody staffs them: they are no capacity until a team is lent or brought along.
    NoTeam,
    /// They are of a time to come.
    Later,
    /// The time of their offer is over.
    Over,
}

/// Says whether an offer can be had at a time, and if not, why.
pub(super) fn apart(offer: &Offer, at: Timestamp) -> Option<Apart> {
    let window = offer.window.unwrap_or_default();
    if from_wire(window.until).is_some_and(|until| until <= at) {
        return Some(Apart::Over);
    }
    if freshness(offer, at) == Freshness::Stale {
        return Some(Apart::Stale);
    }
    if offer.state() == offer::State::Suspended {
        return Some(Apart::Suspended);
    }
    if released_later(offer, at).is_some() {
        return Some(Apart::NotReleased);
    }
    if offer.team.as_ref().is_some_and(|team| !team.staffed) {
        return Some(Apart::NoTeam);
    }
    let begins_later = from_wire(window.from).is_some_and(|from| from > at);
    begins_later.then_some(Apart::Later)
}

/// Returns when an offer that waits for its release is proposed, where that is still to come.
pub(super) fn released_later(offer: &Offer, at: Timestamp) -> Option<Timestamp> {
    from_wire(offer.release_at).filter(|release| *release > at)
}

/// Says whether an offer is live: what has ended is nobody's to have.
pub(super) fn is_live(offer: &Offer) -> bool {
    matches!(offer.state(), offer::State::Open | offer::State::Suspended | offer::State::Unspecified)
        && offer.resource.is_some()
}

/// One resource of one site.
#[derive(Debug)]
pub(super) struct Stock<'a> {
    /// What.
    pub(super) resource: &'a Resource,
    /// The live offers of it, as they came.
    pub(super) offers: Vec<&'a Offer>,
}

impl Stock<'_> {
    /// Returns what is free and what is staffed in offers that can be had now.
    pub(super) fn to_be_had(&self, at: Timestamp) -> Option<(i64, i64)> {
        let mut sum = None;
        for offer in self.offers.iter().filter(|offer| apart(offer, at).is_none()) {
            let figures = offer.figures.unwrap_or_default();
            let (free, staffed) = sum.unwrap_or_default();
            sum = Some((free + figures.free, staffed + figures.staffed));
        }
        sum
    }

    /// Returns how many units too few there are for what is promised of offers that can be had now.
    pub(super) fn short(&self, at: Timestamp) -> i64 {
        let counted = self.offers.iter().filter(|offer| apart(offer, at).is_none());
        counted.filter_map(|offer| offer.figures).map(|figures| figures.short).sum()
    }

    /// Returns what has to be said of the offers that are not counted: a line for each that cannot be had, in their order,
    /// and one for all that begin later.
    pub(super) fn not_counted(&self, at: Timestamp, show: &dyn Fn(Timestamp) -> String) -> Vec<String> {
        let (mut lines, mut later) = (Vec::new(), Vec::new());
        for offer in &self.offers {
            let free = offer.figures.unwrap_or_default().free;
            match apart(offer, at) {
                None | Some(Apart::Over) => {}
                Some(Apart::Stale) => {
                    let cadence = offer.cadence.unwrap_or_default();
                    let minutes = SignedDuration::new(cadence.seconds, cadence.nanos).as_mins();
                    let reported = from_wire(offer.reported_at);
                    let reported = reported.map_or_else(|| "an unknown time".to_owned(), show);
                    lines.push(format!(
                        "STALE, not counted: {free} free when last reported at {reported}, promised every {minutes} min"
                    ));
                }
                Some(Apart::Suspended) => {
                    lines.push(format!("SUSPENDED, not counted: {free} free, no new holds"));
                }
                Some(Apart::NotReleased) => {
                    let release = released_later(offer, at).map(show).unwrap_or_default();
                    lines.push(format!("NOT RELEASED, not counted: {free} free, proposed from {release}"));
                }
                Some(Apart::NoTeam) => {
                    lines.push(format!(
                        "NO TEAM, not counted: {free} free, only with a team that is lent or brought"
                    ));
                }
                Some(Apart::Later) => {
                    let from = from_wire(offer.window.and_then(|window| window.from));
                    later.push(format!("{free} free from {}", from.map(show).unwrap_or_default()));
                }
            }
        }
        if !later.is_empty() {
            lines.push(format!("not counted yet: {}", later.join(", ")));
        }
        lines
    }
}

/// A resource by kind, code, level and specialties: how resources are told apart and ordered.
type Key<'a> = (i32, &'a str, i32, &'a [String]);

/// Sorts live offers by site and resource. Sites are in the order of their codes, resources in that of their keys.
pub(super) fn by_site(offers: &[Offer]) -> BTreeMap<&str, Vec<Stock<'_>>> {
    let mut sites: BTreeMap<&str, BTreeMap<Key<'_>, Stock<'_>>> = BTreeMap::new();
    for offer in offers.iter().filter(|offer| is_live(offer)) {
        let Some(resource) = &offer.resource else { continue };
        let key = (resource.kind, resource.code.as_str(), resource.level, resource.specialties.as_slice());
        let stocks = sites.entry(&offer.site).or_default();
        stocks.entry(key).or_insert_with(|| Stock { resource, offers: Vec::new() }).offers.push(offer);
    }
    sites.into_iter().map(|(site, stocks)| (site, stocks.into_values().collect())).collect()
}
