//! The theatre sessions of a plan as they lie: what is left in each, and who would come into what becomes free.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::ids::TrustCode;
use crate::matching::model::Model;
use crate::matching::network::position;
use crate::matching::problem::Problem;
use crate::matching::solve::{Plan, sessions_of};
use crate::matching::theatre::Case;
use crate::resource::Code;

pub(super) struct Sessions {
    /// The session of each offer.
    of_offer: HashMap<u32, u32>,
    /// Minutes left in each session, with one turnover.
    left: Vec<i64>,
    /// The needs that lie in each session, once for each case.
    members: Vec<Vec<u32>>,
    /// What a case of each need is like, and one of its cases.
    like: HashMap<u32, (Case, u32)>,
    /// The needs of a trust for a code with unserved cases, and how many.
    waiting: HashMap<Code, BTreeMap<TrustCode, Vec<(u32, u32)>>>,
}

/// What happens in one session when it has room for more. Needs are named once for each case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filled {
    /// Those that it then holds more of.
    pub(super) came: Vec<u32>,
    /// Those that gave way to more urgent ones.
    pub(super) went: Vec<u32>,
    /// Minutes left then.
    pub(super) left: i64,
}

impl Sessions {
    pub(super) fn new(problem: &Problem, model: &Model, plan: &Plan) -> Self {
        let mut left = model.theatre.rooms().to_vec();
        let mut members = vec![Vec::new(); left.len()];
        let mut like = HashMap::new();
        for (case, session) in sessions_of(problem, model, plan).into_iter().enumerate() {
            let (need, its) = (model.cases[case], model.theatre.cases()[case]);
            like.entry(need).or_insert((its, position(case)));
            if let Some(session) = session {
                left[session as usize] -= its.size;
                members[session as usize].push(need);
            }
        }
        let mut waiting: HashMap<_, BTreeMap<_, Vec<(u32, u32)>>> = HashMap::new();
        let mut needs: Vec<(u32, u32)> = like.iter().map(|(&need, &(_, case))| (case, need)).collect();
        needs.sort_unstable();
        for (_, at) in needs {
            let need = &problem.needs[at as usize];
            if let Some(&units) = plan.unserved.get(&need.id) {
                let trusts = waiting.entry(need.resource.code.clone()).or_default();
                trusts.entry(need.trust).or_default().push((at, units));
            }
        }
        let of_offer = model.sessions.iter().enumerate().map(|(at, &offer)| (offer, position(at))).collect();
        Self { of_offer, left, members, like, waiting }
    }

    /// Minutes left in the session of an offer, with one turnover; `None` where it is none that can be used.
    pub(super) fn left(&self, offer: u32) -> Option<i64> {
        self.of_offer.get(&offer).map(|&session| self.left[session as usize])
    }

    /// Who lies where, by positions in the problem: for tests.
    #[cfg(test)]
    pub(super) fn lying(&self, model: &Model) -> Vec<(u32, u32)> {
        let all = self.members.iter().zip(&model.sessions);
        let of = |(members, &offer): (&Vec<u32>, &u32)| -> Vec<(u32, u32)> {
            members.iter().map(|&need| (need, offer)).collect()
        };
        all.flat_map(of).collect()
    }

    /// One of the cases of a need, which are all alike.
    pub(super) fn case_of(&self, need: u32) -> Option<u32> {
        self.like.get(&need).map(|(_, case)| *case)
    }

    /// The needs for a code with unserved cases and how many, by trust.
    pub(super) fn waiting(&self, code: &Code) -> impl Iterator<Item = &[(u32, u32)]> {
        self.waiting.get(code).into_iter().flatten().map(|(_, needs)| needs.as_slice())
    }

    /// Gives the minutes of a session to those who wait, as every plan promises: the most urgent first, each if it fits or if
    /// it outranks one that it can replace; whatever lies in other sessions stays there. `waiting` names a need once for
    /// each case.
    pub(super) fn fill(&self, offer: u32, left: i64, waiting: Vec<u32>) -> Filled {
        let its = self.of_offer.get(&offer).map_or(&[][..], |&session| &self.members[session as usize]);
        let (mut members, mut left, mut waiting) = (its.to_vec(), left, waiting);
        let (size, class) = (|need: u32| self.like[&need].0.size, |need: u32| self.like[&need].0.class);
        loop {
            waiting.sort_by_key(|&need| (class(need), self.like[&need].1));
            let mut next = Vec::new();
            let mut changed = false;
            for &need in &waiting {
                if size(need) > left {
                    let gives_way =
                        |&&other: &&u32| class(other) > class(need) && size(other) >= size(need) - left;
                    let order = |&other: &u32| (class(other), Reverse(size(other)), Reverse(other));
                    let other = members.iter().filter(gives_way).copied().max_by_key(order);
                    let Some(other) = other.filter(|&other| take_one(&mut members, other)) else {
                        next.push(need);
                        continue;
                    };
                    left += size(other);
                    next.push(other);
                }
                members.push(need);
                left -= size(need);
                changed = true;
            }
            waiting = next;
            if !changed {
                break;
            }
        }
        let (mut came, mut went) = (members.clone(), its.to_vec());
        went.retain(|&need| !take_one(&mut came, need));
        Filled { came, went, left }
    }
}

/// Takes one mention of a need out of a list; says whether there was one.
fn take_one(needs: &mut Vec<u32>, need: u32) -> bool {
    let place = needs.iter().position(|&other| other == need);
    place.map(|place| needs.swap_remove(place)).is_some()
}
