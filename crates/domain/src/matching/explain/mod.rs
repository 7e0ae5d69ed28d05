//! Why this and not that: explanations of proposals and of needs that go unserved.

mod counts;
mod crowd;
mod flips;
mod offers;
mod proposal;
mod relax;
mod report;
mod sessions;
mod unserved;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use crate::ids::{NeedId, OfferId, TrustCode};
use crate::need::Need;
use crate::offer::Offer;
use crate::reason::NotUsed;
use crate::resource::{Code, ResourceKey, ResourceKind};

use super::eligible::Whence;
use super::model::Model;
use super::network::position;
use super::network::residual::{Changed, Residual};
use super::problem::Problem;
use super::rank::Rank;
use super::solve::{Plan, flows_of};

use offers::Offers;
use relax::Tried;
use sessions::{Sessions, Waiting};

pub use crowd::Crowd;
pub use proposal::Context;

/// Explains a plan. Made once for a problem and its plan, at about the cost of building the problem; then each answer takes
/// well under 10 ms for all of England, and several may be asked for at once.
pub struct Explainer<'a> {
    problem: &'a Problem,
    plan: &'a Plan,
    model: &'a Model,
    residual: Residual<'a>,
    theatre: Sessions,
    /// All offers, as needs look at them.
    all: Offers,
    needs: HashMap<&'a NeedId, u32>,
    offers: HashMap<&'a OfferId, u32>,
    /// The needs that take units of each offer in the plan.
    takers: HashMap<u32, Vec<u32>>,
    /// The demand of each need in the network, and the pool of each offer.
    demands: HashMap<u32, u32>,
    pools: HashMap<u32, u32>,
    /// The demands of a trust for a code.
    asking: HashMap<(ResourceKind, Code), BTreeMap<TrustCode, Vec<u32>>>,
    /// The ranks of the needs for a code, best first.
    queues: HashMap<(ResourceKind, Code), Vec<Rank>>,
    /// The store that makes a trust's later units dearer.
    fair: HashMap<TrustCode, u32>,
    /// What changes that concern everybody would do; the same one is asked about for many needs.
    tried: Mutex<HashMap<relax::Edit, Arc<Tried>>>,
    /// Who would take what such a change brings.
    queues_for: Mutex<HashMap<relax::Edit, Vec<relax::Queue>>>,
    /// The demands for a code that lack units, the most urgent first.
    lacking: HashMap<(ResourceKind, Code), Vec<Lacking>>,
    /// The plan after some pools have become so much dearer, which is asked about for all who use them.
    dearer: Mutex<HashMap<(Vec<u32>, i128), Changed>>,
    /// Who would wait for each session once some codes no longer object.
    hopeful: Mutex<Hopeful>,
    /// Units that each trust looks for, and that it has staffed, of each resource.
    own: HashMap<(TrustCode, ResourceKey), Own>,
}

/// The cases that wait for a session, by its offer and the codes that no longer object.
type Hopeful = HashMap<(u32, &'static [NotUsed]), Arc<[Waiting]>>;

/// A demand that lacks units.
struct Lacking {
    class: u64,
    demand: u32,
    units: i64,
    whence: Whence,
}

/// What a trust itself needs and has of a resource.
#[derive(Default, Clone, Copy)]
struct Own {
    wanted: i64,
    staffed: i64,
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
        let mut takers: HashMap<u32, Vec<u32>> = HashMap::new();
        for line in &plan.allocations {
            if let (Some(&need), Some(&offer)) = (needs.get(&line.need), offers.get(&line.offer)) {
                takers.entry(offer).or_default().push(need);
            }
        }
        let code_of = |need: u32| {
            let resource = &problem.needs[need as usize].resource;
            (resource.kind, resource.code.clone())
        };
        let mut asking: HashMap<_, BTreeMap<TrustCode, Vec<u32>>> = HashMap::new();
        for (at, &need) in model.demands.iter().enumerate() {
            let trusts = asking.entry(code_of(need)).or_default();
            trusts.entry(problem.needs[need as usize].trust).or_default().push(position(at));
        }
        let mut queues: HashMap<_, Vec<Rank>> = HashMap::new();
        for (&need, &rank) in &model.ranks {
            queues.entry(code_of(need)).or_default().push(rank);
        }
        queues.values_mut().for_each(|queue| queue.sort_unstable());
        let residual = Residual::new(&model.network, &flows_of(problem, model, plan), |at| plan.price(at));
        let mut lacking: HashMap<_, Vec<Lacking>> = HashMap::new();
        for (at, (&need, demand)) in model.demands.iter().zip(model.network.demands()).enumerate() {
            let at = position(at);
            let units = demand.units - residual.served(at);
            if units > 0 {
                let whence = Whence::of(&problem.needs[need as usize]);
                let one = Lacking { class: demand.class, demand: at, units, whence };
                lacking.entry(code_of(need)).or_default().push(one);
            }
        }
        lacking.values_mut().for_each(|lacking| lacking.sort_unstable_by_key(|one| (one.class, one.demand)));
        let pools = model.pools.iter().enumerate();
        let mut fair = HashMap::new();
        for (pool, offers) in model.pools.iter().enumerate() {
            let mut root = position(pool);
            while let Some(parent) = model.network.stores[root as usize].parent {
                root = parent;
            }
            if let (Some(_), Some(&offer)) = (model.network.stores[root as usize].fairness, offers.first()) {
                fair.insert(problem.offers[offer as usize].trust, root);
            }
        }
        Self {
            fair,
            problem,
            plan,
            model,
            residual,
            theatre: Sessions::new(problem, model, plan),
            all: Offers::new(problem),
            demands: model.demands.iter().enumerate().map(|(at, &need)| (need, position(at))).collect(),
            pools: pools
                .flat_map(|(at, offers)| offers.iter().map(move |&offer| (offer, position(at))))
                .collect(),
            needs,
            offers,
            takers,
            asking,
            queues,
            tried: Mutex::new(HashMap::new()),
            queues_for: Mutex::new(HashMap::new()),
            lacking,
            dearer: Mutex::new(HashMap::new()),
            hopeful: Mutex::new(HashMap::new()),
            own: own(problem),
        }
    }

    fn need(&self, at: u32) -> &'a Need {
        &self.problem.needs[at as usize]
    }

    fn offer(&self, at: u32) -> &'a Offer {
        &self.problem.offers[at as usize]
    }

    fn rank(&self, need: u32) -> Option<Rank> {
        self.model.ranks.get(&need).copied()
    }
}

fn own(problem: &Problem) -> HashMap<(TrustCode, ResourceKey), Own> {
    let mut own: HashMap<_, Own> = HashMap::new();
    for need in problem.needs.iter().filter(|need| !need.state.is_ended()) {
        let of = own.entry((need.trust, need.resource.key())).or_default();
        of.wanted += i64::from(need.units_wanted().get());
    }
    for offer in problem.offers.iter().filter(|offer| !offer.state.is_ended()) {
        let of = own.entry((offer.trust, offer.resource.key())).or_default();
        of.staffed += i64::from(offer.figures.staffed.get());
    }
    own
}

#[cfg(test)]
mod tests;
