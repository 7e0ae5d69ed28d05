//! One command's way to the services: its context, credential, clock and terminal.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use fallow_api::client::{Authorised, Client, Settings};
use fallow_api::problem::Problem;
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
use tokio::time::timeout;
use tonic::{Code, Request, Response, Status};

use super::failure::{Exit, Failure};
use super::login;
use super::options::{Format, Global};
use super::output::{Layout, Record, Terminal, View};
use super::settings::{Config, Context, DevFiles, Places, Service, act_as, choose};
use super::time::from_wire;

/// How long one request of many waits at most because it comes too soon.
const PACED_FOR: Duration = Duration::from_secs(60);

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

#[derive(Clone)]
struct Chosen {
    name: String,
    context: Context,
    token: Option<String>,
    client: Client,
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

impl Claims {
    /// Returns who acts, as what and for which trust: what a newer credential of the same sign-in has too.
    fn holder(&self) -> (&str, &str, Option<&str>) {
        (&self.sub, &self.role, self.trust.as_deref())
    }
}

impl<'a> Session<'a> {
    /// Begins a command; nothing is read or opened yet.
    pub(crate) fn new(global: Global, clock: Clock, terminal: Terminal<'a>) -> Self {
        Self { terminal, global, zone: super::time::zone(), clock, chosen: None }
    }

    /// Begins another command with the same options, which writes elsewhere.
    pub(crate) fn beside<'b>(&self, terminal: Terminal<'b>) -> Session<'b> {
        Session::new(self.global.clone(), self.clock.clone(), terminal)
    }

    /// Goes on as this one, with what it has chosen, and writes elsewhere.
    pub(crate) fn aside<'b>(&self, terminal: Terminal<'b>) -> Session<'b> {
        let (global, clock) = (self.global.clone(), self.clock.clone());
        Session { terminal, global, zone: self.zone.clone(), clock, chosen: self.chosen.clone() }
    }

    /// Says why the command failed, and returns what the shell sees.
    pub(crate) fn fail(&mut self, failure: &Failure) -> Exit {
        // Where even this cannot be written, the exit code still speaks.
        let _ = self.terminal.err.write_all(failure.text().as_bytes());
        failure.exit
    }

    /// Returns the time it is: for a demonstration, that of its services.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns where files are.
    pub(crate) fn places(&self) -> Places {
        Places { config: self.global.config_file(), dev: DevFiles::below(&self.global.state_folder()) }
    }

    /// Chooses the context and reads the credential, of a file or of a sign-in; asks a demonstration for its time.
    pub(crate) async fn open(&mut self) -> Result<(), Failure> {
        self.open_without_sign_in()?;
        let chosen = self.chosen()?;
        if chosen.token.is_none()
            && let Some(token) = login::credential(&self.sign_in_file()?, &chosen.client).await?
        {
            self.use_credential(&token)?;
        }
        self.keep_time().await
    }

    /// Takes over a demonstration's time anew. Whoever shows times for long asks before each picture: somebody may have
    /// changed meanwhile how fast its clock runs, or stopped it.
    pub(crate) async fn keep_time(&mut self) -> Result<(), Failure> {
        match self.chosen()?.context.clock_speed {
            Some(speed) => self.ask_the_time(speed).await,
            None => Ok(()),
        }
    }

    /// Chooses the context and reads the credential file that it names, if it names one.
    pub(crate) fn open_without_sign_in(&mut self) -> Result<(), Failure> {
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
        let (name, context) = chosen;
        let token = context.token_file.as_deref().map(read_token).transpose()?;
        let client = client(&context, token.clone(), self.global.deadline)?;
        self.chosen = Some(Chosen { name, context, token, client });
        Ok(())
    }

    /// Returns the file of the sign-in at the context's services.
    pub(crate) fn sign_in_file(&self) -> Result<PathBuf, Failure> {
        Ok(login::file_of(&self.global.state_folder(), &self.chosen()?.context))
    }

    /// Acts by another credential from now on.
    pub(crate) fn use_credential(&mut self, token: &str) -> Result<(), Failure> {
        let client = self.client()?.acting_by(token).map_err(|error| Failure::usage(error.to_string()))?;
        if let Some(chosen) = &mut self.chosen {
            (chosen.token, chosen.client) = (Some(token.to_owned()), client);
        }
        Ok(())
    }

    /// Acts by a newer credential where the one that there is has been renewed, or is about to end.
    async fn keep_credential(&mut self) -> Result<(), Failure> {
        let chosen = self.chosen()?;
        let newest = match chosen.context.token_file.as_deref() {
            // A pipe has been read to its end.
            Some(file) if fs::metadata(file).is_ok_and(|about| !about.is_file()) => return Ok(()),
            Some(file) => match read_token(file) {
                // The one that there is serves as long as it lasts.
                Err(_) if self.claims().is_some_and(|claims| claims.exp > self.now().as_second()) => {
                    return Ok(());
                }
                read => Some(read?),
            },
            None => login::credential(&self.sign_in_file()?, &chosen.client).await?,
        };
        let Some(newest) = newest.filter(|newest| chosen.token.as_ref() != Some(newest)) else {
            return Ok(());
        };
        // A sign-in is everybody's who works at this account: what one began, no other shall go on with.
        let began = self.claims();
        if began.as_ref().map(Claims::holder) != claims_of(&newest).as_ref().map(Claims::holder) {
            let who = began.map_or("somebody else".to_owned(), |claims| claims.sub);
            let text = "you are signed in as somebody else now";
            return Err(Failure::new(Exit::NotAllowed, "SIGN_IN_CHANGED", text)
                .because(format!("this was begun by {who}, who can go on with it"))
                .next("fallow auth whoami"));
        }
        self.use_credential(&newest)
    }

    /// Returns the services, by a credential that lasts: for what goes on for longer than one does.
    pub(crate) async fn lasting(&mut self) -> Result<Client, Failure> {
        // A renewal is large beside all else that a command waits for, and seldom.
        Box::pin(self.keep_credential()).await?;
        self.client().cloned()
    }

    /// Returns the services.
    pub(crate) fn client(&self) -> Result<&Client, Failure> {
        self.chosen().map(|chosen| &chosen.client)
    }

    /// Asks the services for the time by which they work.
    pub(crate) async fn time_of_services(&self) -> Result<Timestamp, Failure> {
        let client = self.monitor()?;
        let ask = GetSituationRequest::default();
        let answer = self.call(ask, async |ask| client.clone().get_situation(ask).await).await?;
        answer.situation.and_then(|situation| from_wire(situation.at)).ok_or_else(|| {
            Failure::new(Exit::Failed, "NO_TIME", "the services did not say what time it is")
                .next("say as of when: --at 08:00, -30m or \"yesterday 20:00\"")
        })
    }

    /// Takes over a demonstration's time. Without an answer, the command's own call will say what is wrong.
    async fn ask_the_time(&mut self, speed: u32) -> Result<(), Failure> {
        let mut monitor = self.monitor()?;
        let asked =
            timeout(self.global.deadline, monitor.get_situation(GetSituationRequest::default())).await;
        let answer = asked.ok().and_then(Result::ok);
        let at = answer.and_then(|answer| from_wire(answer.into_inner().situation?.at));
        if let Some(at) = at {
            self.clock = Clock::scaled(at, speed);
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
        claims_of(self.chosen.as_ref()?.token.as_ref()?)
    }

    /// Returns the trust that the caller acts for; `None` for roles of the region.
    pub(crate) fn own_trust(&self) -> Option<String> {
        self.claims().and_then(|claims| claims.trust).filter(|trust| !trust.is_empty())
    }

    /// Returns CapacityService.
    pub(crate) fn capacity(&self) -> Result<CapacityServiceClient<Authorised>, Failure> {
        self.chosen().map(|chosen| chosen.client.capacity())
    }

    /// Returns DemandService.
    pub(crate) fn demand(&self) -> Result<DemandServiceClient<Authorised>, Failure> {
        self.chosen().map(|chosen| chosen.client.demand())
    }

    /// Returns MatchingService.
    pub(crate) fn matching(&self) -> Result<MatchingServiceClient<Authorised>, Failure> {
        self.chosen().map(|chosen| chosen.client.matching())
    }

    /// Returns MonitorService.
    pub(crate) fn monitor(&self) -> Result<MonitorServiceClient<Authorised>, Failure> {
        self.chosen().map(|chosen| chosen.client.monitor())
    }

    /// Makes a call with the command's deadline; tries again while the service is away.
    pub(crate) async fn call<M: Clone, R, F>(
        &self,
        message: M,
        send: impl Fn(Request<M>) -> F,
    ) -> Result<R, Failure>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let chosen = self.chosen()?;
        chosen.client.call(message, send).await.map_err(|problem| self.failed(problem))
    }

    /// Makes a call of many, of which one that is refused does not end the others: what is wrong with the request itself
    /// is given back. Each is made with a credential that lasts, for a long sheet outlives one. A call that comes too soon waits as long as the service says, a minute at most in all, and is sent
    /// again as it was; `what` it is about is said then.
    ///
    /// # Errors
    /// When the next call would fail as well: not allowed, the service away, no answer.
    pub(crate) async fn attempt_paced<M: Clone, R, F>(
        &mut self,
        what: &str,
        message: M,
        send: impl Fn(Client, Request<M>) -> F,
    ) -> Result<Result<R, Problem>, Failure>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let mut waited = Duration::ZERO;
        loop {
            self.keep_credential().await?;
            let client = self.client()?;
            let problem = match client.call(message.clone(), |ask| send(client.clone(), ask)).await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(problem) => problem,
            };
            let wait = problem.retry_after.filter(|_| problem.code == Code::ResourceExhausted);
            // A service that names no time shall not be asked without a pause.
            let wait = wait.map(|wait| wait.max(Duration::from_millis(10)));
            match wait.filter(|wait| waited.saturating_add(*wait) <= PACED_FOR) {
                Some(wait) => {
                    if waited.is_zero() {
                        self.terminal
                            .say(&format!("{what}: the services take only so many at once; it waits"))?;
                    }
                    waited += wait;
                    tokio::time::sleep(wait).await;
                }
                None => return self.of_one(problem).map(Err),
            }
        }
    }

    /// Tells what is wrong with one request from what ends the command.
    fn of_one(&self, problem: Problem) -> Result<Problem, Failure> {
        match problem.code {
            Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::AlreadyExists
            | Code::NotFound => Ok(problem),
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
            | Code::Unauthenticated => Err(self.failed(problem)),
        }
    }

    fn failed(&self, problem: Problem) -> Failure {
        let away = problem.code == Code::Unavailable && problem.reason.is_empty();
        let failure = Failure::from(problem);
        match &self.chosen {
            Some(chosen) if away => failure.because(format!("{} was tried", chosen.context.endpoints.text())),
            Some(_) | None => failure,
        }
    }

    /// Makes a change; when it may have happened although the call failed, the failure says how to repeat it.
    pub(crate) async fn send<M: Clone, R, F>(
        &self,
        request_id: &str,
        message: M,
        send: impl Fn(Request<M>) -> F,
    ) -> Result<R, Failure>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        self.call(message, send).await.map_err(|failure| failure.retry_with(request_id))
    }

    /// Says whether [`Self::confirm`] has a question to put, to somebody or to nobody: what is about to happen is read first.
    pub(crate) fn would_ask(&self, is_dry_run: bool) -> bool {
        !is_dry_run && !self.global.yes && (self.global.no_input || self.terminal.input.is_some())
    }

    /// Asks whether to go on with what cannot be taken back, or what many see. Nobody is asked for a dry run, with --yes, or
    /// where nobody can be: a script says what it means.
    ///
    /// # Errors
    /// The answer is no, or --no-input forbids to ask.
    pub(crate) async fn confirm(&mut self, is_dry_run: bool, what: &str) -> Result<(), Failure> {
        if !self.would_ask(is_dry_run) {
            return Ok(());
        }
        if self.global.no_input {
            return Err(Failure::usage(format!("{what} Nothing was done, for nobody can be asked here"))
                .next("the same command with --yes, or with --dry-run"));
        }
        let answer = self.terminal.ask(&format!("{what} Go on? [y/N]")).await?.unwrap_or_default();
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::new(Exit::Failed, "NOT_CONFIRMED", "nothing was done")
                .next("the same command with --yes, which is not asked")),
        }
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

    /// Writes a message that is no row of a list: as JSON or as the id of what it is about where that was asked for, else as
    /// the text given. Of what has no id, which is "", nothing is written where ids are asked for.
    pub(crate) fn show_message<T: Serialize>(
        &mut self,
        message: &T,
        id: &str,
        text: &str,
    ) -> Result<Exit, Failure> {
        match self.global.format() {
            Format::Json => self.terminal.json(message, true)?,
            Format::Jsonl => self.terminal.json(message, false)?,
            Format::Id if id.is_empty() => {}
            Format::Id => self.terminal.data(&format!("{id}\n"))?,
            Format::Table | Format::Wide | Format::Csv | Format::Md | Format::Html | Format::Xlsx => {
                self.terminal.data(text)?;
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
            0 => self.terminal.say(&format!("dry run, nothing changed; it would be: {done}"))?,
            _ => self.terminal.say(&format!("{done} (revision {revision})"))?,
        }
        Ok(Exit::Ok)
    }

    /// Returns the names of trusts; none when the region cannot be read, for codes will do.
    pub(crate) async fn names(&self) -> Result<Names, Failure> {
        let client = self.monitor()?;
        let answer = self.call(GetRegionRequest {}, async |ask| client.clone().get_region(ask).await).await;
        Ok(answer.ok().and_then(|answer| answer.region).as_ref().map(Names::of).unwrap_or_default())
    }
}

fn claims_of(token: &str) -> Option<Claims> {
    let body = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&body).ok()
}

/// Reads the file with the credential.
fn read_token(file: &Path) -> Result<String, Failure> {
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
    match text.trim() {
        long if long.len() > TOKEN_BYTES_MAX => {
            Err(failed(format!("it has {} bytes, a credential at most {TOKEN_BYTES_MAX}", long.len())))
        }
        token if token.bytes().all(|byte| byte.is_ascii_graphic()) && !token.is_empty() => {
            Ok(token.to_owned())
        }
        _ => Err(failed("it is not one word".to_owned())),
    }
}

fn client(context: &Context, token: Option<String>, deadline: Duration) -> Result<Client, Failure> {
    let read = |file: &Option<PathBuf>| {
        let text = file.as_deref().map(|file| {
            fs::read_to_string(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
        });
        text.transpose()
    };
    let at = |service| context.endpoints.of(service).to_owned();
    let settings = Settings {
        capacity: at(Service::Capacity),
        demand: at(Service::Demand),
        matching: at(Service::Matching),
        monitor: at(Service::Monitor),
        token,
        authority_pem: read(&context.authority_file)?,
        certificate_pem: read(&context.certificate_file)?.zip(read(&context.key_file)?),
        deadline,
    };
    Client::new(&settings).map_err(|error| Failure::usage(error.to_string()).next("fallow context show"))
}
