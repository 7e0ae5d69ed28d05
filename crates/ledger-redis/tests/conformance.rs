//! The conformance suite over a real Redis, and Redis and memory compared answer by answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use fallow_ledger::conformance::{Forget, Maker, REQUESTS_PER_SCOPE, twin};
use fallow_ledger::{Ledger, MemoryLedger, Revision};
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::testing::RedisServer;
use fallow_ledger_redis::{Durability, Options, RedisLedger};

/// Makes ledgers that are regions of one server.
struct Regions {
    server: Arc<RedisServer>,
    made: AtomicU32,
}

async fn on_redis() -> Regions {
    Regions { server: Arc::new(RedisServer::start().await), made: AtomicU32::new(0) }
}

impl Regions {
    async fn make(&self) -> (RedisLedger, Keys) {
        let region = format!("region-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let options = Options {
            durability: Durability::Unsafe,
            requests_per_scope: REQUESTS_PER_SCOPE,
            ..Options::default()
        };
        let ledger = RedisLedger::connect(&self.server.url(), &region, options).await.expect("a ledger");
        (ledger, Keys::of(&region))
    }
}

#[async_trait]
impl Maker for Regions {
    async fn fresh(&self) -> Arc<dyn Ledger> {
        Arc::new(self.make().await.0)
    }

    async fn forgetful(&self) -> (Arc<dyn Ledger>, Forget) {
        let (ledger, keys) = self.make().await;
        let server = self.server.clone();
        let forget = move |through: Revision| {
            let (server, log) = (server.clone(), keys.log.clone());
            let kept = through.next().to_string();
            Box::pin(async move {
                server.command(&["XTRIM", &log, "MINID", &kept]).await;
            }) as _
        };
        (Arc::new(ledger), Box::new(forget))
    }
}

fallow_ledger::conformance_tests!(on_redis);

#[tokio::test]
async fn redis_and_memory_agree_answer_by_answer() {
    let regions = on_redis().await;
    for seed in 0..12 {
        let memory = MemoryLedger::new().remembering_requests(REQUESTS_PER_SCOPE);
        let (redis, _) = regions.make().await;
        twin::compare(&memory, &redis, seed, 500).await.unwrap();
    }
}
