//! The classical generalised assignment problem: every job to one agent, within each agent's capacity, at least cost.
//!
//! It is the theatre's problem with one difference: nothing may go unserved. The theatre's search works on it, side by
//! side with one through plans in which agents do too much; the better plan counts. This shows how the search stands
//! beside published work.

use super::Mode;
use super::anneal::Search;
use super::overload::Overload;
use super::parts::{Part, Spot};
use super::phases::Cooling;
use super::rounds::{self, Walk};
use crate::matching::network::{NONE, position};

/// Jobs, agents, and what each job costs and uses with each agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// What each agent has, 0 or more.
    pub capacities: Vec<u32>,
    /// For each agent the cost of each job.
    pub costs: Vec<Vec<u32>>,
    /// For each agent what each job uses of its capacity.
    pub uses: Vec<Vec<u32>>,
}

/// A plan in which every job has an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// What it costs.
    pub cost: u64,
    /// The agent of each job.
    pub agents: Vec<u32>,
    /// Steps of search done.
    pub steps: u64,
}

/// How the temperature falls, in per mille of the mean cost of a job: agents differ far less in cost than serving a
/// case does from not serving it.
const FROM: i64 = 80;
const TO: i64 = 13;

impl Assignment {
    /// Returns the best plan found with `budget` steps of search or until `should_stop`; `None` when no plan was found in
    /// which every job has an agent. The same problem, seed and number of steps done give the same plan.
    pub fn solve(&self, budget: u64, seed: u64, should_stop: &mut dyn FnMut() -> bool) -> Option<Assigned> {
        let part = self.part();
        if part.cases.is_empty() {
            return Some(Assigned { cost: 0, agents: Vec::new(), steps: 0 });
        }
        if (0..part.cases.len()).any(|job| part.spots_of(job).is_empty()) {
            return None;
        }
        let mean = part.spots.iter().map(|spot| spot.cost).sum::<i64>()
            / i64::from(position(part.spots.len())).max(1)
            + 1;
        let cooling = Cooling { cost: Some(mean), from: FROM, to: TO };
        let nowhere = vec![NONE; part.cases.len()];
        let mut ejecting = Search::new(&part, Mode::Weighted, cooling, nowhere, rounds::seed_of(seed, 0));
        let mut overloading = Overload::new(&part, rounds::seed_of(seed, 1));
        // What is small has been solved by now.
        let steps = if ejecting.is_finished() {
            0
        } else {
            rounds::run(&mut [&mut ejecting, &mut overloading], budget, should_stop)
        };
        let (worth, spots) = ejecting.finish();
        let (_, spots) = overloading.finish().into_iter().chain([(worth.iter().sum(), spots)]).min()?;
        let chosen: Option<Vec<Spot>> =
            spots.iter().map(|&spot| part.spots.get(spot as usize).copied()).collect();
        let chosen = chosen?;
        let cost = chosen.iter().map(|spot| u64::try_from(spot.cost).unwrap_or(0)).sum();
        Some(Assigned { cost, agents: chosen.iter().map(|spot| spot.session).collect(), steps })
    }

    fn part(&self) -> Part {
        // More than any plan costs in which all jobs are done.
        let dearest = |job: usize| self.costs.iter().map(|row| i64::from(row[job])).max().unwrap_or(0);
        let jobs = self.costs.first().map_or(0, Vec::len);
        let away = (0..jobs).map(dearest).sum::<i64>() + 1;
        let mut part =
            Part { rooms: self.capacities.iter().map(|&room| i64::from(room)).collect(), ..Part::default() };
        part.sessions = (0..position(part.rooms.len())).collect();
        for job in 0..jobs {
            let spot = |agent: usize| Spot {
                session: position(agent),
                cost: i64::from(self.costs[agent][job]),
                size: i64::from(self.uses[agent][job]),
            };
            let spots = (0..part.rooms.len()).map(spot);
            let rooms = part.rooms.clone();
            let spots = spots.filter(|spot| spot.size <= rooms[spot.session as usize]);
            part.add(position(job), away, 0, spots);
        }
        part
    }
}
