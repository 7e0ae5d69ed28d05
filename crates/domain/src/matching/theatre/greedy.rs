//! A first plan: the cases that are worth most a minute first, each to the cheapest session with room for it.

use super::Mode;
use super::lists::Lists;
use crate::matching::network::position;
use std::cmp::Reverse;

/// Serves whatever still fits, in order of worth a minute (in strict mode band by band).
pub(super) fn fill(lists: &mut Lists<'_>, mode: Mode) {
    let mut order: Vec<u32> = (0..position(lists.theatre.cases.len())).collect();
    order.sort_by_cached_key(|&case| {
        let its = &lists.theatre.cases[case as usize];
        let band = if mode == Mode::Strict { its.band } else { 0 };
        (
            band,
            Reverse((i128::from(lists.penalties[case as usize]) << 10) / i128::from(its.size.max(1))),
            case,
        )
    });
    for case in order {
        insert(lists, case);
    }
}

/// Puts an unserved case into the cheapest session with room for it, the fullest of equals. Says whether there was one.
pub(super) fn insert(lists: &mut Lists<'_>, case: u32) -> bool {
    if lists.is_served(case) {
        return false;
    }
    let size = lists.size(case);
    let places = lists.theatre.places_of(case as usize).iter();
    let place = places
        .filter(|place| lists.left(place.session) >= size)
        .min_by_key(|place| (place.burden, lists.left(place.session), place.session));
    let Some(&place) = place else { return false };
    lists.put(case, place.session, place.burden);
    true
}
