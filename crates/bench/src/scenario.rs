//! The scenario that a command of `fallow-bench` reads.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use fallow_bench::{fairness, input};
use fallow_domain::matching::problem::Problem;
use jiff::Timestamp;

/// A scenario and how it is read.
#[derive(Debug, Args)]
pub(crate) struct Scenario {
    /// The folder with region.toml, offers.jsonl and needs.jsonl.
    folder: PathBuf,
    /// The time taken as now.
    #[arg(long, value_name = "TIME", default_value = "2026-11-24T08:00:00Z")]
    at: Timestamp,
    /// Sets fair_step to so many points; a trust without an allowance gets two fifths of its free units.
    #[arg(long, value_name = "POINTS")]
    fair_step: Option<u32>,
    /// Threads of the engine. With 1, processor time is the time of one core, as the peers' is.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Prints one JSON object instead of lines.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Scenario {
    /// Sets the number of threads and reads the scenario.
    pub(crate) fn read(&self) -> Result<Problem> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .build_global()
            .context("threads could not be started")?;
        let mut problem = input::read(&self.folder, self.at)?;
        if let Some(step) = self.fair_step {
            fairness::impose(&mut problem, step);
        }
        Ok(problem)
    }
}
