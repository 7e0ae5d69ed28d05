//! `fallow-bench`: the matching engine, the ledger and the services, measured.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod explain;
mod invented;
mod ledger;
mod live;
mod play;
mod scenario;
mod solve;
mod theatre;
mod wire;

/// Measures the matching engine on files of a scenario, and the ledger over Redis. Nothing here gates a test.
#[derive(Parser)]
#[command(name = "fallow-bench")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Makes up a scenario, with nothing but a seed.
    Invent(invented::Options),
    /// Times building and solving a scenario, part by part.
    Solve(solve::Options),
    /// Plays events on a scenario, one by one.
    Events(play::Options),
    /// Measures what the search for theatre lists reaches within a time.
    Theatre(theatre::Options),
    /// Times the explanation of unserved needs, one by one.
    Explain(explain::Options),
    /// Times what one change costs the live engine, from the picture's change to the decision.
    Live(live::Options),
    /// Measures commits of the ledger over Redis beside the same script and beside etcd.
    Ledger(ledger::Options),
    /// Measures services over Redis by gRPC, beside a bare handler that runs the same script.
    Wire(wire::Options),
    /// Measures what others notice while a caller floods a service.
    WireAbuse(wire::abuse::Options),
    /// Does the harm; `wire-abuse` starts it.
    #[command(hide = true)]
    WireAttack(wire::attack::Options),
    /// Measures what one service weighs, and how soon it serves again with many live offers.
    Restart(wire::restart::Options),
    /// Serves the bare handler; `wire` starts it.
    #[command(hide = true)]
    WireBare(wire::BareOptions),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Invent(options) => invented::run(&options),
        Task::Solve(options) => solve::run(&options),
        Task::Events(options) => play::run(&options),
        Task::Theatre(options) => theatre::run(&options),
        Task::Explain(options) => explain::run(&options),
        Task::Live(options) => live::run(&options),
        Task::Ledger(options) => ledger::run(&options),
        Task::Wire(options) => wire::run(&options),
        Task::WireAbuse(options) => wire::abuse::run(&options),
        Task::WireAttack(options) => wire::attack::run(&options),
        Task::Restart(options) => wire::restart::run(&options),
        Task::WireBare(options) => wire::run_bare(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
