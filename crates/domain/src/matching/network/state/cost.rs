//! Costs and prices as numbers that add up and compare at once.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Shl, Shr, Sub, SubAssign};

/// A number that holds levels of service and points of burden together: a level outweighs any points.
///
/// The state only adds, takes away and compares. Whoever makes one chooses how wide its numbers are, and sees to it that
/// no sum leaves them (see [`Scale`](crate::matching::network::scale::Scale)).
pub(in crate::matching::network) trait Cost:
    Copy
    + Ord
    + Debug
    + Default
    + From<i64>
    + From<u32>
    + Add<Output = Self>
    + Sub<Output = Self>
    + AddAssign
    + SubAssign
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    /// Beyond every distance and price; the sum of two does not overflow.
    const FAR: Self;

    /// A number that an `i64` can hold.
    fn narrow(self) -> i64;
}

impl Cost for i64 {
    const FAR: Self = Self::MAX / 4;

    fn narrow(self) -> i64 {
        self
    }
}

impl Cost for i128 {
    const FAR: Self = Self::MAX / 4;

    fn narrow(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }
}
