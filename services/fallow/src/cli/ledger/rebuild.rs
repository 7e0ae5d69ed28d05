//! `fallow ledger rebuild`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use fallow_host::clock::Clock;
use fallow_ledger::state::{digest, hex};
use fallow_ledger::{Ledger, Versioned};

use super::accept::{Person, end_holds};
use crate::cli::Exit;
use crate::cli::audit::{AgainstArgs, OperateError, settings, settled};
use crate::wiring::open_redis;

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
    /// Who accepts that what was answered after the end of the archive may be lost
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for every trust that had a hold; at most 80 characters
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Fills an empty store with what an archive makes, if the archive is sound, and opens it.
///
/// Nobody can show that nothing was acknowledged after the end of the archive. So it is a loss that a person accepts, and
/// every open hold is ended: an answer to it may be lost. A rebuild that stops half-way leaves the ledger closed, and
/// `fallow ledger open --accept-loss` goes on with it.
pub(super) async fn rebuild(args: &RebuildArgs) -> Result<Exit, OperateError> {
    let (config, against) = (settings(args.config.as_deref())?, args.against.read()?);
    if against.keys.is_empty() && !args.unsigned {
        return Err(OperateError::Usage(
            "--key: name the public key of the archive, or say --unsigned".to_owned(),
        ));
    }
    let person = Person::parse(&args.by, &args.reason)?;
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
    let ledger = Arc::new(open_redis(&config, "operator")?);
    let at = Clock::system().now();
    let mut out = std::io::stdout();
    writeln!(out, "archive   {}, {} records, digest {}", last.cursor(), records.len(), hex(&state.digest()))?;
    ledger.rebuild(&records, &last.note(), last.line.as_deref(), &person.word(at)).await?;
    let (live, cursor) = ledger.snapshot().await?;
    writeln!(out, "store     {cursor}, {} records, digest {}", live.len(), hex(&digest(&live)))?;
    if digest(&live) != state.digest() || cursor.revision() != last.cursor().revision() {
        return Err(OperateError::Archive("the store is not what the archive makes"));
    }
    let ended = end_holds(&config, ledger.clone(), &person, &[], at).await?;
    ledger.loss_accepted().await?;
    ledger.leave().await?;
    writeln!(out, "rebuilt   request ids from before are forgotten: a repeated request is decided afresh")?;
    writeln!(
        out,
        "open      {} accepted what may be lost, and {ended} open holds were ended with the reason given",
        person.name()
    )?;
    Ok(Exit::Ok)
}
