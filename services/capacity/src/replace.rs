//! `ReplaceOffers`: a site's whole state for some kinds; the server works out the difference.

use std::collections::BTreeMap;

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::violation::Violations;
use fallow_domain::decide::offer::{OfferReport, replace};
use fallow_domain::decide::trust::next_of_feed;
use fallow_domain::ids::{Label, OfferId, SiteCode, TrustCode};
use fallow_domain::offer::Offer;
use fallow_domain::records::Records;
use fallow_domain::resource::ResourceKind;
use fallow_domain::standing::{Claim, FeedState};
use fallow_ledger::record::{Record, feed_key, feeds_claim_key, offer_key, source_claim_key};
use fallow_ledger::transact::{Done, Step};
use fallow_ledger::{Key, RecordKind};
use fallow_live::call::{Call, new_id};
use fallow_live::neighbours;
use serde::{Deserialize, Serialize};

use crate::feeds::{FEEDS_MAX, Room, SILENT_FOR, Unsaid};
use crate::publish::{label, offer_id};
use crate::selection::Offers;

/// A site's whole state for some kinds, as a feed reports it.
#[derive(Debug)]
pub(crate) struct State {
    /// The site.
    pub(crate) site: SiteCode,
    /// The kinds that the items state in full.
    pub(crate) kinds: Vec<ResourceKind>,
    /// The feed.
    pub(crate) feed: Label,
    /// The report's number.
    pub(crate) source_seq: u64,
    /// The offers.
    pub(crate) items: Vec<OfferReport>,
    /// Large changes are meant.
    pub(crate) confirm_large_change: bool,
}

/// What a whole state changed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Difference {
    pub(crate) added: Offers,
    pub(crate) changed: Offers,
    pub(crate) withdrawn: Offers,
    pub(crate) suspended: Offers,
    pub(crate) unchanged: usize,
}

/// Replaces a site's whole state. A report of a number that was taken before answers as then.
///
/// # Errors
/// What [`fallow_domain::decide::offer::replace`] refuses; `OUT_OF_ORDER_FEED` for a number below the last.
pub(crate) async fn run(
    call: &Call,
    state: &State,
    body: Vec<u8>,
    validate_only: bool,
) -> Result<Done<Difference>, Failure> {
    let trust = call.own_trust()?;
    let name = format!("feed {} {}", state.feed, state.source_seq);
    let mutation = call.named("ReplaceOffers", name, body, validate_only);
    let feed = feed_key(trust, state.feed.as_str());
    let mut items: Vec<(OfferId, OfferReport)> = Vec::with_capacity(state.items.len());
    for report in &state.items {
        items.push((offer_id(&new_id())?, report.clone()));
    }
    let picture = call.live.picture();
    let mut first = vec![feed.clone()];
    if picture.get(&feed).is_none() {
        first.push(feeds_claim_key(trust));
    }
    call.live
        .mutate(&mutation, first, |view| {
            let roots = covered(call, trust, state);
            let missing = neighbours::missing(view, picture, &roots);
            if !missing.is_empty() {
                return Ok(Step::Read(missing));
            }
            let last = match view.get(&feed) {
                Some(Record::Feed(last)) => Some(last),
                Some(_) | None => None,
            };
            let made = match last {
                Some(_) => Vec::new(),
                None => match Room::find(&[&state.feed], &[], (trust, call.at), view, picture) {
                    Ok(room) if room.places == 1 => room.writes,
                    Ok(_) => return Err(no_room()),
                    Err(Unsaid::Read(key)) => return Ok(Step::Read(vec![key])),
                    Err(Unsaid::Behind) => return Ok(Step::ReadAgain),
                },
            };
            let next: FeedState = next_of_feed(last, (trust, state.feed.clone()), state.source_seq, call.at)?;
            let read = neighbours::records(view);
            let replaced = replace(
                &read,
                (trust, state.site),
                &state.kinds,
                items.clone(),
                state.confirm_large_change,
                &call.actor,
                call.at,
            )?;
            let now = |ids: &[OfferId]| versions(ids, &replaced.changes, &read);
            let added = now(&replaced.added);
            let (changed, withdrawn) = (now(&replaced.changed), now(&replaced.withdrawn));
            let suspended = now(&replaced.suspended);
            let unchanged = replaced.unchanged.len();
            let mut writes = neighbours::writes(replaced.changes);
            for offer in &added {
                if let Some(key) = &offer.source_key {
                    let claim = Claim { holder: label(&offer.id)? };
                    writes.push((source_claim_key(trust, key.as_str()), Some(Record::Claim(claim))));
                }
            }
            writes.extend(made);
            writes.push((feed.clone(), Some(Record::Feed(next))));
            let answer = Difference {
                added: Offers::of(added),
                changed: Offers::of(changed),
                withdrawn: Offers::of(withdrawn),
                suspended: Offers::of(suspended),
                unchanged,
            };
            Ok(Step::Write { writes, answer })
        })
        .await
}

/// Says that a feed is one too many.
fn no_room() -> Failure {
    let text = format!(
        "must be one of the trust's feeds: it has {FEEDS_MAX}, as many as are remembered, and each has reported within {} days",
        SILENT_FOR.as_hours() / 24
    );
    Failure::Invalid(Violations::one("feed", reasons::TOO_MANY, text))
}

/// Returns the keys of the site's live offers of the kinds that are stated, and of the claims of all that is stated: a
/// claim that another call makes meanwhile is then a conflict.
fn covered(call: &Call, trust: TrustCode, state: &State) -> Vec<Key> {
    let still = call.live.picture().still();
    let is_covered = |offer: &&Offer| {
        offer.trust == trust
            && offer.site == state.site
            && state.kinds.contains(&offer.resource.kind)
            && !offer.state.is_ended()
    };
    let offers = still.all(RecordKind::Offer);
    let offers = offers.iter().filter_map(|(_, seen)| seen.record.offer().filter(is_covered));
    let claims = state
        .items
        .iter()
        .filter_map(|item| Some(source_claim_key(trust, item.source_key.as_ref()?.as_str())));
    offers.map(|offer| offer_key(&offer.id)).chain(claims).collect()
}

fn versions(ids: &[OfferId], changes: &Records, read: &Records) -> Vec<Offer> {
    let newest: BTreeMap<_, _> = read.offers.iter().chain(&changes.offers).collect();
    ids.iter().filter_map(|id| newest.get(id).map(|offer| (*offer).clone())).collect()
}
