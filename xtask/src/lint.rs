//! `cargo xtask lint`: formatting, lints, documentation, licences. Warnings are errors.

use anyhow::Result;

use crate::shell::{self, cargo};

/// Runs every lint and stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    shell::run(cargo().args(["fmt", "--all", "--check"]))?;
    shell::run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    shell::run(
        cargo().args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    if shell::find("cargo-deny").is_some() {
        // Offline: the advisory database is not at hand everywhere, licences, bans and sources are.
        shell::run(cargo().args(["deny", "--offline", "check", "licenses", "bans", "sources"]))?;
    } else {
        println!("cargo-deny is not installed: licences, bans and sources were not checked");
    }
    Ok(())
}
