//! Pressure: our own number of a trust and a resource, for people. It is never called OPEL, which trusts declare.

/// Returns the pressure, 1 to 4, from `net` = units free above the reserve less the units of the trust's own live needs,
/// and the units staffed. With m = max(2, a tenth of staffed): 1 when net ≥ m, 2 when net ≥ 0, 3 when net > −m, else 4.
#[must_use]
pub fn pressure(net: i64, staffed: u64) -> u8 {
    // Ten times everything, so that a tenth is exact.
    let (net, m) = (i128::from(net) * 10, i128::from(staffed).max(20));
    if net >= m {
        1
    } else if net >= 0 {
        2
    } else if net > -m {
        3
    } else {
        4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_at_m_zero_and_minus_m() {
        for (staffed, net, expected) in [
            (10, 2, 1),
            (10, 1, 2),
            (10, 0, 2),
            (10, -1, 3),
            (10, -2, 4),
            (0, 2, 1),
            (0, 0, 2),
            (35, 4, 1),
            (35, 3, 2),
            (35, -3, 3),
            (35, -4, 4),
            (40, 4, 1),
            (40, -4, 4),
            (u64::MAX, i64::MAX, 1),
        ] {
            assert_eq!(pressure(net, staffed), expected, "{staffed} staffed, net {net}");
        }
    }
}
