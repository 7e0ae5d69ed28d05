//! Teams for theatres: an unstaffed session and the staff that another trust, or the same, could send to it.
//!
//! A session without its team is no capacity (`TEAM_MISSING`). Where nothing but the team keeps a case from it, and an
//! offer of staff covers the roles that are missing for the whole session, the two can be joined: the home trust, the
//! trust of the theatre and the trust of the team then each have to agree.
//!
//! Joins come after the plan and take only what it leaves: no need for staff, however little urgent, and no trust's
//! reserve pays for one.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::ids::{NeedId, OfferId, TrustCode};
use crate::lent::covers;
use crate::need::Need;
use crate::offer::Offer;
use crate::reason::NotUsed;
use crate::resource::{ResourceKey, ResourceKind};

use super::eligible::{burden, objections};
use super::problem::{Problem, Setting};
use super::rank::rank;
use super::solve::{Allocation, Plan};

/// An unstaffed session and a team for it, for the cases of one need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The need whose cases are served.
    pub need: NeedId,
    /// The session without a team.
    pub session: OfferId,
    /// The offer of staff of which one unit goes to the session.
    pub team: OfferId,
    /// Cases: at least 1, as many as the session holds.
    pub cases: u32,
    /// Minutes that the team travels to the session.
    pub team_travel: u32,
    /// How many other offers of staff could have come.
    pub other_teams: u32,
}

/// Says what keeps a team from coming to a session for a need, whatever it has free: the first that objects, what may
/// pass last.
#[must_use]
pub fn objection_to_team(
    problem: &Problem,
    setting: &Setting,
    need: &Need,
    team: &Offer,
    session: &Offer,
) -> Option<NotUsed> {
    let region = &problem.region;
    let declared = region.trusts.get(&team.trust).and_then(|trust| trust.opel);
    // Within a trust nobody has to agree to staff going from one theatre to another.
    let is_agreed = team.trust == session.trust
        || setting.joining(region, team.trust, session.trust).any(|collaborative| {
            let shared = team.shared_with.is_empty() || team.shared_with.contains(&collaborative.id);
            shared && collaborative.shares.contains(&ResourceKind::Staff)
        });
    let objections = [
        (team.resource.kind != ResourceKind::Staff || !covers(team, session), NotUsed::TeamMissing),
        (!is_agreed, NotUsed::NoAgreement),
        (region.travel_minutes(team.site, session.site).is_none(), NotUsed::TooFar),
        (problem.is_stale(team), NotUsed::Stale),
        (declared.is_some_and(|opel| opel >= region.policy.opel_limit), NotUsed::TrustUnderPressure),
        (problem.declined.contains(&(need.id.clone(), team.id.clone())), NotUsed::DeclinedBefore),
        (!problem.is_open(team), NotUsed::Suspended),
    ];
    objections.into_iter().find(|(objects, _)| *objects).map(|(_, code)| code)
}

/// Finds the joins that serve cases which a plan leaves unserved: the most urgent need first, of needs of equal rank the
/// one with the lesser id; for each the session of least burden, and the nearest team for it. A session and a unit of
/// staff are joined once.
///
/// The same problem and plan give the same joins, whatever the order of the records. Costs one look at each unstaffed
/// session for each unserved theatre need, and one at each offer of staff for each of these that fits.
#[must_use]
pub fn joins(problem: &Problem, plan: &Plan) -> Vec<Join> {
    join_all(problem, &plan.allocations, &plan.unserved)
}

/// Finds joins, as [`joins`] does, where the records hold all that a plan gives away: for the cases named, of what is
/// free.
#[must_use]
pub fn joins_of_what_is_free(problem: &Problem, unserved: &BTreeMap<NeedId, u32>) -> Vec<Join> {
    join_all(problem, &[], unserved)
}

fn join_all(problem: &Problem, given: &[Allocation], unserved: &BTreeMap<NeedId, u32>) -> Vec<Join> {
    let mut hall = Hall::new(problem, given);
    let goes_without = |need: &&Need| {
        need.resource.kind == ResourceKind::Theatre && unserved.get(&need.id).is_some_and(|cases| *cases > 0)
    };
    let mut needs: Vec<&Need> = problem.needs.iter().map(|need| &**need).filter(goes_without).collect();
    needs.sort_by_key(|need| (rank(need, &problem.region.policy, problem.at), &need.id));
    let mut found = Vec::new();
    for need in needs {
        let mut left = unserved.get(&need.id).copied().unwrap_or(0);
        while left > 0 {
            let Some(join) = hall.join(need, left) else { break };
            left -= join.cases;
            found.push(join);
        }
    }
    found
}

/// The sessions and the staff that are still to be had.
struct Hall<'a> {
    problem: &'a Problem,
    setting: Setting,
    /// Unstaffed sessions that say whom they lack.
    sessions: BTreeMap<&'a OfferId, &'a Offer>,
    /// Offers of staff with the units that the plan leaves free of each.
    teams: BTreeMap<&'a OfferId, (&'a Offer, u32)>,
    /// Units that the plan leaves each trust above its reserve.
    spare: BTreeMap<(TrustCode, ResourceKey), i64>,
}

impl<'a> Hall<'a> {
    fn new(problem: &'a Problem, given: &[Allocation]) -> Self {
        let setting = problem.setting();
        let mut taken: BTreeMap<&OfferId, u32> = BTreeMap::new();
        for line in given {
            let units = taken.entry(&line.offer).or_default();
            *units = units.saturating_add(line.units);
        }
        let mut hall = Self {
            problem,
            setting,
            sessions: BTreeMap::new(),
            teams: BTreeMap::new(),
            spare: BTreeMap::new(),
        };
        for offer in problem.offers.iter().map(|offer| &**offer) {
            let units = taken.get(&offer.id).copied().unwrap_or(0);
            match offer.resource.kind {
                // A session of which anything is taken has a team, a home trust's own or a lent one.
                ResourceKind::Theatre
                    if !offer.team.staffed
                        && !offer.team.needs.is_empty()
                        && units == 0
                        && is_untouched(offer) =>
                {
                    hall.sessions.insert(&offer.id, offer);
                }
                ResourceKind::Staff => {
                    let key = (offer.trust, offer.resource.key());
                    let spare = hall.setting.spare(key.0, &key.1);
                    *hall.spare.entry(key).or_insert(spare) -= i64::from(units);
                    let free = offer.figures.free().get().saturating_sub(units);
                    hall.teams.insert(&offer.id, (offer, free));
                }
                ResourceKind::Theatre
                | ResourceKind::Bed
                | ResourceKind::Diagnostic
                | ResourceKind::Equipment
                | ResourceKind::VirtualWard => {}
            }
        }
        // Most sessions that lack a team lack one that nobody has: they need not be asked about again.
        let Hall { sessions, teams, .. } = &mut hall;
        sessions.retain(|_, session| teams.values().any(|(team, free)| *free > 0 && covers(team, session)));
        hall
    }

    /// Takes the best session, and the best team for it, for cases of a need.
    fn join(&mut self, need: &Need, wanted: u32) -> Option<Join> {
        let mut fitting: Vec<(u32, &OfferId)> = self
            .sessions
            .values()
            .filter(|session| self.lacks_only_a_team(need, session))
            .map(|session| (burden(self.problem, need, session).total(), &session.id))
            .collect();
        fitting.sort_unstable();
        for (_, id) in fitting {
            let Some(session) = self.sessions.get(id).copied() else { continue };
            let cases = self.cases_held(need, session).min(wanted);
            let best = self.teams.values().filter_map(|(team, free)| {
                let minutes = self.travel_of(need, team, *free, session)?;
                Some((minutes, Reverse(*free), &team.id))
            });
            let teams: Vec<_> = best.collect();
            let Some((team_travel, _, team)) = teams.iter().min().copied() else { continue };
            let other_teams = u32::try_from(teams.len() - 1).unwrap_or(u32::MAX);
            let (session, team) = (id.clone(), team.clone());
            self.take(&session, &team);
            return Some(Join { need: need.id.clone(), session, team, cases, team_travel, other_teams });
        }
        None
    }

    fn take(&mut self, session: &OfferId, team: &OfferId) {
        self.sessions.remove(session);
        if let Some((offer, free)) = self.teams.get_mut(team) {
            *free = free.saturating_sub(1);
            if let Some(spare) = self.spare.get_mut(&(offer.trust, offer.resource.key())) {
                *spare -= 1;
            }
        }
    }

    fn lacks_only_a_team(&self, need: &Need, session: &Offer) -> bool {
        objections(self.problem, &self.setting, need, session) == [NotUsed::TeamMissing]
    }

    /// Returns how many cases of a need the session holds, each but the last with a turnover after it.
    fn cases_held(&self, need: &Need, session: &Offer) -> u32 {
        let turnover = u64::from(self.problem.region.policy.turnover_minutes);
        let each = (u64::from(need.minutes_per_case.get()) + turnover).max(1);
        let cases = (u64::from(session.figures.free().get()) + turnover) / each;
        u32::try_from(cases).unwrap_or(u32::MAX)
    }

    /// Returns how many minutes a team travels to a session that it can staff, or `None` when it cannot.
    fn travel_of(&self, need: &Need, team: &Offer, free: u32, session: &Offer) -> Option<u32> {
        let spare = self.spare.get(&(team.trust, team.resource.key())).copied().unwrap_or(0);
        let objection = objection_to_team(self.problem, &self.setting, need, team, session);
        if free == 0 || spare <= 0 || objection.is_some() {
            return None;
        }
        self.problem.region.travel_minutes(team.site, session.site)
    }
}

/// Says whether nothing of a session is promised or in use.
fn is_untouched(session: &Offer) -> bool {
    let figures = session.figures;
    [figures.held, figures.committed, figures.occupied].into_iter().all(|units| units.is_zero())
}

#[cfg(test)]
#[path = "joins_tests.rs"]
mod tests;
