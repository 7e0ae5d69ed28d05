//! A watcher that does not read holds nobody up and costs no more than the buffers: it is cut, and goes on from its last
//! cursor without missing anything.

use fallow_api::v1::{self, watch_offers_response::Item};
use fallow_ledger::picture::WATCHER_BUFFER;
use tonic::Code;

use crate::world::{World, soon, stories};

stories!(a_watcher_that_does_not_read_is_cut_and_goes_on_from_its_cursor);

/// Changes beside those that the picture keeps for a watcher: more than fit into the windows of HTTP/2.
const MORE: usize = 700;

async fn a_watcher_that_does_not_read_is_cut_and_goes_on_from_its_cursor(world: &mut World) {
    let trust = world.user("bed-manager.ZA1");
    let offer = trust.publish_beds("ZA101", 5).await;
    let watch = async |cursor: String| {
        let request = v1::WatchOffersRequest { cursor, ..Default::default() };
        trust.capacity().watch_offers(request).await.unwrap().into_inner()
    };
    let free = |offer: v1::Offer| offer.figures.unwrap().free;
    let mut told = watch(String::new()).await;
    let mut last = loop {
        let message = soon("the snapshot", told.message()).await.unwrap().expect("a watch goes on");
        match message.item {
            Some(Item::Offer(seen)) => assert_eq!(free(seen), 5),
            Some(Item::SnapshotDone(_)) => break message.cursor,
            other => panic!("{other:?}"),
        }
    };
    // Nobody reads: every change is made all the same, each a bed more.
    let changes = WATCHER_BUFFER + MORE;
    for _ in 0..changes {
        trust.adjust(&offer, 1).await;
    }
    let mut seen = 5;
    let cut = loop {
        match soon("the next message", told.message()).await {
            Ok(message) => {
                let message = message.expect("it ends with a reason");
                if let Some(Item::Offer(offer)) = message.item {
                    assert_eq!(free(offer), seen + 1, "nothing is left out before the cut");
                    seen += 1;
                }
                last = message.cursor;
            }
            Err(cut) => break cut,
        }
    };
    assert_eq!(cut.code(), Code::ResourceExhausted, "{cut}");
    let end = 5 + i64::try_from(changes).unwrap();
    assert!(seen < end, "it was cut before the end");
    // From its cursor on it misses nothing.
    let mut told = watch(last).await;
    while seen < end {
        let message = soon("the rest", told.message()).await.unwrap().expect("a watch goes on");
        if let Some(Item::Offer(offer)) = message.item {
            assert_eq!(free(offer), seen + 1, "nothing is left out after the cut");
            seen += 1;
        }
    }
}
