//! All offers of a problem, as the needs of a trust look at them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::codes;
use crate::ids::TrustCode;
use crate::matching::eligible;
use crate::matching::network::position;
use crate::matching::problem::{Problem, Setting};
use crate::need::Need;
use crate::offer::OfferState;
use crate::reason::NotUsed;
use crate::resource::{Code, ResourceKey, ResourceKind};

/// The offers that are counted for the needs of a trust for a code, in order of id.
pub(super) struct View {
    /// How many there are.
    pub(super) count: u32,
    /// Those that no need of the trust may use, whatever it needs: why, how many, and the first of them.
    pub(super) ruled_out: Vec<(NotUsed, u32, u32)>,
    /// The others.
    pub(super) rest: Vec<u32>,
}

/// The offers of a trust of one resource.
#[derive(Default)]
pub(super) struct Group {
    pub(super) offers: Vec<u32>,
    /// Free units of those that count towards the trust's reserve.
    pub(super) free: i64,
}

/// The trust, kind and code of a view.
type Looking = (TrustCode, ResourceKind, Code);

pub(super) struct Offers {
    /// All offers of a code, in order of id.
    shelves: HashMap<(ResourceKind, Code), Vec<u32>>,
    groups: HashMap<(TrustCode, ResourceKey), Group>,
    views: Mutex<HashMap<Looking, Arc<View>>>,
}

impl Offers {
    pub(super) fn new(problem: &Problem) -> Self {
        let id = |at: u32| &problem.offers[at as usize].id;
        let mut shelves: HashMap<_, Vec<u32>> = HashMap::new();
        let mut groups: HashMap<_, Group> = HashMap::new();
        for (at, offer) in problem.offers.iter().enumerate() {
            let at = position(at);
            shelves.entry((offer.resource.kind, offer.resource.code.clone())).or_default().push(at);
            let group = groups.entry((offer.trust, offer.resource.key())).or_default();
            group.offers.push(at);
            if offer.state == OfferState::Open && !problem.is_stale(offer) {
                group.free += i64::from(offer.figures.free().get());
            }
        }
        shelves.values_mut().for_each(|shelf| shelf.sort_by(|&a, &b| id(a).cmp(id(b))));
        groups.values_mut().for_each(|group| group.offers.sort_by(|&a, &b| id(a).cmp(id(b))));
        Self { shelves, groups, views: Mutex::new(HashMap::new()) }
    }

    /// All offers of a trust of a resource.
    pub(super) fn group(&self, trust: TrustCode, key: &ResourceKey) -> Option<&Group> {
        self.groups.get(&(trust, key.clone()))
    }

    /// The offers that are counted for a need: of its kind and code, and of codes that differ only in security.
    pub(super) fn view(&self, problem: &Problem, setting: &Setting, need: &Need) -> Arc<View> {
        let key = (need.trust, need.resource.kind, need.resource.code.clone());
        let views = || self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let known = views().get(&key).cloned();
        known.unwrap_or_else(|| {
            let view = Arc::new(self.look(problem, setting, need));
            views().insert(key, view.clone());
            view
        })
    }

    fn look(&self, problem: &Problem, setting: &Setting, need: &Need) -> View {
        let kind = need.resource.kind;
        let group = codes::security_group(kind, need.resource.code.as_str());
        let is_counted = |code: &Code| {
            *code == need.resource.code
                || (group.is_some() && group == codes::security_group(kind, code.as_str()))
        };
        let shelves = self.shelves.iter().filter(|((its, code), _)| *its == kind && is_counted(code));
        let mut shelves: Vec<&Vec<u32>> = shelves.map(|(_, shelf)| shelf).collect();
        let mut all = shelves.pop().cloned().unwrap_or_default();
        if !shelves.is_empty() {
            all.extend(shelves.into_iter().flatten());
            all.sort_by(|&a, &b| problem.offers[a as usize].id.cmp(&problem.offers[b as usize].id));
        }
        let mut view = View { count: position(all.len()), ruled_out: Vec::new(), rest: Vec::new() };
        // Whatever a trust offers to everybody it has an agreement with is ruled out for the same reason, or not at all.
        let mut of_trust: FxHashMap<TrustCode, Option<NotUsed>> = FxHashMap::default();
        for at in all {
            let offer = &*problem.offers[at as usize];
            let rules_out = || eligible::rules_out(problem, setting, need, offer);
            let is_for_all = offer.shared_with.is_empty();
            let reason =
                if is_for_all { *of_trust.entry(offer.trust).or_insert_with(rules_out) } else { rules_out() };
            let Some(reason) = reason else {
                view.rest.push(at);
                continue;
            };
            match view.ruled_out.iter_mut().find(|(other, ..)| *other == reason) {
                Some((_, count, _)) => *count += 1,
                None => view.ruled_out.push((reason, 1, at)),
            }
        }
        view
    }
}
