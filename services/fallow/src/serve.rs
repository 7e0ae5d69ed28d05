//! `fallow serve`: one role or several as a process.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use fallow_host::clock::Clock;
use fallow_host::config::{Config, StoreKind};
use fallow_host::shutdown;
use fallow_host::telemetry::{self, Telemetry};
use fallow_ledger::Keeper;
use fallow_ledger_redis::RedisLedger;

use crate::cli::Exit;
use crate::wiring::{Ports, Process, Service, StartError, archive, open_keeper, open_ledger, open_redis};

/// Runs roles of Fallow in this process until it is told to stop.
///
/// Settings come from the defaults, the file and the environment (FALLOW__SECTION__KEY), later ones first. The process
/// says NOT_SERVING until its store answers and a region is in force; SIGTERM ends it within twice
/// server.drain_seconds.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    before_help = "Examples:\n  fallow serve capacity --config fallow.toml\n  fallow serve capacity demand matching \
                   monitor\n  fallow serve --check-config --config fallow.toml"
)]
pub struct ServeArgs {
    /// What this process is
    #[arg(value_enum, required_unless_present = "check_config")]
    roles: Vec<Role>,
    /// A file of settings (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the settings in effect, secrets masked, and where each came from; with roles, see whether they could start
    #[arg(long)]
    check_config: bool,
}

/// What a process can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Role {
    /// What trusts offer
    Capacity,
    /// What trusts need
    Demand,
    /// What is proposed and agreed, and the engine
    Matching,
    /// The region as a whole
    Monitor,
    /// The pages
    Console,
    /// The log in files outside the store, and the audit
    Archive,
}

impl Role {
    /// Returns the gRPC service of the role; the console and the archive have none.
    #[must_use]
    pub const fn service(self) -> Option<Service> {
        match self {
            Self::Capacity => Some(Service::Capacity),
            Self::Demand => Some(Service::Demand),
            Self::Matching => Some(Service::Matching),
            Self::Monitor => Some(Service::Monitor),
            Self::Console | Self::Archive => None,
        }
    }

    const fn process_name(self) -> &'static str {
        match self {
            Self::Capacity => "fallow-capacity",
            Self::Demand => "fallow-demand",
            Self::Matching => "fallow-matching",
            Self::Monitor => "fallow-monitor",
            Self::Console => "fallow-console",
            Self::Archive => "fallow-archive",
        }
    }
}

/// Runs the command. Exit 2 when the settings are wrong, 3 when their file is not there, 1 when something else keeps the process from running.
#[must_use]
pub fn run(args: &ServeArgs) -> ExitCode {
    let config = match Config::load(args.config.as_deref(), std::env::vars()) {
        Ok(config) => config,
        Err(error) => {
            let exit = if error.file_is_missing { Exit::NotFound } else { Exit::Usage };
            for problem in error.problems {
                say(&format!("error: CONFIG: {problem}"));
            }
            return ExitCode::from(exit.code());
        }
    };
    let roles: BTreeSet<Role> = args.roles.iter().copied().collect();
    let done = if args.check_config { check(config, &roles) } else { serve(config, &roles) };
    match done {
        Ok(()) => ExitCode::from(Exit::Ok.code()),
        Err(error) => {
            say(&format!("error: START: {}", chain(&*error)));
            let exit = match error.downcast_ref::<StartError>() {
                // An address that is taken is no setting that is wrong.
                None | Some(StartError::Serve(_)) => Exit::Failed,
                Some(_) => Exit::Usage,
            };
            ExitCode::from(exit.code())
        }
    }
}

fn check(config: Config, roles: &BTreeSet<Role>) -> Result<(), Box<dyn Error>> {
    write!(std::io::stdout(), "{}", config.effective())?;
    if !roles.is_empty() {
        refuse_lonely_store(&config, roles)?;
        open_ledger(&config)?;
        if roles.contains(&Role::Archive) {
            archive::settings(&config)?;
        }
        let process = Process::new(config, Clock::system())?;
        process.check_new_region_file()?;
        if roles.contains(&Role::Monitor) {
            process.sign_ins()?;
        }
        if roles.contains(&Role::Console) && process.identity.signer.is_none() {
            return Err(StartError::NoSigningKey.into());
        }
    }
    Ok(())
}

fn serve(config: Config, roles: &BTreeSet<Role>) -> Result<(), Box<dyn Error>> {
    refuse_lonely_store(&config, roles)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let name = match roles.first() {
            Some(only) if roles.len() == 1 => only.process_name(),
            Some(_) | None => "fallow",
        };
        let telemetry = Telemetry::start(&config.telemetry, name, config.region.id.as_str())?;
        let done = run_until_stopped(config, roles).await;
        if let Err(error) = &done {
            tracing::error!(error = chain(&**error), "the process ends");
        }
        telemetry.finish();
        done
    })
}

async fn run_until_stopped(config: Config, roles: &BTreeSet<Role>) -> Result<(), Box<dyn Error>> {
    let drain = config.server.drain();
    let serves = roles.iter().any(|role| role.service().is_some() || *role == Role::Archive);
    let redis = match config.store.kind {
        StoreKind::Redis if serves => Some(Arc::new(open_redis(&config, &names(roles))?)),
        StoreKind::Redis | StoreKind::Embedded => None,
    };
    let process = Process::new(config, Clock::system())?;
    // Signals are heard from the beginning: a start may take as long as the store is away.
    let stopped = async { shutdown::on_signal(&process.tasks).await };
    let started = async {
        let started = start(&process, roles, redis.clone()).await;
        if started.is_err() {
            process.tasks.stop();
        }
        started
    };
    let (stopped, started) = tokio::join!(stopped, started);
    let finished = process.tasks.finish(drain * 2).await;
    if let Some(ledger) = redis {
        // Nothing is under way any more. Whoever leaves without a word is waited for after the store's next restart.
        match tokio::time::timeout(process.config.store.command_timeout(), ledger.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "could not tell the store that this process leaves"),
            Err(_elapsed) => tracing::warn!("could not tell the store in time that this process leaves"),
        }
    }
    match started {
        Ok(()) | Err(StartError::Stopped) => {}
        Err(error) => return Err(error.into()),
    }
    stopped?;
    finished?;
    tracing::info!("stopped");
    Ok(())
}

/// Names the roles of a process, such as `capacity+demand`.
fn names(roles: &BTreeSet<Role>) -> String {
    let values: Vec<_> = roles.iter().filter_map(Role::to_possible_value).collect();
    values.iter().map(clap::builder::PossibleValue::get_name).collect::<Vec<_>>().join("+")
}

async fn start(
    process: &Process,
    roles: &BTreeSet<Role>,
    redis: Option<Arc<RedisLedger>>,
) -> Result<(), StartError> {
    let wanted: BTreeSet<Service> = roles.iter().filter_map(|role| role.service()).collect();
    let has_archive = roles.contains(&Role::Archive);
    let are_taken = redis.as_ref().map(|ledger| {
        let ledger = Arc::downgrade(ledger);
        move || ledger.upgrade().is_some_and(|ledger| ledger.writes_ok())
    });
    if let Some(are_taken) = are_taken.clone() {
        let about = "Whether the ledger takes changes, as far as this process knows.";
        telemetry::show_gauge("fallow.ledger.writes_ok", about, move || u64::from(are_taken()));
    }
    // One for all: an embedded ledger lies in this process.
    let keeper: Option<Arc<dyn Keeper>> = match redis {
        Some(ledger) => Some(ledger),
        None => (has_archive || !wanted.is_empty()).then(|| open_keeper(&process.config)).transpose()?,
    };
    let services = match keeper.clone().filter(|_| !wanted.is_empty()) {
        None => None,
        Some(ledger) => Some(process.services(&wanted, Ports::Each, ledger).await?),
    };
    match (&services, are_taken) {
        (Some(services), Some(are_taken)) => services.tell_writes(are_taken),
        // An embedded ledger is there as long as its process is.
        (Some(services), None) => services.tell_writes(|| true),
        (None, _) => {}
    }
    if let Some(keeper) = keeper.filter(|_| has_archive) {
        process.archive(keeper).await?;
    }
    if roles.contains(&Role::Console) {
        process.console(services.as_ref()).await?;
    }
    match services {
        Some(services) => services.ready().await,
        None => Ok(()),
    }
}

/// Refuses a store that only this process would see, when other processes are to see the same.
fn refuse_lonely_store(config: &Config, roles: &BTreeSet<Role>) -> Result<(), StartError> {
    let served = roles.iter().filter(|role| role.service().is_some()).count();
    let shares = served > 0 || roles.contains(&Role::Archive);
    if config.store.kind == StoreKind::Embedded && shares && served < Service::ALL.len() {
        return Err(StartError::Setting(
            "store.kind: embedded lies in this process alone; set redis, or serve capacity, demand, matching and \
             monitor together",
        ));
    }
    Ok(())
}

/// Writes an error with what caused it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn say(line: &str) {
    // There is nobody left to tell that standard error is gone.
    let _ = writeln!(std::io::stderr(), "{line}");
}
