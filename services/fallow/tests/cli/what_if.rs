//! `simulate`.

use fallow_api::v1::plan_summary::{BandCount, Margin, Share};
use fallow_api::v1::{PlacementChange, PlanSummary, Priority, SimulateRequest, SimulateResponse};

use crate::demand::knows_the_region;
use crate::records::bed;
use crate::world::{World, at};

fn summary(placed: i64, overdue: i64, margin: i64) -> PlanSummary {
    PlanSummary {
        placed,
        overdue: vec![BandCount { priority: Priority::P1a.into(), units: overdue }],
        median_travel_minutes: 20 + placed,
        worst_reserve_margin: margin,
        fairness_spread: 0.25,
        placed_by_decile: vec![placed; 10],
        unserved: overdue + 1,
        worst_reserve: Some(Margin { trust: "ZA1".into(), resource: bed("CC_ADULT", 2), units: margin }),
        gives_most: Some(Share { trust: "ZA1".into(), share: 0.31 }),
        placed_decile_unknown: 0,
    }
}

fn answers(world: &World) {
    knows_the_region(world);
    world.script.on("MatchingService/Simulate", |ask: SimulateRequest| {
        let moved = |need: &str, before: &str, after: &str| PlacementChange {
            need: need.into(),
            before: if before.is_empty() { String::new() } else { format!("{before}-offer") },
            after: if after.is_empty() { String::new() } else { format!("{after}-offer") },
            units: 1,
            name: format!("LC-{need}"),
            home_trust: "ZA4".into(),
            before_trust: before.into(),
            after_trust: after.into(),
        };
        Ok(SimulateResponse {
            before: Some(summary(4, 3, 2)),
            after: Some(summary(6, 1, 0)),
            changed: vec![moved("1", "", "ZA1"), moved("2", "ZA1", "")],
            worse_off: vec!["LC-2 of Dunmere loses its place".into()],
            revision: ask.base_revision.unwrap_or(88213),
            at: at("2026-11-24T14:32:08Z"),
            worse: Vec::new(),
            remarks: vec!["changes[0]: changes nothing".into()],
            changed_total: 2,
            worse_off_total: 1,
        })
    });
}

#[tokio::test]
async fn a_what_if_is_a_table_that_cannot_pass_for_what_is() {
    let world = World::new().await;
    answers(&world);
    let file = world.folder().join("scenario.toml").display().to_string();
    std::fs::write(&file, "[[change]]\nclose_site = \"ZA401\"\n").unwrap();
    let told = world.run(&format!("simulate -f {file}")).await;
    assert_eq!((told.exit, told.err.as_str()), (0, ""));
    assert_eq!(told.calls[0], r#"MatchingService/Simulate {"changes":[{"close_site":"ZA401"}]}"#);
    let first = told.out.lines().next().unwrap();
    assert_eq!(
        first,
        "SIMULATION, nothing here is real or sent; based on revision 88213 of 2026-11-24 14:32:08"
    );
    for (row, words) in [
        ("Unmet past needed-by", ["3", "1", "-2"]),
        ("  of them P1A", ["3", "1", "-2"]),
        ("Placed", ["4", "6", "+2"]),
        ("Without a place", ["4", "2", "-2"]),
        ("Travel, median", ["24 min", "26 min", "+2"]),
        ("Least above a reserve", ["2 (", "0 (", "-2"]),
        ("Fairness spread", ["25%", "25%", ""]),
        ("Placed, most deprived fifth", ["8", "12", "+4"]),
    ] {
        let line = told
            .out
            .lines()
            .find(|line| line.starts_with(row))
            .unwrap_or_else(|| panic!("{row}\n{}", told.out));
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
    let lists = told.out.split_once("\nChanged placements (2)\n").unwrap().1;
    assert!(lists.starts_with("  LC-1: none -> "), "{lists}");
    assert!(
        lists.contains(" -> none\n\nWho is worse off (1)\n  LC-2 of Dunmere loses its place\n"),
        "{lists}"
    );
    assert!(lists.ends_with("\nRemarks (1)\n  changes[0]: changes nothing\n"), "{lists}");

    let csv = world.run(&format!("simulate -f {file} -o csv --revision 7")).await;
    assert!(
        csv.out.starts_with("SIMULATION,now,what-if,change\nUnmet past needed-by,3,1,-2\n"),
        "{}",
        csv.out
    );
    assert!(csv.calls[0].contains("\"base_revision\":7"), "{:?}", csv.calls);
    let md = world.run(&format!("simulate -f {file} -o md")).await;
    assert!(md.out.starts_with("**SIMULATION, nothing here is real or sent; based on"), "{}", md.out);
    assert!(md.out.contains("**\n\n| SIMULATION | now | what-if | change |\n"), "{}", md.out);
    assert_eq!(world.run(&format!("simulate -f {file} -q")).await.out, "1\n2\n");
    let json = world.run(&format!("simulate -f {file} -o json")).await;
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["changed"][0]["after_trust"], "ZA1");
}

#[tokio::test]
async fn what_a_base_does_not_have_is_refused() {
    let world = World::new().await;
    let example = world.run("simulate --example").await;
    assert_eq!((example.exit, example.err.as_str()), (0, ""));
    let file = world.folder().join("scenario.toml").display().to_string();
    std::fs::write(&file, example.out).unwrap();
    for (line, said) in [
        (format!("simulate -f {file} --at 2026-11-24T08:00:00Z"), "--at is for files"),
        (format!("simulate -f {file} --base FOLDER --revision 7"), "--revision is for --base live"),
        (format!("simulate -f {file} --base FOLDER"), "at what time?"),
        (format!("simulate -f {file} --base FOLDER --at 2026-11-24T08:00:00Z"), "FOLDER has no offers.jsonl"),
        ("simulate -f nowhere.toml".to_owned(), "nowhere.toml cannot be read: "),
        ("simulate".to_owned(), "--file"),
    ] {
        let told = world.run(&line).await;
        let is_missing = said == "FOLDER has no offers.jsonl" || said == "nowhere.toml cannot be read: ";
        assert_eq!(told.exit, if is_missing { 3 } else { 2 }, "{line}");
        assert!(told.err.contains(said), "{line}\n{}", told.err);
        assert_eq!(told.calls, Vec::<String>::new(), "{line}");
    }
}
