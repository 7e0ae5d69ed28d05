//! The log as it was written, read through the ledger while the round goes on.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use fallow_ledger::cause::Cause;
use fallow_ledger::{Change, Cursor, Ledger, RecordKind, Revision, Trouble, Versioned};
use fallow_ledger_redis::RedisLedger;

use crate::history::History;

const PAGE: usize = 512;
const WAIT: Duration = Duration::from_millis(200);
const AGAIN_AFTER: Duration = Duration::from_millis(30);

/// One entry of the log.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) change: Change,
    /// Why; every entry has a cause that can be read.
    pub(crate) cause: Option<Cause>,
    /// When it had been read, so when it was surely written.
    pub(crate) seen: Duration,
}

/// The log of a round.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    entries: Mutex<Vec<Entry>>,
    wrong: Mutex<Vec<String>>,
    /// One reads at a time: whoever follows the log, or whoever reads its end.
    cursor: tokio::sync::Mutex<Option<Cursor>>,
}

impl Tail {
    /// Follows the log from its beginning until stopped from outside.
    pub(crate) async fn follow(&self, ledger: &RedisLedger, history: &History) {
        loop {
            if history.is_ending() {
                // What is there now is another's; to read it would make a history of it.
                return futures::future::pending().await;
            }
            if let Err(trouble) = self.read_on(ledger, history, WAIT).await {
                match trouble {
                    Trouble::CursorGone | Trouble::Corrupt { .. } if !history.is_ending() => {
                        self.wrong().push(format!("the log cannot be read on: {trouble}"));
                        return futures::future::pending().await;
                    }
                    Trouble::CursorGone
                    | Trouble::Corrupt { .. }
                    | Trouble::Unavailable { .. }
                    | Trouble::Unknown { .. }
                    | Trouble::Sealed { .. }
                    | Trouble::Misconfigured { .. }
                    | Trouble::TooLarge { .. }
                    | Trouble::TooManyRequests { .. } => tokio::time::sleep(AGAIN_AFTER).await,
                }
            }
        }
    }

    /// Reads what is left of the log, and returns what is live at its end.
    ///
    /// # Errors
    /// The log cannot be read to the end of what is live.
    pub(crate) async fn finish(
        &self,
        ledger: &RedisLedger,
        history: &History,
    ) -> Result<(Vec<Versioned>, Cursor)> {
        let (live, cursor) = ledger.snapshot().await?;
        while self.revision() < cursor.revision() {
            let before = self.revision();
            self.read_on(ledger, history, Duration::ZERO).await?;
            // Whoever follows the log may have read it instead.
            if self.revision() == before {
                bail!("the log ends at {before}, and the ledger is at {}", cursor.revision());
            }
        }
        Ok((live, cursor))
    }

    async fn read_on(&self, ledger: &RedisLedger, history: &History, wait: Duration) -> Result<(), Trouble> {
        let mut cursor = self.cursor.lock().await;
        let from = match &*cursor {
            Some(cursor) => cursor.clone(),
            None => ledger.snapshot().await?.1.at(Revision::ABSENT),
        };
        let page = match ledger.changes(&from, PAGE, wait).await {
            Err(Trouble::CursorGone) => {
                let Some(same) = same_place(ledger, &from).await? else { return Err(Trouble::CursorGone) };
                self.lock().retain(|entry| entry.change.revision <= same.revision());
                *cursor = Some(same.clone());
                ledger.changes(&same, PAGE, wait).await?
            }
            page => page?,
        };
        let seen = history.now();
        let mut entries = self.lock();
        for change in page.changes {
            let cause = Cause::decode(&change.cause);
            entries.push(Entry { change, cause, seen });
        }
        drop(entries);
        *cursor = Some(page.cursor);
        Ok(())
    }

    /// Returns the last revision that was read.
    pub(crate) fn revision(&self) -> Revision {
        self.lock().last().map_or(Revision::ABSENT, |entry| entry.change.revision)
    }

    /// Returns the last revision that wrote a record of a kind.
    pub(crate) fn last_of(&self, kind: RecordKind) -> u64 {
        let writes = |entry: &&Entry| entry.change.writes.keys().any(|key| key.kind == kind);
        self.lock().iter().rev().find(writes).map_or(0, |entry| entry.change.revision.0)
    }

    /// Returns the entries read so far, oldest first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// Returns what went wrong while the log was read.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.wrong().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrong(&self) -> MutexGuard<'_, Vec<String>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the place in the present history up to which it has what a cursor's had. A failover that lost what had been shown,
/// though nothing that was acknowledged, goes on under another name; what was read beyond it never came to be.
async fn same_place(ledger: &RedisLedger, cursor: &Cursor) -> Result<Option<Cursor>, Trouble> {
    let found = ledger.status().await?.found;
    let ended = found.seal.ended.iter().rev().find(|ended| *ended.line == **cursor.history());
    let shared = ended.map(|ended| cursor.revision().min(Revision(ended.end)));
    Ok(found.history.zip(shared).map(|(history, shared)| Cursor::new(history.into(), shared)))
}
