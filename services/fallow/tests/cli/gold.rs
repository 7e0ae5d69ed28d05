//! `situation`, `board`, `region` and `mode`.

use fallow_api::v1::region_change::Kind;
use fallow_api::v1::situation::{Cell, CollaborativeMode, FeedHeard, Headline, TrustSituation};
use fallow_api::v1::{
    ApplyRegionRequest, ApplyRegionResponse, Collaborative, Freshness, GetRegionRequest, GetRegionResponse,
    GetSituationRequest, GetSituationResponse, ListOffersRequest, ListOffersResponse, Mode, Region,
    RegionChange, SetModeRequest, SetModeResponse, Situation,
};
use insta::assert_snapshot;

use crate::records::{bed, level_2, moving, suggestion};
use crate::world::{World, at};
use crate::{proposals, transfers};

fn situation() -> Situation {
    let cell = |trust: &str, code: &str, level, net, pressure, freshness: Freshness| Cell {
        trust: trust.into(),
        resource: bed(code, level),
        staffed: 10,
        free: net,
        net,
        pressure,
        freshness: freshness.into(),
        oldest_reported_at: at("2026-11-24T14:00:00Z"),
        offers: 1,
        ..Cell::default()
    };
    let trust = |code: &str, name: &str, opel| TrustSituation {
        trust: code.into(),
        name: name.into(),
        opel,
        ..TrustSituation::default()
    };
    Situation {
        region: "north-vale".into(),
        name: "North Vale".into(),
        at: at("2026-11-24T14:32:08Z"),
        headline: Some(Headline {
            needs_open: 38,
            needs_overdue: 9,
            needs_raised_24h: 24,
            needs_placed_24h: 19,
            median_minutes_to_agreed: Some(21),
            proposals_held: 3,
            transfers_moving: 6,
            transfers_overdue: 1,
            trusts_live: 1,
            trusts_all: 2,
            ..Headline::default()
        }),
        cells: vec![
            cell("ZA1", "CC_ADULT", 2, 2, 2, Freshness::Fresh),
            cell("ZA1", "GA_ADULT", 0, 6, 1, Freshness::Fresh),
            cell("ZA2", "GA_ADULT", 0, -7, 4, Freshness::Stale),
        ],
        trusts: vec![trust("ZA1", "Aldermoor", 3), trust("ZA2", "Brackwater", 0)],
        modes: vec![CollaborativeMode {
            collaborative: "nv-acute".into(),
            name: "North Vale Acute".into(),
            mode: Mode::Incident.into(),
            since: at("2026-11-24T09:12:00Z"),
            reason: "norovirus, Brackwater".into(),
        }],
        revision: 88213,
        store_caveat: String::new(),
        late_counted_from: at("2026-11-17T14:32:08Z"),
    }
}

fn sees(world: &World) {
    world.script.on("MonitorService/GetSituation", |_: GetSituationRequest| {
        Ok(GetSituationResponse { situation: Some(situation()), revision: 88213 })
    });
}

#[tokio::test]
async fn the_situation_is_a_table_of_trusts_by_resources() {
    let world = World::new().await;
    sees(&world);
    assert_snapshot!(
        world
            .transcript(&[
                "situation",
                "situation -o csv",
                "situation -o md --collaborative nv-acute",
                "situation -q",
            ])
            .await
    );
}

#[tokio::test]
async fn a_trusts_feeds_are_shown_by_name_beside_its_figures() {
    let world = World::new().await;
    world.script.on("MonitorService/GetSituation", |_: GetSituationRequest| {
        let mut situation = situation();
        let heard = FeedHeard { name: "adt".into(), last_source_seq: 1_234, at: at("2026-11-24T14:29:00Z") };
        situation.trusts[0].feeds.push(heard);
        Ok(GetSituationResponse { situation: Some(situation), revision: 88213 })
    });
    world.script.on("CapacityService/ListOffers", |_: ListOffersRequest| {
        Ok(ListOffersResponse { offers: vec![level_2()], ..ListOffersResponse::default() })
    });
    let told = world.run("feed show za1 -q").await;
    assert_eq!((told.exit, told.out), (0, format!("{}\n", level_2().id)), "{}", told.err);
    assert_eq!(told.err, "feed adt: number 1234, 2 min ago\n");
    assert_eq!(world.run("feed show ZA2 -q").await.err, "", "another trust's feeds are its own");
}

#[tokio::test]
async fn the_board_prints_once_on_a_pipe() {
    let world = World::new().await;
    sees(&world);
    proposals::lists(&world, vec![suggestion()]);
    transfers::lists(&world);
    assert!(world.run("board").await.out.contains(&moving().id));
    assert_snapshot!(world.run("board").await.out);
    proposals::lists(&world, Vec::new());
    assert!(world.run("board").await.out.contains("\nInbox (0)\n  nothing waits for your answer\n"));
}

#[tokio::test]
async fn a_region_file_is_shown_and_its_difference_printed() {
    let world = World::new().await;
    crate::demand::knows_the_region(&world);
    world.script.on("MonitorService/ApplyRegion", |ask: ApplyRegionRequest| {
        let change = |kind: Kind, path: &str, before: &str, after: &str| RegionChange {
            kind: kind.into(),
            path: path.into(),
            before: before.into(),
            after: after.into(),
        };
        let changes = vec![
            change(Kind::Changed, "trust.ZA1.opel", "2", "3"),
            change(Kind::Added, "site.ZA103", "", "Aldermoor Hub"),
            change(Kind::Removed, "travel.ZA101-ZA201", "41", ""),
        ];
        let revision = if ask.validate_only { 0 } else { 13 };
        Ok(ApplyRegionResponse { region: None, changes, revision })
    });
    std::fs::write(world.folder().join("region.toml"), "[region]\n").unwrap();
    let file = world.folder().join("region.toml").display().to_string();
    assert_snapshot!(world.transcript(&["region show"]).await);
    let dry = world.run(&format!("region apply -f {file} --dry-run")).await;
    assert_eq!(dry.out, "~ trust.ZA1.opel  2 -> 3\n+ site.ZA103  Aldermoor Hub\n- travel.ZA101-ZA201  41\n");
    assert_eq!(dry.err, "dry run, nothing changed; it would be: 1 added, 1 changed, 1 removed\n");
    assert_eq!(
        dry.calls,
        [
            r#"MonitorService/ApplyRegion {"request_id":"REQUEST-ID","validate_only":true,"toml":"[region]\n"}"#
        ]
    );
    let done = world.run(&format!("region apply --file {file}")).await;
    assert_eq!((done.exit, done.err.as_str()), (0, "1 added, 1 changed, 1 removed (revision 13)\n"));
    let missing = world.run("region apply -f nowhere.toml").await;
    assert_eq!(missing.exit, 3);
    assert!(missing.err.starts_with("error: FILE: nowhere.toml cannot be read: "), "{}", missing.err);
}

#[tokio::test]
async fn gold_switches_a_mode() {
    let world = World::new().await;
    world.script.on("MonitorService/SetMode", |ask: SetModeRequest| {
        let mode = CollaborativeMode {
            collaborative: ask.collaborative,
            mode: ask.mode,
            reason: ask.reason,
            ..CollaborativeMode::default()
        };
        Ok(SetModeResponse { mode: Some(mode), revision: 14 })
    });
    has_collaboratives(&world, &["nv-acute", "nv-mh"]);
    assert_snapshot!(
        world
            .transcript(&[
                "mode incident on nv-acute --reason \"norovirus, Brackwater\"",
                "mode routine nv-acute --reason over",
                "mode incident on --reason x",
                "mode panic on nv-acute --reason x",
            ])
            .await
    );
    has_collaboratives(&world, &["nv-acute"]);
    let only = world.run("mode incident on --reason x").await;
    assert_eq!((only.exit, only.out.as_str()), (0, "nv-acute  incident  x\n"), "{}", only.err);
}

fn has_collaboratives(world: &World, ids: &[&str]) {
    let known =
        |id: &&str| Collaborative { id: (*id).into(), name: "Acute".into(), ..Collaborative::default() };
    let collaboratives: Vec<Collaborative> = ids.iter().map(known).collect();
    world.script.on("MonitorService/GetRegion", move |_: GetRegionRequest| {
        let region = Region { collaboratives: collaboratives.clone(), ..Region::default() };
        Ok(GetRegionResponse { region: Some(region), ..GetRegionResponse::default() })
    });
}

#[tokio::test]
async fn what_many_see_is_asked_before_it_is_done() {
    let world = World::new().await;
    world.script.on("MonitorService/SetMode", |ask: SetModeRequest| {
        let mode =
            CollaborativeMode { collaborative: ask.collaborative, mode: ask.mode, ..Default::default() };
        Ok(SetModeResponse { mode: Some(mode), revision: if ask.validate_only { 0 } else { 14 } })
    });
    const LINE: &str = "mode incident on nv-acute --reason x";
    const ASKED: &str = "nv-acute is switched to incident mode, and everybody sees it. Go on? [y/N] ";
    for (line, answer, exit, is_asked, is_done) in [
        (LINE.to_owned(), "y\n", 0, true, true),
        (LINE.to_owned(), "YES\n", 0, true, true),
        (LINE.to_owned(), "\n", 1, true, false),
        (LINE.to_owned(), "n\n", 1, true, false),
        // Nobody answers any more.
        (LINE.to_owned(), "", 1, true, false),
        (format!("{LINE} --yes"), "", 0, false, true),
        (format!("{LINE} --yes --no-input"), "", 0, false, true),
        (format!("{LINE} --no-input"), "y\n", 2, false, false),
        (format!("{LINE} --dry-run"), "n\n", 0, false, true),
    ] {
        let told = world.run_answering(&line, answer).await;
        assert_eq!(told.exit, exit, "{line}: {}", told.err);
        assert_eq!(told.err.starts_with(ASKED), is_asked, "{line}: {}", told.err);
        assert_eq!(!told.calls.is_empty(), is_done, "{line}: {:?}", told.calls);
    }
    let piped = world.run(LINE).await;
    assert_eq!((piped.exit, piped.calls.len()), (0, 1), "a script says what it means");
    assert_eq!(world.run(&format!("{LINE} --no-input")).await.exit, 2);
}

#[tokio::test]
async fn only_what_cannot_be_taken_back_is_asked() {
    let world = World::new().await;
    proposals::lists(&world, vec![suggestion()]);
    transfers::lists(&world);
    std::fs::write(world.folder().join("region.toml"), "id = \"north-vale\"\n").unwrap();
    let region = world.folder().join("region.toml").display().to_string();
    for (line, asked) in [
        (format!("region apply -f {region}"), true),
        (format!("bypass {} --reason snow", suggestion().id), true),
        (format!("transfer abort {} --reason not_fit", moving().id), true),
        // The beginning of an id is enough to find one: the question says which.
        ("transfer abort 0198c2d4 --reason not_fit".to_owned(), true),
        ("cohort withdraw hips --reason not_fit".to_owned(), true),
        (format!("accept {}", suggestion().id), false),
        ("free 2 level2 --until 20:00".to_owned(), false),
    ] {
        let told = world.run_answering(&line, "n\n").await;
        assert_eq!(told.err.contains("Go on? [y/N]"), asked, "{line}: {}", told.err);
        assert!(!asked || told.err.contains("error: NOT_CONFIRMED: nothing was done"), "{}", told.err);
        let named = match line.split_whitespace().next() {
            Some("bypass") => "Proposal 0198c2c3-0000-7000-8000-000000000001, 1 from ZA1 for ZA4 (LC-118",
            Some("transfer") => {
                "Transfer 0198c2d4-0000-7000-8000-000000000001, 1 x Level 3 from ZA4 to ZA1, stops"
            }
            _ => "",
        };
        assert!(told.err.contains(named), "{line}: {}", told.err);
    }
}

#[tokio::test]
async fn what_an_ok_rests_on_is_told_with_the_situation() {
    let world = World::new().await;
    world.script.on("MonitorService/GetSituation", |_: GetSituationRequest| {
        let situation = Situation { store_caveat: "It is not checked.".into(), ..situation() };
        Ok(GetSituationResponse { situation: Some(situation), revision: 88213 })
    });
    let shown = world.transcript(&["situation"]).await;
    assert!(shown.contains("\nIt is not checked.\n"), "{shown}");
}
