//! `cargo xtask pictures`: the README's pictures of the wall and the inbox, taken of a running demonstration.

use anyhow::Result;

use crate::shell;

/// Where the pictures are taken from: the browser tests have everything that it needs.
const FOLDER: &str = "tests/browser";

/// Builds Fallow, shows its winter day and takes the pictures anew.
pub(crate) fn run() -> Result<()> {
    shell::run(shell::program("npm", FOLDER).args(["ci", "--no-audit", "--no-fund"]))?;
    shell::run(shell::program("node", FOLDER).args(["pictures.mjs"]))
}
