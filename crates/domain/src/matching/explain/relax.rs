//! Single changes that would serve a need, each found on the plan itself or by solving a changed copy, never guessed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;

use crate::ids::NeedId;
use crate::matching::explanation::{Change, Relaxation};
use crate::matching::network::level;
use crate::matching::problem::Problem;
use crate::matching::solve::solve;
use crate::need::Need;
use crate::offer::Offer;
use crate::reason::NotUsed;
use crate::resource::ResourceKind;

use super::Explainer;

/// What a change for everybody does: units placed beyond the plan, and the needs that gain.
pub(super) struct Outcome {
    places: u32,
    gaining: HashMap<NeedId, u32>,
}

/// Offers looked at for each kind of change, nearest first.
const TRIES: usize = 4;

impl Explainer<'_> {
    /// The cheapest change of each kind that places more units in all, this need's among them.
    pub(super) fn relaxations(&self, need: u32, objections: &[(u32, Vec<NotUsed>)]) -> Vec<Relaxation> {
        let its = self.need(need);
        // Offers that only this code keeps away (a stale offer is also not counted above the reserve).
        let only = |code: NotUsed| -> Vec<u32> {
            let kept_away = |codes: &[NotUsed]| match codes {
                [one] => *one == code,
                [NotUsed::Stale, NotUsed::BelowReserve] => code == NotUsed::Stale,
                _ => false,
            };
            let mut found: Vec<u32> =
                objections.iter().filter(|(_, codes)| kept_away(codes)).map(|(at, _)| *at).collect();
            found.sort_by_key(|&at| {
                crate::matching::eligible::burden(self.problem, its, self.offer(at)).total()
            });
            found
        };
        let eligible: Vec<u32> =
            objections.iter().filter(|(_, codes)| codes.is_empty()).map(|(at, _)| *at).collect();
        [
            self.confirm(need, &only(NotUsed::Stale)),
            self.farther(need, &only(NotUsed::TooFar)),
            self.later(need, &only(NotUsed::TooLate)),
            self.team(need, &only(NotUsed::TeamMissing)),
            self.more_units(need, &only(NotUsed::BelowReserve), &only(NotUsed::TooShort), &eligible),
            self.lower_reserve(need, &only(NotUsed::BelowReserve)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn confirm(&self, need: u32, stale: &[u32]) -> Option<Relaxation> {
        stale.iter().take(TRIES).find_map(|&at| {
            let offer = self.offer(at);
            let change = Change::Confirm { offer: offer.id.clone(), trust: offer.trust };
            let text = format!("{} says that {} is still true", self.trust_name(offer), offer.id);
            let changed = Offer { reported_at: self.problem.at, ..offer.clone() };
            self.tried(need, at, changed, change, text)
        })
    }

    fn team(&self, need: u32, unstaffed: &[u32]) -> Option<Relaxation> {
        unstaffed.iter().take(TRIES).find_map(|&at| {
            let offer = self.offer(at);
            let change = Change::FindTeam { offer: offer.id.clone(), trust: offer.trust };
            let text = format!("a team for {} of {}", offer.id, self.trust_name(offer));
            let changed = Offer { team: crate::offer::Team::default(), ..offer.clone() };
            self.tried(need, at, changed, change, text)
        })
    }

    fn farther(&self, need: u32, far: &[u32]) -> Option<Relaxation> {
        let its = self.need(need);
        let travel = |at: u32| self.problem.region.travel_minutes(its.site, self.offer(at).site);
        let mut far: Vec<(u32, u32)> =
            far.iter().filter_map(|&at| travel(at).map(|minutes| (minutes, at))).collect();
        far.sort_by_key(|(minutes, _)| *minutes);
        let limit = its.max_travel_minutes.unwrap_or_default();
        far.iter().take(TRIES).find(|(_, at)| self.has_room_for(need, *at)).map(|&(minutes, _)| Relaxation {
            change: Change::TravelLimit { minutes },
            text: format!("travel limit {minutes} minutes instead of {limit}"),
            places: 1,
        })
    }

    fn later(&self, need: u32, late: &[u32]) -> Option<Relaxation> {
        let mut late: Vec<(Timestamp, u32)> =
            late.iter().filter_map(|&at| self.offer(at).window.from.map(|from| (from, at))).collect();
        late.sort_by_key(|(from, _)| *from);
        late.iter().take(TRIES).find(|(_, at)| self.has_room_for(need, *at)).map(|&(needed_by, _)| {
            Relaxation {
                change: Change::LaterBy { needed_by },
                text: format!("needed by {needed_by}"),
                places: 1,
            }
        })
    }

    /// Says whether the offer, were it allowed for this need alone, would serve it without anybody losing a unit.
    fn has_room_for(&self, need: u32, offer: u32) -> bool {
        if let Some(&session) = self.sessions.get(&offer) {
            return self.left[session as usize] >= self.size_of(need);
        }
        self.pools.get(&offer).is_some_and(|&pool| self.residual.reaches_a_spare_unit([pool]))
    }

    fn size_of(&self, need: u32) -> i64 {
        let its = self.need(need);
        i64::from(its.minutes_per_case.get()) + i64::from(self.problem.region.policy.turnover_minutes)
    }

    fn more_units(&self, need: u32, full: &[u32], short: &[u32], eligible: &[u32]) -> Option<Relaxation> {
        if self.need(need).resource.kind == ResourceKind::Theatre {
            return self.more_minutes(need, short, eligible);
        }
        let (&demand, rank) = (self.demands.get(&need)?, self.rank(need)?);
        let class = self.model.classes.partition_point(|other| *other < rank);
        let mine = level(crate::matching::network::position(class));
        let stores: Vec<u32> = self.network().arcs_of(demand as usize).iter().map(|arc| arc.store).collect();
        // One more unit of a sold-out store goes to the best class that goes without.
        let cheapest = eligible.iter().filter_map(|&at| {
            let pool = *self.pools.get(&at)?;
            let is_mine =
                self.price(pool).level == mine && self.residual.reaches(stores.iter().copied(), pool);
            is_mine.then(|| {
                (crate::matching::eligible::burden(self.problem, self.need(need), self.offer(at)).total(), at)
            })
        });
        if let Some((_, at)) = cheapest.min_by_key(|(points, _)| *points) {
            let offer = self.offer(at);
            return Some(Relaxation {
                change: Change::MoreUnits { offer: offer.id.clone(), trust: offer.trust, units: 1 },
                text: format!("one more unit of {} at {}", offer.id, self.trust_name(offer)),
                places: 1,
            });
        }
        full.iter().take(TRIES).filter(|&&at| self.offer(at).figures.free().is_zero()).find_map(|&at| {
            let offer = self.offer(at);
            // A trust that is below its reserve must first make that good.
            let lacking = (1 - self.model.setting.spare(offer.trust, &offer.resource.key())).max(1);
            let lacking = u32::try_from(lacking).ok()?;
            let short = u32::try_from(offer.figures.short()).ok()?;
            let units = lacking.checked_add(short)?;
            let mut changed = offer.clone();
            changed.figures.staffed = changed.figures.staffed.plus(units.into())?;
            let change = Change::MoreUnits { offer: offer.id.clone(), trust: offer.trust, units };
            let text = format!("{units} more of {} at {}", offer.id, self.trust_name(offer));
            self.tried(need, at, changed, change, text)
        })
    }

    fn more_minutes(&self, need: u32, short: &[u32], eligible: &[u32]) -> Option<Relaxation> {
        let size = self.size_of(need);
        let turnover = i64::from(self.problem.region.policy.turnover_minutes);
        let lacking = |at: u32| match self.sessions.get(&at) {
            Some(&session) => size - self.left[session as usize],
            None => size - i64::from(self.offer(at).figures.free().get()) - turnover,
        };
        let lacking = short.iter().chain(eligible).map(|&at| (lacking(at), at));
        let least = lacking.filter(|(minutes, _)| *minutes > 0).min_by_key(|(minutes, _)| *minutes);
        let (minutes, at) = least?;
        let offer = self.offer(at);
        let units = u32::try_from(minutes).ok()?;
        Some(Relaxation {
            change: Change::MoreUnits { offer: offer.id.clone(), trust: offer.trust, units },
            text: format!("{units} more minutes of {} at {}", offer.id, self.trust_name(offer)),
            places: 1,
        })
    }

    fn lower_reserve(&self, need: u32, below: &[u32]) -> Option<Relaxation> {
        below.iter().take(TRIES).find_map(|&at| {
            let offer = self.offer(at);
            let key = offer.resource.key();
            let by = 1 - self.model.setting.spare(offer.trust, &key);
            let by = u32::try_from(by).ok().filter(|&by| by > 0)?;
            let mut region = (*self.problem.region).clone();
            let reserve = region.trusts.get_mut(&offer.trust)?.reserve.get_mut(&key)?;
            *reserve = reserve.minus(by.into())?;
            let resource = key.to_string();
            let text = format!("{} keeps {by} fewer of {resource}", self.trust_name(offer));
            let change = Change::LowerReserve { trust: offer.trust, resource, by };
            let problem = Problem { region: Arc::new(region), ..self.of_the_same_code(self.need(need)) };
            self.outcome(need, change, text, || problem)
        })
    }

    /// What the change of an offer does: in the sessions as they lie, or by solving a copy.
    fn tried(&self, need: u32, at: u32, changed: Offer, change: Change, text: String) -> Option<Relaxation> {
        if self.need(need).resource.kind == ResourceKind::Theatre {
            // An unused session: it holds the case if it is long enough.
            let turnover = i64::from(self.problem.region.policy.turnover_minutes);
            let fits = i64::from(changed.figures.free().get()) + turnover >= self.size_of(need);
            return (fits && !self.sessions.contains_key(&at)).then_some(Relaxation {
                change,
                text,
                places: 1,
            });
        }
        self.outcome(need, change, text, || {
            let mut problem = self.of_the_same_code(self.need(need));
            for offer in &mut problem.offers {
                if offer.id == changed.id {
                    *offer = Arc::new(changed.clone());
                }
            }
            problem
        })
    }

    /// Solves a changed copy, unless the same change was tried before.
    fn outcome(
        &self,
        need: u32,
        change: Change,
        text: String,
        copy: impl FnOnce() -> Problem,
    ) -> Option<Relaxation> {
        let key = format!("{:?} {change:?}", self.need(need).resource.code);
        let remembered = || self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered().get(&key).cloned();
        let outcome = known.unwrap_or_else(|| {
            let outcome = Arc::new(self.solved(&copy()));
            remembered().insert(key, outcome.clone());
            outcome
        });
        let gains = outcome.gaining.contains_key(&self.need(need).id);
        (outcome.places > 0 && gains).then_some(Relaxation { change, text, places: outcome.places })
    }

    fn solved(&self, changed: &Problem) -> Outcome {
        let plan = solve(changed, None, 0, 0, &mut || false);
        let (mut before, mut after, mut gaining) = (0u64, 0u64, HashMap::new());
        for need in &changed.needs {
            let was = self.plan.unserved.get(&need.id).copied().unwrap_or(0);
            let is = plan.unserved.get(&need.id).copied().unwrap_or(0);
            before += u64::from(was);
            after += u64::from(is);
            if is < was {
                gaining.insert(need.id.clone(), was - is);
            }
        }
        Outcome { places: u32::try_from(before.saturating_sub(after)).unwrap_or(u32::MAX), gaining }
    }

    /// The part of the problem that a need's code lies in; what is served of it does not depend on the rest.
    pub(super) fn of_the_same_code(&self, need: &Need) -> Problem {
        let resource = &need.resource;
        let same =
            |other: &crate::resource::Resource| other.kind == resource.kind && other.code == resource.code;
        Problem {
            at: self.problem.at,
            region: self.problem.region.clone(),
            offers: self.problem.offers.iter().filter(|offer| same(&offer.resource)).cloned().collect(),
            needs: self.problem.needs.iter().filter(|need| same(&need.resource)).cloned().collect(),
            declined: self.problem.declined.clone(),
        }
    }
}
