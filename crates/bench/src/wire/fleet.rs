//! The processes that are measured.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fallow_api::client::{Client, Settings};
use fallow_api::v1::ListOffersRequest;
use fallow_ledger_redis::testing::RedisServer;
use tempfile::TempDir;

use super::Options;

/// The services' own region: its file, and its id in it.
pub(crate) const REGION: (&str, &str) = ("regions/north-vale.toml", "north-vale");

/// A process, and how it is called.
pub(crate) struct Served {
    process: Child,
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Served {
    /// Returns the number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Makes a client with a connection of its own.
    pub(crate) fn client(&self) -> Result<Client> {
        self.client_of(&self.token)
    }

    /// Makes a client of another trust.
    pub(crate) fn client_of(&self, token: &str) -> Result<Client> {
        Ok(Client::new(&Settings::at(&self.address).with_token(token))?)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A durable Redis, a key for tokens, and a region: what processes are started on.
pub(crate) struct Ground {
    fallow: PathBuf,
    region: PathBuf,
    region_id: String,
    redis: RedisServer,
    folder: TempDir,
}

impl Ground {
    /// Starts the store and makes the key, for a region file and the region's id in it.
    pub(crate) async fn new(fallow: &Path, region: &Path, region_id: &str) -> Result<Ground> {
        // Without it no service would ever serve, and only after a minute would somebody learn so.
        ensure!(
            region.is_file(),
            "there is no region file {}: run this at the root of the repository",
            region.display()
        );
        let (redis, folder) = (RedisServer::start_durable().await, tempfile::tempdir()?);
        said(Command::new(fallow).args(["token", "keygen"]).arg(folder.path()))?;
        let (fallow, region, region_id) = (fallow.to_owned(), region.to_owned(), region_id.to_owned());
        Ok(Ground { fallow, region, region_id, redis, folder })
    }

    /// Makes a token for a trust's systems.
    pub(crate) fn token(&self, trust: &str) -> Result<String> {
        self.issue(&["--role", "trust_system", "--trust", trust])
    }

    /// Makes a token for gold command, who sees every trust.
    pub(crate) fn gold(&self) -> Result<String> {
        self.issue(&["--role", "gold"])
    }

    fn issue(&self, whose: &[&str]) -> Result<String> {
        let mut issue = Command::new(&self.fallow);
        issue.args(["token", "issue", "--subject", "bench", "--ttl", "8h"]).args(whose);
        issue.arg("--key").arg(self.folder.path().join("signing-key.pem"));
        issue.env("FALLOW__REGION__ID", &self.region_id);
        Ok(said(&mut issue)?.trim().to_owned())
    }

    /// Starts a process of these roles; calls go to the first, by the token of a trust.
    pub(crate) fn serve(&self, name: &str, roles: &[&str], token: &str, lanes: Lanes) -> Result<Served> {
        let port = free_port()?;
        let mut command = Command::new(&self.fallow);
        command.arg("serve").args(roles);
        command.env("FALLOW__STORE__KIND", "redis").env("FALLOW__STORE__URL", self.redis.url());
        for (at, role) in roles.iter().enumerate() {
            let port = if at == 0 { port } else { 0 };
            command.env(format!("FALLOW__LISTEN__{}", role.to_uppercase()), port.to_string());
        }
        command.env("FALLOW__REGION__FILE", &self.region);
        self.identify(&mut command);
        command.env("FALLOW__IDENTITY__SIGNING_KEY_FILE", self.folder.path().join("signing-key.pem"));
        command.env("FALLOW__TELEMETRY__LOG_FILTER", "error");
        if lanes == Lanes::Open {
            for lane in ["PUBLISH", "NEED", "READ"] {
                for kind in ["PER_SECOND", "BURST"] {
                    command.env(format!("FALLOW__LIMITS__{lane}_{kind}"), "100000");
                }
            }
            for limit in ["CALLS", "WATCHES", "LOAD"] {
                command.env(format!("FALLOW__LIMITS__{limit}"), "10000");
            }
        }
        start(command, port, token, &self.folder.path().join(name))
    }
}

impl Ground {
    /// Starts a bare handler.
    fn bare(&self, name: &str, token: &str, followed: bool) -> Result<Served> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["wire-bare", "--url", &self.redis.url(), "--port", &port.to_string()]);
        if followed {
            command.arg("--followed");
        }
        self.identify(&mut command);
        start(command, port, token, &self.folder.path().join(name))
    }

    /// Tells a process whose credentials it is to believe.
    fn identify(&self, command: &mut Command) {
        command.env("FALLOW__REGION__ID", &self.region_id);
        command.env("FALLOW__IDENTITY__ISSUER_KEYS_FILE", self.folder.path().join("issuer-keys.json"));
    }
}

/// Whether callers are limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lanes {
    /// As the settings say: the limits are what is measured.
    AsSet,
    /// Not to be noticed: what is measured is above them.
    Open,
}

/// Two processes of the same services, and the bare handlers.
pub(crate) struct Fleet {
    pub(crate) capacity: Served,
    /// Another process of the same services.
    pub(crate) other: Served,
    pub(crate) bare: Served,
    /// The bare handler that verifies credentials and follows its region.
    pub(crate) followed: Served,
    /// The other follower of that region.
    _follower: Served,
    _ground: Ground,
}

impl Fleet {
    /// Starts them and waits until they serve.
    pub(crate) async fn start(options: &Options) -> Result<Fleet> {
        let ground = Ground::new(&options.fallow, Path::new(REGION.0), REGION.1).await?;
        let token = ground.token("ZA1")?;
        let serve = |name| ground.serve(name, &["capacity", "monitor"], &token, Lanes::Open);
        let (capacity, other) = (serve("one")?, serve("other")?);
        let bare = ground.bare("bare", &token, false)?;
        let (followed, follower) =
            (ground.bare("followed", &token, true)?, ground.bare("follower", &token, true)?);
        for served in [&capacity, &other] {
            ready(served).await?;
        }
        for served in [&bare, &followed, &follower] {
            listens(served).await?;
        }
        Ok(Fleet { capacity, other, bare, followed, _follower: follower, _ground: ground })
    }
}

fn start(mut command: Command, port: u16, token: &str, log: &Path) -> Result<Served> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?);
    let process = command.spawn().with_context(|| format!("{command:?}"))?;
    Ok(Served { process, address: format!("http://127.0.0.1:{port}"), token: token.to_owned() })
}

/// Waits until a process of the capacity service serves.
pub(crate) async fn ready(served: &Served) -> Result<()> {
    let client = served.client()?;
    for _ in 0..600 {
        if client.capacity().list_offers(ListOffersRequest::default()).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("{} did not serve within a minute", served.address)
}

/// Waits until a bare handler listens.
async fn listens(served: &Served) -> Result<()> {
    let address = served.address.trim_start_matches("http://");
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("{} did not listen within a minute", served.address)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Runs a command to its end and returns what it printed.
fn said(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
