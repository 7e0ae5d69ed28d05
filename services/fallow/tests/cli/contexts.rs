//! `context`, `auth`, `ping`, `errors`, `completion`, and the demonstration's users.

use clap::CommandFactory;
use fallow::cli::{DevFiles, Endpoints};
use fallow::root::Root;
use fallow_api::v1::{
    GetRegionRequest, GetRegionResponse, GetSituationRequest, GetSituationResponse, ListNeedsRequest,
    ListNeedsResponse, ListOffersRequest, ListOffersResponse, ListProposalsRequest, ListProposalsResponse,
    Situation,
};
use insta::assert_snapshot;

use crate::records::level_2;
use crate::world::{World, at};

#[tokio::test]
async fn contexts_come_and_go() {
    let world = World::new().await;
    assert_snapshot!(world.transcript(&[
        "context list",
        "context add prod",
        "context add prod --endpoint https://fallow.nv.example:443 --token-file /run/fallow.token --site za402",
        "context add prod --site za403 -o json",
        "context use prod",
        "context show",
        "context show tst",
        "context list",
        "context rm prod",
        "context rm prod",
        "context use dev",
        "context add dev --endpoint http://127.0.0.1:1",
    ]).await);
}

#[tokio::test]
async fn whoami_reads_the_credential() {
    let world = World::new().await;
    assert_snapshot!(
        world.transcript(&["auth whoami", "auth whoami -o jsonl", "auth whoami --token-file nowhere"]).await
    );
    std::fs::write(world.folder().join("long"), "x".repeat(9_000)).unwrap();
    let long =
        world.run(&format!("auth whoami --token-file {}", world.folder().join("long").display())).await;
    assert_eq!(long.exit, 5);
    assert!(long.err.contains("it has 9000 bytes, a credential at most 8192"), "{}", long.err);
}

#[tokio::test]
async fn the_demonstration_lends_its_users_and_its_time() {
    let world = World::new().await;
    let files = DevFiles::below(world.folder());
    let address = world.script.serve().await;
    let users = [
        ("bed-manager.ZA4", "ZA401", "token-4"),
        ("bed-manager.ZA1", "ZA101", "token-1"),
        ("duty-lead", "", "token-g"),
    ];
    files.write(Endpoints::All(address), 60, &users).unwrap();
    world.script.on("MonitorService/GetSituation", |_: GetSituationRequest| {
        let situation = Situation { at: at("2026-11-24T15:57:00Z"), ..Situation::default() };
        Ok(GetSituationResponse { situation: Some(situation), revision: 1 })
    });
    world.script.on("CapacityService/ListOffers", |_: ListOffersRequest| {
        Ok(ListOffersResponse { offers: vec![level_2()], ..ListOffersResponse::default() })
    });
    // Reported at 13:57: half an hour old by the test's clock, two hours by that of the demonstration.
    let told = world.run("mine --as bed-manager.ZA1 --columns updated").await;
    assert_eq!((told.exit, told.out.as_str()), (0, "UPDATED\n2 h\n"), "{}", told.err);
    let unknown = world.run("mine --as bed-manager.ZA9").await;
    assert_eq!(unknown.exit, 2);
    assert!(
        unknown.err.contains("unknown user \"bed-manager.ZA9\". Did you mean bed-manager.ZA1?"),
        "{}",
        unknown.err
    );
    let elsewhere = world.run("mine --context test --as duty-lead").await;
    assert!(
        elsewhere.err.contains("--as works only with the built-in users of a demonstration"),
        "{}",
        elsewhere.err
    );
    let gold = world.run("free 2 level2 --until \"tomorrow 08:00\" --as duty-lead").await;
    assert!(gold.err.contains("error: USAGE: which site?"), "{}", gold.err);
}

#[tokio::test]
async fn ping_says_who_is_away() {
    let world = World::new().await;
    let away = world.run("ping").await;
    assert_eq!(away.exit, 6);
    assert_eq!(away.out.matches("no script for grpc.health.v1.Health/Check").count(), 4, "{}", away.out);
    assert!(away.err.contains("next: fallow context show"), "{}", away.err);
    let told: serde_json::Value = serde_json::from_str(&world.run("ping -o json").await.out).unwrap();
    assert_eq!(told[3]["service"], "monitor");
    assert_eq!(told[3]["status"], "no script for grpc.health.v1.Health/Check");
    world.script.serves();
    let well = world.run("ping --columns service,status").await;
    assert_eq!(well.exit, 0, "{}", well.err);
    assert_eq!(well.out.matches("serving").count(), 4, "{}", well.out);
}

/// Services of a release, as they say it beside their answers.
pub(crate) fn is_version(world: &World, said: &'static str) {
    world.script.says(said);
    world.script.on("CapacityService/ListOffers", |_: ListOffersRequest| Ok(ListOffersResponse::default()));
    world.script.on("DemandService/ListNeeds", |_: ListNeedsRequest| Ok(ListNeedsResponse::default()));
    // Who may not is told all the same.
    world.script.on("MatchingService/ListProposals", |_: ListProposalsRequest| {
        Err::<ListProposalsResponse, _>(tonic::Status::permission_denied("not your right"))
    });
    world.script.on("MonitorService/GetRegion", |_: GetRegionRequest| Ok(GetRegionResponse::default()));
}

#[tokio::test]
async fn version_tells_what_each_service_is() {
    let world = World::new().await;
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(world.run("version").await.out, format!("fallow {own} (api v1)\n"));
    let json: serde_json::Value = serde_json::from_str(&world.run("version -o json").await.out).unwrap();
    assert_eq!((&json["version"], &json["api"][0]), (&own.into(), &"v1".into()));

    let away = world.run("version --all --endpoint http://127.0.0.1:1").await;
    assert_eq!(away.exit, 6, "{}", away.out);
    assert!(away.err.contains("not every service answers; next: fallow ping"), "{}", away.err);
    assert_eq!(away.out.matches("UNAVAILABLE: ").count(), 4, "{}", away.out);

    is_version(&world, "0.9.2 v1,v2");
    let all = world.run("version --all --columns part,version,api,error").await;
    assert_eq!(all.exit, 0, "{}{}", all.out, all.err);
    for service in ["capacity", "demand", "matching", "monitor"] {
        assert!(all.out.contains(&format!("{service:<10}0.9.2    v1 v2\n")), "{service}: {}", all.out);
    }
    is_version(&world, "1.0.0 v2");
    let newer = world.run("version --all").await;
    assert_eq!(newer.exit, 1, "{}", newer.out);
    assert_eq!(newer.out.matches("it does not serve v1, which this command line speaks").count(), 4);
    is_version(&world, "");
    let silent = world.run("version --all").await;
    assert_eq!((silent.exit, silent.out.matches("not told").count()), (0, 4), "{}", silent.out);
    world.script.on("MonitorService/GetRegion", |_: GetRegionRequest| {
        Err::<GetRegionResponse, _>(tonic::Status::unauthenticated("who are you?"))
    });
    assert_eq!(world.run("version --all").await.exit, 5);
}

#[tokio::test]
async fn reasons_are_explained() {
    let world = World::new().await;
    assert_snapshot!(world.transcript(&["errors hold-expired", "errors HOLD_EXPIRD"]).await);
    let json: serde_json::Value =
        serde_json::from_str(&world.run("errors hold-expired -o json").await.out).unwrap();
    assert_eq!(json["reason"], "HOLD_EXPIRED");
    // What why-not counts is looked up here too.
    let counted = world.run("errors held-for-another -o csv").await;
    assert!(counted.out.starts_with("reason,means\nHELD_FOR_ANOTHER,offers "), "{}", counted.out);
    assert_eq!(world.run("errors held-for-another -q").await.out, "HELD_FOR_ANOTHER\n");
    let counted = world.run("errors held-for-another").await;
    assert_eq!(counted.exit, 0, "{}", counted.err);
    assert!(counted.out.starts_with("HELD_FOR_ANOTHER  (why offers are not used"), "{}", counted.out);
    assert!(world.run("errors TO_FAR").await.err.contains("Did you mean TOO_FAR?"));
    let names = world.run("errors -q").await.out;
    assert_eq!(names.lines().count(), fallow_api::reasons::all().count());
    let all = world.run("errors").await;
    for reason in fallow_api::reasons::all() {
        assert!(all.out.contains(reason.name), "{} is missing", reason.name);
    }
}

#[test]
fn every_command_is_well_formed_and_helps() {
    let mut root = Root::command();
    root.clone().debug_assert();
    root.build();
    let mut rest: Vec<&clap::Command> =
        root.get_subcommands().filter(|command| command.get_name() != "help").collect();
    while let Some(command) = rest.pop() {
        assert!(command.get_about().is_some(), "{} says nothing of itself", command.get_name());
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{} of {} has no help", arg.get_id(), command.get_name());
        }
        rest.extend(command.get_subcommands().filter(|command| command.get_name() != "help"));
    }
}

#[tokio::test]
async fn the_manual_has_a_page_for_every_command() {
    let world = World::new().await;
    let page = world.run("man capacity publish").await;
    assert_eq!(page.exit, 0, "{}", page.err);
    assert!(
        page.out.contains(".TH fallow-capacity-publish 1") && page.out.contains("\\-\\-until"),
        "{}",
        page.out
    );
    // The examples with which help begins stand there too, as they are typed.
    let example = ".SH EXAMPLES\n.nf\n\\&fallow capacity publish \\-\\-resource level2 ";
    assert!(page.out.contains(example), "{}", page.out);
    assert_snapshot!(world.transcript(&["man capacty", "cheat answers", "cheat sheet"]).await);
    let folder = world.folder().join("man1");
    let written = world.run(&format!("man --to {}", folder.display())).await;
    assert_eq!((written.exit, written.err.as_str()), (0, "written: FOLDER/man1\n"));
    let template = std::fs::read_to_string(folder.join("fallow-import-template.1")).unwrap();
    assert!(template.contains(".SH EXAMPLES\n") && template.contains(".SH OPTIONS\n"), "{template}");
    assert!(folder.join("fallow-import-template.1").exists() && folder.join("fallow.1").exists());
}

#[tokio::test]
async fn completion_is_there_for_every_shell() {
    let world = World::new().await;
    for (shell, said) in [
        ("bash", "complete -F _fallow"),
        ("zsh", "#compdef fallow"),
        ("fish", "complete -c fallow"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = world.run(&format!("completion {shell}")).await;
        assert!(script.exit == 0 && script.out.contains(said), "{shell}");
        assert!(script.out.contains("still-true") && script.out.contains("template"), "{shell}");
    }
}
