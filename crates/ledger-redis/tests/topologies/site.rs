//! Whatever the ledger can lie on, and the conformance suite over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use fallow_ledger::conformance::{self, Forget, Maker, REQUESTS_PER_SCOPE, twin};
use fallow_ledger::{Ledger, MemoryLedger, Revision};
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::testing::{RedisCluster, RedisServer, SentinelTrio};
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::SignedDuration;

/// Servers that a ledger can lie on.
pub(crate) enum Site {
    One(Box<RedisServer>),
    Trio(SentinelTrio),
    Cluster(RedisCluster),
}

impl Site {
    pub(crate) fn one(server: RedisServer) -> Site {
        Site::One(Box::new(server))
    }

    fn url(&self) -> String {
        match self {
            Site::One(server) => server.url(),
            Site::Trio(trio) => trio.url(),
            Site::Cluster(cluster) => cluster.url(),
        }
    }

    /// Gives the server on which a key lies.
    async fn server(&self, key: &str) -> &RedisServer {
        match self {
            Site::One(server) => server,
            Site::Trio(trio) => &trio.servers[0],
            Site::Cluster(cluster) => &cluster.servers[cluster.slot_of(key).await.1],
        }
    }
}

/// Makes ledgers that are regions of one site.
struct Regions {
    site: Arc<Site>,
    url: String,
    options: Options,
    made: AtomicU32,
}

impl Regions {
    async fn make(&self) -> (RedisLedger, Keys) {
        let region = format!("region-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let made = RedisLedger::connect(&self.url, &region, self.options.clone()).await;
        (made.expect("a ledger"), Keys::of(&region))
    }
}

#[async_trait]
impl Maker for Regions {
    async fn fresh(&self) -> Arc<dyn Ledger> {
        Arc::new(self.make().await.0)
    }

    async fn pass(&self, time: SignedDuration) {
        for made in 0..self.made.load(Ordering::Relaxed) {
            let times = Keys::of(&format!("region-{made}")).outcome_times;
            passed(&self.site, &times, time).await;
        }
    }

    async fn forgetful(&self) -> (Arc<dyn Ledger>, Forget) {
        let (ledger, keys) = self.make().await;
        let site = self.site.clone();
        let forget = move |through: Revision| {
            let (site, log) = (site.clone(), keys.log.clone());
            let kept = through.next().to_string();
            Box::pin(async move {
                site.server(&log).await.command(&["XTRIM", &log, "MINID", &kept]).await;
            }) as _
        };
        (Arc::new(ledger), Box::new(forget))
    }
}

/// Makes the outcomes that a site remembers older: nobody sets its clocks.
async fn passed(site: &Site, outcome_times: &str, time: SignedDuration) {
    const OLDER: &str = "for _, request in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do \
                         redis.call('ZINCRBY', KEYS[1], ARGV[1], request) end";
    let by = (-time.as_millis()).to_string();
    site.server(outcome_times).await.command(&["EVAL", OLDER, "1", outcome_times, &by]).await;
}

/// Runs the whole suite over a site, and compares it with memory answer by answer.
pub(crate) async fn conforms(site: Site) {
    let options = Options { durability: Durability::Unsafe, ..Options::default() };
    let url = site.url();
    conforms_as(site, url, options).await;
}

/// As [`conforms`], by a URL and with options of its own.
pub(crate) async fn conforms_as(site: Site, url: String, options: Options) {
    let options = Options { requests_per_scope: REQUESTS_PER_SCOPE, ..options };
    let regions = Regions { site: Arc::new(site), url, options, made: AtomicU32::new(0) };
    for (name, check) in conformance::all() {
        if let Err(fault) = check(&regions).await {
            panic!("{name}: {fault}");
        }
    }
    for seed in 0..3 {
        let memory = MemoryLedger::new().remembering_requests(REQUESTS_PER_SCOPE);
        let (redis, keys) = regions.make().await;
        let pass = async |time| passed(&regions.site, &keys.outcome_times, time).await;
        twin::compare(&memory, &redis, seed, 300, pass).await.expect("no difference");
    }
}
