//! A gRPC server: services behind the wire layer, with health and reflection, on a port that may be any free one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fallow_api::FILE_DESCRIPTOR_SET;
use http::{Request, Response};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::{Routes, RoutesBuilder};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Service;

use crate::config::Server as Settings;
use crate::identity::tls::{self, Tls};
use crate::tasks::Tasks;
use crate::wire::Wire;

/// Streams that a client may open and reset before they are accepted; more is an attack (rapid reset).
const PENDING_RESETS_MAX: usize = 20;
/// Streams reset for a client's errors before its connection is closed.
const ERROR_RESETS_MAX: usize = 1_024;
/// What every process serves beside its own services, by name on the wire.
const INFRASTRUCTURE: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];
/// What a connection that has reached its age gets to finish its calls.
const AGE_GRACE: Duration = Duration::from_secs(30);

/// Why a server could not start.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The contract cannot be shown by reflection.
    #[error("the contract cannot be shown by reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
}

/// A server that is being put together.
pub struct Server {
    wire: Wire,
    tls: Option<Tls>,
    routes: RoutesBuilder,
    names: Vec<&'static str>,
}

/// A server that runs. It says `NOT_SERVING` until [`Running::ready`].
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    names: Vec<&'static str>,
    health: HealthReporter,
    ended: CancellationToken,
}

/// The name by which health is asked whether changes are taken.
pub const WRITES_OK: &str = "writes_ok";

impl Server {
    /// Begins a server whose calls all pass through `wire`.
    #[must_use]
    pub fn new(wire: Wire) -> Self {
        Self { wire, tls: None, routes: Routes::builder(), names: Vec::new() }
    }

    /// Encrypts its connections, when there are certificates, and knows callers by theirs.
    #[must_use]
    pub fn encrypted(mut self, tls: Option<Tls>) -> Self {
        self.tls = tls;
        self
    }

    /// Adds a service.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = std::convert::Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }

    /// Listens on an address and serves from then on as a vital task; port 0 takes a free one.
    ///
    /// When the tasks are told to stop, health turns to `NOT_SERVING`, nothing new is accepted, and running calls get
    /// the settings' drain time to finish.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(
        mut self,
        (bind, port): (IpAddr, u16),
        settings: &Settings,
        tasks: &Tasks,
    ) -> Result<Running, ServeError> {
        let address = SocketAddr::new(bind, port);
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;

        let (health, health_service) = tonic_health::server::health_reporter();
        let running = Running { address, names: self.names, health, ended: CancellationToken::new() };
        running.set(ServingStatus::NotServing).await;
        self.routes.add_service(health_service);
        // The descriptors are those of the whole contract; listed is what this process serves of it.
        let reflection = || {
            let listed = running.names.iter().copied().chain(INFRASTRUCTURE);
            let builder = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
            listed.fold(builder, |builder, name| builder.with_service_name(name))
        };
        self.routes.add_service(reflection().build_v1().map_err(ServeError::Reflection)?);
        // Many tools still ask in the older dialect.
        self.routes.add_service(reflection().build_v1alpha().map_err(ServeError::Reflection)?);

        let seconds = |number: u32| Some(Duration::from_secs(number.into()));
        let mut server = tonic::transport::Server::builder()
            .max_concurrent_streams(settings.streams_per_connection)
            .max_connection_age(Duration::from_secs(u64::from(settings.connection_minutes) * 60))
            .max_connection_age_grace(AGE_GRACE)
            .http2_keepalive_interval(seconds(settings.keepalive_seconds))
            .http2_keepalive_timeout(seconds(settings.keepalive_timeout_seconds))
            .http2_max_header_list_size(settings.header_bytes)
            .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
            .http2_max_local_error_reset_streams(Some(ERROR_RESETS_MAX))
            .layer(self.wire);
        let router = server.add_routes(self.routes.routes());

        let incoming = tls::incoming(listener, self.tls, tasks);
        let (stopping, drained) = (tasks.stopping(), tasks.stopping());
        let (stop_health, drain) = (running.handle(), settings.drain());
        // However the task ends, it says so.
        let ended = running.ended.clone().drop_guard();
        tasks.spawn_vital("gRPC server", async move {
            let _ended = ended;
            let serving = router.serve_with_incoming_shutdown(incoming, stopping);
            tokio::select! {
                ended = serving => {
                    if let Err(error) = ended {
                        tracing::error!(error = &error as &dyn std::error::Error, "the server ended");
                    }
                }
                () = async {
                    drained.await;
                    // Beside the server: one that has seen the end of what is coming in first asks nobody when to stop.
                    stop_health.set(ServingStatus::NotServing).await;
                    tokio::time::sleep(drain).await;
                } => {
                    tracing::warn!("calls were still running when the drain time was over");
                }
            }
        });
        tracing::info!(%address, services = ?running.names, "listening");
        Ok(running)
    }
}

impl Running {
    /// Says that every service serves: its picture is complete and its store answers.
    pub async fn ready(&self) {
        self.set(ServingStatus::Serving).await;
    }

    /// Says that no service serves for now, such as while the store is away.
    pub async fn not_ready(&self) {
        self.set(ServingStatus::NotServing).await;
    }

    /// Says whether changes are taken, by the name [`WRITES_OK`]: reads may be served while they are not.
    pub async fn takes_writes(&self, are_taken: bool) {
        let status = if are_taken { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.health.set_service_status(WRITES_OK, status).await;
    }

    async fn set(&self, status: ServingStatus) {
        for name in &self.names {
            self.health.set_service_status(*name, status).await;
        }
        // The empty name is the process as a whole.
        self.health.set_service_status("", status).await;
    }

    /// Returns another handle on the same server.
    #[must_use]
    pub fn handle(&self) -> Self {
        Self {
            address: self.address,
            names: self.names.clone(),
            health: self.health.clone(),
            ended: self.ended.clone(),
        }
    }

    /// Waits until the server serves no more: its calls have finished, or its drain time is over.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.ended.clone().cancelled_owned()
    }
}
