//! `doctor`, and the bundle that is sent to whoever helps.

use std::io::Read as _;

use fallow_api::v1::situation::{CollaborativeMode, TrustSituation};
use fallow_api::v1::{Freshness, GetSituationRequest, GetSituationResponse, Mode, Situation};
use insta::assert_snapshot;
use tonic::Status;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::contexts::is_version;
use crate::world::{Told, World, at};

/// What gold typed when it switched to incident mode: it shall not leave with a bundle.
const TYPED: &str = "Mrs Fictional in bay 4 has norovirus";

fn watches_over_two_feeds(world: &World) {
    world.script.serves();
    world.script.on("MonitorService/GetSituation", |_: GetSituationRequest| {
        let live = TrustSituation {
            trust: "ZA1".into(),
            name: "Aldermoor".into(),
            freshness: Freshness::Fresh.into(),
            offers: 9,
            last_reported_at: at("2026-11-24T14:30:00Z"),
            ..TrustSituation::default()
        };
        let silent = TrustSituation {
            trust: "ZA2".into(),
            name: "Brackwater".into(),
            freshness: Freshness::Stale.into(),
            offers_stale: 4,
            last_reported_at: at("2026-11-24T14:17:00Z"),
            ..live.clone()
        };
        let mode =
            CollaborativeMode { mode: Mode::Incident.into(), reason: TYPED.into(), ..Default::default() };
        let situation = Situation {
            region: "north-vale".into(),
            name: "North Vale".into(),
            at: at("2026-11-24T14:31:00Z"),
            trusts: vec![live, silent],
            modes: vec![mode],
            revision: 60,
            ..Situation::default()
        };
        Ok(GetSituationResponse { situation: Some(situation), revision: 60 })
    });
}

/// What was said, but for how long each answer took.
fn without_times(told: &Told) -> String {
    let mut text = String::new();
    for line in told.out.lines().chain(told.err.lines().map(|line| line.trim_end())) {
        let line = line.strip_suffix(" ms").map_or(line.to_owned(), |before| {
            format!("{}N ms", before.trim_end_matches(|c: char| c.is_ascii_digit()))
        });
        text.push_str(&line);
        text.push('\n');
    }
    format!("{text}exit {}\n", told.exit)
}

#[tokio::test]
async fn the_doctor_says_what_is_well_and_what_is_not() {
    let world = World::new().await;
    watches_over_two_feeds(&world);
    assert_snapshot!(without_times(&world.run("doctor").await));
    world.script.on("MonitorService/GetSituation", |_: GetSituationRequest| {
        Err::<GetSituationResponse, _>(Status::permission_denied("the credential is of another region"))
    });
    let refused = world.run("doctor").await;
    assert_eq!(refused.exit, 5, "the code of the first failure: {}", refused.out);
    assert!(refused.out.contains("XX  region"), "{}", refused.out);
}

#[tokio::test]
async fn the_doctor_compares_versions() {
    let world = World::new().await;
    watches_over_two_feeds(&world);
    is_version(&world, concat!(env!("CARGO_PKG_VERSION"), " v1"));
    let same = world.run("doctor").await;
    assert!(same.out.contains(concat!(
        "ok  versions    ",
        env!("CARGO_PKG_VERSION"),
        ", api v1, as yours\n"
    )));
    is_version(&world, "99.0.0 v1,v2");
    let newer = world.run("doctor").await;
    assert!(
        newer.out.contains("!!  versions    capacity 99.0.0, api v1 v2; demand 99.0.0, "),
        "{}",
        newer.out
    );
    assert!(newer.out.contains("next: fallow version --all\n"), "{}", newer.out);
}

#[tokio::test]
async fn a_bundle_holds_what_helps_and_nothing_secret_or_typed() {
    let world = World::new().await;
    watches_over_two_feeds(&world);
    let file = world.folder().join("out.zip");
    let line = format!("doctor --bundle {}", file.display());
    let told = world.run(&line).await;
    assert_eq!((told.exit, told.err.as_str()), (0, "written: FOLDER/out.zip\n"));
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&file).unwrap()).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names, ["README.txt", "findings.json", "client.json", "feeds.json"]);
    let mut all = String::new();
    for place in 0..zip.len() {
        zip.by_index(place).unwrap().read_to_string(&mut all).unwrap();
    }
    let token = std::fs::read_to_string(world.folder().join("token")).unwrap();
    let folder = world.folder().display().to_string();
    for secret in [token.as_str(), TYPED, "bed-manager.ZA4", "[contexts", &folder, "Aldermoor"] {
        assert!(!all.contains(secret), "{secret} is in the bundle: {all}");
    }
    for helps in ["bed_manager", "\"trust\": \"ZA2\"", "4 of 9 offers are stale", "\"has_token_file\": true"]
    {
        assert!(all.contains(helps), "{helps} is not in the bundle: {all}");
    }
    let again = world.run(&line).await;
    assert_eq!(again.exit, 2, "what is there already is not overwritten");
    assert!(again.err.contains("name a file that is not there yet"), "{}", again.err);
}

#[tokio::test]
async fn a_bundle_repeats_nothing_that_a_failure_says() {
    let world = World::new().await;
    world.script.serves();
    world.script.on("MonitorService/GetSituation", |_: GetSituationRequest| {
        Err::<GetSituationResponse, _>(Status::failed_precondition(TYPED))
    });
    let file = world.folder().join("out.zip");
    let told = world.run(&format!("doctor --bundle {}", file.display())).await;
    assert!(told.exit != 0 && told.out.contains(TYPED), "{}", told.out);
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&file).unwrap()).unwrap();
    let mut found = String::new();
    zip.by_name("findings.json").unwrap().read_to_string(&mut found).unwrap();
    assert!(!found.contains(TYPED) && found.contains("\"check\": \"region\""), "{found}");
}

#[tokio::test]
async fn a_bundle_names_no_address_of_a_service_that_does_not_serve() {
    let world = World::new().await;
    world.script.is_of_health(ServingStatus::NotServing);
    let file = world.folder().join("out.zip");
    let told = world.run(&format!("doctor --bundle {}", file.display())).await;
    assert!(told.out.contains("NOT_SERVING at http://server"), "{}", told.out);
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&file).unwrap()).unwrap();
    let found: serde_json::Value = serde_json::from_reader(zip.by_name("findings.json").unwrap()).unwrap();
    let service = found["checks"].as_array().unwrap().iter().find(|check| check["check"] == "capacity");
    // An address may have a name and a password before its host.
    assert_eq!(service.unwrap()["detail"], "NOT_SERVING", "{found}");
}
