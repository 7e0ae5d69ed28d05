//! `fallow dev`: the whole system in one process, with a simulated region to look at.
//!
//! Nothing is kept and nothing is secret: the signing key is made at the start, anybody may act as anybody, and the
//! ledger ends with the process.

mod banner;
mod demonstration;
mod dice;
mod log;
mod people;
mod plan;
mod provider;
mod scenario;
mod simulator;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use fallow_host::shutdown;

pub use demonstration::{Demonstration, DevError};
pub use simulator::Tally;

use crate::cli::{Exit, given};

/// Longest that a demonstration gets to end, in seconds.
const END_SECONDS: u64 = 10;

/// Shows the whole system: services, engine, console and a simulated winter's day, in one process.
///
/// Nothing is kept and nothing is secret. The simulated trusts' feeds and people use the public API alone; sign in to
/// the console, or use the command line with --as, and answer before they do.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  fallow dev                          a winter Tuesday, one minute a second\n  fallow dev \
                  --speed 600 --seed 7     another day, faster\n  fallow dev --redis redis://127.0.0.1:6379\n  fallow --as \
                  bed-manager.ZA4 inbox     in another terminal: what waits for Dunmere"
)]
pub struct DevArgs {
    /// How many times faster than ours its clock runs, 1 to 3600
    #[arg(long, default_value = "60", value_name = "TIMES", value_parser = speed)]
    pub speed: u32,
    /// Another seed is another day
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// What is simulated
    #[arg(long, default_value = "winter-tuesday", value_name = "NAME")]
    pub scenario: String,
    /// Keep live state in this Redis, under keys of its own, instead of in this process
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// Serve this region instead of North Vale
    #[arg(long, value_name = "FILE")]
    pub region: Option<PathBuf>,
    /// The console's port; 0 takes a free one
    #[arg(long, default_value_t = 7430)]
    pub port: u16,
    /// The port of every gRPC service; 0 takes a free one
    #[arg(long, default_value_t = 7431)]
    pub grpc_port: u16,
    /// How people sign in to the console: as anybody from a list, or at a provider as in production
    #[arg(long, value_enum, default_value = "list", value_name = "HOW")]
    pub sign_in: SignIn,
    /// Stop by itself after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    pub for_seconds: Option<u64>,
    /// Simulate nobody: an empty region
    #[arg(long)]
    pub no_simulator: bool,
    /// Keep its log in this file, for fallow replay
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// How people sign in to the console of a demonstration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignIn {
    /// As anybody, from a list
    List,
    /// At a provider of the demonstration's own, by OpenID Connect
    Provider,
}

impl Default for DevArgs {
    fn default() -> Self {
        Self {
            speed: 60,
            seed: 1,
            scenario: "winter-tuesday".to_owned(),
            redis: None,
            region: None,
            port: 7430,
            grpc_port: 7431,
            sign_in: SignIn::List,
            for_seconds: None,
            no_simulator: false,
            log: None,
        }
    }
}

/// Reads a speed, with or without the x that people write after it.
pub(crate) fn speed(text: &str) -> Result<u32, String> {
    let number = text.trim_end_matches(['x', 'X', '×']).parse().ok();
    number
        .filter(|speed| (1..=3_600).contains(speed))
        .ok_or_else(|| "must be a whole number, 1 to 3600".to_owned())
}

/// Runs the command; what the command line needs goes below `state_folder`.
#[must_use]
pub fn run(args: &DevArgs, state_folder: &Path) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(show(args, state_folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let said = failed(&error);
            if matches!(error, DevError::RegionFile { .. }) {
                return ExitCode::from(given::exit(&error, Exit::Usage).code());
            }
            match error.is_of_usage() {
                true => ExitCode::from(Exit::Usage.code()),
                false => said,
            }
        }
    }
}

async fn show(args: &DevArgs, state_folder: &Path) -> Result<(), DevError> {
    let started = tokio::time::Instant::now();
    let demonstration = Demonstration::start(args, state_folder).await?;
    let text = banner::text(args, &demonstration, started.elapsed());
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    let ending = shutdown::on_signal(demonstration.tasks());
    match args.for_seconds {
        Some(seconds) => {
            if let Ok(ended) = tokio::time::timeout(Duration::from_secs(seconds), ending).await {
                ended.map_err(DevError::Signals)?;
            }
        }
        None => ending.await.map_err(DevError::Signals)?,
    }
    demonstration.end(Duration::from_secs(END_SECONDS)).await
}

/// Says what went wrong and everything that it came from.
fn failed(error: &dyn std::error::Error) -> ExitCode {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_of_times() {
        assert_eq!((speed("60"), speed("600x"), speed("1×")), (Ok(60), Ok(600), Ok(1)));
        for wrong in ["0", "3601", "fast", "", "-1"] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }
}
