//! A plan in the making: which case lies in which session, and what each is worth.

use super::{Mode, Theatre};
use crate::matching::network::{NONE, position};

/// A case that a session may hold.
#[derive(Clone, Copy)]
pub(super) struct Guest {
    pub(super) case: u32,
    pub(super) burden: u32,
}

pub(super) struct State<'a> {
    pub(super) theatre: &'a Theatre,
    /// What serving each case is worth before its burden.
    pub(super) worth: Vec<i128>,
    session: Vec<u32>,
    burden: Vec<u32>,
    left: Vec<i64>,
    members: Vec<Vec<u32>>,
    guest_starts: Vec<u32>,
    guests: Vec<Guest>,
}

/// Sessions that one step of search packs anew, at most.
pub(super) const SESSIONS_A_STEP: usize = 6;

/// The greatest worth: sums over the cases of one step stay far from overflow.
const WORTH_LIMIT: i128 = 1 << 100;

impl<'a> State<'a> {
    pub(super) fn new(theatre: &'a Theatre, mode: Mode) -> Self {
        let mut starts = vec![0u32; theatre.rooms.len() + 1];
        for place in &theatre.places {
            starts[place.session as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut guests = vec![Guest { case: NONE, burden: 0 }; theatre.places.len()];
        for case in 0..theatre.cases.len() {
            for place in theatre.places_of(case) {
                let at = &mut next[place.session as usize];
                guests[*at as usize] = Guest { case: position(case), burden: place.burden };
                *at += 1;
            }
        }
        Self {
            theatre,
            worth: worths(theatre, mode),
            session: vec![NONE; theatre.cases.len()],
            burden: vec![0; theatre.cases.len()],
            left: theatre.rooms.clone(),
            members: vec![Vec::new(); theatre.rooms.len()],
            guest_starts: starts,
            guests,
        }
    }

    /// The cases that a session may hold.
    pub(super) fn guests_of(&self, session: u32) -> &[Guest] {
        let (from, to) = (self.guest_starts[session as usize], self.guest_starts[session as usize + 1]);
        &self.guests[from as usize..to as usize]
    }

    /// The cases in a session.
    pub(super) fn members(&self, session: u32) -> &[u32] {
        &self.members[session as usize]
    }

    /// The minutes left in a session.
    pub(super) fn left(&self, session: u32) -> i64 {
        self.left[session as usize]
    }

    pub(super) fn size(&self, case: u32) -> i64 {
        self.theatre.cases[case as usize].size
    }

    pub(super) fn is_served(&self, case: u32) -> bool {
        self.session[case as usize] != NONE
    }

    /// Points of the case where it lies; `None` when unserved.
    pub(super) fn burden(&self, case: u32) -> Option<u32> {
        self.is_served(case).then(|| self.burden[case as usize])
    }

    /// What the case adds to the plan as it lies now; 0 when unserved.
    pub(super) fn gain(&self, case: u32) -> i128 {
        if self.is_served(case) {
            self.worth[case as usize] - i128::from(self.burden[case as usize])
        } else {
            0
        }
    }

    /// What all served cases add to the plan.
    pub(super) fn total_gain(&self) -> i128 {
        (0..position(self.session.len())).map(|case| self.gain(case)).sum()
    }

    /// Puts the cases where an earlier plan had them, as far as that still holds.
    pub(super) fn restore(&mut self, sessions: &[Option<u32>]) {
        for (case, session) in sessions.iter().enumerate().take(self.session.len()) {
            if let Some(session) = *session
                && let Some(burden) = self.theatre.burden(case, session)
                && self.left(session) >= self.size(position(case))
            {
                self.put(position(case), session, burden);
            }
        }
    }

    pub(super) fn put(&mut self, case: u32, session: u32, burden: u32) {
        self.session[case as usize] = session;
        self.burden[case as usize] = burden;
        self.left[session as usize] -= self.size(case);
        self.members[session as usize].push(case);
    }

    pub(super) fn take_out(&mut self, case: u32) {
        let session = std::mem::replace(&mut self.session[case as usize], NONE) as usize;
        self.left[session] += self.size(case);
        if let Some(at) = self.members[session].iter().position(|&member| member == case) {
            self.members[session].swap_remove(at);
        }
    }

    /// Empties a session into `out`, each case with its session and burden.
    pub(super) fn empty(&mut self, session: u32, out: &mut Vec<(u32, u32, u32)>) {
        for case in std::mem::take(&mut self.members[session as usize]) {
            out.push((case, session, self.burden[case as usize]));
            self.session[case as usize] = NONE;
        }
        self.left[session as usize] = self.theatre.rooms[session as usize];
    }

    pub(super) fn sessions(&self) -> Vec<Option<u32>> {
        self.session.iter().map(|&session| (session != NONE).then_some(session)).collect()
    }
}

/// What serving each case is worth. In strict mode one case of a band outweighs all cases of later bands that a step
/// of search can trade for it.
fn worths(theatre: &Theatre, mode: Mode) -> Vec<i128> {
    let penalties = theatre.penalties();
    let plain = |case: usize| i128::from(penalties[case]);
    if mode == Mode::Weighted {
        return (0..penalties.len()).map(plain).collect();
    }
    let shortest = theatre.cases.iter().map(|case| case.size).min().unwrap_or(1).max(1);
    let longest = theatre.rooms.iter().copied().max().unwrap_or(0);
    let at_once = i128::from(longest / shortest) * SESSIONS_A_STEP as i128;
    let mut bands: Vec<u8> = theatre.cases.iter().map(|case| case.band).collect();
    bands.sort_unstable();
    bands.dedup();
    let mut worth = vec![0; penalties.len()];
    let mut factor = 1i128;
    for band in bands.into_iter().rev() {
        let of_band = |&case: &usize| theatre.cases[case].band == band;
        let its: Vec<usize> = (0..penalties.len()).filter(of_band).collect();
        let most = its.iter().map(|&case| plain(case)).max().unwrap_or(1);
        for case in its {
            worth[case] = plain(case).saturating_mul(factor).min(WORTH_LIMIT);
        }
        // Beyond the limit bands are no longer told apart by worth, only by the promise.
        factor = factor.saturating_mul(most.saturating_mul(at_once + 1)).min(WORTH_LIMIT);
    }
    worth
}
