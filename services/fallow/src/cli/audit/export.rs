//! `fallow audit export`.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use fallow_archive::export::Line;
use fallow_archive::verify::{Told, verify};
use fallow_domain::ids::TrustCode;
use fallow_ledger::Change;
use fallow_ledger::record::Record;
use fallow_ledger::state::State;
use jiff::Timestamp;

use super::progress::Progress;
use super::{AgainstArgs, Exit, OperateError};

/// Says what an archive holds.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The folder of the archive
    folder: PathBuf,
    /// Changes made at this time or later
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Changes made at this time or earlier
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Changes of this trust's records, and those that it made: its ODS code
    #[arg(long, value_name = "ODS")]
    trust: Option<TrustCode>,
    /// One JSON object a line, with the bodies of the records
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    against: AgainstArgs,
}

impl ExportArgs {
    fn wants(&self, line: &Line) -> bool {
        let is_late = self.from.is_none_or(|from| line.at.is_none_or(|at| at >= from));
        let is_early = self.to.is_none_or(|to| line.at.is_none_or(|at| at <= to));
        is_late && is_early && self.trust.is_none_or(|trust| line.concerns(trust))
    }
}

/// Prints the changes that are asked for. They are printed while the archive is read; the exit says whether it was sound.
pub(super) fn export(args: &ExportArgs) -> Result<Exit, OperateError> {
    let (against, mut progress) = (args.against.read()?, Progress::new());
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut failed = None;
    // What was there before each change.
    let mut state = State::default();
    let report = verify(&args.folder, &against, &mut |told| {
        progress.count(&told);
        match told {
            Told::Segment { .. } => {}
            Told::Snapshot(drawn) => state = drawn.clone(),
            Told::Change { change, .. } => {
                if failed.is_none() {
                    failed = print(args, &mut out, &state, change).err();
                }
                if state.apply(change).is_err() {
                    // Before a snapshot, or after a part that is bad: what was before is not known.
                    state = State::of([], change.revision);
                }
            }
        }
    });
    progress.end();
    if let Some(error) = failed {
        return Err(error.into());
    }
    out.flush()?;
    let report = report.map_err(|source| OperateError::File { path: args.folder.clone(), source })?;
    match report.findings.into_iter().next() {
        Some(finding) => Err(OperateError::Unsound(finding)),
        None => Ok(Exit::Ok),
    }
}

fn print(args: &ExportArgs, out: &mut impl Write, state: &State, change: &Change) -> std::io::Result<()> {
    let line = Line::of(change, |key| Record::decode(key.kind, state.get(key)?).ok());
    if !args.wants(&line) {
        return Ok(());
    }
    if args.json {
        serde_json::to_writer(&mut *out, &line)?;
        return out.write_all(b"\n");
    }
    out.write_all(line.text().as_bytes())
}
