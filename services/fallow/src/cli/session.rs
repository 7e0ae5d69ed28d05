//! One command's way to the services: its context, credential, clock and terminal.

use std::fs;
use std::future::Future;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use fallow_api::render::Names;
use fallow_api::v1::capacity_service_client::CapacityServiceClient;
use fallow_api::v1::demand_service_client::DemandServiceClient;
use fallow_api::v1::matching_service_client::MatchingServiceClient;
use fallow_api::v1::monitor_service_client::MonitorServiceClient;
use fallow_api::v1::{GetRegionRequest, GetSituationRequest};
use fallow_host::clock::Clock;
use fallow_host::identity::TOKEN_BYTES_MAX;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use super::failure::{Exit, Failure};
use super::options::{Format, Global};
use super::output::{Layout, Record, Terminal, View};
use super::settings::{Config, Context, DevFiles, Places, Service, act_as, choose};

/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// The wire to a service, with the credential on every call.
pub(crate) type Wire = InterceptedService<Channel, Credential>;

/// Everything one command needs.
pub(crate) struct Session<'a> {
    /// Where it writes.
    pub(crate) terminal: Terminal<'a>,
    /// The options it was given.
    pub(crate) global: Global,
    /// The zone that times are read and shown in.
    pub(crate) zone: TimeZone,
    clock: Clock,
    chosen: Option<Chosen>,
}

struct Chosen {
    name: String,
    context: Context,
    credential: Credential,
}

/// Puts the credential on every call.
#[derive(Clone, Default)]
pub(crate) struct Credential(Option<MetadataValue<Ascii>>);

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.0 {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    }
}

/// What a credential says of its holder. Read for people only: the services check it, the command line cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Who.
    pub(crate) sub: String,
    /// `person` or `system`.
    #[serde(default)]
    pub(crate) kind: String,
    /// ODS code of the trust; absent for roles of the region.
    #[serde(default)]
    pub(crate) trust: Option<String>,
    /// As what.
    #[serde(default)]
    pub(crate) role: String,
    /// In which region.
    #[serde(default)]
    pub(crate) region: String,
    /// Until when, seconds since 1970.
    #[serde(default)]
    pub(crate) exp: i64,
}

impl<'a> Session<'a> {
    /// Begins a command; nothing is read or opened yet.
    pub(crate) fn new(global: Global, clock: Clock, terminal: Terminal<'a>) -> Self {
        Self { terminal, global, zone: super::time::zone(), clock, chosen: None }
    }

    /// Returns the time it is: for a demonstration, that of its services.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns where files are.
    pub(crate) fn places(&self) -> Places {
        Places { config: self.global.config_file(), dev: DevFiles::below(&self.global.state_folder()) }
    }

    /// Chooses the context and reads the credential; asks a demonstration for its time.
    pub(crate) async fn open(&mut self) -> Result<(), Failure> {
        let places = self.places();
        let mut chosen = match (&self.global.context, &self.global.endpoint, &self.global.user) {
            // An address by itself needs no context, only an address.
            (None, Some(_), None) => (String::new(), Context::default()),
            (named, _, user) => {
                // A built-in user means the demonstration unless a context is named.
                let named = named.as_deref().or(user.as_ref().map(|_| super::settings::DEV));
                choose(&Config::read(&places.config)?, &places, named)?
            }
        };
        if let Some(user) = &self.global.user {
            act_as(&mut chosen.1, &places, user)?;
        }
        if let Some(endpoints) = &self.global.endpoint {
            chosen.1.endpoints = endpoints.clone();
        }
        if let Some(file) = &self.global.token_file {
            chosen.1.token_file = Some(file.clone());
        }
        let credential = read_credential(&chosen.1)?;
        let speed = chosen.1.clock_speed;
        self.chosen = Some(Chosen { name: chosen.0, context: chosen.1, credential });
        if let Some(speed) = speed {
            let ask = self.ask(GetSituationRequest::default());
            let answer = self.monitor()?.get_situation(ask).await;
            // Without an answer the command's own call will say what is wrong.
            let at = answer.ok().and_then(|answer| super::time::from_wire(answer.into_inner().situation?.at));
            if let Some(at) = at {
                self.clock = Clock::scaled(at, speed);
            }
        }
        Ok(())
    }

    fn chosen(&self) -> Result<&Chosen, Failure> {
        self.chosen
            .as_ref()
            .ok_or_else(|| Failure::new(Exit::Failed, "INTERNAL", "the context was not chosen"))
    }

    /// Returns the name of the context; empty when only an address was given.
    pub(crate) fn context_name(&self) -> &str {
        self.chosen.as_ref().map_or("", |chosen| &chosen.name)
    }

    /// Returns the context.
    pub(crate) fn context(&self) -> Result<&Context, Failure> {
        Ok(&self.chosen()?.context)
    }

    /// Returns the site that a command is about: the given one, else that of the context.
    pub(crate) fn site(&self, given: Option<&str>) -> Result<String, Failure> {
        let known = self.context()?.site.as_deref().filter(|site| !site.is_empty());
        given.or(known).map(str::to_uppercase).ok_or_else(|| {
            Failure::usage("which site?")
                .next("add --site ZA401, or set it for good: fallow context add NAME --site ZA401 …")
        })
    }

    /// Returns what the credential says, if there is one and it can be read.
    pub(crate) fn claims(&self) -> Option<Claims> {
        let bearer = self.chosen.as_ref()?.credential.0.as_ref()?.to_str().ok()?.strip_prefix("Bearer ")?;
        let body = BASE64_URL_SAFE_NO_PAD.decode(bearer.split('.').nth(1)?).ok()?;
        serde_json::from_slice(&body).ok()
    }

    /// Returns the trust that the caller acts for; `None` for roles of the region.
    pub(crate) fn own_trust(&self) -> Option<String> {
        self.claims().and_then(|claims| claims.trust).filter(|trust| !trust.is_empty())
    }

    /// Opens the wire to a service. Nothing is sent until the first call.
    pub(crate) fn wire(&self, service: Service) -> Result<Wire, Failure> {
        let chosen = self.chosen()?;
        let address = chosen.context.endpoints.of(service);
        let bad =
            |error: tonic::transport::Error| Failure::usage(format!("{address} cannot be used: {error}"));
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(bad)?.connect_timeout(CONNECT_LIMIT);
        Ok(InterceptedService::new(endpoint.connect_lazy(), chosen.credential.clone()))
    }

    /// Opens CapacityService.
    pub(crate) fn capacity(&self) -> Result<CapacityServiceClient<Wire>, Failure> {
        self.wire(Service::Capacity).map(CapacityServiceClient::new)
    }

    /// Opens DemandService.
    pub(crate) fn demand(&self) -> Result<DemandServiceClient<Wire>, Failure> {
        self.wire(Service::Demand).map(DemandServiceClient::new)
    }

    /// Opens MatchingService.
    pub(crate) fn matching(&self) -> Result<MatchingServiceClient<Wire>, Failure> {
        self.wire(Service::Matching).map(MatchingServiceClient::new)
    }

    /// Opens MonitorService.
    pub(crate) fn monitor(&self) -> Result<MonitorServiceClient<Wire>, Failure> {
        self.wire(Service::Monitor).map(MonitorServiceClient::new)
    }

    /// Makes a request with the command's deadline.
    pub(crate) fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.global.deadline);
        request
    }

    /// Waits for the answer to a call, at most for the command's deadline.
    pub(crate) async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.global.deadline, call).await {
            Ok(answer) => answer.map(Response::into_inner).map_err(|status| self.failed(&status)),
            Err(_) => Err(self.late()),
        }
    }

    /// Waits for the answer to a change; when it may have happened, the failure says how to repeat it.
    pub(crate) async fn send<T>(
        &self,
        request_id: &str,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        self.answer(call).await.map_err(|failure| failure.retry_with(request_id))
    }

    fn failed(&self, status: &Status) -> Failure {
        // The transport's own deadline comes as CANCELLED.
        if status.code() == tonic::Code::Cancelled && status.message().contains("Timeout") {
            return self.late();
        }
        let mut failure = Failure::of(status);
        if failure.reason == "UNAVAILABLE"
            && let Ok(context) = self.context()
        {
            failure = failure.because(format!("{} was tried", context.endpoints.text()));
        }
        failure
    }

    fn late(&self) -> Failure {
        let limit = self.global.deadline;
        Failure::new(Exit::TimedOut, "DEADLINE_EXCEEDED", format!("no answer within {limit:?}"))
            .next("fallow ping, or a longer --deadline")
    }

    /// Returns how results are to be written.
    pub(crate) fn layout(&self) -> Layout {
        Layout { format: self.global.format(), columns: self.global.columns.clone() }
    }

    /// Returns what rows are seen against.
    pub(crate) fn view(&self) -> View {
        View { now: self.now(), zone: self.zone.clone(), exact: false }
    }

    /// Writes a list; says so when there is nothing for people to read.
    pub(crate) fn show_list<R: Record>(&mut self, records: &[R], nothing: &str) -> Result<Exit, Failure> {
        let (layout, view) = (self.layout(), self.view());
        self.terminal.list(records, &layout, &view)?;
        if records.is_empty() {
            self.terminal.say(nothing)?;
        }
        Ok(Exit::Ok)
    }

    /// Writes one record.
    pub(crate) fn show_one<R: Record>(&mut self, record: &R) -> Result<Exit, Failure> {
        let (layout, view) = (self.layout(), self.view());
        self.terminal.one(record, &layout, &view)?;
        Ok(Exit::Ok)
    }

    /// Writes a message that is no record: as JSON where that was asked for, else as the text given.
    pub(crate) fn show_message<T: Serialize>(&mut self, message: &T, text: &str) -> Result<Exit, Failure> {
        match self.global.format() {
            Format::Json => self.terminal.json(message, true)?,
            Format::Jsonl => self.terminal.json(message, false)?,
            Format::Table | Format::Wide | Format::Csv | Format::Md | Format::Id => {
                self.terminal.data(text)?
            }
        }
        Ok(Exit::Ok)
    }

    /// Writes a record as it is after a change, and says on the side what was done. Revision 0 is a dry run.
    pub(crate) fn show_changed<R: Record>(
        &mut self,
        record: Option<&R>,
        done: &str,
        revision: i64,
    ) -> Result<Exit, Failure> {
        if let Some(record) = record {
            self.show_one(record)?;
        }
        self.say_changed(done, revision)
    }

    /// Says what was done, or would be.
    pub(crate) fn say_changed(&mut self, done: &str, revision: i64) -> Result<Exit, Failure> {
        match revision {
            0 => self.terminal.say(&format!("dry run: {done}; nothing was changed"))?,
            _ => self.terminal.say(&format!("{done} (revision {revision})"))?,
        }
        Ok(Exit::Ok)
    }

    /// Returns the names of trusts; none when the region cannot be read, for codes will do.
    pub(crate) async fn names(&self) -> Result<Names, Failure> {
        let answer = self.monitor()?.get_region(self.ask(GetRegionRequest {})).await;
        Ok(answer
            .ok()
            .and_then(|answer| answer.into_inner().region)
            .as_ref()
            .map(Names::of)
            .unwrap_or_default())
    }
}

fn read_credential(context: &Context) -> Result<Credential, Failure> {
    let Some(file) = &context.token_file else { return Ok(Credential(None)) };
    let failed = |what: String| {
        Failure::new(
            Exit::NotAllowed,
            "NO_CREDENTIAL",
            format!("the credential in {} cannot be used", file.display()),
        )
        .because(what)
        .next("fallow context show, which names the file; --token-file names another")
    };
    let text = fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    if text.len() > TOKEN_BYTES_MAX {
        return Err(failed(format!("it has {} bytes, a credential at most {TOKEN_BYTES_MAX}", text.len())));
    }
    let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", text.trim())
        .parse()
        .map_err(|_| failed("it is not one line of text".to_owned()))?;
    bearer.set_sensitive(true);
    Ok(Credential(Some(bearer)))
}
