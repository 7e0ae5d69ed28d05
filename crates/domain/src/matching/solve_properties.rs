//! What a plan promises, over random problems in which everything that eligibility looks at occurs.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::matching::eligible::{burden, is_eligible};
use crate::matching::problem::{Problem, Setting};
use crate::matching::random::{Dice, Kinds, random_problem};
use crate::matching::rank::{Rank, rank};
use crate::need::Need;
use crate::offer::Offer;

fn solved(problem: &Problem) -> Plan {
    solve(problem, None, 50, 1, &mut || false)
}

fn rank_of(problem: &Problem, need: &Need) -> Rank {
    rank(need, &problem.region.policy, problem.at)
}

fn find<'a>(problem: &'a Problem, line: &Allocation) -> (&'a Need, &'a Offer) {
    let need = problem.needs.iter().find(|need| need.id == line.need).unwrap();
    (need, problem.offers.iter().find(|offer| offer.id == line.offer).unwrap())
}

/// Who may take from where, in units, without anything that the engine has made: one row a need.
struct Units<'a> {
    problem: &'a Problem,
    setting: Setting,
}

impl Units<'_> {
    fn new(problem: &Problem) -> Units<'_> {
        Units { problem, setting: problem.setting() }
    }

    /// Returns the most units of all that so many units of each need can be served, by paths from needs over offers to
    /// what their trusts can spare.
    fn most(&self, wanted: &[i64]) -> i64 {
        let (needs, offers) = (&self.problem.needs, &self.problem.offers);
        let mut spare: Vec<_> = offers.iter().map(|o| (o.trust, o.resource.key())).collect();
        spare.sort();
        spare.dedup();
        // From, needs, offers, what can be spared, to.
        let (n, o) = (needs.len(), offers.len());
        let end = 1 + n + o + spare.len();
        let mut room = vec![vec![0i64; end + 1]; end + 1];
        for (at, need) in needs.iter().enumerate() {
            room[0][1 + at] = wanted[at];
            for (to, offer) in offers.iter().enumerate() {
                if is_eligible(self.problem, &self.setting, need, offer) {
                    room[1 + at][1 + n + to] = i64::MAX / 4;
                }
            }
        }
        for (at, offer) in offers.iter().enumerate() {
            let key = (offer.trust, offer.resource.key());
            let its = 1 + n + o + spare.binary_search(&key).unwrap();
            room[1 + n + at][its] = i64::from(offer.figures.free().get());
            room[its][end] = self.setting.spare(key.0, &key.1).max(0);
        }
        let mut most = 0;
        while let Some(path) = path(&room) {
            for step in path.windows(2) {
                room[step[0]][step[1]] -= 1;
                room[step[1]][step[0]] += 1;
            }
            most += 1;
        }
        most
    }
}

fn path(room: &[Vec<i64>]) -> Option<Vec<usize>> {
    let end = room.len() - 1;
    let mut came_from = vec![usize::MAX; room.len()];
    let mut open = VecDeque::from([0]);
    while let Some(at) = open.pop_front() {
        for to in 1..room.len() {
            if room[at][to] > 0 && came_from[to] == usize::MAX {
                came_from[to] = at;
                open.push_back(to);
            }
        }
    }
    let mut path = vec![end];
    while *path.last()? != 0 {
        path.push(*came_from.get(*path.last()?)?);
    }
    path.reverse();
    Some(path)
}

/// The units of each need that a plan serves, by the need's position.
fn served(problem: &Problem, plan: &Plan) -> Vec<i64> {
    let of = |need: &Need| {
        let lines = plan.allocations.iter().filter(|line| line.need == need.id);
        lines.map(|line| i64::from(line.units)).sum()
    };
    problem.needs.iter().map(|need| of(need)).collect()
}

/// What a plan is worth: the units of each rank, best first, and the negated burden; greater is better.
fn worth(problem: &Problem, plan: &Plan) -> (Vec<i64>, i64) {
    let mut by_rank: BTreeMap<Rank, i64> = BTreeMap::new();
    for (need, units) in problem.needs.iter().zip(served(problem, plan)) {
        *by_rank.entry(rank_of(problem, need)).or_default() += units;
    }
    (by_rank.into_values().collect(), -plan.allocations.iter().map(|line| line.burden).sum::<i64>())
}

/// Serves one need after the other, each from where it costs least just then.
fn greedy(problem: &Problem, order: &[usize]) -> (Vec<i64>, i64) {
    let setting = problem.setting();
    let mut free: Vec<i64> = problem.offers.iter().map(|o| i64::from(o.figures.free().get())).collect();
    let mut taken: BTreeMap<_, i64> = BTreeMap::new();
    let mut given: BTreeMap<_, i64> = BTreeMap::new();
    let mut units = vec![0; problem.needs.len()];
    let mut points = 0;
    for &at in order {
        let need = &problem.needs[at];
        let wanted = if need.state.takes_part() { need.units_wanted().get() } else { 0 };
        for _ in 0..wanted {
            let unfair = |trust| fairness_points(problem, trust, given.get(&trust).copied().unwrap_or(0), 1);
            let key = |o: &Offer| (o.trust, o.resource.key());
            let best = problem
                .offers
                .iter()
                .enumerate()
                .filter(|(o, offer)| {
                    let (trust, key) = key(offer);
                    let left = setting.spare(trust, &key) - taken.get(&(trust, key)).copied().unwrap_or(0);
                    free[*o] > 0 && left > 0 && is_eligible(problem, &setting, need, offer)
                })
                .map(|(o, offer)| (i64::from(burden(problem, need, offer).total()) + unfair(offer.trust), o))
                .min();
            let Some((cost, o)) = best else { break };
            let offer = &problem.offers[o];
            free[o] -= 1;
            *taken.entry(key(offer)).or_default() += 1;
            *given.entry(offer.trust).or_default() += 1;
            units[at] += 1;
            points += cost;
        }
    }
    let mut by_rank: BTreeMap<Rank, i64> = BTreeMap::new();
    for (need, units) in problem.needs.iter().zip(units) {
        *by_rank.entry(rank_of(problem, need)).or_default() += units;
    }
    (by_rank.into_values().collect(), -points)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn no_unserved_need_could_be_served_by_displacing_only_less_urgent_ones(seed in any::<u64>()) {
        let problem = random_problem(seed, Kinds::Units, 12, 12);
        let plan = solved(&problem);
        prop_assert_eq!(certify(&problem, &plan), Ok(()));
        let units = Units::new(&problem);
        let served = served(&problem, &plan);
        for id in plan.unserved.keys() {
            let at = problem.needs.iter().position(|need| need.id == *id).unwrap();
            let rank = rank_of(&problem, &problem.needs[at]);
            // Those who may not lose anything, and one unit more of this need.
            let kept = |(other, &units): (usize, &i64)| {
                let stays = rank_of(&problem, &problem.needs[other]) <= rank;
                if stays { units + i64::from(other == at) } else { 0 }
            };
            let wanted: Vec<i64> = served.iter().enumerate().map(kept).collect();
            prop_assert!(units.most(&wanted) < wanted.iter().sum::<i64>(), "{} could be served", id);
        }
    }

    #[test]
    fn serving_the_urgent_first_serves_as_many_as_any_plan_can(seed in any::<u64>()) {
        let problem = random_problem(seed, Kinds::Units, 12, 12);
        let takes_part = |need: &Need| need.state.takes_part();
        let wanted = |need: &Need| if takes_part(need) { i64::from(need.units_wanted().get()) } else { 0 };
        let wanted: Vec<i64> = problem.needs.iter().map(|need| wanted(need)).collect();
        let most = Units::new(&problem).most(&wanted);
        prop_assert_eq!(served(&problem, &solved(&problem)).iter().sum::<i64>(), most);
    }

    #[test]
    fn greedy_never_beats_it(seed in any::<u64>()) {
        let problem = random_problem(seed, Kinds::Units, 10, 12);
        let worth = worth(&problem, &solved(&problem));
        let mut order: Vec<usize> = (0..problem.needs.len()).collect();
        order.sort_by_key(|&at| problem.needs[at].listed_at);
        prop_assert!(greedy(&problem, &order) <= worth, "first come");
        order.sort_by_key(|&at| rank_of(&problem, &problem.needs[at]));
        prop_assert!(greedy(&problem, &order) <= worth, "by priority");
    }

    #[test]
    fn reserves_and_free_units_are_kept(seed in any::<u64>()) {
        let problem = random_problem(seed, Kinds::All, 12, 12);
        let plan = solved(&problem);
        let setting = problem.setting();
        let mut by_key: BTreeMap<_, i64> = BTreeMap::new();
        let mut by_offer: BTreeMap<_, i64> = BTreeMap::new();
        for line in &plan.allocations {
            let (need, offer) = find(&problem, line);
            prop_assert!(is_eligible(&problem, &setting, need, offer));
            if offer.resource.kind == ResourceKind::Theatre {
                let turnover = i64::from(problem.region.policy.turnover_minutes);
                let minutes = i64::from(need.minutes_per_case.get()) + turnover;
                // No turnover after the last case.
                *by_offer.entry(&offer.id).or_insert(-turnover) += i64::from(line.units) * minutes;
            } else {
                *by_key.entry((offer.trust, offer.resource.key())).or_default() += i64::from(line.units);
                *by_offer.entry(&offer.id).or_default() += i64::from(line.units);
            }
        }
        for ((trust, key), units) in by_key {
            let reserve = problem.reserve(trust, &key);
            let free = problem.offers.iter().filter(|offer| {
                offer.trust == trust && offer.resource.key() == key && offer.state == crate::offer::OfferState::Open
                    && !problem.is_stale(offer)
            });
            let free: i64 = free.map(|offer| i64::from(offer.figures.free().get())).sum();
            prop_assert!(units <= free - reserve, "{} {}", trust, key);
        }
        for (id, taken) in by_offer {
            let offer = problem.offers.iter().find(|offer| offer.id == *id).unwrap();
            prop_assert!(taken <= i64::from(offer.figures.free().get()), "{}", id);
        }
    }

    #[test]
    fn the_order_of_input_changes_nothing_and_neither_does_a_second_solve(seed in any::<u64>()) {
        let problem = random_problem(seed, Kinds::All, 12, 12);
        let plan = solved(&problem);
        let mut turned = problem.clone();
        let mut dice = Dice(seed);
        dice.shuffle(&mut turned.needs);
        dice.shuffle(&mut turned.offers);
        prop_assert_eq!(&solved(&turned), &plan);
        prop_assert_eq!(&solved(&problem), &plan);
    }
}
