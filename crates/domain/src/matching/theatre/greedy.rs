//! The first plan: the cases of most worth by the minute first, each in the cheapest session that still holds it.

use super::state::State;
use crate::matching::network::position;
use std::cmp::Reverse;

pub(super) fn fill(state: &mut State<'_>) {
    let mut order: Vec<u32> = (0..position(state.theatre.cases.len())).collect();
    order.sort_by_cached_key(|&case| Reverse((state.worth[case as usize] << 10) / i128::from(state.size(case))));
    for case in order {
        insert(state, case);
    }
}

/// Puts an unserved case into the cheapest session with room for it, the fullest of equals. Says whether there was one.
pub(super) fn insert(state: &mut State<'_>, case: u32) -> bool {
    let size = state.size(case);
    let places = state.theatre.places_of(case as usize).iter();
    let place = places
        .filter(|place| state.left(place.session) >= size)
        .min_by_key(|place| (place.burden, state.left(place.session), place.session));
    let Some(&place) = place else { return false };
    state.put(case, place.session, place.burden);
    true
}
