//! The conformance suite over a real Redis, and Redis and memory compared answer by answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use fallow_ledger::conformance::{self, Forget, Maker, REQUESTS_PER_SCOPE, twin};
use fallow_ledger::{Ledger, MemoryLedger, Revision};
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::testing::RedisServer;
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::SignedDuration;

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

    async fn pass(&self, time: SignedDuration) {
        for made in 0..self.made.load(Ordering::Relaxed) {
            let times = Keys::of(&format!("region-{made}")).outcome_times;
            passed(&self.server, &times, time).await;
        }
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

/// Makes the outcomes that a server remembers older: nobody sets its clock.
async fn passed(server: &RedisServer, outcome_times: &str, time: SignedDuration) {
    const OLDER: &str = "for _, request in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do \
                         redis.call('ZINCRBY', KEYS[1], ARGV[1], request) end";
    let by = (-time.as_millis()).to_string();
    server.command(&["EVAL", OLDER, "1", outcome_times, &by]).await;
}

fallow_ledger::conformance_tests!(on_redis);

#[tokio::test]
async fn redis_and_memory_agree_answer_by_answer() {
    let regions = on_redis().await;
    for seed in 0..12 {
        let memory = MemoryLedger::new().remembering_requests(REQUESTS_PER_SCOPE);
        let (redis, keys) = regions.make().await;
        let pass = async |time| passed(&regions.server, &keys.outcome_times, time).await;
        twin::compare(&memory, &redis, seed, 500, pass).await.unwrap();
    }
}

/// One thing done wrong in the function, and the check that must find it: what is there, and what is there instead.
const BUGS: [(&str, &str, &str); 14] = [
    ("of_32_racers_on_one_record_one_wins", "if revision ~= args[12 + 2 * i] then", "if false then"),
    ("a_deleted_record_is_absent", "or '0'\n", "or args[12 + 2 * i]\n"),
    ("nothing_is_written_if_any_record_has_changed", "if #differ > 1 then", "if #differ > 2 then"),
    ("a_conflict_names_every_record_that_differs", "return differ", "return { 'conflict', differ[2] }"),
    ("of_50_repetitions_one_has_an_effect", "if known then", "if false then"),
    ("with_another_digest_it_is_refused", "~= digest then", "~= digest and false then"),
    ("an_outcome_is_remembered_for_72_hours", "'(' .. before_ms", "'+inf'"),
    ("a_full_scope_is_refused_and_makes_room_by_itself", "redis.call('HINCRBY', counts, args[7], 1)", ""),
    (
        "a_full_scope_is_refused_and_makes_room_by_itself",
        "prune(outcomes, times, counts, decimal(now - tonumber(args[4])), args[5])",
        "",
    ),
    ("a_deleted_record_is_absent", "redis.call('HDEL', live, unpack(deletions))", ""),
    (
        "each_change_is_exactly_one_more_than_the_one_before",
        "decimal(tonumber(head) + 1)",
        "decimal(tonumber(head) + 2)",
    ),
    ("changes_come_oldest_first", "'cause', args[11]", "'cause', ''"),
    ("bytes_come_back_as_written", "string.sub(body, 2)", "string.gsub(string.sub(body, 2), '%z', '')"),
    (
        "an_expected_absence_is_compared",
        "if revision ~= args[12 + 2 * i] then",
        "if args[12 + 2 * i] ~= '0' and revision ~= args[12 + 2 * i] then",
    ),
];

/// The suite runs over the function and not only over what calls it: each bug in it is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_finds_every_bug_planted_in_the_function() {
    let right = include_str!("../src/commit.lua");
    for (sentence, there, instead) in BUGS {
        assert_eq!(right.matches(there).count(), 1, "{there} is not once in the function");
        let regions = on_redis().await;
        // Loaded beforehand, it is taken for ours.
        regions.server.command(&["FUNCTION", "LOAD", &right.replace(there, instead)]).await;
        let (_, check) = conformance::all().into_iter().find(|(name, _)| *name == sentence).expect(sentence);
        let verdict = tokio::time::timeout(std::time::Duration::from_secs(5), check(&regions)).await;
        assert!(!matches!(verdict, Ok(Ok(()))), "{sentence} does not find {instead:?} for {there:?}");
    }
}
