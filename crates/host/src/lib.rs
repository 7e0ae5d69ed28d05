//! What any process of Fallow needs: settings, time, identity, the wire's manners, limits, telemetry, a good end.
//!
//! ```no_run
//! # use fallow_host::{clock::Clock, config::Config, identity::Identity, limits::Limits, serve::Server, shutdown, tasks::Tasks};
//! # use fallow_host::{telemetry::Telemetry, wire::Wire};
//! # use fallow_api::v1::capacity_service_server::{CapacityService, CapacityServiceServer};
//! # async fn main_of(capacity: impl CapacityService) -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load(None, std::env::vars())?;
//! let telemetry = Telemetry::start(&config.telemetry, "fallow-capacity", config.region.id.as_str())?;
//! let (tasks, identity) = (Tasks::new(), Identity::open(&config)?);
//! let wire = Wire::new(identity.verifier, Limits::new(&config.limits), &config.server, Clock::system());
//! let server = Server::new(wire).with(CapacityServiceServer::new(capacity));
//! let running = server.start((config.listen.bind, config.listen.capacity), &config.server, &tasks).await?;
//! running.ready().await; // once its picture is complete
//! shutdown::on_signal(&tasks).await?;
//! tasks.finish(config.server.drain() * 2).await?;
//! telemetry.finish();
//! # Ok(()) }
//! ```

pub mod beside;
pub mod clock;
pub mod config;
pub mod identity;
pub mod limits;
pub mod rights;
pub mod serve;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;
pub mod texts;
pub mod wire;
pub mod working_time;
