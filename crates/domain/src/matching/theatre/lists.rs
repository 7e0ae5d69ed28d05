//! Theatre lists in the making: which case lies in which session.

use super::{Mode, Theatre};
use crate::matching::network::{NONE, position};

pub(super) struct Lists<'a> {
    pub(super) theatre: &'a Theatre,
    /// What each case costs while it goes unserved.
    pub(super) penalties: Vec<i64>,
    session: Vec<u32>,
    burden: Vec<u32>,
    left: Vec<i64>,
    members: Vec<Vec<u32>>,
}

impl<'a> Lists<'a> {
    /// Empty lists.
    pub(super) fn new(theatre: &'a Theatre) -> Self {
        Self {
            theatre,
            penalties: theatre.penalties(),
            session: vec![NONE; theatre.cases.len()],
            burden: vec![0; theatre.cases.len()],
            left: theatre.rooms.clone(),
            members: vec![Vec::new(); theatre.rooms.len()],
        }
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

    /// The session of a case; [`NONE`] where it goes unserved.
    pub(super) fn session(&self, case: u32) -> u32 {
        self.session[case as usize]
    }

    pub(super) fn is_served(&self, case: u32) -> bool {
        self.session(case) != NONE
    }

    /// What the lists cost, to be compared: by band the penalties, in strict mode, then the rest of the surrogate.
    pub(super) fn worth(&self, mode: Mode) -> Vec<i64> {
        let mut worth = vec![0; usize::from(u8::MAX) + 2];
        let last = worth.len() - 1;
        for (case, its) in self.theatre.cases.iter().enumerate() {
            if self.session[case] != NONE {
                worth[last] += i64::from(self.burden[case]);
            } else {
                let at = if mode == Mode::Strict { usize::from(its.band) } else { last };
                worth[at] += self.penalties[case];
            }
        }
        worth
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

    pub(super) fn sessions(&self) -> Vec<Option<u32>> {
        self.session.iter().map(|&session| (session != NONE).then_some(session)).collect()
    }
}
