//! What all rounds came to.

use std::process::ExitCode;
use std::time::Duration;

use crate::UNPLAYED;
use crate::plan::Plan;
use crate::round::Outcome;

/// The sums over all rounds.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    passed: usize,
    failed: usize,
    /// Rounds of which nothing is known.
    pub(crate) unplayed: usize,
    acknowledged: usize,
    calls: usize,
    judged: usize,
    unjudged: usize,
    slowest: Duration,
    lost: usize,
    held_twice: usize,
    wrong: usize,
    /// Rounds that had to end sealed, and those of them that did.
    sealed: (usize, usize),
}

impl Totals {
    /// Adds a round.
    pub(crate) fn add(&mut self, outcome: &Outcome, plan: &Plan) {
        let breaches = &outcome.breaches;
        if breaches.is_empty() {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        self.acknowledged += outcome.acknowledged;
        self.calls += outcome.calls;
        self.judged += outcome.linear.0;
        self.unjudged += outcome.linear.1;
        self.slowest = self.slowest.max(outcome.live_after.unwrap_or_default());
        let count = |names: &[&str]| breaches.iter().filter(|b| names.contains(&b.invariant)).count();
        self.lost += count(&["no_lost_ok", "sealed_after_loss"]);
        self.held_twice += count(&["no_double_hold", "linearizable"]);
        self.wrong += count(&["no_wrong_answer", "one_effect_per_request_id", "refusal_has_no_effect"]);
        if plan.seals() {
            self.sealed.0 += 1;
            self.sealed.1 += usize::from(count(&["sealed_after_loss"]) == 0);
        }
    }

    /// Prints the sums, the last line as a runner of tests does.
    pub(crate) fn print(&self, took: Duration) {
        println!(
            "{} writes acknowledged of {} requests in {:.0} s; {} lost, {} units held twice, {} wrong answers; \
             {} histories linearizable, {} not judged; live again after {:.1} s at most; \
             sealed after a loss in {} of {} rounds",
            self.acknowledged,
            self.calls,
            took.as_secs_f64(),
            self.lost,
            self.held_twice,
            self.wrong,
            self.judged,
            self.unjudged,
            self.slowest.as_secs_f64(),
            self.sealed.1,
            self.sealed.0,
        );
        let failed = self.failed + self.unplayed;
        let word = if failed == 0 { "ok" } else { "FAILED" };
        println!("test result: {word}. {} passed; {failed} failed", self.passed);
    }

    /// Returns how the process ends: 0 when all is right, 1 when a round has failed, 2 when none has but one could not be
    /// played.
    pub(crate) fn exit(&self) -> ExitCode {
        match (self.failed, self.unplayed) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(UNPLAYED),
            _ => ExitCode::FAILURE,
        }
    }
}
