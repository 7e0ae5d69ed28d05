//! The command line against the real services: a sheet in, the whole state of a site, a copy out, and the doctor.

use std::path::Path;

use clap::{CommandFactory, Parser};
use tempfile::TempDir;

use super::*;
use crate::cli::{self, Terminal};
use crate::root::{Command, Root};

/// Dunmere's bed manager at a desk, with all services in this process.
struct Desk {
    process: Process,
    folder: TempDir,
}

impl Desk {
    async fn set() -> Self {
        let mut process = process(&[]);
        process.region_file = Some(NORTH_VALE.to_owned());
        let services = process.services(&every(), Ports::One, Arc::new(MemoryLedger::new())).await.unwrap();
        services.ready().await.unwrap();
        services.tell_writes(|| true);
        let folder = tempfile::tempdir().unwrap();
        let user = built_in::user("bed-manager.ZA4", &process.config.region.id).unwrap();
        let token =
            process.identity.signer.as_ref().unwrap().issue(&user, Duration::from_secs(3_600)).unwrap();
        std::fs::write(folder.path().join("token"), token).unwrap();
        let config = format!(
            "current = \"test\"\n[contexts.test]\nendpoints = \"{}\"\ntoken_file = \"{}\"\nsite = \"ZA401\"\n",
            services.url(Service::Monitor).unwrap(),
            folder.path().join("token").display()
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        Self { process, folder }
    }

    fn path(&self, name: &str) -> String {
        Path::join(self.folder.path(), name).display().to_string()
    }

    /// Runs a line in which `@` stands for the desk's folder; returns the exit code and everything that was said.
    async fn run(&self, line: &str) -> (u8, String) {
        let line = format!("fallow {} --context-file @config.toml", line).replace('@', &self.path(""));
        let root = Root::try_parse_from(line.split(' ')).unwrap();
        let Command::Client(verb) = root.command else { panic!("not a client command: {line}") };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let terminal = Terminal {
            out: &mut out,
            err: &mut err,
            interactive: false,
            colour: false,
            ascii: false,
            input: None,
        };
        let exit = cli::run(*verb, root.global, Root::command(), Clock::system(), terminal).await;
        (exit.code(), String::from_utf8([out, err].concat()).unwrap())
    }
}

#[tokio::test]
async fn a_sheet_goes_in_is_replaced_and_comes_out_again() {
    let desk = Desk::set().await;
    let sheet = "resource,figures.staffed,window.until,cadence,note\n\
                 bed/cc_adult/2,3,+8h,4h,=cmd()\n\
                 bed/ga_adult,5,+8h,4h,\n\
                 bed/ga_adult,5,never,4h,\n\
                 bed/sofa,1,+8h,4h,\n";
    std::fs::write(desk.path("sheet.csv"), sheet).unwrap();
    let (exit, said) = desk.run("import capacity @sheet.csv").await;
    assert_eq!(exit, 8, "{said}");
    assert!(said.contains("+ ZA401 bed/cc_adult/2") && said.contains("2 added, 2 rejected"), "{said}");
    assert!(said.contains("row 4, C4") && said.contains("row 5, A5"), "{said}");

    // The same again changes nothing but the age; what is left out of a whole state is withdrawn.
    let whole = "resource,figures.staffed,window.until,cadence,note\nbed/cc_adult/2,4,+8h,4h,=cmd()\n";
    std::fs::write(desk.path("whole.csv"), whole).unwrap();
    let (exit, said) = desk.run("capacity apply -f @whole.csv --replace --dry-run").await;
    assert!(exit == 0 && said.contains("free 3 -> 4") && said.contains("1 changed, 1 withdrawn"), "{said}");
    assert!(desk.run("mine").await.1.contains("G&A"), "a dry run changes nothing");
    let (exit, said) = desk.run("capacity apply -f @whole.csv --replace").await;
    assert!(exit == 0 && said.contains("1 changed, 1 withdrawn"), "{said}");
    let (_, left) = desk.run("mine -o csv --columns resource,free,note").await;
    assert_eq!(left, "resource,free,note\nLevel 2,4,=cmd()\n");

    for name in ["copy.xlsx", "copy.csv"] {
        let format = name.split_once('.').unwrap().1;
        let (exit, said) = desk.run(&format!("export {format} offers --out @{name}")).await;
        assert_eq!(exit, 0, "{said}");
        let (exit, said) = desk.run(&format!("import capacity @{name} --dry-run")).await;
        assert!(exit == 0 && said.contains("1 unchanged"), "what goes out comes in as it was: {said}");
    }
    std::fs::write(desk.path("needs.csv"), "case_ref,resource,priority\nLC-1,bed/cc_adult/3,P1A\n").unwrap();
    for told in ["1 added", "1 unchanged"] {
        let (exit, said) = desk.run("import demand @needs.csv").await;
        assert!(exit == 0 && said.contains(told), "{said}");
    }
    // Nothing here is a bed of that level, and the shell hears it.
    let (exit, said) = desk.run("why-not LC-1").await;
    assert_eq!(exit, 9, "{said}");
    assert!(said.contains("LC-1  1 x Level 3"), "{said}");
    desk.process.tasks.finish(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn the_doctor_finds_nothing_where_nothing_is_wrong() {
    let desk = Desk::set().await;
    let until_told = async {
        // Whether changes are taken is not known before it was looked at first.
        while desk.run("doctor").await.1.contains("is not told") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), until_told).await.unwrap();
    let (exit, said) = desk.run("doctor --probe").await;
    assert_eq!(exit, 0, "{said}");
    // How far the clocks seem apart depends on how busy the machine is; that they were held side by side does not.
    assert!(said.contains("-> withdrawn\n") && said.ends_with(", 0 failures\n"), "{said}");
    assert!(
        said.contains("  clock       skew ") && said.contains("bed-manager.ZA4, bed_manager of ZA4"),
        "{said}"
    );
    let (exit, json) = desk.run("doctor -o json").await;
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((exit, &found["failures"]), (0, &serde_json::json!(0)));
    assert!(found["checks"].as_array().unwrap().iter().any(|check| check["check"] == "store"), "{json}");
    assert!(desk.run("mine").await.1.contains("no offers"), "the probe leaves nothing behind");
    let (_, feeds) = desk.run("feed list -o csv").await;
    assert!(feeds.starts_with("trust,name,heard,fresh,offers,stale\nZA1,"), "{feeds}");

    std::fs::write(desk.path("token"), "e30.e30.e30").unwrap();
    let (exit, said) = desk.run("doctor").await;
    assert!(exit == 5 && said.contains("XX  region") && said.contains("next: "), "{said}");
    desk.process.tasks.finish(Duration::from_secs(10)).await.unwrap();
    let (exit, said) = desk.run("doctor --deadline 2s").await;
    assert!(exit == 6 && said.contains("XX  capacity"), "{said}");
}
