//! `fallow audit verify`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fallow_archive::identifiers::{Look, Suspicion};
use fallow_archive::verify::{Against, Report, Told, Witness, verify as read};
use fallow_archive::{Flaw, folder};
use fallow_ledger::state::hex;
use fallow_ledger::{Cursor, Reach};

use super::progress::Progress;
use super::{AgainstArgs, Exit, OperateError, settings};
use crate::wiring::open_keeper;

/// How often the end of an archive that is being written is read again.
const AGAIN: usize = 5;
/// How long to wait before that.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Verifies an archive.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The folder of the archive
    folder: PathBuf,
    #[command(flatten)]
    against: AgainstArgs,
    /// Settings that name the store, which knows how far the archive went
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Look, too, at every text for what could identify a patient. What is found is told by its place alone
    #[arg(long)]
    identifiers: bool,
    /// Ask the store that the environment names (FALLOW__STORE__URL), where there is no --config
    #[arg(long)]
    store: bool,
}

/// Reads an archive and says what is wrong with it.
pub(super) async fn verify(args: &VerifyArgs) -> Result<Exit, OperateError> {
    let mut against = args.against.read()?;
    let mut reach = None;
    if args.store || args.config.is_some() {
        // Asked before the archive is read: what was archived then must be there.
        let keeper = open_keeper(&settings(args.config.as_deref())?)?;
        let found = keeper.reach().await?;
        against.witnesses.extend(found.archived.iter().map(Witness::store));
        reach = Some(found);
    }
    let report = settled(&args.folder, &against).await?;
    let mut text = told(&report, &against, reach.as_ref());
    let mut is_clean = true;
    if args.identifiers {
        let failed = |source| OperateError::File { path: args.folder.clone(), source };
        let (found, texts) = looked(&args.folder, &against).map_err(failed)?;
        is_clean = found.is_empty();
        text.push_str(&suspected(&found, texts));
    }
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if report.findings.is_empty() && is_clean { Exit::Ok } else { Exit::Failed })
}

/// Looks at every text of an archive that a checkpoint covers.
fn looked(path: &std::path::Path, against: &Against) -> std::io::Result<(Vec<Suspicion>, u64)> {
    let mut look = Look::default();
    read(path, against, &mut |told| match told {
        Told::Change { change, .. } => look.change(change),
        Told::Snapshot(state) => look.snapshot(state),
        Told::Segment { .. } => {}
    })?;
    Ok(look.end())
}

/// Says what could identify a patient, by its place alone.
fn suspected(found: &[Suspicion], texts: u64) -> String {
    let mut text = String::new();
    for one in found {
        // Writing to a string does not fail.
        let _ = writeln!(text, "PATIENT?  {one}");
    }
    let end = match found.len() {
        0 => "nothing that could identify a patient".to_owned(),
        1 => "1 place that could identify a patient".to_owned(),
        more => format!("{more} places that could identify a patient"),
    };
    let _ = writeln!(text, "texts     {texts} different ones were looked at: {end}");
    text
}

/// Reads an archive. One that is being written may end in the middle of a batch: then it is read again.
pub(crate) async fn settled(path: &std::path::Path, against: &Against) -> Result<Report, OperateError> {
    let failed = |source| OperateError::File { path: path.to_owned(), source };
    for _ in 1..AGAIN {
        let report = once(path, against).map_err(failed)?;
        let (files, _) = folder::segments(path).map_err(failed)?;
        let last = files.last().map(|(number, _)| folder::name(*number)).unwrap_or_default();
        let may_settle = |flaw: &Flaw| {
            matches!(flaw, Flaw::Torn { .. } | Flaw::Unconfirmed { .. } | Flaw::Crc | Flaw::NotASegment)
        };
        let is_settled =
            !report.findings.iter().any(|found| found.place.segment == last && may_settle(&found.flaw));
        if is_settled {
            return Ok(report);
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
    once(path, against).map_err(failed)
}

fn once(path: &std::path::Path, against: &Against) -> std::io::Result<Report> {
    let mut progress = Progress::new();
    let report = read(path, against, &mut |told| progress.count(&told));
    progress.end();
    report
}

/// Says what was found.
fn told(report: &Report, against: &Against, reach: Option<&Reach>) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_report(&mut text, report, against, reach);
    text
}

fn write_report(
    text: &mut String,
    report: &Report,
    against: &Against,
    reach: Option<&Reach>,
) -> std::fmt::Result {
    let region = report.region.as_deref().unwrap_or("unknown");
    writeln!(text, "archive   region {region}, {} segments, {} bytes", report.segments, report.bytes)?;
    if let (Some(first), Some(last)) = (report.first, &report.last) {
        let cursor = last.cursor();
        writeln!(text, "changes   {}, revisions {first} to {}", report.changes, cursor.revision())?;
        writeln!(text, "last      {} at {}, chain {}", cursor, last.checkpoint.at, hex(&last.chain))?;
    }
    match against.keys.len() {
        0 => writeln!(text, "signed    not looked at: give --key, or a skilful edit is not found")?,
        keys => writeln!(text, "signed    {} checkpoints, by {keys} key(s)", report.checkpoints)?,
    }
    for part in &report.breaks {
        let (before, after) = (&part.before, &part.after);
        writeln!(
            text,
            "break     segment {} goes on at {after}, not {before}, since {}",
            part.number, part.at
        )?;
    }
    match &report.state {
        Some(state) => writeln!(text, "state     {} records, digest {}", state.len(), hex(&state.digest()))?,
        None => writeln!(text, "state     not known: no snapshot, or not sound")?,
    }
    if let Some(reach) = reach {
        let last = report.last.as_ref().map(fallow_archive::verify::Last::cursor);
        writeln!(text, "store     {}", store(reach, last.as_ref()))?;
    }
    if against.witnesses.is_empty() {
        writeln!(text, "witness   none: whether the end is missing, only the store or a receipt can show")?;
    }
    for finding in &report.findings {
        writeln!(text, "FOUND     {finding}")?;
    }
    writeln!(text, "{}", if report.findings.is_empty() { "sound" } else { "NOT SOUND" })
}

fn store(reach: &Reach, last: Option<&Cursor>) -> String {
    let head = &reach.head;
    match last {
        Some(last) if last.history() == head.history() && last.revision() <= head.revision() => {
            let lag = head.revision().0 - last.revision().0;
            format!("at revision {}; {lag} changes are not archived", head.revision())
        }
        Some(last) if last.history() == head.history() => {
            format!("at revision {}: it is behind the archive and has lost changes", head.revision())
        }
        Some(_) => format!("at {head}: of another history than the end of the archive"),
        None => format!("at revision {}: nothing is archived", head.revision()),
    }
}
