//! A case with the members that make room for it in its session.

use super::dice::Dice;
use super::packing::Packing;
use crate::matching::network::{NONE, position};

/// Members that one case may eject, at most.
const EJECTED: usize = 4;

/// A proposed change: a case, and where the members that make room for it go.
pub(super) struct Chain {
    /// The spot that the case comes from.
    from: u32,
    into: u32,
    /// Members that go, and the spot of each where it goes to.
    ejected: [(u32, u32); EJECTED],
    length: usize,
    /// What the whole change costs.
    change: i64,
}

impl Chain {
    /// A case that goes from a spot into a session, at so much more than where it lies.
    pub(super) fn new(from: u32, into: u32, change: i64) -> Self {
        Self { from, into, ejected: [(NONE, NONE); EJECTED], length: 0, change }
    }

    /// The members that go, and the spot of each where it goes to.
    pub(super) fn ejected(&self) -> &[(u32, u32)] {
        &self.ejected[..self.length]
    }

    /// Chooses who makes room: one member that is long enough (the one that costs least unserved, or any), else several
    /// from a place left to chance.
    pub(super) fn choose(&mut self, now: &Packing<'_>, wanted: i64, dice: &mut Dice) -> bool {
        let members = now.members(self.into);
        let size = |member: u32| now.part.spots[now.spot(member) as usize].size;
        let first = dice.below(members.len());
        let around = || members[first..].iter().chain(&members[..first]).copied();
        let mut long = around().filter(|&member| size(member) >= wanted);
        let one = match dice.bits() & 1 {
            0 => long.next(),
            _ => long.min_by_key(|&member| now.away[member as usize]),
        };
        if let Some(member) = one {
            self.ejected[0].0 = member;
            self.length = 1;
            return true;
        }
        let mut freed = 0;
        for member in around().take(EJECTED) {
            self.ejected[self.length].0 = member;
            self.length += 1;
            freed += size(member);
            if freed >= wanted {
                return true;
            }
        }
        false
    }

    /// Finds where each ejected member costs least. Says whether the whole change costs no more than the limit.
    pub(super) fn settle(&mut self, now: &Packing<'_>, limit: i64) -> bool {
        let part = now.part;
        let source = (self.from != NONE).then(|| part.spots[self.from as usize]);
        for at in 0..self.length {
            let member = self.ejected[at].0;
            self.change -= now.cost_of(member);
            let mut least = (now.away[member as usize], NONE);
            // The first may take the place that the case leaves.
            if at == 0
                && let Some(source) = source
                && let Some(spot) = part.spot_in(member as usize, source.session)
            {
                let its = part.spots[spot as usize];
                if now.left(source.session) + source.size >= its.size && its.cost < least.0 {
                    least = (its.cost, spot);
                }
            }
            if least.1 == NONE || self.change + least.0 > limit {
                let taken = &self.ejected[..at];
                let is_taken = |session: u32| {
                    session == self.into
                        || source.is_some_and(|source| source.session == session)
                        || taken
                            .iter()
                            .any(|&(_, spot)| spot != NONE && part.spots[spot as usize].session == session)
                };
                for spot in part.range_of(member as usize) {
                    let its = &part.spots[spot];
                    if its.cost < least.0 && now.left(its.session) >= its.size && !is_taken(its.session) {
                        least = (its.cost, position(spot));
                    }
                }
            }
            self.change += least.0;
            self.ejected[at].1 = least.1;
        }
        self.change <= limit
    }
}
