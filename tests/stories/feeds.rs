//! Systems that report: whole states, streams that break, and watches that go on where they stopped.

use std::collections::BTreeMap;

use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use jiff::SignedDuration;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::people::{User, call};
use crate::wire;
use crate::world::{World, soon, stories};

stories!(
    a_whole_state_says_what_it_changed,
    the_largest_whole_state_replaces_another,
    what_is_promised_is_not_withdrawn_by_being_left_out,
    a_trust_has_so_many_feeds_with_short_names_and_no_more,
    a_stream_goes_on_after_a_break,
    a_stream_that_comes_at_once_is_answered_in_order,
    a_waiting_list_goes_on_after_a_break,
    a_watch_goes_on_from_its_cursor,
);

pub(crate) fn bays(world: &World, bays: &[(&str, i64)]) -> Vec<v1::Offer> {
    let item = |(bay, free): &(&str, i64)| v1::Offer {
        source_key: (*bay).into(),
        ..wire::offer("ZA101", *free, world.now())
    };
    bays.iter().map(item).collect()
}

pub(crate) fn state(source_seq: i64, items: Vec<v1::Offer>) -> v1::ReplaceOffersRequest {
    v1::ReplaceOffersRequest {
        site: "ZA101".into(),
        kinds: vec![v1::ResourceKind::Bed.into()],
        feed: "bed-state".into(),
        source_seq,
        items,
        ..Default::default()
    }
}

fn keys(offers: &[v1::Offer]) -> Vec<&str> {
    let mut keys: Vec<_> = offers.iter().map(|offer| offer.source_key.as_str()).collect();
    keys.sort_unstable();
    keys
}

async fn a_whole_state_says_what_it_changed(world: &mut World) {
    let feed = world.user("trust-system.ZA1");
    let replace = async |request| call!(feed.capacity(), replace_offers, request);
    let first = state(7, bays(world, &[("bay 1", 2), ("bay 2", 3), ("bay 3", 1)]));
    let answer = replace(first).await.unwrap();
    assert_eq!(keys(&answer.added), ["bay 1", "bay 2", "bay 3"]);

    let second = state(8, bays(world, &[("bay 1", 2), ("bay 2", 4), ("bay 4", 1)]));
    let dry = v1::ReplaceOffersRequest { validate_only: true, ..second.clone() };
    let dry = replace(dry).await.unwrap();
    let answer = replace(second.clone()).await.unwrap();
    for answer in [&dry, &answer] {
        assert_eq!(keys(&answer.added), ["bay 4"]);
        assert_eq!(keys(&answer.changed), ["bay 2"]);
        assert_eq!(keys(&answer.withdrawn), ["bay 3"]);
        assert_eq!((answer.suspended.len(), answer.unchanged), (0, 1));
    }
    assert_eq!(dry.revision, 0, "only tried");
    let before = world.records().await;
    assert_eq!(replace(second.clone()).await.unwrap(), answer, "sent again, answered as then");

    let refused = replace(state(7, bays(world, &[("bay 9", 1)]))).await.unwrap_err();
    // Number 7 was taken for something else, number 6 is older than the last.
    assert_eq!((refused.code, refused.reason.as_str()), (Code::AlreadyExists, reasons::REQUEST_ID_REUSED));
    let refused = replace(state(6, bays(world, &[("bay 9", 1)]))).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, reasons::OUT_OF_ORDER_FEED));
    assert_eq!(refused.numbers.get("last").map(String::as_str), Some("8"));
    assert_eq!(world.records().await, before);
}

async fn the_largest_whole_state_replaces_another(world: &mut World) {
    let feed = world.user("trust-system.ZA1");
    let replace = async |request| call!(feed.capacity(), replace_offers, request);
    let named = |ward: &str, count: usize| -> Vec<String> {
        (0..count).map(|n| format!("ward {ward} of the main building, bed {n:04}")).collect()
    };
    let beds = |names: &[String]| {
        let names: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        bays(world, &names)
    };
    let too_many = replace(state(1, beds(&named("a", 1_001)))).await.unwrap_err();
    let fields: Vec<_> = too_many.violations.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!((too_many.code, fields), (Code::InvalidArgument, vec!["items"]));
    let (old, new) = (named("a", 1_000), named("b", 1_000));
    let answer = replace(state(2, beds(&old))).await.unwrap();
    assert_eq!(answer.added.len(), 1_000);
    let second = v1::ReplaceOffersRequest { confirm_large_change: true, ..state(3, beds(&new)) };
    let answer = replace(second.clone()).await.unwrap();
    assert_eq!((answer.added.len(), answer.withdrawn.len(), answer.unchanged), (1_000, 1_000, 0));
    assert_eq!(replace(second).await.unwrap(), answer, "sent again, answered as then");
}

async fn a_trust_has_so_many_feeds_with_short_names_and_no_more(world: &mut World) {
    let (feed, other) = (world.user("trust-system.ZA1"), world.user("trust-system.ZA3"));
    let report = |name: &str, source_seq| v1::ReplaceOffersRequest {
        feed: name.to_owned(),
        ..state(source_seq, Vec::new())
    };
    let replace = async |request| call!(feed.capacity(), replace_offers, request);
    let told = |refused: &Problem| -> (Code, String, Vec<String>) {
        let fields = refused.violations.iter().map(|wrong| wrong.field.clone()).collect();
        (refused.code, refused.reason.clone(), fields)
    };
    let of_the_feed = |reason: &str| (Code::InvalidArgument, reason.to_owned(), vec!["feed".to_owned()]);
    for (name, reason) in [
        ("", reasons::REQUIRED),
        ("x".repeat(65).as_str(), reasons::BAD_TEXT),
        ("\u{e9}".repeat(64).as_str(), reasons::BAD_TEXT),
        ("two\nlines", reasons::BAD_TEXT),
        ("\u{202e}bed", reasons::BAD_TEXT),
    ] {
        let refused = replace(report(name, 1)).await.unwrap_err();
        assert_eq!(told(&refused), of_the_feed(reason), "{name:?}");
    }
    replace(report(&"\u{e9}".repeat(50), 1)).await.unwrap();
    for number in 1..100 {
        replace(report(&format!("feed {number}"), 1)).await.unwrap();
    }
    // The process hears of its own commits a moment later.
    let tried = v1::ReplaceOffersRequest { validate_only: true, ..report("one more", 1) };
    let refusal = async {
        loop {
            if let Err(refused) = replace(tried.clone()).await {
                return refused;
            }
        }
    };
    let refused = soon("the refusal of one feed too many", refusal).await;
    assert_eq!(told(&refused), of_the_feed(reasons::TOO_MANY));
    assert!(refused.text.contains("has 100") && refused.text.contains("28 days"), "{}", refused.text);
    let refused = replace(report("one more", 1)).await.unwrap_err();
    assert_eq!(told(&refused), of_the_feed(reasons::TOO_MANY));
    let kept = async |name: &str| {
        let (records, _) = world.connect().await.snapshot().await.unwrap();
        let keys = records.iter().map(|record| record.key.to_string());
        keys.filter(|key| key.starts_with(&format!("feed/ZA1/{name}"))).count()
    };
    assert_eq!((kept("").await, kept("one more").await), (100, 0), "nothing of it is kept");
    // What is known goes on, and every trust counts for itself.
    replace(report("feed 7", 2)).await.unwrap();
    let theirs = v1::ReplaceOffersRequest { site: "ZA301".into(), ..report("one more", 1) };
    call!(other.capacity(), replace_offers, theirs).unwrap();

    // What was silent for four weeks makes room, one for one.
    world.pass(SignedDuration::from_hours(28 * 24));
    let feed = world.user("trust-system.ZA1");
    call!(feed.capacity(), replace_offers, report("one more", 1)).unwrap();
    assert_eq!((kept("").await, kept("one more").await), (100, 1));
}

async fn what_is_promised_is_not_withdrawn_by_being_left_out(world: &mut World) {
    let (feed, near, home) =
        (world.user("trust-system.ZA1"), world.user("bed-manager.ZA1"), world.user("bed-manager.ZA4"));
    let request = state(1, bays(world, &[("bay 1", 1)]));
    let offer = call!(feed.capacity(), replace_offers, request).unwrap().added.remove(0);
    let raised = home.raise(wire::need("ZA401", "case 1", 1)).await;
    let proposed = home.proposal_of(&raised).await;
    near.accept(&proposed).await;
    let answer = call!(feed.capacity(), replace_offers, state(2, Vec::new())).unwrap();
    assert_eq!((answer.withdrawn.len(), keys(&answer.suspended)), (0, vec!["bay 1"]));
    let left_out = near.offer(&offer.id).await;
    assert!(left_out.suspension.unwrap().left_out);
    assert_eq!(home.proposal_of(&raised).await.id, proposed.id, "the answered hold runs on");
    home.accept(&proposed).await;
    let answer = call!(feed.capacity(), replace_offers, state(3, bays(world, &[("bay 1", 1)]))).unwrap();
    assert_eq!(keys(&answer.changed), ["bay 1"]);
    assert_eq!(near.offer(&offer.id).await.state(), v1::offer::State::Open);
}

/// Sends items one by one, each after the acknowledgement of the last, and returns the acknowledgements.
async fn stream(feed: &User, items: Vec<v1::StreamOffersRequest>) -> Vec<v1::StreamOffersResponse> {
    let (send, receive) = tokio::sync::mpsc::channel(1);
    let mut answers = feed.capacity().stream_offers(ReceiverStream::new(receive)).await.unwrap().into_inner();
    let mut acknowledged = Vec::new();
    for item in items {
        send.send(item).await.unwrap();
        let answer = soon("an acknowledgement", answers.message()).await.unwrap();
        acknowledged.push(answer.expect("one acknowledgement an item"));
    }
    acknowledged
}

async fn a_stream_goes_on_after_a_break(world: &mut World) {
    use v1::stream_offers_response::Result as Came;
    let feed = world.user("trust-system.ZA1");
    let item = |source_seq, bay: &str, free| v1::StreamOffersRequest {
        feed: "bed-state".into(),
        source_seq,
        offer: bays(world, &[(bay, free)]).pop(),
    };
    let mut bad = item(3, "bay 3", 1);
    bad.offer.as_mut().unwrap().figures.as_mut().unwrap().staffed = -1;
    bad.offer.as_mut().unwrap().site = "ZA201".into();
    // A stream names its feed once.
    let unnamed = |item: v1::StreamOffersRequest| v1::StreamOffersRequest { feed: String::new(), ..item };
    let second = unnamed(item(2, "bay 2", 3));
    let first = stream(&feed, vec![item(1, "bay 1", 2), second, bad, item(4, "bay 4", 1)]).await;
    let numbers: Vec<_> = first.iter().map(|answer| answer.source_seq).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let Some(Came::Error(error)) = &first[2].result else { panic!("{first:?}") };
    let refused = Problem::from(error);
    let fields: Vec<_> = refused.violations.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!((refused.code, fields), (Code::InvalidArgument, vec!["offer.site", "offer.figures.staffed"]));
    assert!(matches!(first[3].result, Some(Came::Revision(_))), "the stream goes on: {first:?}");

    // The line broke before the last acknowledgement came: the feed sends from the one before it.
    let before = world.records().await;
    let again = stream(&feed, vec![item(2, "bay 2", 3), item(4, "bay 4", 1)]).await;
    assert_eq!(again, [first[1].clone(), first[3].clone()], "acknowledged as then");
    assert_eq!(world.records().await, before, "and not written twice");
    let late = stream(&feed, vec![item(1, "bay 2", 9), item(5, "bay 1", 1)]).await;
    let Some(Came::Error(error)) = &late[0].result else { panic!("{late:?}") };
    assert_eq!(error.reason, reasons::OUT_OF_ORDER_FEED);
    assert!(matches!(late[1].result, Some(Came::Revision(_))), "{late:?}");
    assert_eq!(world.records().await.offers.len(), 3);

    // How far a feed has come is remembered by its name, and so each stream has to give it.
    let nameless = stream(&feed, vec![unnamed(item(6, "bay 1", 2))]).await;
    let Some(Came::Error(error)) = &nameless[0].result else { panic!("{nameless:?}") };
    let refused = Problem::from(error);
    assert_eq!((refused.reason.as_str(), refused.violations[0].field.as_str()), (reasons::REQUIRED, "feed"));
    world.pass(jiff::SignedDuration::from_secs(10));
    stream(&feed, vec![item(7, "bay 1", 2)]).await;
    let heard = async |user: &User, trust: &str| -> Vec<(String, i64)> {
        let told = call!(user.monitor(), get_situation, v1::GetSituationRequest::default()).unwrap();
        let trusts = told.situation.unwrap().trusts;
        let feeds = trusts.into_iter().filter(|one| one.trust == trust).flat_map(|one| one.feeds);
        feeds.map(|feed| (feed.name, feed.last_source_seq)).collect()
    };
    let gold = world.user("duty-lead");
    let is_told = async {
        while heard(&gold, "ZA1").await != [("bed-state".to_owned(), 7)] {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    soon("the feed in the situation", is_told).await;
    assert!(heard(&gold, "ZA2").await.is_empty());
}

async fn a_stream_that_comes_at_once_is_answered_in_order(world: &mut World) {
    use v1::stream_offers_response::Result as Came;
    const BAYS: i64 = 100;
    const ITEMS: i64 = 3 * BAYS;
    /// Items, counted from 0, of which one is wrong in itself and one older than what was said of its bay.
    const WRONG: i64 = 70;
    const LATE: i64 = 200;
    let feed = world.user("trust-system.ZA1");
    // Each bay comes three times.
    let item = |number: i64| {
        let mut offer = bays(world, &[(&format!("bay {}", number % BAYS), 1 + number / BAYS)]).pop().unwrap();
        if number == WRONG {
            offer.site = "ZA201".into();
        }
        let source_seq = if number == LATE { 1 } else { 1_000 + number };
        v1::StreamOffersRequest { feed: "bed-state".into(), source_seq, offer: Some(offer) }
    };
    let items: Vec<_> = (0..ITEMS).map(item).collect();
    let sent: Vec<_> = items.iter().map(|item| item.source_seq).collect();
    let answers = feed.capacity().stream_offers(tokio_stream::iter(items)).await.unwrap().into_inner();
    let answers: Vec<_> = answers.collect::<Result<_, _>>().await.unwrap();
    assert_eq!(answers.iter().map(|answer| answer.source_seq).collect::<Vec<_>>(), sent);

    let (mut revisions, mut refused) = (Vec::new(), Vec::new());
    for (number, answer) in answers.iter().enumerate() {
        match &answer.result {
            Some(Came::Revision(revision)) => revisions.push(*revision),
            Some(Came::Error(error)) => refused.push((number as i64, Code::from(error.code))),
            None => panic!("an item without an answer"),
        }
    }
    assert_eq!(refused, [(WRONG, Code::InvalidArgument), (LATE, Code::Aborted)]);
    assert!(revisions.is_sorted(), "{revisions:?}");
    revisions.dedup();
    assert!(revisions.len() < 100, "many go into one commit: {}", revisions.len());
    let offers = world.records().await.offers;
    assert_eq!(offers.len() as i64, BAYS);
    for offer in offers.values() {
        let key = offer.source_key.as_ref().unwrap().as_str();
        let bay: i64 = key.trim_start_matches("bay ").parse().unwrap();
        // The last that was taken of a bay is what stands.
        let taken = (0..3).map(|time| bay + time * BAYS).filter(|number| ![WRONG, LATE].contains(number));
        assert_eq!(i64::from(offer.figures.staffed.get()), 1 + taken.max().unwrap() / BAYS, "{key}");
    }
}

async fn a_waiting_list_goes_on_after_a_break(world: &mut World) {
    use v1::raise_needs_response::Result as Came;
    let list = world.user("trust-system.ZA4");
    let raise = async |items: Vec<v1::RaiseNeedsRequest>| {
        let answers = list.demand().raise_needs(tokio_stream::iter(items)).await.unwrap().into_inner();
        let all = futures::TryStreamExt::try_collect::<Vec<_>>(answers);
        soon("every acknowledgement", all).await.unwrap()
    };
    let item = |source_seq: i64| v1::RaiseNeedsRequest {
        feed: if source_seq % 3 == 1 { "waiting-list".into() } else { String::new() },
        source_seq,
        need: Some(wire::need("ZA401", &format!("case {source_seq}"), 1)),
    };
    let first = raise((1..=20).map(item).collect()).await;
    let again = raise((16..=25).map(item).collect()).await;
    assert_eq!(again[..5], first[15..], "acknowledged as then");
    assert!(
        again[5..]
            .iter()
            .all(|answer| matches!(&answer.result, Some(Came::Raised(one)) if !one.already_live))
    );
    assert_eq!(world.records().await.needs.len(), 25);
    let anonymous = v1::RaiseNeedsRequest { feed: String::new(), ..item(26) };
    let refused = raise(vec![anonymous]).await;
    let Some(Came::Error(error)) = &refused[0].result else { panic!("{refused:?}") };
    assert_eq!((error.reason.as_str(), error.violations[0].field.as_str()), (reasons::REQUIRED, "feed"));
}

/// What a watcher holds, and where it would go on.
#[derive(Default)]
struct Watcher {
    held: BTreeMap<String, v1::Offer>,
    cursor: String,
    snapshots: usize,
}

impl Watcher {
    /// Watches from its cursor until a revision has been told.
    async fn until(&mut self, user: &User, revision: i64) {
        use v1::watch_offers_response::Item;
        let watching = async {
            let request = v1::WatchOffersRequest { cursor: self.cursor.clone(), filter: None };
            let mut told = user.capacity().watch_offers(request).await.unwrap().into_inner();
            loop {
                let message = told.message().await.unwrap().unwrap();
                if !message.cursor.is_empty() {
                    self.cursor.clone_from(&message.cursor);
                }
                match message.item.unwrap() {
                    Item::Offer(offer) => {
                        self.held.insert(offer.id.clone(), offer);
                    }
                    Item::Removed(id) => {
                        self.held.remove(&id).expect("only what is held is removed");
                    }
                    Item::SnapshotDone(_) => self.snapshots += 1,
                    Item::Bookmark(_) => {}
                    Item::Moved(_) => panic!("the server is stopping"),
                }
                if !message.cursor.is_empty() && message.revision >= revision {
                    return;
                }
            }
        };
        soon("the revision", watching).await;
    }
}

async fn a_watch_goes_on_from_its_cursor(world: &mut World) {
    let (near, far) = (world.user("bed-manager.ZA1"), world.user("bed-manager.ZA3"));
    let first = near.publish_beds("ZA101", 2).await;
    let second = far.publish_beds("ZA301", 3).await;
    let mut watcher = Watcher::default();
    watcher.until(&near, second.revision).await;
    assert_eq!(watcher.held.len(), 2);

    // While nobody watches: one is changed, one taken back, one new.
    near.adjust(&first, 3).await;
    far.try_withdraw(&second).await.unwrap();
    let third = world.user("bed-manager.ZA5").publish_beds("ZA501", 1).await;
    watcher.until(&near, third.revision).await;
    let listed = call!(near.capacity(), list_offers, v1::ListOffersRequest::default()).unwrap();
    let listed: BTreeMap<_, _> = listed.offers.into_iter().map(|offer| (offer.id.clone(), offer)).collect();
    assert_eq!(watcher.held, listed);
    assert_eq!(watcher.held.len(), 2);
    assert_eq!(watcher.snapshots, 1, "from a cursor there is no second snapshot");
}
