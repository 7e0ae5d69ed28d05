//! `fallow-bench invent`: a scenario from a seed.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use fallow_bench::invent::{Size, invent};
use jiff::Timestamp;

/// What `invent` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How large: collab, ics, region or england.
    size: String,
    /// Another seed gives another scenario.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The time of the scenario.
    #[arg(long, value_name = "TIME", default_value = "2026-11-24T08:00:00Z")]
    at: Timestamp,
    /// Points of fairness; above 0 every trust gets an allowance.
    #[arg(long, value_name = "POINTS", default_value_t = 0)]
    fair_step: u32,
    /// The folder for the three files, made if missing.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Writes the three files.
pub(crate) fn run(options: &Options) -> Result<()> {
    let size = Size::of_name(&options.size)
        .with_context(|| format!("{}: the sizes are collab, ics, region, england", options.size))?;
    let files = invent(size, options.seed, options.at, options.fair_step);
    files.write(&options.out).with_context(|| format!("{} cannot be written", options.out.display()))
}
