//! A typed client: a credential on every call, a deadline on every unary call, and careful retries.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use fallow_api::client::{Client, Settings, fresh_request_id};
//! use fallow_api::v1::AdjustOfferRequest;
//!
//! let client = Client::new(&Settings::at("http://127.0.0.1:7431").with_token("…"))?;
//! let request = AdjustOfferRequest {
//!     request_id: fresh_request_id(),
//!     offer: "o1".into(),
//!     by: -1,
//!     ..Default::default()
//! };
//! let capacity = client.capacity();
//! let answer = client
//!     .call(request, |request| {
//!         let mut capacity = capacity.clone();
//!         async move { capacity.adjust_offer(request).await }
//!     })
//!     .await?;
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

use thiserror::Error;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::problem::Problem;
use crate::v1::capacity_service_client::CapacityServiceClient;
use crate::v1::demand_service_client::DemandServiceClient;
use crate::v1::identity_service_client::IdentityServiceClient;
use crate::v1::matching_service_client::MatchingServiceClient;
use crate::v1::monitor_service_client::MonitorServiceClient;

/// Time a unary call gets when nothing else is set.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Most times that one request is sent.
pub const ATTEMPTS_MAX: u32 = 4;
/// Wait before the first retry, doubled for each further one; half of it is jitter.
const BACKOFF: Duration = Duration::from_millis(200);
/// Longest wait before a retry, whatever the server asks for.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// Greatest answer taken: a whole region file with its members, or what a whole state changed.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Time to make a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a silent connection is tried, so that a watch notices a dead server.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A channel that carries the credential.
pub type Authorised = InterceptedService<Channel, Credential>;

/// Where the services are and who calls.
#[derive(Clone)]
pub struct Settings {
    /// Address of CapacityService, such as `http://127.0.0.1:7431`.
    pub capacity: String,
    /// Address of DemandService.
    pub demand: String,
    /// Address of MatchingService.
    pub matching: String,
    /// Address of MonitorService and IdentityService.
    pub monitor: String,
    /// The bearer token; `None` = none is sent.
    pub token: Option<String>,
    /// For `https` addresses: the authority that signed the servers' certificates, PEM.
    pub authority_pem: Option<String>,
    /// For `https` addresses: the certificate by which a system proves itself, and its key, PEM.
    pub certificate_pem: Option<(String, String)>,
    /// Time a unary call gets, all of its retries apart.
    pub deadline: Duration,
}

impl Settings {
    /// Makes settings for all services at one address.
    #[must_use]
    pub fn at(address: &str) -> Self {
        Self {
            capacity: address.to_owned(),
            demand: address.to_owned(),
            matching: address.to_owned(),
            monitor: address.to_owned(),
            token: None,
            authority_pem: None,
            certificate_pem: None,
            deadline: DEADLINE,
        }
    }

    /// Sets the bearer token.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }
}

/// Settings of which no client can be made.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// An address is none.
    #[error("{address:?} is not an address such as http://127.0.0.1:7431")]
    Address {
        /// What was given.
        address: String,
        /// Why it is none.
        source: tonic::transport::Error,
    },
    /// The token holds characters that no header takes.
    #[error("the token holds characters that no header takes")]
    Token,
}

/// Puts the credential on every call.
#[derive(Clone)]
pub struct Credential(Option<MetadataValue<Ascii>>);

impl Credential {
    fn bearer(token: &str) -> Result<Self, SettingsError> {
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {token}").parse().map_err(|_| SettingsError::Token)?;
        // Keeps it out of logs and of header compression.
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// All services, each connected when it is first called and again whenever it was lost. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    capacity: Channel,
    demand: Channel,
    matching: Channel,
    monitor: Channel,
    credential: Credential,
    deadline: Duration,
}

impl Client {
    /// Makes a client; nothing is connected yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When an address or the token is not well formed.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let credential = match &settings.token {
            Some(token) => Credential::bearer(token)?,
            None => Credential(None),
        };
        let channel = |address: &str| channel(address, settings);
        Ok(Self {
            capacity: channel(&settings.capacity)?,
            demand: channel(&settings.demand)?,
            matching: channel(&settings.matching)?,
            monitor: channel(&settings.monitor)?,
            credential,
            deadline: settings.deadline,
        })
    }

    /// Returns the same client acting by another credential; the connections are shared.
    ///
    /// # Errors
    /// When the token is not well formed.
    pub fn acting_by(&self, token: &str) -> Result<Self, SettingsError> {
        Ok(Self { credential: Credential::bearer(token)?, ..self.clone() })
    }

    /// Returns CapacityService.
    #[must_use]
    pub fn capacity(&self) -> CapacityServiceClient<Authorised> {
        CapacityServiceClient::with_interceptor(self.capacity.clone(), self.credential.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Returns DemandService.
    #[must_use]
    pub fn demand(&self) -> DemandServiceClient<Authorised> {
        DemandServiceClient::with_interceptor(self.demand.clone(), self.credential.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Returns MatchingService.
    #[must_use]
    pub fn matching(&self) -> MatchingServiceClient<Authorised> {
        MatchingServiceClient::with_interceptor(self.matching.clone(), self.credential.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Returns MonitorService.
    #[must_use]
    pub fn monitor(&self) -> MonitorServiceClient<Authorised> {
        MonitorServiceClient::with_interceptor(self.monitor.clone(), self.credential.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Returns IdentityService, which the monitor serves.
    #[must_use]
    pub fn identity(&self) -> IdentityServiceClient<Authorised> {
        IdentityServiceClient::with_interceptor(self.monitor.clone(), self.credential.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Makes a unary call with the deadline, and sends the very same request again, request id and all, while the
    /// server is unavailable: at most [`ATTEMPTS_MAX`] times in all, each after a longer, jittered wait. Streams are
    /// opened on the service itself: they have no deadline.
    ///
    /// # Errors
    /// What the last attempt came to.
    pub async fn call<M, R, F>(&self, request: M, send: impl Fn(Request<M>) -> F) -> Result<R, Problem>
    where
        M: Clone,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let mut attempt = 1;
        loop {
            let mut tried = Request::new(request.clone());
            tried.set_timeout(self.deadline);
            let status = match tokio::time::timeout(self.deadline, send(tried)).await {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("the answer did not come in time"),
            };
            let problem = Problem::from(&in_time(status));
            if attempt == ATTEMPTS_MAX || !problem.is_retryable() {
                return Err(problem);
            }
            tokio::time::sleep(wait(attempt, problem.retry_after)).await;
            attempt += 1;
        }
    }
}

/// Makes a request id for one change; keep it for all retries of that change.
#[must_use]
pub fn fresh_request_id() -> String {
    Uuid::now_v7().to_string()
}

fn channel(address: &str, settings: &Settings) -> Result<Channel, SettingsError> {
    let wrong = |source| SettingsError::Address { address: address.to_owned(), source };
    let mut endpoint = Endpoint::from_shared(address.to_owned())
        .map_err(wrong)?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    if settings.authority_pem.is_some() || settings.certificate_pem.is_some() {
        let mut tls = ClientTlsConfig::new();
        if let Some(pem) = &settings.authority_pem {
            tls = tls.ca_certificate(Certificate::from_pem(pem));
        }
        if let Some((certificate, key)) = &settings.certificate_pem {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        endpoint = endpoint.tls_config(tls).map_err(wrong)?;
    }
    Ok(endpoint.connect_lazy())
}

/// The library says of its own passed deadline that the call was cancelled; nobody else cancels calls made here.
fn in_time(status: Status) -> Status {
    if status.code() == Code::Cancelled {
        Status::deadline_exceeded("the answer did not come in time")
    } else {
        status
    }
}

/// Returns how long to wait after an attempt: doubled each time, half of it by chance, never less than the server asked.
fn wait(attempt: u32, asked: Option<Duration>) -> Duration {
    let full = BACKOFF.saturating_mul(1 << attempt.min(8).saturating_sub(1));
    // A random UUID is all the chance that is needed here.
    let dice = f64::from(u16::from_be_bytes([Uuid::new_v4().as_bytes()[0], Uuid::new_v4().as_bytes()[1]]));
    let own = full.mul_f64(0.5 + dice / f64::from(u16::MAX) / 2.0);
    own.max(asked.unwrap_or_default()).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests;
