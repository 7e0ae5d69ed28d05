//! Counting tests, in the words of each runner.

use std::fmt;
use std::ops::AddAssign;

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

    /// Counts what a runner printed: nextest, libtest, pytest, node's runner, or a plain `N passed, N failed`.
    pub(crate) fn of_output(output: &str) -> Self {
        let mut tally = Self::default();
        for line in output.lines().map(plain) {
            if let Some(line) = Self::of_line(line.trim()) {
                tally += line;
            }
        }
        tally
    }

    /// Counts what one closing line of a runner says.
    fn of_line(line: &str) -> Option<Self> {
        let words: Vec<&str> =
            line.split(|c: char| !c.is_alphanumeric() && c != '#').filter(|word| !word.is_empty()).collect();
        // Node's runner: `# pass 3` or `ℹ pass 3`, and the same of `fail` and `cancelled`, each on a line.
        if let [mark, what, number] = words[..]
            && matches!(mark, "#" | "ℹ")
        {
            return Self::of(number, what);
        }
        if let (["pass" | "fail" | "cancelled", number], true) = (&words[..], line.starts_with('ℹ')) {
            return Self::of(number, words[0]);
        }
        let closing =
            line.starts_with("Summary [") || line.starts_with("test result:") || line.starts_with("====");
        let plain_form = matches!(words[..], [_, "passed", ..] | [_, "failed", ..]);
        if !closing && !plain_form {
            return None;
        }
        let mut tally = Self::default();
        for pair in words.windows(2) {
            if let Some(counted) = Self::of(pair[0], pair[1]) {
                tally += counted;
            }
        }
        Some(tally)
    }

    /// Counts `number` of what a runner calls `what`.
    fn of(number: &str, what: &str) -> Option<Self> {
        let number = number.parse().ok()?;
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

    fn check(output: &str, passed: u64, failed: u64) {
        assert_eq!(Tally::of_output(output), Tally { passed, failed }, "{output}");
    }

    #[test]
    fn nextest_is_counted() {
        check("     Summary [   0.021s] 7 tests run: 7 passed, 0 skipped", 7, 0);
        check("Summary [  1.2s] 9 tests run: 5 passed (1 slow), 3 failed, 1 timed out, 4 skipped", 5, 4);
        check(
            "\u{1b}[32;1m     Summary\u{1b}[0m [ 0.1s] \u{1b}[1m2\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m \u{1b}[32mpassed\u{1b}[0m",
            2,
            0,
        );
    }

    #[test]
    fn libtest_is_counted_over_all_binaries() {
        let ok =
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let bad = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        check(&format!("running 3 tests\n{ok}\n\nrunning 3 tests\n{bad}\n"), 4, 2);
    }

    #[test]
    fn pytest_is_counted() {
        check("5 passed in 0.12s", 5, 0);
        check("===== 1 failed, 4 passed, 2 errors in 3.10s =====", 4, 3);
    }

    #[test]
    fn node_is_counted() {
        check("# tests 3\n# pass 2\n# fail 1\n# cancelled 0", 2, 1);
        check("ℹ tests 4\nℹ pass 4\nℹ fail 0", 4, 0);
    }

    #[test]
    fn what_is_no_closing_line_counts_nothing() {
        check("PASS [ 0.1s] 3 passed tests\nthe deadline passed, 2 failed before\nrunning 3 tests", 0, 0);
    }

    #[test]
    fn the_plain_form_is_written_and_read() {
        let tally = Tally { passed: 12, failed: 3 };
        assert_eq!(tally.to_string(), "12 passed, 3 failed");
        check(&tally.to_string(), 12, 3);
    }
}
