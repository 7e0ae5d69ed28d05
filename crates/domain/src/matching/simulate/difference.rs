//! What differs between two plans, and who is worse off.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::ids::{NeedId, OfferId, TrustCode};
use crate::matching::problem::Problem;
use crate::matching::solve::Plan;
use crate::need::Need;
use crate::offer::Offer;
use crate::resource::{ResourceKey, ResourceKind};

use super::summary::margins;

/// A placement that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacementChange {
    /// The need.
    pub need: NeedId,
    /// Where the units were to go; `None` = nowhere.
    pub before: Option<OfferId>,
    /// Where they would go; `None` = nowhere.
    pub after: Option<OfferId>,
    /// How many.
    pub units: u32,
}

/// Who would be worse off, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorseOff {
    /// Units of a need lose their place.
    Unplaced {
        /// The need.
        need: NeedId,
        /// How many.
        units: u32,
    },
    /// A need's last unit is served later.
    Later {
        /// The need.
        need: NeedId,
        /// By how many minutes.
        minutes: i64,
    },
    /// A need's units travel farther, at most.
    Farther {
        /// The need.
        need: NeedId,
        /// By how many minutes.
        minutes: u32,
    },
    /// A trust gives more units; theatre cases do not count.
    GivesMore {
        /// The trust.
        trust: TrustCode,
        /// How many more.
        units: u64,
    },
    /// A trust that had units above its reserve has none left.
    AtReserve {
        /// The trust.
        trust: TrustCode,
        /// Of what.
        resource: ResourceKey,
    },
}

type Lines<'a> = BTreeMap<&'a NeedId, BTreeMap<&'a OfferId, u32>>;

fn lines(plan: &Plan) -> Lines<'_> {
    let mut lines = Lines::new();
    for line in &plan.allocations {
        *lines.entry(&line.need).or_default().entry(&line.offer).or_default() += line.units;
    }
    lines
}

/// Returns the placements that differ, in order of the need's id and then the offers'.
#[must_use]
pub fn changed_placements(before: &Plan, after: &Plan) -> Vec<PlacementChange> {
    let (before, after) = (lines(before), lines(after));
    let needs: BTreeSet<&NeedId> = before.keys().chain(after.keys()).copied().collect();
    let none = BTreeMap::new();
    let mut changed = Vec::new();
    for need in needs {
        let (was, is) = (before.get(need).unwrap_or(&none), after.get(need).unwrap_or(&none));
        let only =
            |these: &BTreeMap<&OfferId, u32>, others: &BTreeMap<&OfferId, u32>| -> Vec<(OfferId, u32)> {
                let more = |(offer, units): (&&OfferId, &u32)| {
                    let left = units.saturating_sub(others.get(*offer).copied().unwrap_or(0));
                    (left > 0).then(|| ((*offer).clone(), left))
                };
                these.iter().filter_map(more).collect()
            };
        let (mut from, mut to) = (only(was, is).into_iter(), only(is, was).into_iter());
        let (mut leaves, mut comes) = (from.next(), to.next());
        loop {
            let (before, after, units) = match (leaves.take(), comes.take()) {
                (None, None) => break,
                (Some((offer, units)), None) => {
                    leaves = from.next();
                    (Some(offer), None, units)
                }
                (None, Some((offer, units))) => {
                    comes = to.next();
                    (None, Some(offer), units)
                }
                (Some((was, leaving)), Some((is, coming))) => {
                    let units = leaving.min(coming);
                    leaves = if leaving > units { Some((was.clone(), leaving - units)) } else { from.next() };
                    comes = if coming > units { Some((is.clone(), coming - units)) } else { to.next() };
                    (Some(was), Some(is), units)
                }
            };
            changed.push(PlacementChange { need: need.clone(), before, after, units });
        }
    }
    changed
}

/// How one need fares in a plan.
#[derive(Clone, Copy)]
struct Fare {
    units: u32,
    starts: Timestamp,
    travel: u32,
}

/// Returns who would be worse off: needs in order of id, then trusts in order of code.
///
/// A need that only looks for fewer units than before loses nothing by that.
#[must_use]
pub fn worse_off(before: (&Problem, &Plan), after: (&Problem, &Plan)) -> Vec<WorseOff> {
    let mut worse = Vec::new();
    let (was, is) = (fares(before), fares(after));
    let wanted: HashMap<&NeedId, u32> =
        after.0.needs.iter().map(|need| (&need.id, need.units_wanted().get())).collect();
    for (need, was) in was {
        let owed = was.units.min(wanted.get(need).copied().unwrap_or(0));
        let need = need.clone();
        match is.get(&need) {
            _ if owed == 0 => {}
            None => worse.push(WorseOff::Unplaced { need, units: owed }),
            Some(is) if is.units < owed => {
                worse.push(WorseOff::Unplaced { need, units: owed - is.units });
            }
            // More units of it are served, or fewer looked for: the farthest of other units says nothing of these.
            Some(is) if is.units != was.units => {}
            Some(is) if is.starts > was.starts => {
                let minutes = is.starts.duration_since(was.starts).as_mins();
                worse.push(WorseOff::Later { need, minutes });
            }
            Some(is) if is.travel > was.travel => {
                worse.push(WorseOff::Farther { need, minutes: is.travel - was.travel });
            }
            Some(_) => {}
        }
    }
    let (was, is) = (gifts(before), gifts(after));
    for (trust, units) in is {
        let more = units.saturating_sub(was.get(&trust).copied().unwrap_or(0));
        if more > 0 {
            worse.push(WorseOff::GivesMore { trust, units: more });
        }
    }
    let had: BTreeSet<_> = margins(before.0, before.1)
        .into_iter()
        .filter(|margin| margin.units > 0)
        .map(|margin| (margin.trust, margin.resource))
        .collect();
    for margin in margins(after.0, after.1).into_iter().filter(|margin| margin.units <= 0) {
        let at = (margin.trust, margin.resource);
        if had.contains(&at) {
            worse.push(WorseOff::AtReserve { trust: at.0, resource: at.1 });
        }
    }
    worse
}

fn fares<'a>((problem, plan): (&'a Problem, &'a Plan)) -> BTreeMap<&'a NeedId, Fare> {
    let needs: HashMap<_, &Need> = problem.needs.iter().map(|need| (&need.id, &**need)).collect();
    let offers: HashMap<_, &Offer> = problem.offers.iter().map(|offer| (&offer.id, &**offer)).collect();
    let mut fares: BTreeMap<&NeedId, Fare> = BTreeMap::new();
    for line in &plan.allocations {
        let (Some(need), Some(offer)) = (needs.get(&line.need), offers.get(&line.offer)) else { continue };
        let start = problem.start_of(need);
        let starts = offer.window.from.map_or(start, |from| from.max(start));
        let travel = problem.region.travel_minutes(need.site, offer.site).unwrap_or(0);
        let fare = fares.entry(&line.need).or_insert(Fare { units: 0, starts, travel });
        fare.units += line.units;
        fare.starts = fare.starts.max(starts);
        fare.travel = fare.travel.max(travel);
    }
    fares
}

fn gifts((problem, plan): (&Problem, &Plan)) -> BTreeMap<TrustCode, u64> {
    let offers: HashMap<_, &Offer> = problem.offers.iter().map(|offer| (&offer.id, &**offer)).collect();
    let mut gifts = BTreeMap::new();
    for line in &plan.allocations {
        let offer = offers.get(&line.offer).filter(|offer| offer.resource.kind != ResourceKind::Theatre);
        if let Some(offer) = offer {
            *gifts.entry(offer.trust).or_default() += u64::from(line.units);
        }
    }
    gifts
}
