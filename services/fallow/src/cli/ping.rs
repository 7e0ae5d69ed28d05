//! `fallow ping` and `fallow errors`: small things that help when others do not.

use std::path::Path;

use fallow_api::json::Enumeration;
use fallow_api::v1::Objection;
use fallow_api::{reasons, render};
use serde::Serialize;
use tokio::time::{Instant, timeout};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::failure::{Exit, Failure, plainly};
use super::options::Format;
use super::output::{Cell, Column, Record, Tone, View, column, wide};
use super::session::Session;
use super::settings::{Context, Service};

/// How one service answered.
#[derive(Debug, Serialize)]
struct Health {
    service: &'static str,
    /// `serving`, another word of health, or what went wrong.
    status: String,
    took_ms: u128,
    address: String,
}

impl Health {
    fn is_well(&self) -> bool {
        self.status == SERVING
    }
}

impl Record for Health {
    const COLUMNS: &'static [Column] =
        &[column("service"), column("status"), column("took"), column("address")];

    fn id(&self) -> &str {
        self.service
    }

    fn row(&self, _: &View) -> Vec<Cell> {
        let tone = if self.is_well() { Tone::Plain } else { Tone::Bad };
        vec![
            self.service.into(),
            Cell::toned(self.status.as_str(), tone),
            format!("{} ms", self.took_ms).into(),
            self.address.as_str().into(),
        ]
    }
}

/// What is said of a service that serves.
const SERVING: &str = "serving";

/// Runs `fallow ping`: asks each service for its health. Exit 6 when one does not serve.
pub(crate) async fn run(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let mut answers = Vec::new();
    for service in Service::ALL {
        let address = session.context()?.endpoints.of(service).to_owned();
        let begun = Instant::now();
        let asked = health(session.context()?, &address, full_name(service));
        let status = match timeout(session.global.deadline, asked).await {
            Ok(Ok(ServingStatus::Serving)) => SERVING.to_owned(),
            Ok(Ok(other)) => other.as_str_name().to_lowercase(),
            Ok(Err(said)) => said,
            Err(_) => "no answer".to_owned(),
        };
        let took_ms = begun.elapsed().as_millis();
        answers.push(Health { service: service.name(), status, took_ms, address });
    }
    session.show_list(&answers, "")?;
    if answers.iter().all(Health::is_well) {
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
        .map_err(|status| plainly(status.message()).to_owned())
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

/// A reason, as it is told.
#[derive(Debug, Serialize)]
struct Meaning {
    reason: &'static str,
    codes: Vec<&'static str>,
    means: &'static str,
    user: &'static str,
    operator: &'static str,
    developer: &'static str,
}

impl From<&'static reasons::Reason> for Meaning {
    fn from(reason: &'static reasons::Reason) -> Self {
        Self {
            reason: reason.name,
            codes: reason.codes.iter().map(|code| reasons::code_name(*code)).collect(),
            means: reason.means,
            user: reason.user,
            operator: reason.operator,
            developer: reason.developer,
        }
    }
}

impl Record for Meaning {
    const COLUMNS: &'static [Column] = &[
        column("reason"),
        column("means"),
        wide("codes"),
        wide("user"),
        wide("operator"),
        wide("developer"),
    ];

    fn id(&self) -> &str {
        self.reason
    }

    fn row(&self, _: &View) -> Vec<Cell> {
        vec![
            self.reason.into(),
            self.means.into(),
            self.codes.join(" ").into(),
            self.user.into(),
            self.operator.into(),
            self.developer.into(),
        ]
    }
}

/// What `fallow why-not` counts: no failure of a command, but a reason that people look up all the same.
#[derive(Debug, Serialize)]
struct Counted {
    reason: String,
    means: String,
}

impl Record for Counted {
    const COLUMNS: &'static [Column] = &[column("reason"), column("means")];

    fn id(&self) -> &str {
        &self.reason
    }

    fn row(&self, _: &View) -> Vec<Cell> {
        vec![self.reason.as_str().into(), self.means.as_str().into()]
    }
}

fn not_used(
    session: &mut Session<'_>,
    name: String,
    objection: Objection,
    is_for_people: bool,
) -> Result<Exit, Failure> {
    let told = Counted { reason: name, means: format!("offers {}", render::objection(objection)) };
    if !is_for_people {
        return session.show_one(&told);
    }
    let text = format!(
        "{}  (why offers are not used, as fallow why-not counts them)\n  {}\n",
        told.reason, told.means
    );
    session.show_message(&told, &told.reason, &text)
}

/// Runs `fallow errors [REASON]`: what a reason means and what each reader does about it.
pub(crate) fn errors(session: &mut Session<'_>, reason: Option<&str>) -> Result<Exit, Failure> {
    let is_for_people = session.global.format() == Format::Table && session.global.columns.is_empty();
    let Some(typed) = reason else {
        if !is_for_people {
            let all: Vec<Meaning> = reasons::all().map(Meaning::from).collect();
            return session.show_list(&all, "");
        }
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
        if let Ok(objection) = super::codes::parse::<Objection>(typed) {
            return not_used(session, name, objection, is_for_people);
        }
        let objections = Objection::NAMES.iter().filter(|(_, number)| *number != 0).map(|(name, _)| *name);
        let known = reasons::all().map(|reason| reason.name).chain(objections);
        let near = super::codes::nearest(typed, known);
        let guess = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
        let what = format!("there is no reason \"{typed}\".{guess}");
        return Err(
            Failure::new(Exit::NotFound, "NO_SUCH_REASON", what).next("fallow errors, which lists them all")
        );
    };
    let told = Meaning::from(reason);
    if !is_for_people {
        return session.show_one(&told);
    }
    session.terminal.data(&format!(
        "{}  ({})\n  {}\n  you        {}\n  operator   {}\n  developer  {}\n",
        told.reason,
        told.codes.join(", "),
        told.means,
        told.user,
        told.operator,
        told.developer
    ))?;
    Ok(Exit::Ok)
}
