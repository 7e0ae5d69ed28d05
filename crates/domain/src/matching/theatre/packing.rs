//! A plan of one part in the making: which case lies in which session, kept so that a change costs little.

use super::parts::Part;
use crate::matching::network::{NONE, position};

pub(super) struct Packing<'a> {
    pub(super) part: &'a Part,
    /// What each case costs while unserved, as the search sees it now.
    pub(super) away: Vec<i64>,
    spots: Vec<u32>,
    left: Vec<i64>,
    members: Vec<Vec<u32>>,
    cost: i64,
}

impl<'a> Packing<'a> {
    /// An empty plan.
    pub(super) fn new(part: &'a Part) -> Self {
        Self {
            part,
            away: part.away.clone(),
            spots: vec![NONE; part.cases.len()],
            left: part.rooms.clone(),
            members: vec![Vec::new(); part.rooms.len()],
            cost: part.away.iter().sum(),
        }
    }

    /// What the plan costs: cases where they lie, and those that go unserved.
    pub(super) fn cost(&self) -> i64 {
        self.cost
    }

    /// The spot of each case, [`NONE`] where it goes unserved.
    pub(super) fn spots(&self) -> &[u32] {
        &self.spots
    }

    pub(super) fn spot(&self, case: u32) -> u32 {
        self.spots[case as usize]
    }

    /// What is left of a session's room.
    pub(super) fn left(&self, session: u32) -> i64 {
        self.left[session as usize]
    }

    pub(super) fn members(&self, session: u32) -> &[u32] {
        &self.members[session as usize]
    }

    pub(super) fn cost_of(&self, case: u32) -> i64 {
        match self.spot(case) {
            NONE => self.away[case as usize],
            spot => self.part.spots[spot as usize].cost,
        }
    }

    /// Says that a case costs so much while it goes unserved.
    pub(super) fn set_away(&mut self, case: u32, away: i64) {
        if self.spot(case) == NONE {
            self.cost += away - self.away[case as usize];
        }
        self.away[case as usize] = away;
    }

    pub(super) fn put(&mut self, case: u32, spot: u32) {
        let its = self.part.spots[spot as usize];
        self.left[its.session as usize] -= its.size;
        self.members[its.session as usize].push(case);
        self.cost += its.cost - self.away[case as usize];
        self.spots[case as usize] = spot;
    }

    pub(super) fn take_out(&mut self, case: u32) {
        let spot = std::mem::replace(&mut self.spots[case as usize], NONE);
        let its = self.part.spots[spot as usize];
        self.left[its.session as usize] += its.size;
        self.cost += self.away[case as usize] - its.cost;
        let members = &mut self.members[its.session as usize];
        if let Some(at) = members.iter().position(|&member| member == case) {
            members.swap_remove(at);
        }
    }

    /// Lays the cases where an earlier plan had them.
    pub(super) fn restore(&mut self, spots: &[u32]) {
        for case in 0..position(self.spots.len()) {
            if self.spot(case) != NONE {
                self.take_out(case);
            }
        }
        for (case, &spot) in (0..).zip(spots) {
            if spot != NONE {
                self.put(case, spot);
            }
        }
    }
}
