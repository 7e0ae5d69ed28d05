//! `fallow-bench`: the matching engine alone, measured.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod solve;

/// Measures the matching engine on files of a scenario. Nothing here gates a test.
#[derive(Parser)]
#[command(name = "fallow-bench")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Times building and solving a scenario, part by part.
    Solve(solve::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Solve(options) => solve::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
