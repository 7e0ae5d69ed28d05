//! Why a need goes unserved, and what would serve it.

use crate::ids::NeedId;
use crate::matching::explanation::Unserved;
use crate::need::Priority;

use super::Explainer;
use super::counts::Seen;

impl Explainer<'_> {
    /// Explains why units of a need go unserved; `None` when none do, or when it does not take part.
    ///
    /// Each offer of the resource is counted once, by the first code of the table that objects.
    #[must_use]
    pub fn unserved(&self, need: &NeedId) -> Option<Unserved> {
        let units = self.plan.unserved.get(need).copied()?;
        let at = *self.needs.get(need)?;
        let view = self.all.view(self.problem, &self.model.setting, self.need(at));
        let seen = self.seen(at, &view);
        Some(Unserved {
            need: need.clone(),
            units,
            offers: view.count,
            counts: self.counts(at, &view, &seen, None),
            taken_by: self.taken_by(&seen),
            relaxations: self.relaxations(at, &seen),
        })
    }

    /// The bands of those who took units that the need could have used, most urgent first.
    fn taken_by(&self, seen: &[Seen]) -> Vec<Priority> {
        let would_do = seen.iter().filter(|one| one.is_eligible());
        let takers = would_do.filter_map(|one| self.takers.get(&one.offer)).flatten();
        let mut bands: Vec<Priority> = takers.map(|&taker| self.need(taker).priority).collect();
        bands.sort_unstable();
        bands.dedup();
        bands
    }
}
