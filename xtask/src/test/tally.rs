//! Counting tests, in the words of each runner.

use std::fmt;
use std::ops::AddAssign;

/// A program that runs tests, by what it says in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `cargo nextest`: one line, `Summary [ 1.2s] 5 tests run: 4 passed, 1 failed`.
    Nextest,
    /// `cargo test`: a line for each binary, `test result: ok. 5 passed; 0 failed; …`.
    Libtest,
    /// Node's runner: `# pass 4` or `ℹ pass 4`, and the same for `fail` and `cancelled`.
    Node,
    /// pytest: `4 passed, 1 failed in 0.12s`, with or without a frame of `=`.
    Pytest,
}

impl Runner {
    /// Says whether a line without its colours is a closing line of this runner.
    fn closes_with(self, line: &str) -> bool {
        match self {
            Self::Nextest => line.starts_with("     Summary ["),
            Self::Libtest => line.starts_with("test result:"),
            Self::Node => line.starts_with("# ") || line.starts_with("ℹ "),
            Self::Pytest => {
                let bare = line.trim_matches(['=', ' ']);
                bare.starts_with(|c: char| c.is_ascii_digit()) && bare.contains(" in ")
            }
        }
    }
}

/// How many tests passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many passed.
    pub(crate) passed: u64,
    /// How many failed, timed out or could not be run.
    pub(crate) failed: u64,
}

impl Tally {
    /// One failure.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1 };

    /// One success.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0 };

    /// Counts what the closing lines of a runner say, and nothing else that it printed: a failed test's own output,
    /// repeated by the runner, may hold the closing lines of another.
    pub(crate) fn of_output(runner: Runner, output: &str) -> Self {
        let mut tally = Self::default();
        for line in output.lines().map(plain).filter(|line| runner.closes_with(line)) {
            let words: Vec<&str> =
                line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
            for pair in words.windows(2) {
                // Node's runner puts the word before the number, the others after it.
                let (what, number) =
                    if runner == Runner::Node { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
                tally += Self::of(number, what).unwrap_or_default();
            }
        }
        tally
    }

    /// Counts `number` of what a runner calls `what`.
    fn of(number: &str, what: &str) -> Option<Self> {
        let number: u64 = number.parse().ok()?;
        match what {
            "passed" | "pass" => Some(Self { passed: number, failed: 0 }),
            "failed" | "fail" | "timed" | "errors" | "error" | "cancelled" => {
                Some(Self { passed: 0, failed: number })
            }
            _ => None,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&format!("{} passed, {} failed", self.passed, self.failed))
    }
}

/// Returns a line without the escape sequences that colour it.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        rest = after.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(runner: Runner, output: &str, passed: u64, failed: u64) {
        assert_eq!(Tally::of_output(runner, output), Tally { passed, failed }, "{output}");
    }

    #[test]
    fn nextest_is_counted() {
        let check = |output, passed, failed| check(Runner::Nextest, output, passed, failed);
        check("     Summary [   0.021s] 7 tests run: 7 passed, 0 skipped", 7, 0);
        check("     Summary [  1.2s] 9 tests run: 5 passed (1 slow), 3 failed, 1 timed out, 4 skipped", 5, 4);
        let coloured = "\u{1b}[32;1m     Summary\u{1b}[0m [ 0.1s] \u{1b}[1m2\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m passed";
        check(coloured, 2, 0);
    }

    #[test]
    fn what_a_failed_test_printed_is_not_counted() {
        let output = "    test result: FAILED. 0 passed; 1 failed\n     Summary [ 0.1s] 1 test run: 0 passed, 1 failed";
        check(Runner::Nextest, output, 0, 1);
    }

    #[test]
    fn libtest_is_counted_over_all_binaries() {
        let ok =
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let bad = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        check(Runner::Libtest, &format!("running 3 tests\n{ok}\n\nrunning 3 tests\n{bad}\n"), 4, 2);
    }

    #[test]
    fn pytest_is_counted() {
        check(Runner::Pytest, "5 passed in 0.12s", 5, 0);
        check(Runner::Pytest, "===== 1 failed, 4 passed, 2 errors in 3.10s =====", 4, 3);
    }

    #[test]
    fn node_is_counted() {
        check(Runner::Node, "# tests 3\n# pass 2\n# fail 1\n# cancelled 0", 2, 1);
        check(Runner::Node, "ℹ tests 4\nℹ pass 4\nℹ fail 0\nℹ cancelled 1", 4, 1);
    }

    #[test]
    fn what_is_no_closing_line_counts_nothing() {
        for runner in [Runner::Nextest, Runner::Libtest, Runner::Node, Runner::Pytest] {
            check(
                runner,
                "PASS 3 passed\nthe deadline passed, 2 failed before\nrunning 3 tests\npass 3",
                0,
                0,
            );
        }
    }

    #[test]
    fn a_tally_is_shown_in_the_plain_form() {
        assert_eq!(Tally { passed: 12, failed: 3 }.to_string(), "12 passed, 3 failed");
    }
}
