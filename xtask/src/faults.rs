//! `cargo xtask faults`: breaks real services over a real Redis on purpose, and checks that nothing they said was wrong.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::shell::{self, cargo, program};

mod bugs;
mod finders;

/// Options of `cargo xtask faults`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many rounds; 40 take some minutes, 300 are the long run.
    #[arg(long, default_value_t = 40)]
    rounds: u64,
    /// The seed of the first round; each further one has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many rounds are played at a time.
    #[arg(long, default_value_t = 2)]
    jobs: u32,
    /// Seconds after the last fault within which everything must be served again.
    #[arg(long, default_value_t = 10)]
    patience: u64,
    /// Seconds for which clients work in a round under faults, 5 to 600.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// What is staged.
    #[arg(long, value_enum, default_value_t)]
    fault: Choice,
    /// Breaks the release build, which says ten times as much in the same time.
    #[arg(long, conflicts_with = "bugs")]
    release: bool,
    /// Plants every bug in turn instead, and sees that the test that is there for it finds it.
    #[arg(long)]
    bugs: bool,
    /// With --bugs: only this one.
    #[arg(long, value_name = "BUG", requires = "bugs")]
    only: Option<String>,
}

/// What is staged in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Choice {
    /// Whatever the seed draws.
    #[default]
    Any,
    /// In every round the promotion of a replica that lacks what was acknowledged.
    WrongPromotion,
}

impl Choice {
    /// Returns its name as the program that plays the rounds takes it.
    const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::WrongPromotion => "wrong-promotion",
        }
    }
}

/// Rounds of the ring, and the seconds that a busy machine may take to serve again.
const RING: Options = Options {
    rounds: 40,
    seed: 1,
    jobs: 2,
    patience: 30,
    seconds: 5,
    fault: Choice::Any,
    release: false,
    bugs: false,
    only: None,
};

/// Plays the rounds and returns a failure when one fails.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.bugs {
        return bugs::run(options.only.as_deref());
    }
    build(options.release)?;
    shell::run(&mut rounds(options)).map(|()| ExitCode::SUCCESS)
}

/// Builds what is broken and what breaks it, and returns the command that plays the rounds of the ring.
pub(crate) fn ring() -> Result<Command> {
    build(RING.release)?;
    Ok(rounds(&RING))
}

/// The debug build is that of every other ring too.
fn build(is_release: bool) -> Result<()> {
    let chosen: &[&str] = if is_release {
        &["--release", "--package=fallow", "--package=fallow-faults"]
    } else {
        &["--workspace", "--bins"]
    };
    shell::run(cargo().args(["build", "--locked"]).args(chosen))
}

fn rounds(options: &Options) -> Command {
    let built = shell::target().join(if options.release { "release" } else { "debug" });
    let mut command = program(built.join("fallow-faults"), ".");
    for (name, value) in [
        ("--rounds", options.rounds),
        ("--seed", options.seed),
        ("--jobs", options.jobs.into()),
        ("--patience", options.patience),
        ("--seconds", options.seconds),
    ] {
        command.args([name, &value.to_string()]);
    }
    command.args(["--fault", options.fault.name()]);
    command.arg("--binary").arg(built.join("fallow")).arg("--keep").arg(shell::target().join("faults"));
    command
}
