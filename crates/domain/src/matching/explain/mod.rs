//! Why this and not that: explanations of proposals and of needs that go unserved.

mod proposal;
mod relax;
mod unserved;

use std::collections::HashMap;
use std::sync::Mutex;

use crate::codes;
use crate::ids::{NeedId, OfferId};
use crate::need::Need;
use crate::offer::Offer;
use crate::reason::NotUsed;
use crate::resource::{Code, ResourceKind};

use super::eligible;
use super::explanation::NotUsedCount;
use super::model::Model;
use super::network::residual::Residual;
use super::network::{Flow, Network, Price, position};
use super::problem::Problem;
use super::rank::Rank;
use super::solve::{Plan, flows_of, sessions_of};

pub use proposal::Context;

/// Explains a plan. Made once for a problem and its plan, at the cost of building the problem; then each answer is quick.
pub struct Explainer<'a> {
    problem: &'a Problem,
    plan: &'a Plan,
    model: &'a Model,
    residual: Residual<'a>,
    /// All offers of a code, in order of id.
    shelves: HashMap<(ResourceKind, Code), Vec<u32>>,
    needs: HashMap<&'a NeedId, u32>,
    offers: HashMap<&'a OfferId, u32>,
    /// The needs that take units of each offer in the plan.
    takers: HashMap<u32, Vec<u32>>,
    /// The demand of each need in the network.
    demands: HashMap<u32, u32>,
    /// The pool of each offer in the network.
    pools: HashMap<u32, u32>,
    /// The session of each offer in the theatre, and the minutes left in each.
    sessions: HashMap<u32, u32>,
    left: Vec<i64>,
    /// What changes for everybody would do; the same change is asked for by many needs.
    tried: Mutex<HashMap<String, std::sync::Arc<relax::Outcome>>>,
}

impl<'a> Explainer<'a> {
    /// Prepares to explain a plan of a prepared problem.
    #[must_use]
    pub fn new(problem: &'a Problem, prepared: &'a super::solve::Prepared, plan: &'a Plan) -> Self {
        let model = prepared.model();
        let needs: HashMap<_, _> =
            problem.needs.iter().enumerate().map(|(at, n)| (&n.id, position(at))).collect();
        let offers: HashMap<_, _> =
            problem.offers.iter().enumerate().map(|(at, o)| (&o.id, position(at))).collect();
        let mut shelves: HashMap<_, Vec<u32>> = HashMap::new();
        for (at, offer) in problem.offers.iter().enumerate() {
            let key = (offer.resource.kind, offer.resource.code.clone());
            shelves.entry(key).or_default().push(position(at));
        }
        for shelf in shelves.values_mut() {
            shelf.sort_by(|&a, &b| problem.offers[a as usize].id.cmp(&problem.offers[b as usize].id));
        }
        let mut takers: HashMap<u32, Vec<u32>> = HashMap::new();
        for line in &plan.allocations {
            if let (Some(&need), Some(&offer)) = (needs.get(&line.need), offers.get(&line.offer)) {
                takers.entry(offer).or_default().push(need);
            }
        }
        let flows: Vec<Flow> = flows_of(problem, model, plan);
        let mut left = model.theatre.rooms().to_vec();
        for (case, session) in sessions_of(problem, model, plan).into_iter().enumerate() {
            if let Some(session) = session {
                left[session as usize] -= model.theatre.cases()[case].size;
            }
        }
        let pools = model.pools.iter().enumerate();
        Self {
            problem,
            plan,
            model,
            residual: Residual::new(&model.network, &flows),
            shelves,
            needs,
            offers,
            takers,
            demands: model.demands.iter().enumerate().map(|(at, &need)| (need, position(at))).collect(),
            pools: pools
                .flat_map(|(at, offers)| offers.iter().map(move |&offer| (offer, position(at))))
                .collect(),
            sessions: model.sessions.iter().enumerate().map(|(at, &offer)| (offer, position(at))).collect(),
            left,
            tried: Mutex::new(HashMap::new()),
        }
    }

    fn need(&self, at: u32) -> &'a Need {
        &self.problem.needs[at as usize]
    }

    fn offer(&self, at: u32) -> &'a Offer {
        &self.problem.offers[at as usize]
    }

    fn network(&self) -> &'a Network {
        &self.model.network
    }

    fn price(&self, store: u32) -> Price {
        self.plan.price(store)
    }

    fn rank(&self, need: u32) -> Option<Rank> {
        self.model.ranks.get(&need).copied()
    }

    /// The offers that are counted for a need: of its kind and code, and of codes that differ only in security.
    fn offers_for(&self, need: &Need) -> Vec<u32> {
        let kind = need.resource.kind;
        let group = codes::security_group(kind, need.resource.code.as_str());
        let is_counted = |code: &Code| {
            *code == need.resource.code
                || (group.is_some() && group == codes::security_group(kind, code.as_str()))
        };
        let shelves = self.shelves.iter().filter(|((its, code), _)| *its == kind && is_counted(code));
        let mut found: Vec<u32> = shelves.flat_map(|(_, shelf)| shelf.iter().copied()).collect();
        found.sort_by(|&a, &b| self.offer(a).id.cmp(&self.offer(b).id));
        found
    }

    /// The first objections to each offer, at most three: with more than two no single change would do.
    fn objections(&self, need: u32, offers: &[u32]) -> Vec<(u32, Vec<NotUsed>)> {
        let (problem, setting, its) = (self.problem, &self.model.setting, self.need(need));
        let few =
            |at: u32| eligible::iter_objections(problem, setting, its, self.offer(at)).take(3).collect();
        offers.iter().map(|&at| (at, few(at))).collect()
    }

    /// Why an offer that would do is not used for a need: who has it instead.
    fn why_lost(&self, need: u32, offer: u32) -> NotUsed {
        let mine = self.rank(need);
        let mut takers: Vec<u32> = self.takers.get(&offer).cloned().unwrap_or_default();
        if let Some(&pool) = self.pools.get(&offer) {
            let mut at = Some(pool);
            while let Some(store) = at {
                // What the trust keeps for itself may leave units of the pool untaken.
                let this = &self.network().stores[store as usize];
                if self.residual.taken(store) >= this.room {
                    takers.extend(
                        self.residual.takers_inside(store).iter().map(|&d| self.model.demands[d as usize]),
                    );
                }
                at = this.parent;
            }
        }
        takers.retain(|&taker| taker != need);
        let ranks: Vec<Option<Rank>> = takers.iter().map(|&taker| self.rank(taker)).collect();
        if ranks.is_empty() || ranks.contains(&mine) {
            NotUsed::CheaperElsewhere
        } else if ranks.iter().all(|&rank| rank < mine) {
            NotUsed::LostToHigherPriority
        } else {
            NotUsed::HeldForAnother
        }
    }

    /// Counts offers by the reason why each does not serve the need, with an example each, in the order of the table.
    fn counts(&self, need: u32, objections: &[(u32, Vec<NotUsed>)]) -> Vec<NotUsedCount> {
        let mut counts: Vec<NotUsedCount> = Vec::new();
        for &(at, ref codes) in objections {
            let (its, offer) = (self.need(need), self.offer(at));
            let reason = codes.first().copied().unwrap_or_else(|| self.why_lost(need, at));
            match counts.iter_mut().find(|count| count.reason == reason) {
                Some(count) => count.count += 1,
                None => {
                    let example = self.example(its, offer, reason);
                    counts.push(NotUsedCount { reason, count: 1, example });
                }
            }
        }
        counts.sort_by_key(|count| count.reason);
        counts
    }

    fn first_objection(&self, need: &Need, offer: &Offer) -> Option<NotUsed> {
        eligible::iter_objections(self.problem, &self.model.setting, need, offer).next()
    }

    fn trust_name(&self, offer: &Offer) -> String {
        let trust = self.problem.region.trusts.get(&offer.trust);
        trust.map_or_else(|| offer.trust.to_string(), |trust| trust.name.to_string())
    }

    /// One offer with its figure, in plain words.
    fn example(&self, need: &Need, offer: &Offer, reason: NotUsed) -> String {
        let name = self.trust_name(offer);
        let travel = self.problem.region.travel_minutes(need.site, offer.site);
        let figure = match reason {
            NotUsed::TooFar => travel.map(|minutes| {
                format!("{minutes} minutes, limit {}", need.max_travel_minutes.unwrap_or_default())
            }),
            NotUsed::Stale => {
                let age = self.problem.at.duration_since(offer.reported_at);
                Some(format!("reported {} hours ago", age.as_hours()))
            }
            NotUsed::TooLate => offer.window.from.map(|from| format!("starts {from}")),
            NotUsed::TooEarly => Some(format!("until {}", offer.window.until)),
            NotUsed::TooShort => {
                Some(format!("{} minutes free, {} needed", offer.figures.free(), need.minutes_per_case))
            }
            NotUsed::CareLevel => offer.resource.level.map(|level| format!("level {}", level.get())),
            NotUsed::BelowReserve => {
                let reserve = self.problem.reserve(offer.trust, &offer.resource.key());
                Some(format!("{} free, keeps {reserve}", offer.figures.free()))
            }
            NotUsed::TrustUnderPressure => {
                let trust = self.problem.region.trusts.get(&offer.trust);
                trust.and_then(|trust| trust.opel).map(|opel| format!("declared OPEL {opel}"))
            }
            NotUsed::CheaperElsewhere | NotUsed::LostToHigherPriority | NotUsed::HeldForAnother => {
                let points = eligible::burden(self.problem, need, offer).total();
                Some(format!("{points} points"))
            }
            NotUsed::SameTrust
            | NotUsed::NoAgreement
            | NotUsed::WrongResource
            | NotUsed::SpecialtyMismatch
            | NotUsed::CapabilityMissing
            | NotUsed::Isolation
            | NotUsed::SecurityLevel
            | NotUsed::AgeOrSex
            | NotUsed::BmiOrAsaLimit
            | NotUsed::TeamMissing
            | NotUsed::Suspended
            | NotUsed::DeclinedBefore => None,
        };
        match figure {
            Some(figure) => format!("{name}: {figure}"),
            None => name,
        }
    }
}

#[cfg(test)]
mod tests;
