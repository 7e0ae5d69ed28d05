//! `cargo xtask bench`: the engine and the ledger beside their peers, on the same work, in one run; and the screens.
//!
//! Nothing here gates a test: only unequal results fail.

use anyhow::Result;
use clap::Subcommand;

mod abuse;
mod console;
mod instances;
mod ledger;
mod machine;
mod matching;
mod peers;
mod reports;
mod table;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
}

/// What can be measured.
#[derive(Subcommand)]
enum What {
    /// The matching engine beside LEMON, OR-tools, HiGHS and CP-SAT: goals M1 to M5.
    Matching(matching::Options),
    /// Screens in a browser over a whole `fallow dev`, release build: goals C1 and B1.
    Console,
    /// The ledger over Redis beside redis-benchmark with the same script and beside etcd: goals L1 to L5.
    Ledger(ledger::Options),
    /// What other trusts notice while a caller floods a service.
    WireAbuse(abuse::Options),
}

const LIST: &str = "\
cargo xtask bench matching    the engine beside LEMON, OR-tools, HiGHS and CP-SAT (some 40 minutes; --quick: some 5)
cargo xtask bench ledger      the ledger over Redis beside redis-benchmark and etcd (some 5 minutes)
cargo xtask bench console     bytes of each page, time of each fragment, push to page (some 2 minutes)
cargo xtask bench wire-abuse  what others notice of a caller that does harm (some 5 minutes)
cargo bench -p fallow-bench   the inside of the engine: build, solve, events, explanations

Each measure has --help. Nothing here gates a test.";

/// Measures what is asked for, or lists what there is.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.what {
        Some(What::Matching(options)) => matching::run(options),
        Some(What::Console) => console::run(),
        Some(What::Ledger(options)) => ledger::run(options),
        Some(What::WireAbuse(options)) => abuse::run(options),
        None => {
            println!("{LIST}");
            Ok(())
        }
    }
}
