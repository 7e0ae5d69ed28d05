//! The situation on the wire.

use std::collections::BTreeMap;

use fallow_api::convert::codes::Coded;
use fallow_api::convert::request::number_to_wire;
use fallow_api::convert::{resource, time};
use fallow_api::v1::situation::{Cell, CollaborativeMode, FeedHeard, Headline, TrustSituation};
use fallow_api::v1::{self, Freshness};
use fallow_domain::ids::{CollaborativeId, TrustCode};
use fallow_domain::offer;
use fallow_domain::region::{Collaborative, Mode, Region};
use fallow_domain::resource::ResourceKey;
use fallow_domain::situation::{self as domain, Situation};
use fallow_domain::standing::{FeedState, ModeChange};
use fallow_ledger::Revision;
use fallow_live::region::InForce;
use jiff::Timestamp;

/// Writes a situation; of one collaborative's mode alone when one is named.
pub(crate) fn to_wire(
    situation: &Situation,
    region: &InForce,
    collaborative: &str,
    revision: Revision,
    store_caveat: &str,
) -> v1::Situation {
    to_wire_of(situation, &region.region, &region.state.modes, collaborative, revision, store_caveat)
}

/// Writes a situation of a region that may be of the past; `switched` is what gold had said when it switched modes.
pub(crate) fn to_wire_of(
    situation: &Situation,
    region: &Region,
    switched: &BTreeMap<CollaborativeId, ModeChange>,
    collaborative: &str,
    revision: Revision,
    store_caveat: &str,
) -> v1::Situation {
    let shown = |one: &&Collaborative| collaborative.is_empty() || one.id.as_str() == collaborative;
    let modes = region
        .collaboratives
        .iter()
        .filter(shown)
        .map(|one| mode(&one.id, one.name.as_str(), one.mode, switched.get(&one.id)));
    let name = |trust: &TrustCode| region.trusts.get(trust).map(|trust| trust.name.to_string());
    v1::Situation {
        region: region.id.to_string(),
        name: region.name.to_string(),
        at: Some(time::to_wire(situation.at)),
        headline: Some(headline(&situation.headline)),
        cells: situation.cells.iter().map(|((trust, key), found)| cell(*trust, key, found)).collect(),
        trusts: situation
            .trusts
            .iter()
            .map(|(code, found)| trust(*code, name(code).unwrap_or_default(), found))
            .collect(),
        modes: modes.collect(),
        revision: number_to_wire(revision.0),
        store_caveat: store_caveat.to_owned(),
        late_counted_from: None,
    }
}

/// Writes a collaborative's mode; `switched` is what gold said when it did.
pub(crate) fn mode(
    id: &CollaborativeId,
    name: &str,
    mode: Mode,
    switched: Option<&ModeChange>,
) -> CollaborativeMode {
    CollaborativeMode {
        collaborative: id.to_string(),
        name: name.to_owned(),
        mode: mode.to_wire(),
        since: switched.map(|change| time::to_wire(change.at)),
        reason: switched.map(|change| change.reason.to_string()).unwrap_or_default(),
    }
}

/// Returns when a situation was looked at.
pub(crate) fn at(situation: &v1::Situation) -> Option<Timestamp> {
    situation.at.as_ref().and_then(time::from_wire)
}

fn headline(found: &domain::Headline) -> Headline {
    Headline {
        needs_open: number_to_wire(found.needs_open),
        needs_overdue: number_to_wire(found.needs_overdue),
        needs_raised_24h: number_to_wire(found.needs_raised_24h),
        needs_placed_24h: number_to_wire(found.needs_placed_24h),
        median_minutes_to_agreed: found.median_minutes_to_agreed.map(number_to_wire),
        proposals_held: number_to_wire(found.proposals_held),
        transfers_moving: number_to_wire(found.transfers_moving),
        transfers_overdue: number_to_wire(found.transfers_overdue),
        trusts_live: number_to_wire(found.trusts_live),
        trusts_all: number_to_wire(found.trusts_all),
        ..Headline::default()
    }
}

fn cell(trust: TrustCode, key: &ResourceKey, found: &domain::Cell) -> Cell {
    Cell {
        trust: trust.to_string(),
        resource: Some(resource::key_to_wire(key)),
        staffed: number_to_wire(found.staffed),
        free: number_to_wire(found.free),
        held: number_to_wire(found.held),
        committed: number_to_wire(found.committed),
        reserve: number_to_wire(found.reserve),
        net: found.net,
        pressure: found.pressure.into(),
        freshness: freshness(found.freshness),
        oldest_reported_at: found.oldest_reported_at.map(time::to_wire),
        own_needs: number_to_wire(found.own_needs),
        offers: number_to_wire(found.offers),
        offers_stale: number_to_wire(found.offers_stale),
        late_7d: 0,
    }
}

fn trust(code: TrustCode, name: String, found: &domain::TrustSituation) -> TrustSituation {
    TrustSituation {
        trust: code.to_string(),
        name,
        opel: found.opel.map_or(0, i32::from),
        opel_declared_at: found.declared.as_ref().map(|declared| time::to_wire(declared.at)),
        freshness: freshness(found.freshness),
        last_reported_at: found.last_reported_at.map(time::to_wire),
        offers: number_to_wire(found.offers),
        offers_stale: number_to_wire(found.offers_stale),
        needs_open: number_to_wire(found.needs_open),
        feeds: Vec::new(),
    }
}

/// Writes a feed as it was heard last.
pub(crate) fn feed(found: &FeedState) -> FeedHeard {
    FeedHeard {
        name: found.source.to_string(),
        last_source_seq: number_to_wire(found.last_seq),
        at: Some(time::to_wire(found.at)),
    }
}

fn freshness(found: Option<offer::Freshness>) -> i32 {
    found.map_or(Freshness::Unspecified.into(), Coded::to_wire)
}
