//! The processes of a round: services, servers, and the ways between them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fallow_api::client::{Client, Settings};
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{Label, RegionId};
use fallow_host::clock::Clock;
use fallow_host::identity::{Caller, Signer, SigningKey};
use fallow_ledger::Keeper as _;
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::SignedDuration;
use tokio::time::Instant;

use crate::archive::Archive;
use crate::clock::{Shim, Stepped};
use crate::plan::{ARCHIVE, Place, SERVICES, World};
use crate::process::{Process, Start};
use crate::proxy::Proxy;
use crate::store::Server;

/// The region of every round.
pub(crate) const REGION: &str = "north-vale";
/// Its file.
pub(crate) const REGION_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../regions/north-vale.toml");
/// A call is given up after this long: it is then of unknown outcome.
pub(crate) const DEADLINE: Duration = Duration::from_millis(2_500);
/// A debug build on a busy machine takes seconds to start.
const SERVES_WITHIN: Duration = Duration::from_secs(60);
/// Clocks are stepped by less than half of it, and tokens last for all of it.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3_600);

/// Everything of a round that runs outside this process.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// The services, in the order of [`SERVICES`].
    pub(crate) services: Vec<Service>,
    /// The servers: the primary first.
    pub(crate) servers: Vec<Server>,
    /// The ways from the primary's replicas to it.
    pub(crate) links: Vec<Proxy>,
    /// The archive, outside the servers.
    pub(crate) archive: Archive,
    /// The way by which the log is read.
    reader: Proxy,
    /// Which server the services are led to.
    primary: Mutex<usize>,
    signer: Signer,
}

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) process: Process,
    pub(crate) proxy: Proxy,
    pub(crate) clock: Stepped,
    port: u16,
}

/// What all rounds share.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    /// The program under test.
    pub(crate) binary: PathBuf,
    /// Clocks that can be stepped.
    pub(crate) shim: Shim,
    /// The bug that is planted, for proving that it is found.
    pub(crate) planted: Option<String>,
}

impl Fleet {
    /// Starts everything and returns when every service serves.
    ///
    /// # Errors
    /// Something does not start in time.
    pub(crate) async fn start(folder: &Path, world: World, tools: &Tools, small_disk: bool) -> Result<Self> {
        let logs = folder.join("logs");
        std::fs::create_dir_all(&logs)?;
        let ports = free_ports(3 + SERVICES.len())?;
        let place = (folder, logs.as_path());
        let mut servers = vec![Server::new("redis", (ports[0], None), place, &tools.shim)?];
        let mut links = Vec::new();
        if world == World::OneReplicaMustHaveIt {
            for (number, port) in [1, 2].into_iter().zip(&ports[1..]) {
                let link = Proxy::open(servers[0].target()).await?;
                let name = format!("replica-{number}");
                servers.push(Server::new(&name, (*port, Some(link.port())), place, &tools.shim)?);
                links.push(link);
            }
        }
        if small_disk {
            servers[0].small_disk()?;
        }
        for server in &servers {
            server.process.run()?;
            server.ready().await?;
        }
        let key = SigningKey::generate()?;
        std::fs::write(folder.join("issuer-keys.json"), key.key_set().to_json())?;
        std::fs::write(folder.join("signing-key.pem"), key.to_pem())?;
        private(&folder.join("signing-key.pem"))?;
        let past = Clock::system().now() - SignedDuration::try_from(TOKEN_LIFE / 2)?;
        let signer = Signer::new(key, "fallow", "fallow", Clock::manual(past));
        let mut archive = Archive::new(folder, &tools.binary).await?;
        let reader = Proxy::open(servers[0].target()).await?;
        let mut services = Vec::new();
        for ((name, role), port) in SERVICES.into_iter().zip(&ports[3..]) {
            let proxy = Proxy::open(servers[0].target()).await?;
            let clock = Stepped::new(folder.join(format!("{name}.clock")))?;
            let mut environment = settings(role, *port, proxy.port(), folder, world);
            if role == "archive" {
                environment.extend(archive.settings());
                archive.environment.clone_from(&environment);
            }
            environment.extend(tools.shim.environment(&clock));
            if let Some(bug) = &tools.planted {
                environment.push((fallow_ledger::planted::VARIABLE.to_owned(), bug.clone()));
            }
            let start = Start {
                name: name.to_owned(),
                command: vec![tools.binary.display().to_string(), "serve".to_owned(), role.to_owned()],
                environment,
                folder: folder.to_owned(),
            };
            services.push(Service { process: Process::new(start, &logs), proxy, clock, port: *port });
        }
        let fleet = Self { services, servers, links, archive, reader, primary: Mutex::new(0), signer };
        for service in &fleet.services {
            service.process.run()?;
        }
        fleet.serving(SERVES_WITHIN).await?;
        Ok(fleet)
    }

    /// Waits until every service answers a read.
    ///
    /// # Errors
    /// One does not in time, with the end of its log.
    pub(crate) async fn serving(&self, within: Duration) -> Result<()> {
        let asker = self.client(Role::Gold, None, 2)?;
        let until = Instant::now() + within;
        for place in 0..SERVICES.len() {
            while let Err(why) = self.serves(&asker, place).await {
                let service = &self.services[place];
                if Instant::now() >= until || (service.process.starts() > 3 && within == SERVES_WITHIN) {
                    bail!("{} does not serve ({why}):\n{}", service.process.name(), service.process.tail(15));
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
                self.see_to_all()?;
            }
        }
        Ok(())
    }

    async fn serves(&self, asker: &Client, place: Place) -> Result<(), String> {
        use fallow_api::v1;
        let within = Duration::from_secs(2);
        let asked = async {
            match place {
                0 => asker.capacity().list_offers(v1::ListOffersRequest::default()).await.map(drop),
                1 => asker.demand().list_needs(v1::ListNeedsRequest::default()).await.map(drop),
                ARCHIVE => {
                    let reach = self.ledger().map_err(unavailable)?.reach().await;
                    let reach = reach.map_err(|trouble| unavailable(trouble.into()))?;
                    let has_begun = reach.archived.map(drop);
                    has_begun.ok_or_else(|| tonic::Status::unavailable("nothing is archived"))
                }
                4 => asker.monitor().get_region(v1::GetRegionRequest::default()).await.map(drop),
                _ => {
                    let engine = self.client(Role::Gold, None, place).map_err(unavailable)?;
                    engine.matching().list_proposals(v1::ListProposalsRequest::default()).await.map(drop)
                }
            }
        };
        match tokio::time::timeout(within, asked).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(status)) => Err(status.to_string()),
            Err(_) => Err("no answer".to_owned()),
        }
    }

    /// Starts again what has ended by itself, as whoever runs services does.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn see_to_all(&self) -> Result<()> {
        for process in self.processes() {
            process.see_to_it()?;
        }
        Ok(())
    }

    /// Returns all processes.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        let services = self.services.iter().map(|service| &service.process);
        services.chain(self.servers.iter().map(|server| &server.process))
    }

    /// Returns a client that acts in a role, and asks the given one of the two of matching.
    ///
    /// # Errors
    /// The role's token cannot be made.
    pub(crate) fn client(&self, role: Role, trust: Option<&str>, matching: Place) -> Result<Client> {
        let subject = format!("{role}-{}", trust.unwrap_or("region"));
        let subject = Label::parse(&subject).map_err(|error| anyhow::anyhow!("{subject}: {error}"))?;
        let trust = trust.map(str::parse).transpose().map_err(|_| anyhow::anyhow!("no trust"))?;
        let actor = Actor { subject, kind: ActorKind::Person, role, trust };
        let region = RegionId::parse(REGION).map_err(|_| anyhow::anyhow!("no region"))?;
        let token = self.signer.issue(&Caller::unasked(actor, region), TOKEN_LIFE)?;
        let at = |place: Place| format!("http://127.0.0.1:{}", self.services[place].port);
        let settings = Settings {
            capacity: at(0),
            demand: at(1),
            matching: at(matching),
            monitor: at(4),
            deadline: DEADLINE,
            ..Settings::at("http://127.0.0.1:1").with_token(token)
        };
        Ok(Client::new(&settings)?)
    }

    /// Returns the server that the services are led to.
    pub(crate) fn primary(&self) -> &Server {
        &self.servers[*self.primary.lock().unwrap_or_else(PoisonError::into_inner)]
    }

    /// Leads the services to another server.
    pub(crate) fn lead_to(&self, server: usize) {
        *self.primary.lock().unwrap_or_else(PoisonError::into_inner) = server;
        let target = self.servers[server].target();
        for service in &self.services {
            service.proxy.lead_to(target.clone());
        }
        self.reader.lead_to(target);
    }

    /// Opens the ledger as its services see it, without any fault between.
    ///
    /// # Errors
    /// It cannot be reached.
    pub(crate) fn ledger(&self) -> Result<RedisLedger> {
        // That a loss is noticed must not be owed to whoever looks on.
        let options = Options { durability: Durability::Unsafe, looks_on: true, ..Options::default() };
        let url = format!("redis://127.0.0.1:{}/", self.reader.port());
        RedisLedger::lazy(&url, REGION, options).context("the ledger")
    }
}

fn unavailable(error: anyhow::Error) -> tonic::Status {
    tonic::Status::unavailable(error.to_string())
}

/// The settings of a service, by environment alone, as an operator would give them.
fn settings(role: &str, port: u16, store: u16, folder: &Path, world: World) -> Vec<(String, String)> {
    let mut settings = vec![
        ("FALLOW__REGION__ID", REGION.to_owned()),
        ("FALLOW__STORE__KIND", "redis".to_owned()),
        ("FALLOW__STORE__URL", format!("redis://127.0.0.1:{store}")),
        ("FALLOW__IDENTITY__ISSUER_KEYS_FILE", folder.join("issuer-keys.json").display().to_string()),
        ("FALLOW__ENGINE__LEASE_SECONDS", "2".to_owned()),
        ("FALLOW__TELEMETRY__LOG_FILTER", "info".to_owned()),
        // The limits have tests of their own; here they would only hide what happens under load.
        ("FALLOW__LIMITS__WATCHES", "1000".to_owned()),
        ("FALLOW__LIMITS__CALLS", "1000".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect::<Vec<_>>();
    settings.push((format!("FALLOW__LISTEN__{}", role.to_uppercase()), port.to_string()));
    for kind in ["PUBLISH", "NEED", "ANSWER", "STEER", "READ"] {
        for rate in ["PER_SECOND", "BURST"] {
            settings.push((format!("FALLOW__LIMITS__{kind}_{rate}"), "100000".to_owned()));
        }
    }
    if role == "monitor" {
        settings.push(("FALLOW__REGION__FILE".to_owned(), REGION_FILE.to_owned()));
        let key = folder.join("signing-key.pem").display().to_string();
        settings.push(("FALLOW__IDENTITY__SIGNING_KEY_FILE".to_owned(), key));
    }
    if world == World::OneReplicaMustHaveIt {
        settings.push(("FALLOW__STORE__REPLICAS".to_owned(), "1".to_owned()));
    }
    settings
}

fn private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o400))?)
}

/// Returns ports that nothing listens on. All are taken at once, so that none comes twice; and none is of those that the
/// system gives to outgoing connections, which may take a port again before it is used.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    const FIRST: u16 = 12_000;
    const LAST: u16 = 32_000;
    let mut held: Vec<TcpListener> = Vec::new();
    for _ in 0..1_000 {
        if held.len() == count {
            break;
        }
        // By chance, as others on this machine choose theirs.
        let chance = uuid::Uuid::new_v4().as_u64_pair().1 % u64::from(LAST - FIRST);
        let port = FIRST + u16::try_from(chance)?;
        held.extend(TcpListener::bind(("127.0.0.1", port)));
    }
    if held.len() < count {
        bail!("too few of the ports from {FIRST} to {LAST} are free");
    }
    let ports = held.iter().map(|listener| listener.local_addr().map(|at| at.port()));
    Ok(ports.collect::<std::io::Result<_>>()?)
}
