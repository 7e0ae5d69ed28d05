//! `cargo xtask test`: every ring of tests, from the tree's laws to a browser, and one line that sums them up.

use std::process::ExitCode;

use anyhow::Result;

use crate::shell;
use crate::stopwatch::Stopwatch;

mod needs;
mod rings;
mod tally;

use rings::Ring;
use tally::Tally;

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Runs only what needs no server and no browser: the laws and the fast tests of the crates.
    #[arg(long)]
    pub(crate) fast: bool,
}

/// Runs the rings in order, goes on after one that fails, and returns a failure when any did.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let rings = if options.fast { rings::fast() } else { rings::all() };
    if !options.fast {
        needs::provide(&shell::root())?;
    }
    let mut total = Tally::default();
    let mut lines = Vec::new();
    for ring in &rings {
        let (tally, line) = run_ring(ring);
        total += tally;
        lines.push(line);
    }
    println!("\n==== Summary ====");
    lines.iter().for_each(|line| println!("{line}"));
    // The last line is for machines: the sum over the rings, in a plain form.
    println!("{total}");
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one ring and returns what came of it, with a line for the summary.
///
/// A ring that cannot be run, and one that ran nothing, has failed.
fn run_ring(ring: &Ring) -> (Tally, String) {
    println!("\n==== {} ====", ring.name);
    let time = Stopwatch::start();
    let (tally, remark) = match (ring.run)() {
        Ok(tally) if tally == Tally::default() => (Tally::FAILED, "  (ran no test)".to_owned()),
        Ok(tally) => (tally, String::new()),
        Err(error) => (Tally::FAILED, format!("  ({error:#})")),
    };
    let line = format!("{:<22} {tally:<28} {time:>10}{remark}", ring.name, time = time.to_string());
    println!("{line}");
    (tally, line)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    fn check(run: fn() -> Result<Tally>, expected: Tally, remark: &str) {
        let (tally, line) = run_ring(&Ring { name: "a ring", run });
        assert_eq!(tally, expected);
        assert!(line.ends_with(remark), "{line}");
    }

    #[test]
    fn a_ring_that_ran_nothing_has_failed() {
        check(|| Ok(Tally::default()), Tally::FAILED, "(ran no test)");
    }

    #[test]
    fn a_ring_that_could_not_run_has_failed() {
        check(|| bail!("no browser"), Tally::FAILED, "(no browser)");
    }

    #[test]
    fn a_ring_counts_its_tests() {
        check(|| Ok(Tally { passed: 3, failed: 1 }), Tally { passed: 3, failed: 1 }, "s");
    }
}
