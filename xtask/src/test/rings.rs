//! The rings, in the order in which they run: what fails fast and often comes first.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{self, cargo, program};
use crate::tidy;

use super::tally::Tally;

/// A ring: tests of one kind.
pub(crate) struct Ring {
    /// What the headings call it.
    pub(crate) name: &'static str,
    /// Runs it.
    pub(crate) run: fn() -> Result<Tally>,
}

/// A ring, and the folder without which there is none of its kind.
const RINGS: &[(&str, Ring)] = &[
    (".", Ring { name: "laws of the tree", run: laws }),
    ("proto", Ring { name: "buf lint", run: || buf(&["lint"]) }),
    ("proto", Ring { name: "buf breaking", run: || buf(&["breaking", "--against", "released.binpb"]) }),
    (".", Ring { name: "crates and stories", run: || crates("default") }),
    (".", Ring { name: "documentation", run: documentation }),
    ("tests/browser", Ring { name: "browser", run: browser }),
    ("tests/python", Ring { name: "python client", run: || python("tests/python") }),
    ("tests/oracle", Ring { name: "oracle", run: || python("tests/oracle") }),
];

/// Returns every ring of which this repository has tests.
pub(crate) fn all() -> Vec<&'static Ring> {
    let root = shell::root();
    RINGS.iter().filter(|(folder, _)| root.join(folder).is_dir()).map(|(_, ring)| ring).collect()
}

/// Returns the rings that need nothing but cargo.
pub(crate) fn fast() -> Vec<&'static Ring> {
    const FAST: &Ring = &Ring { name: "fast tests of crates", run: || crates("fast") };
    let mut rings: Vec<&Ring> = all();
    rings.truncate(1);
    rings.push(FAST);
    rings
}

/// Checks the laws of the tree; each counts as a test.
fn laws() -> Result<Tally> {
    let findings = tidy::check_repository()?;
    Ok(Tally { passed: findings.kept, failed: findings.broken })
}

/// Runs one check of buf on the protos.
fn buf(arguments: &[&str]) -> Result<Tally> {
    if !shell::root().join("proto/node_modules/.bin/buf").is_file() {
        shell::run(program("npm", "proto").args(["ci", "--no-audit", "--no-fund"]))?;
    }
    verdict(program(shell::root().join("proto/node_modules/.bin/buf"), "proto").args(arguments))
}

/// Runs the tests of all crates: by nextest where it is installed, by cargo where not.
fn crates(profile: &str) -> Result<Tally> {
    // Tests that start processes of their own find the binary in the build folder.
    shell::run(cargo().args(["build", "--workspace", "--bins", "--locked"]))?;
    let fast = profile == "fast";
    if shell::find("cargo-nextest").is_some() {
        return count(cargo().args(["nextest", "run", "--workspace", "--locked", "--profile", profile]));
    }
    let mut command = cargo();
    command.args(["test", "--workspace", "--all-targets", "--locked", "--no-fail-fast"]);
    if fast {
        // The same as the filter of the profile `fast` in .config/nextest.toml.
        command.args(["--exclude", "fallow-tests", "--", "--skip", "slow_", "--skip", "slow::"]);
    }
    count(&mut command)
}

/// Runs the examples in the documentation of the crates.
fn documentation() -> Result<Tally> {
    count(cargo().args(["test", "--workspace", "--doc", "--locked", "--no-fail-fast"]))
}

/// Runs the screens in a real browser.
fn browser() -> Result<Tally> {
    shell::run(program("npm", "tests/browser").args(["ci", "--no-audit", "--no-fund"]))?;
    count(program("npm", "tests/browser").args(["test"]))
}

/// Runs the pytest suite of a folder in an environment of its own, made from the folder's `requirements.txt`.
fn python(folder: &str) -> Result<Tally> {
    let environment = shell::target().join("python").join(folder.replace('/', "-"));
    let interpreter = environment.join("bin/python");
    if !interpreter.is_file() {
        shell::run(program("python3", ".").args(["-m", "venv"]).arg(&environment))?;
    }
    let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    shell::run(program(&interpreter, folder).args(quiet).arg("requirements.txt"))?;
    count(program(&interpreter, folder).args(["-m", "pytest", "-q"]))
}

/// Runs a check that either holds or does not.
fn verdict(command: &mut Command) -> Result<Tally> {
    let (status, _) = shell::run_and_keep(command)?;
    Ok(if status.success() { Tally::PASSED } else { Tally::FAILED })
}

/// Runs a test runner and counts what it says.
fn count(command: &mut Command) -> Result<Tally> {
    let (status, output) = shell::run_and_keep(command)?;
    let tally = Tally::of_output(&output);
    if !status.success() && tally.failed == 0 {
        bail!("the runner ended with {status} and named no failed test");
    }
    Ok(tally)
}
