//! `fallow-bench theatre`: what the search for theatre lists reaches within a time.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use fallow_bench::dump;
use fallow_bench::stopwatch::{Spent, Stopwatch};
use fallow_domain::matching::solve::Prepared;
use fallow_domain::matching::theatre::{Mode, Theatre, bound, broken_promise};
use serde::Serialize;

use crate::scenario::Scenario;

/// What `theatre` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scenario: Scenario,
    /// Seconds of processor time after which the search stops; several are measured one after the other.
    #[arg(long, value_name = "SECONDS", default_values_t = [1.0])]
    seconds: Vec<f64>,
    /// Where the search starts from.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Readings of all pairs spent on the bound.
    #[arg(long, value_name = "N", default_value_t = 300)]
    rounds: u32,
    /// Writes the theatre for other solvers (see the crate's `dump` module).
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
}

/// What was measured: the weighted surrogate, all bands at once.
#[derive(Serialize)]
struct Report {
    cases: usize,
    sessions: usize,
    pairs: usize,
    /// Penalties of the cases that no session can take; part of every surrogate and of the bound.
    unavoidable: i64,
    bound: i64,
    bound_spent: Spent,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    seconds: f64,
    spent: Spent,
    steps: u64,
    served: usize,
    surrogate: i64,
}

/// Searches for each time, and prints what was reached beside a bound.
pub(crate) fn run(options: &Options) -> Result<()> {
    let problem = options.scenario.read()?;
    let prepared = Prepared::new(&problem);
    let theatre = prepared.theatre();
    if let Some(path) = &options.dump {
        dump::theatre(path, theatre).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let runs = [0.0].iter().chain(&options.seconds);
    let runs: Vec<Run> =
        runs.map(|&seconds| searched(theatre, seconds, options.seed)).collect::<Result<_>>()?;
    let reached = runs.iter().map(|run| run.surrogate).min().unwrap_or(0);
    let watch = Stopwatch::start();
    let bound = bound(theatre, reached, options.rounds);
    let report = Report {
        cases: theatre.cases().len(),
        sessions: theatre.rooms().len(),
        pairs: prepared.pairs().1,
        unavoidable: bound.unavoidable,
        bound: bound.points,
        bound_spent: watch.spent(),
        runs,
    };
    if options.scenario.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", report.lines());
    }
    Ok(())
}

/// Searches for so long; for no time at all: without a step.
fn searched(theatre: &Theatre, seconds: f64, seed: u64) -> Result<Run> {
    let watch = Stopwatch::start();
    let budget = if seconds > 0.0 { u64::MAX } else { 0 };
    let limit_ms = seconds * 1e3;
    let schedule =
        theatre.solve(Mode::Weighted, None, budget, seed, &mut || watch.spent().cpu_ms() >= limit_ms);
    let spent = watch.spent();
    anyhow::ensure!(
        broken_promise(theatre, &schedule.sessions).is_none(),
        "the plan breaks the promise of theatre lists"
    );
    Ok(Run {
        seconds,
        spent,
        steps: schedule.steps,
        served: schedule.sessions.iter().flatten().count(),
        surrogate: theatre.surrogate(&schedule.sessions),
    })
}

impl Report {
    fn lines(&self) -> String {
        let Self { cases, sessions, pairs, unavoidable, bound, .. } = self;
        let mut text = format!("{cases} cases, {sessions} sessions, {pairs} pairs\n");
        text += &format!(
            "bound {bound}, of which {unavoidable} unavoidable ({:.0} ms)\n",
            self.bound_spent.cpu_ms()
        );
        text += &format!(
            "{:>8} {:>12} {:>10} {:>8} {:>14} {:>8}\n",
            "seconds", "cpu ms", "steps", "served", "surrogate", "gap"
        );
        for run in &self.runs {
            let gap = 100.0 * (run.surrogate - bound) as f64 / (*bound).max(1) as f64;
            text += &format!(
                "{:>8} {:>12.1} {:>10} {:>8} {:>14} {gap:>7.2}%\n",
                run.seconds,
                run.spent.cpu_ms(),
                run.steps,
                run.served,
                run.surrogate
            );
        }
        text
    }
}
