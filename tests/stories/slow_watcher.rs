//! A watcher that does not read holds nobody up and costs no more than the buffers: it is cut, and goes on from its last
//! cursor without missing anything.

use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::v1::capacity_service_client::CapacityServiceClient;
use fallow_api::v1::{self, watch_offers_response::Item};
use fallow_domain::ids::{Note, OfferId};
use fallow_ledger::picture::WATCHER_BUFFER;
use fallow_ledger::record::{Record, offer_key};
use fallow_ledger::{Commit, Cursor, Outcome};
use prost::Message as _;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
use tonic::{Code, Request};

use crate::world::{World, soon};

/// Changes beside those that the picture keeps for a watcher, of [`NOTE`] bytes and more each: more than fit into what
/// HTTP/2 holds for a stream on its two sides, some megabytes.
const MORE: usize = 6_000;
/// Length of the offer's note, in letters.
const NOTE: usize = 120;

/// The window of the client, in bytes: what the protocol sets where neither side says otherwise.
const WINDOW: u32 = 65_535;
/// How many bytes of messages may wait in HTTP/2 for one watcher, docs/limits.md.
const ON_THE_WAY: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_does_not_read_is_cut_and_goes_on_from_its_cursor() {
    let world = World::in_memory().await;
    let trust = world.user("bed-manager.ZA1");
    let published = trust.publish_beds("ZA101", 5).await;
    let ledger = world.keeper().await;
    let key = offer_key(&OfferId::parse(&published.id).unwrap());
    // Straight into the store, as another process would: far faster than calls.
    let note = async |n: usize| {
        let found = ledger.read(std::slice::from_ref(&key)).await.unwrap().remove(0).unwrap();
        let Ok(Record::Offer(mut offer)) = Record::decode(key.kind, &found.body) else { panic!("no offer") };
        offer.note = Note::parse(&format!("change {n:0NOTE$}")).unwrap();
        let body = Record::Offer(offer).encode();
        let commit =
            Commit::new(world.now()).expecting(key.clone(), found.revision).writing(key.clone(), body);
        assert!(matches!(ledger.commit(commit).await.unwrap(), Outcome::Committed { .. }));
    };
    // A client of the protocol's own windows: how much it takes unread is its own affair, and costs the server nothing.
    let endpoint = Endpoint::from_shared(world.address(0)).unwrap();
    let endpoint = endpoint.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let mut client = CapacityServiceClient::new(endpoint.connect().await.unwrap());
    let bearer: MetadataValue<Ascii> = format!("Bearer {}", world.token("bed-manager.ZA1")).parse().unwrap();
    let mut watch = async |cursor: String| {
        let mut request = Request::new(v1::WatchOffersRequest { cursor, ..Default::default() });
        request.metadata_mut().insert("authorization", bearer.clone());
        client.watch_offers(request).await.unwrap().into_inner()
    };
    let mut told = watch(String::new()).await;
    let mut last = loop {
        let message = soon("the snapshot", told.message()).await.unwrap().expect("a watch goes on");
        match message.item {
            Some(Item::Offer(seen)) => assert_eq!(seen.note, ""),
            Some(Item::SnapshotDone(_)) => break message.cursor,
            other => panic!("{other:?}"),
        }
    };
    // Nobody reads: every change is made all the same.
    let changes = WATCHER_BUFFER + MORE;
    for n in 1..=changes {
        note(n).await;
    }
    // Somebody else, by a connection of their own, sees the last of them: the watch has been told all that it will be.
    let other = world.user("bed-manager.ZA1");
    let last_note = format!("change {changes:0NOTE$}");
    soon("the picture", async { while other.offer(&published.id).await.note != last_note {} }).await;
    let (mut seen, mut waited) = (0, 0);
    let cut = loop {
        assert!(seen < changes, "it was cut before the end");
        match soon("the next message", told.message()).await {
            Ok(message) => {
                let message = message.expect("it ends with a reason");
                waited += message.encoded_len();
                if let Some(Item::Offer(offer)) = message.item {
                    seen += 1;
                    assert_eq!(
                        offer.note,
                        format!("change {seen:0NOTE$}"),
                        "nothing is left out before the cut"
                    );
                }
                last = message.cursor;
            }
            Err(cut) => break cut,
        }
    };
    assert_eq!(cut.code(), Code::ResourceExhausted, "{cut}");
    assert_eq!(Problem::from(&cut).reason, reasons::SLOW_CONSUMER);
    let (_, named) = cut.message().rsplit_once("cursor ").expect("it names a cursor");
    let revision = |cursor: &str| cursor.parse::<Cursor>().unwrap().revision();
    assert!(revision(named) >= revision(&last), "{named} is before the last that was told, {last}");
    // What waited for it on its way: bytes of the server's and the client's side of the stream.
    let kept = changes - seen;
    println!(
        "{kept} were not told; {seen} messages of {waited} bytes waited for a watcher that did not read"
    );
    assert!(waited <= ON_THE_WAY, "{waited} bytes waited");
    // From its cursor on it misses nothing.
    let mut told = watch(named.to_owned()).await;
    while seen < changes {
        let message = soon("the rest", told.message()).await.unwrap().expect("a watch goes on");
        if let Some(Item::Offer(offer)) = message.item {
            seen += 1;
            assert_eq!(offer.note, format!("change {seen:0NOTE$}"), "nothing is left out after the cut");
        }
    }
    drop(told);
    world.end().await;
}
