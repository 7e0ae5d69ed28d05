//! The conformance suite over the ledger in memory, and proof that the suite finds planted bugs.

mod faulty;

use std::sync::Arc;

use async_trait::async_trait;
use fallow_ledger::conformance::keeping::KeeperMaker;
use fallow_ledger::conformance::{self, Forget, Maker, REQUESTS_PER_SCOPE, twin};
use fallow_ledger::{Keeper, Ledger, MemoryLedger, Revision};
use faulty::{Bug, Faulty};

struct Memory;

fn memory() -> MemoryLedger {
    MemoryLedger::new().remembering_requests(REQUESTS_PER_SCOPE)
}

#[async_trait]
impl Maker for Memory {
    async fn fresh(&self) -> Arc<dyn Ledger> {
        Arc::new(memory())
    }

    async fn forgetful(&self) -> (Arc<dyn Ledger>, Forget) {
        let ledger = Arc::new(memory());
        let forget = {
            let ledger = ledger.clone();
            move |through: Revision| {
                ledger.forget_changes(through);
                Box::pin(std::future::ready(())) as _
            }
        };
        (ledger, Box::new(forget))
    }
}

async fn in_memory() -> Memory {
    Memory
}

fallow_ledger::conformance_tests!(in_memory);

#[async_trait]
impl KeeperMaker for Memory {
    async fn keeper(&self) -> Arc<dyn Keeper> {
        Arc::new(memory())
    }
}

fallow_ledger::keeper_tests!(in_memory);

/// A maker of ledgers with one bug.
struct Broken(Bug);

#[async_trait]
impl Maker for Broken {
    async fn fresh(&self) -> Arc<dyn Ledger> {
        Arc::new(Faulty::new(self.0, Arc::new(memory())))
    }

    async fn forgetful(&self) -> (Arc<dyn Ledger>, Forget) {
        let (ledger, forget) = Memory.forgetful().await;
        (Arc::new(Faulty::new(self.0, ledger)), forget)
    }
}

/// Every planted bug is found by the check that is named after the sentence it breaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_finds_every_planted_bug() {
    for (bug, sentence) in Bug::ALL {
        let (_, check) = conformance::all().into_iter().find(|(name, _)| *name == sentence).expect(sentence);
        // A check that never ends is a fault found too.
        let verdict = tokio::time::timeout(std::time::Duration::from_secs(3), check(&Broken(bug))).await;
        assert!(!matches!(verdict, Ok(Ok(()))), "{sentence} does not find {bug:?}");
    }
}

#[tokio::test]
async fn twins_of_the_same_kind_agree() {
    for seed in 0..20 {
        twin::compare(&memory(), &memory(), seed, 600, async |_| {}).await.unwrap();
    }
}

/// The twin comparison finds the planted bugs that change an answer of a single caller.
#[tokio::test]
async fn the_twin_comparison_finds_planted_bugs() {
    for (bug, _) in Bug::ALL.into_iter().filter(|(bug, _)| bug.shows_to_one_caller()) {
        let mut found = false;
        for seed in 0..5 {
            let broken = Faulty::new(bug, Arc::new(memory()));
            found |= twin::compare(&memory(), &broken, seed, 600, async |_| {}).await.is_err();
        }
        assert!(found, "the twin comparison does not find {bug:?}");
    }
}
