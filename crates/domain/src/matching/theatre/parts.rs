//! The theatre in independent parts: cases and sessions that no case joins to another part, searched side by side.

use super::Theatre;
use crate::matching::network::{NONE, position};

/// A session that may hold a case of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The session, by its position in the part.
    pub(super) session: u32,
    /// What the case costs there.
    pub(super) cost: i64,
    /// What it takes of the session's room.
    pub(super) size: i64,
}

/// Cases that compete for the same sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// The cases of the part, by their position in the theatre.
    pub(super) cases: Vec<u32>,
    /// The sessions of the part, by their position in the theatre.
    pub(super) sessions: Vec<u32>,
    pub(super) rooms: Vec<i64>,
    /// The spots of each case lie together, by session.
    pub(super) spots: Vec<Spot>,
    pub(super) starts: Vec<u32>,
    /// What each case costs while it goes unserved.
    pub(super) away: Vec<i64>,
    pub(super) bands: Vec<u8>,
}

impl Part {
    /// The spots of a case, as a range of positions.
    pub(super) fn range_of(&self, case: usize) -> std::ops::Range<usize> {
        self.starts[case] as usize..self.starts[case + 1] as usize
    }

    /// The spots of a case.
    pub(super) fn spots_of(&self, case: usize) -> &[Spot] {
        &self.spots[self.range_of(case)]
    }

    /// The position of the spot of a case in a session.
    pub(super) fn spot_in(&self, case: usize, session: u32) -> Option<u32> {
        let range = self.range_of(case);
        let spots = &self.spots[range.clone()];
        if spots.len() == self.rooms.len() {
            return Some(position(range.start) + session);
        }
        let at = spots.binary_search_by_key(&session, |spot| spot.session).ok()?;
        Some(position(range.start + at))
    }

    /// Adds a case with its spots, which must be sorted by session.
    pub(super) fn add(&mut self, case: u32, away: i64, band: u8, spots: impl Iterator<Item = Spot>) {
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        self.cases.push(case);
        self.away.push(away);
        self.bands.push(band);
        self.spots.extend(spots);
        self.starts.push(position(self.spots.len()));
    }
}

/// Returns the parts of a theatre, in order of their first case. Cases that no session can take are in none.
pub(super) fn parts(theatre: &Theatre) -> Vec<Part> {
    let mut roots: Vec<u32> = (0..position(theatre.rooms.len())).collect();
    for case in 0..theatre.cases.len() {
        if let Some((first, others)) = theatre.places_of(case).split_first() {
            for other in others {
                let (a, b) = (root(&mut roots, first.session), root(&mut roots, other.session));
                roots[a.max(b) as usize] = a.min(b);
            }
        }
    }
    let penalties = theatre.penalties();
    let mut part_of = vec![NONE; roots.len()];
    let mut inside = vec![NONE; roots.len()];
    let mut parts: Vec<Part> = Vec::new();
    let mut spots = Vec::new();
    for (case, its) in theatre.cases.iter().enumerate() {
        let Some(first) = theatre.places_of(case).first() else { continue };
        let top = root(&mut roots, first.session) as usize;
        if part_of[top] == NONE {
            part_of[top] = position(parts.len());
            parts.push(Part::default());
        }
        let part = &mut parts[part_of[top] as usize];
        spots.clear();
        for place in theatre.places_of(case) {
            let session = &mut inside[place.session as usize];
            if *session == NONE {
                *session = position(part.rooms.len());
                part.rooms.push(theatre.rooms[place.session as usize]);
                part.sessions.push(place.session);
            }
            spots.push(Spot { session: *session, cost: i64::from(place.burden), size: its.size });
        }
        spots.sort_unstable_by_key(|spot| spot.session);
        part.add(position(case), penalties[case], its.band, spots.drain(..));
    }
    parts
}

fn root(roots: &mut [u32], mut session: u32) -> u32 {
    while roots[session as usize] != session {
        let up = roots[roots[session as usize] as usize];
        roots[session as usize] = up;
        session = up;
    }
    session
}
