//! A site's whole state at once: what it names is added or changed, what it leaves out is withdrawn.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::publish::{left_out, publish_on};
use super::withdraw::withdraw_on;
use super::{OfferReport, party};
use crate::actor::Actor;
use crate::decide::{figures, words};
use crate::ids::{OfferId, SiteCode, SourceKey, TrustCode};
use crate::lifecycle::Party;
use crate::lifecycle::offer::{OfferCommand, TABLE};
use crate::offer::Offer;
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};
use crate::resource::ResourceKind;

/// What a whole state of a site changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Replaced {
    /// The new versions.
    pub changes: Records,
    /// Offers that are new.
    pub added: Vec<OfferId>,
    /// Offers whose figures or description changed.
    pub changed: Vec<OfferId>,
    /// Offers left out, withdrawn.
    pub withdrawn: Vec<OfferId>,
    /// Offers left out while units of them are promised: suspended instead.
    pub suspended: Vec<OfferId>,
    /// Offers named with nothing but a new report time.
    pub unchanged: Vec<OfferId>,
}

/// Replaces the whole state of a site for some kinds. Each item comes with a fresh id that is used only when its source
/// key is not among the site's live offers. All or nothing.
///
/// Give it every live offer of the site and kinds, with what hangs on them.
///
/// # Errors
/// `DUPLICATE` and `SOURCE_KEY_REQUIRED` by source key, `WRONG_SIDE`, `LARGE_CHANGE` (also when more than ten offers and
/// more than half of them are left out), and what [`super::publish`] refuses.
#[allow(clippy::too_many_arguments)] // what a whole state consists of
pub fn replace(
    read: &Records,
    (trust, site): (TrustCode, SiteCode),
    kinds: &[ResourceKind],
    items: Vec<(OfferId, OfferReport)>,
    confirm_large_change: bool,
    actor: &Actor,
    at: Timestamp,
) -> Result<Replaced, Refusal> {
    if party(actor, trust) != Party::Supporting {
        return Err(Refusal::new(reason::WRONG_SIDE, "a trust publishes for itself only"));
    }
    let mut desk = Desk::new(read);
    let mut replaced = Replaced::default();
    let is_covered = |o: &&Offer| {
        o.trust == trust && o.site == site && kinds.contains(&o.resource.kind) && !o.state.is_ended()
    };
    let mut left: BTreeMap<&OfferId, &Offer> =
        read.offers.values().filter(is_covered).map(|o| (&o.id, o)).collect();
    let covered = left.len();
    let mut by_key: BTreeMap<&SourceKey, &Offer> =
        left.values().filter_map(|o| Some((o.source_key.as_ref()?, *o))).collect();
    let mut named = Vec::with_capacity(items.len());
    for (fresh, report) in items {
        let known = {
            let key = report.source_key.as_ref().ok_or_else(|| {
                Refusal::new(reason::SOURCE_KEY_REQUIRED, "every offer of a whole state needs a source key")
            })?;
            if named.contains(key) {
                return Err(Refusal::new(reason::DUPLICATE, format!("source key {key} is named twice")));
            }
            named.push(key.clone());
            by_key.remove(key)
        };
        if report.site != site || !kinds.contains(&report.resource.kind) {
            return Err(Refusal::new(
                reason::OUT_OF_RANGE,
                "an item is of another site or kind than the state",
            ));
        }
        let id = known.map_or(fresh, |o| o.id.clone());
        publish_on(&mut desk, &id, report, confirm_large_change, actor, at)?;
        match known {
            None => replaced.added.push(id),
            Some(before) => {
                left.remove(&before.id);
                let is_changed = describes_other(before, desk.offer(&id)?);
                if is_changed { replaced.changed.push(id) } else { replaced.unchanged.push(id) }
            }
        }
    }
    check_left_out(left.len(), covered, confirm_large_change)?;
    let because = words("The trust's report no longer names the offer.");
    for offer in left.into_values() {
        TABLE.edge(offer.state, OfferCommand::LeaveOut, Party::Supporting)?;
        match withdraw_on(&mut desk, &offer.id, &because, at) {
            Ok(()) => replaced.withdrawn.push(offer.id.clone()),
            Err(refusal) if refusal.reason == reason::CAPACITY_COMMITTED => {
                left_out(desk.offer_mut(&offer.id)?);
                replaced.suspended.push(offer.id.clone());
            }
            Err(refusal) => return Err(refusal),
        }
    }
    replaced.changes = desk.finish();
    Ok(replaced)
}

/// Says whether two versions of an offer differ in more than when and by what number they were reported.
fn describes_other(before: &Offer, after: &Offer) -> bool {
    let mut same = after.clone();
    same.reported_at = before.reported_at;
    same.source = before.source;
    same.source_seq = before.source_seq;
    same.recent = before.recent.clone();
    same != *before
}

/// A file cut short would withdraw what it no longer names.
fn check_left_out(left_out: usize, covered: usize, is_confirmed: bool) -> Result<(), Refusal> {
    let is_large = left_out > figures::LARGE_CHANGE_UNITS as usize && left_out * 2 > covered;
    if is_large && !is_confirmed {
        return Err(Refusal::new(
            reason::LARGE_CHANGE,
            format!("{left_out} of {covered} offers are left out: send again and confirm the large change"),
        )
        .with("before", covered)
        .with("after", covered - left_out));
    }
    Ok(())
}
