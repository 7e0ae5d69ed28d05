//! Which of the caller's live offers a call means.

use fallow_api::convert::request::Selection;
use fallow_api::status::Failure;
use fallow_domain::ids::{OfferId, TrustCode};
use fallow_domain::offer::Offer;
use fallow_ledger::RecordKind;
use fallow_ledger::record::{Record, offer_key};
use fallow_live::call::Call;

/// Returns the ids of the trust's live offers that a selection means, in order.
///
/// # Errors
/// [`Failure::NotFound`] when an id is none of the trust's, or nothing fits.
pub(crate) fn resolve(call: &Call, trust: TrustCode, selection: &Selection) -> Result<Vec<OfferId>, Failure> {
    match selection {
        Selection::Ids(ids) => {
            for id in ids {
                let is_own = |offer: &&Offer| offer.trust == trust;
                call.live.find("offer", &offer_key(id), |record| offer_of(record).filter(is_own))?;
            }
            Ok(ids.clone())
        }
        Selection::Where { site, resource } => {
            let still = call.live.picture().still();
            let fits = |offer: &&Offer| {
                offer.trust == trust
                    && !offer.state.is_ended()
                    && site.is_none_or(|site| offer.site == site)
                    && resource.as_ref().is_none_or(|key| offer.resource.key() == *key)
            };
            let ids: Vec<OfferId> = still
                .all(RecordKind::Offer)
                .iter()
                .filter_map(|(_, seen)| offer_of(&seen.record).filter(fits).map(|offer| offer.id.clone()))
                .collect();
            if ids.is_empty() {
                return Err(Failure::NotFound { record: "offer", id: String::new() });
            }
            Ok(ids)
        }
    }
}

/// Returns the offer in a record.
pub(crate) fn offer_of(record: &Record) -> Option<&Offer> {
    if let Record::Offer(offer) = record { Some(offer) } else { None }
}
