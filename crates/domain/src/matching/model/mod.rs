//! The problem in small integers: which offers may serve which needs, at what burden.
//!
//! Offers that can be used lie sorted on *shelves*, by code, site and trust. What the needs of one site and specialty can
//! reach is sought once for all of them, nearest first; a need then looks only at what is within its travel limit, so
//! that building the network costs less than solving it. Each record is read once.

mod facts;
mod geography;
pub mod kept;
mod reach;
mod shelves;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::ids::NeedId;
use crate::need::Need;
use crate::resource::ResourceKind;

use super::eligible::is_eligible;
use super::network::{Arc, Demand, Network, position};
use super::problem::{Problem, Setting};
use super::rank::{Rank, rank};
use super::theatre::{Case, Place, Theatre};
use facts::{Labels, NeedFacts};
use geography::Geography;
use reach::{Door, Reach};
use shelves::Shelves;

/// A network and a theatre of a problem, with the records they stand for.
pub(crate) struct Model {
    /// What the rules ask of all offers and trusts together.
    pub(crate) setting: Setting,
    /// The rank of each need that takes part, by its position in the problem.
    pub(crate) ranks: FxHashMap<u32, Rank>,
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

/// A need that takes part, as far as the index looks at it.
struct Asking {
    /// By its position in the problem.
    need: u32,
    rank: Rank,
    wanted: u32,
    /// What it can reach; `None` = nothing at all.
    reach: Option<u32>,
    facts: NeedFacts,
    /// For theatre needs.
    size: Option<i64>,
}

impl Model {
    pub(crate) fn new(problem: &Problem) -> Self {
        let setting = problem.setting();
        let geography = Geography::new(&problem.region);
        let mut labels = Labels::new();
        let shelves = Shelves::new(problem, &setting, &geography, &mut labels);
        let mut reach = Reach::new(&geography, &shelves);
        let asking = asking(problem, &geography, &shelves, &mut labels, &mut reach);
        let (classes, class_of) = classes(&asking);

        let policy = &problem.region.policy;
        let mut network = Network::new(shelves.stores(problem, &setting));
        let mut theatre = Theatre::new(shelves.rooms(problem));
        let (mut demands, mut cases) = (Vec::new(), Vec::new());
        let mut ranks = FxHashMap::with_capacity_and_hasher(asking.len(), Default::default());
        let mut arcs: Vec<Arc> = Vec::new();
        for one in &asking {
            arcs.clear();
            let reached = one.reach.map_or(&[][..], |place| reach.at(place));
            for reached in reached.iter().take_while(|reached| reached.minutes <= one.facts.max_travel) {
                let offer = &shelves.facts[reached.facts as usize];
                if one.facts.allow(offer)
                    && (!one.facts.is_doubtful
                        || is_eligible_by_rule(problem, &setting, one.need, offer.offer))
                {
                    let cost = reached.points.saturating_add(one.facts.own_points(offer, policy));
                    arcs.push(Arc { store: offer.store, cost });
                }
            }
            ranks.insert(one.need, one.rank);
            let class = class_of[&one.rank];
            match one.size {
                None => {
                    network.add(
                        Demand { units: i64::from(one.wanted), class: class.into() },
                        arcs.iter().copied(),
                    );
                    demands.push(one.need);
                }
                Some(size) => {
                    let case = Case { size, class, band: one.rank.band as u8 };
                    let places = || arcs.iter().map(|arc| Place { session: arc.store, burden: arc.cost });
                    for _ in 0..cases_told_apart(one.wanted, size, &arcs, theatre.rooms()) {
                        theatre.add(case, places());
                        cases.push(one.need);
                    }
                }
            }
        }
        let Shelves { pools, sessions, .. } = shelves;
        Self { setting, ranks, classes, network, demands, pools, theatre, cases, sessions }
    }
}

/// Returns how many cases of a need are worth telling apart: not more than all its sessions can hold.
fn cases_told_apart(wanted: u32, size: i64, arcs: &[Arc], rooms: &[i64]) -> i64 {
    if wanted == 1 {
        return 1;
    }
    let room: i64 = arcs.iter().map(|arc| rooms[arc.store as usize] / size).sum();
    i64::from(wanted).min(room.max(1))
}

fn is_eligible_by_rule(problem: &Problem, setting: &Setting, need: u32, offer: u32) -> bool {
    is_eligible(problem, setting, &problem.needs[need as usize], &problem.offers[offer as usize])
}

/// Returns all ranks, best first, and the place of each.
fn classes(asking: &[Asking]) -> (Vec<Rank>, FxHashMap<Rank, u32>) {
    let mut class_of: FxHashMap<Rank, u32> = asking.iter().map(|one| (one.rank, 0)).collect();
    let mut classes: Vec<Rank> = class_of.keys().copied().collect();
    classes.sort_unstable();
    for (at, rank) in classes.iter().enumerate() {
        class_of.insert(*rank, position(at));
    }
    (classes, class_of)
}

/// Returns the needs that take part, in order of id, so that the order of input does not matter.
fn asking(
    problem: &Problem,
    geography: &Geography,
    shelves: &Shelves<'_>,
    labels: &mut Labels,
    reach: &mut Reach<'_>,
) -> Vec<Asking> {
    let policy = &problem.region.policy;
    let declined: FxHashSet<&NeedId> = problem.declined.iter().map(|(need, _)| need).collect();
    let mut asking = Vec::with_capacity(problem.needs.len());
    for at in in_order_of_id(problem) {
        let need = &*problem.needs[at as usize];
        let resource = &need.resource;
        let mut facts = NeedFacts::new(need, problem, labels);
        facts.is_doubtful |= !declined.is_empty() && declined.contains(&need.id);
        let door = || {
            Some(Door {
                kind: resource.kind,
                code: shelves.code(resource.kind, resource.code.as_str())?,
                trust: geography.trust(need.trust)?,
                site: geography.site(need.site)?,
                specialties: facts.specialties,
            })
        };
        let minutes = i64::from(need.minutes_per_case.get()) + i64::from(policy.turnover_minutes);
        asking.push(Asking {
            need: at,
            rank: rank(need, policy, problem.at),
            wanted: need.units_wanted().get(),
            reach: door().map(|door| reach.from(door, facts.max_travel)),
            size: (resource.kind == ResourceKind::Theatre).then(|| minutes.max(1)),
            facts,
        });
    }
    asking
}

fn in_order_of_id(problem: &Problem) -> impl Iterator<Item = u32> {
    let takes_part = |need: &Need| need.state.takes_part() && !need.units_wanted().is_zero();
    let needs = problem.needs.iter().enumerate().filter(|(_, need)| takes_part(need));
    // Most ids differ in their first letters, which lie here at hand.
    let mut order: Vec<(u64, u32)> =
        needs.map(|(at, need)| (first_letters(need.id.as_str()), position(at))).collect();
    let id = |at: u32| &problem.needs[at as usize].id;
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| id(a.1).cmp(id(b.1))));
    order.into_iter().map(|(_, at)| at)
}

/// The first eight bytes of a text, which order as the text does; ids have no byte below the filling.
fn first_letters(text: &str) -> u64 {
    let mut letters = [0; 8];
    for (letter, byte) in letters.iter_mut().zip(text.bytes()) {
        *letter = byte;
    }
    u64::from_be_bytes(letters)
}

#[cfg(test)]
mod tests;
