//! `fallow-bench wire`: services as processes over a durable Redis, by gRPC, beside a bare handler that runs the same
//! script, and one that also does what no service can leave out: goals L1 to L4.

pub(crate) mod abuse;
pub(crate) mod attack;
mod bare;
mod feed;
mod fleet;
mod proposing;
pub(crate) mod restart;
mod watching;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::ledger::{Figure, medians, say};
use fleet::Fleet;

/// What `wire` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The program `fallow`, as released.
    #[arg(long, value_name = "FILE")]
    fallow: PathBuf,
    /// How often everything is measured; medians are printed.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Calls of one measurement.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    calls: u64,
    /// Measure this part alone; may be given more than once.
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Print one object instead of lines.
    #[arg(long)]
    json: bool,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// What is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Single offers, a stream of them, a whole state.
    Feed,
    /// From a publish to the watches of another process.
    Watch,
    /// From a need to its proposal.
    Propose,
}

/// Runs the bare handler: what `wire` starts beside the services.
#[derive(Debug, Args)]
pub(crate) struct BareOptions {
    /// The Redis that it writes to.
    #[arg(long)]
    url: String,
    /// The port of this machine on which it listens.
    #[arg(long)]
    port: u16,
    /// Also verify the caller's credential and follow the region, as a service does.
    #[arg(long)]
    followed: bool,
}

/// Measures, and prints the medians.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(measure(options))?;
    say(&figures, options.json)
}

/// Serves the bare handler until it is killed.
pub(crate) fn run_bare(options: &BareOptions) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(bare::serve(&options.url, options.port, options.followed))
}

async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        let mut figures = Vec::new();
        if options.wants(Part::Feed) || options.wants(Part::Watch) {
            figures.extend(of_fleet(options).await?);
        }
        if options.wants(Part::Propose) {
            figures.push(proposing::need_to_proposal(options).await?);
        }
        rounds.push(figures);
    }
    Ok(medians(&rounds))
}

/// Measures what two processes of the same services do.
async fn of_fleet(options: &Options) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let fleet = Fleet::start(options).await?;
    if options.wants(Part::Feed) {
        for at_once in [1, 32, 256] {
            let calls = options.calls / if at_once == 1 { 10 } else { 1 };
            figures.push(feed::publish("PublishOffer, a bare handler", &fleet.bare, at_once, calls).await?);
            let what = "PublishOffer, a bare handler with a credential and two followers";
            figures.push(feed::publish(what, &fleet.followed, at_once, calls).await?);
            figures.push(feed::publish("PublishOffer, the service", &fleet.capacity, at_once, calls).await?);
        }
        figures.push(feed::stream(&fleet.capacity, options.calls * 2).await?);
        figures.push(feed::replace(&fleet.capacity).await?);
    }
    if options.wants(Part::Watch) {
        figures.push(watching::publish_to_visible(&fleet.capacity, &fleet.other).await?);
        figures.extend(watching::fan_out(&fleet.capacity, &fleet.other).await?);
    }
    Ok(figures)
}
