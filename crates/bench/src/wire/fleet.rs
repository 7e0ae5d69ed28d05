//! The processes that are measured.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fallow_api::client::{Client, Settings};
use fallow_api::v1::ListOffersRequest;
use fallow_ledger_redis::testing::RedisServer;
use tempfile::TempDir;

use super::Options;

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
        Ok(Client::new(&Settings::at(&self.address).with_token(&*self.token))?)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A durable Redis, two processes of services over it, and the bare handler.
pub(crate) struct Fleet {
    pub(crate) capacity: Served,
    /// Another process of the same services.
    pub(crate) other: Served,
    pub(crate) bare: Served,
    _redis: RedisServer,
    _folder: TempDir,
}

impl Fleet {
    /// Starts them and waits until they serve.
    pub(crate) async fn start(options: &Options) -> Result<Fleet> {
        let (redis, folder) = (RedisServer::start_durable().await, tempfile::tempdir()?);
        said(Command::new(&options.fallow).args(["token", "keygen"]).arg(folder.path()))?;
        let mut issue = Command::new(&options.fallow);
        issue.args([
            "token",
            "issue",
            "--subject",
            "bench",
            "--role",
            "trust_system",
            "--trust",
            "ZA1",
            "--ttl",
            "8h",
        ]);
        issue.arg("--key").arg(folder.path().join("signing-key.pem"));
        let token = said(&mut issue)?.trim().to_owned();
        let serve = |name: &str| {
            let port = free_port()?;
            let mut command = Command::new(&options.fallow);
            command.args(["serve", "capacity", "monitor"]);
            command.env("FALLOW__STORE__KIND", "redis").env("FALLOW__STORE__URL", redis.url());
            command.env("FALLOW__LISTEN__CAPACITY", port.to_string()).env("FALLOW__LISTEN__MONITOR", "0");
            command.env("FALLOW__REGION__FILE", &options.region);
            command.env("FALLOW__IDENTITY__ISSUER_KEYS_FILE", folder.path().join("issuer-keys.json"));
            command.env("FALLOW__IDENTITY__SIGNING_KEY_FILE", folder.path().join("signing-key.pem"));
            command.env("FALLOW__TELEMETRY__LOG_FILTER", "error");
            for lane in ["PUBLISH", "READ"] {
                for kind in ["PER_SECOND", "BURST"] {
                    command.env(format!("FALLOW__LIMITS__{lane}_{kind}"), "100000");
                }
            }
            command.env("FALLOW__LIMITS__CALLS", "10000").env("FALLOW__LIMITS__WATCHES", "10000");
            start(command, port, &token, &folder.path().join(name))
        };
        let (capacity, other) = (serve("one")?, serve("other")?);
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["wire-bare", "--url", &redis.url(), "--port", &port.to_string()]);
        let bare = start(command, port, &token, &folder.path().join("bare"))?;
        for served in [&capacity, &other] {
            ready(served).await?;
        }
        Ok(Fleet { capacity, other, bare, _redis: redis, _folder: folder })
    }
}

fn start(mut command: Command, port: u16, token: &str, log: &Path) -> Result<Served> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?);
    let process = command.spawn().with_context(|| format!("{command:?}"))?;
    Ok(Served { process, address: format!("http://127.0.0.1:{port}"), token: token.to_owned() })
}

async fn ready(served: &Served) -> Result<()> {
    let client = served.client()?;
    for _ in 0..600 {
        if client.capacity().list_offers(ListOffersRequest::default()).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("{} did not serve within a minute", served.address)
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
