//! What is the matter with a region at one moment: the levels that the rules look at.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::kept::Rollup;
use super::rules::Rule;
use super::sentence::{self, Words};
use crate::action::{Action, ActionState};
use crate::clocks;
use crate::ids::TrustCode;
use crate::need::{Need, NeedState};
use crate::offer::{Freshness, OfferState};
use crate::records::Records;
use crate::region::Region;
use crate::resource::ResourceKey;
use crate::situation::Situation;

/// One cause, and how bad it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The rule that looks at it.
    pub rule: Rule,
    /// What it is about, unique within the rule.
    pub cause: String,
    /// How bad it is, in the rule's own measure.
    pub level: i64,
    /// What people read.
    pub text: String,
    /// The trusts it concerns; empty = the region.
    pub trusts: Vec<TrustCode>,
    /// The resource it concerns.
    pub resource: Option<ResourceKey>,
    /// Ids of the records it concerns.
    pub subjects: Vec<String>,
    /// What explains it, the best explanation first, where that is the matter too.
    pub parents: Vec<(Rule, String)>,
}

/// What is the matter beside the records.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// What every screen says of the store; empty where its settings are checked.
    pub store_caveat: String,
    /// How many records cannot be read.
    pub unreadable: usize,
}

/// Looks at everything that the rules look at. Levels below every line are left out where there is nothing to say.
#[must_use]
pub fn of(situation: &Situation, records: &Records, region: &Region, outside: &Outside) -> Vec<Condition> {
    let names = |trust: TrustCode| {
        region.trusts.get(&trust).map_or_else(|| trust.to_string(), |found| found.name.to_string())
    };
    let mut found = Vec::new();
    let cells = situation.cells.iter().map(|((trust, key), cell)| (*trust, key, cell.net, cell.pressure));
    of_cells(cells, &names, &mut found);
    for (trust, seen) in &situation.trusts {
        // A report is a level too, and nought: that one came is not the same as that nothing is known.
        match seen.freshness {
            Some(freshness) => found.push(silent(*trust, level_of(freshness), seen.offers_stale, &names)),
            None => found.extend(expired(*trust, records, situation.at, &names)),
        }
    }
    for ((trust, key), cell) in situation.cells.iter().filter(|(_, cell)| cell.short > 0) {
        let what = sentence::resource(key);
        found.push(Condition {
            rule: Rule::OfferShort,
            cause: format!("{trust} {key}"),
            level: i64::try_from(cell.short).unwrap_or(i64::MAX),
            text: format!(
                "{} is short of {} {what} that it has promised or in use.",
                names(*trust),
                cell.short
            ),
            trusts: sharing(*trust, key, records),
            resource: Some(key.clone()),
            subjects: short_offers(*trust, key, records),
            parents: Vec::new(),
        });
    }
    unserved_needs(records, region, situation.at, &names, &mut found);
    overdue_transfers(records, situation.at, &names, &mut found);
    if outside.unreadable > 0 {
        found.push(Condition {
            rule: Rule::RecordUnreadable,
            cause: "records".to_owned(),
            level: i64::try_from(outside.unreadable).unwrap_or(i64::MAX),
            text: format!("{} records cannot be read and are set apart.", outside.unreadable),
            trusts: Vec::new(),
            resource: None,
            subjects: Vec::new(),
            parents: Vec::new(),
        });
    }
    if !outside.store_caveat.is_empty() {
        found.push(Condition {
            rule: Rule::StoreCaveat,
            cause: "store".to_owned(),
            level: 1,
            text: outside.store_caveat.clone(),
            trusts: Vec::new(),
            resource: None,
            subjects: Vec::new(),
            parents: Vec::new(),
        });
    }
    found
}

/// Looks at what takes two people: what waits for the second, and what was done for a trust or around it and nobody has
/// looked at again. `time` writes a time as people in the region read it.
#[must_use]
pub fn of_actions<'a>(
    actions: impl Iterator<Item = &'a Action>,
    region: &Region,
    time: &dyn Fn(Timestamp) -> String,
    at: Timestamp,
) -> Vec<Condition> {
    let words = Words { region, time };
    let condition = |action: &Action, rule: Rule, level: i64| Condition {
        rule,
        cause: action.id.to_string(),
        level,
        text: words.acted(action, at),
        trusts: action.trusts.clone(),
        resource: None,
        subjects: std::iter::once(action.id.to_string())
            .chain(action.errand.proposal().map(ToString::to_string))
            .collect(),
        parents: Vec::new(),
    };
    let mut found = Vec::new();
    for action in actions {
        if action.state(at) == ActionState::Proposed {
            let minutes = at.duration_since(action.proposed_at).as_mins();
            found.push(condition(action, Rule::ActionWaits, minutes));
        }
        if !action.awaits_review() {
            continue;
        }
        let broken = condition(action, Rule::GlassBroken, 1);
        let review_by = action.confirmed.as_ref().and_then(|confirmed| confirmed.review_by);
        if review_by.is_some_and(|by| at > by) {
            // A cause of its own: whoever took the first alert, and wrote no review, hears of it again.
            found.push(Condition {
                cause: format!("{} late", action.id),
                level: 2,
                text: format!("The review is late. {}", broken.text),
                parents: vec![(Rule::GlassBroken, broken.cause.clone())],
                ..broken.clone()
            });
        }
        found.push(broken);
    }
    found
}

/// Looks at what is kept of one moment: pressure, the region's net and silence. The other rules look at records, of
/// which nothing is kept.
#[must_use]
pub fn of_rollup(rollup: &Rollup) -> Vec<Condition> {
    let names = |trust: TrustCode| trust.to_string();
    let mut found = Vec::new();
    let points = rollup.points.iter().map(|point| (point.trust, &point.resource, point.net, point.pressure));
    of_cells(points, &names, &mut found);
    found.extend(rollup.silent.iter().map(|trust| silent(*trust, 2, 0, &names)));
    found
}

fn of_cells<'a>(
    cells: impl Iterator<Item = (TrustCode, &'a ResourceKey, i64, u8)>,
    names: &impl Fn(TrustCode) -> String,
    found: &mut Vec<Condition>,
) {
    let mut net: BTreeMap<&ResourceKey, i64> = BTreeMap::new();
    for (trust, key, of_trust, pressure) in cells {
        let sum = net.entry(key).or_default();
        *sum = sum.saturating_add(of_trust);
        if pressure < 2 {
            continue;
        }
        found.push(Condition {
            rule: Rule::TrustPressure,
            cause: format!("{trust} {key}"),
            level: pressure.into(),
            text: format!(
                "{}: pressure {pressure} of 4 for {}, {}.",
                names(trust),
                sentence::resource(key),
                sentence::spare(key, of_trust)
            ),
            trusts: vec![trust],
            resource: Some(key.clone()),
            subjects: Vec::new(),
            parents: vec![(Rule::FeedSilent, trust.to_string()), (Rule::RegionNet, key.to_string())],
        });
    }
    for (key, net) in net {
        found.push(Condition {
            rule: Rule::RegionNet,
            cause: key.to_string(),
            level: net.saturating_neg(),
            text: format!("Across the region: {}, {}.", sentence::resource(key), sentence::spare(key, net)),
            trusts: Vec::new(),
            resource: Some(key.clone()),
            subjects: Vec::new(),
            parents: Vec::new(),
        });
    }
}

fn silent(trust: TrustCode, level: i64, stale: u64, names: &impl Fn(TrustCode) -> String) -> Condition {
    let became = match stale {
        0 => String::new(),
        1 => " 1 offer is stale and not proposed.".to_owned(),
        more => format!(" {more} offers are stale and not proposed."),
    };
    Condition {
        rule: Rule::FeedSilent,
        cause: trust.to_string(),
        level,
        text: format!("{} is silent.{became}", names(trust)),
        trusts: vec![trust],
        resource: None,
        subjects: Vec::new(),
        parents: Vec::new(),
    }
}

const fn level_of(freshness: Freshness) -> i64 {
    match freshness {
        Freshness::Fresh => 0,
        Freshness::Ageing => 1,
        Freshness::Stale => 2,
    }
}

/// A trust whose offers have run out: it is as silent as its newest report is old.
fn expired(
    trust: TrustCode,
    records: &Records,
    at: Timestamp,
    names: &impl Fn(TrustCode) -> String,
) -> Option<Condition> {
    let ended = || records.offers.values().filter(|offer| offer.trust == trust && offer.state.is_ended());
    // What the trust itself has withdrawn or closed is no silence.
    let ran_out = ended().any(|offer| offer.state == OfferState::Expired);
    let newest = ended().max_by_key(|offer| offer.reported_at).filter(|_| ran_out)?;
    let text = format!("{} is silent. No live offers of it are left.", names(trust));
    Some(Condition { text, ..silent(trust, level_of(newest.freshness(at)), 0, names) })
}

fn short_offers(trust: TrustCode, key: &ResourceKey, records: &Records) -> Vec<String> {
    let of_cell = |offer: &&crate::offer::Offer| {
        offer.trust == trust
            && offer.resource.key() == *key
            && !offer.state.is_ended()
            && offer.figures.short() > 0
    };
    records.offers.values().filter(of_cell).map(|offer| offer.id.to_string()).collect()
}

/// The trust that is short, and those who were promised what it no longer has.
fn sharing(trust: TrustCode, key: &ResourceKey, records: &Records) -> Vec<TrustCode> {
    let offers = short_offers(trust, key, records);
    let promised = records.transfers.values().filter(|transfer| {
        transfer.state.is_before_arrival() && offers.iter().any(|offer| transfer.offer.as_str() == offer)
    });
    let mut trusts: Vec<TrustCode> =
        std::iter::once(trust).chain(promised.map(|transfer| transfer.home_trust)).collect();
    trusts.sort_unstable();
    trusts.dedup();
    trusts
}

/// How long a need that went unmet is told of: its trust and gold are to see it once, and no longer than they can help.
pub const UNMET_TOLD: SignedDuration = SignedDuration::from_hours(1);

/// Needs with units for which nothing is proposed, and those that have just gone unmet; each is a cause of its own, so
/// that no alert hides the next patient.
///
/// A need ends at its needed-by, so that a rule which looked only at what is past it would come too late.
fn unserved_needs(
    records: &Records,
    region: &Region,
    at: Timestamp,
    names: &impl Fn(TrustCode) -> String,
    found: &mut Vec<Condition>,
) {
    for need in records.needs.values() {
        let Some(due) = due_at(need, region) else { continue };
        let wanted = need.units_wanted();
        let waits = need.state.takes_part() && !wanted.is_zero();
        let went_unmet = need.state == NeedState::Unmet && at.duration_since(due) <= UNMET_TOLD;
        let key = need.resource.key();
        let what = sentence::resource(&key);
        let told = match (waits, went_unmet) {
            (true, _) if wanted == need.units => format!("a need for {what} waits, and nothing is proposed"),
            (true, _) => {
                format!("a need for {what} waits, and nothing is proposed for {wanted} of {}", need.units)
            }
            (false, true) => format!("a need for {what} went unmet"),
            (false, false) => continue,
        };
        found.push(Condition {
            rule: Rule::NeedUnserved,
            cause: need.id.to_string(),
            level: whole_minutes(at.duration_since(due)),
            text: format!("{}: {told}.", names(need.trust)),
            trusts: vec![need.trust],
            resource: Some(key),
            subjects: vec![need.id.to_string()],
            parents: Vec::new(),
        });
    }
}

/// Returns the whole minutes that have passed, below nought before: half a minute before is -1, so that a line at an hour
/// before is reached at the hour and not almost a minute earlier.
fn whole_minutes(passed: SignedDuration) -> i64 {
    passed.as_secs().div_euclid(60)
}

/// Returns when the rule about needs for which nothing is proposed alarms of a need, if nothing changes; it can be past.
/// `None` where it never would: the rule is off, the need takes no part or has a proposal for all that it asks, or what
/// went unmet is no longer told of by then.
#[must_use]
pub fn told_at(need: &Need, region: &Region) -> Option<Timestamp> {
    let threshold = region.policy.alerts.of(Rule::NeedUnserved);
    if !threshold.on || !need.state.takes_part() || need.units_wanted().is_zero() {
        return None;
    }
    let after = SignedDuration::from_mins(threshold.enter.saturating_add(i64::from(threshold.minutes)));
    // Without a needed-by it waits on and does not end.
    if need.needed_by.is_some() && after > UNMET_TOLD {
        return None;
    }
    due_at(need, region)?.checked_add(after).ok()
}

/// Returns by when a need is to be served: its needed-by, else when its band is breached. Planned work that came with
/// its band already breached is a backlog and not news: it has none.
fn due_at(need: &Need, region: &Region) -> Option<Timestamp> {
    need.needed_by.or_else(|| {
        let breach = clocks::breach_at(need.priority, need.listed_at, &region.policy.limit_hours);
        let was_late = need.raised_at.is_some_and(|raised| breach <= raised);
        (!was_late || !need.priority.is_planned()).then_some(breach)
    })
}

fn overdue_transfers(
    records: &Records,
    at: Timestamp,
    names: &impl Fn(TrustCode) -> String,
    found: &mut Vec<Condition>,
) {
    let due = records.transfers.values().filter_map(|transfer| Some((transfer, transfer.next_due()?)));
    for (transfer, due_at) in due.filter(|(_, due_at)| *due_at < at) {
        let what = sentence::resource(&transfer.resource.key());
        let (from, to) = (names(transfer.supporting_trust), names(transfer.home_trust));
        let text = if transfer.state.is_before_arrival() {
            format!("Overdue: {} × {what} from {from} to {to} has not arrived.", transfer.units)
        } else {
            format!("Overdue: the way back of {} × {what} between {from} and {to}.", transfer.units)
        };
        found.push(Condition {
            rule: Rule::TransferOverdue,
            cause: transfer.id.to_string(),
            level: at.duration_since(due_at).as_mins(),
            text,
            trusts: transfer.trusts().collect(),
            resource: Some(transfer.resource.key()),
            subjects: vec![transfer.id.to_string()],
            parents: Vec::new(),
        });
    }
}

#[cfg(test)]
#[path = "conditions_tests.rs"]
mod tests;
