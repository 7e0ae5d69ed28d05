//! `cargo xtask ci`: what continuous integration runs, in its order.

use std::process::ExitCode;

use anyhow::Result;

use crate::{lint, test};

/// Runs the lints, then every ring of tests.
pub(crate) fn run() -> Result<ExitCode> {
    lint::run()?;
    test::run(&test::Options { fast: false })
}
