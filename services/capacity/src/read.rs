//! Reading offers: one at once, lists at one revision, watches.

use fallow_api::convert::{codes, offer};
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::ids::OfferId;
use fallow_domain::offer::Offer;
use fallow_ledger::record::{Record, offer_key};
use fallow_ledger::{RecordKind, Revision};
use fallow_live::call::Call;
use fallow_live::watch::{Told, Watching};
use futures::Stream;

use crate::selection::offer_of;

/// Reads one offer with its revision.
pub(crate) fn get(call: &Call, id: &OfferId) -> Result<(v1::Offer, u64), Failure> {
    let (found, seen) = call.live.find("offer", &offer_key(id), offer_of)?;
    let visible =
        call.viewer().offer(&found).ok_or(Failure::NotFound { record: "offer", id: id.to_string() })?;
    Ok((offer::seen(visible.get(), seen.revision.0, &call.region.region), call.live.picture().revision().0))
}

/// Lists a page of offers, in order of id, with the token of the next page and the revision of the list.
pub(crate) fn list(call: &Call, request: &v1::ListOffersRequest) -> Result<v1::ListOffersResponse, Failure> {
    let filter = request.filter.clone().unwrap_or_default();
    let query = format!("ListOffers {:?} {:?} {filter:?}", call.actor.role, call.actor.trust);
    let page = call.live.pages().page(request.page_size, &request.page_token, &query)?;
    let see = seeing(call, filter);
    let (records, revision) = {
        let still = call.live.picture().still();
        (still.all(RecordKind::Offer), still.revision())
    };
    let offers = records.iter().filter_map(|(_, seen)| see(&seen.record, seen.revision)).collect();
    let (offers, next_page_token) = call.live.pages().cut(&page, &query, offers);
    Ok(v1::ListOffersResponse { offers, next_page_token, revision: number(revision) })
}

/// Starts a watch of offers.
pub(crate) fn watch(
    call: Call,
    request: v1::WatchOffersRequest,
    stopping: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Stream<Item = Result<Told<v1::Offer>, Failure>> + Send, Failure> {
    let picture = call.live.picture().clone();
    let role = call.actor.role;
    let see = seeing_owned(call, request.filter.unwrap_or_default());
    let watching = Watching::start(&picture, RecordKind::Offer, &request.cursor, see)?.for_role(role);
    Ok(watching.into_stream(stopping))
}

fn seeing(call: &Call, filter: v1::OfferFilter) -> impl Fn(&Record, Revision) -> Option<v1::Offer> {
    seeing_owned(call.clone(), filter)
}

/// Returns what of a record the caller sees and asked for. The region in force is looked at each time, for a watch
/// outlives it.
fn seeing_owned(call: Call, filter: v1::OfferFilter) -> impl Fn(&Record, Revision) -> Option<v1::Offer> {
    move |record, revision| {
        let found = offer_of(record)?;
        let region = call.live.region().ok()?;
        let viewer = fallow_live::visibility::Viewer { actor: &call.actor, region: &region.region };
        let visible = viewer.offer(found)?;
        fits(&filter, visible.get(), &call).then(|| offer::seen(visible.get(), revision.0, &region.region))
    }
}

fn fits(filter: &v1::OfferFilter, offer: &Offer, call: &Call) -> bool {
    let any = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|text| text == is);
    let coded = |wanted: &[i32], is: i32| wanted.is_empty() || wanted.contains(&is);
    let is_live = !offer.state.is_ended();
    any(&filter.trusts, offer.trust.as_str())
        && any(&filter.sites, offer.site.as_str())
        && any(&filter.codes, offer.resource.code.as_str())
        && coded(&filter.kinds, codes::Coded::to_wire(offer.resource.kind))
        && if filter.states.is_empty() {
            is_live
        } else {
            coded(&filter.states, codes::Coded::to_wire(offer.state))
        }
        && coded(&filter.freshness, codes::Coded::to_wire(offer.freshness(call.at)))
}

fn number(revision: Revision) -> i64 {
    fallow_api::convert::request::number_to_wire(revision.0)
}
