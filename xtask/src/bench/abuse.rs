//! `cargo xtask bench wire-abuse`: what other trusts notice of a caller that does harm.

use anyhow::Result;
use clap::Args;
use serde::Deserialize;

use super::machine;
use super::peers::ours;
use super::table::{Table, digits};
use crate::shell;

/// The most that the p99 of others may be of the quiet one, beside a noisy trust and beside a flood of frames.
const BESIDE_NOISE: f64 = 1.2;
const BESIDE_A_FLOOD: f64 = 2.0;

/// Options of `cargo xtask bench wire-abuse`.
#[derive(Args)]
pub(crate) struct Options {
    /// How many pairs, quiet and beside harm, are measured of each sort; the table shows medians.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// How long each part is measured, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    seconds: u64,
}

/// What the others notice of one sort of harm, as `fallow-bench` prints it.
#[derive(Deserialize)]
struct Beside {
    what: String,
    quiet_p50_us: f64,
    quiet_p99_us: f64,
    p50_us: f64,
    p99_us: f64,
    of_quiet: [f64; 3],
    sent: f64,
    refused: f64,
    ended: f64,
    service_ms: [f64; 2],
}

/// Measures, and prints one table with what was promised.
pub(crate) fn run(options: &Options) -> Result<()> {
    let build = ["build", "--release", "--locked", "-p", "fallow", "-p", "fallow-bench"];
    shell::run(shell::cargo().args(build))?;
    let release = shell::target().join("release");
    let fallow = release.join("fallow");
    let (rounds, seconds) = (options.rounds.to_string(), options.seconds.to_string());
    let fallow = fallow.to_string_lossy();
    let asked = ["wire-abuse", "--fallow", &fallow, "--rounds", &rounds, "--seconds", &seconds];
    let all: Vec<Beside> = ours(&release.join("fallow-bench"), &asked)?;
    println!("{}; medians of {rounds} pairs of {seconds} s", machine::described());
    let head =
        ["beside", "quiet p50, p99 µs", "p50, p99 µs", "p99 of quiet", "at most", "sent/s", "refused/s"];
    let mut table = Table::new(&[&head[..], &["ended/s", "service ms/s"]].concat());
    for (at, one) in all.iter().enumerate() {
        let bound = if at == 0 { BESIDE_NOISE } else { BESIDE_A_FLOOD };
        let two = |first: f64, second: f64| format!("{}, {}", digits(first), digits(second));
        let [middle, least, most] = one.of_quiet;
        table.row(vec![
            one.what.clone(),
            two(one.quiet_p50_us, one.quiet_p99_us),
            two(one.p50_us, one.p99_us),
            format!("{middle:.2} ({least:.2} to {most:.2})"),
            bound.to_string(),
            digits(one.sent),
            digits(one.refused),
            digits(one.ended),
            two(one.service_ms[0], one.service_ms[1]),
        ]);
    }
    println!("{}", table.text());
    Ok(())
}
