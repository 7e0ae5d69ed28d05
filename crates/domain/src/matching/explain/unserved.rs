//! Why a need goes unserved, and what would serve it.

use crate::ids::NeedId;
use crate::matching::explanation::Unserved;
use crate::need::Priority;

use super::Explainer;

impl Explainer<'_> {
    /// Explains why units of a need go unserved; `None` when none do, or when it does not take part.
    ///
    /// Each offer of the resource is counted once, by the first code of the table that objects.
    #[must_use]
    pub fn unserved(&self, need: &NeedId) -> Option<Unserved> {
        let units = self.plan.unserved.get(need).copied()?;
        let at = *self.needs.get(need)?;
        let offers = self.offers_for(self.need(at));
        Some(Unserved {
            need: need.clone(),
            units,
            offers: u32::try_from(offers.len()).unwrap_or(u32::MAX),
            counts: self.counts(at, &offers),
            taken_by: self.taken_by(at, &offers),
            relaxations: self.relaxations(at, &offers),
        })
    }

    /// The bands of those who took units that the need could have used, most urgent first.
    fn taken_by(&self, need: u32, offers: &[u32]) -> Vec<Priority> {
        let its = self.need(need);
        let would_do = |offer: &&u32| self.first_objection(its, self.offer(**offer)).is_none();
        let takers = offers.iter().filter(would_do).filter_map(|offer| self.takers.get(offer)).flatten();
        let mut bands: Vec<Priority> = takers.map(|&taker| self.need(taker).priority).collect();
        bands.sort_unstable();
        bands.dedup();
        bands
    }
}
