//! `fallow-bench explain`: how long the explanation of one unserved need takes, with its relaxations.

use anyhow::Result;
use clap::Args;
use fallow_bench::stopwatch::{Spent, Stopwatch, percentile};
use fallow_domain::matching::explain::Explainer;
use fallow_domain::matching::solve::Prepared;
use serde::Serialize;

use crate::scenario::Scenario;

/// What `explain` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scenario: Scenario,
    /// Unserved needs to explain, taken evenly from all in order of id.
    #[arg(long, value_name = "N", default_value_t = 200)]
    needs: usize,
}

/// What was measured, in microseconds of processor time of one explanation.
#[derive(Serialize)]
struct Report {
    unserved: usize,
    explained: usize,
    relaxations: usize,
    prepare: Spent,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
    mean_us: f64,
}

/// Solves once, explains some needs one by one, and prints how long that took.
pub(crate) fn run(options: &Options) -> Result<()> {
    let problem = options.scenario.read()?;
    let prepared = Prepared::new(&problem);
    let plan = prepared.solve(&problem, None, 0, 0, &mut || false);
    let watch = Stopwatch::start();
    let explainer = Explainer::new(&problem, &prepared, &plan);
    let prepare = watch.spent();

    let every = plan.unserved.len().div_ceil(options.needs.max(1)).max(1);
    let (mut times, mut relaxations) = (Vec::new(), 0);
    for need in plan.unserved.keys().step_by(every) {
        let watch = Stopwatch::start();
        let explained = explainer.unserved(need);
        times.push(watch.spent().cpu_ns);
        relaxations += explained.map_or(0, |unserved| unserved.relaxations.len());
    }
    times.sort_unstable();
    let us = |ns: u64| ns as f64 / 1e3;
    let report = Report {
        unserved: plan.unserved.len(),
        explained: times.len(),
        relaxations,
        prepare,
        p50_us: us(percentile(&times, 50.0)),
        p99_us: us(percentile(&times, 99.0)),
        max_us: us(times.last().copied().unwrap_or(0)),
        mean_us: us(times.iter().sum::<u64>()) / times.len().max(1) as f64,
    };
    if options.scenario.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        let Report { unserved, explained, relaxations, p50_us, p99_us, max_us, mean_us, .. } = report;
        println!("{explained} of {unserved} unserved needs explained, {relaxations} relaxations found");
        println!("prepare {:.1} ms", prepare.cpu_ms());
        println!(
            "one explanation: p50 {p50_us:.0} µs, p99 {p99_us:.0} µs, most {max_us:.0} µs, mean {mean_us:.0} µs"
        );
    }
    Ok(())
}
