//! `fallow-bench events`: events one by one, and what they lead to.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use fallow_bench::dump;
use fallow_bench::events::story;
use fallow_bench::figures::Served;
use fallow_bench::stopwatch::{Spent, median, repeated};
use fallow_domain::matching::solve::Prepared;
use serde::Serialize;

use crate::scenario::Scenario;

/// What `events` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scenario: Scenario,
    /// How many events.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    events: usize,
    /// Another seed gives other events.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Also says what is served after so many events; as many as there are, if more.
    #[arg(long, value_name = "N")]
    outcome_after: Option<usize>,
    /// Writes the pooled network for other solvers (see the crate's `dump` module).
    #[arg(long, value_name = "FILE")]
    dump_network: Option<PathBuf>,
    /// Writes the events for other solvers (see the crate's `events` module).
    #[arg(long, value_name = "FILE")]
    dump_events: Option<PathBuf>,
}

/// What was measured.
#[derive(Serialize)]
struct Report {
    events: usize,
    /// A full solve after all events.
    full_solve: Spent,
    units: Served,
}

/// How often the full solve runs.
const REPEAT: usize = 5;

/// Plays the events and prints what they lead to.
pub(crate) fn run(options: &Options) -> Result<()> {
    let problem = options.scenario.read()?;
    let prepared = Prepared::new(&problem);
    let network = prepared.network();
    let story = story(network, options.seed, options.events);
    if let Some(path) = &options.dump_network {
        dump::network(path, network).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(path) = &options.dump_events {
        story.write(path).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let count = options.outcome_after.unwrap_or(options.events).min(story.events.len());
    let after = story.after(network, count);
    let (solution, times) = repeated(REPEAT, || after.solve());
    let report = Report { events: count, full_solve: median(&times), units: Served::of(&after, &solution) };
    if options.scenario.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        let Report { events, full_solve, units } = report;
        println!("after {events} events: {} units served at {} points", units.served, units.burden);
        println!("full solve {:.3} ms", full_solve.cpu_ms());
    }
    Ok(())
}
