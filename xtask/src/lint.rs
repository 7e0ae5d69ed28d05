//! `cargo xtask lint`: formatting, lints, documentation, licences. Warnings are errors.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell::{self, cargo};

/// What looks at licences, bans and sources.
const TOOL: &str = "cargo-deny";
/// The one version that looks, so that every machine says the same: another may read deny.toml otherwise.
const VERSION: &str = "0.20.2";

/// Runs every lint and stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    shell::run(cargo().args(["fmt", "--all", "--check"]))?;
    shell::run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    shell::run(
        cargo().args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    let tool = match shell::find(TOOL).filter(|tool| is_of_version(tool)) {
        Some(tool) => tool,
        None => installed()?,
    };
    // Not the advisories: their database is not at hand everywhere, licences, bans and sources are. Not offline: the
    // crates of other platforms, which are looked at too, are on no machine that has only built.
    let mut command = shell::program(tool, "");
    shell::run(command.args(["--locked", "check", "licenses", "bans", "sources"]))
}

/// Says whether a tool that somebody has installed is of the version that looks.
fn is_of_version(tool: &Path) -> bool {
    let said = shell::program(tool, "").arg("--version").output();
    said.is_ok_and(|said| names_version(&String::from_utf8_lossy(&said.stdout)))
}

/// Says whether what a tool says of itself, such as `cargo-deny 0.20.2`, names the version.
fn names_version(said: &str) -> bool {
    said.split_whitespace().nth(1) == Some(VERSION)
}

/// Installs the tool beside what is built, once for each version, and returns where it is.
fn installed() -> Result<PathBuf> {
    let folder = shell::target().join(format!("tools/{TOOL}-{VERSION}"));
    let tool = folder.join("bin").join(TOOL);
    if tool.is_file() {
        return Ok(tool);
    }
    let mut command = cargo();
    // Not optimised: it runs for seconds, and would be built for minutes.
    command.args(["install", TOOL, "--debug", "--locked", "--version", VERSION, "--root"]).arg(&folder);
    shell::run(&mut command).with_context(|| {
        format!(
            "licences, bans and sources were not checked: {TOOL} {VERSION} is missing. Install it by:\n  \
             cargo install {TOOL} --locked --version {VERSION}"
        )
    })?;
    Ok(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_does_not_look() {
        assert!(names_version(&format!("{TOOL} {VERSION}\n")));
        for other in [format!("{TOOL} {VERSION}0"), format!("{TOOL} 0.1.0"), TOOL.to_owned(), String::new()] {
            assert!(!names_version(&other), "{other}");
        }
    }
}
