//! One process' worth of services: what `fallow` runs, on a free port, over a ledger of the story's choice.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use fallow_capacity::Capacity;
use fallow_demand::Demand;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::Label;
use fallow_domain::standing::RegionState;
use fallow_host::clock::Clock;
use fallow_host::config::Config;
use fallow_host::identity::Identity;
use fallow_host::limits::Limits;
use fallow_host::serve::Server;
use fallow_host::tasks::Tasks;
use fallow_host::wire::Wire;
use fallow_ledger::follow::follow;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::{Record, region_key};
use fallow_ledger::{Commit, Ledger, Revision};
use fallow_live::Live;
use fallow_live::pages::PageKey;

use crate::world::{PATIENCE, soon};

const NORTH_VALE: &str = include_str!("../../regions/north-vale.toml");

/// A process that runs.
pub(crate) struct Process {
    /// Where its services listen.
    pub(crate) address: SocketAddr,
    tasks: Tasks,
}

impl Process {
    /// Starts a process and returns when it serves.
    pub(crate) async fn start(
        config: &Config,
        identity: &Identity,
        clock: &Clock,
        ledger: Arc<dyn Ledger>,
    ) -> Self {
        let tasks = Tasks::new();
        let picture = Arc::new(Picture::default());
        let key = region_key(&config.region.id);
        let state = RegionState {
            toml: NORTH_VALE.to_owned(),
            version: 1,
            modes: std::collections::BTreeMap::new(),
            applied_at: clock.now(),
            applied_by: Actor {
                subject: Label::parse("story").unwrap(),
                kind: ActorKind::System,
                role: Role::PlatformAdmin,
                trust: None,
            },
        };
        let commit = Commit::new(clock.now())
            .expecting(key.clone(), Revision::ABSENT)
            .writing(key, Record::Region(state).encode());
        ledger.commit(commit).await.unwrap();
        let (stopping, following) = (tasks.stopping(), follow(ledger.clone(), picture.clone()));
        tasks.spawn_vital("follower", async move {
            tokio::select! { () = following => {}, () = stopping => {} }
        });
        let live = Live::new(config.region.id.clone(), ledger, picture.clone(), PageKey::new(b"story"));
        let wire = Wire::new(identity.verifier.clone(), Limits::new(&config.limits), &config.server);
        let server = Server::new(wire)
            .with(Capacity::server(live.clone(), clock.clone(), tasks.clone()))
            .with(Demand::server(live.clone(), clock.clone(), tasks.clone()));
        let running =
            server.start((IpAddr::V4(Ipv4Addr::LOCALHOST), 0), &config.server, &tasks).await.unwrap();
        soon("the picture", async {
            while live.region().is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        running.ready().await;
        Self { address: running.address, tasks }
    }

    /// Stops the process: nothing in it had panicked, and everything in it ends in time.
    pub(crate) async fn finish(self) {
        assert_eq!(self.tasks.panics(), 0, "tasks panicked");
        assert!(!self.tasks.is_stopping(), "the process stopped by itself");
        self.tasks.finish(PATIENCE).await.unwrap();
    }
}
