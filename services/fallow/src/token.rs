//! `fallow token`: keys and tokens for a deployment that has no identity provider yet.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use fallow_api::status::Failure;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{Label, NameError, TrustCode};
use fallow_host::clock::Clock;
use fallow_host::config::{Config, ConfigError};
use fallow_host::identity::{Assurance, Caller, KeyError, Signer, SigningKey, Verifier};
use thiserror::Error;

use crate::cli::{Exit, given};
use crate::serve::chain;

/// Longest life of a token: a shift of a system's own certificate. One that is signed cannot be taken back.
const LIFE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Shortest life of a token.
const LIFE_MIN: Duration = Duration::from_secs(30);

/// Makes keys, and tokens that are signed with them.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a signing key and the key set of those who believe it
    #[command(before_help = "Examples:\n  fallow token keygen deploy/secrets")]
    Keygen(KeygenArgs),
    /// Make a token and print it
    #[command(
        before_help = "Examples:\n  fallow token issue --key deploy/secrets/signing-key.pem --subject ward-feed --role \
                       trust_system --trust ZA1 > feed.token\n  fallow token issue --key deploy/secrets/signing-key.pem \
                       --subject duty-lead --role gold --ttl 8h"
    )]
    Issue(IssueArgs),
}

/// Makes keys.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// The folder for signing-key.pem (secret) and issuer-keys.json (public); what is there is never overwritten
    folder: PathBuf,
}

/// Makes a token.
#[derive(Debug, Args)]
pub struct IssueArgs {
    /// The signing key; by default the one that the settings name
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Who it is: a stable name of a person or system, never a patient
    #[arg(long, value_name = "NAME")]
    subject: String,
    /// The role, such as bed_manager
    #[arg(long)]
    role: Role,
    /// ODS code of the trust that it acts for
    #[arg(long, value_name = "ODS")]
    trust: Option<TrustCode>,
    /// person or system; by default what the role usually is
    #[arg(long)]
    kind: Option<ActorKind>,
    /// How sure one is of a person: assurance level 1 to 3; what needs two people needs 3
    #[arg(long, value_name = "LEVEL", default_value_t = 2)]
    aal: u8,
    /// How long it is valid, 30s to 24h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = life)]
    ttl: Duration,
    /// A file of settings (TOML), which name the region, the issuer and the audience
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why there is no key or token.
#[derive(Debug, Error)]
enum TokenError {
    #[error("{} is there already: nothing is overwritten", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("name the signing key: --key FILE")]
    NoKey,
    #[error("the key cannot be used")]
    Key(#[from] KeyError),
    #[error("the settings are wrong")]
    Settings(#[from] ConfigError),
    #[error("--aal: {0}")]
    Assurance(&'static str),
    #[error("--subject")]
    Subject(#[source] NameError),
    #[error("no service would believe this token")]
    NotBelieved(#[source] Failure),
}

impl TokenError {
    /// The code that a command ends with.
    fn exit(&self) -> Exit {
        match self {
            Self::Settings(error) if error.file_is_missing => Exit::NotFound,
            Self::Key(error) => given::exit(error, Exit::Usage),
            Self::Settings(_)
            | Self::Exists(_)
            | Self::Unwritable { .. }
            | Self::NoKey
            | Self::Assurance(_)
            | Self::Subject(_)
            | Self::NotBelieved(_) => Exit::Usage,
        }
    }
}

/// Runs the command. Exit 2 when something about it is wrong, 3 when a file that it reads is not there.
#[must_use]
pub fn run(command: &TokenCommand) -> ExitCode {
    let done = match command {
        TokenCommand::Keygen(args) => keygen(&args.folder),
        TokenCommand::Issue(args) => issue(args),
    };
    let mut said = match &done {
        Ok(text) => write!(std::io::stdout(), "{text}"),
        Err(error) => writeln!(std::io::stderr(), "error: TOKEN: {}", chain(error)),
    };
    said = said.and_then(|()| std::io::stdout().flush());
    match (done, said) {
        (Ok(_), Ok(())) => ExitCode::from(Exit::Ok.code()),
        (Ok(_), Err(_)) => ExitCode::from(Exit::Failed.code()),
        (Err(error), _) => ExitCode::from(error.exit().code()),
    }
}

fn keygen(folder: &Path) -> Result<String, TokenError> {
    let key = SigningKey::generate()?;
    let (secret, public) = (folder.join("signing-key.pem"), folder.join("issuer-keys.json"));
    if let Some(there) = [&secret, &public].into_iter().find(|path| path.exists()) {
        return Err(TokenError::Exists(there.clone()));
    }
    create(&secret, key.to_pem(), 0o400)?;
    create(&public, &key.key_set().to_json(), 0o444)?;
    Ok(format!(
        "{}  keep it secret\n{}  for every process\nkey {}\n",
        secret.display(),
        public.display(),
        key.id()
    ))
}

fn create(path: &Path, text: &str, mode: u32) -> Result<(), TokenError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| TokenError::Unwritable { path: path.to_owned(), source })
}

fn issue(args: &IssueArgs) -> Result<String, TokenError> {
    let config = Config::load(args.config.as_deref(), std::env::vars())?;
    let path = args.key.clone().or_else(|| config.identity.signing_key_file());
    let key = SigningKey::read(&path.ok_or(TokenError::NoKey)?)?;
    let usual = match args.role {
        Role::TrustSystem | Role::Engine | Role::Console => ActorKind::System,
        Role::BedManager
        | Role::SiteLead
        | Role::Coordinator
        | Role::Icb
        | Role::LeadProvider
        | Role::Gold
        | Role::Auditor
        | Role::PlatformAdmin => ActorKind::Person,
    };
    let actor = Actor {
        subject: Label::parse(&args.subject).map_err(TokenError::Subject)?,
        kind: args.kind.unwrap_or(usual),
        role: args.role,
        trust: args.trust,
    };
    let mut caller = Caller::unasked(actor, config.region.id.clone());
    if caller.actor.kind == ActorKind::Person {
        caller.assurance = Some(Assurance::try_from(args.aal).map_err(TokenError::Assurance)?);
    }
    let names = (config.identity.issuer.as_str(), config.identity.audience.as_str());
    let keys = key.key_set();
    let token = Signer::new(key, names.0, names.1, Clock::system()).issue(&caller, args.ttl)?;
    // A token that no service would believe, such as a bed manager's without a trust, is not handed out.
    let verifier = Verifier::new(keys, names, caller.region, config.identity.leeway_seconds, Clock::system());
    verifier.verify(&token).map_err(TokenError::NotBelieved)?;
    Ok(format!("{token}\n"))
}

fn life(text: &str) -> Result<Duration, String> {
    let life = crate::cli::duration(text).map_err(|error| error.to_string())?;
    let life = Duration::try_from(life).map_err(|_| "must not be negative".to_owned())?;
    if (LIFE_MIN..=LIFE_MAX).contains(&life) { Ok(life) } else { Err("must be 30s to 24h".to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use fallow_host::identity::KeySet;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: TokenCommand,
    }

    fn issue_with(folder: &Path, words: &[&str]) -> Result<String, String> {
        let key = folder.join("signing-key.pem").display().to_string();
        let line = ["fallow-token", "issue", "--key", &key].into_iter().chain(words.iter().copied());
        let line = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        let TokenCommand::Issue(args) = line.command else { panic!("another command") };
        issue(&args).map_err(|error| chain(&error))
    }

    #[test]
    fn keys_and_tokens_fit_one_another() {
        let folder = tempfile::tempdir().unwrap();
        keygen(folder.path()).unwrap();
        let again = keygen(folder.path()).unwrap_err();
        assert!(chain(&again).contains("nothing is overwritten"), "{again}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let secret = std::fs::metadata(folder.path().join("signing-key.pem")).unwrap();
            assert_eq!(secret.permissions().mode() & 0o777, 0o400);
        }
        let words = ["--subject", "ward-feed", "--role", "trust_system", "--trust", "ZA1", "--ttl", "2h"];
        let token = issue_with(folder.path(), &words).unwrap();
        let keys = KeySet::read(&folder.path().join("issuer-keys.json")).unwrap();
        let region = Config::load(None, []).unwrap().region.id.clone();
        let caller = Verifier::new(keys, ("fallow", "fallow"), region, 10, Clock::system())
            .verify(token.trim())
            .unwrap();
        assert_eq!((caller.actor.role, caller.actor.kind), (Role::TrustSystem, ActorKind::System));
        assert_eq!(caller.actor.trust.unwrap().as_str(), "ZA1");
    }

    #[test]
    fn tokens_that_no_service_would_believe_are_not_made() {
        let folder = tempfile::tempdir().unwrap();
        keygen(folder.path()).unwrap();
        for (words, why) in [
            (&["--subject", "night", "--role", "bed_manager"][..], "no service would believe"),
            (&["--subject", "night", "--role", "gold", "--trust", "ZA1"], "no service would believe"),
            (&["--subject", "", "--role", "gold"], "no service would believe"),
            (&["--subject", "night", "--role", "king"], "--role"),
            (&["--subject", "night", "--role", "gold", "--trust", "za"], "--trust"),
            (&["--subject", "night", "--role", "gold", "--ttl", "25h"], "30s to 24h"),
            (&["--subject", "night", "--role", "gold", "--ttl", "soon"], "soon"),
        ] {
            let refusal = issue_with(folder.path(), words).unwrap_err();
            assert!(refusal.contains(why), "{words:?}: {refusal}");
        }
        let nowhere = issue_with(Path::new("/nowhere"), &["--subject", "a", "--role", "gold"]).unwrap_err();
        assert!(nowhere.contains("cannot read /nowhere/signing-key.pem"), "{nowhere}");
    }
}
