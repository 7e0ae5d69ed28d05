//! The role `archive`: follows the log into files outside the store, trims what is archived and aged, and audits both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fallow_archive::archivist::{Archivist, Keep, Stopped};
use fallow_archive::audits::{Audits, Found};
use fallow_archive::{Disk, Settings, SigningKey};
use fallow_host::clock::Clock;
use fallow_host::config::Config;
use fallow_host::limits::Limits;
use fallow_host::serve::{Running, Server};
use fallow_host::telemetry::Gauge;
use fallow_host::wire::Wire;
use fallow_ledger::{Archived, Keeper, Revision};
use jiff::SignedDuration;
use tokio::time::Instant;

use super::{Process, StartError};

/// How long a step waits for a change.
const WAIT: Duration = Duration::from_secs(1);
/// How long the archive waits after it could not go on, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long it waits at most while the ledger is closed, which its own word may open.
const SPEAKS_EVERY: Duration = Duration::from_secs(1);
/// How often it says that it still stands still.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Bytes of a megabyte of the settings.
const MEGABYTE: u64 = 1_000_000;

impl Process {
    /// Starts the archive of a ledger as a vital task, and returns where it answers health checks.
    ///
    /// It says that it serves while everything that it knows of is archived, and that it does not while it stands still.
    ///
    /// # Errors
    /// The settings name no folder or no key, the key cannot be used, or the address cannot be listened on.
    pub async fn archive(&self, keeper: Arc<dyn Keeper>) -> Result<SocketAddr, StartError> {
        let config = &self.config;
        let settings = settings(config)?;
        let keep = Keep {
            age: SignedDuration::from_hours(config.archive.keep_hours.into()),
            changes: config.archive.keep_changes.into(),
        };
        let wire = Wire::new(
            self.identity.verifier.clone(),
            Limits::new(&config.limits),
            &config.server,
            self.clock.clone(),
        );
        let listen = (config.listen.bind, config.listen.archive);
        let health =
            Server::new(wire).encrypted(self.tls.clone()).start(listen, &config.server, &self.tasks).await?;
        let address = health.address;
        let every = SignedDuration::from_mins(config.archive.audit_minutes.into());
        let keys = settings.key.iter().map(SigningKey::public).collect();
        let audits = Audits::new(keeper.clone(), settings.folder.clone(), keys, every);
        let mut archivist = Archivist::new(keeper.clone(), settings, Disk::default(), keep);
        // Nothing is trimmed before the archive was read from its first record.
        archivist.hold_trimming(true);
        let keeping = Keeping {
            archivist,
            keeper,
            clock: self.clock.clone(),
            health,
            gauges: Gauges::new(),
            standstill: None,
            audits,
        };
        let stopping = self.tasks.stopping();
        self.tasks.spawn_vital("archive", keeping.run(stopping));
        Ok(address)
    }
}

/// Reads the settings of the archive, and its key.
///
/// # Errors
/// They name no folder or no key, or the key cannot be used.
pub(crate) fn settings(config: &Config) -> Result<Settings, StartError> {
    let archive = &config.archive;
    let folder =
        archive.folder().ok_or(StartError::Setting("archive.folder: name the folder of the archive"))?;
    let key = match archive.key_file() {
        Some(path) => {
            let key = SigningKey::read(path);
            Some(key.map_err(|error| StartError::ArchiveKey(error.to_string()))?)
        }
        None if archive.allow_unsigned => {
            tracing::error!(
                "the archive is not signed (archive.allow_unsigned): whoever can write its files can rewrite them unseen"
            );
            None
        }
        None => {
            return Err(StartError::Setting(
                "archive.key_file: name the key that signs, from `fallow archive keygen`, or set archive.allow_unsigned",
            ));
        }
    };
    Ok(Settings {
        folder: folder.to_owned(),
        region: config.region.id.as_str().into(),
        segment_bytes: u64::from(archive.segment_megabytes) * MEGABYTE,
        segment_age: SignedDuration::from_mins(archive.segment_minutes.into()),
        key,
    })
}

/// What the collector is told.
struct Gauges {
    revision: Gauge,
    lag: Gauge,
    flushed: Gauge,
    trimmed: Gauge,
    standing: Gauge,
    findings: Gauge,
    broken: Gauge,
    audited: Gauge,
}

impl Gauges {
    fn new() -> Self {
        Self {
            revision: Gauge::new(
                "fallow.archive.revision",
                "{revision}",
                "The last revision that is archived.",
            ),
            lag: Gauge::new(
                "fallow.archive.lag",
                "{change}",
                "Changes of the store that are not archived yet.",
            ),
            flushed: Gauge::new(
                "fallow.archive.flushed",
                "s",
                "When the archive was flushed last, since 1970.",
            ),
            trimmed: Gauge::new(
                "fallow.archive.trimmed",
                "{revision}",
                "The last revision that was trimmed.",
            ),
            standing: Gauge::new("fallow.archive.standing_still", "1", "1 while nothing can be archived."),
            findings: Gauge::new("fallow.archive.findings", "{finding}", "What is wrong with the archive."),
            broken: Gauge::new("fallow.audit.broken", "{rule}", "How often a rule of the ledger is broken."),
            audited: Gauge::new("fallow.audit.revision", "{revision}", "The last revision that was audited."),
        }
    }

    fn audited(&self, found: &Found) {
        self.findings.set(found.findings);
        self.broken.set(found.broken);
        self.audited.set(found.audited.0);
    }
}

/// A time in which nothing can be archived.
struct Standstill {
    pause: Duration,
    told_at: Instant,
    text: String,
}

struct Keeping {
    archivist: Archivist,
    keeper: Arc<dyn Keeper>,
    clock: Clock,
    health: Running,
    gauges: Gauges,
    standstill: Option<Standstill>,
    audits: Audits,
}

impl Keeping {
    async fn run(mut self, stopping: impl Future<Output = ()>) {
        let mut stopping = std::pin::pin!(stopping);
        loop {
            let now = self.clock.now();
            tokio::select! {
                biased;
                () = &mut stopping => break,
                () = self.step(now) => {}
            }
        }
        if let Err(stopped) = self.archivist.finish(self.clock.now()).await {
            tracing::warn!(error = %stopped, "the last segment was not closed; it is taken up again");
        }
    }

    async fn step(&mut self, now: jiff::Timestamp) {
        match self.archivist.step(now, WAIT).await {
            Ok(step) => {
                self.goes_on(&step.archived, step.trimmed).await;
                let found = self.audits.take(&step, now).await;
                self.gauges.audited(&found);
                self.archivist.hold_trimming(!found.is_sound);
            }
            Err(stopped) => self.stands_still(&stopped).await,
        }
    }

    async fn goes_on(&mut self, archived: &Archived, trimmed: Option<Revision>) {
        if self.standstill.take().is_some() {
            tracing::info!(archived = %archived.cursor, "the archive goes on");
        }
        self.gauges.standing.set(0);
        self.gauges.revision.set(archived.cursor.revision().0);
        self.gauges.flushed.set(u64::try_from(archived.at.as_second()).unwrap_or(0));
        if let Some(trimmed) = trimmed {
            self.gauges.trimmed.set(trimmed.0);
        }
        if let Ok(reach) = self.keeper.reach().await {
            self.gauges.lag.set(reach.head.revision().0.saturating_sub(archived.cursor.revision().0));
        }
        self.health.ready().await;
    }

    /// Says loudly that nothing is archived and nothing trimmed, and waits a little.
    async fn stands_still(&mut self, stopped: &Stopped) {
        self.health.not_ready().await;
        self.gauges.standing.set(1);
        let text = stopped.to_string();
        let longest = match stopped {
            Stopped::Closed { .. } => SPEAKS_EVERY,
            Stopped::Archive(_) | Stopped::StoreBehind { .. } | Stopped::Store(_) | Stopped::Task(_) => {
                BACK_OFF.1
            }
        };
        let (pause, told_at) = match self.standstill.take() {
            Some(last) if last.text == text && last.told_at.elapsed() < TOLD_EVERY => {
                ((last.pause * 2).min(longest), last.told_at)
            }
            last => {
                if stopped.is_passing() {
                    tracing::warn!(error = text, "the archive waits for the store; nothing is trimmed");
                } else {
                    tracing::error!(error = text, "the archive stands still; nothing is trimmed");
                }
                let pause = last.map_or(BACK_OFF.0, |last| (last.pause * 2).min(longest));
                (pause, Instant::now())
            }
        };
        self.standstill = Some(Standstill { pause, told_at, text });
        tokio::time::sleep(pause).await;
    }
}
