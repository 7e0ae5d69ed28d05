//! What every story ends with: its log, replayed, gives the same decisions.

use std::time::Duration;

use fallow::replay::Reader;
use fallow_ledger::{Change, Ledger, Revision};
use fallow_matching::replay::{Decider, Replay, Tally, Window};

/// Replays a ledger's log from its first revision: every step of the engine is decided again, and nothing parts.
pub(crate) async fn same_decisions(ledger: &dyn Ledger) {
    let (_, now) = ledger.snapshot().await.unwrap();
    let mut cursor = now.at(Revision::ABSENT);
    let mut log: Vec<Change> = Vec::new();
    while cursor.revision() < now.revision() {
        let page = ledger.changes(&cursor, 1_000, Duration::ZERO).await.unwrap();
        cursor = page.cursor;
        log.extend(page.changes);
    }
    replay((Revision::ABSENT, &[]), log.into_iter());
}

/// Replays a log file.
pub(crate) fn same_decisions_in(path: &std::path::Path) -> Tally {
    let mut log = Reader::open(path).unwrap();
    let start = log.start().clone();
    replay((start.revision, &start.records), std::iter::from_fn(|| log.next_change().unwrap()))
}

fn replay(start: (Revision, &[fallow_ledger::Versioned]), log: impl Iterator<Item = Change>) -> Tally {
    let calendar = fallow_host::working_time::england().unwrap();
    let mut replay = Replay::new(&calendar, Decider::default(), Window::default(), start).unwrap();
    let mut found = Vec::new();
    for change in log {
        found.extend(replay.take(&change).unwrap());
    }
    assert_eq!(found, []);
    assert_eq!(replay.tally().not_compared, 0);
    replay.tally()
}
