//! The region at the end of an hour, as a situation report of it needs it: kept, because the log does not reach back for
//! long where much happens.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::kept::Alert;
use crate::ids::{CollaborativeId, TrustCode};
use crate::need::{Need, Patient, Validation};
use crate::region::Mode;
use crate::resource::{ResourceKey, ResourceKind};
use crate::situation::{Cell, Headline, Situation, TrustSituation};
use crate::standing::{Declaration, ModeChange};

/// Most needs not met in time that are kept, the most overdue of the region first: as many as a report lists.
pub const UNMET_MAX: usize = 200;
/// Most alerts that are kept, newest first: as many as a report lists.
pub const ALERTS_MAX: usize = 100;

/// The region at the end of an hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The end of the hour.
    pub at: Timestamp,
    /// When it was looked at: then, or some seconds later where so much changed at once that the log no longer reached back.
    pub looked_at: Timestamp,
    /// The last revision before it was looked at.
    pub revision: u64,
    /// The numbers on top, of the whole region.
    pub headline: Headline,
    /// The numbers on top as each trust sees them: what it does not see is not counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub seen: BTreeMap<TrustCode, Headline>,
    /// Every trust and resource, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<Place>,
    /// What every trust had said of itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trusts: BTreeMap<TrustCode, Said>,
    /// The mode of each collaborative.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modes: BTreeMap<CollaborativeId, Mode>,
    /// Who had switched modes, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub switched: BTreeMap<CollaborativeId, ModeChange>,
    /// Needs not met in time, without the patient, the most overdue first, at most [`UNMET_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<Need>,
    /// Alerts that stood and were in no digest, newest first, at most [`ALERTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Stood>,
}

/// One trust and one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The trust.
    #[serde(rename = "t")]
    pub trust: TrustCode,
    /// The resource.
    #[serde(rename = "r")]
    pub resource: ResourceKey,
    /// What was there.
    #[serde(rename = "c")]
    pub cell: Cell,
}

/// What a trust had said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Said {
    /// What it had declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declaration>,
    /// The OPEL in force, 1 to 4; `None` = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opel: Option<u8>,
}

/// An alert that stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stood {
    /// The alert as it was.
    pub alert: Alert,
    /// The revision that had last written it.
    pub revision: u64,
}

impl Position {
    /// Takes down a region's situation at the end of an hour; `seen` are the numbers on top as each trust sees them. Needs not
    /// met in time, alerts and modes are put in by who has the records.
    #[must_use]
    pub fn of(
        situation: &Situation,
        at: Timestamp,
        revision: u64,
        seen: BTreeMap<TrustCode, Headline>,
    ) -> Self {
        let place = |((trust, resource), cell): (&(TrustCode, ResourceKey), &Cell)| Place {
            trust: *trust,
            resource: resource.clone(),
            cell: *cell,
        };
        let said = |trust: &TrustSituation| Said { declared: trust.declared.clone(), opel: trust.opel };
        Self {
            at,
            looked_at: situation.at,
            revision,
            headline: situation.headline,
            seen,
            cells: situation.cells.iter().map(place).collect(),
            trusts: situation.trusts.iter().map(|(code, trust)| (*code, said(trust))).collect(),
            modes: BTreeMap::new(),
            switched: BTreeMap::new(),
            unmet: Vec::new(),
            alerts: Vec::new(),
        }
    }

    /// Puts in the needs that were not met in time, the most overdue first.
    pub fn put_unmet<'a>(&mut self, needs: impl Iterator<Item = &'a Need>) {
        self.unmet = needs.take(UNMET_MAX).map(for_report).collect();
    }

    /// Returns the situation as somebody sees it: `own` is the trust that they see it for, `None` for who sees the region, and
    /// `sees` is asked as by [`Situation::within`]. `None` when nothing was kept of that trust.
    #[must_use]
    pub fn seen_by(
        &self,
        own: Option<TrustCode>,
        sees: impl Fn(TrustCode, Option<ResourceKind>) -> bool,
    ) -> Option<Situation> {
        let headline = match own {
            None => self.headline,
            Some(own) => *self.seen.get(&own)?,
        };
        let told = self.trusts.iter().filter(|(code, _)| sees(**code, None));
        let mut trusts: BTreeMap<TrustCode, TrustSituation> = told
            .map(|(code, said)| {
                let Said { declared, opel } = said.clone();
                (*code, TrustSituation { declared, opel, ..TrustSituation::default() })
            })
            .collect();
        let places = self.cells.iter().filter(|place| sees(place.trust, Some(place.resource.kind)));
        let mut cells = BTreeMap::new();
        for Place { trust, resource, cell } in places {
            // What is told of a trust is of the cells that are seen, and of no others.
            trusts.entry(*trust).or_default().add_cell(cell);
            cells.insert((*trust, resource.clone()), *cell);
        }
        Some(Situation { at: self.looked_at, headline, cells, trusts })
    }
}

/// Returns a need as a report shows it, whoever reads it: without the patient, and whether that patient has consented and is
/// fit, for a report is printed and passed on.
#[must_use]
pub fn for_report(need: &Need) -> Need {
    Need { patient: Patient::default(), validation: Validation::default(), ..need.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::need::Validated;
    use crate::offer::Freshness;
    use crate::region::Region;
    use crate::situation::is_overdue;
    use crate::test_world::*;

    /// A world in which two trusts offer and need several kinds, some of it long ago, and what is kept of it.
    fn kept(sees: impl Fn(TrustCode, TrustCode, Option<ResourceKind>) -> bool) -> (World, Region, Position) {
        let region = two_trusts();
        let mut world = World::with(10, 4, 3);
        world.propose("p-1", "n-1", "o-1", 1).unwrap();
        world.wait(60 * 24 * 50);
        world.publish("o-2", report("ZA1", "ward 2", 5, 5, world.at));
        world.raise(new_need("ZA1", "n-2", 2, world.at));
        let fold = |sees: &dyn Fn(TrustCode, Option<ResourceKind>) -> bool| {
            Situation::within(&region, &BTreeMap::new(), &world.records, world.at, sees)
        };
        let headlines =
            region.trusts.keys().map(|own| (*own, fold(&|of, kind| sees(*own, of, kind)).headline));
        let mut position = Position::of(&fold(&|_, _| true), world.at, 7, headlines.collect());
        position.put_unmet(world.records.needs.values().filter(|need| is_overdue(need, world.at)));
        (world, region, position)
    }

    #[test]
    fn what_is_kept_is_what_was_seen_then_by_everybody() {
        let none = |own: TrustCode, of: TrustCode, kind: Option<ResourceKind>| own == of || kind.is_none();
        let (world, region, position) = kept(none);
        let text = serde_json::to_string(&position).unwrap();
        let position: Position = serde_json::from_str(&text).unwrap();
        let of_region = Situation::of(&region, &BTreeMap::new(), &world.records, world.at);
        assert_eq!(position.seen_by(None, |_, _| true), Some(of_region.clone()));
        let ours = "ZA1".parse().unwrap();
        assert_eq!(of_region.trusts[&ours].freshness, Some(Freshness::Fresh), "its newest report");
        assert_eq!(of_region.trusts[&ours].offers_stale, 1, "and not its oldest");
        for own in region.trusts.keys() {
            let sees = |of, kind| none(*own, of, kind);
            let then = Situation::within(&region, &BTreeMap::new(), &world.records, world.at, sees);
            assert_ne!(then.cells, of_region.cells, "they do not see the same");
            assert_eq!(position.seen_by(Some(*own), sees), Some(then), "{own}");
        }
        assert_eq!(position.seen_by(Some("ZA9".parse().unwrap()), |_, _| true), None);
    }

    #[test]
    fn no_patient_is_kept() {
        let world = World::with(10, 4, 1);
        let mut need = world.need("n-1").clone();
        need.patient.age = Some(71);
        need.validation.said =
            Some(Validated { consented: true, fit: false, by: manager("ZA2"), at: world.at });
        let mut position = kept(|_, _, _| true).2;
        position.put_unmet([&need].into_iter());
        assert_eq!(position.unmet, [World::with(10, 4, 1).need("n-1").clone()]);
    }
}
