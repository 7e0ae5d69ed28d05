//! Changes that serve a theatre case: the plan stays as it lies, but for the session that changes.

use std::sync::{Arc, PoisonError};

use crate::matching::explanation::{Change, Relaxation};
use crate::reason::NotUsed;

use super::super::Explainer;
use super::super::sessions::{Filled, Lacking, Waiting};
use super::TRIES;

/// How often a session is lengthened before another is tried.
const LENGTHS: usize = 8;
/// What no longer objects to a session of which its trust says that it is still true.
const CONFIRMED: &[NotUsed] = &[NotUsed::Stale, NotUsed::BelowReserve];
/// What no longer objects to a session for which a team is found.
const STAFFED: &[NotUsed] = &[NotUsed::TeamMissing];
/// What no longer objects to a session that lasts longer.
const LENGTHENED: &[NotUsed] = &[NotUsed::TooShort, NotUsed::BelowReserve];

impl Explainer<'_> {
    fn turnover(&self) -> i64 {
        i64::from(self.problem.region.policy.turnover_minutes)
    }

    fn minutes_free(&self, offer: u32) -> i64 {
        i64::from(self.offer(offer).figures.free().get())
    }

    /// Minutes of one case, with turnover.
    fn size(&self, need: u32) -> i64 {
        (i64::from(self.need(need).minutes_per_case.get()) + self.turnover()).max(1)
    }

    pub(super) fn confirm_session(&self, need: u32, stale: &[u32]) -> Option<Relaxation> {
        stale.iter().take(TRIES).find_map(|&at| {
            let places = self.comes_into(need, at, self.minutes_free(at) + self.turnover(), CONFIRMED)?;
            let offer = self.offer(at);
            let change = Change::Confirm { offer: offer.id.clone(), trust: offer.trust };
            Some(self.told(need, change, places))
        })
    }

    pub(super) fn team_for_session(&self, need: u32, unstaffed: &[u32]) -> Option<Relaxation> {
        unstaffed.iter().take(TRIES).find_map(|&at| {
            let left = self.theatre.left(at)?;
            let places = self.comes_into(need, at, left, STAFFED)?;
            let offer = self.offer(at);
            let change = Change::FindTeam { offer: offer.id.clone(), trust: offer.trust };
            Some(self.told(need, change, places))
        })
    }

    pub(super) fn farther_session(&self, need: u32, far: &[u32]) -> Option<Relaxation> {
        let its = self.need(need);
        let minutes = |at: u32| self.travel(its, at);
        let least = far.iter().filter(|&&at| self.cases_in(need, at) > 0).map(|&at| minutes(at)).min()?;
        let within = far.iter().filter(|&&at| minutes(at) <= least);
        let places = within.map(|&at| self.cases_in(need, at)).sum();
        Some(self.told(need, Change::TravelLimit { minutes: least }, self.at_most_lacking(need, places)))
    }

    pub(super) fn later_session(&self, need: u32, late: &[u32]) -> Option<Relaxation> {
        let from = |at: u32| self.offer(at).window.from;
        let least =
            late.iter().filter(|&&at| self.cases_in(need, at) > 0).filter_map(|&at| from(at)).min()?;
        let within = late.iter().filter(|&&at| from(at).is_some_and(|from| from <= least));
        let places = within.map(|&at| self.cases_in(need, at)).sum();
        Some(self.told(need, Change::LaterBy { needed_by: least }, self.at_most_lacking(need, places)))
    }

    /// Cases of the need that fit what is left of a session.
    pub(in super::super) fn cases_in(&self, need: u32, offer: u32) -> i64 {
        self.theatre.left(offer).map_or(0, |left| left.max(0) / self.size(need))
    }

    fn at_most_lacking(&self, need: u32, places: i64) -> i64 {
        places.min(self.plan.unserved.get(&self.need(need).id).copied().unwrap_or(0).into())
    }

    /// The session that needs the fewest minutes more.
    pub(super) fn more_minutes(&self, need: u32, sessions: impl Iterator<Item = u32>) -> Option<Relaxation> {
        let size = self.size(need);
        let lacking = |at: u32| {
            let left = self.theatre.left(at).unwrap_or_else(|| self.minutes_free(at) + self.turnover());
            (size - left, at)
        };
        let mut sessions: Vec<(i64, u32)> = sessions.map(lacking).collect();
        sessions.sort_by_key(|&(minutes, at)| (minutes, &self.offer(at).id));
        let mut best: Option<(i64, u32, i64)> = None;
        for &(least, at) in sessions.iter().filter(|(minutes, _)| *minutes > 0).take(TRIES) {
            if best.is_some_and(|(minutes, ..)| minutes <= least) {
                break;
            }
            let mut minutes = least;
            for _ in 0..LENGTHS {
                match self.filled(need, at, size - least + minutes, LENGTHENED) {
                    Ok(places) => {
                        if best.is_none_or(|(other, ..)| minutes < other) {
                            best = Some((minutes, at, places));
                        }
                        break;
                    }
                    Err(lacking) => minutes += lacking.max(1),
                }
            }
        }
        let (minutes, at, places) = best?;
        let offer = self.offer(at);
        let minutes = u64::try_from(minutes).ok()?.checked_add(offer.figures.short())?;
        let units = u32::try_from(minutes).ok()?;
        let change = Change::MoreUnits { offer: offer.id.clone(), trust: offer.trust, units };
        Some(self.told(need, change, places))
    }

    /// Cases that a session with so many minutes left takes in, if the need's are among them.
    fn comes_into(&self, need: u32, offer: u32, left: i64, lifted: &'static [NotUsed]) -> Option<i64> {
        let its = &self.offer(offer).resource;
        let may = self.may_come(offer, lifted);
        if self.theatre.is_crowded_out(need, offer, its, left, may) {
            return None;
        }
        self.filled(need, offer, left, lifted).ok()
    }

    /// Cases that a session with so many minutes left takes in, the need's among them; else the minutes that it still lacks.
    fn filled(&self, need: u32, offer: u32, left: i64, lifted: &'static [NotUsed]) -> Result<i64, i64> {
        let filled = self.filling(offer, left, lifted);
        let of_need = |needs: &[u32]| {
            let its = needs.iter().filter(|&&other| other == need).count();
            i64::try_from(its).unwrap_or(i64::MAX)
        };
        let more =
            i64::try_from(filled.came.len()).unwrap_or(0) - i64::try_from(filled.went.len()).unwrap_or(0);
        if more > 0 && of_need(&filled.came) > of_need(&filled.went) {
            Ok(more)
        } else {
            Err(self.size(need) - filled.left)
        }
    }

    /// Who comes into a session, and who goes, when it has so many minutes left and these codes no longer object.
    fn filling(&self, offer: u32, left: i64, lifted: &'static [NotUsed]) -> Filled {
        self.theatre.fill(offer, left, &self.hopeful(offer, lifted))
    }

    /// Those who wait and may come into a session once these codes no longer object; the same for whoever asks.
    fn hopeful(&self, offer: u32, lifted: &'static [NotUsed]) -> Arc<[Waiting]> {
        let remembered = || self.hopeful.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered().get(&(offer, lifted)).cloned();
        known.unwrap_or_else(|| {
            let may = self.may_come(offer, lifted);
            let hopeful: Arc<[Waiting]> = self.theatre.waiting(&self.offer(offer).resource, may).into();
            remembered().insert((offer, lifted), hopeful.clone());
            hopeful
        })
    }

    /// Says who may come into a session once these codes no longer object.
    fn may_come(&self, offer: u32, lifted: &'static [NotUsed]) -> impl FnMut(&Lacking) -> bool {
        let mut gate = self.gate(offer, lifted);
        move |one| gate.is_open_to(one.whence) && gate.admits(self.need(one.need()))
    }

    /// Who would lie where, by positions in the problem, if a change that was offered were made: for tests.
    #[cfg(test)]
    pub(in super::super) fn theatre_after(&self, need: u32, change: &Change) -> Vec<(u32, u32)> {
        let mut lying = self.theatre.lying(self.model);
        let fill =
            |lying: &mut Vec<(u32, u32)>, id: &crate::ids::OfferId, more: i64, lifted: &'static [NotUsed]| {
                let at = self.offers[id];
                let left = self.theatre.left(at).unwrap_or_else(|| self.minutes_free(at) + self.turnover());
                let filled = self.filling(at, left + more, lifted);
                for other in filled.went {
                    if let Some(place) = lying.iter().position(|pair| *pair == (other, at)) {
                        lying.remove(place);
                    }
                }
                lying.extend(filled.came.iter().map(|&other| (other, at)));
            };
        let mut put = |mut sessions: Vec<u32>| {
            let mut lacking = self.plan.unserved[&self.need(need).id];
            sessions.sort_unstable();
            for at in sessions {
                for _ in 0..self.cases_in(need, at).min(lacking.into()) {
                    lying.push((need, at));
                    lacking -= 1;
                }
            }
        };
        let seen = self.seen(need, &self.all.view(self.problem, &self.model.setting, self.need(need)));
        let only = |code, within: &dyn Fn(u32) -> bool| -> Vec<u32> {
            let only = seen.iter().filter(|one| one.only(code) && within(one.offer));
            only.map(|one| one.offer).collect()
        };
        match change {
            Change::TravelLimit { minutes } => {
                put(only(NotUsed::TooFar, &|at| self.travel(self.need(need), at) <= *minutes));
            }
            Change::LaterBy { needed_by } => {
                put(only(NotUsed::TooLate, &|at| {
                    self.offer(at).window.from.is_some_and(|from| from <= *needed_by)
                }));
            }
            Change::Confirm { offer, .. } => {
                fill(&mut lying, offer, 0, CONFIRMED);
            }
            Change::FindTeam { offer, .. } => fill(&mut lying, offer, 0, STAFFED),
            Change::MoreUnits { offer, units, .. } => {
                let short = i64::try_from(self.offer(self.offers[offer]).figures.short()).unwrap_or(0);
                let more = i64::from(*units) - short;
                fill(&mut lying, offer, more, LENGTHENED);
            }
            Change::LowerReserve { .. } => {}
        }
        lying
    }
}
