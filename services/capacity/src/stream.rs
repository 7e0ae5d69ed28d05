//! `StreamOffers`: publishing at feed speed, one acknowledgement an item.
//!
//! An item is known by its source key and number: one that the offer already carries is acknowledged again without a
//! write, so a feed may go on from its last acknowledgement after any break.

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

/// Publishes one item and returns the revision to acknowledge it with.
///
/// # Errors
/// Every violation of the item; what publishing refuses; `OUT_OF_ORDER_FEED` when the offer carries a later number.
pub(crate) async fn item(call: &Call, item: &v1::StreamOffersRequest) -> Result<u64, Failure> {
    texts::check_item("/fallow.v1.CapacityService/StreamOffers", item, call.at)?;
    let report = parse(call, item)?;
    let picture = call.live.picture();
    if let Some(claim) = report.source_key.as_ref().map(|key| source_claim_key(report.trust, key.as_str()))
        && let Some(id) = picture.get(&claim).and_then(|seen| holder(&seen.record))
        && let Some(seen) = picture.get(&offer_key(&id))
        && let Some(offer) = offer_of(&seen.record)
        && let (Some(last), Some(now)) = (offer.source_seq, report.source_seq)
    {
        if now == last {
            return Ok(seen.revision.0);
        }
        if now < last {
            let text = "this feed has reported the offer under a later number";
            return Err(Refusal::new(reason::OUT_OF_ORDER_FEED, text).with("last", last).into());
        }
    }
    let done = publish::run(call, &call.unnamed("StreamOffers", false), &report, false).await?;
    Ok(call.revision(&done, &offer_key(&done.answer.id), false))
}

fn parse(call: &Call, item: &v1::StreamOffersRequest) -> Result<OfferReport, Failure> {
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
