//! One process' worth of services: what `fallow serve` runs, on a free port, over a ledger of the story's choice.

use std::net::SocketAddr;
use std::sync::Arc;

use fallow::wiring::{self, Ports, Service};
use fallow_host::clock::Clock;
use fallow_host::config::Config;
use fallow_host::identity::Identity;
use fallow_matching::engine::Standing;

use crate::tap::Tap;
use crate::world::{PATIENCE, soon};

const NORTH_VALE: &str = include_str!("../../regions/north-vale.toml");

/// A process that runs.
pub(crate) struct Process {
    /// Where its services listen.
    pub(crate) address: SocketAddr,
    /// What its copy of the engine is.
    pub(crate) standing: Arc<Standing>,
    /// Its way to the store.
    pub(crate) tap: Arc<Tap>,
    process: wiring::Process,
}

impl Process {
    /// Starts a process and returns when it serves.
    pub(crate) async fn start(config: &Config, identity: &Identity, clock: &Clock, tap: Tap) -> Self {
        let mut process = wiring::Process::new(config.clone(), clock.clone()).unwrap();
        // The processes of a region believe one issuer.
        process.identity = identity.clone();
        process.region_file = Some(NORTH_VALE.to_owned());
        let tap = Arc::new(tap);
        let services = process.services(&Service::ALL.into(), Ports::One, tap.clone()).await.unwrap();
        soon("readiness", services.ready()).await.unwrap();
        let standing = services.engine.expect("matching runs an engine");
        Self { address: services.addresses[&Service::Capacity], standing, tap, process }
    }

    /// Stops the process: nothing in it had panicked, and everything in it ends in time.
    pub(crate) async fn finish(self) {
        let tasks = &self.process.tasks;
        assert_eq!(tasks.panics(), 0, "tasks panicked");
        assert!(!tasks.is_stopping(), "the process stopped by itself");
        tasks.finish(PATIENCE).await.unwrap();
    }
}
