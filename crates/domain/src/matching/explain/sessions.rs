//! The theatre sessions of a plan as they lie: what is left in each, and who would come into what becomes free.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::matching::eligible::Whence;
use crate::matching::model::Model;
use crate::matching::network::position;
use crate::matching::problem::Problem;
use crate::matching::solve::{Plan, sessions_of};
use crate::matching::theatre::Case;
use crate::resource::{Code, Resource, Specialty};

pub(super) struct Sessions {
    /// The session of each offer.
    of_offer: HashMap<u32, u32>,
    /// Minutes left in each session, with one turnover.
    left: Vec<i64>,
    /// The needs that lie in each session, once for each case.
    members: Vec<Vec<u32>>,
    /// What a case of each need is like, and one of its cases.
    like: HashMap<u32, (Case, u32)>,
    /// The needs for a code and a specialty with unserved cases, the most urgent first.
    waiting: HashMap<(Code, Specialty), Vec<Lacking>>,
}

/// A need with cases that wait.
#[derive(Clone, Copy)]
pub(super) struct Lacking {
    pub(super) whence: Whence,
    waiting: Waiting,
    /// Its cases that go unserved.
    cases: u32,
}

impl Lacking {
    pub(super) fn need(&self) -> u32 {
        self.waiting.need
    }
}

/// A case that waits for room in a session; in order, the most urgent is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    class: u32,
    /// The first case of its need, by position: the order inside a class.
    case: u32,
    size: i64,
    need: u32,
}

impl Waiting {
    fn new(need: u32, Case { class, size, .. }: Case, case: u32) -> Self {
        Self { class, case, size, need }
    }
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
        let mut waiting: HashMap<_, Vec<Lacking>> = HashMap::new();
        let mut needs: Vec<Waiting> =
            like.iter().map(|(&need, &(its, case))| Waiting::new(need, its, case)).collect();
        needs.sort_unstable();
        for one in needs {
            let need = &problem.needs[one.need as usize];
            let Some(&cases) = plan.unserved.get(&need.id) else { continue };
            for &specialty in &need.resource.specialties {
                let queue = waiting.entry((need.resource.code.clone(), specialty)).or_default();
                queue.push(Lacking { whence: Whence::of(need), waiting: one, cases });
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

    /// The needs with unserved cases that a session could take by code and specialty, the most urgent first.
    fn queue(&self, of: &Resource) -> impl Iterator<Item = &Lacking> {
        let lists =
            of.specialties.iter().filter_map(|&specialty| self.waiting.get(&(of.code.clone(), specialty)));
        let mut lists: Vec<&[Lacking]> = lists.map(Vec::as_slice).collect();
        std::iter::from_fn(move || {
            let next = lists.iter().filter_map(|list| list.first()).min_by_key(|one| one.waiting)?;
            // A need that names two of the session's specialties is met once.
            for list in &mut lists {
                if list.first().is_some_and(|one| one.waiting == next.waiting) {
                    *list = &list[1..];
                }
            }
            Some(next)
        })
    }

    /// Those of them that `may` says may come: once for each case.
    pub(super) fn waiting(&self, of: &Resource, mut may: impl FnMut(&Lacking) -> bool) -> Vec<Waiting> {
        let may_come = self.queue(of).filter(|one| may(one));
        may_come.flat_map(|one| std::iter::repeat_n(one.waiting, one.cases as usize)).collect()
    }

    /// Says whether those who wait before a need and may come leave too little of a session for it that nobody lies in yet
    /// and that has so many minutes. `false` where only filling it tells.
    pub(super) fn is_crowded_out(
        &self,
        need: u32,
        offer: u32,
        of: &Resource,
        minutes: i64,
        mut may: impl FnMut(&Lacking) -> bool,
    ) -> bool {
        let is_used = |&session: &u32| !self.members[session as usize].is_empty();
        if !self.like.contains_key(&need) || self.of_offer.get(&offer).is_some_and(is_used) {
            return false;
        }
        let mine = self.as_waiting(need);
        let mut left = minutes;
        for one in self.queue(of).take_while(|one| one.waiting < mine) {
            if left < mine.size {
                break;
            }
            let cases = i64::from(one.cases).min(left / one.waiting.size);
            if cases > 0 && may(one) {
                left -= cases * one.waiting.size;
            }
        }
        left < mine.size
    }

    fn as_waiting(&self, need: u32) -> Waiting {
        let (case, at) = self.like[&need];
        Waiting::new(need, case, at)
    }

    /// Gives the minutes of a session to those who wait, as every plan promises: the most urgent first, each if it fits or if
    /// it outranks one that it can replace; whatever lies in other sessions stays there.
    pub(super) fn fill(&self, offer: u32, left: i64, waiting: &[Waiting]) -> Filled {
        let its = self.of_offer.get(&offer).map_or(&[][..], |&session| &self.members[session as usize]);
        let mut members: Vec<Waiting> = its.iter().map(|&need| self.as_waiting(need)).collect();
        let (mut left, mut waiting) = (left, waiting.to_vec());
        loop {
            let mut next = Vec::new();
            for &one in &waiting {
                if one.size > left {
                    let gives_way =
                        |other: &&Waiting| other.class > one.class && other.size >= one.size - left;
                    let order = |other: &Waiting| (other.class, Reverse(other.size), Reverse(other.need));
                    let Some(other) =
                        members.iter().filter(gives_way).max_by_key(|other| order(other)).copied()
                    else {
                        next.push(one);
                        continue;
                    };
                    take_one(&mut members, other);
                    left += other.size;
                    next.push(other);
                }
                members.push(one);
                left -= one.size;
            }
            if next.len() == waiting.len() && next == waiting {
                break;
            }
            next.sort_unstable();
            waiting = next;
        }
        let (mut came, mut went): (Vec<u32>, _) =
            (members.iter().map(|one| one.need).collect(), its.to_vec());
        went.retain(|&need| !take_one(&mut came, need));
        Filled { came, went, left }
    }
}

/// Takes one mention of a need out of a list; says whether there was one.
fn take_one<T: PartialEq>(needs: &mut Vec<T>, need: T) -> bool {
    let place = needs.iter().position(|other| *other == need);
    place.map(|place| needs.swap_remove(place)).is_some()
}
