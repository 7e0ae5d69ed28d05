//! Denials on their way into the log.

use std::sync::Arc;

use fallow_domain::actor::{ActorKind, Role};
use fallow_domain::ids::Label;
use fallow_ledger::{Change, Changes, Cursor, Key, MemoryLedger, Outcome, Revision, Trouble, Versioned};
use tokio::sync::{Semaphore, oneshot};

use super::*;

/// When denials were denied.
const AT: &str = "2026-11-24T08:00:00Z";
/// When they are written: later.
const WRITTEN: &str = "2026-11-24T08:00:40Z";

pub(super) fn denial(subject: &str, call: &'static str) -> Denial {
    Denial {
        by: Actor {
            subject: Label::parse(subject).unwrap(),
            kind: ActorKind::Person,
            role: Role::BedManager,
            trust: Some("ZA1".parse().unwrap()),
        },
        call,
        reason: "ROLE_FORBIDS".to_owned(),
        request_id: Some("r-1".to_owned()),
        at: AT.parse().unwrap(),
        traceparent: None,
    }
}

fn written() -> Timestamp {
    WRITTEN.parse().unwrap()
}

async fn log(ledger: &MemoryLedger) -> Vec<Cause> {
    let (_, now) = ledger.snapshot().await.unwrap();
    let changes = ledger.changes(&now.at(Revision::ABSENT), 1_000, Duration::ZERO).await.unwrap().changes;
    let cause = |change: &Change| {
        assert!(change.writes.is_empty());
        Cause::decode(&change.cause).unwrap()
    };
    changes.iter().map(cause).collect()
}

/// What an entry says: of whom, of which call, how often, whether it names its request.
fn said(cause: &Cause) -> (&str, &str, u64, bool) {
    let times = cause.denied.as_ref().unwrap().times;
    (cause.by.subject.as_str(), &cause.verb, times, cause.request_id.is_some())
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_refusals_is_a_few_entries_and_a_count() {
    let (denials, ledger) = (Denials::default(), MemoryLedger::new());
    let (stop, stopped) = oneshot::channel::<()>();
    let asking = async {
        for _ in 0..500 {
            denials.note(denial("one", "BypassProposal"));
        }
        denials.note(denial("one", "SetMode"));
        denials.note(denial("two", "SetMode"));
        // The clock is one that jumps when all wait: past the end of the first minute.
        tokio::time::sleep(MINUTE + MINUTE / 2).await;
        denials.note(denial("one", "SetMode"));
        tokio::time::sleep(MINUTE / 4).await;
        stop.send(()).unwrap();
    };
    tokio::join!(denials.keep(&ledger, written, async { drop(stopped.await) }), asking);
    let causes = log(&ledger).await;
    let mut expected = vec![("one", "BypassProposal", 1, true); 10];
    expected.extend([
        ("two", "SetMode", 1, true),
        ("one", "BypassProposal", 491, false),
        ("one", "SetMode", 1, true),
    ]);
    assert_eq!(causes.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!((denials.recorded(), denials.lost()), (503, 0));
    // Dated when they were written, and each says when the call was denied.
    for cause in &causes {
        assert_eq!(cause.at, written());
        assert_eq!(cause.denied.as_ref().unwrap().at, Some(AT.parse().unwrap()));
    }
}

#[tokio::test]
async fn one_that_is_denied_without_end_pushes_nobody_else_out() {
    let (denials, ledger) = (Denials::default(), MemoryLedger::new());
    for _ in 0..100_000 {
        denials.note(denial("one", "SetMode"));
    }
    denials.note(denial("two", "BypassProposal"));
    assert_eq!(denials.state().waiting.len(), usize::try_from(EACH).unwrap() + 1);
    denials.keep(&ledger, written, async {}).await;
    let causes = log(&ledger).await;
    let mut expected = vec![("one", "SetMode", 1, true); 10];
    expected.extend([("two", "BypassProposal", 1, true), ("one", "SetMode", 99_990, false)]);
    assert_eq!(causes.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!((denials.recorded(), denials.lost()), (100_001, 0));
}

/// A ledger that takes as many commits as it is let, and then does not answer.
struct Slow {
    inner: MemoryLedger,
    lets: Arc<Semaphore>,
}

#[async_trait::async_trait]
impl Ledger for Slow {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Trouble> {
        self.inner.read(keys).await
    }

    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        self.inner.snapshot().await
    }

    async fn changes(&self, cursor: &Cursor, limit: usize, wait: Duration) -> Result<Changes, Trouble> {
        self.inner.changes(cursor, limit, wait).await
    }

    async fn commit(&self, commit: Commit) -> Result<Outcome, Trouble> {
        self.lets.acquire().await.unwrap().forget();
        self.inner.commit(commit).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_written_at_the_end_is_lost_and_counted() {
    let denials = Denials::default();
    let ledger = Slow { inner: MemoryLedger::new(), lets: Arc::new(Semaphore::new(3)) };
    for _ in 0..50 {
        denials.note(denial("one", "SetMode"));
    }
    // The store hangs in the fourth write when the process stops.
    denials.keep(&ledger, written, tokio::time::sleep(MINUTE / 2)).await;
    assert_eq!((log(&ledger.inner).await.len(), denials.recorded(), denials.lost()), (3, 3, 47));
    denials.note(denial("two", "SetMode"));
    assert_eq!((denials.recorded(), denials.lost()), (3, 48), "nobody writes any more");
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_until_the_end_is_written() {
    let denials = Denials::default();
    let lets = Arc::new(Semaphore::new(0));
    let ledger = Slow { inner: MemoryLedger::new(), lets: lets.clone() };
    denials.note(denial("one", "SetMode"));
    let stopping = async {
        tokio::time::sleep(MINUTE / 2).await;
        denials.note(denial("two", "SetMode"));
    };
    let helping = async {
        tokio::time::sleep(MINUTE / 2 + LAST_WORDS / 2).await;
        lets.add_permits(10);
    };
    tokio::join!(denials.keep(&ledger, written, stopping), helping);
    let causes = log(&ledger.inner).await;
    let expected = [("one", "SetMode", 1, true), ("two", "SetMode", 1, true)];
    assert_eq!(causes.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!((denials.recorded(), denials.lost()), (2, 0));
}
