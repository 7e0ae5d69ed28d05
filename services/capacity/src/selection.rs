//! Which of the caller's live offers a call means.

use fallow_api::convert::request::Selection;
use fallow_api::status::Failure;
use fallow_domain::ids::{OfferId, TrustCode};
use fallow_domain::offer::Offer;
use fallow_ledger::RecordKind;
use fallow_ledger::record::offer_key;
use fallow_live::call::Call;
use serde::{Deserialize, Serialize};

/// Returns the ids of the trust's live offers that a selection means, in order.
///
/// # Errors
/// [`Failure::NotFound`] when an id is none of the trust's, or nothing fits.
pub(crate) fn resolve(call: &Call, trust: TrustCode, selection: &Selection) -> Result<Vec<OfferId>, Failure> {
    match selection {
        Selection::Ids(ids) => {
            for id in ids {
                let is_own = |offer: &&Offer| offer.trust == trust;
                call.live.find("offer", &offer_key(id), |record| record.offer().filter(is_own))?;
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
                .filter_map(|(_, seen)| seen.record.offer().filter(fits).map(|offer| offer.id.clone()))
                .collect();
            if ids.is_empty() {
                return Err(Failure::NotFound { record: "offer", id: String::new() });
            }
            Ok(ids)
        }
    }
}

/// So many offers are remembered under a request id as they were decided on.
const REMEMBERED_WHOLE: usize = 16;

/// Offers that a call changed. Under its request id a few are remembered as they were decided on, so that a repeated
/// request is answered as before; of more than a few only the ids, for the records of a whole site would be more than
/// one outcome may hold.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Offers {
    ids: Vec<OfferId>,
    #[serde(default, skip_serializing_if = "are_many")]
    decided: Vec<Offer>,
}

fn are_many(offers: &[Offer]) -> bool {
    offers.len() > REMEMBERED_WHOLE
}

impl Offers {
    /// Takes offers as they were decided on.
    pub(crate) fn of(decided: Vec<Offer>) -> Self {
        Self { ids: decided.iter().map(|offer| offer.id.clone()).collect(), decided }
    }

    /// Returns the offers as they were decided on or, for a repeated request on many, as they now are.
    pub(crate) fn resolve(self, call: &Call) -> Vec<Offer> {
        if !self.decided.is_empty() {
            return self.decided;
        }
        let found = self.ids.iter().filter_map(|id| call.live.picture().get(&offer_key(id)));
        found.filter_map(|seen| seen.record.offer().cloned()).collect()
    }
}
