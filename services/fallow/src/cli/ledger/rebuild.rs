//! `fallow ledger rebuild`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use fallow_ledger::Versioned;
use fallow_ledger::state::{digest, hex};

use crate::cli::Exit;
use crate::cli::audit::{AgainstArgs, OperateError, settings, settled};
use crate::wiring::open_keeper;

/// Rebuilds a store.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// The folder of the archive
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    #[command(flatten)]
    against: AgainstArgs,
    /// Settings that name the store; otherwise the environment does
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Rebuild without --key: a skilful edit of the archive would not be found
    #[arg(long)]
    unsigned: bool,
}

/// Fills an empty store with what an archive makes, if the archive is sound.
pub(super) async fn rebuild(args: &RebuildArgs) -> Result<Exit, OperateError> {
    let (config, against) = (settings(args.config.as_deref())?, args.against.read()?);
    if against.keys.is_empty() && !args.unsigned {
        return Err(OperateError::Usage(
            "--key: name the public key of the archive, or say --unsigned".to_owned(),
        ));
    }
    let report = settled(&args.from, &against).await?;
    if let Some(finding) = report.findings.into_iter().next() {
        return Err(OperateError::Unsound(finding));
    }
    let (Some(last), Some(state)) = (report.last, report.state) else {
        return Err(OperateError::Archive("the archive is empty, or its snapshot is missing"));
    };
    if *last.header.region != *config.region.id.as_str() {
        let text = format!("the archive is of region {}, not {}", last.header.region, config.region.id);
        return Err(OperateError::Usage(text));
    }
    let records: Vec<Versioned> = state.records().collect();
    let keeper = open_keeper(&config)?;
    let mut out = std::io::stdout();
    writeln!(out, "archive   {}, {} records, digest {}", last.cursor(), records.len(), hex(&state.digest()))?;
    keeper.restore(&records, &last.note(), last.line.as_deref()).await?;
    let (live, cursor) = keeper.snapshot().await?;
    writeln!(out, "store     {cursor}, {} records, digest {}", live.len(), hex(&digest(&live)))?;
    if digest(&live) != state.digest() || cursor != last.cursor() {
        return Err(OperateError::Archive("the store is not what the archive makes"));
    }
    writeln!(out, "rebuilt   request ids from before are forgotten: a repeated request is decided afresh")?;
    Ok(Exit::Ok)
}
