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

/// A goal: a figure held against another of the same run, or against what was promised.
struct Goal {
    id: &'static str,
    ours: &'static str,
    peer: Option<&'static str>,
    /// What is compared, and the word for it.
    value: (fn(&Figure) -> f64, &'static str),
    /// The least or the most that ours may be, of the peer's where there is one.
    bound: Bound,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

const RATE: (fn(&Figure) -> f64, &str) = (|figure| figure.per_second, "per second");
const SERVER: (fn(&Figure) -> f64, &str) = (|figure| figure.server_us, "server's processor time");
const MEDIAN: (fn(&Figure) -> f64, &str) = (|figure| figure.p50_us, "median time");
const MEDIAN_MS: (fn(&Figure) -> f64, &str) = (|figure| figure.p50_us / 1e3, "median, ms");
const P99_MS: (fn(&Figure) -> f64, &str) = (|figure| figure.p99_us / 1e3, "p99, ms");
/// That measurement gives a number of KiB where others give a time.
const KIB: (fn(&Figure) -> f64, &str) = (|figure| figure.p50_us, "KiB");

const fn beside(
    id: &'static str,
    ours: &'static str,
    peer: &'static str,
    value: (fn(&Figure) -> f64, &'static str),
    bound: Bound,
) -> Goal {
    Goal { id, ours, peer: Some(peer), value, bound }
}

const fn alone(
    id: &'static str,
    ours: &'static str,
    value: (fn(&Figure) -> f64, &'static str),
    bound: Bound,
) -> Goal {
    Goal { id, ours, peer: None, value, bound }
}

const SAME_WORDS: &str = "the ledger, the same words";
const MANY: &str = "a commit with 100000 live offers";
const FEW: &str = "a commit with 1000 live offers";

const GOALS: [Goal; 11] = [
    beside("L1", SAME_WORDS, "the script by redis-benchmark", RATE, Bound::AtLeast(0.8)),
    beside("L1", "PublishOffer, the service", "PublishOffer, a bare handler", RATE, Bound::AtLeast(0.8)),
    beside(
        "L1",
        "the ledger, compare-and-set, request id",
        "etcd, compare-and-set",
        RATE,
        Bound::AtLeast(5.0),
    ),
    alone("L2", "publish to visible, another process", P99_MS, Bound::AtMost(20.0)),
    alone("L2", "need to proposal, at region scale", P99_MS, Bound::AtMost(50.0)),
    alone("L3", "StreamOffers, one stream", RATE, Bound::AtLeast(10_000.0)),
    alone("L3", "ReplaceOffers of 1000, all changed", MEDIAN_MS, Bound::AtMost(200.0)),
    alone("L4", "publish to visible, 1000 watchers", P99_MS, Bound::AtMost(100.0)),
    alone("L4", "KiB of an idle watcher (p50)", KIB, Bound::AtMost(32.0)),
    beside("L5", MANY, FEW, MEDIAN, Bound::AtMost(1.2)),
    beside("L5", MANY, FEW, SERVER, Bound::AtMost(1.2)),
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
    let packages = ["--package", "fallow-bench", "--package", "fallow"];
    shell::run(shell::cargo().args(["build", "--release", "--locked"]).args(packages))?;
    let bench = shell::target().join("release/fallow-bench");
    let (rounds, commits) = (options.rounds.to_string(), options.commits.to_string());
    let mut report: Report = ours(&bench, &["ledger", "--rounds", &rounds, "--commits", &commits])?;
    let (fallow, calls) = (shell::target().join("release/fallow"), (options.commits / 2).max(10).to_string());
    let fallow = fallow.to_string_lossy();
    let wire: Vec<Figure> =
        ours(&bench, &["wire", "--fallow", &fallow, "--rounds", &rounds, "--calls", &calls])?;
    report.figures.extend(wire);
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
    let mut table = Table::new(&["goal", "in flight", "what", "ours", "peer's", "verdict"]);
    for goal in &GOALS {
        for ours in figures.iter().filter(|figure| figure.what == goal.ours) {
            let (value, word) = goal.value;
            let (what, peers, figure) = match goal.peer {
                None => (goal.ours.to_owned(), String::new(), value(ours)),
                Some(peer) => {
                    let same = |other: &&Figure| other.what == peer && other.at_once == ours.at_once;
                    let Some(found) = figures.iter().find(same) else { continue };
                    let theirs = value(found);
                    let ratio = value(ours) / theirs.max(f64::MIN_POSITIVE);
                    (format!("{} ÷ {peer}", goal.ours), digits(theirs), ratio)
                }
            };
            table.row(vec![
                goal.id.to_owned(),
                ours.at_once.to_string(),
                format!("{what}: {word}"),
                digits(value(ours)),
                peers,
                goal.bound.verdict(figure),
            ]);
        }
    }
    table
}

impl Bound {
    fn verdict(&self, figure: f64) -> String {
        let (met, bound) = match self {
            Bound::AtLeast(least) => (figure >= *least, format!("≥ {least}")),
            Bound::AtMost(most) => (figure <= *most, format!("≤ {most}")),
        };
        if met {
            format!("{figure:.2} (met, {bound})")
        } else {
            format!("{figure:.2} **(not met, {bound})**")
        }
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
        let (ours, peer) = (GOALS[0].ours, GOALS[0].peer.expect("it has one"));
        let figures =
            [figure(peer, 32, 100.0), figure(ours, 32, 79.0), figure(peer, 1, 10.0), figure(ours, 1, 8.0)];
        let text = goals(&figures).text();
        assert!(
            text.contains("| 0.79 **(not met, ≥ 0.8)** |") && text.contains("| 0.80 (met, ≥ 0.8) |"),
            "{text}"
        );
        let text = goals(&[figure("StreamOffers, one stream", 1, 9_000.0)]).text();
        assert!(text.contains("| 9000.00 **(not met, ≥ 10000)** |"), "{text}");
        assert!(Bound::AtMost(1.2).verdict(1.3).contains("not met"));
    }
}
