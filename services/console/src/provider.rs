//! People who sign in at the identity provider: the console holds what the provider gave them, and never the browser.

use std::sync::Arc;
use std::time::Duration;

use fallow_api::convert::time;
use fallow_api::v1::{EndSessionRequest, ExchangeTokenRequest, LogOutRequest};
use fallow_host::clock::Clock;
use fallow_host::identity::provider::{Client, Provider, Tokens};
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::app::App;
use crate::problem::{Kind, Problem};
use crate::session::claims_of;

/// How long before its end a credential is renewed: longer than any page takes.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// How soon after a renewal that failed another is tried.
const RENEW_AGAIN: Duration = Duration::from_secs(2);

/// The identity provider, as the console uses it.
#[derive(Debug, Clone)]
pub struct AtProvider {
    /// The provider.
    pub provider: Provider,
    /// The console as its client.
    pub client: Client,
    /// Where people reach the console: scheme and host, no path.
    pub address: String,
    /// The `acr` asked for at sign-in; empty for none.
    pub sign_in_acr: String,
    /// The `acr` asked for when more is needed.
    pub step_up_acr: String,
}

impl AtProvider {
    /// Returns where the provider sends people back to.
    pub(crate) fn back_address(&self) -> String {
        format!("{}/sign-in/back", self.address.trim_end_matches('/'))
    }

    /// Returns where the provider sends people back to who have signed out there.
    pub(crate) fn out_address(&self) -> String {
        format!("{}/sign-in", self.address.trim_end_matches('/'))
    }
}

/// What the provider gave somebody, and the credential that it was exchanged for.
pub(crate) struct Held {
    /// The session's id at the provider.
    sid: Option<String>,
    /// The person's id there.
    sub: String,
    /// When they signed in there, in seconds since 1970.
    signed_in_at: i64,
    state: Arc<tokio::sync::Mutex<State>>,
}

struct State {
    tokens: Tokens,
    tokens_end: Instant,
    credential: String,
    credential_ends: Instant,
    /// What the last renewal failed of, and when.
    failed: Option<(Instant, Problem)>,
}

/// The claims of a provider's token that name a session. Read only once a service has verified the token.
#[derive(Debug, Default, Deserialize)]
struct Named {
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    auth_time: i64,
}

/// Somebody who has come back from the provider.
pub(crate) struct Arrived {
    /// What their session holds.
    pub(crate) held: Arc<Held>,
    /// Their first credential.
    pub(crate) credential: String,
    /// How sure the provider was of them, 2 or 3.
    pub(crate) assurance: i32,
    /// When they signed in there, in seconds since 1970.
    pub(crate) signed_in_at: i64,
}

impl Held {
    /// Exchanges what the provider gave for a credential.
    ///
    /// # Errors
    /// The identity service refuses it, or cannot be reached.
    pub(crate) async fn exchange(app: &App, tokens: Tokens, nonce: &str) -> Result<Arrived, Problem> {
        let exchanged = exchange(app, &tokens, nonce, "").await?;
        let named = claims_of::<Named>(tokens.id_token.reveal()).unwrap_or_default();
        let tokens_end = Instant::now() + tokens.lasts;
        let (credential, assurance) = (exchanged.credential.clone(), exchanged.assurance);
        let state = State {
            tokens,
            tokens_end,
            credential: exchanged.credential,
            credential_ends: exchanged.ends,
            failed: None,
        };
        let state = Arc::new(tokio::sync::Mutex::new(state));
        let held = Arc::new(Self { sid: named.sid, sub: named.sub, signed_in_at: named.auth_time, state });
        Ok(Arrived { held, credential, assurance, signed_in_at: named.auth_time })
    }

    /// Returns the credential, renewed when it is about to end. While it cannot be renewed, the old one serves to its end.
    ///
    /// # Errors
    /// The session has ended; or, with a problem that [`is_passing`], no new one can be had at the moment.
    pub(crate) async fn credential(&self, app: &App, at: &AtProvider) -> Result<String, Problem> {
        // Requests of one person wait for one renewal, so that a refresh token is never used twice.
        let mut state = self.state.clone().lock_owned().await;
        if state.credential_ends.saturating_duration_since(Instant::now()) > RENEW_BEFORE {
            return Ok(state.credential.clone());
        }
        if let Some((at, problem)) = &state.failed
            && at.elapsed() < RENEW_AGAIN
        {
            let problem = problem.clone();
            return state.to_its_end(problem);
        }
        // In a task of its own: a browser that hangs up must not take with it what came for a refresh token, which is
        // good once.
        let (app, at) = (app.clone(), at.clone());
        let (done, renewed) = oneshot::channel();
        app.clone().tasks.spawn("renewal", async move {
            let outcome = state.renew(&app, &at).await;
            drop(state);
            // Whoever hung up finds it with their next request.
            let _ = done.send(outcome);
        });
        renewed.await.unwrap_or_else(|_| Err(Problem::away("Your sign-in could not be renewed.")))
    }

    /// Ends the session in every service. What cannot be said now ends with the credential, in five minutes.
    pub(crate) async fn end(&self, app: &App, at: &AtProvider) {
        // One that has ended by itself cannot say that its session has, too.
        let credential = match self.credential(app, at).await {
            Ok(credential) => credential,
            Err(_) => self.state.lock().await.credential.clone(),
        };
        let Ok(calls) = app.upstream.as_bearer(&credential) else { return };
        if let Err(status) = calls.identity().end_session(EndSessionRequest {}).await {
            tracing::warn!(code = ?status.code(), "a session could not be ended at the services");
        }
    }

    /// Returns where the person's session at the provider is ended, and from where they come back to `back`; `None` when
    /// the provider does not say.
    pub(crate) async fn sign_out_address(&self, at: &AtProvider, back: &str) -> Option<String> {
        let tokens = self.state.lock().await.tokens.clone();
        match at.provider.sign_out_address(&at.client, &tokens, back).await {
            Ok(address) => address,
            Err(error) => {
                tracing::warn!(%error, "nobody can be sent to sign out at the identity provider");
                None
            }
        }
    }

    /// Says whether it can be ended at the services without the other: they end whatever a person began there no later
    /// than this, and a provider may not have asked them to sign in anew.
    pub(crate) fn is_apart_from(&self, later: &Self) -> bool {
        self.sub != later.sub || self.signed_in_at < later.signed_in_at
    }

    /// Says whether a logout token that was verified names this session.
    fn is_named(&self, named: &Named) -> bool {
        match &named.sid {
            Some(sid) => self.sid.as_ref() == Some(sid),
            None => !named.sub.is_empty() && self.sub == named.sub,
        }
    }
}

/// Ends what a logout token names: in every service, and here.
///
/// # Errors
/// The identity service refuses the token, or cannot be reached.
pub(crate) async fn log_out(app: &App, logout_token: &str) -> Result<(), Problem> {
    app.upstream.identity().log_out(LogOutRequest { logout_token: logout_token.to_owned() }).await?;
    if let Some(named) = claims_of::<Named>(logout_token) {
        app.sessions.end_held(|held| held.is_named(&named));
    }
    Ok(())
}

impl State {
    async fn renew(&mut self, app: &App, at: &AtProvider) -> Result<String, Problem> {
        let problem = match self.try_to_renew(app, at).await {
            Ok(()) => {
                self.failed = None;
                return Ok(self.credential.clone());
            }
            Err(problem) => problem,
        };
        self.failed = Some((Instant::now(), problem.clone()));
        self.to_its_end(problem)
    }

    /// Returns the credential as long as it lasts when a problem is of the moment, else the problem.
    fn to_its_end(&self, problem: Problem) -> Result<String, Problem> {
        let lasts = self.credential_ends > Instant::now();
        if lasts && is_passing(&problem) { Ok(self.credential.clone()) } else { Err(problem) }
    }

    async fn try_to_renew(&mut self, app: &App, at: &AtProvider) -> Result<(), Problem> {
        let left = self.tokens_end.saturating_duration_since(Instant::now());
        if left <= RENEW_BEFORE && self.tokens.refresh_token.is_some() {
            match at.provider.tokens_anew(&at.client, &self.tokens).await {
                Ok(tokens) => {
                    self.tokens_end = Instant::now() + tokens.lasts;
                    self.tokens = tokens;
                }
                Err(error) if error.is_final() => {
                    return Err(Problem::signed_out("Your identity provider has ended your session."));
                }
                // With tokens that have ended nothing can be had, which says nothing of the session.
                Err(error) => {
                    tracing::warn!(%error, "the identity provider gives no new tokens");
                    return Err(Problem::away("Your identity provider does not answer."));
                }
            }
        }
        let exchanged = exchange(app, &self.tokens, "", &self.credential).await?;
        (self.credential, self.credential_ends) = (exchanged.credential, exchanged.ends);
        Ok(())
    }
}

/// What a sign-in was exchanged for.
struct Exchanged {
    credential: String,
    ends: Instant,
    assurance: i32,
}

/// Exchanges a sign-in: a new one with its nonce, one that was exchanged before with the last credential of it.
async fn exchange(app: &App, tokens: &Tokens, nonce: &str, last: &str) -> Result<Exchanged, Problem> {
    let request = ExchangeTokenRequest {
        id_token: tokens.id_token.reveal().to_owned(),
        access_token: tokens.access_token.reveal().to_owned(),
        nonce: nonce.to_owned(),
        credential: last.to_owned(),
    };
    let answer = app.upstream.identity().exchange_token(request).await?.into_inner();
    // Credentials are of the real world, also where the region's clock is not.
    let left = answer
        .expires_at
        .as_ref()
        .and_then(time::from_wire)
        .map(|ends| ends.duration_since(Clock::system().now()));
    let left = left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default();
    let (credential, ends) = (answer.token, Instant::now() + left);
    Ok(Exchanged { credential, ends, assurance: answer.assurance })
}

/// Says whether a problem is of the moment and says nothing of the session.
pub(crate) fn is_passing(problem: &Problem) -> bool {
    match problem.kind {
        Kind::Limited | Kind::Away | Kind::OutcomeUnknown | Kind::Broken => true,
        Kind::Invalid
        | Kind::Refused
        | Kind::ChangedMeanwhile
        | Kind::NotFound
        | Kind::Forbidden
        | Kind::SignedOut => false,
    }
}

#[cfg(test)]
mod tests;
