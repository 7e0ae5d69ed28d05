//! What every plan promises, however short the search was: no unserved case fits what is left of a session, and none
//! could replace one case of a later class in a session that would then hold it.

use super::Theatre;
use super::greedy::insert;
use super::lists::Lists;
use crate::matching::network::position;
use std::cmp::Reverse;

/// Serves whatever fits and whatever outranks one case it can replace, until nothing does.
///
/// Ends, because each move serves one more case of a class at the cost of later classes only.
pub(super) fn settle(lists: &mut Lists<'_>) {
    let mut waiting: Vec<u32> =
        (0..position(lists.theatre.cases.len())).filter(|&case| !lists.is_served(case)).collect();
    loop {
        waiting.sort_by_key(|&case| (lists.theatre.cases[case as usize].class, case));
        let mut next = Vec::with_capacity(waiting.len());
        let mut changed = false;
        for &case in &waiting {
            if insert(lists, case) {
                changed = true;
            } else if let Some(replaced) = replace(lists, case) {
                changed = true;
                next.push(replaced);
            } else {
                next.push(case);
            }
        }
        waiting = next;
        if !changed {
            return;
        }
    }
}

/// Puts the case in the place of one of the latest class that it may replace, and returns that one.
fn replace(lists: &mut Lists<'_>, case: u32) -> Option<u32> {
    let (size, class) = (lists.size(case), lists.theatre.cases[case as usize].class);
    let mut candidates = Vec::new();
    for place in lists.theatre.places_of(case as usize) {
        let needed = size - lists.left(place.session);
        for &member in lists.members(place.session) {
            let its = &lists.theatre.cases[member as usize];
            if its.class > class && its.size >= needed {
                candidates.push((
                    its.class,
                    Reverse(place.burden),
                    Reverse(its.size),
                    Reverse(member),
                    *place,
                ));
            }
        }
    }
    let (.., Reverse(member), place) = candidates
        .into_iter()
        .max_by_key(|&(class, burden, size, member, _)| (class, burden, size, member))?;
    lists.take_out(member);
    lists.put(case, place.session, place.burden);
    Some(member)
}

/// Finds an unserved case and a session with which a plan breaks the promise; `None` when it keeps it.
pub fn broken_promise(theatre: &Theatre, sessions: &[Option<u32>]) -> Option<(usize, u32)> {
    let mut left = theatre.rooms.clone();
    let mut members = vec![Vec::new(); left.len()];
    for (case, session) in sessions.iter().enumerate() {
        if let Some(session) = *session {
            left[session as usize] -= theatre.cases[case].size;
            members[session as usize].push(case);
        }
    }
    let unserved = (0..sessions.len()).filter(|&case| sessions[case].is_none());
    for case in unserved {
        let its = theatre.cases[case];
        for place in theatre.places_of(case) {
            let left = left[place.session as usize];
            let replaces = |&other: &usize| {
                let other = theatre.cases[other];
                other.class > its.class && left + other.size >= its.size
            };
            if left >= its.size || members[place.session as usize].iter().any(replaces) {
                return Some((case, place.session));
            }
        }
    }
    None
}
