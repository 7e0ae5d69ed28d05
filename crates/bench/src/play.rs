//! `fallow-bench events`: events one by one, and what they lead to.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use fallow_bench::dump;
use fallow_bench::events::{Event, Story, story};
use fallow_bench::figures::Served;
use fallow_bench::stopwatch::{Spent, Stopwatch, median, percentile, repeated};
use fallow_domain::matching::network::{Network, Optimum, certify};
use fallow_domain::matching::solve::Prepared;
use serde::Serialize;

use crate::scenario::Scenario;

/// What `events` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    scenario: Scenario,
    /// How many events.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    events: usize,
    /// Another seed gives other events.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Also says what is served after so many events; as many as there are, if more.
    #[arg(long, value_name = "N")]
    outcome_after: Option<usize>,
    /// Writes the pooled network for other solvers (see the crate's `dump` module).
    #[arg(long, value_name = "FILE")]
    dump_network: Option<PathBuf>,
    /// Writes the events for other solvers (see the crate's `events` module).
    #[arg(long, value_name = "FILE")]
    dump_events: Option<PathBuf>,
}

/// What was measured: processor time of single events, and what they lead to, which is proved and equal to a full solve.
#[derive(Serialize)]
struct Report {
    events: usize,
    p50_ns: u64,
    p99_ns: u64,
    most_ns: u64,
    mean_ns: u64,
    /// A full solve after all events.
    full_solve: Spent,
    units: Served,
}

/// How often the full solve runs.
const REPEAT: usize = 5;

/// Plays the events and prints how long each took and what they lead to.
pub(crate) fn run(options: &Options) -> Result<()> {
    let problem = options.scenario.read()?;
    let prepared = Prepared::new(&problem);
    let network = prepared.network();
    let story = story(network, options.seed, options.events);
    if let Some(path) = &options.dump_network {
        dump::network(path, network).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(path) = &options.dump_events {
        story.write(path).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let mut region = Region::new(network, &story);
    let mut times: Vec<u64> = story.events.iter().map(|event| region.play(*event)).collect();
    times.sort_unstable();
    let after = story.after(network, story.events.len());
    let (solution, full) = repeated(REPEAT, || after.solve());
    region.is_equal_to(&Served::of(&after, &solution))?;

    let count = options.outcome_after.unwrap_or(options.events).min(story.events.len());
    let after = story.after(network, count);
    let mean = times.iter().sum::<u64>() / u64::try_from(times.len().max(1)).unwrap_or(1);
    let report = Report {
        events: times.len(),
        p50_ns: percentile(&times, 50.0),
        p99_ns: percentile(&times, 99.0),
        most_ns: times.last().copied().unwrap_or(0),
        mean_ns: mean,
        full_solve: median(&full),
        units: Served::of(&after, &after.solve()),
    };
    if options.scenario.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        let us = |ns: u64| ns as f64 / 1e3;
        println!(
            "{} events, then proved and equal to a full solve of {:.3} ms",
            report.events,
            report.full_solve.cpu_ms()
        );
        println!(
            "one event: p50 {:.1} µs, p99 {:.1} µs, most {:.1} µs, mean {:.1} µs",
            us(report.p50_ns),
            us(report.p99_ns),
            us(report.most_ns),
            us(report.mean_ns)
        );
        println!("after {count}: {} units served at {} points", report.units.served, report.units.burden);
    }
    Ok(())
}

/// A best plan with the needs that come and go.
struct Region<'a> {
    network: &'a Network,
    optimum: Optimum,
    /// The number of each need while it is there.
    numbers: Vec<u32>,
}

impl<'a> Region<'a> {
    /// The plan at the start of a story.
    fn new(network: &'a Network, story: &Story) -> Self {
        let mut optimum = Optimum::new(&story.after(network, 0));
        let numbers = (0..u32::try_from(network.demands().len()).unwrap_or(u32::MAX)).collect();
        let away = story.present.iter().enumerate().filter(|(_, there)| !**there);
        for (need, _) in away {
            optimum.remove_need(u32::try_from(need).unwrap_or(u32::MAX));
        }
        Self { network, optimum, numbers }
    }

    /// Plays one event and returns its nanoseconds of processor time.
    fn play(&mut self, event: Event) -> u64 {
        let watch = Stopwatch::start();
        match event {
            Event::NeedIn(need) => {
                let (demand, arcs) =
                    (self.network.demands()[need as usize], self.network.arcs_of(need as usize));
                self.numbers[need as usize] = self.optimum.add_need(demand, arcs.iter().copied());
            }
            Event::NeedOut(need) => self.optimum.remove_need(self.numbers[need as usize]),
            Event::UnitIn(store) => self.optimum.set_room(store, self.optimum.room(store) + 1),
            Event::UnitOut(store) => self.optimum.set_room(store, self.optimum.room(store) - 1),
        }
        watch.spent().cpu_ns
    }

    /// Proves the plan as it stands, and sees that it serves what a full solve serves.
    fn is_equal_to(&self, full: &Served) -> Result<()> {
        let (network, solution) = (self.optimum.network(), self.optimum.solution());
        certify(&network, &solution).context("the plan after the events is not proved best")?;
        let kept = Served::of(&network, &solution);
        ensure!(
            (kept.wanted, kept.served, kept.burden) == (full.wanted, full.served, full.burden)
                && of_classes(&kept) == of_classes(full),
            "after the events {} units are served at {} points, by a full solve {} at {}",
            kept.served,
            kept.burden,
            full.served,
            full.burden
        );
        Ok(())
    }
}

/// Service by class, without classes of whom nobody is served: a class whose needs have gone may still be named.
fn of_classes(served: &Served) -> Vec<i64> {
    served.by_class.iter().copied().filter(|&units| units > 0).collect()
}
