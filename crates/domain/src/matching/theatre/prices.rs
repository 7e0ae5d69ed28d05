//! What a minute of each session is worth: the prices at which about as many minutes are wanted as there are.

use super::parts::Part;
use crate::matching::network::position;

/// Readings without a better bound after which the stride is shortened.
const PATIENCE: u32 = 20;

/// Finds a price of each session's minutes by Lagrangian relaxation of the room (Polyak's stride, aimed at `reached`,
/// the cost of a plan) in so many readings of all spots. Floating point only chooses where to look; nothing is promised of these prices.
#[allow(clippy::cast_precision_loss)] // sums of points far below 2^52
pub(super) fn prices(part: &Part, reached: f64, readings: u32) -> Vec<f64> {
    let mut prices = vec![critical(part); part.rooms.len()];
    let mut best = (f64::MIN, prices.clone());
    let mut wanted = vec![0.0f64; prices.len()];
    let (mut stride, mut since) = (1.0, 0);
    for _ in 0..readings {
        for (wanted, &room) in wanted.iter_mut().zip(&part.rooms) {
            *wanted = -(room as f64);
        }
        let mut total = 0.0;
        for case in 0..part.cases.len() {
            let mut least = (part.away[case] as f64, None);
            for spot in part.spots_of(case) {
                let cost = priced(spot.cost, spot.size, prices[spot.session as usize]);
                if cost < least.0 {
                    least = (cost, Some(spot));
                }
            }
            total += least.0;
            if let Some(spot) = least.1 {
                wanted[spot.session as usize] += spot.size as f64;
            }
        }
        total -= prices.iter().zip(&part.rooms).map(|(price, &room)| price * room as f64).sum::<f64>();
        since += 1;
        if total > best.0 {
            best.0 = total;
            best.1.copy_from_slice(&prices);
            since = 0;
        } else if since >= PATIENCE {
            (stride, since) = (stride * 0.7, 0);
            prices.copy_from_slice(&best.1);
        }
        let counts = |at: usize| prices[at] > 0.0 || wanted[at] > 0.0;
        let norm: f64 = (0..prices.len()).filter(|&at| counts(at)).map(|at| wanted[at] * wanted[at]).sum();
        let missing = (reached - total).min(best.0.abs() * 0.05).max(best.0.abs() * 0.002);
        if norm <= 0.0 {
            break;
        }
        for (price, wanted) in prices.iter_mut().zip(&wanted) {
            *price = (*price + stride * missing / norm * wanted).max(0.0);
        }
    }
    best.1
}

/// The spots of each case, the one that costs least at such prices first.
pub(super) fn order(part: &Part, prices: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..position(part.spots.len())).collect();
    for case in 0..part.cases.len() {
        order[part.range_of(case)].sort_by(|&a, &b| {
            let price = |spot: u32| {
                let spot = &part.spots[spot as usize];
                priced(spot.cost, spot.size, prices[spot.session as usize])
            };
            price(a).total_cmp(&price(b)).then(a.cmp(&b))
        });
    }
    order
}

/// What a case costs in a session at the price of its minutes.
#[allow(clippy::cast_precision_loss)]
pub(super) fn priced(cost: i64, size: i64, price: f64) -> f64 {
    cost as f64 + size as f64 * price
}

/// The worth of a minute at which all rooms together are just full, if any case could go anywhere.
#[allow(clippy::cast_precision_loss)]
fn critical(part: &Part) -> f64 {
    let density = |case: usize| {
        let spots = part.spots_of(case);
        let size = spots.iter().map(|spot| spot.size).min()?.max(1);
        let cost = spots.iter().map(|spot| spot.cost).min()?;
        Some(((part.away[case] - cost) as f64 / size as f64, size))
    };
    let mut cases: Vec<(f64, i64)> = (0..part.cases.len()).filter_map(density).collect();
    cases.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut left: i64 = part.rooms.iter().sum();
    for (worth, size) in cases {
        left -= size;
        if left <= 0 {
            return worth.max(0.0);
        }
    }
    0.0
}
