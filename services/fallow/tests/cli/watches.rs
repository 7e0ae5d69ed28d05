//! Watches: what a pipe gets, and what happens when the connection breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use fallow::cli::{DevFiles, Endpoints};
use fallow_api::v1::{
    Block, Bookmark, GetSituationRequest, GetSituationResponse, ListCampaignsRequest, ListCampaignsResponse,
    ListOffersRequest, ListOffersResponse, Moved, Offer, Proposal, Situation, SnapshotDone,
    WatchNeedsRequest, WatchNeedsResponse, WatchOffersRequest, WatchOffersResponse, WatchProposalsRequest,
    WatchProposalsResponse, WatchSituationRequest, WatchSituationResponse, watch_needs_response,
    watch_offers_response, watch_proposals_response, watch_situation_response,
};
use insta::assert_snapshot;
use tonic::Status;
use watch_proposals_response::Item;

use crate::demand::knows_the_region;
use crate::records::{lc_118, level_2, suggestion};
use crate::world::{World, at};

fn event(item: Item, cursor: &str) -> Result<WatchProposalsResponse, Status> {
    Ok(WatchProposalsResponse { item: Some(item), cursor: cursor.into(), revision: 43 })
}

fn proposal(id: &str) -> Item {
    Item::Proposal(Proposal { id: id.into(), explanation: None, ..suggestion() })
}

#[tokio::test]
async fn a_dropped_watch_goes_on_from_its_cursor() {
    let world = World::new().await;
    world.script.watch::<WatchProposalsRequest, _>(
        "MatchingService/WatchProposals",
        vec![
            vec![
                event(proposal("p1"), "c1"),
                event(Item::SnapshotDone(SnapshotDone {}), "c2"),
                event(Item::Bookmark(Bookmark {}), "c3"),
                Err(Status::unavailable("the server went away")),
            ],
            vec![event(proposal("p2"), "c4"), event(Item::Moved(Moved {}), "c5")],
            vec![event(Item::Removed("p1".into()), "c6"), Err(Status::out_of_range("trimmed"))],
            vec![event(proposal("p3"), "c7")],
        ],
    );
    assert_snapshot!(world.transcript(&["inbox --watch"]).await);
}

#[tokio::test]
async fn watch_prints_several_kinds_and_goes_on_after_a_cursor() {
    let world = World::new().await;
    let offer = WatchOffersResponse {
        item: Some(watch_offers_response::Item::Offer(level_2())),
        cursor: "o1".into(),
        revision: 41,
    };
    world.script.watch::<WatchOffersRequest, _>("CapacityService/WatchOffers", vec![vec![Ok(offer)]]);
    let told = world.run("watch --kinds offer --since o0").await;
    assert_eq!(told.exit, 5);
    assert!(told.out.starts_with(r#"{"offer":{"id":"0198c2a1-"#), "{}", told.out);
    assert_eq!(
        told.calls,
        [r#"CapacityService/WatchOffers {"cursor":"o0"}"#, r#"CapacityService/WatchOffers {"cursor":"o1"}"#]
    );
    let refused = world.run("watch --since o0").await;
    assert_eq!(refused.exit, 2);
    assert!(refused.err.contains("--since goes on in one watch"), "{}", refused.err);
}

#[tokio::test]
async fn a_screen_is_redrawn_with_short_ids_and_says_when_it_is_not_live() {
    let world = World::new().await;
    let message = |item, cursor: &str| {
        Ok(WatchOffersResponse { item: Some(item), cursor: cursor.into(), revision: 41 })
    };
    world.script.watch::<WatchOffersRequest, _>(
        "CapacityService/WatchOffers",
        vec![
            vec![
                message(watch_offers_response::Item::Offer(level_2()), "c1"),
                message(watch_offers_response::Item::SnapshotDone(SnapshotDone {}), "c2"),
            ],
            vec![message(watch_offers_response::Item::Removed(level_2().id), "c3")],
        ],
    );
    world.script.on("CapacityService/ListOffers", |_: ListOffersRequest| {
        Ok(ListOffersResponse { offers: vec![level_2()], ..ListOffersResponse::default() })
    });
    let told = world.run_on_a_screen("mine --watch --columns id,free").await;
    assert!(told.out.starts_with("\u{1b}[H\u{1b}[2JID        FREE\n0198c2a1  2\n"), "{:?}", told.out);
    assert!(told.err.starts_with("not live: the stream ended; trying again\nback after "), "{}", told.err);
    // Both messages of the beginning are drawn as one picture, the change after the gap as another.
    assert_eq!(told.out.matches("\u{1b}[2J").count(), 2, "{:?}", told.out);
}

/// A demonstration's clock that goes on an hour with each look at it, as when somebody has made it run faster.
#[tokio::test]
async fn ages_follow_a_demonstrations_clock_however_fast_it_is_made_to_run() {
    let world = World::new().await;
    let address = world.script.serve().await;
    let users = [("bed-manager.ZA4", "ZA401", "token-4")];
    DevFiles::below(world.folder()).write(Endpoints::All(address), 1, &users).unwrap();
    let hour = Arc::new(AtomicI64::new(0));
    world.script.on("MonitorService/GetSituation", move |_: GetSituationRequest| {
        let hours = hour.fetch_add(1, Ordering::Relaxed);
        let begun = at("2026-11-24T15:57:10Z").unwrap();
        let at = prost_types::Timestamp { seconds: begun.seconds + hours * 3_600, ..begun };
        let situation = Situation { at: Some(at), ..Situation::default() };
        Ok(GetSituationResponse { situation: Some(situation), revision: 1 })
    });
    world.script.on("CapacityService/ListOffers", |_: ListOffersRequest| {
        Ok(ListOffersResponse { offers: vec![level_2()], ..ListOffersResponse::default() })
    });
    let message = |cursor: &str| {
        let item = Some(watch_offers_response::Item::Offer(level_2()));
        Ok(WatchOffersResponse { item, cursor: cursor.into(), revision: 41 })
    };
    let streams = vec![vec![message("c1")], vec![message("c2")]];
    world.script.watch::<WatchOffersRequest, _>("CapacityService/WatchOffers", streams);
    let told = world.run_on_a_screen("mine --watch --as bed-manager.ZA4 --columns updated").await;
    // Reported at 13:57; the command began at 15:57, and was drawn at 16:57 and 17:57.
    assert!(told.out.contains("UPDATED\n3 h\n") && told.out.contains("UPDATED\n4 h\n"), "{:?}", told.out);
}

#[tokio::test]
async fn a_watch_of_another_region_is_refused() {
    let world = World::new().await;
    knows_the_region(&world);
    let offer = WatchOffersResponse {
        item: Some(watch_offers_response::Item::Offer(level_2())),
        cursor: "o1".into(),
        revision: 41,
    };
    for name in ["north-vale", "\"north vale\""] {
        let streams = vec![vec![Ok(offer.clone())]];
        world.script.watch::<WatchOffersRequest, _>("CapacityService/WatchOffers", streams);
        let told = world.run(&format!("watch --kinds offer --region {name}")).await;
        assert!(told.out.starts_with(r#"{"offer":"#), "{name}: {}", told.err);
    }
    let other = world.run("watch --region south-west").await;
    assert_eq!((other.exit, other.out.as_str()), (3, ""));
    assert!(
        other.err.starts_with(
            "error: OTHER_REGION: these services are of North Vale (north-vale), not of \"south-west\"\n"
        ),
        "{}",
        other.err
    );
}

#[tokio::test]
async fn feeds_and_cohorts_can_be_watched_too() {
    let world = World::new().await;
    let item = Some(watch_situation_response::Item::Situation(Situation::default()));
    let told = WatchSituationResponse { item, cursor: "s1".into(), revision: 41 };
    world.script.watch::<WatchSituationRequest, _>("MonitorService/WatchSituation", vec![vec![Ok(told)]]);
    let told = world.run("feed list -w").await;
    assert!(told.out.starts_with(r#"{"situation":{"#) && told.out.lines().count() == 1, "{}", told.out);

    let item = Some(watch_needs_response::Item::Need(lc_118()));
    let told = WatchNeedsResponse { item, cursor: "n1".into(), revision: 41 };
    world.script.watch::<WatchNeedsRequest, _>("DemandService/WatchNeeds", vec![vec![Ok(told)]]);
    let told = world.run("cohort list hips -w").await;
    assert!(told.out.starts_with(r#"{"need":{"#) && told.out.contains("LC-118"), "{}", told.out);
    assert!(told.calls[0].contains(r#""cohorts":["hips"]"#), "{:?}", told.calls);
}

/// What a watch of campaigns is told in these tests: offers of a campaign and of none, and what becomes of them.
fn offers_of_campaigns() -> Vec<Result<WatchOffersResponse, Status>> {
    use watch_offers_response::Item;
    let offer = |id: &str, campaign: &str| {
        Item::Offer(Offer { id: id.into(), campaign: campaign.into(), ..level_2() })
    };
    let items = [
        offer("alone", ""),
        offer("member", "Saturday lists"),
        offer("leaves", "Saturday lists"),
        offer("leaves", ""),
        offer("leaves", ""),
        Item::Removed("alone".into()),
        Item::Removed("member".into()),
    ];
    let message = |item| WatchOffersResponse { item: Some(item), cursor: String::new(), revision: 41 };
    items.into_iter().map(|item| Ok(message(item))).collect()
}

fn of_block(id: &str) -> Item {
    let block = Some(Block { site: "ZA401".into(), campaign: "Saturday lists".into() });
    Item::Proposal(Proposal { id: id.into(), explanation: None, block, ..suggestion() })
}

/// A campaign is its offers and what is proposed of them; what belongs to none is passed over.
#[tokio::test]
async fn a_watch_of_campaigns_tells_of_their_offers_and_proposals_alone() {
    let world = World::new().await;
    let proposals = || {
        vec![vec![
            event(proposal("p1"), ""),
            event(of_block("p2"), ""),
            event(Item::Removed("p1".into()), ""),
        ]]
    };
    let script = |world: &World| {
        let offers = vec![offers_of_campaigns()];
        world.script.watch::<WatchOffersRequest, _>("CapacityService/WatchOffers", offers);
        world.script.watch::<WatchProposalsRequest, _>("MatchingService/WatchProposals", proposals());
    };
    script(&world);
    let told = world.run("campaign list -w").await;
    let mut ids: Vec<String> = told.out.lines().map(told_of).collect();
    ids.sort_unstable();
    let expected = [
        "offer leaves ",
        "offer leaves Saturday lists",
        "offer member Saturday lists",
        "proposal p2",
        "removed member",
    ];
    assert_eq!(ids, expected, "{}", told.err);

    // On a screen the list is read for what changes a campaign, and for nothing else.
    let lists = Arc::new(AtomicUsize::new(0));
    let count = lists.clone();
    world.script.on("MatchingService/ListCampaigns", move |_: ListCampaignsRequest| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(ListCampaignsResponse::default())
    });
    script(&world);
    world.run_on_a_screen("campaign list -w").await;
    assert!(lists.swap(0, Ordering::Relaxed) > 0);
    let offers = vec![vec![offers_of_campaigns().remove(0)]];
    world.script.watch::<WatchOffersRequest, _>("CapacityService/WatchOffers", offers);
    let none = vec![vec![event(proposal("p1"), "")]];
    world.script.watch::<WatchProposalsRequest, _>("MatchingService/WatchProposals", none);
    let told = world.run_on_a_screen("campaign list -w").await;
    assert_eq!((lists.load(Ordering::Relaxed), told.out.as_str()), (0, ""), "{}", told.err);
}

/// Returns what a line of a watch is of.
fn told_of(line: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    match (&line["offer"], &line["proposal"], &line["removed"]) {
        (offer, _, _) if offer.is_object() => {
            format!("offer {} {}", text(&offer["id"]), text(&offer["campaign"]))
        }
        (_, proposal, _) if proposal.is_object() => format!("proposal {}", text(&proposal["id"])),
        (_, _, removed) => format!("removed {}", text(removed)),
    }
}

/// A watch that opens slowly is not opened again and again for what another tells meanwhile.
#[tokio::test]
async fn a_slow_watch_opens_beside_a_busy_one() {
    let world = World::new().await;
    let often = Duration::from_millis(20);
    let member = offers_of_campaigns().remove(1);
    let offers = vec![vec![member; 100]];
    world.script.watch_paced::<WatchOffersRequest, _>("CapacityService/WatchOffers", often, offers);
    let (late, streams) = (Duration::from_millis(500), vec![vec![event(of_block("slow"), "")]]);
    let call = "MatchingService/WatchProposals";
    world.script.watch_late::<WatchProposalsRequest, _>(call, late, Duration::ZERO, streams);
    let told = world.run("campaign list -w").await;
    let slow = told.out.lines().position(|line| told_of(line) == "proposal slow");
    assert!(slow.is_some_and(|line| line > 0 && line < 99), "{slow:?}: {}", told.err);
    // Once until it was told, and once more after its stream had ended.
    assert_eq!(told.calls.iter().filter(|asked| asked.starts_with(call)).count(), 2, "{:?}", told.calls);
}

fn offer_event(cursor: &str) -> Result<WatchOffersResponse, Status> {
    let item = Some(watch_offers_response::Item::Offer(level_2()));
    Ok(WatchOffersResponse { item, cursor: cursor.into(), revision: 41 })
}

/// Answers a list of offers, of which each `nth` finds the services away.
fn lists_offers_but(world: &World, away: fn(usize) -> bool) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    world.script.on("CapacityService/ListOffers", move |_: ListOffersRequest| {
        match away(count.fetch_add(1, Ordering::Relaxed)) {
            true => Err(Status::deadline_exceeded("too slow")),
            false => Ok(ListOffersResponse { offers: vec![level_2()], ..ListOffersResponse::default() }),
        }
    });
    asked
}

/// What is on a screen ages while nothing changes: a feed that fell silent shall not stay FRESH for ever.
#[tokio::test]
async fn a_screen_is_read_again_while_nothing_changes() {
    let world = World::new().await;
    let asked = lists_offers_but(&world, |_| false);
    // Longer than a screen goes without being read again.
    let silence = Duration::from_secs(11);
    let streams = vec![vec![offer_event("c1")]];
    world.script.watch_paced::<WatchOffersRequest, _>("CapacityService/WatchOffers", silence, streams);
    let told = world.run_on_a_screen("mine --watch --columns id,free").await;
    // Once in the silence, once for the change.
    let drawn = told.out.matches("\u{1b}[2J").count();
    assert_eq!((drawn, asked.swap(0, Ordering::Relaxed)), (2, 2), "{}", told.err);
    // A pipe gets what changes, and nothing else.
    let streams = vec![vec![offer_event("c1"), offer_event("c2")]];
    world.script.watch::<WatchOffersRequest, _>("CapacityService/WatchOffers", streams);
    assert_eq!(world.run("mine --watch").await.out.lines().count(), 2);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_screen_is_drawn_however_much_changes() {
    let world = World::new().await;
    lists_offers_but(&world, |_| false);
    let streams = vec![(0..40).map(|at| offer_event(&format!("c{at}"))).collect()];
    let often = Duration::from_millis(100);
    world.script.watch_paced::<WatchOffersRequest, _>("CapacityService/WatchOffers", often, streams);
    let told = world.run_on_a_screen("mine --watch --columns id,free").await;
    let drawn = told.out.matches("\u{1b}[2J").count();
    assert!(drawn >= 3, "{drawn} times in four seconds: {}", told.err);
}

#[tokio::test]
async fn a_picture_stays_while_the_services_are_away() {
    let world = World::new().await;
    let asked = lists_offers_but(&world, |nth| nth == 1 || nth == 2);
    let streams = vec![(0..5).map(|at| offer_event(&format!("c{at}"))).collect()];
    let apart = Duration::from_millis(600);
    world.script.watch_paced::<WatchOffersRequest, _>("CapacityService/WatchOffers", apart, streams);
    let told = world.run_on_a_screen("mine --watch --columns id,free").await;
    // Every picture has its offer below the head: none was emptied for nothing.
    let whole = "\u{1b}[H\u{1b}[2JID        FREE\n0198c2a1  2\n";
    assert_eq!(told.out.replace(whole, ""), "", "{}", told.err);
    let pictures = asked.load(Ordering::Relaxed) - 2;
    assert_eq!(told.out.matches(whole).count(), pictures, "{:?}", told.out);
    assert!(pictures >= 2, "{pictures}: {}", told.err);
    assert_eq!(told.err.matches("not live: too slow").count(), 1, "once, not with each try: {}", told.err);
}

#[tokio::test]
async fn a_watch_that_begins_anew_does_not_say_that_it_goes_on() {
    let world = World::new().await;
    world.script.watch::<WatchProposalsRequest, _>(
        "MatchingService/WatchProposals",
        vec![
            vec![event(proposal("p1"), "c1"), Err(Status::unavailable("the server went away"))],
            vec![Err(Status::out_of_range("trimmed"))],
            vec![event(proposal("p2"), "c7"), event(Item::SnapshotDone(SnapshotDone {}), "c8")],
        ],
    );
    let told = world.run("inbox --watch").await;
    let said: Vec<&str> = told.err.lines().take(3).collect();
    assert_eq!(
        said,
        [
            "not live: the server went away; trying again",
            "the place in the log is no longer kept: starting again with what there is now",
            "not live: the stream ended; trying again",
        ]
    );
    assert_eq!(told.out.lines().count(), 3, "{}", told.out);
}
