//! The running audits: the archive is read once from its first record, each change is held against the rules as it is
//! archived, and from time to time everything that is live.
//!
//! What is kept in memory is the live records, twice while a snapshot is compared, and a page of the log: whatever is
//! archived while the archive is read is taken from the log afterwards.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fallow_ledger::{Change, Cursor, Keeper, Revision, Trouble, Versioned};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;

use crate::archivist::Step;
use crate::auditor::{Auditor, Broken};
use crate::keys::PublicKey;
use crate::verify::{Against, Report, Witness, verify_through};

/// Changes that are taken from the log at once, and how often in one call: what a call costs has a bound.
const PAGE: usize = 256;
const PAGES: usize = 8;
/// How long to wait before an archive is read again with which something is wrong, at first and at most. To read it costs
/// as much as it is long.
const READ_AGAIN: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(10), SignedDuration::from_hours(1));
/// How many different things that are wrong are told.
const TOLD: usize = 1_000;

/// What the audits have found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Whether the archive has been read and is as it was written: only then may the log be trimmed.
    pub is_sound: bool,
    /// What is wrong with the archive, as it was read last.
    pub findings: u64,
    /// How often the live records broke a rule when they were audited last, with every step that broke one since the audits
    /// began.
    pub broken: u64,
    /// The last revision that was audited as a whole.
    pub audited: Revision,
    /// How often the archive was read.
    pub readings: u64,
}

/// The audits of an archive and of the live records.
pub struct Audits {
    keeper: Arc<dyn Keeper>,
    folder: PathBuf,
    keys: Vec<PublicKey>,
    every: SignedDuration,
    /// The reading of the whole archive, while it goes on.
    reading: Option<JoinHandle<io::Result<Report>>>,
    /// When the archive was last read in vain, and how long to wait after that.
    in_vain: Option<(Timestamp, SignedDuration)>,
    auditor: Option<(Auditor, Arc<str>)>,
    /// A snapshot to be compared once the auditor has reached its revision.
    drawn: Option<(Vec<Versioned>, Cursor)>,
    audited_at: Option<Timestamp>,
    /// What was broken: by steps so far, by the live records, and by the picture, each when it was looked at last.
    broken: [u64; 3],
    found: Found,
    /// What was told: it is told once.
    told: BTreeSet<String>,
}

impl Audits {
    /// Makes the audits of an archive in a folder, signed by any of some keys. Everything live is audited every so often.
    #[must_use]
    pub fn new(
        keeper: Arc<dyn Keeper>,
        folder: PathBuf,
        keys: Vec<PublicKey>,
        every: SignedDuration,
    ) -> Self {
        Self {
            keeper,
            folder,
            keys,
            every,
            reading: None,
            in_vain: None,
            auditor: None,
            drawn: None,
            audited_at: None,
            broken: [0; 3],
            found: Found::default(),
            told: BTreeSet::new(),
        }
    }

    /// Takes what was just archived, and says what has been found so far.
    pub async fn take(&mut self, step: &Step, now: Timestamp) -> Found {
        let is_of = |history: &Arc<str>| history == step.archived.cursor.history();
        if self.auditor.as_ref().is_some_and(|(_, history)| !is_of(history)) {
            // A new part of the archive was begun: from its snapshot on.
            self.forget();
        }
        match self.auditor {
            None => self.read(step, now).await,
            Some(_) => self.follow(step, now).await,
        }
        let through = step.archived.cursor.revision();
        if self.auditor.as_ref().is_some_and(|(auditor, _)| auditor.state().revision() >= through) {
            self.look(now).await;
        }
        self.found.broken = self.broken.iter().sum();
        self.found
    }

    /// Says whether the archive is being read.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    fn forget(&mut self) {
        (self.auditor, self.drawn) = (None, None);
    }

    /// Begins to read the archive from its first record, or goes on when that is done.
    async fn read(&mut self, step: &Step, now: Timestamp) {
        let Some(reading) = self.reading.take() else {
            let waits = |(at, pause): &(Timestamp, SignedDuration)| now.duration_since(*at).abs() < *pause;
            if self.in_vain.as_ref().is_some_and(waits) {
                return;
            }
            let Some(end) = step.end else { return };
            let witnesses = vec![Witness::store(&step.archived)];
            let (folder, against) = (self.folder.clone(), Against { keys: self.keys.clone(), witnesses });
            self.found.readings += 1;
            let read = move || verify_through(&folder, &against, end, &mut |_| {});
            self.reading = Some(tokio::task::spawn_blocking(read));
            return;
        };
        if !reading.is_finished() {
            self.reading = Some(reading);
            return;
        }
        match reading.await {
            Ok(Ok(report)) => self.was_read(report),
            Ok(Err(error)) => tracing::error!(%error, "the archive cannot be read"),
            Err(error) => tracing::error!(%error, "the reading of the archive was lost"),
        }
        self.in_vain = match (&self.auditor, &self.in_vain) {
            (Some(_), _) => None,
            (None, None) => Some((now, READ_AGAIN.0)),
            (None, Some((_, pause))) => Some((now, (*pause * 2).min(READ_AGAIN.1))),
        };
    }

    fn was_read(&mut self, report: Report) {
        self.found.findings = report.findings.len() as u64;
        for finding in &report.findings {
            tracing::error!(%finding, "the archive is not as it was written; nothing is trimmed");
        }
        self.found.is_sound = report.findings.is_empty();
        tracing::info!(
            changes = report.changes,
            segments = report.segments,
            sound = self.found.is_sound,
            "the archive was read"
        );
        if let (Some(state), Some(last)) = (report.state, report.last) {
            self.auditor = Some((Auditor::of(state), last.cursor().history().clone()));
            self.audited_at = None;
        }
    }

    /// Holds what was archived since against the rules: what the step archived, or what is in the log where that does not
    /// follow.
    async fn follow(&mut self, step: &Step, now: Timestamp) {
        let through = step.archived.cursor.revision();
        self.hold(&step.changes);
        for _ in 0..PAGES {
            let Some((auditor, history)) = &self.auditor else { return };
            let reached = auditor.state().revision();
            if reached >= through {
                return;
            }
            match self.keeper.changes(&Cursor::new(history.clone(), reached), PAGE, Duration::ZERO).await {
                Ok(page) => self.hold(&page.changes),
                Err(Trouble::CursorGone) => {
                    // It is in the archive.
                    self.forget();
                    self.in_vain = Some((now, READ_AGAIN.0));
                }
                // The archive is told of it as well.
                Err(_trouble) => return,
            }
        }
    }

    /// Takes changes as far as they follow on what was taken.
    fn hold(&mut self, changes: &[Change]) {
        let mut broken = Vec::new();
        for change in changes {
            let Some((auditor, _)) = &mut self.auditor else { return };
            if change.revision > auditor.state().revision().next() {
                break;
            }
            broken.extend(auditor.take(change));
            self.compare();
        }
        self.broken[0] += broken.len() as u64;
        self.tell(&broken);
    }

    /// Looks at everything when it is time.
    async fn look(&mut self, now: Timestamp) {
        let is_due = self.audited_at.is_none_or(|at| now.duration_since(at).abs() >= self.every);
        if is_due && self.drawn.is_none() {
            self.audit(now);
            self.drawn = self.keeper.snapshot().await.ok();
        }
        self.compare();
    }

    /// Holds the records as the log makes them against every rule.
    fn audit(&mut self, now: Timestamp) {
        let Some((auditor, _)) = &self.auditor else { return };
        self.audited_at = Some(now);
        let broken = auditor.check();
        let revision = auditor.state().revision();
        self.found.audited = revision;
        self.broken[1] = broken.len() as u64;
        if broken.is_empty() {
            self.told.clear();
        }
        self.tell(&broken);
        tracing::info!(revision = revision.0, broken = broken.len(), "the live records were audited");
    }

    /// Compares a snapshot with what the log makes at its revision, once the log has come there.
    fn compare(&mut self) {
        let Some((auditor, history)) = &self.auditor else { return };
        let reached = auditor.state().revision();
        let is_there = |drawn: &mut (Vec<Versioned>, Cursor)| drawn.1.revision() <= reached;
        let Some(drawn) = self.drawn.take_if(is_there) else { return };
        // Of before the archive was read, or of a history that is not archived yet: the next one is compared.
        if drawn.1.revision() < reached || drawn.1.history() != history || reached == Revision::ABSENT {
            return;
        }
        let broken = auditor.compare(&drawn.0);
        self.broken[2] = broken.len() as u64;
        self.tell(&broken);
    }

    fn tell(&mut self, broken: &[Broken]) {
        for one in broken {
            let is_new = self.told.len() < TOLD
                && self.told.insert(format!("{} {} {}", one.rule, one.record, one.found));
            if is_new {
                tracing::error!(
                    rule = one.rule,
                    revision = one.revision.0,
                    record = one.record,
                    found = one.found,
                    "a rule of the ledger does not hold"
                );
            }
        }
    }
}
