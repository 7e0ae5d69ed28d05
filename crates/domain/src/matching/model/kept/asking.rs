//! Needs of a kept plan: what they ask of the network, and when that changes by itself.

use std::sync::Arc as Shared;

use jiff::{SignedDuration, Timestamp};
use rustc_hash::FxHashSet;

use crate::ids::NeedId;
use crate::matching::burden::delay_days;
use crate::matching::eligible::iter_objections;
use crate::matching::network::{Arc, Demand};
use crate::matching::rank::{Rank, rank, rank_holds_until};
use crate::need::Need;
use crate::offer::Offer;
use crate::reason::NotUsed;
use crate::resource::ResourceKind;

use super::super::facts::NeedFacts;
use super::offered::Pool;
use super::{Due, KeptPlan, OfCode};

/// A need with its place in the plan.
pub(super) struct KeptNeed {
    pub(super) need: Shared<Need>,
    /// Its number in the network; `None` while it has no part in the plan.
    pub(super) number: Option<u32>,
    /// Time alone changes nothing before this.
    pub(super) holds_until: Timestamp,
}

/// What a need asks for, in numbers.
pub(super) struct Asking {
    pub(super) id: NeedId,
    pub(super) facts: NeedFacts,
    /// By position in the region; `None` for one that it does not know.
    trust: Option<u32>,
    site: Option<u32>,
}

/// What a need asks of the network.
pub(super) struct Question {
    pub(super) demand: Demand,
    pub(super) asking: Asking,
    pub(super) arcs: Vec<Arc>,
    /// Time alone changes nothing before this.
    pub(super) holds_until: Timestamp,
}

impl KeptPlan {
    pub(super) fn put_need(&mut self, need: Shared<Need>) {
        let id = need.id.clone();
        let known = self.needs.get(&id).and_then(|its| Some((its.need.clone(), its.number?)));
        if let Some((old, number)) = known {
            if asks_the_same(&old, &need) && takes_part(&need) {
                let (policy, at) = (&self.bare.region.policy, self.bare.at);
                self.optimum.set_class(number, class_of(rank(&need, policy, at)));
                self.optimum.set_units(number, i64::from(need.units_wanted().get()));
                let holds_until = rank_holds_until(&need, policy, at);
                if let Some(its) = self.needs.get_mut(&id) {
                    let before = its.holds_until;
                    its.holds_until = before.min(holds_until);
                    its.need = need;
                    let next = its.holds_until;
                    self.mind(Due::Need(id), before, next);
                }
                return;
            }
            self.withdraw(number, &old);
        }
        self.enter(need, None);
        self.settle_need(&id);
    }

    pub(super) fn remove_need(&mut self, id: &NeedId) {
        let Some(its) = self.needs.remove(id) else { return };
        self.mind(Due::Need(id.clone()), its.holds_until, Timestamp::MAX);
        if let Some(number) = its.number {
            self.withdraw(number, &its.need);
        }
    }

    fn withdraw(&mut self, number: u32, need: &Need) {
        self.optimum.remove_need(number);
        self.asking.remove(&number);
        if let Some(code) = self.codes.get_mut(&(need.resource.kind, need.resource.code.clone())) {
            code.needs.remove(&number);
        }
    }

    /// Makes the network ask what the need asks now.
    pub(super) fn settle_need(&mut self, id: &NeedId) {
        let Some(its) = self.needs.get(id) else { return };
        let (need, number) = (its.need.clone(), its.number);
        let Some(Question { demand, asking, arcs, holds_until }) = self.question_of(&need) else {
            if let Some(number) = number {
                self.withdraw(number, &need);
            }
            return self.enter(need, None);
        };
        let number = match number {
            Some(number) => {
                self.optimum.set_class(number, demand.class);
                self.optimum.set_arcs(number, arcs);
                self.optimum.set_units(number, demand.units);
                number
            }
            None => self.optimum.add_need(demand, arcs),
        };
        self.enter(need, Some((number, asking, holds_until)));
    }

    /// Notes a need: with its number and what it asks where it has a part in the plan.
    pub(super) fn enter(&mut self, need: Shared<Need>, asked: Option<(u32, Asking, Timestamp)>) {
        let id = need.id.clone();
        let code = (need.resource.kind, need.resource.code.clone());
        let mut kept = KeptNeed { need, number: None, holds_until: Timestamp::MAX };
        if let Some((number, asking, holds_until)) = asked {
            self.asking.insert(number, asking);
            self.codes.entry(code).or_default().needs.insert(number);
            (kept.number, kept.holds_until) = (Some(number), holds_until);
        }
        let next = kept.holds_until;
        let before = self.needs.insert(id.clone(), kept).map_or(Timestamp::MAX, |its| its.holds_until);
        self.mind(Due::Need(id), before, next);
    }

    /// Returns what a need asks of the network; `None` when it has no part in the plan.
    pub(super) fn question_of(&mut self, need: &Need) -> Option<Question> {
        if !takes_part(need) {
            return None;
        }
        let (policy, at) = (&self.bare.region.policy, self.bare.at);
        let demand =
            Demand { units: i64::from(need.units_wanted().get()), class: class_of(rank(need, policy, at)) };
        let mut holds_until = rank_holds_until(need, policy, at);
        let mut facts = NeedFacts::new(need, &self.bare, &mut self.labels);
        facts.is_doubtful |= self.declined_needs.contains_key(&need.id);
        let (trust, site) = (self.geography.trust(need.trust), self.geography.site(need.site));
        let asking = Asking { id: need.id.clone(), facts, trust, site };
        let mut arcs = Vec::new();
        for store in in_order(self.of_code(need).map(|code| &code.pools)) {
            if let Some((cost, holds)) = self.cost(&asking, need, store) {
                arcs.push(Arc { store, cost });
                holds_until = holds_until.min(holds);
            }
        }
        Some(Question { demand, asking, arcs, holds_until })
    }

    fn of_code(&self, need: &Need) -> Option<&OfCode> {
        self.codes.get(&(need.resource.kind, need.resource.code.clone()))
    }

    /// Lets the needs of its code take from a new pool.
    pub(super) fn invite(&mut self, store: u32) {
        let Some(pool) = self.pools.get(&store) else { return };
        let code = (pool.key.resource.kind, pool.key.resource.code.clone());
        let mut arcs = Vec::new();
        for number in in_order(self.codes.get(&code).map(|code| &code.needs)) {
            let Some(mut asking) = self.asking.remove(&number) else { continue };
            if let Some(mut its) = self.needs.remove(&asking.id) {
                // Time may have moved on since it was last looked at.
                asking.facts.set_start(self.bare.start_of(&its.need));
                if let Some((cost, holds)) = self.cost(&asking, &its.need, store) {
                    arcs.push((number, cost));
                    let before = its.holds_until;
                    its.holds_until = before.min(holds);
                    self.mind(Due::Need(asking.id.clone()), before, its.holds_until);
                }
                self.needs.insert(asking.id.clone(), its);
            }
            self.asking.insert(number, asking);
        }
        self.optimum.add_arcs(store, arcs);
    }

    /// What a unit of a pool costs a need, and until when; `None` when it may not have it.
    pub(super) fn cost(&mut self, asking: &Asking, need: &Need, store: u32) -> Option<(u32, Timestamp)> {
        let pool = self.pools.get(&store)?;
        let (trust, site) = (asking.trust?, asking.site?);
        let kind = pool.key.resource.kind;
        if !pool.facts.lists(asking.facts.specialties)
            || !asking.facts.allow(&pool.facts)
            || !self.geography.may_ask(trust, pool.trust, kind)
        {
            return None;
        }
        let with = pool.facts.shared_with.as_ref();
        if with.is_some_and(|with| !self.geography.shares(trust, pool.trust, kind, Some(with))) {
            return None;
        }
        let (geography, to) = (&self.geography, pool.site);
        let minutes = *self.minutes.entry((site, to)).or_insert_with(|| geography.travel(site, to));
        if minutes > asking.facts.max_travel || (asking.facts.is_doubtful && self.objects(need, pool)) {
            return None;
        }
        let points = minutes.saturating_add(self.geography.opel_points(pool.trust));
        let own = asking.facts.own_points(&pool.facts, &self.bare.region.policy);
        Some((points.saturating_add(own), holds_until(asking, need, pool, self.bare.at)))
    }

    /// Says whether a rule that the pool does not see to itself objects to its offers.
    fn objects(&self, need: &Need, pool: &Pool) -> bool {
        let Some(offer) = pool.units.keys().next().and_then(|id| self.offers.get(id)) else { return true };
        let offer: &Offer = &offer.offer;
        iter_objections(&self.bare, &self.setting, need, offer).any(|code| {
            let seen_to = [NotUsed::Stale, NotUsed::Suspended, NotUsed::BelowReserve];
            !seen_to.contains(&code)
        })
    }
}

/// The time until which a pool remains open to a need at the same burden, as far as time alone changes it.
fn holds_until(asking: &Asking, need: &Need, pool: &Pool, at: Timestamp) -> Timestamp {
    let (from, until) = pool.facts.window();
    // A bed is open until its end, a slot until its start.
    let closes = if need.resource.kind.is_open_while_it_lasts() { until } else { from };
    let days = i64::from(delay_days(asking.facts.start(), Some(from)));
    // A day of delay less from here on.
    let nearer = from.checked_sub(SignedDuration::from_secs(days * 86_400)).unwrap_or(Timestamp::MIN);
    let next = if days > 0 { closes.min(nearer) } else { closes };
    // Until its earliest time the need stands still.
    next.max(need.earliest.unwrap_or(Timestamp::MIN)).max(at)
}

/// Numbers in order, so that the same changes leave the same plan.
fn in_order(numbers: Option<&FxHashSet<u32>>) -> Vec<u32> {
    let mut numbers: Vec<u32> = numbers.into_iter().flatten().copied().collect();
    numbers.sort_unstable();
    numbers
}

/// Says whether a need asks for units now. Cases for a theatre have no part in the plan.
fn takes_part(need: &Need) -> bool {
    need.resource.kind != ResourceKind::Theatre && need.state.takes_part() && !need.units_wanted().is_zero()
}

/// Says whether two states of a need may use the same offers at the same burden.
fn asks_the_same(one: &Need, other: &Need) -> bool {
    one.trust == other.trust
        && one.site == other.site
        && one.resource == other.resource
        && one.earliest == other.earliest
        && one.needed_by == other.needed_by
        && one.requires == other.requires
        && one.patient == other.patient
        && one.max_travel_minutes == other.max_travel_minutes
        && one.brings_team == other.brings_team
        && one.priority.is_planned() == other.priority.is_planned()
}

/// The class of a rank, for a network in which there may be gaps between classes: band first, then the higher score.
fn class_of(rank: Rank) -> u64 {
    const SCORES: u64 = 1 << 48;
    let score = u64::try_from(rank.score.0).unwrap_or(0).min(SCORES - 1);
    u64::from(rank.band as u8) * SCORES + (SCORES - 1 - score)
}
