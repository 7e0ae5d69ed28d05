//! `cargo xtask lint`: formatting, lints, documentation, licences. Warnings are errors.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::shell::{self, cargo};

/// What looks at licences, bans and sources.
const TOOL: &str = "cargo-deny";
/// The version that is installed where there is none: a newer one may read deny.toml otherwise.
const VERSION: &str = "0.20.2";

/// Runs every lint and stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    shell::run(cargo().args(["fmt", "--all", "--check"]))?;
    shell::run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    shell::run(
        cargo().args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    let tool = match shell::find(TOOL) {
        Some(tool) => tool,
        None => installed()?,
    };
    // Not the advisories: their database is not at hand everywhere, licences, bans and sources are. Not offline: the
    // crates of other platforms, which are looked at too, are on no machine that has only built.
    let mut command = shell::program(tool, "");
    shell::run(command.args(["--locked", "check", "licenses", "bans", "sources"]))
}

/// Installs the tool beside what is built, once, and returns where it is.
fn installed() -> Result<PathBuf> {
    let folder = shell::target().join("tools");
    let tool = folder.join("bin").join(TOOL);
    if tool.is_file() {
        return Ok(tool);
    }
    let mut command = cargo();
    // Not optimised: it runs for seconds, and would be built for minutes.
    command.args(["install", TOOL, "--debug", "--locked", "--version", VERSION, "--root"]).arg(&folder);
    shell::run(&mut command).with_context(|| {
        format!(
            "licences, bans and sources were not checked: {TOOL} is missing. Install it by:\n  cargo install {TOOL} --locked"
        )
    })?;
    Ok(tool)
}
