//! What the simulated trusts do while something is broken on purpose.

use std::collections::{BTreeMap, BTreeSet};

use fallow_api::v1;
use fallow_console::{Fault, Faults};
use jiff::Timestamp;

use super::super::plan::Act;

/// The general wards, which norovirus closes.
const GENERAL: &str = "GA_ADULT";
/// What a closed ward says of itself.
const CLOSED: &str = "Norovirus: closed to admissions";

/// The switches, and what must be known to act on them at once.
pub(super) struct Broken {
    faults: Faults,
    /// What each trust's feed said last.
    last: BTreeMap<String, Vec<v1::Offer>>,
    /// Trusts whose wards were closed when it was last looked at.
    closed: BTreeSet<String>,
}

impl Broken {
    pub(super) fn new(faults: Faults) -> Self {
        Self { faults, last: BTreeMap::new(), closed: BTreeSet::new() }
    }

    /// Says whether the people of a trust look at their lists.
    pub(super) fn answers(&self, trust: &str) -> bool {
        !self.faults.has(&Fault::NoAnswers(trust.to_owned()))
    }

    /// Returns what becomes of an act of a trust: a silent feed does nothing, a closed ward has nothing free.
    pub(super) fn meet(&mut self, trust: &str, act: Act) -> Option<Act> {
        let is_silent = self.faults.has(&Fault::SilentFeed(trust.to_owned()));
        let is_closed = self.is_closed(trust);
        match act {
            Act::Stream(offers) => {
                self.last.insert(trust.to_owned(), offers.clone());
                (!is_silent).then(|| Act::Stream(if is_closed { closed(offers) } else { offers }))
            }
            Act::Replace { .. } if is_silent => None,
            Act::Publish(offer) if is_closed => {
                closed(vec![*offer]).pop().map(|offer| Act::Publish(Box::new(offer)))
            }
            Act::Replace { .. }
            | Act::Publish(_)
            | Act::Raise(_)
            | Act::Declare(_)
            | Act::Mode { .. }
            | Act::Ask { .. } => Some(act),
        }
    }

    /// Returns what feeds say at once because wards were closed or opened since it was last looked at.
    pub(super) fn said_at_once(&mut self, now: Timestamp) -> Vec<(String, Act)> {
        let closed_now: BTreeSet<String> =
            self.last.keys().filter(|trust| self.is_closed(trust)).cloned().collect();
        let changed: Vec<String> = closed_now.symmetric_difference(&self.closed).cloned().collect();
        self.closed = closed_now;
        let say = |trust: String| {
            let mut offers = self.last.get(&trust).cloned().unwrap_or_default();
            for offer in &mut offers {
                offer.reported_at = Some(prost_types::Timestamp { seconds: now.as_second(), nanos: 0 });
            }
            let is_silent = self.faults.has(&Fault::SilentFeed(trust.clone()));
            let offers = if self.closed.contains(&trust) { closed(offers) } else { offers };
            (!is_silent).then_some((trust, Act::Stream(offers)))
        };
        changed.into_iter().filter_map(say).collect()
    }

    fn is_closed(&self, trust: &str) -> bool {
        self.faults.has(&Fault::ClosedWard(trust.to_owned()))
    }
}

/// Blocks whatever is neither occupied nor blocked in the general wards.
fn closed(mut offers: Vec<v1::Offer>) -> Vec<v1::Offer> {
    let general = |offer: &&mut v1::Offer| offer.resource.as_ref().is_some_and(|one| one.code == GENERAL);
    for offer in offers.iter_mut().filter(general) {
        if let Some(figures) = &mut offer.figures {
            figures.blocked = figures.staffed - figures.occupied;
        }
        offer.note = CLOSED.to_owned();
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ward(code: &str) -> v1::Offer {
        v1::Offer {
            resource: Some(v1::Resource { code: code.to_owned(), ..v1::Resource::default() }),
            figures: Some(v1::Figures { staffed: 30, occupied: 24, blocked: 2, ..v1::Figures::default() }),
            ..v1::Offer::default()
        }
    }

    fn blocked(act: &Act) -> Vec<i64> {
        match act {
            Act::Stream(offers) => {
                offers.iter().filter_map(|one| one.figures).map(|one| one.blocked).collect()
            }
            Act::Publish(_)
            | Act::Replace { .. }
            | Act::Raise(_)
            | Act::Declare(_)
            | Act::Mode { .. }
            | Act::Ask { .. } => Vec::new(),
        }
    }

    #[test]
    fn a_closed_ward_has_nothing_free_at_once_and_opens_again_at_once() {
        let (faults, now) = (Faults::default(), "2026-11-24T14:32:00Z".parse().unwrap());
        let mut broken = Broken::new(faults.clone());
        let act = broken.meet("ZA4", Act::Stream(vec![ward(GENERAL), ward("PICU")])).unwrap();
        assert_eq!(blocked(&act), [2, 2], "nothing is broken");
        assert!(broken.said_at_once(now).is_empty());
        faults.set(Fault::ClosedWard("ZA4".to_owned()), true);
        let said = broken.said_at_once(now);
        assert_eq!((said[0].0.as_str(), blocked(&said[0].1)), ("ZA4", vec![6, 2]));
        assert!(broken.said_at_once(now).is_empty(), "it is said once");
        let act = broken.meet("ZA4", Act::Stream(vec![ward(GENERAL)])).unwrap();
        assert_eq!(blocked(&act), [6], "and it stays closed");
        faults.set(Fault::ClosedWard("ZA4".to_owned()), false);
        assert_eq!(blocked(&broken.said_at_once(now)[0].1), [2]);
    }

    #[test]
    fn a_silent_feed_says_nothing_and_others_go_on() {
        let faults = Faults::default();
        let mut broken = Broken::new(faults.clone());
        faults.set(Fault::SilentFeed("ZA2".to_owned()), true);
        assert_eq!(broken.meet("ZA2", Act::Stream(vec![ward(GENERAL)])), None);
        assert!(broken.meet("ZA3", Act::Stream(vec![ward(GENERAL)])).is_some());
        assert!(broken.meet("ZA2", Act::Declare(3)).is_some(), "its people still telephone");
        faults.set(Fault::NoAnswers("ZA3".to_owned()), true);
        assert!(broken.answers("ZA2") && !broken.answers("ZA3"));
    }
}
