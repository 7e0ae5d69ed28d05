//! What would have unlocked most, over all needs that go unserved.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::matching::explanation::{Blocker, Change, Lever, Unlocking, Unserved};
use crate::matching::solve::solve;
use crate::need::Need;
use crate::reason::NotUsed;

use super::Explainer;

/// Minutes by which the report lets every need travel farther.
const FARTHER: u32 = 15;

impl Explainer<'_> {
    /// Says what keeps most units from being served, and which single changes would place most: at most `levers` of them.
    ///
    /// `explained` are the explanations of all needs that go unserved, in any order; each change counts the units that it would
    /// place in all by itself, so that two changes together may place fewer than their sum. Costs one solve, for the
    /// change that lets everybody travel farther.
    #[must_use]
    pub fn unlocking(&self, explained: &[Unserved], levers: usize) -> Unlocking {
        let mut blockers: BTreeMap<Option<NotUsed>, Blocker> = BTreeMap::new();
        for unserved in explained {
            // The home trust's own offers are no answer, and never the reason.
            let others = unserved.counts.iter().filter(|count| count.reason != NotUsed::SameTrust);
            let top = others.max_by_key(|count| (count.count, std::cmp::Reverse(count.reason)));
            let reason = top.map(|count| count.reason);
            let blocker = blockers.entry(reason).or_insert(Blocker { reason, needs: 0, units: 0 });
            blocker.needs += 1;
            blocker.units += u64::from(unserved.units);
        }
        let mut blockers: Vec<Blocker> = blockers.into_values().collect();
        blockers.sort_by_key(|blocker| std::cmp::Reverse(blocker.units));

        let mut found: BTreeMap<String, Lever> = BTreeMap::new();
        for relaxation in explained.iter().flat_map(|unserved| &unserved.relaxations) {
            let is_for_all = match relaxation.change {
                Change::Confirm { .. }
                | Change::MoreUnits { .. }
                | Change::LowerReserve { .. }
                | Change::FindTeam { .. } => true,
                Change::TravelLimit { .. } | Change::LaterBy { .. } => false,
            };
            if is_for_all {
                let lever = Lever { text: relaxation.text.clone(), places: relaxation.places.into() };
                let known = found.entry(lever.text.clone()).or_insert_with(|| lever.clone());
                known.places = known.places.max(lever.places);
            }
        }
        let farther = Lever {
            text: format!("{FARTHER} minutes more travel for every need that has a limit"),
            places: self.placed_by_travel(),
        };
        let mut levers_found: Vec<Lever> = found.into_values().chain([farther]).collect();
        levers_found.retain(|lever| lever.places > 0);
        levers_found.sort_by(|a, b| b.places.cmp(&a.places).then_with(|| a.text.cmp(&b.text)));
        levers_found.truncate(levers);
        let units = explained.iter().map(|unserved| u64::from(unserved.units)).sum();
        Unlocking { needs: explained.len(), units, blockers, levers: levers_found }
    }

    /// Units more that a plan serves in which every need may travel farther.
    fn placed_by_travel(&self) -> u64 {
        let farther = |need: &Arc<Need>| match need.max_travel_minutes {
            Some(limit) if limit > 0 => {
                Arc::new(Need { max_travel_minutes: Some(limit.saturating_add(FARTHER)), ..(**need).clone() })
            }
            Some(_) | None => need.clone(),
        };
        let mut problem = self.problem.clone();
        problem.needs = self.problem.needs.iter().map(farther).collect();
        // From the plan as it is, so that theatre cases that are served stay so, and without search, like the other changes.
        let plan = solve(&problem, Some(self.plan), 0, 0, &mut || false);
        let lacking = |plan: &crate::matching::solve::Plan| -> u64 {
            plan.unserved.values().map(|units| u64::from(*units)).sum()
        };
        lacking(self.plan).saturating_sub(lacking(&plan))
    }
}
