//! Calls that were denied, kept in the log beside what was done: who, in which role, which call, why. Never what was sent.
//!
//! A denial is a change that writes nothing: it takes a revision, is chained, archived and followed like every other,
//! and no record, picture or decision is another for it. It is written after the caller was answered, by one task of
//! the process, so that no refusal waits for the store; what cannot be written is counted.
//!
//! A caller has [`EACH`] entries of its own a minute. What it is denied beyond that is counted by call and reason, and
//! each count is one entry at the end of the minute: to be refused fills no log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fallow_api::problem::Problem;
use fallow_api::v1::ItemError;
use fallow_domain::actor::Actor;
use fallow_ledger::cause::{Cause, Denied};
use fallow_ledger::{Commit, Ledger};
use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc};
use tokio::time::MissedTickBehavior;

/// Denials of one caller that have an entry each in a minute.
pub const EACH: u32 = 10;
/// Counts of one minute beyond those: what calls, reasons and callers there are, with room.
const COUNTS_MAX: usize = 1_000;
/// Denials that wait to be written. More come only while the store does not answer.
const WAITING_MAX: usize = 1_000;
/// What a caller's entries are counted in.
const MINUTE: Duration = Duration::from_secs(60);
/// How long a process that stops goes on writing what it has.
const LAST_WORDS: Duration = Duration::from_secs(2);

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
#[derive(Debug)]
pub struct Denials {
    sender: mpsc::Sender<Denial>,
    /// Held by whoever writes them.
    receiver: Mutex<mpsc::Receiver<Denial>>,
    recorded: AtomicU64,
    lost: AtomicU64,
}

impl Denials {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let receiver = Mutex::new(receiver);
        Self { sender, receiver, recorded: AtomicU64::new(0), lost: AtomicU64::new(0) }
    }

    /// Takes a denial to be written. Never waits: where there is no room, it is counted as lost.
    pub fn note(&self, denial: Denial) {
        if self.sender.try_send(denial).is_err() {
            self.lose(1);
        }
    }

    /// Takes the refusal of one item of a stream, when that was a denial.
    pub fn item(&self, by: &Actor, call: &'static str, at: Timestamp, error: &ItemError) {
        if let Some(reason) = Problem::from(error).denial() {
            let (by, reason) = (by.clone(), reason.to_owned());
            self.note(Denial { by, call, reason, request_id: None, at, traceparent: None });
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

    /// Writes denials as they come, until told to stop. One task of a process does.
    pub async fn keep(&self, ledger: &dyn Ledger, stopping: impl Future<Output = ()>) {
        let mut receiver = self.receiver.lock().await;
        let mut minute = Minute::default();
        let mut ends = tokio::time::interval(MINUTE);
        ends.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = std::pin::pin!(stopping);
        loop {
            tokio::select! {
                biased;
                () = &mut stopping => break,
                _ = ends.tick() => self.end(ledger, &mut minute).await,
                denial = receiver.recv() => {
                    // It never ends before the process: this holds a sender itself.
                    let Some(denial) = denial else { return };
                    self.take(ledger, &mut minute, denial).await;
                }
            }
        }
        let rest = async {
            while let Ok(denial) = receiver.try_recv() {
                self.take(ledger, &mut minute, denial).await;
            }
            self.end(ledger, &mut minute).await;
        };
        if tokio::time::timeout(LAST_WORDS, rest).await.is_err() {
            tracing::warn!("denials were left unwritten: the store did not answer");
        }
    }

    async fn take(&self, ledger: &dyn Ledger, minute: &mut Minute, denial: Denial) {
        match minute.take(denial) {
            Taken::Now(denial) => self.write(ledger, denial, 1).await,
            Taken::Later => {}
            Taken::NoRoom => self.lose(1),
        }
    }

    async fn end(&self, ledger: &dyn Ledger, minute: &mut Minute) {
        for (denial, times) in minute.end() {
            self.write(ledger, denial, times).await;
        }
    }

    async fn write(&self, ledger: &dyn Ledger, denial: Denial, times: u64) {
        let Denial { by, call, reason, request_id, at, traceparent } = denial;
        let denied = Some(Denied { reason, times });
        let cause =
            Cause { by, verb: call.to_owned(), at, request_id, traceparent, decided_at: None, denied };
        match ledger.commit(Commit::new(at).because(cause.encode())).await {
            Ok(_) => drop(self.recorded.fetch_add(times, Ordering::Relaxed)),
            Err(trouble) => {
                tracing::warn!(error = %trouble, times, "a denial is not in the log");
                self.lose(times);
            }
        }
    }

    fn lose(&self, times: u64) {
        self.lost.fetch_add(times, Ordering::Relaxed);
    }
}

/// What was denied in a minute.
#[derive(Debug, Default)]
struct Minute {
    /// Entries that each caller has had.
    told: HashMap<Actor, u32>,
    /// The last denial of each caller, call and reason beyond those, and how many they are.
    more: HashMap<(Actor, &'static str, String), (Denial, u64)>,
}

/// What becomes of a denial.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// It is written by itself.
    Now(Denial),
    /// It is counted, and written with those like it.
    Later,
    /// There are more kinds of denials than are counted.
    NoRoom,
}

impl Minute {
    fn take(&mut self, denial: Denial) -> Taken {
        let told = self.told.entry(denial.by.clone()).or_default();
        if *told < EACH {
            *told += 1;
            return Taken::Now(denial);
        }
        let alike = (denial.by.clone(), denial.call, denial.reason.clone());
        // A count is of many calls, and of none by name.
        let denial = Denial { request_id: None, traceparent: None, ..denial };
        if let Some((last, times)) = self.more.get_mut(&alike) {
            *last = denial;
            *times += 1;
        } else if self.more.len() < COUNTS_MAX {
            self.more.insert(alike, (denial, 1));
        } else {
            return Taken::NoRoom;
        }
        Taken::Later
    }

    /// Ends the minute, and returns its counts in order of their last denial.
    fn end(&mut self) -> Vec<(Denial, u64)> {
        self.told.clear();
        let mut counts: Vec<(Denial, u64)> = self.more.drain().map(|(_, count)| count).collect();
        counts.sort_by(|(one, _), (two, _)| {
            (one.at, &one.by.subject, one.call, &one.reason).cmp(&(
                two.at,
                &two.by.subject,
                two.call,
                &two.reason,
            ))
        });
        counts
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fallow_domain::actor::{ActorKind, Role};
    use fallow_domain::ids::Label;
    use fallow_ledger::{Change, MemoryLedger, Revision};

    use super::*;

    fn denial(subject: &str, call: &'static str) -> Denial {
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
            at: "2026-11-24T08:00:00Z".parse().unwrap(),
            traceparent: None,
        }
    }

    async fn log(ledger: &MemoryLedger) -> Vec<Change> {
        let (_, now) = ledger.snapshot().await.unwrap();
        ledger.changes(&now.at(Revision::ABSENT), 1_000, Duration::ZERO).await.unwrap().changes
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_of_refusals_is_a_few_entries_and_a_count() {
        let (denials, ledger) = (Arc::new(Denials::new()), Arc::new(MemoryLedger::new()));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (kept, of) = (denials.clone(), ledger.clone());
        let keeping = async move { kept.keep(&*of, async { drop(stopped.await) }).await };
        let asking = async {
            for _ in 0..500 {
                denials.note(denial("one", "BypassProposal"));
            }
            denials.note(denial("one", "SetMode"));
            denials.note(denial("two", "SetMode"));
            // The clock is one that jumps when all wait: past the end of the first whole minute.
            tokio::time::sleep(MINUTE + MINUTE / 2).await;
            denials.note(denial("one", "SetMode"));
            tokio::time::sleep(MINUTE / 4).await;
            stop.send(()).unwrap();
        };
        tokio::join!(keeping, asking);
        let told: Vec<(String, String, u64, bool)> = log(&ledger)
            .await
            .iter()
            .map(|change| {
                assert!(change.writes.is_empty());
                let cause = Cause::decode(&change.cause).unwrap();
                let denied = cause.denied.unwrap();
                (cause.by.subject.to_string(), cause.verb, denied.times, cause.request_id.is_some())
            })
            .collect();
        let entry = |who: &str, call: &str, times, named| (who.to_owned(), call.to_owned(), times, named);
        let mut expected = vec![entry("one", "BypassProposal", 1, true); 10];
        expected.extend([
            entry("two", "SetMode", 1, true),
            entry("one", "BypassProposal", 490, false),
            entry("one", "SetMode", 1, false),
            entry("one", "SetMode", 1, true),
        ]);
        assert_eq!(told, expected);
        assert_eq!((denials.recorded(), denials.lost()), (503, 0));
    }

    #[tokio::test]
    async fn what_nobody_writes_is_lost_and_holds_nobody_up() {
        let denials = Denials::new();
        for _ in 0..WAITING_MAX + 7 {
            denials.note(denial("one", "SetMode"));
        }
        assert_eq!((denials.recorded(), denials.lost()), (0, 7));
    }

    #[test]
    fn kinds_of_denials_beyond_all_bounds_are_counted_as_lost() {
        let mut minute = Minute::default();
        for number in 0..COUNTS_MAX + 1 {
            let who = format!("p{number}");
            for _ in 0..EACH {
                assert!(matches!(minute.take(denial(&who, "SetMode")), Taken::Now(_)));
            }
            let expected = if number < COUNTS_MAX { Taken::Later } else { Taken::NoRoom };
            assert_eq!(minute.take(denial(&who, "SetMode")), expected);
        }
        assert_eq!(minute.end().len(), COUNTS_MAX);
        assert_eq!(minute.end().len(), 0);
    }
}
