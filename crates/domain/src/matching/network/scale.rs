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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_outweighs_the_most_points_and_both_are_read_back() {
        for (levels, points) in [(1, 1), (300, 1 << 40), (1 << 20, 1 << 30), (0, (1 << 56) - 1)] {
            let scale = Scale::fitting(levels, points).unwrap();
            let most = i64::try_from(points).unwrap() - 1;
            let top = i64::try_from(levels).unwrap();
            for (level, points) in [(0, 0), (0, -most), (top, most), (top, -most)] {
                let price = Price { level, points };
                assert_eq!(scale.price(scale.cost::<i64>(price)), price);
                assert_eq!(Scale::WIDEST.price(Scale::WIDEST.cost::<i128>(price)), price);
            }
            let cost = |level, points| scale.cost::<i64>(Price { level, points });
            assert!(cost(1, -most) > cost(0, most), "{levels} levels, {points} points");
            assert!(cost(top, most) < i64::FAR / 4);
        }
    }

    #[test]
    fn what_would_run_over_does_not_fit() {
        assert_eq!(Scale::fitting(0, 1 << 56), None);
        assert_eq!(Scale::fitting(1, 1 << 55), None);
        assert_eq!(Scale::fitting(300, 1 << 47), None);
        assert_eq!(Scale::fitting(usize::MAX, 1), None);
    }

    #[test]
    fn the_widest_holds_the_first_class_and_the_dearest_unit() {
        let price = Price { level: super::super::level(0), points: super::super::DEAREST + (1 << 61) };
        assert_eq!(Scale::WIDEST.price(Scale::WIDEST.cost::<i128>(price)), price);
        let less = Price { level: price.level - 1, points: price.points };
        assert!(
            Scale::WIDEST.cost::<i128>(less)
                < Scale::WIDEST.cost::<i128>(Price { points: -price.points, ..price })
        );
        assert!(Scale::WIDEST.cost::<i128>(price) < i128::FAR / 4);
    }
}
