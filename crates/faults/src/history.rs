//! What the clients of a round asked and were told, with times.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fallow_api::v1;
use tokio::time::Instant;
use tonic::Code;

use crate::asks::Ask;

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    /// It was done.
    Ok(Box<Said>),
    /// It was not done, and the caller was told why.
    Refused(Code, String),
    /// Nobody knows whether it was done.
    Unknown(String),
}

impl End {
    /// Says whether a repetition has told what became of the request: it was done, or a rule refuses it. That nothing
    /// listens, that the store is away and the like say nothing of it.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Ok(_) => true,
            Self::Refused(code, _) => !matches!(
                code,
                Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled
            ),
            Self::Unknown(_) => false,
        }
    }
}

/// What an OK said.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Said {
    /// The revision of the commit; 0 when nothing was written.
    pub(crate) revision: u64,
    /// The offer as it now is.
    pub(crate) offer: Option<v1::Offer>,
    /// The need as it now is.
    pub(crate) need: Option<v1::Need>,
    /// The proposal as it now is.
    pub(crate) proposal: Option<v1::Proposal>,
    /// The transfer as it now is.
    pub(crate) transfer: Option<v1::Transfer>,
}

/// One sending of a request. Times count from the start of the round.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) invoked: Duration,
    pub(crate) ended: Duration,
    pub(crate) end: End,
}

/// A request, with all its sendings.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    pub(crate) client: usize,
    pub(crate) trust: &'static str,
    pub(crate) request_id: String,
    pub(crate) ask: Ask,
    /// What the caller must not be able to do.
    pub(crate) forbidden: Option<&'static str>,
    pub(crate) attempts: Vec<Attempt>,
}

impl Op {
    /// Returns the first OK, if there was one.
    pub(crate) fn ok(&self) -> Option<(&Attempt, &Said)> {
        let oks = self.attempts.iter().filter_map(|attempt| match &attempt.end {
            End::Ok(said) => Some((attempt, &**said)),
            End::Refused(..) | End::Unknown(_) => None,
        });
        oks.min_by_key(|(attempt, _)| attempt.ended)
    }

    /// Says whether it may have been done although nobody said so.
    pub(crate) fn is_open(&self) -> bool {
        self.ok().is_none() && self.attempts.iter().any(|attempt| matches!(attempt.end, End::Unknown(_)))
    }

    /// Returns when it was first sent.
    pub(crate) fn invoked(&self) -> Duration {
        self.attempts.iter().map(|attempt| attempt.invoked).min().unwrap_or_default()
    }
}

/// The histories of all clients of a round.
#[derive(Debug)]
pub(crate) struct History {
    start: Instant,
    ops: Mutex<Vec<Op>>,
    remarks: Mutex<Vec<String>>,
    highest_ok: AtomicU64,
    /// Whether the log is about to be lost, and is no longer read.
    is_ending: AtomicBool,
    /// When the fault came after which nothing may be acknowledged, in microseconds; 0 = it did not.
    sealed_us: AtomicU64,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            ops: Mutex::default(),
            remarks: Mutex::default(),
            highest_ok: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
            sealed_us: AtomicU64::new(0),
        }
    }

    /// Returns the time since the round's start.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Notes a request before it is sent, and returns its place.
    pub(crate) fn open(&self, op: Op) -> usize {
        let mut ops = self.ops();
        ops.push(op);
        ops.len() - 1
    }

    /// Notes that a request is sent, and returns the place of the sending. Until more is noted its outcome is unknown.
    pub(crate) fn sent(&self, op: usize) -> usize {
        let invoked = self.now();
        let end = End::Unknown("given up".to_owned());
        let attempts = &mut self.ops()[op].attempts;
        attempts.push(Attempt { invoked, ended: Duration::MAX, end });
        attempts.len() - 1
    }

    /// Notes what a sending came to.
    pub(crate) fn came_to(&self, op: usize, sending: usize, end: End) {
        if let End::Ok(said) = &end {
            self.highest_ok.fetch_max(said.revision, Ordering::AcqRel);
        }
        let ended = self.now();
        let attempt = &mut self.ops()[op].attempts[sending];
        (attempt.ended, attempt.end) = (ended, end);
    }

    /// Returns what a request asks for.
    pub(crate) fn ask(&self, op: usize) -> Ask {
        self.ops()[op].ask.clone()
    }

    /// Returns a request's id.
    pub(crate) fn request_id(&self, op: usize) -> String {
        self.ops()[op].request_id.clone()
    }

    /// Returns the highest revision that a client was told.
    pub(crate) fn highest_ok(&self) -> u64 {
        self.highest_ok.load(Ordering::Acquire)
    }

    /// Notes that the log is about to be lost.
    pub(crate) fn ending(&self) {
        self.is_ending.store(true, Ordering::Release);
    }

    /// Says whether the log is about to be lost, or is.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Notes that from now on nothing may be acknowledged.
    pub(crate) fn seal(&self) {
        let now = u64::try_from(self.now().as_micros()).unwrap_or(u64::MAX);
        self.sealed_us.store(now.max(1), Ordering::Release);
    }

    /// Returns since when nothing may be acknowledged, if that is so.
    pub(crate) fn sealed_at(&self) -> Option<Duration> {
        let at = self.sealed_us.load(Ordering::Acquire);
        (at > 0).then(|| Duration::from_micros(at))
    }

    /// Says whether since then a caller was refused for one of these reasons.
    pub(crate) fn was_refused(&self, since: Duration, reasons: &[&str]) -> bool {
        let told = self.refusals(since);
        reasons.iter().any(|reason| told.contains_key(*reason))
    }

    /// Counts why callers were refused what they asked for since then.
    pub(crate) fn refusals(&self, since: Duration) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for attempt in self.ops().iter().flat_map(|op| &op.attempts).filter(|attempt| attempt.invoked > since)
        {
            if let End::Refused(_, reason) = &attempt.end {
                *counts.entry(reason.clone()).or_default() += 1;
            }
        }
        counts
    }

    /// Keeps a remark for the report of a failing round.
    pub(crate) fn remark(&self, text: String) {
        let text = format!("{:7.3} s  {text}", self.now().as_secs_f64());
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// Returns all remarks.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns a copy of all requests.
    pub(crate) fn all(&self) -> Vec<Op> {
        self.ops().clone()
    }

    /// Returns the places of the requests of which nobody knows whether they were done.
    pub(crate) fn open_ops(&self) -> Vec<(usize, Op)> {
        let ops = self.ops();
        ops.iter().enumerate().filter(|(_, op)| op.is_open()).map(|(at, op)| (at, op.clone())).collect()
    }

    fn ops(&self) -> MutexGuard<'_, Vec<Op>> {
        self.ops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ok_or_a_rule_settles_what_became_of_a_request() {
        let refused = |code| End::Refused(code, String::new()).is_final();
        assert!(End::Ok(Box::default()).is_final() && refused(Code::FailedPrecondition));
        assert!(refused(Code::NotFound) && refused(Code::AlreadyExists));
        assert!(!refused(Code::Unavailable) && !refused(Code::ResourceExhausted));
        assert!(!refused(Code::DeadlineExceeded) && !End::Unknown(String::new()).is_final());
    }
}
