//! `fallow-bench live`: what one change costs the live engine, from the picture's change to the decision.

mod region;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::Args;
use fallow_bench::stopwatch::{Memory, Spent, Stopwatch, percentile};
use fallow_matching::engine::{AT_A_TIME, chores, first_of_plan, next_deadline};
use serde::Serialize;

use crate::scenario::Scenario;
use region::{Happening, Region};

/// What `live` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scenario: Scenario,
    /// How many changes.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    changes: usize,
    /// Another seed gives other changes.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Proposals that stand at the start, for answers and better plans; the rest of the plan is carried out.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    standing: usize,
    /// So many live offers: some of the scenario's, with as large a share of its needs; or its own more than once.
    #[arg(long, value_name = "N")]
    offers: Option<usize>,
    /// How often everything is looked at, for comparison.
    #[arg(long, value_name = "N", default_value_t = 3)]
    everything: usize,
}

/// Processor time of some changes, in microseconds.
#[derive(Serialize)]
struct Row {
    changes: usize,
    proposed: usize,
    p50_us: f64,
    p99_us: f64,
    mean_us: f64,
}

/// What was measured.
#[derive(Serialize)]
struct Report {
    offers: usize,
    needs: usize,
    standing: usize,
    all: Row,
    without_proposals: Row,
    with_proposals: Row,
    by_change: BTreeMap<&'static str, Row>,
    /// One look at everything: what each change cost before, and what a new start costs.
    everything_ms: f64,
    start: Spent,
    records_kib: u64,
    kept_kib: u64,
}

/// Plays changes on a region that has come to rest, and prints what each cost.
pub(crate) fn run(options: &Options) -> Result<()> {
    let problem = options.scenario.read()?;
    let mut region = Region::new(problem, options.offers, options.standing, options.seed)?;
    let records = Memory::read().now_kib;
    let start = region.start()?;
    let kept = Memory::read().now_kib;
    let standing = region.come_to_rest().context("the region does not come to rest")?;
    let mut spent: Vec<(Happening, usize, u64)> = Vec::new();
    while spent.len() < options.changes {
        let (happening, items) = region.happen();
        let watch = Stopwatch::start();
        let decided = region.decide(&items);
        let ns = watch.spent().cpu_ns;
        spent.push((happening, decided.placements.len(), ns));
        region.carry_out(decided);
        region.come_to_rest().context("the region does not come to rest")?;
    }
    let facts = region.facts();
    let mut everything = Vec::new();
    for _ in 0..options.everything {
        let watch = Stopwatch::start();
        let found = (chores(&facts), next_deadline(&facts), first_of_plan(&facts, AT_A_TIME));
        everything.push(watch.spent().cpu_ns);
        anyhow::ensure!(found.2.is_empty(), "a look at everything finds more than the live engine");
    }
    everything.sort_unstable();
    let row = |wanted: &dyn Fn(&(Happening, usize, u64)) -> bool| row(spent.iter().filter(|one| wanted(one)));
    let report = Report {
        offers: facts.offers.len(),
        needs: facts.needs.len(),
        standing,
        all: row(&|_| true),
        without_proposals: row(&|(_, proposed, _)| *proposed == 0),
        with_proposals: row(&|(_, proposed, _)| *proposed > 0),
        by_change: Happening::ALL
            .iter()
            .map(|one| (one.told(), row(&|(happening, ..)| happening == one)))
            .collect(),
        everything_ms: percentile(&everything, 50.0) as f64 / 1e6,
        start,
        records_kib: records,
        kept_kib: kept.saturating_sub(records),
    };
    if options.scenario.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn row<'s>(spent: impl Iterator<Item = &'s (Happening, usize, u64)>) -> Row {
    let (mut times, mut proposed) = (Vec::new(), 0);
    for (_, count, ns) in spent {
        times.push(*ns);
        proposed += count;
    }
    times.sort_unstable();
    let us = |ns: u64| ns as f64 / 1e3;
    Row {
        changes: times.len(),
        proposed,
        p50_us: us(percentile(&times, 50.0)),
        p99_us: us(percentile(&times, 99.0)),
        mean_us: us(times.iter().sum::<u64>()) / times.len().max(1) as f64,
    }
}

fn print(report: &Report) {
    println!(
        "{} live offers, {} needs, {} proposals stand; start {:.0} ms, a look at everything {:.0} ms; memory {} MiB of records, {} MiB kept",
        report.offers,
        report.needs,
        report.standing,
        report.start.cpu_ms(),
        report.everything_ms,
        report.records_kib / 1024,
        report.kept_kib / 1024
    );
    println!("| change | changes | proposals | p50 µs | p99 µs | mean µs |\n|---|---|---|---|---|---|");
    let line = |name: &str, row: &Row| {
        let Row { changes, proposed, p50_us, p99_us, mean_us } = row;
        println!("| {name} | {changes} | {proposed} | {p50_us:.1} | {p99_us:.1} | {mean_us:.1} |");
    };
    line("all", &report.all);
    line("nothing proposed", &report.without_proposals);
    line("something proposed", &report.with_proposals);
    report.by_change.iter().for_each(|(name, its)| line(name, its));
}
