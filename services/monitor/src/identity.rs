//! The identity service: a sign-in at the identity provider becomes a short credential of this region, and ends.
//!
//! `exchange` decides who somebody is here; `roles` are the tables by which each organisation says so; `ended` writes the
//! end of a session into the log, by which every process of the region hears of it.

use std::sync::Arc;
use std::time::Duration;

use fallow_api::convert::{Check, time};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_api::v1::identity_service_server::{IdentityService, IdentityServiceServer};
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::Label;
use fallow_host::clock::Clock;
use fallow_host::identity::provider::Provider;
use fallow_host::identity::sessions::EndedBy;
use fallow_host::identity::{Signer, Verifier, caller};
use fallow_live::Live;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

mod ended;
mod exchange;
mod roles;

pub use roles::{RoleTables, RoleTablesError};

/// Exchanges that may be in work at once: each may wait for the provider, and anybody can ask for one.
const EXCHANGES_MAX: usize = 64;
/// When to try again where there are more.
const CROWD: Duration = Duration::from_secs(1);

/// How people of a region sign in.
pub struct SignIns {
    /// The provider that they sign in at.
    pub provider: Provider,
    /// What their national roles are here.
    pub roles: RoleTables,
    /// Signs their credentials.
    pub signer: Signer,
    /// Knows the credentials that were signed before, when they are to be renewed.
    pub verifier: Verifier,
    /// How long a credential lasts.
    pub token_life: Duration,
    /// The client id of the command line; empty when it has no sign-in.
    pub cli_client: String,
    /// What clients ask the provider for.
    pub scopes: String,
    /// The `acr` that the command line asks for where assurance level 3 is needed.
    pub step_up_acr: String,
}

/// The identity service over a region's ledger.
#[derive(Clone)]
pub struct Identities(Arc<Inner>);

struct Inner {
    live: Live,
    /// The region's clock, by which changes are dated.
    clock: Clock,
    /// The clock of credentials, which are made and held in the real world.
    real: Clock,
    sign_ins: Option<SignIns>,
    looked: exchange::Looked,
    exchanging: Semaphore,
}

impl Identities {
    /// Makes the service, ready to be added to a server. `real` is the clock of credentials: the system's but in tests.
    #[must_use]
    pub fn server(
        live: Live,
        clock: Clock,
        real: Clock,
        sign_ins: Option<SignIns>,
    ) -> IdentityServiceServer<Self> {
        let exchanging = Semaphore::new(EXCHANGES_MAX);
        let looked = exchange::Looked::default();
        IdentityServiceServer::new(Self(Arc::new(Inner { live, clock, real, sign_ins, looked, exchanging })))
    }
}

impl Inner {
    fn sign_ins(&self) -> Result<&SignIns, Failure> {
        self.sign_ins.as_ref().ok_or(Failure::Unimplemented)
    }
}

#[tonic::async_trait]
impl IdentityService for Identities {
    async fn get_provider(
        &self,
        _: Request<v1::GetProviderRequest>,
    ) -> Result<Response<v1::GetProviderResponse>, Status> {
        let answer = match &self.0.sign_ins {
            Some(sign_ins) => v1::GetProviderResponse {
                issuer: sign_ins.provider.issuer().to_owned(),
                cli_client: sign_ins.cli_client.clone(),
                scopes: sign_ins.scopes.clone(),
                step_up_acr: sign_ins.step_up_acr.clone(),
            },
            None => v1::GetProviderResponse::default(),
        };
        Ok(Response::new(answer))
    }

    async fn exchange_token(
        &self,
        request: Request<v1::ExchangeTokenRequest>,
    ) -> Result<Response<v1::ExchangeTokenResponse>, Status> {
        let inner = &*self.0;
        let message = request.into_inner();
        let mut check = Check::new("");
        for (field, value) in [("id_token", &message.id_token), ("access_token", &message.access_token)] {
            if value.is_empty() {
                check.wrong(field, reasons::REQUIRED, "must be given");
            }
        }
        check.finish(Some(())).map_err(Failure::from)?;
        let _permit = inner.exchanging.try_acquire().map_err(|_| Failure::Limited {
            reason: reasons::CONCURRENCY,
            subject: "sign-ins".to_owned(),
            text: format!("{EXCHANGES_MAX} sign-ins may be in work at once"),
            retry_after: Some(CROWD),
        })?;
        let exchanged = exchange::run(inner, &message).await?;
        Ok(Response::new(v1::ExchangeTokenResponse {
            token: exchanged.token,
            expires_at: Some(time::to_wire(exchanged.ends_at)),
            trust: exchanged.actor.trust.map(|trust| trust.to_string()).unwrap_or_default(),
            role: exchanged.actor.role.to_string(),
            assurance: exchanged.assurance.level().into(),
            session_ends_at: Some(time::to_wire(exchanged.session_ends_at)),
        }))
    }

    async fn end_session(
        &self,
        request: Request<v1::EndSessionRequest>,
    ) -> Result<Response<v1::EndSessionResponse>, Status> {
        let caller = caller(&request)?;
        // A built-in user has signed in nowhere.
        if let Some(session) = &caller.session {
            // Until the sign-in that is ended, not until now: a sign-in that has followed it goes on.
            let at = caller.signed_in_at.unwrap_or_else(|| self.0.real.now());
            ended::run(&self.0, caller.actor.clone(), session, (at, EndedBy::Person)).await?;
        }
        Ok(Response::new(v1::EndSessionResponse {}))
    }

    async fn log_out(
        &self,
        request: Request<v1::LogOutRequest>,
    ) -> Result<Response<v1::LogOutResponse>, Status> {
        let logged_out = self.0.sign_ins()?.provider.logout(&request.into_inner().logout_token).await?;
        let provider = Actor {
            subject: Label::parse("identity.provider").unwrap_or_default(),
            kind: ActorKind::System,
            role: Role::PlatformAdmin,
            trust: None,
        };
        let at = Timestamp::from_second(logged_out.issued_at).unwrap_or_else(|_| self.0.real.now());
        ended::run(&self.0, provider, &logged_out.name, (at, EndedBy::Provider)).await?;
        Ok(Response::new(v1::LogOutResponse {}))
    }
}
