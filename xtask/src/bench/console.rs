//! `cargo xtask bench console`: what the screens weigh and how soon they show what changed, in a browser over a whole
//! `fallow dev`.

use anyhow::Result;

use crate::shell;

/// The browser tests have everything that it needs.
const FOLDER: &str = "tests/browser";

/// Builds Fallow as it is released, and measures its screens, then one service alone and its restart.
pub(super) fn run() -> Result<()> {
    let build = ["build", "--release", "--package", "fallow", "--package", "fallow-bench"];
    shell::run(shell::cargo().args(build))?;
    shell::run(shell::program("npm", FOLDER).args(["ci", "--no-audit", "--no-fund"]))?;
    let binary = shell::target().join("release/fallow");
    shell::run(shell::program("node", FOLDER).arg("budgets.mjs").arg(&binary))?;
    let mut restart = shell::program(shell::target().join("release/fallow-bench"), ".");
    shell::run(restart.args(["restart", "--fallow"]).arg(&binary))
}
