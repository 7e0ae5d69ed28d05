//! Calls that were denied, kept in the log beside what was done: who, in which role, which call, why. Never what was sent.
//!
//! A denial is a change that writes nothing: it takes a revision, is chained, archived and followed like every other,
//! and no record, picture or decision is another for it. It is written after the caller was answered, by one task of
//! the process, so that no refusal waits for the store; what cannot be written is counted. Its change is dated when it is
//! written, as every other is, and says beside that when the call was denied.
//!
//! A caller has [`EACH`] entries of its own a minute, and all callers of a process have [`ALONE_MAX`] together. What a
//! caller is denied beyond that is counted at once, and is one entry at the end of the minute: to be refused fills no log,
//! and pushes nobody else's denials out.

mod minute;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fallow_api::problem::Problem;
use fallow_api::v1::ItemError;
use fallow_domain::actor::Actor;
use fallow_ledger::cause::{Cause, Denied};
use fallow_ledger::{Commit, Ledger};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

use crate::denials::minute::{Minute, Taken, Told};

/// Denials of one caller that have an entry each in a minute.
pub const EACH: u32 = 10;
/// Denials of all callers of a process that have an entry each in a minute.
pub const ALONE_MAX: u32 = 100;
/// Callers whose denials are counted in a minute.
pub const CALLERS_MAX: usize = 1_000;
/// What entries are counted in.
const MINUTE: Duration = Duration::from_secs(60);
/// How long a process that stops goes on writing what it has, after its servers have ended: with the shortest time that
/// those may take, no longer than the process is waited for.
const LAST_WORDS: Duration = Duration::from_millis(800);

/// A call that was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Who was denied.
    pub by: Actor,
    /// The call, such as `BypassProposal`.
    pub call: &'static str,
    /// Why, by its coded reason.
    pub reason: String,
    /// The id by which the caller was told to name the call, where it had one.
    pub request_id: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The W3C trace context of the call.
    pub traceparent: Option<String>,
}

/// The denials of a process, on their way into the log.
#[derive(Debug, Default)]
pub struct Denials {
    state: Mutex<State>,
    /// Wakes whoever writes them.
    more: Notify,
    recorded: AtomicU64,
    lost: AtomicU64,
}

/// What is to be written, now and at the end of the minute.
#[derive(Debug, Default)]
struct State {
    minute: Minute,
    /// In the order in which they are written. A minute ends when this is empty, and so it holds no more than the entries
    /// and the counts of one.
    waiting: VecDeque<Told>,
    is_closed: bool,
}

impl Denials {
    /// Takes a denial to be written. Never waits: what there is no room for, or comes when nobody writes any more, is
    /// counted as lost.
    pub fn note(&self, denial: Denial) {
        let mut state = self.state();
        let taken = if state.is_closed { Taken::NoRoom } else { state.minute.take(denial) };
        match taken {
            Taken::Now(denial) => {
                state.waiting.push_back(Told { denial, times: 1 });
                self.more.notify_one();
            }
            Taken::Later => {}
            Taken::NoRoom => self.lose(1),
        }
    }

    /// Takes the refusal of one item of a stream, when that was a denial; `told` makes it of the coded reason.
    pub fn item(&self, error: &ItemError, told: impl FnOnce(String) -> Denial) {
        if let Some(reason) = Problem::from(error).denial() {
            self.note(told(reason.to_owned()));
        }
    }

    /// Returns how many denials were written since the process started, each by itself or in a count.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// Returns how many denials could not be written since the process started. Their callers were answered.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Writes denials as they come, until told to stop, and then what is left. One task of a process does; `now` is its
    /// clock. Tell it to stop when nothing is served any more: what is noted afterwards is lost, and counted.
    pub async fn keep(
        &self,
        ledger: &dyn Ledger,
        now: impl Fn() -> Timestamp,
        stopping: impl Future<Output = ()>,
    ) {
        let ended = async {
            stopping.await;
            self.close();
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            () = self.write_all(ledger, now) => {}
            () = ended => {
                let left = self.state().waiting.drain(..).map(|told| told.times).sum();
                tracing::warn!(times = left, "denials are not in the log: the store did not answer");
                self.lose(left);
            }
        }
    }

    /// Writes until closed and empty.
    async fn write_all(&self, ledger: &dyn Ledger, now: impl Fn() -> Timestamp) {
        let mut ends = tokio::time::interval_at(Instant::now() + MINUTE, MINUTE);
        ends.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (next, is_closed) = {
                let state = self.state();
                (state.waiting.front().cloned(), state.is_closed)
            };
            if let Some(told) = next {
                self.write(ledger, now(), told).await;
                // Not before: what is being written at the end is among what is left.
                self.state().waiting.pop_front();
            } else if is_closed {
                return;
            } else {
                tokio::select! {
                    biased;
                    _ = ends.tick() => self.state().end_minute(),
                    () = self.more.notified() => {}
                }
            }
        }
    }

    async fn write(&self, ledger: &dyn Ledger, now: Timestamp, told: Told) {
        let Told { denial: Denial { by, call, reason, request_id, at, traceparent }, times } = told;
        let denied = Some(Denied { reason, times, at: Some(at) });
        // Dated now: whoever asks for the region as of a time goes by the dates of changes, which are those of the log.
        let cause =
            Cause { by, verb: call.to_owned(), at: now, request_id, traceparent, decided_at: None, denied };
        match ledger.commit(Commit::new(now).because(cause.encode())).await {
            Ok(_) => drop(self.recorded.fetch_add(times, Ordering::Relaxed)),
            Err(trouble) => {
                tracing::warn!(error = %trouble, times, "a denial is not in the log");
                self.lose(times);
            }
        }
    }

    /// Takes no more from here on, and lets the minute end.
    fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.end_minute();
        self.more.notify_one();
    }

    fn lose(&self, times: u64) {
        self.lost.fetch_add(times, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What is counted is whole after every single step, so a poisoned lock changes nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end_minute(&mut self) {
        self.waiting.extend(self.minute.end());
    }
}

#[cfg(test)]
mod tests;
