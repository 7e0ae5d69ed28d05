//! The four services as the pages see them, played by one small world in memory: enough of each rule for a page to be
//! right or wrong about it, and nothing more. The real services are met in the browser ring.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fallow_api::v1::capacity_service_server::CapacityServiceServer;
use fallow_api::v1::demand_service_server::DemandServiceServer;
use fallow_api::v1::matching_service_server::MatchingServiceServer;
use fallow_api::v1::monitor_service_server::MonitorServiceServer;
use fallow_api::v1::{Need, Offer, Proposal, Region, Situation, Transfer};
use fallow_host::clock::Clock;
use fallow_host::identity::{Caller, Verifier};
use fallow_host::tasks::Tasks;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Status};

mod capacity;
mod day;
mod demand;
mod gold;
mod matching;
mod monitor;
mod saturday;

/// Everything there is.
#[derive(Default)]
pub(crate) struct Records {
    pub(crate) offers: Vec<Offer>,
    pub(crate) needs: Vec<Need>,
    pub(crate) proposals: Vec<Proposal>,
    pub(crate) transfers: Vec<Transfer>,
    pub(crate) region: Region,
    pub(crate) situation: Situation,
    /// What the monitor keeps.
    pub(crate) kept: gold::Kept,
    pub(crate) actions: Vec<fallow_api::v1::Action>,
    pub(crate) revision: i64,
    /// Trusts that were asked to confirm.
    pub(crate) asked: Vec<String>,
    /// Every call that changed something, by the name of its request id.
    pub(crate) request_ids: Vec<String>,
    /// Calls that are refused, from now on, as coming too soon.
    pub(crate) too_soon: usize,
    /// Offers that are still published before the service is away.
    pub(crate) until_away: Option<usize>,
    /// Whether it then says that the session is over instead.
    pub(crate) is_over: bool,
}

impl Records {
    /// Returns the next revision.
    pub(crate) fn bump(&mut self, request_id: &str) -> i64 {
        self.revision += 1;
        self.request_ids.push(request_id.to_owned());
        self.revision
    }
}

/// The world. Cheap to clone.
#[derive(Clone)]
pub(crate) struct World {
    records: Arc<Mutex<Records>>,
    revision: watch::Sender<i64>,
    verifier: Verifier,
    pub(crate) clock: Clock,
}

impl World {
    /// Makes a world on a winter Tuesday: Dunmere is short of critical care and Aldermoor has some.
    pub(crate) fn on_a_winter_tuesday(verifier: Verifier, clock: Clock) -> Self {
        let records = day::winter_tuesday(clock.now());
        let revision = watch::Sender::new(records.revision);
        Self { records: Arc::new(Mutex::new(records)), revision, verifier, clock }
    }

    /// Looks at the records.
    pub(crate) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the records and tells those who watch.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Records) -> T) -> T {
        let mut records = self.records();
        let made = change(&mut records);
        let revision = records.revision;
        drop(records);
        self.revision.send_replace(revision);
        made
    }

    pub(crate) fn watch(&self) -> watch::Receiver<i64> {
        self.revision.subscribe()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns who calls.
    pub(crate) fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let headers = request.metadata().clone().into_headers();
        self.verifier.caller_of(&headers).map_err(|failure| failure.status(None))
    }

    /// Returns the trust of the caller, empty for roles above trusts.
    pub(crate) fn trust<T>(&self, request: &Request<T>) -> Result<String, Status> {
        Ok(self.caller(request)?.actor.trust.map(|trust| trust.to_string()).unwrap_or_default())
    }

    /// Serves all four services on a listener until the tasks stop.
    pub(crate) fn serve(&self, listener: TcpListener, tasks: &Tasks) {
        let router = tonic::transport::Server::builder()
            .add_service(CapacityServiceServer::new(self.clone()))
            .add_service(DemandServiceServer::new(self.clone()))
            .add_service(MatchingServiceServer::new(self.clone()))
            .add_service(MonitorServiceServer::new(self.clone()));
        let stopping = tasks.stopping();
        tasks.spawn("fake services", async move {
            let served =
                router.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopping).await;
            served.expect("the fake services serve");
        });
    }
}

/// Refuses a stale revision as the services do.
pub(crate) fn expect(expected: Option<i64>, revision: i64) -> Result<(), Status> {
    match expected {
        Some(expected) if expected != revision => {
            Err(Status::aborted(format!("it was changed meanwhile: it is at revision {revision} now")))
        }
        Some(_) | None => Ok(()),
    }
}
