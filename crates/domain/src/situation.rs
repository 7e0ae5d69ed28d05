//! Gold's situation: a fold over the live records into trust × resource and the numbers on top.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::TrustCode;
use crate::need::{Need, NeedState};
use crate::offer::{Freshness, Offer, OfferState};
use crate::pressure::pressure;
use crate::proposal::ProposalState;
use crate::quantity::Count;
use crate::records::Records;
use crate::region::Region;
use crate::resource::{ResourceKey, ResourceKind};
use crate::standing::{Declaration, TrustState};
use crate::transfer::{Transfer, TransferState};

/// The headline counts what happened within this time.
pub const LATELY: SignedDuration = SignedDuration::from_hours(24);

/// The situation of a region at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Situation {
    /// When it was looked at.
    pub at: Timestamp,
    /// The numbers on top.
    pub headline: Headline,
    /// Every trust × resource that anybody offers, needs or reserves, ordered by trust, kind, code and level.
    pub cells: BTreeMap<(TrustCode, ResourceKey), Cell>,
    /// Every trust of the region.
    pub trusts: BTreeMap<TrustCode, TrustSituation>,
}

/// The numbers on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Headline {
    /// Live needs.
    pub needs_open: u64,
    /// Needs past their needed-by of which some units are not agreed, see [`is_overdue`].
    pub needs_overdue: u64,
    /// Needs raised in the last 24 hours.
    pub needs_raised_24h: u64,
    /// Of those, agreed or met.
    pub needs_placed_24h: u64,
    /// Middle time from raising to agreement over the last 24 hours, whole minutes; `None` when none was agreed.
    pub median_minutes_to_agreed: Option<u64>,
    /// Proposals waiting for an answer.
    pub proposals_held: u64,
    /// Transfers on the way.
    pub transfers_moving: u64,
    /// Transfers of which the next step is past its due time, see [`Transfer::next_due`].
    pub transfers_overdue: u64,
    /// Trusts all of whose live offers are FRESH or AGEING, and that have some.
    pub trusts_live: u64,
    /// Trusts of the region.
    pub trusts_all: u64,
}

/// One trust and one resource. Counts are units; minutes for theatres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cell {
    /// Staffed in all live offers.
    #[serde(skip_serializing_if = "is_default")]
    pub staffed: u64,
    /// Free in OPEN offers that are not STALE.
    #[serde(skip_serializing_if = "is_default")]
    pub free: u64,
    /// Held for proposals.
    #[serde(skip_serializing_if = "is_default")]
    pub held: u64,
    /// Promised to transfers.
    #[serde(skip_serializing_if = "is_default")]
    pub committed: u64,
    /// Promised or in use that the trust no longer has.
    #[serde(skip_serializing_if = "is_default")]
    pub short: u64,
    /// What the trust keeps for itself.
    #[serde(skip_serializing_if = "is_default")]
    pub reserve: u64,
    /// Free above the reserve, never below 0, less what the trust's own live needs still want. May be negative.
    #[serde(skip_serializing_if = "is_default")]
    pub net: i64,
    /// Our number, 1 to 4.
    pub pressure: u8,
    /// When the oldest live offer was reported; `None` without live offers.
    #[serde(skip_serializing_if = "is_default")]
    pub oldest_reported_at: Option<Timestamp>,
    /// How far the least fresh live offer can be trusted; `None` without live offers.
    #[serde(skip_serializing_if = "is_default")]
    pub freshness: Option<Freshness>,
    /// When the newest live offer was reported, and how far that one can be trusted; `None` without live offers.
    #[serde(skip_serializing_if = "is_default")]
    pub newest: Option<(Timestamp, Freshness)>,
    /// The trust's own live needs.
    #[serde(skip_serializing_if = "is_default")]
    pub needs_open: u64,
    /// Units of the trust's own live needs that are not agreed.
    #[serde(skip_serializing_if = "is_default")]
    pub own_needs: u64,
    /// Live offers.
    #[serde(skip_serializing_if = "is_default")]
    pub offers: u64,
    /// Live offers that are STALE.
    #[serde(skip_serializing_if = "is_default")]
    pub offers_stale: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One trust.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustSituation {
    /// What it has declared; the region file's level where it has declared none.
    pub declared: Option<Declaration>,
    /// The OPEL in force, declared or from the region file, 1 to 4; `None` = none.
    pub opel: Option<u8>,
    /// When it last reported anything, among live offers.
    pub last_reported_at: Option<Timestamp>,
    /// Freshness of its newest report.
    pub freshness: Option<Freshness>,
    /// Live offers.
    pub offers: u64,
    /// Live offers that are STALE.
    pub offers_stale: u64,
    /// Its own live needs.
    pub needs_open: u64,
}

impl TrustSituation {
    /// Counts what a cell of the trust says of offers and needs.
    pub fn add_cell(&mut self, cell: &Cell) {
        self.offers += cell.offers;
        self.offers_stale += cell.offers_stale;
        self.needs_open += cell.needs_open;
        if let Some((at, freshness)) = cell.newest
            && self.last_reported_at.is_none_or(|last| at > last)
        {
            self.last_reported_at = Some(at);
            self.freshness = Some(freshness);
        }
    }
}

/// Says whether a need is past its needed-by with units that are not agreed: live, or gone unmet within the last 24 hours.
///
/// A need ends at its needed-by, and whoever asks how many were not helped in time asks of those that ended so too.
#[must_use]
pub fn is_overdue(need: &Need, at: Timestamp) -> bool {
    let past =
        need.needed_by.map(|needed_by| at.duration_since(needed_by)).filter(SignedDuration::is_positive);
    let counts = |past: SignedDuration| match need.state {
        NeedState::Open
        | NeedState::Proposed
        | NeedState::PartAgreed
        | NeedState::Agreed
        | NeedState::OnHold => true,
        NeedState::Unmet => past <= LATELY,
        NeedState::Met | NeedState::Withdrawn | NeedState::Expired | NeedState::ResolvedOutside => false,
    };
    past.is_some_and(counts) && !need.units.less(need.units_committed).is_zero()
}

impl Situation {
    /// Folds the live records. Cost: one pass over them and a sort of the needs agreed lately.
    #[must_use]
    pub fn of(
        region: &Region,
        states: &BTreeMap<TrustCode, TrustState>,
        records: &Records,
        at: Timestamp,
    ) -> Self {
        Self::within(region, states, records, at, |_, _| true)
    }

    /// Folds the live records that somebody sees, so that no number tells of what they do not. `sees` is asked for a
    /// trust, and for a trust and a kind of resource; what joins two trusts counts when both are seen.
    #[must_use]
    pub fn within(
        region: &Region,
        states: &BTreeMap<TrustCode, TrustState>,
        records: &Records,
        at: Timestamp,
        sees: impl Fn(TrustCode, Option<ResourceKind>) -> bool,
    ) -> Self {
        let trusts = region.trusts.keys().filter(|trust| sees(**trust, None));
        let mut situation = Self {
            at,
            headline: Headline::default(),
            cells: BTreeMap::new(),
            trusts: trusts.map(|trust| (*trust, TrustSituation::default())).collect(),
        };
        for offer in records.offers.values().filter(|o| !o.state.is_ended()) {
            if sees(offer.trust, Some(offer.resource.kind)) {
                situation.add_offer(offer);
            }
        }
        let mut minutes_to_agreed = Vec::new();
        for need in records.needs.values().filter(|n| sees(n.trust, Some(n.resource.kind))) {
            situation.add_need(need, &mut minutes_to_agreed);
        }
        minutes_to_agreed.sort_unstable();
        situation.headline.median_minutes_to_agreed =
            minutes_to_agreed.get(minutes_to_agreed.len().saturating_sub(1) / 2).copied();
        let both = |home, supporting| sees(home, None) && sees(supporting, None);
        let held = records.proposals.values().filter(|p| p.state == ProposalState::Held && at < p.held_until);
        let held = held.filter(|p| both(p.home_trust, p.supporting_trust));
        situation.headline.proposals_held = held.count() as u64;
        for transfer in records.transfers.values().filter(|t| both(t.home_trust, t.supporting_trust)) {
            situation.add_transfer(transfer);
        }
        situation.add_what_trusts_said(region, states, &sees);
        situation.finish();
        situation
    }

    fn cell(&mut self, trust: TrustCode, resource: ResourceKey) -> &mut Cell {
        self.cells.entry((trust, resource)).or_default()
    }

    fn add_offer(&mut self, offer: &Offer) {
        let freshness = offer.freshness(self.at);
        let is_stale = freshness == Freshness::Stale;
        let cell = self.cell(offer.trust, offer.resource.key());
        let figures = offer.figures;
        cell.staffed += u64::from(figures.staffed.get());
        cell.held += u64::from(figures.held.get());
        cell.committed += u64::from(figures.committed.get());
        cell.short += figures.short();
        if offer.state == OfferState::Open && !is_stale {
            cell.free += u64::from(figures.free().get());
        }
        cell.offers += 1;
        cell.offers_stale += u64::from(is_stale);
        cell.oldest_reported_at =
            Some(cell.oldest_reported_at.map_or(offer.reported_at, |t| t.min(offer.reported_at)));
        cell.freshness = cell.freshness.max(Some(freshness));
        if cell.newest.is_none_or(|(last, _)| offer.reported_at > last) {
            cell.newest = Some((offer.reported_at, freshness));
        }
    }

    fn add_need(&mut self, need: &Need, minutes_to_agreed: &mut Vec<u64>) {
        let at = self.at;
        let is_lately = |time: &Timestamp| at.duration_since(*time) <= LATELY;
        if need.raised_at.as_ref().is_some_and(is_lately) {
            self.headline.needs_raised_24h += 1;
            self.headline.needs_placed_24h +=
                u64::from(matches!(need.state, NeedState::Agreed | NeedState::Met));
        }
        if let (Some(raised_at), Some(agreed_at)) = (need.raised_at, need.agreed_at.filter(is_lately)) {
            let minutes = agreed_at.duration_since(raised_at).as_mins();
            minutes_to_agreed.push(u64::try_from(minutes).unwrap_or(0));
        }
        self.headline.needs_overdue += u64::from(is_overdue(need, at));
        if need.state.is_ended() {
            return;
        }
        self.headline.needs_open += 1;
        let missing = need.units.less(need.units_committed);
        let per_unit = if need.resource.kind.is_minutes() { need.minutes_per_case } else { Count::ONE };
        let cell = self.cell(need.trust, need.resource.key());
        cell.needs_open += 1;
        cell.own_needs += u64::from(missing.get()) * u64::from(per_unit.get());
    }

    fn add_transfer(&mut self, transfer: &Transfer) {
        let is_moving = match transfer.state {
            TransferState::InTransit | TransferState::Repatriating => true,
            TransferState::Planned
            | TransferState::Ready
            | TransferState::Arrived
            | TransferState::Completed
            | TransferState::RepatriationDue
            | TransferState::Repatriated
            | TransferState::Deployed
            | TransferState::Extended
            | TransferState::Returned
            | TransferState::Aborted => false,
        };
        self.headline.transfers_moving += u64::from(is_moving);
        self.headline.transfers_overdue +=
            u64::from(transfer.next_due().is_some_and(|due_at| due_at < self.at));
    }

    fn add_what_trusts_said(
        &mut self,
        region: &Region,
        states: &BTreeMap<TrustCode, TrustState>,
        sees: &impl Fn(TrustCode, Option<ResourceKind>) -> bool,
    ) {
        for (code, trust) in region.trusts.iter().filter(|(code, _)| sees(**code, None)) {
            let state = states.get(code);
            let entry = self.trusts.entry(*code).or_default();
            entry.declared = state.and_then(|s| s.declared.clone());
            entry.opel = entry.declared.as_ref().map(|d| d.opel).or(trust.opel);
            // What a trust has said goes before the file, resource by resource.
            let mut reserves = trust.reserve.clone();
            reserves.extend(state.into_iter().flat_map(|s| s.reserves.clone()));
            for (resource, units) in reserves.into_iter().filter(|(r, _)| sees(*code, Some(r.kind))) {
                self.cell(*code, resource).reserve = u64::from(units.get());
            }
        }
    }

    fn finish(&mut self) {
        for ((trust, _), cell) in &self.cells {
            self.trusts.entry(*trust).or_default().add_cell(cell);
        }
        for cell in self.cells.values_mut() {
            let above_reserve = i64::try_from(cell.free.saturating_sub(cell.reserve)).unwrap_or(i64::MAX);
            let own_needs = i64::try_from(cell.own_needs).unwrap_or(i64::MAX);
            cell.net = above_reserve.saturating_sub(own_needs);
            cell.pressure = pressure(cell.net, cell.staffed);
        }
        let stale: BTreeSet<TrustCode> = self
            .trusts
            .iter()
            .filter(|(_, t)| t.offers == 0 || t.offers_stale > 0)
            .map(|(c, _)| *c)
            .collect();
        self.headline.trusts_all = self.trusts.len() as u64;
        self.headline.trusts_live = (self.trusts.len() - stale.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::*;

    fn cell(situation: &Situation, trust: &str) -> Cell {
        let key = resource(ResourceKind::Bed, "GA_ADULT").key();
        situation.cells[&(trust.parse().unwrap(), key)]
    }

    #[test]
    fn a_need_that_went_unmet_counts_as_overdue_for_a_day() {
        let region = two_trusts();
        let mut world = World::with(10, 4, 3);
        let mut need = world.need("n-1").clone();
        need.needed_by = Some(world.at + minutes(1));
        world.records.put_need(need.clone());
        let counted = |world: &World| {
            let found = Situation::of(&region, &BTreeMap::new(), &world.records, world.at);
            (found.headline.needs_open, found.headline.needs_overdue)
        };
        world.at += minutes(1);
        assert_eq!(counted(&world), (1, 0), "its last minute is not over");
        world.at += minutes(1);
        assert_eq!(counted(&world), (1, 1));
        need.state = NeedState::Unmet;
        world.records.put_need(need.clone());
        assert_eq!(counted(&world), (0, 1));
        need.state = NeedState::ResolvedOutside;
        world.records.put_need(need.clone());
        assert_eq!(counted(&world), (0, 0), "somebody helped");
        need.state = NeedState::Unmet;
        world.records.put_need(need);
        world.at += minutes(24 * 60);
        assert_eq!(counted(&world), (0, 0));
    }

    #[test]
    fn the_fold_counts_what_is_there() {
        let region = two_trusts();
        let mut world = World::with(10, 4, 3);
        world.publish("o-2", report("ZA1", "ward 2", 5, 5, world.at));
        world.propose("p-1", "n-1", "o-1", 1).unwrap();
        world.wait(3);
        world.agree("p-1");
        world.propose("p-2", "n-1", "o-1", 1).unwrap();
        let found = Situation::of(&region, &BTreeMap::new(), &world.records, world.at);

        let ours = cell(&found, "ZA1");
        assert_eq!((ours.staffed, ours.free, ours.held, ours.committed), (15, 4, 1, 1));
        assert_eq!((ours.reserve, ours.net, ours.pressure, ours.offers), (1, 3, 1, 2));
        let theirs = cell(&found, "ZA2");
        // Two of three units are not agreed; nothing is staffed, so m is 2.
        assert_eq!((theirs.own_needs, theirs.net, theirs.pressure, theirs.offers), (2, -2, 4, 0));
        assert_eq!((found.headline.needs_open, found.headline.proposals_held), (1, 1));
        assert_eq!((found.headline.trusts_live, found.headline.trusts_all), (1, 2));
        assert_eq!(found.trusts[&"ZA1".parse().unwrap()].opel, Some(2));
        assert_eq!(found.headline.median_minutes_to_agreed, None);

        world.wait(60 * 24 * 50);
        let later = Situation::of(&region, &BTreeMap::new(), &world.records, world.at);
        let ours = cell(&later, "ZA1");
        assert_eq!((ours.free, ours.offers_stale, ours.freshness), (0, 2, Some(Freshness::Stale)));
        assert_eq!((later.headline.trusts_live, later.headline.proposals_held), (0, 0));
        assert_eq!(later.headline.transfers_overdue, 1);
    }

    #[test]
    fn a_transfer_is_overdue_while_its_next_step_is_and_no_longer() {
        use crate::transfer::ReturnPlan;
        let region = two_trusts();
        let mut world = World::with(10, 4, 3);
        world.propose("p-1", "n-1", "o-1", 1).unwrap();
        world.agree("p-1");
        let mut moved = world.records.transfers.values().next().unwrap().clone();
        world.at = moved.due_at + minutes(60);
        let overdue = |moved: &Transfer, world: &World| {
            let mut records = world.records.clone();
            records.put_transfer(moved.clone());
            Situation::of(&region, &BTreeMap::new(), &records, world.at).headline.transfers_overdue
        };
        assert_eq!(overdue(&moved, &world), 1, "it has not arrived");
        moved.state = TransferState::Arrived;
        assert_eq!(overdue(&moved, &world), 0, "it is there");
        moved.state = TransferState::Completed;
        moved.return_plan = Some(ReturnPlan { due_at: None, note: note("the day is open") });
        assert_eq!(overdue(&moved, &world), 0, "no day is agreed");
        moved.return_plan = Some(ReturnPlan { due_at: Some(world.at), note: note("by now") });
        assert_eq!(overdue(&moved, &world), 0, "not yet");
        world.at += minutes(1);
        assert_eq!(overdue(&moved, &world), 1, "the way back");
    }

    #[test]
    fn what_is_not_seen_is_not_counted() {
        let region = two_trusts();
        let mut world = World::with(10, 4, 3);
        world.propose("p-1", "n-1", "o-1", 1).unwrap();
        let (ours, theirs): (TrustCode, TrustCode) = ("ZA1".parse().unwrap(), "ZA2".parse().unwrap());
        let fold = |sees: &dyn Fn(TrustCode, Option<ResourceKind>) -> bool| {
            Situation::within(&region, &BTreeMap::new(), &world.records, world.at, sees)
        };
        let own = fold(&|trust, _| trust == ours);
        assert_eq!(own.trusts.keys().collect::<Vec<_>>(), [&ours]);
        assert!(own.cells.keys().all(|(trust, _)| *trust == ours) && !own.cells.is_empty());
        assert_eq!(
            (own.headline.needs_open, own.headline.proposals_held, own.headline.trusts_all),
            (0, 0, 1)
        );
        // The other trust is known, but no beds are shared with it.
        let no_beds = fold(&|trust, kind| trust == ours || kind.is_none());
        assert!(no_beds.cells.keys().all(|(trust, _)| *trust == ours));
        assert_eq!((no_beds.trusts[&theirs].needs_open, no_beds.headline.proposals_held), (0, 1));
        assert_eq!(fold(&|_, _| false).headline, Headline::default());
    }

    #[test]
    fn what_a_trust_says_goes_before_the_file() {
        let region = two_trusts();
        let trust: TrustCode = "ZA1".parse().unwrap();
        let key = resource(ResourceKind::Bed, "GA_ADULT").key();
        let said = TrustState {
            ods: trust,
            declared: Some(Declaration { opel: 4, at: monday(), by: manager("ZA1") }),
            reserves: [(key, Count::new(3))].into(),
        };
        let world = World::with(10, 4, 1);
        let found = Situation::of(&region, &[(trust, said)].into(), &world.records, world.at);
        assert_eq!(found.trusts[&trust].opel, Some(4));
        assert_eq!((cell(&found, "ZA1").reserve, cell(&found, "ZA1").net), (3, 3));
    }

    #[test]
    fn the_time_to_agreement_is_the_middle_one() {
        let region = two_trusts();
        let mut world = World::with(10, 0, 1);
        world.raise(new_need("ZA2", "n-2", 1, world.at));
        world.raise(new_need("ZA2", "n-3", 1, world.at));
        for (n, wait) in [(1, 5), (2, 5), (3, 30)] {
            world.wait(wait);
            let id = format!("p-{n}");
            world.propose(&id, &format!("n-{n}"), "o-1", 1).unwrap();
            world.agree(&id);
        }
        let found = Situation::of(&region, &BTreeMap::new(), &world.records, world.at).headline;
        assert_eq!(found.median_minutes_to_agreed, Some(10));
        assert_eq!((found.needs_raised_24h, found.needs_placed_24h), (3, 3));
    }
}
