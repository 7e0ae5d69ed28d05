//! The best answer of one session to all others: the members and unserved cases that are worth most in it together.

use super::knapsack::{Item, Knapsack};
use super::packing::Packing;
use super::parts::Part;
use crate::matching::network::{NONE, position};

/// Sweeps over all sessions, at most; few find anything.
const SWEEPS: u32 = 8;

/// Packs one session after the other as well as can be.
pub(super) struct Response {
    /// Who may go into each session: case and spot.
    guests: Vec<Vec<(u32, u32)>>,
    knapsack: Knapsack,
    items: Vec<Item>,
    taken: Vec<u32>,
}

impl Response {
    pub(super) fn new(part: &Part) -> Self {
        let mut guests = vec![Vec::new(); part.rooms.len()];
        for case in 0..part.cases.len() {
            for (spot, at) in part.spots_of(case).iter().zip(part.starts[case]..) {
                guests[spot.session as usize].push((position(case), at));
            }
        }
        Self { guests, knapsack: Knapsack::default(), items: Vec::new(), taken: vec![0; part.cases.len()] }
    }

    /// Packs all sessions again until none can do better while the others stay as they are.
    pub(super) fn settle(&mut self, now: &mut Packing<'_>) {
        for _ in 0..SWEEPS {
            let mut is_better = false;
            for session in 0..position(self.guests.len()) {
                is_better |= self.answer(now, session);
            }
            if !is_better {
                return;
            }
        }
    }

    /// Packs a session again. Says whether that made the plan cheaper.
    pub(super) fn answer(&mut self, now: &mut Packing<'_>, session: u32) -> bool {
        let guests = &self.guests[session as usize];
        let part = now.part;
        self.items.clear();
        for &(case, spot) in guests {
            let its = part.spots[spot as usize];
            let gain = now.away[case as usize] - its.cost;
            if gain > 0 && (now.spot(case) == NONE || now.spot(case) == spot) {
                self.items.push(Item { size: its.size, gain, case });
            }
        }
        let taken = &mut self.taken;
        self.knapsack.most(&mut self.items, part.rooms[session as usize], taken);
        // Counted by what was taken: the most is a bound where a session is too long to be packed exactly.
        let gain_of = |&(case, spot): &(u32, u32)| now.away[case as usize] - part.spots[spot as usize].cost;
        let after: i64 = guests.iter().filter(|guest| taken[guest.0 as usize] > 0).map(gain_of).sum();
        let before: i64 = guests.iter().filter(|guest| now.spot(guest.0) == guest.1).map(gain_of).sum();
        let is_better = after > before;
        if is_better {
            for &(case, spot) in guests {
                if now.spot(case) == spot && taken[case as usize] == 0 {
                    now.take_out(case);
                }
            }
            for &(case, spot) in guests {
                if now.spot(case) == NONE && taken[case as usize] > 0 {
                    now.put(case, spot);
                }
            }
        }
        for &(case, _) in guests {
            taken[case as usize] = 0;
        }
        is_better
    }
}
