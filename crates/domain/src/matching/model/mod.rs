//! The problem in small integers: which offers may serve which needs, at what burden.
//!
//! Offers that take part lie sorted by code, trust and site; a need looks only at trusts of an agreement within its travel
//! limit, so that building the network costs about as much as solving it.

mod facts;
mod geography;

use std::collections::HashMap;

use rayon::prelude::*;

use crate::offer::Offer;
use crate::resource::{Code, ResourceKey, ResourceKind};

use super::eligible::objections;
use super::network::{Arc, Demand, Fairness, Network, Store, position};
use super::problem::{Problem, Setting};
use super::rank::{Rank, rank};
use super::theatre::{Case, Place, Theatre};
use facts::{Labels, NeedFacts, OfferFacts};
use geography::Geography;

/// A network and a theatre of a problem, with the records they stand for.
pub(crate) struct Model {
    /// What the rules ask of all offers and trusts together.
    pub(crate) setting: Setting,
    /// The rank of each need that takes part, by its position in the problem.
    pub(crate) ranks: HashMap<u32, Rank>,
    /// All ranks, best first; a class is a position here.
    pub(crate) classes: Vec<Rank>,
    pub(crate) network: Network,
    /// The need of each demand of the network, by position in the problem.
    pub(crate) demands: Vec<u32>,
    /// The offers of each pool (the first stores of the network), by position in the problem, in order of id.
    pub(crate) pools: Vec<Vec<u32>>,
    pub(crate) theatre: Theatre,
    /// The need of each case of the theatre.
    pub(crate) cases: Vec<u32>,
    /// The offer of each session of the theatre.
    pub(crate) sessions: Vec<u32>,
}

/// Needs whose places are sought together by one task.
const NEEDS_A_TASK: usize = 128;

impl Model {
    pub(crate) fn new(problem: &Problem) -> Self {
        let setting = problem.setting();
        let needs = needs_taking_part(problem);
        let policy = &problem.region.policy;
        let ranks: HashMap<u32, Rank> =
            needs.iter().map(|&n| (n, rank(&problem.needs[n as usize], policy, problem.at))).collect();
        let mut classes: Vec<Rank> = ranks.values().copied().collect();
        classes.sort_unstable();
        classes.dedup();

        let shelves = Shelves::new(problem, &setting);
        let mut network = Network::new(shelves.stores(problem, &setting));
        let mut theatre = Theatre::new(shelves.rooms(problem));
        let (mut demands, mut cases) = (Vec::new(), Vec::new());
        let found: Vec<Vec<Vec<Arc>>> = needs
            .par_chunks(NEEDS_A_TASK)
            .map(|chunk| chunk.iter().map(|&need| shelves.places_for(problem, &setting, need)).collect())
            .collect();
        for (&at, arcs) in needs.iter().zip(found.into_iter().flatten()) {
            let need = &problem.needs[at as usize];
            let class = position(classes.partition_point(|other| *other < ranks[&at]));
            let wanted = need.units_wanted().get();
            if need.resource.kind == ResourceKind::Theatre {
                let size = i64::from(need.minutes_per_case.get()) + i64::from(policy.turnover_minutes);
                let case = Case { size: size.max(1), class, band: need.priority as u8 };
                let places = || arcs.iter().map(|arc| Place { session: arc.store, burden: arc.cost });
                // More cases than all its sessions can hold need not be told apart.
                let room: i64 = arcs.iter().map(|arc| theatre.rooms()[arc.store as usize] / case.size).sum();
                for _ in 0..i64::from(wanted).min(room.max(1)) {
                    theatre.add(case, places());
                    cases.push(at);
                }
            } else {
                network.add(Demand { units: i64::from(wanted), class }, arcs);
                demands.push(at);
            }
        }
        let Shelves { pools, sessions, .. } = shelves;
        Self { setting, ranks, classes, network, demands, pools, theatre, cases, sessions }
    }
}

/// Returns the needs that take part, in order of id, so that the order of input does not matter.
fn needs_taking_part(problem: &Problem) -> Vec<u32> {
    let needs = &problem.needs;
    let takes_part = |&at: &u32| {
        let need = &needs[at as usize];
        need.state.takes_part() && !need.units_wanted().is_zero()
    };
    let mut taking: Vec<u32> = (0..position(needs.len())).filter(takes_part).collect();
    taking.sort_by(|&a, &b| needs[a as usize].id.cmp(&needs[b as usize].id));
    taking
}

/// The offers that can be used at all, where a need finds them.
struct Shelves {
    geography: Geography,
    labels: Labels,
    /// What stands on each shelf; a store of the network or a session of the theatre each.
    facts: Vec<OfferFacts>,
    /// Shelves of a code: a trust's offers at one site.
    codes: HashMap<(ResourceKind, Code), Vec<Shelf>>,
    pools: Vec<Vec<u32>>,
    sessions: Vec<u32>,
}

/// The offers of one trust at one site of one code.
struct Shelf {
    trust: u32,
    site: u32,
    from: usize,
    to: usize,
}

impl Shelves {
    fn new(problem: &Problem, setting: &Setting) -> Self {
        let geography = Geography::new(problem);
        let labels = Labels::new(problem);
        let mut usable: Vec<u32> = (0..position(problem.offers.len()))
            .filter(|&at| is_usable(problem, setting, &problem.offers[at as usize]))
            .collect();
        let declined: std::collections::HashSet<_> =
            problem.declined.iter().map(|(_, offer)| offer).collect();
        let offer = |at: u32| problem.offers[at as usize].as_ref();
        // Equal offers come to lie side by side, in order of id.
        let order = |&a: &u32, &b: &u32| {
            let (a, b) = (offer(a), offer(b));
            shelf_key(a).cmp(&shelf_key(b)).then_with(|| facts::alike(a, b)).then_with(|| a.id.cmp(&b.id))
        };
        usable.par_sort_by(order);

        let mut shelves = Self {
            geography,
            labels,
            facts: Vec::new(),
            codes: HashMap::new(),
            pools: Vec::new(),
            sessions: Vec::new(),
        };
        let mut last: Option<u32> = None;
        for at in usable {
            let this = offer(at);
            let is_theatre = this.resource.kind == ResourceKind::Theatre;
            let same_shelf = last.is_some_and(|last| shelf_key(offer(last)) == shelf_key(this));
            let same_pool = same_shelf
                && !is_theatre
                && !declined.contains(&this.id)
                && last.is_some_and(|last| {
                    facts::alike(offer(last), this).is_eq() && !declined.contains(&offer(last).id)
                });
            last = Some(at);
            if same_pool {
                if let Some(pool) = shelves.pools.last_mut() {
                    pool.push(at);
                }
                continue;
            }
            let store = if is_theatre {
                shelves.sessions.push(at);
                shelves.sessions.len() - 1
            } else {
                shelves.pools.push(vec![at]);
                shelves.pools.len() - 1
            };
            shelves.facts.push(OfferFacts::new(
                this,
                at,
                position(store),
                &shelves.labels,
                &shelves.geography,
            ));
            let end = shelves.facts.len();
            let code = shelves.codes.entry((this.resource.kind, this.resource.code.clone())).or_default();
            match code.last_mut() {
                Some(shelf) if same_shelf => shelf.to = end,
                Some(_) | None => code.push(Shelf {
                    trust: shelves.geography.trust(this.trust),
                    site: shelves.geography.site(this.site),
                    from: end - 1,
                    to: end,
                }),
            }
        }
        shelves
    }

    /// The stores of the network: pools, then what trusts keep in reserve, then what is fair to ask of them.
    fn stores(&self, problem: &Problem, setting: &Setting) -> Vec<Store> {
        let offer = |at: u32| problem.offers[at as usize].as_ref();
        let mut stores: Vec<Store> = self
            .pools
            .iter()
            .map(|pool| {
                let room = pool.iter().map(|&at| i64::from(offer(at).figures.free().get())).sum();
                Store { parent: None, room, fairness: None }
            })
            .collect();
        let (mut reserves, mut fair) = (HashMap::new(), HashMap::new());
        let step = i64::from(problem.region.policy.fair_step);
        for pool in 0..self.pools.len() {
            let its = offer(self.pools[pool][0]);
            let key = its.resource.key();
            let mut child = pool;
            if problem.reserve(its.trust, &key) > 0 {
                let room = setting.spare(its.trust, &key).max(0);
                let reserve: &mut usize = reserves.entry((its.trust, key)).or_insert_with(|| {
                    stores.push(Store { parent: None, room, fairness: None });
                    stores.len() - 1
                });
                stores[pool].parent = Some(position(*reserve));
                child = *reserve;
            }
            let allowance = problem.region.trusts.get(&its.trust).and_then(|trust| trust.fair_allowance);
            if let (Some(allowance), true) = (allowance, step > 0) {
                let fairness = Some(Fairness { allowance: i64::from(allowance.get()), step });
                let trust: &mut usize = fair.entry(its.trust).or_insert_with(|| {
                    stores.push(Store { parent: None, room: i64::MAX, fairness });
                    stores.len() - 1
                });
                stores[child].parent = Some(position(*trust));
            }
        }
        stores
    }

    /// The minutes of the sessions, each with one turnover.
    fn rooms(&self, problem: &Problem) -> Vec<i64> {
        let turnover = i64::from(problem.region.policy.turnover_minutes);
        let free = |&at: &u32| i64::from(problem.offers[at as usize].figures.free().get());
        self.sessions.iter().map(|at| free(at) + turnover).collect()
    }

    /// Finds the stores or sessions that may serve a need, with the burden of each.
    fn places_for(&self, problem: &Problem, setting: &Setting, at: u32) -> Vec<Arc> {
        let need = problem.needs[at as usize].as_ref();
        let resource = &need.resource;
        let Some(shelves) = self.codes.get(&(resource.kind, resource.code.clone())) else {
            return Vec::new();
        };
        let facts = NeedFacts::new(need, problem, &self.labels, &self.geography);
        let doubtful = self.labels.are_too_many() || !problem.declined.is_empty();
        let policy = &problem.region.policy;
        let mut arcs = Vec::new();
        for shelf in shelves {
            let Some(pair) = self.geography.pair(&facts, shelf.trust, resource.kind) else { continue };
            let travel = self.geography.travel(facts.site, shelf.site);
            if travel > facts.max_travel {
                continue;
            }
            let opel = self.geography.opel_points(shelf.trust);
            for offer in &self.facts[shelf.from..shelf.to] {
                if facts.allow(offer) && pair.shares(offer.shared_with.as_deref()) {
                    if doubtful {
                        let whole = &problem.offers[offer.offer as usize];
                        if !objections(problem, setting, need, whole).is_empty() {
                            continue;
                        }
                    }
                    let own =
                        facts.delay_points(offer, policy).saturating_add(facts.level_points(offer, policy));
                    arcs.push(Arc {
                        store: offer.store,
                        cost: own.saturating_add(travel).saturating_add(opel),
                    });
                }
            }
        }
        arcs
    }
}

fn shelf_key(offer: &Offer) -> (ResourceKind, &Code, crate::ids::TrustCode, crate::ids::SiteCode) {
    (offer.resource.kind, &offer.resource.code, offer.trust, offer.site)
}

/// Says whether anybody could be given the offer: whatever does not depend on the need.
fn is_usable(problem: &Problem, setting: &Setting, offer: &Offer) -> bool {
    let key: ResourceKey = offer.resource.key();
    problem.is_open(offer)
        && !problem.is_stale(offer)
        && !offer.figures.free().is_zero()
        && (offer.resource.kind == ResourceKind::Theatre || setting.spare(offer.trust, &key) > 0)
}
