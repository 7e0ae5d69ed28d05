//! `fallow-bench ledger`: the ledger beside the same script by `redis-benchmark` and beside etcd, on one machine in one
//! run: goals L1 and L5.

mod etcd;
mod growth;
pub(crate) mod load;
mod probe;
pub(crate) mod script;

use anyhow::{Context, Result};
use clap::Args;
use fallow_ledger_redis::testing::RedisServer;
use serde::Serialize;

/// What `ledger` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often everything is measured; medians are printed.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Commits of one measurement at 256 in flight; fewer in proportion where fewer are in flight.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    commits: u64,
    /// Print one object instead of lines.
    #[arg(long)]
    json: bool,
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// Calls in flight.
    pub(crate) at_once: usize,
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Processor time of the server for each call.
    pub(crate) server_us: f64,
    /// Processor time of the client for each call, where it is ours.
    pub(crate) client_us: f64,
}

/// What was measured.
#[derive(Serialize)]
struct Report {
    /// One write of a commit's size and an fdatasync, in microseconds: median and 99th percentile.
    fdatasync_us: [f64; 2],
    figures: Vec<Figure>,
}

/// How many are in flight.
const AT_ONCE: [usize; 3] = [1, 32, 256];

/// Measures, and prints the medians.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(measure(options))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(());
    }
    println!("fdatasync: median {:.0} us, p99 {:.0} us", report.fdatasync_us[0], report.fdatasync_us[1]);
    say(&report.figures, false)
}

/// Prints figures, one a line or as one list.
pub(crate) fn say(figures: &[Figure], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(figures)?);
        return Ok(());
    }
    for Figure { what, at_once, per_second, p50_us, p99_us, server_us, client_us } in figures {
        println!(
            "{what:<44} {at_once:>4}  {per_second:>8.0}/s  p50 {p50_us:>7.0} us  p99 {p99_us:>7.0} us  server \
             {server_us:>6.1} us  client {client_us:>6.1} us"
        );
    }
    Ok(())
}

async fn measure(options: &Options) -> Result<Report> {
    let mut probes = Vec::new();
    let mut rounds: Vec<Vec<Figure>> = Vec::new();
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        probes.push(probe::fdatasync()?);
        let server = RedisServer::start_durable().await;
        let mut figures = Vec::new();
        for at_once in AT_ONCE {
            let commits = options.commits / if at_once == 1 { 10 } else { 1 };
            figures.push(script::by_redis_benchmark(&server, at_once, commits).await?);
            figures.push(script::bare(&server, at_once, commits).await?);
            figures.push(script::by_ledger(&server, at_once, commits).await?);
            figures.push(script::compare_and_set(&server, at_once, commits).await?);
        }
        drop(server);
        let etcd = etcd::Etcd::start().await.context("etcd")?;
        for at_once in AT_ONCE {
            let commits = options.commits / if at_once == 1 { 40 } else { 4 };
            figures.push(etcd.compare_and_set(at_once, commits).await?);
        }
        drop(etcd);
        for live in [1_000, 100_000] {
            figures.push(growth::commits_with(live, options.commits).await?);
        }
        rounds.push(figures);
    }
    Ok(Report {
        fdatasync_us: [0, 1].map(|at| middle(probes.iter().map(|probe| probe[at]))),
        figures: medians(&rounds),
    })
}

/// Takes the median over the rounds, value by value.
pub(crate) fn medians(rounds: &[Vec<Figure>]) -> Vec<Figure> {
    let first = rounds.first().map_or(&[][..], Vec::as_slice);
    let of = |at: usize, value: fn(&Figure) -> f64| middle(rounds.iter().map(|round| value(&round[at])));
    let figures = first.iter().enumerate().map(|(at, figure)| Figure {
        what: figure.what.clone(),
        at_once: figure.at_once,
        per_second: of(at, |figure| figure.per_second),
        p50_us: of(at, |figure| figure.p50_us),
        p99_us: of(at, |figure| figure.p99_us),
        server_us: of(at, |figure| figure.server_us),
        client_us: of(at, |figure| figure.client_us),
    });
    figures.collect()
}

/// Returns the median of some values.
pub(crate) fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_a_median_of_its_own() {
        let figure = |per_second, p50_us| Figure {
            what: "x".to_owned(),
            at_once: 1,
            per_second,
            p50_us,
            p99_us: 0.0,
            server_us: 0.0,
            client_us: 0.0,
        };
        let rounds = [(3.0, 10.0), (1.0, 30.0), (2.0, 20.0)].map(|(rate, time)| vec![figure(rate, time)]);
        let found = medians(&rounds);
        assert_eq!((found[0].per_second, found[0].p50_us), (2.0, 20.0));
        assert_eq!(middle(std::iter::empty()), 0.0);
    }
}
