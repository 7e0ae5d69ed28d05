//! People who sign in at the identity provider: the console holds what the provider gave them, and never the browser.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fallow_api::convert::time;
use fallow_api::v1::{EndSessionRequest, ExchangeTokenRequest, LogOutRequest};
use fallow_host::clock::Clock;
use fallow_host::identity::provider::{Client, Provider, Tokens};
use serde::Deserialize;
use tokio::time::Instant;

use crate::app::App;
use crate::problem::{Kind, Problem};
use crate::session::claims_of;

/// How long before its end a credential is renewed: longer than any page takes.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// How long somebody may take at the provider.
const SIGN_IN_WITHIN: Duration = Duration::from_secs(10 * 60);
/// People on their way to the provider at most; whoever has been longest makes room.
const PENDING_MAX: usize = 10_000;

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
}

/// Somebody on their way to the provider.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// What the ID token must carry.
    pub(crate) nonce: String,
    /// What only we can show when we ask for tokens.
    pub(crate) verifier: String,
    /// Where they go afterwards.
    pub(crate) next: String,
    began: Instant,
}

/// Everybody on their way, by the state that their browser and the provider's answer must both carry.
#[derive(Default)]
pub(crate) struct OnTheirWay(Mutex<HashMap<String, Pending>>);

impl OnTheirWay {
    pub(crate) fn add(&self, state: &str, nonce: String, verifier: String, next: String) {
        let mut all = self.lock();
        if all.len() >= PENDING_MAX {
            all.retain(|_, pending| pending.began.elapsed() < SIGN_IN_WITHIN);
            let longest = all.iter().min_by_key(|(_, pending)| pending.began).map(|(state, _)| state.clone());
            if let (true, Some(longest)) = (all.len() >= PENDING_MAX, longest) {
                all.remove(&longest);
            }
        }
        all.insert(state.to_owned(), Pending { nonce, verifier, next, began: Instant::now() });
    }

    /// Takes what belongs to a state: each is good once.
    pub(crate) fn take(&self, state: &str) -> Option<Pending> {
        self.lock().remove(state).filter(|pending| pending.began.elapsed() < SIGN_IN_WITHIN)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        // Whole after each operation.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the provider gave somebody, and the credential that it was exchanged for.
pub(crate) struct Held {
    /// The session's id at the provider.
    sid: Option<String>,
    /// The person's id there.
    sub: String,
    state: tokio::sync::Mutex<State>,
}

struct State {
    tokens: Tokens,
    tokens_end: Instant,
    credential: String,
    credential_ends: Instant,
}

/// The claims of a provider's token that name a session. Read only once a service has verified the token.
#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    sub: String,
}

impl Held {
    /// Exchanges what the provider gave for a credential.
    ///
    /// # Errors
    /// The identity service refuses it, or cannot be reached.
    pub(crate) async fn exchange(
        app: &App,
        tokens: Tokens,
        nonce: &str,
    ) -> Result<(Arc<Self>, String), Problem> {
        let (credential, credential_ends) = exchange(app, &tokens, nonce).await?;
        let named =
            claims_of::<Named>(tokens.id_token.reveal()).unwrap_or(Named { sid: None, sub: String::new() });
        let tokens_end = Instant::now() + tokens.lasts;
        let state = State { tokens, tokens_end, credential: credential.clone(), credential_ends };
        let state = tokio::sync::Mutex::new(state);
        Ok((Arc::new(Self { sid: named.sid, sub: named.sub, state }), credential))
    }

    /// Returns the credential, renewed when it is about to end. While it cannot be renewed, the old one serves to its end.
    ///
    /// # Errors
    /// The session has ended, or the old credential has and no new one can be had.
    pub(crate) async fn credential(&self, app: &App, at: &AtProvider) -> Result<String, Problem> {
        // Requests of one person wait for one renewal, so that a refresh token is never used twice.
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if state.credential_ends.saturating_duration_since(now) > RENEW_BEFORE {
            return Ok(state.credential.clone());
        }
        if state.tokens_end.saturating_duration_since(now) <= RENEW_BEFORE
            && state.tokens.refresh_token.is_some()
        {
            match at.provider.tokens_anew(&at.client, &state.tokens).await {
                Ok(tokens) => {
                    state.tokens_end = Instant::now() + tokens.lasts;
                    state.tokens = tokens;
                }
                // The old ones decide below whether the session goes on.
                Err(error) => tracing::warn!(%error, "the identity provider gives no new tokens"),
            }
        }
        match exchange(app, &state.tokens, "").await {
            Ok((credential, ends)) => {
                (state.credential, state.credential_ends) = (credential, ends);
                Ok(state.credential.clone())
            }
            Err(problem) if is_passing(&problem) && state.credential_ends > now => {
                Ok(state.credential.clone())
            }
            Err(problem) => Err(problem),
        }
    }

    /// Ends the session in every service. What cannot be said now ends with the credential, in five minutes.
    pub(crate) async fn end(&self, app: &App) {
        let credential = self.state.lock().await.credential.clone();
        let Ok(calls) = app.upstream.as_bearer(&credential) else { return };
        if let Err(status) = calls.identity().end_session(EndSessionRequest {}).await {
            tracing::warn!(code = ?status.code(), "a session could not be ended at the services");
        }
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

async fn exchange(app: &App, tokens: &Tokens, nonce: &str) -> Result<(String, Instant), Problem> {
    let request = ExchangeTokenRequest {
        id_token: tokens.id_token.reveal().to_owned(),
        access_token: tokens.access_token.reveal().to_owned(),
        nonce: nonce.to_owned(),
    };
    let answer = app.upstream.identity().exchange_token(request).await?.into_inner();
    // Credentials are of the real world, also where the region's clock is not.
    let left = answer
        .expires_at
        .as_ref()
        .and_then(time::from_wire)
        .map(|ends| ends.duration_since(Clock::system().now()));
    let left = left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default();
    Ok((answer.token, Instant::now() + left))
}

/// Says whether a problem is of the moment and says nothing of the session.
fn is_passing(problem: &Problem) -> bool {
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
