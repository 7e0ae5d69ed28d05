//! Watches: what a pipe gets, and what happens when the connection breaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use fallow::cli::{DevFiles, Endpoints};
use fallow_api::v1::{
    Bookmark, GetSituationRequest, GetSituationResponse, ListOffersRequest, ListOffersResponse, Moved,
    Proposal, Situation, SnapshotDone, WatchOffersRequest, WatchOffersResponse, WatchProposalsRequest,
    WatchProposalsResponse, watch_offers_response, watch_proposals_response,
};
use insta::assert_snapshot;
use tonic::Status;
use watch_proposals_response::Item;

use crate::demand::knows_the_region;
use crate::records::{level_2, suggestion};
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
async fn feeds_cohorts_and_campaigns_can_be_watched_too() {
    let world = World::new().await;
    for (line, call) in [
        ("feed list -w", "MonitorService/WatchSituation"),
        ("cohort list hips -w", "DemandService/WatchNeeds"),
        ("campaign list -w", "MatchingService/WatchProposals"),
    ] {
        world.script.take_paths();
        assert_eq!(world.run(line).await.exit, 1, "{line}");
        assert!(world.script.take_paths().iter().any(|path| path == call), "{line}");
    }
}
