use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::matching::eligible::{burden, objections};
use crate::matching::random::{Kinds, random_problem};
use crate::reason::NotUsed;

/// Every pair that may be matched, by position, with its burden: as the index has it.
fn by_index(problem: &Problem) -> BTreeMap<(u32, u32), u32> {
    let model = Model::new(problem);
    let mut pairs = BTreeMap::new();
    for (demand, &need) in model.demands.iter().enumerate() {
        for arc in model.network.arcs_of(demand) {
            for &offer in &model.pools[arc.store as usize] {
                pairs.insert((need, offer), arc.cost);
            }
        }
    }
    for (case, &need) in model.cases.iter().enumerate() {
        for place in model.theatre.places_of(case) {
            pairs.insert((need, model.sessions[place.session as usize]), place.burden);
        }
    }
    pairs
}

/// The same by the rules as they read, one pair at a time; but for objections that nobody hears.
fn by_rule(problem: &Problem, is_unheard: impl Fn(NotUsed) -> bool) -> BTreeMap<(u32, u32), u32> {
    let setting = problem.setting();
    let mut pairs = BTreeMap::new();
    for (n, need) in problem.needs.iter().enumerate() {
        if !need.state.takes_part() || need.units_wanted().is_zero() {
            continue;
        }
        for (o, offer) in problem.offers.iter().enumerate() {
            if objections(problem, &setting, need, offer).into_iter().all(&is_unheard) {
                let points = burden(problem, need, offer).total();
                pairs.insert((position(n), position(o)), points);
            }
        }
    }
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn the_index_allows_what_the_rules_allow_at_the_same_burden(seed in any::<u64>()) {
        let problem = random_problem(seed, Kinds::All, 8, 10);
        prop_assert_eq!(by_index(&problem), by_rule(&problem, |_| false));
    }
}

/// An index that did not hear one of the objections would be found out by the problems above: for each there are pairs to
/// which nothing else objects.
#[test]
fn each_objection_alone_keeps_some_pair_apart() {
    let is_decisive = |code: NotUsed| {
        (0..3_000).any(|seed| {
            let problem = random_problem(seed, Kinds::All, 8, 10);
            by_rule(&problem, |other| other == code).len() > by_rule(&problem, |_| false).len()
        })
    };
    // These three speak of a plan, not of a pair.
    let of_a_plan = [NotUsed::HeldForAnother, NotUsed::LostToHigherPriority, NotUsed::CheaperElsewhere];
    let codes = NotUsed::ALL.iter().copied().filter(|code| !of_a_plan.contains(code));
    let never: Vec<NotUsed> = codes.filter(|&code| !is_decisive(code)).collect();
    assert_eq!(never, [], "never decide");
}
