//! `fallow match`: the engine on files, nothing else needed.

pub(crate) mod input;
mod output;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use fallow_domain::matching::explain::Explainer;
use fallow_domain::matching::solve::{Prepared, certify};
use jiff::Timestamp;
use tokio::time::Instant;

/// Finds the best plan for the offers and needs of files, once.
///
/// Reads a region file and offers and needs (JSON lines, or CSV where the name ends in .csv), and writes one line per
/// allocation. The same files in any order give the same plan, unless --theatre-seconds stops the search by the clock.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  fallow match --region region.toml --offers offers.jsonl --needs needs.jsonl --at \
                        2026-11-24T08:00:00Z --out plan.jsonl\n  fallow match --region region.toml --offers offers.csv \
                        --needs needs.csv --at 2026-11-24T08:00:00Z --out - --explain --stats\n\nExit: 0 done · 1 could \
                        not be written or not certified · 2 bad usage or no such file · 8 done, some rows rejected"
)]
pub struct MatchArgs {
    /// The region file (TOML): trusts, sites, collaboratives, travel, policy.
    #[arg(long, value_name = "FILE")]
    region: PathBuf,
    /// Offers: JSON lines or CSV.
    #[arg(long, value_name = "FILE")]
    offers: PathBuf,
    /// Needs: JSON lines or CSV.
    #[arg(long, value_name = "FILE")]
    needs: PathBuf,
    /// The time taken as now, such as 2026-11-24T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    at: Timestamp,
    /// Where the plan goes; - for standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Adds a line for each need that goes unserved: why, and what would serve it.
    #[arg(long)]
    explain: bool,
    /// Prints figures and times as one JSON object on standard error.
    #[arg(long)]
    stats: bool,
    /// Proves the plan: each pair by the rules, the unit needs by their prices, the theatre promise.
    #[arg(long)]
    certify: bool,
    /// Searches for better theatre lists for so long instead of a fixed number of steps.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    theatre_seconds: Option<Duration>,
    /// Searches for better theatre lists for so many steps; a plan's --stats say how many it took.
    #[arg(long, value_name = "STEPS", conflicts_with = "theatre_seconds")]
    theatre_steps: Option<u64>,
    /// Where the theatre search starts from; another seed may find another plan.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Longest theatre search: a day.
const SECONDS_MAX: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) | Err(_) => Err(format!("must be a number of seconds from 0 to {SECONDS_MAX}")),
    }
}

/// Steps of theatre search where nothing is said: some seconds for all of England.
pub(crate) fn usual_steps(sessions: usize) -> u64 {
    5_000 + 5 * u64::try_from(sessions).unwrap_or(u64::MAX / 8)
}

/// What the command ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Rejected = 8,
}

/// Runs the command.
#[must_use]
pub fn run(args: MatchArgs) -> ExitCode {
    let end = match matched(&args, &mut std::io::stderr().lock()) {
        Ok(end) => end,
        Err((end, message)) => {
            let _ = writeln!(std::io::stderr(), "error: {message}");
            end
        }
    };
    ExitCode::from(end as u8)
}

fn matched(args: &MatchArgs, err: &mut dyn Write) -> Result<End, (End, String)> {
    let interactive = std::io::stderr().is_terminal();
    let progress = |text: &str| {
        if interactive {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    };
    let started = Instant::now();
    let files = input::Files { region: &args.region, offers: &args.offers, needs: &args.needs, at: args.at };
    let read = input::read(&files).map_err(|message| (End::Usage, message))?;
    for rejected in &read.rejected {
        let _ = writeln!(err, "{rejected}");
    }
    let problem = read.problem;
    let load = started.elapsed();
    progress(&format!("read {} offers and {} needs", problem.offers.len(), problem.needs.len()));

    let started = Instant::now();
    let prepared = Prepared::new(&problem);
    let build = started.elapsed();
    let (unit_pairs, theatre_pairs) = prepared.pairs();
    progress(&format!("{unit_pairs} pairs of needs and pools, {theatre_pairs} of cases and sessions"));

    let started = Instant::now();
    let budget = match (args.theatre_seconds, args.theatre_steps) {
        (Some(_), _) => u64::MAX,
        (None, Some(steps)) => steps,
        (None, None) => usual_steps(prepared.sessions()),
    };
    let mut should_stop = || args.theatre_seconds.is_some_and(|limit| started.elapsed() >= limit);
    let plan = prepared.solve(&problem, None, budget, args.seed, &mut should_stop);
    let solve = started.elapsed();
    progress(&format!("{} allocations", plan.allocations.len()));

    if args.certify {
        certify(&problem, &plan)
            .map_err(|flaw| (End::Failed, format!("the plan is not certified: {flaw}")))?;
    }
    let explained = if args.explain {
        progress("explaining");
        output::explained(&Explainer::new(&problem, &prepared, &plan), &plan)
    } else {
        Vec::new()
    };
    output::write(&args.out, &plan, &explained)
        .map_err(|error| (End::Failed, format!("{} could not be written: {error}", args.out.display())))?;
    if args.stats {
        let times = output::Times { load, build, solve };
        let stats = output::stats(&problem, &prepared, &plan, times, read.rejected.len(), args.certify);
        let _ = writeln!(err, "{stats}");
    }
    Ok(if read.rejected.is_empty() { End::Done } else { End::Rejected })
}

#[cfg(test)]
#[path = "match_files/tests.rs"]
mod tests;
