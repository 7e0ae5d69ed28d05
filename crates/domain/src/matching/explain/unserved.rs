//! Why a need goes unserved, and what would serve it.

use crate::ids::NeedId;
use crate::matching::explanation::Unserved;
use crate::need::Priority;
use crate::reason::NotUsed;

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
        let objections = self.objections(at, &offers);
        Some(Unserved {
            need: need.clone(),
            units,
            offers: u32::try_from(offers.len()).unwrap_or(u32::MAX),
            counts: self.counts(at, &objections),
            taken_by: self.taken_by(&objections),
            relaxations: self.relaxations(at, &objections),
        })
    }

    /// The bands of those who took units that the need could have used, most urgent first.
    fn taken_by(&self, objections: &[(u32, Vec<NotUsed>)]) -> Vec<Priority> {
        let would_do = objections.iter().filter(|(_, codes)| codes.is_empty());
        let takers = would_do.filter_map(|(offer, _)| self.takers.get(offer)).flatten();
        let mut bands: Vec<Priority> = takers.map(|&taker| self.need(taker).priority).collect();
        bands.sort_unstable();
        bands.dedup();
        bands
    }
}
