//! `fallow context` and `fallow auth`: where and as whom commands act.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use super::failure::{Exit, Failure};
use super::output::{Cell, Column, Record, View, column, wide};
use super::session::Session;
use super::settings::{Config, Context, DEV, Endpoints, choose};

/// `fallow context …`
#[derive(Debug, Subcommand)]
pub(crate) enum Contexts {
    /// Add a context, or change one
    #[command(
        before_help = "Examples:\n  fallow context add prod --endpoint https://fallow.nv.example:443 --token-file \
                            ~/.fallow.token --site ZA401\n  fallow context add prod --site ZA402"
    )]
    Add(Add),
    /// Use a context from now on
    #[command(before_help = "Example:\n  fallow context use prod")]
    Use {
        /// Its name
        name: String,
    },
    /// List contexts
    List,
    /// Show one context. Default: the one in use
    #[command(before_help = "Examples:\n  fallow context show\n  fallow context show prod")]
    Show {
        /// Its name
        name: Option<String>,
    },
    /// Remove a context
    #[command(before_help = "Example:\n  fallow context rm prod")]
    Rm {
        /// Its name
        name: String,
    },
}

/// Adds a context. Takes --endpoint and --token-file from the options of every command.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its name
    name: String,
    /// ODS site code that free, take and need are about
    #[arg(long)]
    site: Option<String>,
    /// For https: the authority that signed the servers' certificates, a PEM file
    #[arg(long, value_name = "FILE")]
    authority_file: Option<PathBuf>,
    /// For https: the certificate by which a system proves itself, a PEM file
    #[arg(long, value_name = "FILE", requires = "key_file")]
    certificate_file: Option<PathBuf>,
    /// Its key, a PEM file
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    key_file: Option<PathBuf>,
}

/// `fallow auth …`
#[derive(Debug, Subcommand)]
pub(crate) enum Auth {
    /// Show as whom commands act, and until when
    Whoami,
    /// Sign in on any screen, by a code that is shown here
    #[command(
        before_help = "Examples:\n  fallow auth login                      opens nothing by itself: it says where to go\n  fallow \
                       auth login --stronger           with your smartcard or security key, for what two people do"
    )]
    Login(super::login::How),
    /// Sign out, here and everywhere
    Logout,
}

/// A context as a row.
#[derive(Debug, Serialize)]
struct Named {
    name: String,
    current: bool,
    endpoints: Endpoints,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<String>,
}

impl Record for Named {
    const COLUMNS: &'static [Column] =
        &[column("name"), column("in_use"), column("endpoint"), column("site"), wide("token_file")];

    fn id(&self) -> &str {
        &self.name
    }

    fn row(&self, _: &View) -> Vec<Cell> {
        vec![
            self.name.as_str().into(),
            if self.current { "yes" } else { "" }.into(),
            self.endpoints.text().into(),
            self.site.as_deref().unwrap_or_default().into(),
            self.token_file.as_ref().map(|file| file.display().to_string()).unwrap_or_default().into(),
        ]
    }
}

fn named(name: &str, context: Context, current: Option<&str>) -> Named {
    Named {
        name: name.to_owned(),
        current: current == Some(name),
        endpoints: context.endpoints,
        token_file: context.token_file,
        site: context.site,
    }
}

/// Runs `fallow context …`. Talks to no service.
pub(crate) fn run(session: &mut Session<'_>, command: Contexts) -> Result<Exit, Failure> {
    let places = session.places();
    let mut config = Config::read(&places.config)?;
    match command {
        Contexts::Add(args) => {
            if args.name.is_empty() || args.name == DEV {
                return Err(Failure::usage("that name is taken: dev is the running demonstration")
                    .next("another name"));
            }
            let known = config.contexts.contains_key(&args.name);
            let global = &session.global;
            if !known && global.endpoint.is_none() {
                return Err(Failure::usage("a new context needs --endpoint").next(format!(
                    "fallow context add {} --endpoint http://HOST:7431 --token-file FILE --site ZA401",
                    args.name
                )));
            }
            let context = config.contexts.entry(args.name.clone()).or_default();
            if let Some(endpoints) = &global.endpoint {
                context.endpoints = endpoints.clone();
            }
            if let Some(file) = &global.token_file {
                // Commands run in other folders than this one.
                context.token_file = Some(std::path::absolute(file)?);
            }
            if let Some(file) = args.authority_file {
                context.authority_file = Some(std::path::absolute(file)?);
            }
            if let Some((certificate, key)) = args.certificate_file.zip(args.key_file) {
                context.certificate_file = Some(std::path::absolute(certificate)?);
                context.key_file = Some(std::path::absolute(key)?);
            }
            if let Some(site) = args.site {
                context.site = Some(site.to_uppercase());
            }
            config.current.get_or_insert_with(|| args.name.clone());
            config.write(&places.config)?;
            let context = config.contexts.get(&args.name).cloned().unwrap_or_default();
            session.show_one(&named(&args.name, context, config.current.as_deref()))
        }
        Contexts::Use { name } => {
            let (name, context) = choose(&config, &places, Some(&name))?;
            config.current = Some(name.clone());
            config.write(&places.config)?;
            session.show_one(&named(&name, context, Some(&name)))
        }
        Contexts::List => {
            let current =
                config.current.clone().or_else(|| choose(&config, &places, None).ok().map(|(name, _)| name));
            let mut all = config.contexts.clone();
            if let Ok((name, context)) = choose(&config, &places, Some(DEV)) {
                all.insert(name, context);
            }
            let rows: Vec<Named> =
                all.into_iter().map(|(name, context)| named(&name, context, current.as_deref())).collect();
            session
                .show_list(&rows, "no contexts; add one: fallow context add NAME --endpoint http://HOST:7431")
        }
        Contexts::Show { name } => {
            let asked = name.as_deref().or(session.global.context.as_deref());
            let (name, context) = choose(&config, &places, asked)?;
            let current = choose(&config, &places, None).ok().map(|(name, _)| name);
            session.show_one(&named(&name, context, current.as_deref()))
        }
        Contexts::Rm { name } => {
            if config.contexts.remove(&name).is_none() {
                let near = super::codes::nearest(&name, config.contexts.keys().map(String::as_str));
                let guess = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
                let what = format!("there is no context \"{name}\".{guess}");
                return Err(Failure::new(Exit::NotFound, "NO_CONTEXT", what).next("fallow context list"));
            }
            if config.current.as_deref() == Some(&name) {
                config.current = None;
            }
            config.write(&places.config)?;
            session.terminal.say(&format!("removed {name}"))?;
            Ok(Exit::Ok)
        }
    }
}

/// Runs `fallow auth whoami`: what the credential says; only the services can tell whether it holds.
pub(crate) fn whoami(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let Some(claims) = session.claims() else {
        let failure = Failure::new(Exit::NotAllowed, "NO_CREDENTIAL", "no credential that can be read");
        return Err(failure
            .next("fallow auth login")
            .next("fallow context show, which names the file; --token-file names another"));
    };
    let now = session.now();
    let until = Timestamp::from_second(claims.exp).ok();
    let until = match until {
        Some(until) if claims.exp > 0 && until <= now => {
            format!("ended {}", super::time::show(until, now, &session.zone))
        }
        Some(until) if claims.exp > 0 => super::time::show(until, now, &session.zone),
        Some(_) | None => "not said".to_owned(),
    };
    let trust = claims.trust.as_deref().unwrap_or("- (a role of the region)");
    let text = format!(
        "user     {}\nkind     {}\ntrust    {trust}\nrole     {}\nregion   {}\nuntil    {until}\ncontext  {}\n",
        claims.sub,
        claims.kind,
        claims.role,
        claims.region,
        session.context_name()
    );
    session.show_message(&claims, &claims.sub, &text)
}
