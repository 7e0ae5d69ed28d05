//! `fallow-bench solve`: how long each part of a full solve takes.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use fallow_bench::figures::Served;
use fallow_bench::stopwatch::{Memory, Spent, Stopwatch, median, repeated};
use fallow_bench::{dump, fairness, input};
use fallow_domain::matching::network;
use fallow_domain::matching::problem::Problem;
use fallow_domain::matching::solve::{Plan, Prepared, certify};
use fallow_domain::matching::theatre::Mode;
use fallow_domain::policy::TheatreBands;
use jiff::Timestamp;
use serde_json::{Value, json};

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
    threads: usize,
}

impl Scenario {
    /// Reads the scenario, after the number of threads is set.
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

/// What `solve` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scenario: Scenario,
    /// How often each part runs; the median is printed.
    #[arg(long, value_name = "N", default_value_t = 5)]
    repeat: usize,
    /// Steps of theatre search in the whole solve and in the theatre part.
    #[arg(long, value_name = "STEPS", default_value_t = 0)]
    theatre_steps: u64,
    /// Writes the pooled network for other solvers (see the crate's `dump` module).
    #[arg(long, value_name = "FILE")]
    dump_network: Option<PathBuf>,
    /// Writes the theatre for other solvers.
    #[arg(long, value_name = "FILE")]
    dump_theatre: Option<PathBuf>,
    /// Prints one JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

/// Runs every part so often, prints medians and what the plan achieves.
pub(crate) fn run(options: &Options) -> Result<()> {
    let problem = options.scenario.read()?;
    let loaded = Memory::read();

    let (prepared, build) = repeated(options.repeat, || Prepared::new(&problem));
    let built = Memory::read();
    let network = prepared.network();
    let (solution, unit) = repeated(options.repeat, || network.solve());
    let mode = match problem.region.policy.theatre_bands {
        TheatreBands::Strict => Mode::Strict,
        TheatreBands::Weighted => Mode::Weighted,
    };
    let never = &mut || false;
    let (_, theatre) =
        repeated(options.repeat, || prepared.theatre().solve(mode, None, options.theatre_steps, 0, never));
    let (plan, whole) =
        repeated(options.repeat, || prepared.solve(&problem, None, options.theatre_steps, 0, &mut || false));
    let solved = Memory::read();

    let watch = Stopwatch::start();
    network::certify(network, &solution).context("the unit plan is not proved best")?;
    let certify_units = watch.spent();
    let watch = Stopwatch::start();
    certify(&problem, &plan).context("the plan is not certified")?;
    let certify_all = watch.spent();

    if let Some(path) = &options.dump_network {
        dump::network(path, network).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(path) = &options.dump_theatre {
        dump::theatre(path, prepared.theatre())
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }

    let times = [
        ("build", median(&build)),
        ("unit_solve", median(&unit)),
        ("theatre", median(&theatre)),
        ("whole_solve", median(&whole)),
        ("certify_units", certify_units),
        ("certify_plan", certify_all),
    ];
    let memory = [("loaded", loaded), ("built", built), ("solved", solved)];
    let served = Served::of(network, &solution);
    if options.json {
        println!("{}", as_json(&problem, &prepared, &plan, &served, &times, &memory, options));
    } else {
        as_lines(&problem, &prepared, &plan, &served, &times, &memory, options);
    }
    Ok(())
}

fn as_lines(
    problem: &Problem,
    prepared: &Prepared,
    plan: &Plan,
    served: &Served,
    times: &[(&str, Spent)],
    memory: &[(&str, Memory)],
    options: &Options,
) {
    let (unit_pairs, theatre_pairs) = prepared.pairs();
    let network = prepared.network();
    println!(
        "{} offers, {} needs, {} thread(s), median of {}",
        problem.offers.len(),
        problem.needs.len(),
        options.scenario.threads,
        options.repeat
    );
    println!(
        "units    {} demands, {} stores, {unit_pairs} pairs",
        network.demands().len(),
        network.stores.len()
    );
    println!(
        "         {} of {} units served, {} classes, hash {:016x}, burden {}",
        served.served,
        served.wanted,
        served.by_class.len(),
        served.class_hash(),
        served.burden
    );
    println!(
        "theatre  {} cases, {} sessions, {theatre_pairs} pairs, {} served, {} steps",
        prepared.theatre().cases().len(),
        prepared.sessions(),
        cases_served(plan),
        plan.steps
    );
    println!("{:<14} {:>12} {:>12}", "", "cpu ms", "wall ms");
    for (name, spent) in times {
        println!("{name:<14} {:>12.3} {:>12.3}", spent.cpu_ms(), spent.wall_ns as f64 / 1e6);
    }
    for (name, memory) in memory {
        println!(
            "memory {name:<7} {:>8.1} MiB, peak {:.1} MiB",
            memory.now_kib as f64 / 1024.0,
            memory.peak_kib as f64 / 1024.0
        );
    }
}

fn as_json(
    problem: &Problem,
    prepared: &Prepared,
    plan: &Plan,
    served: &Served,
    times: &[(&str, Spent)],
    memory: &[(&str, Memory)],
    options: &Options,
) -> Value {
    let (unit_pairs, theatre_pairs) = prepared.pairs();
    let times: serde_json::Map<String, Value> =
        times.iter().map(|(name, spent)| ((*name).to_owned(), json!(spent))).collect();
    let memory: serde_json::Map<String, Value> =
        memory.iter().map(|(name, memory)| ((*name).to_owned(), json!(memory))).collect();
    json!({
        "offers": problem.offers.len(),
        "needs": problem.needs.len(),
        "threads": options.scenario.threads,
        "repeat": options.repeat,
        "demands": prepared.network().demands().len(),
        "stores": prepared.network().stores.len(),
        "unit_pairs": unit_pairs,
        "units": served,
        "class_hash": format!("{:016x}", served.class_hash()),
        "cases": prepared.theatre().cases().len(),
        "sessions": prepared.sessions(),
        "theatre_pairs": theatre_pairs,
        "cases_served": cases_served(plan),
        "theatre_steps": plan.steps,
        "times": times,
        "memory": memory,
    })
}

fn cases_served(plan: &Plan) -> u32 {
    plan.allocations.iter().filter(|line| line.minutes > 0).map(|line| line.units).sum()
}
