//! The checks of keepers over a real Redis, and proof that they find bugs planted in the function.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fallow_ledger::Keeper;
use fallow_ledger::conformance::keeping::{self, KeeperMaker};
use fallow_ledger_redis::testing::RedisServer;
use fallow_ledger_redis::{Durability, Options, RedisLedger};

/// Makes ledgers that are regions of one server.
struct Regions {
    server: RedisServer,
    made: AtomicU32,
}

async fn on_redis() -> Regions {
    Regions { server: RedisServer::start().await, made: AtomicU32::new(0) }
}

#[async_trait]
impl KeeperMaker for Regions {
    async fn keeper(&self) -> Arc<dyn Keeper> {
        let region = format!("region-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let options = Options { durability: Durability::Unsafe, ..Options::default() };
        Arc::new(RedisLedger::connect(&self.server.url(), &region, options).await.expect("a ledger"))
    }
}

fallow_ledger::keeper_tests!(on_redis);

/// One thing done wrong in the function, and the check that must find it: what is there, and what is there instead.
const BUGS: [(&str, &str, &str); 13] = [
    ("only_what_is_archived_is_trimmed", "if tonumber(through) < tonumber(args[2]) then", "if false then"),
    (
        "only_what_is_archived_is_trimmed",
        "if tonumber(through) < tonumber(args[2]) then",
        "if through < args[2] then",
    ),
    ("only_what_is_archived_is_trimmed", "return { 'unarchived', '' }", "through = args[2]"),
    ("only_what_is_archived_is_trimmed", "'MINID', string.format('%.0f-0', upto + 1)", "'MAXLEN', 0"),
    ("cursors_from_before_a_trim_are_gone", "upto + 1", "upto"),
    (
        "a_note_of_another_history_is_refused",
        "return { 'history', history or '' }\n  end\n  local of",
        "end\n  local of",
    ),
    ("a_note_ahead_of_the_ledger_is_refused", "if tonumber(head) < tonumber(args[2]) then", "if false then"),
    (
        "a_note_ahead_of_the_ledger_is_refused",
        "if tonumber(head) < tonumber(args[2]) then",
        "if head < args[2] then",
    ),
    (
        "a_note_never_goes_back",
        "or tonumber(through) <= tonumber(args[2]) then\n    redis",
        "or true then\n    redis",
    ),
    (
        "a_ledger_that_is_not_empty_is_not_filled",
        "if head ~= '0' or records > 0 or redis.call('EXISTS', log) == 1 then",
        "if false then",
    ),
    ("an_empty_ledger_is_filled_in_one_step", "if args[1] == 'first' then", "if true then"),
    (
        "a_restored_ledger_goes_on_where_the_archive_ends",
        "'revision', args[2], 'archived'",
        "'revision', '0', 'archived'",
    ),
    ("an_empty_ledger_is_filled_in_one_step", "redis.call('RENAME', keys[4], keys[2])", ""),
];

/// The checks run over the function and not only over what calls it: each bug in it is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bug_planted_in_the_function_is_found() {
    let right = include_str!("../src/keeper.lua");
    for (sentence, there, instead) in BUGS {
        assert_eq!(right.matches(there).count(), 1, "{there} is not once in the function");
        let regions = on_redis().await;
        // Loaded beforehand, it is taken for ours.
        regions.server.command(&["FUNCTION", "LOAD", &right.replace(there, instead)]).await;
        let (_, check) = keeping::all().into_iter().find(|(name, _)| *name == sentence).expect(sentence);
        let verdict = tokio::time::timeout(Duration::from_secs(10), check(&regions)).await;
        assert!(!matches!(verdict, Ok(Ok(()))), "{sentence} does not find {instead:?} for {there:?}");
    }
}
