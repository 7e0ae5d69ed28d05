//! The first plan: the cases of most worth by the minute first, each in the cheapest session that still holds it.

use super::state::State;
use crate::matching::network::position;
use std::cmp::Reverse;

pub(super) fn fill(state: &mut State<'_>) {
    let mut order: Vec<u32> = (0..position(state.theatre.cases.len())).collect();
    order.sort_by_cached_key(|&case| {
        Reverse((state.worth[case as usize] << 10) / i128::from(state.size(case)))
    });
    for case in order {
        insert(state, case);
    }
}

/// Puts an unserved case into the cheapest session with room for it, the fullest of equals. Says whether there was one.
pub(super) fn insert(state: &mut State<'_>, case: u32) -> bool {
    !state.is_served(case) && settle_cheaper(state, case).is_some()
}

/// Puts a case into the cheapest session with room for it, the fullest of equals, if it is unserved or now lies in a dearer one.
/// Returns the session where it was put.
pub(super) fn settle_cheaper(state: &mut State<'_>, case: u32) -> Option<u32> {
    let size = state.size(case);
    let now = state.burden(case);
    let places = state.theatre.places_of(case as usize).iter();
    let place = places
        .filter(|place| now.is_none_or(|now| place.burden < now) && state.left(place.session) >= size)
        .min_by_key(|place| (place.burden, state.left(place.session), place.session));
    let place = *place?;
    if now.is_some() {
        state.take_out(case);
    }
    state.put(case, place.session, place.burden);
    Some(place.session)
}
