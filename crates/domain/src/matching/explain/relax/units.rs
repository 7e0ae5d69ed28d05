//! Changes that serve a need of beds, slots, places, staff or equipment.

use std::collections::BTreeMap;

use crate::matching::eligible::burden;
use crate::matching::explanation::{Change, Relaxation};
use crate::matching::network::Arc;

use super::super::Explainer;
use super::{Edit, TRIES};

impl Explainer<'_> {
    pub(super) fn first_that_places(
        &self,
        need: u32,
        edits: impl Iterator<Item = Edit>,
    ) -> Option<Relaxation> {
        let &demand = self.demands.get(&need)?;
        let mut edits = edits.take(TRIES);
        edits.find_map(|edit| {
            let places = self.placed_by(demand, edit)?;
            Some(self.told(need, self.change_of(edit), places))
        })
    }

    fn change_of(&self, edit: Edit) -> Change {
        let of = |offer: u32| (self.offer(offer).id.clone(), self.offer(offer).trust);
        match edit {
            Edit::Confirm { offer } => {
                let (offer, trust) = of(offer);
                Change::Confirm { offer, trust }
            }
            Edit::Staff { offer } => {
                let (offer, trust) = of(offer);
                Change::FindTeam { offer, trust }
            }
            Edit::More { offer, units } => {
                let (offer, trust) = of(offer);
                Change::MoreUnits { offer, trust, units }
            }
            Edit::Reserve { offer, by } => {
                let offer = self.offer(offer);
                Change::LowerReserve { trust: offer.trust, resource: offer.resource.key().to_string(), by }
            }
        }
    }

    /// The least travel limit with which the need is served and nobody loses a unit.
    pub(super) fn farther(&self, need: u32, far: &[u32]) -> Option<Relaxation> {
        let its = self.need(need);
        let mut by_minutes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &offer in far {
            by_minutes.entry(self.travel(its, offer)).or_default().push(offer);
        }
        let (minutes, places) = self.least_that_places(need, by_minutes)?;
        Some(self.told(need, Change::TravelLimit { minutes }, places))
    }

    /// The earliest needed-by with which the need is served and nobody loses a unit.
    pub(super) fn later(&self, need: u32, late: &[u32]) -> Option<Relaxation> {
        let mut by_time: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for &offer in late {
            if let Some(from) = self.offer(offer).window.from {
                by_time.entry(from).or_default().push(offer);
            }
        }
        let (needed_by, places) = self.least_that_places(need, by_time)?;
        Some(self.told(need, Change::LaterBy { needed_by }, places))
    }

    /// Lets the need use more and more offers, in order of a limit, until it is served without anybody losing a unit.
    fn least_that_places<L: Copy + Ord>(&self, need: u32, offers: BTreeMap<L, Vec<u32>>) -> Option<(L, i64)> {
        let &demand = self.demands.get(&need)?;
        let (its, served) = (self.need(need), self.residual.served(demand));
        let mut arcs: Vec<Arc> = Vec::new();
        let mut tries = 0;
        for (limit, offers) in offers {
            let known = arcs.len();
            for offer in offers {
                let Some(&store) = self.pools.get(&offer) else { continue };
                if arcs.iter().all(|arc| arc.store != store) {
                    arcs.push(Arc { store, cost: burden(self.problem, its, self.offer(offer)).total() });
                }
            }
            // Without a spare unit in reach of the new pools there is nothing to try.
            if !arcs[known..].iter().any(|arc| self.residual.is_open(arc.store)) || tries == TRIES {
                continue;
            }
            tries += 1;
            let units = i64::from(its.units_wanted().get());
            if units == 1 && served == 0 {
                // The only unit: a spare one that can be reached is better than none, and nobody loses theirs.
                return Some((limit, 1));
            }
            let mut trial = self.residual.trial();
            trial.take_out(demand);
            trial.widen(demand, arcs.iter().copied());
            let costs = trial.put_in(demand, units);
            // The first unit more must be worth it to every best plan.
            let next = usize::try_from(served).ok().and_then(|served| costs.get(served));
            let gains = next.is_some_and(|cost| *cost < self.residual.unserved(demand));
            if gains && trial.placed() > 0 {
                return Some((limit, trial.placed()));
            }
        }
        None
    }

    /// One more unit where the need could use it; else as many as a trust without any above its reserve must find.
    pub(super) fn more_units(&self, need: u32, eligible: &[u32], full: &[u32]) -> Option<Relaxation> {
        let class = self.class(need)?;
        let mut one: Vec<(u32, u32)> = Vec::new();
        let mut more: Vec<(u32, u32, u32)> = Vec::new();
        let points = |offer: u32| burden(self.problem, self.need(need), self.offer(offer)).total();
        for &offer in eligible {
            // One unit more of a pool is the same whichever of its offers has it.
            let Some(&pool) = self.pools.get(&offer) else { continue };
            let is_first = self.model.pools[pool as usize]
                .iter()
                .all(|other| *other == offer || self.offer(*other).id > self.offer(offer).id);
            if is_first && self.residual.could_serve(pool, class) {
                one.push((points(offer), offer));
            }
        }
        for &offer in full {
            // A trust that is below its reserve, and an offer that is short, must first make that good.
            let lacking = u64::try_from(1 - self.spare(offer)).unwrap_or(0).max(1);
            let units = lacking.saturating_add(self.offer(offer).figures.short());
            if let Ok(units) = u32::try_from(units) {
                more.push((units, points(offer), offer));
            }
        }
        more.extend(one.into_iter().map(|(points, offer)| (1, points, offer)));
        more.sort_by_key(|&(units, points, offer)| (units, points, &self.offer(offer).id));
        self.first_that_places(need, more.into_iter().map(|(units, _, offer)| Edit::More { offer, units }))
    }

    /// The least that a trust must keep fewer of for itself.
    pub(super) fn lower_reserve(&self, need: u32, eligible: &[u32], full: &[u32]) -> Option<Relaxation> {
        let class = self.class(need)?;
        // What a trust keeps costs as little as the nearest of its offers that the need could then use.
        let mut by_group: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for &offer in eligible.iter().chain(full) {
            let its = self.offer(offer);
            let (trust, key) = (its.trust, its.resource.key());
            let kept = self.problem.reserve(trust, &key);
            let by = (1 - self.spare(offer)).max(1);
            if kept < by || its.figures.free().is_zero() {
                continue;
            }
            if let Some(&pool) = self.pools.get(&offer)
                && !self.residual.could_serve(pool, class)
            {
                continue;
            }
            let Some(group) = self.all.group(trust, &key) else { continue };
            let Some(&first) = group.offers.first() else { continue };
            if let Ok(by) = u32::try_from(by) {
                let cost = (by, burden(self.problem, self.need(need), its).total());
                by_group.entry(first).and_modify(|known| *known = cost.min(*known)).or_insert(cost);
            }
        }
        let mut edits: Vec<(u32, (u32, u32))> = by_group.into_iter().collect();
        edits.sort_by_key(|&(offer, cost)| (cost, &self.offer(offer).id));
        self.first_that_places(need, edits.into_iter().map(|(offer, (by, _))| Edit::Reserve { offer, by }))
    }

    fn class(&self, need: u32) -> Option<u64> {
        let rank = self.rank(need)?;
        u64::try_from(self.model.classes.partition_point(|other| *other < rank)).ok()
    }
}
