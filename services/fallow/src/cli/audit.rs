//! `fallow audit`: the audit trail of the services, whether an archive is as it was written, and what it says.

mod check;
mod export;
pub(crate) mod mine;
pub(super) mod progress;
mod prove;
mod receipt;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use fallow_archive::verify::{Against, NotAReceipt, Receipt, Witness};
use fallow_archive::{Finding, KeyError, PublicKey};
use fallow_host::config::{Config, ConfigError, StoreKind};
use fallow_ledger::{KeeperError, Trouble};
use thiserror::Error;

use super::Exit;
use super::given;
use super::ledger::LedgerError;
use crate::serve::chain;
use crate::wiring::StartError;

pub(super) use verify::settled;

/// `fallow audit …`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List who did what, and who was denied what: for a trust, its own trail
    #[command(
        before_help = "Examples:\n  fallow audit mine\n  fallow audit mine --denied --from \"yesterday 08:00\"\n  fallow audit mine \
                       --totals\n  fallow audit mine --limit 10000 -o csv > november.csv"
    )]
    Mine(mine::Mine),
    /// Reads an archive
    #[command(flatten)]
    Archive(ArchiveAudit),
}

/// Reads archives.
#[derive(Debug, Subcommand)]
pub enum ArchiveAudit {
    /// Find any edit, deletion, insertion, reorder or truncation of an archive
    #[command(
        before_help = "Examples:\n  fallow audit verify /srv/fallow/archive --key archive-key.pub.pem\n  fallow audit verify \
                       /srv/fallow/archive --key archive-key.pub.pem --config fallow.toml\n  fallow audit verify copy \
                       --key archive-key.pub.pem --receipt 2026-11-24.receipt"
    )]
    Verify(verify::VerifyArgs),
    /// Print what an archive says: when, who, what, which records
    #[command(
        before_help = "Examples:\n  fallow audit export /srv/fallow/archive --from 2026-11-24T08:00:00Z --trust ZA1\n  fallow \
                       audit export /srv/fallow/archive --json > november.jsonl"
    )]
    Export(export::ExportArgs),
    /// Print a receipt of an archive: one line that shows later whether its end is missing
    #[command(
        before_help = "Examples:\n  fallow audit receipt /srv/fallow/archive --key archive-key.pub.pem > 2026-11-24.receipt"
    )]
    Receipt(receipt::ReceiptArgs),
    /// Print proofs for a trust: what it did and what was done to its records, without what is others'
    #[command(
        before_help = "Examples:\n  fallow audit prove /srv/fallow/archive --key archive-key.pub.pem --trust ZA1 --from \
                       2026-11-24T00:00:00Z > za1.proofs\n  fallow audit prove /srv/fallow/archive --key \
                       archive-key.pub.pem --trust ZA1 --revision 812"
    )]
    Prove(prove::ProveArgs),
    /// Check proofs: by the operator's public key alone, without an archive or a server
    #[command(
        before_help = "Examples:\n  fallow audit check za1.proofs --key archive-key.pub.pem\n  fallow audit mine \
                       --limit 100000 -o jsonl >> mine.jsonl\n  fallow audit check za1.proofs --key archive-key.pub.pem \
                       --trust ZA1 --kept mine.jsonl"
    )]
    Check(check::CheckArgs),
}

/// What an archive is held against.
#[derive(Debug, Clone, Args)]
pub(crate) struct AgainstArgs {
    /// A public key that may have signed it; may be given more than once. Without one, signatures are not looked at
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// A receipt that was kept elsewhere; may be given more than once
    #[arg(long = "receipt", value_name = "FILE")]
    receipts: Vec<PathBuf>,
}

/// Why a command of an operator did not come to its end.
#[derive(Debug, Error)]
pub(crate) enum OperateError {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Settings(#[from] ConfigError),
    #[error("{}: {source}", path.display())]
    Key { path: PathBuf, source: KeyError },
    #[error("{}: {source}", path.display())]
    Receipt { path: PathBuf, source: NotAReceipt },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] KeeperError),
    #[error("the archive is not as it was written: {0}")]
    Unsound(Finding),
    #[error("{0}")]
    Archive(&'static str),
    #[error(transparent)]
    Accept(Box<LedgerError>),
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
}

impl From<LedgerError> for OperateError {
    fn from(error: LedgerError) -> Self {
        Self::Accept(Box::new(error))
    }
}

impl From<Trouble> for OperateError {
    fn from(trouble: Trouble) -> Self {
        Self::Store(trouble.into())
    }
}

impl OperateError {
    /// The code that a command ends with.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Settings(error) if error.file_is_missing => Exit::NotFound,
            Self::Key { source, .. } => given::exit(source, Exit::Usage),
            Self::File { source, .. } => given::exit(source, Exit::Failed),
            Self::Usage(_) | Self::Settings(_) | Self::Receipt { .. } | Self::Start(_) => Exit::Usage,
            Self::Accept(error) => error.exit(),
            Self::Store(KeeperError::NotEmpty { .. }) => Exit::Conflict,
            Self::Store(KeeperError::Trouble(trouble)) if trouble.is_passing() => Exit::Unavailable,
            Self::Store(_) | Self::Unsound(_) | Self::Archive(_) | Self::Output(_) => Exit::Failed,
        }
    }
}

/// Runs the command. Exit 0 when the archive is sound, 1 when it is not.
#[must_use]
pub(crate) fn run(command: &ArchiveAudit) -> ExitCode {
    match command {
        ArchiveAudit::Verify(args) => operate("AUDIT", verify::verify(args)),
        ArchiveAudit::Export(args) => operate("AUDIT", std::future::ready(export::export(args))),
        ArchiveAudit::Prove(args) => operate("AUDIT", std::future::ready(prove::prove(args))),
        ArchiveAudit::Check(args) => operate("AUDIT", std::future::ready(check::check(args))),
        ArchiveAudit::Receipt(args) => operate("AUDIT", std::future::ready(receipt::receipt(args))),
    }
}

/// Runs a command of an operator to its end, and says why when it fails.
pub(crate) fn operate(class: &str, command: impl Future<Output = Result<Exit, OperateError>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(OperateError::from).and_then(|runtime| runtime.block_on(command));
    let exit = done.unwrap_or_else(|error| {
        // There is nobody left to tell that standard error is gone.
        let _ = writeln!(std::io::stderr(), "error: {class}: {}", chain(&error));
        error.exit()
    });
    ExitCode::from(exit.code())
}

/// Reads the settings that name a store.
pub(crate) fn settings(path: Option<&Path>) -> Result<Config, OperateError> {
    let config = Config::load(path, std::env::vars())?;
    if config.store.kind == StoreKind::Embedded {
        let text =
            "store.kind: embedded ends with its process; name a store with --config or FALLOW__STORE__KIND";
        return Err(OperateError::Usage(text.to_owned()));
    }
    Ok(config)
}

impl AgainstArgs {
    /// Reads the keys and the receipts.
    pub(crate) fn read(&self) -> Result<Against, OperateError> {
        let key = |path: &PathBuf| {
            PublicKey::read(path).map_err(|source| OperateError::Key { path: path.clone(), source })
        };
        let keys: Vec<PublicKey> = self.keys.iter().map(key).collect::<Result<_, _>>()?;
        let witness = |path: &PathBuf| -> Result<Witness, OperateError> {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|source| OperateError::File { path: path.clone(), source })?;
            let name = format!("the receipt {}", path.display());
            Receipt::witness(&text, &name, &keys)
                .map_err(|source| OperateError::Receipt { path: path.clone(), source })
        };
        let witnesses = self.receipts.iter().map(witness).collect::<Result<_, _>>()?;
        Ok(Against { keys, witnesses })
    }
}
