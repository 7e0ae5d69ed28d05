//! `StreamOffers`: publishing at feed speed, one acknowledgement an item.
//!
//! An item is known by its source key and number: one that the offer already carries is acknowledged again without a
//! write, so a feed may go on from its last acknowledgement after any break.
//!
//! Items that have come by the time the last ones are written go into one commit: each is parsed, looked at and decided on
//! by itself and in order, but they are written, and waited for, once.

use fallow_api::convert::{self, Check};
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::decide::offer::OfferReport;
use fallow_domain::offer::Source;
use fallow_domain::refusal::{Refusal, reason};
use fallow_host::texts;
use fallow_ledger::record::{offer_key, source_claim_key};
use fallow_live::call::Call;

use crate::publish::{self, holder};
use crate::selection::offer_of;

/// Most items of one commit: some milliseconds of the store's time, in which nothing else of the region is written.
pub(crate) const TOGETHER: usize = 128;

/// The revision to acknowledge an item with, or every violation of it; what publishing refuses; `OUT_OF_ORDER_FEED` when
/// the offer carries a later number.
type End = Result<u64, Failure>;

/// Publishes items in order and returns what became of each.
pub(crate) async fn items(call: &Call, items: &[v1::StreamOffersRequest]) -> Vec<End> {
    let mut ends = Vec::with_capacity(items.len());
    let mut waiting: Vec<(usize, OfferReport)> = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        match parse(call, item) {
            Ok(report) => {
                // An item is held against what those before it made of the same offer.
                if waiting.iter().any(|(_, before)| before.source_key == report.source_key) {
                    publish_all(call, &mut waiting, &mut ends).await;
                }
                match told_before(call, &report) {
                    Some(end) => ends.push((place, end)),
                    None => waiting.push((place, report)),
                }
            }
            Err(failure) => ends.push((place, Err(failure))),
        }
    }
    publish_all(call, &mut waiting, &mut ends).await;
    ends.sort_unstable_by_key(|(place, _)| *place);
    ends.into_iter().map(|(_, end)| end).collect()
}

/// Publishes what waits, in one commit where that can be: what is too much for one, or loses every race together, goes one
/// by one.
async fn publish_all(call: &Call, waiting: &mut Vec<(usize, OfferReport)>, ends: &mut Vec<(usize, End)>) {
    let (places, reports): (Vec<usize>, Vec<OfferReport>) = waiting.drain(..).unzip();
    if reports.is_empty() {
        return;
    }
    let mutation = call.unnamed("StreamOffers", false);
    match publish::run_all(call, &mutation, &reports).await {
        Ok(each) => ends.extend(places.into_iter().zip(each)),
        Err(Failure::Limited { .. } | Failure::ChangedMeanwhile { .. }) if reports.len() > 1 => {
            for (place, report) in places.into_iter().zip(&reports) {
                let alone = publish::run_all(call, &mutation, std::slice::from_ref(report)).await;
                let end = alone.unwrap_or_else(|failure| vec![Err(failure)]);
                ends.extend(end.into_iter().map(|end| (place, end)));
            }
        }
        Err(failure) => ends.extend(places.into_iter().map(|place| (place, Err(failure.clone())))),
    }
}

/// Says what an item comes to whose offer carries its number already, or a later one.
fn told_before(call: &Call, report: &OfferReport) -> Option<End> {
    let picture = call.live.picture();
    let claim = source_claim_key(report.trust, report.source_key.as_ref()?.as_str());
    let id = picture.get(&claim).and_then(|seen| holder(&seen.record))?;
    let seen = picture.get(&offer_key(&id))?;
    let (last, now) = (offer_of(&seen.record)?.source_seq?, report.source_seq?);
    if now == last {
        return Some(Ok(seen.revision.0));
    }
    (now < last).then(|| {
        let text = "this feed has reported the offer under a later number";
        Err(Refusal::new(reason::OUT_OF_ORDER_FEED, text).with("last", last).into())
    })
}

fn parse(call: &Call, item: &v1::StreamOffersRequest) -> Result<OfferReport, Failure> {
    texts::check_item("/fallow.v1.CapacityService/StreamOffers", item, call.at)?;
    let mut check = Check::new("");
    let seq = convert::request::source_seq(&mut check, item.source_seq);
    let offer = check.required("offer", item.offer.as_ref());
    let parsed = offer
        .map(|offer| convert::offer::published(offer, "offer", &call.input(call.own_trust()?), Source::Feed));
    let report = match parsed {
        Some(Ok(report)) => Some(report),
        Some(Err(Failure::Invalid(found))) => {
            check.add(found);
            None
        }
        Some(Err(other)) => return Err(other),
        None => None,
    };
    if report.as_ref().is_some_and(|report| report.source_key.is_none()) {
        check.wrong("offer.source_key", reason::SOURCE_KEY_REQUIRED, "must be given in a stream");
    }
    let report = check.finish(report)?;
    Ok(OfferReport { source_seq: seq, ..report })
}
