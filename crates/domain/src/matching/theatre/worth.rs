//! What a plan of a part costs, to be compared: in strict mode the penalties band by band, then the burden.

use super::Mode;
use super::parts::Part;
use crate::matching::network::NONE;

/// Points; of two plans the one whose worth is less in the first place in which they differ is better.
pub(super) type Worth = Vec<i64>;

/// Counts what plans of a part cost in a mode.
pub(super) struct Worths<'a> {
    part: &'a Part,
    /// The bands that come before the burden; none where all is weighed together.
    bands: Vec<u8>,
}

impl<'a> Worths<'a> {
    pub(super) fn new(part: &'a Part, mode: Mode) -> Self {
        let mut bands = match mode {
            Mode::Strict => part.bands.clone(),
            Mode::Weighted => Vec::new(),
        };
        bands.sort_unstable();
        bands.dedup();
        Self { part, bands }
    }

    /// What nothing costs.
    pub(super) fn nothing(&self) -> Worth {
        vec![0; self.bands.len() + 1]
    }

    /// Where the burden stands, and all in weighted mode.
    pub(super) fn last(&self) -> usize {
        self.bands.len()
    }

    /// Where the penalty of a case stands.
    pub(super) fn place_of(&self, case: usize) -> usize {
        self.bands.binary_search(&self.part.bands[case]).unwrap_or(self.bands.len())
    }

    /// What serving a case takes at most off the place where its penalty stands.
    pub(super) fn saving(&self, case: usize) -> i64 {
        let least = self.part.spots_of(case).iter().map(|spot| spot.cost).min();
        match least {
            Some(cost) if self.bands.is_empty() => (self.part.away[case] - cost).max(0),
            Some(_) => self.part.away[case],
            None => 0,
        }
    }

    /// What a plan costs, given by the spot of each case.
    pub(super) fn of(&self, spots: &[u32]) -> Worth {
        let mut worth = self.nothing();
        for (case, &spot) in spots.iter().enumerate() {
            if spot == NONE {
                worth[self.place_of(case)] += self.part.away[case];
            } else {
                worth[self.last()] += self.part.spots[spot as usize].cost;
            }
        }
        worth
    }
}
