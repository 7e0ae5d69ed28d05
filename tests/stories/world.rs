//! The whole system in one process: real services on a real port, over either ledger, at a time that stands still until
//! a story moves it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fallow_api::client::{Client, Settings, fresh_request_id};
use fallow_api::v1;
use fallow_domain::invariants;
use fallow_domain::records::Records;
use fallow_host::clock::Clock;
use fallow_host::config::Config;
use fallow_host::identity::{Identity, built_in};
use fallow_ledger::record::{Record, lease_key};
use fallow_ledger::{Keeper, Ledger, MemoryLedger};
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::testing::RedisServer;
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use fallow_matching::engine::Standing;
use jiff::{SignedDuration, Timestamp};

use crate::archiving;
use crate::people::User;
use crate::process::Process;
use crate::replaying;
use crate::tap::{Deeds, Tap};
use crate::wire;

/// How long a story waits for anything before it fails. A healthy step takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How often a story looks for what nobody is told of.
const A_MOMENT: Duration = Duration::from_millis(20);
/// How long a credential of a story lasts.
const TOKEN_LIFE: Duration = Duration::from_secs(3_600);

/// A region at work, at eight on a Tuesday in November, with nothing published and nothing needed.
pub(crate) struct World {
    /// The time that every process takes as now.
    pub(crate) clock: Clock,
    config: Config,
    identity: Identity,
    store: Store,
    processes: Vec<Process>,
    /// How many processes were started.
    started: usize,
    deeds: Deeds,
}

enum Store {
    Memory(Arc<MemoryLedger>),
    Redis(Box<RedisServer>),
}

impl World {
    /// Starts the system over the ledger in the process.
    pub(crate) async fn in_memory() -> Self {
        Self::start(Store::Memory(Arc::new(MemoryLedger::new()))).await
    }

    /// Starts the system over a Redis of its own.
    pub(crate) async fn over_redis() -> Self {
        Self::start(Store::Redis(Box::new(RedisServer::start().await))).await
    }

    async fn start(store: Store) -> Self {
        let settings = [
            ("dev.enabled", "true"),
            ("identity.built_in_users", "true"),
            ("dev.speed", "1"),
            ("listen.capacity", "0"),
            // Races of a story are not what the limits are for; they have tests of their own.
            ("limits.publish_burst", "10000"),
            ("limits.need_burst", "10000"),
            ("limits.answer_burst", "10000"),
            ("limits.steer_burst", "10000"),
            ("limits.read_burst", "10000"),
            ("limits.calls", "1000"),
            ("limits.watches", "1000"),
        ];
        let config = Config::load(None, []).unwrap().with(&settings).unwrap();
        let identity = Identity::open(&config).unwrap();
        let clock = Clock::manual("2026-11-24T08:00:00Z".parse().unwrap());
        let (processes, deeds) = (Vec::new(), Deeds::default());
        let mut world = Self { clock, config, identity, store, processes, started: 0, deeds };
        world.add_process().await;
        world
    }

    /// Starts another process' worth of services, with a connection and a picture of its own, over the same store.
    pub(crate) async fn add_process(&mut self) {
        let tap = Tap::new(self.connect().await, self.started, self.deeds.clone());
        self.started += 1;
        let process = Process::start(&self.config, &self.identity, &self.clock, tap).await;
        self.processes.push(process);
    }

    /// Stops a process; those after it move up.
    pub(crate) async fn stop_process(&mut self, process: usize) {
        self.processes.remove(process).finish().await;
    }

    /// Ends a process as if it had died: it does nothing more with the store. Those after it move up.
    pub(crate) async fn kill_process(&mut self, process: usize) {
        let process = self.processes.remove(process);
        process.tap.cut();
        process.finish().await;
    }

    /// Returns a process's way to the store.
    pub(crate) fn tap(&self, process: usize) -> Arc<Tap> {
        self.processes[process].tap.clone()
    }

    /// Returns what a process's copy of the engine is.
    pub(crate) fn standing(&self, process: usize) -> &Standing {
        &self.processes[process].standing
    }

    /// Returns the life of the engine's lease.
    pub(crate) fn lease(&self) -> SignedDuration {
        SignedDuration::from_secs(self.config.engine.lease_seconds.into())
    }

    /// Returns how many engines have had the lease one after the other, straight from the store.
    pub(crate) async fn epoch(&self) -> u64 {
        let found = self.connect().await.read(&[lease_key()]).await.unwrap().remove(0);
        let Some(found) = found else { return 0 };
        let Record::Lease(lease) = Record::decode(found.key.kind, &found.body).unwrap() else {
            panic!("{found:?}")
        };
        lease.epoch
    }

    /// Lets time pass until another engine has the lease.
    pub(crate) async fn until_taken_over(&self, before: u64) {
        let taken_over = async {
            while self.epoch().await == before {
                self.pass(self.lease());
                tokio::time::sleep(A_MOMENT).await;
            }
        };
        soon("another engine", taken_over).await;
    }

    /// Waits until something is so that nobody is told of.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let waited = async {
            while !is_so() {
                tokio::time::sleep(A_MOMENT).await;
            }
        };
        soon(what, waited).await;
    }

    /// Returns what the archive alone may do to the store, by a connection of its own.
    pub(crate) async fn keeper(&self) -> Arc<dyn Keeper> {
        self.connect().await
    }

    /// Loses the store: what is there afterwards is empty.
    pub(crate) async fn wipe(&mut self) {
        match &mut self.store {
            Store::Memory(ledger) => *ledger = Arc::new(MemoryLedger::new()),
            Store::Redis(server) => drop(server.command(&["FLUSHALL"]).await),
        }
    }

    /// Returns how many bytes of the store's memory the live records, the log and the outcomes take.
    pub(crate) async fn store_bytes(&self) -> [u64; 3] {
        let Store::Redis(server) = &self.store else { panic!("only over Redis") };
        let keys = Keys::of(self.config.region.id.as_str());
        let mut outcomes = 0;
        for key in [&keys.outcomes, &keys.outcome_times, &keys.outcome_counts] {
            outcomes += server.bytes(key).await;
        }
        [server.bytes(&keys.live).await, server.bytes(&keys.log).await, outcomes]
    }

    pub(crate) async fn connect(&self) -> Arc<dyn Keeper> {
        match &self.store {
            Store::Memory(ledger) => ledger.clone(),
            Store::Redis(server) => {
                let options = Options { durability: Durability::Unsafe, ..Options::default() };
                let region = self.config.region.id.as_str();
                Arc::new(RedisLedger::connect(&server.url(), region, options).await.unwrap())
            }
        }
    }

    /// Returns a built-in user, such as `bed-manager.ZA1` or `duty-lead`, at the first process.
    pub(crate) fn user(&self, name: &str) -> User {
        self.user_at(0, name)
    }

    /// Returns a built-in user at one of the processes.
    pub(crate) fn user_at(&self, process: usize, name: &str) -> User {
        let mut settings = Settings::at(&self.address(process)).with_token(self.token(name));
        settings.deadline = PATIENCE;
        User { client: Client::new(&settings).unwrap(), now: self.clock.now() }
    }

    /// Returns the token of a built-in user.
    pub(crate) fn token(&self, name: &str) -> String {
        let caller = built_in::user(name, &self.config.region.id).expect("a built-in user");
        self.identity.signer.as_ref().unwrap().issue(&caller, TOKEN_LIFE).unwrap()
    }

    /// Returns the token of somebody, such as `coordinator` or `bed-manager`, who acts with a trust.
    pub(crate) fn token_of(&self, name: &str, trust: &str) -> String {
        let region = &self.config.region.id;
        let whole = format!("{name}.{trust}");
        let found = built_in::user(&whole, region).or_else(|| built_in::user(name, region));
        let mut caller = found.expect("a built-in user");
        caller.actor.trust = Some(trust.parse().unwrap());
        self.identity.signer.as_ref().unwrap().issue(&caller, TOKEN_LIFE).unwrap()
    }

    /// Returns the person who acts for a lead provider: with a trust, so that there are collaboratives that it leads.
    pub(crate) fn lead_provider_of(&self, trust: &str) -> User {
        self.acting("lead-provider", trust)
    }

    /// Returns a person of the region, such as `coordinator`, who acts with a trust: what its collaboratives share is theirs.
    pub(crate) fn acting(&self, name: &str, trust: &str) -> User {
        let mut settings = Settings::at(&self.address(0)).with_token(self.token_of(name, trust));
        settings.deadline = PATIENCE;
        User { client: Client::new(&settings).unwrap(), now: self.clock.now() }
    }

    /// Returns where a process listens.
    pub(crate) fn address(&self, process: usize) -> String {
        format!("http://{}", self.processes[process].address)
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: SignedDuration) {
        self.clock.advance(time);
    }

    /// Returns the time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until the engine has looked at everything that was written before: it places the most urgent first, and a
    /// need of the last band, raised now beside an item that only it can use, has its proposal.
    pub(crate) async fn engine_has_looked(&self) {
        let (giver, taker) = (self.user("bed-manager.ZA6"), self.user("bed-manager.ZA2"));
        let item = Some(wire::resource(v1::ResourceKind::Equipment, "HAEMOFILTER"));
        let case = fresh_request_id();
        let offer = v1::Offer {
            source_key: case.clone(),
            resource: item.clone(),
            ..wire::offer("ZA601", 1, self.now())
        };
        giver.publish(offer).await;
        let priority = v1::Priority::P4.into();
        let need = taker.raise(v1::Need { resource: item, priority, ..wire::need("ZA201", &case, 1) }).await;
        taker.proposal_of(&need).await;
    }

    /// Returns every live record, straight from the store.
    pub(crate) async fn records(&self) -> Records {
        records_of(&*self.connect().await).await
    }

    /// Ends the system, after a story: every rule of the live records holds, the log replayed gives the same decisions,
    /// and nothing broke on the way.
    pub(crate) async fn finish(self) {
        replaying::same_decisions(&*self.connect().await).await;
        archiving::no_rule_is_broken(&*self.connect().await).await;
        self.end().await;
    }

    /// Ends the system, after a story that leaves no whole log.
    pub(crate) async fn end(self) {
        self.deeds.check();
        assert_eq!(invariants::check(&self.records().await), []);
        for process in self.processes {
            process.finish().await;
        }
    }
}

/// Returns every live record of a ledger.
pub(crate) async fn records_of(ledger: &dyn Ledger) -> Records {
    let (found, _) = ledger.snapshot().await.unwrap();
    let mut records = Records::default();
    for found in found {
        match Record::decode(found.key.kind, &found.body).unwrap() {
            Record::Offer(offer) => records.put_offer(offer),
            Record::Need(need) => records.put_need(need),
            Record::Proposal(proposal) => records.put_proposal(proposal),
            Record::Transfer(transfer) => records.put_transfer(transfer),
            Record::Decline(decline) => records.put_decline(decline),
            Record::Trust(_)
            | Record::Feed(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_) => {}
        }
    }
    records
}

/// Tells a story in a world, and checks the world after it.
pub(crate) async fn tell(world: World, story: impl AsyncFnOnce(&mut World)) {
    let mut world = world;
    story(&mut world).await;
    world.finish().await;
}

/// Waits for something that must come, and says what was waited for when it does not.
pub(crate) async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, coming).await {
        Ok(come) => come,
        Err(_) => panic!("{what} did not come within {PATIENCE:?}"),
    }
}

/// Counts what is alike.
pub(crate) fn counted<K: Ord>(keys: impl IntoIterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// Makes a test of each story for each ledger. What starts a server is slow by the house's convention.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                crate::world::tell(crate::world::World::in_memory().await, super::$story).await;
            })+
        }
        mod slow {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                crate::world::tell(crate::world::World::over_redis().await, super::$story).await;
            })+
        }
    };
}
pub(crate) use stories;
