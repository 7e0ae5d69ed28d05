//! The ledger inside the process: `fallow dev`, tests and simulations. Nothing outlives the process.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::Ledger;
use crate::commit::{Change, Changes, Commit, Digest, Outcome, RequestKey, Versioned, check_read};
use crate::cursor::{Cursor, Revision};
use crate::keeper::{Archived, Attested, Keeper, KeeperError, Reach, Seen};
use crate::key::Key;
use crate::limits;
use crate::trouble::Trouble;

/// How many changes are kept unless said otherwise: several busy winter days.
const CHANGES_KEPT: usize = 100_000;
/// How many bytes they say together at most, unless said otherwise: it is this that bounds what a process weighs which keeps
/// its ledger itself and runs for days. Live records and the outcomes of requests come on top.
const BYTES_KEPT: usize = 64 * 1024 * 1024;

/// A ledger in the memory of one process, with the same answers as the one over Redis.
pub struct MemoryLedger {
    changes_kept: usize,
    bytes_kept: usize,
    requests_per_scope: usize,
    state: Mutex<State>,
    /// Tells waiting calls of `changes` the last revision.
    head: watch::Sender<Revision>,
}

#[derive(Default)]
struct State {
    history: Arc<str>,
    revision: Revision,
    live: BTreeMap<Key, Versioned>,
    /// The last changes, dense; the first is the one after `forgotten`.
    log: VecDeque<Logged>,
    /// What is in it, in bytes.
    log_bytes: usize,
    forgotten: Revision,
    archived: Option<Archived>,
    requests: Requests,
}

/// A change as the log keeps it: without the room that a map leaves for more, which is most of a small one.
#[derive(Clone)]
struct Logged {
    revision: Revision,
    /// In order of key.
    writes: Box<[(Key, Option<Bytes>)]>,
    cause: Bytes,
}

impl Logged {
    fn bytes(&self) -> usize {
        let of_write = |(key, body): &(Key, Option<Bytes>)| {
            size_of::<(Key, Option<Bytes>)>() + key.id.len() + body.as_ref().map_or(0, Bytes::len)
        };
        size_of::<Self>() + self.cause.len() + self.writes.iter().map(of_write).sum::<usize>()
    }

    fn told(&self) -> Change {
        let writes = self.writes.iter().cloned().collect();
        Change { revision: self.revision, writes, cause: self.cause.clone() }
    }
}

/// The outcomes of requests, and the order in which they are forgotten.
#[derive(Default)]
struct Requests {
    outcomes: HashMap<(Arc<str>, Arc<str>), Answered>,
    /// By time in milliseconds, then by scope and id.
    by_age: BTreeSet<(i64, Arc<str>, Arc<str>)>,
    per_scope: HashMap<Arc<str>, usize>,
}

struct Answered {
    digest: Digest,
    revision: Revision,
    answer: Bytes,
}

impl MemoryLedger {
    /// Makes an empty ledger with a history of its own.
    pub fn new() -> MemoryLedger {
        MemoryLedger {
            changes_kept: CHANGES_KEPT,
            bytes_kept: BYTES_KEPT,
            requests_per_scope: limits::REQUESTS_PER_SCOPE,
            state: Mutex::new(State { history: fresh_history(), ..State::default() }),
            head: watch::Sender::new(Revision::ABSENT),
        }
    }

    /// Keeps only the last `changes` changes; a cursor from before them is gone.
    pub fn keeping_changes(mut self, changes: usize) -> MemoryLedger {
        self.changes_kept = changes;
        self
    }

    /// Keeps only the last changes that say `bytes` together, be they as few as none.
    pub fn keeping_bytes(mut self, bytes: usize) -> MemoryLedger {
        self.bytes_kept = bytes;
        self
    }

    /// Remembers only `requests` request ids per scope.
    pub fn remembering_requests(mut self, requests: usize) -> MemoryLedger {
        self.requests_per_scope = requests;
        self
    }

    /// Returns a ledger as this one is now, and of its history: what a backup would bring back. Its requests are forgotten.
    pub fn backup(&self) -> MemoryLedger {
        let now = self.state();
        let state = State {
            history: now.history.clone(),
            revision: now.revision,
            live: now.live.clone(),
            log: now.log.clone(),
            log_bytes: now.log_bytes,
            forgotten: now.forgotten,
            archived: now.archived.clone(),
            requests: Requests::default(),
        };
        MemoryLedger {
            changes_kept: self.changes_kept,
            bytes_kept: self.bytes_kept,
            requests_per_scope: self.requests_per_scope,
            head: watch::Sender::new(state.revision),
            state: Mutex::new(state),
        }
    }

    /// Forgets the changes up to and including `through`; live records stay.
    pub fn forget_changes(&self, through: Revision) {
        self.state().forget(through);
    }

    /// No code panics while it holds the lock, and every commit is applied after its checks, so the state behind a
    /// poisoned lock is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes_now(&self, cursor: &Cursor, limit: usize) -> Result<Changes, Trouble> {
        let state = self.state();
        let after = cursor.revision();
        if *cursor.history() != state.history || after > state.revision || after < state.forgotten {
            return Err(Trouble::CursorGone);
        }
        let known = state.log.partition_point(|change| change.revision <= after);
        let changes: Vec<Change> = state.log.iter().skip(known).take(limit).map(Logged::told).collect();
        let cursor = changes.last().map_or_else(|| cursor.clone(), |last| cursor.at(last.revision));
        Ok(Changes { changes, cursor })
    }
}

impl Default for MemoryLedger {
    fn default() -> MemoryLedger {
        MemoryLedger::new()
    }
}

#[async_trait::async_trait]
impl Ledger for MemoryLedger {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Trouble> {
        check_read(keys)?;
        let state = self.state();
        Ok(keys.iter().map(|key| state.live.get(key).cloned()).collect())
    }

    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        let state = self.state();
        let cursor = state.head();
        Ok((state.live.values().cloned().collect(), cursor))
    }

    async fn changes(&self, cursor: &Cursor, limit: usize, wait: Duration) -> Result<Changes, Trouble> {
        let limit = limit.clamp(1, limits::CHANGES_PAGE);
        // Subscribed before the first look, so that no commit falls between the look and the wait.
        let mut head = self.head.subscribe();
        let now = self.changes_now(cursor, limit)?;
        if !now.changes.is_empty() || wait.is_zero() {
            return Ok(now);
        }
        // What `wait_for` gives holds the lock of `head`, which a commit takes under that of the state: let go of it
        // before looking at the state.
        let newer = async { drop(head.wait_for(|head| *head > cursor.revision()).await) };
        match tokio::time::timeout(wait, newer).await {
            Ok(()) => self.changes_now(cursor, limit),
            Err(_elapsed) => Ok(now),
        }
    }

    async fn commit(&self, commit: Commit) -> Result<Outcome, Trouble> {
        commit.check()?;
        let mut state = self.state();
        if commit.seen_in.as_ref().is_some_and(|history| *history != state.history) {
            return Ok(Outcome::Conflict { keys: commit.expects.into_keys().collect() });
        }
        if let Some(outcome) = state.requests.find(commit.request.as_ref()) {
            return Ok(outcome);
        }
        let forget_before = commit.at.as_millisecond() - millis(limits::REQUEST_MEMORY);
        state.requests.prune(forget_before);
        if let Some(request) = &commit.request {
            state.requests.has_room(request, self.requests_per_scope)?;
        }
        let keys = state.conflicts(&commit.expects);
        if !keys.is_empty() {
            return Ok(Outcome::Conflict { keys });
        }
        let revision = state.apply(commit);
        state.bound_log(self.changes_kept, self.bytes_kept);
        self.head.send_replace(revision);
        Ok(Outcome::Committed { revision })
    }
}

#[async_trait::async_trait]
impl Keeper for MemoryLedger {
    async fn reach(&self) -> Result<Reach, Trouble> {
        let state = self.state();
        Ok(Reach { oldest: state.forgotten.next(), head: state.head(), archived: state.archived.clone() })
    }

    async fn attest(&self, _archive: Option<&Seen>) -> Result<Attested, Trouble> {
        // It ends with its process, and so has lost nothing or everything: a history is one line.
        let state = self.state();
        Ok(Attested::Open { line: state.history.clone(), kept: state.revision })
    }

    async fn archived(&self, note: &Archived) -> Result<(), KeeperError> {
        let mut state = self.state();
        state.is_of(&note.cursor)?;
        if note.cursor.revision() > state.revision {
            return Err(KeeperError::Ahead { archived: note.cursor.revision(), head: state.revision });
        }
        if state.archived_through().is_none_or(|through| through <= note.cursor.revision()) {
            state.archived = Some(note.clone());
        }
        Ok(())
    }

    async fn trim(&self, through: &Cursor) -> Result<u64, KeeperError> {
        let mut state = self.state();
        state.is_of(through)?;
        let archived = state.archived_through();
        if archived.is_none_or(|archived| archived < through.revision()) {
            return Err(KeeperError::NotArchived { asked: through.revision(), archived });
        }
        let before = state.log.len();
        state.forget(through.revision());
        Ok((before - state.log.len()) as u64)
    }

    async fn restore(
        &self,
        records: &[Versioned],
        note: &Archived,
        _line: Option<&str>,
    ) -> Result<(), KeeperError> {
        let mut state = self.state();
        if state.revision > Revision::ABSENT || !state.live.is_empty() {
            return Err(KeeperError::NotEmpty { head: state.revision, records: state.live.len() as u64 });
        }
        state.history = fresh_history();
        state.revision = note.cursor.revision();
        state.forgotten = state.revision;
        state.live = records.iter().map(|record| (record.key.clone(), record.clone())).collect();
        state.archived = Some(note.clone());
        self.head.send_replace(state.revision);
        Ok(())
    }
}

impl State {
    fn head(&self) -> Cursor {
        Cursor::new(self.history.clone(), self.revision)
    }

    fn is_of(&self, cursor: &Cursor) -> Result<(), KeeperError> {
        if *cursor.history() == self.history {
            return Ok(());
        }
        let (asked, found) = (cursor.history().clone(), self.history.clone());
        Err(KeeperError::OtherHistory { asked, found })
    }

    /// The last revision of this history that was noted as archived.
    fn archived_through(&self) -> Option<Revision> {
        let cursor = &self.archived.as_ref()?.cursor;
        (*cursor.history() == self.history).then(|| cursor.revision())
    }

    fn conflicts(&self, expects: &BTreeMap<Key, Revision>) -> Vec<Key> {
        let revision = |key| self.live.get(key).map_or(Revision::ABSENT, |record| record.revision);
        expects
            .iter()
            .filter(|&(key, expected)| revision(key) != *expected)
            .map(|(key, _)| key.clone())
            .collect()
    }

    fn apply(&mut self, commit: Commit) -> Revision {
        self.revision = self.revision.next();
        let revision = self.revision;
        let writes: Box<[_]> = commit.writes.into_iter().collect();
        for (key, body) in &writes {
            match body {
                Some(body) => {
                    let record = Versioned { key: key.clone(), revision, body: body.clone() };
                    self.live.insert(key.clone(), record);
                }
                None => {
                    self.live.remove(key);
                }
            }
        }
        if let Some(request) = commit.request {
            self.requests.remember(request, commit.at.as_millisecond(), revision, commit.answer);
        }
        let logged = Logged { revision, writes, cause: commit.cause };
        self.log_bytes += logged.bytes();
        self.log.push_back(logged);
        revision
    }

    fn forget(&mut self, through: Revision) {
        let through = through.min(self.revision);
        while self.log.front().is_some_and(|change| change.revision <= through) {
            self.log_bytes -= self.log.pop_front().map_or(0, |change| change.bytes());
        }
        self.forgotten = self.forgotten.max(through);
    }

    /// Forgets the oldest changes while there are more of them, or they say more, than is kept.
    fn bound_log(&mut self, changes: usize, bytes: usize) {
        while self.log.len() > changes || self.log_bytes > bytes {
            let Some(oldest) = self.log.front().map(|change| change.revision) else { return };
            self.forget(oldest);
        }
    }
}

impl Requests {
    fn find(&self, request: Option<&RequestKey>) -> Option<Outcome> {
        let request = request?;
        let answered = self.outcomes.get(&(request.scope.clone(), request.id.clone()))?;
        if answered.digest != request.digest {
            return Some(Outcome::RequestIdReused);
        }
        Some(Outcome::Replayed { revision: answered.revision, answer: answered.answer.clone() })
    }

    /// Forgets some of the outcomes from before a time. Housekeeping: it happens whether or not the commit does.
    fn prune(&mut self, before_ms: i64) {
        for _ in 0..limits::REQUESTS_PRUNED_PER_COMMIT {
            let Some(oldest) = self.by_age.first().filter(|(at, ..)| *at < before_ms).cloned() else {
                return;
            };
            self.by_age.remove(&oldest);
            let (_, scope, id) = oldest;
            if let Some(count) = self.per_scope.get_mut(&scope) {
                *count -= 1;
                if *count == 0 {
                    self.per_scope.remove(&scope);
                }
            }
            self.outcomes.remove(&(scope, id));
        }
    }

    fn has_room(&self, request: &RequestKey, allowed: usize) -> Result<(), Trouble> {
        if self.per_scope.get(&request.scope).copied().unwrap_or(0) >= allowed {
            return Err(Trouble::TooManyRequests { scope: request.scope.to_string(), allowed });
        }
        Ok(())
    }

    fn remember(&mut self, request: RequestKey, at_ms: i64, revision: Revision, answer: Bytes) {
        let RequestKey { scope, id, digest } = request;
        self.by_age.insert((at_ms, scope.clone(), id.clone()));
        *self.per_scope.entry(scope.clone()).or_default() += 1;
        self.outcomes.insert((scope, id), Answered { digest, revision, answer });
    }
}

fn fresh_history() -> Arc<str> {
    uuid::Uuid::new_v4().simple().to_string().into()
}

fn millis(duration: jiff::SignedDuration) -> i64 {
    duration.as_secs() * 1_000
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::key::RecordKind;

    async fn write(ledger: &MemoryLedger, id: u64, bytes: usize) {
        let key = Key::new(RecordKind::Offer, format!("{id}"));
        let commit = Commit::new(Timestamp::UNIX_EPOCH).writing(key, vec![b'x'; bytes]);
        ledger.commit(commit).await.unwrap();
    }

    #[tokio::test]
    async fn the_log_is_bounded_by_what_it_says_and_not_only_by_how_many_changes() {
        let ledger = MemoryLedger::new().keeping_bytes(10_000);
        for n in 0..1_000 {
            write(&ledger, n % 7, 900).await;
            let state = ledger.state();
            assert!(state.log_bytes <= 10_000 && state.log.len() <= 11, "{} changes", state.log.len());
            assert_eq!(state.log_bytes, state.log.iter().map(Logged::bytes).sum::<usize>());
        }
        // What is kept goes on from where it says, and everything live is there whatever became of its change.
        let (live, head) = ledger.snapshot().await.unwrap();
        assert_eq!((live.len(), head.revision()), (7, Revision(1_000)));
        let kept = ledger.state().log.len() as u64;
        let oldest = head.at(Revision(1_000 - kept));
        assert_eq!(ledger.changes(&oldest, 100, Duration::ZERO).await.unwrap().changes.len() as u64, kept);
        let gone = ledger.changes(&head.at(Revision(999 - kept)), 100, Duration::ZERO).await;
        assert_eq!(gone, Err(Trouble::CursorGone));
        // One that alone is more than may be kept is committed, and not kept.
        write(&ledger, 8, 20_000).await;
        let (live, head) = ledger.snapshot().await.unwrap();
        assert_eq!((live.len(), ledger.state().log.len()), (8, 0));
        assert_eq!(ledger.changes(&head, 1, Duration::ZERO).await.unwrap().changes, []);
        write(&ledger, 9, 900).await;
        assert_eq!(ledger.changes(&head, 1, Duration::ZERO).await.unwrap().changes.len(), 1);
    }
}
