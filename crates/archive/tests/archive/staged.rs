//! A ledger that stands as a test wants it to, and remembers what an archive asked of it and said to it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fallow_ledger::{
    Archived, Attested, Changes, Commit, Cursor, Keeper, KeeperError, Key, Ledger, MemoryLedger, Outcome,
    Reach, Revision, Seen, Trouble, Versioned,
};

/// The ledger.
pub(crate) struct Staged {
    pub(crate) ledger: Arc<MemoryLedger>,
    /// How many changes it has given.
    pub(crate) given: AtomicU64,
    /// Whether its picture lacks a record.
    pub(crate) is_false: bool,
    /// Whether it is closed to writes.
    pub(crate) is_closed: AtomicBool,
    /// The number of its line.
    pub(crate) line: AtomicU64,
    /// The last revision that is known to stay.
    pub(crate) kept: AtomicU64,
    /// What the archive said.
    pub(crate) said: Mutex<Vec<Option<Seen>>>,
}

impl Staged {
    pub(crate) fn over(ledger: Arc<MemoryLedger>) -> Self {
        Self {
            ledger,
            given: AtomicU64::new(0),
            is_false: false,
            is_closed: AtomicBool::new(false),
            line: AtomicU64::new(0),
            kept: AtomicU64::new(u64::MAX),
            said: Mutex::default(),
        }
    }
}

#[async_trait]
impl Ledger for Staged {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Trouble> {
        self.ledger.read(keys).await
    }

    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        let (mut records, cursor) = self.ledger.snapshot().await?;
        if self.is_false {
            records.pop();
        }
        Ok((records, cursor))
    }

    async fn changes(&self, cursor: &Cursor, limit: usize, wait: Duration) -> Result<Changes, Trouble> {
        let page = self.ledger.changes(cursor, limit, wait).await?;
        self.given.fetch_add(page.changes.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    async fn commit(&self, commit: Commit) -> Result<Outcome, Trouble> {
        self.ledger.commit(commit).await
    }
}

#[async_trait]
impl Keeper for Staged {
    async fn reach(&self) -> Result<Reach, Trouble> {
        self.ledger.reach().await
    }

    async fn attest(&self, archive: Option<&Seen>) -> Result<Attested, Trouble> {
        self.said.lock().unwrap().push(archive.cloned());
        if self.is_closed.load(Ordering::Relaxed) {
            return Ok(Attested::Closed { why: "it waits".to_owned() });
        }
        let line = format!("line {}", self.line.load(Ordering::Relaxed)).into();
        Ok(Attested::Open { line, kept: Revision(self.kept.load(Ordering::Relaxed)) })
    }

    async fn archived(&self, note: &Archived) -> Result<(), KeeperError> {
        self.ledger.archived(note).await
    }

    async fn trim(&self, through: &Cursor) -> Result<u64, KeeperError> {
        self.ledger.trim(through).await
    }

    async fn restore(
        &self,
        records: &[Versioned],
        note: &Archived,
        line: Option<&str>,
    ) -> Result<(), KeeperError> {
        self.ledger.restore(records, note, line).await
    }
}
