//! `StreamOffers`: publishing at feed speed, one acknowledgement an item.
//!
//! An item is known by its source key and number: one that the offer already carries is acknowledged again without a
//! write, so a feed may go on from its last acknowledgement after any break.
//!
//! Items that have come by the time the last ones are written go into one commit: each is parsed, looked at and decided on
//! by itself and in order, but they are written, and waited for, once.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use fallow_api::convert::{self, Check};
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::decide::offer::OfferReport;
use fallow_domain::ids::Label;
use fallow_domain::offer::Source;
use fallow_domain::refusal::reason;
use fallow_host::texts;
use fallow_ledger::record::{offer_key, source_claim_key};
use fallow_live::call::Call;
use futures::stream::{self, Stream};
use futures::{FutureExt as _, StreamExt as _};
use prost::Message;

use crate::feeds;
use crate::publish::{self, holder};

/// Most items of one commit: some milliseconds of the store's time, in which nothing else of the region is written.
pub(crate) const TOGETHER: usize = 128;
/// No more items are taken in before those that are there are looked at, once they have so many bytes.
const TOGETHER_BYTES: usize = 256 * 1024;

/// The revision to acknowledge an item with, or every violation of it; what publishing refuses; `OUT_OF_ORDER_FEED` when
/// the offer carries a later number.
type End = Result<u64, Failure>;

/// Returns what has come as it is to be worked on: as much together as is there already, up to [`TOGETHER`] items or
/// [`TOGETHER_BYTES`] and one message more.
pub(crate) fn together<M: Message, E>(
    come: impl Stream<Item = Result<M, E>> + Unpin,
) -> impl Stream<Item = Vec<Result<M, E>>> {
    let bytes = |item: &Result<M, E>| item.as_ref().map_or(0, Message::encoded_len);
    stream::unfold(come.fuse(), move |mut come| async move {
        let first = come.next().await?;
        let mut length = bytes(&first);
        let mut all = vec![first];
        while all.len() < TOGETHER && length < TOGETHER_BYTES {
            let Some(Some(item)) = come.next().now_or_never() else { break };
            length += bytes(&item);
            all.push(item);
        }
        Some((all, come))
    })
}

/// Publishes items in order and returns what became of each.
pub(crate) async fn items(call: &Call, items: &[v1::StreamOffersRequest]) -> Vec<End> {
    let mut ends = Vec::with_capacity(items.len());
    let mut waiting = Waiting { reports: Vec::with_capacity(items.len()), heard: BTreeMap::new() };
    for (place, item) in items.iter().enumerate() {
        match parse(call, item) {
            Ok((feed, report)) => {
                // An item is held against what those before it made of the same offer.
                if waiting.reports.iter().any(|(_, before)| before.source_key == report.source_key) {
                    publish_all(call, &mut waiting, &mut ends).await;
                }
                match told_before(call, &report) {
                    Some(end) => ends.push((place, end)),
                    None => waiting.push(place, feed, report),
                }
            }
            Err(failure) => ends.push((place, Err(failure))),
        }
    }
    publish_all(call, &mut waiting, &mut ends).await;
    ends.sort_unstable_by_key(|(place, _)| *place);
    ends.into_iter().map(|(_, end)| end).collect()
}

/// What waits to be published together.
struct Waiting {
    /// The place of each among the items, and what it reports.
    reports: Vec<(usize, OfferReport)>,
    /// The highest number of each feed among them.
    heard: BTreeMap<Label, u64>,
}

impl Waiting {
    fn push(&mut self, place: usize, feed: Label, report: OfferReport) {
        let last = self.heard.entry(feed).or_default();
        *last = (*last).max(report.source_seq.unwrap_or_default());
        self.reports.push((place, report));
    }
}

/// Publishes what waits, in one commit where that can be: what is too much for one, or loses every race together, goes one
/// by one.
async fn publish_all(call: &Call, waiting: &mut Waiting, ends: &mut Vec<(usize, End)>) {
    let heard = std::mem::take(&mut waiting.heard);
    let (places, reports): (Vec<usize>, Vec<OfferReport>) = waiting.reports.drain(..).unzip();
    if reports.is_empty() {
        return;
    }
    let mutation = call.unnamed("StreamOffers", false);
    match publish::run_all(call, &mutation, &reports, &heard).await {
        Ok(each) => ends.extend(places.into_iter().zip(each)),
        Err(Failure::Limited { .. } | Failure::ChangedMeanwhile { .. }) if reports.len() > 1 => {
            for (place, report) in places.into_iter().zip(&reports) {
                let alone = publish::run_all(call, &mutation, std::slice::from_ref(report), &heard).await;
                let end = alone.unwrap_or_else(|failure| vec![Err(failure)]);
                ends.extend(end.into_iter().map(|end| (place, end)));
            }
        }
        Err(failure) => ends.extend(places.into_iter().map(|place| (place, Err(failure.clone())))),
    }
}

/// Says what an item comes to whose offer carries its number already, or a later one, as far as the picture knows: what has
/// to be decided looks again, for the picture may be behind.
fn told_before(call: &Call, report: &OfferReport) -> Option<End> {
    let picture = call.live.picture();
    let claim = source_claim_key(report.trust, report.source_key.as_ref()?.as_str());
    let id = picture.get(&claim).and_then(|seen| holder(&seen.record))?;
    let seen = picture.get(&offer_key(&id))?;
    let offer = seen.record.offer()?;
    Some(match publish::is_as_late(offer, report)? {
        Ordering::Equal => Ok(seen.revision.0),
        Ordering::Less | Ordering::Greater => Err(publish::overtaken(offer).into()),
    })
}

/// Returns the feed that an item is of, and what it reports.
fn parse(call: &Call, item: &v1::StreamOffersRequest) -> Result<(Label, OfferReport), Failure> {
    texts::check_item("/fallow.v1.CapacityService/StreamOffers", item, call.at)?;
    let mut check = Check::new("");
    let feed = feeds::named(&mut check, &item.feed);
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
    Ok((feed, OfferReport { source_seq: seq, ..report }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use fallow_domain::actor::{Actor, ActorKind, Role};
    use fallow_domain::ids::{OfferId, RegionId};
    use fallow_domain::standing::RegionState;
    use fallow_ledger::follow::follow;
    use fallow_ledger::picture::Picture;
    use fallow_ledger::record::{Record, feed_key, region_key};
    use fallow_ledger::{Commit, Ledger, MemoryLedger, RecordKind, Revision, Versioned};
    use fallow_live::Live;
    use fallow_live::pages::PageKey;
    use jiff::Timestamp;
    use tokio::task::JoinSet;

    use super::*;
    use crate::feeds::{FEEDS_MAX, SILENT_FOR, state_of};
    use crate::{replace, verbs};

    const AT: Timestamp = Timestamp::UNIX_EPOCH;
    const SOON: Duration = Duration::from_secs(5);
    const REGION: &str = r#"
        region = { id = "Y99", name = "Small" }
        trust = [{ ods = "AAA", name = "A" }]
        site = [{ code = "AAA01", trust = "AAA", name = "A", lat = 53, lon = -2, kind = "HOSPITAL" }]
    "#;

    fn actor() -> Actor {
        Actor {
            subject: Label::parse("bed-state").unwrap(),
            kind: ActorKind::System,
            role: Role::TrustSystem,
            trust: Some("AAA".parse().unwrap()),
        }
    }

    /// A ledger in which the region is in force.
    async fn ledger_of_the_region() -> Arc<MemoryLedger> {
        let ledger = Arc::new(MemoryLedger::default());
        let state = RegionState {
            toml: REGION.to_owned(),
            version: 1,
            modes: Default::default(),
            applied_at: AT,
            applied_by: actor(),
        };
        let id = RegionId::parse("Y99").unwrap();
        let region = Commit::new(AT).writing(region_key(&id), Record::Region(state).encode());
        ledger.commit(region).await.unwrap();
        ledger
    }

    /// A process over the ledger, with its follower.
    async fn process(ledger: &Arc<MemoryLedger>) -> (Live, JoinSet<()>) {
        let (picture, mut follower) = (Arc::new(Picture::default()), JoinSet::new());
        follower.spawn(follow(ledger.clone(), picture.clone()));
        let (_, cursor) = ledger.snapshot().await.unwrap();
        assert!(picture.reached(cursor.revision(), SOON).await);
        let id = RegionId::parse("Y99").unwrap();
        (Live::new(id, ledger.clone(), picture, PageKey::new(b"test")), follower)
    }

    async fn send(live: &Live, source_seq: i64, staffed: i64) -> End {
        send_at(live, AT, ("bed-state", source_seq), staffed).await
    }

    async fn send_at(live: &Live, at: Timestamp, (feed, source_seq): (&str, i64), staffed: i64) -> End {
        let call = Call::new(live, actor(), at, None).unwrap();
        items(&call, &[item(at, (feed, source_seq), "bay 1", staffed)]).await.pop().unwrap()
    }

    fn item(
        at: Timestamp,
        (feed, source_seq): (&str, i64),
        source_key: &str,
        staffed: i64,
    ) -> v1::StreamOffersRequest {
        let until = prost_types::Timestamp { seconds: at.as_second() + 86_400, nanos: 0 };
        v1::StreamOffersRequest {
            feed: feed.into(),
            source_seq,
            offer: Some(v1::Offer {
                source_key: source_key.into(),
                site: "AAA01".into(),
                resource: Some(v1::Resource {
                    kind: v1::ResourceKind::Bed.into(),
                    code: "GA_ADULT".into(),
                    ..Default::default()
                }),
                figures: Some(v1::Figures { staffed, ..Default::default() }),
                window: Some(v1::Window { from: None, until: Some(until) }),
                cadence: Some(prost_types::Duration { seconds: 3_600, nanos: 0 }),
                ..Default::default()
            }),
        }
    }

    /// Has so many feeds report, the first of them a second before the second, and so on.
    async fn name_feeds(live: &Live, many: usize) {
        for number in 0..many {
            let at = AT + jiff::SignedDuration::from_secs(number as i64);
            let seq = number as i64 + 1;
            let revision = send_at(live, at, (&format!("feed {number}"), seq), 5).await.unwrap();
            assert!(live.picture().reached(Revision(revision), SOON).await);
        }
    }

    fn known(live: &Live, feed: &str) -> Option<u64> {
        let seen = live.picture().get(&feed_key("AAA".parse().unwrap(), feed))?;
        state_of(&seen.record).map(|state| state.last_seq)
    }

    async fn count_feeds(ledger: &MemoryLedger) -> usize {
        let records = ledger.snapshot().await.unwrap().0;
        records.iter().filter(|record| record.key.kind == RecordKind::Feed).count()
    }

    #[tokio::test]
    async fn a_feed_that_is_heard_again_makes_room_for_no_other() {
        let ledger = ledger_of_the_region().await;
        let (live, _follower) = process(&ledger).await;
        name_feeds(&live, FEEDS_MAX).await;
        // Weeks later the one that was silent for longest is mended, and together with its report comes that of a new one.
        let at = AT + SILENT_FOR + jiff::SignedDuration::from_secs(200);
        let call = Call::new(&live, actor(), at, None).unwrap();
        let both = [item(at, ("feed 0", 500), "bay 1", 5), item(at, ("a new one", 7), "bay 2", 5)];
        for end in items(&call, &both).await {
            assert!(live.picture().reached(Revision(end.unwrap()), SOON).await);
        }
        assert_eq!((known(&live, "feed 0"), known(&live, "a new one")), (Some(500), Some(7)));
        assert_eq!((known(&live, "feed 1"), known(&live, "feed 2")), (None, Some(3)));
        assert_eq!(count_feeds(&ledger).await, FEEDS_MAX);
    }

    #[tokio::test]
    async fn feeds_that_come_at_once_do_not_pass_the_limit() {
        const FREE: usize = 3;
        let ledger = ledger_of_the_region().await;
        let processes = [process(&ledger).await, process(&ledger).await];
        let live = |number: usize| &processes[number % 2].0;
        name_feeds(live(0), FEEDS_MAX - FREE).await;
        let newest = ledger.snapshot().await.unwrap().1.revision();
        assert!(live(1).picture().reached(newest, SOON).await);

        let at = AT + jiff::SignedDuration::from_secs(200);
        let stream = async |number: usize| {
            let call = Call::new(live(number), actor(), at, None).unwrap();
            let (feed, key) = (format!("stream {number}"), format!("ward {number}"));
            items(&call, &[item(at, (&feed, 1), &key, 1)]).await.pop().unwrap()
        };
        // A whole state of a kind of which nothing is offered.
        let whole = async |number: usize| {
            let call = Call::new(live(number), actor(), at, None).unwrap();
            let state = replace::State {
                site: "AAA01".parse().unwrap(),
                kinds: vec![fallow_domain::resource::ResourceKind::Theatre],
                feed: Label::parse(&format!("sheet {number}")).unwrap(),
                source_seq: 1,
                items: Vec::new(),
                confirm_large_change: false,
            };
            replace::run(&call, &state, Vec::new(), false).await
        };
        // Whoever streams is answered, remembered or not.
        let streamed = futures::future::join_all((0..3 * FREE).map(stream)).await;
        assert!(streamed.iter().all(Result::is_ok), "{streamed:?}");
        let after = count_feeds(&ledger).await;
        assert!(after > FEEDS_MAX - FREE && after <= FEEDS_MAX, "{after}");
        let taken = futures::future::join_all((0..3 * FREE).map(whole)).await;
        let refused: Vec<_> = taken.into_iter().filter_map(Result::err).collect();
        let count = count_feeds(&ledger).await;
        assert_eq!((count, refused.len()), (FEEDS_MAX, 3 * FREE - (FEEDS_MAX - after)));
        for failure in refused {
            let Failure::Invalid(wrong) = failure else { panic!("{failure}") };
            assert_eq!(wrong.iter().map(|one| one.field.as_str()).collect::<Vec<_>>(), ["feed"]);
        }
    }

    #[tokio::test]
    async fn how_far_a_feed_has_come_is_taken_down_now_and_then() {
        let ledger = ledger_of_the_region().await;
        let (live, _follower) = process(&ledger).await;
        let heard = || {
            let seen = live.picture().get(&feed_key("AAA".parse().unwrap(), "bed-state"));
            seen.and_then(|seen| state_of(&seen.record).map(|state| (state.last_seq, state.at)))
        };
        assert_eq!(heard(), None);
        let revision = send(&live, 4, 4).await.unwrap();
        assert!(live.picture().reached(Revision(revision), SOON).await);
        assert_eq!(heard(), Some((4, AT)));
        // Within ten seconds nothing more is written of it.
        let revision = send(&live, 5, 5).await.unwrap();
        assert!(live.picture().reached(Revision(revision), SOON).await);
        assert_eq!(heard(), Some((4, AT)));
        let later = AT + jiff::SignedDuration::from_secs(10);
        let revision = send_at(&live, later, ("bed-state", 6), 6).await.unwrap();
        assert!(live.picture().reached(Revision(revision), SOON).await);
        assert_eq!(heard(), Some((6, later)));
        let nameless = send_at(&live, later, ("", 7), 7).await.unwrap_err();
        let Failure::Invalid(wrong) = nameless else { panic!("{nameless}") };
        assert_eq!(wrong.iter().map(|one| one.field.as_str()).collect::<Vec<_>>(), ["feed"]);
        // Whoever names each item otherwise is answered all the same, and fills no memory.
        for number in 7..137 {
            let name = format!("feed {number}");
            let revision = send_at(&live, later, (&name, number), 7).await.unwrap();
            assert!(live.picture().reached(Revision(revision), SOON).await);
        }
        let feeds = || live.picture().still().all(RecordKind::Feed);
        let is_known = |name: &str| live.picture().get(&feed_key("AAA".parse().unwrap(), name)).is_some();
        assert_eq!(feeds().len(), FEEDS_MAX);
        assert!(!is_known("feed 136"));
        // What was silent for weeks makes room, the one that was heard first before the others.
        let revision = send_at(&live, AT + SILENT_FOR, ("feed 7", 200), 8).await.unwrap();
        assert!(live.picture().reached(Revision(revision), SOON).await);
        let revision = send_at(&live, later + SILENT_FOR, ("feed 136", 201), 9).await.unwrap();
        assert!(live.picture().reached(Revision(revision), SOON).await);
        assert!(feeds().len() == FEEDS_MAX && is_known("feed 136") && is_known("feed 7"));
    }

    async fn offers(ledger: &MemoryLedger) -> Vec<Versioned> {
        let mut records = ledger.snapshot().await.unwrap().0;
        records.retain(|record| record.key.kind == RecordKind::Offer);
        records
    }

    #[tokio::test]
    async fn a_process_that_is_behind_writes_no_number_over_a_later_one_and_none_twice() {
        let ledger = ledger_of_the_region().await;
        let (behind, mut follower) = process(&ledger).await;
        let (ahead, _follower) = process(&ledger).await;
        let first = send(&behind, 4, 4).await.unwrap();
        assert_eq!(send(&behind, 4, 4).await.unwrap(), first);
        follower.shutdown().await;

        // It goes on through another process, and somebody mends the figure by hand.
        send(&ahead, 6, 6).await.unwrap();
        let offer = OfferId::parse(&offers(&ledger).await[0].key.id).unwrap();
        let call = Call::new(&ahead, actor(), AT, None).unwrap();
        let by_hand = call.unnamed("AdjustOffer", false);
        verbs::adjust(&call, &by_hand, &offer, 1).await.unwrap();
        let before = offers(&ledger).await;
        assert_eq!(behind.picture().get(&offer_key(&offer)).unwrap().revision.0, first, "it is behind");

        let late = send(&behind, 5, 5).await.unwrap_err();
        assert_eq!(late.reason(), "OUT_OF_ORDER_FEED");
        assert_eq!(offers(&ledger).await, before);
        let again = send(&behind, 6, 6).await.unwrap();
        assert_eq!(again, before[0].revision.0);
        assert_eq!(offers(&ledger).await, before);
        // What is new is taken.
        send(&behind, 7, 7).await.unwrap();
        assert_ne!(offers(&ledger).await, before);
    }

    #[tokio::test]
    async fn what_is_taken_in_at_once_is_bounded_by_items_and_by_bytes() {
        let come = |items: Vec<usize>| {
            let item = |bytes| {
                let offer = v1::Offer { source_key: "x".repeat(bytes), ..Default::default() };
                Ok::<_, ()>(v1::StreamOffersRequest { offer: Some(offer), ..Default::default() })
            };
            stream::iter(items.into_iter().map(item).collect::<Vec<_>>())
        };
        let lengths = async |items| -> Vec<usize> {
            together(come(items)).map(|together| together.len()).collect().await
        };
        assert_eq!(lengths(vec![10; 300]).await, [128, 128, 44]);
        assert_eq!(lengths(vec![TOGETHER_BYTES / 4; 9]).await, [4, 4, 1]);
        assert_eq!(lengths(vec![4 * TOGETHER_BYTES, 10, 10]).await, [1, 2]);
        // What is not there yet is not waited for, and comes with the next.
        let (send, receive) = tokio::sync::mpsc::unbounded_channel();
        let receive = stream::unfold(receive, |mut receive| async { Some((receive.recv().await?, receive)) });
        let mut together = std::pin::pin!(together(Box::pin(receive)));
        let mut items = come(vec![1; 5]);
        for expected in [2, 3] {
            for _ in 0..expected {
                send.send(items.next().await.unwrap()).unwrap();
            }
            assert_eq!(together.next().await.unwrap().len(), expected);
        }
        drop(send);
        assert!(together.next().await.is_none());
    }
}
