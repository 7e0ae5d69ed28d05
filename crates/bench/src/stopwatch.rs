//! Time and memory of this process, as the system counts them.
//!
//! Processor time is what a comparison on a machine with other work to do can rest on: it grows with the work done, not with the
//! wait for a core.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// How long something took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// Nanoseconds of processor time, of all threads together.
    pub cpu_ns: u64,
    /// Nanoseconds by the clock.
    pub wall_ns: u64,
}

impl Spent {
    /// Returns milliseconds of processor time.
    #[must_use]
    pub fn cpu_ms(self) -> f64 {
        self.cpu_ns as f64 / 1e6
    }

    /// Returns milliseconds by the clock.
    #[must_use]
    pub fn wall_ms(self) -> f64 {
        self.wall_ns as f64 / 1e6
    }
}

/// Counts from when it was started.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    cpu: Duration,
    wall: Duration,
}

impl Stopwatch {
    /// Starts counting.
    #[must_use]
    pub fn start() -> Self {
        Self { cpu: now(ClockId::ProcessCPUTime), wall: now(ClockId::Monotonic) }
    }

    /// Returns what was spent since the start.
    #[must_use]
    pub fn spent(self) -> Spent {
        let since = |clock, start| nanoseconds(now(clock).saturating_sub(start));
        Spent {
            cpu_ns: since(ClockId::ProcessCPUTime, self.cpu),
            wall_ns: since(ClockId::Monotonic, self.wall),
        }
    }
}

fn now(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Runs something `repeat` times (once at least) and returns its last result with every time.
pub fn repeated<T>(repeat: usize, mut run: impl FnMut() -> T) -> (T, Vec<Spent>) {
    let mut times = Vec::with_capacity(repeat.max(1));
    loop {
        let watch = Stopwatch::start();
        let result = run();
        times.push(watch.spent());
        if times.len() >= repeat {
            return (result, times);
        }
    }
}

/// Returns the median of each time by itself: the middle one, of an even number the lower middle one; zero of none.
#[must_use]
pub fn median(times: &[Spent]) -> Spent {
    let middle = |of: fn(&Spent) -> u64| {
        let mut sorted: Vec<u64> = times.iter().map(of).collect();
        sorted.sort_unstable();
        percentile(&sorted, 50.0)
    };
    Spent { cpu_ns: middle(|time| time.cpu_ns), wall_ns: middle(|time| time.wall_ns) }
}

/// Returns the least value that at least `percent` (0 to 100) of the sorted values do not exceed; 0 of none.
#[must_use]
pub fn percentile(sorted: &[u64], percent: f64) -> u64 {
    let covers = |at: &usize| (at + 1) as f64 * 100.0 >= percent * sorted.len() as f64;
    (0..sorted.len()).find(covers).map_or(0, |at| sorted[at])
}

/// Memory of this process in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// What lies in memory now.
    pub now_kib: u64,
    /// The most that lay there at any time.
    pub peak_kib: u64,
}

impl Memory {
    /// Reads it from the system; zeros where that does not say.
    #[must_use]
    pub fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self { now_kib: line(&status, "VmRSS:"), peak_kib: line(&status, "VmHWM:") }
    }
}

/// Returns the number of KiB on the line that starts with a name.
fn line(status: &str, name: &str) -> u64 {
    let found = status.lines().find_map(|line| line.strip_prefix(name));
    found.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let times = |of: &[u64]| -> Vec<Spent> {
            of.iter().map(|&ns| Spent { cpu_ns: ns, wall_ns: 10 * ns }).collect()
        };
        assert_eq!(median(&times(&[9, 1, 5])), Spent { cpu_ns: 5, wall_ns: 50 });
        assert_eq!(median(&times(&[4, 1, 2, 3])).cpu_ns, 2);
        assert_eq!(median(&[]), Spent::default());
    }

    #[test]
    fn a_percentile_covers_its_share() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!([0.0, 50.0, 99.0, 100.0].map(|percent| percentile(&values, percent)), [1, 100, 198, 200]);
        assert_eq!(percentile(&[], 50.0), 0);
    }

    #[test]
    fn everything_runs_as_often_as_asked_and_once_at_least() {
        for (asked, runs) in [(0, 1), (1, 1), (3, 3)] {
            let mut count = 0;
            let (result, times) = repeated(asked, || {
                count += 1;
                count
            });
            assert_eq!((result, times.len()), (runs, runs));
        }
    }

    #[test]
    fn memory_is_read_from_what_the_system_says() {
        let status = "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
        assert_eq!(
            (line(status, "VmHWM:"), line(status, "VmRSS:"), line(status, "VmSwap:")),
            (2048, 1024, 0)
        );
    }
}
