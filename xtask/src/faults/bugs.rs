//! `cargo xtask faults --bugs`: plants each bug in turn and sees that something finds it.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::shell::{self, cargo, program};
use crate::stopwatch::Stopwatch;

/// The environment variable that names the planted bug.
const VARIABLE: &str = "FALLOW_PLANTED";

/// How many rounds a bug may outlive before it counts as not found.
const ROUNDS: u64 = 40;

/// Builds everything with the bugs in it, and prints what found each, in what time. Fails when one is not found.
pub(crate) fn run(only: Option<&str>) -> Result<ExitCode> {
    shell::run(cargo().args(["build", "--workspace", "--bins", "--features", "fallow/planted", "--locked"]))?;
    // Beside the build of everyday, which the next build puts back in its place.
    let folder = shell::target().join("planted");
    std::fs::create_dir_all(&folder)?;
    for name in ["fallow", "fallow-faults"] {
        std::fs::copy(shell::target().join("debug").join(name), folder.join(name))?;
    }
    let listed = program(folder.join("fallow-faults"), ".").arg("--list-bugs").output()?;
    let bugs = String::from_utf8(listed.stdout)?;
    let bugs: Vec<&str> = bugs.lines().filter_map(|line| line.split(':').next()).collect();
    if bugs.is_empty() {
        bail!("no bug can be planted");
    }
    // Without a bug everything passes: else it would be no bug that is found.
    if let Some(found) = tests("")? {
        bail!("{found} fails although nothing is planted");
    }
    let mut missed = 0;
    for bug in bugs.iter().filter(|bug| only.is_none_or(|only| only == **bug)) {
        let time = Stopwatch::start();
        let found = match tests(bug)? {
            Some(test) => Some(test),
            None => rounds(bug)?,
        };
        missed += u32::from(found.is_none());
        let found = found.unwrap_or_else(|| format!("NOT FOUND in {ROUNDS} rounds"));
        println!("{bug:<30} {time:>9}  {found}", time = time.to_string());
    }
    println!("{} bugs planted, {missed} not found", bugs.len());
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests of both ledgers and of the engine with a bug planted; returns the first that fails.
fn tests(bug: &str) -> Result<Option<String>> {
    let mut command = cargo();
    let packages =
        ["--package", "fallow-ledger", "--package", "fallow-ledger-redis", "--package", "fallow-matching"];
    let features = ["--features", "fallow-ledger/planted,fallow-ledger-redis/planted", "--locked"];
    if shell::find("cargo-nextest").is_some() {
        command.args(["nextest", "run"]).args(packages).args(features).arg("--fail-fast");
        // Those plant bugs of their own.
        command.args(["-E", "not test(planted)"]);
    } else {
        command.arg("test").args(packages).args(features).args(["--", "--skip", "planted"]);
    }
    command.env(VARIABLE, bug);
    let output = command.output().context("the tests do not start")?;
    if output.status.success() {
        return Ok(None);
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let failed = text.lines().find_map(failed_test);
    failed.map(Some).with_context(|| format!("the tests of {bug:?} ended with {}:\n{text}", output.status))
}

/// Returns the test that a runner's line says to have failed.
fn failed_test(line: &str) -> Option<String> {
    let line = line.trim();
    let ends = ["FAIL [", "TIMEOUT [", "SIGABRT ["];
    if ends.iter().any(|end| line.starts_with(end)) {
        return Some(format!("test {}", line.rsplit(' ').next()?));
    }
    let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
    Some(format!("test {name}"))
}

/// Plays rounds with a bug planted until one fails; returns the invariant that it broke.
fn rounds(bug: &str) -> Result<Option<String>> {
    let folder = shell::target().join("planted");
    let mut command: Command = program(folder.join("fallow-faults"), ".");
    command.args(["--rounds", &ROUNDS.to_string(), "--stop", "--patience", "30", "--planted", bug]);
    command.arg("--binary").arg(folder.join("fallow")).arg("--keep").arg(folder.join("kept"));
    let output = command.output().context("the rounds do not start")?;
    if output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let played = text.lines().filter(|line| line.starts_with("seed ")).count();
    let failed = text.lines().position(|line| line.contains("  FAILED  "));
    let breach = failed.and_then(|at| text.lines().nth(at + 1)).map(str::trim);
    let breach = breach.or_else(|| text.lines().find(|line| line.contains("could not be played")));
    let breach =
        breach.with_context(|| format!("the rounds with {bug} ended with {}:\n{text}", output.status))?;
    let name: String = breach.chars().take_while(|c| *c != ':').take(70).collect();
    Ok(Some(format!("round {played}, {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_that_failed_is_named() {
        let found = |line| failed_test(line).unwrap_or_default();
        assert_eq!(found("        FAIL [   0.4s] (3/9) fallow-ledger-redis::outage a_wiped"), "test a_wiped");
        assert_eq!(found("test tests::one ... FAILED"), "test tests::one");
        assert_eq!(found("        PASS [   0.4s] fallow-ledger::live one"), "");
    }
}
