//! Changes that serve a theatre case: the plan stays as it lies, but for the session that changes.

use crate::matching::eligible;
use crate::matching::explanation::{Change, Relaxation};
use crate::reason::NotUsed;

use super::super::Explainer;
use super::TRIES;

/// How often a session is lengthened before another is tried.
const LENGTHENED: usize = 8;

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
            let lifted = [NotUsed::Stale, NotUsed::BelowReserve];
            let places = self.filled(need, at, self.minutes_free(at) + self.turnover(), &lifted).ok()?;
            let offer = self.offer(at);
            let change = Change::Confirm { offer: offer.id.clone(), trust: offer.trust };
            Some(self.told(need, change, places))
        })
    }

    pub(super) fn team_for_session(&self, need: u32, unstaffed: &[u32]) -> Option<Relaxation> {
        unstaffed.iter().take(TRIES).find_map(|&at| {
            let left = self.theatre.left(at)?;
            let places = self.filled(need, at, left, &[NotUsed::TeamMissing]).ok()?;
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
    fn cases_in(&self, need: u32, offer: u32) -> i64 {
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
            for _ in 0..LENGTHENED {
                match self.filled(
                    need,
                    at,
                    size - least + minutes,
                    &[NotUsed::TooShort, NotUsed::BelowReserve],
                ) {
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

    /// Cases that a session with so many minutes left takes in, the need's among them; else the minutes that it still lacks.
    fn filled(&self, need: u32, offer: u32, left: i64, lifted: &[NotUsed]) -> Result<i64, i64> {
        let (problem, setting, its) = (self.problem, &self.model.setting, self.offer(offer));
        let mut waiting: Vec<u32> = Vec::new();
        for (_, cases) in self.theatre.waiting(&its.resource.code) {
            let need_of = |case: u32| self.need(self.model.cases[case as usize]);
            let first = cases.first().map(|&case| need_of(case));
            if first.is_none_or(|need| eligible::rules_out(problem, setting, need, its).is_some()) {
                continue;
            }
            // Cases of one need lie side by side.
            let mut known: Option<(u32, bool)> = None;
            for &case in cases {
                let at = self.model.cases[case as usize];
                let may = known.filter(|(need, _)| *need == at).map_or_else(
                    || {
                        let other = self.need(at);
                        let mut codes = eligible::iter_other_objections(problem, setting, other, its);
                        codes.all(|code| lifted.contains(&code))
                    },
                    |(_, may)| may,
                );
                known = Some((at, may));
                if may {
                    waiting.push(case);
                }
            }
        }
        let filled = self.theatre.fill(offer, left, self.model.theatre.cases(), &waiting);
        let of_need = |cases: &[u32]| {
            let its = cases.iter().filter(|&&case| self.model.cases[case as usize] == need).count();
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
}
