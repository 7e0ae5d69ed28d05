//! `fallow ledger`: what an operator does to the store. Its settings are those of the services, not a client's context.

mod accept;
mod deploy;
mod open;
mod rebuild;
mod status;
mod users;
mod verify;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use fallow_host::config::{Config, ConfigError, StoreKind};
use fallow_ledger::Trouble;
use thiserror::Error;

use super::Exit;
use super::audit::{OperateError, operate};
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
    /// Tell how the ledger stands: whether it takes writes, and if not, why
    #[command(
        before_help = "Examples:\n  fallow ledger status --config fallow.toml\n  fallow ledger status --json"
    )]
    Status(status::StatusArgs),
    /// Open a ledger that is closed to writes, or say what is missing
    #[command(
        before_help = "Examples:\n  fallow ledger open                              say what is missing\n  fallow ledger open \
                       --archive /srv/fallow/archive --key archive-key.pub.pem\n  fallow ledger open --accept-loss --by \
                       'A. Person' --reason 'power cut, disk replaced'"
    )]
    Open(open::OpenArgs),
    /// Hold every live record, and the log, against every rule
    #[command(
        before_help = "Examples:\n  fallow ledger verify --config fallow.toml\n  fallow ledger verify --config fallow.toml \
                       --archive /srv/fallow/archive --key archive-key.pub.pem"
    )]
    Verify(verify::VerifyArgs),
    /// Fill an empty store from an archive
    #[command(
        before_help = "Examples:\n  fallow ledger rebuild --from /srv/fallow/archive --key archive-key.pub.pem --config \
                       fallow.toml \\\n    --by 'A. Person' --reason 'both disks failed'"
    )]
    Rebuild(rebuild::RebuildArgs),
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

    /// As `load`, of a deployment over Redis.
    fn load_redis(&self) -> Result<Config, LedgerError> {
        let config = self.load()?;
        match config.store.kind {
            StoreKind::Redis => Ok(config),
            StoreKind::Embedded => Err(LedgerError::Embedded),
        }
    }
}

/// Runs a command's work: one thread is enough for one person.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, LedgerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(LedgerError::Runtime)?.block_on(work))
}

/// Why a command did not do its work.
#[derive(Debug, Error)]
pub(crate) enum LedgerError {
    #[error("the settings are wrong")]
    Settings(#[from] ConfigError),
    #[error("the settings cannot be used")]
    Start(#[from] StartError),
    #[error(
        "store.kind must be redis: name settings that say so with --config FILE, or set FALLOW__STORE__KIND=redis"
    )]
    Embedded,
    #[error("the store")]
    Store(#[from] Trouble),
    #[error("{} is there already: nothing is overwritten", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("this process cannot run")]
    Runtime(#[source] std::io::Error),
    #[error("the ledger is closed: {why}; {next}")]
    Closed { why: String, next: &'static str },
    #[error(transparent)]
    Archive(#[from] OperateError),
    #[error("{what}: {why}")]
    Argument { what: &'static str, why: String },
    #[error("the records could not be read in time: begin again")]
    Slow,
    #[error(
        "{ended} open holds were ended and {} could not be: the ledger stays closed. Mend what is said here and accept the \
         loss again with fallow ledger open --accept-loss, or telephone the trusts of a hold and name it with --leave\n  {}",
        left.len(),
        left.join("\n  ")
    )]
    Holds { ended: usize, left: Vec<String> },
}

impl LedgerError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            LedgerError::Store(trouble) if trouble.is_passing() => Exit::Unavailable,
            LedgerError::Closed { .. } => Exit::Conflict,
            LedgerError::Archive(error) => error.exit(),
            LedgerError::Settings(error) if error.file_is_missing => Exit::NotFound,
            LedgerError::Store(_)
            | LedgerError::Unwritable { .. }
            | LedgerError::Runtime(_)
            | LedgerError::Slow
            | LedgerError::Holds { .. } => Exit::Failed,
            LedgerError::Settings(_)
            | LedgerError::Start(_)
            | LedgerError::Embedded
            | LedgerError::Argument { .. }
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
        LedgerCommand::Status(args) => status::run(args),
        LedgerCommand::Open(args) => open::run(args),
        LedgerCommand::Verify(args) => return operate("LEDGER", verify::verify(args)),
        LedgerCommand::Rebuild(args) => return operate("LEDGER", rebuild::rebuild(args)),
    };
    let (exit, said) = match &done {
        Ok(text) => (Exit::Ok, write!(std::io::stdout(), "{text}").and_then(|()| std::io::stdout().flush())),
        Err(error) => (error.exit(), writeln!(std::io::stderr(), "error: LEDGER: {}", chain(error))),
    };
    ExitCode::from(if said.is_ok() { exit.code() } else { Exit::Failed.code() })
}
