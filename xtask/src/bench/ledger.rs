//! `cargo xtask bench ledger`: goals L1 to L5.

use anyhow::{Result, bail};
use clap::Args;
use serde::Deserialize;

use super::machine;
use super::peers::ours;
use super::table::{Table, digits};
use crate::shell;

/// Options of `cargo xtask bench ledger`.
#[derive(Args)]
pub(crate) struct Options {
    /// How often everything is measured; the tables show medians.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Commits of one measurement at 256 in flight.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    commits: u64,
}

/// What `fallow-bench ledger` prints.
#[derive(Deserialize)]
struct Report {
    fdatasync_us: [f64; 2],
    figures: Vec<Figure>,
}

/// One measurement.
#[derive(Deserialize)]
struct Figure {
    what: String,
    at_once: usize,
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    server_us: f64,
    client_us: f64,
}

/// A goal: a figure held against another of the same run.
struct Goal {
    id: &'static str,
    ours: &'static str,
    peer: &'static str,
    /// What is compared, and the word for it.
    value: (fn(&Figure) -> f64, &'static str),
    /// The least that ours may be of the peer's, or the most.
    bound: Bound,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

const RATE: (fn(&Figure) -> f64, &str) = (|figure| figure.per_second, "per second");
const SERVER: (fn(&Figure) -> f64, &str) = (|figure| figure.server_us, "server's processor time");

const GOALS: [Goal; 4] = [
    Goal {
        id: "L1",
        ours: "the ledger, the same words",
        peer: "the script by redis-benchmark",
        value: RATE,
        bound: Bound::AtLeast(0.8),
    },
    Goal {
        id: "L1",
        ours: "the ledger, compare-and-set, request id",
        peer: "etcd, compare-and-set",
        value: RATE,
        bound: Bound::AtLeast(5.0),
    },
    Goal {
        id: "L5",
        ours: "a commit with 100000 live offers",
        peer: "a commit with 1000 live offers",
        value: (|figure| figure.p50_us, "median time"),
        bound: Bound::AtMost(1.2),
    },
    Goal {
        id: "L5",
        ours: "a commit with 100000 live offers",
        peer: "a commit with 1000 live offers",
        value: SERVER,
        bound: Bound::AtMost(1.2),
    },
];

/// Builds, measures, and prints the tables.
pub(crate) fn run(options: &Options) -> Result<()> {
    for (program, package) in
        [("redis-server", "redis-server"), ("redis-benchmark", "redis-tools"), ("etcd", "etcd-server")]
    {
        if shell::find(program).is_none() {
            bail!("{program} is missing: apt-get install {package}");
        }
    }
    shell::run(shell::cargo().args(["build", "--release", "--locked", "--package", "fallow-bench"]))?;
    let bench = shell::target().join("release/fallow-bench");
    let (rounds, commits) = (options.rounds.to_string(), options.commits.to_string());
    let report: Report = ours(&bench, &["ledger", "--rounds", &rounds, "--commits", &commits])?;
    println!("{}; medians of {rounds}, appendfsync always", machine::described());
    let [median, p99] = report.fdatasync_us.map(digits);
    println!("one write with fdatasync beside it: median {median} µs, p99 {p99} µs\n");
    let mut table =
        Table::new(&["", "in flight", "per second", "p50 µs", "p99 µs", "server µs each", "client µs each"]);
    for figure in &report.figures {
        table.row(vec![
            figure.what.clone(),
            figure.at_once.to_string(),
            digits(figure.per_second),
            digits(figure.p50_us),
            digits(figure.p99_us),
            digits(figure.server_us),
            if figure.client_us > 0.0 { digits(figure.client_us) } else { String::new() },
        ]);
    }
    println!("{}", table.text());
    println!("{}", goals(&report.figures).text());
    Ok(())
}

/// Holds the figures against the goals, at each number in flight that both have.
fn goals(figures: &[Figure]) -> Table {
    let mut table = Table::new(&["goal", "in flight", "what", "ours", "peer's", "ratio"]);
    for goal in &GOALS {
        for ours in figures.iter().filter(|figure| figure.what == goal.ours) {
            let peer =
                figures.iter().find(|figure| figure.what == goal.peer && figure.at_once == ours.at_once);
            let Some(peer) = peer else { continue };
            let (value, word) = goal.value;
            table.row(vec![
                goal.id.to_owned(),
                ours.at_once.to_string(),
                format!("{} / {}: {word}", goal.ours, goal.peer),
                digits(value(ours)),
                digits(value(peer)),
                goal.bound.verdict(value(ours) / value(peer).max(f64::MIN_POSITIVE)),
            ]);
        }
    }
    table
}

impl Bound {
    fn verdict(&self, ratio: f64) -> String {
        let (met, bound) = match self {
            Bound::AtLeast(least) => (ratio >= *least, format!("≥ {least}")),
            Bound::AtMost(most) => (ratio <= *most, format!("≤ {most}")),
        };
        if met { format!("{ratio:.2} (met, {bound})") } else { format!("{ratio:.2} **(not met, {bound})**") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_held_against_the_peer_at_the_same_number_in_flight() {
        let figure = |what: &str, at_once, per_second| Figure {
            what: what.to_owned(),
            at_once,
            per_second,
            p50_us: 1.0,
            p99_us: 1.0,
            server_us: 1.0,
            client_us: 0.0,
        };
        let (ours, peer) = (GOALS[0].ours, GOALS[0].peer);
        let figures =
            [figure(peer, 32, 100.0), figure(ours, 32, 79.0), figure(peer, 1, 10.0), figure(ours, 1, 8.0)];
        let text = goals(&figures).text();
        assert!(
            text.contains("| 0.79 **(not met, ≥ 0.8)** |") && text.contains("| 0.80 (met, ≥ 0.8) |"),
            "{text}"
        );
        assert!(Bound::AtMost(1.2).verdict(1.3).contains("not met"));
    }
}
