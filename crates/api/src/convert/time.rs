//! Times and lengths of time on the wire.

use jiff::{SignedDuration, Timestamp};

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the range of google.protobuf.Timestamp.
pub(crate) const FIRST_SECOND: i64 = -62_135_596_800;
/// See [`FIRST_SECOND`].
pub(crate) const LAST_SECOND: i64 = 253_402_300_799;

/// Returns a time of the wire, or `None` when it lies outside the years 1 to 9999 or its nanoseconds outside a second.
#[must_use]
pub fn from_wire(time: &prost_types::Timestamp) -> Option<Timestamp> {
    let is_time =
        (FIRST_SECOND..=LAST_SECOND).contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos);
    is_time.then(|| Timestamp::new(time.seconds, time.nanos).ok()).flatten()
}

/// Writes a time for the wire.
#[must_use]
pub fn to_wire(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = (time.as_second(), time.subsec_nanosecond());
    // Proto counts the fraction forwards, also before 1970.
    if nanos < 0 {
        prost_types::Timestamp { seconds: seconds - 1, nanos: nanos + 1_000_000_000 }
    } else {
        prost_types::Timestamp { seconds, nanos }
    }
}

/// Returns a length of time of the wire, or `None` when seconds and nanoseconds do not go together.
#[must_use]
pub fn span_from_wire(span: &prost_types::Duration) -> Option<SignedDuration> {
    let mixed = (span.seconds > 0 && span.nanos < 0) || (span.seconds < 0 && span.nanos > 0);
    let fits = span.nanos.unsigned_abs() < 1_000_000_000 && span.seconds.unsigned_abs() <= 315_576_000_000;
    (fits && !mixed).then(|| SignedDuration::new(span.seconds, span.nanos))
}

/// Writes a length of time for the wire.
#[must_use]
pub fn span_to_wire(span: SignedDuration) -> prost_types::Duration {
    prost_types::Duration { seconds: span.as_secs(), nanos: span.subsec_nanos() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_come_back(seconds in FIRST_SECOND..=LAST_SECOND, nanos in 0..1_000_000_000_i32) {
            let wire = prost_types::Timestamp { seconds, nanos };
            prop_assert_eq!(from_wire(&wire).map(to_wire), Some(wire));
        }

        #[test]
        fn lengths_come_back(nanoseconds in any::<i64>()) {
            let span = SignedDuration::from_nanos(nanoseconds);
            prop_assert_eq!(span_from_wire(&span_to_wire(span)), Some(span));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (seconds, nanos) in
            [(0, -1), (0, 1_000_000_000), (LAST_SECOND + 1, 0), (FIRST_SECOND - 1, 0), (i64::MAX, 0)]
        {
            assert_eq!(from_wire(&prost_types::Timestamp { seconds, nanos }), None);
        }
        for (seconds, nanos) in [(1, -1), (-1, 1), (0, 1_000_000_000), (0, i32::MIN), (i64::MIN, 0)] {
            assert_eq!(span_from_wire(&prost_types::Duration { seconds, nanos }), None);
        }
    }
}
