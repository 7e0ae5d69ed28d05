//! `fallow auth login` and `logout`: a person signs in on whatever screen they have, by a code that they type there.
//!
//! What the provider gave lies in a file of the user's own state folder, which nobody else reads, and is exchanged anew for
//! a credential whenever that is about to end: by one command at a time, for a refresh token may be good once. A context
//! that names a credential file uses that instead.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use fallow_api::client::Client;
use fallow_api::convert::time;
use fallow_api::reasons;
use fallow_api::v1::{EndSessionRequest, ExchangeTokenRequest, GetProviderRequest};
use fallow_host::clock::Clock;
use fallow_host::identity::provider::{
    Client as AtProvider, GrantError, Options, Provider, SLOWER, Secret, Tokens, Waiting,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::failure::{Exit, Failure};
use super::session::Session;
use super::settings::{Context, Service, keep_private};

/// How long before its end a credential is renewed.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_secs(30);

/// The level of a stronger sign-in.
const STRONGER: i32 = 3;

/// How somebody signs in.
#[derive(Debug, Clone, Args)]
pub(crate) struct How {
    /// Sign in anew, with a smartcard or security key (assurance level 3), as what two people do together needs it
    #[arg(long)]
    stronger: bool,
}

/// A sign-in as it lies in its file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    issuer: String,
    client: String,
    scopes: String,
    id_token: String,
    access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    tokens_end: Timestamp,
    credential: String,
    credential_ends: Timestamp,
}

/// Returns the file of the sign-in at a context's services: another address is another sign-in.
pub(crate) fn file_of(state_folder: &Path, context: &Context) -> PathBuf {
    let hash = Sha256::digest(context.endpoints.of(Service::Monitor));
    let name: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    state_folder.join("fallow").join("sign-ins").join(format!("{name}.json"))
}

/// Returns the credential of a sign-in, renewed when it is about to end and can be; `None` when nobody has signed in.
///
/// # Errors
/// The file cannot be used, or the credential has ended and there is no other.
pub(crate) async fn credential(file: &Path, client: &Client) -> Result<Option<String>, Failure> {
    let Some(sign_in) = read(file)? else { return Ok(None) };
    if sign_in.is_fresh() {
        return Ok(Some(sign_in.credential));
    }
    let _lock = lock(file).await?;
    match renew(file, client).await {
        // While the provider is away the old one serves as long as it lasts.
        Err(_) if sign_in.credential_ends > Clock::system().now() => Ok(Some(sign_in.credential)),
        renewed => renewed,
    }
}

/// Renews the credential of a sign-in, whose file is locked, unless another command just has.
async fn renew(file: &Path, client: &Client) -> Result<Option<String>, Failure> {
    let Some(mut sign_in) = read(file)? else { return Ok(None) };
    if sign_in.is_fresh() {
        return Ok(Some(sign_in.credential));
    }
    let now = Clock::system().now();
    if sign_in.tokens_end.duration_since(now) <= RENEW_BEFORE && sign_in.refresh_token.is_some() {
        let provider = provider(&sign_in.issuer, &sign_in.client)?;
        let at = at_provider(&sign_in.client, &sign_in.scopes);
        let tokens = provider.tokens_anew(&at, &sign_in.tokens()).await.map_err(|error| failed(&error))?;
        sign_in.take(&tokens);
        // A refresh token may be good once: what came for it is kept before anything else can fail.
        write(file, &sign_in)?;
    }
    exchange(client, &mut sign_in).await?;
    write(file, &sign_in)?;
    Ok(Some(sign_in.credential))
}

/// Runs `fallow auth login`.
pub(crate) async fn login(session: &mut Session<'_>, how: &How) -> Result<Exit, Failure> {
    if session.context()?.token_file.is_some() {
        return Err(Failure::usage("this context has a credential of its own, which goes before a sign-in")
            .next("fallow context add NAME --endpoint https://HOST:7434, without --token-file"));
    }
    let identity = session.client()?.identity();
    let told =
        session.call(GetProviderRequest {}, async |ask| identity.clone().get_provider(ask).await).await?;
    if told.issuer.is_empty() || told.cli_client.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            "NO_PROVIDER",
            "the command line has no sign-in in this region",
        )
        .next("ask your operator for a credential file, then: fallow context add NAME --token-file FILE"));
    }
    let provider = provider(&told.issuer, &told.cli_client)?;
    let at = at_provider(&told.cli_client, &told.scopes);
    let acr = if how.stronger { told.step_up_acr.as_str() } else { "" };
    let device = provider.begin_device(&at, acr).await.map_err(|error| failed(&error))?;
    let place = device.verification_uri_complete.as_ref().unwrap_or(&device.verification_uri);
    session.terminal.say(&format!("open {place}\nand confirm the code {}", device.user_code))?;
    let clock = Clock::system();
    let tokens = tokio::time::timeout(device.lasts, async {
        let mut wait = device.every;
        loop {
            tokio::time::sleep(wait).await;
            match provider.ask_device(&at, &device).await {
                Ok(Waiting::Done(tokens)) => return Ok(tokens),
                Ok(Waiting::Still) => {}
                Ok(Waiting::Slower) => wait += SLOWER,
                Err(error) => return Err(failed(&error)),
            }
        }
    });
    let late = || {
        Failure::new(Exit::TimedOut, "SIGN_IN_LATE", "nobody confirmed the code in time")
            .next("fallow auth login")
    };
    let tokens = tokens.await.map_err(|_| late())??;
    let now = clock.now();
    let mut sign_in = SignIn {
        issuer: told.issuer,
        client: told.cli_client,
        scopes: told.scopes,
        id_token: String::new(),
        access_token: String::new(),
        refresh_token: None,
        tokens_end: now,
        credential: String::new(),
        credential_ends: now,
    };
    sign_in.take(&tokens);
    let assurance = exchange(session.client()?, &mut sign_in).await?;
    // What was asked for is the provider's to give: a weaker sign-in would only be refused later.
    if how.stronger && assurance < STRONGER {
        let text = "your identity provider did not confirm who you are with a smartcard or security key";
        return Err(Failure::new(Exit::NotAllowed, reasons::AAL_TOO_LOW, text)
            .next("sign in there with your card or key, then: fallow auth login --stronger"));
    }
    let file = session.sign_in_file()?;
    {
        let _lock = lock(&file).await?;
        write(&file, &sign_in)?;
    }
    session.use_credential(&sign_in.credential)?;
    super::context::whoami(session)
}

/// Runs `fallow auth logout`: ends the session everywhere and forgets it here. Doing it twice is fine.
pub(crate) async fn logout(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let file = session.sign_in_file()?;
    let _lock = match read(&file)? {
        Some(_) => lock(&file).await?,
        None => {
            session.terminal.say("nobody was signed in")?;
            return Ok(Exit::Ok);
        }
    };
    // A credential that has ended by itself cannot say that its session has: the session may live on, and is ended by a
    // new one. Where none can be had, the old one is as good as any.
    let known = read(&file)?.map(|sign_in| sign_in.credential).unwrap_or_default();
    let credential = renew(&file, session.client()?).await.ok().flatten().unwrap_or(known);
    let client =
        session.client()?.acting_by(&credential).map_err(|error| Failure::usage(error.to_string()))?;
    let identity = client.identity();
    let ended = client.call(EndSessionRequest {}, async |ask| identity.clone().end_session(ask).await).await;
    fs::remove_file(&file)?;
    match ended {
        Ok(_) => session.terminal.say("signed out")?,
        // A credential that has ended is as good as none.
        Err(problem) if Failure::from(problem.clone()).exit == Exit::NotAllowed => {
            session.terminal.say("signed out")?
        }
        Err(problem) => {
            session.terminal.say("signed out here; elsewhere the session ends within 5 minutes")?;
            return Err(problem.into());
        }
    }
    Ok(Exit::Ok)
}

impl SignIn {
    fn is_fresh(&self) -> bool {
        self.credential_ends.duration_since(Clock::system().now()) > RENEW_BEFORE
    }

    fn take(&mut self, tokens: &Tokens) {
        self.id_token = tokens.id_token.reveal().to_owned();
        self.access_token = tokens.access_token.reveal().to_owned();
        self.refresh_token = tokens.refresh_token.as_ref().map(|token| token.reveal().to_owned());
        let now = Clock::system().now();
        let lasts = SignedDuration::try_from(tokens.lasts).unwrap_or_default();
        self.tokens_end = now.checked_add(lasts).unwrap_or(now);
    }

    fn tokens(&self) -> Tokens {
        Tokens {
            id_token: Secret::new(&self.id_token),
            access_token: Secret::new(&self.access_token),
            refresh_token: self.refresh_token.as_deref().map(Secret::new),
            lasts: Duration::ZERO,
        }
    }
}

/// Exchanges a sign-in for a credential, and returns how sure the provider was of its person, 2 or 3.
async fn exchange(client: &Client, sign_in: &mut SignIn) -> Result<i32, Failure> {
    let request = ExchangeTokenRequest {
        id_token: sign_in.id_token.clone(),
        access_token: sign_in.access_token.clone(),
        nonce: String::new(),
        credential: sign_in.credential.clone(),
    };
    let identity = client.identity();
    let answer = client.call(request, async |ask| identity.clone().exchange_token(ask).await).await;
    let answer = answer.map_err(|problem| Failure::from(problem).next("fallow auth login"))?;
    sign_in.credential_ends =
        answer.expires_at.as_ref().and_then(time::from_wire).unwrap_or(sign_in.credential_ends);
    sign_in.credential = answer.token;
    Ok(answer.assurance)
}

fn provider(issuer: &str, client: &str) -> Result<Provider, Failure> {
    // The services verify the provider's tokens; the command line only carries them.
    let options = Options {
        issuer: issuer.to_owned(),
        algorithm: "RS256".to_owned(),
        clients: vec![client.to_owned()],
        authorities: None,
        leeway_seconds: 0,
    };
    Provider::new(options, Clock::system())
        .map_err(|error| Failure::new(Exit::Failed, "PROVIDER", error.to_string()))
}

fn at_provider(client: &str, scopes: &str) -> AtProvider {
    AtProvider { id: client.to_owned(), secret: None, scopes: scopes.to_owned() }
}

fn failed(error: &GrantError) -> Failure {
    Failure::new(Exit::NotAllowed, "SIGN_IN", error.to_string()).next("fallow auth login")
}

/// Waits until no other command works on a sign-in. The lock ends with what is returned, or with the process.
async fn lock(file: &Path) -> Result<fs::File, Failure> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    keep_private(folder)?;
    // A file of its own, which is never replaced as the sign-in's is.
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let lock = options.open(file.with_extension("lock"))?;
    let locked = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
    Ok(locked.map_err(std::io::Error::other)??)
}

fn read(file: &Path) -> Result<Option<SignIn>, Failure> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // What is wrong with it is not repeated: it holds secrets.
    serde_json::from_str(&text).map(Some).map_err(|_| {
        Failure::new(Exit::NotAllowed, "NO_CREDENTIAL", format!("{} cannot be used", file.display()))
            .next("remove the file, then: fallow auth login")
    })
}

/// Writes the file so that nobody else of this machine ever reads it, and a crash leaves the old one whole.
fn write(file: &Path, sign_in: &SignIn) -> Result<(), Failure> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    keep_private(folder)?;
    let beside = file.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut opened = options.open(&beside)?;
    serde_json::to_writer(&mut opened, sign_in).map_err(std::io::Error::from)?;
    opened.sync_all()?;
    fs::rename(&beside, file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use fallow_api::client::Settings;

    use super::*;

    #[tokio::test]
    async fn a_credential_that_cannot_be_renewed_serves_as_long_as_it_lasts() {
        let nowhere = || "http://127.0.0.1:1".to_owned();
        let client = Client::new(&Settings {
            capacity: nowhere(),
            demand: nowhere(),
            matching: nowhere(),
            monitor: nowhere(),
            token: None,
            authority_pem: None,
            certificate_pem: None,
            deadline: Duration::from_millis(100),
        })
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sign-ins").join("here.json");
        let now = Clock::system().now();
        let sign_in = |credential_ends| SignIn {
            issuer: nowhere(),
            client: "cli".to_owned(),
            scopes: "openid".to_owned(),
            id_token: "id".to_owned(),
            access_token: "access".to_owned(),
            refresh_token: Some("refresh".to_owned()),
            tokens_end: now,
            credential: "old".to_owned(),
            credential_ends,
        };
        write(&file, &sign_in(now + RENEW_BEFORE)).unwrap();
        assert_eq!(credential(&file, &client).await.unwrap().as_deref(), Some("old"));
        write(&file, &sign_in(now)).unwrap();
        assert!(credential(&file, &client).await.is_err());
    }
}
