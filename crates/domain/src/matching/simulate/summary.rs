//! What a plan achieves, together with the proposals that stand.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ids::TrustCode;
use crate::matching::problem::Problem;
use crate::matching::solve::Plan;
use crate::need::{Need, Priority};
use crate::offer::Offer;
use crate::resource::{ResourceKey, ResourceKind};

use super::Standing;

/// What a plan achieves, together with the proposals that stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Units proposed: those of standing proposals and those of the plan.
    pub placed: u64,
    /// Units that the plan leaves without an offer.
    pub unserved: u64,
    /// Those of them that have a needed-by, which will pass unmet unless something changes; every band.
    pub overdue: BTreeMap<Priority, u64>,
    /// Travel of the middle placed unit (the lower of two), in minutes; `None` when nothing is placed.
    pub median_travel_minutes: Option<u32>,
    /// Where the fewest units are left above a reserve that a trust keeps; the first by trust and resource. `None` when
    /// none keeps any.
    pub worst_reserve: Option<Margin>,
    /// Largest share of giving less the smallest, in thousandths, over the trusts that offer anything but theatres.
    pub fairness_spread: u32,
    /// Who gives most; the first by code. `None` when nobody gives anything but theatre minutes.
    pub gives_most: Option<Share>,
    /// Placed units by deprivation decile, the most deprived first.
    pub placed_by_decile: [u64; 10],
    /// Placed units whose decile is unknown.
    pub placed_decile_unknown: u64,
}

/// What a trust has left of a resource that it keeps a reserve of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Margin {
    /// The trust.
    pub trust: TrustCode,
    /// The resource.
    pub resource: ResourceKey,
    /// Units free above the reserve; negative below it.
    pub units: i64,
}

/// A trust's part of all units that trusts give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The trust.
    pub trust: TrustCode,
    /// Its part in thousandths.
    pub thousandths: u32,
}

/// Sums a plan up. Units of theatres are cases; giving counts everything but theatres, as fairness does.
#[must_use]
pub fn summary(problem: &Problem, standing: &[Standing], plan: &Plan) -> Summary {
    let needs: HashMap<_, &Need> = problem.needs.iter().map(|need| (&need.id, &**need)).collect();
    let offers: HashMap<_, &Offer> = problem.offers.iter().map(|offer| (&offer.id, &**offer)).collect();
    let planned = plan.allocations.iter().map(|line| (&line.need, &line.offer, line.units));
    let standing = standing.iter().map(|hold| (&hold.need, &hold.offer, hold.units));
    let mut sum =
        Summary { overdue: Priority::ALL.iter().map(|band| (*band, 0)).collect(), ..Summary::default() };
    let mut travels: Vec<(u32, u64)> = Vec::new();
    let mut given: BTreeMap<TrustCode, u64> = BTreeMap::new();
    for (need, offer, units) in standing.chain(planned) {
        let (Some(need), Some(offer)) = (needs.get(need), offers.get(offer)) else { continue };
        let units = u64::from(units);
        sum.placed += units;
        if let Some(minutes) = problem.region.travel_minutes(need.site, offer.site) {
            travels.push((minutes, units));
        }
        let decile = need.imd_decile.and_then(|decile| usize::from(decile).checked_sub(1));
        match decile.and_then(|decile| sum.placed_by_decile.get_mut(decile)) {
            Some(placed) => *placed += units,
            None => sum.placed_decile_unknown += units,
        }
        if offer.resource.kind != ResourceKind::Theatre {
            *given.entry(offer.trust).or_default() += units;
        }
    }
    for (id, units) in &plan.unserved {
        sum.unserved += u64::from(*units);
        if let Some(need) = needs.get(id).filter(|need| need.needed_by.is_some()) {
            *sum.overdue.entry(need.priority).or_default() += u64::from(*units);
        }
    }
    sum.median_travel_minutes = median(travels);
    sum.worst_reserve = margins(problem, plan).into_iter().min_by_key(|margin| margin.units);
    let givers: BTreeSet<TrustCode> = problem
        .offers
        .iter()
        .filter(|offer| offer.resource.kind != ResourceKind::Theatre)
        .map(|offer| offer.trust)
        .collect();
    (sum.fairness_spread, sum.gives_most) = shares(&givers, &given);
    sum
}

fn median(mut travels: Vec<(u32, u64)>) -> Option<u32> {
    travels.sort_unstable();
    let all: u64 = travels.iter().map(|(_, units)| units).sum();
    let middle = all.checked_sub(1)? / 2;
    let mut before = 0;
    travels.into_iter().find_map(|(minutes, units)| {
        before += units;
        (before > middle).then_some(minutes)
    })
}

/// Returns what each trust that keeps a reserve has left above it after a plan, by trust and resource.
pub(super) fn margins(problem: &Problem, plan: &Plan) -> Vec<Margin> {
    let setting = problem.setting();
    let offers: HashMap<_, &Offer> = problem.offers.iter().map(|offer| (&offer.id, &**offer)).collect();
    let mut taken: BTreeMap<(TrustCode, ResourceKey), i64> = BTreeMap::new();
    for line in &plan.allocations {
        if let Some(offer) = offers.get(&line.offer) {
            *taken.entry((offer.trust, offer.resource.key())).or_default() += i64::from(line.units);
        }
    }
    let mut margins = Vec::new();
    for (code, trust) in &problem.region.trusts {
        for (resource, _) in trust.reserve.iter().filter(|(_, units)| !units.is_zero()) {
            // A reserve of what the trust offers nothing of is below itself whatever anybody does.
            if !problem.offers.iter().any(|offer| offer.trust == *code && offer.resource.key() == *resource) {
                continue;
            }
            let taken = taken.get(&(*code, resource.clone())).copied().unwrap_or(0);
            let units = setting.spare(*code, resource) - taken;
            margins.push(Margin { trust: *code, resource: resource.clone(), units });
        }
    }
    margins
}

/// Returns the spread of the givers' shares, and the largest.
fn shares(givers: &BTreeSet<TrustCode>, given: &BTreeMap<TrustCode, u64>) -> (u32, Option<Share>) {
    let all: u64 = given.values().sum();
    if all == 0 {
        return (0, None);
    }
    let share = |trust: &TrustCode| {
        let units = given.get(trust).copied().unwrap_or(0);
        u32::try_from((units.saturating_mul(1_000) + all / 2) / all).unwrap_or(1_000)
    };
    let least = givers.iter().map(share).min().unwrap_or(0);
    // The last of equals is what `max_by_key` takes; the first by code is meant.
    let most = givers.iter().rev().max_by_key(|trust| share(trust));
    let most = most.map(|trust| Share { trust: *trust, thousandths: share(trust) });
    (most.as_ref().map_or(0, |most| most.thousandths - least), most)
}
