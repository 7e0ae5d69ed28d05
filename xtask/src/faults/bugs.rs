//! `cargo xtask faults --bugs`: plants each bug in turn and sees that the test that is there for it finds it.
//!
//! One build has all bugs; a variable of the environment chooses one. A bug counts as found only by the test that the
//! table names for it, which must pass without the bug before and after, and fail with it. Nothing else counts: a test
//! that is not there, one that does not end where it ended without the bug, or one that cannot be run at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::finders::{FINDERS, Finder};
use crate::shell::{self, cargo, program};
use crate::stopwatch::Stopwatch;

/// The environment variable that names the planted bug.
const VARIABLE: &str = "FALLOW_PLANTED";
/// How long one test may take, on a slow machine too: the slowest takes half a minute to give up waiting.
const LIMIT: Duration = Duration::from_secs(180);
/// How often is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    Passed,
    Failed,
    /// It did not end in time.
    Hung,
    /// Nothing is known: the test is not there, or the process came to grief.
    Unknown(String),
}

/// Plants every bug, or only one, and prints what found it, in what time. Fails when one is not found.
pub(crate) fn run(only: Option<&str>) -> Result<ExitCode> {
    let chosen = chosen(only)?;
    let time = Stopwatch::start();
    let tests = Tests::build()?;
    let mut passing: Vec<&Finder> = chosen.clone();
    passing.sort_by_key(|finder| finder.test());
    passing.dedup_by_key(|finder| finder.test());
    println!("{} tests without a bug", passing.len());
    for finder in passing {
        tests.control(finder)?;
    }
    let mut missed = 0;
    for finder in &chosen {
        let time = Stopwatch::start();
        let found = match tests.run(finder, finder.bug)? {
            Ended::Failed => Ok("found by"),
            Ended::Hung => Ok("found, for it does not end, by"),
            Ended::Passed => Err("NOT FOUND by".to_owned()),
            Ended::Unknown(why) => Err(format!("NOTHING IS KNOWN ({why}) of")),
        };
        if found.is_ok() {
            // What fails for a reason of its own finds nothing.
            tests.control(finder)?;
        }
        missed += u32::from(found.is_err());
        let word = found.map_or_else(|wrong| wrong, str::to_owned);
        let (_, target, name) = finder.test();
        println!("{:<30} {:>8}  {word} {target}: {name}", finder.bug, time.to_string());
    }
    let found = chosen.len() - usize::try_from(missed)?;
    let word = if missed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {found} bugs found; {missed} not found; in {time}");
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the bugs that are to be planted, with their tests.
///
/// # Errors
/// There is no bug of that name.
fn chosen(only: Option<&str>) -> Result<Vec<&'static Finder>> {
    let chosen: Vec<&Finder> =
        FINDERS.iter().filter(|finder| only.is_none_or(|only| only == finder.bug)).collect();
    if let (Some(only), true) = (only, chosen.is_empty()) {
        let names: Vec<&str> = FINDERS.iter().map(|finder| finder.bug).collect();
        bail!("no bug is called {only}; there are:\n  {}", names.join("\n  "));
    }
    Ok(chosen)
}

/// The programs of tests with all bugs in them, by folder and name.
struct Tests(BTreeMap<(String, String), PathBuf>);

impl Tests {
    /// Builds those that the table names. The whole workspace is chosen, so that no dependency is built once more.
    fn build() -> Result<Self> {
        let mut command = cargo();
        command.args(["build", "--workspace", "--locked", "--features", "fallow/planted"]);
        command.args(["--message-format", "json-render-diagnostics"]);
        let mut targets: Vec<&str> = FINDERS.iter().map(|finder| finder.target).collect();
        targets.sort_unstable();
        targets.dedup();
        for target in &targets {
            command.args(["--test", target]);
        }
        println!("building {} with every bug in them", targets.join(", "));
        let output = command.stderr(Stdio::inherit()).output().context("cargo does not start")?;
        if !output.status.success() {
            bail!("the tests cannot be built with the bugs in them: {}", output.status);
        }
        std::fs::create_dir_all(folder())?;
        Ok(Self(programs(&String::from_utf8(output.stdout)?)))
    }

    /// Sees that a test passes while nothing is planted.
    fn control(&self, finder: &Finder) -> Result<()> {
        match self.run(finder, "")? {
            Ended::Passed => Ok(()),
            ended @ (Ended::Failed | Ended::Hung | Ended::Unknown(_)) => {
                let kept = folder().join("control.txt");
                bail!("{:?} without a bug: {ended:?}; see {}", finder.test(), kept.display())
            }
        }
    }

    /// Runs the one test of a bug. What it prints is kept.
    fn run(&self, finder: &Finder, bug: &str) -> Result<Ended> {
        let (at, target, name) = finder.test();
        let built = self.0.get(&(at.to_owned(), target.to_owned()));
        let built = built.with_context(|| format!("{at} has no test {target}"))?;
        let log = folder().join(format!("{}.txt", if bug.is_empty() { "control" } else { bug }));
        let file = File::create(&log)?;
        let mut command = program(built, at);
        command.args(["--exact", name, "--test-threads", "1"]).env(VARIABLE, bug);
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let ended_in_time = within_limit(&mut command)?;
        let text = std::fs::read(&log)?;
        Ok(if ended_in_time { ended(&String::from_utf8_lossy(&text), name) } else { Ended::Hung })
    }
}

/// Where is kept what tests print.
fn folder() -> PathBuf {
    shell::target().join("planted")
}

/// Runs a command and says whether it ended in time; else it is killed, and with it what it has started.
fn within_limit(command: &mut Command) -> Result<bool> {
    command.process_group(0);
    let mut child = command.spawn().context("a test does not start")?;
    let time = Stopwatch::start();
    while child.try_wait()?.is_none() {
        if time.elapsed() >= LIMIT {
            let group = format!("-{}", child.id());
            shell::run(program("kill", ".").args(["-KILL", "--", &group]))?;
            child.wait()?;
            return Ok(false);
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(true)
}

/// Returns what a run of one test says. Its own words count, not the status of the process: that has many reasons.
fn ended(text: &str, name: &str) -> Ended {
    let has = |line: &str| text.lines().any(|of| of.starts_with(line));
    if has("test result: ok. 1 passed; 0 failed;") {
        Ended::Passed
    } else if has("test result: FAILED. 0 passed; 1 failed;") && has(&format!("test {name} ... ")) {
        Ended::Failed
    } else if has("test result: ok. 0 passed;") {
        Ended::Unknown("there is no such test".to_owned())
    } else {
        Ended::Unknown("it did not come to its end".to_owned())
    }
}

/// Returns the programs of tests that cargo says it has built, by folder and name.
fn programs(messages: &str) -> BTreeMap<(String, String), PathBuf> {
    let root = shell::root();
    let built = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let executable = message["executable"].as_str()?;
        let is_test = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "test");
        let manifest = Path::new(message["manifest_path"].as_str()?);
        let folder = manifest.parent()?.strip_prefix(&root).ok()?.to_str()?.to_owned();
        let name = message["target"]["name"].as_str()?.to_owned();
        is_test.then(|| ((folder, name), executable.into()))
    });
    built.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_test_that_ran_and_failed_finds_a_bug() {
        let failed = "running 1 test\ntest a::b ... FAILED\n\n\
                      test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out\n";
        assert_eq!(ended(failed, "a::b"), Ended::Failed);
        let is_unknown = |text, name| matches!(ended(text, name), Ended::Unknown(_));
        assert!(is_unknown(failed, "a::c"));
        let passed = "test a::b ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        assert_eq!(ended(passed, "a::b"), Ended::Passed);
        assert!(is_unknown("test result: ok. 0 passed; 0 failed; 0 ignored; 5 filtered out\n", "a::b"));
        assert!(is_unknown("running 1 test\nthread panicked, aborting\n", "a::b"));
        assert!(is_unknown("", "a::b"));
    }

    #[test]
    fn an_unknown_bug_is_no_bug_and_the_names_are_told() {
        let refused = chosen(Some("no-such-bug")).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("no-such-bug") && refused.contains("touch-skipped"), "{refused}");
        assert_eq!(chosen(Some("touch-skipped")).unwrap().len(), 1);
        assert_eq!(chosen(None).unwrap().len(), FINDERS.len());
    }

    #[test]
    fn what_cargo_has_built_is_found_by_folder_and_name() {
        let root = shell::root();
        let line = serde_json::json!({
            "reason": "compiler-artifact", "executable": "/x/seal-1",
            "manifest_path": root.join("crates/ledger-redis/Cargo.toml"),
            "target": { "name": "seal", "kind": ["test"] },
        });
        let found = programs(&format!("{line}\n{{\"reason\":\"build-finished\"}}\n"));
        let key = ("crates/ledger-redis".to_owned(), "seal".to_owned());
        assert_eq!(found.get(&key), Some(&PathBuf::from("/x/seal-1")));
    }
}
