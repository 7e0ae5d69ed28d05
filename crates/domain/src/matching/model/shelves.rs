//! The offers that can be used at all, sorted: by code, site and trust, and there equal ones side by side.

use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::ids::OfferId;
use crate::matching::network::{Fairness, Store, position};
use crate::matching::problem::{Problem, Setting};
use crate::offer::Offer;
use crate::resource::ResourceKind;

use super::facts::{Labels, OfferFacts, alike};
use super::geography::Geography;

pub(super) struct Shelves<'a> {
    /// The codes that are offered, by their positions in order of kind and code.
    codes: FxHashMap<(ResourceKind, &'a str), u32>,
    /// Pools and sessions, shelf by shelf.
    pub(super) facts: Vec<OfferFacts>,
    /// In order of code, site and trust.
    shelves: Vec<Shelf>,
    /// Where the shelves of each code and site start: `code × sites + site`, with an end.
    starts: Vec<u32>,
    sites: usize,
    /// The offers of each pool, by position in the problem, in order of id.
    pub(super) pools: Vec<Vec<u32>>,
    /// The trust and the code of each pool.
    owners: Vec<(u32, u32)>,
    /// The offer of each session.
    pub(super) sessions: Vec<u32>,
}

/// The offers of one trust at one site of one code.
pub(super) struct Shelf {
    pub(super) trust: u32,
    /// Its pools or sessions, by their positions among the facts.
    from: u32,
    to: u32,
}

impl Shelf {
    pub(super) fn range(&self) -> Range<u32> {
        self.from..self.to
    }
}

/// An offer on its way to its shelf.
struct Usable {
    code: u32,
    site: u32,
    trust: u32,
    offer: u32,
}

impl<'a> Shelves<'a> {
    pub(super) fn new(
        problem: &'a Problem,
        setting: &Setting,
        geography: &Geography,
        labels: &mut Labels,
    ) -> Self {
        let (codes, mut usable) = usable(problem, setting, geography);
        let offer = |at: u32| problem.offers[at as usize].as_ref();
        usable.sort_unstable_by(|a, b| {
            (a.code, a.site, a.trust).cmp(&(b.code, b.site, b.trust)).then_with(|| {
                let (a, b) = (offer(a.offer), offer(b.offer));
                alike(a, b).then_with(|| a.id.cmp(&b.id))
            })
        });
        let declined: FxHashSet<&OfferId> = problem.declined.iter().map(|(_, offer)| offer).collect();
        let may_be_pooled = |offer: &Offer| {
            offer.resource.kind != ResourceKind::Theatre
                && (declined.is_empty() || !declined.contains(&offer.id))
        };
        let sites = geography.site_count();
        let mut shelves = Self {
            starts: Vec::with_capacity(codes.len() * sites + 1),
            codes,
            facts: Vec::with_capacity(usable.len()),
            shelves: Vec::new(),
            sites,
            pools: Vec::new(),
            owners: Vec::new(),
            sessions: Vec::new(),
        };
        let mut last: Option<&Usable> = None;
        for this in &usable {
            let its = offer(this.offer);
            let on_shelf =
                last.filter(|last| (last.code, last.site, last.trust) == (this.code, this.site, this.trust));
            last = Some(this);
            if let Some(last) = on_shelf.map(|last| offer(last.offer))
                && may_be_pooled(its)
                && may_be_pooled(last)
                && alike(last, its).is_eq()
                && let Some(pool) = shelves.pools.last_mut()
            {
                pool.push(this.offer);
                continue;
            }
            let store = if its.resource.kind == ResourceKind::Theatre {
                shelves.sessions.push(this.offer);
                shelves.sessions.len() - 1
            } else {
                shelves.pools.push(vec![this.offer]);
                shelves.owners.push((this.trust, this.code));
                shelves.pools.len() - 1
            };
            let facts = OfferFacts::new(its, this.offer, position(store), labels, geography);
            let at = position(shelves.facts.len());
            shelves.facts.push(facts);
            match shelves.shelves.last_mut() {
                Some(shelf) if on_shelf.is_some() => shelf.to = at + 1,
                Some(_) | None => {
                    shelves.start_until(this.code as usize * sites + this.site as usize);
                    shelves.shelves.push(Shelf { trust: this.trust, from: at, to: at + 1 });
                }
            }
        }
        shelves.start_until(shelves.codes.len() * sites);
        shelves
    }

    /// Makes the shelves of all codes and sites up to a place start here.
    fn start_until(&mut self, place: usize) {
        let here = position(self.shelves.len());
        if self.starts.len() <= place {
            self.starts.resize(place + 1, here);
        }
    }

    /// The position of a code that is offered.
    pub(super) fn code(&self, kind: ResourceKind, code: &str) -> Option<u32> {
        self.codes.get(&(kind, code)).copied()
    }

    /// The shelves of a code at a site.
    pub(super) fn at(&self, code: u32, site: u32) -> &[Shelf] {
        let place = code as usize * self.sites + site as usize;
        &self.shelves[self.starts[place] as usize..self.starts[place + 1] as usize]
    }

    /// The sites of a code that have a shelf.
    pub(super) fn sites_of(&self, code: u32) -> impl Iterator<Item = u32> {
        (0..position(self.sites)).filter(move |&site| !self.at(code, site).is_empty())
    }

    /// The stores of the network: pools, then what trusts keep in reserve, then what is fair to ask of them.
    pub(super) fn stores(&self, problem: &Problem, setting: &Setting) -> Vec<Store> {
        let offer = |at: u32| problem.offers[at as usize].as_ref();
        let room = |pool: &Vec<u32>| pool.iter().map(|&at| i64::from(offer(at).figures.free().get())).sum();
        let pools = self.pools.iter();
        let mut stores: Vec<Store> =
            pools.map(|pool| Store { parent: None, room: room(pool), fairness: None }).collect();
        let mut reserves = FxHashMap::default();
        let mut fair = FxHashMap::default();
        let step = i64::from(problem.region.policy.fair_step);
        for (pool, &(trust, code)) in self.owners.iter().enumerate() {
            let its = offer(self.pools[pool][0]);
            let Some(facts) = problem.region.trusts.get(&its.trust) else { continue };
            let mut child = pool;
            if !facts.reserve.is_empty() {
                let key = its.resource.key();
                if problem.reserve(its.trust, &key) > 0 {
                    let reserve: &mut usize =
                        reserves.entry((trust, code, its.resource.level)).or_insert_with(|| {
                            let room = setting.spare(its.trust, &key).max(0);
                            stores.push(Store { parent: None, room, fairness: None });
                            stores.len() - 1
                        });
                    stores[pool].parent = Some(position(*reserve));
                    child = *reserve;
                }
            }
            if let (Some(allowance), true) = (facts.fair_allowance, step > 0) {
                let fairness = Some(Fairness { allowance: i64::from(allowance.get()), step });
                let given: &mut usize = fair.entry(trust).or_insert_with(|| {
                    stores.push(Store { parent: None, room: i64::MAX, fairness });
                    stores.len() - 1
                });
                stores[child].parent = Some(position(*given));
            }
        }
        stores
    }

    /// The minutes of the sessions, each with one turnover.
    pub(super) fn rooms(&self, problem: &Problem) -> Vec<i64> {
        let turnover = i64::from(problem.region.policy.turnover_minutes);
        let free = |&at: &u32| i64::from(problem.offers[at as usize].figures.free().get());
        self.sessions.iter().map(|at| free(at) + turnover).collect()
    }
}

/// Finds the offers that anybody could be given, as far as that does not depend on the need, and the codes they are of.
fn usable<'a>(
    problem: &'a Problem,
    setting: &Setting,
    geography: &Geography,
) -> (FxHashMap<(ResourceKind, &'a str), u32>, Vec<Usable>) {
    let mut codes: FxHashMap<(ResourceKind, &str), u32> = FxHashMap::default();
    let mut usable = Vec::new();
    for (at, offer) in problem.offers.iter().enumerate() {
        if !is_usable(problem, setting, offer) {
            continue;
        }
        // Nobody has an agreement with an unknown trust, or a way to an unknown site.
        let (Some(trust), Some(site)) = (geography.trust(offer.trust), geography.site(offer.site)) else {
            continue;
        };
        let next = position(codes.len());
        let code = *codes.entry((offer.resource.kind, offer.resource.code.as_str())).or_insert(next);
        usable.push(Usable { code, site, trust, offer: position(at) });
    }
    // In order of code, whatever the order of input.
    let mut sorted: Vec<_> = codes.iter().map(|(&code, &at)| (code, at)).collect();
    sorted.sort_unstable();
    let mut place = vec![0; sorted.len()];
    for (new, &(code, old)) in sorted.iter().enumerate() {
        place[old as usize] = position(new);
        codes.insert(code, position(new));
    }
    for one in &mut usable {
        one.code = place[one.code as usize];
    }
    (codes, usable)
}

/// Says whether anybody could be given the offer: whatever does not depend on the need.
fn is_usable(problem: &Problem, setting: &Setting, offer: &Offer) -> bool {
    problem.is_open(offer)
        && !problem.is_stale(offer)
        && !offer.figures.free().is_zero()
        && (offer.resource.kind == ResourceKind::Theatre || setting.spare_of(offer) > 0)
}
