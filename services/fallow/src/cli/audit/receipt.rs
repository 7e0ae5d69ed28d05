//! `fallow audit receipt`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use fallow_archive::verify::{Receipt, verify};

use super::progress::Progress;
use super::{AgainstArgs, Exit, OperateError};

/// Makes a receipt.
#[derive(Debug, Args)]
pub struct ReceiptArgs {
    /// The folder of the archive
    folder: PathBuf,
    #[command(flatten)]
    against: AgainstArgs,
}

/// Prints the receipt of an archive that is sound.
pub(super) fn receipt(args: &ReceiptArgs) -> Result<Exit, OperateError> {
    let (against, mut progress) = (args.against.read()?, Progress::new());
    let report = verify(&args.folder, &against, &mut |told| progress.count(&told));
    progress.end();
    let report = report.map_err(|source| OperateError::File { path: args.folder.clone(), source })?;
    if let Some(finding) = report.findings.into_iter().next() {
        return Err(OperateError::Unsound(finding));
    }
    let last = report.last.ok_or(OperateError::Archive("the archive is empty"))?;
    let line = serde_json::to_string(&Receipt::of(&last)).map_err(std::io::Error::from)?;
    writeln!(std::io::stdout(), "{line}")?;
    Ok(Exit::Ok)
}
