//! A bound that no plan can better, by pricing the cases (Lagrangian relaxation).
//!
//! For whatever prices of the cases, let each session take the cases that together save most over their prices,
//! as if other sessions did not want them too: one knapsack for each session. What all cases cost unserved, less the prices,
//! less what the sessions save, is no more than any plan costs. This bound is as tight as that of column generation.

use rayon::prelude::*;

use super::Theatre;
use super::knapsack::{Item, Knapsack};
use super::parts::{Part, parts};
use super::prices::{priced, prices};

/// What the surrogate of any plan is at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Points, with the penalties of the cases that no session can take.
    pub points: i64,
    /// Penalties of the cases that no session can take; part of every plan.
    pub unavoidable: i64,
}

/// Prices are kept in this fraction of a point.
const FINE: i64 = 1 << 6;

/// Readings of all spots that are spent on the first prices; each costs a small part of a round.
const READINGS: u32 = 2000;

/// Readings without a better bound after which the stride is shortened.
const PATIENCE: u32 = 15;

/// What counts as better: a gain of one part in so many.
const WORTH_WAITING: i64 = 50_000;

/// What a stride is multiplied by when it leads nowhere.
const SHORTER: f64 = 0.7;

/// How much of the last direction a new one keeps.
const MOMENTUM: f64 = 0.9;

/// Finds a bound by `rounds` readings of all places; more rounds make it tighter. `reached` is the surrogate of a plan,
/// which tells how far there is to go.
///
/// A round takes some tenths of a microsecond for each place.
pub fn bound(theatre: &Theatre, reached: i64, rounds: u32) -> Bound {
    let penalties = theatre.penalties();
    let nowhere = |&case: &usize| theatre.places_of(case).is_empty();
    let unavoidable: i64 = (0..penalties.len()).filter(nowhere).map(|case| penalties[case]).sum();
    let all: i64 = penalties.iter().sum();
    let parts = parts(theatre);
    let mut relaxed: Vec<Relaxed<'_>> = parts
        .par_iter()
        .map(|part| {
            let away = part.away.iter().sum::<i64>();
            let share = to_float(away) / to_float((all - unavoidable).max(1));
            Relaxed::new(part, share * to_float(reached - unavoidable))
        })
        .collect();
    let (mut stride, mut since, mut best) = (1.0f64, 0, 0);
    for _ in 0..rounds {
        relaxed.par_iter_mut().for_each(Relaxed::read);
        let total: i64 = relaxed.iter().map(|part| part.total).sum();
        let ahead: i64 = relaxed.iter().map(|part| part.best).sum();
        let missing = (reached - unavoidable) * FINE - total;
        if missing <= 0 {
            break;
        }
        since += 1;
        if ahead - best > ahead / WORTH_WAITING {
            (best, since) = (ahead, 0);
        }
        if since >= PATIENCE {
            (stride, since) = (stride * SHORTER, 0);
            relaxed.par_iter_mut().for_each(Relaxed::go_back);
        } else {
            let share = |part: &Relaxed<'_>| {
                stride * to_float(missing) * to_float(part.total) / to_float(total.max(1))
            };
            relaxed.par_iter_mut().for_each(|part| part.move_prices(share(part).max(0.0)));
        }
    }
    Bound { points: unavoidable + relaxed.iter().map(Relaxed::points).sum::<i64>(), unavoidable }
}

/// A part whose sessions may all want the same case.
struct Relaxed<'a> {
    part: &'a Part,
    /// The guests of each session: case and spot.
    guests: Vec<Vec<(u32, u32)>>,
    /// The price of each case, in fractions of a point.
    prices: Vec<i64>,
    direction: Vec<f64>,
    /// How many sessions took each case at the last prices, and the bound that follows, in fractions of a point.
    taken: Vec<u32>,
    total: i64,
    /// The best bound so far, and its prices.
    best: i64,
    best_prices: Vec<i64>,
    knapsack: Knapsack,
    items: Vec<Item>,
}

impl<'a> Relaxed<'a> {
    fn new(part: &'a Part, reached: f64) -> Self {
        let mut guests = vec![Vec::new(); part.rooms.len()];
        for (case, at) in (0..part.cases.len()).zip(0u32..) {
            for (spot, position) in part.spots_of(case).iter().zip(part.starts[case]..) {
                guests[spot.session as usize].push((at, position));
            }
        }
        let prices = first_prices(part, reached);
        Self {
            part,
            guests,
            best_prices: prices.clone(),
            direction: vec![0.0; prices.len()],
            taken: vec![0; prices.len()],
            prices,
            total: 0,
            best: 0,
            knapsack: Knapsack::default(),
            items: Vec::new(),
        }
    }

    /// Finds the bound at the prices: exact, in whole numbers.
    fn read(&mut self) {
        let part = self.part;
        self.taken.fill(0);
        self.total = part.away.iter().sum::<i64>() * FINE - self.prices.iter().sum::<i64>();
        for (guests, &room) in self.guests.iter().zip(&part.rooms) {
            self.items.clear();
            for &(case, spot) in guests {
                let spot = part.spots[spot as usize];
                let gain = (part.away[case as usize] - spot.cost) * FINE - self.prices[case as usize];
                if gain > 0 {
                    self.items.push(Item { size: spot.size, gain, case });
                }
            }
            self.total -= self.knapsack.most(&mut self.items, room, &mut self.taken);
        }
        if self.total > self.best {
            self.best = self.total;
            self.best_prices.copy_from_slice(&self.prices);
        }
    }

    /// The best bound in whole points: a plan costs whole points, so that a fraction counts as one more.
    fn points(&self) -> i64 {
        self.best.div_euclid(FINE) + i64::from(self.best.rem_euclid(FINE) > 0)
    }

    fn go_back(&mut self) {
        self.prices.copy_from_slice(&self.best_prices);
        self.direction.fill(0.0);
    }

    /// Raises the prices of cases that several sessions want and lowers those of cases that none wants, by a stride in
    /// proportion to what is hoped for. Floating point only chooses where to look: the bound holds for any prices.
    #[allow(clippy::cast_possible_truncation)]
    fn move_prices(&mut self, hoped: f64) {
        let mut norm = 0.0;
        for ((slope, &taken), &price) in self.direction.iter_mut().zip(&self.taken).zip(&self.prices) {
            let pull = f64::from(taken) - 1.0;
            let is_at_end = price <= 0 && pull < 0.0;
            *slope = MOMENTUM * *slope + if is_at_end { 0.0 } else { pull };
            if price > 0 || *slope > 0.0 {
                norm += *slope * *slope;
            }
        }
        if norm > 0.0 {
            let factor = hoped / norm;
            for ((price, slope), &away) in self.prices.iter_mut().zip(&self.direction).zip(&self.part.away) {
                *price = (*price + (factor * *slope) as i64).clamp(0, away * FINE);
            }
        }
    }
}

/// What each case saves at the prices of minutes, in fractions of a point.
#[allow(clippy::cast_possible_truncation)] // saturates; any prices will do
fn first_prices(part: &Part, reached: f64) -> Vec<i64> {
    let minutes = prices(part, reached, READINGS);
    let price = |case: usize| {
        let cost = part.spots_of(case).iter();
        let cost = cost.map(|spot| priced(spot.cost, spot.size, minutes[spot.session as usize]));
        ((to_float(part.away[case]) - cost.fold(f64::INFINITY, f64::min)).max(0.0) * to_float(FINE)) as i64
    };
    (0..part.cases.len()).map(price).collect()
}

#[allow(clippy::cast_precision_loss)] // chooses where to look
fn to_float(points: i64) -> f64 {
    points as f64
}
