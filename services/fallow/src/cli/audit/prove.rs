//! `fallow audit prove`.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use fallow_archive::Batch;
use fallow_archive::entry::Header;
use fallow_archive::proof::concerns;
use fallow_archive::verify::{Told, verify};
use fallow_domain::ids::TrustCode;
use fallow_ledger::cause::Cause;
use fallow_ledger::record::Record;
use fallow_ledger::state::State;
use fallow_ledger::{Change, Key, Revision};
use jiff::Timestamp;

use super::progress::Progress;
use super::{AgainstArgs, Exit, OperateError};

/// Proves changes to a trust.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// The folder of the archive
    folder: PathBuf,
    /// The trust that is to be given the proofs: its ODS code
    #[arg(long, value_name = "ODS")]
    trust: TrustCode,
    /// Changes made at this time or later
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Changes made at this time or earlier
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// The change of this revision
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u64>,
    /// What was done by this request of the trust
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    #[command(flatten)]
    against: AgainstArgs,
}

impl ProveArgs {
    fn wants(&self, change: &Change) -> bool {
        if self.revision.is_some_and(|revision| Revision(revision) != change.revision) {
            return false;
        }
        let cause = Cause::decode(&change.cause);
        // What was denied is dated in the log when it was written, and in a trail when it was denied.
        let at = cause
            .as_ref()
            .map(|cause| cause.denied.as_ref().and_then(|denied| denied.at).unwrap_or(cause.at));
        let is_late = self.from.is_none_or(|from| at.is_none_or(|at| at >= from));
        let is_early = self.to.is_none_or(|to| at.is_none_or(|at| at <= to));
        // The ids of requests are each trust's own: another may have used the same.
        let is_asked = self.request.as_ref().is_none_or(|id| {
            let own = cause.filter(|cause| cause.by.trust == Some(self.trust));
            own.and_then(|cause| cause.request_id).as_ref() == Some(id)
        });
        is_late && is_early && is_asked
    }
}

/// What was made of the changes that were asked for.
#[derive(Default)]
struct Made {
    proofs: u64,
    /// Changes of the trust from before proofs were kept.
    without: u64,
    /// The last change that is archived.
    last: Option<Revision>,
    failed: Option<OperateError>,
}

/// Prints the proofs that are asked for, one a line. They are printed while the archive is read; the exit says whether it
/// was sound.
pub(super) fn prove(args: &ProveArgs) -> Result<Exit, OperateError> {
    let (against, mut progress) = (args.against.read()?, Progress::new());
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut made = Made::default();
    // What was there before each change: it says whose a record was that is removed.
    let mut state = State::default();
    let report = verify(&args.folder, &against, &mut |told| {
        progress.count(&told);
        match told {
            Told::Segment { .. } => {}
            Told::Snapshot(drawn) => state = drawn.clone(),
            Told::Change { change, header, batch } => {
                made.last = Some(change.revision);
                if made.failed.is_none() && args.wants(change) {
                    put(args, &mut out, &mut made, &state, (change, header, batch));
                }
                if state.apply(change).is_err() {
                    // Before a snapshot, or after a part that is bad: what was before is not known.
                    state = State::of([], change.revision);
                }
            }
        }
    });
    progress.end();
    if let Some(error) = made.failed {
        return Err(error);
    }
    out.flush()?;
    let report = report.map_err(|source| OperateError::File { path: args.folder.clone(), source })?;
    if let Some(finding) = report.findings.into_iter().next() {
        return Err(OperateError::Unsound(finding));
    }
    if made.without > 0 {
        let text = "changes were archived before proofs were kept, and have none";
        writeln!(std::io::stderr(), "note: {} {text}", made.without)?;
    }
    if made.proofs == 0 {
        let mut text = "no such change of this trust can be proved by this archive".to_owned();
        if let Some(last) = made.last.filter(|last| args.revision.is_some_and(|asked| asked > last.0)) {
            text += &format!("; its last is revision {last}");
        }
        writeln!(std::io::stderr(), "{text}")?;
        return Ok(Exit::NothingMatched);
    }
    Ok(Exit::Ok)
}

fn put(
    args: &ProveArgs,
    out: &mut impl Write,
    made: &mut Made,
    state: &State,
    (change, header, batch): (&Change, &Header, Option<&Batch>),
) {
    let before = |key: &Key| Record::decode(key.kind, state.get(key)?).ok();
    let Some(batch) = batch else {
        made.without += u64::from(concerns(change, args.trust, before));
        return;
    };
    if !batch.is_signed() {
        made.failed = Some(OperateError::Archive("it is not signed, and proves nothing to anybody"));
        return;
    }
    let Some(proof) = batch.prove(change, header, args.trust, before) else { return };
    let written = serde_json::to_writer(&mut *out, &proof).map_err(std::io::Error::from);
    match written.and_then(|()| out.write_all(b"\n")) {
        Ok(()) => made.proofs += 1,
        Err(error) => made.failed = Some(error.into()),
    }
}
