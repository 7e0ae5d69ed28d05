//! `fallow ledger`: what an operator does to the store. Its settings are those of the services, not a client's context.

mod deploy;
mod users;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use fallow_host::config::{Config, ConfigError};
use fallow_ledger::Trouble;
use thiserror::Error;

use super::Exit;
use crate::serve::chain;
use crate::wiring::StartError;

/// Looks after the store that the ledger lies in.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Load the functions of this release onto every server that can hold a region
    #[command(
        before_help = "Examples:\n  fallow ledger deploy --config deploy.toml     with the user deploy in store.url\n  \
                       FALLOW__STORE__URL=redis://deploy@redis FALLOW__STORE__PASSWORD_FILE=redis-deploy fallow \
                       ledger deploy"
    )]
    Deploy(SettingsArgs),
    /// Make passwords for the users of Redis, and the file of users that knows them
    #[command(before_help = "Examples:\n  fallow ledger users deploy/secrets")]
    Users(users::UsersArgs),
}

/// Where the settings come from.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// A file of settings (TOML); the environment (FALLOW__SECTION__KEY) overrides it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl SettingsArgs {
    fn load(&self) -> Result<Config, LedgerError> {
        Ok(Config::load(self.config.as_deref(), std::env::vars())?)
    }
}

/// Why a command did not do its work.
#[derive(Debug, Error)]
enum LedgerError {
    #[error("the settings are wrong")]
    Settings(#[from] ConfigError),
    #[error("the settings cannot be used")]
    Start(#[from] StartError),
    #[error("store.kind must be redis")]
    Embedded,
    #[error("the store")]
    Store(#[from] Trouble),
    #[error("{} is there already: nothing is overwritten", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("this process cannot run")]
    Runtime(#[source] std::io::Error),
}

impl LedgerError {
    fn exit(&self) -> Exit {
        match self {
            LedgerError::Store(trouble) if trouble.is_passing() => Exit::Unavailable,
            LedgerError::Store(_) | LedgerError::Unwritable { .. } | LedgerError::Runtime(_) => Exit::Failed,
            LedgerError::Settings(_)
            | LedgerError::Start(_)
            | LedgerError::Embedded
            | LedgerError::Exists(_) => Exit::Usage,
        }
    }
}

/// Runs the command.
#[must_use]
pub(crate) fn run(command: &LedgerCommand) -> ExitCode {
    let done = match command {
        LedgerCommand::Deploy(args) => deploy::run(args),
        LedgerCommand::Users(args) => users::run(args),
    };
    let (exit, said) = match &done {
        Ok(text) => (Exit::Ok, write!(std::io::stdout(), "{text}").and_then(|()| std::io::stdout().flush())),
        Err(error) => (error.exit(), writeln!(std::io::stderr(), "error: LEDGER: {}", chain(error))),
    };
    ExitCode::from(if said.is_ok() { exit.code() } else { Exit::Failed.code() })
}
