//! Reading offers: one at once, lists at one revision, watches.

use bytes::Bytes;
use fallow_api::convert::{codes, offer};
use fallow_api::status::Failure;
use fallow_api::v1::{self, watch_offers_response};
use fallow_domain::ids::OfferId;
use fallow_domain::offer::Offer;
use fallow_ledger::record::{Record, offer_key};
use fallow_ledger::{RecordKind, Revision};
use fallow_live::call::Call;
use fallow_live::lists::{self, Asked, Named};
use fallow_live::visibility::Reach;
use fallow_live::watch::{Item, Told, Watching};
use futures::Stream;
use jiff::Timestamp;
use prost::Message;

/// Reads one offer with its revision.
pub(crate) fn get(call: &Call, id: &OfferId) -> Result<(v1::Offer, u64), Failure> {
    let (found, seen) = call.live.find("offer", &offer_key(id), Record::offer)?;
    let visible =
        call.viewer().offer(&found).ok_or(Failure::NotFound { record: "offer", id: id.to_string() })?;
    Ok((offer::seen(visible.get(), seen.revision.0, &call.region.region), call.live.picture().revision().0))
}

/// Lists a page of offers, in order of id, with the token of the next page and the revision of the list.
pub(crate) async fn list(
    call: &Call,
    request: &v1::ListOffersRequest,
) -> Result<v1::ListOffersResponse, Failure> {
    let filter = request.filter.clone().unwrap_or_default();
    let asked = Asked::parse(&filter.ids, request.as_of.as_ref(), call.at, OfferId::parse, offer_key)?;
    let query =
        format!("ListOffers {:?} {:?} {filter:?} {:?}", call.actor.role, call.actor.trust, asked.as_of);
    let mut page = call.live.pages().page(request.page_size, &request.page_token, &query)?;
    let (records, revision) = asked.records(&call.live, RecordKind::Offer, &mut page).await?;
    let mut then = call.clone();
    then.at = asked.as_of.unwrap_or(call.at);
    let see = seeing(&then, filter);
    let offers = records.iter().filter_map(|(_, seen)| see(&seen.record, seen.revision));
    let (offers, next_page_token) = call.live.pages().cut(&page, &query, offers);
    Ok(v1::ListOffersResponse { offers, next_page_token, revision: number(revision) })
}

/// Watchers of offers who are told the same.
pub(crate) type Audiences = fallow_live::audience::Audiences<ToldBy>;

/// Everything that decides what a watcher of offers is told of a change: how far it sees, what it asked for, and when,
/// where it asked for how old figures are.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ToldBy {
    reach: Reach,
    filter: Vec<u8>,
    at: Option<Timestamp>,
}

/// Starts a watch of offers: pieces of its answer, of messages written already.
pub(crate) fn watch<S: Future<Output = ()> + Send + 'static>(
    call: &Call,
    request: v1::WatchOffersRequest,
    audiences: &Audiences,
    stopping: S,
) -> Result<impl Stream<Item = Result<Bytes, Failure>> + Send + use<S>, Failure> {
    let picture = call.live.picture().clone();
    let filter = request.filter.unwrap_or_default();
    lists::check_ids(&filter.ids, OfferId::parse)?;
    let told_by = ToldBy {
        reach: Reach::of(&call.actor),
        filter: filter.encode_to_vec(),
        at: (!filter.freshness.is_empty()).then_some(call.at),
    };
    let watching = Watching::start(&picture, RecordKind::Offer, &request.cursor, seeing(call, filter))?;
    let audience = audiences.join(told_by);
    Ok(watching.for_role(call.actor.role).into_written(picture, audience, to_wire, stopping))
}

fn to_wire(told: Told<v1::Offer>) -> v1::WatchOffersResponse {
    v1::WatchOffersResponse {
        item: Some(match told.item {
            Item::Now(offer) => watch_offers_response::Item::Offer(offer),
            Item::Removed(id) => watch_offers_response::Item::Removed(id),
            Item::SnapshotDone => watch_offers_response::Item::SnapshotDone(v1::SnapshotDone {}),
            Item::Bookmark => watch_offers_response::Item::Bookmark(v1::Bookmark {}),
            Item::Moved => watch_offers_response::Item::Moved(v1::Moved {}),
        }),
        cursor: told.cursor,
        revision: number(told.revision),
    }
}

/// Returns what of a record the caller sees and asked for; of the caller, only what [`ToldBy`] has. The region in force is
/// looked at each time, for a watch outlives it.
fn seeing(
    call: &Call,
    filter: v1::OfferFilter,
) -> impl Fn(&Record, Revision) -> Option<v1::Offer> + Send + use<> {
    let (live, reach, at) = (call.live.clone(), Reach::of(&call.actor), call.at);
    let named = Named::of(&filter.ids);
    move |record, revision| {
        // Before what costs more than a look.
        let found = record.offer().filter(|offer| named.has(offer.id.as_str()))?;
        let region = live.region().ok()?;
        let visible = reach.offer(&region.region, found)?;
        fits(&filter, visible.get(), at).then(|| offer::seen(visible.get(), revision.0, &region.region))
    }
}

/// Says whether an offer is what was asked for, which ids aside.
fn fits(filter: &v1::OfferFilter, offer: &Offer, at: Timestamp) -> bool {
    let any = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|text| text == is);
    let coded = |wanted: &[i32], is: i32| wanted.is_empty() || wanted.contains(&is);
    // What is named is found whatever became of it.
    let is_shown = !offer.state.is_ended() || !filter.ids.is_empty();
    any(&filter.trusts, offer.trust.as_str())
        && any(&filter.sites, offer.site.as_str())
        && any(&filter.codes, offer.resource.code.as_str())
        && coded(&filter.kinds, codes::Coded::to_wire(offer.resource.kind))
        && if filter.states.is_empty() {
            is_shown
        } else {
            coded(&filter.states, codes::Coded::to_wire(offer.state))
        }
        && coded(&filter.freshness, codes::Coded::to_wire(offer.freshness(at)))
}

fn number(revision: Revision) -> i64 {
    fallow_api::convert::request::number_to_wire(revision.0)
}
