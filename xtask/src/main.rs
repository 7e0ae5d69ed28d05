//! Repository tasks, run as `cargo xtask TASK`: one file a task.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod ci;
mod codegen;
mod demo;
mod faults;
mod fuzz;
mod lint;
mod pictures;
mod sbom;
mod shell;
mod stopwatch;
mod test;
mod tidy;

/// Tasks of the Fallow repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Checks the laws of the tree: layers, dependencies, sources, documents.
    Tidy,
    /// Makes the Rust code of the wire from the protos.
    Codegen(codegen::Options),
    /// Runs every ring of tests; as root on Debian it installs what they need.
    Test(test::Options),
    /// Builds Fallow and shows the demo region's winter day in the console.
    Demo(demo::Options),
    /// Takes the README's pictures anew; needs node and Chromium.
    Pictures,
    /// Measures the engine and the ledger beside their peers; without more, lists what can be measured.
    Bench(bench::Options),
    /// Breaks services and Redis on purpose, round after round, and checks that nothing they said was wrong.
    Faults(faults::Options),
    /// Feeds every parser what a fuzzer finds; needs a nightly compiler and cargo-fuzz.
    Fuzz(fuzz::Options),
    /// Checks formatting, lints, documentation and licences.
    Lint,
    /// Writes what the binary is made of, as a CycloneDX bill of materials.
    Sbom(sbom::Options),
    /// Runs what continuous integration runs: the lints, then every ring of tests.
    Ci,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Tidy => tidy::run().map(|()| ExitCode::SUCCESS),
        Task::Codegen(options) => codegen::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Test(options) => test::run(&options),
        Task::Demo(options) => demo::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Pictures => pictures::run().map(|()| ExitCode::SUCCESS),
        Task::Bench(options) => bench::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Faults(options) => faults::run(&options),
        Task::Fuzz(options) => fuzz::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Lint => lint::run().map(|()| ExitCode::SUCCESS),
        Task::Sbom(options) => sbom::run(&options).map(|()| ExitCode::SUCCESS),
        Task::Ci => ci::run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
