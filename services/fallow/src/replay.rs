//! `fallow replay`: the engine's decisions of a log, made again and held against those that the log has.

mod file;
mod report;
mod source;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use fallow_domain::region::file::parse_policy;
use fallow_host::config::{Config, ConfigError};
use fallow_host::working_time;
use fallow_ledger::Change;
use fallow_ledger::cause::Cause;
use fallow_matching::replay::{Decider, OtherPolicy, Replay, Window};
use jiff::Timestamp;

pub use file::{Reader, Start, Writer};
use source::Source;

use crate::cli::{Exit, given};
use report::Report;

/// Replays a log through the engine: same input, same decisions, or where they part.
///
/// The log is a file that `fallow dev --log` or --save wrote, or that of the ledger that the settings name, as far back as
/// it is kept whole. Nothing is written to a ledger.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  fallow dev --speed 600 --for 60 --log tuesday.jsonl\n  fallow replay --log tuesday.jsonl\n  \
                  fallow replay --log tuesday.jsonl --from 2026-11-24T08:00:00Z --to 2026-11-24T12:00:00Z --policy \
                  draft.toml --diff\n  fallow replay --config fallow.toml --save november.jsonl\n\nExit: 0 the same \
                  decisions, or a comparison of policies · 1 they diverge, or the log is damaged · 2 bad usage · 3 there is no \
                  such file · 6 the ledger does not answer · 9 no change lies in that time"
)]
pub struct ReplayArgs {
    /// The log, a file
    #[arg(long, value_name = "FILE", required_unless_present = "config", conflicts_with = "config")]
    log: Option<PathBuf>,
    /// Settings that name the ledger whose log is replayed
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Compare steps from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Compare steps up to this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// How many times faster than it was; default: as fast as it goes
    #[arg(long, value_name = "TIMES", value_parser = crate::dev::speed)]
    speed: Option<u32>,
    /// Say what another policy would have decided instead: the [policy] part of a region file
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// With --policy: every need that fares otherwise
    #[arg(long, requires = "policy")]
    diff: bool,
    /// Keep the log in this file too
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Why a log is not replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A value of the command is wrong.
    #[error("{0}")]
    Usage(String),
    /// The settings that name the ledger are wrong.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the log is not one of a log.
    #[error("{}:{line}: {text}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        text: String,
    },
    /// The ledger does not give its log.
    #[error("{0}")]
    Ledger(String),
    /// The log cannot be followed.
    #[error("the log cannot be followed: {0}")]
    Flaw(#[from] fallow_matching::replay::LogFlaw),
}

/// Runs the command.
#[must_use]
pub fn run(args: &ReplayArgs) -> ExitCode {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| ReplayError::Ledger(error.to_string()))
        .and_then(|runtime| runtime.block_on(replayed(args)));
    let exit = match done {
        Ok(report) => {
            let text = if args.json { report.json() } else { report.text(args.diff) };
            let written = std::io::stdout().lock().write_all(text.as_bytes());
            match written {
                Err(_) => Exit::Failed,
                Ok(()) if report.has_diverged() => Exit::Failed,
                // Nothing is the same as nothing, which whoever mistypes a time must not take for a yes.
                Ok(()) if report.is_empty() => {
                    let _ = writeln!(std::io::stderr(), "the log has no change in that time");
                    Exit::NothingMatched
                }
                Ok(()) => Exit::Ok,
            }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: REPLAY: {error}");
            // Who asks whether two histories are the same must not take a mistyped name for a no.
            match error {
                ReplayError::Usage(_) => Exit::Usage,
                ReplayError::Settings(error) if error.file_is_missing => Exit::NotFound,
                ReplayError::Settings(_) => Exit::Usage,
                ReplayError::File { source, .. } => given::exit(&source, Exit::Failed),
                ReplayError::Ledger(_) => Exit::Unavailable,
                ReplayError::Line { .. } | ReplayError::Flaw(_) => Exit::Failed,
            }
        }
    };
    ExitCode::from(exit.code())
}

async fn replayed(args: &ReplayArgs) -> Result<Report, ReplayError> {
    let window = Window { from: args.from.unwrap_or(Timestamp::MIN), to: args.to.unwrap_or(Timestamp::MAX) };
    if window.from > window.to {
        return Err(ReplayError::Usage("--from must not be later than --to".to_owned()));
    }
    let policy = args.policy.as_ref().map(|path| read(path)).transpose()?;
    let mut source = match (&args.log, &args.config) {
        (Some(path), _) => Source::file(path)?,
        (None, path) => {
            let config = Config::load(path.as_deref(), std::env::vars())?;
            Source::ledger(&config).await?
        }
    };
    let mut copy = args.save.as_ref().map(|path| Writer::create(path, source.start())).transpose()?;
    let report = match policy {
        None => same(&mut source, window, args.speed, &mut copy).await,
        Some(text) => other(&mut source, &text, window, args.speed, &mut copy).await,
    };
    copy.map(Writer::finish).transpose()?;
    report
}

async fn same(
    source: &mut Source,
    window: Window,
    speed: Option<u32>,
    copy: &mut Option<Writer>,
) -> Result<Report, ReplayError> {
    let calendar = working_time::england().map_err(|error| ReplayError::Usage(error.to_string()))?;
    let start = source.start();
    let mut replay = Replay::new(&calendar, Decider::default(), window, (start.revision, &start.records))?;
    let (mut found, mut pace) = (Vec::new(), Pace::new(speed));
    while let Some(change) = source.next().await? {
        pace.keep(&change).await;
        if let Some(copy) = copy {
            copy.change(&change)?;
        }
        found.extend(replay.take(&change)?);
    }
    Ok(Report::Same { tally: replay.tally(), found })
}

async fn other(
    source: &mut Source,
    policy: &str,
    window: Window,
    speed: Option<u32>,
    copy: &mut Option<Writer>,
) -> Result<Report, ReplayError> {
    let (mut changes, mut pace) = (Vec::new(), Pace::new(speed));
    while let Some(change) = source.next().await? {
        if let Some(copy) = copy {
            copy.change(&change)?;
        }
        changes.push(change);
    }
    // Whom a standing agreement may name, the region of the log says.
    let start = source.start();
    let region = report::last_region(&start.records, &changes)
        .ok_or_else(|| ReplayError::Usage("the log has no region to try a policy on".to_owned()))?;
    let policy =
        parse_policy(policy, &region).map_err(|error| ReplayError::Usage(format!("--policy: {error}")))?;
    let mut trial = OtherPolicy::new(policy, Decider::default(), window, (start.revision, &start.records))?;
    for change in &changes {
        pace.keep(change).await;
        trial.take(change)?;
    }
    let (stories, superseded) = trial.finish();
    Ok(Report::Other { stories, superseded })
}

fn read(path: &std::path::Path) -> Result<String, ReplayError> {
    std::fs::read_to_string(path).map_err(|source| ReplayError::File { path: path.to_owned(), source })
}

/// Makes a replay take its time.
struct Pace {
    speed: Option<u32>,
    last: Option<Timestamp>,
}

impl Pace {
    fn new(speed: Option<u32>) -> Self {
        Self { speed, last: None }
    }

    /// Waits as long as passed in the log since the last change, so many times faster.
    async fn keep(&mut self, change: &Change) {
        let Some(speed) = self.speed else { return };
        let Some(at) = Cause::decode(&change.cause).map(|cause| cause.at) else { return };
        if let Some(last) = self.last.filter(|last| *last < at) {
            let passed = Duration::try_from(at.duration_since(last)).unwrap_or_default();
            tokio::time::sleep(passed / speed).await;
        }
        self.last = Some(at);
    }
}
