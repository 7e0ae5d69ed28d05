//! `fallow ping`, `fallow errors` and `fallow version`: small things that help when others do not.

use std::path::Path;

use fallow_api::reasons;
use tokio::time::{Instant, timeout};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::failure::{Exit, Failure};
use super::options::Format;
use super::output::{Cell, Tone};
use super::session::Session;
use super::settings::{Context, Service};

/// Runs `fallow ping`: asks each service for its health. Exit 6 when one does not serve.
pub(crate) async fn run(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    let mut all_serve = true;
    for service in Service::ALL {
        let address = session.context()?.endpoints.of(service).to_owned();
        let begun = Instant::now();
        let asked = health(session.context()?, &address, full_name(service));
        let said = match timeout(session.global.deadline, asked).await {
            Ok(Ok(ServingStatus::Serving)) => Cell::from("serving"),
            Ok(Ok(other)) => Cell::toned(other.as_str_name().to_lowercase(), Tone::Bad),
            Ok(Err(said)) => Cell::toned(said, Tone::Bad),
            Err(_) => Cell::toned("no answer", Tone::Bad),
        };
        let took = begun.elapsed().as_millis();
        all_serve &= said.tone == Tone::Plain;
        rows.push(vec![service.name().into(), said, format!("{took} ms").into(), address.into()]);
    }
    let format = match session.global.format() {
        format @ (Format::Csv | Format::Md | Format::Html) => format,
        Format::Table | Format::Wide | Format::Json | Format::Jsonl | Format::Xlsx | Format::Id => {
            Format::Table
        }
    };
    session.terminal.table(&["service", "status", "took", "address"], rows, format)?;
    if all_serve {
        return Ok(Exit::Ok);
    }
    session
        .terminal
        .say("not every service is there; next: fallow context show, which names the addresses")?;
    Ok(Exit::Unavailable)
}

/// Asks once, without a token: health is for everybody, and a retry would hide what is asked about. An empty name
/// means the process as a whole.
pub(crate) async fn health(
    context: &Context,
    address: &str,
    service: String,
) -> Result<ServingStatus, String> {
    let mut endpoint = Endpoint::from_shared(address.to_owned()).map_err(|error| error.to_string())?;
    let read = |file: &Path| std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()));
    if let Some(file) = &context.authority_file {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(file)?));
        // Services that ask every caller for a certificate ask for it here too.
        if let (Some(certificate), Some(key)) = (&context.certificate_file, &context.key_file) {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        endpoint = endpoint.tls_config(tls).map_err(|error| error.to_string())?;
    }
    let mut client = HealthClient::new(endpoint.connect_lazy());
    client
        .check(HealthCheckRequest { service })
        .await
        .map(|answer| answer.into_inner().status())
        .map_err(|status| status.message().to_owned())
}

/// Returns the name of a service on the wire.
pub(crate) fn full_name(service: Service) -> String {
    let name = match service {
        Service::Capacity => "CapacityService",
        Service::Demand => "DemandService",
        Service::Matching => "MatchingService",
        Service::Monitor => "MonitorService",
    };
    format!("fallow.v1.{name}")
}

/// Runs `fallow errors [REASON]`: what a reason means and what each reader does about it.
pub(crate) fn errors(session: &mut Session<'_>, reason: Option<&str>) -> Result<Exit, Failure> {
    let Some(typed) = reason else {
        for section in reasons::SECTIONS {
            session.terminal.data(&format!("{}\n", section.title))?;
            for reason in section.reasons {
                session.terminal.data(&format!("  {:<24}  {}\n", reason.name, reason.means))?;
            }
        }
        return Ok(Exit::Ok);
    };
    let name = typed.trim().to_uppercase().replace('-', "_");
    let Some(reason) = reasons::find(&name) else {
        let near = super::codes::nearest(typed, reasons::all().map(|reason| reason.name));
        let guess = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
        let what = format!("there is no reason \"{typed}\".{guess}");
        return Err(
            Failure::new(Exit::NotFound, "NO_SUCH_REASON", what).next("fallow errors, which lists them all")
        );
    };
    let codes: Vec<&str> = reason.codes.iter().map(|code| reasons::code_name(*code)).collect();
    session.terminal.data(&format!(
        "{}  ({})\n  {}\n  you        {}\n  operator   {}\n  developer  {}\n",
        reason.name,
        codes.join(", "),
        reason.means,
        reason.user,
        reason.operator,
        reason.developer
    ))?;
    Ok(Exit::Ok)
}

/// Runs `fallow version`.
pub(crate) fn version(session: &mut Session<'_>) -> Result<Exit, Failure> {
    session.terminal.data(&format!("fallow {} (api v1)\n", env!("CARGO_PKG_VERSION")))?;
    Ok(Exit::Ok)
}
