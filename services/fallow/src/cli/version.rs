//! `fallow version`: what this is, and with `--all` what each service says it is.

use clap::Args;
use fallow_api::v1::{GetRegionRequest, ListNeedsRequest, ListOffersRequest, ListProposalsRequest};
use fallow_host::wire::VERSION;
use serde::Serialize;
use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

use super::failure::{Exit, Failure};
use super::options::Format;
use super::output::{Cell, Column, Record, Tone, View, column};
use super::session::Session;
use super::settings::Service;

/// The version of the API that this command line speaks.
const API: &str = "v1";
/// What a service of a release before this header says of itself.
const NOT_TOLD: &str = "not told";

/// Which versions.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow version\n  fallow version --all\n  fallow version --all -o json\n\nWith --all: exit 6 when a \
                   service does not answer, 5 when it does not know you, 1 when it speaks another version of the API."
)]
pub(crate) struct Version {
    /// Ask each service too which version it is, and which versions of the API it serves
    #[arg(long)]
    pub(crate) all: bool,
}

/// What one part is.
#[derive(Debug, Serialize)]
struct Part {
    /// `fallow` for this command line, else the service.
    part: &'static str,
    /// Its release; empty when it did not answer.
    version: String,
    /// The versions of the API that it speaks.
    api: Vec<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    address: String,
    /// Why it did not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
    #[serde(skip)]
    exit: Exit,
}

impl Part {
    fn own() -> Self {
        Self {
            part: "fallow",
            version: env!("CARGO_PKG_VERSION").to_owned(),
            api: vec![API.to_owned()],
            address: String::new(),
            error: String::new(),
            exit: Exit::Ok,
        }
    }

    /// Reads what a service said: its release, a space, and the versions of the API that it serves.
    fn of(service: Service, address: &str, said: Result<MetadataMap, Failure>) -> Self {
        let mut part = Self {
            part: service.name(),
            version: String::new(),
            api: Vec::new(),
            address: address.to_owned(),
            error: String::new(),
            exit: Exit::Ok,
        };
        match said {
            Err(failure) => {
                part.error = format!("{}: {}", failure.reason, failure.what);
                part.exit = failure.exit;
            }
            Ok(headers) => match headers.get(VERSION).and_then(|value| value.to_str().ok()) {
                None => part.version = NOT_TOLD.to_owned(),
                Some(told) => {
                    let (version, api) = told.split_once(' ').unwrap_or((told, ""));
                    part.version = version.to_owned();
                    part.api = api.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect();
                    if !part.api.iter().any(|one| one == API) {
                        part.error = format!("it does not serve {API}, which this command line speaks");
                        part.exit = Exit::Failed;
                    }
                }
            },
        }
        part
    }
}

impl Record for Part {
    const COLUMNS: &'static [Column] =
        &[column("part"), column("version"), column("api"), column("address"), column("error")];

    fn id(&self) -> &str {
        self.part
    }

    fn row(&self, _: &View) -> Vec<Cell> {
        let tone = if self.exit == Exit::Ok { Tone::Plain } else { Tone::Bad };
        vec![
            self.part.into(),
            self.version.as_str().into(),
            self.api.join(" ").into(),
            self.address.as_str().into(),
            Cell::toned(self.error.as_str(), tone),
        ]
    }
}

/// Runs `fallow version`; the context is chosen already where services are asked.
pub(crate) async fn run(session: &mut Session<'_>, args: &Version) -> Result<Exit, Failure> {
    let own = Part::own();
    if !args.all {
        if session.global.format() == Format::Table && session.global.columns.is_empty() {
            session.terminal.data(&format!("fallow {} (api {API})\n", own.version))?;
            return Ok(Exit::Ok);
        }
        return session.show_one(&own);
    }
    let mut parts = vec![own];
    parts.extend(services(session).await?);
    session.show_list(&parts, "")?;
    // Who does not answer weighs more than who does not know the caller, and that more than another version.
    let worst = [Exit::Unavailable, Exit::TimedOut, Exit::NotAllowed];
    let worst = worst.into_iter().find(|exit| parts.iter().any(|part| part.exit == *exit));
    let other = parts.iter().map(|part| part.exit).find(|exit| *exit != Exit::Ok);
    let exit = worst.or(other).unwrap_or(Exit::Ok);
    match exit {
        Exit::Ok => {}
        Exit::NotAllowed => session
            .terminal
            .say("a service says what it is only to whom it knows; next: fallow auth whoami")?,
        Exit::Unavailable | Exit::TimedOut => {
            session.terminal.say("not every service answers; next: fallow ping")?
        }
        Exit::Failed
        | Exit::Usage
        | Exit::NotFound
        | Exit::Conflict
        | Exit::Partial
        | Exit::NothingMatched
        | Exit::Interrupted => session.terminal.say("next: use the command line of the services' release")?,
    }
    Ok(exit)
}

async fn services(session: &Session<'_>) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::with_capacity(Service::ALL.len());
    for service in Service::ALL {
        let address = session.context()?.endpoints.of(service).to_owned();
        let said = ask(session, service).await;
        parts.push(Part::of(service, &address, said));
    }
    Ok(parts)
}

/// Compares the services with this command line: what they are, and whether they are all as it is. `None` when none says.
pub(crate) async fn compared(session: &Session<'_>) -> Result<Option<(String, bool)>, Failure> {
    Ok(compare(&Part::own(), &services(session).await?))
}

/// Compares those that say what they are; those that do not are named, for one release serves beside another then.
fn compare(own: &Part, parts: &[Part]) -> Option<(String, bool)> {
    let (told, silent): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|part| !part.api.is_empty());
    if told.is_empty() {
        return None;
    }
    let is_own = |part: &Part| part.version == own.version && part.api == own.api;
    let mine = format!("{}, api {}", own.version, own.api.join(" "));
    if silent.is_empty() && told.iter().all(|part| is_own(part)) {
        return Some((format!("{mine}, as yours"), true));
    }
    let other = told.iter().filter(|part| !is_own(part));
    let mut said: Vec<String> =
        other.map(|part| format!("{} {}, api {}", part.part, part.version, part.api.join(" "))).collect();
    said.extend(silent.iter().map(|part| format!("{} does not say", part.part)));
    Some((format!("{} (yours {mine})", said.join("; ")), false))
}

/// Asks a service for the little that it shows to most, for what it says of itself beside the answer.
async fn ask(session: &Session<'_>, service: Service) -> Result<MetadataMap, Failure> {
    match service {
        Service::Capacity => {
            let ask = ListOffersRequest { page_size: 1, ..ListOffersRequest::default() };
            let mut client = session.capacity()?;
            beside(session, client.list_offers(timed(session, ask))).await
        }
        Service::Demand => {
            let ask = ListNeedsRequest { page_size: 1, ..ListNeedsRequest::default() };
            let mut client = session.demand()?;
            beside(session, client.list_needs(timed(session, ask))).await
        }
        Service::Matching => {
            let ask = ListProposalsRequest { page_size: 1, ..ListProposalsRequest::default() };
            let mut client = session.matching()?;
            beside(session, client.list_proposals(timed(session, ask))).await
        }
        Service::Monitor => {
            let mut client = session.monitor()?;
            beside(session, client.get_region(timed(session, GetRegionRequest {}))).await
        }
    }
}

fn timed<M>(session: &Session<'_>, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(session.global.deadline);
    request
}

/// Returns what came beside an answer, also of a refusal: who is known and may not is told all the same.
async fn beside<R>(
    session: &Session<'_>,
    asked: impl Future<Output = Result<Response<R>, Status>>,
) -> Result<MetadataMap, Failure> {
    let late = |_| Err(Status::deadline_exceeded("the answer did not come in time"));
    match timeout(session.global.deadline, asked).await.unwrap_or_else(late) {
        Ok(answer) => Ok(answer.metadata().clone()),
        Err(status) if status.code() == Code::PermissionDenied => Ok(status.metadata().clone()),
        Err(status) => Err(Failure::of(&status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(service: Service, says: Option<&str>) -> Part {
        let mut headers = MetadataMap::new();
        if let Some(says) = says {
            headers.insert(VERSION, says.parse().unwrap());
        }
        Part::of(service, "", Ok(headers))
    }

    #[test]
    fn a_service_that_does_not_say_hides_no_other() {
        let own = Part::own();
        let same = format!("{} v1", own.version);
        let of = |capacity, demand| {
            compare(&own, &[part(Service::Capacity, capacity), part(Service::Demand, demand)])
        };
        let mine = format!("{}, api v1", own.version);
        assert_eq!(of(Some(&same), Some(&same)), Some((format!("{mine}, as yours"), true)));
        assert_eq!(of(Some(&same), None), Some((format!("demand does not say (yours {mine})"), false)));
        assert_eq!(
            of(Some("0.0.9 v1"), None),
            Some((format!("capacity 0.0.9, api v1; demand does not say (yours {mine})"), false))
        );
        assert_eq!(of(None, None), None, "a release that does not say yet");
    }
}
