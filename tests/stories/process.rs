//! One process' worth of services: what `fallow serve` runs, on a free port, over a ledger of the story's choice.

use std::net::SocketAddr;
use std::sync::Arc;

use fallow::wiring::{self, Ports, Service};
use fallow_host::clock::Clock;
use fallow_host::config::Config;
use fallow_host::identity::Identity;
use fallow_ledger::Ledger;

use crate::world::{PATIENCE, soon};

const NORTH_VALE: &str = include_str!("../../regions/north-vale.toml");

/// A process that runs.
pub(crate) struct Process {
    /// Where its services listen.
    pub(crate) address: SocketAddr,
    process: wiring::Process,
}

impl Process {
    /// Starts a process and returns when it serves.
    pub(crate) async fn start(
        config: &Config,
        identity: &Identity,
        clock: &Clock,
        ledger: Arc<dyn Ledger>,
    ) -> Self {
        let mut process = wiring::Process::new(config.clone(), clock.clone()).unwrap();
        // The processes of a region believe one issuer.
        process.identity = identity.clone();
        process.region_file = Some(NORTH_VALE.to_owned());
        let services = process.services(&Service::ALL.into(), Ports::One, ledger).await.unwrap();
        soon("readiness", services.ready()).await.unwrap();
        Self { address: services.addresses[&Service::Capacity], process }
    }

    /// Stops the process: nothing in it had panicked, and everything in it ends in time.
    pub(crate) async fn finish(self) {
        let tasks = &self.process.tasks;
        assert_eq!(tasks.panics(), 0, "tasks panicked");
        assert!(!tasks.is_stopping(), "the process stopped by itself");
        tasks.finish(PATIENCE).await.unwrap();
    }
}
