//! A running demonstration: every service over one ledger, the console, the simulated region, and what the command line
//! needs to find them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fallow_api::client::{Client, Settings, SettingsError};
use fallow_console::Demo;
use fallow_domain::region::file::RegionFileError;
use fallow_domain::region::{Region, file};
use fallow_host::clock::Clock;
use fallow_host::config::{Config, ConfigError};
use fallow_host::identity::{KeyError, built_in};
use fallow_host::tasks::{Tasks, TasksError};
use fallow_host::telemetry::{Telemetry, TelemetryError};
use fallow_ledger::{Ledger, MemoryLedger, Trouble};
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::Timestamp;
use thiserror::Error;
use uuid::Uuid;

use super::log::Keeping;
use super::scenario::{Scenario, ScenarioError};
use super::simulator::{Simulator, Tally, Voices};
use super::{DevArgs, SignIn, provider};
use crate::cli::{DevFiles, Endpoints};
use crate::replay::ReplayError;
use crate::wiring::{self, Ports, Process, Service, Services, StartError};

/// The region that is shown when no other is named.
const NORTH_VALE: &str = include_str!("../../../../regions/north-vale.toml");
/// Whom the command line acts as when nobody is named, where the region has this user.
const FIRST_USER: &str = "bed-manager.ZA4";
/// Life of the credentials of the simulated people and the command line: longer than any demonstration.
const TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Why a demonstration cannot be shown.
#[derive(Debug, Error)]
pub enum DevError {
    /// A setting of the environment is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The region file cannot be read.
    #[error("--region: {} cannot be read", path.display())]
    RegionFile {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The region file is wrong.
    #[error("--region")]
    Region(#[from] RegionFileError),
    /// The scenario cannot be played.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The log cannot be kept.
    #[error("--log: {0}")]
    Log(#[source] ReplayError),
    /// A credential cannot be made.
    #[error("a credential cannot be made")]
    Key(#[from] KeyError),
    /// The address of Redis cannot be used.
    #[error("--redis: {0}")]
    Redis(Trouble),
    /// Telemetry cannot start.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A part cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The services' own address is none.
    #[error("the services cannot be called")]
    Client(#[from] SettingsError),
    /// What the command line needs cannot be written.
    #[error("the command line's context cannot be written")]
    Files(#[source] std::io::Error),
    /// The provider cannot listen.
    #[error("--sign-in: the provider cannot listen")]
    Issuer(#[source] std::io::Error),
    /// The provider cannot be made.
    #[error("--sign-in")]
    Provider(#[from] fallow_issuer::IssuerError),
    /// Signals cannot be heard.
    #[error("signals cannot be heard")]
    Signals(#[source] std::io::Error),
    /// It did not end as it should.
    #[error(transparent)]
    End(#[from] TasksError),
}

impl DevError {
    /// Says whether what was typed is wrong, rather than what was tried.
    #[must_use]
    pub const fn is_of_usage(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::RegionFile { .. }
            | Self::Region(_)
            | Self::Scenario(_)
            | Self::Redis(_) => true,
            Self::Log(_)
            | Self::Key(_)
            | Self::Telemetry(_)
            | Self::Start(_)
            | Self::Client(_)
            | Self::Files(_)
            | Self::Issuer(_)
            | Self::Provider(_)
            | Self::Signals(_)
            | Self::End(_) => false,
        }
    }
}

/// A running demonstration.
pub struct Demonstration {
    process: Process,
    services: Services,
    console: SocketAddr,
    grpc_url: String,
    region_name: String,
    begins_at: Timestamp,
    tally: Tally,
    files: DevFiles,
    first_user: String,
    redis_keys: Option<String>,
    provider_url: Option<String>,
    telemetry: Option<Telemetry>,
}

impl Demonstration {
    /// Starts everything; returns as soon as the services serve. What the command line needs goes below `state_folder`.
    ///
    /// # Errors
    /// Something cannot start.
    pub async fn start(args: &DevArgs, state_folder: &Path) -> Result<Self, DevError> {
        let region_toml = match &args.region {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| DevError::RegionFile { path: path.clone(), source })?,
            None => NORTH_VALE.to_owned(),
        };
        let region = file::parse(&region_toml)?;
        let scenario = Scenario::named(&args.scenario)?;
        if !args.no_simulator {
            scenario.fits(&region)?;
        }
        let mut config = settings(args, &region)?;
        let at_provider = match args.sign_in {
            SignIn::List => None,
            SignIn::Provider => {
                // The provider must know the console's address before there is one.
                let port = if args.port == 0 { free_port()? } else { args.port };
                let folder = state_folder.join("fallow-dev");
                let prepared = provider::prepare(&region, port, &folder).await?;
                let port = port.to_string();
                let given = prepared.settings.iter().map(|(path, text)| (*path, text.as_str()));
                let given: Vec<(&str, &str)> = given.chain([("listen.console", port.as_str())]).collect();
                config = config.with(&given)?;
                Some(prepared)
            }
        };
        // A second one in the same process, as in tests, shares the first one's telemetry.
        let telemetry = match Telemetry::start(&config.telemetry, "fallow-dev", config.region.id.as_str()) {
            Ok(telemetry) => Some(telemetry),
            Err(TelemetryError::AlreadyRunning) => None,
            Err(error) => return Err(error.into()),
        };
        let begins_at = scenario.begins_at();
        let clock = Clock::scaled(begins_at, args.speed);
        let mut process = Process::new(config, clock.clone())?;
        process.region_file = Some(region_toml);
        let demo = Demo::new(clock.clone());
        process.demo = Some(demo.clone());
        let provider_url = at_provider.as_ref().map(|prepared| prepared.issuer.address().to_owned());
        if let Some(provider::Prepared { issuer, listener, .. }) = at_provider {
            let serving = issuer.serve(listener, process.tasks.stopping());
            process.tasks.spawn("provider", async move {
                if let Err(error) = serving.await {
                    tracing::error!(%error, "the provider ended");
                }
            });
        }

        let (ledger, redis_keys) = ledger(args, &region)?;
        if let Some(path) = &args.log {
            let keeping = Keeping::start(path, ledger.clone()).await.map_err(DevError::Log)?;
            process.tasks.spawn("log", keeping.run(process.tasks.stopping()));
        }
        let services = process.services(&Service::ALL.into(), Ports::One, ledger).await?;
        services.ready().await?;
        if args.redis.is_none() {
            // What lies in this process takes changes as long as it is there.
            services.tell_writes(|| true);
        }
        let console = process.console(Some(&services)).await?;
        let grpc_url = services.url(Service::Capacity).unwrap_or_default();

        let tokens = tokens(&process, &region)?;
        let files = DevFiles::below(state_folder);
        let first_user =
            leave_context(&files, &grpc_url, args.speed, &tokens, &region).map_err(DevError::Files)?;
        let tally = Tally::default();
        if !args.no_simulator {
            let client = Client::new(&Settings::at(&grpc_url))?;
            let voices = Voices::new(client, tokens, tally.clone());
            let simulator = Simulator::new(scenario, args.seed, clock, &voices, demo.faults);
            process.tasks.spawn("simulator", simulator.run(process.tasks.stopping()));
        }
        Ok(Self {
            region_name: region.name.to_string(),
            process,
            services,
            console,
            grpc_url,
            begins_at,
            tally,
            files,
            first_user,
            redis_keys,
            provider_url,
            telemetry,
        })
    }

    /// Returns the tasks of the process.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.process.tasks
    }

    /// Returns its parts, for whoever looks closer than the API allows.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Returns its clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.process.clock
    }

    /// Returns what the simulated people have done.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Returns when its clock began.
    #[must_use]
    pub fn begins_at(&self) -> Timestamp {
        self.begins_at
    }

    /// Returns the name of its region.
    #[must_use]
    pub fn region_name(&self) -> &str {
        &self.region_name
    }

    /// Returns where the console is.
    #[must_use]
    pub fn console_url(&self) -> String {
        format!("http://{}", wiring::reachable(self.console))
    }

    /// Returns where the services are.
    #[must_use]
    pub fn grpc_url(&self) -> &str {
        &self.grpc_url
    }

    /// Returns whom the command line acts as when nobody is named.
    #[must_use]
    pub fn first_user(&self) -> &str {
        &self.first_user
    }

    /// Returns the name under which its keys lie in Redis, where they stay; `None` = its ledger is in this process.
    #[must_use]
    pub fn redis_keys(&self) -> Option<&str> {
        self.redis_keys.as_deref()
    }

    /// Returns where people sign in; `None` = from a list.
    #[must_use]
    pub fn provider_url(&self) -> Option<&str> {
        self.provider_url.as_deref()
    }

    /// Ends everything, within `limit`.
    ///
    /// # Errors
    /// A task does not end, a vital one had ended before, or the context cannot be removed.
    pub async fn end(self, limit: Duration) -> Result<(), DevError> {
        self.files.remove().map_err(DevError::Files)?;
        let ended = self.process.tasks.finish(limit).await;
        if let Some(telemetry) = self.telemetry {
            telemetry.finish();
        }
        Ok(ended?)
    }
}

/// Returns a port that is free at the moment.
fn free_port() -> Result<u16, DevError> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(DevError::Issuer)?;
    Ok(listener.local_addr().map_err(DevError::Issuer)?.port())
}

/// The greatest limit that the settings take.
const LIMIT_MAX: u32 = 100_000;

/// Returns the settings: the environment's, and what the arguments say. Limits are of seconds of the demonstration's clock:
/// what people and systems do in a minute they do here in a second, at the fastest speed that can be chosen meanwhile.
fn settings(args: &DevArgs, region: &Region) -> Result<Config, DevError> {
    let plain = Config::load(None, std::env::vars())?;
    let limits = &plain.limits;
    let speeds = Demo::new(Clock::scaled(Timestamp::UNIX_EPOCH, args.speed)).speeds();
    let fastest = speeds.last().copied().unwrap_or(args.speed);
    let faster = |of_a_second: u32| of_a_second.saturating_mul(fastest).min(LIMIT_MAX).to_string();
    let mut given = vec![
        ("region.id", region.id.to_string()),
        ("dev.enabled", "true".to_owned()),
        ("dev.speed", args.speed.to_string()),
        ("dev.seed", args.seed.to_string()),
        ("dev.scenario", args.scenario.clone()),
        ("identity.built_in_users", "true".to_owned()),
        ("listen.console", args.port.to_string()),
        ("listen.capacity", args.grpc_port.to_string()),
        ("limits.publish_per_second", faster(limits.publish_per_second)),
        ("limits.publish_burst", faster(limits.publish_burst)),
        ("limits.need_per_second", faster(limits.need_per_second)),
        ("limits.need_burst", faster(limits.need_burst)),
        ("limits.answer_per_second", faster(limits.answer_per_second)),
        ("limits.answer_burst", faster(limits.answer_burst)),
        ("limits.steer_per_second", faster(limits.steer_per_second)),
        ("limits.steer_burst", faster(limits.steer_burst)),
        ("limits.read_per_second", faster(limits.read_per_second)),
        ("limits.read_burst", faster(limits.read_burst)),
    ];
    // The banner is for people; what goes wrong still shows.
    if plain.telemetry.log_filter == "info" {
        given.push(("telemetry.log_filter", "warn".to_owned()));
    }
    let given: Vec<(&str, &str)> = given.iter().map(|(path, text)| (*path, text.as_str())).collect();
    Ok(plain.with(&given)?)
}

/// Opens the ledger: in the process, or in Redis under keys that no other demonstration has, for its clock starts anew.
fn ledger(args: &DevArgs, region: &Region) -> Result<(Arc<dyn Ledger>, Option<String>), DevError> {
    let Some(url) = &args.redis else { return Ok((Arc::new(MemoryLedger::new()), None)) };
    let keys = format!("{}-dev-{}", region.id, Uuid::now_v7().simple());
    // Nothing is kept, so nothing need be durable.
    let options = Options { durability: Durability::Unsafe, ..Options::default() };
    let ledger = RedisLedger::lazy(url, &keys, options).map_err(DevError::Redis)?;
    Ok((Arc::new(ledger), Some(keys)))
}

/// Makes a credential for every built-in user of a region.
fn tokens(process: &Process, region: &Region) -> Result<BTreeMap<String, String>, DevError> {
    let Some(signer) = &process.identity.signer else { return Err(StartError::NoSigningKey.into()) };
    let trusts: Vec<_> = region.trusts.keys().copied().collect();
    let mut tokens = BTreeMap::new();
    for name in built_in::names(&trusts) {
        if let Some(user) = built_in::user(&name, &region.id) {
            tokens.insert(name, signer.issue(&user, TOKEN_LIFE)?);
        }
    }
    Ok(tokens)
}

/// Leaves a context and a credential for each user, and returns whom the command line acts as by itself.
fn leave_context(
    files: &DevFiles,
    grpc_url: &str,
    speed: u32,
    tokens: &BTreeMap<String, String>,
    region: &Region,
) -> std::io::Result<String> {
    let site_of = |user: &str| {
        let trust = user.split_once('.').map_or("", |(_, trust)| trust);
        let site = region.sites.iter().find(|(_, site)| site.trust.as_str() == trust);
        site.map(|(code, _)| code.to_string()).unwrap_or_default()
    };
    let mut users: Vec<(&str, String, &str)> =
        tokens.iter().map(|(user, token)| (user.as_str(), site_of(user), token.as_str())).collect();
    users.sort_by_key(|(user, ..)| *user != FIRST_USER);
    let users: Vec<(&str, &str, &str)> =
        users.iter().map(|(user, site, token)| (*user, site.as_str(), *token)).collect();
    files.write(Endpoints::All(grpc_url.to_owned()), speed, &users)?;
    Ok(users.first().map_or("", |(user, ..)| user).to_owned())
}

#[cfg(test)]
mod tests;
