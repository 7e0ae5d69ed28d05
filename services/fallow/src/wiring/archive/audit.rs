//! The running auditor: reads the archive once from its first record, then each change as it is archived, and on a timer
//! everything that is live.

use std::collections::BTreeSet;
use std::sync::Arc;

use fallow_archive::Settings;
use fallow_archive::auditor::{Auditor, Broken};
use fallow_archive::verify::{Against, Report, Witness, verify};
use fallow_host::telemetry::Gauge;
use fallow_ledger::{Change, Cursor, Keeper, Revision, Versioned};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;

/// The audits of an archive and of the live records.
pub(super) struct Audits {
    keeper: Arc<dyn Keeper>,
    settings: Settings,
    every: SignedDuration,
    /// The reading of the whole archive, while it goes on.
    reading: Option<JoinHandle<std::io::Result<Report>>>,
    auditor: Option<Auditor>,
    /// Changes that came while the archive was read.
    meanwhile: Vec<Change>,
    /// A snapshot to be compared once the auditor has reached its revision.
    drawn: Option<(Vec<Versioned>, Cursor)>,
    audited_at: Option<Timestamp>,
    is_sound: bool,
    /// What is broken and was told: it is told once.
    told: BTreeSet<String>,
    findings: Gauge,
    broken: Gauge,
    audited: Gauge,
}

impl Audits {
    pub(super) fn new(keeper: Arc<dyn Keeper>, settings: Settings, every: SignedDuration) -> Self {
        Self {
            keeper,
            settings,
            every,
            reading: None,
            auditor: None,
            meanwhile: Vec::new(),
            drawn: None,
            audited_at: None,
            is_sound: false,
            told: BTreeSet::new(),
            findings: Gauge::new("fallow.archive.findings", "{finding}", "What is wrong with the archive."),
            broken: Gauge::new("fallow.audit.broken", "{rule}", "Rules that the live records break."),
            audited: Gauge::new("fallow.audit.revision", "{revision}", "The last revision that was audited."),
        }
    }

    /// Takes the changes that were just archived, and says whether the archive is known to be sound.
    pub(super) async fn take(&mut self, changes: &[Change], now: Timestamp) -> bool {
        match &mut self.auditor {
            None => {
                self.meanwhile.extend_from_slice(changes);
                self.read(now).await;
            }
            Some(auditor) => {
                let follows = changes
                    .iter()
                    .find(|change| change.revision > auditor.state().revision())
                    .is_none_or(|next| next.revision == auditor.state().revision().next());
                if follows {
                    let broken: Vec<Broken> =
                        changes.iter().flat_map(|change| auditor.take(change)).collect();
                    self.tell(&broken);
                    self.look(now).await;
                } else {
                    // A new part of the archive was begun: from its snapshot on.
                    (self.auditor, self.drawn) = (None, None);
                    self.meanwhile = changes.to_vec();
                }
            }
        }
        self.is_sound
    }

    /// Begins to read the archive from its first record, or goes on when that is done.
    async fn read(&mut self, now: Timestamp) {
        let Some(reading) = self.reading.take() else {
            let folder = self.settings.folder.clone();
            let keys = self.settings.key.iter().map(fallow_archive::SigningKey::public).collect();
            let note = self.keeper.reach().await.ok().and_then(|reach| reach.archived);
            let witnesses = note.iter().map(Witness::store).collect();
            let against = Against { keys, witnesses };
            self.reading = Some(tokio::task::spawn_blocking(move || verify(&folder, &against, &mut |_| {})));
            return;
        };
        if !reading.is_finished() {
            self.reading = Some(reading);
            return;
        }
        match reading.await {
            Ok(Ok(report)) => self.was_read(report, now),
            Ok(Err(error)) => tracing::error!(%error, "the archive cannot be read"),
            Err(error) => tracing::error!(%error, "the reading of the archive was lost"),
        }
    }

    fn was_read(&mut self, report: Report, now: Timestamp) {
        self.findings.set(report.findings.len() as u64);
        for finding in &report.findings {
            tracing::error!(%finding, "the archive is not as it was written; nothing is trimmed");
        }
        self.is_sound = report.findings.is_empty();
        tracing::info!(
            changes = report.changes,
            segments = report.segments,
            sound = self.is_sound,
            "the archive was read"
        );
        let Some(state) = report.state else { return };
        let mut auditor = Auditor::of(state);
        let meanwhile = std::mem::take(&mut self.meanwhile);
        let broken: Vec<Broken> = meanwhile.iter().flat_map(|change| auditor.take(change)).collect();
        self.auditor = Some(auditor);
        self.tell(&broken);
        self.audit(now);
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
        let Some(auditor) = &self.auditor else { return };
        self.audited_at = Some(now);
        let broken = auditor.check();
        let revision = auditor.state().revision();
        self.broken.set(broken.len() as u64);
        self.audited.set(revision.0);
        if broken.is_empty() {
            self.told.clear();
        }
        self.tell(&broken);
        tracing::info!(revision = revision.0, broken = broken.len(), "the live records were audited");
    }

    /// Compares a snapshot with what the log makes at its revision, once the log has come there.
    fn compare(&mut self) {
        let Some(auditor) = &self.auditor else { return };
        let at = |drawn: &(Vec<Versioned>, Cursor)| drawn.1.revision();
        let reached = auditor.state().revision();
        let Some(drawn) = self.drawn.take_if(|drawn| at(drawn) <= reached) else { return };
        // Passed in one page with later changes: the next one is compared.
        if at(&drawn) < reached || reached == Revision::ABSENT {
            return;
        }
        let broken = auditor.compare(&drawn.0);
        self.tell(&broken);
    }

    fn tell(&mut self, broken: &[Broken]) {
        for one in broken {
            if self.told.insert(format!("{} {} {}", one.rule, one.record, one.found)) {
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
