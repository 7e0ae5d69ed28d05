//! A process's way to the store, which a story can hold up or cut, and which notes what its engine commits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fallow_domain::actor::Role;
use fallow_ledger::cause::Cause;
use fallow_ledger::record::{Record, lease_key};
use fallow_ledger::{Changes, Commit, Cursor, Key, Ledger, Outcome, Revision, Trouble, Versioned};
use tokio::sync::watch;

use crate::world::soon;

/// What the engines of a world have committed: at which revision, of which process, what.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deeds(Arc<Mutex<Vec<(Revision, usize, Deed)>>>);

/// What an engine commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// It takes or renews the lease.
    Took,
    /// It gives the lease up.
    GaveUp,
    /// It does what only the active engine may do.
    Acted,
}

impl Deeds {
    fn note(&self, revision: Revision, process: usize, deed: Deed) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((revision, process, deed));
    }

    /// Checks that whatever an engine did it did while the lease was its own.
    pub(crate) fn check(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.sort();
        let mut holder = None;
        for (revision, process, deed) in &all {
            match deed {
                Deed::Took => holder = Some(*process),
                Deed::GaveUp => holder = None,
                Deed::Acted => assert_eq!(holder, Some(*process), "who acted at {revision:?}, of {all:?}"),
            }
        }
    }
}

/// A ledger as one process reaches it.
pub(crate) struct Tap {
    ledger: Arc<dyn Ledger>,
    process: usize,
    deeds: Deeds,
    is_cut: watch::Sender<bool>,
    is_held: watch::Sender<bool>,
    /// Deeds that are held up now.
    waiting: watch::Sender<usize>,
}

impl Tap {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, process: usize, deeds: Deeds) -> Self {
        let (is_cut, is_held, waiting) =
            (watch::Sender::new(false), watch::Sender::new(false), watch::Sender::new(0));
        Self { ledger, process, deeds, is_cut, is_held, waiting }
    }

    /// Cuts the process off from its store for good: all others see of it is that it is gone.
    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Holds up what the engine does from now on, just before it is committed.
    pub(crate) fn hold(&self) {
        self.is_held.send_replace(true);
    }

    /// Lets go on what is held up.
    pub(crate) fn let_go(&self) {
        self.is_held.send_replace(false);
    }

    /// Waits until something is held up.
    pub(crate) async fn holds_something(&self) {
        let mut waiting = self.waiting.subscribe();
        soon("a deed of the engine", waiting.wait_for(|waiting| *waiting > 0)).await.unwrap();
    }

    /// Does something with the store, or fails when the way to it is cut before it is done.
    async fn reach<T>(&self, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        let mut is_cut = self.is_cut.subscribe();
        tokio::select! {
            biased;
            _ = is_cut.wait_for(|is_cut| *is_cut) => Err(Trouble::Unavailable { detail: "cut".to_owned() }),
            done = work => done,
        }
    }
}

fn deed_of(commit: &Commit) -> Option<Deed> {
    let cause = Cause::decode(&commit.cause).filter(|cause| cause.by.role == Role::Engine)?;
    if cause.denied.is_some() {
        return None;
    }
    let Some(body) = commit.writes.get(&lease_key()) else { return Some(Deed::Acted) };
    assert_eq!(cause.verb, "lease");
    let lease = body.as_ref().and_then(|body| Record::decode(lease_key().kind, body).ok())?;
    let is_free = matches!(lease, Record::Lease(lease) if lease.is_free());
    Some(if is_free { Deed::GaveUp } else { Deed::Took })
}

#[async_trait::async_trait]
impl Ledger for Tap {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Trouble> {
        self.reach(self.ledger.read(keys)).await
    }

    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        self.reach(self.ledger.snapshot()).await
    }

    async fn changes(&self, cursor: &Cursor, limit: usize, wait: Duration) -> Result<Changes, Trouble> {
        self.reach(self.ledger.changes(cursor, limit, wait)).await
    }

    async fn commit(&self, commit: Commit) -> Result<Outcome, Trouble> {
        let deed = deed_of(&commit);
        let committed = async {
            if deed == Some(Deed::Acted) {
                let mut is_held = self.is_held.subscribe();
                self.waiting.send_modify(|waiting| *waiting += 1);
                // An error means that the tap is gone, and it is not.
                let _ = is_held.wait_for(|is_held| !is_held).await;
                self.waiting.send_modify(|waiting| *waiting -= 1);
            }
            let outcome = self.ledger.commit(commit).await?;
            if let (Some(deed), Outcome::Committed { revision }) = (deed, &outcome) {
                self.deeds.note(*revision, self.process, deed);
            }
            Ok(outcome)
        };
        self.reach(committed).await
    }
}
