//! `fallow-bench solve`: how long each part of a full solve takes.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use fallow_bench::figures::Served;
use fallow_bench::stopwatch::{Memory, Spent, Stopwatch, median, repeated};
use fallow_bench::{dump, greedy};
use fallow_domain::matching::network;
use fallow_domain::matching::problem::Problem;
use fallow_domain::matching::solve::{Prepared, certify};
use fallow_domain::matching::theatre::Mode;
use fallow_domain::policy::TheatreBands;
use fallow_domain::resource::ResourceKind;
use serde::Serialize;

use crate::scenario::Scenario;

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
}

/// What was measured. Times are medians, but for the proofs, which run once.
#[derive(Serialize)]
struct Report {
    offers: usize,
    needs: usize,
    threads: usize,
    repeat: usize,
    demands: usize,
    stores: usize,
    unit_pairs: usize,
    units: Served,
    class_hash: String,
    greedy_by_priority: i64,
    first_come: i64,
    cases: usize,
    sessions: usize,
    theatre_pairs: usize,
    cases_served: u32,
    theatre_steps: u64,
    times: Times,
    memory: Memories,
}

#[derive(Serialize)]
struct Times {
    /// Of unit needs and theatre together.
    build: Spent,
    /// Of the unit needs alone, without the records of theatres.
    build_units: Spent,
    unit_solve: Spent,
    theatre: Spent,
    whole_solve: Spent,
    certify_units: Spent,
    certify_plan: Spent,
}

#[derive(Serialize)]
struct Memories {
    loaded: Memory,
    built: Memory,
    solved: Memory,
}

/// Runs every part so often, prints medians and what the plan achieves.
pub(crate) fn run(options: &Options) -> Result<()> {
    let problem = options.scenario.read()?;
    let loaded = Memory::read();
    let (prepared, build) = repeated(options.repeat, || Prepared::new(&problem));
    let built = Memory::read();
    let network = prepared.network();
    let (solution, unit_solve) = repeated(options.repeat, || network.solve());
    let mode = match problem.region.policy.theatre_bands {
        TheatreBands::Strict => Mode::Strict,
        TheatreBands::Weighted => Mode::Weighted,
    };
    let steps = options.theatre_steps;
    let (_, theatre) =
        repeated(options.repeat, || prepared.theatre().solve(mode, None, steps, 0, &mut || false));
    let (plan, whole_solve) =
        repeated(options.repeat, || prepared.solve(&problem, None, steps, 0, &mut || false));
    let solved = Memory::read();
    let units_only = without_theatre(&problem);
    let (_, build_units) = repeated(options.repeat, || Prepared::new(&units_only));

    let watch = Stopwatch::start();
    network::certify(network, &solution).context("the unit plan is not proved best")?;
    let certify_units = watch.spent();
    let watch = Stopwatch::start();
    certify(&problem, &plan).context("the plan is not certified")?;
    let certify_plan = watch.spent();

    if let Some(path) = &options.dump_network {
        dump::network(path, network).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(path) = &options.dump_theatre {
        dump::theatre(path, prepared.theatre())
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }

    let units = Served::of(network, &solution);
    let (unit_pairs, theatre_pairs) = prepared.pairs();
    let by_priority = in_order_of(&prepared, |demand| network.demands()[demand].class);
    let by_listing = in_order_of(&prepared, |demand| {
        problem.needs[prepared.demands()[demand] as usize].listed_at.as_second()
    });
    let report = Report {
        offers: problem.offers.len(),
        needs: problem.needs.len(),
        threads: options.scenario.threads,
        repeat: options.repeat,
        demands: network.demands().len(),
        stores: network.stores.len(),
        unit_pairs,
        class_hash: format!("{:016x}", units.class_hash()),
        units,
        greedy_by_priority: greedy::served(network, by_priority),
        first_come: greedy::served(network, by_listing),
        cases: prepared.theatre().cases().len(),
        sessions: prepared.sessions(),
        theatre_pairs,
        cases_served: plan.allocations.iter().filter(|line| line.minutes > 0).map(|line| line.units).sum(),
        theatre_steps: plan.steps,
        times: Times {
            build: median(&build),
            build_units: median(&build_units),
            unit_solve: median(&unit_solve),
            theatre: median(&theatre),
            whole_solve: median(&whole_solve),
            certify_units,
            certify_plan,
        },
        memory: Memories { loaded, built, solved },
    };
    if options.scenario.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", report.lines());
    }
    Ok(())
}

/// Returns the problem without sessions and cases.
fn without_theatre(problem: &Problem) -> Problem {
    let mut units = problem.clone();
    units.offers.retain(|offer| offer.resource.kind != ResourceKind::Theatre);
    units.needs.retain(|need| need.resource.kind != ResourceKind::Theatre);
    units
}

/// Returns the demands in the order of a key, of equal ones in order of need.
fn in_order_of<K: Ord>(prepared: &Prepared, key: impl Fn(usize) -> K) -> Vec<usize> {
    let mut order: Vec<usize> = (0..prepared.network().demands().len()).collect();
    order.sort_by_key(|&demand| key(demand));
    order
}

impl Report {
    fn lines(&self) -> String {
        let Self { offers, needs, threads, repeat, demands, stores, unit_pairs, units, .. } = self;
        let mut text = format!("{offers} offers, {needs} needs, {threads} thread(s), median of {repeat}\n");
        text += &format!("units    {demands} demands, {stores} stores, {unit_pairs} pairs\n");
        text += &format!(
            "         {} of {} served in {} classes (hash {}), burden {}; greedy by priority {}, first come {}\n",
            units.served,
            units.wanted,
            units.by_class.len(),
            self.class_hash,
            units.burden,
            self.greedy_by_priority,
            self.first_come
        );
        text += &format!(
            "theatre  {} cases, {} sessions, {} pairs, {} served, {} steps\n",
            self.cases, self.sessions, self.theatre_pairs, self.cases_served, self.theatre_steps
        );
        text += &format!("{:<14} {:>12} {:>12}\n", "", "cpu ms", "wall ms");
        let times = &self.times;
        for (name, spent) in [
            ("build", times.build),
            ("build units", times.build_units),
            ("unit solve", times.unit_solve),
            ("theatre", times.theatre),
            ("whole solve", times.whole_solve),
            ("certify units", times.certify_units),
            ("certify plan", times.certify_plan),
        ] {
            text += &format!("{name:<14} {:>12.3} {:>12.3}\n", spent.cpu_ms(), spent.wall_ms());
        }
        let memory = &self.memory;
        for (name, memory) in [("loaded", memory.loaded), ("built", memory.built), ("solved", memory.solved)]
        {
            let mib = |kib: u64| kib as f64 / 1024.0;
            text += &format!("{name:<14} {:>8.1} MiB\n", mib(memory.now_kib));
        }
        text
    }
}
