//! Fault runs: real services over real Redis, hit by whatever the plan of a seed says, and every invariant checked
//! afterwards from the log and from what callers were told. Run it as `cargo xtask faults`.
//!
//! The plan of a round (its world, its faults and their times, what clients ask) follows from its seed. The
//! interleaving of real processes does not: a failing seed is tried again with the same plan, and need not fail again.

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
use crate::plan::{Plan, Stage};
use crate::round::Outcome;

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

/// What all rounds came to.
#[derive(Debug, Default)]
struct Totals {
    passed: usize,
    failed: usize,
    acknowledged: usize,
    calls: usize,
    judged: usize,
    slowest: Duration,
    lost: usize,
    held_twice: usize,
    wrong: usize,
}

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
        tokio::select! {
            done = run(&arguments) => done,
            // Everything of the rounds is dropped, and with it every process.
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        }
    });
    match done {
        Ok(totals) if totals.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<Totals> {
    let binary = std::fs::canonicalize(&arguments.binary);
    let binary = binary.with_context(|| format!("{} is missing", arguments.binary.display()))?;
    let own = tempfile::Builder::new().prefix("fallow-faults-").tempdir()?;
    let tools = Tools { binary, shim: Shim::compile(own.path())?, planted: arguments.planted.clone() };
    let stage = stage(&tools, own.path());
    println!("{} rounds from seed {}; {stage}", arguments.rounds, arguments.seed, stage = shown(stage));
    let mut totals = Totals::default();
    let patience = Duration::from_secs(arguments.patience);
    let started = Instant::now();
    let rounds = (0..arguments.rounds).map(|number| {
        let plan = Plan::draw(arguments.seed.wrapping_add(number), stage);
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
    println!(
        "{} writes acknowledged of {} requests in {:.0} s; {} lost, {} units held twice, {} wrong answers; \
         {} histories linearizable; live again after {:.1} s at most",
        totals.acknowledged,
        totals.calls,
        started.elapsed().as_secs_f64(),
        totals.lost,
        totals.held_twice,
        totals.wrong,
        totals.judged,
        totals.slowest.as_secs_f64(),
    );
    let word = if totals.failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {} passed; {} failed", totals.passed, totals.failed);
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
            totals.acknowledged += outcome.acknowledged;
            totals.calls += outcome.calls;
            totals.judged += outcome.linear.0;
            totals.slowest = totals.slowest.max(outcome.live_after.unwrap_or_default());
            let count =
                |name: &[&str]| outcome.breaches.iter().filter(|b| name.contains(&b.invariant)).count();
            totals.lost += count(&["no_lost_ok", "sealed_after_loss"]);
            totals.held_twice += count(&["no_double_hold", "linearizable"]);
            totals.wrong += count(&["no_wrong_answer", "one_effect_per_request_id", "refusal_has_no_effect"]);
            let head = format!(
                "seed {:<4} {:>5} acknowledged, {:>4.1} s",
                plan.seed,
                outcome.acknowledged,
                took.as_secs_f64()
            );
            if outcome.breaches.is_empty() {
                totals.passed += 1;
                println!("{head}  ok      {faults}");
                return Ok(true);
            }
            (format!("{head}  FAILED  {faults}\n{}", lines(&outcome)), outcome.report)
        }
        Err(error) => (format!("seed {:<4} could not be played: {error:#}", plan.seed), format!("{error:#}")),
    };
    totals.failed += 1;
    let kept = arguments.keep.join(format!("seed-{}", plan.seed));
    let _ = std::fs::remove_dir_all(&kept);
    std::fs::create_dir_all(&arguments.keep)?;
    std::fs::write(folder.join("report.txt"), report)?;
    let moved = std::process::Command::new("cp").arg("-r").arg(folder).arg(&kept).status();
    let moved = moved.is_ok_and(|status| status.success());
    println!("{verdict}");
    println!("    again: cargo xtask faults --rounds 1 --seed {}", plan.seed);
    if moved {
        println!("    kept: {}", kept.display());
    }
    Ok(false)
}

fn lines(outcome: &Outcome) -> String {
    let all: Vec<String> = outcome.breaches.iter().map(|breach| format!("    {breach}")).collect();
    all.join("\n")
}

/// Finds out what can be staged here.
fn stage(tools: &Tools, folder: &std::path::Path) -> Stage {
    let checked = std::process::Command::new(&tools.binary)
        .args(["serve", "capacity", "--check-config"])
        .envs([("FALLOW__STORE__KIND", "redis"), ("FALLOW__STORE__REPLICAS", "1")])
        .env("FALLOW__DEV__ENABLED", "true")
        .output();
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
    Stage { replicas: checked.is_ok_and(|done| done.status.success()), disk: mounted }
}

fn shown(stage: Stage) -> String {
    let mut left = Vec::new();
    if !stage.replicas {
        left.push("promotions (this build waits for no replicas)");
    }
    if !stage.disk {
        left.push("a full disk (no small disk can be mounted here)");
    }
    if left.is_empty() {
        "every fault is staged".to_owned()
    } else {
        format!("left out: {}", left.join("; "))
    }
}
