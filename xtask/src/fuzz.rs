//! `cargo xtask fuzz`: every parser, fed what a fuzzer finds, each for a while.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::shell;

/// What the fuzzer is called among cargo's commands.
const TOOL: &str = "cargo-fuzz";

/// Good documents of every sort, from which the fuzzer begins: without one it would not find the way into a workbook.
const SEEDS: [&str; 3] = ["regions", "crates/ledger/tests/golden", "fuzz/seeds"];

/// Feeds every parser what a fuzzer finds.
#[derive(Args)]
pub(crate) struct Options {
    /// How long each parser is fed, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Only these parsers; by default all of them.
    parsers: Vec<String>,
}

/// Runs each target for its time, and fails when one has found something.
pub(crate) fn run(options: &Options) -> Result<()> {
    check_tools()?;
    let known = targets()?;
    let chosen = if options.parsers.is_empty() { known.clone() } else { options.parsers.clone() };
    if let Some(unknown) = chosen.iter().find(|name| !known.contains(name)) {
        bail!("there is no parser {unknown}; there are: {}", known.join(", "));
    }
    same_versions()?;
    let mut failed = Vec::new();
    for target in &chosen {
        println!("\n==== {target} ====");
        let mut command = shell::program("cargo", "");
        // Ten seconds for one input and two gigabytes are more than any parser may need.
        let time = format!("-max_total_time={}", options.seconds);
        let corpus = shell::root().join("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
        command.args(["+nightly", "fuzz", "run", target]).arg(corpus);
        command.args(SEEDS.map(|folder| shell::root().join(folder)));
        command.args(["--", &time, "-timeout=10", "-rss_limit_mb=2048"]);
        if shell::run(&mut command).is_err() {
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        println!("\n{} parsers, {} s each: nothing was found", chosen.len(), options.seconds);
        return Ok(());
    }
    bail!("something was found in: {} (fuzz/artifacts has what they were given)", failed.join(", "))
}

/// Has the fuzzer look at the versions that are shipped: its workspace has no lock file of its own, and begins with ours.
fn same_versions() -> Result<()> {
    let (ours, theirs) = (shell::root().join("Cargo.lock"), shell::root().join("fuzz/Cargo.lock"));
    fs::copy(&ours, &theirs).with_context(|| format!("cannot write {}", theirs.display()))?;
    Ok(())
}

/// Says what to install where the tools are missing.
fn check_tools() -> Result<()> {
    let mut missing = Vec::new();
    let nightly = Command::new("rustup").args(["run", "nightly", "rustc", "--version"]).output();
    if !nightly.is_ok_and(|answer| answer.status.success()) {
        missing.push("rustup toolchain install nightly");
    }
    if shell::find(TOOL).is_none() {
        missing.push("cargo install cargo-fuzz --locked");
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "the fuzzer needs a nightly compiler and {TOOL}; install what is missing:\n  {}",
        missing.join("\n  ")
    )
}

/// Returns the names of all targets, in order.
fn targets() -> Result<Vec<String>> {
    let folder = shell::root().join("fuzz/fuzz_targets");
    let mut found = Vec::new();
    for file in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = file?.path();
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
            found.push(name.to_owned());
        }
    }
    found.sort();
    Ok(found)
}
