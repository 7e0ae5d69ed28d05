//! What the simulated people did and what came of it, counted by call and outcome.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use fallow_api::problem::Problem;
use fallow_api::reasons;
use tonic::Code;

/// Refusals that are part of a day with several people in it: somebody else was first, or too late. A report whose session
/// ended while it was on its way is too late by its window.
const EXPECTED: [&str; 9] = [
    reasons::HOLD_EXPIRED,
    reasons::ALREADY_ACCEPTED,
    reasons::ILLEGAL_TRANSITION,
    reasons::CHANGED_MEANWHILE,
    reasons::CHECKLIST_OPEN,
    reasons::ALREADY_EXTENDED,
    reasons::OUT_OF_ORDER_FEED,
    reasons::WINDOW,
    reasons::RATE_LIMITED,
];

/// Counts by call and outcome; as many as there are calls and reasons, however long it runs. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<(&'static str, String), u64>>>);

impl Tally {
    /// The outcome of a call that did what it should.
    pub const OK: &'static str = "OK";

    /// Returns how often a call had an outcome: [`Tally::OK`], or a reason.
    #[must_use]
    pub fn count(&self, call: &str, outcome: &str) -> u64 {
        self.all().iter().filter(|((c, o), _)| *c == call && o == outcome).map(|(_, count)| count).sum()
    }

    /// Returns every call that was refused for a reason that nobody expects, with its count.
    #[must_use]
    pub fn unexpected(&self) -> Vec<(&'static str, String, u64)> {
        let all = self.all();
        let wrong = all.iter().filter(|((_, outcome), _)| outcome != Self::OK && !is_expected(outcome));
        wrong.map(|((call, outcome), count)| (*call, outcome.clone(), *count)).collect()
    }

    /// Counts an answer and returns what it holds. What nobody expects is logged.
    pub(super) fn note<T>(&self, call: &'static str, who: &str, answer: Result<T, Problem>) -> Option<T> {
        let (outcome, value) = match answer {
            Ok(value) => (Self::OK.to_owned(), Some(value)),
            Err(problem) => (outcome_of(call, who, &problem), None),
        };
        *self.all().entry((call, outcome)).or_default() += 1;
        value
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<(&'static str, String), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_expected(outcome: &str) -> bool {
    EXPECTED.contains(&outcome)
}

fn outcome_of(call: &'static str, who: &str, problem: &Problem) -> String {
    let outcome = match problem.reason.as_str() {
        // Nothing of ours answered, such as when the process is stopping.
        "" => format!("{:?}", problem.code),
        reason => reason.to_owned(),
    };
    if is_expected(&outcome) || problem.code == Code::Unavailable {
        tracing::debug!(call, who, %outcome, "{problem}");
    } else {
        tracing::warn!(call, who, %outcome, "the simulator was refused: {problem}");
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(reason: &str) -> Problem {
        let mut problem = Problem::from(&tonic::Status::failed_precondition("no"));
        problem.reason = reason.to_owned();
        problem
    }

    #[test]
    fn races_are_expected_and_everything_else_stands_out() {
        let tally = Tally::default();
        assert_eq!(tally.note("answer", "ZA1", Ok(5)), Some(5));
        assert_eq!(tally.note::<u8>("answer", "ZA1", Err(problem(reasons::HOLD_EXPIRED))), None);
        assert_eq!(tally.unexpected(), []);
        assert_eq!(tally.note::<u8>("raise", "ZA2", Err(problem("ROLE_FORBIDS"))), None);
        assert_eq!(tally.note::<u8>("raise", "ZA2", Err(problem(""))), None);
        assert_eq!(tally.count("answer", Tally::OK), 1);
        assert_eq!(tally.count("answer", reasons::HOLD_EXPIRED), 1);
        assert_eq!(
            tally.unexpected(),
            [("raise", "FailedPrecondition".to_owned(), 1), ("raise", "ROLE_FORBIDS".to_owned(), 1),]
        );
    }
}
