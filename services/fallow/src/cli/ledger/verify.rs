//! `fallow ledger verify`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fallow_archive::auditor::{Auditor, Broken};
use fallow_archive::verify::{Against, Report, Told, Witness, verify as read};
use fallow_ledger::state::{digest, hex};
use fallow_ledger::{Change, Cursor, Keeper, Reach, Revision, Versioned, limits};

use crate::cli::Exit;
use crate::cli::audit::progress::Progress;
use crate::cli::audit::{AgainstArgs, OperateError, settings};
use crate::wiring::open_keeper;

/// Verifies a store.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Settings that name the store; otherwise the environment does
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The archive, for the part of the log that the store no longer keeps
    #[arg(long, value_name = "FOLDER")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    against: AgainstArgs,
}

/// What a store holds, at one revision.
struct Held {
    records: Vec<Versioned>,
    head: Cursor,
    /// What of the log is kept, through the head.
    log: BTreeMap<Revision, Change>,
    reach: Reach,
}

/// What was gone through, and what does not hold.
struct Outcome {
    auditor: Option<Auditor>,
    since: String,
    findings: Vec<String>,
    broken: Vec<Broken>,
}

/// Reads a store, its log and its archive, and says what does not hold.
pub(super) async fn verify(args: &VerifyArgs) -> Result<Exit, OperateError> {
    let keeper = open_keeper(&settings(args.config.as_deref())?)?;
    let held = held(&*keeper).await?;
    let against = args.against.read()?;
    let mut outcome = match &args.archive {
        Some(folder) => {
            let failed = |source| OperateError::File { path: folder.clone(), source };
            from_archive(folder, against, &held).map_err(failed)?
        }
        None => from_log(&held),
    };
    outcome.go_on(&held);
    let is_sound = outcome.broken.is_empty() && outcome.findings.is_empty();
    outcome.print(&held)?;
    Ok(if is_sound { Exit::Ok } else { Exit::Failed })
}

/// Reads the store: how far it reaches first, then the live records, then the log up to them.
async fn held(keeper: &dyn Keeper) -> Result<Held, OperateError> {
    let reach = keeper.reach().await?;
    let (records, head) = keeper.snapshot().await?;
    let mut log = BTreeMap::new();
    let mut cursor = head.at(Revision(reach.oldest.0.saturating_sub(1)));
    while cursor.revision() < head.revision() {
        let page = keeper.changes(&cursor, limits::CHANGES_PAGE, Duration::ZERO).await?;
        if page.changes.is_empty() {
            break;
        }
        cursor = page.cursor;
        log.extend(page.changes.into_iter().map(|change| (change.revision, change)));
    }
    log.retain(|revision, _| *revision <= head.revision());
    Ok(Held { records, head, log, reach })
}

/// Replays an archive, and compares it with what the store still has of its log.
fn from_archive(folder: &std::path::Path, mut against: Against, held: &Held) -> std::io::Result<Outcome> {
    against.witnesses.extend(held.reach.archived.iter().map(Witness::store));
    let (mut progress, mut auditor) = (Progress::new(), Auditor::default());
    let (mut broken, mut differing) = (Vec::new(), Vec::new());
    let report: Report = read(folder, &against, &mut |told| {
        progress.count(&told);
        match told {
            Told::Segment { .. } => {}
            Told::Snapshot(state) => auditor = Auditor::of(state.clone()),
            Told::Change { change, header, .. } => {
                broken.extend(auditor.take(change));
                let is_ours = *header.history == **held.head.history();
                let logged = held.log.get(&change.revision).filter(|_| is_ours);
                if logged.is_some_and(|logged| logged != change) {
                    differing.push(format!(
                        "revision {} is another in the log than in the archive",
                        change.revision
                    ));
                }
            }
        }
    })?;
    progress.end();
    let mut findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    findings.extend(differing);
    let is_ours = report.last.as_ref().is_some_and(|last| last.cursor().history() == held.head.history());
    if !is_ours {
        findings.push("the archive does not end in the history of the store".to_owned());
    }
    let since = format!("the archive, {} changes", report.changes);
    let auditor = report.state.filter(|_| is_ours).map(Auditor::of);
    Ok(Outcome { auditor, since, findings, broken })
}

/// Begins with the log, when it is whole.
fn from_log(held: &Held) -> Outcome {
    let is_whole = held.reach.oldest == Revision(1);
    let since = match is_whole {
        true => "the beginning of the log".to_owned(),
        false => format!("no beginning: the log begins at {}, so give --archive", held.reach.oldest),
    };
    let auditor = is_whole.then(Auditor::default);
    Outcome { auditor, since, findings: Vec::new(), broken: Vec::new() }
}

impl Outcome {
    /// Replays the log over what is known, and holds the live records against it and against every rule.
    fn go_on(&mut self, held: &Held) {
        let Some(auditor) = &mut self.auditor else {
            // Without a beginning the live records are all there is.
            let state = fallow_ledger::state::State::of(held.records.iter().cloned(), held.head.revision());
            self.broken.extend(Auditor::of(state).check());
            return;
        };
        for change in held.log.values() {
            self.broken.extend(auditor.take(change));
        }
        self.broken.extend(auditor.check());
        if auditor.state().revision() == held.head.revision() {
            self.broken.extend(auditor.compare(&held.records));
        } else {
            let (is, must) = (auditor.state().revision(), held.head.revision());
            self.findings.push(format!("the log ends at revision {is}, the store is at {must}"));
        }
    }

    fn print(&self, held: &Held) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "store     {}, {} records, digest {}",
            held.head,
            held.records.len(),
            hex(&digest(&held.records))
        )?;
        writeln!(out, "log       revisions {} to {}", held.reach.oldest, held.head.revision())?;
        writeln!(out, "replay    from {}", self.since)?;
        if let Some(auditor) = &self.auditor {
            let state = auditor.state();
            writeln!(out, "makes     {} records, digest {}", state.len(), hex(&state.digest()))?;
        }
        for finding in &self.findings {
            writeln!(out, "FOUND     {finding}")?;
        }
        for broken in &self.broken {
            writeln!(out, "BROKEN    {broken}")?;
        }
        let is_sound = self.broken.is_empty() && self.findings.is_empty();
        writeln!(out, "{}", if is_sound { "sound" } else { "NOT SOUND" })
    }
}
