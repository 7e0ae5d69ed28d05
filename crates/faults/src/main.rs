//! Fault runs: real services over real Redis, hit by whatever the plan of a seed says, and every invariant checked
//! afterwards from the log and from what callers were told. Run it as `cargo xtask faults`.
//!
//! The plan of a round (its world, its faults and their times, what clients ask) follows from its seed. The
//! interleaving of real processes does not: a failing seed is tried again with the same plan, and need not fail again.

mod archive;
mod asks;
mod check;
mod clock;
mod fleet;
mod history;
mod nemesis;
mod plan;
mod process;
mod proxy;
mod resp;
mod round;
mod store;
mod tail;
mod totals;
mod traders;
mod watchers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use futures::StreamExt;
use tokio::time::Instant;

use crate::clock::Shim;
use crate::fleet::Tools;
use crate::plan::{Choice, Plan, SPELL};
use crate::round::Outcome;
use crate::totals::Totals;

/// Breaks Fallow on purpose and checks that nothing that it said was wrong
#[derive(Debug, Parser)]
struct Arguments {
    /// How many rounds
    #[arg(long, default_value_t = 40)]
    rounds: u64,
    /// The seed of the first round; each further one has the next
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many rounds are played at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// What is staged
    #[arg(long, value_enum, default_value_t)]
    fault: Choice,
    /// Seconds for which clients work in a round under faults, 5 to 600; wrong promotions have rounds of 3
    #[arg(long, default_value_t = SPELL, value_parser = clap::value_parser!(u64).range(SPELL..=600))]
    seconds: u64,
    /// The program under test
    #[arg(long, value_name = "FILE", default_value = "target/debug/fallow")]
    binary: PathBuf,
    /// Where failing rounds are kept
    #[arg(long, value_name = "FOLDER", default_value = "target/faults")]
    keep: PathBuf,
    /// Seconds after the last fault within which everything must be served again; more on a machine that is busy
    #[arg(long, default_value_t = 10)]
    patience: u64,
    /// The bug that is planted in the program under test, which must have been built with them
    #[arg(long, value_name = "BUG")]
    planted: Option<String>,
    /// Print the bugs that can be planted, and do nothing
    #[arg(long)]
    list_bugs: bool,
    /// Stop at the first round that fails
    #[arg(long)]
    stop: bool,
}

/// The exit code where something could not be played: nothing is said about the system under test.
const UNPLAYED: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list_bugs {
        fallow_ledger::planted::BUGS.iter().for_each(|(name, what)| println!("{name}: {what}"));
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        // Whoever started this and was killed tells nobody: then this ends too.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
        let told = told_to_end()?;
        tokio::select! {
            done = run(&arguments) => done,
            // Everything of the rounds is dropped, and with it every process and every small disk.
            name = told => anyhow::bail!("ended by {name}"),
        }
    });
    // A round that is being judged has nothing left outside this process.
    runtime.shutdown_background();
    match done {
        Ok(totals) => totals.exit(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(UNPLAYED)
        }
    }
}

/// Returns what ends when this process is told to end, with how.
fn told_to_end() -> Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            _ = hangup.recv() => "SIGHUP",
        }
    })
}

async fn run(arguments: &Arguments) -> Result<Totals> {
    let binary = std::fs::canonicalize(&arguments.binary);
    let binary = binary.with_context(|| format!("{} is missing", arguments.binary.display()))?;
    let own = tempfile::Builder::new().prefix("fallow-faults-").tempdir()?;
    let tools = Tools { binary, shim: Shim::compile(own.path())?, planted: arguments.planted.clone() };
    can_start(&tools)?;
    let has_disk = has_small_disk(own.path());
    let left_out =
        if has_disk { "every fault is staged" } else { "left out: a full disk (none can be mounted here)" };
    println!("{} rounds from seed {}; {left_out}", arguments.rounds, arguments.seed);
    let mut totals = Totals::default();
    let patience = Duration::from_secs(arguments.patience);
    let started = Instant::now();
    let rounds = (0..arguments.rounds).map(|number| {
        let plan =
            Plan::draw(arguments.seed.wrapping_add(number), arguments.fault, arguments.seconds, has_disk);
        let (folder, tools) = (own.path().join(format!("seed-{}", plan.seed)), &tools);
        async move {
            let begun = Instant::now();
            let outcome = match std::fs::create_dir_all(&folder) {
                Ok(()) => round::play(&plan, &folder, tools, patience).await,
                Err(error) => Err(error.into()),
            };
            (plan, folder, outcome, begun.elapsed())
        }
    });
    let mut rounds = futures::stream::iter(rounds).buffer_unordered(arguments.jobs.max(1));
    while let Some((plan, folder, outcome, took)) = rounds.next().await {
        let is_right = tell(arguments, &mut totals, &plan, &folder, outcome, took)?;
        // It cannot be kept for all: a folder of a round is some megabytes.
        let _ = std::fs::remove_dir_all(&folder);
        if arguments.stop && !is_right {
            break;
        }
    }
    totals.print(started.elapsed());
    Ok(totals)
}

/// Prints a round's line, and keeps what a failing one leaves. Returns whether it passed.
fn tell(
    arguments: &Arguments,
    totals: &mut Totals,
    plan: &Plan,
    folder: &std::path::Path,
    outcome: Result<Outcome>,
    took: Duration,
) -> Result<bool> {
    let faults: Vec<String> = plan.faults.iter().map(|(_, fault)| fault.to_string()).collect();
    let faults = faults.join(", ");
    let (verdict, report) = match outcome {
        Ok(outcome) => {
            totals.add(&outcome, plan);
            let head = format!(
                "seed {:<4} {:>5} acknowledged, {:>4.1} s",
                plan.seed,
                outcome.acknowledged,
                took.as_secs_f64()
            );
            if outcome.breaches.is_empty() {
                println!("{head}  ok      {faults}");
                return Ok(true);
            }
            (format!("{head}  FAILED  {faults}\n{}", lines(&outcome)), outcome.report)
        }
        Err(error) => {
            totals.unplayed += 1;
            (format!("seed {:<4} could not be played: {error:#}", plan.seed), format!("{error:#}"))
        }
    };
    let kept = arguments.keep.join(format!("seed-{}", plan.seed));
    let _ = std::fs::remove_dir_all(&kept);
    std::fs::create_dir_all(&arguments.keep)?;
    std::fs::write(folder.join("report.txt"), report)?;
    let moved = std::process::Command::new("cp").arg("-r").arg(folder).arg(&kept).status();
    let moved = moved.is_ok_and(|status| status.success());
    println!("{verdict}");
    println!("    again: {}", again(arguments, plan));
    if moved {
        println!("    kept: {}", kept.display());
    }
    Ok(false)
}

fn lines(outcome: &Outcome) -> String {
    let all: Vec<String> = outcome.breaches.iter().map(|breach| format!("    {breach}")).collect();
    all.join("\n")
}

/// Returns the line that plays a round again.
fn again(arguments: &Arguments, plan: &Plan) -> String {
    let mut line = format!("cargo xtask faults --rounds 1 --seed {}", plan.seed);
    match arguments.fault {
        Choice::Any if arguments.seconds == SPELL => {}
        Choice::Any => line.push_str(&format!(" --seconds {}", arguments.seconds)),
        Choice::WrongPromotion => line.push_str(" --fault wrong-promotion"),
    }
    line
}

/// Sees that the program under test takes the settings of a round: what it does not take would not be staged.
fn can_start(tools: &Tools) -> Result<()> {
    let checked = std::process::Command::new(&tools.binary)
        .args(["serve", "capacity", "--check-config"])
        .envs([("FALLOW__STORE__KIND", "redis"), ("FALLOW__STORE__REPLICAS", "1")])
        .env("FALLOW__DEV__ENABLED", "true")
        .output()
        .with_context(|| format!("{} cannot be run", tools.binary.display()))?;
    anyhow::ensure!(
        checked.status.success(),
        "{} does not take the settings of a store with replicas: {}",
        tools.binary.display(),
        String::from_utf8_lossy(&checked.stderr)
    );
    Ok(())
}

/// Finds out whether a small disk can be mounted here.
fn has_small_disk(folder: &std::path::Path) -> bool {
    let disk = folder.join("disk");
    let mounted = std::fs::create_dir_all(&disk).is_ok()
        && std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(&disk)
            .output()
            .is_ok_and(|done| done.status.success());
    if mounted {
        let _ = std::process::Command::new("umount").arg(&disk).output();
    }
    mounted
}
