use super::*;
use clap::Parser;
use std::fs;
use std::path::Path;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    args: MatchArgs,
}

const REGION: &str = r#"
[region]
id = "Y62"
name = "Two trusts"
[policy]
fair_step = 3
[[trust]]
ods = "AAA"
name = "A"
[[trust]]
ods = "BBB"
name = "B"
opel = 2
fair_allowance = 1
[[site]]
code = "AAA01"
trust = "AAA"
name = "A"
lat = 53.0
lon = -2.0
kind = "HOSPITAL"
[[site]]
code = "BBB01"
trust = "BBB"
name = "B"
lat = 53.1
lon = -2.0
kind = "HOSPITAL"
[[collaborative]]
id = "all"
name = "All"
kind = "ACUTE"
members = ["AAA", "BBB"]
shares = ["BED", "THEATRE"]
"#;

const OFFERS: &str = r#"{"id":"O2","trust":"BBB","site":"BBB01","resource":{"kind":"BED","code":"GA_ADULT"},"figures":{"staffed":"2"},"window":{"until":"2026-11-26T08:00:00Z"},"reportedAt":"2026-11-24T08:00:00Z","cadence":"3600s"}
{"id":"O1","trust":"BBB","site":"BBB01","resource":{"kind":"RESOURCE_KIND_THEATRE","code":"MAIN","specialties":["110"]},"figures":{"staffed":240},"window":{"from":"2026-11-25T08:00:00Z","until":"2026-11-25T12:00:00Z"},"reported_at":"2026-11-24T08:00:00Z","cadence":"86400s"}
"#;

const NEEDS: &str = r#"{"id":"N2","trust":"AAA","site":"AAA01","resource":{"kind":"BED","code":"GA_ADULT"},"units":2,"priority":"P2","listed_at":"2026-11-23T08:00:00Z","reason":"CAPACITY","scope":"EPISODE_ONLY"}
{"id":"N1","trust":"AAA","site":"AAA01","resource":{"kind":"THEATRE","code":"MAIN","specialties":["110"]},"units":2,"minutes_per_case":60,"priority":"P3","listed_at":"2026-11-01T08:00:00Z","reason":"CAPACITY","scope":"EPISODE_ONLY"}
{"id":"N3","trust":"AAA","site":"AAA01","resource":{"kind":"BED","code":"GA_ADULT"},"priority":"P4","listed_at":"2026-11-23T08:00:00Z","max_travel_minutes":20,"reason":"CAPACITY","scope":"EPISODE_ONLY"}
"#;

/// Runs the command over these files; returns how it ended, the plan and standard error.
fn check(region: &str, offers: (&str, &str), needs: (&str, &str), more: &[&str]) -> (Exit, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("region.toml"), region).unwrap();
    fs::write(path(offers.0), offers.1).unwrap();
    fs::write(path(needs.0), needs.1).unwrap();
    let (region, offers, needs, out) =
        (path("region.toml"), path(offers.0), path(needs.0), path("plan.jsonl"));
    let mut args = vec!["match", "--region", &region, "--offers", &offers, "--needs", &needs, "--out", &out];
    args.extend(["--at", "2026-11-24T08:00:00Z"]);
    args.extend(more);
    let mut err = Vec::new();
    let end = match matched(&Command::try_parse_from(args).unwrap().args, &mut err) {
        Ok(end) => end,
        Err((end, message)) => {
            err.extend(message.into_bytes());
            end
        }
    };
    let said = String::from_utf8(err).unwrap().replace(&format!("{}/", folder.path().display()), "");
    (end, fs::read_to_string(Path::new(&out)).unwrap_or_default(), said)
}

fn json(offers: &str, needs: &str, more: &[&str]) -> (Exit, String, String) {
    check(REGION, ("offers.jsonl", offers), ("needs.jsonl", needs), more)
}

#[test]
fn a_plan_has_a_line_for_each_pair_in_order_with_its_points() {
    let (end, plan, said) = json(OFFERS, NEEDS, &["--certify"]);
    assert_eq!((end, said.as_str()), (Exit::Ok, ""));
    // 32 minutes and declared OPEL 2 (+4) a unit; the session is a day later (+2); the second bed is beyond the allowance (+3).
    let expected = r#"{"need":"N1","offer":"O1","units":2,"minutes":120,"burden":76}
{"need":"N2","offer":"O2","units":2,"minutes":0,"burden":75}
"#;
    assert_eq!(plan, expected);
}

#[test]
fn the_order_of_lines_does_not_matter() {
    let turned = |text: &str| text.lines().rev().collect::<Vec<_>>().join("\n");
    let flags = ["--explain"];
    assert_eq!(json(OFFERS, NEEDS, &flags).1, json(&turned(OFFERS), &turned(NEEDS), &flags).1);
}

#[test]
fn unserved_needs_are_explained_after_the_plan() {
    let (_, plan, _) = json(OFFERS, NEEDS, &["--explain"]);
    let last = plan.lines().last().unwrap();
    assert_eq!(last, r#"{"need":"N3","unserved":1,"counts":{"TOO_FAR":1},"relaxations":[]}"#);
    let (_, plan, _) = json(&OFFERS.replace("\"2\"", "\"3\""), NEEDS, &["--explain"]);
    let last = plan.lines().last().unwrap();
    let travel = r#"[{"change":{"travel_limit":{"minutes":32}},"text":"travel limit 32 minutes instead of 20","places":1}]"#;
    assert!(last.ends_with(&format!("\"relaxations\":{travel}}}")), "{last}");
}

#[test]
fn bad_rows_are_named_and_the_rest_goes_on() {
    let offers = format!(
        "{OFFERS}{{\"id\":\"O2\",\"trust\":\"BBB\"}}\nnot json\n{}\n{}",
        OFFERS.lines().next().unwrap(),
        OFFERS.lines().next().unwrap().replace("\"2\"", "-1").replace("O2", "O3").replace("BBB01", "ZZZ01"),
    );
    let (end, plan, said) = json(&offers, NEEDS, &[]);
    assert_eq!(end, Exit::Partial);
    assert_eq!(plan.lines().count(), 2);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("offers.jsonl:3: resource: ")), "{said}");
    assert!(lines.iter().any(|line| line.starts_with("offers.jsonl:4: ")), "{said}");
    assert!(lines.contains(&"offers.jsonl:5: id: stands on line 1 already"), "{said}");
    assert!(lines.iter().any(|line| line.starts_with("offers.jsonl:6: site: ")), "{said}");
    assert!(lines.iter().any(|line| line.starts_with("offers.jsonl:6: figures.staffed: ")), "{said}");
}

#[test]
fn csv_gives_the_same_plan() {
    let offers = "id,trust,site,resource.kind,resource.code,resource.specialties,figures.staffed,window.from,window.until,reported_at,cadence\n\
        O2,BBB,BBB01,BED,GA_ADULT,,2,,2026-11-26T08:00:00Z,2026-11-24T08:00:00Z,3600s\n\
        O1,BBB,BBB01,THEATRE,MAIN,110;100,240,2026-11-25T08:00:00Z,2026-11-25T12:00:00Z,2026-11-24T08:00:00Z,86400s\n";
    let needs = "id,trust,site,resource.kind,resource.code,resource.specialties,units,minutes_per_case,priority,listed_at,max_travel_minutes,reason,scope\n\
        N2,AAA,AAA01,BED,GA_ADULT,,2,,P2,2026-11-23T08:00:00Z,,CAPACITY,EPISODE_ONLY\n\
        N1,AAA,AAA01,THEATRE,MAIN,110,2,60,P3,2026-11-01T08:00:00Z,,CAPACITY,EPISODE_ONLY\n\
        N3,AAA,AAA01,BED,GA_ADULT,,,,P4,2026-11-23T08:00:00Z,20,CAPACITY,EPISODE_ONLY\n";
    let (end, plan, said) = check(REGION, ("offers.csv", offers), ("needs.csv", needs), &["--explain"]);
    assert_eq!((end, said.as_str()), (Exit::Ok, ""));
    assert_eq!(plan, json(OFFERS, NEEDS, &["--explain"]).1);
}

#[test]
fn files_that_cannot_be_read_are_bad_usage() {
    let said = |region: &str, offers: (&str, &str)| {
        let (end, plan, said) = check(region, offers, ("needs.jsonl", NEEDS), &[]);
        assert_eq!((end, plan.as_str()), (Exit::Usage, ""));
        said
    };
    let mistyped = said(&REGION.replace("opel = 2", "opal = 2"), ("offers.jsonl", OFFERS));
    assert!(mistyped.starts_with("region.toml: ") && mistyped.contains("opal"), "{mistyped}");
    let theatre =
        REGION.replace("fair_allowance = 1", "fair_allowance = 1\nreserve = { \"THEATRE/MAIN\" = 1 }");
    assert!(said(&theatre, ("offers.jsonl", OFFERS)).contains("THEATRE/MAIN"));
    assert!(said(REGION, ("offers.ods", OFFERS)).contains("save it as XLSX or CSV"));
    assert!(said(REGION, ("offers.xlsx", OFFERS)).contains("not a workbook that can be read"));
    assert!(
        said(REGION, ("offers.csv", "id,colour\n")).contains("offers.csv: line 1: colour: is not a column")
    );
}

#[test]
fn a_missing_file_is_named() {
    let base = ["match", "--region", "nowhere.toml", "--offers", "o", "--needs", "n", "--out", "p"];
    let args = Command::try_parse_from(base.iter().chain(&["--at", "2026-11-24T08:00:00Z"])).unwrap().args;
    let (end, said) = matched(&args, &mut Vec::new()).unwrap_err();
    assert_eq!(end, Exit::NotFound);
    assert!(said.starts_with("nowhere.toml cannot be read: "), "{said}");
}

#[test]
fn stats_count_units_and_times() {
    let (_, _, said) = json(OFFERS, NEEDS, &["--stats", "--certify", "--theatre-steps", "7"]);
    let stats: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(stats["units"]["wanted"], 3);
    assert_eq!(stats["units"]["served"], 2);
    assert_eq!(stats["units"]["burden"], 75);
    assert_eq!(stats["units"]["bands"]["P2"]["served"], 2);
    assert_eq!(stats["units"]["classes"], serde_json::json!([["P2", 3, 2, 2], ["P4", 0, 1, 0]]));
    // So few cases are solved outright, in one step, after which there is nothing to search for.
    assert_eq!((&stats["theatre"]["served"], &stats["theatre"]["steps"]), (&2.into(), &1.into()));
    assert_eq!(stats["certified"], true);
    assert!(stats["ms"]["solve"].is_number());
}

#[test]
fn flags_are_checked() {
    let parse = |more: &[&str]| {
        let base = ["match", "--region", "r", "--offers", "o", "--needs", "n", "--out", "p", "--at"];
        Command::try_parse_from(base.iter().chain(more)).map_err(|error| error.to_string())
    };
    assert!(parse(&["2026-11-24T08:00:00Z", "--theatre-time", "1.5s", "--seed", "3"]).is_ok());
    assert!(parse(&["next tuesday"]).unwrap_err().contains("--at"));
    assert!(parse(&["2026-11-24T08:00:00Z", "--theatre-time", "-1s"]).is_err());
    assert!(parse(&["2026-11-24T08:00:00Z", "--seed", "x"]).is_err());
}
