//! A search for problems in which nothing may go unserved: annealing through plans in which sessions hold too much.
//!
//! Where all must be served and room is short, plans that hold together lie far apart. This search walks between them: a proposal
//! moves one case, or lets two change places, and room that is overdrawn costs a toll. The toll is a multiple of what
//! room is worth in each session (its price), small at first and prohibitive when the temperature has fallen.

use super::dice::{Dice, Patience, below};
use super::parts::Part;
use super::phases::between;
use super::prices::{order, prices};
use super::rounds::Walk;
use crate::matching::network::{NONE, position};

/// Proposals in one step of search.
const PROPOSALS_A_STEP: u64 = 256;

/// Proposals for each case in the first cycle; each further cycle is twice as long.
const FIRST_CYCLE: u64 = 2048;

/// Cycles in a row after which a search that found nothing better gives up.
const BARREN_CYCLES: u32 = 8;

/// Temperatures, as shares of what the room of a mean case is worth: every other cycle starts from a hotter one.
const HOT: [f64; 2] = [0.02, 0.1];
const COLD: f64 = 0.003;

/// What a unit of overdrawn room costs, from and to, in multiples of its price.
const TOLL: (f64, f64) = (0.7, 30.0);

/// Changes of temperature and toll in one cycle, as a power of two.
const CHANGES: u32 = 10;

/// Points are counted in this fraction, so that tolls below one point count.
const FINE: i64 = 64;

/// Members of a session of which the best is chosen to change places.
const PARTNERS: usize = 20;

/// Readings of all spots that are spent on prices.
const READINGS: u32 = 400;

pub(super) struct Overload<'a> {
    part: &'a Part,
    /// The spot of each case.
    spots: Vec<u32>,
    /// What is left of each session's room; below 0 where it holds too much.
    left: Vec<i64>,
    members: Vec<Vec<u32>>,
    /// Where each case stands among the members of its session.
    standing: Vec<u32>,
    cost: i64,
    overdrawn: i64,
    /// The spots of each case, the one that costs least at the prices of room first.
    order: Vec<u32>,
    /// What a unit of each session's room is worth, never nothing.
    prices: Vec<f64>,
    /// What a unit of each session's overdrawn room costs now, in fractions of a point.
    tolls: Vec<i64>,
    /// What the room of a mean case is worth.
    worth: f64,
    dice: Dice,
    patience: Patience,
    /// Proposals made in this cycle.
    made: u64,
    cycle: u32,
    barren: u32,
    /// The cheapest plan so far in which no session holds too much.
    best: Option<(i64, Vec<u32>)>,
    is_better: bool,
}

impl<'a> Overload<'a> {
    /// Begins with each case where it costs least; each must have a spot.
    #[allow(clippy::cast_precision_loss)] // chooses where to look
    pub(super) fn new(part: &'a Part, seed: u64) -> Self {
        let sessions = i64::from(position(part.rooms.len())).max(1);
        let mean_cost = part.spots.iter().map(|spot| spot.cost).sum::<i64>() / sessions;
        let mut prices = prices(part, mean_cost as f64, READINGS);
        let order = order(part, &prices);
        let mean = prices.iter().sum::<f64>() / sessions as f64;
        for price in &mut prices {
            *price = price.max(mean / 2.0).max(1e-3);
        }
        let size = part.spots.iter().map(|spot| spot.size).sum::<i64>() as f64;
        let mut search = Self {
            part,
            spots: vec![NONE; part.cases.len()],
            left: part.rooms.clone(),
            members: vec![Vec::new(); part.rooms.len()],
            standing: vec![0; part.cases.len()],
            cost: 0,
            overdrawn: 0,
            tolls: vec![0; prices.len()],
            worth: mean.max(1e-3) * (size / part.spots.len().max(1) as f64).max(1.0),
            order,
            prices,
            dice: Dice::new(seed),
            patience: Patience::new(),
            made: 0,
            cycle: 0,
            barren: 0,
            best: None,
            is_better: false,
        };
        for case in 0..part.cases.len() {
            search.put(position(case), search.order[part.range_of(case).start]);
        }
        search
    }

    fn put(&mut self, case: u32, spot: u32) {
        let its = self.part.spots[spot as usize];
        self.draw(its.session, its.size);
        let members = &mut self.members[its.session as usize];
        self.standing[case as usize] = position(members.len());
        members.push(case);
        self.cost += its.cost;
        self.spots[case as usize] = spot;
    }

    fn take_out(&mut self, case: u32) {
        let its = self.part.spots[self.spots[case as usize] as usize];
        self.draw(its.session, -its.size);
        let members = &mut self.members[its.session as usize];
        let standing = self.standing[case as usize];
        members.swap_remove(standing as usize);
        if let Some(&moved) = members.get(standing as usize) {
            self.standing[moved as usize] = standing;
        }
        self.cost -= its.cost;
    }

    fn draw(&mut self, session: u32, size: i64) {
        let left = &mut self.left[session as usize];
        self.overdrawn -= (-*left).max(0);
        *left -= size;
        self.overdrawn += (-*left).max(0);
    }

    /// What the toll of a session changes by when so much more of its room is taken.
    fn toll(&self, session: u32, more: i64) -> i64 {
        let left = self.left[session as usize];
        self.tolls[session as usize] * ((more - left).max(0) - (-left).max(0))
    }

    /// Sets the temperature and the tolls for this part of the cycle, and returns the temperature.
    fn cool(&mut self, length: u64) -> f64 {
        let share = ((self.made << CHANGES) / length.max(1)).min((1 << CHANGES) - 1);
        let toll = between(TOLL.0, TOLL.1, share, CHANGES) * to_float(FINE);
        for (now, price) in self.tolls.iter_mut().zip(&self.prices) {
            *now = to_points(price * toll).max(1);
        }
        let hot = HOT[usize::from(!self.cycle.is_multiple_of(2))];
        between(hot, COLD, share, CHANGES) * self.worth * to_float(FINE)
    }

    /// Proposes that a case goes elsewhere or changes places, and does so if it is worth it at this temperature.
    fn propose(&mut self, temperature: f64) {
        let part = self.part;
        let chance = self.dice.bits();
        let case = position(below(chance, part.cases.len()));
        let range = part.range_of(case as usize);
        let rank = match chance & 1 {
            0 => self.dice.below(range.len()),
            _ => ((chance >> 1) | 1 << 30).trailing_zeros() as usize / 2,
        };
        let from = self.spots[case as usize];
        if rank >= range.len() || self.order[range.start + rank] == from {
            return;
        }
        let into = self.order[range.start + rank];
        let (old, new) = (part.spots[from as usize], part.spots[into as usize]);
        let bits = self.dice.bits();
        let limit = to_points(temperature * self.patience.of(bits));
        let change = FINE * (new.cost - old.cost);
        if bits & 1 == 0 {
            let change = change + self.toll(new.session, new.size) + self.toll(old.session, -old.size);
            if change <= limit {
                self.take_out(case);
                self.put(case, into);
            }
            return;
        }
        let members = &self.members[new.session as usize];
        let first = self.dice.below(members.len());
        let mut least = (limit + 1, NONE, NONE);
        for &other in members[first..].iter().chain(&members[..first]).take(PARTNERS) {
            let Some(back) = part.spot_in(other as usize, old.session) else { continue };
            let (here, there) = (part.spots[self.spots[other as usize] as usize], part.spots[back as usize]);
            let change = change
                + FINE * (there.cost - here.cost)
                + self.toll(new.session, new.size - here.size)
                + self.toll(old.session, there.size - old.size);
            if change < least.0 {
                least = (change, other, back);
            }
        }
        let (_, other, back) = least;
        if other != NONE {
            self.take_out(case);
            self.take_out(other);
            self.put(case, into);
            self.put(other, back);
        }
    }

    fn keep(&mut self) {
        match &mut self.best {
            Some((cost, spots)) => {
                *cost = self.cost;
                spots.copy_from_slice(&self.spots);
            }
            None => self.best = Some((self.cost, self.spots.clone())),
        }
        self.is_better = true;
    }

    /// Ends the search and returns the best plan, if one was found, with its cost.
    pub(super) fn finish(self) -> Option<(i64, Vec<u32>)> {
        self.best
    }
}

impl Walk for Overload<'_> {
    fn weight(&self) -> u64 {
        u64::from(position(self.part.cases.len()))
    }

    fn is_finished(&self) -> bool {
        self.best.is_some() && self.barren >= BARREN_CYCLES
    }

    fn advance(&mut self, steps: u64) -> u64 {
        for _ in 0..steps {
            let length = (self.weight() * FIRST_CYCLE) << self.cycle.min(30);
            let temperature = self.cool(length);
            for _ in 0..PROPOSALS_A_STEP {
                self.propose(temperature);
                if self.overdrawn == 0 && self.best.as_ref().is_none_or(|best| self.cost < best.0) {
                    self.keep();
                }
            }
            self.made += PROPOSALS_A_STEP;
            if self.made >= length {
                self.barren = if self.is_better { 0 } else { self.barren + 1 };
                (self.made, self.is_better) = (0, false);
                self.cycle += 1;
            }
        }
        steps
    }
}

#[allow(clippy::cast_precision_loss)] // far below 2^52
fn to_float(points: i64) -> f64 {
    points as f64
}

#[allow(clippy::cast_possible_truncation)] // saturates, which is meant
fn to_points(value: f64) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::theatre::parts::Spot;

    /// Forty jobs and five agents that can only just do them all.
    fn tight() -> Part {
        let mut part = Part { rooms: vec![84; 5], sessions: (0..5).collect(), ..Part::default() };
        for job in 0..40 {
            let size = |agent: u32| i64::from(5 + (job * 7 + agent * 3) % 11);
            let spot = |agent| Spot {
                session: agent,
                cost: 30 - 2 * size(agent) + i64::from(job % 3),
                size: size(agent),
            };
            part.add(job, 10_000, 0, (0..5).map(spot));
        }
        part
    }

    /// What the search counts as it goes is what its plan comes to, and no plan that it keeps is overdrawn.
    #[test]
    fn what_is_counted_is_what_there_is() {
        let part = tight();
        let mut search = Overload::new(&part, 5);
        let mut was_overdrawn = false;
        let come_to = |spots: &[u32]| {
            let (mut left, mut cost) = (part.rooms.clone(), 0);
            for &spot in spots {
                let its = part.spots[spot as usize];
                left[its.session as usize] -= its.size;
                cost += its.cost;
            }
            (cost, left)
        };
        for _ in 0..2_000 {
            assert_eq!(search.advance(1), 1);
            let (cost, left) = come_to(&search.spots);
            let overdrawn = left.iter().map(|&left| (-left).max(0)).sum::<i64>();
            assert_eq!((search.cost, search.overdrawn, &search.left), (cost, overdrawn, &left));
            for (session, members) in search.members.iter().enumerate() {
                let lies = |&case: &u32| {
                    part.spots[search.spots[case as usize] as usize].session as usize == session
                };
                assert!(members.iter().all(lies));
            }
            was_overdrawn |= overdrawn > 0;
        }
        assert!(was_overdrawn, "the search never walked through an overdrawn plan");
        let (cost, spots) = search.finish().expect("a plan that holds");
        let (came_to, left) = come_to(&spots);
        assert_eq!(cost, came_to);
        assert!(left.iter().all(|&left| left >= 0), "{left:?}");
    }

    #[test]
    fn the_same_seed_and_steps_give_the_same_plan() {
        let part = tight();
        let found = |seed, rounds: [u64; 2]| {
            let mut search = Overload::new(&part, seed);
            for steps in rounds {
                search.advance(steps);
            }
            (search.spots.clone(), search.finish())
        };
        assert_eq!(found(1, [300, 200]), found(1, [10, 490]));
        assert!((2..12).any(|seed| found(seed, [0, 3]) != found(1, [0, 3])));
    }
}
