//! `fallow match`: the engine on files, nothing else needed.

pub(crate) mod input;
mod output;
mod report;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use fallow_domain::matching::explain::Explainer;
use fallow_domain::matching::solve::{Prepared, certify};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::cli::Exit;

/// Finds the best plan for the offers and needs of files, once.
///
/// Reads a region file and offers and needs (JSON lines, or CSV where the name ends in .csv), and writes one line per
/// allocation. The same files in any order give the same plan, unless --theatre-time stops the search by the clock.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow match --region region.toml --offers offers.jsonl --needs needs.jsonl --at \
                        2026-11-24T08:00:00Z --out plan.jsonl\n  fallow match --region region.toml --offers offers.csv \
                        --needs needs.csv --at 2026-11-24T08:00:00Z --out - --explain --stats\n\nExit: 0 done · 1 could \
                        not be written or not certified · 2 bad usage · 3 there is no such file · 8 done, some rows rejected"
)]
pub struct MatchArgs {
    /// The region file (TOML): trusts, sites, collaboratives, travel, policy.
    #[arg(long, value_name = "FILE", required_unless_present = "gap")]
    region: Option<PathBuf>,
    /// Offers: JSON lines or CSV.
    #[arg(long, value_name = "FILE", required_unless_present = "gap")]
    offers: Option<PathBuf>,
    /// Needs: JSON lines or CSV.
    #[arg(long, value_name = "FILE", required_unless_present = "gap")]
    needs: Option<PathBuf>,
    /// The time taken as now, such as 2026-11-24T08:00:00Z.
    #[arg(long, value_name = "TIME", required_unless_present = "gap")]
    at: Option<Timestamp>,
    /// Where the plan goes; - for standard output.
    #[arg(long, value_name = "FILE", required_unless_present = "gap")]
    out: Option<PathBuf>,
    /// Adds a line for each need that goes unserved: why, and what would serve it.
    #[arg(long)]
    explain: bool,
    /// Prints what would have unlocked most on standard error: what blocks the needs that go unserved, and which single
    /// changes would place most units.
    #[arg(long)]
    report: bool,
    /// Writes the same as JSON.
    #[arg(long, value_name = "FILE")]
    report_json: Option<PathBuf>,
    /// Prints figures and times as one JSON object on standard error.
    #[arg(long)]
    stats: bool,
    /// Proves the plan: each pair by the rules, the unit needs by their prices, the theatre promise.
    #[arg(long)]
    certify: bool,
    /// Searches for better theatre lists for so long instead of a fixed number of steps, such as 10s, 500ms or 2m.
    #[arg(long, value_name = "TIME", value_parser = duration, alias = "theatre-seconds")]
    theatre_time: Option<Duration>,
    /// Searches for better theatre lists for so many steps; a plan's --stats say how many it took.
    #[arg(long, value_name = "STEPS", conflicts_with = "theatre_time")]
    theatre_steps: Option<u64>,
    /// Where the theatre search starts from; another seed may find another plan.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Solves a generalised assignment instance instead, for developers.
    #[arg(long, value_name = "FILE", hide = true,
          conflicts_with_all = ["region", "offers", "needs", "at", "out", "theatre_time", "theatre_steps"])]
    gap: Option<PathBuf>,
    /// How long to search the instance.
    #[arg(long, value_name = "TIME", value_parser = duration, hide = true, requires = "gap", default_value = "10s")]
    time: Duration,
}

impl MatchArgs {
    /// The files that are read and where the plan goes, all of which the command line must give where there is no instance.
    fn files(&self) -> Option<(input::Files<'_>, &Path)> {
        let (region, offers, needs) =
            (self.region.as_deref()?, self.offers.as_deref()?, self.needs.as_deref()?);
        Some((input::Files { region, offers, needs, at: self.at? }, self.out.as_deref()?))
    }
}

/// Longest theatre search: a day.
const SECONDS_MAX: f64 = 86_400.0;

fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0)];
    let unit = units.into_iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let (number, unit) = unit.unwrap_or((text, 1.0));
    match number.parse::<f64>() {
        Ok(number) if (0.0..=SECONDS_MAX).contains(&(number * unit)) => {
            Ok(Duration::from_secs_f64(number * unit))
        }
        Ok(_) | Err(_) => {
            Err(format!("must be a time such as 10s, 500ms or 2m, of at most {SECONDS_MAX} seconds"))
        }
    }
}

/// Steps of theatre search where nothing is said: some seconds for all of England.
pub(crate) fn usual_steps(sessions: usize) -> u64 {
    5_000 + 20 * u64::try_from(sessions).unwrap_or(u64::MAX / 8)
}

/// Runs the command.
#[must_use]
pub fn run(args: MatchArgs) -> ExitCode {
    let done = match &args.gap {
        Some(path) => crate::gap::solved(path, args.time, args.seed).map(|found| {
            let _ = writeln!(std::io::stdout(), "{found}");
            Exit::Ok
        }),
        None => matched(&args, &mut std::io::stderr().lock()),
    };
    let exit = match done {
        Ok(exit) => exit,
        Err((exit, message)) => {
            let _ = writeln!(std::io::stderr(), "error: {message}");
            exit
        }
    };
    ExitCode::from(exit.code())
}

fn matched(args: &MatchArgs, err: &mut dyn Write) -> Result<Exit, (Exit, String)> {
    let interactive = std::io::stderr().is_terminal();
    let progress = |text: &str| {
        if interactive {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    };
    let started = Instant::now();
    let (files, out) =
        args.files().ok_or_else(|| (Exit::Usage, "the files of a match are missing".to_owned()))?;
    let read = input::read(&files)?;
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
    let budget = match (args.theatre_time, args.theatre_steps) {
        (Some(_), _) => u64::MAX,
        (None, Some(steps)) => steps,
        (None, None) => usual_steps(prepared.sessions()),
    };
    let mut should_stop = || args.theatre_time.is_some_and(|limit| started.elapsed() >= limit);
    let plan = prepared.solve(&problem, None, budget, args.seed, &mut should_stop);
    let solve = started.elapsed();
    progress(&format!("{} allocations", plan.allocations.len()));

    if args.certify {
        certify(&problem, &plan)
            .map_err(|flaw| (Exit::Failed, format!("the plan is not certified: {flaw}")))?;
    }
    let explaining = args.explain || args.report || args.report_json.is_some();
    let explainer = explaining.then(|| Explainer::new(&problem, &prepared, &plan));
    let explained =
        explainer.as_ref().map_or_else(Vec::new, |explainer| output::explained(explainer, &plan, &progress));
    let written = |path: &Path, error: std::io::Error| {
        (Exit::Failed, format!("{} could not be written: {error}", path.display()))
    };
    output::write(out, &plan, if args.explain { &explained } else { &[] })
        .map_err(|error| written(out, error))?;
    if let Some(explainer) = explainer.filter(|_| args.report || args.report_json.is_some()) {
        let unlocking = explainer.unlocking(&explained, report::LEVERS);
        if args.report {
            let _ = write!(err, "{}", report::table(&unlocking));
        }
        if let Some(path) = &args.report_json {
            report::write(path, &unlocking).map_err(|error| written(path, error))?;
        }
    }
    if args.stats {
        let times = output::Times { load, build, solve };
        let stats = output::stats(&problem, &prepared, &plan, times, read.rejected.len(), args.certify);
        let _ = writeln!(err, "{stats}");
    }
    Ok(if read.rejected.is_empty() { Exit::Ok } else { Exit::Partial })
}

#[cfg(test)]
#[path = "match_files/tests.rs"]
mod tests;
