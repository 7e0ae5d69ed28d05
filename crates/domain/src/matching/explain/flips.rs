//! What would have led to another proposal, each found by solving.
//!
//! For unit needs the change is tried on the best plan itself and told only where no best plan of the changed problem asks
//! the same offer (or, for a trust's OPEL, the same trust) for the need. For theatre cases the rest of the plan stays as it
//! lies.

use std::sync::PoisonError;

use crate::matching::burden::opel_points;
use crate::matching::eligible;
use crate::matching::explanation::Flip;
use crate::matching::network::residual::{Added, Trial};
use crate::matching::network::{Store, position};
use crate::offer::Offer;
use crate::region::Mode;

use super::Explainer;

/// Dearer than any need that goes unserved: a pool made so much dearer is used by nobody.
const FORBIDDEN: i128 = 1 << 100;
/// So many changed plans are kept for the next who asks: more, for all of England, would be much memory for little.
const KEPT: usize = 64;

impl Explainer<'_> {
    /// What would have led to another proposal than this line of the plan.
    pub(super) fn flips(&self, need: u32, chosen: u32) -> Vec<Flip> {
        let declined = match (self.demands.get(&need), self.pools.get(&chosen)) {
            (Some(&demand), Some(_)) => self.if_declined(need, demand, chosen),
            (_, _) => self.if_session_declined(need, chosen),
        };
        let declined = Flip { change: "either trust declines this".to_owned(), then: declined };
        std::iter::once(declined).chain(self.if_under_pressure(need, chosen)).collect()
    }

    /// Who would be asked instead, in plain words; `sure` where every best plan asks one of them.
    fn asked(&self, need: u32, offers: &[u32], sure: bool) -> String {
        let mut asked: Vec<(u32, String)> = Vec::new();
        for &offer in offers {
            let points = eligible::burden(self.problem, self.need(need), self.offer(offer)).total();
            asked.push((points, self.trust_name(self.offer(offer))));
        }
        asked.sort();
        let points = asked.first().map_or(0, |(points, _)| *points);
        let mut names: Vec<String> = Vec::new();
        for (_, name) in asked {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let one = names.len() == 1;
        let (names, from) = (names.join(" or "), if one { "" } else { "from " });
        match (names.is_empty(), sure) {
            (true, _) => "nothing: no other offer would serve it".to_owned(),
            (false, true) => format!("{names} would be asked, {from}{points} points a unit"),
            (false, false) => {
                format!("{names} might be asked, {from}{points} points a unit: others have as good a claim")
            }
        }
    }

    /// The offers that some best plan of the changed problem asks for the need; those it has units of already only when
    /// there are no others.
    fn asked_then(&self, trial: &Trial<'_, '_>, need: u32, demand: u32) -> Vec<u32> {
        let arcs = self.model.network.arcs_of(demand as usize).iter();
        let possible = arcs.filter(|arc| !trial.never_uses(demand, arc.store));
        let all: Vec<u32> =
            possible.flat_map(|arc| self.model.pools[arc.store as usize].iter().copied()).collect();
        let is_new = |offer: &u32| self.takers.get(offer).is_none_or(|takers| !takers.contains(&need));
        let new: Vec<u32> = all.iter().copied().filter(is_new).collect();
        if new.is_empty() { all } else { new }
    }

    fn if_declined(&self, need: u32, demand: u32, chosen: u32) -> String {
        let Some(&pool) = self.pools.get(&chosen) else { return self.asked(need, &[], true) };
        let mut trial = self.residual.trial();
        trial.take_out(demand);
        trial.close(demand, pool);
        let free = |offer: &Offer| i64::from(offer.figures.free().get());
        let room = self.model.network.stores[pool as usize].room - free(self.offer(chosen));
        // The equal offers of the trust beside the one declined.
        let rest = (room > 0).then(|| {
            let points = eligible::burden(self.problem, self.need(need), self.offer(chosen)).total();
            let store = Store { parent: Some(pool), room, fairness: None };
            trial.add(Added { store, askers: vec![(demand, points)] })
        });
        trial.put_in(demand, i64::from(self.need(need).units_wanted().get()));
        let mut asked = self.asked_then(&trial, need, demand);
        if rest.is_some_and(|rest| !trial.never_uses(demand, rest)) {
            asked.extend(self.model.pools[pool as usize].iter().filter(|&&offer| offer != chosen));
        }
        self.asked(need, &asked, trial.always_serves(demand))
    }

    /// The lowest OPEL of the supporting trust with which the need would be suggested nothing of it.
    fn if_under_pressure(&self, need: u32, chosen: u32) -> Option<Flip> {
        let (&demand, _) = (self.demands.get(&need)?, self.pools.get(&chosen)?);
        let (policy, its) = (&self.problem.region.policy, self.offer(chosen));
        let in_incident = self.problem.region.collaboratives.iter().any(|one| one.mode == Mode::Incident);
        if policy.incident.opel_limit.is_some() && in_incident {
            // The limit is not the same for all who use the trust.
            return None;
        }
        let trust = self.problem.region.trusts.get(&its.trust)?;
        let now = trust.opel.unwrap_or(1);
        let is_fair = self.fair.contains_key(&its.trust);
        let concerned = |offer: &Offer| {
            let same = offer.resource.kind == its.resource.kind && offer.resource.code == its.resource.code;
            offer.trust == its.trust && (is_fair || same)
        };
        let of_trust = self
            .model
            .pools
            .iter()
            .enumerate()
            .filter(|(_, offers)| offers.first().is_some_and(|&offer| concerned(self.offer(offer))));
        let pools: Vec<u32> = of_trust.map(|(pool, _)| position(pool)).collect();
        (now + 1..=4).find_map(|opel| {
            let by = if opel >= policy.opel_limit {
                FORBIDDEN
            } else {
                let points = |opel| i128::from(opel_points(policy, Some(opel)));
                points(opel) - points(now)
            };
            if by <= 0 {
                return None;
            }
            let trial = self.made_dearer(&pools, by);
            let is_left = pools.iter().all(|&pool| trial.never_uses(demand, pool));
            let flip = is_left.then(|| {
                let asked = self.asked_then(&trial, need, demand);
                let change = format!("{} declares OPEL {opel}", self.trust_name(its));
                Flip { change, then: self.asked(need, &asked, trial.always_serves(demand)) }
            });
            self.put_back(&pools, by, trial);
            flip
        })
    }

    /// The plan after some pools have become dearer, which is the same for whoever asks. Everybody who uses them is moved
    /// unit by unit, and each of many needs that are proposed the same trust asks what would become of it: so it is put
    /// back for the next.
    fn made_dearer(&self, pools: &[u32], by: i128) -> Trial<'_, '_> {
        let known = self.dearer.lock().unwrap_or_else(PoisonError::into_inner).remove(&(pools.to_vec(), by));
        known.map_or_else(
            || {
                let mut trial = self.residual.trial();
                pools.iter().for_each(|&pool| trial.make_dearer(pool, by));
                trial
            },
            |changed| self.residual.again(changed),
        )
    }

    fn put_back(&self, pools: &[u32], by: i128, trial: Trial<'_, '_>) {
        let mut kept = self.dearer.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert((pools.to_vec(), by), trial.into_changed());
    }

    /// Where a case would go if it could not have its session and everything else stayed.
    fn if_session_declined(&self, need: u32, chosen: u32) -> String {
        let Some(case) = self.theatre.case_of(need) else { return self.asked(need, &[], true) };
        let theatre = &self.model.theatre;
        let size = theatre.cases()[case as usize].size;
        let places = theatre.places_of(case as usize).iter();
        let others = places.map(|place| (place.burden, self.model.sessions[place.session as usize]));
        let with_room = others.filter(|&(_, offer)| {
            offer != chosen && self.theatre.left(offer).is_some_and(|left| left >= size)
        });
        let least = with_room.min_by_key(|&(points, offer)| (points, &self.offer(offer).id));
        self.asked(need, least.map(|(_, offer)| offer).as_slice(), true)
    }
}
