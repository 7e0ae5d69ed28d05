//! `fallow healthcheck`: whether a process serves, for whatever starts and watches processes.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use fallow_host::config::Config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::{ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::cli::Exit;
use crate::serve::{Role, chain};
use crate::wiring::{Service, client_tls, reachable};

/// Longest head of an answer that is read: the status line is all that counts.
const HEAD_BYTES: u64 = 1_024;

/// Asks a process of this machine whether it serves. Exit 0 when it does, 6 when it does not.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow healthcheck capacity\n  fallow healthcheck console --address 127.0.0.1:7430"
)]
pub struct HealthcheckArgs {
    /// Which role to ask for
    #[arg(value_enum)]
    role: Role,
    /// Where it listens; by default where the settings say, on this machine
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<SocketAddr>,
    /// A file of settings (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    within: u64,
}

/// Runs the command.
#[must_use]
pub fn run(args: &HealthcheckArgs) -> ExitCode {
    let config = match Config::load(args.config.as_deref(), std::env::vars()) {
        Ok(config) => config,
        Err(error) => {
            let exit = if error.file_is_missing { Exit::NotFound } else { Exit::Usage };
            return end(exit, &format!("error: CONFIG: {error}"));
        }
    };
    let address = args.address.unwrap_or_else(|| configured(args.role, &config));
    let tls = match client_tls(&config) {
        Ok(tls) => tls,
        Err(error) => return end(Exit::Usage, &format!("error: CONFIG: {}", chain(&error))),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Exit::Failed, &format!("error: RUNTIME: {error}")),
    };
    let within = Duration::from_secs(args.within);
    let asked = async { tokio::time::timeout(within, ask(args.role, address, tls)).await };
    match runtime.block_on(asked) {
        Ok(Ok(())) => ExitCode::from(Exit::Ok.code()),
        Ok(Err(error)) => end(Exit::Unavailable, &format!("{address}: {}", chain(&*error))),
        Err(_) => end(Exit::Unavailable, &format!("{address}: no answer within {} s", args.within)),
    }
}

fn configured(role: Role, config: &Config) -> SocketAddr {
    let port = match (role.service(), role) {
        (Some(service), _) => service.port(config),
        (None, Role::Archive) => config.listen.archive,
        (None, Role::Capacity | Role::Demand | Role::Matching | Role::Monitor | Role::Console) => {
            config.listen.console
        }
    };
    reachable(SocketAddr::new(config.listen.bind, port))
}

async fn ask(role: Role, address: SocketAddr, tls: Option<ClientTlsConfig>) -> Result<(), Box<dyn Error>> {
    // The archive has no service of its own: the empty name is the process as a whole.
    let asked = role.service().map(Service::full_name).or((role == Role::Archive).then_some(""));
    match asked {
        Some(service) => {
            let endpoint = match tls {
                None => Endpoint::from_shared(format!("http://{address}"))?,
                Some(tls) => Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?,
            };
            let channel = endpoint.connect().await?;
            let ask = HealthCheckRequest { service: service.to_owned() };
            let answer = HealthClient::new(channel).check(ask).await?.into_inner().status();
            if answer != ServingStatus::Serving {
                return Err(answer.as_str_name().into());
            }
        }
        None => {
            let mut stream = TcpStream::connect(address).await?;
            let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut head = Vec::new();
            stream.take(HEAD_BYTES).read_to_end(&mut head).await?;
            let head = String::from_utf8_lossy(&head);
            let line = head.lines().next().unwrap_or("nothing");
            if line.split(' ').nth(1) != Some("200") {
                return Err(format!("answers {line}").into());
            }
        }
    }
    Ok(())
}

fn end(exit: Exit, line: &str) -> ExitCode {
    use std::io::Write as _;
    // There is nobody left to tell that standard error is gone.
    let _ = writeln!(std::io::stderr(), "{line}");
    ExitCode::from(exit.code())
}
