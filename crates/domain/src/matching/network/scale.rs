//! How levels of service and points of burden share one number.

use super::Price;
use super::state::Cost;

/// Says from which bit on a number holds a level; the bits below hold points.
///
/// A level outweighs any sum of points along a chain of moves only as long as those points stay below half of what a
/// level counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale(u32);

impl Scale {
    /// Holds every level and all points that there can be. A chain passes each store at most once, at less than 2^32
    /// points, and ends at no more than [`DEAREST`](super::DEAREST), so that with as many as 2^29 stores its points
    /// stay below 2^62.
    pub(super) const WIDEST: Self = Self(64);

    /// The scale on which an `i64` holds levels up to `levels` and points below `points` with room to add some up;
    /// `None` if it cannot.
    pub(super) fn fitting(levels: usize, points: i128) -> Option<Self> {
        let for_levels = usize::BITS - levels.leading_zeros();
        let bit = 58u32.checked_sub(for_levels)?;
        (points < 1i128 << bit.checked_sub(2)?).then_some(Self(bit))
    }

    /// Puts a level and points into one number.
    pub(super) fn cost<C: Cost>(self, price: Price) -> C {
        (C::from(price.level) << self.0) + C::from(price.points)
    }

    /// Takes a number apart; points may be below zero.
    pub(super) fn price<C: Cost>(self, cost: C) -> Price {
        let level = (cost + (C::from(1i64) << (self.0 - 1))) >> self.0;
        let points = cost - (level << self.0);
        Price { level: level.narrow(), points: points.narrow() }
    }
}
