//! A bound that no plan can better, by pricing the minutes of each session (Lagrangian relaxation).

use super::Theatre;

/// What the surrogate of any plan is at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Points, with the penalties of the cases that no session can take.
    pub points: i64,
    /// Penalties of the cases that no session can take; part of every plan.
    pub unavoidable: i64,
}

/// Prices are kept in this fraction of a point.
const FINE: i64 = 1 << 12;

/// Finds a bound by `rounds` readings of all places; more rounds make it tighter. `reached` is the surrogate of a plan.
///
/// For whatever prices of the minutes, each case at its cheapest (unserved, or somewhere at burden and price) less what
/// all minutes would fetch is less than any plan; the prices only make it tight.
pub fn bound(theatre: &Theatre, reached: i64, rounds: u32) -> Bound {
    let penalties = theatre.penalties();
    let nowhere = |&case: &usize| theatre.places_of(case).is_empty();
    let unavoidable = (0..penalties.len()).filter(nowhere).map(|case| penalties[case]).sum();
    let mut prices = vec![0i64; theatre.rooms().len()];
    let mut taken = vec![0i64; prices.len()];
    let (mut best, mut stride, mut since) = (0i128, 1.0f64, 0);
    for _ in 0..rounds {
        taken.fill(0);
        let mut total = 0i128;
        for (case, &penalty) in penalties.iter().enumerate() {
            let size = theatre.cases()[case].size;
            let cost = |place: &super::Place| {
                i128::from(place.burden) * i128::from(FINE)
                    + i128::from(prices[place.session as usize]) * i128::from(size)
            };
            let penalty = i128::from(penalty) * i128::from(FINE);
            match theatre.places_of(case).iter().map(|place| (cost(place), place.session)).min() {
                Some((cost, session)) if cost < penalty => {
                    total += cost;
                    taken[session as usize] += size;
                }
                Some(_) | None => total += penalty,
            }
        }
        let fetched = |(price, room): (&i64, &i64)| i128::from(*price) * i128::from(*room);
        total -= prices.iter().zip(theatre.rooms()).map(fetched).sum::<i128>();
        since += 1;
        if total > best {
            (best, since) = (total, 0);
        } else if since >= 8 {
            (stride, since) = (stride / 2.0, 0);
        }
        move_prices(
            &mut prices,
            &taken,
            theatre.rooms(),
            stride,
            i128::from(reached) * i128::from(FINE) - total,
        );
    }
    let points = i64::try_from(best.div_euclid(i128::from(FINE))).unwrap_or(0);
    Bound { points: points.max(unavoidable), unavoidable }
}

/// Raises the prices of sessions that are wanted too much and lowers the others', by a stride in proportion to what is
/// still missing (Polyak's rule). Floating point only chooses where to look: the bound holds for any prices.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn move_prices(prices: &mut [i64], taken: &[i64], rooms: &[i64], stride: f64, missing: i128) {
    let over = |at: usize| (taken[at] - rooms[at]) as f64;
    let counts = |at: usize| prices[at] > 0 || taken[at] > rooms[at];
    let norm: f64 = (0..prices.len()).filter(|&at| counts(at)).map(|at| over(at) * over(at)).sum();
    if norm > 0.0 && missing > 0 {
        let factor = stride * missing as f64 / norm;
        for (at, price) in prices.iter_mut().enumerate() {
            *price = (*price + (factor * over(at)) as i64).max(0);
        }
    }
}
