//! The best plan for a problem.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::ids::{NeedId, OfferId, TrustCode};
use crate::need::Need;
use crate::offer::Offer;
use crate::policy::TheatreBands;
use crate::resource::ResourceKind;

use super::eligible;
use super::model::Model;
use super::network::{self, Fairness, Flaw, Flow, Network, Price, Solution, position};
use super::problem::Problem;
use super::theatre::{Mode, Theatre, bound, broken_promise};

/// Who is to be served from where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What is to be proposed, by the bytes of the need's id and then the offer's; each pair once.
    pub allocations: Vec<Allocation>,
    /// Units that go unserved, by the need's id; needs that are wholly served are left out.
    pub unserved: BTreeMap<NeedId, u32>,
    /// Steps of theatre search done; a replay passes them as the budget.
    pub steps: u64,
    /// What a unit of each store is worth, which proves the plan (see [`certify`]).
    prices: Vec<Price>,
}

impl Plan {
    /// What a unit of a store of the network is worth.
    pub(crate) fn price(&self, store: u32) -> Price {
        self.prices.get(store as usize).copied().unwrap_or_default()
    }
}

/// Units of an offer for a need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// The need.
    pub need: NeedId,
    /// The offer.
    pub offer: OfferId,
    /// Beds, slots, places, staff, items or cases; at least 1.
    pub units: u32,
    /// Units times minutes of a case for a theatre, without turnover; otherwise 0.
    pub minutes: u64,
    /// Points of all these units together, with fairness; the units of a trust are numbered in the order of the plan.
    pub burden: i64,
    /// Points of fairness in the burden.
    pub fairness: i64,
}

/// Returns the best plan for a problem.
///
/// Unit needs are planned exactly: lexicographically most units by class, then the least burden. Theatre cases are
/// searched for at most `budget` steps or until `should_stop`, from the better of a greedy plan and what `previous` did
/// with them. The same problem (in any order), previous plan, seed and number of steps done give the same plan.
pub fn solve(
    problem: &Problem,
    previous: Option<&Plan>,
    budget: u64,
    seed: u64,
    should_stop: &mut dyn FnMut() -> bool,
) -> Plan {
    Prepared::new(problem).solve(problem, previous, budget, seed, should_stop)
}

/// A problem whose pairs have been sought out; so that building and solving can be timed apart.
pub struct Prepared(Model);

impl Prepared {
    /// Finds which offers may serve which needs, at what burden.
    #[must_use]
    pub fn new(problem: &Problem) -> Self {
        Self(Model::new(problem))
    }

    pub(crate) fn model(&self) -> &Model {
        &self.0
    }

    /// The network of the unit needs, which [`Network::solve`] solves.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.0.network
    }

    /// The need of each demand of the network, by position in the problem.
    #[must_use]
    pub fn demands(&self) -> &[u32] {
        &self.0.demands
    }

    /// The theatre cases and sessions.
    #[must_use]
    pub fn theatre(&self) -> &Theatre {
        &self.0.theatre
    }

    /// The needs with a case that some session could hold now, by position in the problem, each once.
    pub fn placeable_cases(&self) -> impl Iterator<Item = u32> + '_ {
        let model = &self.0;
        let mut last = None;
        let cases = (0..model.cases.len()).filter(|&case| !model.theatre.places_of(case).is_empty());
        // The cases of a need lie together.
        cases.map(|case| model.cases[case]).filter(move |&need| last.replace(need) != Some(need))
    }

    /// Number of pairs of a need and a pool of equal offers, and of a case and a session.
    #[must_use]
    pub fn pairs(&self) -> (usize, usize) {
        (
            self.0.network.arc_count(),
            (0..self.0.cases.len()).map(|case| self.0.theatre.places_of(case).len()).sum(),
        )
    }

    /// Number of theatre sessions that can be used.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.0.sessions.len()
    }

    /// Returns the best plan (see [`solve`]) for the problem that this was made of.
    pub fn solve(
        &self,
        problem: &Problem,
        previous: Option<&Plan>,
        budget: u64,
        seed: u64,
        should_stop: &mut dyn FnMut() -> bool,
    ) -> Plan {
        let model = &self.0;
        let solution = model.network.solve();
        let mode = match problem.region.policy.theatre_bands {
            TheatreBands::Strict => Mode::Strict,
            TheatreBands::Weighted => Mode::Weighted,
        };
        let before = previous.map(|plan| sessions_of(problem, model, plan));
        let schedule = model.theatre.solve(mode, before.as_deref(), budget, seed, should_stop);
        let mut lines: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        spread_over_offers(problem, model, &solution.flows, &mut lines);
        for (case, session) in schedule.sessions.iter().enumerate() {
            if let Some(session) = *session {
                *lines.entry((model.cases[case], model.sessions[session as usize])).or_default() += 1;
            }
        }
        let allocations = allocations(problem, &lines);
        let mut unserved = BTreeMap::new();
        for &need in model.ranks.keys() {
            let need = &problem.needs[need as usize];
            unserved.insert(need.id.clone(), need.units_wanted().get());
        }
        for line in &allocations {
            if let Some(units) = unserved.get_mut(&line.need) {
                *units -= line.units;
            }
        }
        unserved.retain(|_, units| *units > 0);
        Plan { allocations, unserved, steps: schedule.steps, prices: solution.prices }
    }

    /// Returns the surrogate of the plan's theatre cases and a bound below which no plan's can be, found by `rounds` readings
    /// of all pairs; `None` without theatre cases.
    #[must_use]
    pub fn theatre_gap(&self, problem: &Problem, plan: &Plan, rounds: u32) -> Option<TheatreGap> {
        let model = &self.0;
        if model.cases.is_empty() {
            return None;
        }
        let reached = model.theatre.surrogate(&sessions_of(problem, model, plan));
        let bound = bound(&model.theatre, reached, rounds);
        Some(TheatreGap { reached, bound: bound.points, unavoidable: bound.unavoidable })
    }
}

/// How far the theatre part of a plan can be from the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TheatreGap {
    /// The plan's surrogate in points.
    pub reached: i64,
    /// No plan's surrogate is less.
    pub bound: i64,
    /// Penalties of the cases that no session can take; part of both.
    pub unavoidable: i64,
}

/// Gives the units of each pool to single offers: needs in order of id take from offers in order of id.
fn spread_over_offers(
    problem: &Problem,
    model: &Model,
    flows: &[Flow],
    lines: &mut BTreeMap<(u32, u32), u32>,
) {
    let free = |offer: u32| problem.offers[offer as usize].figures.free().get();
    let mut left: HashMap<u32, u32> = HashMap::new();
    for flow in flows {
        let mut wanted = flow.units;
        for &offer in &model.pools[flow.store as usize] {
            let left = left.entry(offer).or_insert_with(|| free(offer));
            let units = u32::try_from(wanted.min(i64::from(*left))).unwrap_or_default();
            if units > 0 {
                *left -= units;
                wanted -= i64::from(units);
                *lines.entry((model.demands[flow.need as usize], offer)).or_default() += units;
            }
        }
    }
}

/// Puts the lines in the order of the plan and counts each one's points.
fn allocations(problem: &Problem, lines: &BTreeMap<(u32, u32), u32>) -> Vec<Allocation> {
    let mut sorted: Vec<_> = lines.iter().map(|(&(need, offer), &units)| (need, offer, units)).collect();
    let ids = |need: u32, offer: u32| (&problem.needs[need as usize].id, &problem.offers[offer as usize].id);
    sorted.sort_by(|a, b| ids(a.0, a.1).cmp(&ids(b.0, b.1)));
    let mut given: HashMap<TrustCode, i64> = HashMap::new();
    let line = |(need, offer, units): (u32, u32, u32)| {
        let (need, offer) = (&problem.needs[need as usize], &problem.offers[offer as usize]);
        let is_theatre = need.resource.kind == ResourceKind::Theatre;
        let mut fairness = 0;
        if !is_theatre {
            let given = given.entry(offer.trust).or_default();
            fairness = fairness_points(problem, offer.trust, *given, i64::from(units));
            *given += i64::from(units);
        }
        let each = i64::from(eligible::burden(problem, need, offer).total());
        Allocation {
            need: need.id.clone(),
            offer: offer.id.clone(),
            units,
            minutes: if is_theatre { u64::from(units) * u64::from(need.minutes_per_case.get()) } else { 0 },
            burden: each * i64::from(units) + fairness,
            fairness,
        }
    };
    sorted.into_iter().map(line).collect()
}

/// The points of fairness of a trust's next units after those given.
fn fairness_points(problem: &Problem, trust: TrustCode, given: i64, units: i64) -> i64 {
    let allowance = problem.region.trusts.get(&trust).and_then(|trust| trust.fair_allowance);
    let Some(allowance) = allowance else { return 0 };
    let fairness =
        Fairness { allowance: i64::from(allowance.get()), step: i64::from(problem.region.policy.fair_step) };
    fairness.of_units(given + units) - fairness.of_units(given)
}

/// The session of each case in a plan, as far as the plan's lines still hold.
pub(crate) fn sessions_of(problem: &Problem, model: &Model, plan: &Plan) -> Vec<Option<u32>> {
    let session: HashMap<&OfferId, u32> = model
        .sessions
        .iter()
        .enumerate()
        .map(|(at, &offer)| (&problem.offers[offer as usize].id, position(at)))
        .collect();
    let mut cases: HashMap<&NeedId, Vec<usize>> = HashMap::new();
    for (case, &need) in model.cases.iter().enumerate().rev() {
        cases.entry(&problem.needs[need as usize].id).or_default().push(case);
    }
    let mut sessions = vec![None; model.cases.len()];
    for line in &plan.allocations {
        let (Some(&session), Some(cases)) = (session.get(&line.offer), cases.get_mut(&line.need)) else {
            continue;
        };
        for case in (0..line.units).filter_map(|_| cases.pop()) {
            sessions[case] = model.theatre.burden(case, session).map(|_| session);
        }
    }
    sessions
}

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFlaw {
    /// It names a record that does not take part, or more units than there are.
    #[error("need {need} and offer {offer} do not fit the problem")]
    Line {
        /// The need.
        need: NeedId,
        /// The offer.
        offer: OfferId,
    },
    /// A pair is not eligible.
    #[error("need {need} may not be served by offer {offer}: {objections}")]
    NotEligible {
        /// The need.
        need: NeedId,
        /// The offer.
        offer: OfferId,
        /// The codes of the objections, with spaces between.
        objections: String,
    },
    /// The prices do not prove that the unit needs are served best.
    #[error("the plan for unit needs is not proved best: {0}")]
    Units(Flaw),
    /// A session holds more than its minutes.
    #[error("session {offer} holds more than its minutes")]
    Overfull {
        /// The session.
        offer: OfferId,
    },
    /// An unserved theatre case fits, or outranks one that it could replace.
    #[error("need {need} fits session {offer}, or outranks a case in it")]
    Promise {
        /// The need.
        need: NeedId,
        /// The session.
        offer: OfferId,
    },
}

/// Proves a plan: every pair is eligible by the rules as they read, every limit holds, the unit needs cannot be served
/// better (by the prices, without trusting the solver), and the theatre cases keep their promise.
///
/// # Errors
/// The first flaw found.
pub fn certify(problem: &Problem, plan: &Plan) -> Result<(), PlanFlaw> {
    let model = Model::new(problem);
    check_lines(problem, &model, plan)?;
    let flows = flows_of(problem, &model, plan);
    let solution = Solution { flows, prices: plan.prices.clone() };
    network::certify(&model.network, &solution).map_err(PlanFlaw::Units)?;

    if let Some(offer) = overfull(problem, plan) {
        return Err(PlanFlaw::Overfull { offer });
    }
    let sessions = sessions_of(problem, &model, plan);
    let offer_of = |session: usize| problem.offers[model.sessions[session] as usize].id.clone();
    match broken_promise(&model.theatre, &sessions) {
        None => Ok(()),
        Some((case, session)) => Err(PlanFlaw::Promise {
            need: problem.needs[model.cases[case] as usize].id.clone(),
            offer: offer_of(session as usize),
        }),
    }
}

/// Finds a session that the lines fill beyond its minutes, with turnover between cases.
fn overfull(problem: &Problem, plan: &Plan) -> Option<OfferId> {
    let turnover = i64::from(problem.region.policy.turnover_minutes);
    let size = |need: &Need| i64::from(need.minutes_per_case.get()) + turnover;
    let sizes: HashMap<&NeedId, i64> = problem.needs.iter().map(|need| (&need.id, size(need))).collect();
    let mut taken: HashMap<&OfferId, i64> = HashMap::new();
    for line in &plan.allocations {
        let size = sizes.get(&line.need).copied().unwrap_or_default();
        *taken.entry(&line.offer).or_default() += i64::from(line.units) * size;
    }
    let holds_too_much = |offer: &&Arc<Offer>| {
        let room = i64::from(offer.figures.free().get()) + turnover;
        offer.resource.kind == ResourceKind::Theatre
            && taken.get(&offer.id).is_some_and(|&taken| taken > room)
    };
    problem.offers.iter().find(holds_too_much).map(|offer| offer.id.clone())
}

/// Checks that every line names records that take part and may be matched.
fn check_lines(problem: &Problem, model: &Model, plan: &Plan) -> Result<(), PlanFlaw> {
    let needs = by_id(problem.needs.iter().map(|need| &need.id));
    let offers = by_id(problem.offers.iter().map(|offer| &offer.id));
    let mut wanted: HashMap<&NeedId, u32> = HashMap::new();
    let mut asked: HashMap<&NeedId, u32> = HashMap::new();
    for &need in model.ranks.keys() {
        let need = &problem.needs[need as usize];
        wanted.insert(&need.id, need.units_wanted().get());
    }
    for line in &plan.allocations {
        let odd = || PlanFlaw::Line { need: line.need.clone(), offer: line.offer.clone() };
        let (Some(&need), Some(&offer)) = (needs.get(&line.need), offers.get(&line.offer)) else {
            return Err(odd());
        };
        let (need, offer) = (&problem.needs[need as usize], &problem.offers[offer as usize]);
        let units = asked.entry(&line.need).or_default();
        *units = units.saturating_add(line.units);
        if line.units == 0 || wanted.get(&line.need).is_none_or(|wanted| wanted < units) {
            return Err(odd());
        }
        let objections = eligible::objections(problem, &model.setting, need, offer);
        if !objections.is_empty() {
            let codes: Vec<&str> = objections.iter().map(|code| code.as_str()).collect();
            let (need, offer) = (line.need.clone(), line.offer.clone());
            return Err(PlanFlaw::NotEligible { need, offer, objections: codes.join(" ") });
        }
    }
    Ok(())
}

/// The plan's unit lines as flows of the network, as far as they name its needs and pools.
pub(crate) fn flows_of(problem: &Problem, model: &Model, plan: &Plan) -> Vec<Flow> {
    let demands = model.demands.iter().enumerate();
    let demand: HashMap<&NeedId, u32> =
        demands.map(|(at, &need)| (&problem.needs[need as usize].id, position(at))).collect();
    let mut pool: HashMap<&OfferId, u32> = HashMap::new();
    for (at, offers) in model.pools.iter().enumerate() {
        pool.extend(offers.iter().map(|&offer| (&problem.offers[offer as usize].id, position(at))));
    }
    let mut flows: BTreeMap<(u32, u32), i64> = BTreeMap::new();
    for line in &plan.allocations {
        if let (Some(&need), Some(&store)) = (demand.get(&line.need), pool.get(&line.offer)) {
            *flows.entry((need, store)).or_default() += i64::from(line.units);
        }
    }
    flows.into_iter().map(|((need, store), units)| Flow { need, store, units }).collect()
}

fn by_id<'a, Id: Eq + std::hash::Hash>(ids: impl Iterator<Item = &'a Id>) -> HashMap<&'a Id, u32> {
    ids.enumerate().map(|(at, id)| (id, position(at))).collect()
}

#[cfg(test)]
#[path = "solve_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "solve_properties.rs"]
mod properties;
