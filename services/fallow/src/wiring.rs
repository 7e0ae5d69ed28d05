//! The only place that puts the parts of a process together: ledger, follower, picture, services, engine, console.
//!
//! `fallow serve`, `fallow dev` and the tests differ in what they pass in: the settings, the clock, the ledger, and
//! which parts they want. A process listens at once and says `NOT_SERVING` until its picture is drawn and a region is
//! in force; a store that cannot be reached is waited for, while one that is set up wrongly ends the start.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fallow_api::status::Failure;
use fallow_capacity::Capacity;
use fallow_demand::Demand;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::ids::TrustCode;
use fallow_domain::region::file;
use fallow_host::clock::Clock;
use fallow_host::config::Config;
use fallow_host::identity::provider::ProviderError;
use fallow_host::identity::tls::{Tls, TlsError};
use fallow_host::identity::{Identity, KeyError};
use fallow_host::limits::Limits;
use fallow_host::serve::{Running, ServeError, Server};
use fallow_host::tasks::Tasks;
use fallow_host::telemetry;
use fallow_host::wire::{Denied, Wire};
use fallow_host::working_time::{self, WorkingTimeError};
use fallow_ledger::picture::Picture;
use fallow_ledger::record::region_key;
use fallow_ledger::{Ledger, follow};
use fallow_live::Live;
use fallow_live::denials::{Denial, Denials};
use fallow_live::pages::PageKey;
use fallow_matching::{Matching, engine};
use fallow_monitor::{Identities, Monitor, RoleTablesError};
use thiserror::Error;
use tonic::transport::{Certificate, ClientTlsConfig};
use uuid::Uuid;

pub(crate) mod archive;
mod console;
mod identity;
mod store;
#[cfg(test)]
mod tests;

pub use store::{open as open_ledger, open_keeper, open_redis, redis_options};

/// How long the start waits before it tries a store again that could not be reached.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A gRPC service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// What trusts offer.
    Capacity,
    /// What trusts need.
    Demand,
    /// What is proposed, and the engine that proposes it.
    Matching,
    /// The region as a whole.
    Monitor,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 4] = [Self::Capacity, Self::Demand, Self::Matching, Self::Monitor];

    /// Returns its name in the contract, by which its health is asked for.
    #[must_use]
    pub const fn full_name(self) -> &'static str {
        match self {
            Self::Capacity => "fallow.v1.CapacityService",
            Self::Demand => "fallow.v1.DemandService",
            Self::Matching => "fallow.v1.MatchingService",
            Self::Monitor => "fallow.v1.MonitorService",
        }
    }

    /// Returns the port that the settings give it.
    #[must_use]
    pub fn port(self, config: &Config) -> u16 {
        match self {
            Self::Capacity => config.listen.capacity,
            Self::Demand => config.listen.demand,
            Self::Matching => config.listen.matching,
            Self::Monitor => config.listen.monitor,
        }
    }

    /// Returns where the settings say that it is found.
    #[must_use]
    pub fn endpoint(self, config: &Config) -> &str {
        match self {
            Self::Capacity => &config.endpoints.capacity,
            Self::Demand => &config.endpoints.demand,
            Self::Matching => &config.endpoints.matching,
            Self::Monitor => &config.endpoints.monitor,
        }
    }
}

/// How services share ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// Each service listens on its own.
    Each,
    /// All listen on the port of capacity.
    One,
}

/// Why a process could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A key cannot be used.
    #[error("the keys of identity cannot be used")]
    Identity(#[from] KeyError),
    /// The certificates cannot be used.
    #[error("the certificates cannot be used")]
    Tls(#[from] TlsError),
    /// The console, which signs its own credential, has no key.
    #[error("set identity.signing_key_file: the console signs its own credential")]
    NoSigningKey,
    /// The process that exchanges sign-ins has no key to sign with.
    #[error(
        "set identity.signing_key_file: with provider.issuer, the monitor service signs people's credentials"
    )]
    NoExchangeKey,
    /// The identity provider cannot be used as it is set.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The tables of roles cannot be used.
    #[error(transparent)]
    Roles(#[from] RoleTablesError),
    /// The archive's key cannot be used.
    #[error("archive.key_file: {0}")]
    ArchiveKey(String),
    /// A file that the settings name cannot be read.
    #[error("{setting}: cannot read {}", path.display())]
    File {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Working time cannot be worked out.
    #[error("the working calendar cannot be made")]
    Calendar(#[from] WorkingTimeError),
    /// The region file cannot be applied.
    #[error("region.file: {0}")]
    Region(String),
    /// The store is set up wrongly, or answers nonsense.
    #[error("store: {0}")]
    Store(String),
    /// A setting that this version does not keep.
    #[error("{0}")]
    Setting(&'static str),
    /// A server could not start.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The process was told to stop while it started.
    #[error("told to stop before it was ready")]
    Stopped,
}

/// What the parts of a process share.
pub struct Process {
    /// The settings.
    pub config: Config,
    /// The clock of everything but credentials and the network.
    pub clock: Clock,
    /// When people are at work, by which long holds are counted.
    pub calendar: Arc<WorkingCalendar>,
    /// Who is believed, and the key that signs, if there is one.
    pub identity: Identity,
    /// The certificates by which connections are encrypted; `None` where they are not.
    pub tls: Option<Tls>,
    /// The text of the region file that is applied to a ledger without a region.
    pub region_file: Option<String>,
    /// Set in a demonstration: the switches that its console shows.
    pub demo: Option<fallow_console::Demo>,
    /// Every task of the process.
    pub tasks: Tasks,
}

/// How often it is looked at whether changes are taken.
const LOOK_AT_WRITES: Duration = Duration::from_millis(500);

/// The gRPC services of a process, listening.
pub struct Services {
    /// Where each listens.
    pub addresses: BTreeMap<Service, SocketAddr>,
    /// The ledger and its picture.
    pub live: Live,
    /// What this process's copy of the engine is, where it runs one.
    pub engine: Option<Arc<engine::Standing>>,
    clock: Clock,
    tasks: Tasks,
    region_file: Option<String>,
    running: Vec<Running>,
    scheme: &'static str,
}

impl Process {
    /// Reads the keys and the region file that the settings name.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn new(config: Config, clock: Clock) -> Result<Self, StartError> {
        let identity = Identity::open(&config)?;
        let region_file = config.region.file().map(|path| read("region.file", path)).transpose()?;
        let calendar = Arc::new(working_time::england()?);
        let tls = Tls::open(&config)?;
        Ok(Self { config, clock, calendar, identity, tls, region_file, demo: None, tasks: Tasks::new() })
    }

    /// Starts services over a ledger: its follower, their servers, and with matching the engine. They say `NOT_SERVING`
    /// until [`Services::ready`].
    ///
    /// # Errors
    /// The region file is wrong, or an address cannot be listened on.
    pub async fn services(
        &self,
        services: &BTreeSet<Service>,
        ports: Ports,
        ledger: Arc<dyn Ledger>,
    ) -> Result<Services, StartError> {
        let config = &self.config;
        self.check_region_file()?;
        let picture = Arc::new(Picture::default());
        let live = Live::new(config.region.id.clone(), ledger.clone(), picture.clone(), page_key(config)?);
        let stopping = self.tasks.stopping();
        self.tasks.spawn_vital("follower", async move {
            tokio::select! {
                () = follow::follow(ledger, picture) => {}
                () = stopping => {}
            }
        });
        let engine = services.contains(&Service::Matching).then(|| self.start_engine(&live));
        let verifier =
            self.identity.verifier.clone().refusing(identity::ended_sessions(live.picture().clone()));
        let wire = Wire::new(verifier, Limits::new(&config.limits), &config.server, self.clock.clone())
            .among(is_member(live.clone()))
            .noting(denied(live.denials().clone()));
        self.keep_certificates_fresh();
        let groups: Vec<Vec<Service>> = match ports {
            Ports::Each => services.iter().map(|service| vec![*service]).collect(),
            Ports::One => vec![services.iter().copied().collect()],
        };
        let (mut addresses, mut running) = (BTreeMap::new(), Vec::new());
        for group in groups {
            let port = match ports {
                Ports::Each => group.first().map_or(0, |service| service.port(config)),
                Ports::One => config.listen.capacity,
            };
            let mut server = Server::new(wire.clone()).encrypted(self.tls.clone());
            for service in &group {
                server = self.add(*service, server, &live)?;
            }
            let started = server.start((config.listen.bind, port), &config.server, &self.tasks).await?;
            addresses.extend(group.iter().map(|service| (*service, started.address)));
            running.push(started);
        }
        let picture = live.picture().clone();
        telemetry::show_counter(
            "fallow.picture.drawn",
            "How often this process has drawn its picture from a snapshot: once at its start, and whenever it could not \
             follow the log or was shown what was lost.",
            move || picture.drawn(),
        );
        self.keep_denials(&live, &running);
        Ok(Services {
            addresses,
            live,
            engine,
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
            region_file: self.region_file.clone(),
            running,
            scheme: if self.tls.is_some() { "https" } else { "http" },
        })
    }

    /// Writes into the log what callers are denied, until the servers have ended.
    fn keep_denials(&self, live: &Live, servers: &[Running]) {
        let (recorded, lost) = (live.denials().clone(), live.denials().clone());
        let about = "Calls that were denied, and are in the log.";
        telemetry::show_counter("fallow.denials.recorded", about, move || recorded.recorded());
        let about = "Calls that were denied, and could not be written into the log.";
        telemetry::show_counter("fallow.denials.lost", about, move || lost.lost());
        let (live, clock, stopping) = (live.clone(), self.clock.clone(), self.tasks.stopping());
        let ended: Vec<_> = servers.iter().map(Running::ended).collect();
        let stopped = async move {
            stopping.await;
            futures::future::join_all(ended).await;
        };
        self.tasks.spawn_vital("denials", async move {
            live.denials().keep(live.ledger(), || clock.now(), stopped).await;
        });
    }

    /// Reads certificates again from time to time, where there are any.
    fn keep_certificates_fresh(&self) {
        let Some(tls) = self.tls.clone() else { return };
        let shown = tls.clone();
        telemetry::show_gauge(
            "fallow.tls.stale_lists",
            "Revocation lists in force that should have been replaced by now.",
            move || shown.stale_lists(),
        );
        let stopping = self.tasks.stopping();
        self.tasks.spawn_vital("certificates", async move {
            tokio::select! {
                () = tls.keep_fresh() => {}
                () = stopping => {}
            }
        });
    }

    /// Checks the region file, if this process has one, as far as every start wants it: one that is in force already may say
    /// what a new one may not.
    ///
    /// # Errors
    /// It is wrong, or of another region.
    pub fn check_region_file(&self) -> Result<(), StartError> {
        let Some(toml) = &self.region_file else { return Ok(()) };
        let region = file::parse(toml).map_err(|error| StartError::Region(error.to_string()))?;
        let wanted = &self.config.region.id;
        if region.id != *wanted {
            let text = format!("is of the region {}, but region.id is {wanted}", region.id);
            return Err(StartError::Region(text));
        }
        Ok(())
    }

    /// Checks whether the region file, if this process has one, can be put in force where the ledger holds none.
    ///
    /// # Errors
    /// It cannot, for example because it lets somebody approve who never can.
    pub fn check_new_region_file(&self) -> Result<(), StartError> {
        self.check_region_file()?;
        let Some(toml) = &self.region_file else { return Ok(()) };
        let checked = fallow_monitor::check(&self.config.region.id, toml, self.clock.now());
        checked.map(drop).map_err(|failure| StartError::Region(failure.to_string()))
    }

    /// Starts this process's copy of the engine: it acts while it holds the region's lease, and stands by otherwise. Health
    /// does not depend on which: every copy serves.
    fn start_engine(&self, live: &Live) -> Arc<engine::Standing> {
        let settings =
            engine::Settings { lease: Duration::from_secs(self.config.engine.lease_seconds.into()) };
        let standing = Arc::new(engine::Standing::default());
        show(&standing);
        let (live, clock, calendar) = (live.clone(), self.clock.clone(), self.calendar.clone());
        let run = engine::run(live, clock, calendar, settings, standing.clone(), self.tasks.stopping());
        self.tasks.spawn_vital("engine", run);
        standing
    }

    fn add(&self, service: Service, server: Server, live: &Live) -> Result<Server, StartError> {
        let (live, clock, tasks) = (live.clone(), self.clock.clone(), self.tasks.clone());
        Ok(match service {
            Service::Capacity => server.with(Capacity::server(live, clock, tasks)),
            Service::Demand => server.with(Demand::server(live, clock, tasks)),
            Service::Matching => server.with(Matching::server(live, clock, self.calendar.clone(), tasks)),
            Service::Monitor => {
                let identities =
                    Identities::server(live.clone(), clock.clone(), Clock::system(), self.sign_ins()?);
                let caveat = store::caveat(&self.config.store);
                server
                    .with(Monitor::server(live, clock, self.calendar.clone(), tasks, caveat))
                    .with(identities)
            }
        })
    }
}

impl Services {
    /// Waits until the store answers, the picture is drawn and a region is in force, and says `SERVING` then. A ledger
    /// without a region gets the one of the region file, if this process has one; otherwise another process applies it.
    ///
    /// # Errors
    /// The store is set up wrongly, or the process is told to stop.
    pub async fn ready(&self) -> Result<(), StartError> {
        tokio::select! {
            biased;
            () = self.tasks.stopping() => return Err(StartError::Stopped),
            done = self.prepare() => done?,
        }
        for server in &self.running {
            server.ready().await;
        }
        tracing::info!(revision = self.live.picture().revision().0, "serving");
        Ok(())
    }

    /// Says from now on, by a health name of its own, whether changes are taken. It is looked at often.
    pub fn tell_writes(&self, are_taken: impl Fn() -> bool + Send + Sync + 'static) {
        let servers: Vec<Running> = self.running.iter().map(Running::handle).collect();
        let stopping = self.tasks.stopping();
        self.tasks.spawn("writes_ok", async move {
            let mut stopping = std::pin::pin!(stopping);
            loop {
                for server in &servers {
                    server.takes_writes(are_taken()).await;
                }
                tokio::select! {
                    biased;
                    () = &mut stopping => return,
                    () = tokio::time::sleep(LOOK_AT_WRITES) => {}
                }
            }
        });
    }

    async fn prepare(&self) -> Result<(), StartError> {
        self.reach_store().await?;
        let mut revisions = self.live.picture().revisions();
        let stopped = |_| StartError::Stopped;
        revisions.wait_for(Option::is_some).await.map_err(stopped)?;
        if let Some(toml) = &self.region_file {
            self.bootstrap(toml).await?;
        }
        let mut told = false;
        while self.live.region().is_err() {
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(region = %self.live.region_id(), "no region is in force: waiting for a region file");
            }
            revisions.changed().await.map_err(stopped)?;
        }
        Ok(())
    }

    /// Waits for a store that cannot be reached; one that is set up wrongly does not mend itself.
    async fn reach_store(&self) -> Result<(), StartError> {
        let mut told = false;
        loop {
            match self.live.ledger().read(&[region_key(self.live.region_id())]).await {
                Ok(_) => return Ok(()),
                Err(trouble) if trouble.is_passing() => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(error = %trouble, "the store cannot be reached: trying again until it can");
                    }
                }
                Err(trouble) => return Err(StartError::Store(trouble.to_string())),
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    async fn bootstrap(&self, toml: &str) -> Result<(), StartError> {
        loop {
            match fallow_monitor::bootstrap(&self.live, toml, self.clock.now()).await {
                Ok(()) => return Ok(()),
                Err(
                    failure @ (Failure::StoreAway { .. }
                    | Failure::OutcomeUnknown { .. }
                    | Failure::StoreSealed
                    | Failure::StoreMisconfigured { .. }
                    | Failure::ChangedMeanwhile { .. }),
                ) => {
                    tracing::warn!(error = %failure, "the region file is not applied yet: trying again");
                }
                Err(failure) => return Err(StartError::Region(failure.to_string())),
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Returns the URL at which this machine reaches a service, for clients of the same process.
    #[must_use]
    pub fn url(&self, service: Service) -> Option<String> {
        self.addresses.get(&service).map(|address| format!("{}://{}", self.scheme, reachable(*address)))
    }
}

/// Returns what the wire tells of denied calls.
fn denied(denials: Arc<Denials>) -> impl Fn(Denied) + Send + Sync {
    move |denied| {
        let Denied { by, call, reason, request_id, at, traceparent } = denied;
        denials.note(Denial { by, call, reason, request_id: Some(request_id), at, traceparent });
    }
}

/// Returns what says whether a trust is a member of the region in force, and not merged into another.
fn is_member(live: Live) -> impl Fn(TrustCode) -> bool + Send + Sync {
    move |trust| {
        let region = live.region();
        region.is_ok_and(|force| {
            force.region.trusts.get(&trust).is_some_and(|member| member.successor.is_none())
        })
    }
}

/// Returns how a client of the services encrypts: by the certificate of this process, and its region's authority.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn client_tls(config: &Config) -> Result<Option<ClientTlsConfig>, StartError> {
    let tls = &config.tls;
    if tls.certificate_file.is_empty() {
        return Ok(None);
    }
    let authority = Certificate::from_pem(read("tls.client_ca_file", Path::new(&tls.client_ca_file))?);
    let certificate = read("tls.certificate_file", Path::new(&tls.certificate_file))?;
    let key = read("tls.key_file", Path::new(&tls.key_file))?;
    let own = tonic::transport::Identity::from_pem(certificate, key);
    Ok(Some(ClientTlsConfig::new().ca_certificate(authority).identity(own)))
}

/// Shows what this process's copy of the engine is at the moment.
fn show(standing: &Arc<engine::Standing>) {
    let (active, takeovers, lost) = (standing.clone(), standing.clone(), standing.clone());
    telemetry::show_gauge(
        "fallow.engine.active",
        "Whether this copy is the region's active engine.",
        move || u64::from(active.is_active()),
    );
    telemetry::show_counter(
        "fallow.engine.takeovers",
        "How often this copy has become the active engine.",
        move || takeovers.takeovers(),
    );
    telemetry::show_counter(
        "fallow.engine.lease_lost",
        "How often this copy has found its lease to be another's, and stepped down.",
        move || lost.leases_lost(),
    );
}

/// Makes the key that page numbers are signed with. The copies of a service share it by sharing their keys' file; a
/// process without one is alone.
fn page_key(config: &Config) -> Result<PageKey, StartError> {
    match config.identity.issuer_keys_file() {
        Some(path) => Ok(PageKey::new(read("identity.issuer_keys_file", &path)?.as_bytes())),
        None => Ok(PageKey::new(Uuid::new_v4().as_bytes())),
    }
}

fn read(setting: &'static str, path: &Path) -> Result<String, StartError> {
    std::fs::read_to_string(path).map_err(|source| StartError::File {
        setting,
        path: path.to_owned(),
        source,
    })
}

/// Returns an address to connect to: what listens everywhere is reached on loopback.
#[must_use]
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}
