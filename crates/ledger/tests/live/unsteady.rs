//! A ledger that is away, loses a change or is replaced when a test says so.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fallow_ledger::{Changes, Commit, Cursor, Key, Ledger, MemoryLedger, Outcome, Trouble, Versioned};

pub(crate) struct Unsteady {
    inner: Mutex<Arc<MemoryLedger>>,
    is_away: AtomicBool,
    loses_next: AtomicBool,
    reads: AtomicU32,
    before_second_read: Mutex<Option<Commit>>,
}

impl Unsteady {
    pub(crate) fn new(inner: MemoryLedger) -> Unsteady {
        Unsteady {
            inner: Mutex::new(Arc::new(inner)),
            is_away: AtomicBool::new(false),
            loses_next: AtomicBool::new(false),
            reads: AtomicU32::new(0),
            before_second_read: Mutex::new(None),
        }
    }

    pub(crate) fn go_away(&self) {
        self.is_away.store(true, Ordering::SeqCst);
    }

    pub(crate) fn come_back(&self) {
        self.is_away.store(false, Ordering::SeqCst);
    }

    pub(crate) fn replace(&self, other: MemoryLedger) {
        *self.inner.lock().expect("no test panics here") = Arc::new(other);
    }

    /// Leaves the first change out of the next page that has any.
    pub(crate) fn lose_next_change(&self) {
        self.loses_next.store(true, Ordering::SeqCst);
    }

    /// Commits behind the back of a caller who reads twice.
    pub(crate) fn commit_before_second_read(&self, commit: Commit) {
        self.reads.store(0, Ordering::SeqCst);
        *self.before_second_read.lock().expect("no test panics here") = Some(commit);
    }

    fn there(&self) -> Result<Arc<MemoryLedger>, Trouble> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Trouble::Unavailable { detail: "away".to_owned() });
        }
        Ok(self.inner.lock().expect("no test panics here").clone())
    }
}

#[async_trait]
impl Ledger for Unsteady {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Trouble> {
        let inner = self.there()?;
        if self.reads.fetch_add(1, Ordering::SeqCst) == 1 {
            let commit = self.before_second_read.lock().expect("no test panics here").take();
            if let Some(commit) = commit {
                inner.commit(commit).await?;
            }
        }
        inner.read(keys).await
    }

    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        self.there()?.snapshot().await
    }

    async fn changes(&self, cursor: &Cursor, limit: usize, wait: Duration) -> Result<Changes, Trouble> {
        let mut page = self.there()?.changes(cursor, limit, wait).await?;
        if !page.changes.is_empty() && self.loses_next.swap(false, Ordering::SeqCst) {
            page.changes.remove(0);
        }
        Ok(page)
    }

    async fn commit(&self, commit: Commit) -> Result<Outcome, Trouble> {
        self.there()?.commit(commit).await
    }
}
