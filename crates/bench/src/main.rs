//! `fallow-bench`: the matching engine alone, measured.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod explain;
mod invented;
mod live;
mod play;
mod scenario;
mod solve;
mod theatre;

/// Measures the matching engine on files of a scenario. Nothing here gates a test.
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
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Invent(options) => invented::run(&options),
        Task::Solve(options) => solve::run(&options),
        Task::Events(options) => play::run(&options),
        Task::Theatre(options) => theatre::run(&options),
        Task::Explain(options) => explain::run(&options),
        Task::Live(options) => live::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
