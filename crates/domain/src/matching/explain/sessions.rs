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
    /// The cases in each session.
    members: Vec<Vec<u32>>,
    /// The first case of each need.
    of_need: HashMap<u32, u32>,
    /// The unserved cases of the needs of a trust for a code.
    waiting: HashMap<Code, BTreeMap<TrustCode, Vec<u32>>>,
}

/// What happens in one session when it has room for more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filled {
    /// The cases it then holds that it did not hold before.
    pub(super) came: Vec<u32>,
    /// The cases that gave way to more urgent ones.
    pub(super) went: Vec<u32>,
    /// Minutes left then.
    pub(super) left: i64,
}

impl Sessions {
    pub(super) fn new(problem: &Problem, model: &Model, plan: &Plan) -> Self {
        let mut left = model.theatre.rooms().to_vec();
        let mut members = vec![Vec::new(); left.len()];
        let mut waiting: HashMap<_, BTreeMap<_, Vec<u32>>> = HashMap::new();
        for (case, session) in sessions_of(problem, model, plan).into_iter().enumerate() {
            if let Some(session) = session {
                left[session as usize] -= model.theatre.cases()[case].size;
                members[session as usize].push(position(case));
            } else {
                let need = &problem.needs[model.cases[case] as usize];
                let trusts = waiting.entry(need.resource.code.clone()).or_default();
                trusts.entry(need.trust).or_default().push(position(case));
            }
        }
        let of_offer = model.sessions.iter().enumerate().map(|(at, &offer)| (offer, position(at))).collect();
        let mut of_need = HashMap::new();
        for (case, &need) in model.cases.iter().enumerate() {
            of_need.entry(need).or_insert(position(case));
        }
        Self { of_offer, left, members, of_need, waiting }
    }

    /// Minutes left in the session of an offer, with one turnover; `None` where it is none that can be used.
    pub(super) fn left(&self, offer: u32) -> Option<i64> {
        self.of_offer.get(&offer).map(|&session| self.left[session as usize])
    }

    /// One of the cases of a need, which are all alike.
    pub(super) fn case_of(&self, need: u32) -> Option<u32> {
        self.of_need.get(&need).copied()
    }

    /// The unserved cases for a code, by trust.
    pub(super) fn waiting(&self, code: &Code) -> impl Iterator<Item = (TrustCode, &[u32])> {
        let trusts = self.waiting.get(code).into_iter().flatten();
        trusts.map(|(trust, cases)| (*trust, cases.as_slice()))
    }

    /// Gives the minutes of a session to those who wait, as every plan promises: the most urgent first, each if it fits or if
    /// it outranks one that it can replace; whatever lies in other sessions stays there.
    pub(super) fn fill(&self, offer: u32, left: i64, cases: &[Case], waiting: &[u32]) -> Filled {
        let its = self.of_offer.get(&offer).map_or(&[][..], |&session| &self.members[session as usize]);
        let (mut members, mut left) = (its.to_vec(), left);
        let of = |case: u32| cases[case as usize];
        let mut waiting = waiting.to_vec();
        loop {
            waiting.sort_by_key(|&case| (of(case).class, case));
            let mut next = Vec::new();
            let before = waiting.len();
            let mut changed = false;
            for &case in &waiting {
                let (size, class) = (of(case).size, of(case).class);
                if size > left {
                    let gives_way =
                        |other: &&u32| of(**other).class > class && of(**other).size >= size - left;
                    let order = |&other: &u32| (of(other).class, Reverse(of(other).size), Reverse(other));
                    let Some(other) = members.iter().filter(gives_way).copied().max_by_key(order) else {
                        next.push(case);
                        continue;
                    };
                    members.retain(|&member| member != other);
                    left += of(other).size;
                    next.push(other);
                }
                members.push(case);
                left -= size;
                changed = true;
            }
            waiting = next;
            if !changed || before == 0 {
                break;
            }
        }
        let came = members.iter().copied().filter(|case| !its.contains(case)).collect();
        let went = its.iter().copied().filter(|case| !members.contains(case)).collect();
        Filled { came, went, left }
    }
}
