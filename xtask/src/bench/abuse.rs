//! `cargo xtask bench wire-abuse`: what other trusts notice of a caller that does harm.

use anyhow::{Context, Result};
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
    /// How often everything is measured; the table shows medians.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// How long each part is measured, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
}

/// One measurement, as `fallow-bench` prints it.
#[derive(Deserialize)]
struct Figure {
    what: String,
    p50_us: f64,
    p99_us: f64,
    server_us: f64,
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
    let figures: Vec<Figure> = ours(&release.join("fallow-bench"), &asked)?;
    let quiet = figures.first().context("nothing was measured")?.p99_us;
    println!("{}; medians of {rounds}", machine::described());
    let mut table = Table::new(&["", "p50 µs", "p99 µs", "of the quiet p99", "at most", "server µs each"]);
    for (at, figure) in figures.iter().enumerate() {
        let bound = match at {
            0 => String::new(),
            1 => BESIDE_NOISE.to_string(),
            _ => BESIDE_A_FLOOD.to_string(),
        };
        table.row(vec![
            figure.what.clone(),
            digits(figure.p50_us),
            digits(figure.p99_us),
            format!("{:.2}", figure.p99_us / quiet),
            bound,
            digits(figure.server_us),
        ]);
    }
    println!("{}", table.text());
    Ok(())
}
